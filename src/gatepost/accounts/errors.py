"""What can go wrong on a journey over an account."""

from gatepost.core.errors import Forbidden, Invalid

__all__ = [
    "CurrentPasswordWrong",
    "FieldNotYours",
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


class FieldNotYours(Forbidden):
    """A field that only an administrator may change."""

    code = "field-not-yours"
    sentence = "Only an administrator may change this."
