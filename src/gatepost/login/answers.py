"""What the door answers to browsers."""

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
    cookie = keep_session(house(request), response, admitted)
    user = UserOut.model_validate(admitted.profile)
    return SignedIn(user=user, csrf_token=cookies_of(request).csrf_token(cookie))
