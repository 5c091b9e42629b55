"""The set-up under test: two services of two workers each on one PostgreSQL and one Redis, behind haproxy."""

import asyncio
import os
import signal
from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx2

from tests.own_redis import OwnRedis
from tests.processes import Server, free_port, run, start
from tests.proxies import Proxy, haproxy
from tests.running_redis import running_redis
from tests.soak.servers import OwnPostgres, children, running_postgres

__all__ = ["LONGEST", "Cluster", "client_at", "cluster_with", "production"]

WORKERS = 2
LONGEST = 45.0  # longer than the service may take, so that nobody gives up on a change that is still made


@dataclass
class Cluster:
    """What runs, and what can be said of it from outside."""

    postgres: OwnPostgres
    redis: OwnRedis
    services: list[Server]
    metrics_ports: list[int]
    proxy: Proxy
    directory: Path
    settings: Mapping[str, str]

    @property
    def url(self) -> str:
        """Where clients reach it."""
        return self.proxy.url

    def workers(self) -> list[int]:
        """Return the processes that answer."""
        return [pid for service in self.services for pid in children(service.process.pid)]

    def resident_mib(self) -> float:
        """Return the memory of the processes that answer, in MiB."""
        return sum(_resident_kib(pid) for pid in self.workers()) / 1024

    def open_files(self) -> int:
        """Return how many files and sockets they hold."""
        return sum(len(list(Path(f"/proc/{pid}/fd").iterdir())) for pid in self.workers())

    async def measured(self, name: str) -> float:
        """Return the sum of a metric over both services; the name may end in labels, as they are printed."""
        total = 0.0
        async with client_at() as client:
            for port in self.metrics_ports:
                text = (await client.get(f"http://127.0.0.1:{port}/metrics")).text
                total += sum(
                    float(line.rpartition(" ")[2])
                    for line in text.splitlines()
                    if line.startswith(name) and not line.startswith("#")
                )
        return total

    async def command(self, *arguments: str, stdin: str = "") -> None:
        """Run a command of the operator."""
        ran = await asyncio.to_thread(run, self.directory, *arguments, settings=self.settings, stdin=stdin)
        assert ran.returncode == 0, ran.stderr

    def kill_worker(self, number: int) -> int:
        """Kill one of the processes that answer (SIGKILL); return which it was."""
        workers = self.workers()
        pid = workers[number % len(workers)]
        os.kill(pid, signal.SIGKILL)
        return pid

    @property
    def said(self) -> str:
        """What the services have logged."""
        return "".join(service.said for service in self.services)


def production(postgres: OwnPostgres, redis: OwnRedis) -> Mapping[str, str]:
    """Return the settings of a service in production, whose limits stand in nobody's way but one mailbox's."""
    return {
        "GATEPOST_ENVIRONMENT": "production",
        "GATEPOST_PUBLIC_URL": "https://gatepost.test",
        "GATEPOST_ALLOWED_HOSTS": "127.0.0.1",
        "GATEPOST_DATABASE_URL": postgres.url,
        "GATEPOST_REDIS_URL": redis.url,
        "GATEPOST_TRUSTED_PROXIES": "127.0.0.1/32",
        "GATEPOST_LIMITS__GENERAL": "1000000",
        "GATEPOST_LIMITS__CREDENTIALS": "1000000",
        "GATEPOST_LIMITS__SIGN_UP": "1000000",
        "GATEPOST_LIMITS__ACCOUNT": "1000000",
        "GATEPOST_LIMITS__FREE_FAILURES": "1000",
        "GATEPOST_DRAIN_SECONDS": "1",
        "GATEPOST_LOG_LEVEL": "warning",
    }


def client_at(url: str = "", **options: Any) -> httpx2.AsyncClient:
    """Return a client for any number of requests at once."""
    # Without the authorities of TLS, which nothing here speaks: to load them takes longer than a hundred requests.
    every: dict[str, Any] = {
        "timeout": LONGEST,
        "limits": httpx2.Limits(max_connections=None),
        "verify": False,
    }
    return httpx2.AsyncClient(base_url=url, **(every | options))


@asynccontextmanager
async def cluster_with(directory: Path, changed: Mapping[str, str] | None = None) -> AsyncGenerator[Cluster]:
    """Run it meanwhile, with these settings changed."""
    async with running_postgres() as postgres, running_redis(directory) as redis:
        settings = {**production(postgres, redis), **(changed or {})}
        migrated = await asyncio.to_thread(run, directory, "db", "upgrade", settings=settings)
        assert migrated.returncode == 0, migrated.stderr
        services: list[Server] = []
        ports = [free_port() for _ in range(2)]
        try:
            for port in ports:
                own = {**settings, "GATEPOST_METRICS_PORT": str(port)}
                flags = ("--workers", str(WORKERS))
                services.append(await asyncio.to_thread(start, directory, own, *flags))
            with haproxy(directory, [_port(service) for service in services]) as proxy:
                yield Cluster(postgres, redis, services, ports, proxy, directory, settings)
        finally:
            with suppress(Exception):
                postgres.thaw()
            for service in services:
                await asyncio.to_thread(service.kill)


def _port(service: Server) -> int:
    return int(service.url.rpartition(":")[2])


def _resident_kib(pid: int) -> int:
    with suppress(FileNotFoundError):
        for line in Path(f"/proc/{pid}/status").read_text().splitlines():
            if line.startswith("VmRSS:"):
                return int(line.split()[1])
    return 0
