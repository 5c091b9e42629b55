"""Each rule of the house turns red: a trespass is planted in a copy of the source and must be reported."""

import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests import test_architecture as house

Rule = Callable[[Path], list[str]]


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    """A checkout to spoil: src/ and pyproject.toml."""
    shutil.copytree(house.SOURCE, tmp_path / "src", ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(house.ROOT / "pyproject.toml", tmp_path)
    return tmp_path


def plant(copy: Path, path: str, code: str) -> None:
    """Add code at the end of a file, which is made if it is not there."""
    file = copy / "src" / "gatepost" / path
    file.parent.mkdir(parents=True, exist_ok=True)
    with file.open("a", encoding="utf-8") as out:
        out.write(f"\n{code}\n")


def run(copy: Path, *command: str, **more: str) -> tuple[int, str]:
    """Run a command on the copy; return its exit code and all it said."""
    done = subprocess.run(
        command,
        cwd=copy,
        env=house.environment(copy / "src") | more,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    return done.returncode, done.stdout


PLANTED: list[tuple[Rule, str, str]] = [
    (house.a_room_is_entered_by_its_front_door, "login/planted.py", "from gatepost.users.models import User"),
    (house.a_room_is_entered_by_its_front_door, "login/planted.py", "from gatepost.users import models"),
    (house.only_the_database_commits, "users/planted.py", "async def end(session): await session.commit()"),
    (house.only_the_database_commits, "core/planted.py", "def end(connection): connection.commit()"),
    (
        house.the_scope_of_a_dependency_is_declared_once,
        "core/http/planted.py",
        "x = Depends(y, scope='function')",
    ),
    (house.settings_are_made_by_who_starts_the_program, "users/planted.py", "settings = Settings()"),
    (
        house.settings_are_made_by_who_starts_the_program,
        "gatepost.py",
        "settings = settings_module.Settings()",
    ),
    (house.the_time_is_told_by_the_clock, "users/planted.py", "now = datetime.now(UTC)"),
    (house.the_time_is_told_by_the_clock, "users/planted.py", "now = datetime.datetime.utcnow()"),
    (house.the_time_is_told_by_the_clock, "users/planted.py", "import time\nnow = time.time()"),
    (house.the_time_is_told_by_the_clock, "users/planted.py", "from time import time"),
    (house.the_environment_is_read_in_one_place, "users/planted.py", "debug = os.environ['DEBUG']"),
    (house.the_environment_is_read_in_one_place, "users/planted.py", "from os import getenv"),
    (house.every_room_has_a_sign_and_a_front_door, "planted/__init__.py", "__all__ = []"),
    (house.every_room_has_a_sign_and_a_front_door, "planted/__init__.py", '"""A sign."""'),
    (house.every_room_has_a_sign_and_a_front_door, "planted/service.py", "x = 1"),
    (
        house.every_room_has_a_sign_and_a_front_door,
        "planted/__init__.py",
        '"""A sign' + "\nthat does not end" * 10 + '"""\n__all__ = []',
    ),
    (house.every_room_stands_in_the_contracts, "planted/__init__.py", '"""A sign."""\n__all__ = []'),
    (house.files_stay_short, "users/planted.py", "x = 1\n" * house.MOST_LINES_OF_A_FILE),
    (house.only_queries_select, "users/planted.py", "statement = select(User)"),
    (house.only_queries_select, "wiring.py", "statement = sqlalchemy.select(User)"),
    (house.names_say_what_is_inside, "users/helpers.py", "x = 1"),
    (house.names_say_what_is_inside, "utils/__init__.py", "x = 1"),
]


@pytest.mark.parametrize(("rule", "path", "code"), PLANTED)
def test_a_planted_trespass_is_reported(copy: Path, rule: Rule, path: str, code: str) -> None:
    before = rule(copy / "src")
    plant(copy, path, code)
    assert len(rule(copy / "src")) > len(before)


def test_every_rule_has_been_seen_red() -> None:
    assert {rule for rule, _, _ in PLANTED} == set(house.RULES)


CONTRACTS = {
    "an upward import": (
        "users/planted.py",
        "import gatepost.login",
        "Rooms are stacked: upper may use lower, never the reverse BROKEN",
    ),
    "an upward import out of core": (
        "core/planted.py",
        "import gatepost.users",
        "Rooms are stacked: upper may use lower, never the reverse BROKEN",
    ),
    "a folder without a place": (
        "planted/__init__.py",
        "",
        "gatepost.planted",
    ),
    "FastAPI in a service": (
        "users/service.py",
        "import fastapi",
        "Rules do not know HTTP BROKEN",
    ),
    "a model that imports routes": (
        "users/models.py",
        "import gatepost.users.routes",
        "Inside a room: routes > service > queries > models BROKEN",
    ),
}


def lint_imports(copy: Path) -> tuple[int, str]:
    return run(
        copy, str(Path(sys.executable).with_name("lint-imports")), "--no-logo", "--no-cache", COLUMNS="200"
    )


def test_the_contracts_hold_without_a_trespass(copy: Path) -> None:
    status, said = lint_imports(copy)
    assert status == 0, said


@pytest.mark.parametrize("trespass", CONTRACTS)
def test_the_contracts_report(copy: Path, trespass: str) -> None:
    path, code, report = CONTRACTS[trespass]
    plant(copy, path, code)
    status, said = lint_imports(copy)
    assert status != 0
    assert report in said


def check_models(copy: Path) -> tuple[int, str]:
    command = (sys.executable, "-m", "gatepost", "db", "check", "--models")
    return run(copy, *command, GATEPOST_ENVIRONMENT="test", GATEPOST_DATA_DIR=str(copy / "data"))


def test_the_migrations_fit_the_models(copy: Path) -> None:
    status, said = check_models(copy)
    assert status == 0, said


CHANGES = {
    "a new table": """
class Planted(Base):
    __tablename__ = "planted"
    id: Mapped[int] = mapped_column(primary_key=True)
""",
    "a new column": """
from sqlalchemy import Column, Integer
User.__table__.append_column(Column("planted", Integer))
""",
}


@pytest.mark.parametrize("change", CHANGES)
def test_a_model_change_without_a_migration_is_reported(copy: Path, change: str) -> None:
    plant(copy, "users/models.py", CHANGES[change])
    status, said = check_models(copy)
    assert status != 0
    assert "planted" in said
