"""Tokens that are bound to a key (DPoP, RFC 9449): let in with a proof of this request, and never without."""

import base64
import hashlib
import json
import secrets
from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any

import pytest
from joserfc.jwk import RSAKey

from gatepost.core.clock import MovableClock
from gatepost.guard import Guard, GuardOptions, ProofInvalid, ProofRequired, TokenInvalid, Unverifiable
from gatepost.guard import dpop as dpop_module
from gatepost.guard.dpop import same_place
from tests.guard.issuer import Issuer, Pair, bearing, guarding, made
from tests.security.forge import forged, unsigned

HERE = "https://orders.example.com"
PATH = "/orders/7"


class Client:
    """Holds a key, and a token that is bound to it."""

    def __init__(self, issuer: Issuer, algorithm: str = "ES256") -> None:
        self.issuer = issuer
        self.pair = made(algorithm)
        self.thumbprint = self.pair.key.thumbprint()
        self.token = issuer.token(cnf={"jkt": self.thumbprint})

    @property
    def jwk(self) -> dict[str, Any]:
        return self.pair.key.as_dict(private=False)

    def header(self, **changed: Any) -> dict[str, Any]:
        return {"typ": "dpop+jwt", "alg": self.pair.algorithm, "jwk": self.jwk, **changed}

    def claims(self, **changed: Any) -> dict[str, Any]:
        ath = base64.urlsafe_b64encode(hashlib.sha256(self.token.encode()).digest()).decode().rstrip("=")
        return {
            "jti": secrets.token_hex(8),
            "htm": "GET",
            "htu": f"{HERE}{PATH}",
            "iat": self.issuer.now,
            "ath": ath,
            **changed,
        }

    def proof(self, header: dict[str, Any] | None = None, pair: Pair | None = None, **changed: Any) -> str:
        return forged(self.header(**(header or {})), self.claims(**changed), (pair or self.pair).sign)


async def send(
    guard: Guard,
    token: str,
    *proofs: str | bytes,
    scheme: bytes = b"DPoP",
    method: str = "GET",
    path: str = PATH,
) -> Any:
    sent = [(b"dpop", proof.encode() if isinstance(proof, str) else proof) for proof in proofs]
    return await guard.check(bearing(token, *sent, scheme=scheme), method=method, path=path)


@pytest.fixture
async def guard(issuer: Issuer) -> AsyncIterator[Guard]:
    async with guarding(issuer, public_url=HERE) as opened:
        yield opened


@pytest.fixture
def client(issuer: Issuer) -> Client:
    return Client(issuer)


@pytest.mark.parametrize("algorithm", ["ES256", "EdDSA", "RS256"])
async def test_a_bound_token_with_a_proof_is_let_in_again_and_again(
    guard: Guard, issuer: Issuer, algorithm: str
) -> None:
    client = Client(issuer, algorithm)
    for _ in range(3):
        caller = await send(guard, client.token, client.proof())
        assert caller.key_thumbprint == client.thumbprint
    assert await send(guard, client.token, client.proof({"kid": "1"}), scheme=b"dpop")


async def test_a_bound_token_alone_is_refused(guard: Guard, client: Client) -> None:
    """RFC 9449, section 7.2: it must not be taken for one that whoever holds it may use."""
    for proofs in ((), (client.proof(),)):
        with pytest.raises(ProofRequired) as refused:
            await send(guard, client.token, *proofs, scheme=b"Bearer")
    expected = 'DPoP realm="gatepost", error="invalid_token", algs="ES256 EdDSA RS256"'
    assert (refused.value.status, refused.value.www_authenticate) == (401, expected)
    with pytest.raises(ProofRequired):
        await guard.verify(client.token)


async def test_without_exactly_one_proof_it_is_refused(guard: Guard, client: Client) -> None:
    for proofs in ((), (client.proof(), client.proof())):
        with pytest.raises(ProofInvalid) as refused:
            await send(guard, client.token, *proofs)
    expected = 'DPoP realm="gatepost", error="invalid_dpop_proof", algs="ES256 EdDSA RS256"'
    assert (refused.value.status, refused.value.www_authenticate) == (401, expected)


