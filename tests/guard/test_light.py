"""`gatepost.guard` is light: importing it loads no framework, no database and nothing else of ours."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

HEAVY = {
    "fastapi",
    "starlette",
    "sqlalchemy",
    "pydantic",
    "alembic",
    "granian",
    "argon2",
    "structlog",
    "httpx2",
}


def loaded_by(tmp_path: Path, *lines: str) -> list[str]:
    code = "\n".join([*lines, "import json, sys", "print(json.dumps(sorted(sys.modules)))"])
    command = [sys.executable, "-I", "-c", code]
    said = subprocess.run(command, cwd=tmp_path, check=True, capture_output=True, text=True)
    return json.loads(said.stdout)


def test_importing_the_guard_loads_no_framework_and_no_database(tmp_path: Path) -> None:
    loaded = loaded_by(tmp_path, "import gatepost.guard")

    assert {name.partition(".")[0] for name in loaded} & HEAVY == set()
    ours = {name for name in loaded if name.startswith("gatepost.") and not name.startswith("gatepost.guard")}
    assert ours == set()


def test_importing_the_package_alone_loads_nothing(tmp_path: Path) -> None:
    loaded = loaded_by(tmp_path, "import gatepost", "assert gatepost.__version__")

    assert [name for name in loaded if name.startswith("gatepost.")] == []


def test_what_the_package_exports_comes_on_first_use(tmp_path: Path) -> None:
    loaded = loaded_by(tmp_path, "import gatepost", "gatepost.Principal")

    assert "gatepost.core.principal" in loaded
    assert "sqlalchemy" not in loaded


def test_the_fastapi_side_loads_fastapi_and_no_database(tmp_path: Path) -> None:
    loaded = loaded_by(tmp_path, "import gatepost.guard.fastapi")

    assert "fastapi" in loaded
    assert {"sqlalchemy", "gatepost.core"} & set(loaded) == set()


@pytest.mark.parametrize("name", ["nothing", "_HOMES_", "guards"])
def test_what_is_not_exported_is_not_there(tmp_path: Path, name: str) -> None:
    code = f"import gatepost; gatepost.{name}"
    done = subprocess.run([sys.executable, "-I", "-c", code], cwd=tmp_path, capture_output=True, check=False)
    assert b"AttributeError" in done.stderr
