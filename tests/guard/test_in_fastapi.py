"""The guard in a FastAPI application: its dependency, its refusals, its lifespan and its place in the docs."""

import json
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import asynccontextmanager
from typing import Annotated, Any

import pytest
from fastapi import APIRouter, Depends, FastAPI
from httpx2 import ASGITransport, AsyncClient

from gatepost.core.clock import MovableClock
from gatepost.guard import Caller, Guard
from gatepost.guard.fastapi import attach, require
from tests.guard.issuer import Issuer, guard_of, made
from tests.guard.test_proofs import Client


@pytest.fixture
def guard(issuer: Issuer) -> Guard:
    return guard_of(issuer, public_url="https://orders.example.com")


@pytest.fixture
async def client(guard: Guard) -> AsyncIterator[AsyncClient]:
    async with serving(app_of(guard)) as opened:
        yield opened


def app_of(guard: Guard) -> FastAPI:
    app = FastAPI()
    attach(app, guard)

    @app.get("/me")
    async def me(caller: Annotated[Caller, Depends(require(guard))]) -> dict[str, str]:
        return {"subject": caller.subject}

    @app.get("/orders/{name}")
    async def order(name: str, caller: Annotated[Caller, Depends(require(guard, "orders:read"))]) -> str:
        return name

    @app.delete("/orders/{name}", dependencies=[Depends(require(guard, "orders:write", max_age=60))])
    async def delete(name: str) -> None: ...

    @app.get("/open")
    async def anybody() -> str:
        return "hello"

    return app


@asynccontextmanager
async def serving(app: FastAPI, **options: Any) -> AsyncGenerator[AsyncClient]:
    transport = ASGITransport(app, raise_app_exceptions=False)
    async with (
        app.router.lifespan_context(app),
        AsyncClient(transport=transport, base_url="http://orders.test", **options) as client,
    ):
        yield client


