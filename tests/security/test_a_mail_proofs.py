"""Attacks that have somebody else prove an address: for the attacker's account, or against their own."""

from html import unescape

import pytest
from httpx2 import ASGITransport, AsyncClient

from gatepost import Gatepost, Settings
from tests.make import PASSWORD, Make
from tests.post import Post, by_hand


@pytest.fixture
def settings(settings: Settings) -> Settings:
    return by_hand(settings, email_verification="encouraged")


async def test_a10_who_is_sent_anothers_link_is_told_whose_it_is_and_gives_nothing_of_their_own(
    client: AsyncClient, make: Make, gatepost: Gatepost
) -> None:
    post = Post(gatepost)
    victim = await make.signed_in(await make.user("victim@example.com"))
    new = {"email": "mallory@evil.example", "password": PASSWORD, "name": "Mallory Malone"}
    await client.post("/users/", json=new)
    token = (await make.sign_in(new["email"], PASSWORD)).json()["access_token"]
    mallory = {"Authorization": f"Bearer {token}"}
    await post.letters()

    # An address that has an account gets nothing to click on, whatever the attacker is told.
    asked = await client.post("/users/me/email", json={"email": "victim@example.com"}, headers=mallory)
    assert asked.status_code == 202
    assert await post.letters() == []

    # Another address of the victim's gets a mail that names who asks.
    await client.post("/users/me/email", json={"email": "victim@home.example"}, headers=mallory)
    letter = await post.letter("change_email_confirm")
    assert "Mallory Malone" in letter.text
    page = await client.get(letter.link, headers=victim.headers)
    assert "If you did not ask for this, close this page." in unescape(page.text)
    before = (await client.get("/users/me", headers=mallory)).json()
    assert before["email"] == "mallory@evil.example"

    # Who presses the button all the same is asked for Mallory's password, and gives nothing with their own.
    for typed in ({}, {"password": PASSWORD + "-of-the-victim"}):
        form = {"token": letter.token, **typed}
        pressed = await client.post(letter.page, data=form, headers=victim.headers)
        assert (pressed.status_code, len(pressed.cookies)) == (422, 0)
    me = (await client.get("/users/me", headers=victim.headers)).json()
    assert (me["id"], me["email"]) == (str(victim.person.id), "victim@example.com")
    after = (await client.get("/users/me", headers=mallory)).json()
    assert after == before
    assert await post.letters() == []
    assert (await make.sign_in("victim@example.com", PASSWORD)).status_code == 200


async def test_a10_e14_a_proof_never_signs_anybody_in_nor_out(
    client: AsyncClient, make: Make, gatepost: Gatepost
) -> None:
    """Whoever opens or uses a link, from another address and with another's cookies, ends with what they had."""
    post = Post(gatepost)
    me, other = await make.signed_in(), await make.user()
    await post.letters()
    await client.post("/users/me/email/verification", headers=me.headers)
    letter = await post.letter("verify_email")
    elsewhere = ASGITransport(app=gatepost.app, client=("198.51.100.9", 1))
    async with AsyncClient(transport=elsewhere, base_url="https://gatepost.test") as browser:
        signed_in = {"username": other.email, "password": PASSWORD}
        answer = await browser.post("/session", json=signed_in)
        assert answer.status_code == 200, answer.text
        for _ in range(10):
            assert (await browser.get(letter.link)).status_code == 200
            assert (await browser.head(letter.link)).status_code == 200
        assert not (await client.get("/users/me", headers=me.headers)).json()["email_verified"]
        used = await browser.post(letter.page, data={"token": letter.token, "password": PASSWORD})
        assert (used.status_code, "gp_session" in used.headers.get("set-cookie", "")) == (303, False)
        assert (await browser.get("/session")).json()["user"]["email"] == other.email
    assert (await client.get("/users/me", headers=me.headers)).json()["email_verified"]
