"""One's own passkeys over HTTP, and where browsers read which other domains may use them."""

from collections.abc import Awaitable, Callable, Sequence
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Request, Response
from starlette.responses import JSONResponse

from gatepost.core.http.deps import CallerHere, house, room
from gatepost.core.http.json_body import StrictJsonRoute
from gatepost.core.http.problems import responses
from gatepost.passkeys.own import OwnPasskeys
from gatepost.passkeys.schemas import CreationOptions, NewPasskey, PasskeyList, PasskeyOut, Rename
from gatepost.passkeys.site import RELATED_ORIGINS

__all__ = ["api", "related", "related_origins"]

api = APIRouter(tags=["passkeys"], route_class=StrictJsonRoute)
related = APIRouter(tags=["passkeys"])

PasskeysHere = Annotated[OwnPasskeys, room(OwnPasskeys)]
PasskeysToRead = Annotated[OwnPasskeys, room(OwnPasskeys, read_only=True)]


@api.get("/users/me/passkeys", responses=responses(401, 429, 503))
async def own_passkeys(me: CallerHere, passkeys: PasskeysToRead) -> PasskeyList:
    """List one's own passkeys, the oldest first."""
    return await passkeys.of(me.subject)


@api.post("/users/me/passkeys/options", responses=responses(401, 403, 409, 429, 503))
async def passkey_options(me: CallerHere, passkeys: PasskeysHere) -> CreationOptions:
    """Ask for what the browser needs to make a passkey. Needs a fresh sign-in; the answer comes in this session."""
    return await passkeys.creation_options(me)


@api.post(
    "/users/me/passkeys", status_code=201, responses=responses(400, 401, 403, 409, 413, 415, 422, 429, 503)
)
async def add_passkey(me: CallerHere, new: NewPasskey, passkeys: PasskeysHere) -> PasskeyOut:
    """Add the passkey that the browser made. Needs a fresh sign-in. A refusal says the `reason`."""
    return await passkeys.register(me, new)


@api.patch(
    "/users/me/passkeys/{passkey_id}", responses=responses(400, 401, 403, 404, 413, 415, 422, 429, 503)
)
async def rename_passkey(
    me: CallerHere, passkey_id: UUID, wanted: Rename, passkeys: PasskeysHere
) -> PasskeyOut:
    """Give a passkey another name. Needs a fresh sign-in."""
    return await passkeys.rename(me, passkey_id, wanted.name)


@api.delete(
    "/users/me/passkeys/{passkey_id}", status_code=204, responses=responses(401, 403, 404, 409, 422, 429, 503)
)
async def remove_passkey(me: CallerHere, passkey_id: UUID, passkeys: PasskeysHere) -> Response:
    """Remove a passkey, which lets nobody in from then on. Needs a fresh sign-in, and another way in."""
    await passkeys.remove(me, passkey_id)
    return Response(status_code=204)


def related_origins(origins: Sequence[str]) -> Callable[[Request], Awaitable[Response]]:
    """Return what answers with these origins, for the root of a host that embeds us."""

    async def answer(_request: Request) -> Response:
        return JSONResponse({"origins": [*origins]}, headers={"Cache-Control": "public, max-age=300"})

    return answer


@related.get(RELATED_ORIGINS, responses={**responses(429)})
async def passkey_origins(request: Request) -> Response:
    """Read which other domains' pages may use the passkeys of this one (WebAuthn Level 3, section 5.11)."""
    return await related_origins(house(request).settings.passkeys.related_origins)(request)
