"""`gatepost settings show`, and what is said about settings that make no sense."""

from pathlib import Path
from typing import Any

import pytest

from tests.cli.conftest import Command
from tests.processes import SECRET, run

URL = "postgresql://someone:hush-hush@db.example/users?sslpassword=hush-hush"


def shown(command: Command, *flags: str, **settings: str) -> dict[str, dict[str, Any]]:
    said = command("settings", "show", "--json", *flags, **settings)
    assert said.code == 0, said.err
    return {row["name"]: row for row in said.json["settings"]}


def test_a_setting_that_nobody_set_is_the_default(alone: Command) -> None:
    row = shown(alone)["GATEPOST_WORKERS"]
    assert (row["value"], row["source"]) == (1, "default")


def test_durations_can_be_read_and_what_counts_is_shown_where_nothing_is_set(alone: Command) -> None:
    rows = shown(alone, PORT="8123")
    counts = {
        "GATEPOST_SESSIONS__LIFETIME": "P30D",
        "GATEPOST_PUBLIC_URL": "http://127.0.0.1:8123",
        "GATEPOST_TOKENS__AUDIENCE": "http://127.0.0.1:8123",
        "GATEPOST_MAIL_URL": "console:",
        "GATEPOST_MAIL__SENDER": "no-reply@127.0.0.1",
        "GATEPOST_LOG_FORMAT": "text",
        "GATEPOST_DRAIN_SECONDS": 0.0,
        "GATEPOST_DOCS": True,
        "GATEPOST_TEST_API": False,
    }
    assert {name: rows[name]["value"] for name in counts} == counts
    assert rows["GATEPOST_DATABASE_URL"]["value"].startswith("sqlite:///")
    assert {rows[name]["source"] for name in counts} == {"default"}

    lines = {
        line.split()[0]: line.split() for line in alone("settings", "show").out.splitlines() if line.strip()
    }
    assert lines["GATEPOST_SESSIONS__LIFETIME"][1:3] == ["30", "days"]
    assert lines["GATEPOST_TOKENS__ACCESS_LIFETIME"][1:3] == ["15", "minutes"]


@pytest.mark.parametrize(
    ("variable", "value", "row", "effective"),
    [
        ("GATEPOST_WORKERS", "3", "GATEPOST_WORKERS", 3),
        ("PORT", "8123", "PORT", 8123),
        ("GATEPOST_PORT", "8124", "PORT", 8124),
        ("GATEPOST_TOKENS__ALGORITHM", "EdDSA", "GATEPOST_TOKENS__ALGORITHM", "EdDSA"),
        ("GATEPOST_TOKENS", '{"algorithm": "EdDSA"}', "GATEPOST_TOKENS__ALGORITHM", "EdDSA"),
        ("GATEPOST_CORS_ORIGINS", "https://a.example, https://b.example", "GATEPOST_CORS_ORIGINS", None),
        (
            "GATEPOST_CORS_ORIGINS",
            '["https://a.example", "https://b.example"]',
            "GATEPOST_CORS_ORIGINS",
            None,
        ),
    ],
)
def test_the_environment_is_named(
    alone: Command, variable: str, value: str, row: str, effective: object
) -> None:
    found = shown(alone, **{variable: value})[row]
    assert found["value"] == (effective or ["https://a.example", "https://b.example"])
    assert found["source"] == f"environment {variable}"


def test_a_section_in_the_environment_leaves_its_other_settings_alone(alone: Command) -> None:
    rows = shown(alone, GATEPOST_DATABASE='{"pool_size": 3}')
    assert rows["GATEPOST_DATABASE__POOL_SIZE"]["source"] == "environment GATEPOST_DATABASE"
    assert rows["GATEPOST_DATABASE__POOL_TIMEOUT"]["source"] == "default"


