"""What is asked of a running subject, one load for each thing measured."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from bench import client
from bench.load import Load
from bench.plan import PASSWORD, WRONG_PASSWORD, Plan
from bench.servers import Server
from bench.subjects import ADMIN_EMAIL, SEEDED_EMAIL, UNKNOWN_EMAIL, Subject

HASHING = 4
"""Connections for what hashes a password; more would only wait for each other."""

READING = 16
"""Connections for what does not."""

TOKENS = 32
"""Accounts that take turns on GET /users/me, each with a token of its own."""

HASHING_SCENARIOS = ("register", "sign-in")
"""How the names of those begin that are compared to a raw hash; the others are to the bare route."""

REFRESHING = 4
"""Chains of refresh tokens used at once."""


@dataclass(frozen=True, slots=True)
class Access:
    """Access tokens of ordinary accounts, and the administrator's if there is one."""

    tokens: list[str]
    admin: str | None


def signed_in(subject: Subject, server: Server) -> Access:
    """Sign in whom the reading scenarios need."""

    def token(email: str) -> str:
        return client.sign_in(server, subject.api, email, PASSWORD).access

    return Access(
        [token(SEEDED_EMAIL % n) for n in range(TOKENS)], token(ADMIN_EMAIL) if subject.admin else None
    )


def loads(
    subject: Subject, server: Server, access: Access, plan: Plan, turn: int
) -> Iterator[tuple[str, Load]]:
    """Yield each scenario's name and load; `turn` numbers the round, so that no address is taken twice."""
    if subject.api.register:
        yield "register", _registering(subject, server.url + subject.api.register, turn)
    yield from _signing_in(subject, server, plan, turn)
    yield "me", bearing(server.url + subject.api.me, access.tokens, subject.directory / "tokens")
    if subject.api.refresh:
        emails = [SEEDED_EMAIL % (turn * REFRESHING + n) for n in range(REFRESHING)]
        yield "refresh", refreshing(subject, server, emails)
    if subject.api.listing and access.admin:
        path = server.url + subject.api.listing
        yield "list page", bearing(path, [access.admin], subject.directory / "admin-token")
    yield "health", Load(server.url + subject.api.health, "plain", connections=READING)


def _registering(subject: Subject, url: str, turn: int) -> Load:
    return Load(
        url,
        "register",
        (f"new-{subject.key}-{turn}-%d@example.com", PASSWORD),
        connections=HASHING,
        expected=subject.api.registered,
        ends_itself=True,
    )


def _signing_in(subject: Subject, server: Server, plan: Plan, turn: int) -> Iterator[tuple[str, Load]]:
    for name, pattern, password, expected in (
        ("sign-in", SEEDED_EMAIL, PASSWORD, 200),
        ("sign-in, wrong password", SEEDED_EMAIL, WRONG_PASSWORD, subject.api.refused),
        ("sign-in, unknown account", UNKNOWN_EMAIL, PASSWORD, subject.api.refused),
    ):
        arguments = (pattern, str(plan.accounts), str(turn * 1013), password)
        url = server.url + subject.api.token
        yield name, Load(url, "sign_in", arguments, HASHING, expected=expected, ends_itself=True)


def refreshing(subject: Subject, server: Server, emails: list[str], pause_ms: int = 0) -> Load:
    """Return a load of one chain of refresh tokens for each account. Every chain begins with a new sign-in."""
    tokens = [client.sign_in(server, subject.api, email, PASSWORD).refresh for email in emails]
    file = _written(subject.directory / "refresh-tokens", tokens)
    url, arguments = (
        f"{server.url}{subject.api.refresh}",
        (str(file), subject.api.refresh_field, str(pause_ms)),
    )
    return Load(url, "refresh", arguments, connections=len(emails), threads=len(emails))


def bearing(url: str, tokens: list[str], file: Path) -> Load:
    """Return a load that asks with one access token after the other; the file is for the client to read."""
    return Load(url, "bearer", (str(_written(file, tokens)),), connections=READING)


def _written(file: Path, lines: list[str]) -> Path:
    file.write_text("\n".join(lines) + "\n")
    return file
