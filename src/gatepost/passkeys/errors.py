"""What can go wrong with a passkey."""

from uuid import UUID

from gatepost.core.errors import Conflict, Invalid, NotFound

__all__ = ["LastWayIn", "PasskeyInvalid", "PasskeyNotFound", "TooManyPasskeys"]


class PasskeyInvalid(Invalid):
    """What the browser brought from an authenticator is not accepted: one answer, whatever was wrong.

    Only somebody who is signed in, and adds a passkey, is told the `reason`. `user_id` is whose passkey it was, as far
    as that was found out: for the door's own record, not for the answer.
    """

    code = "passkey-invalid"
    sentence = "This passkey was not accepted. Try again."
    # The challenge is used up by it, and why it was refused must stay.
    keep_changes = True

    def __init__(self, *, told: str | None = None, user_id: UUID | None = None) -> None:
        self.user_id = user_id
        if told is None:
            super().__init__()
        else:
            super().__init__(reason=told)


class PasskeyNotFound(NotFound):
    """The caller has no such passkey."""

    code = "passkey-not-found"
    sentence = "You have no such passkey."


class TooManyPasskeys(Conflict):
    """The person has as many passkeys as one may have."""

    code = "too-many-passkeys"
    sentence = "You have as many passkeys as you may have. Remove one that you do not use."


class LastWayIn(Conflict):
    """Without this passkey its owner could not sign in any more: they have no password."""

    code = "last-way-in"
    sentence = "This is your only way to sign in. Add another passkey or set a password first."
