"""Every way in, against every state in which nobody may come in. Generated from the registry of ways."""

import re
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from httpx2 import AsyncClient

from gatepost import Gatepost, Settings
from gatepost.accounts import Accounts, ChangeAccount
from gatepost.core.clock import MovableClock
from gatepost.login import WAYS, Way
from gatepost.login.methods import VERIFIED_PASSKEY
from gatepost.pages import routes
from gatepost.users import Users
from tests.conftest import open_client
from tests.login import factors
from tests.login.ways import (
    ENTRANCES,
    Attempt,
    assert_in,
    assert_refused,
    attempt_of,
    entrance_of,
    is_page,
    sessions_of,
)
from tests.make import Make, Person
from tests.security.expect import assert_problem


@pytest.fixture
def settings(request: pytest.FixtureRequest, settings: Settings) -> Settings:
    """Where a factor is added on the way in, one is required."""
    way = request.node.callspec.params.get("way") if hasattr(request.node, "callspec") else None
    if way is None or not way.enrols:
        return settings
    return settings.model_copy(update={"mfa": settings.mfa.model_copy(update={"policy": "required"})})


every_way = pytest.mark.parametrize("way", WAYS, ids=lambda way: way.name)
flows = pytest.mark.parametrize("way", [way for way in WAYS if way.flow], ids=lambda way: way.name)
# A page takes nothing that could be guessed, and lets in elsewhere too, after it has said as whom.
flows_of_the_api = pytest.mark.parametrize(
    "way", [way for way in WAYS if way.flow and not way.page], ids=lambda way: way.name
)
# Whoever adds a factor knows what it is: a wrong try is no guess.
flows_with_guesses = pytest.mark.parametrize(
    "way", [way for way in WAYS if way.flow and not way.page and not way.enrols], ids=lambda way: way.name
)


async def change(gatepost: Gatepost, person: Person, **values: Any) -> None:
    async with gatepost.work() as work:
        await gatepost.build(Accounts, work).change(person.id, ChangeAccount(**values))


async def disable(gatepost: Gatepost, person: Person) -> None:
    await change(gatepost, person, is_active=False)


async def delete(gatepost: Gatepost, person: Person) -> None:
    async with gatepost.work() as work:
        await gatepost.build(Accounts, work).delete(person.id)


async def lock(gatepost: Gatepost, person: Person) -> None:
    await change(gatepost, person, locked_until=gatepost.clock.now() + timedelta(hours=1))


async def another_password(gatepost: Gatepost, person: Person) -> None:
    await change(gatepost, person, password="harbour-umbrella-77")


STATES = {"disabled": disable, "deleted": delete, "locked": lock, "another password": another_password}


def test_every_way_has_an_entrance_in_the_tests() -> None:
    assert {way.name for way in WAYS} == ENTRANCES.keys()
    assert len({way.name for way in WAYS}) == len(WAYS)


async def test_every_operation_that_lets_somebody_in_is_a_registered_way(client: AsyncClient) -> None:
    document = (await client.get("/openapi.json")).json()
    letting_in = set()
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            shown = str(operation["responses"].get("200", {}).get("content"))
            if any(f"/{name}'" in shown for name in ("Granted", "SignedIn", "FlowStep")):
                letting_in.add((method, path))
    assert letting_in == {(way.method.lower(), way.path) for way in WAYS if not way.page}


def test_every_page_that_keeps_a_session_is_a_registered_way() -> None:
    code = "".join(file.read_text() for file in Path(routes.__file__).parent.glob("*.py"))
    assert len(re.findall(r"\bkeep_session\(", code)) == 1
    assert len(re.findall(r"return let_in\(", code)) == len([way for way in WAYS if way.page])


@every_way
async def test_the_right_proof_lets_in(gatepost: Gatepost, make: Make, way: Way) -> None:
    person = await make.user()
    attempt, entrance = attempt_of(gatepost, person), entrance_of(way)
    await entrance.begin(attempt)

    await assert_in(attempt, await entrance.finish(attempt))

    assert await sessions_of(gatepost, person) == 1


