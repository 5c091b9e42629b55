"""Write docs/reference/ from the code: settings, commands, errors, events.

python scripts/reference.py            writes what differs
python scripts/reference.py --check    exits 1 if a page is not what the code says
"""

import argparse
import dataclasses
import importlib
import inspect
import pkgutil
import re
import sys
import types
import typing
from collections.abc import Callable, Iterable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any, Literal
from uuid import UUID

import typer
from pydantic import AliasChoices, BaseModel, SecretStr
from pydantic.fields import FieldInfo

import gatepost
from gatepost.app import STATUSES
from gatepost.cli import cli
from gatepost.core.durations import in_words
from gatepost.core.errors import DomainError, Unauthenticated
from gatepost.core.events import Event
from gatepost.core.http.problems import FAMILIES, REFUSALS
from gatepost.settings import Settings

ROOT = Path(__file__).parents[1]
NOTE = "<!-- Written by scripts/reference.py from the code. Change the code, then run `make docs`. -->"
# Defaults that depend on the machine, in words.
IN_WORDS = {"hashing__threads": "one less than processors"}


# --- settings -----------------------------------------------------------------------------------------------


def settings_page() -> str:
    """Return the page of settings."""
    general, sections = [], []
    for name, field in Settings.model_fields.items():
        if inspect.isclass(field.annotation) and issubclass(field.annotation, BaseModel):
            sections.append((name, field.annotation))
        else:
            general.append(_setting(name, field))
    lines = [
        "# Settings",
        (
            "Each setting is a variable of the environment. `.env` in the working directory works too, and so do "
            "files named like the variable in the directory that `GATEPOST_SECRETS_DIR` names. What comes first "
            "wins: arguments of the command, environment, `.env`, files."
        ),
        (
            "Durations are written as in ISO 8601: `PT15M` is 15 minutes, `P14D` is 14 days. Lists are "
            "separated by commas. In Python the same settings are arguments: "
            "`Settings(port=9000, tokens={...})`."
        ),
        _table(("Variable", "Type", "Default", "Meaning"), general),
    ]
    for name, model in sections:
        rows = [_setting(f"{name}__{part}", field) for part, field in model.model_fields.items()]
        lines += [f"## {name}", _doc(model), _table(("Variable", "Type", "Default", "Meaning"), rows)]
    return _page(lines)


def _setting(path: str, field: FieldInfo) -> tuple[str, str, str, str]:
    names = [f"GATEPOST_{path.upper()}"]
    if isinstance(field.validation_alias, AliasChoices):
        names = [str(choice) for choice in field.validation_alias.choices if str(choice).isupper()]
    default = IN_WORDS.get(path) or _default(field.get_default(call_default_factory=True))
    return ", ".join(f"`{name}`" for name in names), _type(field), default, field.description or ""


def _type(field: FieldInfo) -> str:
    return f"{_type_words(field.annotation)}{_bounds(field.metadata)}"


def _type_words(annotation: Any) -> str:
    origin = typing.get_origin(annotation)
    if origin is Literal:
        return ", ".join(f"`{value}`" for value in typing.get_args(annotation))
    if origin in {typing.Union, types.UnionType}:
        return " or ".join(
            _type_words(each) for each in typing.get_args(annotation) if each is not types.NoneType
        )
    if origin is list:
        return f"list of {_type_words(typing.get_args(annotation)[0])}"
    words: dict[Any, str] = {
        bool: "true or false",
        int: "integer",
        float: "number",
        str: "text",
        SecretStr: "secret",
        Path: "path",
        timedelta: "duration",
        UUID: "UUID",
    }
    return words[annotation]


def _bounds(metadata: Iterable[Any]) -> str:
    signs = {"ge": "≥", "gt": ">", "le": "≤", "lt": "<"}
    found = [
        f"{sign} {_amount(getattr(item, name))}"
        for item in metadata
        for name, sign in signs.items()
        if hasattr(item, name)
    ]
    return f", {', '.join(found)}" if found else ""


def _amount(value: Any) -> str:
    return in_words(value) if isinstance(value, timedelta) else f"{value:,}"


def _default(value: Any) -> str:
    if value is None:
        return "not set"
    if isinstance(value, timedelta):
        return in_words(value)
    if isinstance(value, bool):
        return f"`{str(value).lower()}`"
    if isinstance(value, list):
        return "empty" if not value else ", ".join(f"`{item}`" for item in value)
    return f"`{value}`"


