"""Sessions in a browser's cookie: keeping one that was started, and knowing whose the browser has."""

from typing import Any

from gatepost.core.principal import Principal
from gatepost.login.service import Admission
from gatepost.tokens import TokenInvalid

# Requests and responses are `Any`: rooms whose rules know no HTTP come in by the same front door.

__all__ = ["keep_session", "signed_in_here"]


async def signed_in_here(home: Any, request: Any) -> Principal | None:
    """Return whose live session this browser has, if any; one that is over is no reason to refuse a new one."""
    try:
        found = await home.browser_session(request)
    except TokenInvalid:
        return None
    return found.principal if found else None


def keep_session(home: Any, response: Any, admitted: Admission) -> str:
    """Have the browser keep a session, and that it is remembered if it is; return the secret of the session."""
    session = admitted.session
    if session.cookie is None:
        raise RuntimeError("this way in ends with a cookie")
    seconds = int(home.settings.sessions.lifetime.total_seconds()) if session.remember else None
    home.cookies.set(response, home.cookies.session_name, session.cookie, seconds)
    if admitted.device is not None:
        remembered = int(home.settings.mfa.remember_for.total_seconds())
        home.cookies.set(response, home.cookies.device_name, admitted.device, remembered)
    return session.cookie
