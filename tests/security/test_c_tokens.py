"""Attacks on tokens: forged, altered, of another kind, or signed under a key that anyone could know."""

import base64
import json
from datetime import timedelta
from pathlib import Path
from typing import Any

import jwt
import pytest
from httpx2 import AsyncClient, Response
from joserfc.jwk import ECKey, OKPKey, RSAKey

from gatepost import Gatepost, Settings
from gatepost.core.clock import MovableClock
from gatepost.core.errors import Stopped
from gatepost.core.secrets import new_secret_key, new_token
from gatepost.settings import ensure_secret_key, refusals
from gatepost.users import Users
from gatepost.users.schemas import UserFilter
from tests.conftest import make_settings
from tests.make import PASSWORD, Make
from tests.security.doors import Hall, setup_code
from tests.security.expect import assert_challenged, assert_problem
from tests.security.forge import Sample, forged, hmac_with, our_signer, sample, signer, unsigned
from tests.security.operations import no_database_matters, operations


@pytest.fixture
def settings(database_url: str, tmp_path: Path, request: pytest.FixtureRequest) -> Settings:
    algorithm = getattr(request, "param", "ES256")
    return make_settings(database_url, tmp_path, tokens={"algorithm": algorithm})


pytestmark = pytest.mark.filterwarnings("ignore:EdDSA is deprecated")

each_algorithm = pytest.mark.parametrize("settings", ["ES256", "EdDSA", "RS256"], indirect=True)


@pytest.fixture
async def true(client: AsyncClient, make: Make) -> Sample:
    """A true token, taken apart."""
    me = await make.signed_in()
    return sample(me.access_token, (await client.get("/.well-known/jwks.json")).json())


async def profile(client: AsyncClient, token: str) -> Response:
    # As bytes: forged tokens may hold anything.
    return await client.get("/users/me", headers=[(b"authorization", b"Bearer " + token.encode())])


async def assert_all_refused(client: AsyncClient, tokens: dict[str, str]) -> None:
    for name, token in tokens.items():
        answer = await profile(client, token)
        assert answer.status_code == 401, name
        assert_challenged(answer)
        assert 'error="invalid_token"' in answer.headers["www-authenticate"], name


@no_database_matters
@each_algorithm
async def test_c01_a_token_that_names_no_algorithm_is_refused(client: AsyncClient, true: Sample) -> None:
    names: list[Any] = [
        "none",
        "None",
        "NONE",
        "nOnE",
        "none ",
        "",
        " ",
        "null",
        None,
        [],
        ["none"],
        {},
        0,
        False,
    ]
    tokens = {f"alg {name!r}": forged({**true.header, "alg": name}, true.claims, unsigned) for name in names}
    without = {name: value for name, value in true.header.items() if name != "alg"}
    tokens["no alg"] = forged(without, true.claims, unsigned)
    tokens["alg twice"] = forged(
        json.dumps(true.header)[:-1].encode() + b', "alg": "none"}', true.claims, unsigned
    )
    tokens["right alg, no signature"] = forged(true.header, true.claims, unsigned)
    tokens["no third part"] = forged(true.header, true.claims, unsigned).rstrip(".")
    tokens["zero signature"] = forged(true.header, true.claims, lambda _: bytes(64))
    await assert_all_refused(client, tokens)


@no_database_matters
@each_algorithm
async def test_c01_our_own_key_signs_under_no_other_algorithm(
    client: AsyncClient, gatepost: Gatepost, true: Sample
) -> None:
    sign = await our_signer(gatepost)
    assert (await profile(client, forged(true.header, true.claims, sign))).status_code == 200

    others: list[Any] = [
        "HS256",
        "RS384",
        "PS256",
        "ES384",
        "ES512",
        "ES256K",
        "Ed448",
        "es256",
        "eddsa",
        "none",
        None,
        1,
    ]
    others += [*{"ES256", "EdDSA", "RS256"} - {true.header["alg"]}, "Ed25519", [true.header["alg"]]]
    tokens = {f"{alg!r}": forged({**true.header, "alg": alg}, true.claims, sign) for alg in others}
    await assert_all_refused(client, tokens)


@no_database_matters
@each_algorithm
async def test_c02_our_public_key_is_no_shared_secret(client: AsyncClient, true: Sample) -> None:
    tokens = {
        f"{alg} {name}": forged({**true.header, "alg": alg}, true.claims, hmac_with(secret, digest))
        for name, secret in true.public_encodings().items()
        for alg, digest in (("HS256", "sha256"), ("HS384", "sha384"), ("HS512", "sha512"))
    }
    tokens |= {
        f"{true.header['alg']} {name}": forged(true.header, true.claims, hmac_with(secret))
        for name, secret in true.public_encodings().items()
    }
    await assert_all_refused(client, tokens)


