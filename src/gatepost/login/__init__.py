"""The one door: proofs come in, a session goes out, or a refusal that tells a stranger nothing.

Owns the table `login_flows`; no other room starts a session. Promises that an
unknown account, a wrong password, a disabled and a locked account are answered alike, in words, in time and in
number, and that every failure leaves its trace.
"""

from gatepost.login.browser import keep_session, signed_in_here
from gatepost.login.by_mail import SignInMails
from gatepost.login.clean_up import past_flows
from gatepost.login.errors import (
    EmailUnverified,
    FlowInvalid,
    InvalidCredentials,
    MethodNotHere,
    MethodOff,
    MfaRequired,
    ParameterMissing,
    StepNotAsked,
    UnsupportedGrantType,
)
from gatepost.login.events import LoginFailed, SignInMailAsked
from gatepost.login.flows import Flows, binding_digest, flow_handles
from gatepost.login.in_flow import FlowSteps
from gatepost.login.known import KnownNetworks
from gatepost.login.methods import MAIL, PASSKEY, PASSWORD, RECOVERY_CODE, TOTP
from gatepost.login.models import LoginFlow
from gatepost.login.policy import ENROLMENTS, Conditions, StepNeeded
from gatepost.login.proven import ProvenAddress
from gatepost.login.provers import (
    CodeProver,
    EnrolPasskeyProver,
    EnrolTotpProver,
    MailProver,
    PasskeyProver,
    PasswordProver,
    Prover,
)
from gatepost.login.schemas import (
    BrowserLogin,
    Credentials,
    EnrolPasskeyStep,
    EnrolTotpStep,
    MailStep,
    PasskeyStep,
    PasswordStep,
    ProvenAgain,
    RecoveryCodeStep,
    RememberedDevice,
    SignInMail,
    TotpStep,
)
from gatepost.login.service import Admission, Login, UnderWay
from gatepost.login.settings import LoginOptions
from gatepost.login.verdicts import Verdicts
from gatepost.login.ways import SIGN_IN_PAGE, TOKEN_ENDPOINT, WAYS, Way

__all__ = [
    "ENROLMENTS",
    "MAIL",
    "PASSKEY",
    "PASSWORD",
    "RECOVERY_CODE",
    "SIGN_IN_PAGE",
    "TOKEN_ENDPOINT",
    "TOTP",
    "WAYS",
    "Admission",
    "BrowserLogin",
    "CodeProver",
    "Conditions",
    "Credentials",
    "EmailUnverified",
    "EnrolPasskeyProver",
    "EnrolPasskeyStep",
    "EnrolTotpProver",
    "EnrolTotpStep",
    "FlowInvalid",
    "FlowSteps",
    "Flows",
    "InvalidCredentials",
    "KnownNetworks",
    "Login",
    "LoginFailed",
    "LoginFlow",
    "LoginOptions",
    "MailProver",
    "MailStep",
    "MethodNotHere",
    "MethodOff",
    "MfaRequired",
    "ParameterMissing",
    "PasskeyProver",
    "PasskeyStep",
    "PasswordProver",
    "PasswordStep",
    "ProvenAddress",
    "ProvenAgain",
    "Prover",
    "RecoveryCodeStep",
    "RememberedDevice",
    "SignInMail",
    "SignInMailAsked",
    "SignInMails",
    "StepNeeded",
    "StepNotAsked",
    "TotpStep",
    "UnderWay",
    "UnsupportedGrantType",
    "Verdicts",
    "Way",
    "binding_digest",
    "flow_handles",
    "keep_session",
    "past_flows",
    "signed_in_here",
]
