"""What a measured service is: how it starts, what its paths are, where its accounts lie."""

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path

from bench import servers
from bench.databases import Store

TEMPLATE_EMAIL = "template@example.com"
SEEDED_EMAIL = "user%d@example.com"
UNKNOWN_EMAIL = "nobody%d@example.com"
ADMIN_EMAIL = "admin@example.com"


@dataclass(frozen=True, slots=True)
class Api:
    """Paths of one service; None where it has no such thing."""

    health: str
    register: str | None
    token: str
    me: str
    listing: str | None = None
    refresh: str | None = None
    access_field: str = "access_token"
    """What the access token is called in answers."""
    refresh_field: str = "refresh_token"
    """What the refresh token is called in answers, and in the form that shows it again."""
    registered: int = 200
    """Status of a successful sign-up."""
    refused: int = 400
    """Status of a sign-in with a wrong password."""


@dataclass(frozen=True, slots=True)
class Seeded:
    """A table of which every account has one row. Columns: what differs from the template's row."""

    table: str
    owner: str
    """The column that holds the account's id."""
    addresses: tuple[str, ...] = ()
    """Columns that hold the account's e-mail address."""
    own: str | None = None
    """The column with the row's own id, if it is not known by the account's."""


@dataclass(frozen=True, slots=True)
class Subject:
    """A service on a database, ready to be started and measured."""

    key: str
    name: str
    database: str
    directory: Path
    """Subjects with the same directory use the same data."""
    command: tuple[str, ...]
    """`{port}` stands for the port."""
    environment: Mapping[str, str]
    api: Api
    store: Store
    tables: tuple[Seeded, ...]
    prepare: Callable[[], None] = lambda: None
    """What must happen once, before the first start; makes the template account where nobody can sign up."""
    admin: bool = False
    """Whether `prepare` made an administrator."""
    adjust: tuple[str, ...] = ()
    """Statements to run on the filled database."""

    def serving(self, processor: int | None) -> AbstractContextManager[servers.Server]:
        """Run it on a free port until the block ends."""
        port = servers.free_port()
        return servers.serving(
            [part.format(port=port) for part in self.command],
            port=port,
            environment={key: value.format(port=port) for key, value in self.environment.items()},
            ready_path=self.api.health,
            directory=self.directory,
            processor=processor,
        )
