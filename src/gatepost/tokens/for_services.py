"""What other services read over HTTP: where things are, and which sessions ended."""

from typing import Annotated

from fastapi import APIRouter, Query, Request, Response
from starlette.exceptions import HTTPException

from gatepost.core.http.deps import house
from gatepost.core.http.etags import matches
from gatepost.core.http.problems import responses
from gatepost.tokens.discovery import WELL_KNOWN, Metadata
from gatepost.tokens.revoked import TYPE
from gatepost.tokens.schemas import ServerMetadata

__all__ = ["PUBLISHED", "api", "described"]

api = APIRouter(tags=["tokens"])

_REVOKED = "/sessions/revoked"

# The same for everybody, and asked by machines that share an address.
PUBLISHED = ("/.well-known/jwks.json", WELL_KNOWN, _REVOKED)

_UNCHANGED = {304: {"description": "Not Modified"}}


def described(request: Request, metadata: Metadata) -> Response:
    """Return the answer that describes the service."""
    return _published(request, metadata.body, metadata.etag, 300, "application/json")


@api.get(WELL_KNOWN, response_model=ServerMetadata, responses={**_UNCHANGED, **responses(429)})
async def server_metadata(request: Request) -> Response:
    """Read what this service offers and where (RFC 8414)."""
    return described(request, house(request).metadata)


@api.get(f"{WELL_KNOWN}/{{path:path}}", include_in_schema=False)
async def server_metadata_below(request: Request, path: str) -> Response:
    """Answer where an issuer with a path is looked for, when a proxy hands us the root of its host too."""
    metadata: Metadata = house(request).metadata
    if f"/{path}" != metadata.path:
        raise HTTPException(404)
    return described(request, metadata)


@api.get(
    _REVOKED,
    response_class=Response,
    responses={
        200: {
            "description": "A JWS in compact serialization",
            "content": {f"application/{TYPE}": {"schema": {"type": "string"}}},
        },
        **_UNCHANGED,
        **responses(422, 429, 503),
    },
)
async def revoked_sessions(
    request: Request,
    after: Annotated[str | None, Query(max_length=70, description="`next` of the list before.")] = None,
) -> Response:
    """Read which sessions ended before their access tokens did: a signed list of their ids, for other services."""
    found = await house(request).revoked.after(after)
    return _published(request, found.body.encode(), found.etag, 1, f"application/{TYPE}")


def _published(request: Request, body: bytes, etag: str, max_age: int, media_type: str) -> Response:
    headers = {"Cache-Control": f"public, max-age={max_age}", "ETag": etag}
    if matches(request.headers.get("if-none-match", ""), etag):
        return Response(status_code=304, headers=headers)
    return Response(body, 200, headers, media_type)