async def test_a_token_that_is_bound_to_nothing_is_not_sent_with_a_proof(
    guard: Guard, issuer: Issuer, client: Client
) -> None:
    with pytest.raises(TokenInvalid) as refused:
        await send(guard, issuer.token(), client.proof())
    assert str(refused.value.www_authenticate).startswith("DPoP ")
    assert await send(guard, issuer.token(), scheme=b"Bearer")


async def test_refusals_of_a_bound_token_ask_for_a_proof_too(guard: Guard, issuer: Issuer) -> None:
    with pytest.raises(TokenInvalid) as refused:
        await send(guard, issuer.token(aud="https://other.example"))
    assert str(refused.value.www_authenticate).startswith("DPoP ")


async def test_a_service_that_does_not_know_its_url_lets_no_bound_token_in(
    issuer: Issuer, client: Client, caplog: pytest.LogCaptureFixture
) -> None:
    """What `Host` says is the client's own word: a proof for another service could be sent here."""
    async with guarding(issuer) as guard:
        with pytest.raises(ProofInvalid):
            await send(guard, client.token, client.proof())
    assert "set `public_url`" in caplog.text


# ── section 4.3, check by check ──────────────────────────────────────────────────────────────────

CLAIMS: list[dict[str, Any]] = [
    {"htm": "POST"},
    {"htm": "get"},
    {"htm": None},
    {"htm": ["GET"]},
    {"htu": f"{HERE}/orders/8"},
    {"htu": f"{HERE}{PATH}/"},
    {"htu": f"{HERE}/"},
    {"htu": HERE},
    {"htu": f"http://orders.example.com{PATH}"},
    {"htu": f"https://orders.example.com.evil.example{PATH}"},
    {"htu": f"https://orders.example.com:8443{PATH}"},
    {"htu": f"https://orders.example.com@evil.example{PATH}"},
    {"htu": f"https://x@orders.example.com{PATH}"},
    {"htu": f"https://evil.example{PATH}"},
    {"htu": f"{HERE}/ORDERS/7"},
    {"htu": f"{HERE}/orders%2F7"},
    {"htu": PATH},
    {"htu": ""},
    {"htu": None},
    {"htu": [f"{HERE}{PATH}"]},
    {"htu": f"https://orders.example.com:x{PATH}"},
    {"htu": f"https://[{PATH}"},
    {"htu": f"https://órders.example.com{PATH}"},
    {"ath": ""},
    {"ath": "A" * 43},
    {"ath": None},
    {"ath": 1},
    {"ath": "é"},
    {"jti": ""},
    {"jti": None},
    {"jti": 1},
    {"jti": "a" * 257},
    {"iat": None},
    {"iat": "now"},
    {"iat": True},
    {"iat": 1.5},
    {"iat": 10**20},
]


@pytest.mark.parametrize("changed", CLAIMS, ids=str)
async def test_a_proof_of_something_else_is_refused(
    guard: Guard, client: Client, changed: dict[str, Any]
) -> None:
    with pytest.raises(ProofInvalid):
        await send(guard, client.token, client.proof(**changed))
    assert await send(guard, client.token, client.proof())


@pytest.mark.parametrize("name", ["jti", "htm", "htu", "iat", "ath"])
async def test_a_proof_that_lacks_a_claim_is_refused(guard: Guard, client: Client, name: str) -> None:
    claims = {claim: value for claim, value in client.claims().items() if claim != name}
    with pytest.raises(ProofInvalid):
        await send(guard, client.token, forged(client.header(), claims, client.pair.sign))


HEADERS: list[dict[str, Any]] = [
    {"typ": "JWT"},
    {"typ": "at+jwt"},
    {"typ": None},
    {"typ": ["dpop+jwt"]},
    {"alg": "none"},
    {"alg": "HS256"},
    {"alg": "ES384"},
    {"alg": "RS256"},
    {"alg": None},
    {"alg": ["ES256"]},
    {"jwk": None},
    {"jwk": {}},
    {"jwk": "x"},
    {"jwk": [1]},
    {"jwk": {"kty": "oct", "k": "AAAA"}},
    {"jwk": {"kty": "EC", "crv": "P-256", "x": "A" * 43, "y": "A" * 43}},
    {"crit": ["x"]},
    {"b64": False, "crit": ["b64"]},
    {"jku": "https://evil.example/jwks.json"},
    {"x5c": ["MIIB"]},
    {"nonce": 1},
]


