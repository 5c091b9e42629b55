"""A real mail server, which can be told to be away, slow, full or rude."""

import asyncio
import email.policy
import ssl
from collections import Counter
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from email.message import EmailMessage
from email.parser import BytesParser
from pathlib import Path
from typing import Any

from aiosmtpd.smtp import SMTP, AuthResult, LoginPassword

from tests.processes import free_port

_PARSER = BytesParser(policy=email.policy.default)


class Sink:
    """Takes mail on `port` and keeps it in `got`, also what it does not acknowledge.

    `answers` are what it says next to a message, one after the other, then always "250 OK"; `drops` is how many
    connections it cuts after DATA, without a word. `refused` recipients are answered 550, `slow` ones when `go` is set.
    """

    def __init__(self, *, tls: Path | None = None, implicit: bool = False, login: str | None = None) -> None:
        self.port = free_port()
        self.got: list[EmailMessage] = []
        self.recipients: list[str] = []
        self.answers: list[str] = []
        self.drops = 0
        self.refused: dict[str, str] = {}
        self.slow: set[str] = set()
        self.go = asyncio.Event()
        self._came = asyncio.Event()
        self.connections = 0
        self.at_once = 0
        self.most_at_once = 0
        self._open: set[asyncio.BaseTransport] = set()
        self._implicit = implicit
        self._login = login
        self._context = None
        if tls is not None:
            self._context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
            self._context.load_cert_chain(tls)
        self._server: asyncio.Server | None = None

    async def up(self) -> None:
        """Listen."""
        if self._server is None:
            loop = asyncio.get_running_loop()
            context = self._context if self._implicit else None
            self._server = await loop.create_server(self._session, "127.0.0.1", self.port, ssl=context)

    async def until(self, address: str) -> None:
        """Return when mail to this address has come."""
        while address not in self.recipients:
            self._came.clear()
            await self._came.wait()

    async def down(self) -> None:
        """Hang up on everybody, and listen no more."""
        if self._server is not None:
            self._server.close()
            self._server = None
            self.hang_up()
            await asyncio.sleep(0)

    def hang_up(self) -> None:
        """Close every connection, as servers do that have waited too long."""
        for transport in list(self._open):
            transport.close()

    @property
    def times(self) -> Counter[str]:
        """How often each Message-ID came."""
        return Counter(str(message["Message-ID"]) for message in self.got)

    def _session(self) -> SMTP:
        starttls = self._context is not None and not self._implicit
        return _Session(
            self,
            handler=_Handler(self),
            enable_SMTPUTF8=True,
            hostname="sink.test",
            tls_context=self._context if starttls else None,
            require_starttls=starttls,
            auth_required=self._login is not None,
            auth_require_tls=not self._implicit,
            authenticator=self._authenticate if self._login else None,
            loop=asyncio.get_running_loop(),
        )

    def _authenticate(
        self, _server: Any, _session: Any, _envelope: Any, _mechanism: str, data: Any
    ) -> AuthResult:
        assert isinstance(data, LoginPassword)
        right = f"{data.login.decode()}:{data.password.decode()}" == self._login
        return AuthResult(success=right, handled=False)


class _Session(SMTP):
    def __init__(self, sink: Sink, **options: Any) -> None:
        super().__init__(**options)
        self._sink = sink

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        # Once more when it is encrypted.
        if transport.get_extra_info("sslcontext") is None or self._sink._implicit:
            self._sink.connections += 1
        self._sink._open.add(transport)
        super().connection_made(transport)

    def connection_lost(self, error: Exception | None) -> None:
        self._sink._open = {each for each in self._sink._open if not each.is_closing()}
        super().connection_lost(error)


class _Handler:
    def __init__(self, sink: Sink) -> None:
        self._sink = sink

    async def handle_RCPT(  # noqa: N802
        self, _server: Any, _session: Any, envelope: Any, address: str, _options: list[str]
    ) -> str:
        if address in self._sink.refused:
            return self._sink.refused[address]
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server: Any, _session: Any, envelope: Any) -> str:  # noqa: N802
        sink = self._sink
        sink.at_once += 1
        sink.most_at_once = max(sink.most_at_once, sink.at_once)
        try:
            await asyncio.sleep(0)
            if sink.slow & set(envelope.rcpt_tos):
                await sink.go.wait()
        finally:
            sink.at_once -= 1
        answer = sink.answers.pop(0) if sink.answers else "250 OK"
        if answer.startswith("250"):
            sink.got.append(_PARSER.parsebytes(envelope.content))
            sink.recipients += envelope.rcpt_tos
            sink._came.set()
        if sink.drops:
            sink.drops -= 1
            server.transport.close()
        return answer


@asynccontextmanager
async def sink(**options: Any) -> AsyncGenerator[Sink]:
    """A server that is up."""
    made = Sink(**options)
    await made.up()
    try:
        yield made
    finally:
        made.go.set()
        await made.down()
