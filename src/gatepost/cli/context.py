"""What commands share: settings from flags and environment, an open service, output for people or programs."""

import asyncio
import json
import re
import sys
from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from gatepost.core.errors import Stopped, Unavailable

if TYPE_CHECKING:
    from pydantic import ValidationError

    from gatepost.gatepost import Gatepost
    from gatepost.settings import Settings

__all__ = [
    "DataDir",
    "DatabaseUrl",
    "Json",
    "emit",
    "load_settings",
    "printable",
    "reason",
    "run",
    "said_by",
    "table",
    "warn",
]

Json = Annotated[bool, typer.Option("--json", help="Print JSON, for programs.")]
DatabaseUrl = Annotated[str | None, typer.Option(help="Database to use. Also GATEPOST_DATABASE_URL.")]
DataDir = Annotated[
    Path | None, typer.Option(help="Directory of the embedded database. Also GATEPOST_DATA_DIR.")
]


def load_settings(**flags: Any) -> "Settings":
    """Return the settings; flags that were given win over the environment. Raises Stopped."""
    from pydantic import ValidationError
    from pydantic_settings import SettingsError

    from gatepost.settings import Settings

    try:
        return Settings(**{name: value for name, value in flags.items() if value is not None})
    except ValidationError as error:
        raise Stopped(said_by(error, prefix="GATEPOST_")) from None
    except SettingsError as error:
        # Of a section that is given as a whole.
        raise Stopped(re.sub(r'.* field "(\w+)".*', _not_json, str(error))) from None


def _not_json(found: re.Match[str]) -> str:
    return f"GATEPOST_{found[1].upper()}: is not JSON"


def said_by(error: "ValidationError", prefix: str = "") -> str:
    """Return one line for each value that was refused, without the value."""
    return "\n".join(_line(item, prefix) for item in error.errors(include_input=False))


_SAID_BETTER = {
    "extra_forbidden": "is not a setting",
    "time_delta_parsing": "should be a duration, such as PT15M or 00:15:00",
}


def _line(item: Any, prefix: str) -> str:
    name = "__".join(str(part) for part in item["loc"])
    if prefix:
        name = name.upper()
        name = name if name == "PORT" or name.startswith(prefix) else f"{prefix}{name}"
    return f"{name}: {_SAID_BETTER.get(item['type'], item['msg'].removeprefix('Value error, '))}"


def run[T](settings: "Settings", act: Callable[["Gatepost"], Awaitable[T]]) -> T:
    """Do something with the service, beside those that run. Raises Stopped, DomainError."""

    async def main() -> T:
        async with _opened(settings) as gatepost:
            return await act(gatepost)

    return asyncio.run(main())


@asynccontextmanager
async def _opened(settings: "Settings") -> AsyncGenerator["Gatepost"]:
    from gatepost.gatepost import Gatepost
    from gatepost.migrations import require_current
    from gatepost.settings import must_run

    must_run(settings)
    _must_exist(settings)
    gatepost = Gatepost(settings)
    try:
        await require_current(gatepost.database)
        await gatepost.keep_time()
        yield gatepost
    finally:
        gatepost.hashing.close()
        await gatepost.database.close()


def _must_exist(settings: "Settings") -> None:
    """Raise Stopped if the embedded database is not there: most likely the command runs in another directory."""
    from sqlalchemy import make_url

    from gatepost.core.database import sqlite_path

    url = make_url(settings.database_location)
    if url.get_backend_name() == "sqlite" and not sqlite_path(url).exists():
        raise Stopped(
            f"There is no database at {sqlite_path(url).absolute()}. Run this where the service runs, or give "
            "--data-dir. To make a new one: gatepost db upgrade"
        )


def reason(error: Exception) -> str:
    """Return what an error says; of a dependency also the driver's words, which the operator needs and no client."""
    from gatepost.core.database import DatabaseUnavailable

    cause = getattr(error.__cause__, "orig", None) or error.__cause__
    if not (isinstance(error, Unavailable) and cause):
        return str(error)
    # To try again shortly is for clients; an operator has something to mend.
    says = str(error).removesuffix(" Try again shortly.")
    hint = " Look at GATEPOST_DATABASE_URL." if isinstance(error, DatabaseUnavailable) else ""
    return f"{says}{hint} ({cause})".splitlines()[0]


def emit(data: Any, text: str, *, as_json: bool) -> None:
    """Print the result: `data` as JSON, or `text`."""
    if as_json:
        json.dump(data, sys.stdout, default=str)
        sys.stdout.write("\n")
    else:
        print(text)


def warn(text: str) -> None:
    """Say something on standard error that the result does not hold."""
    print(f"gatepost: {text}", file=sys.stderr)


def table(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """Print a table. Values are shown whole, and never interpreted: people choose their own names."""
    from rich.box import SIMPLE_HEAD
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    # Into a pipe each row stays on one line, however long.
    console = Console(width=None if sys.stdout.isatty() else 10_000, highlight=False)
    shown = Table(*columns, box=SIMPLE_HEAD, pad_edge=False)
    for column in shown.columns:
        column.overflow = "fold"
    for row in rows:
        shown.add_row(*(Text(printable(value)) for value in row))
    console.print(shown)


def printable(text: str) -> str:
    """Return text that cannot steer a terminal: control and formatting characters are escaped."""
    return "".join(char if char.isprintable() else char.encode("unicode_escape").decode() for char in text)
