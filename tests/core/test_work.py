"""The unit of work: all of it or nothing, and what a refusal must leave behind."""

from collections.abc import Iterator
from datetime import timedelta

import pytest
from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncSession

from gatepost import Gatepost
from gatepost.accounts import Accounts, NewAccount
from gatepost.core.errors import Conflict, DomainError
from gatepost.core.events import EventRow
from gatepost.proofs import MailProofs, Purpose
from gatepost.users import EmailTaken, User, Users
from tests.authenticator import Authenticator
from tests.conftest import open_client
from tests.login.factors import give_app
from tests.make import PASSWORD, Make
from tests.mfa.people import shows
from tests.passkeys.desk import Desk


class Kept(Conflict):
    code = "kept"
    keep_changes = True


class Undone(Conflict):
    code = "undone"


async def people(service: Gatepost) -> int:
    row = await service.database.reads.first(select(func.count(User.id).label("number")))
    assert row is not None
    return row.number


async def traces(service: Gatepost, kind: str) -> list[dict[str, object]]:
    rows = await service.database.reads.rows(
        select(EventRow.subject, EventRow.data).where(EventRow.type == kind).order_by(EventRow.id)
    )
    return [{"subject": row.subject, **row.data} for row in rows]


NEW = NewAccount(email="ada@example.com", password=PASSWORD)


@pytest.mark.parametrize("error", [Undone("no"), RuntimeError("crash"), KeyboardInterrupt()])
async def test_an_error_undoes_everything(gatepost: Gatepost, error: BaseException) -> None:
    async def fail() -> None:
        async with gatepost.work() as work:
            await gatepost.build(Accounts, work).add(NEW, by="test")
            raise error

    with pytest.raises(type(error)):
        await fail()

    assert await people(gatepost) == 0
    assert await traces(gatepost, "user.registered") == []


async def test_an_error_that_keeps_changes_commits_first(gatepost: Gatepost) -> None:
    async def refuse() -> None:
        async with gatepost.work() as work:
            await gatepost.build(Accounts, work).add(NEW, by="test")
            raise Kept

    with pytest.raises(Kept):
        await refuse()

    assert await people(gatepost) == 1
    assert len(await traces(gatepost, "user.registered")) == 1


async def test_a_unit_that_joins_the_hosts_transaction_leaves_the_end_to_the_host(gatepost: Gatepost) -> None:
    for commits in (False, True):
        async with AsyncSession(gatepost.database.engine) as session:
            async with gatepost.work(session=session) as work:
                await gatepost.build(Accounts, work).add(NEW, by="host")
            if commits:
                await session.commit()
        assert await people(gatepost) == int(commits)
    assert [trace["by"] for trace in await traces(gatepost, "user.registered")] == ["host"]


async def test_a_unit_for_reading_cannot_change_anything(gatepost: Gatepost, make: Make) -> None:
    person = await make.user()
    work = gatepost.reading()

    assert (await gatepost.build(Users, work).profile(person.id)).email == person.email
    with pytest.raises(RuntimeError, match="reading"):
        await gatepost.build(Users, work).load(person.id)


async def test_a_conflict_inside_the_unit_names_the_rooms_own_error(gatepost: Gatepost, make: Make) -> None:
    await make.user("ada@example.com")

    async def again() -> None:
        async with gatepost.work() as work:
            await gatepost.build(Accounts, work).add(NEW, by="test")

    with pytest.raises(EmailTaken):
        await again()


# ── every error that keeps its changes, through HTTP ─────────────────────────────────────────────────


async def wrong_password(service: Gatepost, make: Make) -> bool:
    person = await make.user()
    assert (await make.sign_in(person.email, "not this one")).status_code == 400
    (trace,) = await traces(service, "login.failed")
    return trace == {"subject": person.id, "method": "password", "reason": "wrong_password"}


async def reused_refresh_token(service: Gatepost, make: Make) -> bool:
    me = await make.signed_in()
    await make.refresh(me.refresh_token)
    assert (await make.reuse(me.refresh_token)).status_code == 400
    (ended,) = await traces(service, "session.ended")
    return ended["reason"] == "reuse_detected" and len(await traces(service, "refresh_token.reused")) == 1


async def wrong_current_password(service: Gatepost, make: Make) -> bool:
    me = await make.signed_in()
    change = {"password": "another-good-one-77", "current_password": "not this one"}
    async with open_client(service) as client:
        answer = await client.patch("/users/me", json=change, headers=me.headers)
    assert answer.status_code == 422
    (trace,) = await traces(service, "login.failed")
    return trace["subject"] == me.person.id and trace["method"] == "current_password"


async def unverified_address(service: Gatepost, make: Make) -> bool:
    options = service.settings.accounts.model_copy(update={"email_verification": "required"})
    strict = Gatepost(service.settings.model_copy(update={"accounts": options}), clock=service.clock)
    person = await make.user()
    async with strict.lifespan(), open_client(strict) as client:
        answer = await Make(strict, client).sign_in(person.email, person.password)
    assert answer.status_code == 403
    (trace,) = await traces(service, "login.failed")
    return trace == {"subject": person.id, "method": "password", "reason": "email_unverified"}


