"""Attacks on the guard: every token that the issuer did not make for this service is refused, whatever it is."""

import json
import resource
import time
import tracemalloc
from datetime import timedelta
from pathlib import Path
from typing import Any

import hypothesis
import pytest
from hypothesis import HealthCheck, given
from hypothesis import strategies as st
from joserfc.jwk import ECKey, OKPKey

from gatepost.core.clock import MovableClock
from gatepost.guard import Guard, ProofInvalid, TokenInvalid, TokenMissing
from tests.guard.issuer import AUDIENCE, ENDED, KEYS, METADATA, Issuer, checked, guarding, made
from tests.security.forge import Sample, forged, hmac_with, unsigned
from tests.security.test_c_tokens import alterations

every_algorithm = pytest.mark.parametrize("issuer", ["ES256", "EdDSA", "RS256"], indirect=True)
OTHERS = ["HS256", "PS256", "ES384", "ES512", "ES256K", "Ed448", "Ed25519", "es256", "none", "None", "", " "]


async def assert_all_refused(guard: Guard, tokens: dict[str, str]) -> None:
    for name, token in tokens.items():
        try:
            await checked(guard, token)
        except TokenInvalid as refused:
            assert refused.status == 401, name  # noqa: PT017
            assert 'error="invalid_token"' in str(refused.www_authenticate), name  # noqa: PT017
        else:
            pytest.fail(f"let in: {name}")


@every_algorithm
async def test_c01_a_token_that_names_no_algorithm_or_another_is_refused(
    guard: Guard, issuer: Issuer
) -> None:
    own, sign = issuer.current.algorithm, issuer.current.sign
    names: list[Any] = [
        *OTHERS,
        *({"ES256", "EdDSA", "RS256"} - {own}),
        None,
        [],
        [own],
        {},
        {own: own},
        0,
        True,
    ]
    tokens = {}
    for name in names:
        header = issuer.header(alg=name)
        tokens |= {
            f"{name!r} unsigned": forged(header, issuer.claims(), unsigned),
            f"{name!r} signed": forged(header, issuer.claims(), sign),
        }
    without = {name: value for name, value in issuer.header().items() if name != "alg"}
    twice = json.dumps(issuer.header())[:-1].encode() + b', "alg": "none"}'
    right = issuer.token()
    tokens |= {
        "no alg": forged(without, issuer.claims(), unsigned),
        "alg twice": forged(twice, issuer.claims(), unsigned),
        "no signature": right.rpartition(".")[0] + ".",
        "no third part": right.rpartition(".")[0],
        "zeros": forged(issuer.header(), issuer.claims(), lambda _: bytes(64)),
        "many zeros": forged(issuer.header(), issuer.claims(), lambda _: bytes(256)),
        "another key": forged(issuer.header(), issuer.claims(), made(own).sign),
    }
    await assert_all_refused(guard, tokens)
    assert await checked(guard, right)


@pytest.mark.parametrize("issuer", ["ES256", "EdDSA"], indirect=True)
async def test_c02_the_public_key_is_no_shared_secret(guard: Guard, issuer: Issuer) -> None:
    sample = Sample(issuer.header(), issuer.claims(), issuer.current.public)
    tokens = {
        f"{alg} {name}": forged(issuer.header(alg=alg), issuer.claims(), hmac_with(secret, digest))
        for name, secret in sample.public_encodings().items()
        for alg, digest in (("HS256", "sha256"), ("HS384", "sha384"), (issuer.current.algorithm, "sha256"))
    }
    await assert_all_refused(guard, tokens)


async def test_c02_a_secret_among_the_published_keys_is_not_used(issuer: Issuer, clock: MovableClock) -> None:
    secret: dict[str, Any] = {"kty": "oct", "k": "AAAA", "kid": "shared", "alg": "HS256"}
    issuer.documents[KEYS] = json.dumps({"keys": [secret, issuer.current.public]}).encode()
    async with guarding(issuer) as guard:
        assert await checked(guard, issuer.token())
        header = issuer.header(kid="shared", alg="HS256")
        await assert_all_refused(guard, {"oct": forged(header, issuer.claims(), hmac_with(b"\0\0\0"))})


