"""An issuer in the hands of the test: it signs whatever is asked of it, and can be slow, gone or hostile."""

import asyncio
import json
import secrets
from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from cryptography.hazmat.primitives.asymmetric import padding
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.hashes import SHA256
from joserfc.jwk import ECKey, OKPKey, RSAKey

from gatepost.core.clock import MovableClock
from gatepost.guard import Fetched, Guard, GuardOptions, Unfetched
from tests.security.forge import Signer, forged, signer

URL = "https://auth.example.com"
METADATA = f"{URL}/.well-known/oauth-authorization-server"
KEYS = f"{URL}/.well-known/jwks.json"
ENDED = f"{URL}/sessions/revoked"
AUDIENCE = "https://orders.example.com"

# No background look comes in between: tests look when they mean to.
SELDOM = 60.0


class GuardClock:
    """The clock of a test, as the guard reads it."""

    def __init__(self, clock: MovableClock) -> None:
        self._clock = clock

    def now(self) -> float:
        return self._clock.now().timestamp()

    def monotonic(self) -> float:
        return self.now()


@dataclass
class Pair:
    """A key pair of the issuer."""

    kid: str
    algorithm: str
    key: Any
    listed: bool = True

    @property
    def public(self) -> dict[str, Any]:
        members = self.key.as_dict(private=False)
        return {**members, "kid": self.kid, "use": "sig", "alg": self.algorithm}

    @property
    def sign(self) -> Signer:
        private = self.key.private_key
        if isinstance(private, RSAPrivateKey):
            return lambda signed: private.sign(signed, padding.PKCS1v15(), SHA256())
        return signer(private)


def made(algorithm: str, kid: str | None = None) -> Pair:
    """Make a key pair."""
    key: Any = {
        "ES256": lambda: ECKey.generate_key("P-256"),
        "EdDSA": lambda: OKPKey.generate_key("Ed25519"),
        "RS256": lambda: RSAKey.generate_key(2048),
    }[algorithm]()
    return Pair(kid or secrets.token_hex(8), algorithm, key)


@dataclass
class Issuer:
    """Implements the guard's `Fetch`: what it answers is what the network would."""

    clock: MovableClock
    pairs: list[Pair]
    url: str = URL
    asked: list[str] = field(default_factory=list)
    down: bool = False
    held: asyncio.Event | None = None
    documents: dict[str, bytes] = field(default_factory=dict)
    headers: dict[str, str] = field(default_factory=lambda: {"cache-control": "public, max-age=300"})
    ended: list[str] = field(default_factory=list)
    list_claims: dict[str, Any] = field(default_factory=dict)
    list_header: dict[str, Any] = field(default_factory=dict)
    list_signer: Pair | None = None

    @property
    def now(self) -> int:
        return int(self.clock.now().timestamp())

    @property
    def current(self) -> Pair:
        return self.pairs[-1]

    def count(self, url: str) -> int:
        """Return how often a document was asked for."""
        return sum(each.partition("?")[0] == url for each in self.asked)

    async def __call__(self, url: str) -> Fetched:
        self.asked.append(url)
        if self.held is not None:
            await self.held.wait()
        if self.down:
            raise Unfetched("down")
        place = url.partition("?")[0]
        body = self.documents.get(place) or self._document(place)
        if body is None:
            raise Unfetched("status 404", 404)
        return Fetched(body, self.headers)

    async def close(self) -> None:
        """Nothing is held open."""

    def _document(self, place: str) -> bytes | None:
        if place.startswith(f"{self.url}/.well-known/oauth-authorization-server"):
            return json.dumps(self.metadata()).encode()
        if place == f"{self.url}/.well-known/jwks.json":
            return json.dumps({"keys": [pair.public for pair in self.pairs if pair.listed]}).encode()
        return self.ended_sessions().encode() if place == f"{self.url}/sessions/revoked" else None

    def metadata(self) -> dict[str, Any]:
        return {
            "issuer": self.url,
            "jwks_uri": f"{self.url}/.well-known/jwks.json",
            "gatepost_revoked_sessions_uri": f"{self.url}/sessions/revoked",
        }

    def ended_sessions(self) -> str:
        claims = {
            "iss": self.url,
            "iat": self.now,
            "sessions": self.ended,
            "next": str(self.now),
            "more": False,
            "complete_since": self.now - 1200,
            "keep": 1200,
            "kids": [pair.kid for pair in self.pairs if pair.listed],
            **self.list_claims,
        }
        pair = self.list_signer or self.current
        header = {"alg": pair.algorithm, "typ": "revoked-sessions+jwt", "kid": pair.kid, **self.list_header}
        return forged(header, claims, pair.sign)

    def header(self, **changed: Any) -> dict[str, Any]:
        return {"alg": self.current.algorithm, "typ": "at+jwt", "kid": self.current.kid, **changed}

    def claims(self, **changed: Any) -> dict[str, Any]:
        return {
            "iss": self.url,
            "sub": "018f0000-0000-7000-8000-000000000001",
            "aud": AUDIENCE,
            "exp": self.now + 900,
            "iat": self.now,
            "jti": secrets.token_hex(8),
            "sid": "018f0000-0000-7000-8000-000000000002",
            "client_id": "first-party",
            "scope": "account orders:read",
            **changed,
        }

    def token(self, pair: Pair | None = None, **changed: Any) -> str:
        """Return a token that the issuer signed, whatever it says."""
        pair = pair or self.current
        return forged(
            {"alg": pair.algorithm, "typ": "at+jwt", "kid": pair.kid}, self.claims(**changed), pair.sign
        )


def guard_of(issuer: Issuer, **options: Any) -> Guard:
    """Return a guard of this issuer that looks when it is told to."""
    chosen: dict[str, Any] = {"poll_every": SELDOM, **options}
    return Guard(
        issuer.url,
        audience=AUDIENCE,
        options=GuardOptions(**chosen),
        fetch=issuer,
        clock=GuardClock(issuer.clock),
    )


@asynccontextmanager
async def guarding(issuer: Issuer, **options: Any) -> AsyncGenerator[Guard]:
    """Yield an open guard of this issuer."""
    async with guard_of(issuer, **options) as guard:
        yield guard


async def look(guard: Guard) -> None:
    """Do once what the guard's own task does again and again."""
    await guard._keys.keep_fresh()
    if guard._ended is not None:
        await guard._ended.read()


def bearing(
    token: str | bytes, *more: tuple[bytes, bytes], scheme: bytes = b"Bearer"
) -> list[tuple[bytes, bytes]]:
    """Return the headers of a request that bears a token."""
    sent = token if isinstance(token, bytes) else token.encode("utf-8", "surrogatepass")
    return [(b"host", b"orders.example.com"), (b"authorization", scheme + b" " + sent), *more]


async def checked(guard: Guard, token: str | bytes, **needs: Any) -> Any:
    """Return the caller of a request that bears the token."""
    return await guard.check(bearing(token), method="GET", path="/orders", **needs)


def jwk_set(*keys: Mapping[str, Any]) -> bytes:
    """Return a document of keys."""
    return json.dumps({"keys": list(keys)}).encode()