def by_mail(way: Way) -> bool:
    return any(proof.proves_email for proof in way.proofs)


def by_passkey_alone(way: Way) -> bool:
    return way.proofs == (VERIFIED_PASSKEY,)


# Who is signed in already came in before: there the state can only come between. And whoever reads the mail needs no
# password, but a mail from before another password is dead.
MOMENTS = [
    pytest.param(way, state, moment, id=f"{way.name}-{state}-{moment}")
    for way in WAYS
    for state in STATES
    for moment in ("before", "between")
    if not (way.renews and moment == "before")
    if not (by_mail(way) and state == "another password" and moment == "before")
    if not (by_passkey_alone(way) and state == "another password" and not way.renews)
]


@pytest.mark.parametrize(("way", "state", "moment"), MOMENTS)
async def test_d11_e15_nobody_who_may_not_comes_in(
    gatepost: Gatepost, make: Make, way: Way, state: str, moment: str
) -> None:
    """Whether the state was there before the first step, or came between the first and the last."""
    person = await make.user()
    attempt, entrance = attempt_of(gatepost, person), entrance_of(way)
    if moment == "before":
        await STATES[state](gatepost, person)
        await entrance.begin(attempt)
    else:
        await entrance.begin(attempt)
        await STATES[state](gatepost, person)
    before = await sessions_of(gatepost, person)

    answer = await entrance.finish(attempt)

    if is_page(answer):
        assert_refused(way, answer, "invalid-credentials")
    else:
        assert_problem(answer, 400, 401)
    assert "access_token" not in answer.text
    assert await sessions_of(gatepost, person) <= before
    assert not {name for name in attempt.client.cookies if "session" in name} or way.renews


@pytest.mark.parametrize(
    "way",
    # Whose address was not verified loses all factors with the mail: there is no second step then.
    [way for way in WAYS if not (by_mail(way) and len(way.proofs) > 1)],
    ids=lambda way: way.name,
)
async def test_where_a_verified_address_is_required_nobody_comes_in_without(
    settings: Settings, clock: MovableClock, way: Way
) -> None:
    strict = settings.model_copy(
        update={"accounts": settings.accounts.model_copy(update={"email_verification": "required"})}
    )
    service = Gatepost(strict, clock=clock)
    async with service.lifespan(), open_client(service) as client:
        person = await Make(service, client).user()
        attempt, entrance = attempt_of(service, person), entrance_of(way)
        if way.renews:
            # Signed in while the address was verified.
            await change(service, person, email_verified=True)
            await entrance.begin(attempt)
            await change(service, person, email_verified=False)
        else:
            await entrance.begin(attempt)
        before = await sessions_of(service, person)

        refused = attempt.refused or await entrance.finish(attempt)

        if by_mail(way):
            # Who reads the mail has shown that the address is theirs.
            await assert_in(attempt, refused)
            profile = await service.build(Users, service.reading()).profile(person.id)
            assert profile.email_verified
            return
        assert_problem(refused, 403)
        assert refused.json()["code"] == "email-unverified"
        assert await sessions_of(service, person) == before
        await change(service, person, email_verified=True)
        if not way.flow:
            # A code counts once.
            clock.move(factors.STEP)
            await assert_in(attempt, await entrance.finish(attempt))


@every_way
async def test_a_wrong_proof_lets_nobody_in(gatepost: Gatepost, make: Make, way: Way) -> None:
    person = await make.user()
    attempt, entrance = attempt_of(gatepost, person), entrance_of(way)
    await entrance.begin(attempt)
    before = await sessions_of(gatepost, person)
    attempt.person = Person(person.id, person.email, "not-the-lighthouse-1")

    answer = await entrance.finish(attempt)

    code = "invalid-credentials"
    if way.enrols:
        code = "passkey-invalid" if way.carrier == "cookie" else "code-wrong"
    assert_refused(way, answer, code)
    assert await sessions_of(gatepost, person) == before


