"""The one door: proofs come in, a session goes out, or a refusal that tells a stranger nothing.

Owns the table `login_flows`; no other room starts a session. Promises that an
unknown account, a wrong password, a disabled and a locked account are answered alike, in words, in time and in
number, and that every failure leaves its trace.
"""

from gatepost.login.by_mail import SignInMails
from gatepost.login.clean_up import past_flows
from gatepost.login.enrolled import Enrolled
from gatepost.login.errors import (
    EmailUnverified,
    FlowInvalid,
    InvalidCredentials,
    MethodOff,
    ParameterMissing,
    UnsupportedGrantType,
)
from gatepost.login.events import LoginFailed, SignInMailAsked
from gatepost.login.flows import Flows, binding_digest, flow_handles
from gatepost.login.known import KnownNetworks
from gatepost.login.methods import MAIL, PASSWORD
from gatepost.login.models import LoginFlow
from gatepost.login.policy import Conditions
from gatepost.login.proven import ProvenAddress
from gatepost.login.provers import MailProver, PasswordProver
from gatepost.login.schemas import Credentials
from gatepost.login.service import Admission, Login
from gatepost.login.settings import LoginOptions
from gatepost.login.ways import TOKEN_ENDPOINT, WAYS, Way

__all__ = [
    "MAIL",
    "PASSWORD",
    "TOKEN_ENDPOINT",
    "WAYS",
    "Admission",
    "Conditions",
    "Credentials",
    "EmailUnverified",
    "Enrolled",
    "FlowInvalid",
    "Flows",
    "InvalidCredentials",
    "KnownNetworks",
    "Login",
    "LoginFailed",
    "LoginFlow",
    "LoginOptions",
    "MailProver",
    "MethodOff",
    "ParameterMissing",
    "PasswordProver",
    "ProvenAddress",
    "SignInMailAsked",
    "SignInMails",
    "UnsupportedGrantType",
    "Way",
    "binding_digest",
    "flow_handles",
    "past_flows",
]
