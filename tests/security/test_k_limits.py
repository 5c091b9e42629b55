"""Attacks on the machine itself: bodies too large, too deep or too odd to read."""

import json
from collections.abc import AsyncIterator
from typing import Any

import pytest
from httpx2 import AsyncClient

from gatepost import Gatepost, Settings
from gatepost.core.http.json_body import load_json
from tests.make import Make, SignedIn
from tests.security.expect import assert_problem, named_fields
from tests.security.operations import FORM, JSON, no_database_matters, operations, with_body

CANARY = "Canary7Zq"
TEN_MEGABYTES = 10_000_000


@pytest.fixture
async def administrator(make: Make) -> SignedIn:
    """Somebody whom no operation refuses for lack of permission."""
    return await make.signed_in(await make.administrator())


def huge(media: str) -> bytes:
    if media == FORM:
        return b"username=a%40example.com&password=" + b"a" * TEN_MEGABYTES
    return b'{"email": "a@example.com", "password": "' + b"a" * TEN_MEGABYTES + b'"}'


@no_database_matters
@pytest.mark.parametrize("media", [JSON, FORM])
async def test_k09_ten_megabytes_are_refused_by_their_stated_length(
    client: AsyncClient, administrator: SignedIn, media: str
) -> None:
    for each in await with_body(client, media):
        headers = {**administrator.headers, "Content-Type": media}
        answer = await each.call(client, headers=headers, content=huge(media), json=None, data=None)
        assert_problem(answer, 413)


@no_database_matters
@pytest.mark.parametrize("media", [JSON, FORM])
async def test_k09_ten_megabytes_in_chunks_are_refused_once_the_limit_is_passed(
    client: AsyncClient, administrator: SignedIn, settings: Settings, media: str
) -> None:
    for each in await with_body(client, media):
        taken = 0

        async def chunks() -> AsyncIterator[bytes]:
            nonlocal taken
            body = huge(media)
            for start in range(0, len(body), 4096):
                taken += 4096
                yield body[start : start + 4096]

        headers = {**administrator.headers, "Content-Type": media}
        answer = await each.call(client, headers=headers, content=chunks(), json=None, data=None)
        assert_problem(answer, 413)
        assert taken <= settings.max_body_bytes + 2 * 4096


LENGTHS = [
    b"10000000",
    b"0" * 20 + b"10000000",
    b"9" * 5000,
    b"-1",
    b"+5",
    b"5_0",
    b"1e3",
    b"0x10",
    b"5, 5",
    b"",
    b" 5",
]


async def status_and_reads(gatepost: Gatepost, stated: bytes, *more: tuple[bytes, bytes]) -> tuple[int, int]:
    """Return how an endless body of this stated length is answered, and how much of it was asked for."""
    asked = 0
    sent: list[Any] = []

    async def receive() -> dict[str, Any]:
        nonlocal asked
        asked += 1
        return {"type": "http.request", "body": b"a" * 4096, "more_body": True}

    async def send(message: Any) -> None:
        sent.append(message)

    scope = {
        "type": "http",
        "method": "POST",
        "path": "/users/",
        "raw_path": b"/users/",
        "query_string": b"",
        "headers": [
            (b"host", b"gatepost.test"),
            (b"content-type", b"application/json"),
            (b"content-length", stated),
            *more,
        ],
        "client": ("127.0.0.1", 1),
    }
    await gatepost.app(scope, receive, send)
    return sent[0]["status"], asked


@no_database_matters
async def test_k09_no_spelling_of_a_length_passes_the_limit(
    gatepost: Gatepost, subtests: pytest.Subtests
) -> None:
    for stated in LENGTHS:
        with subtests.test(str(stated)[:40]):
            assert await status_and_reads(gatepost, stated) == (413, 0)


@no_database_matters
async def test_k09_a_stated_length_does_not_hide_a_chunked_body(gatepost: Gatepost) -> None:
    """RFC 9112, section 6.3: with both, the chunks count, and not every server drops the length."""
    status, reads = await status_and_reads(gatepost, b"5", (b"transfer-encoding", b"chunked"))

    assert status == 413
    assert reads <= gatepost.settings.max_body_bytes // 4096 + 1


DEEP = {
    "arrays": b"[" * 30_000,
    "closed arrays": b"[" * 30_000 + b"]" * 30_000,
    "objects": b'{"email":' * 6_000,
    "one level too many": b'{"email":' + b"[" * 32 + b"]" * 32 + b"}",
    "in a field": b'{"email": "a@example.com", "password": ' + b'{"a":[' * 5_000,
    "after a string of brackets": b'{"email": "]]]]]]]]\\"]]]]]]", "name": ' + b"[" * 30_000,
}


@no_database_matters
async def test_k09_deep_json_is_refused(
    client: AsyncClient, administrator: SignedIn, subtests: pytest.Subtests
) -> None:
    for name, body in DEEP.items():
        with subtests.test(name):
            for each in await with_body(client, JSON):
                headers = {**administrator.headers, "Content-Type": JSON}
                answer = await each.call(client, headers=headers, content=body, json=None)
                assert_problem(answer, 422)
                assert (named_fields(answer), answer.json()["errors"][0]["code"]) == (
                    {"body"},
                    "json-invalid",
                )


def test_k09_brackets_inside_text_are_no_depth() -> None:
    text = "[" * 500 + '{"' * 500 + "\\" * 3
    assert load_json(json.dumps({"name": text}).encode()) == {"name": text}


ENDLESS = {
    "escaped quotes": b'{"a":"' + b'\\"' * 200_000,
    "quotes": b'"' * 400_001,
    "backslashes": b'"' + b"\\" * 400_001,
    "escapes after quotes": b'"\\' * 200_000,
    "quotes and letters": b'"a' * 200_000 + b"\\",
}