@every_algorithm
async def test_c03_a_key_in_the_header_is_not_believed(guard: Guard, issuer: Issuer) -> None:
    theirs = made(issuer.current.algorithm)
    extras: list[dict[str, Any]] = [
        {"jwk": theirs.public},
        {"x5c": ["MIIB"]},
        {"jku": "https://evil.example/jwks.json"},
        {"x5u": "https://evil.example/cert.pem"},
        {"x5t": "AAAA", "x5t#S256": "AAAA"},
        {"jwk": theirs.public, "kid": theirs.kid},
        {"kid": theirs.kid},
    ]
    for sign in (theirs.sign, issuer.current.sign):
        tokens = {f"{each}": forged(issuer.header(**each), issuer.claims(), sign) for each in extras}
        await assert_all_refused(guard, tokens)
    await assert_all_refused(guard, {"a plain header": forged(issuer.header(), issuer.claims(), theirs.sign)})
    assert {url.partition("?")[0] for url in issuer.asked} == {METADATA, KEYS, ENDED}


KIDS: list[Any] = [
    "../../../../dev/null",
    "file:///etc/passwd",
    "https://evil.example/key",
    "https://auth.example.com/.well-known/jwks.json",
    "x' UNION SELECT 'AAAA' --",
    "\x00",
    "\ud800",
    "\uffff",
    "",
    "a" * 300,
    None,
    0,
    True,
    [],
    {},
]


async def test_c04_a_kid_is_only_ever_looked_up(guard: Guard, issuer: Issuer) -> None:
    issuer.asked.clear()
    for sign in (issuer.current.sign, hmac_with(b"")):
        tokens = {f"{kid!r}": forged(issuer.header(kid=kid), issuer.claims(), sign) for kid in KIDS}
        await assert_all_refused(guard, tokens)
    without = {name: value for name, value in issuer.header().items() if name != "kid"}
    await assert_all_refused(guard, {"no kid": forged(without, issuer.claims(), issuer.current.sign)})
    assert set(issuer.asked) <= {METADATA, KEYS}


async def test_c04_unknown_kids_do_not_become_requests_to_the_issuer(
    guard: Guard, issuer: Issuer, clock: MovableClock
) -> None:
    await checked(guard, issuer.token())
    for second in range(20):
        for number in range(50):
            token = forged(issuer.header(kid=f"{second}-{number}"), issuer.claims(), issuer.current.sign)
            await assert_all_refused(guard, {"unknown": token})
        clock.move(timedelta(seconds=1))

    # A thousand questions in twenty seconds: one request in two seconds, and the first.
    assert issuer.count(KEYS) <= 12
    assert issuer.count(METADATA) == 1


async def test_c05_extensions_that_a_token_calls_critical_are_refused(guard: Guard, issuer: Issuer) -> None:
    crits: list[Any] = [["x"], ["exp"], ["b64"], ["alg"], [], "x", None, 1, {}, [1], ["x", "x"]]
    sign = issuer.current.sign
    tokens = {f"crit {c!r}": forged(issuer.header(crit=c), issuer.claims(), sign) for c in crits}
    tokens |= {
        "b64 off": forged(issuer.header(b64=False, crit=["b64"]), issuer.claims(), sign),
        "known to nobody": forged(issuer.header(x=1, crit=["x"]), issuer.claims(), sign),
        "zip": forged(issuer.header(zip="DEF"), issuer.claims(), sign),
        "cty": forged(issuer.header(cty="JWT"), issuer.claims(), sign),
    }
    await assert_all_refused(guard, tokens)


