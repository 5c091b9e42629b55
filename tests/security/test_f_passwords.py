"""Attacks on passwords: what bcrypt cuts off, hashes from elsewhere, no password at all."""

import bcrypt
import pytest
from httpx2 import AsyncClient
from sqlalchemy import delete, select, update

from gatepost import Gatepost
from gatepost.core.hashing import HashingBusy
from gatepost.passwords import Password
from tests.make import PASSWORD, Make, Person
from tests.security.doors import PASSWORD_DOORS, Hall
from tests.security.expect import assert_problem

LONG = "A long sentence that is much longer than the seventy-two bytes bcrypt looks at: lighthouse."


async def imported(gatepost: Gatepost, make: Make, hashed: str) -> Person:
    """Make a person whose hash came from another system, as an import by SQL would."""
    person = await make.user()
    statement = update(Password).where(Password.user_id == person.id).values(hash=hashed)
    async with gatepost.work() as work:
        await work.session.execute(statement)
    return person


async def stored_hash(gatepost: Gatepost, person: Person) -> str:
    row = await gatepost.database.reads.first(select(Password.hash).where(Password.user_id == person.id))
    assert row is not None
    return row.hash


def bcrypt_hash(password: str, variant: str = "2b", cost: int = 4) -> str:
    """Return a hash as systems made it that cut passwords at 72 bytes."""
    made = bcrypt.hashpw(password.encode()[:72], bcrypt.gensalt(cost)).decode()
    return made.replace("$2b$", f"${variant}$", 1)


