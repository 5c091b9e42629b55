"""Input that makes no sense, in every field of every operation: the right 4xx, the field named, nothing echoed."""

import json
from collections.abc import AsyncIterator, Callable
from typing import Any
from urllib.parse import quote

import pytest
from httpx2 import AsyncClient

from gatepost import Gatepost
from tests.conftest import open_client
from tests.make import PASSWORD, Make, SignedIn
from tests.security.doors import BEHIND_DOORS, PASSWORD_DOORS, Hall
from tests.security.expect import assert_problem, named_fields
from tests.security.operations import FORM, JSON, Operation, no_database_matters, operations, with_body

CANARY = "Canary7Zq"

UNSTORABLE = {
    "NUL": f"{CANARY}\x00",
    "NUL alone": "\x00",
    "high surrogate": f"{CANARY}\ud800",
    "low surrogate": f"\udfff{CANARY}",
    "swapped surrogates": f"{CANARY}\udc00\ud83d",
    "U+FFFF": f"{CANARY}\uffff",
    "U+FFFE": f"{CANARY}\ufffe",
    "U+FDD0": f"{CANARY}\ufdd0",
    "U+10FFFF": f"{CANARY}\U0010ffff",
}

NO_TEXT: list[Any] = [0, 1, -1, 1.5, True, False, [], [CANARY], {}, {CANARY: CANARY}, 10**60]


@pytest.fixture
async def administrator(make: Make) -> SignedIn:
    """Somebody whom no operation refuses for lack of permission."""
    return await make.signed_in(await make.administrator())


async def test_f08_text_that_no_database_holds_is_refused_in_every_field(
    client: AsyncClient, administrator: SignedIn, subtests: pytest.Subtests
) -> None:
    for name, text in UNSTORABLE.items():
        with subtests.test(name):
            for each in await with_body(client, JSON):
                for field in each.text_fields:
                    sent = json.dumps({**each.valid_body(), field: text})
                    answer = await each.call(
                        client,
                        headers=_json(administrator),
                        content=sent,
                        json=None,
                        user_id=administrator.person.id,
                    )
                    assert_problem(answer, 422, secret=CANARY)
                    assert named_fields(answer) == {field}


async def test_f08_text_that_no_database_holds_is_refused_in_every_parameter_of_a_form(
    client: AsyncClient, subtests: pytest.Subtests
) -> None:
    for name, text in UNSTORABLE.items():
        with subtests.test(name):
            encoded = quote(text.encode(errors="surrogatepass"))
            for each in await with_body(client, FORM):
                for field in each.text_fields:
                    rest = {key: value for key, value in each.valid_body().items() if key != field}
                    sent = "&".join(
                        [*(f"{key}={quote(value)}" for key, value in rest.items()), f"{field}={encoded}"]
                    )
                    answer = await each.call(client, headers={"Content-Type": FORM}, content=sent, data=None)
                    assert_problem(answer, 400, 422, secret=CANARY)
                    # A surrogate makes the whole form no UTF-8; then there is no field to name.
                    unreadable = answer.json()["code"] == "form-invalid"
                    assert unreadable is ("surrogate" in name)
                    assert unreadable or named_fields(answer) == {field}


async def test_f08_text_that_no_database_holds_is_harmless_in_every_query_path_and_header(
    client: AsyncClient, administrator: SignedIn, subtests: pytest.Subtests
) -> None:
    for name, text in UNSTORABLE.items():
        with subtests.test(name):
            raw = text.encode(errors="surrogatepass")
            for each in await operations(client):
                for parameter in each.parameters:
                    url, headers = (
                        each.path,
                        [(b"authorization", administrator.headers["Authorization"].encode())],
                    )
                    if parameter["in"] == "query":
                        url = f"{url}?{parameter['name']}={quote(raw)}"
                    elif parameter["in"] == "path":
                        url = url.replace(f"{{{parameter['name']}}}", quote(raw))
                    else:
                        headers.append((parameter["name"].encode(), raw))
                    url = url.replace("{user_id}", "00000000-0000-0000-0000-000000000001")
                    body = each.valid_body() if each.media == JSON else None
                    answer = await client.request(each.method.upper(), url, headers=headers, json=body)
                    # An undecodable byte in a URL is read as U+FFFD, which is text; a search for it finds nobody.
                    if answer.status_code == 200:
                        assert answer.json() == {"items": [], "next": None}, url
                    else:
                        assert_problem(answer, 404, 412, 422, secret=CANARY)


