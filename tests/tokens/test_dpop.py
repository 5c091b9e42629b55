"""Tokens that work only with a key of the client's (RFC 9449)."""

import asyncio
import base64
import hashlib
import json
import secrets
from datetime import timedelta
from typing import Any

import pytest
from httpx2 import AsyncClient, Response
from joserfc import jwt
from joserfc.jwk import ECKey, OctKey, OKPKey, RSAKey

from gatepost import Gatepost, Settings
from gatepost.core.clock import MovableClock
from tests.conftest import open_client
from tests.make import PASSWORD, Make, Person
from tests.security.expect import assert_problem

ISSUER = "http://127.0.0.1:8000"
TOKEN = "/users/token"


class Sender:
    """A client with a key of its own."""

    def __init__(self, client: AsyncClient, clock: MovableClock, key: Any = None, alg: str = "ES256") -> None:
        self.client = client
        self.clock = clock
        self.key = key or ECKey.generate_key("P-256")
        self.alg = alg

    def proof(self, method: str, path: str, token: str | None = None, **changed: Any) -> str:
        public = self.key.as_dict(private=False)
        header = {"typ": "dpop+jwt", "alg": self.alg, "jwk": {k: v for k, v in public.items() if k != "kid"}}
        claims: dict[str, Any] = {
            "jti": secrets.token_urlsafe(16),
            "htm": method,
            "htu": ISSUER + path,
            "iat": int(self.clock.now().timestamp()),
        }
        if token is not None:
            digest = hashlib.sha256(token.encode()).digest()
            claims["ath"] = base64.urlsafe_b64encode(digest).rstrip(b"=").decode()
        header |= changed.pop("header", {})
        claims = {name: value for name, value in (claims | changed).items() if value is not None}
        return jwt.encode(header, claims, self.key, algorithms=[str(header["alg"])])

    async def sign_in(self, person: Person, proof: str | None = None) -> Response:
        form = {"username": person.email, "password": person.password}
        headers = {"DPoP": proof or self.proof("POST", TOKEN)}
        return await self.client.post(TOKEN, data=form, headers=headers)

    async def refresh(self, refresh_token: str, proof: str | None = None) -> Response:
        form = {"grant_type": "refresh_token", "refresh_token": refresh_token}
        return await self.client.post(TOKEN, data=form, headers={"DPoP": proof} if proof else {})

    async def me(self, token: str, proof: str | None = None, scheme: str = "DPoP") -> Response:
        headers = {"Authorization": f"{scheme} {token}"} | ({"DPoP": proof} if proof else {})
        return await self.client.get("/users/me", headers=headers)


@pytest.fixture
def sender(client: AsyncClient, clock: MovableClock) -> Sender:
    return Sender(client, clock)


@pytest.mark.filterwarnings("ignore:EdDSA is deprecated")  # the library's name for it is Ed25519
@pytest.mark.parametrize("kind", ["ES256", "EdDSA", "RS256"])
async def test_tokens_are_bound_to_the_key_that_was_proven(
    client: AsyncClient, clock: MovableClock, make: Make, kind: str
) -> None:
    keys = {"ES256": ECKey.generate_key("P-256"), "EdDSA": OKPKey.generate_key("Ed25519")}
    key = keys.get(kind) or RSAKey.generate_key(2048)
    sender, person = Sender(client, clock, key, kind), await make.user()

    body = (await sender.sign_in(person)).json()

    assert body["token_type"] == "DPoP"
    token = body["access_token"]
    claims = json.loads(base64.urlsafe_b64decode(token.split(".")[1] + "=="))
    assert claims["cnf"] == {"jkt": key.thumbprint()}
    answer = await sender.me(token, sender.proof("GET", "/users/me", token))
    assert answer.json()["email"] == person.email
    fresh = await sender.refresh(body["refresh_token"], sender.proof("POST", TOKEN))
    assert (fresh.status_code, fresh.json()["token_type"]) == (200, "DPoP")


async def test_a_stolen_token_is_of_no_use(sender: Sender, make: Make) -> None:
    body = (await sender.sign_in(await make.user())).json()
    token, thief = body["access_token"], Sender(sender.client, sender.clock)
    for answer in (
        await sender.me(token, None, "Bearer"),
        await sender.me(token, None),
        await thief.me(token, thief.proof("GET", "/users/me", token)),
        await thief.me(token, thief.proof("GET", "/users/me", token), "Bearer"),
    ):
        assert_problem(answer, 401)
        assert answer.headers["www-authenticate"].startswith("DPoP ")
        assert 'algs="ES256 EdDSA RS256"' in answer.headers["www-authenticate"]
    for proof in (None, thief.proof("POST", TOKEN)):
        refused = await thief.refresh(body["refresh_token"], proof)
        assert_problem(refused, 400)
        assert refused.json()["error"] == "invalid_dpop_proof"
    # That it was shown by somebody else ended nothing.
    assert (await sender.refresh(body["refresh_token"], sender.proof("POST", TOKEN))).status_code == 200