# ── flows ────────────────────────────────────────────────────────────────────────────────────────────


async def refused_as_a_flow(attempt: Attempt, way: Way) -> None:
    assert_refused(way, await entrance_of(way).finish(attempt), "login-flow-invalid")
    assert await sessions_of(attempt.gatepost, attempt.person) == 0


@flows
async def test_an_expired_flow_lets_nobody_in(
    gatepost: Gatepost, make: Make, clock: MovableClock, way: Way
) -> None:
    attempt = attempt_of(gatepost, await make.user())
    await entrance_of(way).begin(attempt)
    clock.move(gatepost.settings.login.flow_lifetime)

    await refused_as_a_flow(attempt, way)


@flows_of_the_api
async def test_d07_a_flow_that_was_begun_elsewhere_lets_nobody_in(
    gatepost: Gatepost, make: Make, way: Way
) -> None:
    """An attacker's flow in the hands of the victim, and a victim's in those of the attacker."""
    person = await make.user()
    begun, elsewhere = attempt_of(gatepost, person), attempt_of(gatepost, person)
    await entrance_of(way).begin(begun)
    # All that may travel; a browser's binding is in its cookie.
    elsewhere.carried = {**begun.carried, "binding": None}

    await refused_as_a_flow(elsewhere, way)

    # Not with what belongs to another flow of one's own either.
    own = attempt_of(gatepost, person)
    await entrance_of(way).begin(own)
    own.carried["flow"] = begun.carried["flow"]
    await refused_as_a_flow(own, way)


@flows
async def test_a_proof_that_is_replayed_lets_nobody_in_again(
    gatepost: Gatepost, make: Make, way: Way
) -> None:
    attempt = attempt_of(gatepost, await make.user())
    await entrance_of(way).begin(attempt)
    binding = dict(attempt.client.cookies)
    assert (await entrance_of(way).finish(attempt)).status_code == 200
    for name, value in binding.items():
        attempt.client.cookies.set(name, value)

    again = await entrance_of(way).finish(attempt)

    assert_refused(way, again, "login-flow-invalid")
    assert await sessions_of(gatepost, attempt.person) == 1


@flows_with_guesses
async def test_a_flow_ends_after_some_wrong_proofs(gatepost: Gatepost, make: Make, way: Way) -> None:
    person = await make.user()
    attempt = attempt_of(gatepost, person)
    await entrance_of(way).begin(attempt)
    attempt.person = Person(person.id, person.email, "not-the-lighthouse-1")
    for _ in range(gatepost.settings.login.flow_failures):
        assert (await entrance_of(way).finish(attempt)).json()["detail"] == "Incorrect credentials"
    attempt.person = person

    await refused_as_a_flow(attempt, way)


@flows
async def test_two_proofs_at_once_let_in_once(gatepost: Gatepost, make: Make, way: Way) -> None:
    import asyncio

    attempt = attempt_of(gatepost, await make.user())
    await entrance_of(way).begin(attempt)

    answers = await asyncio.gather(*(entrance_of(way).finish(attempt) for _ in range(5)))

    assert sorted(answer.status_code for answer in answers) == [200, 400, 400, 400, 400]
    assert await sessions_of(gatepost, attempt.person) == 1


@flows_with_guesses
async def test_wrong_proofs_at_once_are_all_counted(gatepost: Gatepost, make: Make, way: Way) -> None:
    import asyncio

    person = await make.user()
    attempt = attempt_of(gatepost, person)
    await entrance_of(way).begin(attempt)
    attempt.person = Person(person.id, person.email, "not-the-lighthouse-1")
    await asyncio.gather(*(entrance_of(way).finish(attempt) for _ in range(10)))
    attempt.person = person

    await refused_as_a_flow(attempt, way)
