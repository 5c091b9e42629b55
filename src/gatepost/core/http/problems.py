"""Failures as problem documents (RFC 9457), from one table of families."""

import json
import re
from collections.abc import Awaitable, Callable, Mapping
from http import HTTPStatus
from typing import Any

from fastapi import FastAPI
from fastapi.exceptions import RequestValidationError
from pydantic import BaseModel, Field
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from gatepost.core.errors import (
    Conflict,
    DomainError,
    Forbidden,
    Invalid,
    NotFound,
    TooMany,
    Unauthenticated,
    Unavailable,
)
from gatepost.core.limits import LimitExceeded
from gatepost.core.logging import Logger

__all__ = ["Problem", "Problems", "responses"]

MEDIA_TYPE = "application/problem+json"
_MARKUP = re.compile(r"[<>&\"'`]")
_MOST_ERRORS = 50  # thousands of unknown fields would make an answer ten times the size of the question

FAMILIES: dict[type[DomainError], int] = {
    Invalid: 422,
    Unauthenticated: 401,
    Forbidden: 403,
    NotFound: 404,
    Conflict: 409,
    TooMany: 429,
    Unavailable: 503,
}


# What is refused outside the rooms, before any route: status and sentence by code.
REFUSALS: Mapping[str, tuple[int, str]] = {
    "host-unknown": (400, "This service does not answer under that name."),
    "body-incomplete": (400, "The body ended early."),
    "method-not-allowed": (405, "The path does not take this method. `Allow` lists those it takes."),
    "body-too-slow": (408, "The body did not arrive in time."),
    "content-too-large": (413, "The body is larger than this service takes."),
    "target-too-long": (414, "The path and the query are too long."),
    "content-encoding-refused": (415, "Send the body as it is: no content encoding is taken."),
    "head-too-large": (431, "The header fields are too many or too long."),
}


class FieldProblem(BaseModel):
    """One thing wrong with one field."""

    field: str = Field(description="Where, as a dotted path: `email`, `query.limit`.")
    code: str = Field(description="What kind of error; stable.")
    detail: str = Field(description="The same for people. Never holds what was sent.")


class Problem(BaseModel):
    """A problem document, RFC 9457."""

    type: str
    title: str
    status: int
    detail: str
    code: str = Field(description="The stable name of the error; see the error reference.")
    instance: str | None = Field(
        None, description="The request's id, to be looked up in the log and the events."
    )
    errors: list[FieldProblem] | None = None
    error: str | None = Field(None, description="The OAuth 2.0 error code, where the endpoint speaks OAuth.")
    retry_after: int | None = Field(None, description="Seconds to wait before another try.")
    reason: str | None = Field(
        None, description="Why the session behind a token is over, or what was wrong with a passkey; stable."
    )
    event: str | None = Field(None, description="The event that ended it, to be looked up in the events.")
    max_age: int | None = Field(
        None, description="How long ago the sign-in may be for this, in seconds (RFC 9470)."
    )
    acr_values: str | None = Field(None, description="How sure the sign-in must be of the person (RFC 9470).")
    next: list[str] | None = Field(
        None, description="Of `mfa-required`: the methods of which one would do as the next step."
    )
    flow: str | None = Field(
        None, description="Of the same: the sign-in that goes on at `POST /login/proof`."
    )
    binding: str | None = Field(None, description="Of the same: send it along; a browser's is in a cookie.")
    expires_in: int | None = Field(None, description="Of the same: life of the flow, in seconds.")


_HEADERS: dict[int, dict[str, Any]] = {
    401: {
        "WWW-Authenticate": {"description": "How to authenticate (RFC 6750).", "schema": {"type": "string"}}
    },
    429: {
        "Retry-After": {"description": "Seconds to wait.", "schema": {"type": "integer", "minimum": 1}},
        "RateLimit-Policy": {"description": "The limit that is used up.", "schema": {"type": "string"}},
        "RateLimit": {"description": "What is left of it, and until when.", "schema": {"type": "string"}},
    },
    503: {"Retry-After": {"description": "Seconds to wait.", "schema": {"type": "integer", "minimum": 0}}},
}


