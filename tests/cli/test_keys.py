"""`gatepost keys`, on both databases, beside a running service."""

from datetime import datetime, timedelta
from typing import Any

import jwt
import pytest
from httpx2 import AsyncClient
from sqlalchemy import update

from gatepost import Consumer, Gatepost, RecordedEvent, UserRegistered
from gatepost.core.events import EventLog, Recorder
from gatepost.core.principal import ClientInfo
from gatepost.core.secrets import KeyRing
from gatepost.tokens import SigningKey
from tests.cli.conftest import Command, Outcome
from tests.make import PASSWORD, Make
from tests.processes import SECRET

OTHER = "u6eAs4fPg8dJm5cHn2bXy7rLw9qTv3kZ"
MOVED = {"GATEPOST_SECRET_KEY": OTHER, "GATEPOST_PREVIOUS_SECRET_KEYS": SECRET}

pytestmark = pytest.mark.usefixtures("gatepost")


def listed(command: Command, **settings: str) -> list[dict[str, Any]]:
    said = command("keys", "list", "--json", **settings)
    assert said.code == 0, said.err
    return said.json["keys"]


def only(command: Command, state: str) -> dict[str, Any]:
    (key,) = [key for key in listed(command) if key["state"] == state]
    return key


def moment(text: str) -> datetime:
    return datetime.fromisoformat(text)


# ── list ─────────────────────────────────────────────────────────────────────────────────────────


def test_list_shows_each_key_its_state_and_its_times(command: Command) -> None:
    (first,) = listed(command)
    assert (first["algorithm"], first["state"], first["opens"]) == ("ES256", "signing", True)
    assert first["created_at"] == first["activated_at"]
    assert first["activates_at"] is first["kept_until"] is first["revoked_at"] is None

    command("keys", "rotate")
    command("keys", "revoke", first["kid"], "--yes")
    command("keys", "rotate", "--now")
    command("keys", "rotate")

    states = sorted((key["state"], key["opens"]) for key in listed(command))
    assert states == [
        ("next", True),
        ("retired", None),
        ("revoked", None),
        ("revoked", None),
        ("signing", True),
    ]
    said = command("keys", "list").out
    assert all(key["kid"] in said for key in listed(command))
    assert "revoked 20" in said


def test_list_says_what_cannot_be_opened(command: Command) -> None:
    assert [key["opens"] for key in listed(command, GATEPOST_SECRET_KEY=OTHER)] == [False]
    assert " no " in command("keys", "list", GATEPOST_SECRET_KEY=OTHER).out
    assert [key["opens"] for key in listed(command, **MOVED)] == [True]


async def test_no_command_shows_a_private_half(command: Command, gatepost: Gatepost) -> None:
    private = (await gatepost.keys.signing()).jwk.as_dict(private=True)["d"]
    said = [command("keys", "list", "--json"), command("keys", "rotate", "--json")]
    said += [command("keys", "reseal", "--json", **MOVED), command("keys", "rotate", "--now", "--json")]
    for each in said:
        assert each.code == 0
        assert str(private) not in each.out + each.err
        assert '"d"' not in each.out


# ── rotate ───────────────────────────────────────────────────────────────────────────────────────


def test_rotate_publishes_a_key_that_signs_later(command: Command) -> None:
    signing = only(command, "signing")["kid"]

    said = command("keys", "rotate", "--json")

    assert (said.code, said.json["state"], said.json["changed"]) == (0, "next", True)
    waits = moment(said.json["activates_at"]) - moment(said.json["created_at"])
    assert waits == timedelta(seconds=330)
    assert only(command, "signing")["kid"] == signing
    again = command("keys", "rotate", "--json")
    assert (again.json["kid"], again.json["changed"]) == (said.json["kid"], False)
    assert "was published already, and signs from 20" in command("keys", "rotate").out


