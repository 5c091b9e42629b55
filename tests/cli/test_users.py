"""`gatepost users`, on both databases, beside a running service."""

import os
import sqlite3
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from httpx2 import AsyncClient

from tests.cli.conftest import Command
from tests.make import PASSWORD, Make
from tests.mfa.people import enrolled
from tests.processes import environment

OTHER_PASSWORD = "walnut-harbour-1887"
ESCAPE = "\x1b"


def create(command: Command, email: str = "ada@example.com", *flags: str, password: str = PASSWORD) -> Any:
    made = command("users", "create", email, "--password-stdin", "--json", *flags, stdin=f"{password}\n")
    assert made.code == 0, made.err
    return made.json


async def test_a_created_person_can_sign_in(command: Command, make: Make, client: AsyncClient) -> None:
    person = create(command, "Ada@Example.com", "--name", "Ada Lovelace")
    answer = await make.sign_in("ada@example.com", PASSWORD)
    headers = {"Authorization": f"Bearer {answer.json()['access_token']}"}
    me = (await client.get("/users/me", headers=headers)).json()
    assert (me["id"], me["email"], me["name"]) == (person["id"], "Ada@Example.com", "Ada Lovelace")
    assert person["roles"] == []


async def test_a_created_administrator_may_list_people(
    command: Command, make: Make, client: AsyncClient
) -> None:
    assert create(command, "ada@example.com", "--admin")["roles"] == ["admin"]
    answer = await make.sign_in("ada@example.com", PASSWORD)
    headers = {"Authorization": f"Bearer {answer.json()['access_token']}"}
    assert (await client.get("/users/", headers=headers)).status_code == 200


def test_create_says_what_it_did_without_the_password(command: Command) -> None:
    said = command("users", "create", "ada@example.com", "--admin", "--password-stdin", stdin=PASSWORD)
    assert said.out.startswith("Created ada@example.com as an administrator: ")
    assert PASSWORD not in said.out + said.err


@pytest.mark.parametrize(
    ("email", "password", "complaint"),
    [
        ("nobody", PASSWORD, "email: This is not a valid e-mail address"),
        ("ada@example.com", "short", "password: String should have at least 8 characters"),
        ("ada@example.com", "", "password: String should have at least 8 characters"),
        ("ada@example.com", "password123", "This password is common or known from a breach"),
        ("ada@example.com", "x" * 1025, "password: A password may have at most 1024 bytes"),
    ],
)
def test_what_the_api_refuses_create_refuses_in_one_line(
    command: Command, email: str, password: str, complaint: str
) -> None:
    said = command("users", "create", email, "--password-stdin", stdin=f"{password}\n")
    assert (said.code, said.out) == (1, "")
    assert complaint in said.err
    assert len(said.err.splitlines()) == 1
    assert not password or f" {password}" not in said.err


def test_an_address_is_taken_in_every_spelling(command: Command) -> None:
    create(command)
    said = command("users", "create", "ADA@EXAMPLE.COM", "--password-stdin", stdin=PASSWORD)
    assert (said.code, said.err) == (1, "gatepost: Email already registered\n")


def test_no_command_takes_a_password_as_an_argument(command: Command) -> None:
    for name in ("create", "set-password"):
        assert command("users", name, "ada@example.com", "--password", PASSWORD).code == 2


def test_without_a_terminal_the_password_must_come_by_standard_input(command: Command) -> None:
    said = command("users", "create", "ada@example.com", stdin=PASSWORD)
    assert said.code == 1
    assert "--password-stdin" in said.err


async def test_set_password_ends_all_sessions(command: Command, make: Make, client: AsyncClient) -> None:
    person = await make.user()
    before = [await make.signed_in(person) for _ in range(2)]
    assert command("users", "show", person.email, "--json").json["live_sessions"] == 2

    said = command("users", "set-password", person.email, "--password-stdin", "--json", stdin=OTHER_PASSWORD)

    assert said.json["live_sessions"] == 0
    for session in before:
        assert (await client.get("/users/me", headers=session.headers)).status_code == 401
        assert (await make.refresh(session.refresh_token)).status_code == 400
    assert (await make.sign_in(person.email, PASSWORD)).status_code == 400
    assert (await make.sign_in(person.email, OTHER_PASSWORD)).status_code == 200


