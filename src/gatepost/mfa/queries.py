"""Reading second factors, and locking whose they are."""

from sqlalchemy import bindparam, func, select

from gatepost.mfa.models import FactorReset, RecoveryCode, RememberedDevice, TotpFactor, TotpGuesses
from gatepost.users import User

__all__ = [
    "APPS",
    "DEVICES",
    "DUE_RESET",
    "ENROLLED",
    "GUESSES",
    "PERSON_LOCKED",
    "RECOGNISED",
    "RESET",
    "SECRETS",
    "WAITING",
]

_ME = bindparam("user_id")

# Whoever changes the factors of a person, or uses one, takes turns with everybody else who does, and with sign-ins.
PERSON_LOCKED = select(User.id).where(User.id == _ME).with_for_update(key_share=True)

APPS = (
    select(TotpFactor.id, TotpFactor.name, TotpFactor.confirmed_at, TotpFactor.last_used_at)
    .where(TotpFactor.user_id == _ME, TotpFactor.confirmed_at.is_not(None))
    .order_by(TotpFactor.id)
)

_SECRET = select(TotpFactor.id, TotpFactor.name, TotpFactor.secret, TotpFactor.last_step).where(
    TotpFactor.user_id == _ME
)
SECRETS = _SECRET.where(TotpFactor.confirmed_at.is_not(None)).order_by(TotpFactor.id)
WAITING = _SECRET.where(
    TotpFactor.id == bindparam("factor_id"),
    TotpFactor.confirmed_at.is_(None),
    TotpFactor.expires_at > bindparam("now"),
)

_APPS_OF = select(func.count(TotpFactor.id)).where(
    TotpFactor.user_id == _ME, TotpFactor.confirmed_at.is_not(None)
)
_CODES_OF = select(func.count(RecoveryCode.id)).where(
    RecoveryCode.user_id == _ME, RecoveryCode.used_at.is_(None)
)
ENROLLED = select(_APPS_OF.scalar_subquery().label("apps"), _CODES_OF.scalar_subquery().label("codes"))

GUESSES = select(TotpGuesses.failures, TotpGuesses.failed_at).where(TotpGuesses.user_id == _ME)

DEVICES = (
    select(
        RememberedDevice.id,
        RememberedDevice.user_agent,
        RememberedDevice.address,
        RememberedDevice.created_at,
        RememberedDevice.last_used_at,
        RememberedDevice.expires_at,
    )
    .where(RememberedDevice.user_id == _ME, RememberedDevice.expires_at > bindparam("now"))
    .order_by(RememberedDevice.last_used_at.desc(), RememberedDevice.id.desc())
)
RECOGNISED = select(RememberedDevice.id).where(
    RememberedDevice.digest == bindparam("digest"),
    RememberedDevice.user_id == _ME,
    RememberedDevice.expires_at > bindparam("now"),
)

RESET = select(FactorReset.asked_at, FactorReset.due_at).where(FactorReset.user_id == _ME)
DUE_RESET = (
    select(FactorReset.user_id)
    .where(FactorReset.due_at <= bindparam("now"))
    .order_by(FactorReset.due_at)
    .limit(1)
)
