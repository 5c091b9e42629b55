"""One mail, ready to be sent."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from uuid import UUID

__all__ = ["Mail"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Mail:
    """A mail to one person. `id` becomes its Message-ID, so that a repeat can be told from a second mail."""

    id: UUID
    to: str
    subject: str
    text: str
    html: str
    kind: str  # which message this is, e.g. "verify_email"; sent as X-Gatepost-Kind
    language: str = "en"  # sent as Content-Language
    headers: Mapping[str, str] = field(default_factory=dict)
