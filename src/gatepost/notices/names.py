"""What of a person's name may stand in a mail: somebody else may have chosen it to speak to the recipient."""

import re
import unicodedata

__all__ = ["greeting_name"]

LONGEST = 60
# Joiners shape Persian and Indic words and emoji. They are kept, and looked through.
_JOINERS = str.maketrans("", "", "\u200c\u200d")
_ALLOWED_MARKS = frozenset(" '\u2019\u02bc-\u2010\u2011.,\u00b7\u30fb()&")
_ALLOWED = {"Lu", "Ll", "Lt", "Lm", "Lo", "Mn", "Mc", "Nd", "So"}
# Mail programs make links of what looks like a domain, with the full stops of any script (RFC 3490, section 3.1).
_DOMAIN = re.compile(r"\w[.\u3002\uff0e\uff61]\w{2,}")
# ... and of what looks like a telephone number.
_NUMBER = re.compile(r"\d(?:[ ().-]*\d){4,}")


def greeting_name(name: str | None) -> str | None:
    """Return the name to greet somebody with; None if it could be read as anything but a name.

    Letters, marks and the punctuation of names pass. Links, addresses, markup, domains, telephone numbers, text that
    turns the direction of writing, and whole sentences do not: then the mail greets without a name.
    """
    if name is None:
        return None
    shown = " ".join(name.split())
    plain = unicodedata.normalize("NFKC", shown.translate(_JOINERS))
    if not plain or len(shown) > LONGEST or not all(map(_is_of_a_name, plain)):
        return None
    if _DOMAIN.search(plain) or _NUMBER.search(plain):
        return None
    return shown


def _is_of_a_name(char: str) -> bool:
    return char in _ALLOWED_MARKS or unicodedata.category(char) in _ALLOWED
