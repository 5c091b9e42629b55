"""What the journeys take."""

from datetime import datetime
from typing import Annotated

from pydantic import Field

from gatepost.core.schemas import Input, Output
from gatepost.passwords import GivenPassword, NewPassword
from gatepost.proofs import ShownProof
from gatepost.users import EmailAddress, NewProfile, ProfileChange

__all__ = [
    "ChangeAccount",
    "EmailConfirmation",
    "EmailOut",
    "FirstAdministrator",
    "ForgottenPassword",
    "NewAccount",
    "NewEmail",
    "PasswordReset",
    "PendingEmail",
]


class NewAccount(NewProfile):
    """Somebody who signs up."""

    password: NewPassword


class FirstAdministrator(NewAccount):
    """The one who sets this installation up."""

    code: Annotated[
        str, Field(max_length=200, description="The one-time code that `gatepost serve` printed.")
    ]


class ChangeAccount(ProfileChange):
    """What to change; what is not named stays. `is_active` is for administrators."""

    password: NewPassword | None = None
    current_password: GivenPassword | None = Field(
        None, description="Needed with `password`, when it is one's own account."
    )

    def profile(self) -> ProfileChange:
        """Return the part that concerns the profile."""
        fields = self.model_fields_set & set(ProfileChange.model_fields)
        return ProfileChange.model_construct(fields, **{name: getattr(self, name) for name in fields})


class EmailConfirmation(ShownProof):
    """What shows that an address is read, and who shows it.

    Anybody may click on a link, who gets it because somebody else signed up with their address. So by the link alone
    no password is confirmed: it needs to be known, or its owner to be signed in.
    """

    password: GivenPassword | None = Field(
        None,
        description="With `token`, where one is not signed in: the account's password, which is kept by that.",
    )
    drop_password: bool = Field(
        False,
        description="With `token`, to verify: take the password away that somebody has set, and end all sessions.",
    )


class ForgottenPassword(Input):
    """Whose password is forgotten."""

    email: EmailAddress


class PasswordReset(ShownProof):
    """A new password, and what shows that it may be set."""

    password: NewPassword


class NewEmail(Input):
    """The address that one wants to have."""

    email: EmailAddress


class PendingEmail(Output):
    """An address that waits to be confirmed."""

    email: str
    expires_at: datetime = Field(description="Until when the link and the code work that were sent there.")


class EmailOut(Output):
    """One's address, and the one that waits to take its place."""

    email: str
    email_verified: bool
    pending: PendingEmail | None
