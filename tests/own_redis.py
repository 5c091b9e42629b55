"""A Redis for one test, to be killed, frozen and started again."""

import asyncio
import signal
from contextlib import suppress
from pathlib import Path
from shutil import which
from subprocess import DEVNULL, Popen
from typing import Any

from redis.asyncio import Redis

from tests.processes import free_port

__all__ = ["OwnRedis"]


class OwnRedis:
    """A Redis that may be killed, frozen and flushed."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._port = free_port()
        self.url = f"redis://127.0.0.1:{self._port}/0"
        self.process: Popen[bytes] | None = None

    def _spawn(self) -> Popen[bytes]:
        program = which("redis-server")
        assert program is not None
        options = ["--port", str(self._port), "--save", "", "--dir", str(self._directory)]
        return Popen([program, *options], stdin=DEVNULL, stdout=DEVNULL, stderr=DEVNULL)

    async def start(self) -> None:
        self.process = self._spawn()
        client: Any = Redis.from_url(self.url)
        async with asyncio.timeout(30):
            while True:
                with suppress(Exception):
                    await client.ping()
                    break
                await asyncio.sleep(0.01)
        await client.aclose()

    def kill(self) -> None:
        if self.process is not None:
            self.process.kill()
            self.process.wait()
            self.process = None

    def tell(self, number: signal.Signals) -> None:
        assert self.process is not None
        self.process.send_signal(number)
