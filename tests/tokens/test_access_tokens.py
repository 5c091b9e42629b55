"""Access tokens that are not ours, in every way that comes to mind."""

import base64
import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from httpx2 import AsyncClient
from joserfc import jwt
from joserfc.jwk import ECKey, OctKey

from gatepost import Gatepost
from gatepost.core.ids import new_id
from gatepost.tokens import access_token as access_token_module
from gatepost.tokens.access_token import LONGEST
from tests.make import Make, SignedIn

pytestmark = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)


def parts(token: str) -> tuple[dict[str, Any], dict[str, Any], str]:
    header, claims, signature = token.split(".")
    return _decoded(header), _decoded(claims), signature


def _decoded(part: str) -> dict[str, Any]:
    return json.loads(base64.urlsafe_b64decode(part + "=" * (-len(part) % 4)))


def encoded(part: dict[str, Any]) -> str:
    return base64.urlsafe_b64encode(json.dumps(part).encode()).rstrip(b"=").decode()


@pytest.fixture
async def me(make: Make) -> SignedIn:
    return await make.signed_in()


async def accepted(client: AsyncClient, token: str) -> bool:
    answer = await client.get("/users/me", headers=[(b"Authorization", b"Bearer " + token.encode("latin-1"))])
    assert answer.status_code in {200, 401}
    if answer.status_code == 401:
        assert answer.json()["code"] in {"token-invalid", "token-expired"}
    return answer.status_code == 200


async def test_a_token_we_signed_with_other_words_is_refused(
    client: AsyncClient, gatepost: Gatepost, me: SignedIn
) -> None:
    """Even our own key does not help a token that is not exactly an access token of this service."""
    key = await gatepost.keys.signing()
    header, claims, _ = parts(me.access_token)

    def signed(changed_claims: dict[str, Any], changed_header: dict[str, Any]) -> str:
        # None takes a member away.
        wanted = {name: value for name, value in {**claims, **changed_claims}.items() if value is not None}
        heading = {name: value for name, value in {**header, **changed_header}.items() if value is not None}
        return jwt.encode(heading, wanted, key.jwk, algorithms=[key.algorithm], default_type=None)

    assert await accepted(client, signed({}, {}))
    for wrong in (
        {"iss": "https://evil.example"},
        {"aud": "https://another.example"},
        {"aud": [claims["aud"], "https://another.example"]},
        {"sub": str(new_id())},
        {"sub": "not an id"},
        {"sub": 7},
        {"sid": str(new_id())},
        {"sid": None},
        {"exp": int(datetime.now(UTC).timestamp()) - 3600},
        {"exp": "soon"},
        {"exp": None},
        {"iss": None},
    ):
        assert not await accepted(client, signed(wrong, {})), wrong
    for wrong_header in (
        {"typ": "JWT"},
        {"typ": None},
        {"kid": None},
        {"kid": "other"},
        {"jku": "https://evil.example"},
    ):
        assert not await accepted(client, signed({}, wrong_header)), wrong_header


async def test_a_token_signed_otherwise_is_refused(
    client: AsyncClient, gatepost: Gatepost, me: SignedIn
) -> None:
    header, claims, signature = parts(me.access_token)
    stranger, public = ECKey.generate_key("P-256"), (await gatepost.keys.jwks())["keys"][0]
    confused = OctKey.import_key(json.dumps(public))

    tokens = [
        f"{encoded({**header, 'alg': 'none'})}.{encoded(claims)}.",
        f"{encoded(header)}.{encoded(claims)}.{signature}x",
        f"{encoded(header)}.{encoded({**claims, 'sub': str(new_id())})}.{signature}",
        jwt.encode(header, claims, stranger, algorithms=["ES256"]),
        jwt.encode({**header, "alg": "HS256"}, claims, confused, algorithms=["HS256"]),
        "", ".", "..", "a.b.c", "a.b", "é.é.é", "x" * (LONGEST + 1), me.access_token + "." + "x", "[" * 4000,
    ]  # fmt: skip

    for token in tokens:
        assert not await accepted(client, token), token[:80]


async def test_a_flood_of_tokens_does_not_fill_the_memory(
    client: AsyncClient, gatepost: Gatepost, make: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(access_token_module, "REMEMBERED", 3)
    people = [await make.signed_in() for _ in range(6)]

    for person in [*people, *people]:
        assert await accepted(client, person.access_token)

    assert len(gatepost.access_tokens._verified) == 3


async def test_a_token_never_outlives_its_session(gatepost: Gatepost, me: SignedIn) -> None:
    not_after = gatepost.clock.now() + timedelta(seconds=30)

    token = await gatepost.access_tokens.issue(me.person.id, new_id(), "first-party", "account", not_after)

    assert parts(token)[1]["exp"] == int(not_after.timestamp())


async def test_the_scope_is_what_may_be_granted(client: AsyncClient, me: SignedIn) -> None:
    form = {"username": me.person.email, "password": me.person.password}

    granted = await client.post("/users/token", data={**form, "scope": "openid account"})
    refused = await client.post("/users/token", data={**form, "scope": "admin"})

    assert granted.json()["scope"] == "account"
    assert (refused.status_code, refused.json()["error"]) == (400, "invalid_scope")
    narrowed = {
        "grant_type": "refresh_token",
        "refresh_token": granted.json()["refresh_token"],
        "scope": "admin",
    }
    assert (await client.post("/users/token", data=narrowed)).json()["error"] == "invalid_scope"
    assert (await client.post("/users/token", data={**narrowed, "scope": "account"})).status_code == 200
