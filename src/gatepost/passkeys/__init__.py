"""Passkeys: making, naming and removing them, and judging what somebody shows with one (WebAuthn, Level 3).

Owns the tables `passkeys`, `passkey_handles` and `passkey_challenges`. Promises that a challenge works once, for one
ceremony, for who began it and for a while, that each refusal has a reason of its own in its event, and that whoever
has shown nothing yet learns nothing of who has which passkeys. Lets nobody in: that is the door's.
"""

from gatepost.passkeys.challenges import Challenges, session_binding
from gatepost.passkeys.clean_up import past_passkey_challenges
from gatepost.passkeys.enrolment import CheckedEnrolment, Enrolment
from gatepost.passkeys.errors import LastWayIn, PasskeyInvalid, PasskeyNotFound, TooManyPasskeys
from gatepost.passkeys.events import PasskeyAdded, PasskeyRefused, PasskeyRemoved, PasskeyRenamed
from gatepost.passkeys.models import Passkey, PasskeyChallenge, PasskeyHandle
from gatepost.passkeys.own import OwnPasskeys
from gatepost.passkeys.schemas import (
    AssertionResponse,
    AttestationResponse,
    CreationOptions,
    NewPasskey,
    PasskeyOut,
    Rename,
    RequestOptions,
)
from gatepost.passkeys.service import CheckedPasskey, Passkeys
from gatepost.passkeys.settings import PasskeyOptions
from gatepost.passkeys.site import RELATED_ORIGINS, Site, trouble

__all__ = [
    "RELATED_ORIGINS",
    "AssertionResponse",
    "AttestationResponse",
    "Challenges",
    "CheckedEnrolment",
    "CheckedPasskey",
    "CreationOptions",
    "Enrolment",
    "LastWayIn",
    "NewPasskey",
    "OwnPasskeys",
    "Passkey",
    "PasskeyAdded",
    "PasskeyChallenge",
    "PasskeyHandle",
    "PasskeyInvalid",
    "PasskeyNotFound",
    "PasskeyOptions",
    "PasskeyOut",
    "PasskeyRefused",
    "PasskeyRemoved",
    "PasskeyRenamed",
    "Passkeys",
    "Rename",
    "RequestOptions",
    "Site",
    "TooManyPasskeys",
    "past_passkey_challenges",
    "session_binding",
    "trouble",
]
