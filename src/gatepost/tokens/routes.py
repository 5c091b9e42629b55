"""The public keys over HTTP."""

from fastapi import APIRouter, Request, Response

from gatepost.core.http.deps import house
from gatepost.core.http.etags import matches
from gatepost.core.http.problems import responses
from gatepost.tokens.schemas import KeySet

__all__ = ["api"]

api = APIRouter(tags=["tokens"])


@api.get(
    "/.well-known/jwks.json",
    response_model=KeySet,
    responses={304: {"description": "Not Modified"}, **responses(503)},
)
async def jwks(request: Request) -> Response:
    """Read the public keys that verify our tokens (RFC 7517). With `If-None-Match` only if they changed (RFC 9110)."""
    published = await house(request).keys.published()
    headers = {"Cache-Control": f"public, max-age={published.max_age}", "ETag": published.etag}
    if matches(request.headers.get("if-none-match", ""), published.etag):
        return Response(status_code=304, headers=headers)
    return Response(published.body, 200, headers, "application/json")
