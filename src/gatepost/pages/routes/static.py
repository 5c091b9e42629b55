"""The files that pages load."""

from fastapi import APIRouter, Request, Response
from starlette.exceptions import HTTPException

from gatepost.core.http.deps import house

__all__ = ["files"]

files = APIRouter(include_in_schema=False)

_FOR_EVER = "public, max-age=31536000, immutable"


@files.get("/assets/{name}")
async def asset(request: Request, name: str) -> Response:
    """Answer with a file; what is asked for under its own name may be kept for ever."""
    found = house(request).pages.assets.find(name)
    if found is None:
        raise HTTPException(404)
    kept = _FOR_EVER if found.is_current else "no-cache"
    return Response(found.content, 200, {"Cache-Control": kept}, found.media_type)
