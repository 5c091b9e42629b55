"""E10, passkeys: what an authenticator or a browser would never make is refused, each for its own reason.

By an authenticator in software. No real one can be made to lie in all these ways.
"""

import secrets
from collections.abc import Callable, Mapping
from datetime import timedelta
from typing import Any

import pytest

from gatepost import Gatepost
from gatepost.core.clock import MovableClock
from gatepost.core.limits import LimitExceeded
from gatepost.core.principal import ClientInfo
from gatepost.passkeys import AssertionResponse, PasskeyInvalid, Passkeys
from tests.authenticator import Authenticator, Key, Twist, ed25519_key, encoded, p256_key, rsa_key
from tests.conftest import make_settings
from tests.make import Make, SignedIn
from tests.passkeys.desk import ORIGIN, Desk, desk_with
from tests.security.expect import assert_problem
from tests.security.operations import no_database_matters

UP, UV, BE, BS, AT = 1, 4, 8, 16, 64
PAGES = (
    "https://evil.example",
    "https://localhost:8000",
    "http://localhost:8001",
    "http://localhost",
    "null",
    "",
)


@pytest.fixture
def desk(gatepost: Gatepost, client: Any) -> Desk:
    return Desk(gatepost, client)


def client_says(**members: Any) -> Twist:
    return Twist(client=members)


def client_is(raw: bytes) -> Twist:
    return Twist(client_bytes=lambda _right: raw)


def shown_with(member: str, value: str) -> Twist:
    def change(shown: dict[str, Any]) -> dict[str, Any]:
        return {**shown, member: value}

    return Twist(shown=change)


def without(key: Key, *labels: int) -> Twist:
    return Twist(cose={label: value for label, value in key.cose.items() if label not in labels})


def flipped(value: bytes) -> bytes:
    return value[:-1] + bytes([value[-1] ^ 1])


# What browsers say of the page, and authenticators of themselves: the same in both ceremonies.
BOTH: Mapping[str, tuple[Twist, str]] = {
    "no such challenge": (client_says(challenge=encoded(bytes(32))), "challenge_unknown"),
    "an empty challenge": (client_says(challenge=""), "challenge_unknown"),
    "a challenge that is no text": (client_says(challenge=7), "client_data_malformed"),
    "a challenge in another spelling": (client_says(challenge="AB=="), "client_data_malformed"),
    "no challenge": (client_says(challenge=None), "client_data_malformed"),
    "client data that is no JSON": (client_is(b"{"), "client_data_malformed"),
    "client data that is no object": (client_is(b'["challenge"]'), "client_data_malformed"),
    "client data that is no text": (client_is(b"\xff\xfe"), "client_data_malformed"),
    "client data that never ends": (client_is(b"[" * 6_000), "client_data_malformed"),
    "another type": (client_says(type="webauthn.other"), "type"),
    "a payment": (client_says(type="payment.get"), "type"),
    **{f"the page {page}": (client_says(origin=page), "origin") for page in PAGES},
    "a frame in another's page": (client_says(crossOrigin=True), "cross_origin"),
    "a frame that says so otherwise": (client_says(crossOrigin="yes"), "cross_origin"),
    "the page around the frame": (client_says(topOrigin="https://evil.example"), "cross_origin"),
    "a bound connection": (client_says(tokenBinding={"status": "present", "id": "x"}), "token_binding"),
    "another domain": (Twist(rp_id="evil.example"), "rp_id"),
    "a domain above": (Twist(rp_id=""), "rp_id"),
    "nobody there": (Twist(flags=lambda flags: flags & ~UP), "user_not_present"),
    "backed up, and cannot be": (Twist(flags=lambda flags: flags | BS), "backup_flags"),
    "authenticator data cut off": (
        Twist(authenticator_data=lambda data: data[:36]),
        "authenticator_data_malformed",
    ),
    "more than the authenticator data": (
        Twist(authenticator_data=lambda data: data + b"\0"),
        "authenticator_data_malformed",
    ),
    "an id that is not the raw id": (shown_with("id", encoded(bytes(32))), "credential_id"),
}

P256, ED25519, RSA = p256_key(), ed25519_key(), rsa_key()

