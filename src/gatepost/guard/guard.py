"""The guard: one for each issuer and service, open for as long as the service runs."""

import asyncio
import hashlib
import logging
import random
import ssl
from collections import OrderedDict
from collections.abc import Collection
from contextlib import suppress
from dataclasses import dataclass
from types import TracebackType
from typing import Self

from gatepost.guard.caller import Caller, Needs, caller_of
from gatepost.guard.clock import Clock, SystemClock
from gatepost.guard.discovery import Discovery
from gatepost.guard.dpop import Proofs
from gatepost.guard.ended import EndedSessions
from gatepost.guard.errors import (
    ProofInvalid,
    ProofRequired,
    Refused,
    Scheme,
    ScopeMissing,
    SessionRevoked,
    StepUpRequired,
    TokenExpired,
    TokenInvalid,
    TokenMissing,
    Unverifiable,
)
from gatepost.guard.fetch import Fetch, HttpFetch, checked_url
from gatepost.guard.jose import MALFORMED, extracted, opened
from gatepost.guard.keys import Keys
from gatepost.guard.settings import GuardOptions

__all__ = ["Guard", "Standing"]

_log = logging.getLogger("gatepost.guard")

LONGEST = 8192
_HEADER = {"alg", "typ", "kid"}
_TYPES = {"at+jwt", "application/at+jwt"}  # RFC 9068, section 4
_SCHEMES: dict[bytes, Scheme] = {b"bearer": "Bearer", b"dpop": "DPoP"}
_JITTER = 0.1
_NOTHING = Needs()


@dataclass(frozen=True, slots=True)
class Standing:
    """How the guard stands, for health checks and metrics; ages in seconds, None: nothing was ever read."""

    keys: int
    keys_age: float | None
    ended_sessions: int
    list_age: float | None
    remembered_tokens: int