async def test_disable_keeps_out_and_enable_lets_in(
    command: Command, make: Make, client: AsyncClient
) -> None:
    session = await make.signed_in()
    who = str(session.person.id)
    assert command("users", "disable", who, "--json").json["is_active"] is False
    assert (await client.get("/users/me", headers=session.headers)).status_code == 401
    assert (await make.sign_in(session.person.email, PASSWORD)).status_code == 400
    assert command("users", "enable", who).out == f"{session.person.email}: Enabled.\n"
    assert (await make.sign_in(session.person.email, PASSWORD)).status_code == 200


async def test_promote_and_demote_count_at_once(command: Command, make: Make, client: AsyncClient) -> None:
    session = await make.signed_in()
    who, email = str(session.person.id), session.person.email
    assert command("users", "promote", who).out == f"{email} is an administrator now.\n"
    assert (await client.get("/users/", headers=session.headers)).status_code == 200
    assert command("users", "promote", who).out == f"{email} was an administrator already.\n"
    assert command("users", "promote", who, "--demote", "--json").json["roles"] == []
    assert (await client.get("/users/", headers=session.headers)).status_code == 403
    assert command("users", "promote", who, "--demote", "--json").json["changed"] is False


async def test_reset_factors_removes_them_and_ends_all_sessions(
    command: Command, make: Make, client: AsyncClient
) -> None:
    me = await make.signed_in(await make.user("ada@example.com"))
    await enrolled(client, me, datetime.now(UTC))
    for changed in (True, False):
        done = command("users", "reset-factors", "ada@example.com", "--json")
        assert (done.code, done.json["changed"], done.json["live_sessions"]) == (0, changed, 0)
    again = await make.signed_in(me.person)
    assert (await client.get("/users/me/factors", headers=again.headers)).json()["items"] == []


def test_delete_asks_first(command: Command) -> None:
    create(command)
    refused = command("users", "delete", "ada@example.com", stdin="n\n")
    assert refused.code == 1
    assert "Delete ada@example.com" in refused.err
    assert command("users", "show", "ada@example.com").code == 0
    assert command("users", "delete", "ada@example.com", stdin="").code == 1
    assert command("users", "delete", "ada@example.com", stdin="y\n").code == 0
    assert command("users", "show", "ada@example.com").code == 1


async def test_delete_with_yes_ends_everything(command: Command, make: Make, client: AsyncClient) -> None:
    session = await make.signed_in()
    said = command("users", "delete", session.person.email, "--yes", "--json")
    assert said.json == {"id": str(session.person.id), "email": session.person.email, "deleted": True}
    assert (await client.get("/users/me", headers=session.headers)).status_code == 401
    assert (await make.refresh(session.refresh_token)).status_code == 400


@pytest.mark.parametrize("name", ["show", "disable", "enable", "promote", "delete", "set-password"])
def test_nobody_is_said_in_one_line(command: Command, name: str) -> None:
    flags = {"delete": ["--yes"], "set-password": ["--password-stdin"]}.get(name, [])
    for who in ("nobody@example.com", str(uuid4()), "no address"):
        said = command("users", name, who, *flags, stdin=PASSWORD)
        assert (said.code, said.out, said.err) == (1, "", "gatepost: There is no such user.\n")


def test_list_pages_and_says_that_there_is_more(command: Command) -> None:
    for number in range(5):
        create(command, f"person{number}@example.com")
    some = command("users", "list", "--limit", "3", "--json").json
    assert [person["email"][6] for person in some["items"]] == ["4", "3", "2"]
    assert some["more"] is True
    assert "The first 3 of more. See all: --all" in command("users", "list", "--limit", "3").out
    assert command("users", "list", "--limit", "5", "--json").json["more"] is False
    assert "5 in all." in command("users", "list").out


