"""Options of accounts."""

from datetime import timedelta
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

__all__ = ["AccountOptions"]


class AccountOptions(BaseModel):
    """Who may join, and how fresh a sign-in must be for what cannot be undone."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    allow_registration: bool = Field(
        True, description="Anyone may sign up; otherwise only administrators add people."
    )
    sign_up_hides_accounts: bool = Field(
        False,
        description="Answer a sign-up with an address that is known as one with a new address, and tell its owner by "
        "mail. Needs `email_verification` to be `required`; who is not verified yet is told no more than that the "
        "credentials are wrong.",
    )
    email_verification: Literal["off", "encouraged", "required"] = Field(
        "off",
        description="`encouraged`: who signs up gets a mail by which to show that the address is theirs. "
        "`required`: and nobody signs in before. `off`: the mail comes when the person asks for it.",
    )
    email_verification_lifetime: timedelta = Field(
        timedelta(hours=24),
        ge=timedelta(minutes=5),
        le=timedelta(days=7),
        description="How long the link and the code work that verify an address, or confirm a new one.",
    )
    email_undo_lifetime: timedelta = Field(
        timedelta(days=7),
        ge=timedelta(hours=1),
        le=timedelta(days=30),
        description="How long a change of address can be undone from the old one.",
    )
    deletion_grace: timedelta = Field(
        timedelta(0),
        ge=timedelta(0),
        le=timedelta(days=90),
        description="How long an account that its owner deletes stays closed before it is erased; a mail has the "
        "link that keeps it. 0: erased at once.",
    )
    password_reset_lifetime: timedelta = Field(
        timedelta(hours=1),
        ge=timedelta(minutes=5),
        le=timedelta(days=1),
        description="How long the link and the code work with which to set a new password.",
    )
    fresh_for: timedelta = Field(
        timedelta(minutes=10),
        gt=timedelta(0),
        description="How long after sign-in one may change one's address or password, or delete the account.",
    )
    password_change_ends_sessions: bool = Field(
        True,
        description="A new password ends the other sessions. One that somebody else sets ends all in any case.",
    )
    setup_code_lifetime: timedelta = Field(
        timedelta(hours=24),
        gt=timedelta(0),
        description="Life of the code that creates the first administrator.",
    )