# --- commands -----------------------------------------------------------------------------------------------


def commands_page() -> str:
    """Return the page of commands."""
    lines = [
        "# Commands",
        (
            "`gatepost COMMAND --help` says the same. A command that fails says why in one line on standard error "
            "and exits with 1; a wrong option exits with 2."
        ),
    ]
    for path, command, context in _walk(typer.main.get_command(cli)):
        if getattr(command, "commands", None) is not None:
            continue
        lines += [f"## {path}", inspect.cleandoc(command.help or "").split("\f")[0]]
        pieces = command.collect_usage_pieces(context)
        lines.append(f"```text\n{' '.join([path, *pieces])}\n```")
        rows = [record for parameter in command.params if (record := _parameter(parameter, context))]
        if rows:
            lines.append(_table(("Option", "Meaning"), rows))
    return _page(lines)


def _walk(command: Any, path: str = "gatepost", parent: Any = None) -> Iterator[tuple[str, Any, Any]]:
    context = command.context_class(command, parent=parent, info_name=path.rpartition(" ")[2])
    yield path, command, context
    for name, below in getattr(command, "commands", {}).items():
        yield from _walk(below, f"{path} {name}", context)


def _parameter(parameter: Any, context: Any) -> tuple[str, str] | None:
    record = parameter.get_help_record(context)
    if record is None:
        if parameter.param_type_name != "argument":
            return None
        record = (parameter.get_usage_pieces(context)[0], parameter.help or "")
    name, meaning = record
    return f"`{name}`", _unwrapped(meaning)


# --- errors -------------------------------------------------------------------------------------------------


# What the framework around the rooms refuses; the codes are made in core/http/.
OUTSIDE_ROOMS = (
    ("invalid", 422, "A field is missing, unknown or malformed. `errors` names each with a code of its own."),
    ("not-found", 404, "There is no such path."),
    ("unsupported-media-type", 415, "The body is neither the JSON nor the form that the endpoint takes."),
    ("internal-error", 500, "A fault of ours. The log has it under the id in `instance`."),
    *((code, status, sentence) for code, (status, sentence) in REFUSALS.items()),
)


def errors_page() -> str:
    """Return the page of errors."""
    lines = [
        "# Errors",
        (
            "Every refusal is a problem document ([RFC 9457](https://www.rfc-editor.org/rfc/rfc9457)) with the media "
            "type `application/problem+json`. `code` is stable; `detail` is for people and may change. `type` is "
            "`urn:gatepost:problem:` and the code. `instance` is the id of the request, which is in the log too."
        ),
        (
            "In Python each is a class under one of seven families. An error that keeps changes commits its unit "
            "of work before it is answered: its trace stays."
        ),
    ]
    for family, status in FAMILIES.items():
        errors = sorted(_below(family), key=lambda error: error.code)
        lines += [f"## {family.__name__} ({status})", _doc(family)]
        lines.append(_table(("Code", "Status", "Sentence", "Meaning"), [_error(each) for each in errors]))
    outside = [
        (f"`{code}`", str(status), text)
        for code, status, text in sorted(OUTSIDE_ROOMS, key=lambda each: each[1])
    ]
    lines += ["## Outside the rooms", "What is refused before a room sees the request, or after one failed."]
    lines.append(_table(("Code", "Status", "Meaning"), outside))
    return _page(lines)


def _below(family: type[DomainError]) -> Iterator[type[DomainError]]:
    if family.__module__.split(".")[0] == "gatepost":
        yield family
    for error in family.__subclasses__():
        yield from _below(error)


def _error(error: type[DomainError]) -> tuple[str, str, str, str]:
    statuses: dict[type, int] = {**FAMILIES, **STATUSES}
    status = next(statuses[each] for each in error.__mro__ if each in statuses)
    meaning = _doc(error)
    if error.keep_changes:
        meaning += " Keeps changes."
    if issubclass(error, Unauthenticated) and error.challenge:
        meaning += f" Challenge: {', '.join(f'`{name}={value}`' for name, value in error.challenge.items())}."
    own = error.sentence if "sentence" in vars(error) else "varies"
    return f"`{error.code}`", str(status), own, meaning


# --- events -------------------------------------------------------------------------------------------------


