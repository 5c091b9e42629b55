"""Turns a template into a page in one language, with the brand that mails have."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from functools import cache, cached_property
from importlib.resources import files
from typing import Any
from urllib.parse import urlsplit

from babel.dates import format_date, format_datetime, format_timedelta
from jinja2 import ChoiceLoader, Environment, FileSystemLoader, PackageLoader, StrictUndefined, TemplateError

from gatepost.core.errors import Stopped
from gatepost.core.languages import preferred
from gatepost.notices import BrandOptions, Languages, NoticeOptions, locale_of
from gatepost.pages.assets import Assets
from gatepost.pages.said import Said
from gatepost.pages.settings import PageOptions

__all__ = ["Page", "Pages"]

_STATIC = files("gatepost.pages") / "static"
# What text in the brand's colour stands on where it is hardest to read; the style sheet says the same.
_GROUNDS = {"light": "#f4f5f8", "dark": "#181c22"}


@dataclass(frozen=True, slots=True)
class Page:
    """A page as it is sent."""

    html: str
    language: str


class Pages:
    """Knows the templates, the operator's before ours, the catalogues of the messages, the brand, and the assets."""

    def __init__(
        self,
        brand: BrandOptions,
        notices: NoticeOptions,
        options: PageOptions | None = None,
        public_url: str = "",
        return_origins: Collection[str] = (),
    ) -> None:
        self._brand = brand
        self._notices = notices
        self._options = options or PageOptions()
        self._languages = Languages(notices.locales, notices.default_language)
        own = urlsplit(public_url)
        self._own_path = own.path
        self.origins = frozenset({f"{own.scheme}://{own.netloc.lower()}", *return_origins})
        """To whose pages people may be led back."""
        ours = PackageLoader("gatepost.pages")
        templates = self._options.templates
        self._loader = ChoiceLoader([FileSystemLoader(templates), ours]) if templates else ours
        self._environment = cache(self._make_environment)
        self.policy = self._policy(return_origins)
        if templates is not None:
            self._must_compile()

    def base(self, root_path: str) -> str:
        """Return what stands before every path of ours in a browser: the public URL's, or where a host mounted us."""
        return self._own_path or root_path

    def language(self, *wanted: str | None, accept: str | None = None) -> str:
        """Return the first language there is of those wanted, and then of those that a browser asks for."""
        return self._languages.choose(*wanted, *preferred(accept))

    def speaks(self, language: str) -> bool:
        """Tell whether there is a catalogue of exactly this name."""
        return language in self._languages.supported

    def render(self, name: str, language: str, **told: Any) -> Page:
        """Return a page in a language."""
        told = {"base": self._own_path, "said": Said(), "here": "", "csrf": "", "user": None, **told}
        return Page(self._environment(language).get_template(f"{name}.html").render(told), language)

    def _must_compile(self) -> None:
        """Raise Stopped if a template of the operator's is none: at the start, not when a visitor comes."""
        environment = self._environment(self._languages.choose())
        for name in environment.list_templates(extensions=["html", "css", "svg"]):
            try:
                environment.get_template(name)
            except TemplateError as error:
                raise Stopped(f"GATEPOST_PAGES__TEMPLATES: {name}: {error}") from error

    @cached_property
    def assets(self) -> Assets:
        """What the pages load."""
        drawn = self._environment(self._languages.choose())
        contents = {
            name: drawn.get_template(name).render(colors=self._colors).encode()
            for name in ("pages.css", "icon.svg")
        }
        if self._options.stylesheet is not None:
            contents["brand.css"] = self._options.stylesheet.read_bytes()
        scripts = (file for file in _STATIC.iterdir() if file.name.endswith(".js"))
        return Assets(contents | {file.name: file.read_bytes() for file in scripts})

    @cached_property
    def _colors(self) -> dict[str, str]:
        return {scheme: self._brand.color_on(ground) for scheme, ground in _GROUNDS.items()}

    def _asset(self, name: str) -> str:
        return self.assets.name(name)

    def _policy(self, return_origins: Collection[str]) -> str:
        # A form may end in a redirect, which browsers hold against `form-action` too.
        forms = " ".join(["'self'", *sorted(return_origins)])
        logo = urlsplit(self._brand.logo_url or "")
        images = f"'self' {logo.scheme}://{logo.netloc}" if logo.netloc else "'self'"
        return (
            f"default-src 'none'; script-src 'self'; style-src 'self'; img-src {images}; form-action {forms}; "
            "frame-ancestors 'none'; base-uri 'none'; require-trusted-types-for 'script'; trusted-types 'none'"
        )

    def _make_environment(self, language: str) -> Environment:
        environment = Environment(
            loader=self._loader,
            autoescape=True,
            undefined=StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
            extensions=["jinja2.ext.i18n"],
        )
        environment.install_gettext_translations(  # ty: ignore[missing-attribute]  the extension adds it
            self._languages.translations(language), newstyle=True
        )
        locale = locale_of(language)
        environment.filters["day"] = lambda moment: format_date(moment, "long", locale)
        environment.filters["span"] = lambda span: format_timedelta(span, locale=locale)
        environment.filters["moment"] = lambda moment: _moment(moment, locale)
        everywhere: dict[str, Any] = environment.globals
        everywhere |= {
            "account_url": self._notices.account_url,
            "asset": self._asset,
            "brand": self._brand,
            "direction": "rtl" if locale.character_order == "right-to-left" else "ltr",
            "has_stylesheet": self._options.stylesheet is not None,
            "hosted": self._options.hosted,
            "language": language,
            "languages": [(tag, _own_name(tag)) for tag in self._languages.supported],
        }
        return environment


def _moment(moment: datetime, locale: Any) -> str:
    # Nobody's time zone is known here, so it says which one it is; a script writes the reader's own.
    return f"{format_datetime(moment, 'medium', locale=locale).strip()} UTC"


def _own_name(language: str) -> str:
    name = locale_of(language).display_name or language
    return name[:1].upper() + name[1:]
