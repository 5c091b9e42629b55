"""Attacks through the address: one mailbox spelled twice, another's address as a name, a claim to be verified."""

from typing import Any

import pytest
from httpx2 import AsyncClient

from tests.make import PASSWORD, Make
from tests.security.expect import assert_problem, named_fields
from tests.security.operations import JSON, with_body

OTHER_PASSWORD = "harbour-umbrella-77"

VERIFIED: dict[str, Any] = {
    "email_verified": True,
    "emailVerified": True,
    "is_verified": True,
    "is_email_verified": True,
    "verified": True,
    "verified_at": "2020-01-01T00:00:00Z",
    "email_verified_at": "2020-01-01T00:00:00Z",
    "phone_verified": True,
    "email_verified_": 1,
}


async def test_a08_nobody_says_of_himself_that_his_address_is_verified(
    client: AsyncClient, make: Make, subtests: pytest.Subtests
) -> None:
    for name, value in VERIFIED.items():
        with subtests.test(name):
            me = await make.signed_in()
            before = (await client.get("/users/me", headers=me.headers)).json()
            for each in await with_body(client, JSON):
                body = {**each.valid_body(), name: value}
                answer = await each.call(client, headers=me.headers, body=body, user_id=me.person.id)
                # Where administrators may say so the field is there, and not for oneself.
                assert_problem(answer, 403 if name in each.fields else 422)
                assert named_fields(answer) == {name}
            assert (await client.get("/users/me", headers=me.headers)).json() == before


async def test_a12_anothers_address_as_a_display_name_opens_nothing(client: AsyncClient, make: Make) -> None:
    victim = await make.user("victim@example.com")
    for spelling in ("victim@example.com", "VICTIM@example.com", "\uff36ictim@example.com"):
        new = {"email": f"attacker{len(spelling.encode())}{spelling[0].encode().hex()}@example.com"}
        new |= {"name": spelling, "password": OTHER_PASSWORD}
        assert (await client.post("/users/", json=new)).status_code == 200
        assert_problem(await make.sign_in(spelling, OTHER_PASSWORD), 400)
        attacker = (await make.sign_in(new["email"], OTHER_PASSWORD)).json()["access_token"]
        seen = await client.get("/users/me", headers={"Authorization": f"Bearer {attacker}"})
        assert seen.json()["email"] == new["email"]

    signed_in = (await make.sign_in("victim@example.com", PASSWORD)).json()["access_token"]
    seen = await client.get("/users/me", headers={"Authorization": f"Bearer {signed_in}"})
    assert seen.json()["id"] == str(victim.id)


async def test_a12_there_is_no_second_identifier_that_could_be_anothers_address(
    client: AsyncClient, make: Make
) -> None:
    victim, me = await make.user(), await make.signed_in()
    for name in ("username", "login", "handle", "preferred_username", "nickname"):
        for each in await with_body(client, JSON):
            if name in each.fields:
                continue  # OAuth's name of the address, where people sign in
            body = {**each.valid_body(), name: victim.email}
            answer = await each.call(client, headers=me.headers, body=body, user_id=me.person.id)
            assert_problem(answer, 422)


# The address in the database, and spellings of the same mailbox.
SAME_MAILBOX = {
    "case": ("Mike.Fisk@Example.com", "mIKE.fISK@eXAMPLE.COM"),
    "Kelvin sign": ("mike@example.com", "mi\u212ae@example.com"),
    "long s": ("sam@example.com", "\u017fam@example.com"),
    "full width": ("mike@example.com", "\uff4d\uff49\uff4b\uff45@example.com"),
    "full width domain": ("mike@example.com", "mike@\uff45xample.com"),
    "ideographic full stop": ("mike@example.com", "mike@example\u3002com"),
    "ligature": ("fink@example.com", "\ufb01nk@example.com"),
    "circled digit": ("mike1@example.com", "mike\u2460@example.com"),
    "one dot leader": ("mike.fisk@example.com", "mike\u2024fisk@example.com"),
    "superscript": ("mike2@example.com", "mike\u00b2@example.com"),
    "decomposed": ("jos\u00e9@example.com", "jose\u0301@example.com"),
    "composed": ("jose\u0301@example.com", "JOS\u00c9@example.com"),
    "sharp s": ("strasse@example.com", "stra\u00dfe@example.com"),
    "capital sharp s": ("stra\u00dfe@example.com", "STRA\u1e9eE@example.com"),
    "dotted capital I": ("i\u0307@example.com", "\u0130@example.com"),
    "final sigma": ("\u03c3\u03c3@example.com", "\u03c3\u03c2@example.com"),
    "punycode": ("mike@b\u00fccher.example", "mike@xn--bcher-kva.example"),
    "punycode, capitals": ("mike@b\u00fccher.example", "mike@XN--BCHER-KVA.EXAMPLE"),
    "decomposed domain": ("mike@b\u00fccher.example", "mike@bu\u0308cher.example"),
    "iota subscript": ("\u1fb3@example.com", "\u03b1\u03b9@example.com"),
}