def bearer(token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"}


async def test_the_caller_comes_as_a_dependency(client: AsyncClient, issuer: Issuer) -> None:
    answer = await client.get("/me", headers=bearer(issuer.token()))

    assert (answer.status_code, answer.json()) == (200, {"subject": issuer.claims()["sub"]})
    assert (await client.get("/open")).status_code == 200


async def test_a_stranger_is_told_so_by_a_problem_document(client: AsyncClient) -> None:
    refused = await client.get("/me")

    assert refused.status_code == 401
    assert refused.headers["content-type"] == "application/problem+json"
    assert refused.headers["www-authenticate"] == 'Bearer realm="gatepost"'
    assert refused.headers["cache-control"] == "no-store"
    assert refused.json() == {
        "type": "urn:gatepost:problem:token-missing",
        "title": "Unauthorized",
        "status": 401,
        "detail": "Send an access token.",
        "code": "token-missing",
    }


async def test_scopes_are_demanded_by_the_route(client: AsyncClient, issuer: Issuer) -> None:
    allowed = await client.get("/orders/7", headers=bearer(issuer.token()))
    refused = await client.get("/orders/7", headers=bearer(issuer.token(scope="account")))

    assert allowed.json() == "7"
    assert (refused.status_code, refused.json()["code"]) == (403, "scope-missing")
    assert 'scope="orders:read"' in refused.headers["www-authenticate"]


async def test_a_fresh_authentication_is_demanded_by_the_route(client: AsyncClient, issuer: Issuer) -> None:
    def token(seconds: int) -> dict[str, str]:
        return bearer(issuer.token(scope="orders:write", auth_time=issuer.now - seconds))

    assert (await client.delete("/orders/7", headers=token(10))).status_code == 200
    refused = await client.delete("/orders/7", headers=token(100))
    assert (refused.status_code, refused.json()["code"]) == (401, "step-up-required")
    assert 'max_age="60"' in refused.headers["www-authenticate"]


@pytest.mark.parametrize("path", ["/orders/7", "/orders/a%20b", "/orders/%C3%A4"])
async def test_a_bound_token_is_let_in_with_a_proof_of_this_path(
    client: AsyncClient, issuer: Issuer, path: str
) -> None:
    holder = Client(issuer)
    proof = holder.proof(htu=f"https://orders.example.com{path}")
    headers = {"Authorization": f"DPoP {holder.token}", "DPoP": proof}

    assert (await client.get(f"{path}?x=1", headers=headers)).status_code == 200
    again = await client.get(path, headers=headers)
    assert (again.status_code, again.json()["code"]) == (401, "proof-invalid")
    assert again.headers["www-authenticate"].startswith('DPoP realm="gatepost"')


async def test_while_nothing_can_be_verified_it_says_when_to_come_again(issuer: Issuer, guard: Guard) -> None:
    issuer.down = True
    async with serving(app_of(guard)) as client:
        refused = await client.get("/me", headers=bearer(issuer.token()))
        assert (await client.get("/open")).status_code == 200

    assert (refused.status_code, refused.headers["retry-after"]) == (503, "1")
    assert "www-authenticate" not in refused.headers


@pytest.mark.parametrize(
    "value", [b"Bearer", b"Bearer ", b"Bearer \xff", b"\x00", b"Bearer a b c", b"DPoP x"]
)
async def test_c20_garbage_in_the_header_is_answered_with_401(client: AsyncClient, value: bytes) -> None:
    answer = await client.get("/me", headers=[(b"authorization", value)])

    assert answer.status_code == 401
    assert answer.headers["content-type"] == "application/problem+json"


async def test_two_credentials_are_refused(client: AsyncClient, issuer: Issuer) -> None:
    token = f"Bearer {issuer.token()}".encode()
    answer = await client.get("/me", headers=[(b"authorization", token), (b"authorization", token)])

    assert (answer.status_code, answer.json()["code"]) == (401, "token-invalid")


async def test_nothing_of_what_was_sent_is_echoed(client: AsyncClient, issuer: Issuer) -> None:
    token = issuer.token(aud="https://secret.example")
    answer = await client.get("/me", headers=bearer(token))

    assert answer.status_code == 401
    assert "secret" not in f"{answer.text}{answer.headers}"


async def test_the_hosts_own_lifespan_runs_inside(guard: Guard, issuer: Issuer) -> None:
    seen: list[int] = []

    @asynccontextmanager
    async def lifespan(_app: FastAPI) -> AsyncGenerator[dict[str, str]]:
        seen.append(guard.standing.keys)
        yield {"greeting": "hello"}
        seen.append(guard.standing.keys)

    app = FastAPI(lifespan=lifespan)
    attach(app, guard)
    async with app.router.lifespan_context(app) as state:
        assert state == {"greeting": "hello"}
    assert seen == [1, 1]
    with pytest.raises(RuntimeError, match="not open"):
        await guard.verify(issuer.token())


async def test_two_issuers_guard_one_application(clock: MovableClock) -> None:
    ours = Issuer(clock, [made("ES256")])
    theirs = Issuer(clock, [made("ES256")], url="https://partner.example")
    app = FastAPI()
    for name, issuer in (("ours", ours), ("theirs", theirs)):
        guard = guard_of(issuer)
        attach(app, guard)
        router = APIRouter(prefix=f"/{name}", dependencies=[Depends(require(guard))])

        @router.get("/")
        async def read() -> str:
            return "hello"

        app.include_router(router)
    async with serving(app) as client:
        for path, issuer in (("/ours/", ours), ("/theirs/", theirs)):
            for other in (ours, theirs):
                answer = await client.get(path, headers=bearer(other.token()))
                assert answer.status_code == (200 if other is issuer else 401)


async def test_the_docs_show_what_needs_a_token(client: AsyncClient) -> None:
    described = (await client.get("/openapi.json")).json()

    assert described["components"]["securitySchemes"] == {
        "gatepost": {"type": "http", "scheme": "bearer", "bearerFormat": "JWT"}
    }
    assert described["paths"]["/me"]["get"]["security"] == [{"gatepost": []}]
    assert "security" not in described["paths"]["/open"]["get"]
    assert "authorization" not in json.dumps(described["paths"]["/me"]).lower()
