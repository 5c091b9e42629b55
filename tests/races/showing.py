"""A process of its own that shows one code many times at once: `python -m tests.races.showing URL DIRECTORY ...`.

It says `ready`, waits for a line, and then says how often it got through.
"""

import asyncio
import sys
from pathlib import Path
from uuid import UUID

from gatepost import Gatepost
from tests.conftest import make_settings
from tests.make import Person
from tests.mfa.people import recovered, shows


async def got_through(gatepost: Gatepost, person: Person, kind: str, code: str) -> bool:
    if kind == "totp":
        return await shows(gatepost, person, code) == "right"
    return await recovered(gatepost, person, code) is not None


def say(word: str) -> None:
    sys.stdout.write(f"{word}\n")
    sys.stdout.flush()


async def main(url: str, directory: str, user_id: str, kind: str, code: str, times: str) -> None:
    gatepost = Gatepost(make_settings(url, Path(directory), run_worker=False))
    person = Person(UUID(user_id), "")
    async with gatepost.lifespan():
        say("ready")
        await asyncio.to_thread(sys.stdin.readline)
        tries = [got_through(gatepost, person, kind, code) for _ in range(int(times))]
        say(str(sum(await asyncio.gather(*tries))))


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
