"""Attacks on links and addresses: a request must not decide where a link leads, or where a mail goes."""

from typing import Any
from urllib.parse import urlsplit

import jwt
import pytest
from httpx2 import AsyncClient
from sqlalchemy import func, select

from gatepost import Gatepost, Settings
from gatepost.cli.serve import _welcome
from gatepost.core.clock import MovableClock
from gatepost.users import User
from tests.conftest import make_settings, open_client
from tests.make import PASSWORD, Make
from tests.security.expect import assert_problem
from tests.security.operations import no_database_matters

PUBLIC = "https://auth.example.com"
POISON = {
    "X-Forwarded-Host": "evil.example",
    "X-Forwarded-Proto": "http",
    "X-Forwarded-Port": "6666",
    "X-Forwarded-Prefix": "/evil",
    "X-Forwarded-Server": "evil.example",
    "X-Forwarded-Scheme": "gopher",
    "X-Forwarded-Path": "/evil",
    "X-Original-Host": "evil.example",
    "X-Original-URL": "https://evil.example/",
    "X-Rewrite-URL": "/evil",
    "X-Host": "evil.example",
    "Forwarded": 'for=192.0.2.1;host="evil.example";proto=http',
    "Origin": "https://evil.example",
    "Referer": "https://evil.example/",
    "X-Script-Name": "/evil",
    "True-Host": "evil.example",
}


@no_database_matters
async def test_f02_no_header_gets_into_a_link(settings: Settings, subtests: pytest.Subtests) -> None:
    trusting = make_settings(
        settings.database_location, settings.data_dir, public_url=PUBLIC, trusted_proxies="0.0.0.0/0, ::/0"
    )
    clock = MovableClock()
    service = Gatepost(trusting, clock=clock)
    async with service.lifespan(), open_client(service) as client:
        await client.post("/users/", json={"email": "ada@example.com", "password": PASSWORD})
        same_id = {"X-Request-ID": "the-same-id"}
        for path in (
            "/openapi.json",
            "/docs",
            "/docs/start.js",
            "/.well-known/jwks.json",
            "/users/me",
            "/nothing",
        ):
            clean = await client.get(path, headers=same_id)
            for name, value in POISON.items():
                with subtests.test(f"{name} {path}"):
                    poisoned = await client.get(path, headers={name: value, **same_id})
                    assert poisoned.content == clean.content
                    assert dict(poisoned.headers) == dict(clean.headers)
            assert "evil" not in (await client.get(path, headers=POISON)).text


async def test_f02_the_issuer_of_a_token_is_the_public_url(settings: Settings) -> None:
    service = Gatepost(make_settings(settings.database_location, settings.data_dir, public_url=PUBLIC))
    async with service.lifespan(), open_client(service) as client:
        await client.post("/users/", json={"email": "ada@example.com", "password": PASSWORD}, headers=POISON)
        form = {"username": "ada@example.com", "password": PASSWORD}
        answer = await client.post("/users/token", data=form, headers=POISON)
        token = answer.json()["access_token"]

        assert jwt.decode(token, options={"verify_signature": False})["iss"] == PUBLIC
        me = await client.get("/users/me", headers={"Authorization": f"Bearer {token}"})
        assert me.status_code == 200


@no_database_matters
def test_f02_the_setup_link_leads_to_the_public_url(settings: Settings, capsys: Any) -> None:
    _welcome(
        make_settings(settings.database_location, settings.data_dir, public_url=f"{PUBLIC}/"), "gp_setup_x"
    )

    said = capsys.readouterr().out

    links = [word for word in said.split() if "://" in word]
    assert {urlsplit(link).netloc for link in links} == {"auth.example.com"}
    assert f"{PUBLIC}/setup" in links


@no_database_matters
async def test_f02_the_links_of_the_documentation_are_relative(client: AsyncClient) -> None:
    document = (await client.get("/openapi.json")).json()
    (scheme,) = [each for each in document["components"]["securitySchemes"].values() if "flows" in each]
    assert scheme["flows"]["password"]["tokenUrl"] == "users/token"
    assert "servers" not in document
    assert "://" not in (await client.get("/docs")).text
    problem = (await client.get("/nothing")).json()
    assert problem["type"] == "urn:gatepost:problem:not-found"


SECOND_RECIPIENTS = [
    ["ada@example.com", "eve@evil.example"],
    ["ada@example.com"],
    {"0": "ada@example.com", "1": "eve@evil.example"},
    "ada@example.com,eve@evil.example",
    "ada@example.com, eve@evil.example",
    "ada@example.com;eve@evil.example",
    "ada@example.com eve@evil.example",
    "ada@example.com\r\nBcc: eve@evil.example",
    "ada@example.com\nCc: eve@evil.example",
    "ada@example.com%0acc:eve@evil.example",
    "ada@example.com%0d%0abcc:eve@evil.example",
    "ada@example.com\tcc",
    "Ada <ada@example.com>",
    "<ada@example.com>",
    "ada@example.com <eve@evil.example>",
    "ada@example.com(eve@evil.example)",
    "ada@example.com\x00eve@evil.example",
    "eve@evil.example@example.com",
    "ada@example.com|eve@evil.example",
    "mailto:ada@example.com",
    '"ada@example.com,eve"@evil.example',
    "ada@example.com,",
    ",ada@example.com",
    "ada@example.com\u2028eve@evil.example",
    "ada@example.com\u3000eve@evil.example",
    "ada@example.com/eve@evil.example",
    "@evil.example,@x.example:ada@example.com",
    "ada@[example.com,evil.example]",
    "group:ada@example.com,eve@evil.example;",
]


@no_database_matters
async def test_f05_an_address_is_one_recipient(
    client: AsyncClient, make: Make, gatepost: Gatepost, subtests: pytest.Subtests
) -> None:
    me = await make.signed_in(await make.administrator())
    before = await gatepost.database.reads.first(select(func.count()).select_from(User))
    for email in SECOND_RECIPIENTS:
        with subtests.test(repr(email)):
            new = {"email": email, "password": PASSWORD}
            assert_problem(await client.post("/users/", json=new), 422)
            assert_problem(await client.post("/setup", json={**new, "code": "gp_setup_x"}), 403, 422)
            assert_problem(await client.patch("/users/me", json={"email": email}, headers=me.headers), 422)
            if isinstance(email, str):
                answer = await make.sign_in(email, PASSWORD)
                assert_problem(answer, 400, 422)

    assert await gatepost.database.reads.first(select(func.count()).select_from(User)) == before


@no_database_matters
async def test_f05_an_address_that_is_given_twice_is_refused(client: AsyncClient) -> None:
    twice = f'{{"email": "ada@example.com", "email": "eve@evil.example", "password": "{PASSWORD}"}}'
    assert_problem(
        await client.post("/users/", content=twice, headers={"Content-Type": "application/json"}), 422
    )
    form = f"username=ada%40example.com&username=eve%40evil.example&password={PASSWORD}"
    answer = await client.post(
        "/users/token", content=form, headers={"Content-Type": "application/x-www-form-urlencoded"}
    )
    assert_problem(answer, 400)
