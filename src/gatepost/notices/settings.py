"""Options of the messages: how they look, and which are sent."""

import re
from typing import Annotated
from urllib.parse import urlsplit

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field
from pydantic_settings import NoDecode

from gatepost.core.languages import LanguageTag
from gatepost.core.paths import Directory
from gatepost.notices.letters import MUTABLE

__all__ = ["BrandOptions", "NoticeOptions"]

_COLOR = re.compile(r"#[0-9a-f]{6}", re.ASCII)


def _one_line(value: str) -> str:
    if not value.isprintable():
        raise ValueError("must be one line of printable text")
    return value


def _color(value: str) -> str:
    if not _COLOR.fullmatch(value.lower()):
        raise ValueError("must be a colour such as #1a56db")
    return value.lower()


def _url(value: str | None, *schemes: str) -> str | None:
    if value is None:
        return None
    parts = urlsplit(_one_line(value))
    if parts.scheme not in schemes or not (
        parts.hostname or (parts.scheme == "mailto" and "@" in parts.path)
    ):
        raise ValueError(f"must be a URL with {' or '.join(schemes)}")
    return value


def _web_page(value: str | None) -> str | None:
    return _url(value, "https", "http")


def _image(value: str | None) -> str | None:
    return _url(value, "https")


def _place_for_help(value: str | None) -> str | None:
    return _url(value, "https", "http", "mailto")


def _split(value: object) -> object:
    return [item.strip() for item in value.split(",") if item.strip()] if isinstance(value, str) else value


def _that_may_be_muted(kinds: list[str]) -> list[str]:
    if not MUTABLE.issuperset(kinds):
        raise ValueError(f"may name only {', '.join(sorted(MUTABLE))}")
    return kinds


class BrandOptions(BaseModel):
    """What messages and pages look like."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: Annotated[str, AfterValidator(_one_line)] = Field(
        "Gatepost", min_length=1, max_length=60, description="What your product is called."
    )
    logo_url: Annotated[str | None, AfterValidator(_image)] = Field(
        None,
        description="An https address of your logo, shown 32 pixels high. The only image in any message; your name in "
        "text if not set.",
    )
    color: Annotated[str, AfterValidator(_color)] = Field(
        "#1a56db",
        description="Colour of buttons, as `#rrggbb`. What stands on it is black or white, as reads better.",
    )
    footer: Annotated[str | None, AfterValidator(_one_line)] = Field(
        None, max_length=500, description="A line at the end of each message, such as your postal address."
    )
    support_url: Annotated[str | None, AfterValidator(_place_for_help)] = Field(
        None, description="Where people find help: a page, or `mailto:` and an address."
    )

    terms_url: Annotated[str | None, AfterValidator(_web_page)] = Field(
        None, description="Your terms of use, for the pages. Whoever signs up is told to agree to them."
    )
    privacy_url: Annotated[str | None, AfterValidator(_web_page)] = Field(
        None, description="Your privacy policy, for the pages."
    )
    imprint_url: Annotated[str | None, AfterValidator(_web_page)] = Field(
        None, description="Who is behind the service, for the pages; the law of some countries asks for it."
    )

    @property
    def text_color(self) -> str:
        """The colour, black or white, that reads better on the brand's: at least 4.5 to 1 (WCAG 2.2, 1.4.3)."""
        return max("#ffffff", "#000000", key=lambda text: _contrast(text, self.color))

    def color_on(self, ground: str) -> str:
        """The brand's colour, as far towards black or white as it takes to be read on `ground` (WCAG 2.2, 1.4.3)."""
        end = max("#ffffff", "#000000", key=lambda text: _contrast(text, ground))
        steps = (_mixed(self.color, end, step / 20) for step in range(21))
        return next(found for found in steps if _contrast(found, ground) >= _READABLE or found == end)


_READABLE = 4.5


def _mixed(color: str, other: str, share: float) -> str:
    """Return a colour with this share of another in it."""
    pairs = ((int(each[start : start + 2], 16) for each in (color, other)) for start in (1, 3, 5))
    return "#" + "".join(f"{round(one + (two - one) * share):02x}" for one, two in pairs)


def _contrast(one: str, other: str) -> float:
    """Return the contrast ratio of two colours (WCAG 2.2), from 1 to 21."""
    darker, lighter = sorted((_luminance(one), _luminance(other)))
    return (lighter + 0.05) / (darker + 0.05)


def _luminance(color: str) -> float:
    """Return the relative luminance of `#rrggbb` (WCAG 2.2), from 0 for black to 1 for white."""
    parts = [int(color[start : start + 2], 16) / 255 for start in (1, 3, 5)]
    red, green, blue = (
        part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts
    )
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


class NoticeOptions(BaseModel):
    """Which messages are sent, in whose words."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    templates: Directory = Field(
        None, description="A directory whose templates take the place of ours with the same names."
    )
    locales: Directory = Field(
        None,
        description="A directory of catalogues, `LANGUAGE/LC_MESSAGES/gatepost.po`: more languages, or other words.",
    )
    default_language: LanguageTag = Field(
        "en", description="Language of messages to people whose own there is no catalogue for."
    )
    muted: Annotated[list[str], NoDecode, BeforeValidator(_split), AfterValidator(_that_may_be_muted)] = (
        Field(
            default_factory=list,
            description=f"Notices that are sent to nobody: {', '.join(f'`{kind}`' for kind in sorted(MUTABLE))}.",
        )
    )
    account_url: Annotated[str | None, AfterValidator(_web_page)] = Field(
        None, description="Your page where people look after their account. Security notices lead there."
    )

    @property
    def is_changed(self) -> bool:
        """Whether the operator has templates or words of their own, which may be wrong."""
        return self.templates is not None or self.locales is not None
