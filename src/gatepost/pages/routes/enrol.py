"""Adding a second factor on the way in, where one must have one."""

import asyncio
from collections.abc import Mapping
from typing import Any

from fastapi import Response

from gatepost.login import EnrolPasskeyStep, EnrolTotpStep, FlowInvalid, FlowSteps, Login
from gatepost.mfa import qr_svg
from gatepost.pages.routes.entry import ENROL, let_in, missing_steps, told_of_flow
from gatepost.pages.routes.journey import brought, digits_of, journey
from gatepost.pages.visit import REFUSALS, FormHere, Visit, VisitHere
from gatepost.passkeys import AttestationResponse
from gatepost.sessions import device

__all__ = ["pages"]

pages = journey()

_OPTIONS = f"{ENROL}/options"


@pages.get(ENROL)
async def choose(visit: VisitHere) -> Response:
    """Ask which; once an app is to be added, show what it must know and ask for its first code."""
    try:
        methods = await missing_steps(visit)
    except FlowInvalid:
        return _over(visit)
    begun = visit.kept(_flow(visit))
    if begun is not None:
        drawn = await asyncio.to_thread(qr_svg, begun["uri"])
        told = {"secret": begun["secret"], "uri": begun["uri"], "drawn": drawn}
        return visit.page("enrol-app", None, from_app=True, **told)
    options = visit.place(_OPTIONS, {"flow": _flow(visit)})
    named = device(visit.request.headers.get("user-agent"))
    return visit.page("enrol", methods=methods, options=options, device=named)


@pages.post(_OPTIONS)
async def options(visit: VisitHere, _form: FormHere) -> Response:
    """Return what a script needs to have a passkey made."""
    async with visit.work() as work:
        asked = await visit.home.build(FlowSteps, work).creation_options(_flow(visit), _binding(visit))
    return Response(asked.model_dump_json(by_alias=True), media_type="application/json")


@pages.post(ENROL)
async def add(visit: VisitHere, form: FormHere) -> Response:
    """Begin to add an app, or take what was added and lead on."""
    button, begun = form.get("do"), visit.kept(_flow(visit))
    if button == "again":
        return visit.forget(visit.go(visit.here))
    try:
        if button == "passkey":
            return await _finish(visit, _passkey(visit, form))
        if begun is None:
            return await _begin(visit)
        told, code = told_of_flow(visit, form), digits_of(form)
        return await _finish(visit, EnrolTotpStep(**told, method="enrol_totp", id=begun["id"], code=code))
    except FlowInvalid:
        return _over(visit)
    except REFUSALS as error:
        return visit.back(error, form, **{"": "code"})


async def _begin(visit: Visit) -> Response:
    async with visit.work() as work:
        begun = await visit.home.build(FlowSteps, work).begin_totp(_flow(visit), _binding(visit), None)
    answer = visit.go(visit.here)
    known = {"id": str(begun.id), "secret": begun.secret, "uri": begun.uri}
    visit.keep(answer, ENROL, _flow(visit), **known)
    return answer


def _passkey(visit: Visit, form: Mapping[str, str]) -> EnrolPasskeyStep:
    made, name = brought(form, AttestationResponse), form.get("name", "")
    return EnrolPasskeyStep(**told_of_flow(visit, form), method="enrol_passkey", name=name, credential=made)


async def _finish(visit: Visit, given: Any) -> Response:
    async with visit.work() as work:
        login = visit.home.build(Login, work)
        outcome = await login.prove(
            _flow(visit), _binding(visit), given, here=visit.me_here, carrier="cookie"
        )
    return let_in(visit, outcome, _flow(visit))


def _flow(visit: Visit) -> str:
    return visit.request.query_params.get("flow", "")


def _binding(visit: Visit) -> str | None:
    return visit.request.cookies.get(visit.home.cookies.flow_name)


def _over(visit: Visit) -> Response:
    return visit.forget(visit.go(visit.with_return("/sign-in"), "flow-over"))
