"""`gatepost doctor`: what it sees, and that it changes nothing."""

import os
import sys
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from gatepost import Settings
from gatepost.cli.doctor import check_clock
from gatepost.core.clock import MovableClock
from gatepost.core.database import Database
from tests.cli.conftest import Command, Outcome
from tests.processes import SECRET
from tests.services import REDIS_URL, missing_reason

PRODUCTION = {"GATEPOST_ENVIRONMENT": "production", "GATEPOST_PUBLIC_URL": "https://auth.example.com"}


def checks(said: Outcome, name: str) -> list[dict[str, Any]]:
    return [check for check in said.json["checks"] if check["name"] == name]


def only(said: Outcome, name: str) -> dict[str, Any]:
    (check,) = checks(said, name)
    return check


def test_a_sound_installation_is_ok_in_every_point(command: Command) -> None:
    told = {
        **PRODUCTION,
        "GATEPOST_PUBLIC_URL": "https://auth.acme.io",
        "GATEPOST_MAIL_URL": "file:///tmp/mail",
    }
    said = command("doctor", "--json", **told, GATEPOST_TRUSTED_PROXIES="10.0.0.0/8")
    assert (said.code, said.json["ok"]) == (0, True)
    assert {check["level"] for check in said.json["checks"]} == {"ok"}
    names = {check["name"] for check in said.json["checks"]}
    assert names >= {"settings", "secret key", "database", "clock", "signing key", "network"}
    assert names >= {"proxies", "limits"}


def test_it_changes_nothing(alone: Command) -> None:
    assert alone("doctor", GATEPOST_SECRET_KEY="").code == 0
    assert list(alone.directory.iterdir()) == []


def test_it_reads_well(alone: Command) -> None:
    said = alone("doctor", GATEPOST_SECRET_KEY="short")
    assert said.code == 1
    assert "danger   settings: GATEPOST_SECRET_KEY is shorter than 32 bytes.\n" in said.out
    assert "\n         mend it: export GATEPOST_SECRET_KEY=" in said.out


@pytest.mark.parametrize(
    ("settings", "sentence"),
    [
        ({"GATEPOST_SECRET_KEY": ""}, "GATEPOST_SECRET_KEY is not set."),
        ({"GATEPOST_SECRET_KEY": "short"}, "GATEPOST_SECRET_KEY is shorter than 32 bytes."),
        ({"GATEPOST_PUBLIC_URL": "http://auth.example.com"}, "GATEPOST_PUBLIC_URL is not an https URL"),
        ({"GATEPOST_DEBUG": "true"}, "GATEPOST_DEBUG is on."),
        ({"GATEPOST_RATE_LIMITS": "off"}, "GATEPOST_RATE_LIMITS is off."),
        (
            {"GATEPOST_TRUSTED_PROXIES": "10.0.0.0/8,0.0.0.0/0"},
            "GATEPOST_TRUSTED_PROXIES trusts every address",
        ),
        (
            {"GATEPOST_PUBIC_URL": "x"},
            "GATEPOST_PUBIC_URL is not a setting. Did you mean GATEPOST_PUBLIC_URL?",
        ),
    ],
)
def test_what_production_refuses_is_danger(command: Command, settings: dict[str, str], sentence: str) -> None:
    said = command("doctor", "--json", **{**PRODUCTION, **settings})
    assert said.code == 1
    check = only(said, "settings")
    assert check["level"] == "danger"
    assert check["says"].startswith(sentence)
    assert check["mend"]


def test_a_typing_error_is_only_a_warning_in_development(alone: Command) -> None:
    said = alone("doctor", "--json", GATEPOST_PUBIC_URL="x")
    assert (said.code, only(said, "settings")["level"]) == (0, "warning")


def test_settings_that_cannot_be_read_are_danger(alone: Command) -> None:
    said = alone("doctor", "--json", PORT="eighty")
    assert said.code == 1
    assert only(said, "settings")["says"].startswith("PORT: Input should be a valid integer")


