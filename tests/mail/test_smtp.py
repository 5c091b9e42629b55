"""The transport, against real servers: what goes over the wire, and what becomes of every answer."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from gatepost.core.clock import MovableClock
from gatepost.core.ids import new_id
from gatepost.core.mail import (
    Mail,
    MailDeferred,
    MailOptions,
    MailRefused,
    SmtpTransport,
    parse_mail_url,
    sender_address,
)
from tests.authorities import Authority, make_authority
from tests.mail.sink import Sink, sink


@pytest.fixture
async def server() -> AsyncIterator[Sink]:
    async with sink() as up:
        yield up


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return make_authority(tmp_path_factory.mktemp("mail"))


def transport(url: str, **changed: Any) -> SmtpTransport:
    named = parse_mail_url(url).server
    assert named is not None
    now = changed.pop("now", None)
    more = {"now": now} if now else {}
    sender = sender_address("Größe & Co <no-reply@shop.example>")
    return SmtpTransport(named, MailOptions(**changed), sender, None, MovableClock(), **more)


def plain(server: Sink, **changed: Any) -> SmtpTransport:
    return transport(f"smtp://127.0.0.1:{server.port}?starttls=never", **changed)


def mail(to: str = "ada@example.com", **changed: Any) -> Mail:
    content: dict[str, Any] = {
        "subject": "Your link",
        "text": "Hello\n.\nbye\n",
        "html": "<p>Hello</p>",
        "kind": "verify_email",
    }
    return Mail(id=new_id(), to=to, **{**content, **changed})


async def test_a_mail_arrives_as_it_was_written(server: Sink) -> None:
    sent = mail(
        subject="Grüße, 你好", text="Zeile\n.\n" + "ä" * 2_000 + "\n", language="de", headers={"X-Ours": "1"}
    )
    way = plain(server)
    await way.send(sent)
    await way.close()

    (got,) = server.got
    assert (got["Subject"], got["To"], server.recipients) == (sent.subject, sent.to, [sent.to])
    assert got["From"] == "Größe & Co <no-reply@shop.example>"
    assert got["Message-ID"] == f"<{sent.id}@shop.example>"
    assert (got["Auto-Submitted"], got["X-Gatepost-Kind"]) == ("auto-generated", "verify_email")
    assert (got["Content-Language"], got["X-Ours"]) == ("de", "1")
    assert got["Date"].datetime.tzinfo is not None
    texts = [part.get_content() for part in got.iter_parts()]
    assert [text.replace("\r\n", "\n") for text in texts] == [sent.text, f"{sent.html}\n"]
    assert max(map(len, got.as_bytes().splitlines())) < 998


async def test_j02_nothing_in_a_mail_becomes_a_header_or_a_command(server: Sink) -> None:
    way = plain(server)
    for separator in ("\r\n", "\n", "\r", "\x0b", "\x00", "\u2028"):
        evil = f"x{separator}Bcc: eve@example.com{separator}{separator}<p>"
        await way.send(mail(subject=evil, headers={"X-Ours": evil}))
        for refused in (
            mail(f"ada@example.com{separator}RCPT TO:<eve@example.com>"),
            mail(f"ada{separator}@example.com"),
            mail(headers={f"X{separator}Bcc": "eve@example.com"}),
        ):
            with pytest.raises(MailRefused):
                await way.send(refused)
    for address in (
        "",
        "ada",
        "@example.com",
        "ada@",
        "ada@example.com, eve@example.com",
        "<ada@example.com>",
        "a b@c.de",
    ):
        with pytest.raises(MailRefused):
            await way.send(mail(address))
    for name in ("Bcc", "From", "Content-Type", "message-id"):
        with pytest.raises(MailRefused):
            await way.send(mail(headers={name: "x"}))
    await way.close()

    assert set(server.recipients) == {"ada@example.com"}
    assert [got["Bcc"] for got in server.got] == [None] * 6


async def test_addresses_beyond_ascii_arrive(server: Sink) -> None:
    way = plain(server)
    await way.send(mail("zoë@example.com"))
    await way.send(mail("ada@bücher.example"))
    await way.close()

    assert server.recipients == ["zoë@example.com", "ada@xn--bcher-kva.example"]
    assert server.got[0]["To"] == "zoë@example.com"


@pytest.mark.parametrize(
    ("told", "outcome", "code"),
    [
        ({"answers": ["451 4.7.1 greylisted"]}, MailDeferred, 451),
        ({"answers": ["552 5.2.2 mailbox full"]}, MailRefused, 552),
        ({"answers": ["421 4.3.2 shutting down"]}, MailDeferred, 421),
        ({"refused": {"ada@example.com": "550 5.1.1 ada@example.com is unknown"}}, MailRefused, 550),
        ({"refused": {"ada@example.com": "450 4.2.0 busy"}}, MailDeferred, 450),
        ({"drops": 1}, MailDeferred, None),
    ],
    ids=["451", "552", "421", "unknown", "busy", "dropped"],
)
async def test_f13_every_answer_has_its_meaning(
    server: Sink, told: dict[str, Any], outcome: type[Exception], code: int | None
) -> None:
    for name, value in told.items():
        setattr(server, name, value)
    way = plain(server)

    with pytest.raises(outcome) as found:
        await way.send(mail())
    # The next one gets through, and a refusal is nobody else's.
    await way.send(mail("grace@example.com"))
    await way.close()

    assert getattr(found.value, "code", "") == code
    # Neither the address nor the server's words are in what we log.
    assert "ada@" not in str(found.value)
    assert found.value.__suppress_context__
    assert server.recipients[-1] == "grace@example.com"


async def test_f13_a_server_that_is_away_or_silent_defers(server: Sink) -> None:
    await server.down()
    way = plain(server, timeout=0.3, command_timeout=0.2)
    with pytest.raises(MailDeferred, match="cannot be reached"):
        await way.send(mail())
    await server.up()
    server.slow = {"ada@example.com"}
    with pytest.raises(MailDeferred, match="in time"):
        await way.send(mail())
    await way.send(mail("grace@example.com"))
    await way.close()

    assert server.recipients == ["grace@example.com"]


async def test_connections_are_few_and_kept(server: Sink) -> None:
    now = 0.0
    way = plain(server, concurrency=3, now=lambda: now)
    await asyncio.gather(*(way.send(mail()) for _ in range(20)))
    assert (len(server.got), server.connections, server.most_at_once <= 3) == (20, 3, True)

    # One that the server has hung up on costs nobody a mail, nor does one that has been idle for long.
    server.hang_up()
    await asyncio.gather(*(way.send(mail()) for _ in range(3)))
    now += 3600
    await way.send(mail())
    await way.close()

    assert len(server.got) == 24
    assert set(server.times.values()) == {1}


async def test_encryption_is_had_or_nothing_is_sent(authority: Authority, tmp_path: Path) -> None:
    stranger = make_authority(tmp_path)
    async with (
        sink() as bare,
        sink(tls=authority.chain) as starting,
        sink(tls=authority.chain, implicit=True) as tls,
    ):
        trusted = f"cafile={authority.root}"
        for url, says in (
            (f"smtp://localhost:{bare.port}?{trusted}", "STARTTLS"),
            (f"smtp://localhost:{starting.port}", "not trusted"),
            (f"smtp://localhost:{starting.port}?cafile={stranger.root}", "not trusted"),
            (f"smtp://127.0.0.1:{starting.port}?{trusted}", "not trusted"),  # not its name
            (f"smtps://localhost:{tls.port}", "not trusted"),
            (f"smtps://localhost:{bare.port}?{trusted}", "encrypted|reached|lost"),
        ):
            with pytest.raises(MailDeferred, match=says):
                await transport(url, connect_timeout=5).send(mail())
        assert [*bare.got, *starting.got, *tls.got] == []

        for server, scheme in ((starting, "smtp"), (tls, "smtps")):
            way = transport(f"{scheme}://localhost:{server.port}?{trusted}")
            await way.send(mail())
            await way.send(mail())
            await way.close()
            assert len(server.got) == 2


async def test_a_password_of_ours_that_is_wrong_gives_up_no_mail(authority: Authority) -> None:
    async with sink(tls=authority.chain, login="shop:s3cr:t") as server:
        url = f"localhost:{server.port}?cafile={authority.root}"
        with pytest.raises(MailDeferred) as found:
            await transport(f"smtp://shop:wrong@{url}").send(mail())
        assert (found.value.code, "wrong" in str(found.value)) == (535, False)
        with pytest.raises(MailDeferred):
            await transport(f"smtp://{url}").send(mail())

        way = transport(f"smtp://shop:s3cr%3At@{url}")
        await way.check()
        await way.send(mail())
        await way.close()
        assert len(server.got) == 1
