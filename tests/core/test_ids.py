"""Identifiers in the order in which they were made."""

import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from gatepost.core import ids
from gatepost.core.ids import new_id


def test_ids_are_version_7_and_grow() -> None:
    made = [new_id() for _ in range(5000)]

    assert {(each.version, each.variant) for each in made} == {(7, "specified in RFC 4122")}
    assert made == sorted(made)
    assert len(set(made)) == len(made)


def test_an_id_holds_the_time_it_was_made() -> None:
    before = time.time_ns() // 1_000_000
    millis = new_id().int >> 80
    assert before <= millis <= time.time_ns() // 1_000_000 + 1


def test_threads_never_make_the_same_id_and_each_sees_them_grow() -> None:
    with ThreadPoolExecutor(8) as pool:
        batches = list(pool.map(lambda _: [new_id() for _ in range(500)], range(8)))

    assert all(batch == sorted(batch) for batch in batches)
    assert len({each for batch in batches for each in batch}) == 4000


def test_ids_grow_while_the_clock_stands_still_or_goes_back(monkeypatch: pytest.MonkeyPatch) -> None:
    now = time.time_ns()
    times = iter([now] * 5000 + [now - 10**9] * 100)
    monkeypatch.setattr(ids.time, "time_ns", lambda: next(times))

    made = [new_id() for _ in range(5100)]

    assert made == sorted(set(made))
