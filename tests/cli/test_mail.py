"""`gatepost mail`, `gatepost outbox`, and what `gatepost doctor` says about mail."""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any, ClassVar

import pytest

from gatepost import Consumer, Event, Gatepost, RecordedEvent, Settings
from gatepost.core.mail import MailRefused
from tests.cli.conftest import Command, Outcome
from tests.mail.sink import Sink

pytestmark = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)


@dataclass(frozen=True, kw_only=True)
class Told(Event):
    type: ClassVar[str] = "something.told"


@pytest.fixture
async def refused(settings: Settings) -> AsyncIterator[Gatepost]:
    """A service two of whose mails were refused for good, one of which has an end."""

    async def refuse(_event: RecordedEvent) -> None:
        raise MailRefused("the server answered 550", 550)

    quiet = settings.model_copy(update={"run_worker": False, "log_level": "error"})
    gatepost = Gatepost(quiet, consumers=[Consumer("post", {Told}, refuse, "mail")])
    async with gatepost.lifespan():
        async with gatepost.work() as work:
            ends = gatepost.clock.now() + timedelta(hours=1)
            private = {"to": "ada@example.com", "code": "271828"}
            work.events.record(Told(subject=None), private=private, expires_at=ends)
            work.events.record(Told(subject=None), private=private)
        await gatepost.worker.drain()
        yield gatepost


async def test_what_was_given_up_is_listed_and_tried_again(command: Command, refused: Gatepost) -> None:
    listed = command("outbox", "list", "--json")
    found: list[dict[str, Any]] = listed.json["deliveries"]
    assert [(each["event"], each["state"], each["last_error"]) for each in found] == [
        ("something.told", "failed", "MailRefused 550")
    ] * 2
    # What only the consumer may know is shown to nobody.
    shown = command("outbox", "list").out
    assert all(each["id"] in shown for each in found)
    assert "271828" not in listed.out + shown
    assert "ada@" not in listed.out + shown

    one = found[0]["id"]
    assert command("outbox", "retry", one).out == "1 to be tried again.\n"
    assert command("outbox", "list", "--state", "due", "--json").json["deliveries"][0]["id"] == one
    again = command("outbox", "retry", one)
    assert (again.code, again.err) == (
        1,
        "gatepost: This delivery was not given up, or its time is over.\n",
    )
    assert command("outbox", "retry", "--all-failed", "--json").json == {"retried": 1}
    assert await refused.worker.drain() == 2
    assert len(command("outbox", "list", "--json").json["deliveries"]) == 2


async def test_what_is_no_delivery_is_said_in_one_line(command: Command, refused: Gatepost) -> None:
    for arguments, says in (
        (["retry", "0" * 32], "There is no such delivery."),
        (["retry", "nonsense"], "The ID of a delivery looks like those in `gatepost outbox list`."),
        (["retry"], "Give the ID of a delivery, or --all-failed."),
        (["retry", "0" * 32, "--all-failed"], "Give the ID of a delivery, or --all-failed."),
    ):
        said = command("outbox", *arguments)
        assert (said.code, said.out, said.err) == (1, "", f"gatepost: {says}\n")


@pytest.mark.usefixtures("gatepost")
async def test_a_test_mail_goes_the_way_of_all_mail(command: Command, tmp_path: Path) -> None:
    out = tmp_path / "out"
    kept = command("mail", "test", "ada@example.com", GATEPOST_ENVIRONMENT="test")
    assert kept.out == "Sent from no-reply@127.0.0.1 by /test/mail.\n"
    told = {
        "GATEPOST_TEST_API": "false",
        "GATEPOST_MAIL_URL": f"file://{out}",
        "GATEPOST_MAIL__SENDER": "Shop <no-reply@shop.example>",
    }
    said = command("mail", "test", "ada@example.com", "--json", **told)
    assert (said.code, said.json["sent"], said.json["by"]) == (0, True, str(out))
    (file,) = out.iterdir()
    assert b"To: ada@example.com" in file.read_bytes()
    assert command("mail", "test", "ada@example.com", **told).out.startswith("Sent from Shop")

    away = {**told, "GATEPOST_MAIL_URL": f"smtp://user:s3cret@127.0.0.1:{Sink().port}"}
    said = command("mail", "test", "ada@example.com", **away)
    assert (said.code, said.out) == (1, "")
    assert "the server cannot be reached" in said.err
    assert "s3cret" not in said.err


# ── doctor ───────────────────────────────────────────────────────────────────────────────────────


def levels(said: Outcome) -> dict[str, str]:
    return {
        check["name"]: check["level"] for check in said.json["checks"] if check["name"].startswith("mail")
    }


@pytest.mark.usefixtures("gatepost")
def test_doctor_knows_how_mail_goes_out(command: Command, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    production = {
        "GATEPOST_ENVIRONMENT": "production",
        "GATEPOST_PUBLIC_URL": "https://auth.acme.io",
        "GATEPOST_TRUSTED_PROXIES": "1",
        "GATEPOST_MAIL_URL": f"file://{tmp_path}/out",
    }
    for changed, found in (
        ({}, {"mail": "ok", "mail sender": "ok"}),
        ({"GATEPOST_MAIL_URL": ""}, {"mail": "warning"}),
        (
            {"GATEPOST_MAIL_URL": "", "GATEPOST_ACCOUNTS__EMAIL_VERIFICATION": "required"},
            {"mail": "danger"},
        ),
        ({"GATEPOST_MAIL_URL": f"file://{tmp_path}/file/out"}, {"mail": "danger", "mail sender": "ok"}),
        ({"GATEPOST_MAIL_URL": f"smtps://127.0.0.1:{Sink().port}"}, {"mail": "danger", "mail sender": "ok"}),
        ({"GATEPOST_MAIL__SENDER": "a@acme.io"}, {"mail": "ok", "mail sender": "ok"}),
        ({"GATEPOST_MAIL__SENDER": "a@other.io"}, {"mail": "ok", "mail sender": "warning"}),
        ({"GATEPOST_MAIL__SENDER": "a@mail.example.com"}, {"mail": "ok", "mail sender": "danger"}),
        ({"GATEPOST_MAIL__SENDER": "a@127.0.0.1"}, {"mail": "ok", "mail sender": "danger"}),
        ({"GATEPOST_ENVIRONMENT": "development", "GATEPOST_MAIL_URL": ""}, {"mail": "ok"}),
    ):
        assert levels(command("doctor", "--json", **{**production, **changed})) == found, changed


@pytest.mark.usefixtures("gatepost")
def test_production_refuses_mail_that_only_looks_sent(command: Command) -> None:
    for url in ("console:", "memory:"):
        told = {"GATEPOST_ENVIRONMENT": "production", "GATEPOST_PUBLIC_URL": "https://auth.acme.io"}
        said = command("doctor", "--json", **told, GATEPOST_MAIL_URL=url)
        assert (said.code, url in said.out) == (1, True)
