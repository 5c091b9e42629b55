"""`gatepost serve` and `gatepost worker`."""

import asyncio
import gc
import sys
from collections.abc import Generator
from contextlib import contextmanager
from functools import partial
from typing import TYPE_CHECKING, Annotated, Any

import typer

from gatepost.cli.context import DatabaseUrl, DataDir, load_settings, warn
from gatepost.core.errors import Stopped

if TYPE_CHECKING:
    from gatepost.gatepost import Gatepost
    from gatepost.settings import Settings

__all__ = ["serve", "worker"]

SHARED_METRICS = "PROMETHEUS_MULTIPROC_DIR"
_OPEN_TO_ALL = {"0.0.0.0", "::"}  # noqa: S104  the addresses that we warn of


def serve(
    host: Annotated[str | None, typer.Option(help="Address to listen on. Also GATEPOST_HOST.")] = None,
    port: Annotated[int | None, typer.Option(help="Port to listen on. Also PORT.")] = None,
    workers: Annotated[int | None, typer.Option(help="Processes that answer. Also GATEPOST_WORKERS.")] = None,
    database_url: DatabaseUrl = None,
    data_dir: DataDir = None,
    public_url: Annotated[
        str | None, typer.Option(help="Where clients reach it. Also GATEPOST_PUBLIC_URL.")
    ] = None,
) -> None:
    """Start the service."""
    with _without_collections():
        settings = load_settings(
            host=host,
            port=port,
            workers=workers,
            database_url=database_url,
            data_dir=data_dir,
            public_url=public_url,
        )
        settings = _permitted(settings)
        _must_be_free(settings.host, settings.port, "PORT=8001")
        if settings.metrics_port is not None:
            _must_be_free(settings.metrics_host, settings.metrics_port, "GATEPOST_METRICS_PORT=9001")
        with _shared_metrics(settings):
            code = asyncio.run(_prepare(settings))
            _welcome(settings, code)
            _run_server(settings)


@contextmanager
def _without_collections() -> Generator[None]:
    """Do not look for garbage meanwhile: what is made until it serves stays, and looking makes the start longer."""
    gc.disable()
    try:
        yield
    finally:
        gc.enable()


def _permitted(settings: "Settings") -> "Settings":
    """Return the settings, ready to run. Raises Stopped when they must not, or a name is mistyped in production."""
    from gatepost.settings import ensure_secret_key, make_data_dir, unknown_names

    unknown = unknown_names()
    if unknown and settings.environment == "production":
        raise Stopped("\n".join(unknown))
    for line in unknown:
        warn(line)
    if settings.host in _OPEN_TO_ALL and settings.environment != "production":
        warn(
            f"Everybody who reaches this machine reaches this {settings.environment} service, which is made for "
            "trying things out. Listen to this machine alone, with GATEPOST_HOST=127.0.0.1, or set "
            "GATEPOST_ENVIRONMENT=production."
        )
    settings = ensure_secret_key(settings)
    if settings.is_embedded:
        make_data_dir(settings)
    return settings


async def _prepare(settings: "Settings") -> str | None:
    """Bring the embedded database up to date; return a setup code while nobody administers the service."""
    from gatepost.accounts import Setup
    from gatepost.gatepost import Gatepost

    gatepost = Gatepost(settings)
    try:
        await gatepost.prepare()
        # Here and not in the workers, which would be started again and again: is it the right secret key?
        await gatepost.keys.signing()
        if settings.environment == "production":
            return None
        return await gatepost.run(lambda work: gatepost.build(Setup, work).new_code())
    finally:
        await gatepost.database.close()


def _welcome(settings: "Settings", code: str | None) -> None:
    bold = typer.style if sys.stdout.isatty() else _plain
    url = settings.issuer
    lines = [
        f"{bold('Gatepost', bold=True)} is starting at {bold(url, fg='green', bold=True)}",
        *([f"  docs    {url}/docs"] if settings.shows_docs else []),
        f"  data    {_location(settings)}",
        *([f"  tests   {url}/test/clock and {url}/test/mail"] if settings.offers_test_api else []),
    ]
    if code is not None:
        lines += [
            "  setup   nobody administers this service yet; create the first administrator with this one-time code:",
            f"          {bold(code, fg='yellow', bold=True)}",
            f"          curl -X POST {url}/setup -H 'Content-Type: application/json' \\",
            f'            -d \'{{"code": "{code}", "email": "you@example.com", "password": "…"}}\'',
        ]
    print("\n".join(lines), flush=True)


def _plain(text: str, **_style: Any) -> str:
    return text


def _location(settings: "Settings") -> str:
    from sqlalchemy import make_url

    url = make_url(settings.database_location)
    if url.get_backend_name() == "sqlite":
        from pathlib import Path

        return str(Path(url.database or "").absolute())
    return url.render_as_string(hide_password=True)


def _must_be_free(host: str, port: int, other: str) -> None:
    """Raise Stopped if the port is taken: better said here than by a worker that comes and goes."""
    import socket

    try:
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        with socket.socket(family, socket.SOCK_STREAM) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind((host, port))
    except OSError as error:
        raise Stopped(
            f"Cannot listen on {host}:{port} ({error.strerror}). Choose another port: {other}"
        ) from error


def _run_server(settings: "Settings") -> None:
    import multiprocessing

    from gatepost.cli.answering import load
    from gatepost.cli.supervisor import Supervisor

    if sys.platform == "linux":
        multiprocessing.set_start_method("fork", force=True)
    server = Supervisor(settings, lambda: print("Gatepost is ready.", flush=True), _forget_worker)
    # The workers share what is there by now, as long as nobody writes to it, and neither does their collector. What is
    # garbage by then stays too: a megabyte or two, for which nobody who starts it need wait.
    gc.freeze()
    gc.enable()
    server.serve(target_loader=partial(load, settings), wrap_loader=False)


def _forget_worker(pid: int) -> None:
    """Forget how things stood in a worker that is gone; what it has counted stays."""
    import os

    if SHARED_METRICS in os.environ:
        from prometheus_client.multiprocess import mark_process_dead

        mark_process_dead(pid)


@contextmanager
def _shared_metrics(settings: "Settings") -> Generator[None]:
    """Give the workers a directory in which each finds what the others have counted."""
    import os
    from tempfile import TemporaryDirectory

    if not settings.measures or settings.workers == 1:
        yield
        return
    with TemporaryDirectory(prefix="gatepost-metrics-", ignore_cleanup_errors=True) as directory:
        # The library reads it when it is imported: nobody has, so far.
        os.environ[SHARED_METRICS] = directory
        yield


def worker(database_url: DatabaseUrl = None, data_dir: DataDir = None) -> None:
    """Run the outbox worker alone, beside web processes that have GATEPOST_RUN_WORKER=false."""
    from gatepost.gatepost import Gatepost

    settings = load_settings(database_url=database_url, data_dir=data_dir, run_worker=False)
    # The web processes tell of the outbox too; beside them, this one would get some of their scrapes.
    settings = settings.model_copy(update={"metrics_port": None})
    asyncio.run(_work(Gatepost(_permitted(settings))))


async def _work(gatepost: "Gatepost") -> None:
    import signal

    from gatepost.worker import running

    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    async with gatepost.lifespan(), running(gatepost.worker) as task:
        task.add_done_callback(lambda _crashed: stop.set())
        await stop.wait()
