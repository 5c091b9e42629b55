"""Sessions over HTTP: one's own, and anybody's for administrators."""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Response

from gatepost.core.http.deps import CallerHere, require, room
from gatepost.core.http.json_body import StrictJsonRoute
from gatepost.core.http.problems import responses
from gatepost.sessions.models import EndReason
from gatepost.sessions.schemas import SessionList, SessionsEnded
from gatepost.sessions.service import Sessions
from gatepost.users import Users

__all__ = ["api"]

api = APIRouter(tags=["sessions"], route_class=StrictJsonRoute)

SessionsHere = Annotated[Sessions, room(Sessions)]
UsersToRead = Annotated[Users, room(Users, read_only=True)]
SessionsToRead = Annotated[Sessions, room(Sessions, read_only=True)]


@api.get("/users/me/sessions", responses=responses(401, 429, 503))
async def own_sessions(me: CallerHere, sessions: SessionsToRead) -> SessionList:
    """List one's own live sessions, the one that was used last first."""
    return SessionList(items=await sessions.of(me.subject, me.session_id))


@api.delete("/users/me/sessions", responses=responses(401, 403, 429, 503))
async def end_other_sessions(me: CallerHere, sessions: SessionsHere) -> SessionsEnded:
    """End all of one's sessions but the one that asks."""
    ended = await sessions.end_all(me.subject, EndReason.REVOKED, keep=me.session_id)
    return SessionsEnded(ended=ended)


@api.delete(
    "/users/me/sessions/{session_id}", status_code=204, responses=responses(401, 403, 404, 422, 429, 503)
)
async def end_own_session(me: CallerHere, session_id: UUID, sessions: SessionsHere) -> Response:
    """End one of one's own sessions; the one that asks is signed out."""
    own = session_id == me.session_id
    await sessions.revoke(me.subject, session_id, EndReason.SIGNED_OUT if own else EndReason.REVOKED)
    return Response(status_code=204)


@api.get(
    "/users/{user_id}/sessions",
    dependencies=[require("users:read")],
    responses=responses(401, 403, 404, 422, 429, 503),
)
async def sessions_of(
    user_id: UUID, me: CallerHere, users: UsersToRead, sessions: SessionsToRead
) -> SessionList:
    """List anybody's live sessions. Needs `users:read`."""
    await users.profile(user_id)
    return SessionList(items=await sessions.of(user_id, me.session_id))


@api.delete(
    "/users/{user_id}/sessions",
    dependencies=[require("users:write")],
    responses=responses(401, 403, 404, 422, 429, 503),
)
async def end_sessions_of(user_id: UUID, users: UsersToRead, sessions: SessionsHere) -> SessionsEnded:
    """End all of somebody's sessions. Needs `users:write`."""
    await users.profile(user_id)
    return SessionsEnded(ended=await sessions.end_all(user_id, EndReason.REVOKED_BY_ADMIN))


@api.delete(
    "/users/{user_id}/sessions/{session_id}",
    status_code=204,
    dependencies=[require("users:write")],
    responses=responses(401, 403, 404, 422, 429, 503),
)
async def end_session_of(user_id: UUID, session_id: UUID, sessions: SessionsHere) -> Response:
    """End one of somebody's sessions. Needs `users:write`."""
    await sessions.revoke(user_id, session_id, EndReason.REVOKED_BY_ADMIN)
    return Response(status_code=204)
