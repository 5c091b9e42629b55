"""The classes of requests that are limited: what each counts, by whom, and what a refusal says.

| class         | charged by                                     | counts by                      |
|---------------|------------------------------------------------|--------------------------------|
| `general`     | every route but `/health` and those below it,  | address                        |
|               | and those of the next class                    |                                |
| `published`   | public keys, metadata, ended sessions          | address                        |
| `credentials` | sign-in with a password, one's current         | address                        |
|               | password, the setup code, a link or a code     |                                |
|               | from a mail, asking for one                    |                                |
| `begun`       | a sign-in in steps that begins, a question for | address                        |
|               | a passkey                                      |                                |
| `account`     | sign-in with a password, one's current         | account                        |
|               | password, a code from a mail                   |                                |
| `delay`       | the same                                       | account, failures in a row     |
| `sign_up`     | sign-up                                        | address                        |
| `recipient`   | sign-up, asking for a mail                     | e-mail address                 |
| `mail_origin` | asking for a mail, a sign-up that sends one    | address                        |
| `mail`        | the worker, before it sends one                | recipient and kind             |
| `mails_from`  | the same, for what anybody can have sent to    | address that it was asked from |
|               | anybody                                        |                                |
| `mails`       | the same                                       | nothing: all go through it     |

No key holds a path: routes charge a class, so that no spelling of a path is a key of its own.
"""

import hashlib
from collections import Counter
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass

from gatepost.core.errors import TooMany
from gatepost.core.limits.options import LimitOptions
from gatepost.core.limits.rules import Backoff, Demand, Limit, Limiter, Rule, Verdict
from gatepost.core.logging import Logger
from gatepost.core.principal import ClientInfo

__all__ = ["Attempt", "LimitExceeded", "Limits"]

MINUTE = 60.0
HOUR = 3600.0
HOURS_OF_A_DAY = 24
# How many clients are taken to stand behind a proxy that no setting names: they share one bucket.
CLIENTS_OF_A_PROXY = 20


class LimitExceeded(TooMany):
    """A class of requests is used up: for this address, or for this account."""

    code = "rate-limited"
    sentence = "Rate limit exceeded"  # the contract's words

    def __init__(self, verdict: Verdict) -> None:
        super().__init__(retry_after=verdict.wait)
        self.verdict = verdict


@dataclass(frozen=True, slots=True)
class Attempt:
    """A password that may be tried. It counts as wrong until it is said to be right."""

    _limiter: Limiter
    _delay: Demand | None

    async def succeeded(self) -> None:
        """End the row of failures. The limits themselves stay charged."""
        if self._delay is not None:
            await self._limiter.forget(self._delay)


