"""Mail that is shown where the service was started, for development."""

import sys
from typing import TextIO

from gatepost.core.mail.message import Mail

__all__ = ["ConsoleTransport"]


class ConsoleTransport:
    """Prints each mail once, as a person would read it."""

    def __init__(self, stream: TextIO | None = None) -> None:
        self._stream = stream

    async def send(self, mail: Mail) -> None:
        """Print it, to standard error."""
        lines = [f"To: {mail.to}", f"Subject: {mail.subject}", "", *mail.text.rstrip().splitlines()]
        shown = "\n".join(f"  │ {_harmless(line)}" for line in lines)
        print(f"  ┌ mail ({mail.kind})\n{shown}\n  └", file=self._stream or sys.stderr, flush=True)

    async def close(self) -> None:
        """Hold nothing open."""


def _harmless(text: str) -> str:
    """Return text that cannot steer a terminal: people choose their own names."""
    return "".join(char if char.isprintable() else char.encode("unicode_escape").decode() for char in text)
