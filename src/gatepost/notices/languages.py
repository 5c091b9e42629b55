"""The languages there are catalogues for, and which of them a person gets."""

from collections.abc import Iterator
from functools import cache
from gettext import GNUTranslations, NullTranslations
from importlib.resources import files
from importlib.resources.abc import Traversable
from io import BytesIO
from pathlib import Path

from babel import Locale, UnknownLocaleError
from babel.messages.mofile import write_mo
from babel.messages.pofile import PoFileError, read_po

from gatepost.core.errors import Stopped
from gatepost.core.languages import canonical_tag

__all__ = ["SOURCE_LANGUAGE", "Languages", "locale_of"]

SOURCE_LANGUAGE = "en"
"""The language of the templates themselves."""

_BUILT_IN = files("gatepost.notices") / "locales"
_CATALOGUE = ("LC_MESSAGES", "gatepost.po")


class Languages:
    """Catalogues: ours, and those in a directory of the operator's, whose words go before ours."""

    def __init__(self, directory: Path | None = None, default: str = SOURCE_LANGUAGE) -> None:
        self._places: list[Traversable] = [directory, _BUILT_IN] if directory else [_BUILT_IN]
        tags = {tag for place in self._places for tag in _tags_in(place)} | {SOURCE_LANGUAGE}
        self.supported = tuple(sorted(tags))
        self._folded = {tag.lower(): tag for tag in self.supported}
        self.default = self._found(default)
        if self.default is None:
            raise Stopped(f"GATEPOST_NOTICES__DEFAULT_LANGUAGE: there is no catalogue for {default}")
        self.translations = cache(self._translations)

    def choose(self, *wanted: str | None) -> str:
        """Return the first language wanted that there is, else the default (lookup of RFC 4647, section 3.4)."""
        found = (self._found(tag) for tag in wanted if tag)
        return next(filter(None, found), self.default or SOURCE_LANGUAGE)

    def _found(self, tag: str) -> str | None:
        parts = tag.lower().split("-")
        shorter = ("-".join(parts[:length]) for length in range(len(parts), 0, -1))
        return next((self._folded[each] for each in shorter if each in self._folded), None)

    def _translations(self, language: str) -> NullTranslations:
        """Return the words of a language, the operator's before ours. Raises Stopped for a catalogue that is none."""
        first: NullTranslations | None = None
        for place in self._places:
            catalogue = _catalogue(place, language)
            if catalogue is None:
                continue
            if first is None:
                first = catalogue
            else:
                first.add_fallback(catalogue)
        return first or NullTranslations()


def locale_of(language: str) -> Locale:
    """Return how dates and numbers are written in a language."""
    return Locale.parse(language, sep="-")


def _tags_in(place: Traversable) -> Iterator[str]:
    for folder in place.iterdir():
        if folder.joinpath(*_CATALOGUE).is_file():
            try:
                tag = canonical_tag(folder.name.replace("_", "-"))
                locale_of(tag)
            except (ValueError, UnknownLocaleError):
                raise Stopped(f"{folder} is not named like a language, such as `nl` or `pt_BR`") from None
            yield tag


def _catalogue(place: Traversable, language: str) -> GNUTranslations | None:
    # Read as it is written: nothing compiled lies beside it that could be older.
    for name in (language.replace("-", "_"), language):
        file = place.joinpath(name, *_CATALOGUE)
        if file.is_file():
            return _read(file, language)
    return None


def _read(file: Traversable, language: str) -> GNUTranslations:
    compiled = BytesIO()
    try:
        with file.open("rb") as source:
            catalogue = read_po(source, locale=str(locale_of(language)), abort_invalid=True)
    except (PoFileError, UnicodeDecodeError, ValueError) as error:
        raise Stopped(f"{file} is not a catalogue: {error}") from error
    # A placeholder that was mistyped would show when the first such message is due.
    for message, errors in catalogue.check():
        raise Stopped(f"{file}, line {message.lineno}: {errors[0]}")
    write_mo(compiled, catalogue)
    compiled.seek(0)
    return GNUTranslations(compiled)