@pytest.mark.timeout(60)  # seconds for what takes hours in quadratic time
@pytest.mark.parametrize("name", ENDLESS)
def test_k09_text_without_an_end_is_read_in_linear_time(name: str) -> None:
    with pytest.raises(json.JSONDecodeError):
        load_json(ENDLESS[name])


@no_database_matters
async def test_k09_numbers_that_are_none_or_endless_are_refused(
    client: AsyncClient, administrator: SignedIn, subtests: pytest.Subtests
) -> None:
    for number in ["NaN", "Infinity", "-Infinity", "1" * 65, "-" + "9" * 5000, "9" * 60_000]:
        with subtests.test(str(number)):
            for each in await with_body(client, JSON):
                for field in each.fields:
                    body = json.dumps({**each.valid_body(), field: 0}).replace(
                        f'"{field}": 0', f'"{field}": {number}'
                    )
                    headers = {**administrator.headers, "Content-Type": JSON}
                    answer = await each.call(client, headers=headers, content=body, json=None)
                    assert_problem(answer, 422)
                    assert answer.json()["errors"][0]["code"] == "json-invalid"


@no_database_matters
async def test_k09_endless_fractions_do_no_harm(
    client: AsyncClient, administrator: SignedIn, subtests: pytest.Subtests
) -> None:
    for number in ["1e999", "-1e999", "1.5e-9", "0." + "1" * 50_000, "1" * 50_000 + ".5"]:
        with subtests.test(str(number)):
            for each in await with_body(client, JSON):
                for field in each.fields:
                    body = json.dumps({**each.valid_body(), field: 0}).replace(
                        f'"{field}": 0', f'"{field}": {number}'
                    )
                    headers = {**administrator.headers, "Content-Type": JSON}
                    answer = await each.call(client, headers=headers, content=body, json=None)
                    assert_problem(answer, 422)
                    assert named_fields(answer) == {field}


@no_database_matters
async def test_k09_a_name_that_appears_twice_is_refused(client: AsyncClient, administrator: SignedIn) -> None:
    for each in await with_body(client, JSON):
        for field in each.text_fields:
            once = json.dumps(each.valid_body())[1:-1]
            for twin in (f'"{field}"', '"' + "".join(f"\\u{ord(char):04x}" for char in field) + '"'):
                body = f'{{{once}, {twin}: "{CANARY}"}}'
                headers = {**administrator.headers, "Content-Type": JSON}
                answer = await each.call(client, headers=headers, content=body, json=None)
                assert_problem(answer, 422, secret=CANARY)
                assert answer.json()["errors"][0]["code"] == "json-invalid"


NO_DATES = [
    "inf",
    "-inf",
    "nan",
    "NaN",
    "Infinity",
    "1e400",
    "1e10",
    "9" * 400,
    "-" + "9" * 40,
    "0x7f",
    "now",
]
NO_DATES += ["2020-13-01T00:00:00Z", "2020-02-30T00:00:00Z", "2020-01-01", "2020-01-01T00:00:00", "", " "]
NO_DATES += ["0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-12:00", "0000-00-00T00:00:00Z", "\uff11"]
NO_DATES += ["+10000-01-01T00:00:00Z", "2020-01-01T00:00:00+99:99", "2020-01-01T24:00:01Z", "a" * 3000]


async def test_k09_dates_that_are_none_are_refused(
    client: AsyncClient, administrator: SignedIn, subtests: pytest.Subtests
) -> None:
    for text in NO_DATES:
        with subtests.test(str(text)):
            for name in ("created_after", "created_before"):
                answer = await client.get("/users/", params={name: text}, headers=administrator.headers)
                assert_problem(answer, 422)
                assert named_fields(answer) == {f"query.{name}"}


async def test_k09_the_ends_of_time_are_dates(
    client: AsyncClient, administrator: SignedIn, subtests: pytest.Subtests
) -> None:
    for text in ["0001-01-01T00:00:00Z", "9999-12-31T23:59:59.999999Z", "2020-01-01T00:00:00+14:00"]:
        with subtests.test(str(text)):
            for name in ("created_after", "created_before"):
                answer = await client.get("/users/", params={name: text}, headers=administrator.headers)
                assert answer.status_code == 200, answer.text


@no_database_matters
async def test_k09_a_page_has_a_sane_size(
    client: AsyncClient, administrator: SignedIn, subtests: pytest.Subtests
) -> None:
    for text in ["0", "-1", "201", "9" * 4000, "1e2", "1.5", "0x10", "inf", "nan", "", "١"]:
        with subtests.test(str(text)):
            answer = await client.get("/users/", params={"limit": text}, headers=administrator.headers)
            if answer.status_code == 200:
                assert text == "١", "a digit of another script is still a digit"
                continue
            assert_problem(answer, 422)
            assert named_fields(answer) == {"query.limit"}


@no_database_matters
async def test_k09_a_flood_of_query_parameters_is_refused(
    client: AsyncClient, administrator: SignedIn
) -> None:
    flood = "&".join(f"a{number}=1" for number in range(5000))
    answer = await client.get(f"/users/?{flood}", headers=administrator.headers)
    assert_problem(answer, 414, 422)
    assert len(answer.content) < 100_000


@no_database_matters
async def test_k09_a_body_where_none_is_read_changes_nothing(
    client: AsyncClient, administrator: SignedIn
) -> None:
    for each in await operations(client):
        if each.media is None and each.method == "get":
            url = each.path.replace("{user_id}", str(administrator.person.id))
            answer = await client.request(
                "GET", url, headers={**administrator.headers, "Content-Type": JSON}, content=b"[" * 5000
            )
            assert answer.status_code == 200, answer.text