REGISTRATION: Mapping[str, tuple[Twist, str]] = {
    **BOTH,
    "made by a sign-in": (client_says(type="webauthn.get"), "type"),
    "no CBOR": (Twist(attestation_object=lambda _right: b"\xa2\x63fmt"), "attestation_malformed"),
    "CBOR of something else": (Twist(attestation_object=lambda _right: b"\x01"), "attestation_malformed"),
    "CBOR that never ends": (
        Twist(attestation_object=lambda _right: b"\x81" * 9_000),
        "attestation_malformed",
    ),
    "a format that is no text": (
        Twist(attestation=lambda _signed: {"fmt": ["none"], "attStmt": {}}),
        "attestation_malformed",
    ),
    "CBOR cut off": (Twist(attestation_object=lambda right: right[:-9]), "attestation_malformed"),
    "no credential in it": (
        Twist(flags=lambda flags: flags & ~AT, authenticator_data=lambda data: data[:37]),
        "authenticator_data_malformed",
    ),
    "another credential than it says": (shown_with("rawId", encoded(bytes(32))), "credential_id"),
    "an algorithm nobody asked for": (Twist(cose={**P256.cose, 3: -36}), "algorithm"),
    "RSA with SHA-1": (Twist(cose={**RSA.cose, 3: -65535}), "algorithm"),
    "RSA-PSS": (Twist(cose={**RSA.cose, 3: -37}), "algorithm"),
    "no algorithm": (without(P256, 3), "key"),
    "half a key": (without(P256, -3), "key"),
    "a key that is none": (Twist(cose={}), "key"),
    "another curve": (Twist(cose=p256_key(curve=2).cose), "key"),
    "a point beside the curve": (Twist(cose={**P256.cose, -3: bytes(31) + b"\7"}), "key"),
    "a key of another kind than its algorithm": (Twist(cose={**ED25519.cose, 3: -7}), "key"),
    "an RSA key soon broken": (Twist(cose=rsa_key(bits=1024).cose), "key"),
    "an RSA key that takes long": (Twist(cose={**RSA.cose, -2: b"\1" * 200}), "key"),
    "an attestation of another format": (
        Twist(attestation=lambda _signed: {"fmt": "fido-u2f", "attStmt": {}}),
        "attestation_format",
    ),
    "no attestation, with a statement": (
        Twist(attestation=lambda signed: {"fmt": "none", "attStmt": {"alg": -7, "sig": signed}}),
        "attestation",
    ),
    "a key put in the place of the one that vouches": (
        Twist(attestation=Authenticator(P256).vouching()),
        "attestation",
    ),
}

SIGN_IN: Mapping[str, tuple[Twist, str]] = {
    **BOTH,
    "made by a registration": (client_says(type="webauthn.create"), "type"),
    "signed by another key": (Twist(signed_by=P256), "signature"),
    "a signature with another bit": (Twist(signature=flipped), "signature"),
    "no signature to speak of": (Twist(signature=lambda _right: b"\0"), "signature"),
    "can be backed up, and could not": (Twist(flags=lambda flags: flags | BE), "backup_eligibility"),
    "the count of before": (Twist(counter=2), "counter"),
    "a count that went back": (Twist(counter=1), "counter"),
    "a count that begins anew": (Twist(counter=0), "counter"),
    "another person's handle": (Twist(user_handle=encoded(bytes(32))), "user_handle"),
    "nobody's handle": (Twist(user_handle=""), "user_handle"),
    "a handle that is no text of ours": (Twist(user_handle="=?"), "user_handle"),
}


@no_database_matters
async def test_e10_what_no_authenticator_makes_is_not_registered(desk: Desk, make: Make) -> None:
    me = await make.strongly_signed_in()
    found, told = {}, {}
    for name, (twist, _) in REGISTRATION.items():
        made = Authenticator().create(await desk.options(me), ORIGIN, twist)
        answer = await desk.send(me, made)
        assert_problem(answer, 400)
        assert answer.json()["code"] == "passkey-invalid"
        found[name], told[name] = await desk.last_reason(), answer.json()["reason"]

    expected = {name: reason for name, (_, reason) in REGISTRATION.items()}
    assert found == told == expected
    assert {event["subject"] for event in await desk.events()} == {me.person.id}
    assert await desk.items(me) == []
    # The honest ones go through, and one whose key vouches for itself.
    for key in (P256, ED25519, RSA):
        await desk.add(me, Authenticator(key))
    own = Authenticator()
    made = own.create(await desk.options(me), ORIGIN, Twist(attestation=own.vouching()))
    assert (await desk.send(me, made)).status_code == 201