@every_algorithm
async def test_c06_issuer_audience_and_type_are_compared_whole(guard: Guard, issuer: Issuer) -> None:
    def spellings(name: str) -> list[Any]:
        near = ["", "x", name[:-1], f"{name}/", f"{name}.evil", name.upper(), f" {name}", f"{name}\x00"]
        return [*near, {"iss": name}, None, 0, True]

    tokens = {f"iss {n!r}": issuer.token(iss=n) for n in [*spellings(issuer.url), [issuer.url]]}
    tokens |= {f"aud {n!r}": issuer.token(aud=n) for n in spellings(AUDIENCE)}
    tokens |= {f"auds {n!r}": issuer.token(aud=[n]) for n in spellings(AUDIENCE)}
    mixed: list[Any] = [[AUDIENCE, 1], [AUDIENCE, None], [[AUDIENCE]], {AUDIENCE: 1}]
    tokens |= {f"auds {n!r}": issuer.token(aud=n) for n in mixed}
    types: list[Any] = ["JWT", "jwt", "AT+JWT", "at+jwt ", "", None, ["at+jwt"], 1, "dpop+jwt"]
    types += ["revoked-sessions+jwt", "application/jwt"]
    sign = issuer.current.sign
    tokens |= {f"typ {t!r}": forged(issuer.header(typ=t), issuer.claims(), sign) for t in types}
    without = {name: value for name, value in issuer.header().items() if name != "typ"}
    tokens["no typ"] = forged(without, issuer.claims(), sign)
    await assert_all_refused(guard, tokens)
    # RFC 9068, section 4: both are the name of the type.
    assert await checked(guard, forged(issuer.header(typ="application/at+jwt"), issuer.claims(), sign))


async def test_c06_claims_that_lack_or_have_the_wrong_type_are_refused(guard: Guard, issuer: Issuer) -> None:
    sign = issuer.current.sign
    tokens: dict[str, str] = {}
    for name in ("iss", "sub", "aud", "exp", "iat", "jti", "client_id"):
        rest = {claim: value for claim, value in issuer.claims().items() if claim != name}
        tokens[f"no {name}"] = forged(issuer.header(), rest, sign)
    words: list[Any] = [True, [], {}, [1], {"a": 1}, 1, "\x00", "\ud800", "a\nb"]
    for name in ("sub", "client_id", "jti", "sid", "acr", "scope"):
        tokens |= {f"{name} {value!r}": issuer.token(**{name: value}) for value in words}
    for name in ("sub", "client_id", "jti", "sid"):
        empty: dict[str, Any] = {name: ""}
        tokens[f"empty {name}"] = issuer.token(**empty)
    times: list[Any] = [True, [], {}, "9999999999", -1, 10**13, 1e308, 1.5, float("nan"), float("inf")]
    for name in ("exp", "iat", "nbf", "auth_time"):
        tokens |= {f"{name} {value!r}": issuer.token(**{name: value}) for value in times}
    lists: list[Any] = ["pwd", {}, [1], [None], 1, True, None]
    tokens |= {f"amr {value!r}": issuer.token(amr=value) for value in lists}
    bindings: list[Any] = [None, {}, [], "x", 1, {"jkt": 1}, {"jkt": ""}, {"jkt": None}, {"x5t#S256": "a"}]
    bindings += [{"jwk": {}}, {"jkt": "a", "x5t#S256": "a"}]
    tokens |= {f"cnf {value!r}": issuer.token(cnf=value) for value in bindings}
    for text in ("NaN", "Infinity", "-Infinity", "1e999", '"9999999999"', "9" * 5000):
        payload = json.dumps(issuer.claims(exp=0)).replace('"exp": 0', f'"exp": {text}')
        tokens[f"exp {text[:20]}"] = forged(issuer.header(), payload.encode(), sign)
    await assert_all_refused(guard, tokens)


async def test_c07_a_key_of_another_issuer_counts_nowhere_else(clock: MovableClock) -> None:
    """Two issuers whose keys have the same id: each token is let in by the guard of its own issuer alone."""
    ours = Issuer(clock, [made("ES256", kid="one")])
    theirs = Issuer(clock, [made("ES256", kid="one")], url="https://other.example")
    async with guarding(ours) as guard, guarding(theirs) as other:
        for _ in range(2):
            assert await checked(guard, ours.token())
            assert await checked(other, theirs.token())
            await assert_all_refused(
                guard, {"as it is": theirs.token(), "renamed": theirs.token(iss=ours.url)}
            )
            await assert_all_refused(other, {"as it is": ours.token(), "renamed": ours.token(iss=theirs.url)})


