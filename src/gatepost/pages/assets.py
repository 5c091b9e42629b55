"""Files that pages load: each under a name that changes with its content, so that browsers may keep them for ever."""

import hashlib
import re
from collections.abc import Mapping
from typing import NamedTuple

__all__ = ["Asset", "Assets"]

_NAME = re.compile(r"([a-z][a-z-]*)\.[0-9a-f]{12}\.([a-z]{2,4})")
_TYPES = {"css": "text/css", "js": "text/javascript", "svg": "image/svg+xml"}


class Asset(NamedTuple):
    """A file as it is sent. `is_current`: the name asked for is that of this content."""

    content: bytes
    media_type: str
    is_current: bool


class Assets:
    """Knows some files by their plain names, such as `pages.css`."""

    def __init__(self, contents: Mapping[str, bytes]) -> None:
        self._contents = contents
        self._names = {name: _dated(name, content) for name, content in contents.items()}

    def __contains__(self, name: str) -> bool:
        return name in self._contents

    def name(self, plain: str) -> str:
        """Return the name that a page asks for. Raises KeyError."""
        return self._names[plain]

    def find(self, name: str) -> Asset | None:
        """Return the file of such a name; under another version's name too, since an update reaches servers in turn."""
        found = _NAME.fullmatch(name)
        plain = f"{found[1]}.{found[2]}" if found else ""
        content = self._contents.get(plain)
        if content is None:
            return None
        return Asset(content, _TYPES[plain.rpartition(".")[2]], self._names[plain] == name)


def _dated(name: str, content: bytes) -> str:
    stem, _, ending = name.rpartition(".")
    return f"{stem}.{hashlib.sha256(content).hexdigest()[:12]}.{ending}"
