"""Sessions in a browser's cookie: keeping one that was started, and knowing whose the browser has."""

from typing import Any

from gatepost.core.principal import Principal
from gatepost.sessions import StartedSession
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


def keep_session(home: Any, response: Any, session: StartedSession) -> str:
    """Have the browser keep a session that was started for it; return the secret that it keeps."""
    cookie = session.cookie
    if cookie is None:
        raise RuntimeError("this way in ends with a cookie")
    seconds = int(home.settings.sessions.lifetime.total_seconds()) if session.remember else None
    home.cookies.set(response, home.cookies.session_name, cookie, seconds)
    return cookie
