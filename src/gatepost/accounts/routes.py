"""The journeys over HTTP."""

from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Header, Request, Response

from gatepost.accounts.deletion import Deletion
from gatepost.accounts.email_change import EmailChange
from gatepost.accounts.recovery import Recovery
from gatepost.accounts.schemas import (
    ChangeAccount,
    EmailConfirmation,
    EmailOut,
    FirstAdministrator,
    ForgottenPassword,
    NewAccount,
    NewEmail,
    PasswordReset,
    PendingEmail,
)
from gatepost.accounts.service import Accounts
from gatepost.accounts.setup import Setup
from gatepost.accounts.verification import Verification
from gatepost.core.errors import Invalid, Unauthenticated
from gatepost.core.http.cookies import CsrfRefused
from gatepost.core.http.deps import PROTECTED, CallerHere, house, room
from gatepost.core.http.etags import etag, version_of
from gatepost.core.http.idempotency import OnceHere
from gatepost.core.http.json_body import StrictJsonRoute
from gatepost.core.http.problems import responses
from gatepost.core.principal import Principal
from gatepost.proofs import ShownProof
from gatepost.users import StaleVersion, User, UserOut

__all__ = ["api", "own_profile"]

api = APIRouter(tags=["users"], route_class=StrictJsonRoute)

AccountsHere = Annotated[Accounts, room(Accounts)]
DeletionHere = Annotated[Deletion, room(Deletion)]
EmailChangeHere = Annotated[EmailChange, room(EmailChange)]
EmailToRead = Annotated[EmailChange, room(EmailChange, read_only=True)]
RecoveryHere = Annotated[Recovery, room(Recovery)]
VerificationHere = Annotated[Verification, room(Verification)]
IfMatch = Annotated[
    str | None, Header(max_length=100, description="The ETag of the version to change (RFC 9110).")
]

_PROFILE = {200: {"model": UserOut}}


def _version(if_match: str | None) -> int | None:
    """Return the version that an If-Match header names; None if any will do. Raises StaleVersion, Invalid."""
    if if_match is None or if_match.strip() == "*":
        return None
    if if_match.strip().isdigit():
        raise Invalid(
            f"If-Match takes the ETag with its quotes: {etag(int(if_match.strip()[:18]))}", field="If-Match"
        )
    version = version_of(if_match)
    if version is None:
        # Not a tag we ever gave out, so not the current one either.
        raise StaleVersion
    return version


def _shown(profile: Any) -> Response:
    """Return the answer that shows a profile."""
    body = UserOut.model_validate(profile).model_dump_json()
    return Response(body, 200, {"ETag": etag(profile.version)}, "application/json")


def _person(user: User) -> UUID:
    return user.id


@api.post("/users", include_in_schema=False)
@api.post("/users/", responses={**_PROFILE, **responses(400, 403, 409, 413, 415, 422, 429, 503)})
async def sign_up(new: NewAccount, once: OnceHere) -> Response:
    """Create an account."""
    return await once(Accounts, lambda accounts: accounts.sign_up(new), _shown, about=_person)


@api.post(
    "/setup", responses={**_PROFILE, **responses(400, 403, 409, 413, 415, 422, 429, 503)}, tags=["setup"]
)
async def set_up(new: FirstAdministrator, once: OnceHere) -> Response:
    """Create the first administrator with the one-time code that the service printed when it started."""
    return await once(Setup, lambda setup: setup.complete(new.code, new), _shown, about=_person)


async def own_profile(request: Request) -> Response:
    """Answer `GET /users/me` without the framework's machinery: it is asked more than all else together."""
    found = await house(request).caller(request)
    if found is None:
        raise Unauthenticated("Not authenticated")
    caller = found.caller
    return Response(caller.profile_json, 200, {"ETag": etag(caller.profile.version)}, "application/json")


@api.get("/users/me", dependencies=[PROTECTED], responses={**_PROFILE, **responses(401, 429, 503)})
async def me(request: Request) -> Response:
    """Read one's own profile."""
    return await own_profile(request)


@api.patch(
    "/users/me", response_model=UserOut, responses=responses(400, 401, 403, 409, 412, 413, 415, 422, 429, 503)
)
async def change_own(
    me: CallerHere,
    change: ChangeAccount,
    accounts: AccountsHere,
    response: Response,
    if_match: IfMatch = None,
) -> User:
    """Change one's own account. A new password needs the current one, and ends one's other sessions."""
    user = await accounts.change_own(me, change, _version(if_match))
    response.headers["ETag"] = etag(user.version)
    return user