@no_database_matters
async def test_e10_what_no_authenticator_shows_lets_nobody_in(desk: Desk, make: Make) -> None:
    me = await make.strongly_signed_in()
    key = Authenticator()
    added = await desk.add(me, key)
    assert (await desk.sign_in(key)).passkey_id
    refusals, found = set(), {}
    for name, (twist, _) in SIGN_IN.items():
        with pytest.raises(PasskeyInvalid) as refused:
            await desk.sign_in(key, twist)
        refusals.add((str(refused.value), str(refused.value.extensions), refused.value.field))
        found[name] = await desk.last_reason()

    assert found == {name: reason for name, (_, reason) in SIGN_IN.items()}
    # Whoever shows them learns nothing, whatever was wrong.
    assert len(refusals) == 1
    # Where it was known whose passkey that was, the event says it.
    named = {event["reason"] for event in await desk.events() if event["passkey_id"] == added["id"]}
    assert {"signature", "counter", "backup_eligibility", "user_handle", "origin", "rp_id"} <= named
    assert (await desk.sign_in(key)).user_id == me.person.id


@no_database_matters
async def test_e10_a_challenge_counts_once_for_a_while_and_for_who_asked(
    desk: Desk, make: Make, clock: MovableClock
) -> None:
    me = await make.strongly_signed_in()
    key, binding = Authenticator(), secrets.token_bytes(32)
    asked = await desk.options(me)
    made = key.create(asked, ORIGIN)
    assert (await desk.send(me, made)).status_code == 201
    found: dict[str, str] = {}

    async def registering(name: str, credential: Mapping[str, Any]) -> None:
        assert_problem(await desk.send(me, credential), 400)
        found[name] = await desk.last_reason()

    async def showing(name: str, shown: Mapping[str, Any], bound: bytes = binding) -> None:
        with pytest.raises(PasskeyInvalid):
            await desk.check(bound, shown)
        found[name] = await desk.last_reason()

    await registering("registered again", Authenticator().create(asked, ORIGIN))
    await showing("registration shown", key.get(asked, ORIGIN))
    in_the_sign_in = {**await desk.options(me), "challenge": (await desk.ask(binding))["challenge"]}
    await registering("sign-in registered", Authenticator().create(in_the_sign_in, ORIGIN))
    shown = key.get(await desk.ask(binding), ORIGIN)
    await showing("elsewhere", shown, secrets.token_bytes(32))
    # Whom it does not concern does not use it up.
    await desk.use(await desk.check(binding, shown))
    await showing("shown again", shown)
    once = await desk.ask(binding)
    await showing("wrong", key.get(once, ORIGIN, Twist(signed_by=P256)))
    await showing("right after wrong", key.get(once, ORIGIN))
    before = await desk.ask(binding)
    await desk.ask(binding)
    await showing("not the newest", key.get(before, ORIGIN))
    late, late_made = await desk.ask(binding), Authenticator().create(await desk.options(me), ORIGIN)
    clock.move(timedelta(minutes=5))
    await showing("late", key.get(late, ORIGIN))
    await registering("registered late", late_made)

    assert found == {
        "registered again": "challenge_used",
        "registration shown": "challenge_of_another_ceremony",
        "sign-in registered": "challenge_of_another_ceremony",
        "elsewhere": "challenge_of_another",
        "shown again": "challenge_used",
        "wrong": "signature",
        "right after wrong": "challenge_used",
        "not the newest": "challenge_unknown",
        "late": "challenge_expired",
        "registered late": "challenge_expired",
    }


@no_database_matters
async def test_e10_a_passkey_is_its_owners_alone(desk: Desk, make: Make) -> None:
    ada, eve = await make.strongly_signed_in(), await make.strongly_signed_in()
    hers, theirs = Authenticator(), Authenticator()
    await desk.add(ada, hers)
    await desk.add(eve, theirs)
    found: dict[str, str] = {}

    async def registering(name: str, me: SignedIn, twist: Twist) -> None:
        made = Authenticator().create(await desk.options(me), ORIGIN, twist)
        assert_problem(await desk.send(me, made), 400)
        found[name] = await desk.last_reason()

    async def showing(
        name: str, shown_by: Callable[[dict[str, Any]], dict[str, Any]], whose: SignedIn | None
    ) -> None:
        binding = secrets.token_bytes(32)
        asked = await desk.ask(binding, whose.person.id if whose else None)
        with pytest.raises(PasskeyInvalid):
            await desk.check(binding, shown_by(asked))
        found[name] = await desk.last_reason()

    await registering("ada's, by eve", eve, Twist(credential_id=hers.credential_id))
    await registering("ada's, again", ada, Twist(credential_id=hers.credential_id))
    await showing("eve's, as ada's second step", lambda asked: theirs.get(asked, ORIGIN), ada)
    await showing(
        "eve's, with ada's handle",
        lambda asked: theirs.get(asked, ORIGIN, Twist(user_handle=hers.user_handle)),
        None,
    )
    await showing(
        "ada's id, eve's key", lambda asked: hers.get(asked, ORIGIN, Twist(signed_by=theirs.key)), None
    )
    await showing("nobody's", lambda asked: Authenticator().get(asked, ORIGIN), None)

    assert found == {
        "ada's, by eve": "credential_taken",
        "ada's, again": "credential_known",
        "eve's, as ada's second step": "credential_of_another",
        "eve's, with ada's handle": "user_handle",
        "ada's id, eve's key": "signature",
        "nobody's": "credential_unknown",
    }
    # The second step of somebody who is known needs no handle: security keys of old have none.
    binding = secrets.token_bytes(32)
    asked = await desk.ask(binding, ada.person.id)
    assert [each["id"] for each in asked["allowCredentials"]] == [encoded(hers.credential_id)]
    checked = await desk.check(binding, hers.get(asked, ORIGIN, Twist(user_handle="")))
    assert checked.user_id == ada.person.id


