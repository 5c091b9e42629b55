"""People: their addresses, profile and state.

Owns the table `users`. Promises that an address belongs to one person in every spelling that is the
same mailbox, and that no change overwrites another unseen. Knows no other room.
"""

from gatepost.users.emails import EmailAddress, canonical_email
from gatepost.users.errors import EmailTaken, StaleVersion, UserNotFound
from gatepost.users.events import (
    UserChanged,
    UserDeleted,
    UserDisabled,
    UserEnabled,
    UserLocked,
    UserRegistered,
    UserUnlocked,
)
from gatepost.users.models import User
from gatepost.users.queries import PROFILE
from gatepost.users.schemas import NewProfile, ProfileChange, UserFilter, UserOut
from gatepost.users.service import Users
from gatepost.users.standing import STANDING, Standing

__all__ = [
    "PROFILE",
    "STANDING",
    "EmailAddress",
    "EmailTaken",
    "NewProfile",
    "ProfileChange",
    "StaleVersion",
    "Standing",
    "User",
    "UserChanged",
    "UserDeleted",
    "UserDisabled",
    "UserEnabled",
    "UserFilter",
    "UserLocked",
    "UserNotFound",
    "UserOut",
    "UserRegistered",
    "UserUnlocked",
    "Users",
    "canonical_email",
]
