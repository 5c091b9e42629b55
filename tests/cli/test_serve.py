"""`gatepost serve`: when it refuses to start, how that is mended, and how it starts again."""

import gc
import os
import re
import signal
import socket
import sys
from pathlib import Path

import httpx2
import pytest
from sqlalchemy import make_url

from gatepost import __version__
from tests.cli.conftest import Command, Outcome
from tests.make import PASSWORD
from tests.processes import SECRET, Server, free_port, run, serving, start

PRODUCTION = {
    "GATEPOST_ENVIRONMENT": "production",
    "GATEPOST_PUBLIC_URL": "https://auth.example.com",
    "GATEPOST_DRAIN_SECONDS": "0",  # 5 otherwise, at each end
}
BAD_SECRETS = {
    "missing": "",
    "short": "Zk3vTq9wLr7yXb2nHc5mJd8gPf4sAe6",
    "repeating": "abcabcabcabcabcabcabcabcabcabcabcabcabc",
    "placeholder": "CHANGEME-Zk3vTq9wLr7yXb2nHc5mJd8gPf4sAe6u",
    "default": "your-256-bit-secret-your-256-bit-secret",
}
FLAWS = {
    **{f"{kind} secret": {"GATEPOST_SECRET_KEY": BAD_SECRETS[kind]} for kind in ("missing", "short")},
    "no public url": {"GATEPOST_PUBLIC_URL": ""},
    "public url without https": {"GATEPOST_PUBLIC_URL": "http://auth.example.com"},
    "debug": {"GATEPOST_DEBUG": "true"},
    "test api": {"GATEPOST_TEST_API": "true"},
    "all at once": {"GATEPOST_SECRET_KEY": "", "GATEPOST_PUBLIC_URL": "", "GATEPOST_DEBUG": "1"},
}

# What the database holds is tested on both elsewhere; here it is the process that matters.
ON_ONE_DATABASE = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)


def refused(said: Outcome, *words: str) -> None:
    """Assert that it stopped with one clear line, and nothing that only a programmer understands."""
    assert said.code == 1
    assert said.out == ""
    (line,) = said.err.splitlines()
    assert line.startswith("gatepost: ")
    assert "Traceback" not in said.err
    for word in words:
        assert word in line


# --- what production refuses --------------------------------------------------------------------------------


def commands_of(said: str, flaws: int) -> list[str]:
    """Return the commands that mend, after the assertion that each flaw has its line and its command."""
    assert len(said.splitlines()) == flaws
    commands = re.findall(r"^gatepost: .* Mend it: (.+)$", said, re.MULTILINE)
    assert len(commands) == flaws
    return commands


@pytest.mark.parametrize("flaw", FLAWS.values(), ids=FLAWS.keys())
def test_production_refuses_and_prints_what_mends_it(alone: Command, flaw: dict[str, str]) -> None:
    said = alone("serve", **{**PRODUCTION, **flaw})
    assert (said.code, said.out) == (1, "")
    commands_of(said.err, len(flaw))


def test_the_printed_commands_mend_it(tmp_path: Path) -> None:
    flaws = FLAWS["all at once"]
    settings = {**PRODUCTION, **flaws}
    refusal = run(tmp_path, "serve", settings={**settings, "PORT": str(free_port())})
    assert refusal.returncode == 1
    before = "\n".join(commands_of(refusal.stderr, len(flaws)))
    with serving(tmp_path, settings, before=before) as server:
        assert httpx2.get(f"{server.url}/health/ready").json() == {"status": "healthy"}


@pytest.mark.parametrize("environment", ["development", "test", "production"])
@pytest.mark.parametrize("kind", ["short", "repeating", "placeholder", "default"])
def test_c14_a_weak_secret_is_refused_everywhere(alone: Command, environment: str, kind: str) -> None:
    secret = BAD_SECRETS[kind]
    said = alone("serve", **{**PRODUCTION, "GATEPOST_ENVIRONMENT": environment}, GATEPOST_SECRET_KEY=secret)
    refused(said, "GATEPOST_SECRET_KEY", "Mend it: export GATEPOST_SECRET_KEY=")
    assert secret not in said.err
    assert not (alone.directory / "data").exists()


def test_c14_a_weak_secret_is_refused_from_a_file_too(alone: Command) -> None:
    path = alone.directory / "data" / "secret_key"
    path.parent.mkdir()
    path.write_text("secret")
    refused(alone("serve", GATEPOST_SECRET_KEY=""), f"The secret key in {path} is shorter than 32 bytes")


