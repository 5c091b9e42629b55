"""`gatepost users`: people, for the operator. Works on the database beside running services."""

import sys
from typing import TYPE_CHECKING, Annotated, Any
from uuid import UUID

import typer

from gatepost.cli.context import (
    DatabaseUrl,
    DataDir,
    Json,
    emit,
    load_settings,
    printable,
    run,
    said_by,
    table,
)
from gatepost.core.clock import SystemClock
from gatepost.core.errors import Stopped

if TYPE_CHECKING:
    from pydantic import BaseModel

    from gatepost.core.work import Work
    from gatepost.gatepost import Gatepost

__all__ = ["commands"]

commands = typer.Typer(help="The people who have an account.", no_args_is_help=True)

Who = Annotated[str, typer.Argument(metavar="EMAIL-or-ID", help="The person's address or id.")]
PasswordStdin = Annotated[
    bool, typer.Option("--password-stdin", help="Read the password from standard input instead of asking.")
]

_LARGEST_PAGE = 200


@commands.command()
def create(
    email: str,
    admin: Annotated[bool, typer.Option("--admin", help="Make the person an administrator.")] = False,
    name: Annotated[str | None, typer.Option(help="The person's name.")] = None,
    password_stdin: PasswordStdin = False,
    database_url: DatabaseUrl = None,
    data_dir: DataDir = None,
    as_json: Json = False,
) -> None:
    """Create an account; the password is asked for, or read from standard input."""
    from gatepost.accounts import Accounts, NewAccount, Setup

    settings = load_settings(database_url=database_url, data_dir=data_dir)
    new = _checked(NewAccount, email=email, name=name, password=_password(from_stdin=password_stdin))

    async def act(gatepost: "Gatepost") -> dict[str, Any]:
        async def add(work: "Work") -> UUID:
            user = await gatepost.build(Accounts, work).add(new, by="command")
            if admin:
                await gatepost.build(Setup, work).promote(user)
            return user.id

        return await _described(gatepost, await gatepost.run(add))

    person = run(settings, act)
    role = " as an administrator" if admin else ""
    emit(person, f"Created {printable(person['email'])}{role}: {person['id']}", as_json=as_json)


@commands.command("list")
def list_people(
    q: Annotated[str | None, typer.Option(help="Only addresses that begin so.")] = None,
    active: Annotated[bool | None, typer.Option("--active/--inactive", help="Only these.")] = None,
    limit: Annotated[int, typer.Option(min=1, help="Show at most so many.")] = 50,
    everyone: Annotated[bool, typer.Option("--all", help="Show all, however many.")] = False,
    database_url: DatabaseUrl = None,
    data_dir: DataDir = None,
    as_json: Json = False,
) -> None:
    """List people, the newest first; by address with --q."""
    settings = load_settings(database_url=database_url, data_dir=data_dir)
    most = sys.maxsize if everyone else limit
    people, more = run(settings, lambda gatepost: _listed(gatepost, most, q=q, is_active=active))
    if as_json:
        emit({"items": people, "more": more}, "", as_json=True)
        return
    columns = ["id", "email", "name", "is_active", "created_at"]
    table(columns, [[_cell(person[column]) for column in columns] for person in people])
    print(f"The first {len(people)} of more. See all: --all" if more else f"{len(people)} in all.")


@commands.command()
def show(who: Who, database_url: DatabaseUrl = None, data_dir: DataDir = None, as_json: Json = False) -> None:
    """Show a person's profile, roles, and how many sessions are live."""
    settings = load_settings(database_url=database_url, data_dir=data_dir)

    async def act(gatepost: "Gatepost") -> dict[str, Any]:
        return await _described(gatepost, (await _find(gatepost, who)).id)

    person = run(settings, act)
    if as_json:
        emit(person, "", as_json=True)
        return
    table(["", ""], [[name, _cell(value)] for name, value in person.items()])


@commands.command("set-password")
def set_password(
    who: Who,
    password_stdin: PasswordStdin = False,
    database_url: DatabaseUrl = None,
    data_dir: DataDir = None,
    as_json: Json = False,
) -> None:
    """Set a person's password; ends all their sessions."""
    _change(
        who,
        {"database_url": database_url, "data_dir": data_dir},
        {"password": _password(from_stdin=password_stdin)},
        "The password is set, and all sessions have ended.",
        as_json=as_json,
    )


