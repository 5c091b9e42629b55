"""Attacks on rate limits: forged addresses, other spellings, exempt paths, odd hosts."""

import itertools
import random
from collections.abc import AsyncGenerator, AsyncIterator, Iterable
from contextlib import asynccontextmanager
from typing import Any

import pytest
from httpx2 import ASGITransport, AsyncClient, Response

from gatepost import Gatepost
from gatepost.core.limits import LocalLimiter
from gatepost.tokens.for_services import PUBLISHED
from tests.conftest import make_settings, open_client
from tests.make import PASSWORD, Make
from tests.security.expect import assert_problem
from tests.security.operations import no_database_matters, operations

pytestmark = no_database_matters

PUBLIC, PROXY = "8.8.8.8", "10.0.0.1"
WRONG = "not the password"
HEADERS = ["X-Forwarded-For", "Forwarded", "X-Real-IP", "X-Client-IP", "True-Client-IP", "CF-Connecting-IP"]
HEADERS += [
    "X-Cluster-Client-IP",
    "X-Originating-IP",
    "X-Remote-Addr",
    "X-Forwarded-Host",
    "Client-IP",
    "Via",
]


@asynccontextmanager
async def counting(database_url: str, tmp_path: Any, **changed: Any) -> AsyncGenerator[Gatepost]:
    """Start a service that counts, by a clock that stands still."""
    values = {"rate_limits": "on", "log_level": "error", **changed}
    service = Gatepost(make_settings(database_url, tmp_path, **values), limiter=LocalLimiter(lambda: 0.0))
    async with service.lifespan():
        yield service


@pytest.fixture
async def service(database_url: str, tmp_path: Any) -> AsyncIterator[Gatepost]:
    async with counting(database_url, tmp_path) as opened:
        yield opened


def client_at(service: Gatepost, address: str, **options: Any) -> AsyncClient:
    transport = ASGITransport(app=service.app, client=(address, 1), raise_app_exceptions=False)
    return AsyncClient(transport=transport, base_url="http://gatepost.test", **options)


numbers = itertools.count()


async def guess(
    service: Gatepost, address: str, headers: dict[str, str] | None = None, email: str | None = None
) -> Response:
    """Try a password, of another account each time unless one is named."""
    form = {"username": email or f"person{next(numbers)}@example.com", "password": WRONG}
    async with client_at(service, address) as client:
        return await client.post("/users/token", data=form, headers=headers)


def admitted(answers: Iterable[Response]) -> int:
    return sum(answer.status_code != 429 for answer in answers)


def an_address() -> str:
    return ".".join(str(random.randint(1, 254)) for _ in range(4))


@pytest.mark.parametrize("header", HEADERS)
@pytest.mark.parametrize("peer", [PUBLIC, "127.0.0.1", "192.168.1.7"])
async def test_k01_a_forged_address_is_no_other_client(service: Gatepost, header: str, peer: str) -> None:
    answers = []
    for _ in range(15):
        claimed = an_address()
        value = f"for={claimed}" if header == "Forwarded" else claimed
        answers.append(await guess(service, peer, {header: value}))
    assert admitted(answers) == 10
    assert_problem(answers[-1], 429)


async def test_k01_behind_a_proxy_what_the_client_wrote_does_not_count(
    database_url: str, tmp_path: Any
) -> None:
    async with counting(database_url, tmp_path, trusted_proxies=["10.0.0.0/8"]) as service:
        forged = [
            await guess(service, PROXY, {"X-Forwarded-For": f"{an_address()}, {PUBLIC}"}) for _ in range(15)
        ]
        beside = await guess(service, PROXY, {"X-Forwarded-For": "9.9.9.9"})
        other = [
            await guess(service, PROXY, {"X-Forwarded-For": PUBLIC, "X-Real-IP": an_address()})
            for _ in range(3)
        ]
    assert admitted(forged) == 10
    assert beside.status_code == 400, "another client of the same proxy has tries of its own"
    assert admitted(other) == 0


async def test_k01_a_proxy_that_no_setting_names_locks_nobody_out_and_opens_little(
    database_url: str, tmp_path: Any
) -> None:
    https = {"public_url": "https://gatepost.test"}
    async with counting(database_url, tmp_path, **https) as service:
        through = [await guess(service, PROXY, {"X-Forwarded-For": an_address()}) for _ in range(210)]
        assert admitted(through) == 200
        assert service.addresses.uncovered
        # What is counted by account is as exact as ever, wherever the tries seem to come from.
        victim = [
            await guess(service, "10.0.0.2", {"X-Forwarded-For": an_address()}, "ada@example.com")
            for _ in range(15)
        ]
        assert admitted(victim) == 10
        # A client of the open internet gains nothing by such a header.
        forged = [await guess(service, PUBLIC, {"X-Forwarded-For": an_address()}) for _ in range(15)]
        assert admitted(forged) == 10


