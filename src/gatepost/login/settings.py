"""Options of the door."""

from datetime import timedelta

from pydantic import BaseModel, ConfigDict, Field

__all__ = ["LoginOptions"]


class LoginOptions(BaseModel):
    """What is asked of those who want to be let in."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    flow_lifetime: timedelta = Field(
        timedelta(minutes=10),
        ge=timedelta(minutes=1),
        le=timedelta(hours=1),
        description="How long a sign-in in several steps may take, and how long a proof given in it counts.",
    )
    mail: bool = Field(
        True,
        description="Let people sign in by a link or a code in a mail. Only where mail is sent at all.",
    )
    flow_failures: int = Field(
        5, ge=1, le=100, description="Wrong proofs after which a sign-in in several steps has to begin anew."
    )