async def test_rotate_now_signs_at_once_and_says_what_that_costs(
    command: Command, make: Make, gatepost: Gatepost, client: AsyncClient
) -> None:
    before = await make.signed_in()

    said = command("keys", "rotate", "--now")

    assert said.out.endswith(" (ES256) signs now.\n")
    assert "may not know this one before" in said.err
    gatepost.keys.forget_all()  # a few seconds later
    after = await make.signed_in()
    kid = jwt.get_unverified_header(after.access_token)["kid"]
    assert kid == only(command, "signing")["kid"] == said.out.split()[0]
    for me in (before, after):
        assert (await client.get("/users/me", headers=me.headers)).status_code == 200


def test_rotate_now_takes_the_key_that_is_published(command: Command) -> None:
    prepared = command("keys", "rotate", "--json").json["kid"]
    assert command("keys", "rotate", "--now", "--json").json["kid"] == prepared


async def test_rotate_now_has_nothing_to_warn_of_when_all_know_the_key(
    command: Command, gatepost: Gatepost
) -> None:
    command("keys", "rotate")
    async with gatepost.database.write() as transaction:
        ago = gatepost.clock.now() - timedelta(hours=1)
        await transaction.execute(
            update(SigningKey).where(SigningKey.is_next.is_(True)).values(activates_at=ago)
        )
    assert command("keys", "rotate", "--now").err == ""


def test_rotate_changes_the_algorithm(command: Command) -> None:
    for algorithm in ("EdDSA", "RS256"):
        said = command("keys", "rotate", "--now", "--json", GATEPOST_TOKENS__ALGORITHM=algorithm)
        assert (said.json["algorithm"], said.json["state"]) == (algorithm, "signing")


# ── revoke ───────────────────────────────────────────────────────────────────────────────────────


async def test_revoke_refuses_what_the_key_signed_and_another_signs(
    command: Command, make: Make, gatepost: Gatepost, client: AsyncClient
) -> None:
    me = await make.signed_in()
    kid = only(command, "signing")["kid"]

    said = command("keys", "revoke", kid, "--yes", "--json")

    assert (said.json["kid"], said.json["state"], said.json["changed"]) == (kid, "revoked", True)
    assert only(command, "signing")["kid"] != kid
    gatepost.keys.forget_all()  # a few seconds later
    assert (await client.get("/users/me", headers=me.headers)).status_code == 401
    again = await make.sign_in(me.person.email, PASSWORD)
    assert again.status_code == 200
    assert command("keys", "revoke", kid, "--yes").out == f"{kid} was revoked already.\n"
    assert command("keys", "revoke", kid, "--yes", "--json").json["changed"] is False


def test_revoke_asks_first(command: Command) -> None:
    kid = only(command, "signing")["kid"]
    for answer, code, state in (("n\n", 1, "signing"), ("", 1, "signing"), ("y\n", 0, "revoked")):
        said = command("keys", "revoke", kid, stdin=answer)
        assert said.code == code
        assert f"Revoke {kid} (ES256, signing)?" in said.err
        assert {key["kid"]: key["state"] for key in listed(command)}[kid] == state


def test_revoke_says_in_one_line_that_there_is_no_such_key(command: Command) -> None:
    # Ids are base64url: some begin with a dash, and are no options.
    for wrong in ("nobody", "-eM0bxX", "--nobody", only(command, "signing")["kid"][:-1]):
        said = command("keys", "revoke", wrong, "--yes")
        assert (said.code, said.out, said.err) == (1, "", "gatepost: There is no such signing key.\n")


# ── reseal ───────────────────────────────────────────────────────────────────────────────────────


async def sign_up(client: AsyncClient, key: str, email: str) -> dict[str, Any]:
    account = {"email": email, "password": PASSWORD}
    answer = await client.post("/users/", json=account, headers={"Idempotency-Key": key})
    assert answer.status_code == 200, answer.text
    return answer.json()


async def deliver_later(gatepost: Gatepost) -> None:
    """Record an event that a consumer gets with something that only it may know."""

    async def run(_event: RecordedEvent) -> None: ...

    log = EventLog([Consumer("mail", {UserRegistered}, run)], KeyRing([SECRET]))
    recorder = Recorder(log)
    recorder.record(UserRegistered(subject=None, by="command"), private={"code": "123456"})
    async with gatepost.database.write() as transaction:
        await recorder.flush(transaction.execute, gatepost.clock.now(), None, ClientInfo())


