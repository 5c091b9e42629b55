"""What a person says and sees about notices."""

from typing import Annotated

from pydantic import AfterValidator, Field
from pydantic_core import PydanticCustomError

from gatepost.core.schemas import Input, Output
from gatepost.notices.letters import MUTABLE

__all__ = ["NoticePreferencesIn", "NoticePreferencesOut"]


def _mutable(kind: str) -> str:
    if kind not in MUTABLE:
        raise PydanticCustomError("not_mutable", "There is no notice of this kind that can be turned off")
    return kind


MutableKind = Annotated[
    str,
    Field(max_length=50, examples=["new_device"], json_schema_extra={"enum": [*sorted(MUTABLE)]}),
    AfterValidator(_mutable),
]


class NoticePreferencesIn(Input):
    """The notices to do without; all others are sent."""

    muted: Annotated[list[MutableKind], Field(max_length=len(MUTABLE))]


class NoticePreferencesOut(Output):
    """What a person does without, and what they could. Notices about credentials are always sent."""

    muted: list[str]
    mutable: list[str]
