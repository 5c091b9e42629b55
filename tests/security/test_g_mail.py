"""Attacks that ask who has an account by the journeys that go by mail: words, statements, mails. Times: tests/soak."""

import pytest
from httpx2 import AsyncClient

from gatepost import Gatepost, Settings
from tests.make import Make
from tests.post import Post
from tests.security.askers import askers, for_askers


@pytest.fixture
def settings(settings: Settings) -> Settings:
    return for_askers(settings)


async def test_g01_g03_every_journey_by_mail_answers_alike_to_the_byte(
    client: AsyncClient, make: Make, gatepost: Gatepost
) -> None:
    post = Post(gatepost)
    journeys = await askers(gatepost, client, make, post)
    for name, states in journeys.items():
        # Seven, and five use a code up.
        seen = {
            (answer.status_code, answer.content, tuple(answer.headers.raw))
            for ask in states.values()
            for answer in [await ask() for _ in range(7)]
        }
        assert len(seen) == 1, (name, seen)

    sent = await post.letters()
    # To whom it concerns, and to nobody who was merely named.
    assert {letter.kind for letter in sent} >= {"reset_password", "change_email_confirm"}
    assert "nobody@example.com" not in {letter.to for letter in sent}
    by_kind = {
        kind: {letter.to for letter in sent if letter.kind == kind}
        for kind in ("reset_password", "change_email_confirm")
    }
    assert {len(found) for found in by_kind.values()} == {1}
    assert not by_kind["reset_password"] & by_kind["change_email_confirm"]