@no_database_matters
@each_algorithm
async def test_c03_a_key_in_the_header_is_not_believed(client: AsyncClient, true: Sample) -> None:
    kinds: dict[str, Any] = {
        "ES256": lambda: ECKey.generate_key("P-256"),
        "EdDSA": lambda: OKPKey.generate_key("Ed25519"),
        "RS256": lambda: RSAKey.generate_key(2048),
    }
    theirs = kinds[true.header["alg"]]()
    jwk = theirs.as_dict(private=False)
    extras: list[dict[str, Any]] = [
        {"jwk": jwk},
        {"x5c": ["MIIB"]},
        {"jku": "https://evil.example/jwks.json"},
        {"x5u": "https://evil.example/cert.pem"},
        {"x5t": "AAAA", "x5t#S256": "AAAA"},
    ]
    for kid in (true.header["kid"], "theirs", jwk.get("x", jwk.get("n"))):
        extras.append({"kid": kid})
        extras.append({"kid": kid, "jwk": {**jwk, "kid": kid}})
    tokens = {
        f"{extra}": forged({**true.header, **extra}, true.claims, signer(theirs.private_key))
        for extra in extras
    }
    await assert_all_refused(client, tokens)


@each_algorithm
async def test_c04_a_kid_is_only_ever_looked_up(
    client: AsyncClient, gatepost: Gatepost, true: Sample
) -> None:
    kids: list[Any] = [
        "../../../../dev/null",
        "/dev/null",
        "file:///etc/passwd",
        "https://evil.example/key",
        "x' UNION SELECT 'AAAA' --",
        "'; DROP TABLE signing_keys; --",
        "\x00",
        f"{true.header['kid']}\x00",
        "\ud800",
        "\uffff",
        "",
        "a" * 2000,
        None,
        0,
        True,
        [true.header["kid"]],
        {"kid": true.header["kid"]},
    ]
    own = await our_signer(gatepost)
    for sign in (own, hmac_with(b"")):
        tokens = {f"{kid!r}": forged({**true.header, "kid": kid}, true.claims, sign) for kid in kids}
        await assert_all_refused(client, tokens)
    without = {name: value for name, value in true.header.items() if name != "kid"}
    await assert_all_refused(client, {"no kid": forged(without, true.claims, own)})


@no_database_matters
@each_algorithm
async def test_c05_extensions_that_a_token_calls_critical_are_refused(
    client: AsyncClient, gatepost: Gatepost, true: Sample
) -> None:
    sign = await our_signer(gatepost)
    crits: list[Any] = [["x"], ["exp"], ["b64"], ["alg"], [], "x", None, 1, {}, [1], ["x", "x"]]
    tokens = {f"crit {c!r}": forged({**true.header, "crit": c}, true.claims, sign) for c in crits}
    tokens["b64 off"] = forged({**true.header, "b64": False, "crit": ["b64"]}, true.claims, sign)
    tokens["known to nobody"] = forged({**true.header, "x": 1, "crit": ["x"]}, true.claims, sign)
    tokens["zip"] = forged({**true.header, "zip": "DEF"}, true.claims, sign)
    tokens["cty"] = forged({**true.header, "cty": "JWT"}, true.claims, sign)
    await assert_all_refused(client, tokens)


@no_database_matters
@each_algorithm
async def test_c06_issuer_audience_and_type_are_compared_whole(
    client: AsyncClient, gatepost: Gatepost, settings: Settings, true: Sample
) -> None:
    sign = await our_signer(gatepost)
    ours = settings.issuer
    names: list[Any] = [
        "",
        "x",
        ours[:-1],
        ours + "/",
        ours + ".evil",
        ours.upper(),
        f" {ours}",
        f"{ours}\x00",
    ]
    names += [[ours], [ours, "x"], {"iss": ours}, None, 0, True]
    tokens = {f"iss {n!r}": forged(true.header, {**true.claims, "iss": n}, sign) for n in names}
    tokens |= {f"aud {n!r}": forged(true.header, {**true.claims, "aud": n}, sign) for n in names}
    types: list[Any] = ["JWT", "jwt", "AT+JWT", "application/at+jwt", "at+jwt ", "", None, ["at+jwt"], 1]
    tokens |= {f"typ {t!r}": forged({**true.header, "typ": t}, true.claims, sign) for t in types}
    without = {name: value for name, value in true.header.items() if name != "typ"}
    tokens["no typ"] = forged(without, true.claims, sign)
    await assert_all_refused(client, tokens)


