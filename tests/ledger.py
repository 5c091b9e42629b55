"""What a service has promised, to be compared with what its database holds after a fault."""

import asyncio
from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from sqlalchemy import text

from gatepost.core.database import Database

__all__ = ["HALF_STATES", "Ledger", "half_states", "lost", "opened"]

# What each unit of work writes together. Every query finds what must not be.
HALF_STATES: Mapping[str, str] = {
    "a person without a password": """
        SELECT id FROM users WHERE id NOT IN (SELECT user_id FROM passwords)""",
    "a password without a person": """
        SELECT user_id FROM passwords WHERE user_id NOT IN (SELECT id FROM users)""",
    "a person whose registration is not recorded": """
        SELECT id FROM users WHERE id NOT IN (SELECT subject FROM events WHERE type = 'user.registered')""",
    "a registration of nobody": """
        SELECT subject FROM events WHERE type = 'user.registered' AND subject NOT IN (SELECT id FROM users)""",
    "a change that is not recorded, or a record of none": """
        SELECT id FROM users
        WHERE version <> 1 + (
            SELECT count(*) FROM events
            WHERE subject = users.id AND type IN (
                'user.changed', 'user.disabled', 'user.enabled', 'role.granted', 'role.revoked'))""",
    "a session without a person": """
        SELECT id FROM sessions WHERE user_id NOT IN (SELECT id FROM users)""",
    "a session without a refresh token": """
        SELECT id FROM sessions WHERE id NOT IN (SELECT session_id FROM refresh_families) AND cookie_digest IS NULL""",
    "a refresh token without a session": """
        SELECT session_id FROM refresh_families WHERE session_id NOT IN (SELECT id FROM sessions)""",
    "a start of a session that is not recorded, or a record of none": """
        SELECT user_id FROM sessions GROUP BY user_id
        HAVING count(*) <> (
            SELECT count(*) FROM events WHERE type = 'session.started' AND subject = sessions.user_id)""",
    "an end of a session that does not name its event": """
        SELECT id FROM sessions WHERE ended_at IS NOT NULL AND end_event NOT IN (SELECT id FROM events)""",
    "an end of a session that is not recorded": """
        SELECT id FROM sessions WHERE ended_at IS NOT NULL AND user_id NOT IN (
            SELECT subject FROM events WHERE type = 'session.ended')""",
}


@dataclass
class Ledger:
    """What was answered: accounts and the name that each had last, who was refused, sessions and their ends."""

    accounts: set[str] = field(default_factory=set)
    refused: set[str] = field(default_factory=set)
    names: dict[str, str] = field(default_factory=dict)
    asked: dict[str, set[str]] = field(default_factory=dict)
    sessions: set[str] = field(default_factory=set)
    ended: set[str] = field(default_factory=set)
    answers: int = 0
    waited_for: int = 0
    enough: asyncio.Event = field(default_factory=asyncio.Event)

    def asks_for(self, email: str, name: str) -> None:
        """Note a change before it is sent: without an answer it may have been made or not."""
        self.asked.setdefault(email, set()).add(name)

    def renamed(self, email: str, name: str) -> None:
        """Note that a change was answered; what was asked for before is over."""
        self.names[email] = name
        self.asked[email] = set()
        self.answered()

    def answered(self) -> None:
        """Count an answer."""
        self.answers += 1
        if self.answers >= self.waited_for:
            self.enough.set()

    async def wait_for_more(self, answers: int) -> None:
        """Wait until so many more have been answered."""
        self.waited_for = self.answers + answers
        self.enough.clear()
        await self.enough.wait()


async def half_states(url: str) -> dict[str, int]:
    """Return what is there and must not be, with how often."""
    async with opened(url) as database:
        found = {name: len(await database.reads.rows(text(query))) for name, query in HALF_STATES.items()}
        return {name: times for name, times in found.items() if times}


async def lost(url: str, ledger: Ledger) -> dict[str, str]:
    """Return which answered changes are not there, and which refused ones are."""
    async with opened(url) as database:
        rows = await database.reads.rows(text("SELECT email, name FROM users"))
        kept = await database.reads.rows(text("SELECT CAST(id AS text), ended_at FROM sessions"))
    stored = {row.email: row.name for row in rows}
    ends = {str(row[0]).replace("-", ""): row.ended_at for row in kept}
    gone = dict.fromkeys(ledger.accounts - stored.keys(), "no account")
    gone |= dict.fromkeys(ledger.refused & stored.keys(), "an account that was refused")
    gone |= dict.fromkeys(ledger.sessions - ends.keys(), "no session")
    gone |= {session: "goes on" for session in ledger.ended & ends.keys() if ends[session] is None}
    renamed = {
        email: f"{stored.get(email)} instead of {name}"
        for email, name in ledger.names.items()
        if stored.get(email) not in {name, *ledger.asked.get(email, ())}
    }
    return gone | renamed


@asynccontextmanager
async def opened(url: str) -> AsyncGenerator[Database]:
    """Open a database meanwhile."""
    database = Database(url)
    try:
        yield database
    finally:
        await database.close()