async def test_f06_no_room_to_hash_anew_keeps_nobody_out(
    gatepost: Gatepost, make: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    person = await imported(gatepost, make, bcrypt_hash(PASSWORD))

    async def busy(_password: str, _source: str | None) -> str:
        raise HashingBusy

    monkeypatch.setattr(gatepost.hashing, "hash", busy)
    assert (await make.sign_in(person.email, PASSWORD)).status_code == 200
    assert (await stored_hash(gatepost, person)).startswith("$2b$")


@pytest.mark.parametrize("variant", ["2a", "2b", "2y"])
async def test_f06_an_imported_bcrypt_hash_lets_in_once_and_is_then_argon2id(
    gatepost: Gatepost, make: Make, variant: str, subtests: pytest.Subtests
) -> None:
    for password in [PASSWORD, LONG, "pässwörter und Größe " * 5]:
        with subtests.test(str(password)):
            person = await imported(gatepost, make, bcrypt_hash(password, variant))
            assert_problem(await make.sign_in(person.email, "wrong " + password), 400)
            assert (await stored_hash(gatepost, person)).startswith(f"${variant}$")

            assert (await make.sign_in(person.email, password)).status_code == 200

            assert (await stored_hash(gatepost, person)).startswith("$argon2id$")
            assert (await make.sign_in(person.email, password)).status_code == 200
            assert_problem(await make.sign_in(person.email, "wrong " + password), 400)


async def test_f06_after_the_upgrade_a_password_equal_in_its_first_72_bytes_is_refused(
    gatepost: Gatepost, make: Make
) -> None:
    person = await imported(gatepost, make, bcrypt_hash(LONG))
    assert (await make.sign_in(person.email, LONG)).status_code == 200
    for alike in (LONG[:72], LONG[:72] + "!", LONG + "!", LONG[:-1], LONG[:72] + LONG):
        assert_problem(await make.sign_in(person.email, alike), 400)
    assert (await make.sign_in(person.email, LONG)).status_code == 200


@pytest.mark.parametrize("name", PASSWORD_DOORS)
async def test_f06_a_password_that_we_hash_counts_to_its_last_byte(hall: Hall, name: str) -> None:
    done = await PASSWORD_DOORS[name](hall, LONG)
    assert done.answer.is_success, done.answer.text
    for alike in (LONG[:72], LONG[:72] + "!", LONG + "!", LONG[:-1], LONG.lower(), LONG + " "):
        assert_problem(await hall.make.sign_in(done.email, alike), 400)
    assert (await hall.make.sign_in(done.email, LONG)).status_code == 200


async def test_f06_a_wrong_password_is_never_upgraded(gatepost: Gatepost, make: Make) -> None:
    hashed = bcrypt_hash(PASSWORD)
    person = await imported(gatepost, make, hashed)
    for wrong in (PASSWORD[:-1], PASSWORD + "x", PASSWORD.upper(), "x" * 1024):
        assert_problem(await make.sign_in(person.email, wrong), 400)
    assert await stored_hash(gatepost, person) == hashed


async def test_f06_the_hash_of_somebody_disabled_is_not_touched(
    client: AsyncClient, gatepost: Gatepost, make: Make
) -> None:
    hashed = bcrypt_hash(PASSWORD)
    person = await imported(gatepost, make, hashed)
    administrator = await make.signed_in(await make.administrator())
    await client.patch(f"/users/{person.id}", json={"is_active": False}, headers=administrator.headers)
    assert_problem(await make.sign_in(person.email, PASSWORD), 400)
    assert await stored_hash(gatepost, person) == hashed


@pytest.mark.timeout(60)  # seconds for what would take days
async def test_f06_a_hash_of_absurd_cost_is_refused_without_computing_it(
    gatepost: Gatepost, make: Make, subtests: pytest.Subtests
) -> None:
    for cost in [16, 20, 31, 99, -4]:
        with subtests.test(str(cost)):
            hashed = bcrypt_hash(PASSWORD).replace("$04$", f"${cost:02}$")
            person = await imported(gatepost, make, hashed)
            assert_problem(await make.sign_in(person.email, PASSWORD), 400)


SPOILT = {
    "empty": "",
    "a clear password": PASSWORD,
    "cut": bcrypt_hash(PASSWORD)[:40],
    "no salt": "$2b$04$",
    "prefix": "$2b$",
    "not ASCII": "$2b$04$" + "é" * 53,
    "unknown variant": bcrypt_hash(PASSWORD, "2z"),
    "no digits": bcrypt_hash(PASSWORD).replace("$04$", "$xx$"),
    "argon2i": "$argon2i$v=19$m=64,t=1,p=1$c29tZXNhbHQ$AAAAAAAAAAAAAAAAAAAAAA",
    "argon2id, cut": "$argon2id$v=19$m=64,t=1,p=1$c29tZXNhbHQ",
    "argon2id, no parameters": "$argon2id$",
    "MD5": "5f4dcc3b5aa765d61d8327deb882cf99",
    "crypt": "$1$abc$def",
    "NULL": "NULL",
    "disabled": "!",
    "star": "*",
}


async def test_f06_a_hash_that_is_none_lets_nobody_in(
    gatepost: Gatepost, make: Make, subtests: pytest.Subtests
) -> None:
    for name, hashed in SPOILT.items():
        with subtests.test(name):
            person = await imported(gatepost, make, hashed)
            for password in (PASSWORD, hashed or " ", "*", "!"):
                assert_problem(await make.sign_in(person.email, password), 400)


@pytest.fixture
async def passwordless(gatepost: Gatepost, make: Make) -> Person:
    """Somebody without a password."""
    person = await make.user()
    async with gatepost.work() as work:
        await work.session.execute(delete(Password).where(Password.user_id == person.id))
    return person


async def test_f09_without_a_password_none_is_right(
    make: Make, passwordless: Person, subtests: pytest.Subtests
) -> None:
    for password in ["", " ", PASSWORD, "None", "null", "undefined", "0", "$argon2id$", "\u200b"]:
        with subtests.test(str(password)):
            answer = await make.sign_in(passwordless.email, password)
            assert_problem(answer, 400)
            assert answer.json()["error"] == ("invalid_grant" if password else "invalid_request")


async def test_f09_a_sign_in_without_the_parameter_is_refused(
    client: AsyncClient, passwordless: Person
) -> None:
    for form in ({}, {"client_secret": "x"}, {"grant_type": "password"}):
        answer = await client.post("/users/token", data={"username": passwordless.email, **form})
        assert_problem(answer, 400)
        assert answer.json()["error"] == "invalid_request"


async def test_f09_without_a_password_none_proves_the_right_to_set_one(
    client: AsyncClient, gatepost: Gatepost, make: Make, subtests: pytest.Subtests
) -> None:
    me = await make.signed_in()
    async with gatepost.work() as work:
        await work.session.execute(delete(Password).where(Password.user_id == me.person.id))
    for current in [None, "", PASSWORD, "None"]:
        with subtests.test(str(current)):
            body = {"password": "harbour-umbrella-77", "current_password": current}
            assert_problem(await client.patch("/users/me", json=body, headers=me.headers), 422)


@pytest.mark.parametrize("name", PASSWORD_DOORS)
async def test_f11_no_door_takes_a_bad_password(hall: Hall, name: str, subtests: pytest.Subtests) -> None:
    for password in ["", "password1", "12345678", "qwertyuiop", None]:
        with subtests.test(str(password)):
            tried = await PASSWORD_DOORS[name](hall, password)
            if password is None and tried.answer.status_code == 200:
                # A change that names no new password leaves the old one.
                assert (await hall.make.sign_in(tried.email, PASSWORD)).status_code == 200
                continue
            assert_problem(tried.answer, 422)
            if password:
                assert_problem(await hall.make.sign_in(tried.email, password), 400)
