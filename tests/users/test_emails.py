"""Which addresses are accepted, and which of them are the same mailbox."""

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.provisional import domains

from gatepost.users.emails import LONGEST, canonical_email, check_email

LETTERS = st.characters(whitelist_categories=["Ll", "Lu", "Nd"], blacklist_characters="ßıİŉǰ")
LOCALS = st.text(LETTERS, min_size=1, max_size=20)


def outcome(address: str) -> str | None:
    try:
        return canonical_email(address)
    except ValueError:
        return None


@given(st.text(max_size=60) | st.builds("{}@{}".format, st.text(max_size=30), domains()))
def test_any_text_is_an_address_or_a_value_error(text: str) -> None:
    canonical = outcome(text)

    if canonical is not None:
        assert canonical.count("@") == 1
        assert canonical.rpartition("@")[2].isascii()
        assert canonical == canonical.strip()


@given(st.builds("{}@example.com".format, st.text(min_size=1, max_size=30)))
def test_the_canonical_form_is_its_own(address: str) -> None:
    canonical = outcome(address)

    if canonical is not None:
        assert canonical_email(canonical) == canonical


@given(LOCALS)
def test_case_and_normal_form_do_not_matter(local: str) -> None:
    canonical = outcome(f"{local}@example.com")
    if canonical is None:
        return

    for form in ("NFC", "NFD", "NFKC", "NFKD"):
        spelt = unicodedata.normalize(form, local)
        assert outcome(f"{spelt}@EXAMPLE.com") in {canonical, None}
    assert outcome(f"{local.casefold()}@Example.Com") in {canonical, None}


@given(LOCALS)
def test_a_long_address_is_refused(local: str) -> None:
    with pytest.raises(ValueError, match="too long"):
        canonical_email(f"{local}@{'a' * LONGEST}.com")


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("kate@example.com", "\u212aate@example.com"),  # the Kelvin sign
        ("ada@example.com", "\uff41da@example.com"),  # a full-width letter
        ("zo\u00eb@example.com", "zoe\u0308@example.com"),  # composed and decomposed
        ("straße@example.com", "STRASSE@example.com"),
        ("ada@bücher.example.com", "ada@xn--bcher-kva.example.com"),
        ("ada@example.com", "ada@EXAMPLE\u3002com"),  # the ideographic full stop
    ],
)
def test_spellings_of_one_mailbox_meet(one: str, other: str) -> None:
    assert canonical_email(one) == canonical_email(other)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("ada.l@example.com", "adal@example.com"),
        ("ada+news@example.com", "ada@example.com"),
        ("ada@example.com", "ada@example.org"),
        ("аda@example.com", "ada@example.com"),  # the first letter is Cyrillic
    ],
)
def test_different_mailboxes_stay_apart(one: str, other: str) -> None:
    assert canonical_email(one) != canonical_email(other)


@pytest.mark.parametrize(
    "address",
    [
        "ada\uff20evil.com@example.com",  # folds into a second @
        "ada\u200b@example.com",
        "ada\u202e@example.com",
        "ada\u00ad@example.com",
        "ada\n@example.com",
        "ada\0@example.com",
        "ada\ud800@example.com",
        "ada@exa\u200bmple.com",
        "<ada@example.com>",
        "Ada <ada@example.com>",
        '"ada lovelace"@example.com',
        "ada@[127.0.0.1]",
        "ada@localhost",
        "a@b@c.com",
    ],
)
def test_what_hides_or_confuses_is_refused(address: str) -> None:
    assert outcome(address) is None
    with pytest.raises(Exception, match="not a valid e-mail address"):
        check_email(address)


def test_an_address_is_returned_as_typed() -> None:
    assert check_email("Ada.L@Example.COM") == "Ada.L@Example.COM"
