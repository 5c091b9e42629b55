"""TLS to the database: what is asked for is had, or nothing is."""

import asyncio
import ssl
from collections.abc import AsyncGenerator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from sqlalchemy import make_url

from gatepost.core.database import Database, DatabaseUnavailable
from gatepost.core.database.tls import tls
from gatepost.core.errors import Stopped
from tests import databases
from tests.authorities import Authority, make_authority
from tests.services import missing_reason


@pytest.fixture(scope="module")
def authorities(tmp_path_factory: pytest.TempPathFactory) -> tuple[Authority, Authority]:
    """Two authorities that know nothing of each other; both vouch for `localhost`."""
    return make_authority(tmp_path_factory.mktemp("ours")), make_authority(tmp_path_factory.mktemp("theirs"))


@asynccontextmanager
async def encrypting(authority: Authority, to: tuple[str, int]) -> AsyncGenerator[int]:
    """Stand before a PostgreSQL that has no TLS, and have it: answer the request for TLS, then pass all on."""
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(authority.chain)

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await reader.readexactly(8)  # SSLRequest
            writer.write(b"S")
            await writer.start_tls(context)
            behind_reader, behind_writer = await asyncio.open_connection(*to)
            await asyncio.gather(_pass_on(reader, behind_writer), _pass_on(behind_reader, writer))
        except (OSError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.transport.abort()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()


async def _pass_on(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while part := await reader.read(65536):
        writer.write(part)
        await writer.drain()
    writer.transport.abort()


@pytest.fixture(scope="module")
def plain_url() -> Iterator[str]:
    """The URL of a PostgreSQL that has no TLS."""
    if reason := missing_reason("postgres"):
        pytest.skip(reason)
    with databases.postgres_database() as url:
        yield url


async def reaches(url: str, query: str, port: int | None = None) -> bool:
    """Tell whether the database can be used under this URL."""
    here = make_url(url)
    if port is not None:
        here = here.set(host="localhost", port=port)
    database = Database(here.render_as_string(hide_password=False) + query)
    try:
        await database.ping()
    except DatabaseUnavailable:
        return False
    else:
        return True
    finally:
        await database.close()


@pytest.mark.parametrize("mode", ["require", "verify-ca", "verify-full"])
async def test_v12_3_1_a_server_without_tls_is_refused_where_tls_is_asked_for(
    plain_url: str, mode: str
) -> None:
    assert not await reaches(plain_url, f"?sslmode={mode}")
    assert await reaches(plain_url, "?sslmode=prefer")
    assert await reaches(plain_url, "?sslmode=disable")


async def test_v12_3_4_only_the_authority_that_was_named_is_trusted(
    plain_url: str, authorities: tuple[Authority, Authority]
) -> None:
    ours, theirs = authorities
    plain = make_url(plain_url)
    async with encrypting(ours, (str(plain.host), int(plain.port or 5432))) as port:
        for mode in ("verify-ca", "verify-full", "require"):
            assert await reaches(plain_url, f"?sslmode={mode}&sslrootcert={ours.root}", port), mode
            assert not await reaches(plain_url, f"?sslmode={mode}&sslrootcert={theirs.root}", port), mode
        assert await reaches(plain_url, "?sslmode=require", port)
        assert not await reaches(plain_url, "?sslmode=verify-full", port)


def test_a_mode_that_nobody_knows_and_a_file_that_is_none_are_refused(tmp_path: Path) -> None:
    with pytest.raises(Stopped, match="sslmode=maybe"):
        tls(make_url("postgresql://host/name?sslmode=maybe"))
    with pytest.raises(Stopped, match="cannot be used"):
        tls(make_url(f"postgresql://host/name?sslmode=verify-full&sslrootcert={tmp_path / 'none.pem'}"))


def test_other_parameters_stay(tmp_path: Path) -> None:
    url, secured = tls(make_url("postgresql://host/name?sslmode=disable&prepared_statement_cache_size=0"))

    assert dict(url.query) == {"prepared_statement_cache_size": "0"}
    assert secured == {"ssl": False}
