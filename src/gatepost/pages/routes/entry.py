"""What a sign-in on a page ends with, or goes on with."""

from collections.abc import Mapping
from typing import Any

from fastapi import Response

from gatepost.core.mail import NoTransport
from gatepost.login import (
    Admission,
    EmailUnverified,
    FlowInvalid,
    FlowSteps,
    InvalidCredentials,
    RememberedDevice,
    StepNeeded,
    UnderWay,
    keep_session,
)
from gatepost.pages.visit import CODES, Visit

__all__ = [
    "ENROL",
    "STEP",
    "device_here",
    "go_on",
    "let_in",
    "missing_steps",
    "signs_in_by_mail",
    "told_of_flow",
]

STEP = "/sign-in/step"
ENROL = "/sign-in/enrol"


def signs_in_by_mail(visit: Visit) -> bool:
    """Tell whether to offer it. Whether it is allowed is decided where it is asked for."""
    return visit.home.settings.login.mail and not isinstance(visit.home.mail, NoTransport)


def device_here(visit: Visit) -> RememberedDevice:
    """Return the device that this browser says it is."""
    token = visit.request.cookies.get(visit.home.cookies.device_name)
    return RememberedDevice().model_copy(update={"device_token": token})


def told_of_flow(visit: Visit, form: Mapping[str, str]) -> dict[str, Any]:
    """Return what every step has: which flow it is of, and whether its device is or shall be remembered."""
    return {
        "flow": visit.request.query_params.get("flow", ""),
        "remember_device": "remember_device" in form,
    }


def let_in(
    visit: Visit,
    outcome: Admission | UnderWay | StepNeeded,
    flow: str = "",
    binding: str | None = None,
    *,
    onward: str | None = None,
) -> Response:
    """Have the browser keep the session, and lead on; or to the page of the next step, while there is none."""
    if isinstance(outcome, UnderWay):
        begun = outcome.flow
        return go_on(visit, outcome.next, begun.handle, begun.binding)
    if isinstance(outcome, StepNeeded):
        return go_on(visit, outcome, flow, binding)
    answer = visit.go(onward or visit.onward)
    if outcome.recovery_codes:
        # They are shown once, before anything else.
        answer = visit.go(visit.with_return(CODES), "app-added")
        visit.keep(answer, CODES, outcome.session.user_id, codes=outcome.recovery_codes)
    keep_session(visit.home, answer, outcome)
    visit.home.cookies.clear(answer, visit.home.cookies.flow_name)
    return answer


def go_on(visit: Visit, needed: StepNeeded, flow: str, binding: str | None = None) -> Response:
    """Lead to the page of the next step of a flow."""
    page = ENROL if any(each.startswith("enrol_") for each in needed.methods) else STEP
    there = {"flow": flow, **({"return_to": visit.wanted} if visit.wanted else {})}
    answer = visit.go(visit.place(page, there))
    if binding is not None:
        seconds = int(visit.home.settings.login.flow_lifetime.total_seconds())
        visit.home.cookies.set(answer, visit.home.cookies.flow_name, binding, seconds)
    return answer


async def missing_steps(visit: Visit) -> tuple[str, ...]:
    """Return what would do as the next step of the flow of this page. Raises FlowInvalid."""
    flow = visit.request.query_params.get("flow", "")
    binding = visit.request.cookies.get(visit.home.cookies.flow_name)
    try:
        found: tuple[str, ...] = await visit.reading(FlowSteps).missing(flow, binding)
    except (InvalidCredentials, EmailUnverified):
        # Whose sign-in would be refused has none that could go on.
        raise FlowInvalid from None
    return found
