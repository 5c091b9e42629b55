"""Which passwords are refused (NIST SP 800-63B, section 3.1.1.2)."""

import re
from collections.abc import Container, Iterable

from gatepost.passwords.errors import PasswordRefused
from gatepost.passwords.settings import PasswordOptions

__all__ = ["PasswordPolicy"]

_SHORTEST_WORD = 3
_LEAST_OWN = 8
_LEAST_DISTINCT = 3


class PasswordPolicy:
    """One policy for every path that sets a password."""

    def __init__(
        self, options: PasswordOptions, blocklist: Container[str], context: Iterable[str] = ()
    ) -> None:
        self._options = options
        self._blocklist = blocklist
        self._context = {word.casefold() for word in context}

    def check(self, password: str, email: str) -> None:
        """Raise PasswordRefused if the password is too easy to guess, saying why."""
        if len(password) < self._options.minimum_length:
            raise PasswordRefused(
                f"A password needs at least {self._options.minimum_length} characters.", "too-short"
            )
        if self._options.blocklist and password in self._blocklist:
            raise PasswordRefused("This password is common or known from a breach. Choose another.", "common")
        if len(set(password)) < _LEAST_DISTINCT:
            raise PasswordRefused("This password repeats the same characters. Choose another.", "repeats")
        if self._built_from(password, email):
            raise PasswordRefused(
                "This password is built from your e-mail address or this service's name.", "built-from-you"
            )

    def _built_from(self, password: str, email: str) -> bool:
        """Tell whether too little is left once the words an attacker tries first are taken out."""
        rest = password.casefold()
        words = sorted(_words(email) | self._context, key=len, reverse=True)
        for word in words:
            rest = rest.replace(word, "")
        if len(rest) == len(password.casefold()):
            return False
        return len(rest) < _LEAST_OWN or (self._options.blocklist and rest in self._blocklist)


def _words(email: str) -> set[str]:
    folded = email.casefold()
    local, _, domain = folded.rpartition("@")
    parts = {folded, local, domain, domain.partition(".")[0]}
    parts |= {re.sub(r"[\W_]", "", local), *re.split(r"[\W_]+", local)}
    return {part for part in parts if len(part) >= _SHORTEST_WORD}
