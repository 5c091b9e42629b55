"""The OpenAPI document itself: complete, named well, and true about what needs a token."""

from typing import Any

import pytest
from httpx2 import AsyncClient

from gatepost import Gatepost
from tests.conftest import make_settings, open_client
from tests.make import PASSWORD, Make

OPEN = {
    "healthy",
    "live",
    "ready",
    "token",
    "sign_up",
    "set_up",
    "jwks",
    "begin_login",
    "mail_login",
    "prove",
}
OPEN |= {"sign_in_browser", "read_session", "sign_out_browser"}
OPEN |= {"server_metadata", "revoked_sessions"}
OPEN |= {
    "verify_email",
    "undo_email",
    "cancel_deletion",
    "cancel_factor_reset",
    "passkey_login",
    "enrol_totp",
    "enrol_passkey",
    "lost_factors",
    "forgot_password",
    "reset_password",
}


@pytest.fixture(scope="module")
async def document(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    service = Gatepost(make_settings("sqlite:///never-opened.db", tmp_path_factory.mktemp("data")))
    async with open_client(service) as client:
        answer = await client.get("/openapi.json")
    assert answer.status_code == 200
    return answer.json()


def operations(document: dict[str, Any]) -> list[dict[str, Any]]:
    return [operation for path in document["paths"].values() for operation in path.values()]


async def test_operations_are_named_and_grouped(document: dict[str, Any]) -> None:
    found = operations(document)

    ids = [operation["operationId"] for operation in found]
    assert len(set(ids)) == len(ids)
    assert all(name.replace("_", "").isalpha() for name in ids)
    for operation in found:
        assert operation["summary"][0].isupper()
        assert len(operation["summary"]) < 100
        assert operation["description"].endswith(".")
        assert operation["tags"]


async def test_what_is_not_open_asks_for_a_token(document: dict[str, Any]) -> None:
    for operation in operations(document):
        is_open = operation["operationId"] in OPEN
        assert is_open == ({} in operation.get("security", [{}])), operation["operationId"]
        assert is_open == ("401" not in operation["responses"]), operation["operationId"]


async def test_the_authorize_button_knows_the_token_endpoint(document: dict[str, Any]) -> None:
    scheme = document["components"]["securitySchemes"]["OAuth2PasswordBearer"]

    assert scheme["flows"]["password"]["tokenUrl"] == "users/token"


async def test_the_document_says_how_browsers_are_let_in(document: dict[str, Any]) -> None:
    schemes = document["components"]["securitySchemes"]
    assert (schemes["SessionCookie"]["in"], schemes["SessionCookie"]["name"]) == (
        "cookie",
        "__Host-gp_session",
    )
    assert (schemes["CsrfToken"]["in"], schemes["CsrfToken"]["name"]) == ("header", "X-CSRF-Token")
    by_bearer: dict[str, list[str]] = {"OAuth2PasswordBearer": []}
    by_cookie: dict[str, list[str]] = {"SessionCookie": []}
    with_token: dict[str, list[str]] = {**by_cookie, "CsrfToken": []}
    profile, session = document["paths"]["/users/me"], document["paths"]["/session"]
    assert profile["get"]["security"] == [by_bearer, by_cookie]
    assert profile["patch"]["security"] == profile["delete"]["security"] == [by_bearer, with_token]
    assert (session["get"]["security"], session["delete"]["security"]) == ([by_cookie, {}], [with_token, {}])
    for operations_ in document["paths"].values():
        for method, operation in operations_.items():
            if with_token in operation.get("security", ()):
                assert method != "get"
                assert "403" in operation["responses"], operation["operationId"]


async def test_the_collection_of_people_is_there_without_its_slash_too(
    client: AsyncClient, make: Make, document: dict[str, Any]
) -> None:
    new = {"email": "ada@example.com", "password": PASSWORD}
    created = await client.post("/users", json=new)
    assert (created.status_code, created.json()["email"]) == (200, "ada@example.com")
    administrator = await make.signed_in(await make.administrator())
    assert (await client.get("/users")).status_code == 401
    listed = [await client.get(path, headers=administrator.headers) for path in ("/users", "/users/")]
    assert listed[0].json() == listed[1].json()
    assert len(listed[0].json()["items"]) == 2
    assert "/users" not in document["paths"]


async def test_every_refusal_is_a_problem_document(document: dict[str, Any]) -> None:
    assert {"type", "title", "status", "detail", "code"} <= set(
        document["components"]["schemas"]["Problem"]["required"]
    )
    for operation in operations(document):
        for status, response in operation["responses"].items():
            if int(status) >= 400:
                (media,) = response["content"]
                assert media == "application/problem+json"
                assert response["content"][media]["schema"]["$ref"].endswith("/Problem")


async def test_no_output_names_a_secret(document: dict[str, Any]) -> None:
    assert {"id", "email", "is_active", "created_at"} <= document["components"]["schemas"]["UserOut"][
        "properties"
    ].keys()
    assert "hash" not in str(document["components"]["schemas"]["UserOut"])


async def test_v6_4_2_nobody_is_asked_a_security_question(document: dict[str, Any]) -> None:
    fields = {
        field
        for schema in document["components"]["schemas"].values()
        for field in schema.get("properties", {})
    }
    assert {"email", "password", "code"} <= fields
    assert not [
        field for field in fields for word in ("question", "answer", "hint", "maiden") if word in field
    ]


async def test_every_reference_leads_somewhere(document: dict[str, Any]) -> None:
    def references(part: Any) -> list[str]:
        if isinstance(part, dict):
            own = [part["$ref"]] if isinstance(part.get("$ref"), str) else []
            return own + [each for value in part.values() for each in references(value)]
        return [each for value in part for each in references(value)] if isinstance(part, list) else []

    known = {f"#/components/schemas/{name}" for name in document["components"]["schemas"]}
    assert set(references(document)) <= known


async def test_a_method_that_is_not_documented_is_refused(client: AsyncClient) -> None:
    for path in ("/health", "/users/me", "/users/", "/users/token", "/setup"):
        answer = await client.put(path)

        assert answer.status_code == 405
        assert answer.headers["content-type"] == "application/problem+json"
        assert answer.headers["allow"]
