"""The rules of the house that no linter knows; the contracts in pyproject.toml hold the others.

Each rule takes a source tree and returns what breaks it, one line for each trespass.
tests/test_house_rules.py plants a trespass for every rule and sees it reported.
"""

import ast
import json
import os
import subprocess
import sys
import tomllib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path, PurePosixPath

import pytest

ROOT = Path(__file__).parent.parent
SOURCE = ROOT / "src"
NO_ROOMS = {"cli", "core", "migrations", "settings", "wiring"}
MOST_LINES_OF_A_FILE = 400
MOST_LINES_OF_A_SIGN = 10
VAGUE_NAMES = {"base", "common", "helper", "helpers", "manager", "managers", "misc", "util", "utils"}
CLOCKS = {
    PurePosixPath("core/clock.py"),
    PurePosixPath("core/ids.py"),  # the time inside an id only sorts it
    PurePosixPath("guard/clock.py"),  # it imports nothing of ours
}
WALL_CLOCKS = {
    ("date", "today"),
    ("datetime", "now"),
    ("datetime", "today"),
    ("datetime", "utcnow"),
    ("time", "time"),
    ("time", "time_ns"),
}


@dataclass(frozen=True)
class Module:
    path: PurePosixPath  # below the package: users/service.py
    text: str
    tree: tuple[ast.AST, ...]  # every node of it

    def nodes[Node: ast.AST](self, kind: type[Node]) -> Iterator[Node]:
        return (node for node in self.tree if isinstance(node, kind))

    def at(self, node: ast.expr | ast.stmt, trespass: str) -> str:
        return f"{self.path}:{node.lineno}: {trespass}"

    def below(self, folder: str) -> bool:
        return self.path.is_relative_to(folder) and self.path != PurePosixPath(folder)


def modules(source: Path) -> Iterator[Module]:
    package = source / "gatepost"
    for file in sorted(package.rglob("*.py")):
        text = file.read_text(encoding="utf-8")
        yield Module(PurePosixPath(file.relative_to(package).as_posix()), text, parsed(text))


@cache
def parsed(text: str) -> tuple[ast.AST, ...]:
    """Return every node of a module. Rules read the same modules again and again."""
    return tuple(ast.walk(ast.parse(text)))


def rooms(source: Path) -> set[str]:
    return {
        folder.name
        for folder in (source / "gatepost").iterdir()
        if folder.name not in NO_ROOMS and any(folder.glob("*.py"))
    }


def imports(source: Path) -> list[tuple[str, str]]:
    """Return who imports what. In a process of its own, since ours has its gatepost already."""
    code = (
        "import grimp, json, sys\n"
        "graph = grimp.build_graph('gatepost', cache_dir=None)\n"
        "found = graph.find_modules_directly_imported_by\n"
        "json.dump([(one, other) for one in graph.modules for other in found(one)], sys.stdout)\n"
    )
    command = [sys.executable, "-c", code]
    found = subprocess.run(
        command, cwd=source, env=environment(source), check=True, capture_output=True, text=True
    )
    return [(importer, imported) for importer, imported in json.loads(found.stdout)]


