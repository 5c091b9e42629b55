"""What the guard costs a service per request: `python -m bench.guard SECONDS` prints CPU in µs of each kind of check.

The issuer is a few documents in memory: what is fetched from it is fetched between requests, not for one.
"""

import asyncio
import base64
import hashlib
import itertools
import json
import subprocess
import sys
import time
from collections.abc import Awaitable, Callable, Iterator
from typing import Any

from joserfc import jws
from joserfc.jwk import ECKey

from bench.findings import Check
from bench.plan import ROOT, pinned
from bench.results import Results
from bench.site import Site, say
from gatepost.guard import Fetched, Guard, GuardOptions, Refused

REPEATED = "a repeated token"
FIRST = "a token seen for the first time (ES256)"
BOUND = "a repeated token that is bound to a key, each time with a new proof (ES256)"
GARBAGE = "what is no token"

ISSUER = "https://auth.example.com"
SERVICE = "https://orders.example.com"
PATH = "/orders/7"
ENDED_SESSIONS = 5_000
_HEADERS = [
    (b"host", b"orders.example.com"),
    (b"user-agent", b"Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"),
    (b"accept", b"application/json"),
    (b"accept-encoding", b"gzip, deflate, br"),
    (b"accept-language", b"en"),
    (b"x-request-id", b"01a20387-6c82-7b3f-82f3-6dd1596a3c85"),
]
_BATCH = 500


def study(site: Site, results: Results) -> None:
    """Measure each kind of check in every round, in a process of its own on the server's processor."""
    command = pinned(site.plan.placement.server, [sys.executable, "-m", "bench.guard"])
    for turn in range(site.plan.rounds):
        told = subprocess.check_output([*command, str(site.plan.seconds / 4)], cwd=ROOT, text=True)
        for name, cpu_us in json.loads(told).items():
            if turn == 0:
                results.guard.append(Check(name))
            next(each for each in results.guard if each.name == name).cpu_us.append(cpu_us)
        say(f"guard: round {turn + 1} of {site.plan.rounds}")


class Issuer:
    """Signs tokens, and answers what the guard asks."""

    def __init__(self) -> None:
        self.key = ECKey.generate_key("P-256")
        self.now = int(time.time())
        self._numbers = itertools.count()

    async def __call__(self, url: str) -> Fetched:
        headers = {"cache-control": "max-age=300"}
        return Fetched(self._document(url.removeprefix(ISSUER).partition("?")[0]).encode(), headers)

    async def close(self) -> None:
        """Nothing is held open."""

    def _document(self, path: str) -> str:
        if path == "/keys":
            return json.dumps({"keys": [{**self.key.as_dict(private=False), "kid": "1", "alg": "ES256"}]})
        if path == "/ended":
            return self._signed("revoked-sessions+jwt", self._ended())
        places = {"jwks_uri": f"{ISSUER}/keys", "gatepost_revoked_sessions_uri": f"{ISSUER}/ended"}
        return json.dumps({"issuer": ISSUER, **places})

    def _ended(self) -> dict[str, Any]:
        sessions = [f"018f0000-0000-7000-9000-{number:012}" for number in range(ENDED_SESSIONS)]
        times = {"iat": self.now, "complete_since": self.now - 1200, "keep": 1200}
        return {"iss": ISSUER, "sessions": sessions, "next": "1", "more": False, "kids": ["1"], **times}

    def token(self, **changed: Any) -> str:
        """Return a token like those of the service."""
        number = next(self._numbers)
        claims = {
            "iss": ISSUER,
            "sub": f"018f0000-0000-7000-8000-{number:012}",
            "aud": SERVICE,
            "exp": self.now + 900,
            "iat": self.now,
            "jti": f"018f0000-0000-7000-8000-{number:012}",
            "sid": f"018f0000-0000-7000-8000-{number:012}",
            "client_id": "first-party",
            "scope": "account",
            **changed,
        }
        return self._signed("at+jwt", claims)

    def _signed(self, kind: str, claims: dict[str, Any]) -> str:
        return signed({"alg": "ES256", "typ": kind, "kid": "1"}, claims, self.key)


def signed(header: dict[str, Any], claims: dict[str, Any], key: ECKey) -> str:
    """Return a JWS."""
    return jws.serialize_compact(header, json.dumps(claims), key, registry=_LARGE)


class _Large(jws.JWSRegistry):
    max_payload_length = 1_000_000


_LARGE = _Large(algorithms=["ES256"])


class Holder:
    """A client that holds a key, and a token that is bound to it."""

    def __init__(self, issuer: Issuer) -> None:
        self._key = ECKey.generate_key("P-256")
        self._issuer = issuer
        self._numbers = itertools.count()
        self.token = issuer.token(cnf={"jkt": self._key.thumbprint()})
        digest = hashlib.sha256(self.token.encode()).digest()
        self._ath = base64.urlsafe_b64encode(digest).decode().rstrip("=")

    def proof(self) -> bytes:
        """Return a proof that was never shown."""
        header = {"typ": "dpop+jwt", "alg": "ES256", "jwk": self._key.as_dict(private=False)}
        said = {"htm": "GET", "htu": f"{SERVICE}{PATH}", "iat": self._issuer.now, "ath": self._ath}
        return signed(header, {**said, "jti": str(next(self._numbers))}, self._key).encode()


Headers = list[tuple[bytes, bytes]]


def kinds(issuer: Issuer) -> Iterator[tuple[str, Callable[[], Headers]]]:
    """Yield what requests bear; each is made outside the measured time."""
    again, holder = issuer.token(), Holder(issuer)
    yield REPEATED, lambda: bearing(b"Bearer", again)
    yield FIRST, lambda: bearing(b"Bearer", issuer.token())
    yield BOUND, lambda: [*bearing(b"DPoP", holder.token), (b"dpop", holder.proof())]
    yield GARBAGE, lambda: bearing(b"Bearer", f"{again[:-2]}AA")


def bearing(scheme: bytes, token: str) -> Headers:
    """Return the headers of a usual request, with a token."""
    return [*_HEADERS, (b"authorization", scheme + b" " + token.encode())]


async def measured(seconds: float) -> dict[str, float]:
    """Return CPU in µs of each kind of check."""
    issuer = Issuer()
    # The proofs must not grow too old while they are made and used.
    options = GuardOptions(public_url=SERVICE, proof_window=600)
    async with Guard(ISSUER, audience=SERVICE, options=options, fetch=issuer) as guard:
        assert guard.standing.ended_sessions == ENDED_SESSIONS
        return {name: await _cpu_us(_checking(guard), make, seconds) for name, make in kinds(issuer)}


def _checking(guard: Guard) -> Callable[[Headers], Awaitable[None]]:
    async def check(headers: Headers) -> None:
        try:
            await guard.check(headers, method="GET", path=PATH)
        except Refused as refused:
            if refused.code != "token-invalid":
                raise

    return check


async def _cpu_us(
    check: Callable[[Headers], Awaitable[None]], make: Callable[[], Headers], seconds: float
) -> float:
    used, count = 0.0, 0
    await check(make())
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        requests = [make() for _ in range(_BATCH)]
        began = time.thread_time()
        for headers in requests:
            await check(headers)
        used += time.thread_time() - began
        count += _BATCH
    return used / count * 1_000_000


if __name__ == "__main__":
    print(json.dumps(asyncio.run(measured(float(sys.argv[1])))))
