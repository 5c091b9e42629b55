"""Mail as files, for somebody else to send or to look at."""

import asyncio
import os
from email.headerregistry import Address
from pathlib import Path

from gatepost.core.clock import Clock
from gatepost.core.mail.errors import MailDeferred
from gatepost.core.mail.message import Mail
from gatepost.core.mail.mime import composed

__all__ = ["DirectoryTransport"]


class DirectoryTransport:
    """Writes `<id>.eml` files that only their owner reads. One that is sent again replaces itself."""

    def __init__(self, directory: Path, sender: Address, reply_to: Address | None, clock: Clock) -> None:
        self._directory = directory
        self._sender = sender
        self._reply_to = reply_to
        self._clock = clock

    async def send(self, mail: Mail) -> None:
        """Write it: a file is there as a whole, or not at all. Raises MailDeferred, MailRefused."""
        content = composed(mail, self._sender, self._reply_to, self._clock.now()).content
        try:
            await asyncio.to_thread(self._write, f"{mail.id}.eml", content)
        except OSError as error:
            raise MailDeferred(f"cannot write to the directory ({error.strerror})") from None

    async def close(self) -> None:
        """Hold nothing open."""

    def _write(self, name: str, content: bytes) -> None:
        self._directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        # Of a worker's own, beside the file: who reads the directory takes `*.eml`.
        unfinished = self._directory / f".{name}.{os.getpid()}"
        unfinished.unlink(missing_ok=True)
        with open(os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:  # noqa: PTH123
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        unfinished.replace(self._directory / name)
