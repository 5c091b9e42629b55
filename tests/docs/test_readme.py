"""README.md does what it says: its first five minutes and its embedding, run as printed.

A block of `sh` is run line by line; the block of `text` behind it is what it must print, where … stands for
anything within a word or a line, and a line that is only … for any lines.
"""

import os
import re
import subprocess
import sys
import time
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx2
import pytest

from tests.processes import environment, free_port, serving

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text(encoding="utf-8")
ADDRESS = "127.0.0.1:8000"
A_STRANGERS = {"GATEPOST_DATA_DIR": "", "GATEPOST_SECRET_KEY": ""}
ENTER_THE_CODE = "read -r CODE"


@dataclass(frozen=True)
class Block:
    """One fenced block: its language and its text."""

    language: str
    text: str


def blocks(section: str) -> list[Block]:
    """Return the fenced blocks of a section of the README."""
    text = README.split(f"\n## {section}\n")[1].split("\n## ")[0]
    return [Block(*found) for found in re.findall(r"^```(\w+)\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)]


def commands(block: Block) -> list[str]:
    """Return the commands of a block; a backslash joins a line with the next."""
    return re.findall(r"(?:.*\\\n)*.+", block.text)


def printed(shown: str) -> re.Pattern[str]:
    """Return what a program must print, for its output as the README shows it."""
    lines = (
        r"(?:.*\n)*?" if line == "…" else re.escape(line).replace("…", r'[^"\n]+') + r"\n"
        for line in shown.splitlines()
    )
    return re.compile("".join(lines))


class Terminal:
    """A shell that a stranger types into."""

    def __init__(self, directory: Path) -> None:
        self._shell = subprocess.Popen(
            ["bash", "--norc", "--noprofile"],
            cwd=directory,
            env=environment(directory, A_STRANGERS),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )

    def enter(self, *lines: str) -> str:
        """Type a command, and lines that it reads; return what it prints. It must succeed."""
        assert self._shell.stdin is not None
        assert self._shell.stdout is not None
        self._shell.stdin.write("\n".join([*lines, "printf 'END %s\\n' $?", ""]))
        self._shell.stdin.flush()
        said = ""
        for line in self._shell.stdout:
            if line.startswith("END "):
                assert line == "END 0\n", (lines, said, line)
                return said
            said += line
        raise AssertionError(f"the shell ended after {lines}: {said}")

    def leave(self) -> None:
        """Close it."""
        self._shell.communicate(timeout=60)


@pytest.fixture
def terminal(tmp_path: Path) -> Generator[Terminal]:
    """A second terminal."""
    opened = Terminal(tmp_path)
    yield opened
    opened.leave()


def test_the_first_five_minutes_print_what_is_shown(tmp_path: Path, terminal: Terminal) -> None:
    start, welcome, *rest = blocks("The first five minutes")
    assert commands(start) == ["make serve"]
    with serving(tmp_path, A_STRANGERS) as server:
        here = server.url.removeprefix("http://")
        assert printed(welcome.text.replace(ADDRESS, here)).match(server.said), server.said
        code = re.findall(r"gp_setup_[\w-]+", server.said)[0]
        for block, following in zip(rest, [*rest[1:], Block("end", "")], strict=True):
            if block.language != "sh":
                continue
            said = ""
            for command in commands(block):
                more = [code] if command == ENTER_THE_CODE else []
                said += terminal.enter(command.replace(ADDRESS, here), *more)
            shown = following.text if following.language == "text" else ""
            assert printed(shown).fullmatch(said), f"{block.text}\nprints\n{said}\nnot\n{shown}"


def test_make_serve_starts_the_service_that_the_test_above_started() -> None:
    # The make that runs the tests hands its own flags on, which would print more than the plan.
    alone = {name: value for name, value in os.environ.items() if not name.startswith("MAKE")}
    planned = subprocess.run(
        ["make", "--dry-run", "serve"], cwd=ROOT, env=alone, capture_output=True, text=True, check=True
    )
    assert planned.stdout.splitlines()[-1].split()[:3] == ["exec", ".venv/bin/gatepost", "serve"]


def test_every_line_between_the_fences_is_a_command_or_an_output() -> None:
    found = blocks("The first five minutes")
    assert {block.language for block in found} == {"sh", "text"}
    assert sum(block.language == "sh" for block in found) >= 8


@contextmanager
def embedded(directory: Path) -> Generator[str]:
    """Write shop.py, run what the README says, and yield where the shop answers."""
    code, shell = blocks("Inside your FastAPI app")
    port = free_port()
    (directory / "shop.py").write_text(code.text.replace("8002", str(port)), encoding="utf-8")
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    env = environment(directory, {**A_STRANGERS, "PATH": path})
    *before, serve = commands(shell)
    assert "8002" in code.text
    assert "8002" in serve
    for command in before:
        subprocess.run(command.split(), cwd=directory, env=env, check=True, stdout=subprocess.DEVNULL)
    server = subprocess.Popen(serve.replace("8002", str(port)).split(), cwd=directory, env=env)
    try:
        yield answering(f"http://127.0.0.1:{port}", server)
    finally:
        server.terminate()
        server.wait(60)


def answering(url: str, server: subprocess.Popen[bytes], path: str = "/auth/health") -> str:
    """Wait until the shop answers; return its URL."""
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline and server.poll() is None:
        try:
            httpx2.get(f"{url}{path}").raise_for_status()
            return url
        except httpx2.TransportError:
            time.sleep(0.02)
    raise AssertionError("the shop did not start")


def test_the_embedding_works_as_printed(tmp_path: Path) -> None:
    with embedded(tmp_path) as url, httpx2.Client(base_url=url) as client:
        person = {"email": "ada@example.com", "password": "tangerine-lighthouse-42"}
        registered = client.post("/auth/users/", json=person)
        form = {"username": person["email"], "password": person["password"]}
        token = client.post("/auth/users/token", data=form).json()["access_token"]

        stranger = client.get("/orders")
        me = client.get("/orders", headers={"Authorization": f"Bearer {token}"})

    assert (stranger.status_code, stranger.headers["www-authenticate"]) == (401, 'Bearer realm="gatepost"')
    assert (me.status_code, me.json()) == (200, {"orders_of": registered.json()["id"]})


def test_the_guard_works_as_printed(tmp_path: Path) -> None:
    code, shell, shown = blocks("Other services")
    assert (code.language, shell.language, shown.language) == ("python", "sh", "text")
    port = free_port()
    with serving(tmp_path, A_STRANGERS) as server:
        here = code.text.replace(f"http://{ADDRESS}", server.url)
        (tmp_path / "orders.py").write_text(here, encoding="utf-8")
        (command,) = commands(shell)
        path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
        env = environment(tmp_path, {**A_STRANGERS, "PATH": path})
        orders = subprocess.Popen(command.replace("8001", str(port)).split(), cwd=tmp_path, env=env)
        try:
            person = {"email": "ada@example.com", "password": "tangerine-lighthouse-42"}
            registered = httpx2.post(f"{server.url}/users/", json=person)
            form = {"username": person["email"], "password": person["password"]}
            token = httpx2.post(f"{server.url}/users/token", data=form).json()["access_token"]
            url = answering(f"http://127.0.0.1:{port}", orders, "/docs")
            stranger = httpx2.get(f"{url}/orders")
            me = httpx2.get(f"{url}/orders", headers={"Authorization": f"Bearer {token}"})
        finally:
            orders.terminate()
            orders.wait(60)

    assert (stranger.status_code, stranger.json()["code"]) == (401, "token-missing")
    assert (me.status_code, me.json()) == (200, {"orders_of": registered.json()["id"]})
    assert printed(shown.text.splitlines()[-1]).fullmatch(me.text + "\n")


def test_the_embedding_is_ten_lines() -> None:
    code, _ = blocks("Inside your FastAPI app")
    assert sum(bool(line.strip()) for line in code.text.splitlines()) <= 10