@api.patch(
    "/users/{user_id}",
    response_model=UserOut,
    responses=responses(400, 401, 403, 404, 409, 412, 413, 415, 422, 429, 503),
)
async def change_user(
    me: CallerHere,
    user_id: UUID,
    change: ChangeAccount,
    accounts: AccountsHere,
    response: Response,
    if_match: IfMatch = None,
) -> User:
    """Change an account: one's own as under `/users/me`, another's with `users:write`."""
    if user_id == me.subject:
        user = await accounts.change_own(me, change, _version(if_match))
    else:
        me.need("users:write")
        user = await accounts.change(user_id, change, _version(if_match), actor=me)
    response.headers["ETag"] = etag(user.version)
    return user


@api.delete("/users/me", status_code=204, responses=responses(401, 412, 422, 429, 503))
async def delete_own(me: CallerHere, accounts: AccountsHere, if_match: IfMatch = None) -> Response:
    """Delete one's own account, with its sessions, tokens and secrets: at once, or after the grace period."""
    await accounts.delete_own(me, _version(if_match))
    return Response(status_code=204)


@api.delete("/users/{user_id}", status_code=204, responses=responses(401, 403, 404, 412, 422, 429, 503))
async def delete_user(
    me: CallerHere, user_id: UUID, accounts: AccountsHere, if_match: IfMatch = None
) -> Response:
    """Delete an account: one's own as under `/users/me`, another's with `users:write`."""
    if user_id == me.subject:
        await accounts.delete_own(me, _version(if_match))
    else:
        me.need("users:write")
        await accounts.delete(user_id, _version(if_match), actor=me)
    return Response(status_code=204)


# ── by mail ──────────────────────────────────────────────────────────────────────────────────────────


@api.post(
    "/users/me/email/verification",
    status_code=202,
    response_class=Response,
    responses=responses(401, 403, 409, 429, 503),
)
async def ask_for_verification(me: CallerHere, verification: VerificationHere) -> Response:
    """Get a mail by which to verify one's address. What was sent before does not work any more."""
    await verification.ask_again(me)
    return Response(status_code=202)


@api.get("/users/me/email", responses=responses(401, 429, 503))
async def own_email(me: CallerHere, changes: EmailToRead) -> EmailOut:
    """Read one's address, whether it is verified, and which one waits to take its place."""
    return await changes.state(me)


@api.post("/users/me/email", status_code=202, responses=responses(400, 401, 403, 413, 415, 422, 429, 503))
async def ask_for_email(me: CallerHere, wanted: NewEmail, changes: EmailChangeHere) -> PendingEmail:
    """Ask for another address. The old one counts until the new one is confirmed by the mail that is sent there."""
    return await changes.ask(me, wanted.email)


@api.delete("/users/me/email", status_code=204, responses=responses(401, 403, 429, 503))
async def cancel_email(me: CallerHere, changes: EmailChangeHere) -> Response:
    """Forget the address that waits to be confirmed."""
    await changes.cancel(me)
    return Response(status_code=204)


@api.post("/email/undo", status_code=204, responses=responses(400, 413, 415, 422, 429, 503))
async def undo_email(shown: ShownProof, changes: EmailChangeHere) -> Response:
    """Put the old address back, with the link or the code that was sent there. It ends all sessions."""
    await changes.undo(shown)
    return Response(status_code=204)


@api.post("/email/verify", status_code=204, responses=responses(400, 403, 413, 415, 422, 429, 503))
async def verify_email(
    request: Request, shown: EmailConfirmation, verification: VerificationHere
) -> Response:
    """Verify an address, or confirm a new one: with the code that was sent there, or with the token of the link.

    By the link, whoever is not signed in gives the password as well, or says that they set none.
    """
    await verification.confirm(shown, await _signed_in(request))
    return Response(status_code=204)


async def _signed_in(request: Request) -> Principal | None:
    """Return who is calling, if anybody who may: what is wrong with a credential is nothing to this operation."""
    try:
        return await house(request).authenticate(request)
    except (Unauthenticated, CsrfRefused):
        return None


@api.post("/deletion/cancel", status_code=204, responses=responses(400, 413, 415, 422, 429, 503))
async def cancel_deletion(shown: ShownProof, deletion: DeletionHere) -> Response:
    """Keep an account that was to be deleted, with the link or the code that was sent. It signs nobody in."""
    await deletion.cancel(shown)
    return Response(status_code=204)


@api.post(
    "/password/forgot",
    status_code=202,
    response_class=Response,
    responses=responses(413, 415, 422, 429, 503),
)
async def forgot_password(given: ForgottenPassword, recovery: RecoveryHere) -> Response:
    """Get a mail by which to set a new password. The answer is the same whether the address has an account."""
    await recovery.ask(given.email)
    return Response(status_code=202)


@api.post("/password/reset", status_code=204, responses=responses(400, 413, 415, 422, 429, 503))
async def reset_password(given: PasswordReset, recovery: RecoveryHere) -> Response:
    """Set a new password: with the token of the link that was sent, or with the code. It ends all sessions."""
    await recovery.reset(given, given.password)
    return Response(status_code=204)