async def test_a13_one_mailbox_is_one_account_in_every_spelling(
    client: AsyncClient, make: Make, subtests: pytest.Subtests
) -> None:
    for name, (stored, other) in SAME_MAILBOX.items():
        with subtests.test(name):
            created = await client.post("/users/", json={"email": stored, "password": PASSWORD})
            assert (created.status_code, created.json()["email"]) == (200, stored)

            again = await client.post("/users/", json={"email": other, "password": OTHER_PASSWORD})
            assert_problem(again, 400)
            assert again.json()["detail"] == "Email already registered"

            stranger = await make.signed_in()
            moved = await client.patch("/users/me", json={"email": other}, headers=stranger.headers)
            assert_problem(moved, 400)

            assert_problem(await make.sign_in(other, OTHER_PASSWORD), 400)
            # Whatever spelling signs in, what is shown and written to stays as it was typed at first.
            token = (await make.sign_in(other, PASSWORD)).json()["access_token"]
            me = await client.get("/users/me", headers={"Authorization": f"Bearer {token}"})
            assert me.json()["email"] == stored

            administrator = await make.signed_in(await make.administrator())
            listed = await client.get("/users/", params={"email": other}, headers=administrator.headers)
            assert [item["email"] for item in listed.json()["items"]] == [stored]
            gone = await client.delete("/users/me", headers={"Authorization": f"Bearer {token}"})
            assert gone.status_code == 204


DIFFERENT_MAILBOXES = {
    "dotless i": ("mike@example.com", "m\u0131ke@example.com"),
    "dotted capital I": ("nike@example.com", "n\u0130ke@example.com"),
    "Cyrillic": ("dike@example.com", "d\u0456ke@example.com"),
    "Greek omicron": ("bo@example.com", "b\u03bf@example.com"),
    "dots": ("mike.fisk@example.com", "mikefisk@example.com"),
    "plus": ("pike@example.com", "pike+x@example.com"),
    "sharp s in a domain": ("mike@fass.example", "mike@fa\u00df.example"),
}


async def test_a13_another_mailbox_never_meets_the_account(
    client: AsyncClient, make: Make, subtests: pytest.Subtests
) -> None:
    for name, (stored, lookalike) in DIFFERENT_MAILBOXES.items():
        with subtests.test(name):
            await make.user(stored)

            assert_problem(await make.sign_in(lookalike, PASSWORD), 400)
            theirs = await client.post("/users/", json={"email": lookalike, "password": OTHER_PASSWORD})

            assert (theirs.status_code, theirs.json()["email"]) == (200, lookalike)
            assert_problem(await make.sign_in(stored, OTHER_PASSWORD), 400)
            assert (await make.sign_in(stored, PASSWORD)).status_code == 200


NO_ADDRESS = {
    "full-width at": "victim\uff20evil.com",
    "full-width at in the domain": "x@evil.com\uff20example.com",
    "small at": "victim@example.com\ufe6bevil.com",
    "two ats": "x@evil.com@example.com",
    "quoted at": '"x@example.com"@evil.com',
    "quoted local part": '"victim"@example.com',
    "comment": "victim(comment)@example.com",
    "display name": "Victim <victim@example.com>",
    "two addresses": "victim@example.com,attacker@evil.com",
    "two addresses, semicolon": "victim@example.com;attacker@evil.com",
    "carriage return": "victim@example.com\r\nBcc: attacker@evil.com",
    "line feed": "victim\n@example.com",
    "blank at the end": "victim@example.com ",
    "blank at the start": " victim@example.com",
    "tab": "vic\ttim@example.com",
    "no-break space": "victim\u00a0@example.com",
    "ideographic space": "victim\u3000@example.com",
    "zero-width space": "vic\u200btim@example.com",
    "zero-width joiner": "vic\u200dtim@example.com",
    "byte order mark": "\ufeffvictim@example.com",
    "variation selector": "victim\ufe0f@example.com",
    "grapheme joiner": "vic\u034ftim@example.com",
    "hangul filler": "victim\u3164@example.com",
    "empty braille": "victim\u2800@example.com",
    "variation selector of a later plane": "victim\U000e0100@example.com",
    "soft hyphen": "vic\u00adtim@example.com",
    "soft hyphen in the domain": "victim@exa\u00admple.com",
    "right-to-left override": "\u202emoc.elpmaxe@mitciv",
    "isolate": "\u2066victim\u2069@example.com",
    "variation selector of tags": "victim\U000e0041@example.com",
    "private use": "victim\ue000@example.com",
    "IP address": "victim@[127.0.0.1]",
    "dot at the end": "victim@example.com.",
    "dots in a row": "vic..tim@example.com",
    "digit with a full stop": "victim@example\u2488com",
    "account of": "victim@ex\u2100mple.com",
    "no local part": "@example.com",
    "no domain": "victim@",
    "too long once folded": "\ufdfa" * 20 + "@example.com",
    "percent hack": "victim%evil.com@",
}


async def test_a13_what_only_looks_like_an_address_is_refused(
    client: AsyncClient, make: Make, subtests: pytest.Subtests
) -> None:
    await make.user("victim@example.com")
    me = await make.signed_in()
    for name, address in NO_ADDRESS.items():
        with subtests.test(name):
            for each in await with_body(client, JSON):
                if "email" in each.fields:
                    body = {**each.valid_body(), "email": address}
                    answer = await each.call(client, headers=me.headers, body=body, user_id=me.person.id)
                    assert_problem(answer, 422)
                    # Beside the token of a link no address is wanted at all.
                    assert named_fields(answer) == ({"body"} if "token" in each.fields else {"email"})
            assert_problem(await make.sign_in(address, PASSWORD), 400)


async def test_a13_an_address_is_one_text(client: AsyncClient, make: Make, subtests: pytest.Subtests) -> None:
    me = await make.signed_in()
    for email in [["victim@example.com", "attacker@evil.com"], {"$ne": ""}, ["victim@example.com"]]:
        with subtests.test(str(email)):
            for each in await with_body(client, JSON):
                if "email" in each.fields:
                    body = {**each.valid_body(), "email": email}
                    answer = await each.call(client, headers=me.headers, body=body, user_id=me.person.id)
                    assert_problem(answer, 422, secret="victim")