@commands.command()
def disable(
    who: Who, database_url: DatabaseUrl = None, data_dir: DataDir = None, as_json: Json = False
) -> None:
    """Keep a person from signing in; ends all their sessions."""
    flags = {"database_url": database_url, "data_dir": data_dir}
    _change(who, flags, {"is_active": False}, "Disabled, and all sessions have ended.", as_json=as_json)


@commands.command()
def enable(
    who: Who, database_url: DatabaseUrl = None, data_dir: DataDir = None, as_json: Json = False
) -> None:
    """Let a person sign in again."""
    flags = {"database_url": database_url, "data_dir": data_dir}
    _change(who, flags, {"is_active": True}, "Enabled.", as_json=as_json)


@commands.command()
def lock(
    who: Who,
    period: Annotated[
        str, typer.Option("--for", help="How long: 30m, 12h, 7d. Sessions that there are go on.")
    ] = "24h",
    database_url: DatabaseUrl = None,
    data_dir: DataDir = None,
    as_json: Json = False,
) -> None:
    """Let nobody sign in to an account for a while."""
    from gatepost.core.durations import duration

    try:
        until = SystemClock().now() + duration(period)
    except (ValueError, OverflowError) as error:
        raise Stopped(str(error)) from None
    flags = {"database_url": database_url, "data_dir": data_dir}
    _change(who, flags, {"locked_until": until}, f"Locked until {until.isoformat()}.", as_json=as_json)


@commands.command()
def unlock(
    who: Who, database_url: DatabaseUrl = None, data_dir: DataDir = None, as_json: Json = False
) -> None:
    """Let people sign in to an account again."""
    flags = {"database_url": database_url, "data_dir": data_dir}
    _change(who, flags, {"locked_until": None}, "Unlocked.", as_json=as_json)


@commands.command()
def verify(
    who: Who, database_url: DatabaseUrl = None, data_dir: DataDir = None, as_json: Json = False
) -> None:
    """Say that an address is known to be the person's."""
    flags = {"database_url": database_url, "data_dir": data_dir}
    _change(who, flags, {"email_verified": True}, "The address is verified.", as_json=as_json)


@commands.command()
def delete(
    who: Who,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
    database_url: DatabaseUrl = None,
    data_dir: DataDir = None,
    as_json: Json = False,
) -> None:
    """Delete an account with its sessions, tokens and secrets."""
    from gatepost.accounts import Accounts

    settings = load_settings(database_url=database_url, data_dir=data_dir)

    async def find(gatepost: "Gatepost") -> Any:
        return await _find(gatepost, who)

    person = run(settings, find)
    if not yes:
        question = f"Delete {printable(person.email)} ({person.id}) and all that belongs to the account?"
        typer.confirm(question, abort=True, err=True)

    async def act(gatepost: "Gatepost") -> None:
        await gatepost.run(lambda work: gatepost.build(Accounts, work).delete(person.id))

    run(settings, act)
    deleted = {"id": str(person.id), "email": person.email, "deleted": True}
    emit(deleted, f"Deleted {printable(person.email)}: {person.id}", as_json=as_json)


@commands.command()
def promote(
    who: Who,
    demote: Annotated[bool, typer.Option("--demote", help="Take the role away instead.")] = False,
    database_url: DatabaseUrl = None,
    data_dir: DataDir = None,
    as_json: Json = False,
) -> None:
    """Make a person an administrator, or no longer one."""
    from gatepost.accounts import Setup
    from gatepost.users import Users

    settings = load_settings(database_url=database_url, data_dir=data_dir)

    async def act(gatepost: "Gatepost") -> tuple[dict[str, Any], bool]:
        user_id = (await _find(gatepost, who)).id

        async def move(work: "Work") -> bool:
            user = await gatepost.build(Users, work).load(user_id)
            setup = gatepost.build(Setup, work)
            return await (setup.demote(user) if demote else setup.promote(user))

        moved = await gatepost.run(move)
        return await _described(gatepost, user_id), moved

    person, moved = run(settings, act)
    outcome = {
        (False, True): "is an administrator now",
        (False, False): "was an administrator already",
        (True, True): "is no administrator any more",
        (True, False): "was no administrator",
    }[demote, moved]
    emit({**person, "changed": moved}, f"{printable(person['email'])} {outcome}.", as_json=as_json)


