"""Filling a subject's tables: one account is signed up, by HTTP where that is possible; its rows are multiplied."""

import secrets
import time
import uuid
from collections.abc import Iterator

from bench import client
from bench.databases import Row
from bench.plan import ARGON2_ITERATIONS, ARGON2_LANES, ARGON2_MEMORY_KIB, PASSWORD
from bench.servers import Server
from bench.subjects import SEEDED_EMAIL, TEMPLATE_EMAIL, Seeded, Subject

_YEAR_MS = 365 * 24 * 3600 * 1000
_EXPECTED_HASH = f"$argon2id$v=19$m={ARGON2_MEMORY_KIB},t={ARGON2_ITERATIONS},p={ARGON2_LANES}$"


class WrongHash(Exception):
    """A subject hashes with other parameters than the ceiling, so that no ratio would mean anything."""


def fill(subject: Subject, server: Server, accounts: int) -> None:
    """Add accounts that all have the template's password."""
    if subject.api.register:
        client.register(server, subject.api, TEMPLATE_EMAIL, PASSWORD)
    if any(each.own for each in subject.tables):
        client.sign_in(server, subject.api, TEMPLATE_EMAIL, PASSWORD)
    templates = _templates(subject)
    ids = list(_ids(accounts))
    for seeded, template in zip(subject.tables, templates, strict=True):
        subject.store.insert(seeded.table, _copies(template, seeded, ids))


def _templates(subject: Subject) -> list[Row]:
    """Return the template account's row in each table; the first table is the accounts' own."""
    first, *others = subject.tables
    account = subject.store.row(first.table, first.addresses[0], TEMPLATE_EMAIL)
    rows = [account, *(subject.store.row(each.table, each.owner, account[first.owner]) for each in others)]
    if not any(_EXPECTED_HASH in str(value) for row in rows for value in row.values()):
        raise WrongHash(f"{subject.name} does not hash with {_EXPECTED_HASH}")
    return rows


def _copies(template: Row, seeded: Seeded, ids: list[uuid.UUID]) -> Iterator[Row]:
    original = template[seeded.owner]
    for number, account_id in enumerate(ids):
        address = SEEDED_EMAIL % number
        yield {
            **template,
            seeded.owner: _like(original, account_id, number),
            **({seeded.own: _like(template[seeded.own], account_id, number)} if seeded.own else {}),
            **dict.fromkeys(seeded.addresses, address),
        }


def _like(original: object, account_id: uuid.UUID, number: int) -> object:
    """Return the id in the form in which the database keeps ids; where it counts, the numbers after the template's."""
    if isinstance(original, int):
        return original + 1 + number
    if isinstance(original, bytes):
        return account_id.bytes
    if isinstance(original, str):
        return account_id.hex if len(original) == len(account_id.hex) else str(account_id)
    return account_id


def _ids(count: int) -> Iterator[uuid.UUID]:
    """Yield UUIDv7s as if the accounts had come evenly over the last year."""
    begin = int(time.time() * 1000) - _YEAR_MS
    for number in range(count):
        moment = begin + number * _YEAR_MS // count
        value = moment << 80 | 0x7 << 76 | secrets.randbits(12) << 64 | 0b10 << 62 | secrets.randbits(62)
        yield uuid.UUID(int=value)
