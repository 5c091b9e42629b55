"""The command line: start the service, keep its database, manage its people, see what is wrong.

Commands import what they need when they run: `gatepost --help` must not wait for the whole service.
"""

import sys
from typing import Annotated

import typer

from gatepost.cli import db, doctor, keys, mail, outbox, serve, settings, users
from gatepost.cli.context import reason, warn
from gatepost.core.errors import DomainError, Stopped

__all__ = ["main"]

cli = typer.Typer(
    name="gatepost",
    help="A user service: sign-up, sign-in, sessions and tokens.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)


def show_version(wanted: bool) -> None:
    """Print the version and end."""
    if wanted:
        from importlib.metadata import version

        print(f"gatepost {version('gatepost')}")
        raise typer.Exit


@cli.callback()
def options(
    version: Annotated[
        bool, typer.Option("--version", callback=show_version, is_eager=True, help="Show the version.")
    ] = False,
) -> None:
    """Take what may stand before a command."""


cli.command("serve")(serve.serve)
cli.command("worker")(serve.worker)
cli.command("doctor")(doctor.doctor)
cli.add_typer(db.commands, name="db")
cli.add_typer(users.commands, name="users")
cli.add_typer(keys.commands, name="keys")
cli.add_typer(mail.commands, name="mail")
cli.add_typer(outbox.commands, name="outbox")
cli.add_typer(settings.commands, name="settings")


def main() -> None:
    """Run the command line; what stops it is a line on standard error and a non-zero exit, never a traceback."""
    try:
        cli()
    except (Stopped, DomainError) as error:
        for line in reason(error).splitlines():
            warn(line)
        sys.exit(1)
