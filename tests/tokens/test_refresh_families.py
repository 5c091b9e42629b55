"""Families of refresh tokens, held against a small model through every order of events that is found."""

import asyncio
import shutil
import tempfile
from collections.abc import Coroutine
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, ClassVar

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    Bundle,
    RuleBasedStateMachine,
    initialize,
    multiple,
    precondition,
    rule,
    run_state_machine_as_test,
)

from gatepost import Gatepost
from gatepost.accounts import Accounts, ChangeAccount
from gatepost.core.clock import MovableClock
from tests.conftest import make_settings, open_client
from tests.make import PASSWORD, Make

SESSION, IDLE = timedelta(hours=3), timedelta(hours=1)
ACCESS, GRACE = timedelta(minutes=15), timedelta(seconds=10)
MOST = 4
SECOND_PASSWORD = "harbour-umbrella-77"


@dataclass
class Session:
    """A family: its refresh tokens in the order in which they were given out, and when each was exchanged."""

    created_at: datetime
    seen_at: datetime
    live: bool = True
    reason: str | None = None
    tokens: list["Token"] = field(default_factory=list)

    def ends_at(self) -> datetime:
        return min(self.created_at + SESSION, self.seen_at + IDLE)


@dataclass
class Token:
    """A refresh token and an access token that came with it."""

    session: Session
    refresh: str
    access: str
    access_expires_at: datetime
    used_at: datetime | None = None


