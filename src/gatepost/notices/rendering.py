"""Turns a letter and its particulars into a subject, a text and a page, in one language."""

import re
from dataclasses import dataclass, fields
from datetime import datetime, timedelta
from functools import cache
from typing import Any, Literal
from urllib.parse import urlsplit

from babel.dates import format_date, format_time, format_timedelta
from jinja2 import ChoiceLoader, Environment, FileSystemLoader, PackageLoader, StrictUndefined, Template

from gatepost.notices.languages import Languages, locale_of
from gatepost.notices.letters import LETTERS
from gatepost.notices.names import greeting_name
from gatepost.notices.settings import BrandOptions, NoticeOptions

__all__ = ["Particulars", "Rendered", "Renderer"]

TEXT, PAGE = "txt", "html"
_LINKS = ("link", "undo_link")
_BLANK_LINES = re.compile(r"\n\s*\n\s*\n+")


@dataclass(frozen=True, kw_only=True)
class Particulars:
    """What a letter tells beside its own words.

    `at`: when it happened. `until`: until when the link works, or what was announced can be stopped. `device` and
    `network`: what it happened on, and roughly where. `factor`: the name of a second factor. `left`: how many recovery
    codes there still are. `by_administrator`: whether it was somebody else's doing.
    """

    at: datetime
    name: str | None = None
    link: str | None = None
    code: str | None = None
    undo_link: str | None = None
    until: datetime | None = None
    device: str | None = None
    network: str | None = None
    factor: str | None = None
    left: int | None = None
    by_administrator: bool = False


@dataclass(frozen=True, slots=True)
class Rendered:
    """One message in one language."""

    subject: str
    text: str
    html: str
    language: str


class Renderer:
    """Knows the templates, the operator's before ours, the catalogues and the brand."""

    def __init__(self, brand: BrandOptions, options: NoticeOptions) -> None:
        self._brand = brand
        self._options = options
        self.languages = Languages(options.locales, options.default_language)
        ours = PackageLoader("gatepost.notices")
        self._loader = (
            ChoiceLoader([FileSystemLoader(options.templates), ours]) if options.templates else ours
        )
        self._environment = cache(self._make_environment)

    def render(self, kind: str, particulars: Particulars, *wanted: str | None) -> Rendered:
        """Return a letter in the first of the wanted languages that there is.

        Raises ValueError if it lacks what it needs, or a link leads nowhere.
        """
        _check(kind, particulars)
        language = self.languages.choose(*wanted)
        told = {field.name: getattr(particulars, field.name) for field in fields(particulars)}
        told |= {"name": greeting_name(particulars.name), "letter": LETTERS[kind]}
        told |= _told_times(particulars, language)
        text, page = (self._environment(language, form) for form in (TEXT, PAGE))
        return Rendered(
            subject=_subject(_template(text, kind), told),
            text=_tidy(_template(text, kind).render(told, layout="layout.txt")),
            html=_template(page, kind).render(told, layout="layout.html").strip() + "\n",
            language=language,
        )

    def _make_environment(self, language: str, form: str) -> Environment:
        environment = Environment(
            loader=self._loader,
            autoescape=form == PAGE,  # noqa: S701  the text is no page
            undefined=StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
            extensions=["jinja2.ext.i18n"],
        )
        environment.install_gettext_translations(  # ty: ignore[missing-attribute]  the extension adds it
            self.languages.translations(language), newstyle=True
        )
        rtl = locale_of(language).character_order == "right-to-left"
        everywhere: dict[str, Any] = environment.globals
        everywhere |= {"brand": self._brand, "account_url": self._options.account_url}
        everywhere |= {"language": language, "direction": "rtl" if rtl else "ltr"}
        # The pieces that letters are made of: the same names for both forms.
        pieces = vars(environment.get_template(f"pieces.{form}").module)
        everywhere |= {name: piece for name, piece in pieces.items() if not name.startswith("_")}
        return environment


def _check(kind: str, particulars: Particulars) -> None:
    missing = [name for name in LETTERS[kind].needs if getattr(particulars, name) is None]
    if missing:
        raise ValueError(f"{kind} needs {', '.join(sorted(missing))}")
    for name in _LINKS:
        link = getattr(particulars, name)
        if link is not None and not _is_absolute(link):
            raise ValueError(f"{kind}: {name} is no http or https address")


def _is_absolute(link: str) -> bool:
    parts = urlsplit(link)
    return parts.scheme in {"http", "https"} and bool(parts.hostname) and link.isascii() and " " not in link


def _told_times(particulars: Particulars, language: str) -> dict[str, Any]:
    """Return the times as people read them. Where they live is not known, so they are in UTC and say so."""
    until = particulars.until
    return {
        "date": _date(particulars.at, language),
        "time": _time(particulars.at, language),
        "until_date": None if until is None else _date(until, language),
        "lasts": None if until is None else _duration(until - particulars.at, language),
    }


def _date(moment: datetime, language: str) -> str:
    return format_date(moment, "long", locale_of(language))


def _time(moment: datetime, language: str) -> str:
    return format_time(moment, "short", locale=locale_of(language))


def _duration(span: timedelta, language: str) -> str:
    # Hours as far as two days, since "24 hours" says more than "1 day"; rounded down, as it is a promise.
    minutes = max(int(span.total_seconds() // 60), 1)
    units: tuple[tuple[Literal["day", "hour"], int, int], ...] = (("day", 1_440, 2 * 1_440), ("hour", 60, 60))
    fitting = (unit for unit, size, least in units if minutes >= least and minutes % size == 0)
    unit = next(fitting, "minute")
    # A threshold that nothing reaches: the unit is ours to choose.
    return format_timedelta(timedelta(minutes=minutes), unit, threshold=10**9, locale=locale_of(language))


def _template(environment: Environment, kind: str) -> Template:
    return environment.get_template(f"messages/{kind}.jinja")


def _subject(template: Template, told: dict[str, Any]) -> str:
    # One line whatever a translation or a brand holds: a line break would begin another header.
    if "subject" not in template.blocks:
        raise ValueError("the template has no block `subject`")
    lines = template.blocks["subject"](template.new_context(told))
    return " ".join("".join(lines).split())


def _tidy(text: str) -> str:
    lines = "\n".join(line.rstrip() for line in text.splitlines())
    return _BLANK_LINES.sub("\n\n", lines).strip() + "\n"
