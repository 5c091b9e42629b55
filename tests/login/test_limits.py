"""How often one may knock at the door: by address, by account, and longer and longer after failures."""

from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any

import pytest
from httpx2 import ASGITransport, AsyncClient, Response

from gatepost import Gatepost, Settings
from gatepost.core.clock import MovableClock
from gatepost.core.limits import LocalLimiter
from tests.conftest import make_settings, open_client
from tests.make import PASSWORD, Make, Person
from tests.security.expect import assert_problem
from tests.security.operations import no_database_matters

HOME, STRANGER = "8.8.8.8", "9.9.9.9"
WRONG = "not the password"


class Time:
    def __init__(self) -> None:
        self.seconds = 0.0

    def __call__(self) -> float:
        return self.seconds


@pytest.fixture
def time() -> Time:
    return Time()


Start = Callable[..., Awaitable[Gatepost]]


@pytest.fixture
async def start(settings: Settings, clock: MovableClock, time: Time) -> AsyncIterator[Start]:
    """Start a service that counts, with other settings."""
    async with AsyncExitStack() as stack:

        async def started(**changed: Any) -> Gatepost:
            values = {"rate_limits": "on", "log_level": "error", **changed}
            own = make_settings(settings.database_location, settings.data_dir, **values)
            service = Gatepost(own, clock=clock, limiter=LocalLimiter(time))
            await stack.enter_async_context(service.lifespan())
            return service

        yield started


@asynccontextmanager
async def seen_from(service: Gatepost, address: str) -> AsyncGenerator[AsyncClient]:
    transport = ASGITransport(app=service.app, client=(address, 1), raise_app_exceptions=False)
    async with AsyncClient(transport=transport, base_url="http://gatepost.test") as client:
        yield client


async def sign_in(service: Gatepost, email: str, password: str = PASSWORD, at: str = STRANGER) -> Response:
    async with seen_from(service, at) as client:
        return await client.post("/users/token", data={"username": email, "password": password})


async def person_of(service: Gatepost, email: str | None = None) -> Person:
    async with open_client(service) as client:
        return await Make(service, client).user(email)


def statuses(answers: list[Response]) -> list[int]:
    return [answer.status_code for answer in answers]


@no_database_matters
async def test_the_eleventh_sign_in_of_a_minute_is_refused_with_the_contracts_words(
    start: Start, time: Time
) -> None:
    service = await start()
    person = await person_of(service)

    answers = [await sign_in(service, person.email) for _ in range(11)]

    assert statuses(answers) == [200] * 10 + [429]
    refused = answers[-1]
    assert_problem(refused, 429)
    assert (refused.json()["detail"], refused.json()["code"]) == ("Rate limit exceeded", "rate-limited")
    assert (refused.headers["retry-after"], refused.json()["retry_after"]) == ("6", 6)
    assert refused.headers["ratelimit-policy"] == '"credentials";q=10;w=60'
    assert refused.headers["ratelimit"] == '"credentials";r=0;t=6'
    time.seconds += 6
    assert statuses([await sign_in(service, person.email) for _ in range(2)]) == [200, 429]
    time.seconds += 60
    assert (await sign_in(service, person.email)).status_code == 200


@no_database_matters
async def test_a_refusal_costs_no_hash_and_no_look_up(start: Start, monkeypatch: pytest.MonkeyPatch) -> None:
    service = await start()
    for _ in range(10):
        await sign_in(service, "ada@example.com", WRONG)

    async def never(*_: Any) -> Any:
        raise AssertionError("it should have been refused before")

    monkeypatch.setattr(service.hashing, "verify", never)
    monkeypatch.setattr(service.database.reads, "first", never)
    monkeypatch.setattr(service.database.reads, "rows", never)
    assert (await sign_in(service, "ada@example.com", WRONG)).status_code == 429


@no_database_matters
async def test_refreshing_is_no_guessing(start: Start) -> None:
    service = await start()
    person = await person_of(service)
    token = (await sign_in(service, person.email)).json()["refresh_token"]
    async with seen_from(service, STRANGER) as client:
        for _ in range(20):
            form = {"grant_type": "refresh_token", "refresh_token": token}
            answer = await client.post("/users/token", data=form)
            assert answer.status_code == 200
            token = answer.json()["refresh_token"]


