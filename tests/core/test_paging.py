"""Cursors: what they lead back to, and that nobody else can make one."""

import string
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gatepost.core.paging import CursorInvalid, Cursors

CURSORS = Cursors(b"k" * 32)
LISTING: dict[str, Any] = {"q": "ada", "is_active": None}
CURSOR = CURSORS.make(["ada@example.com"], LISTING)


@given(st.lists(st.text(), max_size=3), st.dictionaries(st.text(), st.text() | st.none() | st.booleans()))
def test_a_cursor_leads_back_to_its_place(position: list[str], listing: dict[str, Any]) -> None:
    assert CURSORS.read(CURSORS.make(position, listing), listing) == position


@given(st.integers(0, len(CURSOR) - 1), st.characters())
def test_an_altered_cursor_is_refused(place: int, char: str) -> None:
    other = CURSOR[:place] + char + CURSOR[place + 1 :]
    if other != CURSOR:
        with pytest.raises(CursorInvalid):
            CURSORS.read(other, LISTING)


def test_no_other_spelling_of_a_cursor_is_accepted() -> None:
    """Base64 has spare bits at the end: only one of their values is ours."""
    alphabet = string.ascii_letters + string.digits + "-_+/="
    for char in set(alphabet) - {CURSOR[-1]}:
        with pytest.raises(CursorInvalid):
            CURSORS.read(CURSOR[:-1] + char, LISTING)


@given(st.text(max_size=100))
def test_garbage_is_refused(text: str) -> None:
    with pytest.raises(CursorInvalid):
        CURSORS.read(text, LISTING)


@pytest.mark.parametrize("other", [{}, {"q": "bob", "is_active": None}, {"q": "ada", "is_active": True}])
def test_a_cursor_of_another_list_is_refused(other: dict[str, Any]) -> None:
    with pytest.raises(CursorInvalid):
        CURSORS.read(CURSOR, other)


def test_a_cursor_made_under_another_key_is_refused() -> None:
    with pytest.raises(CursorInvalid):
        Cursors(b"x" * 32).read(CURSOR, LISTING)


def test_the_order_of_the_filters_does_not_matter() -> None:
    assert CURSORS.read(CURSOR, dict(reversed(LISTING.items()))) == ["ada@example.com"]
