"""Outcomes are waited for only while there is something to wait for."""

import asyncio

import pytest

from gatepost import Gatepost
from gatepost.core.ids import new_id
from gatepost.core.outbox.claims import Claim
from gatepost.core.outbox.settling import Outcome, Settling


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
async def test_a_write_that_has_just_ended_is_not_waited_for_for_ever(gatepost: Gatepost) -> None:
    settling = Settling(gatepost.database)
    claim = Claim(
        id=new_id(),
        consumer="nobody",
        type="nothing.happened",
        attempts=1,
        source=b"",
        begin_by=gatepost.clock.now(),
        expires_at=None,
        event=None,
    )
    settling.add(Outcome(claim, "done"))
    (write,) = [task for task in asyncio.all_tasks() if "Settling._write" in repr(task)]
    # Looked at in each round of the loop, so also in the one before its end is noted.
    while not write.done():  # noqa: ASYNC110
        await asyncio.sleep(0)

    await settling.written()