def environment(source: Path) -> dict[str, str]:
    """Return ours with that source in front, and without coverage, which must not count a copy."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("COVERAGE_")}
    return kept | {"PYTHONPATH": str(source)}


def _called(call: ast.Call) -> str:
    """Return the last part of what is called: `commit` for `work.session.commit()`."""
    match call.func:
        case ast.Attribute(attr=name) | ast.Name(id=name):
            return name
        case _:
            return ""


def imported_names(module: Module, origin: str, names: set[str]) -> list[str]:
    """Return where one of the names comes in by `from origin import ...`."""
    return [
        module.at(node, f"from {origin} import ...")
        for node in module.nodes(ast.ImportFrom)
        if node.module == origin and names & {alias.name for alias in node.names}
    ]


# --- the rules ----------------------------------------------------------------------------------------------


def a_room_is_entered_by_its_front_door(source: Path) -> list[str]:
    here = rooms(source)
    trespasses = []
    for importer, imported in imports(source):
        _, *guest = importer.split(".")
        _, *host = imported.split(".")
        if guest and len(host) > 1 and guest[0] != host[0] and {guest[0], host[0]} <= here:
            trespasses.append(f"{importer} -> {imported}")
    return sorted(trespasses)


def only_the_database_commits(source: Path) -> list[str]:
    return [
        module.at(call, "commit()")
        for module in modules(source)
        if not module.below("core/database")
        for call in module.nodes(ast.Call)
        if _called(call) == "commit"
    ]


def the_scope_of_a_dependency_is_declared_once(source: Path) -> list[str]:
    return [
        module.at(call, "Depends(..., scope=...)")
        for module in modules(source)
        if module.path != PurePosixPath("core/http/deps.py")
        for call in module.nodes(ast.Call)
        if _called(call) == "Depends" and any(keyword.arg == "scope" for keyword in call.keywords)
    ]


def settings_are_made_by_who_starts_the_program(source: Path) -> list[str]:
    trespasses = []
    for module in modules(source):
        allowed: set[ast.AST] = set()
        if module.path == PurePosixPath("gatepost.py"):
            functions = module.nodes(ast.FunctionDef)
            allowed = {node for each in functions if each.name == "create_app" for node in ast.walk(each)}
        # The `alembic` command starts a program of its own.
        if not module.below("cli") and module.path != PurePosixPath("migrations/env.py"):
            made = (call for call in module.nodes(ast.Call) if _called(call) == "Settings")
            trespasses += [module.at(call, "Settings(...)") for call in made if call not in allowed]
    return trespasses


def the_time_is_told_by_the_clock(source: Path) -> list[str]:
    trespasses = []
    for module in modules(source):
        if module.path in CLOCKS:
            continue
        for node in module.nodes(ast.Attribute):
            owner = (
                node.value.attr if isinstance(node.value, ast.Attribute) else getattr(node.value, "id", "")
            )
            if (owner, node.attr) in WALL_CLOCKS:
                trespasses.append(module.at(node, f"{owner}.{node.attr}"))
        trespasses += imported_names(module, "time", {"time", "time_ns"})
    return trespasses


def the_environment_is_read_in_one_place(source: Path) -> list[str]:
    trespasses = []
    for module in modules(source):
        if module.below("settings") or module.below("cli"):
            continue
        trespasses += [
            module.at(node, f"os.{node.attr}")
            for node in module.nodes(ast.Attribute)
            if node.attr in {"environ", "getenv"} and getattr(node.value, "id", "") == "os"
        ]
        trespasses += imported_names(module, "os", {"environ", "getenv"})
    return trespasses


def every_room_has_a_sign_and_a_front_door(source: Path) -> list[str]:
    trespasses = []
    front_doors = {
        module.path.parts[0]: module for module in modules(source) if module.path.match("*/__init__.py")
    }
    for room in sorted(rooms(source)):
        module = front_doors.get(room)
        if module is None:
            trespasses.append(f"{room}: no __init__.py")
            continue
        sign = ast.get_docstring(next(module.nodes(ast.Module)))
        if not sign:
            trespasses.append(f"{module.path}: no sign (docstring)")
        elif len(sign.splitlines()) > MOST_LINES_OF_A_SIGN:
            trespasses.append(f"{module.path}: a sign of more than {MOST_LINES_OF_A_SIGN} lines")
        names = {name.id for name in module.nodes(ast.Name) if isinstance(name.ctx, ast.Store)}
        if "__all__" not in names:
            trespasses.append(f"{module.path}: no front door (__all__)")
    return trespasses


def files_stay_short(source: Path) -> list[str]:
    return [
        f"{module.path}: {lines} lines"
        for module in modules(source)
        if (lines := len(module.text.splitlines())) > MOST_LINES_OF_A_FILE
    ]


def only_queries_select(source: Path) -> list[str]:
    return [
        module.at(call, "select(...)")
        for module in modules(source)
        if not module.below("core") and not module.below("migrations")
        if "queries" not in {PurePosixPath(part).stem for part in module.path.parts}
        for call in module.nodes(ast.Call)
        if _called(call) == "select"
    ]


def names_say_what_is_inside(source: Path) -> list[str]:
    return [
        f"{module.path}: a vague name"
        for module in modules(source)
        if VAGUE_NAMES & {PurePosixPath(part).stem for part in module.path.parts}
    ]


def every_room_stands_in_the_contracts(source: Path) -> list[str]:
    """import-linter misses a room in the stack by itself, but not in the other contract."""
    settings = tomllib.loads((source.parent / "pyproject.toml").read_text(encoding="utf-8"))
    inside = next(
        contract["containers"]
        for contract in settings["tool"]["importlinter"]["contracts"]
        if contract["name"].startswith("Inside a room")
    )
    missing = rooms(source) - {container.removeprefix("gatepost.") for container in inside}
    return [f"{room}: not in the contract on the inside of rooms" for room in sorted(missing)]


RULES: list[Callable[[Path], list[str]]] = [
    a_room_is_entered_by_its_front_door,
    every_room_has_a_sign_and_a_front_door,
    every_room_stands_in_the_contracts,
    files_stay_short,
    names_say_what_is_inside,
    only_queries_select,
    only_the_database_commits,
    settings_are_made_by_who_starts_the_program,
    the_environment_is_read_in_one_place,
    the_scope_of_a_dependency_is_declared_once,
    the_time_is_told_by_the_clock,
]


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.__name__)
def test_the_house_keeps(rule: Callable[[Path], list[str]]) -> None:
    assert not rule(SOURCE), "\n".join(rule(SOURCE))