def test_a_dotenv_file_is_named_and_the_environment_wins_over_it(alone: Command) -> None:
    (alone.directory / ".env").write_text(
        "GATEPOST_WORKERS=3\nGATEPOST_HOST=::1\nGATEPOST_HASHING__QUEUE=7\n"
    )
    rows = shown(alone, GATEPOST_WORKERS="4")
    assert (rows["GATEPOST_HOST"]["value"], rows["GATEPOST_HOST"]["source"]) == ("::1", ".env")
    assert (rows["GATEPOST_HASHING__QUEUE"]["value"], rows["GATEPOST_HASHING__QUEUE"]["source"]) == (
        7,
        ".env",
    )
    assert rows["GATEPOST_WORKERS"]["source"] == "environment GATEPOST_WORKERS"


def test_a_secret_file_is_named(alone: Command) -> None:
    secrets = alone.directory / "secrets"
    secrets.mkdir()
    (secrets / "gatepost_secret_key").write_text(SECRET)
    row = shown(alone, GATEPOST_SECRETS_DIR=str(secrets), GATEPOST_SECRET_KEY="")["GATEPOST_SECRET_KEY"]
    assert (row["value"], row["source"]) == ("********", "secrets file")


def test_a_flag_wins_over_all(alone: Command) -> None:
    row = shown(alone, "--data-dir", "elsewhere", GATEPOST_DATA_DIR="here")["GATEPOST_DATA_DIR"]
    assert (row["value"], row["source"]) == ("elsewhere", "flag")


def test_secrets_are_masked_also_inside_urls(alone: Command) -> None:
    settings = {
        "GATEPOST_DATABASE_URL": URL,
        "GATEPOST_REDIS_URL": "redis://:hush-hush@cache.example/0",
        "GATEPOST_PREVIOUS_SECRET_KEYS": f"{SECRET}-one,{SECRET}-two",
        # A secret that looks like a URL is a secret all the same.
        "GATEPOST_SECRET_KEY": f"https://{SECRET}.example/",
    }
    for flags in ([], ["--json"]):
        said = alone("settings", "show", *flags, **settings)
        assert said.code == 0
        assert "hush-hush" not in said.out + said.err
        assert SECRET not in said.out + said.err
        assert "postgresql://someone:***@db.example/users?********" in said.out
        assert "redis://:***@cache.example/0" in said.out


def test_a_database_url_that_is_not_read_is_no_secret_from_the_operator(alone: Command) -> None:
    line = "DATABASE_URL is set but not read. Did you mean GATEPOST_DATABASE_URL?"
    elsewhere = {"DATABASE_URL": "postgresql://db.example/users"}

    assert alone("settings", "show", "--json", **elsewhere).json["unknown"] == [line]
    refused = alone("serve", **elsewhere, GATEPOST_ENVIRONMENT="production")
    assert (refused.code, refused.err) == (1, f"gatepost: {line}\n")
    named = {**elsewhere, "GATEPOST_DATABASE_URL": "postgresql://db.example/users"}
    assert alone("settings", "show", "--json", **named).json["unknown"] == []


def test_a_typing_error_is_reported_with_the_name_that_was_meant(alone: Command) -> None:
    (alone.directory / ".env").write_text("GATEPOST_WORKRES=3\n")
    wrong = {"GATEPOST_PUBIC_URL": "https://auth.example", "GATEPOST_QUITE_DIFFERENT": "1"}
    lines = [
        "GATEPOST_PUBIC_URL is not a setting. Did you mean GATEPOST_PUBLIC_URL?",
        "GATEPOST_QUITE_DIFFERENT is not a setting.",
        "GATEPOST_WORKRES is not a setting. Did you mean GATEPOST_WORKERS?",
    ]
    assert alone("settings", "show", "--json", **wrong).json["unknown"] == lines
    assert alone("settings", "show", **wrong).err.splitlines() == [f"gatepost: {line}" for line in lines]