def far(number: int) -> str:
    """Return one of many public addresses."""
    return f"9.{number // 250}.{number % 250}.1"


@no_database_matters
async def test_many_addresses_share_the_tries_at_one_account(start: Start) -> None:
    service = await start()
    person = await person_of(service)
    answers = [await sign_in(service, person.email, WRONG, far(number)) for number in range(30)]
    assert statuses(answers) == [400] * 10 + [429] * 20
    assert answers[-1].headers["ratelimit-policy"] == '"account";q=10;w=60'


@no_database_matters
async def test_an_unknown_account_is_limited_and_delayed_alike(start: Start, time: Time) -> None:
    service = await start()
    person = await person_of(service)

    async def course(email: str, first: int) -> list[tuple[int, str | None]]:
        seen = []
        for number in range(60):
            answer = await sign_in(service, email, WRONG, far(first + number))
            seen.append((answer.status_code, answer.headers.get("retry-after")))
            time.seconds += 3
        return seen

    assert await course(person.email, 0) == await course("nobody@example.com", 100)


@no_database_matters
async def test_after_ten_failures_each_next_one_waits_longer_up_to_a_minute(start: Start, time: Time) -> None:
    # So many tries that the delay alone decides.
    service = await start(limits={"account": 100_000, "credentials": 100_000})
    person = await person_of(service)
    for _ in range(10):
        assert (await sign_in(service, person.email, WRONG)).status_code == 400

    waits = []
    for _ in range(9):
        refused = await sign_in(service, person.email, WRONG)
        assert refused.status_code == 429
        waits.append(int(refused.headers["retry-after"]))
        time.seconds += waits[-1]
        assert (await sign_in(service, person.email, WRONG)).status_code == 400

    assert waits == [1, 2, 4, 8, 16, 32, 60, 60, 60]
    time.seconds += 60
    # Never for ever, and the right password ends it.
    assert (await sign_in(service, person.email)).status_code == 200
    for _ in range(10):
        assert (await sign_in(service, person.email, WRONG)).status_code == 400


async def test_k06_a_strangers_failures_do_not_keep_the_owner_out_where_they_are_known(
    start: Start, time: Time
) -> None:
    service = await start()
    person = await person_of(service)
    assert (await sign_in(service, person.email, at=HOME)).status_code == 200
    for number in range(30):
        await sign_in(service, person.email, WRONG, far(number))
        time.seconds += 1
    assert (await sign_in(service, person.email, at=STRANGER)).status_code == 429

    assert (await sign_in(service, person.email, at=HOME)).status_code == 200
    # There too nobody may guess for ever.
    for _ in range(30):
        last = await sign_in(service, person.email, WRONG, HOME)
    assert last.status_code == 429


@no_database_matters
async def test_k06_known_is_the_network_and_only_for_a_while(
    start: Start, time: Time, clock: MovableClock
) -> None:
    service = await start()
    person, neighbour = await person_of(service), await person_of(service)
    home, same, other = "2001:4860:1:2::1", "2001:4860:1:2:a:b:c:d", "2001:4860:1:3::1"
    assert (await sign_in(service, person.email, at=home)).status_code == 200
    assert (await sign_in(service, neighbour.email, at=other)).status_code == 200
    for number in range(20):
        await sign_in(service, person.email, WRONG, far(number))

    assert (await sign_in(service, person.email, at=same)).status_code == 200
    assert (await sign_in(service, person.email, at=other)).status_code == 429
    clock.move(service.settings.limits.known_for)
    assert (await sign_in(service, person.email, at=same)).status_code == 429
    # No lock-out: a minute later anybody may try again.
    time.seconds += 60
    assert (await sign_in(service, person.email, at=other)).status_code == 200


@no_database_matters
async def test_k05_a_successful_sign_in_gives_nothing_back(start: Start) -> None:
    service = await start()
    own, victim = await person_of(service), await person_of(service)
    answers = []
    for _ in range(6):
        answers.append(await sign_in(service, victim.email, WRONG))
        answers.append(await sign_in(service, own.email))
    assert statuses(answers) == [400, 200] * 5 + [429, 429]


