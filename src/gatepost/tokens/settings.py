"""Options of tokens."""

from datetime import timedelta
from typing import Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

__all__ = ["LONGEST_LEAD", "LONGEST_LIFETIME", "Algorithm", "TokenOptions"]

Algorithm = Literal["ES256", "EdDSA", "RS256"]

LONGEST_LIFETIME = timedelta(hours=24)
"""No setting lets an access token live longer."""

_LONGEST_CACHE_TIME = timedelta(days=1)
_MARGIN = timedelta(seconds=30)

LONGEST_LEAD = _LONGEST_CACHE_TIME + _MARGIN
"""No setting lets a key be published for longer before it signs."""


class TokenOptions(BaseModel):
    """How tokens are signed and how long they live."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    algorithm: Algorithm = Field(
        "ES256",
        description="Algorithm of the key that signs access tokens. When it changes, a key of the new one is prepared.",
    )
    key_lifetime: timedelta = Field(
        timedelta(days=90),
        description="How long a key signs; then the next one does, which is published before.",
    )
    jwks_cache_time: timedelta = Field(
        timedelta(minutes=5),
        ge=timedelta(0),
        le=_LONGEST_CACHE_TIME,
        description="How long others may keep the public keys (`max-age`). A new key signs this time, and 30 seconds, "
        "after it is published.",
    )
    access_lifetime: timedelta = Field(
        timedelta(minutes=15), gt=timedelta(0), le=LONGEST_LIFETIME, description="Life of an access token."
    )
    refresh_grace: timedelta = Field(
        timedelta(seconds=10),
        ge=timedelta(0),
        le=timedelta(minutes=2),
        description="A refresh token that is shown again within this time is answered with the same successor; later "
        "that ends the session.",
    )
    audience: str | None = Field(None, description="`aud` of access tokens; the public URL if not set.")

    @property
    def key_lead(self) -> timedelta:
        """How long a key is published before it signs: by then whoever keeps public keys has seen it.

        The margin is for clocks that differ, and for a process that read the keys a moment before.
        """
        return self.jwks_cache_time + _MARGIN

    @model_validator(mode="after")
    def _a_key_signs_for_a_while(self) -> Self:
        if self.key_lifetime <= self.key_lead:
            raise ValueError("key_lifetime must be longer than jwks_cache_time and 30 seconds")
        return self
