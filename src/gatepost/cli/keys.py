"""`gatepost keys`: the keys that sign tokens, and what the secret key seals. Works beside running services."""

from dataclasses import asdict
from datetime import datetime
from typing import TYPE_CHECKING, Annotated, Any

import typer

from gatepost.cli.context import DatabaseUrl, DataDir, Json, emit, load_settings, run, table, warn

if TYPE_CHECKING:
    from gatepost.core.sealed import Resealed
    from gatepost.gatepost import Gatepost
    from gatepost.tokens import KeyInfo

__all__ = ["commands"]

commands = typer.Typer(help="The keys that sign tokens.", no_args_is_help=True)

_TIMES = ("created_at", "activates_at", "activated_at", "kept_until", "revoked_at")


@commands.command("list")
def list_keys(database_url: DatabaseUrl = None, data_dir: DataDir = None, as_json: Json = False) -> None:
    """List the keys, the oldest first: which signs, which is next, which only verify, and which are revoked."""
    settings = load_settings(database_url=database_url, data_dir=data_dir)

    async def act(gatepost: "Gatepost") -> "list[KeyInfo]":
        from gatepost.tokens import SigningKeys

        return await gatepost.build(SigningKeys, gatepost.reading()).listed()

    keys = run(settings, act)
    if as_json:
        emit({"keys": [_described(key) for key in keys]}, "", as_json=True)
        return
    columns = ["kid", "algorithm", "state", "created", "signs from", "kept until", "opens"]
    table(columns, [_row(key) for key in keys])
    print("Times are UTC. A key that is kept only verifies; one that is revoked does not.")


@commands.command()
def rotate(
    now: Annotated[bool, typer.Option("--now", help="Let it sign at once.")] = False,
    database_url: DatabaseUrl = None,
    data_dir: DataDir = None,
    as_json: Json = False,
) -> None:
    """Publish the next key. It signs when everybody can know it; the one that signs until then goes on verifying.

    With --now it signs at once. Services that keep the public keys may refuse its tokens till they fetch them again.
    """
    settings = load_settings(database_url=database_url, data_dir=data_dir)
    if not now:
        key, is_new = run(settings, _prepare)
        published = "is published" if is_new else "was published already"
        signs = f"signs from {_shown(key.activates_at)} (UTC) on" if key.activates_at else "signs now"
        text = f"{key.kid} ({key.algorithm}) {published}, and {signs}."
        emit({**_described(key), "changed": is_new}, text, as_json=as_json)
        return
    key, known_at = run(settings, _switch)
    if known_at is not None:
        warn(
            f"Services that keep the public keys may not know this one before {_shown(known_at)} (UTC). Those that "
            "look again when they meet an unknown key notice nothing."
        )
    emit({**_described(key), "changed": True}, f"{key.kid} ({key.algorithm}) signs now.", as_json=as_json)


async def _prepare(gatepost: "Gatepost") -> "tuple[KeyInfo, bool]":
    from gatepost.tokens import SigningKeys

    return await gatepost.run(lambda work: gatepost.build(SigningKeys, work).prepare())


async def _switch(gatepost: "Gatepost") -> "tuple[KeyInfo, datetime | None]":
    from gatepost.tokens import SigningKeys

    return await gatepost.run(lambda work: gatepost.build(SigningKeys, work).switch())


# One id in 64 begins with a dash; in an emergency that must not look like an option.
@commands.command(context_settings={"ignore_unknown_options": True})
def revoke(
    kid: Annotated[str, typer.Argument(metavar="KID", help="The key's id, from `gatepost keys list`.")],
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
    database_url: DatabaseUrl = None,
    data_dir: DataDir = None,
    as_json: Json = False,
) -> None:
    """Refuse all that a key has signed, in an emergency. If it signs, a new key does from now on.

    Sessions go on: clients get new access tokens with their refresh tokens.
    """
    settings = load_settings(database_url=database_url, data_dir=data_dir)

    async def find(gatepost: "Gatepost") -> "KeyInfo":
        return await _find(gatepost, kid)

    key = run(settings, find)
    if not yes:
        question = f"Revoke {key.kid} ({key.algorithm}, {key.state})? All that it has signed is refused"
        and_then = "; a new key signs from now on" if key.state == "signing" else ""
        typer.confirm(f"{question}{and_then}.", abort=True, err=True)

    async def act(gatepost: "Gatepost") -> "tuple[KeyInfo, bool]":
        from gatepost.tokens import SigningKeys

        return await gatepost.run(lambda work: gatepost.build(SigningKeys, work).revoke(key.kid))

    revoked, changed = run(settings, act)
    text = (
        f"{revoked.kid} is revoked. Within 5 seconds no service accepts what it has signed; others that verify by "
        f"themselves must fetch the public keys again."
        if changed
        else f"{revoked.kid} was revoked already."
    )
    emit({**_described(revoked), "changed": changed}, text, as_json=as_json)


async def _find(gatepost: "Gatepost", kid: str) -> "KeyInfo":
    from gatepost.tokens import SigningKeys, SigningKeyUnknown

    keys = await gatepost.build(SigningKeys, gatepost.reading()).listed()
    found = next((key for key in keys if key.kid == kid), None)
    if found is None:
        raise SigningKeyUnknown
    return found


@commands.command()
def reseal(database_url: DatabaseUrl = None, data_dir: DataDir = None, as_json: Json = False) -> None:
    """Seal under the secret key all that is sealed under a previous one, which then can be dropped.

    Safe beside running services that have both keys, and to be stopped and begun again. Exit 1 if something is sealed
    under a key that is not listed.
    """
    settings = load_settings(database_url=database_url, data_dir=data_dir)

    async def act(gatepost: "Gatepost") -> "tuple[Resealed, list[str]]":
        return await gatepost.sealed.reseal(), [each.name for each in gatepost.sealed.columns]

    outcome, names = run(settings, act)
    data = {
        "resealed": {name: outcome.done[name] for name in names},
        "unopened": {name: outcome.unopened[name] for name in names},
    }
    emit(data, "\n".join(f"{name}: {outcome.done[name]} sealed anew" for name in names), as_json=as_json)
    for name, times in outcome.unopened.items():
        warn(f"{name}: {times} cannot be opened with GATEPOST_SECRET_KEY and GATEPOST_PREVIOUS_SECRET_KEYS.")
    raise typer.Exit(1 if outcome.unopened else 0)


def _described(key: "KeyInfo") -> dict[str, Any]:
    return {**asdict(key), **{name: _iso(getattr(key, name)) for name in _TIMES}}


def _iso(moment: datetime | None) -> str | None:
    return moment.isoformat() if moment else None


def _row(key: "KeyInfo") -> list[str]:
    state = f"{key.state} {_shown(key.revoked_at)}".strip()
    begins = key.activated_at or key.activates_at
    opens = {None: "", True: "yes", False: "no"}[key.opens]
    return [
        key.kid,
        key.algorithm,
        state,
        _shown(key.created_at),
        _shown(begins),
        _shown(key.kept_until),
        opens,
    ]


def _shown(moment: datetime | None) -> str:
    return f"{moment:%Y-%m-%d %H:%M}" if moment else ""