async def test_reseal_makes_the_previous_secret_key_superfluous(
    command: Command, client: AsyncClient, gatepost: Gatepost
) -> None:
    await sign_up(client, "one", "ada@example.com")
    await deliver_later(gatepost)

    said = command("keys", "reseal", "--json", **MOVED)

    names = (
        "signing_keys.private_sealed",
        "idempotency_keys.asked",
        "idempotency_keys.answer",
        "deliveries.private",
    )
    nobodys = "totp_factors.secret"
    assert (said.code, said.json["resealed"]) == (0, {**dict.fromkeys(names, 1), nobodys: 0})
    assert said.json["unopened"] == dict.fromkeys([*names, nobodys], 0)
    again = command("keys", "reseal", **MOVED)
    assert again.out.splitlines() == [f"{name}: 0 sealed anew" for name in (*names, nobodys)]
    assert [key["opens"] for key in listed(command, GATEPOST_SECRET_KEY=OTHER)] == [True]


def test_reseal_says_what_it_cannot_open(command: Command) -> None:
    said = command("keys", "reseal", GATEPOST_SECRET_KEY=OTHER)
    assert said.code == 1
    assert said.err.startswith("gatepost: signing_keys.private_sealed: 1 cannot be opened")


# ── doctor ───────────────────────────────────────────────────────────────────────────────────────


def checks(said: Outcome, name: str) -> list[tuple[str, str]]:
    return [(check["level"], check["says"]) for check in said.json["checks"] if check["name"] == name]


def test_doctor_says_what_is_sealed_under_which_key(command: Command) -> None:
    assert checks(command("doctor", "--json"), "sealed values") == [
        ("ok", "All are sealed under the secret key.")
    ]
    ((level, says),) = checks(command("doctor", "--json", **MOVED), "sealed values")
    assert (level, says.split(",")[0]) == ("warning", "1 are sealed under a previous secret key")
    ((level, says),) = checks(command("doctor", "--json", GATEPOST_SECRET_KEY=OTHER), "sealed values")
    assert level == "warning"
    assert says == "1 in signing_keys.private_sealed are sealed under a key that is not listed."

    command("keys", "reseal", **MOVED)

    ((level, says),) = checks(command("doctor", "--json", **MOVED), "sealed values")
    assert (level, "can be emptied" in says) == ("ok", True)


async def test_doctor_says_when_nobody_rotates_the_keys(command: Command, gatepost: Gatepost) -> None:
    ((level, says),) = checks(command("doctor", "--json"), "signing key")
    assert (level, says) == ("ok", "The secret key opens it. It has been signing for 0 days.")
    async with gatepost.database.write() as transaction:
        ago = gatepost.clock.now() - timedelta(days=91)
        await transaction.execute(update(SigningKey).values(activated_at=ago))

    said = command("doctor", "--json")

    ((level, says),) = checks(said, "signing key")
    assert (said.code, level) == (0, "warning")
    assert says == "It has been signing for 91 days, longer than 90: nobody rotates it."


def test_doctor_says_when_a_key_of_another_algorithm_is_wanted(command: Command) -> None:
    wanted = {"GATEPOST_TOKENS__ALGORITHM": "EdDSA"}
    ((level, says),) = checks(command("doctor", "--json", **wanted), "signing key")
    assert (level, says) == ("warning", "It is for ES256, and none for EdDSA is prepared.")
    command("keys", "rotate", **wanted)
    ((level, _),) = checks(command("doctor", "--json", **wanted), "signing key")
    assert level == "ok"


# ── where nobody runs a worker ───────────────────────────────────────────────────────────────────


async def test_db_clean_rotates_too(command: Command, gatepost: Gatepost) -> None:
    assert command("db", "clean", "--json").json["changed"] == {"signing-keys.rotated": 0}
    async with gatepost.database.write() as transaction:
        ago = gatepost.clock.now() - timedelta(days=91)
        await transaction.execute(update(SigningKey).values(activated_at=ago))

    said = command("db", "clean")

    assert "signing-keys.rotated: 1 changed" in said.out.splitlines()
    assert only(command, "next")["algorithm"] == "ES256"