class Families(RuleBasedStateMachine):
    """Sign in, refresh, repeat, steal, revoke, change the password, expire, move the clock."""

    template: ClassVar[Path]
    tokens: Bundle[Token] = Bundle("tokens")

    def __init__(self) -> None:
        super().__init__()
        self.runner = asyncio.Runner()
        self.stack = AsyncExitStack()
        self.clock = MovableClock()
        self.sessions: list[Session] = []
        self.password = PASSWORD
        self.run(self.open())

    def run[T](self, act: Coroutine[Any, Any, T]) -> T:
        return self.runner.run(act)

    async def open(self) -> None:
        directory = Path(self.stack.enter_context(tempfile.TemporaryDirectory()))
        shutil.copy(self.template, directory / "gatepost.db")
        changed = make_settings(
            f"sqlite:///{directory / 'gatepost.db'}",
            directory,
            sessions={"lifetime": SESSION, "idle_lifetime": IDLE, "most_per_user": MOST},
            tokens={"refresh_grace": GRACE, "access_lifetime": ACCESS},
            accounts={"fresh_for": timedelta(days=1)},
        )
        self.gatepost = Gatepost(changed, clock=self.clock)
        await self.stack.enter_async_context(self.gatepost.lifespan())
        self.client = await self.stack.enter_async_context(open_client(self.gatepost))
        self.make = Make(self.gatepost, self.client)
        self.person = await self.make.user()

    def teardown(self) -> None:
        self.run(self.stack.aclose())
        self.runner.close()

    # ── the model ────────────────────────────────────────────────────────────────────────────────

    @property
    def now(self) -> datetime:
        return self.clock.now()

    def speaks(self, session: Session) -> bool:
        return session.live and self.now < session.ends_at()

    def seen(self, session: Session) -> None:
        if self.now - session.seen_at >= timedelta(minutes=1):
            session.seen_at = self.now

    def ended(self, session: Session, reason: str) -> None:
        if session.live:
            session.live, session.reason = False, reason

    def issued(self, session: Session, body: dict[str, Any]) -> Token:
        expires = min(self.now + ACCESS, session.created_at + SESSION)
        return Token(session, body["refresh_token"], body["access_token"], expires)

    # ── what happens ─────────────────────────────────────────────────────────────────────────────

    @initialize(target=tokens)
    def begin(self) -> Token:
        return self.signed_in()

    @rule(target=tokens)
    def sign_in(self) -> Token:
        return self.signed_in()

    def signed_in(self) -> Token:
        answer = self.run(self.make.sign_in(self.person.email, self.password))
        assert answer.status_code == 200
        live = [each for each in self.sessions if self.speaks(each)]
        # Those used longest ago make room; of two that were used at once, the older one.
        for each in sorted(live, key=lambda each: each.seen_at, reverse=True)[MOST - 1 :]:
            self.ended(each, "too_many_sessions")
        session = Session(self.now, self.now)
        self.sessions.insert(0, session)
        token = self.issued(session, answer.json())
        session.tokens.append(token)
        return token

    @rule(target=tokens, token=tokens)
    def refresh_with_any(self, token: Token) -> Any:
        return self.refreshed(token)

    @precondition(lambda self: any(self.speaks(session) for session in self.sessions))
    @rule(target=tokens, which=st.integers(0, 9), back=st.sampled_from([1, 1, 1, 2, 3]))
    def refresh_in_a_live_family(self, which: int, back: int) -> Any:
        """With its newest token, or again with one before it."""
        live = [session for session in self.sessions if self.speaks(session)]
        family = live[which % len(live)].tokens
        return self.refreshed(family[-min(back, len(family))])

    def refreshed(self, token: Token) -> Any:
        answer = self.run(self.make.refresh(token.refresh))
        session, behind = token.session, len(token.session.tokens) - 1 - token.session.tokens.index(token)
        if not self.speaks(session):
            expected = session.reason
            if session.live:
                gone = self.now >= session.created_at + SESSION
                expected = "expired" if gone else "expired_idle"
                self.ended(session, expected)
            self.refused(answer, expected)
            return multiple()
        if behind == 0:
            assert answer.status_code == 200, answer.text
            token.used_at = self.now
            successor = self.issued(session, answer.json())
            # The rotation says that the session is in use, unless the one before said so within the minute.
            self.seen(session)
            session.tokens.append(successor)
            return successor
        assert token.used_at is not None
        in_time = self.now - token.used_at < GRACE
        if in_time and behind == 1:
            assert answer.status_code == 200, answer.text
            assert answer.json()["refresh_token"] == session.tokens[-1].refresh
            return multiple()
        if in_time and behind == 2:
            self.refused(answer, "superseded")
            return multiple()
        self.ended(session, "reuse_detected")
        self.refused(answer, "reuse_detected")
        self.used(session.tokens[-1])
        return multiple()

    def refused(self, answer: Any, reason: str | None) -> None:
        body = answer.json()
        assert (answer.status_code, body["error"], body.get("reason")) == (400, "invalid_grant", reason)
        assert ("event" in body) == (reason not in {None, "superseded"})

    @rule(token=tokens)
    def use(self, token: Token) -> None:
        self.used(token)

    def used(self, token: Token) -> None:
        answer = self.run(self.me(token))
        # `exp` counts whole seconds: in the second in which a token ends, both answers are right.
        left = token.access_expires_at - self.now
        if abs(left) <= timedelta(seconds=1):
            if answer.status_code == 200:
                self.seen(token.session)
            return
        if self.speaks(token.session) and left > timedelta(0):
            assert answer.status_code == 200
            self.seen(token.session)
        else:
            assert answer.status_code == 401
            if left > timedelta(0) and not token.session.live:
                assert answer.json()["reason"] == token.session.reason

    async def me(self, token: Token) -> Any:
        answer = await self.client.get("/users/me", headers={"Authorization": f"Bearer {token.access}"})
        await self.gatepost.sightings.written()
        return answer

    @rule(token=tokens)
    def sign_out(self, token: Token) -> None:
        headers = {"Authorization": f"Bearer {token.access}"}
        answer = self.run(self.client.post("/users/logout", headers=headers))
        self.run(self.gatepost.sightings.written())
        if answer.status_code == 204:
            assert self.speaks(token.session)
            self.ended(token.session, "signed_out")

    @rule(token=tokens, whose=st.integers(0, 9))
    def revoke_from_another_device(self, token: Token, whose: int) -> None:
        headers = {"Authorization": f"Bearer {token.access}"}
        listed = self.run(self.client.get("/users/me/sessions", headers=headers))
        self.run(self.gatepost.sightings.written())
        if listed.status_code != 200:
            return
        self.seen(token.session)
        assert len(listed.json()["items"]) == sum(self.speaks(session) for session in self.sessions)
        answer = self.run(self.client.delete("/users/me/sessions", headers=headers))
        assert answer.status_code == 200
        for session in self.sessions:
            if session is not token.session and self.speaks(session):
                self.ended(session, "revoked")

    @rule(token=tokens)
    def change_password(self, token: Token) -> None:
        new = SECOND_PASSWORD if self.password == PASSWORD else PASSWORD
        body = {"password": new, "current_password": self.password}
        headers = {"Authorization": f"Bearer {token.access}"}
        answer = self.run(self.client.patch("/users/me", json=body, headers=headers))
        self.run(self.gatepost.sightings.written())
        if answer.status_code != 200:
            assert answer.status_code == 401
            return
        self.seen(token.session)
        self.password = new
        for session in self.sessions:
            if session is not token.session and self.speaks(session):
                self.ended(session, "password_changed")

    @rule(tokens=st.lists(tokens, max_size=2))
    def disable_and_enable(self, tokens: list[Token]) -> None:
        self.run(self.decide(active=False))
        for session in self.sessions:
            if self.speaks(session):
                self.ended(session, "disabled")
        assert self.run(self.make.sign_in(self.person.email, self.password)).status_code == 400
        for token in tokens:
            self.refreshed(token)
        self.run(self.decide(active=True))

    async def decide(self, *, active: bool) -> None:
        async with self.gatepost.work() as work:
            change = ChangeAccount(is_active=active)
            await self.gatepost.build(Accounts, work).change(self.person.id, change)

    @rule(seconds=st.sampled_from([3, 3, 9, 10, 60, 60, 840, 960, 3660]))
    def wait(self, seconds: int) -> None:
        self.clock.move(timedelta(seconds=seconds))


def run_model(template: Path, examples: int) -> None:
    run_state_machine_as_test(
        type("Copied", (Families,), {"template": template}),
        settings=settings(
            max_examples=examples,
            stateful_step_count=30,
            deadline=None,
            derandomize=True,
            database=None,
            suppress_health_check=list(HealthCheck),
        ),
    )


@pytest.mark.timeout(300)
def test_d01_families_behave_like_their_model(sqlite_template: Path) -> None:
    run_model(sqlite_template, 25)


@pytest.mark.soak
@pytest.mark.timeout(3600)
def test_d01_families_behave_like_their_model_in_two_thousand_examples(sqlite_template: Path) -> None:
    run_model(sqlite_template, 2000)
