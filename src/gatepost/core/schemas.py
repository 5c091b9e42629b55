"""The base of everything that comes in: no unknown fields, no text that a database cannot hold."""

import re
from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, field_validator
from pydantic_core import PydanticCustomError

__all__ = ["LONGEST_LABEL", "Input", "Label", "Output", "check_text"]

LONGEST_LABEL = 100


_UNSTORABLE = re.compile(
    "[\0\ud800-\udfff\ufdd0-\ufdef"
    + "".join(chr(plane << 16 | 0xFFFE) + chr(plane << 16 | 0xFFFF) for plane in range(17))
    + "]"
)


def check_text(text: str) -> str:
    """Return the text unless it holds NUL, a lone surrogate or a noncharacter (Unicode 23.7)."""
    if _UNSTORABLE.search(text):
        raise PydanticCustomError(
            "invalid_text", "Text must not contain NUL, lone surrogates or noncharacters"
        )
    return text


def _in_one_line(label: str) -> str:
    # Its owner decides by it which one to remove.
    if not label.strip() or not label.isprintable():
        raise PydanticCustomError("name", "A name is one line of text that can be seen")
    return label.strip()


Label = Annotated[str, Field(min_length=1, max_length=LONGEST_LABEL), AfterValidator(_in_one_line)]
"""What people call a thing of theirs, to tell it from others."""


class Input(BaseModel):
    """Base of inputs. Strings are kept exactly as they came."""

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)

    @field_validator("*", mode="before")
    @classmethod
    def _storable(cls, value: Any) -> Any:
        return check_text(value) if isinstance(value, str) else value


class Output(BaseModel):
    """Base of outputs; filled from rows and objects by attribute."""

    model_config = ConfigDict(from_attributes=True)
