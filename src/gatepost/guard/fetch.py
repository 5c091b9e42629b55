"""Reading from the issuer: one kept connection, in a thread of its own, with limits on everything."""

import asyncio
import http.client
import ipaddress
import socket
import ssl
import threading
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from typing import Protocol
from urllib.parse import SplitResult, urlsplit

__all__ = ["Fetch", "Fetched", "HttpFetch", "Unfetched", "checked_url", "origin"]

# A page of a thousand ended sessions is some 60 KB.
LARGEST = 512 * 1024
_OK = 200
_PARTING = 1.0
_HEADERS = {"Accept-Encoding": "identity", "Connection": "keep-alive", "User-Agent": "gatepost-guard"}


class Unfetched(Exception):
    """It could not be read from the issuer, or is not what it should be. `status` is the answer's, if there was one."""

    def __init__(self, reason: str, status: int | None = None) -> None:
        self.status = status
        super().__init__(reason)


@dataclass(frozen=True, slots=True)
class Fetched:
    """An answer of status 200. Names of headers are in lower case."""

    body: bytes
    headers: Mapping[str, str]


class Fetch(Protocol):
    """Reads a document by its URL; follows no redirect. Give the guard your own to go through a proxy, say."""

    async def __call__(self, url: str) -> Fetched:
        """Return the document. Raises Unfetched."""
        ...

    async def close(self) -> None:
        """Give back what it holds open."""
        ...


class HttpFetch:
    """Reads by http.client: the standard library needs no further dependency, and threads are enough for one reader."""

    def __init__(self, timeout: float, tls: ssl.SSLContext | None = None) -> None:
        self._timeout = timeout
        self._tls = tls
        self._thread: ThreadPoolExecutor | None = None
        self._kept: http.client.HTTPConnection | None = None
        self._kept_for: tuple[str, str] = ("", "")

    async def __call__(self, url: str) -> Fetched:
        if self._thread is None:
            self._thread = ThreadPoolExecutor(1, thread_name_prefix="gatepost-guard")
        given_up = threading.Event()
        running = asyncio.get_running_loop().run_in_executor(self._thread, self._get, urlsplit(url), given_up)
        # Nobody may be left to hear how it ended.
        running.add_done_callback(lambda done: done.cancelled() or done.exception())
        try:
            # The sockets' own limits start anew with every byte; this one is for all of it.
            async with asyncio.timeout(self._timeout):
                return await asyncio.shield(running)
        except TimeoutError:
            given_up.set()
            self._cut()
            raise Unfetched("no answer in time") from None

    async def close(self) -> None:
        self._cut()
        thread, self._thread = self._thread, None
        if thread is not None:
            dropped = asyncio.get_running_loop().run_in_executor(thread, self._drop)
            thread.shutdown(wait=False)
            # A resolver that hangs cannot be cut off; it must not hold up whoever is stopping.
            await asyncio.wait({dropped}, timeout=_PARTING)

    def _cut(self) -> None:
        """Make whoever reads from the connection stop waiting."""
        kept = self._kept
        sock: socket.socket | None = kept.sock if kept is not None else None
        if sock is not None:
            with suppress(OSError):
                sock.shutdown(socket.SHUT_RDWR)

    # ── in the thread ────────────────────────────────────────────────────────────────────────────

    def _get(self, url: SplitResult, given_up: threading.Event) -> Fetched:
        try:
            if self._kept is not None and self._kept_for == origin(url) and not given_up.is_set():
                # The server may have closed it since: then once more, over a new one.
                with suppress(http.client.HTTPException, ConnectionError):
                    return self._over(self._kept, url)
            self._drop()
            if given_up.is_set():
                raise Unfetched("given up")
            self._kept, self._kept_for = self._connection(url), origin(url)
            return self._over(self._kept, url)
        except (OSError, http.client.HTTPException, ValueError) as error:
            self._drop()
            raise Unfetched(f"{type(error).__name__}: {error}") from error

    def _over(self, connection: http.client.HTTPConnection, url: SplitResult) -> Fetched:
        path = url.path or "/"
        connection.request("GET", f"{path}?{url.query}" if url.query else path, headers=_HEADERS)
        # Closed in any case: of an answer that was not read to its end the connection does not do it.
        with connection.getresponse() as answer:
            body = answer.read(LARGEST + 1)
        if len(body) > LARGEST or answer.will_close:
            self._drop()
        headers = {name.lower(): value for name, value in answer.getheaders()}
        if answer.status != _OK:
            raise Unfetched(f"status {answer.status}", answer.status)
        if len(body) > LARGEST:
            raise Unfetched(f"more than {LARGEST} bytes")
        if headers.get("content-encoding", "identity") != "identity":
            raise Unfetched("sent in an encoding that was not asked for")
        return Fetched(body, headers)

    def _connection(self, url: SplitResult) -> http.client.HTTPConnection:
        host = url.hostname or ""
        if url.scheme == "https":
            self._tls = self._tls or ssl.create_default_context()
            return http.client.HTTPSConnection(host, url.port, timeout=self._timeout, context=self._tls)
        return http.client.HTTPConnection(host, url.port, timeout=self._timeout)

    def _drop(self) -> None:
        if self._kept is not None:
            self._kept.close()
            self._kept = None


def origin(url: SplitResult) -> tuple[str, str]:
    """Return the scheme and the host with its port."""
    port = url.port or {"https": 443, "http": 80}[url.scheme]
    return url.scheme, f"{url.hostname}:{port}"


def checked_url(url: str, *, allow_http: bool) -> SplitResult:
    """Return the parts of a URL that may be read from: https, or http on this machine. Raises ValueError."""
    parts = urlsplit(url)
    if parts.scheme not in {"https", "http"} or not parts.hostname or not url.isprintable() or " " in url:
        raise ValueError(f"{url!r} is not an https URL")
    if parts.username is not None or parts.password is not None or parts.query or parts.fragment:
        raise ValueError(f"{url!r} has more than a host and a path")
    origin(parts)  # raises for a port that is none
    if parts.scheme == "http" and not allow_http and not _on_this_machine(parts.hostname):
        raise ValueError(f"{url!r} is not https, and not on this machine")
    return parts


def _on_this_machine(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