async def test_a_token_that_is_bound_to_no_key_stays_a_bearer_token(sender: Sender, make: Make) -> None:
    me = await make.signed_in()
    assert_problem(await sender.me(me.access_token, sender.proof("GET", "/users/me", me.access_token)), 401)
    fresh = await sender.refresh(me.refresh_token, sender.proof("POST", TOKEN))
    assert fresh.json()["token_type"] == "bearer"


WRONG: dict[str, dict[str, Any]] = {
    "another method": {"htm": "GET"},
    "no method": {"htm": None},
    "another path": {"htu": f"{ISSUER}/users/me"},
    "another host": {"htu": f"http://evil.example{TOKEN}"},
    "another scheme": {"htu": f"https://127.0.0.1:8000{TOKEN}"},
    "no place": {"htu": None},
    "no id": {"jti": None},
    "an empty id": {"jti": ""},
    "an endless id": {"jti": "a" * 300},
    "no time": {"iat": None},
    "a time that is text": {"iat": "now"},
    "of a while ago": {"iat": -61},
    "of the future": {"iat": 40},
    "another type": {"header": {"typ": "JWT"}},
    "no algorithm": {"header": {"alg": "none"}},
}


@pytest.mark.parametrize("name", WRONG)
async def test_a_proof_of_something_else_is_refused(sender: Sender, make: Make, name: str) -> None:
    changed = dict(WRONG[name])
    if isinstance(changed.get("iat"), int):
        changed["iat"] = int(sender.clock.now().timestamp()) + changed["iat"]
    if changed.get("header", {}).get("alg") == "none":
        head, claims, _ = sender.proof("POST", TOKEN).split(".")
        decoded = json.loads(base64.urlsafe_b64decode(head + "=="))
        head = base64.urlsafe_b64encode(json.dumps(decoded | {"alg": "none"}).encode()).rstrip(b"=").decode()
        proof = f"{head}.{claims}."
    else:
        proof = sender.proof("POST", TOKEN, **changed)

    answer = await sender.sign_in(await make.user(), proof)

    assert_problem(answer, 400)
    assert answer.json()["error"] == "invalid_dpop_proof"


async def test_keys_that_are_none_are_refused(sender: Sender, make: Make) -> None:
    person, private = await make.user(), sender.key.as_dict(private=True)
    shared = OctKey.generate_key(256)
    proofs = [
        sender.proof("POST", TOKEN, header={"jwk": private}),
        sender.proof("POST", TOKEN, header={"jwk": ECKey.generate_key("P-256").as_dict(private=False)}),
        jwt.encode(
            {"typ": "dpop+jwt", "alg": "HS256", "jwk": shared.as_dict()},
            {"jti": "a", "htm": "POST", "htu": ISSUER + TOKEN, "iat": int(sender.clock.now().timestamp())},
            shared,
        ),
        sender.proof("POST", TOKEN)[:-4] + "AAAA",
        "a.b.c",
        "x",
    ]
    for proof in proofs:
        assert_problem(await sender.sign_in(person, proof), 400)
    headers = [("DPoP", sender.proof("POST", TOKEN)), ("DPoP", sender.proof("POST", TOKEN))]
    form = {"username": person.email, "password": PASSWORD}
    assert_problem(await sender.client.post(TOKEN, data=form, headers=headers), 400)


async def test_a_proof_at_the_api_is_of_its_token(sender: Sender, make: Make) -> None:
    person = await make.user()
    one, other = (await sender.sign_in(person)).json(), (await sender.sign_in(person)).json()
    for proof in (
        sender.proof("GET", "/users/me"),
        sender.proof("GET", "/users/me", other["access_token"]),
        sender.proof("GET", "/users/me/sessions", one["access_token"]),
        sender.proof("POST", "/users/me", one["access_token"]),
    ):
        assert_problem(await sender.me(one["access_token"], proof), 401)


async def test_c12_a_proof_counts_once(sender: Sender, make: Make, clock: MovableClock) -> None:
    person = await make.user()
    proof = sender.proof("POST", TOKEN)
    body = (await sender.sign_in(person, proof)).json()
    assert_problem(await sender.sign_in(person, proof), 400)
    token = body["access_token"]
    shown = sender.proof("GET", "/users/me", token)
    assert (await sender.me(token, shown)).status_code == 200
    assert_problem(await sender.me(token, shown), 401)
    # Nor when what remembers it has been cleaned up.
    clock.move(timedelta(seconds=95))
    assert_problem(await sender.me(token, shown), 401)


