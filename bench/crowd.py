"""Filling Gatepost's tables on PostgreSQL by one statement each: a million accounts in well under a minute."""

from collections.abc import Mapping

import asyncpg

from bench.subjects import SEEDED_EMAIL, TEMPLATE_EMAIL

# Of row n. Ids grow with the time of joining, as UUIDv7s do; an account joined every half minute until now.
_ID = "('000{kind}' || lpad(to_hex(n), 8, '0') || '70008000' || lpad(to_hex(n), 12, '0'))::uuid"
_JOINED = "now() - ({accounts} - n) * interval '30 seconds'"
_EMAIL = f"'{SEEDED_EMAIL}'".replace("%d", "' || n || '")
_USER, _SESSION = (_ID.format(kind=kind) for kind in (1, 2))

_ONE_SESSION_IN = 5
_ONE_ROLE_IN = 1_000


async def fill(url: str, accounts: int) -> float:
    """Add accounts with the template's password; some with a session, few with a role. Return the size in MB.

    The template has an account, a session and a refresh token.
    """
    connection = await asyncpg.connect(url)
    try:
        # Rows that come whole from one statement need no check of each foreign key.
        await connection.execute("SET session_replication_role = replica")
        for statement in await _statements(connection, accounts):
            await connection.execute(statement)
        for statement in ("VACUUM ANALYZE", "CHECKPOINT"):
            await connection.execute(statement)
        return await connection.fetchval("SELECT pg_database_size(current_database())") / 1_000_000
    finally:
        await connection.close()


async def _statements(connection: asyncpg.Connection, accounts: int) -> list[str]:
    found = "SELECT id FROM users WHERE email = $1"
    template = await connection.fetchval(found, TEMPLATE_EMAIL)
    joined = _JOINED.format(accounts=accounts)
    everybody = f"generate_series(0, {accounts - 1}) AS g (n)"
    some = f"generate_series(0, {accounts - 1}, {_ONE_SESSION_IN}) AS g (n)"
    few = f"generate_series(0, {accounts - 1}, {_ONE_ROLE_IN}) AS g (n)"
    session = f"t.session_id IN (SELECT id FROM sessions WHERE user_id = '{template}')"
    user = {"id": _USER, "email": _EMAIL, "email_canonical": _EMAIL, "created_at": joined}
    token = {"session_id": _SESSION, "user_id": _USER, "digest": "sha256(('token' || n)::bytea)"}
    return [
        await _copies(connection, "users", f"t.id = '{template}'", user, everybody),
        await _copies(connection, "passwords", f"t.user_id = '{template}'", {"user_id": _USER}, everybody),
        await _copies(
            connection, "sessions", f"t.user_id = '{template}'", {"id": _SESSION, "user_id": _USER}, some
        ),
        await _copies(connection, "refresh_families", session, token, some),
        f"INSERT INTO role_assignments (user_id, role, granted_at) SELECT {_USER}, 'support', now() FROM {few}",
    ]


async def _copies(
    connection: asyncpg.Connection, table: str, template: str, changed: Mapping[str, str], numbers: str
) -> str:
    """Return the statement that copies the template's row once for each number, with some values changed."""
    rows = await connection.fetch(
        "SELECT column_name AS name FROM information_schema.columns"
        " WHERE table_schema = 'public' AND table_name = $1",
        table,
    )
    columns = [row["name"] for row in rows]
    values = ", ".join(changed.get(name, f't."{name}"') for name in columns)
    names = ", ".join(f'"{name}"' for name in columns)
    return f"INSERT INTO {table} ({names}) SELECT {values} FROM {table} AS t, {numbers} WHERE {template}"