@no_database_matters
@each_algorithm
async def test_c06_claims_that_lack_or_have_the_wrong_type_are_refused(
    client: AsyncClient, gatepost: Gatepost, true: Sample
) -> None:
    sign = await our_signer(gatepost)
    tokens: dict[str, str] = {}
    for name in ("iss", "sub", "aud", "exp", "iat", "jti", "sid", "client_id", "scope"):
        rest = {claim: value for claim, value in true.claims.items() if claim != name}
        tokens[f"no {name}"] = forged(true.header, rest, sign)
    odd: list[Any] = [None, True, [], {}, [1], {"a": 1}, "", "\x00", "\ud800", -1, 10**400, 1e308]
    for name in ("sub", "sid", "client_id", "scope", "exp", "iat", "jti"):
        wrong = [value for value in odd if not _may_be(name, value)]
        tokens |= {
            f"{name} {value!r:.40}": forged(true.header, {**true.claims, name: value}, sign)
            for value in wrong
        }
    for text in ("NaN", "Infinity", "-Infinity", "1e999", '"9999999999"', "9999999999.5e3000"):
        payload = json.dumps({**true.claims, "exp": 0}).replace('"exp": 0', f'"exp": {text}')
        tokens[f"exp {text}"] = forged(true.header, payload.encode(), sign)
    await assert_all_refused(client, tokens)


def _may_be(name: str, value: Any) -> bool:
    """Tell whether the claim may have this value: some of the odd ones are merely unusual."""
    if name in {"client_id", "scope", "jti"}:
        return isinstance(value, str)
    return name == "iat" and isinstance(value, int) and not isinstance(value, bool)


@no_database_matters
@each_algorithm
async def test_c01_whatever_stands_in_the_parts_the_answer_is_401(
    client: AsyncClient, gatepost: Gatepost, true: Sample
) -> None:
    sign = await our_signer(gatepost)
    odd = [
        b"",
        b"null",
        b"1",
        b'"text"',
        b"[]",
        b"[1]",
        b"{}",
        b"{",
        b"\xff\xfe",
        b"\x00",
        b"[" * 2000,
        b'{"alg"',
    ]
    odd += [b"true", b"NaN", b"1" * 3000, b'{"alg":{"alg":{}}}']
    tokens = {f"header {part!r:.30}": forged(part, true.claims, sign) for part in odd}
    tokens |= {f"claims {part!r:.30}": forged(true.header, part, sign) for part in odd}
    whole = forged(true.header, true.claims, sign)
    tokens |= {
        "four parts": f"{whole}.{whole.rpartition('.')[2]}",
        "five parts": ".".join(["a"] * 5),
        "one part": "a",
        "dots": "." * 4000,
        "JSON serialization": json.dumps({"payload": "a", "signature": "b"}),
        "too long": whole + "A" * 5_000,
        "not ASCII": whole + "é",
        "NUL": whole + "\x00",
    }
    await assert_all_refused(client, tokens)


@each_algorithm
async def test_c01_a_second_library_verifies_our_token_by_our_published_keys(
    client: AsyncClient, make: Make, settings: Settings
) -> None:
    me = await make.signed_in()
    keys = jwt.PyJWKSet.from_dict((await client.get("/.well-known/jwks.json")).json())
    header = jwt.get_unverified_header(me.access_token)

    claims = jwt.decode(
        me.access_token,
        keys[header["kid"]],
        algorithms=[settings.tokens.algorithm],
        audience=settings.issuer,
        issuer=settings.issuer,
        options={"require": ["iss", "sub", "aud", "exp", "iat", "jti"]},
    )

    assert header.keys() == {"alg", "typ", "kid"}
    assert (header["alg"], header["typ"]) == (settings.tokens.algorithm, "at+jwt")
    assert claims["sub"] == str(me.person.id)
    assert claims["exp"] - claims["iat"] == 900
    assert claims.keys() == {"iss", "sub", "aud", "exp", "iat", "jti", "sid", "client_id", "scope"}


@no_database_matters
@each_algorithm
async def test_c02_the_published_keys_hold_no_private_half(client: AsyncClient, make: Make) -> None:
    await make.signed_in()
    for key in (await client.get("/.well-known/jwks.json")).json()["keys"]:
        assert not key.keys() & {"d", "p", "q", "dp", "dq", "qi", "k", "oth"}
        assert (key["use"], key["alg"] in {"ES256", "EdDSA", "RS256"}) == ("sig", True)


