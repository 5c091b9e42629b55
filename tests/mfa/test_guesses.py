"""Somebody who knows a password and guesses at the second factor: few tries, whatever they do."""

import asyncio
import random
from collections import Counter
from datetime import timedelta

import pytest
from httpx2 import AsyncClient

from gatepost import Gatepost, Settings
from gatepost.core.clock import MovableClock
from gatepost.core.principal import ClientInfo
from gatepost.mfa import FREE, CodeWrong, Mfa, TotpDelayed
from tests.make import Make
from tests.mfa.people import App, enrolled, recovered, shows
from tests.post import Post, by_hand

STEP = timedelta(seconds=30)


@pytest.fixture
def settings(settings: Settings) -> Settings:
    return by_hand(settings)


async def test_e04_a_code_is_used_once_by_whoever_comes_and_no_older_one_after_it(
    client: AsyncClient, make: Make, gatepost: Gatepost, clock: MovableClock
) -> None:
    me = await make.signed_in()
    app = await enrolled(client, me, clock.now())
    clock.move(10 * STEP)
    now = clock.now()
    answers = await asyncio.gather(*(shows(gatepost, me.person, app.code(now)) for _ in range(20)))
    assert Counter(answers)["right"] == 1
    clock.move(timedelta(days=365))  # all waits are over
    later = clock.now()
    assert await shows(gatepost, me.person, app.code(later + STEP)) == "right"
    # The steps before it lie in the window, and were never used.
    for older in (later - STEP, later):
        assert await shows(gatepost, me.person, app.code(older)) == "code-wrong"
    clock.move(-timedelta(days=300))
    assert await shows(gatepost, me.person, app.code(clock.now())) == "code-wrong"
    clock.move(timedelta(days=300) + 2 * STEP)
    assert await shows(gatepost, me.person, app.code(clock.now())) == "right"


async def test_e04_a_code_of_one_app_is_used_for_that_one_alone(
    client: AsyncClient, make: Make, gatepost: Gatepost, clock: MovableClock
) -> None:
    ada, eve = await make.signed_in(), await make.signed_in()
    app, other = [await enrolled(client, each, clock.now()) for each in (ada, eve)]
    clock.move(2 * STEP)
    assert await shows(gatepost, eve.person, app.code(clock.now())) == "code-wrong"
    assert await shows(gatepost, ada.person, app.code(clock.now())) == "right"
    assert await shows(gatepost, eve.person, other.code(clock.now())) == "right"


def spelled(code: str, chance: random.Random) -> str:
    """Return a code as somebody would write it who hopes that another spelling has another counter."""
    return chance.choice(
        [code, f" {code}", f"{code[:3]} {code[3:]}", code.translate(_ARABIC), f"{code}\n", "x"]
    )


_ARABIC = str.maketrans("0123456789", "٠١٢٣٤٥٦٧٨٩")


async def test_e05_e16_a_thousand_guesses_from_everywhere_over_a_month_are_few(
    client: AsyncClient, make: Make, gatepost: Gatepost, clock: MovableClock
) -> None:
    me = await make.signed_in()
    app = await enrolled(client, me, clock.now())
    chance, begun, answers = random.Random(5), clock.now(), Counter[str]()

    async def guess(number: int) -> str:
        where = f"203.0.{number % 200}.{number % 250}"
        try:
            async with gatepost.work(client=ClientInfo(address=where, network=where)) as work:
                mfa = gatepost.build(Mfa, work)
                await mfa.check_totp(me.person.id, spelled(app.wrong_code(clock.now()), chance))
        except (CodeWrong, TotpDelayed) as error:
            return error.code
        return "right"

    for number in range(0, 1000, 10):
        answers.update(await asyncio.gather(*(guess(number + each) for each in range(10))))
        # The first factor is shown anew meanwhile, which forgives nothing.
        if number % 200 == 0:
            assert (await make.sign_in(me.person.email, me.person.password)).status_code == 403
        clock.move(timedelta(seconds=chance.randrange(1, 52_000)))

    spent = int((clock.now() - begun).total_seconds())
    assert answers["right"] == 0
    assert answers["totp-delayed"] + answers["code-wrong"] == 1000
    assert FREE < answers["code-wrong"] <= FREE + (spent // 30).bit_length()
    # A right code waits, too; who has another way in does not.
    assert await shows(gatepost, me.person, app.code(clock.now())) in {"totp-delayed", "right"}
    assert await recovered(gatepost, me.person, app.recovery_codes[0]) == 9


async def test_e05_a_right_code_must_wait_too_is_told_how_long_and_forgives_little(
    client: AsyncClient, make: Make, gatepost: Gatepost, clock: MovableClock
) -> None:
    post = Post(gatepost)
    me = await make.signed_in()
    app = await enrolled(client, me, clock.now())
    await post.letters()
    clock.move(2 * STEP)
    for _ in range(FREE):
        assert await shows(gatepost, me.person, "000000") == "code-wrong"
    assert (await post.letter("wrong_codes")).to == me.person.email
    with pytest.raises(TotpDelayed) as refused:
        await gatepost.run(
            lambda work: gatepost.build(Mfa, work).check_totp(me.person.id, app.code(clock.now()))
        )
    assert refused.value.retry_after == 30
    clock.move(STEP)
    assert await shows(gatepost, me.person, app.code(clock.now())) == "right"
    # Three are forgiven, not all: the fourth from here waits again.
    for expected in ("code-wrong",) * 3 + ("totp-delayed",):
        assert await shows(gatepost, me.person, "000000") == expected
    assert [each.kind for each in await post.letters()] == ["wrong_codes"]


async def test_e05_guesses_at_recovery_codes_cost_the_owner_nothing(
    client: AsyncClient, make: Make, gatepost: Gatepost, clock: MovableClock
) -> None:
    me = await make.signed_in()
    app: App = await enrolled(client, me, clock.now())
    guesses = ["", "0", "7Q2M-XR4K-0VBD-9HWT-C3NE-58AJ", app.recovery_codes[0][:-1], "é" * 24]
    assert [await recovered(gatepost, me.person, each) for each in guesses] == [None] * 5
    assert await recovered(gatepost, me.person, app.recovery_codes[0]) == 9
    clock.move(STEP)
    assert await shows(gatepost, me.person, app.code(clock.now())) == "right"


async def test_e07_of_twenty_who_show_one_recovery_code_at_once_one_gets_in(
    client: AsyncClient, make: Make, gatepost: Gatepost, clock: MovableClock
) -> None:
    me = await make.signed_in()
    code = (await enrolled(client, me, clock.now())).recovery_codes[3]
    answers = await asyncio.gather(*(recovered(gatepost, me.person, code) for _ in range(20)))
    assert Counter(answers) == {9: 1, None: 19}
