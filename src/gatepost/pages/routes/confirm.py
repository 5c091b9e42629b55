"""Showing that it is still oneself, before what cannot be undone."""

from typing import Any

from fastapi import Response

from gatepost.login import Login, MfaRequired, ProvenAgain
from gatepost.mfa import Factors, TotpDelayed
from gatepost.pages.routes.entry import let_in, signs_in_by_mail
from gatepost.pages.routes.journey import brought, digits_of, journey
from gatepost.pages.visit import REFUSALS, MemberHere, OwnFormHere
from gatepost.passkeys import AssertionResponse, OwnPasskeys

__all__ = ["pages"]

pages = journey()

_PAGE = "/account/confirm"


@pages.get(_PAGE)
async def confirm(visit: MemberHere) -> Response:
    """Ask for the password once more, and for the second factor of whoever has one."""
    factors = await visit.reading(Factors).of(visit.me.subject)
    has_passkey = bool((await visit.reading(OwnPasskeys).of(visit.me.subject)).items)
    asks = visit.home.settings.mfa.policy != "off"
    recovery = asks and _with_recovery(visit) and factors.recovery_codes_left > 0
    offered = asks and factors.recovery_codes_left > 0 and not recovery
    there = {"with": "recovery", **({"return_to": visit.wanted} if visit.wanted else {})}
    return visit.page(
        "confirm",
        second=asks and (factors.items or has_passkey),
        recovery=recovery,
        has_passkey=has_passkey,
        with_recovery=visit.place(_PAGE, there) if offered else "",
        by_mail=visit.with_return("/sign-in/mail") if signs_in_by_mail(visit) else "",
        **({"from_app": True} if asks and factors.items else {}),
    )


@pages.post(_PAGE)
async def show(visit: MemberHere, form: OwnFormHere) -> Response:
    """Put a new session in the place of this one, and lead on."""
    remember = visit.profile.remember
    try:
        given = ProvenAgain(**_shown(visit, form))
        async with visit.work() as work:
            admitted = await visit.home.build(Login, work).reauthenticate(visit.me, given, remember=remember)
    except TotpDelayed as error:
        return visit.back(error, {})
    except MfaRequired as error:
        return visit.back(error, form)
    except REFUSALS as error:
        return visit.back(error, form, **{"": "passkey" if "credential" in form else "password"})
    return let_in(visit, admitted)


def _shown(visit: MemberHere, form: OwnFormHere) -> dict[str, Any]:
    if "credential" in form:
        return {"credential": brought(form, AssertionResponse)}
    shown: dict[str, Any] = {"password": form.get("password", "")}
    if "code" in form:
        shown |= {"recovery_code": form["code"]} if _with_recovery(visit) else {"code": digits_of(form)}
    return shown


def _with_recovery(visit: MemberHere) -> bool:
    return visit.request.query_params.get("with") == "recovery"
