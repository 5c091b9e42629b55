"""Options of second factors."""

from datetime import timedelta
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

__all__ = ["FactorPolicy", "MfaOptions"]

FactorPolicy = Literal["off", "optional", "required", "required-for-administrators"]


class MfaOptions(BaseModel):
    """Who needs a second factor, and what there is for those who have lost theirs."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    policy: FactorPolicy = Field(
        "optional",
        description="`optional`: whoever has added a second factor is asked for it. `required`: nobody is let in "
        "without; `required-for-administrators`: no administrator is. `off`: none can be added, and none is asked for.",
    )
    remember_for: timedelta = Field(
        timedelta(days=30),
        ge=timedelta(0),
        le=timedelta(days=365),
        description="How long a device is remembered on which somebody showed a second factor, if they wish it. 0: not "
        "at all.",
    )
    reset_delay: timedelta = Field(
        timedelta(hours=72),
        ge=timedelta(0),
        le=timedelta(days=30),
        description="How long after somebody asked for it their second factors are removed, unless they object. 0: "
        "nobody can ask; an administrator has to.",
    )
    change_ends_sessions: bool = Field(
        True,
        description="Whoever adds or removes a second factor is signed out everywhere else. When somebody else "
        "removes it, or time does, all sessions end in any case.",
    )
