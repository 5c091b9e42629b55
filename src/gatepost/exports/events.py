"""What happens to exports."""

from dataclasses import dataclass
from typing import ClassVar

from gatepost.core.events import Event

__all__ = ["AccountExported"]


@dataclass(frozen=True, kw_only=True)
class AccountExported(Event):
    """A person took a copy of all that is held about them."""

    type: ClassVar[str] = "account.exported"
