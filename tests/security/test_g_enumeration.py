"""Attacks that ask who has an account: by words, by work done, by time."""

import random
import statistics
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from argon2 import PasswordHasher
from httpx2 import AsyncClient, Response
from sqlalchemy import Engine, delete, event

from gatepost import Gatepost, Settings
from gatepost.passwords import Password
from tests.conftest import make_settings, open_client
from tests.make import PASSWORD, Make
from tests.security.doors import Hall, disable
from tests.security.expect import assert_problem

REQUEST_ID = "the-same-for-all"


async def strangers(hall: Hall) -> dict[str, tuple[str, str]]:
    """Return sign-ins that must all be refused alike: address and password."""
    known, without, disabled = [await hall.make.user() for _ in range(3)]
    await disable(hall, disabled)
    async with hall.gatepost.work() as work:
        await work.session.execute(delete(Password).where(Password.user_id == without.id))
    return {
        "unknown": ("nobody@example.com", PASSWORD),
        "wrong password": (known.email, "wrong-password-99"),
        "wrong password, other spelling": (known.email.upper(), "wrong-password-99"),
        "disabled": (disabled.email, PASSWORD),
        "disabled, wrong password": (disabled.email, "wrong-password-99"),
        "no password": (without.email, PASSWORD),
        "no address": ("nobody", PASSWORD),
        "odd address": ("no\u200bbody@example.com", PASSWORD),
    }


async def attempt(client: AsyncClient, sign_in: tuple[str, str]) -> Response:
    form = {"username": sign_in[0], "password": sign_in[1]}
    return await client.post("/users/token", data=form, headers={"X-Request-ID": REQUEST_ID})


async def test_g01_every_refused_sign_in_gets_the_same_answer_to_the_byte(hall: Hall) -> None:
    sign_ins = await strangers(hall)
    answers = {name: await attempt(hall.client, sign_in) for name, sign_in in sign_ins.items()}

    for answer in answers.values():
        assert_problem(answer, 400)
    seen = {(a.status_code, a.content, tuple(a.headers.raw)) for a in answers.values()}
    assert len(seen) == 1, seen


async def test_g01_a_second_try_and_a_try_with_a_scope_are_answered_alike_too(hall: Hall) -> None:
    sign_ins = await strangers(hall)
    for more in ({}, {"scope": "account"}, {"scope": "unknown"}, {"client_id": "x"}):
        seen = set()
        for email, password in sign_ins.values():
            form = {"username": email, "password": password, **more}
            answer = await hall.client.post("/users/token", data=form, headers={"X-Request-ID": REQUEST_ID})
            seen.add((answer.status_code, answer.content, tuple(answer.headers.raw)))
        assert len(seen) == 1, seen


async def test_g01_only_administrators_learn_whether_somebody_exists(client: AsyncClient, make: Make) -> None:
    known, me = await make.user(), await make.signed_in()
    unknown = "01890000-0000-7000-8000-000000000000"
    for method in ("GET", "PATCH", "DELETE"):
        seen = set()
        for user_id in (str(known.id), unknown):
            headers = {**me.headers, "X-Request-ID": REQUEST_ID}
            body = {"name": "x"} if method == "PATCH" else None
            answer = await client.request(method, f"/users/{user_id}", json=body, headers=headers)
            assert_problem(answer, 403)
            seen.add(answer.content)
        assert len(seen) == 1, seen


@pytest.fixture
def statements() -> Iterator[list[str]]:
    """Every statement of every engine, from before the first connection on."""
    seen: list[str] = []

    def note(_connection: Any, _cursor: Any, statement: str, *_more: Any) -> None:
        seen.append(statement)

    event.listen(Engine, "before_cursor_execute", note)
    yield seen
    event.remove(Engine, "before_cursor_execute", note)