async def test_c07_of_two_keys_with_one_id_the_first_counts(issuer: Issuer) -> None:
    twin = made("ES256", kid=issuer.current.kid)
    issuer.documents[KEYS] = json.dumps({"keys": [issuer.current.public, twin.public]}).encode()
    async with guarding(issuer) as guard:
        assert await checked(guard, issuer.token())
        await assert_all_refused(guard, {"twin": issuer.token(twin)})


async def test_c10_giant_tokens_cost_nothing(guard: Guard, issuer: Issuer) -> None:
    right = issuer.token()
    giants = {
        "10 MB": "a" * 10_000_000,
        "a million dots": "." * 1_000_000,
        "giant header": f"{'a' * 5_000_000}.{right.partition('.')[2]}",
        "giant signature": right + "A" * 5_000_000,
        "giant claims": issuer.token(padding="a" * 1_000_000),
        "spaces": " " * 1_000_000,
    }
    tracemalloc.start()
    for name, token in giants.items():
        started = time.process_time()
        with pytest.raises(TokenInvalid):
            await checked(guard, token)
        # A look at its length, and no more: 50 ms is what an attack on a machine of many tests may take.
        assert time.process_time() - started < 0.05, name
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 80_000_000
    assert guard.standing.remembered_tokens == 0


async def test_c10_deep_and_odd_parts_are_refused(guard: Guard, issuer: Issuer) -> None:
    sign = issuer.current.sign
    odd = [b"", b"null", b"1", b'"text"', b"[]", b"{}", b"{", b"\xff\xfe", b"\x00", b"[" * 2000, b'{"alg"']
    odd += [b"true", b"NaN", b"1" * 3000, b'{"a":' * 800, b'{"alg":{"alg":{}}}']
    tokens = {f"header {part!r:.30}": forged(part, issuer.claims(), sign) for part in odd}
    tokens |= {f"claims {part!r:.30}": forged(issuer.header(), part, sign) for part in odd}
    whole = issuer.token()
    tokens |= {
        "four parts": f"{whole}.a",
        "five parts": ".".join(["a"] * 5),
        "one part": "a",
        "dots": "." * 4000,
        "JSON serialization": json.dumps({"payload": "a", "signature": "b"}),
        "not ASCII": whole + "é",
        "NUL": whole + "\x00",
        "inner space": whole[:20] + " " + whole[20:],
    }
    await assert_all_refused(guard, tokens)


async def test_c13_an_altered_token_is_refused(guard: Guard, issuer: Issuer) -> None:
    token = issuer.token()
    await checked(guard, token)
    for altered in alterations(token):
        if altered.strip(" ") != token:
            with pytest.raises(TokenInvalid):
                await checked(guard, altered)


async def test_c16_a_flood_of_tokens_fills_no_memory(issuer: Issuer) -> None:
    """Garbage is never remembered, and of what is good the latest few."""
    async with guarding(issuer, remembered=50) as guard:
        for number in range(500):
            await checked(guard, issuer.token())
            with pytest.raises(TokenInvalid):
                await checked(guard, f"{number}.{number}.{number}")
            with pytest.raises(TokenInvalid):
                await checked(guard, issuer.token(aud=f"{number}"))
        assert guard.standing.remembered_tokens == 50


@pytest.mark.soak
async def test_c16_a_million_tokens_fill_no_memory(clock: MovableClock) -> None:
    issuer = Issuer(clock, [made("EdDSA")])
    header, sign = issuer.header(), issuer.current.sign
    claims = issuer.claims()
    before = 0.0
    async with guarding(issuer) as guard:
        for number in range(1_000_000):
            await checked(guard, forged(header, {**claims, "jti": f"{number}"}, sign))
            if number == 50_000:
                before = _resident_mb()
        assert guard.standing.remembered_tokens == 10_000
        assert _resident_mb() - before < 20


def _resident_mb() -> float:
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * resource.getpagesize() / 1e6


