"""Brings the catalogues up to date with the templates: `python scripts/messages.py [LANGUAGE ...]` adds languages.

What is new stands there untranslated, what is gone is dropped, and nothing is guessed.
"""

import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

from babel.messages import Catalog
from babel.messages.extract import extract_from_dir
from babel.messages.pofile import read_po, write_po

ROOMS = Path(__file__).parent.parent / "src" / "gatepost"
LOCALES = ROOMS / "notices" / "locales"
# Where templates lie, and what is put before their names.
TEMPLATES = ((ROOMS / "notices" / "templates", ""), (ROOMS / "pages" / "templates", "pages/"))
METHODS = [("**", "jinja2.ext.babel_extract")]
OPTIONS = {"**": {"newstyle_gettext": "true", "trimmed": "true", "silent": "false"}}
# A date of making would differ each time.
NEVER = datetime(2026, 1, 1, tzinfo=UTC)


def extracted() -> Catalog:
    """Return a catalogue of all that the templates say."""
    found = [
        (f"{prefix}{file}", line, message, comments, context)
        for folder, prefix in TEMPLATES
        for file, line, message, comments, context in extract_from_dir(folder, METHODS, OPTIONS)
    ]
    catalogue = Catalog(project="Gatepost", charset="utf-8", creation_date=NEVER, revision_date=NEVER)
    # Sorted, so that a catalogue changes where the words do.
    for file, _line, message, comments, context in sorted(found, key=lambda each: (each[0], each[1])):
        catalogue.add(message, None, [(file, 0)], auto_comments=comments, context=context)
    return catalogue


def updated(language: str) -> Iterator[str]:
    """Write the catalogue of one language; yield what it lacks."""
    file = LOCALES / language / "LC_MESSAGES" / "gatepost.po"
    file.parent.mkdir(parents=True, exist_ok=True)
    if file.exists():
        with file.open("rb") as source:
            catalogue = read_po(source, locale=language)
    else:
        catalogue = Catalog(locale=language, project="Gatepost")
    catalogue.update(extracted(), no_fuzzy_matching=True)
    catalogue.obsolete.clear()
    catalogue.header_comment = (
        f"# The messages of Gatepost: {catalogue.locale.english_name if catalogue.locale else language}."
    )
    catalogue.revision_date, catalogue.fuzzy = NEVER, False
    catalogue.last_translator, catalogue.language_team = "", ""
    with file.open("wb") as target:
        write_po(target, catalogue, width=110, include_lineno=False, ignore_obsolete=True)
    for message in catalogue:
        words = message.string
        if message.id and not (words if isinstance(words, str) else words and all(words)):
            yield str(message.id)


def main() -> None:
    """Bring every catalogue up to date, and say what is not translated."""
    known = {folder.name for folder in LOCALES.iterdir() if folder.is_dir()}
    for language in sorted(known | set(sys.argv[1:])):
        for lacking in updated(language):
            print(f"{language}: {lacking}")


if __name__ == "__main__":
    main()
