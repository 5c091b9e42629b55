"""The Dockerfile and what it may see, read: the facts that matter. `test_image.py` runs it."""

import re
from pathlib import Path

import pytest

from scripts.dockerfile import Instruction, context_files, stages

ROOT = Path(__file__).parents[2]
STAGES = stages((ROOT / "deploy" / "Dockerfile").read_text(encoding="utf-8"))
IMAGE = STAGES[-1]
EVERYTHING = [instruction for stage in STAGES for instruction in stage.instructions]


def test_the_base_is_pinned_to_a_patch_and_a_distribution() -> None:
    assert {stage.image for stage in STAGES} == {STAGES[0].image}
    assert re.fullmatch(r"python:3\.\d+\.\d+-slim-[a-z]+(@sha256:[0-9a-f]{64})?", STAGES[0].image)


def test_the_base_has_the_python_that_we_work_with() -> None:
    assert STAGES[0].image.startswith(f"python:{(ROOT / '.python-version').read_text().strip()}.")


def test_it_runs_as_a_user_with_a_number() -> None:
    user, _, group = IMAGE.last("USER").text.partition(":")
    assert int(user) >= 10_000
    assert int(group) >= 10_000
    # Nothing after it is done as root.
    after = IMAGE.instructions[IMAGE.instructions.index(IMAGE.last("USER")) :]
    assert not {instruction.name for instruction in after} & {"RUN", "COPY", "ADD"}


def test_programs_run_without_a_shell() -> None:
    commands = [item for item in EVERYTHING if item.name in {"RUN", "CMD", "ENTRYPOINT"}]
    health = IMAGE.last("HEALTHCHECK").text.removeprefix("CMD ")
    assert all(item.is_exec_form for item in [*commands, Instruction("CMD", {}, health)])
    assert IMAGE.last("STOPSIGNAL").text == "SIGTERM"


def test_nothing_is_fetched_but_pins_with_hashes() -> None:
    assert not [item for item in EVERYTHING if item.name == "ADD"]
    assert not [
        item
        for item in EVERYTHING
        if "--from" not in item.flags and "://" in item.text and item.name != "HEALTHCHECK"
    ]
    installs = [item.command() for item in EVERYTHING if item.name == "RUN" and "pip" in item.command()]
    assert len(installs) == 3
    assert all("--require-hashes" in words or "--no-index" in words for words in installs)


def test_no_secret_is_an_argument_or_a_variable_of_the_image() -> None:
    given = [item.text for item in EVERYTHING if item.name in {"ARG", "ENV", "LABEL"}]
    assert not [text for text in given if re.search(r"SECRET|PASSWORD|TOKEN|DATABASE_URL|REDIS_URL", text)]


@pytest.mark.parametrize(
    "planted",
    [
        ".env",
        ".git/config",
        "gatepost-data/secret_key",
        "tests/conftest.py",
        "src/.env",
        "src/gatepost/.env.local",
        "src/gatepost/__pycache__/x.pyc",
        "requirements/dev.txt",
        "deploy/compose/secrets/secret_key",
    ],
)
def test_v13_4_1_the_build_does_not_see(tmp_path: Path, planted: str) -> None:
    for path in (planted, "src/gatepost/app.py", ".dockerignore"):
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_text("")
    (tmp_path / ".dockerignore").write_bytes((ROOT / ".dockerignore").read_bytes())
    assert context_files(tmp_path) == [Path("src/gatepost/app.py")]


def test_the_build_sees_what_it_copies() -> None:
    seen = set(context_files(ROOT))
    copied = [item for item in EVERYTHING if item.name == "COPY" and not item.flags]
    for source in [Path(word) for item in copied for word in item.text.split()[:-1]]:
        assert any(path == source or path.is_relative_to(source) for path in seen)
    assert not [path for path in seen if {"tests", ".git", ".env"} & set(path.parts)]
