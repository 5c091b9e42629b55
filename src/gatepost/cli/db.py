"""`gatepost db`: the schema."""

import asyncio
from typing import TYPE_CHECKING, Annotated, Any

import typer

from gatepost.cli.context import DatabaseUrl, DataDir, Json, emit, load_settings
from gatepost.cli.context import run as run_beside

if TYPE_CHECKING:
    from gatepost.core.database import Database
    from gatepost.gatepost import Gatepost

__all__ = ["commands"]

commands = typer.Typer(help="The database's schema.", no_args_is_help=True)


@commands.command()
def upgrade(database_url: DatabaseUrl = None, data_dir: DataDir = None, as_json: Json = False) -> None:
    """Migrate the database to the schema of this version. Safe to run twice, and by several at once."""
    from gatepost.migrations import HEAD, current_revision
    from gatepost.migrations.commands import upgrade as migrate

    async def run(database: "Database") -> str | None:
        before = await current_revision(database)
        await migrate(database)
        return before

    before = _with_database(run, database_url, data_dir)
    text = (
        f"The schema was at revision {HEAD} already."
        if before == HEAD
        else f"The schema is at revision {HEAD} now."
    )
    emit({"from": before, "to": HEAD}, text, as_json=as_json)


@commands.command()
def check(
    database_url: DatabaseUrl = None,
    data_dir: DataDir = None,
    models: Annotated[
        bool, typer.Option(help="Compare migrations with the models, on an empty database.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Tell whether the database has the schema of this version; exit 1 if not."""
    from gatepost.migrations import HEAD, current_revision
    from gatepost.migrations.commands import differences
    from gatepost.migrations.commands import upgrade as migrate

    async def run(database: "Database") -> tuple[str | None, list[Any]]:
        if models:
            await migrate(database)
        return await current_revision(database), await differences(database)

    found, differing = _with_database(run, database_url, data_dir)
    lines = [
        f"revision {found or 'none'}, this version needs {HEAD}",
        *(_describe(item) for item in differing),
    ]
    good = found == HEAD and not differing
    emit(
        {"ok": good, "found": found, "needed": HEAD, "differences": [_describe(item) for item in differing]},
        "\n".join(lines)
        + ("\nThe schema is right." if good else "\nThe schema is not right: gatepost db upgrade"),
        as_json=as_json,
    )
    raise typer.Exit(0 if good else 1)


@commands.command()
def clean(database_url: DatabaseUrl = None, data_dir: DataDir = None, as_json: Json = False) -> None:
    """Do what the worker does by itself: delete old sessions, tokens, answers and deliveries; rotate signing keys."""
    settings = load_settings(database_url=database_url, data_dir=data_dir)

    async def act(gatepost: "Gatepost") -> tuple[dict[str, int], dict[str, str]]:
        return await gatepost.schedule.run_all(), gatepost.schedule.effects

    done, effects = run_beside(settings, act)
    data = {
        effect: {name: rows for name, rows in done.items() if effects[name] == effect}
        for effect in ("deleted", *effects.values())
    }
    emit(data, "\n".join(f"{name}: {rows} {effects[name]}" for name, rows in done.items()), as_json=as_json)


@commands.command()
def revision(
    message: Annotated[str, typer.Option("--message", "-m", help="What changes, in a few words.")],
    database_url: DatabaseUrl = None,
    data_dir: DataDir = None,
    as_json: Json = False,
) -> None:
    """Write a migration with what differs between the models and the database (for people who work on Gatepost)."""
    from gatepost.migrations import HEAD
    from gatepost.migrations.commands import revision as write

    number = f"{int(HEAD) + 1:04}"
    path = _with_database(lambda database: write(database, message, number), database_url, data_dir)
    emit(
        {"path": str(path), "revision": number},
        f"Wrote {path}. Set HEAD to {number} beside it.",
        as_json=as_json,
    )


def _with_database(run: Any, database_url: str | None, data_dir: Any) -> Any:
    from gatepost.core.database import Database, translated
    from gatepost.settings import make_data_dir, require_extras

    settings = load_settings(database_url=database_url, data_dir=data_dir)
    require_extras(settings)
    if settings.is_embedded:
        make_data_dir(settings)

    async def main() -> Any:
        database = Database(settings.database_location, settings.database)
        try:
            with translated():
                return await run(database)
        finally:
            await database.close()

    return asyncio.run(main())


def _describe(item: Any) -> str:
    """Return a difference in words: the kind, the table, the column."""
    if isinstance(item, list):
        return "; ".join(_describe(part) for part in item)
    kind, *rest = item
    names = [getattr(part, "name", part) for part in rest if isinstance(part, str) or hasattr(part, "name")]
    return f"{kind} {' '.join(str(name) for name in names if name)}"
