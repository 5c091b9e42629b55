"""What a sign-in on a page ends with."""

from fastapi import Response

from gatepost.core.mail import NoTransport
from gatepost.login import Admission, MfaRequired, StepNeeded, UnderWay, keep_session
from gatepost.pages.visit import Visit

__all__ = ["let_in", "signs_in_by_mail"]


def signs_in_by_mail(visit: Visit) -> bool:
    """Tell whether to offer it. Whether it is allowed is decided where it is asked for."""
    return visit.home.settings.login.mail and not isinstance(visit.home.mail, NoTransport)


def let_in(visit: Visit, outcome: Admission | StepNeeded | UnderWay, onward: str | None = None) -> Response:
    """Have the browser keep the session, and lead on. A page for the next step goes here, before there is a session."""
    if not isinstance(outcome, Admission):
        raise MfaRequired((outcome.next if isinstance(outcome, UnderWay) else outcome).methods)
    answer = visit.go(onward or visit.onward)
    keep_session(visit.home, answer, outcome.session)
    visit.home.cookies.clear(answer, visit.home.cookies.flow_name)
    return answer
