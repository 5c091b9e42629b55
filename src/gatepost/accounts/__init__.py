"""Journeys over a whole account: sign up, verify, recover, change, disable, delete, and the first administrator.

Owns the table `installation`. Promises that what must change together does: a new password ends the other
sessions and whatever was sent by mail before, a disabled or deleted person has no session, and whoever loses an
address can put it back from there. Asking for a new password tells nobody whether there is an account.
"""

from gatepost.accounts.clean_up import closed_accounts
from gatepost.accounts.deletion import Deletion
from gatepost.accounts.email_change import EmailChange
from gatepost.accounts.errors import (
    CurrentPasswordWrong,
    EmailAlreadyVerified,
    EmailNeedsProof,
    PasswordNeeded,
    SetupRefused,
    SignUpClosed,
)
from gatepost.accounts.events import (
    AccountDeletionScheduled,
    AccountKept,
    EmailChangeAsked,
    EmailVerificationAsked,
    PasswordResetAsked,
    SetupCompleted,
    SignUpRepeated,
)
from gatepost.accounts.hidden_sign_up import HiddenSignUp
from gatepost.accounts.models import Installation
from gatepost.accounts.recovery import Recovery
from gatepost.accounts.schemas import (
    ChangeAccount,
    EmailConfirmation,
    EmailOut,
    ForgottenPassword,
    NewAccount,
    NewEmail,
    PasswordReset,
)
from gatepost.accounts.service import Accounts
from gatepost.accounts.settings import AccountOptions
from gatepost.accounts.setup import Setup
from gatepost.accounts.verification import Verification

__all__ = [
    "AccountDeletionScheduled",
    "AccountKept",
    "AccountOptions",
    "Accounts",
    "ChangeAccount",
    "CurrentPasswordWrong",
    "Deletion",
    "EmailAlreadyVerified",
    "EmailChange",
    "EmailChangeAsked",
    "EmailConfirmation",
    "EmailNeedsProof",
    "EmailOut",
    "EmailVerificationAsked",
    "ForgottenPassword",
    "HiddenSignUp",
    "Installation",
    "NewAccount",
    "NewEmail",
    "PasswordNeeded",
    "PasswordReset",
    "PasswordResetAsked",
    "Recovery",
    "Setup",
    "SetupCompleted",
    "SetupRefused",
    "SignUpClosed",
    "SignUpRepeated",
    "Verification",
    "closed_accounts",
]
