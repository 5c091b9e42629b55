"""A port for operators alone, beside the public one: a handful of paths that are read."""

import asyncio
import sys
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager, suppress
from http import HTTPStatus
from typing import NamedTuple

from gatepost.core.errors import Stopped

__all__ = ["OperatorsPort", "Page"]

_LONGEST_HEAD = 8_192
_LONGEST_SECONDS = 5.0


class Page(NamedTuple):
    """What is answered."""

    status: int
    content_type: str
    body: bytes


class OperatorsPort:
    """Answers GET on a few paths, one request a connection (HTTP/1.1, RFC 9112). All processes share the port."""

    def __init__(self, host: str, port: int, pages: Mapping[str, Callable[[], Awaitable[Page]]]) -> None:
        self._host = host
        self._port = port
        self._pages = pages

    @asynccontextmanager
    async def open(self) -> AsyncGenerator[None]:
        """Listen meanwhile. Raises Stopped if the port cannot be had."""
        try:
            server = await asyncio.start_server(
                self._answer,
                self._host,
                self._port,
                limit=_LONGEST_HEAD,
                reuse_port=sys.platform != "win32" or None,
            )
        except OSError as error:
            raise Stopped(
                f"Cannot listen on {self._host}:{self._port} ({error.strerror}). Choose another GATEPOST_METRICS_PORT."
            ) from error
        async with server:
            yield

    async def _answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(TimeoutError, OSError, asyncio.IncompleteReadError, asyncio.LimitOverrunError):
            async with asyncio.timeout(_LONGEST_SECONDS):
                head = await reader.readuntil(b"\r\n\r\n")
                page = await self._page(head)
                writer.write(_response(page))
                await writer.drain()
        writer.close()

    async def _page(self, head: bytes) -> Page:
        method, _, rest = head.partition(b"\r\n")[0].decode("latin-1").partition(" ")
        find = self._pages.get(rest.partition(" ")[0].partition("?")[0])
        if find is None:
            return Page(404, "text/plain", b"not found\n")
        if method != "GET":
            return Page(405, "text/plain", b"read it with GET\n")
        return await find()


def _response(page: Page) -> bytes:
    head = (
        f"HTTP/1.1 {page.status} {HTTPStatus(page.status).phrase}\r\nContent-Type: {page.content_type}\r\n"
        f"Content-Length: {len(page.body)}\r\nCache-Control: no-store\r\nX-Content-Type-Options: nosniff\r\n"
        "Connection: close\r\n\r\n"
    )
    return head.encode() + page.body
