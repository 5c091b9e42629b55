"""Strict JSON: agrees with the standard parser on what is JSON, and refuses the rest in plain words."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gatepost.core.http.json_body import MOST_DEPTH, load_json

VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**63)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=20,
)


@given(VALUES, st.booleans())
def test_json_comes_back_as_it_was(value: Any, ascii_only: bool) -> None:
    assert load_json(json.dumps(value, ensure_ascii=ascii_only).encode("utf-8", "surrogatepass")) == value


@given(st.binary(max_size=200))
def test_whatever_comes_is_parsed_or_refused_in_one_way(body: bytes) -> None:
    refusal: json.JSONDecodeError | None = None
    try:
        load_json(body)
    except json.JSONDecodeError as error:
        refusal = error
    assert refusal is None or refusal.doc == ""


@given(st.text(alphabet='[]{}"\\a', max_size=60))
def test_brackets_in_strings_do_not_count_as_depth(text: str) -> None:
    assert load_json(json.dumps([text]).encode()) == [text]


@pytest.mark.parametrize(
    ("body", "why"),
    [
        (b"[" * 33 + b"]" * 33, "nested deeper"),
        (b"[" * 1_000_000, "nested deeper"),
        (b'{"a":' * 40 + b"1" + b"}" * 40, "nested deeper"),
        (b"\xff", "UTF-8"),
        (b'"\xed\xa0\x80"', "UTF-8"),
        (b'{"a": 1, "a": 2}', "twice"),
        (b'{"a": 1, "\\u0061": 2}', "twice"),
        (b"NaN", "not JSON"),
        (b"[Infinity, -Infinity]", "not JSON"),
        (b"9" * 65, "too long"),
        (b"", "Expecting value"),
        (b"{'a': 1}", "Expecting property name"),
        (b"1 2", "Extra data"),
        (b'"' + b"\\" * 60_001, "Unterminated|Invalid"),
        (b'"' * 60_001, "Extra data"),
    ],
)
def test_what_is_not_sound_json_is_refused_without_quoting_it(body: bytes, why: str) -> None:
    with pytest.raises(json.JSONDecodeError, match=why) as refused:
        load_json(body)
    assert refused.value.doc == ""


def test_the_deepest_allowed_is_allowed() -> None:
    assert load_json(b"[" * MOST_DEPTH + b"]" * MOST_DEPTH)
