"""One's own passkeys: made by the browser with a script, all else without."""

from ipaddress import ip_address
from uuid import UUID

from fastapi import Response

from gatepost.mfa import FactorNotFound
from gatepost.pages.routes.journey import brought, journey
from gatepost.pages.routes.security import numbered
from gatepost.pages.visit import REFUSALS, SECURITY, MemberHere, OwnFormHere
from gatepost.passkeys import (
    AttestationResponse,
    NewPasskey,
    OwnPasskeys,
    PasskeyNotFound,
    PasskeyOut,
    Rename,
)

__all__ = ["pages"]

pages = journey()

_NEW = f"{SECURITY}/passkey"
_ONE = f"{SECURITY}/passkeys/{{passkey}}"


@pages.get(_NEW)
async def new(visit: MemberHere) -> Response:
    """Ask what to call it. A script then has the browser make it."""
    await visit.need_authority()
    policy, there = visit.home.settings.mfa.policy, await _by_name(visit)
    return visit.page("passkey-new", policy=policy, by_name=there)


@pages.post(_NEW)
async def add(visit: MemberHere, form: OwnFormHere) -> Response:
    """Take what the browser made."""
    try:
        made = NewPasskey(name=form.get("name", ""), credential=brought(form, AttestationResponse))
        async with visit.work() as work:
            await visit.home.build(OwnPasskeys, work).register(visit.me, made)
    except REFUSALS as error:
        return visit.back(error, form)
    return visit.go(visit.place(SECURITY), "passkey-added")


@pages.get(_ONE)
async def look(visit: MemberHere, passkey: str) -> Response:
    """Show one, to be named or removed."""
    await visit.need_authority()
    return visit.page("passkey", passkey=await _found(visit, numbered(passkey)))


@pages.post(_ONE)
async def change(visit: MemberHere, form: OwnFormHere, passkey: str) -> Response:
    """Give it another name, or remove it."""
    removes = form.get("do") == "remove"
    try:
        async with visit.work() as work:
            own = visit.home.build(OwnPasskeys, work)
            if removes:
                await own.remove(visit.me, numbered(passkey))
            else:
                wanted = Rename(name=form.get("name", ""))
                await own.rename(visit.me, numbered(passkey), wanted.name)
    except (PasskeyNotFound, FactorNotFound):
        return visit.go(visit.place(SECURITY))
    except REFUSALS as error:
        return visit.back(error, form)
    return visit.go(visit.place(SECURITY), "passkey-removed" if removes else "saved")


async def _by_name(visit: MemberHere) -> str | None:
    """Return the address of this page by the name of its site, if it was opened by a number: browsers want a name."""
    url = visit.request.url
    try:
        ip_address(url.hostname or "")
    except ValueError:
        return None
    known = await visit.reading(OwnPasskeys).of(visit.me.subject)
    return str(url.replace(hostname=known.rp_id))


async def _found(visit: MemberHere, wanted: UUID) -> PasskeyOut:
    for each in (await visit.reading(OwnPasskeys).of(visit.me.subject)).items:
        if each.id == wanted:
            return each
    raise PasskeyNotFound