async def test_f08_no_user_agent_breaks_a_sign_in(
    client: AsyncClient, make: Make, subtests: pytest.Subtests
) -> None:
    person = await make.user()
    for agent in [b"a\x00b", b"\xff\xfe", b"\x1b[2J", b"a" * 5000, "Opera ü".encode()]:
        with subtests.test(str(agent)):
            for password, status in ((PASSWORD, 200), ("wrong password", 400)):
                form = {"username": person.email, "password": password}
                answer = await client.post("/users/token", data=form, headers=[(b"user-agent", agent)])
                assert answer.status_code == status, answer.text


@no_database_matters
async def test_values_that_are_no_text_are_refused_in_every_field(
    client: AsyncClient, administrator: SignedIn
) -> None:
    for each in await with_body(client, JSON):
        for field in each.text_fields:
            for value in NO_TEXT:
                answer = await each.call(
                    client,
                    headers=administrator.headers,
                    body={**each.valid_body(), field: value},
                    user_id=administrator.person.id,
                )
                assert_problem(answer, 422, secret=CANARY)
                assert named_fields(answer) == {field}


@no_database_matters
async def test_values_that_are_no_truth_value_are_refused(
    client: AsyncClient, administrator: SignedIn
) -> None:
    for value in ("", CANARY, 2, -1, 0.5, [], {}, [True]):
        body = {"is_active": value}
        answer = await client.patch("/users/me", json=body, headers=administrator.headers)
        assert_problem(answer, 422, secret=CANARY)
        assert named_fields(answer) == {"is_active"}


@no_database_matters
async def test_overlong_text_is_refused_in_every_field(client: AsyncClient, administrator: SignedIn) -> None:
    for text in (CANARY * 1500, f"{CANARY}@{'a' * 12_000}.com", "ﷺ" * 4000, "@" * 12_000):
        for each in await operations(client):
            for field in each.text_fields:
                answer = await each.call(
                    client,
                    headers=administrator.headers,
                    body={**each.valid_body(), field: text},
                    user_id=administrator.person.id,
                )
                assert_problem(answer, 422, secret=CANARY)
                assert named_fields(answer) == {field}


@no_database_matters
async def test_overlong_parameters_are_refused(client: AsyncClient, administrator: SignedIn) -> None:
    for each in await operations(client):
        for parameter in each.parameters:
            params = {parameter["name"]: CANARY * 500} if parameter["in"] == "query" else None
            headers = dict(administrator.headers)
            if parameter["in"] == "header":
                headers[parameter["name"]] = CANARY * 500
            answer = await each.call(client, headers=headers, params=params)
            assert_problem(answer, 404, 412, 422, secret=CANARY)
            assert parameter["in"] == "path" or answer.status_code == 422


@no_database_matters
async def test_unknown_fields_are_refused_and_named(client: AsyncClient, administrator: SignedIn) -> None:
    for each in await with_body(client, JSON):
        for name in ("unknown", "email ", "Email", "", "пароль", "a" * 5000, "\x00", "\ud800"):
            body = json.dumps({**each.valid_body(), name: CANARY})
            answer = await each.call(
                client, headers=_json(administrator), content=body, json=None, user_id=administrator.person.id
            )
            assert_problem(answer, 422, secret=CANARY)
            assert len(named_fields(answer)) == 1
            assert len(answer.content) < 2000


@no_database_matters
async def test_missing_fields_are_named(client: AsyncClient) -> None:
    for path, required in (
        ("/users/", {"email", "password"}),
        ("/setup", {"email", "password", "code"}),
    ):
        answer = await client.post(path, json={})
        assert_problem(answer, 422)
        assert named_fields(answer) == required


