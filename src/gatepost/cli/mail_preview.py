"""`gatepost mail preview`: a message as people get it, with the brand, templates and catalogues of the settings."""

import webbrowser
from pathlib import Path
from typing import Annotated

import typer

from gatepost.cli.context import Json, emit, load_settings
from gatepost.core.errors import Stopped

__all__ = ["preview"]

Name = Annotated[str | None, typer.Argument(help="Which message; all of them are listed without it.")]
Language = Annotated[str, typer.Option(help="Language to show it in, such as `de`.")]
Out = Annotated[Path | None, typer.Option(help="Directory to write NAME.html and NAME.txt to.")]
Open = Annotated[
    bool, typer.Option("--open", help="Show the page in the browser; written to the data directory.")
]


def preview(
    name: Name = None,
    language: Language = "en",
    out: Out = None,
    show: Open = False,
    as_json: Json = False,
) -> None:
    """Show a message with sample data: its text here, or text and page as files."""
    from gatepost.notices import LETTERS, Renderer
    from gatepost.notices import preview as previewed

    settings = load_settings()
    if name is None:
        emit({"messages": [*LETTERS]}, "\n".join(LETTERS), as_json=as_json)
        return
    if name not in LETTERS:
        raise Stopped(f"There is no message {name}. There are: {', '.join(LETTERS)}")
    mail = previewed(Renderer(settings.brand, settings.notices), name, language)
    if show and out is None:
        out = settings.data_dir / "previews"
    files = _written(out, {f"{name}.txt": mail.text, f"{name}.html": mail.html}) if out else []
    shown = {"name": name, "language": mail.language, "subject": mail.subject}
    if files:
        emit(shown | {"files": [str(file) for file in files]}, "\n".join(map(str, files)), as_json=as_json)
    else:
        emit(
            shown | {"text": mail.text, "html": mail.html},
            f"Subject: {mail.subject}\n\n{mail.text}",
            as_json=as_json,
        )
    if show:
        webbrowser.open(files[-1].resolve().as_uri())


def _written(directory: Path, contents: dict[str, str]) -> list[Path]:
    """Write the files; return where they are. Raises Stopped if they cannot be written."""
    files = [directory / name for name in contents]
    try:
        directory.mkdir(parents=True, exist_ok=True)
        for file, content in zip(files, contents.values(), strict=True):
            file.write_text(content, encoding="utf-8")
    except OSError as error:
        raise Stopped(f"{directory} cannot be written ({error.strerror})") from error
    return files
