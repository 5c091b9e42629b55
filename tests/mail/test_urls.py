"""Mail URLs and senders, and the transports that need no server."""

import io
import stat
from pathlib import Path
from typing import Any

import pytest

from gatepost import Gatepost, Settings
from gatepost.core.clock import MovableClock
from gatepost.core.ids import new_id
from gatepost.core.mail import (
    ConsoleTransport,
    Mail,
    MailDeferred,
    MailOptions,
    MailRefused,
    MailServer,
    MemoryTransport,
    NoTransport,
    SmtpTransport,
    parse_mail_url,
    sender_address,
    transport_for,
)
from gatepost.testing import Inbox

SENDER = "Shop <no-reply@shop.example>"


def mail(to: str = "ada@example.com", text: str = "Hello\n") -> Mail:
    return Mail(id=new_id(), to=to, subject="Your link", text=text, html="<p>Hello</p>", kind="verify_email")


@pytest.mark.parametrize(
    ("url", "server"),
    [
        ("smtp://host", MailServer("host", 587, "required")),
        ("smtp://host:25?starttls=never", MailServer("host", 25, "never")),
        ("smtp://u:p%40%3A@host:2525", MailServer("host", 2525, "required", "u", "p@:")),
        ("smtps://u:p@[::1]", MailServer("::1", 465, "implicit", "u", "p")),
        ("smtp://u:p@127.0.0.1:25?starttls=never", MailServer("127.0.0.1", 25, "never", "u", "p")),
        ("smtps://host?cafile=/ca.pem", MailServer("host", 465, "implicit", authorities=Path("/ca.pem"))),
    ],
)
def test_a_server_is_named_by_a_url(url: str, server: MailServer) -> None:
    assert parse_mail_url(url).server == server


@pytest.mark.parametrize(
    ("url", "says"),
    [
        ("", "must be"),
        ("host:25", "must be"),
        ("http://host", "must be"),
        ("console", "must be"),
        ("smtp://", "names no host"),
        ("smtp://host:port", "port must be a number"),
        ("smtp://u:s3cret/x@host", "port must be a number"),
        ("smtp://host/inbox", "no path"),
        ("smtp://host#s3cret", "no path"),
        ("smtp://u@host", "no password"),
        ("smtp://host?starttls=maybe", "required or never"),
        ("smtp://host?timeout=3", "mean nothing"),
        ("smtp://u:s3cret@host?starttls=never", "in the clear"),
        ("file://relative/s3cret", "whole path"),
        ("file:///", "whole path"),
    ],
)
def test_a_url_that_names_nothing_is_refused_and_not_shown(url: str, says: str) -> None:
    with pytest.raises(ValueError, match=says) as found:
        parse_mail_url(url)
    assert "s3cret" not in str(found.value)


def test_a_sender_is_an_address_with_or_without_a_name() -> None:
    assert sender_address(SENDER).domain == "shop.example"
    assert sender_address("a@shop.example").display_name == ""
    for wrong in (
        "",
        "shop",
        "a@",
        "@b.c",
        "a@b",
        "a@b.c\r\nBcc: d@e.f",
        "a@b.c, d@e.f",
        "A <a@b.c> <d@e.f>",
    ):
        with pytest.raises(ValueError, match=r"must|valid"):
            sender_address(wrong)


async def test_a_directory_gets_whole_files_for_its_owner_alone(tmp_path: Path) -> None:
    out = tmp_path / "spool" / "out"
    way = transport_for(f"file://{out}", MailOptions(), SENDER, MovableClock())
    sent = mail()
    await way.send(sent)
    await way.send(sent)  # once more, as after a crash: it is the same mail
    await way.close()
    (file,) = out.iterdir()
    assert (file.name, stat.S_IMODE(file.stat().st_mode)) == (f"{sent.id}.eml", 0o600)
    assert stat.S_IMODE(out.stat().st_mode) == 0o700
    assert f"Message-ID: <{sent.id}@shop.example>".encode() in file.read_bytes()
    with pytest.raises(MailRefused):
        await way.send(mail("nobody"))
    (tmp_path / "file").touch()
    with pytest.raises(MailDeferred, match="cannot write"):
        await transport_for(f"file://{tmp_path}/file", MailOptions(), SENDER, MovableClock()).send(mail())


async def test_the_console_shows_mail_and_obeys_nothing_in_it() -> None:
    shown = io.StringIO()
    way = ConsoleTransport(shown)
    await way.send(mail(text="https://shop.example/link\n\x1b[2Jcode: 123456\n"))
    await way.close()
    assert "https://shop.example/link" in shown.getvalue()
    assert "\x1b" not in shown.getvalue()


def test_the_settings_say_where_mail_goes(settings: Settings) -> None:
    for changed, kind in (
        ({"mail_url": "smtp://host"}, SmtpTransport),
        ({"environment": "development"}, ConsoleTransport),
        (
            {"environment": "production", "public_url": "https://shop.example", "rate_limits": "on"},
            NoTransport,
        ),
        ({}, MemoryTransport),
        # Tests must not write to strangers, whatever else is set.
        ({"test_api": True, "mail_url": "smtp://host"}, Inbox),
    ):
        values: dict[str, Any] = {**settings.model_dump(exclude_unset=True), **changed}
        assert type(Gatepost(Settings(_env_file=None, **values)).mail) is kind, changed


async def test_without_a_way_out_mail_is_given_up_with_the_reason() -> None:
    with pytest.raises(MailRefused, match="GATEPOST_MAIL_URL is not set"):
        await NoTransport().send(mail())