@no_database_matters
async def test_c01_an_access_token_dies_in_the_second_it_says(
    client: AsyncClient, make: Make, clock: MovableClock, true: Sample
) -> None:
    me = await make.signed_in()
    expires = jwt.decode(me.access_token, options={"verify_signature": False})["exp"]

    clock.move(timedelta(seconds=expires - clock.now().timestamp() - 0.001))
    alive = await profile(client, me.access_token)
    clock.move(timedelta(seconds=0.002))

    assert alive.status_code == 200
    await assert_all_refused(client, {"first time after": me.access_token, "again": me.access_token})


async def kinds(hall: Hall) -> dict[str, str]:
    """Return one live token of every kind there is."""
    code = await setup_code(hall.gatepost)
    me = await hall.make.signed_in()
    await hall.make.user()
    listed = await hall.gatepost.build(Users, hall.gatepost.reading()).page(UserFilter(limit=1))
    assert listed.next is not None
    return {
        "access": me.access_token,
        "refresh": me.refresh_token,
        "setup": code,
        "cursor": listed.next,
        "fresh refresh": new_token("rt"),
        "fresh setup": new_token("setup"),
        "unknown kind": new_token("at"),
        "password": PASSWORD,
        "session": str(jwt.decode(me.access_token, options={"verify_signature": False})["sid"]),
    }


async def test_c11_only_an_access_token_opens_a_guarded_operation(client: AsyncClient, hall: Hall) -> None:
    tokens = await kinds(hall)
    for each in await operations(client):
        if each.is_public:
            continue
        for name, token in tokens.items():
            if name != "access":
                answer = await each.call(client, headers={"Authorization": f"Bearer {token}"})
                assert_challenged(answer)
    assert (await profile(client, tokens["access"])).status_code == 200


async def test_c11_only_a_refresh_token_is_exchanged(hall: Hall) -> None:
    tokens = await kinds(hall)
    for name, token in tokens.items():
        if name != "refresh":
            assert_problem(await hall.make.refresh(token), 400, 422, secret=token)
    for name, token in tokens.items():
        form = {"username": "x@example.com", "password": token, "refresh_token": token}
        assert_problem(await hall.client.post("/users/token", data=form), 400, 422, secret=token)
        form = {"grant_type": name, "refresh_token": tokens["refresh"]}
        assert_problem(await hall.client.post("/users/token", data=form), 400)
    assert (await hall.make.refresh(tokens["refresh"])).status_code == 200


async def test_c11_only_a_setup_code_makes_the_first_administrator(hall: Hall) -> None:
    tokens = await kinds(hall)
    account = {"email": "first@example.com", "password": PASSWORD}
    for name, token in tokens.items():
        if name != "setup":
            answer = await hall.client.post("/setup", json={**account, "code": token})
            assert_problem(answer, 403, 422, secret=token)
    assert (await hall.client.post("/setup", json={**account, "code": tokens["setup"]})).status_code == 200
    for token in tokens.values():
        again = {**account, "email": "second@example.com", "code": token}
        assert_problem(await hall.client.post("/setup", json=again), 403, 422, secret=token)


async def test_c11_only_a_cursor_turns_the_page(hall: Hall) -> None:
    tokens = await kinds(hall)
    administrator = await hall.make.signed_in(await hall.make.administrator())
    for name, token in tokens.items():
        params = {"cursor": token}
        answer = await hall.client.get("/users/", params=params, headers=administrator.headers)
        if name == "cursor":
            assert answer.status_code == 200
        else:
            assert_problem(answer, 422, secret=token)


ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"


