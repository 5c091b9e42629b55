"""Options of accounts."""

from datetime import timedelta

from pydantic import BaseModel, ConfigDict, Field

__all__ = ["AccountOptions"]


class AccountOptions(BaseModel):
    """Who may join, and how fresh a sign-in must be for what cannot be undone."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    allow_registration: bool = Field(
        True, description="Anyone may sign up; otherwise only administrators add people."
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
