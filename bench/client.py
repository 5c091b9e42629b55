"""The bench's own few calls to a subject, outside of what is timed."""

import http.client
import itertools
import json
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

from bench.servers import HOST, Server
from bench.subjects import Api

_FORM = {"Content-Type": "application/x-www-form-urlencoded"}
_JSON = {"Content-Type": "application/json"}
_numbers = itertools.count()


@dataclass(frozen=True, slots=True)
class Tokens:
    """What a sign-in brought; the refresh token is empty where there are none."""

    access: str
    refresh: str


class Unexpected(Exception):
    """A subject did not answer as its contract says."""


def register(server: Server, api: Api, email: str, password: str) -> None:
    """Sign an account up, at a subject that lets people do that."""
    if api.register is None:
        raise Unexpected("nobody can sign up here")
    body = json.dumps({"email": email, "password": password})
    _post(server, api.register, body, _JSON, expected=api.registered)


def sign_in(server: Server, api: Api, email: str, password: str) -> Tokens:
    """Return the tokens. Each call says that it comes from another address, as a proxy would."""
    body = urlencode({"username": email, "password": password})
    number = next(_numbers)
    address = f"10.0.{number // 256 % 256}.{number % 256}"
    told = _post(server, api.token, body, {**_FORM, "X-Forwarded-For": address}, expected=200)
    return Tokens(told[api.access_field], told.get(api.refresh_field, ""))


def get(server: Server, path: str, token: str) -> dict[str, Any]:
    """Return the answer to a request with an access token."""
    return _ask(server, "GET", path, None, {"Authorization": f"Bearer {token}"}, expected=200)


def _post(server: Server, path: str, body: str, headers: dict[str, str], expected: int) -> dict[str, Any]:
    return _ask(server, "POST", path, body, headers, expected)


def _ask(
    server: Server, method: str, path: str, body: str | None, headers: dict[str, str], expected: int
) -> dict[str, Any]:
    connection = http.client.HTTPConnection(HOST, server.port, timeout=30)
    try:
        connection.request(method, path, body, headers)
        answer = connection.getresponse()
        text = answer.read()
        if answer.status != expected:
            raise Unexpected(f"{method} {path} answered {answer.status}: {text[:300]!r}")
        return json.loads(text)
    finally:
        connection.close()
