"""Second factors over HTTP: one's own, and their reset."""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Response

from gatepost.core.http.deps import CallerHere, require, room
from gatepost.core.http.json_body import StrictJsonRoute
from gatepost.core.http.problems import responses
from gatepost.mfa.devices import RememberedDevices
from gatepost.mfa.own_factors import Factors
from gatepost.mfa.resets import FactorResets
from gatepost.mfa.schemas import (
    ConfirmTotp,
    DeviceList,
    DevicesForgotten,
    FactorConfirmed,
    FactorList,
    NewTotp,
    RecoveryCodesOut,
    TotpEnrolment,
)
from gatepost.proofs import ShownProof
from gatepost.users import Users

__all__ = ["api"]

api = APIRouter(tags=["second factors"], route_class=StrictJsonRoute)

FactorsHere = Annotated[Factors, room(Factors)]
FactorsToRead = Annotated[Factors, room(Factors, read_only=True)]
ResetsHere = Annotated[FactorResets, room(FactorResets)]
DevicesHere = Annotated[RememberedDevices, room(RememberedDevices)]
DevicesToRead = Annotated[RememberedDevices, room(RememberedDevices, read_only=True)]
UsersToRead = Annotated[Users, room(Users, read_only=True)]


@api.get("/users/me/factors", responses=responses(401, 429, 503))
async def own_factors(me: CallerHere, factors: FactorsToRead) -> FactorList:
    """List one's own second factors, and how many recovery codes are left."""
    return await factors.of(me.subject)


@api.post("/users/me/factors/totp", responses=responses(401, 403, 409, 413, 415, 422, 429, 503))
async def begin_totp(me: CallerHere, new: NewTotp, factors: FactorsHere) -> TotpEnrolment:
    """Begin to add an authenticator app: it counts once a code of it has come. Needs a fresh sign-in."""
    return await factors.begin_totp(me, new)


@api.post("/users/me/factors/totp/confirm", responses=responses(400, 401, 403, 413, 415, 422, 429, 503))
async def confirm_totp(me: CallerHere, given: ConfirmTotp, factors: FactorsHere) -> FactorConfirmed:
    """Let an authenticator app count by a code of it. Ends one's other sessions; the first brings recovery codes."""
    return await factors.confirm_totp(me, given)


@api.post("/users/me/factors/recovery-codes", responses=responses(401, 403, 409, 429, 503))
async def new_recovery_codes(me: CallerHere, factors: FactorsHere) -> RecoveryCodesOut:
    """Get new recovery codes, shown this once; those of before are dead. Needs a fresh sign-in with the factor."""
    return RecoveryCodesOut(codes=await factors.new_codes(me))


@api.delete("/users/me/factors/reset", status_code=204, responses=responses(401, 403, 429, 503))
async def keep_own_factors(me: CallerHere, factors: FactorsHere) -> Response:
    """Keep the factors that somebody asked to have removed."""
    await factors.keep(me)
    return Response(status_code=204)


@api.delete(
    "/users/me/factors/{factor_id}", status_code=204, responses=responses(401, 403, 404, 409, 422, 429, 503)
)
async def remove_factor(me: CallerHere, factor_id: UUID, factors: FactorsHere) -> Response:
    """Remove one of one's second factors. Needs a fresh sign-in with a factor, and ends one's other sessions."""
    await factors.remove(me, factor_id)
    return Response(status_code=204)


@api.post("/factors/reset/cancel", status_code=204, responses=responses(400, 413, 415, 422, 429, 503))
async def cancel_factor_reset(shown: ShownProof, resets: ResetsHere) -> Response:
    """Keep one's second factors, with the link or the code that was sent. It signs nobody in."""
    await resets.cancel(shown)
    return Response(status_code=204)


# ── devices ──────────────────────────────────────────────────────────────────────────────────────────


@api.get("/users/me/remembered-devices", responses=responses(401, 429, 503))
async def own_devices(me: CallerHere, devices: DevicesToRead) -> DeviceList:
    """List the devices on which one is not asked for a second factor, the one that was used last first."""
    return DeviceList(items=await devices.of(me.subject))


@api.delete("/users/me/remembered-devices", responses=responses(401, 403, 429, 503))
async def forget_devices(me: CallerHere, devices: DevicesHere) -> DevicesForgotten:
    """Forget all remembered devices: the next sign-in asks for the second factor on each."""
    return DevicesForgotten(forgotten=await devices.forget_all(me.subject))


@api.delete(
    "/users/me/remembered-devices/{device_id}",
    status_code=204,
    responses=responses(401, 403, 404, 422, 429, 503),
)
async def forget_device(me: CallerHere, device_id: UUID, devices: DevicesHere) -> Response:
    """Forget one remembered device."""
    await devices.forget(me.subject, device_id)
    return Response(status_code=204)


# ── administrators ───────────────────────────────────────────────────────────────────────────────────


@api.get(
    "/users/{user_id}/factors",
    dependencies=[require("users:read")],
    responses=responses(401, 403, 404, 422, 429, 503),
)
async def factors_of(user_id: UUID, users: UsersToRead, factors: FactorsToRead) -> FactorList:
    """List anybody's second factors. Needs `users:read`."""
    await users.profile(user_id)
    return await factors.of(user_id)


@api.post(
    "/users/{user_id}/factors/reset",
    status_code=204,
    dependencies=[require("users:write")],
    responses=responses(401, 403, 404, 422, 429, 503),
)
async def reset_factors(me: CallerHere, user_id: UUID, resets: ResetsHere) -> Response:
    """Remove all second factors of somebody else, who is told, and end their sessions. Needs `users:write`."""
    await resets.by_administrator(me, user_id)
    return Response(status_code=204)