@pytest.mark.parametrize("changed", HEADERS, ids=str)
async def test_c03_a_proof_with_another_header_is_refused(
    guard: Guard, issuer: Issuer, client: Client, changed: dict[str, Any]
) -> None:
    asked = len(issuer.asked)
    with pytest.raises(ProofInvalid):
        await send(guard, client.token, client.proof(changed))
    assert len(issuer.asked) == asked


async def test_c01_an_unsigned_proof_is_refused(guard: Guard, client: Client) -> None:
    for algorithm in ("none", "ES256"):
        proof = forged(client.header(alg=algorithm), client.claims(), unsigned)
        with pytest.raises(ProofInvalid):
            await send(guard, client.token, proof)


async def test_c03_whoever_steals_the_token_cannot_use_their_own_key(
    guard: Guard, issuer: Issuer, client: Client
) -> None:
    thief = Client(issuer)
    forgeries = [
        client.proof({"jwk": thief.jwk}, pair=thief.pair),
        client.proof(pair=thief.pair),
        client.proof({"jwk": {**thief.jwk, "kid": client.thumbprint}}, pair=thief.pair),
    ]
    for proof in forgeries:
        with pytest.raises(ProofInvalid):
            await send(guard, client.token, proof)


async def test_a_proof_that_shows_the_private_key_is_refused(guard: Guard, client: Client) -> None:
    with pytest.raises(ProofInvalid):
        await send(guard, client.token, client.proof({"jwk": client.pair.key.as_dict(private=True)}))


async def test_a_proof_for_one_token_is_none_for_another(
    guard: Guard, client: Client, issuer: Issuer
) -> None:
    other = issuer.token(cnf={"jkt": client.thumbprint})
    with pytest.raises(ProofInvalid):
        await send(guard, other, client.proof())


async def test_a_proof_for_one_request_is_none_for_another(guard: Guard, client: Client) -> None:
    with pytest.raises(ProofInvalid):
        await send(guard, client.token, client.proof(), method="DELETE")
    with pytest.raises(ProofInvalid):
        await send(guard, client.token, client.proof(), path="/orders/8")


ODD: list[bytes] = [b"", b"x", b"a.b.c", b"...", b"\xff\xfe", b"e30.e30.e30", b"." * 5000, b"a" * 5000]


@pytest.mark.parametrize("proof", ODD)
async def test_c20_what_is_no_proof_is_refused(guard: Guard, client: Client, proof: bytes) -> None:
    with pytest.raises(ProofInvalid):
        await send(guard, client.token, proof)


@pytest.mark.parametrize("part", [b"null", b"1", b"[]", b"{}", b"{", b"[" * 1500, b'"x"'])
async def test_c20_odd_parts_of_a_proof_are_refused(guard: Guard, client: Client, part: bytes) -> None:
    for proof in (
        forged(part, client.claims(), client.pair.sign),
        forged(client.header(), part, client.pair.sign),
    ):
        with pytest.raises(ProofInvalid):
            await send(guard, client.token, proof)


async def test_c10_a_key_that_makes_verifying_slow_is_refused(guard: Guard, issuer: Issuer) -> None:
    """Whoever chooses the exponent or the length of an RSA key chooses what verifying costs."""
    slow = RSAKey.generate_key(2048).as_dict(private=False)
    for members in ({"e": slow["n"]}, {"n": "_" * 699}, {"n": "_" * 2000}):
        jwk: Any = {**slow, **members}
        body = json.dumps(
            {name: jwk[name] for name in ("e", "kty", "n")}, separators=(",", ":"), sort_keys=True
        )
        thumbprint = base64.urlsafe_b64encode(hashlib.sha256(body.encode()).digest()).decode().rstrip("=")
        client = Client(issuer, "RS256")
        client.token = issuer.token(cnf={"jkt": thumbprint})
        with pytest.raises(ProofInvalid) as refused:
            await send(guard, client.token, client.proof({"jwk": jwk}))
        assert "malformed" in refused.value.reason