@pytest.fixture
def computed(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The parameters of every Argon2 computation, which is done all the same."""
    seen: list[str] = []
    verify: Callable[..., bool] = PasswordHasher.verify
    make_hash: Callable[..., str] = PasswordHasher.hash

    def noting_verify(self: PasswordHasher, hashed: Any, password: Any) -> bool:
        seen.append("verify " + str(hashed).rsplit("$", 2)[0])
        return verify(self, hashed, password)

    def noting_hash(self: PasswordHasher, password: Any, **more: Any) -> str:
        seen.append("hash")
        return make_hash(self, password, **more)

    monkeypatch.setattr(PasswordHasher, "verify", noting_verify)
    monkeypatch.setattr(PasswordHasher, "hash", noting_hash)
    return seen


async def test_g02_every_refused_sign_in_does_the_same_work(
    statements: list[str], computed: list[str], hall: Hall
) -> None:
    work: dict[str, tuple[list[str], list[str]]] = {}
    for name, sign_in in (await strangers(hall)).items():
        statements.clear()
        computed.clear()
        await attempt(hall.client, sign_in)
        work[name] = (list(computed), list(statements))

    hashes, asked = work["unknown"]
    assert len(hashes) == 1
    assert hashes[0].startswith("verify $argon2id$v=19$m=64,t=1,p=1")
    assert any("INSERT INTO events" in statement for statement in asked)
    assert {name: done for name, done in work.items() if done != (hashes, asked)} == {}


TRIES = 1000


@pytest.fixture
def real_settings(database_url: str, tmp_path: Path) -> Settings:
    """Settings with the hash parameters of a real installation."""
    return make_settings(database_url, tmp_path, hashing={})


@pytest.mark.soak
@pytest.mark.timeout(1800)
async def test_g02_time_does_not_tell_an_unknown_account_from_a_wrong_password(
    real_settings: Settings,
) -> None:
    gatepost = Gatepost(real_settings)
    async with gatepost.lifespan(), open_client(gatepost) as client:
        chosen = ("unknown", "wrong password", "disabled", "no password")
        sign_ins = await strangers(Hall(gatepost, client, Make(gatepost, client)))
        times: dict[str, list[float]] = {name: [] for name in chosen}
        for _ in range(TRIES):
            for name in random.sample(chosen, len(chosen)):
                started = time.perf_counter()
                await attempt(client, sign_ins[name])
                times[name].append(time.perf_counter() - started)

    for name in chosen[1:]:
        apart = abs(statistics.median(times["unknown"]) - statistics.median(times[name]))
        assert apart < 0.003, (name, apart)
        assert same_distribution(times["unknown"], times[name]) > 0.01, (name, apart)


def same_distribution(first: list[float], second: list[float]) -> float:
    """Return the p-value of the two-sample Kolmogorov-Smirnov test (asymptotic series)."""
    size = (len(first) * len(second) / (len(first) + len(second))) ** 0.5
    reach = (size + 0.12 + 0.11 / size) * distance(first, second)
    total = sum((-1) ** (k - 1) * 2.718281828459045 ** (-2 * k * k * reach * reach) for k in range(1, 101))
    return 1.0 if reach < 0.2 else min(1.0, max(0.0, 2 * total))


def distance(first: list[float], second: list[float]) -> float:
    """Return the largest distance between the two empirical distributions.

    Nobody who looks at one time, and at a threshold, is right more often than half of one and this.
    """
    merged = sorted([(value, 1 / len(first)) for value in first] + [(v, -1 / len(second)) for v in second])
    farthest = gap = 0.0
    for _, step in merged:
        gap += step
        farthest = max(farthest, abs(gap))
    return farthest


def test_the_statistics_tell_same_from_different() -> None:
    chance = random.Random(7)
    first, second = [[chance.gauss(0, 1) for _ in range(TRIES)] for _ in range(2)]
    assert same_distribution(first, second) > 0.01
    assert same_distribution(first, [value + 0.2 for value in second]) < 0.01
