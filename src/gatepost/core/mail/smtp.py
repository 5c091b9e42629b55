"""Mail handed to a server (RFC 5321), over a few connections that are kept."""

import asyncio
import ssl
from collections import deque
from collections.abc import Callable, Generator
from contextlib import contextmanager, suppress
from email.headerregistry import Address
from time import monotonic

import aiosmtplib
from aiosmtplib import SMTP

from gatepost.core.clock import Clock
from gatepost.core.mail.errors import MailDeferred, MailRefused
from gatepost.core.mail.message import Mail
from gatepost.core.mail.mime import Envelope, composed
from gatepost.core.mail.options import MailOptions, MailServer

__all__ = ["SmtpTransport"]

# Servers hang up on those who are silent for minutes, and on those who never leave.
_IDLE_SECONDS = 20.0
_MOST_MAILS = 100
_GOODBYE_SECONDS = 2.0


class _Kept:
    """A connection, when it was used last, and how many mails went over it."""

    __slots__ = ("client", "mails", "used_at")

    def __init__(self, client: SMTP) -> None:
        self.client = client
        self.mails = 0
        self.used_at = 0.0


class SmtpTransport:
    """Sends over at most `concurrency` connections, encrypted and verified unless the URL says never."""

    def __init__(
        self,
        server: MailServer,
        options: MailOptions,
        sender: Address,
        reply_to: Address | None,
        clock: Clock,
        now: Callable[[], float] = monotonic,
    ) -> None:
        self._server = server
        self._options = options
        self._sender = sender
        self._reply_to = reply_to
        self._clock = clock
        self._now = now
        self._context = None if server.tls == "never" else server.context()
        self._places = asyncio.Semaphore(options.concurrency)
        self._kept: deque[_Kept] = deque()

    async def send(self, mail: Mail) -> None:
        """Return when the server has taken the mail. Raises MailDeferred, MailRefused."""
        envelope = composed(mail, self._sender, self._reply_to, self._clock.now())
        async with self._places:
            with _translated():
                async with asyncio.timeout(self._options.timeout):
                    await self._hand_over(envelope)

    async def check(self) -> None:
        """Connect, encrypt and sign in, and send nothing. Raises MailDeferred."""
        with _translated():
            (await self._connected()).client.close()

    async def close(self) -> None:
        """Say goodbye on every connection."""
        kept, self._kept = list(self._kept), deque()
        await asyncio.gather(*(_left(each) for each in kept))

    # ── one mail ─────────────────────────────────────────────────────────────────────────────────

    async def _hand_over(self, envelope: Envelope) -> None:
        connection = await self._opened(envelope)
        client = connection.client
        try:
            await client.rcpt(envelope.recipient, encoding=_encoding(envelope))
            await client.data(envelope.content)
        except aiosmtplib.SMTPResponseException as error:
            await self._begin_anew(connection)
            raise _judged(error) from None
        except BaseException:
            client.close()
            raise
        self._give_back(connection)

    async def _opened(self, envelope: Envelope) -> _Kept:
        """Return a connection on which the mail has been announced: a kept one, a new one if that was hung up."""
        connection = self._taken()
        if connection is not None:
            try:
                await self._announce(connection.client, envelope)
            except (ConnectionError, aiosmtplib.SMTPSenderRefused):
                # Nothing has been sent yet, so nothing can arrive twice.
                connection.client.close()
            except BaseException:
                connection.client.close()
                raise
            else:
                return connection
        connection = await self._connected()
        try:
            await self._announce(connection.client, envelope)
        except BaseException:
            connection.client.close()
            raise
        return connection

    async def _announce(self, client: SMTP, envelope: Envelope) -> None:
        options = []
        if envelope.utf8:
            if not client.supports_extension("smtputf8"):
                raise MailRefused("the server takes no address with letters beyond ASCII")
            options.append("SMTPUTF8")
        if client.supports_extension("size"):
            options.append(f"SIZE={len(envelope.content)}")
        await client.mail(envelope.sender, options=options, encoding=_encoding(envelope))

    # ── connections ──────────────────────────────────────────────────────────────────────────────

    async def _connected(self) -> _Kept:
        server, options = self._server, self._options
        client = SMTP(
            hostname=server.host,
            port=server.port,
            timeout=options.command_timeout,
            use_tls=server.tls == "implicit",
            start_tls=server.tls == "required",
            tls_context=self._context,
            local_hostname=self._sender.domain,
        )
        try:
            async with asyncio.timeout(options.connect_timeout):
                await client.connect()
                await client.ehlo()
                if server.username is not None:
                    await client.login(server.username, server.password or "")
        except BaseException:
            client.close()
            raise
        return _Kept(client)

    def _taken(self) -> _Kept | None:
        while self._kept:
            connection = self._kept.pop()
            if connection.client.is_connected and self._now() - connection.used_at <= _IDLE_SECONDS:
                return connection
            connection.client.close()
        return None

    def _give_back(self, connection: _Kept) -> None:
        connection.mails += 1
        connection.used_at = self._now()
        if connection.mails < _MOST_MAILS and connection.client.is_connected:
            self._kept.append(connection)
            asyncio.get_running_loop().call_later(_IDLE_SECONDS + 1, self._close_idle)
        else:
            connection.client.close()

    async def _begin_anew(self, connection: _Kept) -> None:
        """Keep a connection on which a mail was refused, if the server lets us."""
        try:
            await connection.client.rset()
        except (aiosmtplib.SMTPException, OSError):
            connection.client.close()
        else:
            self._give_back(connection)

    def _close_idle(self) -> None:
        while self._kept and self._now() - self._kept[0].used_at > _IDLE_SECONDS:
            self._kept.popleft().client.close()


async def _left(connection: _Kept) -> None:
    with suppress(aiosmtplib.SMTPException, OSError):
        await connection.client.quit(timeout=_GOODBYE_SECONDS)
    connection.client.close()


def _encoding(envelope: Envelope) -> str:
    return "utf-8" if envelope.utf8 else "ascii"


def _judged(error: aiosmtplib.SMTPResponseException) -> MailDeferred | MailRefused:
    """Return what an answer about this mail means (RFC 5321, section 4.2.1): 4yz is for now, 5yz for good."""
    if error.code // 100 == 5:
        return MailRefused(f"the server answered {error.code}", error.code)
    return MailDeferred(f"the server answered {error.code}", error.code)


@contextmanager
def _translated() -> Generator[None]:
    """Turn what goes wrong with a server into our words: its own may quote what it was sent.

    An answer that is not about this mail, such as to our sign-in, is no answer to any: they wait till it is mended.
    """
    try:
        yield
    except aiosmtplib.SMTPResponseException as error:
        raise MailDeferred(f"the server answered {error.code}", error.code) from None
    except (TimeoutError, OSError) as error:
        raise MailDeferred(_fault(error)) from None
    except aiosmtplib.SMTPException as error:
        # The library's own words, of what the server does not offer.
        raise MailDeferred(error.message.rstrip(".")) from None
    except ValueError:
        raise MailRefused("it cannot be written as a mail") from None


def _fault(error: Exception) -> str:
    causes = (error, error.__cause__, error.__context__)
    for cause in causes:
        if isinstance(cause, ssl.SSLCertVerificationError):
            return f"the server's certificate is not trusted ({cause.verify_message})"
    if isinstance(error, TimeoutError):
        return "the server did not answer in time"
    if any(isinstance(cause, ssl.SSLError) for cause in causes):
        return "the connection cannot be encrypted"
    return (
        "the server cannot be reached"
        if isinstance(error, aiosmtplib.SMTPConnectError)
        else "connection lost"
    )
