"""What turns evidence into a proof: one file for each method. The door knows them by the protocol alone."""

from gatepost.login.provers.codes import CodeProver
from gatepost.login.provers.enrolment import EnrolPasskeyProver, EnrolTotpProver, ShownEnrolment
from gatepost.login.provers.mail import MailProver
from gatepost.login.provers.passkey import PasskeyProver
from gatepost.login.provers.password import PasswordProver
from gatepost.login.provers.prover import Context, Prover, Shown

__all__ = [
    "CodeProver",
    "Context",
    "EnrolPasskeyProver",
    "EnrolTotpProver",
    "MailProver",
    "PasskeyProver",
    "PasswordProver",
    "Prover",
    "Shown",
    "ShownEnrolment",
]
