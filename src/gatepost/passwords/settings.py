"""Options of passwords."""

from pydantic import BaseModel, ConfigDict, Field

__all__ = ["PasswordOptions"]


class PasswordOptions(BaseModel):
    """What a new password must be."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    minimum_length: int = Field(8, ge=8, le=128, description="Fewest characters of a new password.")
    blocklist: bool = Field(True, description="Refuse passwords that are common or known from breaches.")
