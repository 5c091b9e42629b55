"""The mail that people have got by now, and what they would click on or type in."""

import re
from dataclasses import dataclass
from urllib.parse import urlsplit

from gatepost import Gatepost, Settings
from gatepost.core.mail import MemoryTransport
from gatepost.testing.contents import codes, links

_TOKEN = re.compile(r"gp_ml_[\w-]+")


@dataclass(frozen=True)
class Letter:
    """One mail with a link and a code."""

    kind: str
    to: str
    text: str
    html: str

    @property
    def link(self) -> str:
        """The link, without the name of the host."""
        parts = urlsplit(self.url)
        return f"{parts.path}?{parts.query}"

    @property
    def url(self) -> str:
        """The link as it stands there."""
        (found,) = [each for each in links(self.text, None) if _TOKEN.search(each)]
        return found

    @property
    def page(self) -> str:
        """The path of the page that the link leads to."""
        return urlsplit(self.url).path

    @property
    def token(self) -> str:
        """What the link has as `token`."""
        return _TOKEN.findall(self.url)[0]

    @property
    def code(self) -> str:
        """The six digits."""
        (found,) = codes(self.text, None)
        return found

    @property
    def wrong_code(self) -> str:
        """Six digits that are not the right ones."""
        return f"{(int(self.code) + 1) % 1_000_000:06}"


class Post:
    """Carries out what waits in the outbox of a service whose own worker does not run."""

    def __init__(self, gatepost: Gatepost) -> None:
        assert isinstance(gatepost.mail, MemoryTransport)
        self._gatepost = gatepost
        self._sent = gatepost.mail.sent

    async def letters(self) -> list[Letter]:
        """Return all mail that there is since this was asked last, the oldest first."""
        await self._gatepost.worker.drain()
        found = [Letter(mail.kind, mail.to, mail.text, mail.html) for mail in self._sent]
        self._sent.clear()
        return found

    async def letter(self, kind: str) -> Letter:
        """Return the only mail that there is since this was asked last; it must be of this kind."""
        (found,) = await self.letters()
        assert found.kind == kind, found
        return found


def by_hand(settings: Settings, **changed: object) -> Settings:
    """Return the settings of a service whose mail `Post` carries out."""
    accounts = settings.accounts.model_copy(update=changed)
    return settings.model_copy(update={"run_worker": False, "accounts": accounts})
