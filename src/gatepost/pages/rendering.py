"""Turns a template into a page in one language, with the brand that mails have."""

from dataclasses import dataclass
from functools import cache, cached_property
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined

from gatepost.core.languages import preferred
from gatepost.notices import BrandOptions, Languages, NoticeOptions, locale_of

__all__ = ["Page", "Pages"]


@dataclass(frozen=True, slots=True)
class Page:
    """A page as it is sent."""

    html: str
    language: str


class Pages:
    """Knows the templates, the catalogues of the messages, and the brand."""

    def __init__(self, brand: BrandOptions, options: NoticeOptions) -> None:
        self._brand = brand
        self._options = options
        self._languages = Languages(options.locales, options.default_language)
        self._environment = cache(self._make_environment)

    def render(self, name: str, accept_language: str | None, **told: Any) -> Page:
        """Return a page in the first language there is of those that a browser asks for."""
        language = self._languages.choose(*preferred(accept_language))
        return Page(self._environment(language).get_template(f"{name}.html").render(told), language)

    @cached_property
    def style(self) -> str:
        """The one style sheet of all pages."""
        return self._environment(self._languages.choose()).get_template("page.css").render()

    def _make_environment(self, language: str) -> Environment:
        environment = Environment(
            loader=PackageLoader("gatepost.pages"),
            autoescape=True,
            undefined=StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
            extensions=["jinja2.ext.i18n"],
        )
        environment.install_gettext_translations(  # ty: ignore[missing-attribute]  the extension adds it
            self._languages.translations(language), newstyle=True
        )
        everywhere: dict[str, Any] = environment.globals
        rtl = locale_of(language).character_order == "right-to-left"
        everywhere |= {"brand": self._brand, "account_url": self._options.account_url}
        everywhere |= {"language": language, "direction": "rtl" if rtl else "ltr"}
        return environment