def alterations(token: str) -> list[str]:
    """Return the token with each character dropped, doubled or replaced, and with something at its ends."""
    found: list[str] = []
    for place, char in enumerate(token):
        before, after = token[:place], token[place + 1 :]
        # The lowest bit: where it is unused, a lenient decoder would not see the difference.
        near = ALPHABET[ALPHABET.index(char) ^ 1] if char in ALPHABET else "A"
        found += [before + after, before + near + after, before + char + char + after]
    found += [token[:-1] + char for char in ALPHABET if char != token[-1]]
    found += [token + char for char in "A=_-.\n \t\x00*"] + [token + "==", token + "====", token + ".a"]
    found += [char + token for char in "A=._"] + [token * 2, token[: len(token) // 2], token[::-1]]
    found += [token.swapcase(), token.upper(), token.replace("-", "+").replace("_", "/")]
    unpadded = [token.replace(char, f"{char}\n", 1) for char in "Ae_"]
    return [each for each in {*found, *unpadded} if each != token]


@no_database_matters
async def test_c13_an_altered_access_token_is_refused(client: AsyncClient, make: Make) -> None:
    me = await make.signed_in()
    for altered in alterations(me.access_token):
        if altered.strip() != me.access_token:  # blanks around it belong to the header, not to the token
            assert (await profile(client, altered)).status_code == 401, altered
    assert (await profile(client, me.access_token)).status_code == 200


async def test_c13_an_altered_refresh_token_is_refused(make: Make) -> None:
    me = await make.signed_in()
    for altered in alterations(me.refresh_token):
        assert (await make.refresh(altered)).status_code in {400, 422}, altered
    assert (await make.refresh(me.refresh_token)).status_code == 200


async def test_c13_an_altered_setup_code_is_refused(client: AsyncClient, hall: Hall) -> None:
    code = await setup_code(hall.gatepost)
    account = {"email": "first@example.com", "password": PASSWORD}
    for altered in alterations(code):
        answer = await client.post("/setup", json={**account, "code": altered})
        assert answer.status_code in {403, 422}, altered
    assert (await client.post("/setup", json={**account, "code": code})).status_code == 200


@no_database_matters
async def test_c13_an_altered_cursor_is_refused(client: AsyncClient, make: Make) -> None:
    await make.user()
    administrator = await make.signed_in(await make.administrator())
    listed = await client.get("/users/", params={"limit": 1}, headers=administrator.headers)
    cursor = listed.json()["next"]
    for altered in alterations(cursor):
        answer = await client.get("/users/", params={"cursor": altered}, headers=administrator.headers)
        assert answer.status_code == 422, altered
    answer = await client.get("/users/", params={"cursor": cursor}, headers=administrator.headers)
    assert answer.status_code == 200


async def test_c13_a_token_with_a_right_checksum_that_we_did_not_give_out_is_refused(
    client: AsyncClient, make: Make
) -> None:
    assert_problem(await make.refresh(new_token("rt")), 400)
    body = {"email": "first@example.com", "password": PASSWORD, "code": new_token("setup")}
    assert_problem(await client.post("/setup", json=body), 403)


WEAK_KEYS = {
    "empty": "",
    "blank": " " * 40,
    "short": new_secret_key()[:31],
    "one character": "a" * 64,
    "two characters": "ab" * 32,
    "a sequence twice": "0123456789abcdef" * 2,
    "a strong half twice": base64.b64encode(bytes(range(60, 84))).decode() * 2,
    "change me": f"change-me-{new_secret_key()}",
    "CHANGEME": f"{new_secret_key()}CHANGEME",
    "secret": f"my-secret-{new_secret_key()}",
    "your key here": f"your-key-here-{new_secret_key()}",
}


@pytest.mark.parametrize("environment", ["development", "test", "production"])
@pytest.mark.parametrize("name", WEAK_KEYS)
def test_c14_a_weak_key_does_not_start(name: str, environment: str, tmp_path: Path) -> None:
    weak = WEAK_KEYS[name]
    settings = make_settings(
        "sqlite:///unused.db",
        tmp_path,
        environment=environment,
        secret_key=weak,
        public_url="https://auth.example.com",
    )

    with pytest.raises(Stopped, match="GATEPOST_SECRET_KEY") as refused:
        Gatepost(settings)

    assert len(refusals(settings)) == 1
    assert not weak.strip() or weak not in str(refused.value)


def test_c14_production_has_no_default_key(tmp_path: Path) -> None:
    settings = make_settings(
        "sqlite:///unused.db",
        tmp_path,
        environment="production",
        secret_key=None,
        public_url="https://auth.example.com",
    )
    with pytest.raises(Stopped, match="GATEPOST_SECRET_KEY is not set"):
        ensure_secret_key(settings)
    assert list(tmp_path.iterdir()) == []


def test_c14_a_generated_key_is_strong_kept_private_and_never_another(tmp_path: Path) -> None:
    def start(directory: Path) -> str:
        settings = make_settings("sqlite:///unused.db", directory, environment="development", secret_key=None)
        key = ensure_secret_key(settings).secret_key
        assert key is not None
        return key.get_secret_value()

    first, again, elsewhere = start(tmp_path / "a"), start(tmp_path / "a"), start(tmp_path / "b")

    assert (len(first) >= 43, first == again, first != elsewhere) == (True, True, True)
    assert (tmp_path / "a" / "secret_key").stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize("spoilt", ["", "short", "a" * 64])
def test_c14_a_spoilt_key_file_does_not_start(tmp_path: Path, spoilt: str) -> None:
    (tmp_path / "secret_key").write_text(spoilt)
    settings = make_settings("sqlite:///unused.db", tmp_path, environment="development", secret_key=None)
    with pytest.raises(Stopped, match="secret key"):
        ensure_secret_key(settings)