async def test_k02_rotating_through_an_ipv6_network_is_one_client(service: Gatepost) -> None:
    answers = [await guess(service, f"2001:4860:1:2:{number:x}::1") for number in range(1, 16)]
    assert admitted(answers) == 10
    assert (await guess(service, "2001:4860:1:3::1")).status_code == 400


async def test_k02_the_prefix_is_a_setting(database_url: str, tmp_path: Any) -> None:
    async with counting(database_url, tmp_path, limits={"ipv6_prefix": 56}) as service:
        answers = [await guess(service, f"2001:4860:1:{number:x}::1") for number in range(1, 16)]
    assert admitted(answers) == 10


async def test_k02_ipv4_written_as_ipv6_is_the_same_client(service: Gatepost) -> None:
    answers = [await guess(service, f"::ffff:{PUBLIC}" if number % 2 else PUBLIC) for number in range(15)]
    assert admitted(answers) == 10


SPELLINGS = [
    "zoë@example.com",
    "ZOË@EXAMPLE.COM",
    "zoe\u0308@example.com",
    "Zoe\u0308@Example.com",
    "zoë@EXAMPLE.com",
    "ｚoë@example.com",
]


async def test_k03_another_spelling_is_no_other_account(service: Gatepost) -> None:
    answers = []
    for number, spelling in zip(range(15), itertools.cycle(SPELLINGS), strict=False):
        answers.append(await guess(service, f"9.0.0.{number + 1}", email=spelling))
    assert admitted(answers) == 10


async def test_k03_what_is_no_address_is_limited_too(service: Gatepost) -> None:
    answers = [
        await guess(service, f"9.0.0.{number + 1}", email=f"{' ' * number}Not An Address")
        for number in range(15)
    ]
    assert admitted(answers) == 10


PATHS = [
    "/users/token",
    "//users/token",
    "/users//token",
    "/users/./token",
    "/users/token/",
    "/users/token?a=b",
    "/users/token;a=b",
    "/USERS/TOKEN",
    "/users/%74oken",
    "/users%2ftoken",
    "/users/x/../token",
]


async def test_i11_no_spelling_of_a_path_is_a_way_around(service: Gatepost) -> None:
    """Whatever reaches the endpoint is charged there; whatever does not is charged as any request."""
    judged = []
    async with client_at(service, PUBLIC) as client:
        for path, _ in itertools.product(PATHS, range(4)):
            form = {"username": f"person{next(numbers)}@example.com", "password": WRONG}
            answer = await client.post(path, data=form)
            if answer.status_code == 400:
                judged.append(path)
            else:
                assert_problem(answer, 404, 405, 429)
    assert len(judged) == 10


async def test_i11_every_operation_is_counted_but_health(database_url: str, tmp_path: Any) -> None:
    async with counting(database_url, tmp_path, limits={"general": 5, "published": 4}) as service:
        async with open_client(service) as client:
            found = [each for each in await operations(client) if not each.path.startswith("/health")]
        assert len(found) > 8
        for number, each in enumerate(found):
            async with client_at(service, f"9.0.0.{number + 1}") as client:
                # What counts by recipient is not asked about here.
                own = {"email": f"caller{number}@example.com"} if "email" in each.fields else {}
                body = {**each.valid_body(), **own}
                answers = [await each.call(client, body=body) for _ in range(6)]
            name, count = ("published", 4) if each.path in PUBLISHED else ("general", 5)
            assert admitted(answers) == count, each
            assert_problem(answers[-1], 429)
            assert answers[-1].headers["ratelimit-policy"] == f'"{name}";q={count};w=60'


async def test_machines_that_read_what_is_published_leave_people_their_share(
    database_url: str, tmp_path: Any
) -> None:
    async with (
        counting(database_url, tmp_path, limits={"general": 2, "published": 5}) as service,
        client_at(service, PUBLIC) as client,
    ):
        lists = [await client.get("/sessions/revoked") for _ in range(6)]
        people = [await client.get("/users/me") for _ in range(3)]
    assert [answer.status_code for answer in lists] == [200] * 5 + [429]
    assert [answer.status_code for answer in people] == [401] * 2 + [429]


