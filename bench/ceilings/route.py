"""The bare FastAPI route in a process of its own."""

import sys
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

from bench import servers
from bench.plan import ROOT
from bench.servers import Server


@contextmanager
def bare_route(directory: Path, processor: int | None) -> Generator[Server]:
    """Run the bare FastAPI route on the server that Gatepost uses, with one worker as there."""
    port = servers.free_port()
    command = [str(Path(sys.executable).parent / "granian"), "--interface", "asgi", "--loop", "uvloop"]
    command += ["--workers", "1", "--host", servers.HOST, "--port", str(port)]
    command += ["--log-level", "warning", "--no-ws"]
    with servers.serving(
        [*command, "bench.ceilings.bare:app"],
        port=port,
        environment={"PYTHONPATH": str(ROOT)},
        ready_path="/me",
        directory=directory,
        processor=processor,
    ) as server:
        yield server
