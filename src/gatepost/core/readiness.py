"""Whether the service can do its work: what each thing it depends on says, asked seldom and never waited for long."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass

from gatepost.core.errors import DomainError, Unavailable

__all__ = ["Check", "Draining", "NotReady", "Readiness", "Report"]

_KEPT_SECONDS = 1.0
_LONGEST_SECONDS = 0.8  # whoever asks has an answer within a second
OK, TIMEOUT = "ok", "timeout"


class NotReady(Unavailable):
    """The service cannot do its work at this moment."""

    code = "not-ready"
    sentence = "The service is not ready."


class Draining(Unavailable):
    """The service was told to stop and takes no new work."""

    code = "draining"
    sentence = "The service is about to stop."


@dataclass(frozen=True)
class Check:
    """One thing we depend on: how to ask it. Without what is not `vital` the service goes on."""

    name: str
    ask: Callable[[], Awaitable[object]]
    vital: bool = True


@dataclass(frozen=True)
class Report:
    """What was found, by name: `ok`, `timeout`, or a code of what is wrong."""

    checks: Mapping[str, str]
    ready: bool

    @property
    def degraded(self) -> bool:
        """Whether something is missing that the service can do without."""
        return self.ready and any(said != OK for said in self.checks.values())


@dataclass
class _Asked:
    """One question: under way, or answered at `ended`."""

    task: asyncio.Task[str]
    ended: float | None = None


class Readiness:
    """Asks everything we depend on; those who want to know at the same time share one question and its answer.

    One that does not answer is asked again only when it has, or has failed. So probes, however many, cannot flood
    what they look at.
    """

    def __init__(self, checks: Sequence[Check], monotonic: Callable[[], float] = time.monotonic) -> None:
        self._checks = checks
        self._monotonic = monotonic
        self._asked: dict[str, _Asked] = {}

    async def report(self, *, in_detail: bool = True) -> Report:
        """Return what is known now; it takes at most 0.8 seconds.

        Without the details nothing is asked but what is vital: what we can do without keeps nobody waiting. A proxy
        that asks often has little patience, and would take us for dead.
        """
        checks = [check for check in self._checks if in_detail or check.vital]
        tasks = {check: self._question(check).task for check in checks}
        await asyncio.wait(tasks.values(), timeout=_LONGEST_SECONDS)
        said = {
            check: task.result() if task.done() and not task.cancelled() else TIMEOUT
            for check, task in tasks.items()
        }
        ready = all(said[check] == OK for check in checks if check.vital)
        return Report({check.name: word for check, word in said.items()}, ready)

    def _question(self, check: Check) -> _Asked:
        asked = self._asked.get(check.name)
        if asked is None or (asked.ended is not None and self._monotonic() - asked.ended > _KEPT_SECONDS):
            asked = self._asked[check.name] = _Asked(asyncio.create_task(_answer(check)))
            asked.task.add_done_callback(lambda _: self._has_ended(asked))
        return asked

    def _has_ended(self, asked: _Asked) -> None:
        asked.ended = self._monotonic()

    async def close(self) -> None:
        """Give up what is still being asked."""
        tasks = [asked.task for asked in self._asked.values()]
        self._asked.clear()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def _answer(check: Check) -> str:
    try:
        await check.ask()
    except DomainError as error:
        return error.code
    except Exception:  # noqa: BLE001  whatever it is, it does not answer
        return "unreachable"
    return OK
