"""The machine and the versions a result belongs to; nothing that names the machine."""

import os
import platform
import shutil
import sqlite3
import subprocess
import sysconfig
from importlib import metadata
from pathlib import Path

from bench.peers import environment, fastapi_users, simplejwt
from bench.postgres import Cluster

_PEERS = {
    fastapi_users.NAME: (
        "fastapi-users",
        "fastapi",
        "sqlalchemy",
        "uvicorn",
        "uvloop",
        "httptools",
        "pwdlib",
        "argon2-cffi",
    ),
    simplejwt.NAME: (
        "djangorestframework-simplejwt",
        "djangorestframework",
        "django",
        "pyjwt",
        "psycopg",
        "granian",
        "argon2-cffi",
    ),
}


def facts() -> dict[str, str]:
    """Return processor, memory, kernel and Python."""
    memory_kib = int(_first("/proc/meminfo", "MemTotal").split()[0])
    optimised = "--enable-optimizations" in (sysconfig.get_config_var("CONFIG_ARGS") or "")
    return {
        "processors": f"{os.cpu_count()} × {_first('/proc/cpuinfo', 'model name')}",
        "memory": f"{memory_kib / 1024 / 1024:.0f} GiB",
        "kernel": f"{platform.system()} {'.'.join(platform.release().split('-')[0].split('.')[:2])}",
        "Python": f"{platform.python_version()}, built {'with' if optimised else 'without'} PGO",
    }


def versions(cluster: Cluster) -> dict[str, str]:
    """Return the versions of everything that takes part."""
    ours = ("gatepost", "fastapi", "sqlalchemy", "granian", "uvloop", "argon2-cffi", "asyncpg", "aiosqlite")
    theirs = {peer: environment.versions(environment.python(peer), *names) for peer, names in _PEERS.items()}
    return {
        "PostgreSQL": cluster.version,
        "SQLite": sqlite3.sqlite_version,
        "wrk": _wrk(),
        "Gatepost's environment": _listed({name: _version(name) for name in ours}),
        **{f"the environment of {peer}": _listed(found) for peer, found in theirs.items()},
    }


def _listed(found: dict[str, str]) -> str:
    return ", ".join(f"{name} {version}" for name, version in found.items())


def _version(name: str) -> str:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return "(not installed)"


def _wrk() -> str:
    wrk = shutil.which("wrk")
    if wrk is None:
        return "(not installed)"
    told = subprocess.run([wrk, "-v"], capture_output=True, text=True, check=False).stdout
    return told.split()[1] if told.split()[1:] else "(unknown)"


def _first(file: str, key: str) -> str:
    for line in Path(file).read_text().splitlines():
        name, _, value = line.partition(":")
        if name.strip() == key:
            return value.strip()
    return "(unknown)"