def events_page() -> str:
    """Return the page of events."""
    lines = [
        "# Events",
        (
            "Each is one row of the table `events`, written in the transaction of the change itself: `id`, `type`, "
            "`at`, `subject` (whom it is about), `actor` (who did it), `address`, `user_agent`, `request_id`, and "
            "the fields below as `data`. None holds a secret or an e-mail address."
        ),
        (
            "In Python a `Consumer` subscribes to the classes. Delivery is at least once; the event's id is the "
            "idempotency key. Classes that `gatepost` itself exports can be subscribed to from outside."
        ),
    ]
    rooms: dict[str, list[type[Event]]] = {}
    for event in sorted(_events(Event), key=lambda event: event.type):
        rooms.setdefault(event.__module__.split(".")[1], []).append(event)
    for room in sorted(rooms):
        rows = [_event(event) for event in rooms[room]]
        lines += [f"## {room}", _table(("Type", "Class", "Data", "Meaning"), rows)]
    return _page(lines)


def _events(base: type[Event]) -> Iterator[type[Event]]:
    for event in base.__subclasses__():
        if event.__module__.split(".")[0] == "gatepost":
            yield event
        yield from _events(event)


def _event(event: type[Event]) -> tuple[str, str, str, str]:
    data = [f"`{field.name}`" for field in dataclasses.fields(event) if field.name != "subject"]
    name = f"`{event.__name__}`" + ("" if event.__name__ in gatepost.__all__ else " (not exported)")
    return f"`{event.type}`", name, ", ".join(data) or "none", _doc(event)


# --- the quick start ----------------------------------------------------------------------------------------


def quickstart_page() -> str:
    """Return the first five minutes of README.md, which a test runs line by line, as a page."""
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    section = readme.split("\n## The first five minutes\n")[1].split("\n## ")[0]
    note = "<!-- Written by scripts/reference.py from README.md. Change that, then run `make docs`. -->"
    return "\n\n".join([note, "# The first five minutes", section.replace("](docs/", "](").strip()]) + "\n"


# --- Markdown -----------------------------------------------------------------------------------------------


def _page(lines: Iterable[str]) -> str:
    return "\n\n".join([NOTE, *lines]) + "\n"


def _table(head: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> str:
    lines = [head, ("---",) * len(head), *rows]
    return "\n".join(f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in line)} |" for line in lines)


def _doc(subject: object) -> str:
    """Return the docstring, unwrapped."""
    return _unwrapped(inspect.getdoc(subject) or "")


def _unwrapped(text: str) -> str:
    return re.sub(r"\s+", " ", text).strip()


# --- the program --------------------------------------------------------------------------------------------

PAGES: dict[str, Callable[[], str]] = {
    "quickstart.md": quickstart_page,
    "reference/settings.md": settings_page,
    "reference/commands.md": commands_page,
    "reference/errors.md": errors_page,
    "reference/events.md": events_page,
}


def pages() -> dict[str, str]:
    """Return the text of each page, by its path in docs/."""
    for module in pkgutil.walk_packages(gatepost.__path__, "gatepost."):
        # Errors and events are found by subclassing, so every module must have been imported.
        if not module.name.startswith(
            ("gatepost.migrations.env", "gatepost.migrations.versions", "gatepost.__")
        ):
            importlib.import_module(module.name)
    return {name: write() for name, write in PAGES.items()}


def differing(folder: Path) -> list[str]:
    """Return the names of the pages in the folder that are not what the code says."""
    return [
        name
        for name, text in pages().items()
        if not (folder / name).exists() or (folder / name).read_text(encoding="utf-8") != text
    ]


def main() -> int:
    """Write or check the pages; return the exit code."""
    parser = argparse.ArgumentParser(description="Write the pages of docs/ that come from the code.")
    parser.add_argument("--check", action="store_true", help="write nothing; exit 1 if a page is out of date")
    parser.add_argument("--folder", type=Path, default=ROOT / "docs", help="where the pages are")
    given = parser.parse_args()
    stale = differing(given.folder)
    if given.check:
        for name in stale:
            print(
                f"{given.folder / name} is not what the code says. Run: python scripts/reference.py",
                file=sys.stderr,
            )
        return 1 if stale else 0
    for name in stale:
        (given.folder / name).parent.mkdir(parents=True, exist_ok=True)
        (given.folder / name).write_text(pages()[name], encoding="utf-8")
        print(f"Wrote {given.folder / name}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