@no_database_matters
async def test_a_scope_or_a_body_that_is_wrong_is_no_try(start: Start) -> None:
    service = await start()
    person = await person_of(service)
    async with seen_from(service, HOME) as client:
        for _ in range(20):
            form = {"username": person.email, "password": PASSWORD, "scope": "no-such-scope"}
            assert (await client.post("/users/token", data=form)).status_code == 400
            assert (await client.post("/users/token", data={"username": person.email})).status_code == 400
    assert (await sign_in(service, person.email, at=HOME)).status_code == 200


@no_database_matters
async def test_the_current_password_cannot_be_guessed_with_a_stolen_session(start: Start, time: Time) -> None:
    service = await start()
    person = await person_of(service)
    token = (await sign_in(service, person.email, at=HOME)).json()["access_token"]
    headers = {"Authorization": f"Bearer {token}"}
    answers = []
    for number in range(15):
        async with seen_from(service, far(number)) as client:
            body = {"password": "another-good-one-77", "current_password": WRONG}
            answers.append(await client.patch("/users/me", json=body, headers=headers))
    # One counter with the front door, where one try was used to sign in: the thief of a session gets none of their own.
    assert statuses(answers) == [422] * 9 + [429] * 6
    assert (await sign_in(service, person.email, at=STRANGER)).status_code == 429
    # Where the person was before, they get in all the same.
    assert (await sign_in(service, person.email, at=HOME)).status_code == 200
    time.seconds += 60
    async with seen_from(service, HOME) as client:
        body = {"password": "another-good-one-77", "current_password": PASSWORD}
        assert (await client.patch("/users/me", json=body, headers=headers)).status_code == 200


@no_database_matters
async def test_the_setup_code_cannot_be_guessed(start: Start) -> None:
    service = await start()
    body = {"email": "ada@example.com", "password": PASSWORD, "code": "gp_setup_guess"}
    async with seen_from(service, STRANGER) as client:
        answers = [await client.post("/setup", json=body) for _ in range(11)]
    assert statuses(answers) == [403] * 10 + [429]


@no_database_matters
async def test_sign_up_is_limited_by_address_and_by_recipient(start: Start) -> None:
    service = await start()

    async def sign_up(email: str, at: str) -> Response:
        async with seen_from(service, at) as client:
            return await client.post("/users/", json={"email": email, "password": PASSWORD})

    answers = [await sign_up(f"person{number}@example.com", STRANGER) for number in range(11)]
    assert statuses(answers) == [200] * 10 + [429]
    assert answers[-1].headers["ratelimit-policy"] == '"sign_up";q=10;w=60'

    spellings = [
        "ada@example.com",
        "ADA@example.com",
        "ada@EXAMPLE.com",
        "Ada@Example.Com",
        "aDa@example.com",
    ]
    one = [await sign_up(email, far(number)) for number, email in enumerate([*spellings, "ada@example.com"])]
    assert statuses(one) == [200, 400, 400, 400, 400, 429]
    assert one[-1].headers["ratelimit-policy"] == '"recipient";q=5;w=60'


@no_database_matters
async def test_refusals_are_counted_and_logged_without_names(
    start: Start, capfd: pytest.CaptureFixture[str]
) -> None:
    service = await start(log_level="warning")
    for _ in range(13):
        await sign_in(service, "ada@example.com", WRONG)
    for number in range(2):
        await sign_in(service, "ada@example.com", WRONG, far(number))

    assert service.limits.refused == {"credentials": 3, "account": 2}
    said = [line for line in capfd.readouterr().err.splitlines() if "limits.refused" in line]
    assert len(said) == 5
    assert all("ada@" not in line and STRANGER not in line for line in said)
    assert all('"request_id"' in line and '"problem": "rate-limited"' in line for line in said)


@no_database_matters
async def test_the_hosts_own_code_is_not_counted_by_address(start: Start) -> None:
    from gatepost.accounts import Accounts, NewAccount

    service = await start()
    for number in range(15):
        async with service.work() as work:
            new = NewAccount(email=f"by-host{number}@example.com", password=PASSWORD)
            await service.build(Accounts, work).sign_up(new)
