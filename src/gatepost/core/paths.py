"""Settings that name a place on the disk."""

from pathlib import Path
from typing import Annotated

from pydantic import AfterValidator

__all__ = ["Directory", "File"]


def _directory(value: Path | None) -> Path | None:
    if value is not None and not value.is_dir():
        raise ValueError("is not a directory")
    return value


def _file(value: Path | None) -> Path | None:
    if value is not None and not value.is_file():
        raise ValueError("is not a file")
    return value


Directory = Annotated[Path | None, AfterValidator(_directory)]
File = Annotated[Path | None, AfterValidator(_file)]
