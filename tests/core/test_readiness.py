"""Asking what the service depends on: seldom, together, and never for long."""

import asyncio

from gatepost.core.errors import Unavailable
from gatepost.core.readiness import Check, Readiness


class Gone(Unavailable):
    code = "gone"


class Dependency:
    """Counts how often it is asked; answers when it may, and with what it is told to raise."""

    def __init__(self, *, raises: Exception | None = None, answers: bool = True) -> None:
        self.asked = 0
        self.may_answer = asyncio.Event()
        self._raises = raises
        if answers:
            self.may_answer.set()

    async def __call__(self) -> None:
        self.asked += 1
        await self.may_answer.wait()
        if self._raises is not None:
            raise self._raises


async def test_it_is_ready_while_all_that_is_vital_answers() -> None:
    readiness = Readiness([Check("a", Dependency()), Check("b", Dependency(raises=OSError()), vital=False)])
    report = await readiness.report()
    assert (report.ready, report.degraded) == (True, True)
    assert report.checks == {"a": "ok", "b": "unreachable"}


async def test_it_is_not_ready_without_what_is_vital_and_says_why() -> None:
    report = await Readiness([Check("a", Dependency(raises=Gone())), Check("b", Dependency())]).report()
    assert (report.ready, report.degraded) == (False, False)
    assert report.checks == {"a": "gone", "b": "ok"}


async def test_one_that_hangs_is_not_waited_for_and_not_asked_again_until_it_has_answered() -> None:
    hanging = Dependency(answers=False)
    readiness = Readiness([Check("a", hanging)], monotonic=lambda: 0.0)
    began = asyncio.get_running_loop().time()
    reports = await asyncio.gather(*(readiness.report() for _ in range(50)))
    assert asyncio.get_running_loop().time() - began < 1.0
    assert {report.checks["a"] for report in reports} == {"timeout"}
    assert hanging.asked == 1

    hanging.may_answer.set()
    assert (await readiness.report()).ready
    assert hanging.asked == 1


async def test_f12_whether_it_is_ready_is_told_without_waiting_for_what_is_not_vital() -> None:
    hanging = Dependency(answers=False)
    readiness = Readiness([Check("a", Dependency()), Check("b", hanging, vital=False)])
    async with asyncio.timeout(0.4):
        report = await readiness.report(in_detail=False)
    assert (report.ready, report.checks, hanging.asked) == (True, {"a": "ok"}, 0)


async def test_an_answer_is_good_for_a_second() -> None:
    now = 0.0
    dependency = Dependency()
    readiness = Readiness([Check("a", dependency)], monotonic=lambda: now)
    for moment, asked in ((0.0, 1), (1.0, 1), (1.1, 2)):
        now = moment
        await asyncio.gather(readiness.report(), readiness.report())
        assert dependency.asked == asked


async def test_closing_gives_up_what_is_still_being_asked() -> None:
    readiness = Readiness([Check("a", Dependency(answers=False))])
    waiting = asyncio.create_task(readiness.report())
    await asyncio.sleep(0)
    await readiness.close()
    assert (await waiting).checks == {"a": "timeout"}
