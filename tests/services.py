"""A throw-away PostgreSQL and Redis for one test run, started before the workers and gone after it.

A pytest plugin, loaded by `pytest_plugins = ["tests.services"]` in conftest.py. The workers of pytest-xdist
inherit the addresses:

    GATEPOST_TEST_POSTGRES_URL    postgresql+asyncpg://…/postgres, a superuser: make a database per worker
    GATEPOST_TEST_REDIS_URL       redis://…/0

An address that is already set is used as it stands. Where a program is missing its tests are skipped, with
`missing_reason("postgres")` as the reason; with CI set the run ends at once. `--no-services` starts nothing.
"""

import contextlib
import os
import pwd
import shutil
import socket
import tempfile
from collections.abc import Generator
from pathlib import Path
from subprocess import DEVNULL, PIPE, Popen

import pytest
from _pytest.outcomes import Exit as _Exit

POSTGRES_URL = "GATEPOST_TEST_POSTGRES_URL"
REDIS_URL = "GATEPOST_TEST_REDIS_URL"
_NAMES = {"postgres": "PostgreSQL", "redis": "Redis", "chromium": "Chromium"}
_TRIES = 3  # somebody else may take the free port first

# Waits for the end of its input, that is, for the end of pytest, however it ends; then clears up.
KEEPER = """
read -r _
[ -z "$2" ] || "$2/pg_ctl" stop --silent --mode immediate --pgdata "$1/postgres" >/dev/null 2>&1
[ ! -s "$1/redis.pid" ] || kill -KILL "$(cat "$1/redis.pid")" 2>/dev/null
rm -rf "$1"
"""


def available() -> frozenset[str]:
    """Return which of "postgres", "redis" and "chromium" tests may use."""
    return frozenset(name for name in _NAMES if missing_reason(name) is None)


def missing_reason(name: str) -> str | None:
    """Return why tests on this service must be skipped, or None when it is there."""
    there = {
        "postgres": POSTGRES_URL in os.environ,
        "redis": REDIS_URL in os.environ,
        "chromium": chromium() is not None,
    }
    return None if there[name] else f"no {_NAMES[name]} on this machine"


def chromium() -> str | None:
    """Return the path of a Chromium to drive."""
    found = (shutil.which(name) for name in ("chromium", "chromium-browser", "google-chrome"))
    return next(filter(None, found), None)


# --- pytest's side ------------------------------------------------------------------------------------------


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--no-services", action="store_true", help="start neither PostgreSQL nor Redis")


def pytest_configure(config: pytest.Config) -> None:
    if hasattr(config, "workerinput") or config.getoption("--no-services") or config.option.collectonly:
        return
    stack = contextlib.ExitStack()
    config.add_cleanup(stack.close)
    stack.enter_context(_services())
    if os.environ.get("CI") and len(available()) < len(_NAMES):
        lacking = ", ".join(_NAMES[name] for name in sorted(_NAMES.keys() - available()))
        pytest.exit(f"CI is set, so nothing may be skipped, but this machine lacks: {lacking}", returncode=3)


def pytest_report_header(config: pytest.Config) -> str:
    if config.getoption("--no-services"):
        return "services: none, as asked"
    lacking = ", ".join(_NAMES[name] for name in sorted(_NAMES.keys() - available()))
    return (
        f"services: not on this machine, their tests are skipped: {lacking}" if lacking else "services: all"
    )


def pytest_sessionfinish(session: pytest.Session) -> None:
    if _skipped_under_ci(session.config):
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    if _skipped_under_ci(config):
        terminalreporter.write_line("CI is set, so a skipped test is a failed one.", red=True)


def _skipped_under_ci(config: pytest.Config) -> bool:
    reporter = config.pluginmanager.get_plugin("terminalreporter")
    return bool(os.environ.get("CI") and reporter and reporter.stats.get("skipped"))


# --- the servers --------------------------------------------------------------------------------------------


@contextlib.contextmanager
def _services() -> Generator[None]:
    postgres = None if POSTGRES_URL in os.environ else postgres_programs()
    redis = None if REDIS_URL in os.environ else shutil.which("redis-server")
    if postgres is None and redis is None:
        yield
        return
    user = unprivileged()
    home = Path(tempfile.mkdtemp(prefix="gatepost-tests-"))
    if user is not None:
        shutil.chown(home, user)
    keeper = start_as(user, ["sh", "-c", KEEPER, "sh", str(home), str(postgres or "")], stdin=PIPE)
    with contextlib.ExitStack() as stack:
        stack.callback(keeper.communicate)  # closes its input
        if postgres is not None:
            stack.enter_context(_address(POSTGRES_URL, _start_postgres(postgres, home, user)))
        if redis is not None:
            server, url = _start_redis(redis, home, user)
            stack.enter_context(_address(REDIS_URL, url))
            stack.callback(server.wait)
            stack.callback(server.terminate)
        yield