def test_a_mistyped_name_is_refused_in_production_and_a_warning_elsewhere(
    alone: Command, tmp_path: Path
) -> None:
    wrong = {"GATEPOST_PUBIC_URL": "https://auth.example.com"}
    line = "gatepost: GATEPOST_PUBIC_URL is not a setting. Did you mean GATEPOST_PUBLIC_URL?"
    refused(alone("serve", **PRODUCTION, **wrong), line)
    with serving(tmp_path, wrong) as server:
        assert line in server.said.splitlines()


# --- what keeps it from starting ----------------------------------------------------------------------------


def test_production_does_not_migrate_a_database_server(alone: Command, empty_postgres: str) -> None:
    production = {**PRODUCTION, "GATEPOST_DATABASE_URL": empty_postgres}
    refused(alone("serve", **production), "no Gatepost schema yet. Make it: gatepost db upgrade")
    assert alone("db", "check", **production).code == 1
    assert alone("db", "upgrade", **production).code == 0
    with serving(alone.directory, production) as server:
        assert httpx2.get(f"{server.url}/health/ready").status_code == 200


def test_f22_a_newer_schema_is_refused(alone: Command, newer_database: str) -> None:
    for environment in ("development", "production"):
        settings = {
            **PRODUCTION,
            "GATEPOST_ENVIRONMENT": environment,
            "GATEPOST_DATABASE_URL": newer_database,
        }
        refused(alone("serve", **settings), "revision 9999, newer than")


@pytest.mark.parametrize("environment", ["development", "production"])
def test_f22_an_unreachable_database_is_refused(alone: Command, environment: str) -> None:
    settings = {**PRODUCTION, "GATEPOST_ENVIRONMENT": environment}
    url = f"postgresql://me:hush-hush@127.0.0.1:{free_port()}/none"
    said = alone("serve", **settings, GATEPOST_DATABASE_URL=url)
    refused(said, "cannot reach its database")
    assert "hush-hush" not in said.err


def test_f22_wrong_credentials_and_a_missing_database_are_refused(
    alone: Command, empty_postgres: str
) -> None:
    url = make_url(empty_postgres)
    for wrong, word in (
        (url.set(username="stranger", password="hush-hush"), "stranger"),
        (url.set(database="gone"), "gone"),
    ):
        said = alone("serve", GATEPOST_DATABASE_URL=wrong.render_as_string(hide_password=False))
        refused(said, "cannot reach its database", word)
        assert "hush-hush" not in said.err


def test_f22_a_data_directory_that_cannot_be_written_is_refused(alone: Command) -> None:
    (alone.directory / "file").write_text("")
    for place in ("file", "file/data", "/proc/data"):
        said = alone("serve", GATEPOST_DATA_DIR=place)
        refused(said, f"The data directory {place} cannot be used", "export GATEPOST_DATA_DIR=")


def test_f22_a_damaged_database_file_is_refused(alone: Command) -> None:
    path = alone.directory / "data" / "gatepost.db"
    path.parent.mkdir()
    path.write_bytes(b"not a database" * 1000)
    refused(alone("serve"), "database")


def test_a_taken_port_is_refused(alone: Command) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        refused(alone("serve", PORT=port), f"Cannot listen on 127.0.0.1:{port}", "PORT=")


def test_a_taken_port_of_the_metrics_is_refused(alone: Command) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        said = alone("serve", PORT=str(free_port()), GATEPOST_METRICS_PORT=port)
        refused(said, f"Cannot listen on 127.0.0.1:{port}", "GATEPOST_METRICS_PORT=")


def test_a_weak_token_for_the_metrics_is_refused(alone: Command) -> None:
    said = alone("serve", GATEPOST_METRICS_TOKEN="hush-hush")
    refused(said, "GATEPOST_METRICS_TOKEN is shorter", "Mend it: export GATEPOST_METRICS_TOKEN=")
    assert "hush-hush" not in said.err


def test_a_refused_start_leaves_the_collector_at_work(alone: Command) -> None:
    assert alone("serve", GATEPOST_METRICS_TOKEN="hush-hush").code == 1
    assert gc.isenabled()