async def one_wrong_proof_too_many(service: Gatepost, make: Make) -> bool:
    person = await make.user()
    async with open_client(service) as client:
        flow = (await client.post("/login", json={})).json()
        proof = {"flow": flow["flow"], "binding": flow["binding"], "method": "password"}
        proof |= {"username": person.email, "password": "not this one"}
        codes = [(await client.post("/login/proof", json=proof)).json()["code"] for _ in range(6)]
    assert codes == ["invalid-credentials"] * 5 + ["login-flow-invalid"]
    return len(await traces(service, "login.failed")) == 5


async def wrong_code(service: Gatepost, make: Make) -> bool:
    person = await make.user()
    async with service.work() as work:
        proofs = service.build(MailProofs, work)
        asked = await proofs.ask(Purpose.VERIFY_EMAIL, person.email, person.id, timedelta(hours=1))
    wrong = f"{(int(asked.code) + 1) % 1_000_000:06}"
    async with open_client(service) as client:
        for code, status in (*[(wrong, 400)] * 5, (asked.code, 400)):
            answer = await client.post("/email/verify", json={"email": person.email, "code": code})
            assert (answer.status_code, answer.json()["code"]) == (status, "mail-proof-invalid")
    found = await traces(service, "mail_proof.refused")
    return found == [{"subject": person.id, "purpose": "verify_email"}] * 5 + [
        {"subject": None, "purpose": "verify_email"}
    ]


async def unconfirmed_by_the_password(service: Gatepost, make: Make) -> bool:
    person = await make.user()
    async with service.work() as work:
        proofs = service.build(MailProofs, work)
        asked = await proofs.ask(Purpose.VERIFY_EMAIL, person.email, person.id, timedelta(hours=1))
    shown = {"token": asked.link.partition("=")[2], "password": "not this one"}
    async with open_client(service) as client:
        answer = await client.post("/email/verify", json=shown)
    assert (answer.status_code, answer.json()["code"]) == (403, "password-needed")
    (trace,) = await traces(service, "login.failed")
    return trace["subject"] == person.id and trace["method"] == "current_password"


async def wrong_app_code(service: Gatepost, make: Make) -> bool:
    person = await make.user()
    assert await shows(service, person, "000000") == "code-wrong"
    return await traces(service, "totp.refused") == [{"subject": person.id, "failures": 1}]


async def passkey_that_is_none(service: Gatepost, make: Make) -> bool:
    me = await make.signed_in()
    async with open_client(service) as client:
        desk = Desk(service, client)
        made = Authenticator().create(await desk.options(me), "https://evil.example")
        assert (await desk.send(me, made)).status_code == 400
    (trace,) = await traces(service, "passkey.refused")
    return trace["reason"] == "origin"


async def second_factor_needed(service: Gatepost, make: Make) -> bool:
    person = await make.user()
    await give_app(service, person.id)
    refused = (await make.sign_in(person.email, person.password)).json()
    async with open_client(service) as client:
        step = {**{name: refused[name] for name in ("flow", "binding")}, "method": "totp", "code": "x"}
        answer = await client.post("/login/proof", json=step)
    # The flow is there, with the first factor in it.
    return answer.json()["code"] == "invalid-credentials"


KEEPING = {
    "CodeWrong": wrong_app_code,
    "PasskeyInvalid": passkey_that_is_none,
    "MfaRequired": second_factor_needed,
    "EmailUnverified": unverified_address,
    "FlowInvalid": one_wrong_proof_too_many,
    "InvalidCredentials": wrong_password,
    "RefreshRefused": reused_refresh_token,
    "CurrentPasswordWrong": wrong_current_password,
    "MailProofInvalid": wrong_code,
    "PasswordNeeded": unconfirmed_by_the_password,
}


def every_error(family: type[DomainError] = DomainError) -> Iterator[type[DomainError]]:
    yield family
    for child in family.__subclasses__():
        yield from every_error(child)


def test_every_error_that_keeps_its_changes_has_a_test_here() -> None:
    keeping = {
        error.__name__
        for error in every_error()
        if error.keep_changes and error.__module__.startswith("gatepost.")
    }

    assert keeping == KEEPING.keys()


@pytest.mark.parametrize("error", KEEPING)
async def test_the_refusal_leaves_its_trace(gatepost: Gatepost, make: Make, error: str) -> None:
    assert await KEEPING[error](gatepost, make)


def test_error_codes_are_unique_and_stable_in_form() -> None:
    errors = [error for error in every_error() if error.__module__.startswith("gatepost.")]
    codes = [error.code for error in errors]

    assert len(set(codes)) == len(codes)
    assert all(code == code.lower() and "_" not in code and " " not in code for code in codes)
