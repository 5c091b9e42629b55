"""Attacks on what a request may cost: bombs of fields, ranges, scopes, packed bodies, heads without an end."""

import gzip
import json
import zlib
from typing import Any

import pytest
from httpx2 import AsyncClient
from starlette.formparsers import MultiPartParser

from gatepost import Gatepost, Settings
from gatepost.users import emails
from tests.conftest import make_settings, open_client
from tests.make import PASSWORD, Make
from tests.security.expect import assert_problem, named_fields
from tests.security.operations import FORM, JSON, operations, with_body

LONG = 60_000

pytestmark = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)


# ── K07: forms ───────────────────────────────────────────────────────────────────────────────────


def multipart(fields: int) -> bytes:
    part = b'--b\r\nContent-Disposition: form-data; name="a"\r\n\r\n1\r\n'
    return part * fields + b"--b--\r\n"


@pytest.fixture
def parsed(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """Every multipart body that was begun to be read."""
    begun: list[Any] = []
    made = MultiPartParser.__init__

    def noted(self: Any, *arguments: Any, **options: Any) -> None:
        begun.append(self)
        made(self, *arguments, **options)

    monkeypatch.setattr(MultiPartParser, "__init__", noted)
    return begun


async def test_k07_multipart_is_refused_unread(
    client: AsyncClient, make: Make, parsed: list[Any], subtests: pytest.Subtests
) -> None:
    me = await make.signed_in(await make.administrator())
    bodies = {
        "one field": multipart(1),
        "a thousand fields": multipart(1000),
        "a huge preamble": b"\r\n" * 30_000 + multipart(1),
        "no end": multipart(500)[:-7],
        "headers without an end": b"--b\r\n" + b"X-A: " + b"a" * LONG,
        "a boundary that nearly fits": b"\r\n--" * 15_000,
    }
    for name, body in bodies.items():
        for each in [*await with_body(client, JSON), *await with_body(client, FORM)]:
            for kind in ("multipart/form-data; boundary=b", "multipart/mixed", "multipart/form-data"):
                with subtests.test(f"{name} {each.path} {kind}"):
                    headers = {**me.headers, "Content-Type": kind}
                    answer = await each.call(client, headers=headers, content=body, json=None, data=None)
                    assert_problem(answer, 415)
    assert parsed == []


async def test_k07_a_hundred_thousand_fields_are_too_many_bytes(client: AsyncClient) -> None:
    for body, kind in ((multipart(100_000), "multipart/form-data; boundary=b"), (b"a=&" * 100_000, FORM)):
        assert_problem(await client.post("/users/token", content=body, headers={"Content-Type": kind}), 413)


async def test_k07_a_form_has_few_fields(client: AsyncClient) -> None:
    for body in (
        b"&".join(b"a%d=" % number for number in range(9000)),
        b"&" * LONG,
        b"=&" * 30_000,
        b"a=&" * 51,
    ):
        answer = await client.post("/users/token", content=body, headers={"Content-Type": FORM})
        assert_problem(answer, 400)


# ── K08: ranges ──────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    "wanted",
    ["bytes=0-0", "bytes=" + ",".join(f"{n}-{n}" for n in range(1200)), "bytes=0-,0-,0-", "bytes=-1", "x=1"],
)
async def test_k08_ranges_are_not_served(client: AsyncClient, wanted: str) -> None:
    for path in ("/docs/swagger-ui.css", "/docs", "/openapi.json", "/health"):
        whole = await client.get(path)
        answer = await client.get(path, headers={"Range": wanted, "If-Range": '"a"'})
        assert (answer.status_code, answer.content) == (200, whole.content)
        assert not answer.headers.keys() & {"content-range", "accept-ranges"}


NO_FILES = (
    *("x", "%2e", "%2e%2e", "%2e%2e/docs.py", "..%2f..%2fetc%2fpasswd", ".env", "__init__.py", "a\\b"),
    *("start.js.map", "swagger-ui.css.map", "swagger-ui.css%00", "swagger-ui.css/", "SWAGGER-UI.CSS"),
)


