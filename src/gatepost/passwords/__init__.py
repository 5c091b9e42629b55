"""Passwords: storing, checking, and refusing bad ones.

Owns the table `passwords`. Promises that a password is never altered, never stored, and costs the same
to check whether the account exists or not. Hashing happens outside transactions, never on the event loop.
"""

from gatepost.passwords.blocklist import Blocklist
from gatepost.passwords.errors import PasswordRefused
from gatepost.passwords.events import PasswordChanged, PasswordDropped, PasswordSetter
from gatepost.passwords.models import Password
from gatepost.passwords.policy import PasswordPolicy
from gatepost.passwords.schemas import GivenPassword, NewPassword
from gatepost.passwords.service import CheckedPassword, Passwords
from gatepost.passwords.settings import PasswordOptions

__all__ = [
    "Blocklist",
    "CheckedPassword",
    "GivenPassword",
    "NewPassword",
    "Password",
    "PasswordChanged",
    "PasswordDropped",
    "PasswordOptions",
    "PasswordPolicy",
    "PasswordRefused",
    "PasswordSetter",
    "Passwords",
]