# ── once, and now ────────────────────────────────────────────────────────────────────────────────


async def test_a_proof_counts_once(guard: Guard, client: Client) -> None:
    proof = client.proof()
    assert await send(guard, client.token, proof)
    for _ in range(2):
        with pytest.raises(ProofInvalid):
            await send(guard, client.token, proof)
    # The same id again, in another proof of the same key; and of another key it is another id.
    with pytest.raises(ProofInvalid):
        await send(guard, client.token, client.proof(jti=_jti(proof)))
    other = Client(client.issuer)
    assert await send(guard, other.token, other.proof(jti=_jti(proof)))


def _jti(proof: str) -> str:
    body = proof.split(".")[1]
    return json.loads(base64.urlsafe_b64decode(body + "=" * (-len(body) % 4)))["jti"]


async def test_a_refused_proof_is_not_spent(guard: Guard, client: Client) -> None:
    proof = client.proof()
    with pytest.raises(ProofInvalid):
        await send(guard, client.token, proof, method="POST")
    assert await send(guard, client.token, proof)


async def test_a_proof_is_of_now(guard: Guard, client: Client, clock: MovableClock) -> None:
    now = client.issuer.now
    for seconds in (-59, 0, 30):
        assert await send(guard, client.token, client.proof(iat=now + seconds))
    for seconds in (-62, 32, -(10**6), 10**6):
        with pytest.raises(ProofInvalid):
            await send(guard, client.token, client.proof(iat=now + seconds))


async def test_a_proof_counts_once_for_as_long_as_it_would_count(
    guard: Guard, client: Client, clock: MovableClock
) -> None:
    """One from a clock that is ahead lives longest."""
    proof = client.proof(iat=client.issuer.now + 30)
    assert await send(guard, client.token, proof)
    for _ in range(9):
        clock.move(timedelta(seconds=10))
        with pytest.raises(ProofInvalid):
            await send(guard, client.token, proof)


async def test_c16_proofs_are_forgotten_when_they_are_over_and_never_before(
    guard: Guard, client: Client, clock: MovableClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(dpop_module, "MOST", 20)
    first = client.proof()
    await send(guard, client.token, first)
    for _ in range(19):
        await send(guard, client.token, client.proof())
    with pytest.raises(Unverifiable):
        await send(guard, client.token, client.proof())
    with pytest.raises(ProofInvalid):
        await send(guard, client.token, first)

    clock.move(timedelta(seconds=91))
    assert await send(guard, client.token, client.proof())
    assert len(guard._proofs._seen) == 1


# ── one place under several spellings ────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    "spelling",
    [
        "https://orders.example.com/a/b",
        "HTTPS://Orders.Example.COM/a/b",
        "https://orders.example.com:443/a/b",
        "https://orders.example.com/a/b?x=1",
        "https://orders.example.com/a/b#x",
        "https://orders.example.com/%61/b",
    ],
)
def test_the_same_place_in_another_spelling(spelling: str) -> None:
    assert same_place(spelling, "https://orders.example.com/a/b")


def test_the_root_may_be_left_out_and_escapes_have_no_case() -> None:
    assert same_place("https://orders.example.com", "https://orders.example.com/")
    assert same_place("https://orders.example.com/%c3%a4", "https://orders.example.com/%C3%A4")
    assert not same_place("https://orders.example.com/a%2fb", "https://orders.example.com/a/b")


async def test_a_prefix_that_a_proxy_takes_away_belongs_to_the_url(issuer: Issuer, client: Client) -> None:
    async with guarding(issuer, public_url="https://shop.example/api/") as guard:
        proof = client.proof(htu="https://shop.example/api/orders/7")
        assert await send(guard, client.token, proof)


def test_a_public_url_that_is_none_is_refused(issuer: Issuer) -> None:
    for url in ("orders.example.com", "https://", "https://x/?y"):
        with pytest.raises(ValueError, match=r"URL|host"):
            Guard("https://auth.example.com", options=GuardOptions(public_url=url))
