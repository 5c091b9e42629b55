"""What the door does with cookies of browsers."""

from fastapi import Request, Response

from gatepost.core.http.cookies import Cookies
from gatepost.core.http.deps import house
from gatepost.core.principal import Principal
from gatepost.login.schemas import SignedIn
from gatepost.login.service import Admission
from gatepost.tokens import TokenInvalid
from gatepost.users import UserOut

__all__ = ["cookies_of", "signed_in", "signed_in_here"]


def cookies_of(request: Request) -> Cookies:
    """Return names, attributes and checks of the cookies."""
    return house(request).cookies


async def signed_in_here(request: Request) -> Principal | None:
    """Return whose live session this browser has, if any; one that is over is no reason to refuse a new one."""
    try:
        found = await house(request).browser_session(request)
    except TokenInvalid:
        return None
    return found.principal if found else None


def signed_in(request: Request, response: Response, admitted: Admission) -> SignedIn:
    """Set the cookies of whoever was let in, and return what their page needs."""
    home, cookie = house(request), admitted.session.cookie
    if cookie is None:
        raise RuntimeError("this way in ends with a cookie")
    seconds = int(home.settings.sessions.lifetime.total_seconds()) if admitted.session.remember else None
    home.cookies.set(response, home.cookies.session_name, cookie, seconds)
    if admitted.device is not None:
        remembered = int(home.settings.mfa.remember_for.total_seconds())
        home.cookies.set(response, home.cookies.device_name, admitted.device, remembered)
    user = UserOut.model_validate(admitted.profile)
    return SignedIn(user=user, csrf_token=home.cookies.csrf_token(cookie))