@pytest.mark.parametrize(
    ("content", "mode", "level", "sentence"),
    [
        (SECRET, 0o600, "ok", "which only its owner reads"),
        (SECRET, 0o644, "danger", "Others may read"),
        ("short", 0o600, "danger", "is shorter than 32 bytes"),
        ("a" * 40, 0o600, "danger", "repeats a few characters"),
    ],
)
def test_the_generated_secret_is_looked_at(
    alone: Command, content: str, mode: int, level: str, sentence: str
) -> None:
    path = alone.directory / "data" / "secret_key"
    path.parent.mkdir()
    path.write_text(content)
    path.chmod(mode)
    check = only(alone("doctor", "--json", GATEPOST_SECRET_KEY=""), "secret key")
    assert check["level"] == level
    assert sentence in check["says"]


def test_a_secret_that_cannot_be_read_is_danger(alone: Command) -> None:
    (alone.directory / "data" / "secret_key").mkdir(parents=True)
    said = alone("doctor", "--json", GATEPOST_SECRET_KEY="")
    assert (said.code, only(said, "secret key")["level"]) == (1, "danger")


def test_a_weak_previous_key_is_a_warning(command: Command) -> None:
    said = command("doctor", "--json", GATEPOST_PREVIOUS_SECRET_KEYS="short")
    assert said.code == 0
    assert [check["level"] for check in checks(said, "secret key")] == ["warning", "ok"]


def test_a_data_directory_that_cannot_be_is_danger(alone: Command) -> None:
    (alone.directory / "file").write_text("")
    said = alone("doctor", "--json", GATEPOST_DATA_DIR=str(alone.directory / "file" / "data"))
    assert (said.code, only(said, "data directory")["level"]) == (1, "danger")


def test_a_development_service_on_every_network_is_a_warning(alone: Command) -> None:
    for host, level in (("0.0.0.0", "warning"), ("::", "warning"), ("127.0.0.1", "ok")):
        assert only(alone("doctor", "--json", GATEPOST_HOST=host), "network")["level"] == level


def test_a_cors_origin_without_https_is_a_warning_in_production(command: Command) -> None:
    origins = "https://app.example.com,http://app.example.com"
    said = command("doctor", "--json", **PRODUCTION, GATEPOST_CORS_ORIGINS=origins)
    check = only(said, "network")
    assert (said.code, check["level"]) == (0, "warning")
    assert check["says"] == "The CORS origin http://app.example.com is not https."


@pytest.mark.parametrize(
    ("settings", "level", "sentence"),
    [
        (PRODUCTION, "warning", "all clients seem to have its address"),
        ({**PRODUCTION, "GATEPOST_TRUSTED_PROXIES": "2"}, "ok", "2 in front"),
        ({**PRODUCTION, "GATEPOST_TRUSTED_PROXIES": "10.0.0.0/8,::1/128"}, "ok", "from 10.0.0.0/8, ::1/128."),
        ({}, "ok", "None: the client is who connects."),
    ],
)
def test_a_proxy_that_no_setting_names_is_a_warning(
    alone: Command, settings: dict[str, str], level: str, sentence: str
) -> None:
    check = only(alone("doctor", "--json", **settings), "proxies")
    assert check["level"] == level
    assert sentence in check["says"]
    assert bool(check["mend"]) == (level == "warning")


@pytest.mark.parametrize("proxies", ["everybody", "10.0.0.1/8", "0", "21", "1,2", "10.0.0.0/8,1"])
def test_proxies_that_cannot_be_read_are_danger(alone: Command, proxies: str) -> None:
    said = alone("doctor", "--json", GATEPOST_TRUSTED_PROXIES=proxies)
    assert said.code == 1
    assert only(said, "settings")["says"].startswith("GATEPOST_TRUSTED_PROXIES: ")


def test_limits_that_do_not_hold_are_a_warning(alone: Command) -> None:
    for settings, level in (
        ({"GATEPOST_RATE_LIMITS": "off"}, "warning"),
        ({"GATEPOST_RATE_LIMITS": "on"}, "ok"),
        ({"GATEPOST_RATE_LIMITS": "on", "GATEPOST_WORKERS": "2"}, "warning"),
    ):
        assert only(alone("doctor", "--json", **settings), "limits")["level"] == level


