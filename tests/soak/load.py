"""Clients that live their lives at the public door, keep books, and try all the time what must never work."""

import asyncio
import base64
import itertools
import json
import random
import secrets
import time
from collections import Counter
from collections.abc import AsyncGenerator, Awaitable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import httpx2

from tests.ledger import Ledger
from tests.make import PASSWORD
from tests.soak.cluster import Cluster, client_at
from tests.soak.machine import Neighbours

__all__ = ["Answer", "Load", "Tokens", "loaded", "percentile"]

STREAMS = 12
# What stands for "not now": ours, and what the proxy says while it knows of no service, or lost one amid a request.
NOT_NOW = frozenset({502, 503, 504})
LOST = 0  # no answer at all


@dataclass(frozen=True)
class Answer:
    """One request: what was asked, the status, when it was answered (monotonic seconds), how long it took."""

    kind: str
    status: int
    at: float
    seconds: float
    code: str = ""
    """The code of the problem; `proxy` for what the proxy says itself."""


@dataclass(frozen=True)
class Tokens:
    """What a sign-in has given one person."""

    email: str
    access: str
    refresh: str
    session: str

    @property
    def headers(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {self.access}"}


@dataclass
class Load:
    """What clients have asked and heard."""

    cluster: Cluster
    label: str
    ledger: Ledger = field(default_factory=Ledger)
    answers: list[Answer] = field(default_factory=list)
    probes: Counter[str] = field(default_factory=Counter)
    violations: list[str] = field(default_factory=list)
    dead: list[Tokens] = field(default_factory=list)
    stopping: bool = False
    in_flight: int = 0
    neighbours: Neighbours = field(default_factory=Neighbours.from_now)
    pause: float = 0.02
    """How long each client rests after an answer, in seconds."""

    # ── what is asked ────────────────────────────────────────────────────────────────────────────

    async def ask(
        self, client: httpx2.AsyncClient, kind: str, method: str, path: str, wanted: int, **more: Any
    ) -> httpx2.Response | None:
        """Ask; return the answer if it has the status that is wanted, None if it is "not now" or none came."""
        began = time.monotonic()
        answer: httpx2.Response | None = None
        self.in_flight += 1
        try:
            answer = await client.request(method, path, **more)
        except httpx2.TransportError:
            pass
        finally:
            self.in_flight -= 1
        now = time.monotonic()
        status = LOST if answer is None else answer.status_code
        self.answers.append(Answer(kind, status, now, now - began, _code(answer)))
        if answer is not None and status == wanted:
            return answer
        if status not in {LOST, *NOT_NOW}:
            self.violations.append(f"{kind}: {status} {answer.text[:200] if answer is not None else ''}")
        elif (
            answer is not None and status == 503 and _is_ours(answer) and "retry-after" not in answer.headers
        ):
            self.violations.append(f"{kind}: 503 without Retry-After")
        await asyncio.sleep(self.pause + random.uniform(0, 0.1))
        return None

    async def sign_up(self, client: httpx2.AsyncClient, email: str) -> bool:
        """Create an account; tell whether that was acknowledged."""
        account = {"email": email, "password": PASSWORD}
        answer = await self.ask(client, "sign-up", "POST", "/users/", 200, json=account)
        if answer is None:
            if 400 <= self.answers[-1].status < 500:
                self.ledger.refused.add(email)
            return False
        self.ledger.accounts.add(email)
        self.ledger.answered()
        return True

    async def sign_in(self, client: httpx2.AsyncClient, email: str) -> Tokens | None:
        """Start a session."""
        form = {"username": email, "password": PASSWORD}
        answer = await self.ask(client, "sign-in", "POST", "/users/token", 200, data=form)
        return None if answer is None else self._tokens(email, answer)

    async def refresh(self, client: httpx2.AsyncClient, tokens: Tokens) -> Tokens | None:
        """Exchange the refresh token; None: nobody knows whether it was used."""
        form = {"grant_type": "refresh_token", "refresh_token": tokens.refresh}
        answer = await self.ask(client, "refresh", "POST", "/users/token", 200, data=form)
        return None if answer is None else self._tokens(tokens.email, answer)

    def _tokens(self, email: str, answer: httpx2.Response) -> Tokens:
        body = answer.json()
        session = _claims(body["access_token"])["sid"].replace("-", "")
        self.ledger.sessions.add(session)
        self.ledger.answered()
        return Tokens(email, body["access_token"], body["refresh_token"], session)

    async def rename(self, client: httpx2.AsyncClient, tokens: Tokens, name: str) -> bool:
        """Change the name."""
        self.ledger.asks_for(tokens.email, name)
        more = {"json": {"name": name}, "headers": tokens.headers}
        if await self.ask(client, "change", "PATCH", "/users/me", 200, **more) is None:
            return False
        self.ledger.renamed(tokens.email, name)
        return True

    async def look(self, client: httpx2.AsyncClient, tokens: Tokens) -> None:
        """Read one's own account; it has the name that was acknowledged last."""
        known = self.ledger.names.get(tokens.email)
        possible = {known, *self.ledger.asked.get(tokens.email, ())}
        answer = await self.ask(client, "me", "GET", "/users/me", 200, headers=tokens.headers)
        if answer is not None and answer.json()["name"] not in possible:
            self.violations.append(f"me: {answer.json()['name']} instead of {possible}")

    async def sign_out(self, client: httpx2.AsyncClient, tokens: Tokens) -> None:
        """End the session; from the answer on, nobody may accept its tokens."""
        more = {"headers": tokens.headers}
        if await self.ask(client, "sign-out", "POST", "/users/logout", 204, **more) is not None:
            self.ledger.ended.add(tokens.session)
            self.ledger.answered()
            self.dead.append(tokens)

    # ── lives ────────────────────────────────────────────────────────────────────────────────────

    async def live(self, stream: int) -> None:
        """Be one person after the other."""
        address = {"X-Forwarded-For": f"198.51.100.{stream % 250}"}
        async with client_at(self.cluster.url, headers=address) as client:
            for number in itertools.count():
                if self.stopping:
                    return
                await self._life(client, f"{self.label}-{stream}-{number}@example.com")

    async def _life(self, client: httpx2.AsyncClient, email: str) -> None:
        if not await self.sign_up(client, email):
            return
        tokens = None
        for turn in range(6):
            while tokens is None and not self.stopping:
                tokens = await self.sign_in(client, email)
            if tokens is None or self.stopping:
                return
            await self.look(client, tokens)
            await self.rename(client, tokens, f"name {turn}")
            await self.look(client, tokens)
            tokens = await self.refresh(client, tokens)
            await asyncio.sleep(self.pause)
        if tokens is not None:
            await self.sign_out(client, tokens)

    # ── what must never work ─────────────────────────────────────────────────────────────────────

    async def probe(self) -> None:
        """Try, at any service, what was revoked or forged, and wrong passwords."""
        places = [self.cluster.url, *(service.url for service in self.cluster.services)]
        async with client_at() as client:
            while not self.stopping:
                await asyncio.sleep(0.03)
                if self.dead:
                    await self._probe(client, random.choice(places))

    async def _probe(self, client: httpx2.AsyncClient, place: str) -> None:
        # Those that died last are the likeliest to be remembered somewhere.
        tokens = random.choice(self.dead[-5:] if random.random() < 0.8 else self.dead)
        form: Mapping[str, str]
        match random.randrange(4):
            case 0 | 1:
                what, call = "a revoked access token", client.get(f"{place}/users/me", headers=tokens.headers)
            case 2:
                forged = {"Authorization": f"Bearer {_forged(tokens.access)}"}
                what, call = "a forged access token", client.get(f"{place}/users/me", headers=forged)
            case _:
                form = {"grant_type": "refresh_token", "refresh_token": tokens.refresh}
                what, call = (
                    "a refresh token of a session that ended",
                    client.post(f"{place}/users/token", data=form),
                )
        await self._must_be_refused(what, call)

    async def _must_be_refused(self, what: str, call: Awaitable[httpx2.Response]) -> None:
        try:
            answer = await call
        except httpx2.TransportError:
            self.probes["no answer"] += 1
            return
        self.probes[str(answer.status_code)] += 1
        if answer.status_code not in {400, 401, *NOT_NOW}:
            self.violations.append(f"{what}: {answer.status_code} {answer.text[:200]}")

    async def guess(self) -> None:
        """Sign in with a wrong password: never let in, and limited, whatever becomes of Redis."""
        async with client_at(self.cluster.url) as client:
            while not self.stopping:
                await asyncio.sleep(0.2)
                email = random.choice([*self.ledger.accounts] or ["nobody@example.com"])
                form = {"username": f"{email}", "password": f"wrong {secrets.token_hex(4)}"}
                headers = {"X-Forwarded-For": f"203.0.113.{random.randrange(250)}"}
                call = client.post("/users/token", data=form, headers=headers)
                await self._must_be_refused("a wrong password", call)

    # ── what became of it ────────────────────────────────────────────────────────────────────────

    def counted(self, since: float = 0.0, until: float = float("inf")) -> dict[str, int]:
        """Return how many requests were answered in this time, by status; `lost` are those without an answer."""
        found = Counter(each.status for each in self.answers if since <= each.at < until)
        return {"lost" if status == LOST else str(status): times for status, times in sorted(found.items())}

    def failed(self, since: float = 0.0, until: float = float("inf")) -> list[Answer]:
        """Return what was not done in this time."""
        return [each for each in self.answers if since <= each.at < until and not _is_good(each)]

    def goodput(self, since: float, until: float) -> float:
        """Return what was done in this time, in requests a second."""
        good = sum(_is_good(each) for each in self.answers if since <= each.at < until)
        return good / (until - since)

    def recovered_after(self, healed: float) -> float:
        """Return how long after the end of a fault the last request failed, in seconds."""
        return max((each.at - healed for each in self.failed(since=healed)), default=0.0)

    def longest(self, since: float = 0.0) -> float:
        """Return the longest that anybody waited for an answer, in seconds."""
        return max((each.seconds for each in self.answers if each.at >= since), default=0.0)


@asynccontextmanager
async def loaded(
    cluster: Cluster, label: str, streams: int = STREAMS, **options: Any
) -> AsyncGenerator[Load]:
    """Let clients live meanwhile. At the end each finishes what it has asked for."""
    load = Load(cluster, f"{label}-{secrets.token_hex(3)}", **options)
    tasks = [asyncio.create_task(load.live(number)) for number in range(streams)]
    tasks += [asyncio.create_task(act()) for act in (load.probe, load.probe, load.guess)]
    try:
        async with asyncio.timeout(60):
            await load.ledger.wait_for_more(100)
        yield load
    finally:
        load.stopping = True
        await asyncio.gather(*tasks)


def percentile(answers: list[Answer], share: float, kind: str | None = None) -> float:
    """Return how long that share of the good answers took at most, in milliseconds."""
    taken = sorted(each.seconds for each in answers if _is_good(each) and kind in {None, each.kind})
    return round(1000 * taken[min(len(taken) - 1, int(share * len(taken)))], 1) if taken else 0.0


def _is_good(answer: Answer) -> bool:
    return 200 <= answer.status < 300


def _is_ours(answer: httpx2.Response) -> bool:
    return answer.headers.get("content-type", "").startswith("application/problem+json")


def _code(answer: httpx2.Response | None) -> str:
    if answer is None or answer.status_code < 400:
        return ""
    return answer.json()["code"] if _is_ours(answer) else "proxy"


def _claims(token: str) -> dict[str, Any]:
    payload = token.split(".")[1]
    return json.loads(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))


def _forged(token: str) -> str:
    head, payload, signature = token.split(".")
    return f"{head}.{payload}.{signature[:10]}{'A' if signature[10] != 'A' else 'B'}{signature[11:]}"
