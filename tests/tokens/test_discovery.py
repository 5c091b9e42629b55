"""The metadata of RFC 8414: where it is looked for, and that what it names is there."""

from pathlib import Path
from typing import Any

import pytest
from fastapi import FastAPI
from httpx2 import ASGITransport, AsyncClient

from gatepost import Gatepost, Settings
from tests.conftest import make_settings, open_client
from tests.make import PASSWORD, Make
from tests.security.operations import no_database_matters

WELL_KNOWN = "/.well-known/oauth-authorization-server"


async def test_it_says_what_there_is_and_where(client: AsyncClient, settings: Settings) -> None:
    answer = await client.get(WELL_KNOWN)

    assert answer.status_code == 200
    assert answer.headers["content-type"] == "application/json"
    assert answer.headers["cache-control"] == "public, max-age=300"
    issuer = settings.issuer
    assert answer.json() == {
        "issuer": issuer,
        "token_endpoint": f"{issuer}/users/token",
        "jwks_uri": f"{issuer}/.well-known/jwks.json",
        "scopes_supported": ["account"],
        "response_types_supported": [],
        "grant_types_supported": ["password", "refresh_token", "urn:gatepost:params:oauth:grant-type:mfa"],
        "token_endpoint_auth_methods_supported": ["none"],
        "dpop_signing_alg_values_supported": ["ES256", "EdDSA", "RS256"],
        "gatepost_revoked_sessions_uri": f"{issuer}/sessions/revoked",
    }


async def test_what_it_names_is_there(client: AsyncClient, settings: Settings, make: Make) -> None:
    person = await make.user()
    said = (await client.get(WELL_KNOWN)).json()

    def path(name: str) -> str:
        return said[name].removeprefix(settings.issuer)

    for grant in said["grant_types_supported"]:
        answer = await client.post(path("token_endpoint"), data={"grant_type": grant})
        assert answer.json()["code"] != "grant-type-unsupported"
    form = {"username": person.email, "password": PASSWORD}
    signed_in = (await client.post(path("token_endpoint"), data=form)).json()
    assert said["scopes_supported"] == signed_in["scope"].split()
    assert (await client.get(path("jwks_uri"))).json()["keys"]
    assert (await client.get(path("gatepost_revoked_sessions_uri"))).status_code == 200


@no_database_matters
async def test_it_is_sent_again_only_when_it_changed(client: AsyncClient) -> None:
    first = await client.get(WELL_KNOWN)
    again = await client.get(WELL_KNOWN, headers={"If-None-Match": first.headers["etag"]})

    assert (again.status_code, again.content) == (304, b"")


@pytest.fixture
def settings(database_url: str, tmp_path: Path, request: pytest.FixtureRequest) -> Settings:
    public_url = getattr(request, "param", None)
    return make_settings(database_url, tmp_path, public_url=public_url)


below = pytest.mark.parametrize("settings", ["https://shop.example/api/auth"], indirect=True)


@no_database_matters
@below
async def test_behind_a_proxy_that_hands_on_the_root_it_answers_for_its_path_alone(
    client: AsyncClient,
) -> None:
    answer = await client.get(f"{WELL_KNOWN}/api/auth")
    assert answer.json()["issuer"] == "https://shop.example/api/auth"
    assert answer.json()["jwks_uri"] == "https://shop.example/api/auth/.well-known/jwks.json"
    for path in ("/api", "/api/auth/", "/api/auth/x", "/other", "/"):
        assert (await client.get(f"{WELL_KNOWN}{path}")).status_code == 404, path


async def from_host(service: Gatepost, mount: str, path: str) -> Any:
    app = FastAPI()
    service.attach(app, mount)
    async with AsyncClient(transport=ASGITransport(app), base_url="http://shop.example") as client:
        return await client.get(path)


@no_database_matters
@below
async def test_in_a_host_it_is_found_at_the_root_of_the_host(gatepost: Gatepost, settings: Settings) -> None:
    answer = await from_host(gatepost, "/auth", f"{WELL_KNOWN}/api/auth")

    async with open_client(gatepost) as client:
        own = await client.get(WELL_KNOWN)
    assert (answer.status_code, answer.content) == (200, own.content)
    assert answer.headers["etag"] == own.headers["etag"]
    assert answer.json()["issuer"] == settings.issuer


@no_database_matters
@below
async def test_in_a_host_nothing_else_of_its_root_is_taken(gatepost: Gatepost) -> None:
    for path in (WELL_KNOWN, f"{WELL_KNOWN}/auth", "/.well-known/jwks.json"):
        assert (await from_host(gatepost, "/auth", path)).status_code == 404, path


@no_database_matters
async def test_in_a_host_an_issuer_without_a_path_is_found_too(gatepost: Gatepost) -> None:
    answer = await from_host(gatepost, "/auth", WELL_KNOWN)

    assert answer.json()["issuer"] == gatepost.settings.issuer
