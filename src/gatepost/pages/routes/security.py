"""How one signs in: passkeys, authenticator apps, recovery codes, and devices that are remembered."""

from collections.abc import Awaitable, Callable, Mapping
from uuid import UUID

from fastapi import Response

from gatepost.core.errors import Invalid
from gatepost.core.work import Work
from gatepost.mfa import FactorNotFound, Factors, RememberedDevices
from gatepost.pages.routes.journey import journey
from gatepost.pages.visit import SECURITY, Member, MemberHere, OwnFormHere
from gatepost.passkeys import OwnPasskeys

__all__ = ["pages"]

pages = journey()


@pages.get(SECURITY)
async def security(visit: MemberHere) -> Response:
    """Show all of it."""
    return visit.page(
        "security",
        factors=await visit.reading(Factors).of(visit.me.subject),
        passkeys=await visit.reading(OwnPasskeys).of(visit.me.subject),
        devices=await visit.reading(RememberedDevices).of(visit.me.subject),
        policy=visit.home.settings.mfa.policy,
    )


@pages.post(SECURITY)
async def act(visit: MemberHere, form: OwnFormHere) -> Response:
    """Do what the button says."""
    button = form.get("do", "")
    if button not in BUTTONS:
        raise Invalid(field="do")
    do, notice = BUTTONS[button]
    try:
        async with visit.work() as work:
            await do(visit, work, form)
    except FactorNotFound:
        # Its time was up, or the button was pressed twice: the list says so.
        return visit.go(visit.here)
    return visit.go(visit.here, notice)


async def _forget(visit: Member, work: Work, form: Mapping[str, str]) -> None:
    devices = visit.home.build(RememberedDevices, work)
    await devices.forget(visit.me.subject, numbered(form.get("device", "")))


async def _forget_all(visit: Member, work: Work, _form: Mapping[str, str]) -> None:
    await visit.home.build(RememberedDevices, work).forget_all(visit.me.subject)


async def _keep(visit: Member, work: Work, _form: Mapping[str, str]) -> None:
    await visit.home.build(Factors, work).keep(visit.me)


def numbered(typed: str) -> UUID:
    """Return the id that a button or an address names. Raises FactorNotFound."""
    try:
        return UUID(typed)
    except ValueError:
        raise FactorNotFound from None


BUTTONS: Mapping[str, tuple[Callable[[Member, Work, Mapping[str, str]], Awaitable[None]], str]] = {
    "forget": (_forget, "device-forgotten"),
    "forget-all": (_forget_all, "devices-forgotten"),
    "keep": (_keep, "factors-kept"),
}
