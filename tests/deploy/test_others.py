"""Compose, systemd, Render, ECS: read, for the facts that matter; systemd judges its unit itself."""

import json
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

DEPLOY = Path(__file__).parents[2] / "deploy"
COMPOSE: Any = yaml.safe_load((DEPLOY / "compose" / "compose.yaml").read_text(encoding="utf-8"))
SERVICES: dict[str, Any] = COMPOSE["services"]


def test_compose_keeps_all_but_the_proxy_inside() -> None:
    assert {name for name, service in SERVICES.items() if "ports" in service} == {"proxy"}
    inside = {name for name, network in COMPOSE["networks"].items() if (network or {}).get("internal")}
    outside = {name for name, service in SERVICES.items() if set(service["networks"]) - inside}
    assert outside == {"proxy"}
    # The proxy does not see the data, the data do not see the proxy.
    assert not set(SERVICES["proxy"]["networks"]) & set(SERVICES["postgres"]["networks"])


def test_compose_migrates_before_it_serves() -> None:
    assert SERVICES["migrate"]["command"] == ["db", "upgrade"]
    waits = SERVICES["gatepost"]["depends_on"]["migrate"]
    assert waits == {"condition": "service_completed_successfully"}


@pytest.mark.parametrize("name", ["gatepost", "migrate"])
def test_composes_service_can_do_little(name: str) -> None:
    service = SERVICES[name]
    assert service["read_only"] is True
    assert service["cap_drop"] == ["ALL"]
    assert service["security_opt"] == ["no-new-privileges:true"]


def test_composes_images_are_pinned() -> None:
    for service in SERVICES.values():
        name, _, tag = service["image"].partition(":")
        assert tag.count(".") >= (1 if name == "postgres" else 2), service["image"]


def test_v13_3_1_composes_secrets_are_files_that_a_script_makes(tmp_path: Path) -> None:
    shutil.copy(DEPLOY / "compose" / "make-secrets.sh", tmp_path)
    for _ in range(2):
        subprocess.run(["sh", tmp_path / "make-secrets.sh"], check=True, capture_output=True)
        made = {path.name: path.read_text() for path in (tmp_path / "secrets").iterdir()}
    assert {f"./secrets/{name}" for name in made} == {item["file"] for item in COMPOSE["secrets"].values()}
    assert (tmp_path / "secrets").stat().st_mode & 0o777 == 0o700
    assert len({made[name] for name in ("superuser_password", "owner_password", "service_password")}) == 3
    assert len(made["secret_key"]) == 64
    assert made["service_password"] in made["service_database_url"]
    given = [
        str(value)
        for service in SERVICES.values()
        for name, value in service.get("environment", {}).items()
        if "PASSWORD" in name or "KEY" in name
    ]
    assert given == ["/run/secrets/superuser_password"]


@pytest.mark.soak
def test_systemd_accepts_its_unit(tmp_path: Path) -> None:
    if shutil.which("systemd-analyze") is None:
        pytest.skip("no systemd on this machine")
    text = (DEPLOY / "systemd" / "gatepost.service").read_text(encoding="utf-8")
    unit = tmp_path / "gatepost.service"
    # The program is not installed here.
    unit.write_text(text.replace("/opt/gatepost/bin/gatepost", "/bin/true"), encoding="utf-8")
    done = subprocess.run(
        ["systemd-analyze", "verify", unit], capture_output=True, text=True, check=False, timeout=60
    )
    assert done.returncode == 0, done.stderr
    assert str(unit) not in done.stderr
    done = subprocess.run(
        ["systemd-analyze", "security", "--offline=yes", "--threshold=20", unit],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert done.returncode == 0, done.stdout[-300:]


def test_render_takes_secrets_from_where_they_are_made() -> None:
    blueprint: Any = yaml.safe_load((DEPLOY / "render" / "render.yaml").read_text(encoding="utf-8"))
    (web,) = [service for service in blueprint["services"] if service["type"] == "web"]
    assert (DEPLOY.parent / web["dockerfilePath"]).is_file()
    sources = {item["key"]: sorted(item.keys() - {"key"}) for item in web["envVars"]}
    assert sources["GATEPOST_DATABASE_URL"] == ["fromDatabase"]
    assert sources["GATEPOST_REDIS_URL"] == ["fromService"]
    assert sources["GATEPOST_SECRET_KEY"] == ["generateValue"]
    assert ["value"] not in sources.values()


def test_ecs_takes_secrets_from_the_secret_store_and_runs_closed() -> None:
    task = json.loads((DEPLOY / "aws" / "task-definition.json").read_text(encoding="utf-8"))
    (container,) = task["containerDefinitions"]
    assert {item["name"] for item in container["secrets"]} == {
        "GATEPOST_SECRET_KEY",
        "GATEPOST_DATABASE_URL",
        "GATEPOST_REDIS_URL",
    }
    assert container["readonlyRootFilesystem"] is True
    assert container["user"] == "10001:10001"
    assert container["linuxParameters"]["capabilities"] == {"drop": ["ALL"]}
    assert container["stopTimeout"] <= 120  # the most that Fargate gives
