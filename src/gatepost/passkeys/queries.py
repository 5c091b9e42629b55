"""Reading passkeys and challenges."""

from sqlalchemy import bindparam, func, select

from gatepost.passkeys.models import Passkey, PasskeyChallenge, PasskeyHandle
from gatepost.users import STANDING, User

__all__ = ["BY_CREDENTIAL", "CHALLENGE", "COUNT", "CREDENTIALS", "HANDLE", "OWN", "SHOWN"]

_ME = bindparam("user_id")

SHOWN = (
    Passkey.id,
    Passkey.name,
    Passkey.credential_id,
    Passkey.aaguid,
    Passkey.transports,
    Passkey.user_verified,
    Passkey.discoverable,
    Passkey.backup_eligible,
    Passkey.backed_up,
    Passkey.created_at,
    Passkey.last_used_at,
)

# Ids are made in the order of time.
OWN = select(*SHOWN).where(Passkey.user_id == _ME).order_by(Passkey.id)
CREDENTIALS = (
    select(Passkey.credential_id, Passkey.transports).where(Passkey.user_id == _ME).order_by(Passkey.id)
)
COUNT = select(func.count(Passkey.id).label("passkeys")).where(Passkey.user_id == _ME)
HANDLE = select(PasskeyHandle.handle).where(PasskeyHandle.user_id == _ME)

BY_CREDENTIAL = (
    select(
        *STANDING,
        Passkey.id.label("passkey_id"),
        Passkey.public_key,
        Passkey.sign_count,
        Passkey.backup_eligible,
        Passkey.user_verified,
        PasskeyHandle.handle,
    )
    .join(Passkey, Passkey.user_id == User.id)
    .join(PasskeyHandle, PasskeyHandle.user_id == User.id)
    .where(Passkey.credential_id == bindparam("credential_id"))
)

CHALLENGE = select(
    PasskeyChallenge.id,
    PasskeyChallenge.ceremony,
    PasskeyChallenge.binding,
    PasskeyChallenge.user_id,
    PasskeyChallenge.user_verification,
    PasskeyChallenge.expires_at,
    PasskeyChallenge.used_at,
).where(PasskeyChallenge.digest == bindparam("digest"))