async def test_v13_4_3_the_files_of_the_documentation_are_these_alone(client: AsyncClient) -> None:
    """V13.4.7 too: no directory, no source, nothing by a way around."""
    for name in NO_FILES:
        assert_problem(await client.get(f"/docs/{name}"), 404)


# ── K10: long values ─────────────────────────────────────────────────────────────────────────────

TROUBLESOME = {
    "one label": "a@" + "a" * LONG + ".com",
    "many labels": "a@" + "a." * (LONG // 2) + "com",
    "combining marks": "a@" + "\u0301" * (LONG // 6) + ".com",
    "punycode": "a@xn--" + "a" * LONG,
    "joiners": "a@" + "\u0915\u094d\u200d" * (LONG // 18) + ".com",
    "local part": "a." * (LONG // 2) + "@example.com",
    "signs": "@" * LONG,
    "quotes": '"' * (LONG // 3),
    "spaces": " " * LONG + "@example.com",
    "expanding": "\ufdfa" * (LONG // 6),
    "URL": "https://" + "a" * LONG,
    "colons": "::" * (LONG // 2),
}


async def test_k10_long_values_are_refused_for_their_length_before_anything_reads_them(
    client: AsyncClient, make: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Not measured in time: what never sees 60,000 characters cannot take quadratic time over them."""
    me = await make.signed_in(await make.administrator())
    read: list[str] = []
    validate, fold = emails.validate_email, emails.fold
    monkeypatch.setattr(
        emails, "validate_email", lambda text, **more: (read.append(text), validate(text, **more))[1]
    )
    monkeypatch.setattr(emails, "fold", lambda text: (read.append(text), fold(text))[1])
    for value in TROUBLESOME.values():
        for each in await with_body(client, JSON):
            for field in each.text_fields:
                body = json.dumps({**each.valid_body(), field: value}, ensure_ascii=False)
                headers = {**me.headers, "Content-Type": JSON}
                answer = await each.call(client, headers=headers, content=body.encode(), json=None)
                assert_problem(answer, 422)
                assert named_fields(answer) == {field}
        for each in await with_body(client, FORM):
            for field in each.text_fields:
                body = {**each.valid_body(), field: value[: LONG // 9]}
                assert_problem(await each.call(client, headers=me.headers, body=body), 400, 422)
    assert read
    assert all(len(text) <= 320 for text in read)


async def test_k10_long_queries_and_fields_of_the_head_are_refused(client: AsyncClient, make: Make) -> None:
    me = await make.signed_in(await make.administrator())
    for name in ("q", "email", "cursor", "created_after", "is_active", "limit"):
        assert_problem(await client.get("/users/", params={name: "a" * 7_900}, headers=me.headers), 422)
        assert_problem(await client.get("/users/", params={name: "a" * 8_192}, headers=me.headers), 414)
    assert_problem(await client.get(f"/users/{'a' * 8_192}", headers=me.headers), 414)
    answer = await client.patch("/users/me", json={}, headers={**me.headers, "If-Match": "a" * 15_000})
    assert_problem(answer, 422)
    new = {"email": "ada@example.com", "password": PASSWORD}
    assert_problem(
        await client.post("/users/", json=new, headers={"Idempotency-Key": "a" * 15_000}), 400, 422
    )
    assert_problem(await client.get("/users/me", headers={"Authorization": "Bearer " + "a." * 7_900}), 401)


# ── K11: scopes ──────────────────────────────────────────────────────────────────────────────────


async def test_k11_ten_thousand_scopes_are_refused_unread(client: AsyncClient, make: Make) -> None:
    person = await make.user()
    form = {"username": person.email, "password": PASSWORD}
    for scope in (
        " ".join(["a"] * 10_000),
        " ".join(f"s{n}" for n in range(9_000)),
        "a" * LONG,
        "users:read " * 5_000,
    ):
        answer = await client.post("/users/token", data={**form, "scope": scope})
        assert_problem(answer, 400, 422)
        assert len(answer.content) < 1_000
    for pair in ("scope=a&scope=b", "&".join(["scope=a"] * 40)):
        body = f"username={person.email}&password={PASSWORD}&{pair}"
        assert_problem(await client.post("/users/token", content=body, headers={"Content-Type": FORM}), 400)


async def test_k11_scopes_that_nobody_knows_are_not_remembered(client: AsyncClient, make: Make) -> None:
    person = await make.user()
    form = {"username": person.email, "password": PASSWORD, "scope": "a " * 490}
    assert_problem(await client.post("/users/token", data=form), 400)


# ── K12: packed bodies ───────────────────────────────────────────────────────────────────────────


async def test_k12_packed_bodies_are_refused_unopened(client: AsyncClient, make: Make) -> None:
    me = await make.signed_in()
    bomb = b" " * 10_000_000
    for encoding, body in (
        ("gzip", gzip.compress(bomb)),
        ("deflate", zlib.compress(bomb)),
        ("br", b"\x00"),
        ("zstd", b"\x28\xb5\x2f\xfd"),
        ("x-gzip", gzip.compress(bomb)),
        ("GZIP", gzip.compress(bomb)),
        ("identity, gzip", gzip.compress(bomb)),
        ("gzip, gzip", gzip.compress(gzip.compress(bomb))),
        ("unknown", b"{}"),
    ):
        for each in await operations(client):
            headers = {**me.headers, "Content-Encoding": encoding, "Content-Type": each.media or JSON}
            answer = await each.call(client, headers=headers, content=body, json=None, data=None)
            assert_problem(answer, 415)
            assert answer.json()["code"] == "content-encoding-refused"
            assert answer.headers["accept-encoding"] == "identity"
    plain = await client.patch(
        "/users/me", json={"name": "Ada"}, headers={**me.headers, "Content-Encoding": "identity"}
    )
    assert plain.status_code == 200


# ── K16: heads ───────────────────────────────────────────────────────────────────────────────────


async def test_k16_a_head_has_an_end(client: AsyncClient, subtests: pytest.Subtests) -> None:
    heads: dict[str, list[tuple[str, str]]] = {
        "ten thousand fields": [(f"X-{number}", "a") for number in range(10_000)],
        "a hundred and one fields": [("X-A", "")] * 101,
        "a megabyte": [("X-A", "a" * 1_000_000)],
        "a long name": [("X-" + "a" * 20_000, "1")],
        "many cookies": [("Cookie", "a=1")] * 200,
        "sixteen thousand bytes": [("X-A", "a" * 8_200)] * 2,
    }
    for name, fields in heads.items():
        with subtests.test(name):
            for path in ("/health", "/users/me", "/nothing"):
                answer = await client.get(path, headers=fields)
                assert_problem(answer, 431)
                assert answer.headers["connection"] == "close"
    assert (await client.get("/health", headers=[("X-A", "a")] * 80)).status_code == 200


async def test_k16_the_refusal_of_a_head_does_not_open_the_database(settings: Settings) -> None:
    nowhere = make_settings("postgresql://me@127.0.0.1:1/none", settings.data_dir)
    async with open_client(Gatepost(nowhere)) as client:
        assert_problem(await client.post("/users/", json={}, headers={"X-A": "a" * 20_000}), 431)
        assert_problem(await client.post("/users/", json={}, headers={"Host": "evil.example"}), 400)
        assert_problem(await client.put("/users/"), 405)


@pytest.mark.parametrize(
    "accept",
    [
        "text/html",
        "*/*",
        "application/xml",
        "text/html;q=1," * 500,
        "\x7f",
        "../../etc/passwd",
        "",
        "a/b;" * 900,
    ],
)
async def test_what_a_client_accepts_changes_nothing(client: AsyncClient, accept: str) -> None:
    for path, kind in (("/health", "application/json"), ("/nothing", "application/problem+json")):
        answer = await client.get(
            path, headers={"Accept": accept, "Accept-Language": accept, "Accept-Charset": "a"}
        )
        assert answer.headers["content-type"] == kind
