"""What no text may hold: what a database cannot store."""

import unicodedata

import pytest
from pydantic import ValidationError
from pydantic_core import PydanticCustomError

from gatepost.core.schemas import Input, check_text


class Note(Input):
    text: str


def is_refused(char: str) -> bool:
    try:
        check_text(f"a{char}b")
    except PydanticCustomError:
        return True
    return False


def test_exactly_nul_surrogates_and_noncharacters_are_refused() -> None:
    noncharacters = {*range(0xFDD0, 0xFDF0)} | {
        plane * 0x10000 + last for plane in range(17) for last in (0xFFFE, 0xFFFF)
    }
    assert len(noncharacters) == 66  # Unicode 23.7

    refused = {point for point in range(0x110000) if is_refused(chr(point))}

    assert refused == {0} | {*range(0xD800, 0xE000)} | noncharacters


@pytest.mark.parametrize("text", ["", "Ada\n\t", "\N{GRINNING FACE}", unicodedata.normalize("NFD", "é")])
def test_other_text_is_kept_as_it_came(text: str) -> None:
    assert Note(text=text).text == text


def test_the_refusal_does_not_repeat_the_text() -> None:
    with pytest.raises(ValidationError) as refused:
        Note(text="hush\0")

    assert "hush" not in str(refused.value)
