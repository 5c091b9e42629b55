"""Reads a Dockerfile and a .dockerignore, as far as ours go."""

import json
import re
import shlex
from collections.abc import Iterator
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from pathlib import Path
from string import Template

__all__ = ["Instruction", "Stage", "context_files", "stages"]


@dataclass(frozen=True)
class Instruction:
    """One instruction: its name, its `--flags`, and the rest of the line."""

    name: str
    flags: dict[str, str]
    text: str

    @property
    def is_exec_form(self) -> bool:
        """Whether it is a JSON list, which runs without a shell."""
        return self.text.startswith("[")

    def command(self) -> list[str]:
        """Return the words of the program to run, of which a shell is the first in the shell form."""
        return json.loads(self.text) if self.is_exec_form else ["/bin/sh", "-c", self.text]


@dataclass
class Stage:
    """One stage: the image it starts from, its name, and what is done."""

    image: str
    name: str
    instructions: list[Instruction] = field(default_factory=list)

    def all(self, name: str) -> list[Instruction]:
        """Return the instructions of one kind."""
        return [instruction for instruction in self.instructions if instruction.name == name]

    def last(self, name: str) -> Instruction:
        """Return the instruction that counts where each replaces the one before. Raises IndexError."""
        return self.all(name)[-1]


def stages(text: str) -> list[Stage]:
    """Return the stages of a Dockerfile, with the defaults of the `ARG`s in front filled in."""
    found: list[Stage] = []
    arguments: dict[str, str] = {}
    for instruction in _instructions(text):
        if instruction.name == "FROM":
            image, *named = instruction.text.split()
            found.append(Stage(Template(image).substitute(arguments), named[-1] if named else ""))
        elif found:
            found[-1].instructions.append(instruction)
        else:
            name, _, default = instruction.text.partition("=")
            arguments[name] = default
    return found


def _instructions(text: str) -> Iterator[Instruction]:
    lines = [line for line in text.splitlines() if not line.lstrip().startswith("#")]
    for line in re.sub(r"\\\n\s*", "", "\n".join(lines)).splitlines():
        if line.strip():
            name, _, rest = line.strip().partition(" ")
            flags = re.match(r"(?:--\S+\s+)*", rest.lstrip())
            assert flags is not None
            pairs = (flag.removeprefix("--").partition("=") for flag in flags[0].split())
            told = {key: value for key, _, value in pairs}
            yield Instruction(name.upper(), told, rest.lstrip()[flags.end() :].strip())


def variables(instruction: Instruction, known: dict[str, str]) -> dict[str, str]:
    """Return what an `ENV` sets, with `$NAME` replaced by what is known."""
    pairs = (word.partition("=") for word in shlex.split(instruction.text))
    return {name: Template(value).substitute(known) for name, _, value in pairs}


def context_files(root: Path) -> list[Path]:
    """Return the files that a build may see, relative to `root`: what .dockerignore leaves of them."""
    patterns = [
        line.strip()
        for line in (root / ".dockerignore").read_text(encoding="utf-8").splitlines()
        if line.strip() and not line.startswith("#")
    ]
    # Only what an exception names can be there, so the rest need not be walked.
    named = [root / pattern[1:] for pattern in patterns if pattern.startswith("!")]
    files = [path for top in named for path in ([top] if top.is_file() else top.rglob("*")) if path.is_file()]
    return [path for path in (file.relative_to(root) for file in files) if not _ignored(path, patterns)]


def _ignored(path: Path, patterns: list[str]) -> bool:
    ignored = False
    for pattern in patterns:
        if _matches(path, pattern.removeprefix("!")):
            ignored = not pattern.startswith("!")
    return ignored


def _matches(path: Path, pattern: str) -> bool:
    """Tell whether a pattern names the path or a folder that it is in; `**/` stands for any folders."""
    if pattern.startswith("**/"):
        return any(fnmatchcase(part, pattern[3:]) for part in path.parts)
    names = [path, *path.parents][:-1]
    return any(fnmatchcase(str(name), pattern) for name in names if "/" in pattern or len(name.parts) == 1)