async def test_all_is_all_also_over_many_pages(command: Command, make: Make) -> None:
    for _ in range(205):
        await make.user()
    listed = command("users", "list", "--all", "--json").json
    assert len({person["id"] for person in listed["items"]}) == 205
    assert listed["more"] is False
    most = command("users", "list", "--limit", "203", "--json").json
    assert (len(most["items"]), most["more"]) == (203, True)


def test_list_filters(command: Command) -> None:
    for email in ("ada@example.com", "adele@example.com", "bob@example.com"):
        create(command, email)
    command("users", "disable", "adele@example.com")

    def listed(*flags: str) -> list[str]:
        return [person["email"] for person in command("users", "list", "--json", *flags).json["items"]]

    assert listed("--q", "ad") == ["ada@example.com", "adele@example.com"]
    assert listed("--q", "ad", "--active") == ["ada@example.com"]
    assert listed("--inactive") == ["adele@example.com"]
    assert "q: String should have at most 254" in command("users", "list", "--q", "x" * 300).err


def test_what_people_call_themselves_cannot_steer_a_terminal(command: Command) -> None:
    name = f"[red]{ESCAPE}[2J\u202egnp"
    create(command, "ada@example.com", "--name", name)
    for said in (command("users", "list"), command("users", "show", "ada@example.com")):
        assert "[red]\\x1b[2J\\u202egnp" in said.out
    assert command("users", "show", "ada@example.com", "--json").json["name"] == name


def test_in_another_directory_it_says_that_the_database_is_elsewhere_and_leaves_nothing(
    alone: Command,
) -> None:
    said = alone("users", "list")
    assert said.code == 1
    assert said.err.startswith("gatepost: There is no database at ")
    assert "Run this where the service runs" in said.err
    assert list(alone.directory.iterdir()) == []


def test_a_missing_schema_is_said_in_one_line(alone: Command) -> None:
    (alone.directory / "data").mkdir()
    sqlite3.connect(alone.directory / "data" / "gatepost.db").close()
    said = alone("users", "list")
    assert said.code == 1
    assert said.err == "gatepost: The database has no Gatepost schema yet. Make it: gatepost db upgrade\n"


def test_an_unreachable_database_is_said_in_one_line(alone: Command) -> None:
    url = "postgresql://someone:hush-hush@127.0.0.1:1/none"
    said = alone("users", "list", GATEPOST_DATABASE_URL=url)
    assert said.code == 1
    assert said.err.startswith("gatepost: The service cannot reach its database.")
    assert len(said.err.splitlines()) == 1
    assert "hush-hush" not in said.err


@pytest.mark.skipif(not hasattr(os, "openpty"), reason="no terminals on this system")
def test_a_terminal_is_asked_twice_and_shows_nothing(command: Command) -> None:
    said, shown = _at_a_terminal(command, [PASSWORD, PASSWORD])
    assert b"Created ada@example.com" in said
    assert PASSWORD.encode() not in said + shown


def _at_a_terminal(command: Command, typed: list[str]) -> tuple[bytes, bytes]:
    """Create somebody at a pseudo terminal, typing when asked; return the output and what the terminal showed."""
    ours, theirs = os.openpty()
    process = subprocess.Popen(
        [sys.executable, "-m", "gatepost", "users", "create", "ada@example.com"],
        cwd=command.directory,
        env=environment(Path(command.directory), command.settings),
        stdin=theirs,
        stderr=theirs,
        stdout=subprocess.PIPE,
        start_new_session=True,
    )
    os.close(theirs)
    shown = b""
    for line in typed:
        asked = shown.count(b": ")
        while shown.count(b": ") == asked:
            shown += os.read(ours, 1024)
        os.write(ours, f"{line}\n".encode())
    said, _ = process.communicate(timeout=60)
    os.close(ours)
    return said, shown