NOT_JSON = {
    "nothing": b"",
    "a blank": b" ",
    "half an object": b'{"password": "Canary7Zq',
    "single quotes": b"{'password': 'Canary7Zq'}",
    "no quotes": b"{password: Canary7Zq}",
    "trailing comma": b'{"password": "Canary7Zq",}',
    "two documents": b'{"password": "Canary7Zq"}{}',
    "control character": b'{"password": "Canary7Zq\n"}',
    "bad escape": b'{"password": "Canary7Zq\\x"}',
    "byte order mark": b'\xef\xbb\xbf{"password": "Canary7Zq"}',
    "Latin-1": b'{"password": "Canary7Zq\xe9"}',
    "surrogate bytes": b'{"password": "Canary7Zq\xed\xa0\x80"}',
    "overlong NUL": b'{"password": "Canary7Zq\xc0\x80"}',
    "UTF-16": '{"password": "Canary7Zq"}'.encode("utf-16"),
    "UTF-32": '{"password": "Canary7Zq"}'.encode("utf-32-be"),
    "form": b"password=Canary7Zq",
    "XML": b"<password>Canary7Zq</password>",
    "pickle": b"\x80\x04\x95Canary7Zq.",
    "zip": b"\x1f\x8b\x08Canary7Zq",
    "NUL": b"\x00",
}

NO_OBJECT = [
    b"null",
    b"true",
    b"0",
    b"-1e5",
    b'"Canary7Zq"',
    b"[]",
    b'["Canary7Zq"]',
    b'[{"password": "Canary7Zq"}]',
]


@no_database_matters
async def test_what_is_not_json_is_refused(
    client: AsyncClient, administrator: SignedIn, subtests: pytest.Subtests
) -> None:
    for name, body in NOT_JSON.items():
        with subtests.test(name):
            for each in await with_body(client, JSON):
                answer = await _send(each, client, administrator, body)
                assert_problem(answer, 422, secret=CANARY)
                assert named_fields(answer) == {"body"}


@no_database_matters
async def test_json_that_is_no_object_is_refused(client: AsyncClient, administrator: SignedIn) -> None:
    for each in await with_body(client, JSON):
        for body in NO_OBJECT:
            answer = await _send(each, client, administrator, body)
            assert_problem(answer, 422, secret=CANARY)
            assert named_fields(answer) == {"body"}


FOREIGN_TYPES = [
    "text/plain",
    "text/plain;charset=UTF-8",
    "text/html",
    "multipart/form-data; boundary=x",
    "application/octet-stream",
    "application/xml",
    "application/jsonp",
    "text/json",
    "json",
    "",
    "application/json/evil",
    "text/plain, application/json",
    None,
]


@no_database_matters
async def test_j04_json_of_another_content_type_is_refused(
    client: AsyncClient, administrator: SignedIn, subtests: pytest.Subtests
) -> None:
    for media_type in [*FOREIGN_TYPES, FORM]:
        with subtests.test(str(media_type)):
            for each in await with_body(client, JSON):
                body = json.dumps({**each.valid_body(), "email": f"{CANARY}@example.com"}).encode()
                headers = dict(administrator.headers) | (
                    {} if media_type is None else {"Content-Type": media_type}
                )
                answer = await each.call(
                    client, headers=headers, content=body, json=None, user_id=administrator.person.id
                )
                assert_problem(answer, 415, secret=CANARY)


@no_database_matters
async def test_j04_the_token_endpoint_takes_its_form_alone(
    client: AsyncClient, make: Make, subtests: pytest.Subtests
) -> None:
    person = await make.user()
    for media_type in [*FOREIGN_TYPES, JSON, f"{FORM}2"]:
        with subtests.test(str(media_type)):
            headers = {} if media_type is None else {"Content-Type": media_type}
            form = f"username={quote(person.email)}&password={PASSWORD}"
            multipart = (
                f'--x\r\nContent-Disposition: form-data; name="username"\r\n\r\n{person.email}\r\n'
                f'--x\r\nContent-Disposition: form-data; name="password"\r\n\r\n{PASSWORD}\r\n--x--\r\n'
            )
            for body in (form, json.dumps({"username": person.email, "password": PASSWORD}), multipart):
                answer = await client.post("/users/token", content=body.encode(), headers=headers)
                assert_problem(answer, 415, secret=PASSWORD)
            own = await client.post("/users/token", content=form.encode(), headers={"Content-Type": FORM})
            assert own.status_code == 200


