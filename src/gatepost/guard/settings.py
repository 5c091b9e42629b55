"""Options of the guard."""

from dataclasses import dataclass
from typing import Literal

__all__ = ["GuardOptions"]


@dataclass(frozen=True, slots=True, kw_only=True)
class GuardOptions:
    """How strict the guard is, and how often it asks. All durations are in seconds."""

    leeway: float = 30.0
    """How far the clocks of issuer and service may differ."""

    revocation: Literal["feed", "off"] = "feed"
    """`feed` refuses tokens of ended sessions; `off` believes a token until it expires."""

    poll_every: float = 2.0
    """Pause between two looks at the list of ended sessions."""

    max_feed_age: float = 60.0
    """A list older than this is stale."""

    stale_feed: Literal["verify", "refuse"] = "verify"
    """While the list is stale: go on by the signature alone, or refuse with 503."""

    keys_stale_for: float = 3600.0
    """How long keys are used beyond their time while the issuer cannot be reached."""

    timeout: float = 3.0
    """Longest that one request to the issuer may take."""

    public_url: str | None = None
    """Where clients reach this service. Proofs (DPoP) are compared with it; without it, tokens bound to a key are
    refused: the `Host` of a request is the client's own word."""

    proof_window: float = 60.0
    """How old a proof may be."""

    remembered: int = 10_000
    """Verified tokens that are remembered, so that a repeated one costs no signature check."""

    allow_http: bool = False
    """Reach the issuer without TLS, on another machine too. Only in a network that nobody else is on."""

    def __post_init__(self) -> None:
        for name, least, most in _BOUNDS:
            if not least <= getattr(self, name) <= most:
                raise ValueError(f"{name} is not between {least} and {most}")


_BOUNDS = (
    ("leeway", 0.0, 300.0),
    ("poll_every", 0.2, 60.0),
    ("max_feed_age", 5.0, 86_400.0),
    ("keys_stale_for", 0.0, 604_800.0),
    ("timeout", 0.1, 60.0),
    ("proof_window", 1.0, 600.0),
    ("remembered", 1, 1_000_000),
)
