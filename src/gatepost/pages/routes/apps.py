"""Authenticator apps, and the recovery codes that stand in for them."""

import asyncio

from fastapi import Response

from gatepost.mfa import ConfirmTotp, FactorNotFound, Factors, NewTotp, qr_svg
from gatepost.pages.routes.journey import digits_of, journey
from gatepost.pages.routes.security import numbered
from gatepost.pages.visit import CODES, REFUSALS, SECURITY, MemberHere, OwnFormHere

__all__ = ["pages"]

pages = journey()

_NEW = f"{SECURITY}/app"


# ── adding one ───────────────────────────────────────────────────────────────────────────────────────


@pages.get(_NEW)
async def new(visit: MemberHere) -> Response:
    """Ask what to call it; once that is said, show what the app must know and ask for its first code."""
    await visit.need_authority()
    begun = visit.kept(visit.me.subject)
    if begun is None:
        return visit.page("app")
    drawn = await asyncio.to_thread(qr_svg, begun["uri"])
    return visit.page("app-code", secret=begun["secret"], uri=begun["uri"], drawn=drawn, from_app=True)


@pages.post(_NEW)
async def add(visit: MemberHere, form: OwnFormHere) -> Response:
    """Begin, or let the app count by a code of it."""
    begun = visit.kept(visit.me.subject)
    if form.get("do") == "again":
        return visit.forget(visit.go(visit.here))
    try:
        if begun is None:
            return await _begin(visit, NewTotp(name=form.get("name")))
        return await _confirm(visit, ConfirmTotp(id=begun["id"], code=digits_of(form)))
    except REFUSALS as error:
        return visit.back(error, form)


async def _begin(visit: MemberHere, wanted: NewTotp) -> Response:
    async with visit.work() as work:
        begun = await visit.home.build(Factors, work).begin_totp(visit.me, wanted)
    answer = visit.go(visit.here)
    known = {"id": str(begun.id), "secret": begun.secret, "uri": begun.uri}
    visit.keep(answer, _NEW, visit.me.subject, **known)
    return answer


async def _confirm(visit: MemberHere, given: ConfirmTotp) -> Response:
    async with visit.work() as work:
        done = await visit.home.build(Factors, work).confirm_totp(visit.me, given)
    if done.recovery_codes is None:
        return visit.forget(visit.go(visit.place(SECURITY), "app-added"))
    answer = visit.go(visit.place(CODES), "app-added")
    visit.keep(answer, CODES, visit.me.subject, codes=done.recovery_codes)
    return answer


# ── one of them ──────────────────────────────────────────────────────────────────────────────────────


@pages.get(f"{SECURITY}/apps/{{app}}")
async def look(visit: MemberHere, app: str) -> Response:
    """Say what it means to remove it."""
    await visit.need_authority()
    wanted = numbered(app)
    found = await visit.reading(Factors).of(visit.me.subject)
    for each in found.items:
        if each.id == wanted:
            return visit.page("app-remove", app=each, ends=visit.home.settings.mfa.change_ends_sessions)
    raise FactorNotFound


@pages.post(f"{SECURITY}/apps/{{app}}")
async def remove(visit: MemberHere, form: OwnFormHere, app: str) -> Response:
    """Remove it."""
    try:
        async with visit.work() as work:
            await visit.home.build(Factors, work).remove(visit.me, numbered(app))
    except FactorNotFound:
        return visit.go(visit.place(SECURITY))
    except REFUSALS as error:
        return visit.back(error, form)
    return visit.go(visit.place(SECURITY), "app-removed")


# ── recovery codes ───────────────────────────────────────────────────────────────────────────────────


@pages.get(CODES)
async def codes(visit: MemberHere) -> Response:
    """Show those that were just made until somebody has kept them; else how many are left."""
    made = visit.kept(visit.me.subject)
    if made is not None:
        return visit.page("codes", codes=made["codes"])
    await visit.need_authority()
    found = await visit.reading(Factors).of(visit.me.subject)
    return visit.page("codes-new", left=found.recovery_codes_left)


@pages.post(CODES)
async def make(visit: MemberHere, form: OwnFormHere) -> Response:
    """Make new ones in the place of those of before, or show them no more."""
    if form.get("do") == "done":
        onward = visit.wanted or visit.place(SECURITY)
        return visit.forget(visit.go(onward, "codes-kept"))
    try:
        async with visit.work() as work:
            made = await visit.home.build(Factors, work).new_codes(visit.me)
    except REFUSALS as error:
        return visit.back(error, form)
    answer = visit.go(visit.here)
    visit.keep(answer, CODES, visit.me.subject, codes=made)
    return answer