def test_whoever_opens_a_development_service_to_the_network_is_warned(alone: Command) -> None:
    with socket.create_server(("0.0.0.0", 0)) as taken:
        port = str(taken.getsockname()[1])
        said = alone("serve", GATEPOST_HOST="0.0.0.0", PORT=port)
    warning, refusal = said.err.splitlines()
    assert "reaches this development service" in warning
    assert "GATEPOST_ENVIRONMENT=production" in warning
    assert "Cannot listen" in refusal


def test_it_tells_its_version(alone: Command) -> None:
    said = alone("--version")
    assert (said.code, said.out, said.err) == (0, f"gatepost {__version__}\n", "")


def test_a_host_that_is_not_ours_is_refused(alone: Command) -> None:
    refused(
        alone("serve", GATEPOST_HOST="no such host", PORT=str(free_port())), "Cannot listen on no such host"
    )


@pytest.mark.parametrize(
    ("module", "variable", "url", "extra"),
    [
        ("asyncpg", "GATEPOST_DATABASE_URL", "postgresql://me@127.0.0.1:1/none", "postgres"),
        ("redis", "GATEPOST_REDIS_URL", "redis://127.0.0.1:1/0", "redis"),
    ],
)
def test_a_missing_extra_is_refused(
    alone: Command, monkeypatch: pytest.MonkeyPatch, module: str, variable: str, url: str, extra: str
) -> None:
    monkeypatch.setitem(sys.modules, module, None)
    for arguments in (["serve"], ["worker"], ["db", "check"], ["users", "list"]):
        refused(alone(*arguments, **{variable: url}), f"{variable} needs", f"pip install 'gatepost[{extra}]'")


@ON_ONE_DATABASE
def test_f22_another_secret_than_the_signing_keys_is_refused(command: Command) -> None:
    with serving(command.directory, command.settings):
        pass
    other = SECRET[::-1]
    refused(command("serve", GATEPOST_SECRET_KEY=other), "sealed under another GATEPOST_SECRET_KEY")
    previous = {"GATEPOST_SECRET_KEY": other, "GATEPOST_PREVIOUS_SECRET_KEYS": SECRET}
    with serving(command.directory, {**command.settings, **previous}) as server:
        assert httpx2.get(f"{server.url}/health/ready").status_code == 200


