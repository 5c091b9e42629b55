"""What tests ask for, and get."""

from datetime import datetime, timedelta
from typing import Annotated, Any, Self
from uuid import UUID

from pydantic import AwareDatetime, BeforeValidator, Field, WithJsonSchema, model_validator
from pydantic_core import PydanticCustomError

from gatepost.core.schemas import Input, Output
from gatepost.testing.contents import codes, links

__all__ = ["MailOut", "MailTo", "MailWanted", "MoveClock", "TimeOut"]

LONGEST_WAIT = 20.0


def _of(*kinds: type) -> BeforeValidator:
    """Return what refuses JSON of other kinds, before Pydantic makes a time of a number or a duration of `true`."""

    def check(value: Any) -> Any:
        if value is not None and type(value) not in kinds:
            raise PydanticCustomError("wrong_type", "This is neither a time nor a duration")
        return value

    return BeforeValidator(check)


_Duration = Annotated[
    timedelta,
    _of(str, int, float, timedelta),
    Field(gt=timedelta(0)),
    WithJsonSchema(
        {
            "anyOf": [
                {"type": "string", "format": "duration", "examples": ["P31D", "PT15M"]},
                {"type": "number", "exclusiveMinimum": 0},
            ]
        }
    ),
]


class MoveClock(Input):
    """Where to move the clock: exactly one of the three."""

    advance: _Duration | None = Field(
        None,
        description="Move forward by this: a duration such as `P31D` or `PT15M`, or a number of seconds.",
    )
    at: Annotated[AwareDatetime, _of(str, datetime)] | None = Field(
        None, description="Move forward to this time, such as `2031-01-01T00:00:00Z`."
    )
    reset: bool = Field(False, description="Go back to the real time.")

    @model_validator(mode="after")
    def _exactly_one(self) -> Self:
        if (self.advance is not None) + (self.at is not None) + self.reset != 1:
            raise PydanticCustomError("one_of", "Give exactly one of advance, at and reset")
        return self


class TimeOut(Output):
    """What the whole service takes for the present."""

    now: datetime
    ahead_seconds: float = Field(description="How far that is ahead of the real time.")


class MailTo(Input):
    """Whose mail."""

    to: str | None = Field(
        None, max_length=320, description="Only mail to this address, in any spelling of the same mailbox."
    )


class MailWanted(MailTo):
    """Which mail to show."""

    after: UUID | None = Field(None, description="Only mail that was sent after the one with this `id`.")
    wait: float = Field(
        0.0, ge=0, le=LONGEST_WAIT, description="Wait for the first to come, at most so many seconds."
    )


class MailOut(Output):
    """One message."""

    id: UUID
    to: str
    subject: str
    text: str
    html: str | None
    sent_at: datetime
    links: list[str] = Field(description="The addresses in it, in order: first those of the text.")
    codes: list[str] = Field(
        description="What looks like a code to type in, without the gaps between digits."
    )

    @classmethod
    def of(cls, row: Any) -> Self:
        """Return a message as it is shown."""
        return cls(
            id=row.id,
            to=row.recipient,
            subject=row.subject,
            text=row.text,
            html=row.html,
            sent_at=row.sent_at,
            links=links(row.text, row.html),
            codes=codes(row.text, row.html),
        )
