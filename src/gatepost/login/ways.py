"""Every way in. Whoever adds one has to say so here, and the tests then ask for its negative tests."""

from dataclasses import dataclass

from gatepost.core.principal import Carrier
from gatepost.login.methods import MAIL, PASSKEY, PASSWORD, RECOVERY_CODE, TOTP, VERIFIED_PASSKEY, Method

__all__ = [
    "APP_AT_THE_TOKEN_ENDPOINT",
    "APP_BROWSER",
    "BROWSER",
    "CONFIRMATION_PAGE",
    "ENROL_APP",
    "ENROL_PASSKEY",
    "FLOW_BROWSER",
    "FLOW_TOKENS",
    "KEY_SECOND",
    "MAIL_AND_APP",
    "MAIL_CODE",
    "MAIL_CODE_PAGE",
    "MAIL_LINK",
    "MAIL_PAGE",
    "PASSKEY_BROWSER",
    "PASSKEY_TOKENS",
    "REAUTHENTICATE_APP",
    "REAUTHENTICATE_BROWSER",
    "REAUTHENTICATE_PASSKEY",
    "REAUTHENTICATE_TOKENS",
    "RECOVERY",
    "SIGN_IN_PAGE",
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
    enrols: bool = False
    """Whether a second factor is added on the way: only where one is required."""


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
PASSKEY_TOKENS = Way("passkey for tokens", "POST", "/login/proof", "bearer", (VERIFIED_PASSKEY,), flow=True)
PASSKEY_BROWSER = Way(
    "passkey for a browser", "POST", "/login/proof", "cookie", (VERIFIED_PASSKEY,), flow=True
)
APP_BROWSER = Way(
    "password and app for a browser", "POST", "/login/proof", "cookie", (PASSWORD, TOTP), flow=True
)
APP_AT_THE_TOKEN_ENDPOINT = Way(
    "password and app at the token endpoint", "POST", "/users/token", "bearer", (PASSWORD, TOTP), flow=True
)
RECOVERY = Way(
    "password and recovery code for tokens",
    "POST",
    "/login/proof",
    "bearer",
    (PASSWORD, RECOVERY_CODE),
    flow=True,
)
KEY_SECOND = Way(
    "password and key for a browser", "POST", "/login/proof", "cookie", (PASSWORD, PASSKEY), flow=True
)
MAIL_AND_APP = Way("mail and app for tokens", "POST", "/login/proof", "bearer", (MAIL, TOTP), flow=True)
ENROL_APP = Way(
    "app that is added for tokens",
    "POST",
    "/login/proof",
    "bearer",
    (PASSWORD, TOTP),
    flow=True,
    enrols=True,
)
ENROL_PASSKEY = Way(
    "passkey that is added for a browser",
    "POST",
    "/login/proof",
    "cookie",
    (PASSWORD, PASSKEY),
    flow=True,
    enrols=True,
)
REAUTHENTICATE_APP = Way(
    "reauthentication with an app",
    "POST",
    "/users/me/reauthenticate",
    "bearer",
    (PASSWORD, TOTP),
    renews=True,
)
REAUTHENTICATE_PASSKEY = Way(
    "reauthentication with a passkey",
    "POST",
    "/users/me/reauthenticate",
    "cookie",
    (VERIFIED_PASSKEY,),
    renews=True,
)
SIGN_IN_PAGE = Way("sign-in page", "POST", "/sign-in", "cookie", (PASSWORD,), page=True)
CONFIRMATION_PAGE = Way(
    "confirmation page", "POST", "/account/confirm", "cookie", (PASSWORD,), renews=True, page=True
)
MAIL_CODE_PAGE = Way(
    "page of a code by mail", "POST", "/sign-in/code", "cookie", (MAIL,), flow=True, page=True
)

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
    PASSKEY_TOKENS,
    PASSKEY_BROWSER,
    APP_BROWSER,
    APP_AT_THE_TOKEN_ENDPOINT,
    RECOVERY,
    KEY_SECOND,
    MAIL_AND_APP,
    ENROL_APP,
    ENROL_PASSKEY,
    REAUTHENTICATE_APP,
    REAUTHENTICATE_PASSKEY,
    SIGN_IN_PAGE,
    CONFIRMATION_PAGE,
    MAIL_CODE_PAGE,
)