def test_the_real_command_shows_no_traceback(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    said = run(tmp_path, "serve", settings={"GATEPOST_DATA_DIR": "file"})
    assert (said.returncode, said.stdout) == (1, "")
    assert re.fullmatch(r"gatepost: The data directory file cannot be used \(.+\)\. .+\n", said.stderr)


# --- starting, and starting again ---------------------------------------------------------------------------


def test_the_first_start_makes_everything_and_the_second_keeps_it(tmp_path: Path) -> None:
    settings = {"GATEPOST_SECRET_KEY": ""}
    account = {"email": "ada@example.com", "password": PASSWORD}
    with serving(tmp_path, settings) as server:
        assert httpx2.post(f"{server.url}/users/", json=account).status_code == 200
        token = _sign_in(server)
    secret = tmp_path / "data" / "secret_key"
    assert secret.stat().st_mode & 0o777 == 0o600
    before = secret.read_text()

    with serving(tmp_path, settings, port=int(server.url.rpartition(":")[2])) as server:
        me = httpx2.get(f"{server.url}/users/me", headers={"Authorization": f"Bearer {token}"})
        assert (me.status_code, me.json()["email"]) == (200, "ada@example.com")
    assert secret.read_text() == before
    assert before not in server.said


def _sign_in(server: Server) -> str:
    form = {"username": "ada@example.com", "password": PASSWORD}
    answer = httpx2.post(f"{server.url}/users/token", data=form)
    assert answer.status_code == 200, answer.text
    return str(answer.json()["access_token"])


def test_it_says_where_it_is_and_where_its_data_lies(tmp_path: Path) -> None:
    with serving(tmp_path) as server:
        assert f"Gatepost is starting at {server.url}\n" in server.said
        assert f"docs    {server.url}/docs\n" in server.said
        assert f"data    {tmp_path / 'data' / 'gatepost.db'}\n" in server.said
    assert server.stop() == 0
    assert "\nGatepost is ready.\n" in server.said


def test_it_listens_on_an_ipv6_address(tmp_path: Path) -> None:
    with serving(tmp_path, {"GATEPOST_HOST": "::1"}) as server:
        assert f"Gatepost is starting at {server.url}\n" in server.said
        assert httpx2.get(f"{server.url}/health").json() == {"status": "healthy"}


def _setup(server: Server, code: str, email: str = "ada@example.com") -> httpx2.Response:
    body = {"code": code, "email": email, "password": PASSWORD}
    return httpx2.post(f"{server.url}/setup", json=body)


def _codes(server: Server) -> list[str]:
    return sorted(set(re.findall(r"gp_setup_[\w-]+", server.said)))


@ON_ONE_DATABASE
def test_f14_the_setup_code_makes_one_administrator_and_never_another(command: Command) -> None:
    with serving(command.directory, command.settings) as server:
        (code,) = _codes(server)
        assert _setup(server, code).status_code == 200
        assert _setup(server, code, "eve@example.com").status_code == 403
        assert command("users", "show", "ada@example.com", "--json").json["roles"] == ["admin"]

    assert command("users", "delete", "ada@example.com", "--yes").code == 0
    with serving(command.directory, command.settings) as server:
        assert _codes(server) == []
        assert "one-time code" not in server.said
        assert _setup(server, code, "eve@example.com").status_code == 403
    assert command("users", "list", "--json").json["items"] == []


@ON_ONE_DATABASE
def test_a_restart_before_setup_prints_another_code_and_the_first_is_dead(command: Command) -> None:
    with serving(command.directory, command.settings) as server:
        (first,) = _codes(server)
    with serving(command.directory, command.settings) as server:
        (second,) = _codes(server)
        assert second != first
        assert _setup(server, first).status_code == 403
        assert _setup(server, second).status_code == 200


@ON_ONE_DATABASE
def test_an_administrator_made_by_command_ends_the_setup(command: Command) -> None:
    with serving(command.directory, command.settings) as server:
        (code,) = _codes(server)
        made = command("users", "create", "ada@example.com", "--admin", "--password-stdin", stdin=PASSWORD)
        assert made.code == 0
        assert _setup(server, code, "eve@example.com").status_code == 403


def test_production_prints_no_setup_code(tmp_path: Path) -> None:
    with serving(tmp_path, PRODUCTION) as server:
        assert _codes(server) == []


# --- processes ----------------------------------------------------------------------------------------------


def test_two_workers_share_one_database(command: Command) -> None:
    with serving(command.directory, {**command.settings, "GATEPOST_WORKERS": "2"}) as server:
        account = {"email": "ada@example.com", "password": PASSWORD}
        answers = [httpx2.post(f"{server.url}/users/", json=account).status_code for _ in range(6)]
    assert sorted(answers) == [200, 400, 400, 400, 400, 400]


@pytest.mark.skipif(sys.platform == "win32", reason="no SIGKILL")
def test_workers_end_with_a_killed_parent_and_the_port_is_free_again(tmp_path: Path) -> None:
    server = start(tmp_path, {"GATEPOST_WORKERS": "2"})
    try:
        os.kill(server.process.pid, signal.SIGKILL)
        server.process.wait()
        _wait_until_nobody_answers(server)
        with serving(tmp_path, port=int(server.url.rpartition(":")[2])) as again:
            assert httpx2.get(f"{again.url}/health").status_code == 200
    finally:
        server.kill()


def _wait_until_nobody_answers(server: Server) -> None:
    while True:
        try:
            httpx2.get(f"{server.url}/health")
        except httpx2.TransportError:
            return


_TELLS_OF_ITS_COLLECTOR = """
import gc, os, signal

def tell(*_):
    with open("told.new", "w") as file:
        file.write(f"{gc.isenabled()} {gc.get_freeze_count()}")
    os.rename("told.new", "told")

signal.signal(signal.SIGUSR1, tell)
"""


def test_what_is_there_at_the_start_is_never_looked_through_for_garbage_again(tmp_path: Path) -> None:
    """A full collection would hold up every request for a tenth of a second or two, most often in a flood."""
    (tmp_path / "sitecustomize.py").write_text(_TELLS_OF_ITS_COLLECTOR)
    told = tmp_path / "told"
    with serving(tmp_path, before=f"export PYTHONPATH='{tmp_path}'") as server:
        parent = server.process.pid
        (worker,) = Path(f"/proc/{parent}/task/{parent}/children").read_text().split()
        os.kill(int(worker), signal.SIGUSR1)
        while not told.exists():
            httpx2.get(f"{server.url}/health").raise_for_status()

    works, at_the_start = told.read_text().split()
    assert works == "True"
    assert int(at_the_start) > 100_000
