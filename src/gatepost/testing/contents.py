"""Finding in a message what a person would click on, or type in."""

import re
from html.parser import HTMLParser

__all__ = ["codes", "links"]

_LINK = re.compile(r"[a-z][a-z0-9+.-]*://[^\s<>\"']+", re.IGNORECASE)
# What ends a sentence behind a link is not part of it.
_BEHIND = ".,;:!?)]}"
_CODE = re.compile(
    r"(?<![\w+-])(?<!\d[ -])"
    r"(?:\d{6,8}|\d{3}[ -]\d{3}|(?=[A-Z-]*\d)[A-Z0-9]{4,8}(?:-[A-Z0-9]{4,8})+|gp_[a-z]+_[\w-]{20,})"
    r"(?![\w-])(?! \d)"
)
_UNSEEN = {"head", "script", "style", "title"}


class _Page(HTMLParser):
    """The text of a page, and where its links lead."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.targets: list[str] = []
        self._seen: list[str] = []
        self._hidden = 0
        self.feed(html)
        self.close()

    @property
    def text(self) -> str:
        return " ".join(self._seen)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self._hidden += tag in _UNSEEN
        target = dict(attrs).get("href") if tag == "a" else None
        if target and _LINK.match(target):
            self.targets.append(target)

    def handle_endtag(self, tag: str) -> None:
        self._hidden -= tag in _UNSEEN

    def handle_data(self, data: str) -> None:
        if not self._hidden:
            self._seen.append(data)


def links(text: str, html: str | None) -> list[str]:
    """Return every link once: those of the text, then those that only the page has."""
    found = [_trimmed(link) for link in _LINK.findall(text)]
    return list(dict.fromkeys(found + (_Page(html).targets if html else [])))


def codes(text: str, html: str | None) -> list[str]:
    """Return every code once; of the page only if there is no text. What stands in a link is none."""
    readable = text if text.strip() or html is None else _Page(html).text
    return list(dict.fromkeys(map(_typed, _CODE.findall(_LINK.sub(" ", readable)))))


def _trimmed(link: str) -> str:
    while link[-1] in _BEHIND and not (link[-1] == ")" and link.count("(") >= link.count(")")):
        link = link[:-1]
    return link


def _typed(code: str) -> str:
    digits = re.sub(r"[ -]", "", code)
    return digits if digits.isdigit() and len(digits) == 6 else code