def responses(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """Return the OpenAPI entry for refusals with these statuses."""
    content = {MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/Problem"}}}
    return {
        status: {
            "description": HTTPStatus(status).phrase,
            "headers": _HEADERS.get(status, {}),
            "content": content,
        }
        for status in statuses
    }


class Problems:
    """Renders failures on one surface. `statuses` are the exceptions to the table of families."""

    def __init__(self, log: Logger, statuses: Mapping[type[DomainError], int] | None = None) -> None:
        self._log = log
        self._statuses: dict[type, int] = {**FAMILIES, **(statuses or {})}

    def install(self, app: FastAPI) -> None:
        """Register the handlers with a surface."""
        handlers: dict[type[Exception], Callable[[Request, Any], Awaitable[Response]]] = {
            DomainError: self.on_domain_error,
            RequestValidationError: self.on_invalid_request,
            HTTPException: self.on_http_exception,
        }
        for error, handler in handlers.items():
            app.add_exception_handler(error, handler)

    async def answer(
        self, request: Request, error: DomainError | RequestValidationError | HTTPException
    ) -> Response:
        """Answer any of the three kinds of refusal."""
        if isinstance(error, DomainError):
            return await self.on_domain_error(request, error)
        if isinstance(error, RequestValidationError):
            return await self.on_invalid_request(request, error)
        return await self.on_http_exception(request, error)

    async def on_domain_error(self, request: Request, error: DomainError) -> Response:
        """Answer one of our own refusals."""
        request.scope.get("gatepost.told", {})["problem"] = error.code
        if isinstance(error, Unavailable) and error.__cause__ is not None:
            # Not under `code`: what bears that name is a secret to the log.
            self._log.warning("request.unavailable", problem=error.code, exc_info=error.__cause__)
        return self.of(error, request_id(request))

    def status(self, error: DomainError) -> int:
        """Return the status with which this surface answers an error."""
        return next(filter(None, map(self._statuses.get, type(error).__mro__)))

    def of(self, error: DomainError, instance: str | None) -> Response:
        """Return the document for one of our own refusals."""
        status = self.status(error)
        body: dict[str, Any] = dict(error.extensions)
        headers: dict[str, str] = {}
        if error.field:
            body["errors"] = [{"field": error.field, "code": error.code, "detail": error.detail}]
        if error.retry_after is not None:
            body["retry_after"] = error.retry_after
            headers["Retry-After"] = str(error.retry_after)
        if isinstance(error, LimitExceeded):
            headers |= error.verdict.fields
        if isinstance(error, Unauthenticated) and status == HTTPStatus.UNAUTHORIZED:
            headers["WWW-Authenticate"] = _challenge(error.scheme, error.challenge)
        return document(status, error.code, error.detail, instance, body, headers)

    async def on_invalid_request(self, request: Request, error: RequestValidationError) -> Response:
        """Answer input that does not fit: each field named, nothing of it echoed."""
        instance = request_id(request)
        errors = [_field_problem(item, error.body) for item in error.errors()[:_MOST_ERRORS]]
        if _wrong_media_type(request, errors):
            return document(415, "unsupported-media-type", "Send JSON as application/json.", instance)
        detail = "; ".join(f"{item['field']}: {item['detail']}" for item in errors[:3])
        return document(422, "invalid", detail or "The request is not valid.", instance, {"errors": errors})

    async def on_http_exception(self, request: Request, error: HTTPException) -> Response:
        """Answer what the router or a limit refused."""
        code = HTTPStatus(error.status_code).phrase.casefold().replace(" ", "-")
        headers = {
            name: value for name, value in (error.headers or {}).items() if name.casefold() != "content-type"
        }
        return document(error.status_code, code, str(error.detail), request_id(request), None, headers)

    def on_crash(self, error: BaseException, instance: str | None) -> Response:
        """Answer a fault of ours with neutral words; the log has the rest under the same id."""
        self._log.error("request.crashed", exc_info=error)
        return document(500, "internal-error", "Something went wrong on our side.", instance)


def document(
    status: int,
    code: str,
    detail: str,
    instance: str | None,
    members: Mapping[str, Any] | None = None,
    headers: Mapping[str, str] | None = None,
) -> Response:
    """Return a problem document."""
    body = {
        "type": f"urn:gatepost:problem:{code}",
        "title": HTTPStatus(status).phrase,
        "status": status,
        "detail": detail,
        "code": code,
        "instance": instance,
        **(members or {}),
    }
    return Response(json.dumps(body), status, {"Cache-Control": "no-store", **(headers or {})}, MEDIA_TYPE)


def refusal(code: str, instance: str | None, headers: Mapping[str, str] | None = None) -> Response:
    """Return the problem document for a code of REFUSALS."""
    status, sentence = REFUSALS[code]
    return document(status, code, sentence, instance, None, headers)


def request_id(request: Request) -> str | None:
    """Return the id under which this request is logged."""
    return request.scope.get("gatepost.request_id")


def _challenge(scheme: str, parameters: Mapping[str, str]) -> str:
    listed = ", ".join(f'{name}="{value}"' for name, value in {"realm": "gatepost", **parameters}.items())
    return f"{scheme} {listed}"


def _field_problem(item: Any, body: Any) -> dict[str, str]:
    place, *path = item["loc"]
    if isinstance(body, dict) and not path and "field" in item.get("ctx", {}):
        # Of a body that is one of several kinds: what says which.
        path = [item["ctx"]["field"]]
    elif len(path) > 1 and str(path[0]).startswith(":"):
        # The kind; no field begins so.
        path = path[1:]
    # Only an offset would follow; and of a body, the first word says nothing the client does not know.
    if item["type"] == "json_invalid":
        return {"field": "body", "code": "json-invalid", "detail": f"Not valid JSON: {item['ctx']['error']}"}
    steps = [str(step) for step in path] if place == "body" else [str(place), *map(str, path)]
    field = ".".join(_shown(step) for step in steps) or str(place)
    return {"field": field, "code": str(item["type"]).replace("_", "-"), "detail": str(item["msg"])}


def _shown(step: str, longest: int = 64) -> str:
    """Return a field's name fit to be shown, also by a careless page: an unknown one is the client's own text."""
    plain = step.encode("ascii", "backslashreplace").decode()[:longest]
    return _MARKUP.sub(lambda found: f"\\x{ord(found[0]):02x}", plain)


def _wrong_media_type(request: Request, errors: list[dict[str, str]]) -> bool:
    sent = request.headers.get("content-type", "").partition(";")[0].strip().casefold()
    body_refused = any(item["field"] == "body" and item["code"] != "missing" for item in errors)
    return body_refused and not (sent == "application/json" or sent.endswith("+json"))
