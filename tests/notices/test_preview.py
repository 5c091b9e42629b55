"""`gatepost mail preview`: what operators and designers look at."""

import webbrowser
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner

from gatepost.cli.mail_preview import preview
from gatepost.core.errors import Stopped
from gatepost.notices import LETTERS


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """Run the command in a directory of its own."""
    monkeypatch.chdir(tmp_path)
    commands = typer.Typer()
    commands.command()(preview)

    def run(*arguments: str) -> str:
        result = CliRunner().invoke(commands, arguments)
        if result.exception and not isinstance(result.exception, SystemExit):
            raise result.exception
        assert result.exit_code == 0, result.output
        return result.output

    return run


def test_messages_are_shown_written_and_opened(run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert run().split() == [*LETTERS]
    monkeypatch.setenv("GATEPOST_BRAND__NAME", "Acme")
    shown = run("reset_password", "--language", "de")
    assert shown.startswith("Subject: Setzen Sie Ihr Passwort zurück\n\n")
    assert "Konto" in shown
    assert "bei Acme" in shown
    assert '"language": "fr"' in run("new_device", "--language", "fr-CA", "--json")

    assert run("sign_in_code", "--out", "here").split() == ["here/sign_in_code.txt", "here/sign_in_code.html"]
    assert "402917" in (tmp_path / "here" / "sign_in_code.txt").read_text()
    assert "<!DOCTYPE html>" in (tmp_path / "here" / "sign_in_code.html").read_text()

    opened: list[str] = []
    monkeypatch.setattr(webbrowser, "open", opened.append)
    run("verify_email", "--open")
    assert opened == [(tmp_path / "gatepost-data" / "previews" / "verify_email.html").as_uri()]

    with pytest.raises(Stopped, match="There is no message nothing"):
        run("nothing")
    (tmp_path / "file").touch()
    with pytest.raises(Stopped, match="cannot be written"):
        run("verify_email", "--out", "file")
