"""Opaque tokens, secret keys, and the ring that seals."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gatepost.core.secrets import (
    KeyRing,
    Unsealable,
    digest,
    new_secret_key,
    new_token,
    weakness,
    well_formed,
)

OLD, NEW = "Zk3vTq9wLr7yXb2nHc5mJd8gPf4sAe6u", "u6eAs4fPg8dJm5cHn2bXy7rLw9qTv3kZ"
RING = KeyRing([NEW, OLD])
SEALED = RING.seal(b"value", "column:1")
TOKEN = new_token("rt")


@given(st.binary(max_size=200), st.text(max_size=40))
def test_what_is_sealed_opens_again_for_the_same_purpose_alone(value: bytes, purpose: str) -> None:
    sealed = RING.seal(value, purpose)

    assert RING.open(sealed, purpose) == value
    assert value not in sealed or len(value) < 3
    with pytest.raises(Unsealable, match="another purpose"):
        RING.open(sealed, purpose + "x")


@given(st.integers(0, len(SEALED) - 1), st.integers(1, 255))
def test_an_altered_value_does_not_open(position: int, change: int) -> None:
    altered = bytearray(SEALED)
    altered[position] ^= change

    with pytest.raises(Unsealable):
        RING.open(bytes(altered), "column:1")


@given(st.integers(0, len(SEALED) - 1))
def test_a_cut_value_does_not_open(length: int) -> None:
    with pytest.raises(Unsealable):
        RING.open(SEALED[:length], "column:1")


def test_previous_keys_open_and_the_first_seals() -> None:
    before = KeyRing([OLD]).seal(b"value", "p")

    assert RING.open(before, "p") == b"value"
    with pytest.raises(Unsealable, match="not in the ring"):
        KeyRing([OLD]).open(RING.seal(b"value", "p"), "p")


def test_the_same_value_never_seals_to_the_same_bytes() -> None:
    assert len({RING.seal(b"value", "p") for _ in range(50)}) == 50


def test_derived_keys_differ_by_purpose_and_by_the_first_key() -> None:
    keys = {RING.derive("a"), RING.derive("b"), KeyRing([OLD]).derive("a")}

    assert len(keys) == 3
    assert {len(key) for key in keys} == {32}
    assert RING.derive("a") == KeyRing([NEW]).derive("a")


def test_a_ring_needs_a_key() -> None:
    with pytest.raises(ValueError, match="needs a key"):
        KeyRing([])


@given(st.integers(0, len(TOKEN) - 1), st.characters())
def test_a_token_with_another_character_is_not_well_formed(position: int, char: str) -> None:
    other = TOKEN[:position] + char + TOKEN[position + 1 :]

    assert well_formed("rt", other) == (other == TOKEN)


@given(st.text())
def test_garbage_is_not_a_token(text: str) -> None:
    assert not well_formed("rt", text)
    assert not well_formed("rt", "gp_rt_" + text)


def test_a_token_is_of_its_kind_alone() -> None:
    assert TOKEN.startswith("gp_rt_")
    assert well_formed("rt", TOKEN)
    assert not well_formed("setup", TOKEN.replace("gp_rt_", "gp_setup_"))
    assert not well_formed("rt", TOKEN + "=")
    assert len(digest(TOKEN)) == 32
    assert new_token("rt") != TOKEN


@pytest.mark.parametrize(
    ("key", "why"),
    [
        ("", "shorter"),
        (NEW[:31], "shorter"),
        ("changeme" * 8, "placeholder"),
        ("My-Secret-Key-0123456789-abcdefghij", "placeholder"),
        ("ab" * 40, "repeats"),
        (NEW, None),
    ],
)
def test_a_weak_key_is_named_so(key: str, why: str | None) -> None:
    found = weakness(key)

    assert found is None if why is None else why in str(found)


def test_a_key_that_we_make_is_not_weak() -> None:
    assert weakness(new_secret_key()) is None
