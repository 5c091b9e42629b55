"""`gatepost mail`: whether mail gets out, and what it looks like."""

from typing import TYPE_CHECKING, Annotated

import typer

from gatepost.cli.context import DatabaseUrl, DataDir, Json, emit, load_settings, run, warn
from gatepost.cli.mail_preview import preview

if TYPE_CHECKING:
    from gatepost.core.mail import Mail
    from gatepost.gatepost import Gatepost

__all__ = ["commands"]

commands = typer.Typer(help="The mail that this service sends.", no_args_is_help=True)

commands.command("preview")(preview)


@commands.command("test")
def send_test(
    address: Annotated[str, typer.Argument(metavar="ADDRESS", help="Who gets it.")],
    database_url: DatabaseUrl = None,
    data_dir: DataDir = None,
    as_json: Json = False,
) -> None:
    """Send one mail, now and past the outbox. Exit 1 if it is not taken."""
    settings = load_settings(database_url=database_url, data_dir=data_dir)

    async def act(gatepost: "Gatepost") -> str | None:
        from gatepost.core.outbox import Deferred, Undeliverable

        try:
            await gatepost.mail.send(_mail(address, settings.issuer))
        except (Deferred, Undeliverable) as error:
            return str(error)
        finally:
            await gatepost.mail.close()
        return None

    fault = run(settings, act)
    where = "/test/mail" if settings.offers_test_api else _where(settings.mail_location)
    if fault is not None:
        warn(f"Not sent: {fault}. Look at GATEPOST_MAIL_URL ({where}).")
    if as_json or fault is None:
        told = {"sent": fault is None, "from": settings.mail_sender, "by": where, "reason": fault}
        emit(told, f"Sent from {settings.mail_sender} by {where}.", as_json=as_json)
    raise typer.Exit(0 if fault is None else 1)


def _mail(address: str, issuer: str) -> "Mail":
    from gatepost.core.ids import new_id
    from gatepost.core.mail import Mail

    text = (
        f"Mail of {issuer} arrives. Somebody who runs the service has asked for this; there is nothing to do."
    )
    return Mail(
        id=new_id(),
        to=address,
        subject="A test: mail arrives",
        text=f"{text}\n",
        html=f'<!doctype html><html lang="en"><title>A test</title><p>{text}</p></html>',
        kind="test",
    )


def _where(url: str | None) -> str:
    """Return what a mail URL names, without a password."""
    from gatepost.core.mail import parse_mail_url

    if url is None:
        return "nothing"
    named = parse_mail_url(url)
    if named.server is not None:
        return f"{named.server.host}:{named.server.port}"
    return str(named.directory) if named.directory else named.kind
