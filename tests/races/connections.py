"""Requests that really are simultaneous: all are on their way but for the last byte, then that one goes out to all."""

import asyncio
import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode, urlsplit

__all__ = ["Answer", "Held", "Request", "at_once", "hold", "sign_in", "sign_up"]


@dataclass(frozen=True)
class Request:
    """One request to a service at `url`."""

    url: str
    method: str
    path: str
    body: bytes = b""
    content_type: str = "application/json"

    def __bytes__(self) -> bytes:
        head = (
            f"{self.method} {self.path} HTTP/1.1\r\nHost: {urlsplit(self.url).netloc}\r\nConnection: close\r\n"
            f"Content-Type: {self.content_type}\r\nContent-Length: {len(self.body)}\r\n\r\n"
        )
        return head.encode() + self.body


@dataclass(frozen=True)
class Answer:
    """What came back."""

    status: int
    body: Any


class Held:
    """A request that a service has received but for its last byte."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, last_byte: bytes) -> None:
        self._reader = reader
        self._writer = writer
        self._last_byte = last_byte

    def let_go(self) -> None:
        self._writer.write(self._last_byte)

    async def answer(self) -> Answer:
        raw = await self._reader.read()
        self._writer.close()
        await self._writer.wait_closed()
        head, _, body = raw.partition(b"\r\n\r\n")
        return Answer(int(head.split()[1]), json.loads(body) if body else None)


async def hold(request: Request) -> Held:
    """Connect and send all but the last byte."""
    address = urlsplit(request.url)
    reader, writer = await asyncio.open_connection(address.hostname, address.port)
    raw = bytes(request)
    writer.write(raw[:-1])
    await writer.drain()
    return Held(reader, writer, raw[-1:])


async def at_once(requests: Sequence[Request]) -> list[Answer]:
    """Send all requests in one moment; return their answers in order."""
    held = await asyncio.gather(*map(hold, requests))
    for each in held:
        each.let_go()
    return await asyncio.gather(*(each.answer() for each in held))


def sign_up(url: str, email: str, password: str) -> Request:
    body = json.dumps({"email": email, "password": password}).encode()
    return Request(url, "POST", "/users/", body)


def sign_in(url: str, **form: str) -> Request:
    return Request(url, "POST", "/users/token", urlencode(form).encode(), "application/x-www-form-urlencoded")
