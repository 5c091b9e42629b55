"""What lives as long as the process: it is made once, from the settings."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from gatepost.accounts import (
    Deletion,
    closed_accounts,
)
from gatepost.core.clock import Clock, ShiftedClock
from gatepost.core.database import Database
from gatepost.core.events import SEALED as SEALED_DELIVERIES
from gatepost.core.events import Consumer, EventLog
from gatepost.core.hashing import Hashing
from gatepost.core.http.addresses import Addresses
from gatepost.core.idempotency import SEALED as SEALED_ANSWERS
from gatepost.core.idempotency import expired_answers
from gatepost.core.limits import Limiter, Limits, LocalLimiter, RedisLimiter
from gatepost.core.logging import Logger
from gatepost.core.mail import MailGate, NoTransport, Transport, transport_for
from gatepost.core.outbox import LanePolicy, expired_deliveries, settled_deliveries
from gatepost.core.paging import Cursors
from gatepost.core.schedule import Job
from gatepost.core.sealed import SealedColumn
from gatepost.core.secrets import BoundTokens, KeyRing
from gatepost.core.work import Run, Work
from gatepost.login import (
    past_flows,
)
from gatepost.mfa import SEALED as SEALED_TOTP
from gatepost.mfa import FactorResets, factor_jobs
from gatepost.notices import BY_ANYBODY, Correspondent, Renderer, must_render
from gatepost.passkeys import (
    past_passkey_challenges,
)
from gatepost.passwords import PasswordPolicy
from gatepost.proofs import past_mail_proofs
from gatepost.sessions import past_sessions
from gatepost.settings import Settings
from gatepost.testing import Testing
from gatepost.tokens import SEALED as SEALED_KEYS
from gatepost.tokens import (
    AccessTokens,
    KeyStore,
    keys_tended,
    spent_proofs,
)

__all__ = [
    "Parts",
    "addresses_of",
    "correspondence",
    "jobs",
    "lanes_of",
    "limiter_of",
    "limits_of",
    "sealed_columns",
    "transport_of",
]

# A mail server that is away for a day gets everything that has not expired by then.
_MAIL_ATTEMPTS = 84
_MAILS_AHEAD = 8
_COMPOSING_SECONDS = 5.0


class Build(Protocol):
    """Builds a service for a unit of work."""

    def __call__[S](self, service: type[S], work: Work) -> S:
        """Return it."""
        ...


@dataclass(frozen=True)
class Parts:
    """What lives as long as the process; everything else is built for one unit of work."""

    settings: Settings
    clock: Clock
    log: Logger
    database: Database
    events: EventLog
    ring: KeyRing
    hashing: Hashing
    policy: PasswordPolicy
    cursors: Cursors
    keys: KeyStore
    access_tokens: AccessTokens
    limits: Limits
    network: Callable[[str], str | None]
    refresh_handles: BoundTokens
    session_cookies: BoundTokens
    flow_handles: BoundTokens
    mail_code_keys: list[bytes]
    run: Run
    carries_mail: bool


def jobs(settings: Settings, ring: KeyRing, run: Run, build: Build) -> list[Job]:
    """Return all that recurs."""
    return [
        *past_sessions(settings.sessions),
        past_flows(),
        past_mail_proofs(),
        past_passkey_challenges(),
        spent_proofs(),
        expired_answers(),
        expired_deliveries(),
        *settled_deliveries(settings.delivery_retention),
        keys_tended(run, ring, settings.tokens),
        closed_accounts(run, lambda work: build(Deletion, work)),
        *factor_jobs(run, lambda work: build(FactorResets, work)),
    ]


def sealed_columns() -> list[SealedColumn]:
    """Return every column with sealed values: what is missing here would be lost with the secret key it is under."""
    return [SEALED_KEYS, *SEALED_ANSWERS, SEALED_DELIVERIES, SEALED_TOTP]


def addresses_of(settings: Settings, log: Logger) -> Addresses:
    """Return what tells who is calling."""
    return Addresses(
        settings.trusted_proxies,
        settings.forwarded_header,
        settings.limits.ipv6_prefix,
        log,
        behind_tls=settings.issuer.startswith("https://"),
    )


def limiter_of(settings: Settings, ring: KeyRing, log: Logger, shifted: ShiftedClock | None) -> Limiter:
    """Return where limits are counted: in Redis if there is one, else in this process."""
    local = LocalLimiter(shifted.monotonic) if shifted else LocalLimiter()
    if settings.redis_url is None:
        return local
    prefix = f"gatepost:limits:{ring.derive('limits prefix').hex()[:12]}:"
    skipped = (lambda: shifted.skipped) if shifted else None
    return RedisLimiter(settings.redis_url.get_secret_value(), prefix, local, log, skipped=skipped)


def limits_of(settings: Settings, limiter: Limiter, ring: KeyRing, log: Logger) -> Limits:
    """Return the classes of requests that are limited."""
    return Limits(
        settings.limits,
        limiter,
        ring.derive("limits"),
        log,
        on=settings.rate_limits == "on",
        mails_per_second=settings.mail.per_second,
    )


def transport_of(settings: Settings, clock: Clock, testing: Testing | None) -> Transport:
    """Return what carries mail. Where tests read it, nobody else gets any: they must not write to strangers."""
    if testing is not None:
        return testing.inbox
    url = settings.mail_location
    return NoTransport() if url is None else transport_for(url, settings.mail, settings.mail_sender, clock)


def correspondence(
    settings: Settings, database: Database, clock: Clock, transport: Transport
) -> list[Consumer]:
    """Return what tells people by mail what concerns them. Raises Stopped for a template that cannot be rendered.

    Nothing where nothing carries mail: what nobody takes would wait, and be given up.
    """
    if isinstance(transport, NoTransport):
        return []
    renderer = Renderer(settings.brand, settings.notices)
    if settings.notices.is_changed:
        must_render(renderer)
    writer = Correspondent(database.reads, renderer, transport.send, clock, settings.notices)
    return [Consumer("notices", writer.events, writer.run, "mail", writer.wants)]


def lanes_of(settings: Settings, limits: Limits, addresses: Addresses) -> list[LanePolicy]:
    """Return how deliveries are run. A mail is tried for three days: as long as one that is away may be mended."""
    mail = settings.mail
    return [
        LanePolicy(name="default"),
        LanePolicy(
            name="mail",
            places=mail.concurrency,
            batch=mail.concurrency * _MAILS_AHEAD,
            longest_run=mail.timeout + _COMPOSING_SECONDS,
            most_attempts=_MAIL_ATTEMPTS,
            gate=MailGate(limits, BY_ANYBODY, addresses.one_client),
        ),
    ]
