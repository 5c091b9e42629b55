"""Exports over HTTP."""

from typing import Annotated

from fastapi import APIRouter, Response

from gatepost.core.http.deps import CallerHere, room
from gatepost.core.http.problems import responses
from gatepost.exports.schemas import ExportOut
from gatepost.exports.service import Exports

__all__ = ["api"]

api = APIRouter(tags=["users"])

ExportsHere = Annotated[Exports, room(Exports)]


@api.get("/users/me/export", responses=responses(401, 429, 503))
async def export_own(me: CallerHere, exports: ExportsHere, response: Response) -> ExportOut:
    """Take a copy of all that is held about oneself. Needs a fresh sign-in."""
    response.headers["Content-Disposition"] = 'attachment; filename="account.json"'
    return await exports.of(me)
