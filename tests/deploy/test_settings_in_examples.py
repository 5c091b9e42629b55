"""The examples name settings that exist, with values that pass, and waits that fit together."""

import json
import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from gatepost.settings import Settings, variables
from gatepost.settings.refusals import refusals
from tests.conftest import SECRET

DEPLOY = Path(__file__).parents[2] / "deploy"
PAGES = [DEPLOY.parent / "docs" / "deploy.md", DEPLOY.parent / "docs" / "operations.md"]
FILES = sorted(path for path in DEPLOY.rglob("*") if path.is_file() and "secrets" not in path.parts)
# Read by whoever starts the service, or by another program.
OTHERS = {"GATEPOST_SECRETS_DIR", "GATEPOST_SITE", "GATEPOST_UPSTREAM"}
IN_FLIGHT_SECONDS = 30


def read(path: str) -> str:
    return (DEPLOY / path).read_text(encoding="utf-8")


@pytest.mark.parametrize("path", [*FILES, *PAGES], ids=lambda path: path.name)
def test_every_setting_that_is_named_exists(path: Path) -> None:
    known = {name for names in variables().values() for name in names} | OTHERS
    named = set(re.findall(r"GATEPOST_[A-Z][A-Z_]+[A-Z]", path.read_text(encoding="utf-8")))
    assert named <= known


def lines_of_environment(text: str) -> Iterator[tuple[str, str]]:
    for line in text.splitlines():
        if re.match(r"[A-Z_]+=", line):
            name, _, value = line.partition("=")
            yield name, value


def given() -> dict[str, dict[str, str]]:
    """Return what each example sets."""
    compose = yaml.safe_load(read("compose/compose.yaml"))["services"]["gatepost"]["environment"]
    task = json.loads(read("aws/task-definition.json"))["containerDefinitions"][0]["environment"]
    return {
        "compose": compose | {"GATEPOST_PUBLIC_URL": "https://auth.example.com"},
        "kubernetes": yaml.safe_load(read("kubernetes/config.yaml"))["data"],
        "systemd": dict(lines_of_environment(read("systemd/gatepost.env"))),
        "aws": {item["name"]: item["value"] for item in task},
    }


@pytest.mark.parametrize("example", given())
def test_production_starts_with_what_is_given(example: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in os.environ if name.startswith("GATEPOST_")]:
        monkeypatch.delenv(name)
    for name, value in given()[example].items():
        if name != "GATEPOST_SECRETS_DIR":
            monkeypatch.setenv(name, value)
    settings = Settings(_env_file=None, environment="production", secret_key=SECRET)
    assert refusals(settings) == []
    assert settings.trusted_proxies


def drain(example: str) -> float:
    """Return how long the service of an example goes on after it was told to stop, in seconds."""
    return float(given()[example].get("GATEPOST_DRAIN_SECONDS", "5"))


def seconds(text: str, pattern: str) -> float:
    found = re.search(pattern, text)
    assert found is not None, pattern
    return float(found[1])


def test_whoever_ends_the_service_waits_until_it_is_done() -> None:
    deployment: Any = yaml.safe_load(read("kubernetes/deployment.yaml"))
    task = json.loads(read("aws/task-definition.json"))["containerDefinitions"][0]
    waits = {
        "compose": seconds(read("compose/compose.yaml"), r"stop_grace_period: (\d+)s"),
        "kubernetes": deployment["spec"]["template"]["spec"]["terminationGracePeriodSeconds"],
        "systemd": seconds(read("systemd/gatepost.service"), r"TimeoutStopSec=(\d+)"),
        "aws": task["stopTimeout"],
    }
    short = {name for name, wait in waits.items() if wait <= drain(name) + IN_FLIGHT_SECONDS}
    assert short == set()


def test_whoever_sends_requests_looks_more_often_than_the_service_drains() -> None:
    drains = 5.0
    haproxy = read("haproxy/haproxy.cfg")
    every, times = seconds(haproxy, r"check inter (\d+)s"), seconds(haproxy, r"fall (\d+)")
    assert every * (times + 1) < drains
    assert seconds(read("caddy/Caddyfile"), r"health_interval (\d+)s") * 2 < drains
    probe: Any = yaml.safe_load(read("kubernetes/deployment.yaml"))
    (container,) = probe["spec"]["template"]["spec"]["containers"]
    ready = container["readinessProbe"]
    assert ready["periodSeconds"] * ready["failureThreshold"] + ready["timeoutSeconds"] < drains


@pytest.mark.parametrize(
    ("path", "pattern"),
    [
        ("nginx/gatepost.conf", r"proxy_read_timeout (\d+)s"),
        ("haproxy/haproxy.cfg", r"timeout server (\d+)s"),
        ("caddy/Caddyfile", r"response_header_timeout (\d+)s"),
    ],
)
def test_proxies_wait_longer_than_a_request_may_take(path: str, pattern: str) -> None:
    assert seconds(read(path), pattern) > Settings.model_fields["request_timeout"].default


def test_v12_1_the_proxies_agree_on_tls() -> None:
    lists = {
        path: set(re.findall(r"ECDHE-\w+-\w+-\w+-?\w*", read(path)))
        for path in ("nginx/gatepost.conf", "haproxy/haproxy.cfg")
    }
    assert lists["nginx/gatepost.conf"] == lists["haproxy/haproxy.cfg"]
    caddys = re.findall(r"TLS_\w+", read("caddy/Caddyfile"))
    assert len(caddys) == len(lists["nginx/gatepost.conf"])
    assert all("GCM" in name or "POLY1305" in name for name in [*caddys, *lists["nginx/gatepost.conf"]])
