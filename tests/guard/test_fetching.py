"""Reading from the issuer over a real network: limits on time and size, no redirect, TLS, one kept connection."""

import asyncio
import contextlib
import gzip
import socket
import ssl
import threading
import time
from collections.abc import AsyncIterator, Callable, Iterator
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from ipaddress import ip_address
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, generate_private_key
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID

from gatepost.guard import Unfetched
from gatepost.guard.fetch import LARGEST, HttpFetch

Answer = Callable[[BaseHTTPRequestHandler], None]


class Site:
    """A server on this machine that answers as a test wants."""

    def __init__(self, tls: ssl.SSLContext | None = None) -> None:
        self.answer: Answer = lambda request: send(request, b"hello")
        self.requests: list[str] = []
        self.connections = 0
        site = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def setup(self) -> None:
                super().setup()
                site.connections += 1

            def do_GET(self) -> None:
                site.requests.append(self.path)
                with contextlib.suppress(OSError):
                    site.answer(self)

            def log_message(self, format: str, *arguments: Any) -> None:  # noqa: A002
                """Say nothing."""

        class Server(ThreadingHTTPServer):
            daemon_threads = True

            def handle_error(self, request: Any, client_address: Any) -> None:
                """Say nothing: whoever refuses a certificate hangs up."""

        self._server = Server(("127.0.0.1", 0), Handler)
        if tls is not None:
            self._server.socket = tls.wrap_socket(self._server.socket, server_side=True)
        scheme = "http" if tls is None else "https"
        self.url = f"{scheme}://127.0.0.1:{self._server.server_port}"
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.01,), daemon=True)
        self._thread.start()

    def stop(self) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()


def send(request: BaseHTTPRequestHandler, body: bytes, status: int = 200, **headers: str) -> None:
    request.send_response(status)
    for name, value in {"Content-Length": str(len(body)), **headers}.items():
        request.send_header(name.replace("_", "-"), value)
    request.end_headers()
    request.wfile.write(body)


def holding(held: threading.Event) -> None:
    held.wait(30)


@pytest.fixture
def site() -> Iterator[Site]:
    opened = Site()
    yield opened
    opened.stop()


@pytest.fixture
async def fetch() -> AsyncIterator[HttpFetch]:
    opened = HttpFetch(timeout=20)
    yield opened
    await opened.close()


async def test_it_reads_a_document_and_its_headers(site: Site, fetch: HttpFetch) -> None:
    site.answer = lambda request: send(request, b"{}", Cache_Control="max-age=5")

    found = await fetch(f"{site.url}/a?after=b")

    assert (found.body, found.headers["cache-control"]) == (b"{}", "max-age=5")
    assert site.requests == ["/a?after=b"]


async def test_one_connection_serves_for_all(site: Site, fetch: HttpFetch) -> None:
    for _ in range(5):
        await fetch(f"{site.url}/a")
    assert site.connections == 1


async def test_a_connection_that_was_closed_meanwhile_is_opened_anew(site: Site, fetch: HttpFetch) -> None:
    def and_hang_up(request: BaseHTTPRequestHandler) -> None:
        send(request, b"hello")
        request.close_connection = True

    site.answer = and_hang_up
    for _ in range(3):
        assert (await fetch(site.url)).body == b"hello"
    assert site.connections == 3


async def test_after_a_failure_the_next_one_begins_anew(site: Site, fetch: HttpFetch) -> None:
    good = site.answer
    site.answer = lambda request: request.wfile.write(b"nonsense\r\n\r\n")
    with pytest.raises(Unfetched):
        await fetch(site.url)
    site.answer = good
    assert (await fetch(site.url)).body == b"hello"


@pytest.mark.parametrize("status", [204, 301, 302, 307, 308, 400, 401, 404, 422, 429, 500, 503])
async def test_what_is_no_200_is_no_document(site: Site, fetch: HttpFetch, status: int) -> None:
    site.answer = lambda request: send(request, b"", status)
    with pytest.raises(Unfetched) as failed:
        await fetch(site.url)
    assert failed.value.status == status


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
async def test_no_redirect_is_followed(site: Site, fetch: HttpFetch, status: int) -> None:
    elsewhere = Site()
    try:
        site.answer = lambda request: send(request, b"", status, Location=f"{elsewhere.url}/stolen")
        with pytest.raises(Unfetched):
            await fetch(site.url)
        assert (len(site.requests), elsewhere.requests) == (1, [])
    finally:
        elsewhere.stop()


