"""Writes the letter that an event asks for, to whom it concerns, and hands it to the transport."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from gatepost.core.clock import Clock
from gatepost.core.database import Reader
from gatepost.core.events import Event
from gatepost.core.mail.message import Mail
from gatepost.notices import queries
from gatepost.notices.letters import LETTERS, Letter
from gatepost.notices.occasions import OCCASIONS, Happening, Occasion
from gatepost.notices.rendering import Particulars, Renderer
from gatepost.notices.settings import NoticeOptions
from gatepost.sessions import device, recorded_address

__all__ = ["Correspondent"]

Send = Callable[[Mail], Awaitable[None]]

# Who signs in for the first time right after signing up does so on the device of before.
_NEWCOMER = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class _Recipient:
    to: str
    name: str | None
    locale: str | None


@dataclass(frozen=True, slots=True)
class _Place:
    """Where something happened: what people call the device, and roughly where in the network it was."""

    device: str | None = None
    network: str | None = None


class Correspondent:
    """The consumer of all events that are told by mail: `run` is what the outbox calls."""

    def __init__(
        self, read: Reader, renderer: Renderer, send: Send, clock: Clock, options: NoticeOptions
    ) -> None:
        self._read = read
        self._renderer = renderer
        self._send = send
        self._clock = clock
        self._muted = frozenset(options.muted)

    @property
    def events(self) -> Sequence[type[Event]]:
        """The events to listen to: those of what is sent to nobody are not even carried here."""
        return [each.event for each in OCCASIONS.values() if each.letter not in self._muted]

    def wants(self, event: Event, private: Mapping[str, Any]) -> bool:
        """Tell, when it is recorded, whether an event may have to be told: most that happen need no delivery."""
        return OCCASIONS[event.type].told_if(event.data(), private)

    async def run(self, event: Happening) -> None:
        """Send what tells of the event, if anything does. Raises what the transport raises, ValueError.

        May run again for the same event: the mail is then the same, with the same id.
        """
        occasion = OCCASIONS[event.type]
        letter = LETTERS[occasion.letter]
        if not occasion.told_if(event.data, event.private) or self._is_past(event, letter):
            return
        person = await self._person(event.subject)
        recipient = _recipient(event, person)
        if recipient is None or await self._is_muted(event.subject, letter):
            return
        place = await self._place(event, occasion)
        if letter.kind == "new_device" and await self._is_familiar(event, person, place):
            return
        rendered = self._renderer.render(letter.kind, _particulars(event, recipient, place), recipient.locale)
        await self._send(
            Mail(
                id=event.delivery,
                to=recipient.to,
                subject=rendered.subject,
                text=rendered.text,
                html=rendered.html,
                kind=letter.kind,
                language=rendered.language,
            )
        )

    def _is_past(self, event: Happening, letter: Letter) -> bool:
        return self._clock.now() >= (event.expires_at or event.at + letter.lifetime)

    async def _person(self, subject: UUID | None) -> Any:
        return await self._read.first(queries.RECIPIENT, {"user_id": subject}) if subject else None

    async def _is_muted(self, subject: UUID | None, letter: Letter) -> bool:
        if not letter.mutable:
            return False
        if letter.kind in self._muted:
            return True
        rows = await self._read.rows(queries.MUTED, {"user_id": subject})
        return letter.kind in {row.kind for row in rows}

    async def _place(self, event: Happening, occasion: Occasion) -> _Place:
        row = None
        if occasion.scene == "session":
            row = await self._read.first(queries.SESSION, {"session_id": UUID(event.data["session_id"])})
        elif occasion.scene == "request" and event.actor in {None, event.subject}:
            # Where an administrator sits is nothing that others need to know.
            row = await self._read.first(queries.REQUEST, {"event_id": event.id})
        return _placed(row) if row else _Place()

    async def _is_familiar(self, event: Happening, person: Any, place: _Place) -> bool:
        """Tell whether the person signed in before on such a device, and from such a network, or is gone."""
        if person is None:
            return True
        asked = {"user_id": event.subject, "session_id": UUID(event.data["session_id"])}
        rows = await self._read.rows(queries.EARLIER, asked)
        if not rows:
            return event.at - person.created_at < _NEWCOMER
        before = [_placed(row) for row in rows]
        return place.device in {each.device for each in before} and place.network in {
            each.network for each in before
        }


def _recipient(event: Happening, person: Any) -> _Recipient | None:
    """Return who gets the letter; None if nobody does, since the person is gone and left no address."""
    private = event.private
    to = private.get("to") or (person.email if person else None)
    if to is None:
        return None
    name = private.get("name") or (person.name if person else None)
    return _Recipient(to, name, private.get("locale") or (person.locale if person else None))


def _placed(row: Any) -> _Place:
    # A mail lies in more hands than our database: it says less than may be kept there.
    return _Place(device(row.user_agent), recorded_address(row.address, "network"))


def _particulars(event: Happening, recipient: _Recipient, place: _Place) -> Particulars:
    private = event.private
    until = event.data.get("until") or private.get("until")
    return Particulars(
        at=event.at,
        name=recipient.name,
        link=private.get("link"),
        code=private.get("code"),
        undo_link=private.get("undo_link"),
        until=datetime.fromisoformat(until) if until else event.expires_at,
        device=place.device,
        network=place.network,
        factor=event.data.get("factor"),
        left=event.data.get("left"),
        by_administrator=event.actor not in {None, event.subject} or event.data.get("by") == "operator",
    )
