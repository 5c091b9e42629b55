"""Processes that come at the same moment, and go in the midst of requests."""

import asyncio
import os
import signal
import subprocess
import sys
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from urllib.parse import urlsplit

import httpx2
import pytest
from sqlalchemy import text

from gatepost import Gatepost
from gatepost.core.database import Database
from tests.conftest import make_settings
from tests.make import PASSWORD
from tests.processes import Server, environment, free_port, serving, start
from tests.races.conftest import ISSUER, empty_database
from tests.races.connections import hold, sign_up

KINDS = pytest.mark.parametrize("kind", ["sqlite", "postgresql"])


def start_together(directory: Path, settings: dict[str, str]) -> list[Server]:
    for name in ("one", "other"):
        (directory / name).mkdir()
    with ThreadPoolExecutor() as threads:
        started = [threads.submit(start, directory / name, settings) for name in ("one", "other")]
    return [each.result() for each in started]


@KINDS
def test_two_first_starts_at_once_share_one_key_and_know_each_others_tokens(
    kind: str, tmp_path: Path
) -> None:
    with empty_database(kind, tmp_path) as url:
        # No secret key: whoever comes first makes it, for both.
        settings = {
            **ISSUER,
            "GATEPOST_DATABASE_URL": url,
            "GATEPOST_DATA_DIR": str(tmp_path / "data"),
            "GATEPOST_SECRET_KEY": "",
        }
        one, other = start_together(tmp_path, settings)
        try:
            keys = [httpx2.get(f"{each.url}/.well-known/jwks.json").json()["keys"] for each in (one, other)]
            httpx2.post(f"{one.url}/users/", json={"email": "ada@example.com", "password": PASSWORD})
            form = {"username": "ada@example.com", "password": PASSWORD}
            token = httpx2.post(f"{one.url}/users/token", data=form).json()["access_token"]
            seen = httpx2.get(f"{other.url}/users/me", headers={"Authorization": f"Bearer {token}"})
            current = asyncio.run(rows(url, "SELECT kid FROM signing_keys WHERE is_current"))
        finally:
            codes = [one.stop(), other.stop()]

        assert (len(keys[0]), keys[0]) == (1, keys[1])
        assert [row[0] for row in current] == [keys[0][0]["kid"]]
        assert seen.status_code == 200
        assert codes == [0, 0]
        for server in (one, other):
            assert "error" not in server.said.casefold(), server.said
            assert "Traceback" not in server.said


async def rows(url: str, statement: str) -> list[tuple[str, ...]]:
    database = Database(url)
    found = await database.reads.rows(text(statement))
    await database.close()
    return [tuple(row) for row in found]


@KINDS
async def test_asked_to_end_amid_requests_it_answers_them_and_exits_with_0(kind: str, tmp_path: Path) -> None:
    with empty_database(kind, tmp_path) as url:
        settings = {"GATEPOST_DATABASE_URL": url, "GATEPOST_HASHING__MEMORY_KIB": "65536"}
        with serving(tmp_path, settings, "--workers", "2") as server:
            emails = [f"late{number}@example.com" for number in range(10)]
            held = await asyncio.gather(*(hold(sign_up(server.url, email, PASSWORD)) for email in emails))
            for each in held:
                each.let_go()
            first = await held[0].answer()

            server.process.send_signal(signal.SIGTERM)
            answers = await asyncio.gather(*(each.answer() for each in held[1:]))
            code = await asyncio.to_thread(server.process.wait)

        assert code == 0, server.said
        assert [answer.status for answer in (first, *answers)] == [200] * 10
        assert len(await rows(url, "SELECT id FROM users")) == 10


# --- parent and workers ---------------------------------------------------------------------------------------


def test_ctrl_c_ends_it_though_parent_and_workers_are_told_at_once(tmp_path: Path) -> None:
    """A terminal signals the whole process group, and then the parent signals its workers again."""
    with serving(tmp_path, {}, "--workers", "2") as server:
        os.killpg(server.process.pid, signal.SIGINT)
        for worker in _children(server.process.pid):
            with suppress(ProcessLookupError):
                os.kill(worker, signal.SIGTERM)
        assert server.process.wait(20) == 0, server.said
    assert "worker" not in server.said