@contextlib.contextmanager
def _address(name: str, url: str) -> Generator[None]:
    os.environ[name] = url
    try:
        yield
    finally:
        del os.environ[name]


def _start_postgres(programs: Path, home: Path, user: str | None) -> str:
    data, log = home / "postgres", home / "postgres.log"
    init = [programs / "initdb", "--pgdata", data, "--username", "postgres", "--auth", "trust"]
    _run_as(user, [*map(str, init), "--encoding", "UTF8", "--locale", "C", "--no-sync"])
    for _ in range(_TRIES):
        port = _free_port()
        settings = {
            "port": port,
            "listen_addresses": "127.0.0.1",
            "unix_socket_directories": "",
            "max_connections": 200,
            "shared_buffers": "128MB",
            "jit": "off",
            "autovacuum": "off",  # no plan is another because a test came late
            "fsync": "off",  # the machine may not crash, the service may
            "full_page_writes": "off",
        }
        options = " ".join(f"-c {name}='{value}'" for name, value in settings.items())
        start = [programs / "pg_ctl", "start", "--wait", "--silent", "--pgdata", data, "--log", log]
        if start_as(user, [*map(str, start), "--options", options]).wait() == 0:
            return f"postgresql+asyncpg://postgres@127.0.0.1:{port}/postgres"
    raise _does_not_start("PostgreSQL", log)


def _start_redis(program: str, home: Path, user: str | None) -> tuple[Popen[bytes], str]:
    log = home / "redis.log"
    for _ in range(_TRIES):
        port = _free_port()
        settings = {
            "bind": "127.0.0.1",
            "port": str(port),
            "save": "",
            "appendonly": "no",
            "dir": str(home),
            "pidfile": str(home / "redis.pid"),
        }
        options = [word for name, value in settings.items() for word in (f"--{name}", value)]
        server = start_as(user, [program, *options], stdout=PIPE)
        assert server.stdout is not None
        said = []
        for line in server.stdout:
            said.append(line)
            if b"eady to accept connections" in line:
                server.stdout.close()
                return server, f"redis://127.0.0.1:{port}/0"
        server.wait()
        log.write_bytes(b"".join(said))
    raise _does_not_start("Redis", log)


def start_as(
    user: str | None, command: list[str], stdin: int = DEVNULL, stdout: int = DEVNULL, stderr: int = DEVNULL
) -> Popen[bytes]:
    return Popen(
        command,
        cwd="/",
        stdin=stdin,
        stdout=stdout,
        stderr=stderr,
        user=user,
        group=None if user is None else pwd.getpwnam(user).pw_gid,
        extra_groups=None if user is None else [],
        start_new_session=True,  # Ctrl-C reaches pytest alone, which then ends them in order
    )


def _run_as(user: str | None, command: list[str]) -> None:
    process = start_as(user, command, stderr=PIPE)
    _, complaint = process.communicate()
    if process.returncode:
        pytest.exit(f"{command[0]} failed: {complaint.decode(errors='replace').strip()}", returncode=3)


def _does_not_start(name: str, log: Path) -> Exception:
    last = log.read_text(errors="replace").strip().splitlines()[-5:] if log.exists() else ["it said nothing"]
    return _Exit(f"{name} does not start: {' / '.join(last)}", returncode=3)


def postgres_programs() -> Path | None:
    """Return the folder of PostgreSQL's newest programs, None where there are none."""
    installed = [path.parent for path in Path("/usr/lib/postgresql").glob("*/bin/initdb")]
    if installed:
        return max(installed, key=lambda path: int(path.parts[-2]) if path.parts[-2].isdigit() else 0)
    found = shutil.which("initdb")
    return Path(found).resolve().parent if found else None


def unprivileged() -> str | None:
    """Return who runs the servers, None for whoever runs this: PostgreSQL refuses to run as root."""
    if os.geteuid() != 0:
        return None
    people = {entry.pw_name for entry in pwd.getpwall()}
    return next(name for name in ("postgres", "nobody") if name in people)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]
