"""What happens to passkeys."""

from dataclasses import dataclass
from typing import ClassVar, Literal
from uuid import UUID

from gatepost.core.events import Event

__all__ = [
    "Ceremony",
    "PasskeyAdded",
    "PasskeyRefused",
    "PasskeyRemoved",
    "PasskeyRenamed",
    "RefusalReason",
    "RemovalReason",
]

Ceremony = Literal["register", "sign_in"]

RefusalReason = Literal[
    "client_data_malformed",
    "challenge_unknown",
    "challenge_used",
    "challenge_expired",
    "challenge_of_another",
    "challenge_of_another_ceremony",
    "type",
    "origin",
    "cross_origin",
    "token_binding",
    "attestation_malformed",
    "authenticator_data_malformed",
    "rp_id",
    "user_not_present",
    "user_not_verified",
    "backup_flags",
    "credential_id",
    "algorithm",
    "key",
    "aaguid",
    "attestation_format",
    "attestation",
    "credential_known",
    "credential_taken",
    "credential_unknown",
    "credential_of_another",
    "user_handle",
    "signature",
    "backup_eligibility",
    "counter",
    "removed",
]

RemovalReason = Literal["by_owner", "address_proven", "address_restored", "factors_reset"]


@dataclass(frozen=True, kw_only=True)
class PasskeyAdded(Event):
    """A person has one passkey more."""

    type: ClassVar[str] = "passkey.added"
    changes_caller: ClassVar[bool] = True
    passkey_id: UUID
    factor: str = "passkey"


@dataclass(frozen=True, kw_only=True)
class PasskeyRenamed(Event):
    """A passkey has another name."""

    type: ClassVar[str] = "passkey.renamed"
    passkey_id: UUID


@dataclass(frozen=True, kw_only=True)
class PasskeyRemoved(Event):
    """A passkey lets nobody in any more.

    `address_proven`: it was added before anybody had shown that the address of the account is theirs.
    `factors_reset`: all second factors of the person were removed.
    """

    type: ClassVar[str] = "passkey.removed"
    changes_caller: ClassVar[bool] = True
    passkey_id: UUID
    reason: RemovalReason
    factor: str = "passkey"


@dataclass(frozen=True, kw_only=True)
class PasskeyRefused(Event):
    """What came from an authenticator was not accepted; the reason is for operators.

    `counter` may mean that somebody has a copy of the key. No `subject` where it is not known whose it was.
    """

    type: ClassVar[str] = "passkey.refused"
    ceremony: Ceremony
    reason: RefusalReason
    passkey_id: UUID | None = None
