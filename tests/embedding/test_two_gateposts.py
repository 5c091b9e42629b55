"""Two Gateposts with settings of their own in one process, under two paths of one application."""

import shutil
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Annotated

import pytest
from fastapi import Depends, FastAPI
from httpx2 import ASGITransport, AsyncClient

from gatepost import Gatepost, Principal
from tests.conftest import make_settings
from tests.make import PASSWORD

# pytest resets the filter that `gatepost.tokens` sets for it.
pytestmark = pytest.mark.filterwarnings("ignore:EdDSA is deprecated")

ADA = {"email": "ada@example.com", "password": PASSWORD}


@pytest.fixture
def shop(database_url: str, tmp_path: Path) -> Gatepost:
    """As it comes: tokens by ES256."""
    return Gatepost(make_settings(database_url, tmp_path, public_url="https://two.example/shop"))


@pytest.fixture
def staff(sqlite_template: Path, tmp_path: Path) -> Gatepost:
    """Longer passwords, tokens by EdDSA, another secret key and another database."""
    path = tmp_path / "staff.db"
    shutil.copy(sqlite_template, path)
    settings = make_settings(
        f"sqlite:///{path}",
        tmp_path,
        public_url="https://two.example/staff",
        secret_key="Qb8nLx2vRt6zKw4mYc9pHf3sJd7gTe5a",
        tokens={"algorithm": "EdDSA"},
        passwords={"minimum_length": 16},
    )
    return Gatepost(settings)


@pytest.fixture
async def client(shop: Gatepost, staff: Gatepost) -> AsyncIterator[AsyncClient]:
    app = FastAPI()

    # Asked for before they are attached: the order must not matter.
    @app.get("/cart")
    async def cart(me: Annotated[Principal, Depends(shop.current_user)]) -> str:
        return str(me.subject)

    @app.get("/stock", dependencies=[Depends(staff.require("users:read"))])
    async def stock() -> str:
        return "all of it"

    @app.get("/desk")
    async def desk(me: Annotated[Principal, Depends(staff.current_user)]) -> str:
        return str(me.subject)

    shop.attach(app, "/shop")
    staff.attach(app, "/staff")
    async with (
        app.router.lifespan_context(app),
        AsyncClient(transport=ASGITransport(app), base_url="http://two.test") as opened,
    ):
        yield opened


async def signed_in(client: AsyncClient, path: str) -> dict[str, str]:
    form = {"username": ADA["email"], "password": PASSWORD}
    answer = await client.post(f"{path}/users/token", data=form)
    assert answer.status_code == 200, answer.text
    return {"Authorization": f"Bearer {answer.json()['access_token']}"}


async def test_each_keeps_its_own_people(client: AsyncClient) -> None:
    assert (await client.post("/shop/users/", json=ADA)).status_code == 200
    form = {"username": ADA["email"], "password": PASSWORD}
    assert (await client.post("/staff/users/token", data=form)).status_code == 400

    assert (await client.post("/staff/users/", json=ADA)).status_code == 200
    assert (await client.post("/shop/users/", json=ADA)).json()["detail"] == "Email already registered"


async def test_each_refuses_the_tokens_of_the_other(client: AsyncClient) -> None:
    await client.post("/shop/users/", json=ADA)
    await client.post("/staff/users/", json=ADA)
    customer, employee = await signed_in(client, "/shop"), await signed_in(client, "/staff")

    reached = {
        (path, who): (await client.get(path, headers=headers)).status_code
        for who, headers in (("customer", customer), ("employee", employee))
        for path in ("/cart", "/desk", "/shop/users/me", "/staff/users/me")
    }

    assert reached == {
        ("/cart", "customer"): 200,
        ("/desk", "customer"): 401,
        ("/shop/users/me", "customer"): 200,
        ("/staff/users/me", "customer"): 401,
        ("/cart", "employee"): 401,
        ("/desk", "employee"): 200,
        ("/shop/users/me", "employee"): 401,
        ("/staff/users/me", "employee"): 200,
    }
    assert (await client.get("/stock", headers=employee)).status_code == 403


async def test_each_goes_by_its_own_settings(client: AsyncClient) -> None:
    short = {"email": "bob@example.com", "password": "lantern-71-oak"}

    assert (await client.post("/shop/users/", json=short)).status_code == 200
    refused = await client.post("/staff/users/", json=short)
    assert (refused.status_code, refused.json()["errors"][0]["field"]) == (422, "password")
    keys = [(await client.get(f"/{path}/.well-known/jwks.json")).json()["keys"] for path in ("shop", "staff")]
    assert [[key["alg"] for key in each] for each in keys] == [["ES256"], ["EdDSA"]]


async def test_the_hosts_documentation_offers_both_to_authorize(client: AsyncClient) -> None:
    described = (await client.get("/openapi.json")).json()

    urls = {
        name: scheme["flows"]["password"]["tokenUrl"]
        for name, scheme in described["components"]["securitySchemes"].items()
    }
    assert urls == {"gatepost-shop": "shop/users/token", "gatepost-staff": "staff/users/token"}
    assert described["paths"]["/cart"]["get"]["security"] == [{"gatepost-shop": []}]
    assert described["paths"]["/stock"]["get"]["security"] == [{"gatepost-staff": []}]


async def test_two_stand_beside_each_other_without_a_host(shop: Gatepost, staff: Gatepost) -> None:
    async with shop.lifespan(), staff.lifespan():
        for gatepost in (shop, staff):
            async with AsyncClient(transport=ASGITransport(gatepost.app), base_url="http://one.test") as one:
                assert (await one.post("/users/", json=ADA)).status_code == 200
