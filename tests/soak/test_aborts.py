"""Clients that go away, at any point of a request: nothing of theirs is left behind."""

import asyncio
import json
import random
import socket
import struct
import time
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from urllib.parse import urlencode, urlsplit

import pytest

from tests.make import PASSWORD
from tests.soak.cluster import Cluster, client_at
from tests.soak.load import Load, Tokens, loaded, percentile
from tests.soak.record import judge, record
from tests.soak.trouble import people

pytestmark = [pytest.mark.soak, pytest.mark.timeout(300)]

ABORTS = 5_000  # twice
LONGEST_RUN = 30.0  # seconds; on a slow machine there are fewer
FEWEST = 3_000
AT_ONCE = 40
PEOPLE = 20
IN_USE = "gatepost_database_connections_in_use"

# With this a socket is closed by a reset (RST) at once, whatever is still to be sent or read.
_RESET = struct.pack("ii", 1, 0)


@dataclass
class Leavers:
    """Clients who leave: where to, with which requests, and where they were when they left."""

    places: list[tuple[str, int]]
    requests: list[Callable[[], bytes]]
    left: Counter[str] = field(default_factory=Counter)
    began: float = field(default_factory=time.monotonic)

    @property
    def over(self) -> bool:
        return self.left.total() >= ABORTS or time.monotonic() > self.began + LONGEST_RUN

    async def leave(self) -> None:
        while not self.over:
            with suppress(OSError):
                await self._leave()

    async def _leave(self) -> None:
        raw = random.choice(self.requests)()
        reader, writer = await asyncio.open_connection(*random.choice(self.places))
        peer: socket.socket = writer.get_extra_info("socket")
        try:
            match random.randrange(4):
                case 0:
                    where = "amid the request"
                    writer.write(raw[: random.randrange(len(raw))])
                    await asyncio.sleep(random.uniform(0, 0.02))
                case 1 | 2:
                    # From before the first statement to after the answer.
                    where = "amid the work"
                    writer.write(raw)
                    await asyncio.sleep(random.uniform(0, 0.1))
                case _:
                    where = "amid the answer"
                    writer.write(raw)
                    await reader.read(1)
            self.left[where] += 1
            if random.random() < 0.5:
                peer.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
        finally:
            writer.transport.abort()


def requests_of(tokens: Tokens, label: str) -> list[Callable[[], bytes]]:
    """Return what one person asks for."""
    bearer = f"Authorization: Bearer {tokens.access}\r\n"

    def raw(method: str, path: str, kind: str = "", body: str = "", head: str = bearer) -> bytes:
        stated = f"Content-Type: {kind}\r\nContent-Length: {len(body)}\r\n" if body else ""
        return f"{method} {path} HTTP/1.1\r\nHost: 127.0.0.1\r\n{head}{stated}\r\n{body}".encode()

    def sign_up() -> bytes:
        email = f"{label}-{random.randrange(10**9)}@example.com"
        account = json.dumps({"email": email, "password": PASSWORD})
        return raw("POST", "/users/", "application/json", account, head="")

    def sign_in() -> bytes:
        form = urlencode({"username": tokens.email, "password": PASSWORD})
        return raw("POST", "/users/token", "application/x-www-form-urlencoded", form, head="")

    def change() -> bytes:
        body = json.dumps({"name": f"name {random.random()}"})
        return raw("PATCH", "/users/me", "application/json", body)

    return [sign_up, sign_in, change, change, lambda: raw("GET", "/users/me")]


async def test_f09_ten_thousand_clients_go_away(cluster: Cluster) -> None:
    urls = [urlsplit(url) for url in (cluster.url, *(service.url for service in cluster.services))]
    places = [(url.hostname or "", url.port or 0) for url in urls]
    async with loaded(cluster, "f09", streams=4) as load:
        quiet = Load(cluster, f"{load.label}-left", pause=0.0)
        async with client_at(cluster.url) as client:
            victims = await people(quiet, client, PEOPLE)
        requests = [each for tokens in victims for each in requests_of(tokens, quiet.label)]
        # What a process remembers fills up first, and its pools: of two parts the second shows what is lost for good.
        memory, files, began = [], [], time.monotonic()
        left: Counter[str] = Counter()
        for _ in range(2):
            leavers = Leavers(places, requests)
            await asyncio.gather(*(leavers.leave() for _ in range(AT_ONCE)))
            left += leavers.left
            await asyncio.sleep(2)
            memory.append(round(cluster.resident_mib(), 1))
            files.append(cluster.open_files())
        ended = time.monotonic()
        await asyncio.sleep(5)
    await asyncio.sleep(5)
    async with cluster.postgres.connected() as connection:
        idle = await connection.fetchval(_IDLE)
        connections = await connection.fetchval(_CONNECTIONS)
    in_use = await cluster.measured(IN_USE)
    record(
        "f09",
        went_away=dict(left),
        seconds=round(ended - began),
        idle_in_transaction=idle,
        connections=connections,
        connections_in_use=in_use,
        resident_mib=memory,
        open_files=files,
        others=load.counted(began, ended),
        others_p99_ms=percentile([each for each in load.answers if began < each.at < ended], 0.99),
        taken_by_others=load.neighbours.share(),
    )
    assert left.total() >= FEWEST
    assert idle == 0
    assert in_use == 0
    assert connections <= 80
    assert memory[1] < 1.05 * memory[0]
    assert files[1] < files[0] + 20
    # They have asked for more hashes than there are: who comes then may be asked to come again.
    assert {each.code for each in load.failed(began)} <= {"hashing-busy"}
    await judge(load)


_IDLE = """
SELECT count(*) FROM pg_stat_activity WHERE application_name = 'gatepost' AND state LIKE 'idle in transaction%'
"""
_CONNECTIONS = "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'gatepost'"
