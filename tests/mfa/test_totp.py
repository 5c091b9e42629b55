"""Codes of authenticator apps: those of the RFC, those of others, each step once and none backwards."""

import base64
from datetime import UTC, datetime, timedelta

import pyotp
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gatepost.mfa.guesses import FREE, Tally, wait_after
from gatepost.mfa.qr import qr_svg
from gatepost.mfa.totp import PERIOD, code_at, matching_step, new_secret, otpauth_uri, step_at, written

SECRET = b"12345678901234567890"
NOW = datetime(2026, 11, 26, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    ("seconds", "code"),
    [
        (59, "287082"),
        (1111111109, "081804"),
        (1111111111, "050471"),
        (1234567890, "005924"),
        (2000000000, "279037"),
        (20000000000, "353130"),
    ],
)
def test_codes_are_those_of_rfc_6238(seconds: int, code: str) -> None:
    # Appendix B, of whose eight digits an app shows the last six.
    assert code_at(SECRET, seconds // PERIOD) == code


@given(st.binary(min_size=20, max_size=20), st.integers(0, 2**40))
def test_codes_are_those_of_another_implementation(secret: bytes, step: int) -> None:
    other = pyotp.TOTP(base64.b32encode(secret).decode())
    assert code_at(secret, step) == other.generate_otp(step)


@given(
    st.lists(st.tuples(st.integers(-400, 400), st.integers(-2, 2)), max_size=30),
    st.integers(-1, 1),
)
def test_e04_whatever_the_clock_does_steps_are_used_upwards_and_once(
    moves: list[tuple[int, int]], drift: int
) -> None:
    """`moves`: by how much the clock moves, and how many steps off the app is then."""
    now, last, used = NOW, -1, list[int]()
    for seconds, off in moves:
        now += timedelta(seconds=seconds)
        shown = step_at(now) + off + drift
        step = matching_step(SECRET, code_at(SECRET, shown), now, last)
        if step is not None:
            assert step > last
            assert abs(step - step_at(now)) <= 1
            last = step
            used.append(step)
            assert matching_step(SECRET, code_at(SECRET, shown), now, last) is None
    assert used == sorted(set(used))


def test_e06_a_code_counts_from_one_step_before_its_own_to_one_after_to_the_second() -> None:
    begins = datetime.fromtimestamp(step_at(NOW) * PERIOD, UTC)
    code, own = code_at(SECRET, step_at(begins)), timedelta(seconds=PERIOD)
    second = timedelta(seconds=1)
    right = {begins - own, begins - second, begins, begins + 2 * own - second}
    wrong = {begins - own - second, begins + 2 * own}
    assert all(matching_step(SECRET, code, moment, -1) == step_at(begins) for moment in right)
    assert all(matching_step(SECRET, code, moment, -1) is None for moment in wrong)


@pytest.mark.parametrize("shape", ["{0} {1}", " {0}{1} ", "{0}\u00a0{1}\n"])
def test_spaces_in_a_code_do_not_count(shape: str) -> None:
    code = code_at(SECRET, step_at(NOW))
    assert matching_step(SECRET, shape.format(code[:3], code[3:]), NOW, -1) == step_at(NOW)


@pytest.mark.parametrize("zero", ["٠", "０", "०", "𝟎"])
def test_e05_digits_of_other_scripts_are_none(zero: str) -> None:
    code = code_at(SECRET, step_at(NOW))
    assert matching_step(SECRET, "".join(chr(ord(zero) + int(each)) for each in code), NOW, -1) is None


def test_an_app_reads_the_address_that_is_drawn() -> None:
    secret = new_secret()
    uri = otpauth_uri(secret, "Ada & Sons: shop", "ada+1@example.com")
    read = pyotp.parse_uri(uri)
    assert isinstance(read, pyotp.TOTP)
    assert (read.secret, read.issuer, read.name) == (written(secret), "Ada & Sons shop", "ada+1@example.com")
    assert (read.interval, read.digits, len(secret)) == (30, 6, 20)
    assert "+" not in uri
    drawn = qr_svg(uri)
    assert drawn.startswith("<svg")
    assert "http-equiv" not in drawn
    assert "<script" not in drawn


@given(st.lists(st.integers(0, 40_000_000), max_size=80))
def test_e05_guesses_are_few_for_good_however_they_are_spread(pauses: list[int]) -> None:
    now, tally, guesses = NOW, Tally(), 0
    for pause in pauses:
        now += timedelta(seconds=pause)
        if not tally.waits(now):
            tally, guesses = Tally(tally.failures + 1, now), guesses + 1
    spent = (now - NOW).total_seconds()
    assert guesses <= FREE or 30 * (2 ** (guesses - FREE - 1)) <= spent + 30


def test_e05_the_best_plan_of_a_guesser_has_25_guesses_in_a_year() -> None:
    now, tally = NOW, Tally()
    while now < NOW + timedelta(days=365):
        tally = Tally(tally.failures + 1, now)
        now += wait_after(tally.failures)
    assert tally.failures == 25