async def test_c10_a_document_without_end_is_read_no_further(site: Site, fetch: HttpFetch) -> None:
    sent = 0

    def endless(request: BaseHTTPRequestHandler) -> None:
        nonlocal sent
        request.send_response(200)
        request.end_headers()
        request.close_connection = True
        while sent < 50 * LARGEST:
            request.wfile.write(b"a" * 65_536)
            sent += 65_536

    site.answer = endless
    with pytest.raises(Unfetched, match="more than"):
        await fetch(site.url)
    assert sent < 50 * LARGEST


async def test_c10_a_document_that_is_announced_too_long_is_refused(site: Site, fetch: HttpFetch) -> None:
    site.answer = lambda request: send(request, b"a" * (LARGEST + 1))
    with pytest.raises(Unfetched, match="more than"):
        await fetch(site.url)
    site.answer = lambda request: send(request, b"a" * LARGEST)
    assert len((await fetch(site.url)).body) == LARGEST


async def test_c10_nothing_is_unpacked(site: Site, fetch: HttpFetch) -> None:
    bomb = gzip.compress(bytes(10_000_000))
    site.answer = lambda request: send(request, bomb, Content_Encoding="gzip")
    with pytest.raises(Unfetched, match="encoding"):
        await fetch(site.url)


async def test_k16_an_issuer_that_says_nothing_is_given_up(site: Site) -> None:
    held = threading.Event()
    site.answer = lambda request: holding(held)
    fetch = HttpFetch(timeout=0.2)
    with pytest.raises(Unfetched):
        await fetch(site.url)
    held.set()
    site.answer = lambda request: send(request, b"hello")
    assert (await fetch(site.url)).body == b"hello"
    await fetch.close()


@pytest.mark.parametrize("where", ["head", "body"])
async def test_k16_an_issuer_that_drips_is_given_up(site: Site, where: str) -> None:
    """Every byte comes in time; all of them together do not."""
    ended = threading.Event()

    def dripping(request: BaseHTTPRequestHandler) -> None:
        if where == "body":
            request.wfile.write(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n")
        for _ in range(1000):
            request.wfile.write(b"H" if where == "head" else b"a")
            if ended.wait(0.02):
                return

    site.answer = dripping
    fetch = HttpFetch(timeout=0.5)
    with pytest.raises(Unfetched):
        await fetch(site.url)
    site.answer = lambda request: send(request, b"hello")
    # The thread is free again: nobody waits behind the drip.
    assert (await fetch(site.url)).body == b"hello"
    ended.set()
    await fetch.close()


async def test_nobody_there_is_a_failure_like_any_other(fetch: HttpFetch) -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    for url in (f"http://127.0.0.1:{port}/", "http://nowhere.invalid/", "http://a..b/"):
        with pytest.raises(Unfetched):
            await fetch(url)


async def test_closing_in_the_midst_of_a_read_ends_it(site: Site) -> None:
    held = threading.Event()
    site.answer = lambda request: holding(held)
    fetch = HttpFetch(timeout=30)
    reading = asyncio.create_task(fetch(site.url))
    while not site.requests:  # noqa: ASYNC110  the server runs in a thread
        await asyncio.sleep(0.005)
    started = time.monotonic()
    await fetch.close()
    with pytest.raises(Unfetched):
        await reading
    assert time.monotonic() - started < 25
    held.set()


async def test_closing_what_was_never_used_is_nothing() -> None:
    await HttpFetch(timeout=1).close()


# ── TLS ──────────────────────────────────────────────────────────────────────────────────────────


@pytest.fixture
def secure(tmp_path: Path) -> Iterator[tuple[Site, Path]]:
    """A server with a certificate of its own, and the file of the authority that vouches for it: itself."""
    key = generate_private_key(SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "issuer")])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ip_address("127.0.0.1"))]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, SHA256())
    )
    file, key_file = tmp_path / "issuer.pem", tmp_path / "issuer.key"
    file.write_bytes(certificate.public_bytes(Encoding.PEM))
    key_file.write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(file, key_file)
    site = Site(context)
    yield site, file
    site.stop()


async def test_a_certificate_that_nobody_vouches_for_is_refused(
    secure: tuple[Site, Path], fetch: HttpFetch
) -> None:
    with pytest.raises(Unfetched, match="CERTIFICATE_VERIFY_FAILED"):
        await fetch(secure[0].url)
    assert secure[0].requests == []


async def test_an_authority_of_ones_own_may_vouch(secure: tuple[Site, Path]) -> None:
    fetch = HttpFetch(timeout=20, tls=ssl.create_default_context(cafile=str(secure[1])))
    assert (await fetch(secure[0].url)).body == b"hello"
    with pytest.raises(Unfetched, match="CERTIFICATE_VERIFY_FAILED"):
        await fetch(secure[0].url.replace("127.0.0.1", "localhost"))
    await fetch.close()
