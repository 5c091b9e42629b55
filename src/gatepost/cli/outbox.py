"""`gatepost outbox`: what became of deliveries, and trying those again that were given up."""

from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated, Literal
from uuid import UUID

import typer

from gatepost.cli.context import DatabaseUrl, DataDir, Json, emit, load_settings, run, table
from gatepost.core.errors import Stopped

if TYPE_CHECKING:
    from gatepost.core.outbox import Letter, Letters
    from gatepost.gatepost import Gatepost

__all__ = ["commands"]

commands = typer.Typer(help="Deliveries of events: mail, and what an app listens to.", no_args_is_help=True)

State = Literal["failed", "due", "expired", "dropped", "done"]


@commands.command("list")
def list_deliveries(
    state: Annotated[State, typer.Option(help="What has become of them.")] = "failed",
    limit: Annotated[int, typer.Option(min=1, max=1000, help="At most so many.")] = 50,
    database_url: DatabaseUrl = None,
    data_dir: DataDir = None,
    as_json: Json = False,
) -> None:
    """List deliveries, the latest first; those that were given up unless another state is asked for."""
    settings = load_settings(database_url=database_url, data_dir=data_dir)

    async def act(gatepost: "Gatepost") -> "list[Letter]":
        return list(await _letters(gatepost).listed(state, limit))

    letters = run(settings, act)
    if as_json:
        emit({"deliveries": [_described(letter) for letter in letters]}, "", as_json=True)
        return
    table(["id", "event", "consumer", "attempts", "at (UTC)", "why"], [_row(letter) for letter in letters])


@commands.command()
def retry(
    delivery: Annotated[str | None, typer.Argument(metavar="ID", help="From `gatepost outbox list`.")] = None,
    all_failed: Annotated[bool, typer.Option("--all-failed", help="All that were given up.")] = False,
    database_url: DatabaseUrl = None,
    data_dir: DataDir = None,
    as_json: Json = False,
) -> None:
    """Try again what was given up. A worker begins within seconds; what has expired stays undelivered."""
    if (delivery is None) is not all_failed:
        raise Stopped("Give the ID of a delivery, or --all-failed.")
    settings = load_settings(database_url=database_url, data_dir=data_dir)

    async def act(gatepost: "Gatepost") -> int:
        if delivery is None:
            return await _letters(gatepost).retry_all()
        await _letters(gatepost).retry(_id(delivery))
        return 1

    count = run(settings, act)
    emit({"retried": count}, f"{count} to be tried again.", as_json=as_json)


def _letters(gatepost: "Gatepost") -> "Letters":
    from gatepost.core.outbox import Letters

    return Letters(gatepost.database, gatepost.clock)


def _id(text: str) -> UUID:
    try:
        return UUID(text)
    except ValueError:
        raise Stopped("The ID of a delivery looks like those in `gatepost outbox list`.") from None


def _described(letter: "Letter") -> dict[str, object]:
    times = {
        name: at.isoformat() if at else None
        for name, at in (("due_at", letter.due_at), ("expires_at", letter.expires_at))
    }
    return {**asdict(letter), "id": str(letter.id), **times}


def _row(letter: "Letter") -> list[str]:
    at = f"{letter.due_at:%Y-%m-%d %H:%M}"
    return [str(letter.id), letter.event, letter.consumer, str(letter.attempts), at, letter.last_error or ""]