def test_killed_workers_are_replaced_and_what_they_have_counted_stays(tmp_path: Path) -> None:
    port = free_port()
    settings = {"GATEPOST_METRICS_PORT": str(port), "GATEPOST_RATE_LIMITS": "off"}
    with serving(tmp_path, settings, "--workers", "2") as server:
        for _ in range(20):  # each over a connection of its own: both workers get some
            httpx2.get(f"{server.url}/users/me")
        _until_counted(port, 20)
        for turn in range(2):
            for number, worker in enumerate(_children(server.process.pid), 1):
                os.kill(worker, signal.SIGKILL)
                _until_dead(worker)
                # Connections that wait at a worker's socket are its successor's.
                assert httpx2.get(f"{server.url}/users/me", timeout=20).status_code == 401
                # Whoever is killed between answer and count takes that one along.
                _until_counted(port, 20 + 2 * turn + number)
        # As a service manager does it: everybody in the group is told.
        os.killpg(server.process.pid, signal.SIGTERM)
        assert server.process.wait(20) == 0, server.said
    assert server.said.count("was ended by SIGKILL. Another takes its place.") == 4
    assert server.said.count("Gatepost is ready.") == 1


def _until_dead(worker: int) -> None:
    # A signal is on its way for a moment, in which a worker may take a connection along.
    deadline = time.monotonic() + 20
    with suppress(FileNotFoundError, ProcessLookupError):
        while Path(f"/proc/{worker}/stat").read_text().rpartition(")")[2].split()[0] not in "ZX":
            assert time.monotonic() < deadline


def _until_counted(port: int, wanted: int) -> None:
    deadline = time.monotonic() + 20
    while (found := _counted(port)) != wanted:
        assert found < wanted
        assert time.monotonic() < deadline, found


def _counted(port: int) -> float:
    text = httpx2.get(f"http://127.0.0.1:{port}/metrics", timeout=20).text
    return sum(
        float(line.rpartition(" ")[2])
        for line in text.splitlines()
        if line.startswith("gatepost_http_request_duration_seconds_count") and 'route="/users/me"' in line
    )


def _children(parent: int) -> list[int]:
    return [int(pid) for pid in Path(f"/proc/{parent}/task/{parent}/children").read_text().split()]


def test_f21_draining_it_says_so_and_serves_on_and_a_second_signal_ends_it_at_once(tmp_path: Path) -> None:
    with serving(tmp_path, {"GATEPOST_DRAIN_SECONDS": "300"}, "--workers", "2") as server:
        # Both workers serve: what waits at the socket of one that is only starting would be reset.
        assert {_readiness(server) for _ in range(20)} == {"healthy"}
        server.process.send_signal(signal.SIGTERM)
        # Both workers have heard of it when nobody says anything else any more.
        while {code := _readiness(server) for _ in range(10)} != {"draining"}:
            assert code in {"healthy", "draining"}
        served = httpx2.get(f"{server.url}/health")
        assert (served.status_code, served.headers["connection"]) == (200, "close")
        time.sleep(0.2)  # what comes within a tenth of a second is taken for the echo of the first
        server.process.send_signal(signal.SIGTERM)
        assert server.process.wait(5) == 128 + signal.SIGTERM
    with pytest.raises(httpx2.ConnectError):
        httpx2.get(f"{server.url}/health")


def _readiness(server: Server) -> str:
    answer = httpx2.get(f"{server.url}/health/ready").json()
    return answer.get("code") or answer["status"]