@no_database_matters
async def test_e10_who_was_not_verified_at_first_is_not_verified_later(desk: Desk, make: Make) -> None:
    me = await make.strongly_signed_in()
    stick, phone = Authenticator(verifies=False), Authenticator()
    await desk.add(me, stick)
    await desk.add(me, phone)
    assert not (await desk.sign_in(stick)).user_verified
    # A thief has set the PIN that it never had.
    stick.flags |= UV
    assert not (await desk.sign_in(stick)).user_verified
    assert (await desk.sign_in(phone)).user_verified

    for key, flags in ((stick, UP | UV), (phone, UP)):
        binding = secrets.token_bytes(32)
        asked = await desk.ask(binding, verified=True)
        assert asked["userVerification"] == "required"
        key.flags = flags
        with pytest.raises(PasskeyInvalid):
            await desk.check(binding, key.get(asked, ORIGIN))
        assert await desk.last_reason() == "user_not_verified"


@no_database_matters
async def test_e10_guesses_are_counted_by_address(database_url: str, tmp_path: Any) -> None:
    limits = {"credentials": 2}
    gatepost = Gatepost(make_settings(database_url, tmp_path, rate_limits="on", limits=limits))
    shown = AssertionResponse.model_validate(Authenticator().get({"challenge": "AAAA"}, ORIGIN))
    async with gatepost.lifespan():
        for refusal in (PasskeyInvalid, PasskeyInvalid, LimitExceeded):
            client = ClientInfo(address="203.0.113.7", network="203.0.113.7")
            with pytest.raises(refusal):
                async with gatepost.work(client=client) as work:
                    await gatepost.build(Passkeys, work).check(bytes(32), shown)


@no_database_matters
async def test_g03_who_has_shown_nothing_learns_of_nobodys_passkeys(desk: Desk, make: Make) -> None:
    me = await make.strongly_signed_in()
    key = Authenticator()
    before = await desk.ask(secrets.token_bytes(32))
    await desk.add(me, key)
    after = await desk.ask(secrets.token_bytes(32))
    assert before["allowCredentials"] == after["allowCredentials"] == []
    assert {**before, "challenge": ""} == {**after, "challenge": ""}
    assert len(before["challenge"]) == len(after["challenge"])


@no_database_matters
async def test_e10_pages_of_other_domains_only_where_they_are_named(database_url: str, tmp_path: Any) -> None:
    public, app = "https://auth.example.com", "https://app.example.com"
    apk, related = f"android:apk-key-hash:{'A' * 43}", "https://example.de"
    options = {"rp_id": "example.com", "origins": [app, apk], "related_origins": [related]}
    async with desk_with(database_url, tmp_path, app, public_url=public, **options) as (desk, make):
        desk.client.base_url = public
        me = await make.strongly_signed_in()
        key = Authenticator()
        assert (await desk.add(me, key))["aaguid"]
        for origin in (public, app, apk, related):
            desk.origin = origin
            assert (await desk.sign_in(key)).user_id == me.person.id
        for origin in (
            "https://example.com",
            "https://evil.example.com",
            "https://shop.example.de",
            "http://app.example.com",
        ):
            desk.origin = origin
            with pytest.raises(PasskeyInvalid):
                await desk.sign_in(key)
            assert await desk.last_reason() == "origin"
        answer = await desk.client.get("/.well-known/webauthn")
        assert (answer.json(), answer.headers["content-type"]) == ({"origins": [related]}, "application/json")
