"""The OpenAPI document itself: complete, named well, and true about what needs a token."""

from typing import Any

import pytest
from httpx2 import AsyncClient

from gatepost import Gatepost
from tests.conftest import make_settings, open_client

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
OPEN |= {"verify_email", "undo_email", "cancel_deletion", "forgot_password", "reset_password"}


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
        assert is_open == ("security" not in operation), operation["operationId"]
        assert is_open == ("401" not in operation["responses"]), operation["operationId"]


async def test_the_authorize_button_knows_the_token_endpoint(document: dict[str, Any]) -> None:
    (scheme,) = document["components"]["securitySchemes"].values()

    assert scheme["flows"]["password"]["tokenUrl"] == "users/token"


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
