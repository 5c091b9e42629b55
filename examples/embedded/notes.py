"""Notes: who writes and reads them is whoever Gatepost says is calling."""

from collections.abc import Awaitable, Callable, Sequence
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Depends
from pydantic import BaseModel, ConfigDict, Field
from sqlalchemy import select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncSession, async_sessionmaker

from examples.embedded.tables import Note
from gatepost import Gatepost, Principal, RecordedEvent


class NewNote(BaseModel):
    """Something to write down."""

    text: Annotated[str, Field(min_length=1, max_length=1000)]


class NoteOut(BaseModel):
    """A note."""

    model_config = ConfigDict(from_attributes=True)

    id: UUID
    text: str


def notes_api(gatepost: Gatepost, sessions: async_sessionmaker[AsyncSession]) -> APIRouter:
    """Return the routes about notes."""
    api = APIRouter(tags=["notes"])
    me_here = Annotated[Principal, Depends(gatepost.current_user)]

    @api.get("/notes")
    async def mine(me: me_here) -> Sequence[NoteOut]:
        """List one's own notes, the oldest first."""
        async with sessions() as session:
            notes = await session.scalars(
                select(Note).where(Note.owner_id == me.subject).order_by(Note.written_at)
            )
            return [NoteOut.model_validate(note) for note in notes]

    @api.post("/notes")
    async def write(me: me_here, new: NewNote) -> NoteOut:
        """Write something down."""
        note = Note(owner_id=me.subject, text=new.text)
        async with sessions.begin() as session:
            session.add(note)
        return NoteOut.model_validate(note)

    return api


def welcome(sessions: async_sessionmaker[AsyncSession]) -> Callable[[RecordedEvent], Awaitable[None]]:
    """Return the consumer that writes everybody a first note, however they registered."""

    async def write(event: RecordedEvent) -> None:
        # An event may come twice; its id does not.
        first = Note(id=event.id, owner_id=event.subject, text="Welcome! This is your first note.")
        try:
            async with sessions.begin() as session:
                session.add(first)
        except IntegrityError:
            return  # written already, or the person has left

    return write
