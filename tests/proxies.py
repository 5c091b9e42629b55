"""A real proxy in front of services, as an operator would set it up.

with haproxy(tmp_path, [8001, 8002]) as proxy:
    httpx2.get(f"{proxy.url}/health")
"""

import shutil
import subprocess
import time
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx2
import pytest

from tests.processes import free_port

__all__ = ["Proxy", "haproxy"]

_DEADLINE = 20.0
_POLL = 0.02

# A server leaves the rotation 0.4 s after it says that it is not ready, and comes back at its first good answer.
_CONFIGURATION = """\
global
    maxconn 4000

defaults
    mode http
    timeout connect 2s
    timeout http-request 10s
    timeout http-keep-alive 60s
    timeout client 60s
    timeout server 60s
    timeout check 2s
    retries 3
    option redispatch
    option forwardfor
    option http-keep-alive

frontend public
    bind 127.0.0.1:{port}
    default_backend services

backend services
    balance roundrobin
    option httpchk GET /health/ready
    http-check expect status 200
    default-server inter 200ms fall 2 rise 1
{servers}
"""


@dataclass(frozen=True)
class Proxy:
    """A running proxy."""

    url: str
    process: subprocess.Popen[bytes]
    log: Path


@contextmanager
def haproxy(directory: Path, ports: Sequence[int], host: str = "127.0.0.1") -> Generator[Proxy]:
    """Run haproxy in front of the services at these ports; up once one of them is ready. Skips without haproxy."""
    program = shutil.which("haproxy") or shutil.which("haproxy", path="/usr/sbin")
    if program is None:
        pytest.skip("no haproxy on this machine")
    port = free_port()
    servers = "\n".join(f"    server service{number} {host}:{number} check" for number in ports)
    configuration = directory / f"haproxy-{port}.cfg"
    configuration.write_text(_CONFIGURATION.format(port=port, servers=servers))
    log = directory / f"haproxy-{port}.log"
    with log.open("wb") as output:
        process = subprocess.Popen(
            [program, "-db", "-f", str(configuration)], stdout=output, stderr=subprocess.STDOUT
        )
    try:
        proxy = Proxy(f"http://127.0.0.1:{port}", process, log)
        _wait_until_it_passes_requests(proxy)
        yield proxy
    finally:
        process.terminate()
        process.wait(_DEADLINE)


def _wait_until_it_passes_requests(proxy: Proxy) -> None:
    deadline = time.monotonic() + _DEADLINE
    while time.monotonic() < deadline and proxy.process.poll() is None:
        try:
            if httpx2.get(f"{proxy.url}/health").status_code == 200:
                return
        except httpx2.TransportError:
            pass
        time.sleep(_POLL)
    raise AssertionError(f"the proxy passes nothing on:\n{proxy.log.read_text()}")