NO_FORMS = {
    "not UTF-8": b"username=%ff%fe&password=Canary7Zq",
    "raw bytes": b"username=\xff\xfe&password=Canary7Zq",
    "a parameter twice": b"username=a%40example.com&password=Canary7Zq&password=other",
    "a thousand parameters": b"&".join(b"a%d=Canary7Zq" % number for number in range(1000)),
}


@no_database_matters
async def test_a_form_that_cannot_be_read_is_refused(client: AsyncClient, subtests: pytest.Subtests) -> None:
    for name, form in NO_FORMS.items():
        with subtests.test(name):
            answer = await client.post("/users/token", content=form, headers={"Content-Type": FORM})
            assert_problem(answer, 400, 422, secret=CANARY)
            assert answer.json()["error"] == "invalid_request"


@no_database_matters
@pytest.mark.parametrize("name", PASSWORD_DOORS)
async def test_f07_a_password_over_1024_bytes_is_refused_at_every_door(hall: Hall, name: str) -> None:
    fits, too_long = CANARY + "é" * 507 + "!", CANARY + "é" * 508
    assert len(fits.encode()) == 1024

    refused = await PASSWORD_DOORS[name](hall, too_long)

    assert_problem(refused.answer, 422, secret=CANARY)
    assert named_fields(refused.answer) == {"password"}
    assert_problem(await hall.make.sign_in(refused.email, too_long), 422, secret=CANARY)


@pytest.mark.parametrize("name", PASSWORD_DOORS)
async def test_f07_a_password_of_1024_bytes_is_taken_whole_at_every_door(hall: Hall, name: str) -> None:
    longest = CANARY + "é" * 507 + "!"
    done = await PASSWORD_DOORS[name](hall, longest)
    assert done.answer.is_success, done.answer.text
    assert (await hall.make.sign_in(done.email, longest)).status_code == 200
    assert_problem(await hall.make.sign_in(done.email, longest[:-1] + "?"), 400)


@no_database_matters
async def test_f07_a_current_password_over_1024_bytes_is_refused(client: AsyncClient, make: Make) -> None:
    me = await make.signed_in()
    body = {"password": "harbour-umbrella-77", "current_password": CANARY * 200}
    answer = await client.patch("/users/me", json=body, headers=me.headers)
    assert_problem(answer, 422, secret=CANARY)
    assert named_fields(answer) == {"current_password"}


@pytest.fixture
async def plain(gatepost: Gatepost) -> AsyncIterator[AsyncClient]:
    """A client that follows nothing and adds no header of its own."""
    async with open_client(gatepost, headers={"Accept": "text/html"}) as opened:
        yield opened


@no_database_matters
async def test_what_the_router_refuses_is_a_problem_document_too(plain: AsyncClient) -> None:
    for path in (
        "/",
        "/nothing",
        "/user",
        "/users/me/more",
        "/health/",
        "//",
        "/.env",
        "/docs/../etc/passwd",
    ):
        assert_problem(await plain.get(path), 404)
    assert_problem(await plain.get("/docs/secrets.txt"), 404)
    known = await operations(plain)
    put = {each.path for each in known if each.method == "put"}
    for each in known:
        path = each.path.replace("{user_id}", "00000000-0000-0000-0000-000000000001")
        for method in ("TRACE", "OPTIONS", "PROPFIND", *(() if each.path in put else ("PUT",))):
            answer = await plain.request(method, path)
            assert_problem(answer, 405)
            assert answer.headers["allow"]


@no_database_matters
async def test_every_refusal_names_the_request_that_was_asked_under_its_id(plain: AsyncClient) -> None:
    for sent, kept in (
        ("my-request.0001", True),
        ("short", False),
        ("a" * 65, False),
        ("bad id\r\nx", False),
    ):
        answer = await plain.get("/nothing", headers=[(b"x-request-id", sent.encode())])
        assert_problem(answer, 404)
        assert (answer.json()["instance"] == sent) is kept


def test_the_doors_are_more_than_the_operations_behind_them() -> None:
    assert len(PASSWORD_DOORS) > len(BEHIND_DOORS)


def _json(who: SignedIn) -> dict[str, str]:
    return {**who.headers, "Content-Type": JSON}


async def _send(each: Operation, client: AsyncClient, who: SignedIn, body: bytes) -> Any:
    call: Callable[..., Any] = each.call
    return await call(client, headers=_json(who), content=body, json=None, user_id=who.person.id)