async def test_c16_the_tokens_that_are_used_are_those_that_stay(issuer: Issuer) -> None:
    async with guarding(issuer, remembered=5) as guard:
        used = issuer.token()
        first = await checked(guard, used)
        for _ in range(20):
            await checked(guard, issuer.token())
            assert (await checked(guard, used)) is first


async def test_c20_whatever_stands_in_the_header_the_answer_is_401(
    issuer: Issuer, clock: MovableClock
) -> None:
    """Every refusal is a Refused with a challenge, and nothing else is ever raised."""
    own = issuer.token()
    parts = st.sampled_from([own, *own.split("."), "Bearer", "DPoP", "eyJhbGciOiJub25lIn0", "e30"])
    text = st.lists(st.one_of(parts, st.text(max_size=20)), max_size=6)
    spelled = st.tuples(text, st.sampled_from([" ", ".", "", ",", "\t", "="])).map(
        lambda drawn: drawn[1].join(drawn[0]).encode("utf-8", "surrogatepass")
    )
    prefixed = st.tuples(st.sampled_from([b"Bearer ", b"bearer  ", b"DPoP ", b""]), st.binary(max_size=200))
    values = st.one_of(st.binary(max_size=300), spelled, prefixed.map(b"".join))

    async with guarding(issuer, public_url="https://orders.example.com") as guard:
        tried: list[Any] = []

        @hypothesis.settings(
            max_examples=400, deadline=None, database=None, suppress_health_check=list(HealthCheck)
        )
        @given(values=st.lists(values, max_size=2), proofs=st.lists(values, max_size=2))
        def collect(values: list[bytes], proofs: list[bytes]) -> None:
            tried.append((values, proofs))

        collect()
        answers: set[tuple[int, bool]] = set()
        for sent, proofs in tried:
            headers = [(b"authorization", value) for value in sent] + [(b"dpop", value) for value in proofs]
            try:
                await guard.check(headers, method="GET", path="/")
            except (TokenInvalid, TokenMissing, ProofInvalid) as refused:
                answers.add((refused.status, str(refused.www_authenticate).isascii()))
            else:
                assert [each.split()[-1].decode() for each in sent] == [own]
        assert answers == {(401, True)}


@pytest.mark.parametrize("member", ["keys", "x", "y", "crv", "kty", "kid", "n", "e"])
async def test_c20_odd_keys_of_the_issuer_are_left_out(issuer: Issuer, member: str) -> None:
    """What a broken issuer publishes must not take the service down with it."""
    good = issuer.current.public
    odd: list[Any] = [None, 1, [], {}, "", "\x00", "!", "AAAA", "a" * 10_000, True, "é"]
    base: dict[str, Any] = made("RS256").public if member in {"n", "e"} else made("ES256").public
    keys: list[Any] = [{**base, "kid": f"odd{number}", member: value} for number, value in enumerate(odd)]
    keys += [{name: value for name, value in base.items() if name != member}, *odd]
    keys += [
        ECKey.generate_key("P-384").as_dict(private=False) | {"kid": "p384"},
        OKPKey.generate_key("X25519").as_dict(private=False) | {"kid": "x25519"},
        {**made("RS256").public, "kid": "short", "n": "A" * 3 + "_" * 168},
        {**good, "kid": "enc", "use": "enc"},
        {**good, "kid": "other", "alg": "ES384"},
    ]
    issuer.documents[KEYS] = json.dumps({"keys": [*keys, good]}).encode()
    async with guarding(issuer) as guard:
        assert await checked(guard, issuer.token())
        for kid in ("p384", "x25519", "short", "enc", "other"):
            header = issuer.header(kid=kid)
            await assert_all_refused(guard, {kid: forged(header, issuer.claims(), issuer.current.sign)})


async def test_c20_a_private_key_that_the_issuer_lets_slip_only_verifies(issuer: Issuer) -> None:
    issuer.documents[KEYS] = json.dumps(
        {"keys": [{**issuer.current.key.as_dict(private=True), "kid": issuer.current.kid}]}
    ).encode()
    async with guarding(issuer) as guard:
        assert await checked(guard, issuer.token())
        key: Any = guard._keys._keys[issuer.current.kid].jwk
        assert not key.is_private
