"""How one may come in here: which methods there are, and what policy asks."""

from collections.abc import Mapping

from gatepost.core.work import Work
from gatepost.login import (
    ENROLMENTS,
    MAIL,
    PASSKEY,
    PASSWORD,
    RECOVERY_CODE,
    TOTP,
    CodeProver,
    Conditions,
    EnrolPasskeyProver,
    EnrolTotpProver,
    MailProver,
    PasskeyProver,
    PasswordProver,
    ProvenAddress,
    Prover,
)
from gatepost.mfa import Mfa
from gatepost.passkeys import Enrolment, Passkeys
from gatepost.proofs import MailProofs
from gatepost.settings import Settings
from gatepost.users import Users

__all__ = ["conditions_of", "provers_of"]


def conditions_of(settings: Settings, *, by_mail: bool) -> Conditions:
    """Return what policy asks of everybody."""
    return Conditions(
        proofs_last=settings.login.flow_lifetime,
        first=(PASSWORD, *((MAIL,) if by_mail else ()), PASSKEY),
        verified_email=settings.accounts.email_verification == "required",
        tells_unverified=not settings.accounts.sign_up_hides_accounts,
        factors=settings.mfa.policy,
    )


def provers_of(
    work: Work,
    users: Users,
    password: PasswordProver,
    mail: tuple[MailProofs, ProvenAddress] | None,
    passkeys: Passkeys,
    enrolment: Enrolment,
    mfa: Mfa,
) -> Mapping[str, Prover]:
    """Return what checks each step of a sign-in, by its name."""
    provers: dict[str, Prover] = {
        PASSWORD.step: password,
        PASSKEY.step: PasskeyProver(work, passkeys),
        TOTP.step: CodeProver(work, TOTP, mfa.check_totp),
        RECOVERY_CODE.step: CodeProver(work, RECOVERY_CODE, mfa.use_recovery_code),
        ENROLMENTS[TOTP.step]: EnrolTotpProver(work, users, mfa),
        ENROLMENTS[PASSKEY.step]: EnrolPasskeyProver(work, users, mfa, enrolment),
    }
    if mail is not None:
        provers[MAIL.step] = MailProver(work, users, *mail)
    return provers
