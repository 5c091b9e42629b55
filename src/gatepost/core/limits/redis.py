"""The state of rules in Redis, for any number of processes; in this process while Redis is away."""

import asyncio
import time
from collections.abc import Callable, Coroutine, Sequence
from datetime import timedelta
from typing import Any

from gatepost.core.limits.local import LocalLimiter
from gatepost.core.limits.rules import SLACK, Demand, Limit, Rule, Verdict
from gatepost.core.logging import Logger
from gatepost.core.redis import connect

__all__ = ["RedisLimiter"]

ANSWER_SECONDS = 0.5
RETRY_SECONDS = 2.0
_LAST_LOOK_SECONDS = 0.05
_MICROSECONDS = 1e6
_MICROSECOND = timedelta(microseconds=1)
# How many requests may go together: the script holds up Redis' other clients meanwhile.
_TOGETHER = 100

# `judge` and `judge_backoff`, in microseconds of Redis' own clock: one for all processes. A last argument says by how
# much tests have moved it.
_SCRIPT = f"""
local clock = redis.call('TIME')
local now = clock[1] * 1000000 + clock[2] + (ARGV[#KEYS * 5 + 1] or 0)
local verdicts = {{}}

local function keep(key, value, until_)
  redis.call('SET', key, value, 'PX', math.max(1, math.ceil((until_ - now) / 1000)))
end

local function say(asker, admitted, remaining, reset, wait)
  table.insert(verdicts, {{asker, admitted, remaining, math.ceil(reset), math.ceil(wait)}})
  return admitted == 1
end

local function gcra(asker, key, window, step)
  local full_at = tonumber(redis.call('GET', key) or now)
  local start = math.min(math.max(full_at, now), now + window)
  local room = window - (start - now)
  if room < step * (1 - {SLACK}) then
    return say(asker, 0, 0, start - now, step - room)
  end
  local after = start + step
  keep(key, string.format('%.0f', after), after)
  return say(asker, 1, math.floor((window - (after - now)) / step + {SLACK}), after - now, 0)
end

local function backoff(asker, key, memory, longest, free)
  local failures, wait = 0, 0
  local state = redis.call('GET', key)
  if state then
    local forgotten_at, counted = string.match(state, '(%S+) (%S+)')
    if tonumber(forgotten_at) > now then
      failures = tonumber(counted)
    end
    wait = math.min(forgotten_at - memory - now, longest)
    if wait > 1000 then
      return say(asker, 0, 0, forgotten_at - now, wait)
    end
  end
  failures = failures + 1
  local delay = 0
  if failures >= free then
    delay = math.min(longest, 1000000 * 2 ^ math.min(failures - free, 30))
  end
  local forgotten_at = now + delay + memory
  keep(key, string.format('%.0f %d', forgotten_at, failures), forgotten_at)
  return say(asker, 1, math.max(0, free - failures), delay + memory, 0)
end

local refused = {{}}
for i, key in ipairs(KEYS) do
  local asker, kind, one, two, three = unpack(ARGV, i * 5 - 4, i * 5)
  if kind == 'forget' then
    redis.call('DEL', key)
  elseif not refused[asker] then
    local judge = kind == 'limit' and gcra or backoff
    refused[asker] = not judge(tonumber(asker), key, tonumber(one), tonumber(two), tonumber(three))
  end
end
return verdicts
"""

_Call = tuple[str, tuple[str | float, ...]]
_Rows = list[list[int]]


