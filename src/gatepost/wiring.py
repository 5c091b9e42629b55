"""Which service is built from what, for one unit of work: the map of the house."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol

from gatepost.access import Access
from gatepost.accounts import (
    Accounts,
    Deletion,
    EmailChange,
    HiddenSignUp,
    Recovery,
    Setup,
    Verification,
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
from gatepost.exports import Exports
from gatepost.login import (
    MAIL,
    PASSWORD,
    Conditions,
    Enrolled,
    Flows,
    KnownNetworks,
    Login,
    MailProver,
    PasswordProver,
    ProvenAddress,
    SignInMails,
    past_flows,
)
from gatepost.notices import BY_ANYBODY, Correspondent, Notices, Renderer, must_render
from gatepost.passwords import PasswordPolicy, Passwords
from gatepost.proofs import MailProofs, Purpose, past_mail_proofs
from gatepost.sessions import Sessions, past_sessions
from gatepost.settings import Settings
from gatepost.testing import Testing
from gatepost.tokens import SEALED as SEALED_KEYS
from gatepost.tokens import (
    AccessTokens,
    KeyStore,
    RefreshTokens,
    SigningKeys,
    Tokens,
    keys_tended,
    spent_proofs,
)
from gatepost.users import Users

__all__ = [
    "Parts",
    "Wiring",
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
        spent_proofs(),
        expired_answers(),
        expired_deliveries(),
        *settled_deliveries(settings.delivery_retention),
        keys_tended(run, ring, settings.tokens),
        closed_accounts(run, lambda work: build(Deletion, work)),
    ]


def sealed_columns() -> list[SealedColumn]:
    """Return every column with sealed values: what is missing here would be lost with the secret key it is under."""
    return [SEALED_KEYS, *SEALED_ANSWERS, SEALED_DELIVERIES]


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


class Wiring:
    """Builds services. Each method is the complete list of what its service depends on."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts
        self._builders: dict[type[Any], Callable[[Work], Any]] = {
            Users: self.users,
            Access: self.access,
            Sessions: self.sessions,
            Tokens: self.tokens,
            SigningKeys: self.signing_keys,
            Passwords: self.passwords,
            Login: self.login,
            SignInMails: self.sign_in_mails,
            Accounts: self.accounts,
            Setup: self.setup,
            MailProofs: self.mail_proofs,
            EmailChange: self.email_change,
            Deletion: self.deletion,
            Verification: self.verification,
            Recovery: self.recovery,
            Notices: self.notices,
            Exports: self.exports,
        }

    def build[S](self, service: type[S], work: Work) -> S:
        """Return the service for a unit of work."""
        return self._builders[service](work)

    def users(self, work: Work) -> Users:
        return Users(work, self._parts.cursors)

    def access(self, work: Work) -> Access:
        return Access(work)

    def sessions(self, work: Work) -> Sessions:
        return Sessions(work, self._parts.settings.sessions, self._parts.session_cookies)

    def refresh_tokens(self, work: Work) -> RefreshTokens:
        parts = self._parts
        options = parts.settings
        return RefreshTokens(work, parts.refresh_handles, parts.ring, options.tokens, options.sessions)

    def tokens(self, work: Work) -> Tokens:
        parts = self._parts
        refresh_tokens, sessions = self.refresh_tokens(work), self.sessions(work)
        return Tokens(work, parts.access_tokens, refresh_tokens, sessions, parts.settings.sessions)

    def signing_keys(self, work: Work) -> SigningKeys:
        return SigningKeys(work, self._parts.ring, self._parts.settings.tokens)

    def passwords(self, work: Work) -> Passwords:
        return Passwords(work, self._parts.hashing, self._parts.policy)

    def login(self, work: Work) -> Login:
        parts = self._parts
        options = parts.settings
        known = KnownNetworks(work, parts.network, options.limits.known_for, options.sessions)
        password = PasswordProver(work, self.users(work), self.passwords(work), parts.limits, known)
        mail = MailProver(work, self.users(work), self.mail_proofs(work), self.proven_address(work))
        return Login(
            work,
            self.users(work),
            self.sessions(work),
            self.tokens(work),
            self.flows(work),
            parts.limits,
            password,
            {PASSWORD.name: password, **({MAIL.name: mail} if self._signs_in_by_mail else {})},
            # A room of second steps says here which of its methods somebody has set up.
            Enrolled(),
            Conditions(
                proofs_last=options.login.flow_lifetime,
                first=(PASSWORD, MAIL) if self._signs_in_by_mail else (PASSWORD,),
                verified_email=options.accounts.email_verification == "required",
                tells_unverified=not options.accounts.sign_up_hides_accounts,
            ),
        )

    @property
    def _signs_in_by_mail(self) -> bool:
        return self._parts.settings.login.mail and self._parts.carries_mail

    def flows(self, work: Work) -> Flows:
        return Flows(work, self._parts.flow_handles, self._parts.settings.login)

    def sign_in_mails(self, work: Work) -> SignInMails:
        users, proofs, limits = self.users(work), self.mail_proofs(work), self._parts.limits
        return SignInMails(work, users, proofs, self.flows(work), limits, on=self._signs_in_by_mail)

    def proven_address(self, work: Work) -> ProvenAddress:
        users, passwords, sessions = self.users(work), self.passwords(work), self.sessions(work)
        return ProvenAddress(work, users, passwords, sessions, self.mail_proofs(work))

    def mail_proofs(self, work: Work) -> MailProofs:
        parts = self._parts
        return MailProofs(work, parts.run, parts.mail_code_keys, parts.settings.issuer, parts.limits)

    def verification(self, work: Work) -> Verification:
        parts = self._parts
        return Verification(
            work,
            self.users(work),
            self.passwords(work),
            self.tokens(work),
            self.mail_proofs(work),
            self.email_change(work),
            self.proven_address(work),
            parts.settings.accounts,
            parts.limits,
        )

    def email_change(self, work: Work) -> EmailChange:
        parts = self._parts
        return EmailChange(
            work,
            self.users(work),
            self.passwords(work),
            self.sessions(work),
            self.tokens(work),
            self.mail_proofs(work),
            parts.settings.accounts,
            parts.limits,
        )

    def deletion(self, work: Work) -> Deletion:
        options = self._parts.settings.accounts
        return Deletion(work, self.users(work), self.sessions(work), self.mail_proofs(work), options)

    def recovery(self, work: Work) -> Recovery:
        parts = self._parts
        return Recovery(
            work,
            self.users(work),
            self.passwords(work),
            self.sessions(work),
            self.mail_proofs(work),
            self.proven_address(work),
            parts.settings.accounts,
            parts.limits,
        )

    def accounts(self, work: Work) -> Accounts:
        parts = self._parts
        return Accounts(
            work,
            self.users(work),
            self.passwords(work),
            self.sessions(work),
            self.tokens(work),
            self.verification(work),
            self.email_change(work),
            self.deletion(work),
            self.hidden_sign_up(work),
            self.mail_proofs(work),
            parts.settings.accounts,
            parts.limits,
        )

    def hidden_sign_up(self, work: Work) -> HiddenSignUp:
        users, verification, proofs = self.users(work), self.verification(work), self.mail_proofs(work)
        way_in = Purpose.SIGN_IN_LINK if self._signs_in_by_mail else Purpose.RESET_PASSWORD
        return HiddenSignUp(work, users, verification, proofs, self._parts.settings.accounts, way_in)

    def setup(self, work: Work) -> Setup:
        options, limits = self._parts.settings.accounts, self._parts.limits
        return Setup(work, self.accounts(work), self.users(work), self.access(work), options, limits)

    def notices(self, work: Work) -> Notices:
        fresh_for = self._parts.settings.accounts.fresh_for
        return Notices(work, self.users(work), self.tokens(work), fresh_for)

    def exports(self, work: Work) -> Exports:
        fresh_for = self._parts.settings.accounts.fresh_for
        return Exports(work, self.users(work), self.tokens(work), fresh_for)
