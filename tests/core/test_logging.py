"""What must never be in a log line."""

import io
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gatepost.core.logging import make_logger
from gatepost.core.secrets import new_token

SECRETS = [
    "gp_rt_9mEJtQw4bT0Yf3Zs-dM_7Lx1KcVhUo2ApGi5RnBq8eWyXaSvD",
    "eyJhbGciOiJFUzI1NiJ9.eyJzdWIiOiIxIn0.c2lnbmF0dXJl",
    "$argon2id$v=19$m=64,t=1,p=1$c2FsdA$aGFzaA",
    "$2b$12$abcdefghijklmnopqrstuv",
    "ada.lovelace+x@example.com",
]


def line(**fields: Any) -> dict[str, Any]:
    stream = io.StringIO()
    make_logger("json", "debug", stream).info("event", **fields)
    (only,) = stream.getvalue().splitlines()
    return json.loads(only)


@pytest.mark.parametrize("secret", SECRETS)
def test_secrets_and_addresses_are_hidden_wherever_they_stand(secret: str) -> None:
    found = line(note=f"before {secret} after", deep={"list": [{"note": secret}, (secret,)]})

    assert secret not in json.dumps(found)
    assert found["note"] == "before [redacted] after"


@pytest.mark.parametrize(
    "name",
    ["password", "new_password", "passwd", "client_secret", "access_token", "Authorization".lower(), "cookie",
     "private_key", "code", "setup_code", "api_key", "database_url", "redis_url"],
)  # fmt: skip
def test_fields_named_like_secrets_are_hidden(name: str) -> None:
    assert line(**{name: "x"})[name] == "[redacted]"
    assert line(request={name: "x"})["request"][name] == "[redacted]"
    assert line(**{name: None})[name] is None


def test_a_url_keeps_its_host_and_loses_its_password() -> None:
    text = line(at="postgresql://gatepost:hunter2@db.example/name")["at"]

    assert "hunter2" not in text
    assert "db.example" in text


@pytest.mark.parametrize("name", ["", "gatepost"])
def test_a_url_hides_its_password_with_or_without_a_name(name: str) -> None:
    text = line(at=f"redis://{name}:hunter=2@cache.example/0")["at"]

    assert text == "redis://[redacted]@cache.example/0"


@pytest.mark.parametrize("around", ["{}", "token={}", "Bearer%20{}", '"{}"', "/{}/"])
def test_a_jwt_is_hidden_in_whatever_it_is_quoted(around: str) -> None:
    assert line(note=around.format(SECRETS[1]))["note"] == around.format("[redacted]")


@pytest.mark.parametrize("word", ["eyJ", "a:", "gp_", "$2b$", "%40", "%20eyJ", "a"])
def test_a_long_value_is_searched_once_and_not_again_from_each_of_its_words(word: str) -> None:
    # Searched again from each word it would take hours: this test would not end.
    note = "://" + word * 500_000

    assert len(line(note=note)["note"]) <= len(note)


def test_a_traceback_hides_secrets_too() -> None:
    stream = io.StringIO()
    try:
        raise ValueError(SECRETS[0])
    except ValueError as error:
        make_logger("json", "info", stream).error("failed", exc_info=error)

    assert SECRETS[0] not in stream.getvalue()
    assert "ValueError" in stream.getvalue()


@pytest.mark.parametrize("log_format", ["json", "text"])
def test_a_value_cannot_write_lines_of_its_own(log_format: Any) -> None:
    stream = io.StringIO()
    make_logger(log_format, "info", stream).info("event", note="a\r\x1b[31m\u2028b\u202ec")

    assert len(stream.getvalue().splitlines()) == 1
    assert "\x1b[31m" not in stream.getvalue()
    assert "\u202e" not in stream.getvalue()


@given(
    st.text(alphabet=st.characters(), max_size=60),
    st.text(alphabet='\r\n\x00\x1b[0m\u202e\u2028%0a\\"{}', max_size=60),
)
def test_v16_2_4_v16_4_1_whatever_is_logged_is_one_line_of_json(anything: str, odd: str) -> None:
    stream = io.StringIO()
    make_logger("json", "info", stream).info("request", path=anything, user_agent=odd, both={odd: anything})
    written = stream.getvalue()
    assert written.endswith("\n")
    assert written[:-1].isprintable()
    assert json.loads(written)["event"] == "request"


def test_v16_4_1_a_megabyte_is_one_line_too() -> None:
    assert len(line(user_agent="a\x00" * 500_000)["user_agent"]) == 2_500_000


def test_harmless_fields_stay_as_they_are() -> None:
    found = line(method="GET", status=200, milliseconds=1.5, path="/users/me", ok=True)

    assert (found["method"], found["status"], found["path"], found["ok"]) == ("GET", 200, "/users/me", True)
    assert found["level"] == "info"


def test_levels_below_are_not_logged() -> None:
    stream = io.StringIO()
    make_logger("text", "error", stream).info("event")

    assert stream.getvalue() == ""


def test_the_tokens_that_we_make_are_hidden() -> None:
    token = new_token("rt")

    assert token not in json.dumps(line(note=token))
