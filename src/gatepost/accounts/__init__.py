"""Journeys over a whole account: sign up, change, disable, delete, and the first administrator.

Owns the table `installation`. Promises that what must change together does: a new password ends the other
sessions, a disabled or deleted person has none.
"""

from gatepost.accounts.errors import (
    CurrentPasswordWrong,
    SetupRefused,
    SignUpClosed,
)
from gatepost.accounts.events import SetupCompleted
from gatepost.accounts.models import Installation
from gatepost.accounts.schemas import ChangeAccount, NewAccount
from gatepost.accounts.service import Accounts
from gatepost.accounts.settings import AccountOptions
from gatepost.accounts.setup import Setup

__all__ = [
    "AccountOptions",
    "Accounts",
    "ChangeAccount",
    "CurrentPasswordWrong",
    "Installation",
    "NewAccount",
    "Setup",
    "SetupCompleted",
    "SetupRefused",
    "SignUpClosed",
]