async def test_the_general_limit_is_told_before_it_is_reached(database_url: str, tmp_path: Any) -> None:
    async with (
        counting(database_url, tmp_path, limits={"general": 5}) as service,
        client_at(service, PUBLIC) as client,
    ):
        answers = [await client.get("/users/me") for _ in range(6)]
    assert [answer.status_code for answer in answers] == [401] * 5 + [429]
    assert {answer.headers["ratelimit-policy"] for answer in answers} == {'"general";q=5;w=60'}
    told = [answer.headers["ratelimit"] for answer in answers]
    assert told[:2] == ['"general";r=4;t=12', '"general";r=3;t=24']
    assert told[-2:] == ['"general";r=0;t=60', '"general";r=0;t=12']
    assert answers[-1].headers["retry-after"] == "12"
    assert answers[-1].json()["detail"] == "Rate limit exceeded"


async def test_what_is_refused_is_refused_before_its_body_is_read(database_url: str, tmp_path: Any) -> None:
    async with (
        counting(database_url, tmp_path, limits={"general": 1}) as service,
        client_at(service, PUBLIC) as client,
    ):
        await client.get("/users/me")
        taken = 0

        async def body() -> AsyncIterator[bytes]:
            nonlocal taken
            for _ in range(100):
                taken += 1
                yield b"a" * 1024

        answer = await client.post("/users/", content=body())
    assert answer.status_code == 429
    assert taken <= 1


NEARLY_HEALTH = [
    "/health/",
    "//health",
    "/health//",
    "/health/live/",
    "/Health",
    "/health;x",
    "/health/../users/me",
]
NEARLY_HEALTH += [
    "/health%2f",
    "/health%00",
    "/x/health",
    "/users/health",
    "/healthz",
    "/health/other",
    "/ping",
]


async def test_i13_only_health_itself_is_exempt(database_url: str, tmp_path: Any) -> None:
    async with (
        counting(database_url, tmp_path, limits={"general": 3}) as service,
        client_at(service, PUBLIC) as client,
    ):
        for path in NEARLY_HEALTH[:3]:
            assert "ratelimit" in (await client.get(path)).headers
        for path in NEARLY_HEALTH:
            assert (await client.get(path)).status_code == 429, path
        for path in ("/health", "/health/ready", "/health?x=/users/me"):
            answers = [await client.get(path) for _ in range(10)]
            assert {answer.status_code for answer in answers} == {200}


PRETENCES = [
    {"User-Agent": "kube-probe/1.31"},
    {"User-Agent": "GoogleHC/1.0"},
    {"User-Agent": "ELB-HealthChecker/2.0"},
    {"X-Original-URL": "/health"},
    {"X-Rewrite-URL": "/health"},
    {"X-Forwarded-Uri": "/health"},
    {"X-Forwarded-Prefix": "/health"},
    {"X-Original-Method": "OPTIONS"},
    {"X-HTTP-Method-Override": "GET"},
    {"X-Forwarded-Proto": "https"},
    {"X-Internal": "true"},
    {"X-RateLimit-Bypass": "1"},
    {"Authorization": "Bearer x"},
]


async def test_i13_no_header_makes_a_request_exempt(service: Gatepost) -> None:
    for _ in range(10):
        await guess(service, PUBLIC)
    for headers in PRETENCES:
        assert (await guess(service, PUBLIC, headers)).status_code == 429, headers


async def test_k18_an_odd_first_host_changes_nothing(database_url: str, tmp_path: Any) -> None:
    https = {"public_url": "https://auth.example.com", "allowed_hosts": ["odd.example"]}
    async with (
        counting(database_url, tmp_path, **https) as service,
        client_at(service, PUBLIC) as client,
    ):
        first = await client.get(
            "/users/me", headers={"Host": "odd.example", "X-Forwarded-Host": "evil.example"}
        )
        person = await Make(service, client).user()
        form = {"username": person.email, "password": PASSWORD}
        token = await client.post("/users/token", data=form, headers={"Host": "auth.example.com"})
        assert first.status_code == 401
        assert token.status_code == 200
        assert "odd.example" not in first.text
        assert service.settings.issuer == "https://auth.example.com"
        # The limit does not count a client anew under another name.
        answers = []
        for host in itertools.islice(itertools.cycle(["odd.example", "auth.example.com"]), 15):
            form = {"username": f"person{next(numbers)}@example.com", "password": WRONG}
            answers.append(await client.post("/users/token", data=form, headers={"Host": host}))
    assert admitted(answers) == 9