async def test_c12_of_twenty_at_once_over_two_services_one_passes(
    gatepost: Gatepost, settings: Settings, clock: MovableClock, make: Make, sender: Sender
) -> None:
    token = (await sender.sign_in(await make.user())).json()["access_token"]
    second = Gatepost(settings, clock=clock)
    async with second.lifespan(), open_client(second) as elsewhere:
        doors = [sender, Sender(elsewhere, clock, sender.key)]
        for _ in range(5):
            proof = sender.proof("GET", "/users/me", token)
            answers = await asyncio.gather(*(doors[number % 2].me(token, proof) for number in range(20)))
            statuses = sorted(answer.status_code for answer in answers)
            assert statuses.count(200) == 1, statuses
            assert set(statuses) <= {200, 401, 503}


async def test_proofs_are_forgotten_once_nobody_can_show_them(
    gatepost: Gatepost, sender: Sender, make: Make, clock: MovableClock
) -> None:
    await sender.sign_in(await make.user())
    assert (await gatepost.schedule.run_all())["dpop-proofs.expired"] == 0
    clock.move(timedelta(seconds=150))
    assert (await gatepost.schedule.run_all())["dpop-proofs.expired"] == 1


async def test_signing_in_again_keeps_the_key(sender: Sender, make: Make) -> None:
    token = (await sender.sign_in(await make.user())).json()["access_token"]
    path = "/users/me/reauthenticate"
    headers = {"Authorization": f"DPoP {token}", "DPoP": sender.proof("POST", path, token)}

    answer = await sender.client.post(path, json={"password": PASSWORD}, headers=headers)

    assert answer.status_code == 200, answer.text
    assert answer.json()["tokens"]["token_type"] == "DPoP"
    fresh = answer.json()["tokens"]["access_token"]
    assert (await sender.me(fresh, sender.proof("GET", "/users/me", fresh))).status_code == 200
    assert_problem(await sender.me(fresh, None, "Bearer"), 401)


async def test_whoever_cannot_prove_the_key_is_told_nothing_of_the_session(
    sender: Sender, make: Make
) -> None:
    body = (await sender.sign_in(await make.user())).json()
    token = body["access_token"]
    headers = {"Authorization": f"DPoP {token}", "DPoP": sender.proof("POST", "/users/logout", token)}
    assert (await sender.client.post("/users/logout", headers=headers)).status_code == 204

    for answer in (await sender.me(token, None, "Bearer"), await sender.refresh(body["refresh_token"])):
        assert "reason" not in answer.json()
    told = await sender.refresh(body["refresh_token"], sender.proof("POST", TOKEN))
    assert told.json()["reason"] == "signed_out"


async def test_a_key_that_proves_nothing_is_refused(sender: Sender, make: Make) -> None:
    """A point of small order: everybody can sign with it."""
    x = base64.urlsafe_b64encode(bytes([1] + [0] * 31)).rstrip(b"=").decode()
    head, claims, signature = sender.proof("POST", TOKEN).split(".")
    decoded = json.loads(base64.urlsafe_b64decode(head + "=="))
    decoded |= {"alg": "EdDSA", "jwk": {"kty": "OKP", "crv": "Ed25519", "x": x}}
    head = base64.urlsafe_b64encode(json.dumps(decoded).encode()).rstrip(b"=").decode()
    signature = base64.urlsafe_b64encode(bytes([1] + [0] * 63)).rstrip(b"=").decode()

    assert_problem(await sender.sign_in(await make.user(), f"{head}.{claims}.{signature}"), 400)


async def test_a_proof_at_a_hosts_route_names_that_route(settings: Settings, clock: MovableClock) -> None:
    from typing import Annotated

    from fastapi import Depends, FastAPI
    from httpx2 import ASGITransport, AsyncClient

    from gatepost import Principal

    inside = settings.model_copy(update={"public_url": f"{ISSUER}/auth"})
    service, app = Gatepost(inside, clock=clock), FastAPI()
    service.attach(app, "/auth")

    @app.get("/orders")
    async def orders(me: Annotated[Principal, Depends(service.current_user)]) -> str:
        return str(me.subject)

    async with service.lifespan():
        person = await Make(service, open_client(service)).user()
        async with AsyncClient(transport=ASGITransport(app=app), base_url=ISSUER) as client:
            host = Sender(client, clock)
            form = {"username": person.email, "password": person.password}
            proof = host.proof("POST", "/auth/users/token")
            body = (await client.post("/auth/users/token", data=form, headers={"DPoP": proof})).json()
            token = body["access_token"]
            for path, status in (("/orders", 200), ("/auth/orders", 401)):
                headers = {"Authorization": f"DPoP {token}", "DPoP": host.proof("GET", path, token)}
                assert (await client.get("/orders", headers=headers)).status_code == status