class RedisLimiter:
    """Judges by what all processes have seen. Those who ask while an answer is on its way go together next.

    If Redis fails or takes longer than half a second, `local` judges instead, exactly but for this process
    alone. After two seconds one request asks Redis again. `prefix` keeps apart services that share a Redis.
    `skipped` tells what time tests have left out, where they may.
    """

    def __init__(
        self,
        url: str,
        prefix: str,
        local: LocalLimiter,
        log: Logger,
        now: Callable[[], float] = time.monotonic,
        skipped: Callable[[], timedelta] | None = None,
    ) -> None:
        self._url = url
        self._prefix = prefix
        self._local = local
        self._log = log
        self._now = now
        self._skipped = skipped
        self._client: Any = None
        self._script: Any = None
        self._waiting: list[tuple[list[_Call], asyncio.Future[_Rows | None]]] = []
        self._sender: asyncio.Task[None] | None = None
        self._retry_at: float | None = None

    @property
    def is_local(self) -> bool:
        """Whether Redis was away when last asked, so that this process judges alone."""
        return self._retry_at is not None

    async def admit(self, demands: Sequence[Demand]) -> list[Verdict]:
        """Charge the demands in order up to the first refusal; return the verdicts so far. Never raises."""
        rows = await self._ask([(self._key(demand), _arguments(demand.rule)) for demand in demands])
        if rows is None:
            return await self._local.admit(demands)
        return [_verdict(rule, *row) for (rule, _), row in zip(demands, rows, strict=False)]

    async def forget(self, demand: Demand) -> None:
        """Forget the state behind a demand. Never raises."""
        await self._local.forget(demand)
        await self._ask([(self._key(demand), ("forget", 0, 0, 0))])

    async def close(self) -> None:
        """Close the connections; the next demand opens new ones."""
        client, self._client = self._client, None
        if client is not None:
            await client.aclose()

    def _key(self, demand: Demand) -> str:
        return f"{self._prefix}{demand.rule.name}:{demand.key}"

    async def _ask(self, calls: list[_Call]) -> _Rows | None:
        """Return what Redis answers, None if it does not."""
        if self._retry_at is not None:
            if self._now() < self._retry_at:
                return None
            # This request finds out for all; the others do not wait for what may not come.
            self._retry_at = self._now() + RETRY_SECONDS
        loop = asyncio.get_running_loop()
        answer: asyncio.Future[_Rows | None] = loop.create_future()
        self._waiting.append((calls, answer))
        if self._sender is None or self._sender.done():
            self._sender = loop.create_task(self._send())
        return await answer

    async def _send(self) -> None:
        """Ask for all who wait, and for those who came meanwhile."""
        while self._waiting:
            asking, self._waiting = self._waiting[:_TOGETHER], self._waiting[_TOGETHER:]
            rows = await self._answered([calls for calls, _ in asking])
            if rows is None:
                # It is away: nobody who waits behind them is to find that out too.
                asking, self._waiting = asking + self._waiting, []
            for number, (_, answer) in enumerate(asking):
                if not answer.done():
                    answer.set_result(None if rows is None else rows[number])

    async def _answered(self, groups: list[list[_Call]]) -> list[_Rows] | None:
        try:
            rows: list[_Rows] = [[] for _ in groups]
            for asker, *row in await _in_time(self._run(groups)):
                rows[asker].append(row)
        except Exception as error:  # noqa: BLE001  whatever it is, there is another way to judge
            self._gone(error)
            return None
        if self._retry_at is not None:
            self._retry_at = None
            self._log.info("limits.redis_back")
        return rows

    async def _run(self, groups: list[list[_Call]]) -> Any:
        self._connect()
        keys = [key for calls in groups for key, _ in calls]
        arguments = [
            part for asker, calls in enumerate(groups) for _, rule in calls for part in (asker, *rule)
        ]
        if self._skipped is not None:
            arguments.append(self._skipped() // _MICROSECOND)
        return await self._script(keys, arguments)

    def _connect(self) -> None:
        if self._client is None:
            from redis.asyncio.retry import Retry
            from redis.backoff import NoBackoff

            # Without a time limit of its own: it would send again what Redis may have counted already.
            self._client = connect(self._url)
            # A connection that a restart of Redis has closed is opened again without a pause.
            self._client.set_retry(Retry(NoBackoff(), 1))
            self._script = self._client.register_script(_SCRIPT)

    def _gone(self, error: Exception) -> None:
        if self._retry_at is None:
            self._log.warning("limits.redis_gone", error=type(error).__name__)
        self._retry_at = self._now() + RETRY_SECONDS


async def _in_time(work: Coroutine[Any, Any, Any]) -> Any:
    """Return the result of the work. Raises TimeoutError when half a second was not enough."""
    task = asyncio.ensure_future(work)
    try:
        # Twice, because a busy event loop may see the end of its own time before an answer that came long ago.
        for seconds in (ANSWER_SECONDS, _LAST_LOOK_SECONDS):
            done, _ = await asyncio.wait({task}, timeout=seconds)
            if done:
                return task.result()
    finally:
        task.cancel()
    raise TimeoutError


def _arguments(rule: Rule) -> tuple[str | float, ...]:
    if isinstance(rule, Limit):
        return "limit", rule.seconds * _MICROSECONDS, rule.step * _MICROSECONDS, 0
    return "backoff", rule.memory * _MICROSECONDS, rule.longest * _MICROSECONDS, rule.free


def _verdict(rule: Rule, admitted: int, remaining: int, reset: int, wait: int) -> Verdict:
    return Verdict(rule, admitted == 1, remaining, reset / _MICROSECONDS, wait / _MICROSECONDS)
