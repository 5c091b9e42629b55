"""The state of rules in this process."""

import time
from collections import OrderedDict
from collections.abc import Callable, Sequence

from gatepost.core.limits.rules import Demand, Limit, State, Verdict, judge, judge_backoff

__all__ = ["LocalLimiter"]

CAPACITY = 65_536
_NEVER: State = (0.0, 0)


class LocalLimiter:
    """Judges by what this process has seen. Exact, for one process; bounded to `capacity` keys for each rule.

    `now` is a monotonic clock in seconds.
    """

    def __init__(self, now: Callable[[], float] = time.monotonic, capacity: int = CAPACITY) -> None:
        self._now = now
        self._capacity = capacity
        # One shelf for each rule: a flood of addresses does not push out what is known of accounts.
        self._shelves: dict[str, OrderedDict[str, State]] = {}

    async def admit(self, demands: Sequence[Demand]) -> list[Verdict]:
        """Charge the demands in order up to the first refusal; return the verdicts so far. Never raises."""
        now = self._now()
        verdicts: list[Verdict] = []
        for rule, key in demands:
            shelf = self._shelf(rule.name)
            state = shelf.get(key, _NEVER)
            if isinstance(rule, Limit):
                verdict, full_at = judge(rule, state[0], now)
                after = (full_at, 0)
            else:
                verdict, after = judge_backoff(rule, state, now)
            verdicts.append(verdict)
            if not verdict.admitted:
                break
            self._keep(shelf, key, after, now)
        return verdicts

    async def forget(self, demand: Demand) -> None:
        """Forget the state behind a demand."""
        self._shelf(demand.rule.name).pop(demand.key, None)

    async def close(self) -> None:
        """Hold nothing open."""

    @property
    def size(self) -> int:
        """How many keys it remembers."""
        return sum(map(len, self._shelves.values()))

    def _shelf(self, name: str) -> OrderedDict[str, State]:
        shelf = self._shelves.get(name)
        if shelf is None:
            shelf = self._shelves[name] = OrderedDict()
        return shelf

    def _keep(self, shelf: OrderedDict[str, State], key: str, state: State, now: float) -> None:
        if key in shelf:
            shelf[key] = state
            shelf.move_to_end(key)
            return
        shelf[key] = state
        # Two out for each one in: what is over goes faster than new comes, and no request pays for a sweep.
        for _ in range(2):
            oldest = next(iter(shelf))
            if shelf[oldest][0] > now and len(shelf) <= self._capacity:
                break
            del shelf[oldest]
