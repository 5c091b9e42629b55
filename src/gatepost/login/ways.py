"""Every way in. Whoever adds one has to say so here, and the tests then ask for its negative tests."""

from dataclasses import dataclass

from gatepost.core.principal import Carrier
from gatepost.login.methods import MAIL, PASSWORD, Method

__all__ = [
    "BROWSER",
    "FLOW_BROWSER",
    "FLOW_TOKENS",
    "MAIL_CODE",
    "MAIL_LINK",
    "MAIL_PAGE",
    "REAUTHENTICATE_BROWSER",
    "REAUTHENTICATE_TOKENS",
    "TOKEN_ENDPOINT",
    "WAYS",
    "Way",
]


@dataclass(frozen=True, slots=True)
class Way:
    """An operation at whose end there may be a session, and what carries it."""

    name: str
    method: str
    path: str
    carrier: Carrier
    proofs: tuple[Method, ...]
    flow: bool = False
    """Whether it goes through a flow: one that may expire, or have been begun elsewhere."""
    renews: bool = False
    """Whether it takes a session's place: whoever comes this way is signed in already."""
    page: bool = False
    """Whether it is a page of ours for people, and not part of the API."""


TOKEN_ENDPOINT = Way("token endpoint", "POST", "/users/token", "bearer", (PASSWORD,))
BROWSER = Way("browser", "POST", "/session", "cookie", (PASSWORD,))
FLOW_TOKENS = Way("flow for tokens", "POST", "/login/proof", "bearer", (PASSWORD,), flow=True)
FLOW_BROWSER = Way("flow for a browser", "POST", "/login/proof", "cookie", (PASSWORD,), flow=True)
REAUTHENTICATE_TOKENS = Way(
    "reauthentication with tokens", "POST", "/users/me/reauthenticate", "bearer", (PASSWORD,), renews=True
)
REAUTHENTICATE_BROWSER = Way(
    "reauthentication in a browser", "POST", "/users/me/reauthenticate", "cookie", (PASSWORD,), renews=True
)
MAIL_CODE = Way("code by mail for tokens", "POST", "/login/proof", "bearer", (MAIL,), flow=True)
MAIL_LINK = Way("link by mail for a browser", "POST", "/login/proof", "cookie", (MAIL,), flow=True)
MAIL_PAGE = Way("page of a link by mail", "POST", "/sign-in-link", "cookie", (MAIL,), flow=True, page=True)

WAYS = (
    TOKEN_ENDPOINT,
    BROWSER,
    FLOW_TOKENS,
    FLOW_BROWSER,
    REAUTHENTICATE_TOKENS,
    REAUTHENTICATE_BROWSER,
    MAIL_CODE,
    MAIL_LINK,
    MAIL_PAGE,
)