@commands.command("reset-factors")
def reset_factors(
    who: Who, database_url: DatabaseUrl = None, data_dir: DataDir = None, as_json: Json = False
) -> None:
    """Remove all second factors of a person who has lost them; ends all their sessions, and tells them."""
    from gatepost.mfa import FactorResets

    settings = load_settings(database_url=database_url, data_dir=data_dir)

    async def act(gatepost: "Gatepost") -> tuple[dict[str, Any], bool]:
        user_id = (await _find(gatepost, who)).id
        removed = await gatepost.run(lambda work: gatepost.build(FactorResets, work).by_operator(user_id))
        return await _described(gatepost, user_id), removed

    person, removed = run(settings, act)
    outcome = "has no second factor any more" if removed else "had no second factor"
    emit({**person, "changed": removed}, f"{printable(person['email'])} {outcome}.", as_json=as_json)


def _change(who: str, flags: dict[str, Any], change: dict[str, Any], text: str, *, as_json: bool) -> None:
    from gatepost.accounts import Accounts, ChangeAccount

    settings = load_settings(**flags)
    wanted = _checked(ChangeAccount, **change)

    async def act(gatepost: "Gatepost") -> dict[str, Any]:
        user_id = (await _find(gatepost, who)).id
        await gatepost.run(lambda work: gatepost.build(Accounts, work).change(user_id, wanted))
        return await _described(gatepost, user_id)

    person = run(settings, act)
    emit(person, f"{printable(person['email'])}: {text}", as_json=as_json)


async def _find(gatepost: "Gatepost", who: str) -> Any:
    from gatepost.users import Users

    users = gatepost.build(Users, gatepost.reading())
    try:
        return await users.profile(UUID(who))
    except ValueError:
        return await users.profile_by_email(who)


async def _described(gatepost: "Gatepost", user_id: UUID) -> dict[str, Any]:
    from gatepost.access import Access
    from gatepost.sessions import Sessions
    from gatepost.users import Users

    work = gatepost.reading()
    return {
        **_profile(await gatepost.build(Users, work).profile(user_id)),
        "roles": await gatepost.build(Access, work).roles_of(user_id),
        "live_sessions": len(await gatepost.build(Sessions, work).of(user_id)),
    }


async def _listed(gatepost: "Gatepost", most: int, **wanted: Any) -> tuple[list[dict[str, Any]], bool]:
    """Return at most so many people, page by page, and whether there are more."""
    from gatepost.users import UserFilter, Users

    users = gatepost.build(Users, gatepost.reading())
    people: list[dict[str, Any]] = []
    cursor: str | None = None
    while True:
        size = min(_LARGEST_PAGE, most - len(people))
        page = await users.page(_checked(UserFilter, **wanted, limit=size, cursor=cursor))
        people += [_profile(row) for row in page.items]
        cursor = page.next
        if cursor is None or len(people) >= most:
            return people, cursor is not None


def _profile(row: Any) -> dict[str, Any]:
    from gatepost.users import UserOut

    return UserOut.model_validate(row, from_attributes=True).model_dump(mode="json")


def _checked[Model: "BaseModel"](model: type[Model], **values: Any) -> Model:
    """Return the same input that the HTTP API takes. Raises Stopped."""
    from pydantic import ValidationError

    try:
        return model(**values)
    except ValidationError as error:
        raise Stopped(said_by(error)) from None


def _password(*, from_stdin: bool) -> str:
    """Return a password that is never on the command line, where other users of the machine could read it."""
    if from_stdin:
        return sys.stdin.readline().removesuffix("\n").removesuffix("\r")
    if not sys.stdin.isatty():
        raise Stopped("There is no terminal to ask for the password on. Give it by --password-stdin.")
    return typer.prompt("Password", hide_input=True, confirmation_prompt=True, err=True)


def _cell(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return "yes" if value else "no"
    return ", ".join(value) if isinstance(value, list) else str(value)