class Guard:
    """Tells whose access token a request bears, and whether it may be used here.

    `issuer` is the public URL of the user service, exactly as it names itself; `audience` is how its tokens name
    this service: the issuer too, unless it is set otherwise there. Use it as an asynchronous context manager: a
    task of its own keeps keys and ended sessions up to date meanwhile. It can be entered while the issuer is away.
    """

    def __init__(
        self,
        issuer: str,
        *,
        audience: str | None = None,
        options: GuardOptions | None = None,
        tls: ssl.SSLContext | None = None,
        fetch: Fetch | None = None,
        clock: Clock | None = None,
    ) -> None:
        self.issuer = issuer
        self.audience = audience or issuer
        self.options = options = options or GuardOptions()
        self._clock = clock or SystemClock()
        self._fetch = fetch or HttpFetch(options.timeout, tls)
        if options.public_url is not None:
            checked_url(options.public_url, allow_http=True)
        discovery = Discovery(issuer, self._fetch, self._clock, allow_http=options.allow_http)
        self._keys = Keys(discovery, self._fetch, self._clock, options.keys_stale_for)
        self._ended: EndedSessions | None = None
        if options.revocation == "feed":
            self._ended = EndedSessions(
                issuer, discovery, self._keys, self._fetch, self._clock, options.leeway
            )
        self._proofs = Proofs(self._clock, options.proof_window, options.leeway)
        self._verified: OrderedDict[bytes, Caller] = OrderedDict()
        self._generation = self._keys.generation
        self._watching: asyncio.Task[None] | None = None
        self._read_once = asyncio.Event()

    # ── for every request ────────────────────────────────────────────────────────────────────────

    async def check(
        self,
        headers: Collection[tuple[bytes, bytes]],
        *,
        method: str,
        path: str,
        needs: Needs = _NOTHING,
    ) -> Caller:
        """Return who sends a request with these headers, as ASGI has them. Raises Refused, whatever is in them.

        `path` is percent-encoded, and without the query. It counts for tokens that are bound to a key.
        """
        credentials = [value for name, value in headers if name == b"authorization"]
        if not credentials:
            raise TokenMissing
        if len(credentials) > 1:
            raise TokenInvalid("two credentials")
        named, _, rest = credentials[0].partition(b" ")
        scheme = _SCHEMES.get(named.lower())
        if scheme is None:
            raise TokenMissing
        token = rest.strip(b" ").decode("latin-1")
        try:
            caller = await self._verified_caller(token)
            if scheme == "DPoP" or caller.key_thumbprint is not None:
                proofs = [value for name, value in headers if name == b"dpop"]
                self._need_proof(scheme, proofs, token, caller, method, path)
            self._need(caller, needs)
        except Refused as refused:
            if scheme == "DPoP":
                refused.scheme = scheme
            raise
        return caller

    async def verify(self, token: str, needs: Needs = _NOTHING) -> Caller:
        """Return whom a token that is bound to no key speaks for, for what is no HTTP request. Raises Refused."""
        caller = await self._verified_caller(token)
        if caller.key_thumbprint is not None:
            raise ProofRequired
        self._need(caller, needs)
        return caller

    async def _verified_caller(self, token: str) -> Caller:
        if self._watching is None:
            raise RuntimeError(
                "the guard is not open: use `async with guard:`, or attach it to the application"
            )
        if not token or len(token) > LONGEST or not token.isascii():
            raise TokenInvalid("too long, or not ASCII")
        if self._clock.monotonic() >= self._keys.fresh_until:
            await self._keys.usable()
        if self._generation != self._keys.generation:
            self._generation = self._keys.generation
            self._verified.clear()
        digest = hashlib.sha256(token.encode()).digest()
        caller = self._verified.get(digest)
        if caller is None:
            caller = await self._opened(token)
            self._verified[digest] = caller
            if len(self._verified) > self.options.remembered:
                self._verified.popitem(last=False)
        else:
            self._verified.move_to_end(digest)
            if caller.expires_at + self.options.leeway <= self._clock.now():
                del self._verified[digest]
                raise TokenExpired
        self._need_live(caller)
        return caller

    async def _opened(self, token: str) -> Caller:
        try:
            sealed = extracted(token)
            header = sealed.header
            # Exactly what the issuer writes: no `crit`, `jwk`, `jku`, `x5c`, and nothing of it is ever fetched.
            if header.keys() != _HEADER or header["typ"] not in _TYPES or type(header["kid"]) is not str:
                raise TokenInvalid("not the header of an access token")
            key = await self._keys.find(header["kid"])
            if key is None:
                raise TokenInvalid("signed with a key that the issuer does not publish")
            claims = opened(sealed, key)
        except MALFORMED as error:
            raise TokenInvalid(f"malformed: {type(error).__name__}") from error
        return caller_of(
            claims,
            issuer=self.issuer,
            audience=self.audience,
            now=self._clock.now(),
            leeway=self.options.leeway,
        )

    def _need_live(self, caller: Caller) -> None:
        ended = self._ended
        if ended is None or caller.session_id is None:
            return
        if caller.session_id in ended:
            raise SessionRevoked
        if self.options.stale_feed == "refuse" and not ended.covers(caller, self.options.max_feed_age):
            raise Unverifiable("the list of ended sessions is too old")

    def _need_proof(
        self,
        scheme: Scheme,
        proofs: list[bytes],
        token: str,
        caller: Caller,
        method: str,
        path: str,
    ) -> None:
        if caller.key_thumbprint is None:
            raise TokenInvalid("bound to no key")
        if scheme != "DPoP":
            raise ProofRequired
        if self.options.public_url is None:
            _log.warning("A token that is bound to a key was refused: set `public_url`.")
            raise ProofInvalid("this service does not know its own URL")
        if len(proofs) != 1:
            raise ProofInvalid("not one proof")
        self._proofs.check(
            proofs[0].decode("latin-1"),
            token=token,
            thumbprint=caller.key_thumbprint,
            method=method,
            url=self.options.public_url.rstrip("/") + path,
        )

    def _need(self, caller: Caller, needs: Needs) -> None:
        if not needs.scopes <= caller.scope:
            raise ScopeMissing(needs.scopes)
        too_old = needs.max_age is not None and (
            caller.auth_time is None or self._clock.now() - caller.auth_time > needs.max_age
        )
        if too_old or (needs.acr and caller.acr not in needs.acr):
            raise StepUpRequired(**needs.challenge)

    # ── while the service runs ───────────────────────────────────────────────────────────────────

    async def __aenter__(self) -> Self:
        if self._watching is not None:
            raise RuntimeError("the guard is open already")
        self._read_once.clear()
        self._watching = asyncio.create_task(self._watch())
        try:
            # The service may start while the issuer is away; it then refuses with 503 until that is back.
            with suppress(TimeoutError):
                async with asyncio.timeout(self.options.timeout):
                    await self._read_once.wait()
        except BaseException:
            await self.__aexit__(None, None, None)
            raise
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        watching, self._watching = self._watching, None
        if watching is not None:
            watching.cancel()
            await asyncio.wait({watching})
        await self._keys.close()
        await self._fetch.close()

    @property
    def standing(self) -> Standing:
        """How fresh is what the guard judges by."""
        ended, keys = self._ended, self._keys
        return Standing(
            keys=len(keys.kids),
            keys_age=self._clock.monotonic() - keys.fetched_at if keys.kids else None,
            ended_sessions=len(ended) if ended is not None else 0,
            list_age=ended.age() if ended is not None and ended.as_of > 0 else None,
            remembered_tokens=len(self._verified),
        )

    async def _watch(self) -> None:
        """Keep up to date. One task in each process, however many requests there are."""
        while True:
            try:
                await self._keys.keep_fresh()
                if self._ended is not None:
                    await self._ended.read()
            except Exception:  # noqa: BLE001  a host's own `fetch` may raise anything, and it is logged
                # Whoever stops reading the list lets in who was shut out.
                _log.exception("The guard could not read from the issuer.")
            self._read_once.set()
            await asyncio.sleep(self.options.poll_every * random.uniform(1 - _JITTER, 1 + _JITTER))  # noqa: S311
