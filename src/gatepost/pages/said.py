"""What one page has to tell the next: kept in the browser between a form and the page that follows, and said once."""

import json
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any, Self

from pydantic import ValidationError

from gatepost.core.errors import DomainError
from gatepost.passwords import PasswordRefused

__all__ = ["Said", "Wrong", "what_is_wrong"]

_MOST_KEPT = 320
_MOST_WRONG = 3
_LONGEST = 3_500  # browsers take cookies of 4,096 bytes
_SECRETS = ("password", "code", "token", "csrf", "credential")


@dataclass(frozen=True, slots=True)
class Wrong:
    """One thing wrong with a form: where, a stable code, and why if the code does not say."""

    field: str
    code: str
    why: str = ""


@dataclass(frozen=True, slots=True)
class Said:
    """For the page at `path`: something that was done, or what is wrong with what was typed there.

    It lies in a cookie, in the clear: it holds nothing that the person has not just typed, and no secret of it.
    """

    path: str = ""
    status: int = 200
    notice: str = ""
    wrong: Sequence[Wrong] = ()
    typed: Mapping[str, str] = field(default_factory=dict)

    def about(self, *fields: str) -> Wrong | None:
        """Return what is wrong with one of these fields."""
        return next((each for each in self.wrong if each.field in fields), None)

    def pack(self) -> str:
        """Return it as the value of a cookie."""
        packed = urlsafe_b64encode(json.dumps(asdict(self), separators=(",", ":")).encode()).decode()
        if len(packed) <= _LONGEST:
            return packed
        if not self.typed and len(self.wrong) <= _MOST_WRONG:
            return ""  # an address as long as this is none of ours
        return Said(self.path, self.status, self.notice, self.wrong[:_MOST_WRONG]).pack()

    @classmethod
    def unpack(cls, packed: str | None, path: str) -> Self:
        """Return what was said for the page at this path; nothing if it was for another, or is not ours."""
        try:
            kept: dict[str, Any] = json.loads(urlsafe_b64decode(packed or ""))
            wrong = [Wrong(**{name: str(value) for name, value in each.items()}) for each in kept["wrong"]]
            typed = {str(name): str(value) for name, value in kept["typed"].items()}
            said = cls(str(kept["path"]), int(kept["status"]), str(kept["notice"]), wrong, typed)
            json.dumps(asdict(said), ensure_ascii=False).encode()  # half of a surrogate pair is no text
        except (ValueError, TypeError, KeyError, AttributeError, OverflowError, RecursionError):
            return cls()
        return said if said.path == path and (said.status == 200 or 400 <= said.status < 500) else cls()


def typed_in(form: Mapping[str, str]) -> dict[str, str]:
    """Return what a form is to be filled with again: no secret of it."""
    return {
        name[:_MOST_KEPT]: value[:_MOST_KEPT]
        for name, value in form.items()
        if not any(secret in name for secret in _SECRETS)
    }


def what_is_wrong(error: DomainError | ValidationError, names: Mapping[str, str]) -> list[Wrong]:
    """Return what an error says of which fields. `names` are those that a form calls otherwise than a service."""
    if isinstance(error, ValidationError):
        found = {
            str(item["loc"][0]) if item["loc"] else "": str(item["type"]).replace("_", "-")
            for item in error.errors(include_input=False, include_url=False)
        }
        return [Wrong(names.get(name, name), code) for name, code in found.items()]
    why = error.weakness if isinstance(error, PasswordRefused) else str(error.retry_after or "")
    name = error.field or ""
    return [Wrong(names.get(name, name), error.code, why)]
