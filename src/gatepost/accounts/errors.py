"""What can go wrong on a journey over an account."""

from gatepost.core.errors import Conflict, Forbidden, Invalid

__all__ = [
    "CurrentPasswordWrong",
    "EmailAlreadyVerified",
    "EmailNeedsProof",
    "FieldNotYours",
    "PasswordNeeded",
    "SetupRefused",
    "SignUpClosed",
]


class SignUpClosed(Forbidden):
    """This installation does not let people sign up by themselves."""

    code = "sign-up-closed"
    sentence = "Sign-up is closed. Ask an administrator for an account."


class SetupRefused(Forbidden):
    """The setup code is wrong, has expired, or there has been a first administrator already."""

    code = "setup-refused"
    sentence = "The setup code is not valid. Restart the service for a new one, if it was never set up."


class CurrentPasswordWrong(Invalid):
    """A new password was asked for without the current one."""

    code = "current-password-wrong"
    sentence = "Give your current password to set a new one."
    # It counts as a failed sign-in, and that must stay.
    keep_changes = True

    def __init__(self) -> None:
        super().__init__(field="current_password")


class EmailAlreadyVerified(Conflict):
    """There is nothing left to show: the address is known to be the person's."""

    code = "email-already-verified"
    sentence = "Your e-mail address is verified already."


class EmailNeedsProof(Forbidden):
    """Where addresses must be verified, a new one counts only when it is."""

    code = "email-needs-proof"
    sentence = "Ask for the new address with POST /users/me/email, and confirm it by mail."

    def __init__(self) -> None:
        super().__init__(field="email")


class PasswordNeeded(Forbidden):
    """A link was shown by somebody who is not signed in as the person, and does not know the password."""

    code = "password-needed"
    sentence = "Give the password of the account, or sign in first. Or give `drop_password`, if you set none."
    # It counts as a failed sign-in, and that must stay.
    keep_changes = True

    def __init__(self) -> None:
        super().__init__(field="password")


class FieldNotYours(Forbidden):
    """A field that only an administrator may change."""

    code = "field-not-yours"
    sentence = "Only an administrator may change this."