@pytest.mark.parametrize(
    ("variable", "value", "complaint"),
    [
        ("PORT", "eighty", "PORT: Input should be a valid integer, unable to parse string as an integer"),
        ("PORT", "65536", "PORT: Input should be less than or equal to 65535"),
        (
            "GATEPOST_ENVIRONMENT",
            "prod",
            "GATEPOST_ENVIRONMENT: Input should be 'development', 'test' or 'production'",
        ),
        ("GATEPOST_PUBLIC_URL", "auth.example", "GATEPOST_PUBLIC_URL: must be an http or https URL"),
        (
            "GATEPOST_PUBLIC_URL",
            "https://me:hush@auth.example",
            "GATEPOST_PUBLIC_URL: must have no user, no query and no fragment",
        ),
        (
            "GATEPOST_CORS_ORIGINS",
            "*",
            "GATEPOST_CORS_ORIGINS: list each origin; a wildcard is never allowed",
        ),
        ("GATEPOST_CORS_ORIGINS", "[x", "GATEPOST_CORS_ORIGINS: is not a JSON list"),
        ("GATEPOST_REDIS_URL", "cache:6379", "GATEPOST_REDIS_URL: must be a URL such as redis://host:6379/0"),
        ("GATEPOST_HASHING__MEMORY_KIB", "1", "GATEPOST_HASHING__MEMORY_KIB: Input should be greater than"),
        ("GATEPOST_HASHING__MEMORY", "64", "GATEPOST_HASHING__MEMORY: is not a setting"),
        ("GATEPOST_HASHING", "{hush", "GATEPOST_HASHING: is not JSON"),
        (
            "GATEPOST_SESSIONS__LIFETIME",
            "600",
            "GATEPOST_SESSIONS__LIFETIME: should be a duration, such as PT15M",
        ),
        ("GATEPOST_SECRETS_DIR", "nowhere", "GATEPOST_SECRETS_DIR: nowhere is not a directory"),
    ],
)
def test_a_bad_value_is_said_in_one_line(alone: Command, variable: str, value: str, complaint: str) -> None:
    for arguments in (["settings", "show"], ["serve"], ["users", "list"], ["db", "check"]):
        said = alone(*arguments, **{variable: value})
        assert (said.code, said.out) == (1, "")
        assert said.err.startswith(f"gatepost: {complaint}")
        assert len(said.err.splitlines()) == 1
        assert "hush" not in said.err


@pytest.mark.parametrize(
    "url",
    [
        "users.db",
        "mysql://me:hush@db.example/users",
        "postgresql+psycopg://me:hush@db.example/users",
        "postgresql://me:hush@db.example:port/users",
        "://hush",
    ],
)
def test_a_database_that_we_do_not_know_is_refused_without_its_password(alone: Command, url: str) -> None:
    said = alone("db", "check", GATEPOST_DATABASE_URL=url)
    assert said.code == 1
    assert said.err == (
        "gatepost: GATEPOST_DATABASE_URL: must be a URL such as postgresql://user:password@host/name "
        "or sqlite:///file.db\n"
    )


def test_a_database_in_memory_is_refused(alone: Command) -> None:
    said = alone("db", "upgrade", GATEPOST_DATABASE_URL="sqlite://")
    assert said.code == 1
    assert "An in-memory SQLite database cannot be shared" in said.err


def test_the_url_that_platforms_hand_out_is_understood(alone: Command) -> None:
    row = shown(alone, GATEPOST_DATABASE_URL="postgres://me@db.example/users")["GATEPOST_DATABASE_URL"]
    assert row["value"] == "postgresql://me@db.example/users"


def test_several_bad_values_are_said_on_a_line_each(alone: Command) -> None:
    said = alone("serve", PORT="eighty", GATEPOST_WORKERS="0")
    assert [line.split(": ")[1] for line in said.err.splitlines()] == ["PORT", "GATEPOST_WORKERS"]


def test_the_real_command_says_it_too(tmp_path: Path) -> None:
    said = run(tmp_path, "settings", "show", settings={"GATEPOST_WORKERS": "many"})
    assert said.returncode == 1
    assert said.stderr.startswith("gatepost: GATEPOST_WORKERS: Input should be a valid integer")
