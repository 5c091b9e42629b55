"""A copy of all that is held about a person: complete, theirs alone, and without a secret."""

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest
from httpx2 import AsyncClient
from sqlalchemy import LargeBinary

import gatepost.wiring  # noqa: F401  every table
from gatepost.core.clock import MovableClock
from gatepost.core.models import Base
from gatepost.exports import PARTS
from tests.make import PASSWORD, Make, Person, SignedIn
from tests.mfa.people import enrolled

IMPERSONAL = {
    "deliveries": "events on their way; what is sealed in them is erased when they have arrived",
    "dpop_proofs": "digests of proofs, of nobody",
    "installation": "one row about the service",
    "schedules": "when jobs are due",
    "signing_keys": "the service's own",
    "test_clock": "for tests alone",
    "test_mail": "for tests alone",
}
SECRET = {"hash", "holder"}


def test_no_column_that_belongs_to_a_person_is_forgotten() -> None:
    tables = {part.model.__tablename__: part for part in PARTS}
    assert tables.keys().isdisjoint(IMPERSONAL)
    assert Base.metadata.tables.keys() == tables.keys() | IMPERSONAL
    for name, part in tables.items():
        columns = {column.name: column for column in Base.metadata.tables[name].columns}
        shown = {column.name for column in part.query.selected_columns}
        assert shown | part.withheld == columns.keys()
        assert shown.isdisjoint(part.withheld)
        # What is kept back is a secret, and no secret is handed out.
        assert {each for each in columns if isinstance(columns[each].type, LargeBinary)} <= part.withheld
        assert all(isinstance(columns[each].type, LargeBinary) or each in SECRET for each in part.withheld)
    for name in IMPERSONAL:
        references = {key.column.table.name for key in Base.metadata.tables[name].foreign_keys}
        assert references <= {"events"}, name


async def export(client: AsyncClient, headers: dict[str, str]) -> dict[str, Any]:
    answer = await client.get("/users/me/export", headers=headers)
    assert answer.status_code == 200, answer.text
    assert answer.headers["content-disposition"] == 'attachment; filename="account.json"'
    assert answer.headers["cache-control"] == "no-store"
    return answer.json()


async def test_everything_of_ones_own_is_there_and_nothing_else(
    client: AsyncClient,
    make: Make,
) -> None:
    new = {"email": "ada@example.com", "password": PASSWORD, "name": "Ada", "locale": "de"}
    await client.post("/users/", json=new, headers={"Idempotency-Key": "once-and-for-all"})
    tokens = (await make.sign_in("ada@example.com", PASSWORD)).json()
    me = {"Authorization": f"Bearer {tokens['access_token']}", "User-Agent": "Analytical Engine"}
    await client.post("/users/me/email/verification", headers=me)
    await client.put("/users/me/notices", json={"muted": ["new_device"]}, headers=me)
    signed_in = SignedIn(Person(UUID(int=0), "ada@example.com"), tokens["access_token"], "")
    app = await enrolled(client, signed_in, datetime.now(UTC), name="Phone")
    await make.sign_in("ada@example.com", "not this one")
    other = await make.signed_in(await make.administrator("eve@example.com"))
    ada = (await client.get("/users/me", headers=me)).json()
    theirs = {**other.headers, "User-Agent": "Administrators own"}
    assert (await client.patch(f"/users/{ada['id']}", json={"name": "Lady Ada"}, headers=theirs)).is_success

    found = await export(client, me)

    account, parts = found["account"], found["parts"]
    assert (account["id"], account["email"], account["name"]) == (ada["id"], "ada@example.com", "Lady Ada")
    assert parts.keys() == {part.name for part in PARTS} - {"account"}
    assert {name: len(rows) for name, rows in parts.items() if name != "events"} == {
        "roles": 0,
        "password": 1,
        "sessions": 1,
        "refresh_tokens": 1,
        "sign_ins_under_way": 0,
        "authenticator_apps": 1,
        "wrong_codes": 0,
        "recovery_codes": 10,
        "remembered_devices": 0,
        "factor_reset": 0,
        "links_by_mail": 1,
        "notices_turned_off": 1,
        "kept_answers": 1,
        "passkeys": 0,
        "passkey_handle": 0,
        "passkey_challenges": 0,
    }
    kinds = [event["type"] for event in parts["events"]]
    assert kinds.count("login.failed") == 1
    assert {"user.registered", "session.started", "email_verification.asked", "user.changed"} <= {*kinds}
    (verification,) = [each for each in parts["events"] if each["type"] == "email_verification.asked"]
    assert verification["user_agent"] == "Analytical Engine"
    # Who changed it is there, and where they sit is theirs.
    (changed,) = [each for each in parts["events"] if each["type"] == "user.changed"]
    assert (changed["actor"], changed["address"], changed["user_agent"]) == (str(other.person.id), None, None)
    text = str(found)
    secrets = (app.secret, *app.recovery_codes, *tokens.values())
    for foreign in ("eve@example.com", "Administrators own", "$argon2", PASSWORD, *secrets):
        assert str(foreign) not in text or foreign in {"bearer", "account", 900}, foreign
    # A copy leaves its trace, in the next one too.
    assert "account.exported" in str((await export(client, me))["parts"]["events"])
    assert (await export(client, other.headers))["parts"]["roles"][0]["role"] == "admin"


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
async def test_a_copy_needs_a_fresh_sign_in(client: AsyncClient, make: Make, clock: MovableClock) -> None:
    me = await make.signed_in()
    clock.move(timedelta(minutes=11))
    answer = await client.get("/users/me/export", headers=me.headers)
    assert (answer.status_code, answer.json()["code"]) == (401, "reauthentication-required")
