"""Every operation of the API, read from its own OpenAPI document, so that a new route is attacked unasked."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

import pytest
from httpx2 import AsyncClient, Response

JSON = "application/json"
FORM = "application/x-www-form-urlencoded"

# What may be asked without a token; everything else must refuse.
PUBLIC = {
    ("get", "/health"),
    ("get", "/health/live"),
    ("get", "/health/ready"),
    ("get", "/.well-known/jwks.json"),
    ("get", "/.well-known/oauth-authorization-server"),
    ("get", "/sessions/revoked"),
    ("post", "/setup"),
    ("post", "/users/"),
    ("post", "/users/token"),
    ("post", "/login"),
    ("post", "/login/mail"),
    ("post", "/login/proof"),
    ("post", "/login/passkey/options"),
    ("post", "/login/enrol/totp"),
    ("post", "/login/enrol/passkey"),
    ("post", "/login/factors/reset"),
    ("get", "/session"),
    ("post", "/session"),
    ("delete", "/session"),
    ("post", "/deletion/cancel"),
    ("post", "/factors/reset/cancel"),
    ("post", "/email/undo"),
    ("post", "/email/verify"),
    ("post", "/password/forgot"),
    ("post", "/password/reset"),
}

# For what is decided before any database is asked.
no_database_matters = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)

_EXAMPLES = {
    "email": "somebody@example.com",
    "credential": "{}",
    "password": "tangerine-lighthouse-42",
    "carrier": "bearer",
    "id": str(UUID(int=3)),
    "method": "password",
    "locked_until": "2030-01-01T00:00:00Z",
    "locale": "de-AT",
}


# What a browser makes, as far as its form goes.
_OBJECTS: Mapping[str, Any] = {
    "credential": {
        "id": "AAAA",
        "rawId": "AAAA",
        "type": "public-key",
        "response": {
            "clientDataJSON": "AAAA",
            "attestationObject": "AAAA",
            "authenticatorData": "AAAA",
            "signature": "AAAA",
        },
    }
}


@dataclass(frozen=True)
class Operation:
    """One operation: how to call it rightly, and which of its inputs take text."""

    method: str
    path: str
    media: str | None
    body: Mapping[str, Any] = field(default_factory=dict)
    parameters: tuple[Mapping[str, Any], ...] = ()
    secured: bool = False

    @property
    def is_public(self) -> bool:
        """Whether it may be asked without a token."""
        return (self.method, self.path) in PUBLIC

    def valid_body(self) -> dict[str, Any]:
        """Return the smallest body that fits the schema, with all text fields given and all lists empty."""
        lists = {name: [] for name, schema in self.body.items() if schema.get("type") == "array"}
        objects = {name: _OBJECTS[name] for name in self.body if name in _OBJECTS}
        return lists | objects | {name: _example(name) for name in self.text_fields}

    @property
    def text_fields(self) -> list[str]:
        """The fields of the body that take text."""
        return [name for name, schema in self.body.items() if _takes_text(schema)]

    @property
    def fields(self) -> list[str]:
        """All fields of the body."""
        return list(self.body)

    async def call(
        self,
        client: AsyncClient,
        *,
        headers: Mapping[str, str] | None = None,
        body: Mapping[str, Any] | None = None,
        user_id: UUID | None = None,
        **more: Any,
    ) -> Response:
        """Call it, with the smallest valid body unless another is given."""
        url = self.path.replace("{user_id}", str(user_id or UUID(int=1)))
        for other in ("session_id", "factor_id", "device_id", "passkey_id"):
            url = url.replace(f"{{{other}}}", str(UUID(int=2)))
        sent = self.valid_body() if body is None else body
        if self.media == FORM:
            more.setdefault("data", sent)
        elif self.media == JSON:
            more.setdefault("json", sent)
        return await client.request(self.method.upper(), url, headers=headers, **more)


async def operations(client: AsyncClient) -> list[Operation]:
    """Return every operation that the API documents."""
    document = (await client.get("/openapi.json")).json()
    found = list(_read(document))
    assert {(each.method, each.path) for each in found} >= PUBLIC
    return found


async def with_body(client: AsyncClient, media: str) -> list[Operation]:
    """Return the operations that take a body of that type."""
    found = [each for each in await operations(client) if each.media == media]
    assert found
    return found


def _read(document: Mapping[str, Any]) -> Iterator[Operation]:
    schemas = document["components"]["schemas"]
    for path, methods in document["paths"].items():
        for method, described in methods.items():
            content = described.get("requestBody", {}).get("content", {})
            media = next(iter(content), None)
            schema = _resolved(content[media]["schema"], schemas) if media else {}
            yield Operation(
                method,
                path,
                media,
                schema.get("properties", {}),
                tuple(described.get("parameters", ())),
                {} not in described.get("security", [{}]),
            )


def _resolved(schema: Mapping[str, Any], schemas: Mapping[str, Any]) -> Mapping[str, Any]:
    # Of a body that is one of several kinds, the first.
    schema = schema.get("oneOf", [schema])[0]
    return schemas[schema["$ref"].rpartition("/")[2]] if "$ref" in schema else schema


def _takes_text(schema: Mapping[str, Any]) -> bool:
    kinds = [schema, *schema.get("anyOf", ())]
    return any(kind.get("type") == "string" for kind in kinds)


def _example(name: str) -> str:
    return _EXAMPLES.get(name, "password" if name == "grant_type" else "some text")
