"""The one door: proofs come in, a session goes out, or a refusal that tells a stranger nothing.

Owns the table `login_flows`; no other room starts a session. Promises that an
unknown account, a wrong password, a disabled and a locked account are answered alike, in words, in time and in
number, and that every failure leaves its trace.
"""

from gatepost.login.browser import keep_session, session_before
from gatepost.login.clean_up import past_flows
from gatepost.login.errors import (
    EmailUnverified,
    FlowInvalid,
    InvalidCredentials,
    ParameterMissing,
    UnsupportedGrantType,
)
from gatepost.login.events import LoginFailed
from gatepost.login.flows import Flows, flow_handles
from gatepost.login.known import KnownNetworks
from gatepost.login.models import LoginFlow
from gatepost.login.policy import Conditions
from gatepost.login.schemas import BrowserLogin, PasswordAgain
from gatepost.login.service import Admission, Login
from gatepost.login.settings import LoginOptions
from gatepost.login.ways import CONFIRMATION_PAGE, SIGN_IN_PAGE, TOKEN_ENDPOINT, WAYS, Way

__all__ = [
    "CONFIRMATION_PAGE",
    "SIGN_IN_PAGE",
    "TOKEN_ENDPOINT",
    "WAYS",
    "Admission",
    "BrowserLogin",
    "Conditions",
    "EmailUnverified",
    "FlowInvalid",
    "Flows",
    "InvalidCredentials",
    "KnownNetworks",
    "Login",
    "LoginFailed",
    "LoginFlow",
    "LoginOptions",
    "ParameterMissing",
    "PasswordAgain",
    "UnsupportedGrantType",
    "Way",
    "flow_handles",
    "keep_session",
    "past_flows",
    "session_before",
]
