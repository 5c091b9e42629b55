"""Time: movable in tests, UTC in the database."""

from datetime import UTC, datetime, timedelta, timezone

import pytest
from sqlalchemy.dialects import sqlite

from gatepost.core.clock import MovableClock, ShiftedClock, SystemClock
from gatepost.core.models import UtcDateTime

NOON = datetime(2030, 1, 1, 12, tzinfo=UTC)


def test_a_movable_clock_stands_still_until_it_is_moved() -> None:
    clock = MovableClock(NOON)
    assert clock.now() == clock.now() == NOON

    clock.move(timedelta(hours=1))
    clock.move(timedelta(minutes=-30))

    assert clock.now() == NOON + timedelta(minutes=30)


def test_a_shifted_clock_is_ahead_and_its_seconds_never_go_back() -> None:
    real = MovableClock(NOON)
    clock = ShiftedClock(real)
    assert clock.now() == NOON
    before = clock.monotonic()

    clock.shift(timedelta(days=31), timedelta(days=31))
    real.move(timedelta(hours=1))
    assert clock.now() == NOON + timedelta(days=31, hours=1)
    assert clock.unmoved() == NOON + timedelta(hours=1)
    assert clock.monotonic() - before >= timedelta(days=31).total_seconds()

    after = clock.monotonic()
    clock.shift(timedelta(0), timedelta(days=32))
    assert clock.now() == NOON + timedelta(hours=1)
    assert clock.monotonic() - after >= timedelta(days=1).total_seconds()


def test_the_systems_clock_tells_the_time_in_utc() -> None:
    before = datetime.now(UTC)
    assert before <= SystemClock().now() <= datetime.now(UTC)
    assert SystemClock().now().tzinfo is UTC


def test_an_instant_is_utc_on_both_ways_and_never_naive() -> None:
    column, dialect = UtcDateTime(), sqlite.dialect()
    elsewhere = NOON.astimezone(timezone(timedelta(hours=5)))

    assert column.process_bind_param(elsewhere, dialect) == NOON
    assert column.process_result_value(NOON.replace(tzinfo=None), dialect) == NOON
    assert column.process_result_value(elsewhere, dialect) == NOON
    assert column.process_bind_param(None, dialect) is None
    assert column.process_result_value(None, dialect) is None
    with pytest.raises(ValueError, match="naive"):
        column.process_bind_param(NOON.replace(tzinfo=None), dialect)
