"""What the door answers to browsers that sign in by the API."""

from fastapi import Request, Response

from gatepost.core.http.cookies import Cookies
from gatepost.core.http.deps import house
from gatepost.login.browser import keep_session
from gatepost.login.schemas import SignedIn
from gatepost.login.service import Admission
from gatepost.users import UserOut

__all__ = ["cookies_of", "signed_in"]


def cookies_of(request: Request) -> Cookies:
    """Return names, attributes and checks of the cookies."""
    return house(request).cookies


def signed_in(request: Request, response: Response, admitted: Admission) -> SignedIn:
    """Set the cookies of whoever was let in, and return what their page needs."""
    home = house(request)
    cookie = keep_session(home, response, admitted.session)
    if admitted.device is not None:
        remembered = int(home.settings.mfa.remember_for.total_seconds())
        home.cookies.set(response, home.cookies.device_name, admitted.device, remembered)
    user = UserOut.model_validate(admitted.profile)
    return SignedIn(user=user, csrf_token=home.cookies.csrf_token(cookie))