def test_a_missing_schema_is_danger_where_serve_does_not_make_it(
    command: Command, empty_postgres: str
) -> None:
    urls = {"GATEPOST_DATABASE_URL": empty_postgres}
    for environment, level in (("production", "danger"), ("development", "warning")):
        settings = {**PRODUCTION, "GATEPOST_ENVIRONMENT": environment}
        check = only(command("doctor", "--json", **settings, **urls), "database")
        assert (check["level"], check["mend"]) == (level, "gatepost db upgrade")


def test_a_newer_schema_is_danger(command: Command, newer_database: str) -> None:
    check = only(command("doctor", "--json", GATEPOST_DATABASE_URL=newer_database), "database")
    assert check["level"] == "danger"
    assert "revision 9999" in check["says"]


def test_an_unreachable_database_is_danger(alone: Command) -> None:
    said = alone("doctor", "--json", GATEPOST_DATABASE_URL="postgresql://me:hush@127.0.0.1:1/none")
    assert (said.code, only(said, "database")["level"]) == (1, "danger")
    assert "hush" not in said.out
    assert only(said, "clock")["level"] == "ok"


def test_an_unusable_database_url_is_danger(alone: Command) -> None:
    said = alone("doctor", "--json", GATEPOST_DATABASE_URL="sqlite://")
    assert (said.code, only(said, "database")["level"]) == (1, "danger")


async def test_a_signing_key_under_another_secret_is_danger(command: Command, gatepost: object) -> None:
    assert only(command("doctor", "--json"), "signing key")["level"] == "ok"
    other = SECRET[::-1]
    said = command("doctor", "--json", GATEPOST_SECRET_KEY=other)
    assert (said.code, only(said, "signing key")["level"]) == (1, "danger")
    mended = command("doctor", "--json", GATEPOST_SECRET_KEY=other, GATEPOST_PREVIOUS_SECRET_KEYS=SECRET)
    assert only(mended, "signing key")["level"] == "ok"


@pytest.mark.parametrize(
    ("module", "variable", "url"),
    [
        ("asyncpg", "GATEPOST_DATABASE_URL", "postgresql://me@127.0.0.1:1/none"),
        ("redis", "GATEPOST_REDIS_URL", "redis://127.0.0.1:1/0"),
    ],
)
def test_a_missing_extra_is_danger(
    alone: Command, monkeypatch: pytest.MonkeyPatch, module: str, variable: str, url: str
) -> None:
    monkeypatch.setitem(sys.modules, module, None)
    said = alone("doctor", "--json", **{variable: url})
    assert said.code == 1
    assert only(said, "settings")["mend"].startswith("pip install 'gatepost[")


def test_redis_is_asked(alone: Command) -> None:
    if reason := missing_reason("redis"):
        pytest.skip(reason)
    for url, level in ((os.environ[REDIS_URL], "ok"), ("redis://127.0.0.1:1/0", "danger")):
        assert only(alone("doctor", "--json", GATEPOST_REDIS_URL=url), "redis")["level"] == level


@pytest.mark.parametrize(
    ("apart", "level"), [(0, "ok"), (-10, "warning"), (10, "warning"), (-90, "danger"), (90, "danger")]
)
async def test_the_clock_is_held_against_the_databases(settings: Settings, apart: int, level: str) -> None:
    database = Database(settings.database_location)
    clock = MovableClock()
    clock.move(timedelta(seconds=apart))
    try:
        check = await check_clock(clock, database)
    finally:
        await database.close()
    assert check.level == ("ok" if database.is_sqlite else level)


async def test_a_clock_that_was_never_set_is_danger() -> None:
    check = await check_clock(MovableClock(datetime(1970, 1, 1, tzinfo=UTC)), None)
    assert (check.level, check.says) == ("danger", "It says 1970-01-01.")
