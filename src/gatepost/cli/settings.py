"""`gatepost settings`: what is in force, and where it came from."""

import os
from collections.abc import Callable, Collection, Mapping
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import typer

from gatepost.cli.context import DatabaseUrl, DataDir, Json, emit, load_settings, table, warn
from gatepost.core.durations import in_words

if TYPE_CHECKING:
    from gatepost.settings import Settings

__all__ = ["commands", "describe"]

commands = typer.Typer(help="The settings in force.", no_args_is_help=True)

MASK = "********"

# What counts where nothing is set.
_INSTEAD: Mapping[tuple[str, ...], Callable[["Settings"], Any]] = {
    ("database_url",): lambda settings: _masked_url(settings.database_location),
    ("mail_url",): lambda settings: settings.mail_location,
    ("public_url",): lambda settings: settings.issuer,
    ("drain_seconds",): lambda settings: settings.effective_drain_seconds,
    ("docs",): lambda settings: settings.shows_docs,
    ("log_format",): lambda settings: settings.effective_log_format,
    ("test_api",): lambda settings: settings.offers_test_api,
    ("mail", "sender"): lambda settings: settings.mail_sender,
    ("tokens", "audience"): lambda settings: settings.issuer,
}


@commands.callback()
def _group() -> None:
    """Make `show` a command with a name, also while it is the only one."""


@commands.command()
def show(database_url: DatabaseUrl = None, data_dir: DataDir = None, as_json: Json = False) -> None:
    """Show every setting: its value (secrets masked) and where it came from."""
    from gatepost.settings import unknown_names

    flags = {"database_url": database_url, "data_dir": data_dir}
    rows = describe(load_settings(**flags), {name for name, value in flags.items() if value is not None})
    unknown = unknown_names()
    if as_json:
        written = [{**row, "value": _as_set(row["value"])} for row in rows]
        emit({"settings": written, "unknown": unknown}, "", as_json=True)
        return
    table(["name", "value", "source"], [[row["name"], _shown(row["value"]), row["source"]] for row in rows])
    for line in unknown:
        warn(line)


def describe(settings: "Settings", flags: Collection[str] = ()) -> list[dict[str, Any]]:
    """Return every setting with its value (secrets masked) and where it came from; `flags` were arguments."""
    from pydantic_settings import DotEnvSettingsSource, EnvSettingsSource

    from gatepost.settings import Settings, secret_files, variables

    given = {
        "environment": EnvSettingsSource(Settings)(),
        ".env": DotEnvSettingsSource(Settings)(),
        "secrets file": secret_files(Settings)(),
    }
    set_here = {name.upper() for name in os.environ}
    rows: list[dict[str, Any]] = []
    for path, names in variables().items():
        source = "flag" if path[0] in flags else _source(path, names, given)
        if source == "environment":
            source = f"environment {next(name for name in names if name in set_here)}"
        value: Any = settings
        for part in path:
            value = getattr(value, part)
        if value is None and path in _INSTEAD:
            value = _INSTEAD[path](settings)
        rows.append({"name": names[0], "value": _masked(path, value), "source": source})
    return rows


def _source(path: tuple[str, ...], names: list[str], given: dict[str, dict[str, Any]]) -> str:
    for source, values in given.items():
        here: Any = values
        for part in path:
            here = here.get(part) if isinstance(here, dict) else None
        # A value with several names stands under the name that was used.
        if here is not None or (len(path) == 1 and any(name in values for name in names)):
            return source
    return "default"


def _masked(path: tuple[str, ...], value: Any) -> Any:
    if isinstance(value, list):
        return [_masked(path, item) for item in value]
    if hasattr(value, "get_secret_value"):
        return _masked_url(value.get_secret_value()) if path[-1].endswith("_url") else MASK
    return value if isinstance(value, bool | int | float | str | timedelta | None) else str(value)


def _masked_url(text: str) -> str:
    """Return a URL without its password, and without its parameters, which may hold another."""
    from sqlalchemy import make_url
    from sqlalchemy.exc import ArgumentError

    try:
        url = make_url(text)
    except (ArgumentError, ValueError):
        return MASK
    hidden = url.set(query={}).render_as_string(hide_password=True)
    return f"{hidden}?{MASK}" if url.query else hidden


def _as_set(value: Any) -> Any:
    """Return a value as one would set it: durations as in ISO 8601."""
    from pydantic import TypeAdapter

    return TypeAdapter(timedelta).dump_python(value, mode="json") if isinstance(value, timedelta) else value


def _shown(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, timedelta):
        return in_words(value)
    return ", ".join(map(str, value)) if isinstance(value, list) else str(value)