class Limits:
    """Charges classes, and raises LimitExceeded when one is used up. Off: lets everything through.

    `secret` keys the digests that stand for accounts, so that no e-mail address lies in the store.
    """

    def __init__(
        self,
        options: LimitOptions,
        limiter: Limiter,
        secret: bytes,
        log: Logger,
        *,
        on: bool = True,
        mails_per_second: int = 25,
    ) -> None:
        self.on = on
        self.refused: Counter[str] = Counter()
        """How often each class has refused, in this process."""
        self._limiter = limiter
        self._secret = secret
        self._log = log
        self._general = _of_addresses("general", options.general)
        self._published = _of_addresses("published", options.published)
        self._credentials = _of_addresses("credentials", options.credentials)
        self._begun = _of_addresses("begun", options.begun)
        self._sign_up = _of_addresses("sign_up", options.sign_up)
        self._account = Limit("account", options.account, MINUTE)
        self._mail = Limit("mail", options.mail, HOUR)
        self._mail_origin = _of_addresses("mail_origin", options.mail_origin, HOUR)
        # What was let through in a day may all go out at once, when the worker had been away. More comes about only
        # where several processes count each for itself.
        a_day = options.mail_origin * HOURS_OF_A_DAY
        self._mails_from = Limit("mails_from", a_day, HOURS_OF_A_DAY * HOUR)
        self._mails = Limit("mails", mails_per_second, 1.0)
        longest = options.longest_delay.total_seconds()
        self._delay = Backoff("delay", self._account, options.free_failures, longest)
        self._recipient = Limit("recipient", options.recipient, MINUTE)

    async def request(self, network: str | None, *, shared: bool, published: bool = False) -> Verdict:
        """Charge the general class, or that of what is published; return the verdict: the answer says what is left."""
        charged = self._published if published else self._general
        (verdict,) = await self._limiter.admit([_demand(charged, network, shared=shared)])
        if not verdict.admitted:
            self._count(verdict)
        return verdict

    async def sign_up(self, client: ClientInfo, email: str, *, mails: bool = False) -> None:
        """Charge a sign-up for a canonical e-mail address; `mails`: it sends one there. Raises LimitExceeded."""
        asked = self._by_address(self._mail_origin, client) if mails else []
        await self._need([*self._by_address(self._sign_up, client), *asked, self._to(email)])

    async def mail_asked(self, client: ClientInfo, email: str) -> None:
        """Charge a request for a mail to a canonical e-mail address, whether it has an account or not.

        Raises LimitExceeded.
        """
        by_address = [self._by_address(each, client) for each in (self._credentials, self._mail_origin)]
        await self._need([*by_address[0], *by_address[1], self._to(email)])

    async def guess(self, client: ClientInfo) -> None:
        """Charge a try at a secret that belongs to no account. Raises LimitExceeded."""
        await self._need(self._by_address(self._credentials, client))

    async def begin(self, client: ClientInfo) -> None:
        """Charge the beginning of a sign-in, at which nothing can be guessed yet. Raises LimitExceeded."""
        await self._need(self._by_address(self._begun, client))

    async def attempt(
        self, client: ClientInfo, account: str, known_here: Callable[[], Awaitable[bool]] | None = None
    ) -> Attempt:
        """Charge a try at an account's password, before anything is looked up. Raises LimitExceeded.

        `account` names it, whether it exists or not. When strangers have used up its tries, `known_here` is
        asked whether its owner has been at this address: then the address has tries of its own.
        """
        address, key = self._by_address(self._credentials, client), self._digest(account)
        refusal = await self._first_refusal([*address, *self._by_account(key)])
        if refusal is None:
            return self._attempt(key)
        of_the_account = refusal.rule is self._account or refusal.rule is self._delay
        if of_the_account and known_here and await self._is_known(client, known_here):
            key = f"{key}@{client.network}"
            refusal = await self._first_refusal(self._by_account(key))
            if refusal is None:
                return self._attempt(key)
        raise self._refusal(refusal)

    async def mail(self, recipient_and_kind: str, origin: str | None = None) -> bool:
        """Charge a mail; tell whether it may be sent. Nobody waits for it, so nobody is told otherwise.

        `origin` is the network that it was asked from, where that counts.
        """
        demands = [Demand(self._mails_from, origin)] if origin else []
        refusal = await self._first_refusal([Demand(self._mail, self._digest(recipient_and_kind)), *demands])
        if refusal is not None:
            self._count(refusal)
        return refusal is None

    async def seconds_to_next_mail(self) -> float:
        """Charge the next mail of all and return 0, or return how long to wait. Holds when limits are off, too."""
        (verdict,) = await self._limiter.admit([Demand(self._mails, "")])
        return 0.0 if verdict.admitted else verdict.retry_after

    async def close(self) -> None:
        """Give back what the limiter holds open."""
        await self._limiter.close()

    async def _is_known(self, client: ClientInfo, known_here: Callable[[], Awaitable[bool]]) -> bool:
        # Behind a proxy that hides everybody, an address knows nobody.
        return client.network is not None and not client.shared and await known_here()

    async def _need(self, demands: Sequence[Demand]) -> None:
        refusal = await self._first_refusal(demands)
        if refusal is not None:
            raise self._refusal(refusal)

    async def _first_refusal(self, demands: Sequence[Demand]) -> Verdict | None:
        if not self.on or not demands:
            return None
        last = (await self._limiter.admit(demands))[-1]
        return None if last.admitted else last

    def _refusal(self, verdict: Verdict) -> LimitExceeded:
        self._count(verdict)
        return LimitExceeded(verdict)

    def _count(self, verdict: Verdict) -> None:
        self.refused[verdict.rule.name] += 1
        # Neither for whom nor from where: the access line has the request, the store only digests.
        self._log.warning("limits.refused", limit=verdict.rule.name, problem=LimitExceeded.code)

    def _attempt(self, key: str) -> Attempt:
        return Attempt(self._limiter, Demand(self._delay, key) if self.on else None)

    def _by_address(self, limits: tuple[Limit, Limit], client: ClientInfo) -> list[Demand]:
        # Without any there is the host's own code, which knows its callers.
        if client.network is None and not client.shared:
            return []
        return [_demand(limits, client.network, shared=client.shared)]

    def _by_account(self, key: str) -> list[Demand]:
        rules: tuple[Rule, ...] = (self._account, self._delay)
        return [Demand(rule, key) for rule in rules]

    def _to(self, email: str) -> Demand:
        return Demand(self._recipient, self._digest(email))

    def _digest(self, name: str) -> str:
        digest = hashlib.blake2b(name.encode(errors="surrogatepass"), key=self._secret, digest_size=16)
        return digest.hexdigest()


def _demand(limits: tuple[Limit, Limit], network: str | None, *, shared: bool) -> Demand:
    """Return the demand of a client, or of all whom a proxy hides: those are counted apart from its own requests."""
    return Demand(limits[True], f"proxy {network}") if shared else Demand(limits[False], network or "")


def _of_addresses(name: str, count: int, seconds: float = MINUTE) -> tuple[Limit, Limit]:
    """Return the limit of one client, and that of all who stand behind a proxy that no setting names."""
    return Limit(name, count, seconds), Limit(name, count * CLIENTS_OF_A_PROXY, seconds)
