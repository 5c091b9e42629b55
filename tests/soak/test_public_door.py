"""The tests of the public door, against two services of two workers each behind a proxy."""

import asyncio
import os
import sys
import xml.etree.ElementTree as ET
from collections import Counter
from pathlib import Path

import pytest

from tests.door import behind_the_door
from tests.services import POSTGRES_URL, REDIS_URL
from tests.soak.cluster import Cluster, cluster_with
from tests.soak.record import record

pytestmark = [pytest.mark.soak, pytest.mark.timeout(600)]

ROOT = Path(__file__).parents[2]
FEWEST = 160


async def run_tests(cluster: Cluster, report: Path) -> tuple[int, str]:
    """Run them in a process of their own; return its exit code and what it said."""
    command = [sys.executable, "-m", "pytest", "--door", cluster.url, f"--junit-xml={report}", "-q", "tests"]
    addresses = {POSTGRES_URL: cluster.postgres.url, REDIS_URL: cluster.redis.url}
    process = await asyncio.create_subprocess_exec(
        *command,
        cwd=ROOT,
        env={name: value for name, value in os.environ.items() if name != "CI"} | addresses,
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    said, _ = await process.communicate()
    return process.returncode or 0, said.decode(errors="replace")


async def test_the_suite_of_the_public_door_passes_against_the_cluster(tmp_path: Path) -> None:
    report = tmp_path / "report.xml"
    async with cluster_with(tmp_path, behind_the_door()) as cluster:
        code, said = await run_tests(cluster, report)
        crashed = cluster.said.count("request.crashed")
    suite = ET.parse(report).getroot()[0]
    files = Counter(case.attrib["classname"].replace(".", "/") + ".py" for case in suite.iter("testcase"))
    record(
        "public-door",
        tests=int(suite.attrib["tests"]),
        failed=int(suite.attrib["failures"]) + int(suite.attrib["errors"]),
        skipped=int(suite.attrib["skipped"]),
        seconds=round(float(suite.attrib["time"])),
        files=dict(sorted(files.items())),
    )
    assert code == 0, said
    assert files.total() >= FEWEST
    assert crashed == 0
