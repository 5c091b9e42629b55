"""What comes in and goes out about a person."""

from datetime import UTC, datetime
from typing import Annotated, Any
from uuid import UUID

from pydantic import AfterValidator, AwareDatetime, BeforeValidator, Field
from pydantic_core import PydanticCustomError

from gatepost.core.languages import LanguageTag
from gatepost.core.schemas import Input, Output
from gatepost.users.emails import EmailAddress

__all__ = ["NewProfile", "ProfileChange", "UserFilter", "UserOut"]

Name = Annotated[str, Field(min_length=1, max_length=200, examples=["Ada Lovelace"])]


def _no_number(value: Any) -> Any:
    # It would be read as seconds since 1970, or as milliseconds, by its size.
    if isinstance(value, int | float):
        raise PydanticCustomError("datetime_type", "A time is text, after RFC 3339")
    return value


def _in_utc(moment: datetime) -> datetime:
    try:
        return moment.astimezone(UTC)
    except OverflowError:
        # The first and last hours of the calendar do not exist in every zone.
        raise PydanticCustomError("datetime_range", "This time is outside of the calendar in UTC") from None


Moment = Annotated[AwareDatetime, BeforeValidator(_no_number), AfterValidator(_in_utc)]


class NewProfile(Input):
    """A person to add."""

    email: EmailAddress
    name: Name | None = None
    locale: LanguageTag | None = Field(
        None, description="Language of messages (BCP 47). What the browser asks for if it is not given."
    )


class ProfileChange(Input):
    """What to change; what is not named stays."""

    email: EmailAddress | None = None
    name: Name | None = None
    locale: LanguageTag | None = Field(
        None, description="Language of messages (BCP 47). Null: the service's own."
    )
    is_active: bool | None = Field(None, description="Whether the person may sign in. For administrators.")
    email_verified: bool | None = Field(
        None, description="Whether the address is known to be the person's. For administrators."
    )
    locked_until: Moment | None = Field(
        None,
        description="Nobody signs in before this time; sessions go on. Null unlocks. For administrators.",
    )


class UserFilter(Input):
    """Which people to list, and from where."""

    email: EmailAddress | None = Field(
        None, description="Only the person with this address, in any spelling."
    )
    is_active: bool | None = Field(None, description="Only people who may, or may not, sign in.")
    created_after: Moment | None = Field(None, description="Only people who joined at this time or later.")
    created_before: Moment | None = Field(None, description="Only people who joined before this time.")
    q: str | None = Field(
        None, min_length=1, max_length=254, description="Only addresses that begin so; sorted by address."
    )
    limit: int = Field(50, ge=1, le=200, description="People on a page.")
    cursor: str | None = Field(None, max_length=1000, description="`next` of the page before.")

    def listing(self) -> dict[str, object]:
        """Return what makes this list another list: all but where we are in it."""
        return self.model_dump(exclude={"cursor", "limit"}, mode="json")


class UserOut(Output):
    """A person, as others may see it."""

    id: UUID
    email: str
    email_verified: bool
    name: str | None
    locale: str | None
    is_active: bool
    locked_until: datetime | None
    created_at: datetime
    updated_at: datetime
