"""Attacks that have us write to who did not ask: budgets by recipient and by client, when asked and when sent."""

from collections import Counter
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

from httpx2 import ASGITransport, AsyncClient

from gatepost import Gatepost, Settings
from gatepost.core.clock import MovableClock
from gatepost.core.limits import LocalLimiter
from tests.make import PASSWORD, Make
from tests.post import Post, by_hand
from tests.security.expect import assert_problem

MALLORY, ADA = "9.0.0.1", "9.0.0.2"
HOUR = 3600.0


@asynccontextmanager
async def at(service: Gatepost, address: str) -> AsyncGenerator[AsyncClient]:
    """A client whose requests come from this address."""
    transport = ASGITransport(app=service.app, client=(address, 1))
    async with AsyncClient(transport=transport, base_url="http://gatepost.test") as client:
        yield client


def limited(settings: Settings, mail_origin: int) -> Settings:
    """Return the settings of a service that counts, and little of this class is enough."""
    limits = settings.limits.model_copy(update={"mail_origin": mail_origin, "credentials": 1000})
    mail = settings.mail.model_copy(update={"per_second": 1000})
    return settings.model_copy(update={"rate_limits": "on", "limits": limits, "mail": mail})


async def test_k15_one_client_has_a_budget_of_mails_whoever_they_are_for(
    settings: Settings, clock: MovableClock
) -> None:
    now = 0.0
    chosen = by_hand(limited(settings, 4), email_verification="encouraged")
    service = Gatepost(chosen, clock=clock, limiter=LocalLimiter(lambda: now))
    async with (
        service.lifespan(),
        at(service, MALLORY) as mallory,
        at(service, ADA) as ada,
    ):
        known = [(await Make(service, ada).user()).email for _ in range(3)]
        new = {"email": "new@example.com", "password": PASSWORD}
        assert (await mallory.post("/users/", json=new)).status_code == 200
        for email in (known[0], "nobody@example.com", known[1]):
            assert (await mallory.post("/password/forgot", json={"email": email})).status_code == 202
        # Used up, by what had a recipient and what had none; the refusal is the same for both, and for a sign-up.
        refusals = [
            await mallory.post(
                "/password/forgot", json={"email": email}, headers={"X-Request-ID": "the-same-for-all"}
            )
            for email in (known[2], "nobody-else@example.com")
        ]
        assert refusals[0].content == refusals[1].content
        again = {"email": "newer@example.com", "password": PASSWORD}
        for refused in (*refusals, await mallory.post("/users/", json=again)):
            assert_problem(refused, 429)
            assert 0 < int(refused.headers["retry-after"]) <= HOUR / 4
        # Nobody else's.
        assert (await ada.post("/password/forgot", json={"email": known[2]})).status_code == 202
        sent = Counter(letter.kind for letter in await Post(service).letters())
        assert sent == {"verify_email": 1, "reset_password": 3}

        now += HOUR / 4
        assert (await mallory.post("/password/forgot", json={"email": known[2]})).status_code == 202


async def test_k15_what_several_processes_let_through_is_bounded_when_it_is_sent(
    settings: Settings, clock: MovableClock
) -> None:
    """Without Redis each counts for itself: here one that counts nothing stands for many."""
    lenient = Gatepost(by_hand(settings), clock=clock)
    strict = Gatepost(by_hand(limited(settings, 1)), clock=clock, limiter=LocalLimiter(lambda: 0.0))
    async with (
        lenient.lifespan(),
        strict.lifespan(),
        at(lenient, MALLORY) as mallory,
        at(lenient, ADA) as ada,
    ):
        make = Make(lenient, mallory)
        victims = [(await make.user()).email for _ in range(30)]
        for email in victims:
            await mallory.post("/password/forgot", json={"email": email})
        # What tells of a theft is no part of it, though it was done from the same place.
        robbed = await make.signed_in()
        change = {"password": "another-good-one-77", "current_password": PASSWORD}
        assert (await mallory.patch("/users/me", json=change, headers=robbed.headers)).status_code == 200
        await ada.post("/password/forgot", json={"email": victims[-1]})

        letters = await Post(strict).letters()

    counted = Counter(letter.kind for letter in letters)
    # A day's worth for the one, and the other's.
    assert counted == {"reset_password": 24 + 1, "password_changed": 1}
    assert letters.count(letters[0]) == 1
    assert strict.limits.refused["mails_from"] == 30 - 24
    assert strict.outbox.lanes["mail"].results["dropped"] == 30 - 24
