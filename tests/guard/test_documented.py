"""docs/microservices.md says of the guard what the code does."""

import dataclasses
import re
from pathlib import Path

from gatepost.guard import Caller, GuardOptions, Refused

PAGE = (Path(__file__).parents[2] / "docs" / "microservices.md").read_text(encoding="utf-8")


def section(title: str) -> str:
    return PAGE.split(f"\n## {title}\n")[1].split("\n## ")[0]


def rows(title: str) -> list[list[str]]:
    lines = [line for line in section(title).splitlines() if line.startswith("| `")]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]


def test_every_refusal_is_listed_with_its_status() -> None:
    def below(kind: type[Refused]) -> list[type[Refused]]:
        return [each for one in kind.__subclasses__() for each in (one, *below(one))]

    listed = {(code.strip("`"), int(status)) for code, status, _ in rows("Refusals")}
    assert listed == {(kind.code, kind.status) for kind in below(Refused)}


def test_every_option_is_listed_with_its_default() -> None:
    listed = {name.strip("`"): default.strip("`") for name, default, _ in rows("Options")}
    words = {None: "not set", True: "true", False: "false"}

    def shown(value: object) -> str:
        if isinstance(value, float):
            return f"{value:g}"
        return words.get(value) or (f'"{value}"' if isinstance(value, str) else str(value))

    assert listed == {field.name: shown(field.default) for field in dataclasses.fields(GuardOptions)}


def test_every_field_of_a_caller_is_named() -> None:
    named = set(re.findall(r"`(\w+)`", section("Who is calling")))
    assert {field.name for field in dataclasses.fields(Caller)} - {"scope"} <= named