async def test_whoever_was_let_in_before_the_end_is_answered(tmp_path: Path) -> None:
    settings = {"GATEPOST_LOG_LEVEL": "warning", "GATEPOST_RATE_LIMITS": "off"}
    with serving(tmp_path, settings, "--workers", "2") as server:
        said: Counter[str] = Counter()
        streams = [asyncio.create_task(_connect_again_and_again(server.url, said)) for _ in range(32)]
        while said["answered"] < 500:  # noqa: ASYNC110  what is waited for is a number
            await asyncio.sleep(0.01)
        server.process.terminate()
        code = await asyncio.to_thread(server.process.wait)
        for stream in streams:
            stream.cancel()
        await asyncio.gather(*streams, return_exceptions=True)
    assert code == 0
    assert said.keys() - {"not let in"} == {"answered"}, said


async def _connect_again_and_again(url: str, said: Counter[str]) -> None:
    address = urlsplit(url)
    while True:
        try:
            reader, writer = await asyncio.open_connection(address.hostname, address.port)
        except ConnectionRefusedError:
            said["not let in"] += 1
            return
        try:
            writer.write(
                f"GET /health HTTP/1.1\r\nHost: {address.netloc}\r\nConnection: close\r\n\r\n".encode()
            )
            answer = await reader.read()
            said["answered" if answer.startswith(b"HTTP/1.1 200 ") else "cut off"] += 1
        except ConnectionError as error:
            said[type(error).__name__] += 1
        finally:
            writer.close()


# What `gatepost serve` runs, with workers that die while they start, the first `good` of them excepted.
_DYING = """
import multiprocessing, os, pathlib, signal, sys
from gatepost.cli.answering import load
from gatepost.cli.supervisor import Supervisor
from gatepost.settings import Settings

good, starts = int(sys.argv[1]), pathlib.Path("starts")
starts.write_text("")

def dying(place):
    with starts.open("a") as file:
        file.write(".")
    return load(settings, place) if starts.stat().st_size in (1, 5) and good else os._exit(3)

def killed():
    print("ready", flush=True)
    os.kill(supervisor.wrks[0].inner.pid, signal.SIGKILL)

multiprocessing.set_start_method("fork")
settings = Settings()
supervisor = Supervisor(settings, killed, lambda pid: starts.stat().st_size >= 4 and os.kill(os.getpid(), 15))
supervisor.serve(target_loader=dying, wrap_loader=False)
"""


def _with_dying_workers(directory: Path, good: int) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", _DYING, str(good)],
        cwd=directory,
        env=environment(directory, {"PORT": str(free_port())}),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def test_workers_that_die_while_they_start_end_the_service(tmp_path: Path) -> None:
    ended = _with_dying_workers(tmp_path, good=0)
    assert ended.returncode == 1
    *deaths, last = ended.stderr.splitlines()
    assert deaths == ["gatepost: A worker ended with exit code 3 while it was starting."] * 3
    assert last.startswith("gatepost: No worker comes to serve.")


def test_a_service_that_has_served_waits_for_better_times(tmp_path: Path) -> None:
    # Served once, then killed; its successors die while they start, until the word to stop comes.
    ended = _with_dying_workers(tmp_path, good=1)
    assert (ended.returncode, ended.stdout) == (0, "ready\n"), ended.stderr
    first, *deaths = ended.stderr.splitlines()
    assert first == "gatepost: A worker was ended by SIGKILL. Another takes its place."
    assert deaths == ["gatepost: A worker ended with exit code 3 while it was starting."] * 3


async def test_those_who_make_a_signing_key_at_once_agree_on_one(database_url: str, tmp_path: Path) -> None:
    several = [Gatepost(make_settings(database_url, tmp_path)) for _ in range(4)]

    kids = await asyncio.gather(*map(_sign_with, several))

    assert len(set(kids)) == 1
    assert await rows(database_url, "SELECT kid FROM signing_keys WHERE is_current") == [(kids[0],)]
    assert await rows(database_url, "SELECT kid FROM signing_keys") == [(kids[0],)]


async def _sign_with(gatepost: Gatepost) -> str:
    try:
        return (await gatepost.keys.signing()).kid
    finally:
        await gatepost.database.close()
