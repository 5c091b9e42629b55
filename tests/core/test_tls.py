"""TLS to the database: what is asked for is had, or nothing is."""

import asyncio
import datetime as dt
import ssl
from collections.abc import AsyncGenerator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import NamedTuple

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from sqlalchemy import make_url

from gatepost.core.database import Database, DatabaseUnavailable
from gatepost.core.database.tls import tls
from gatepost.core.errors import Stopped
from tests import databases
from tests.services import missing_reason


class Authority(NamedTuple):
    """A certificate authority, and a server's certificate that it vouches for."""

    root: Path
    chain: Path


@pytest.fixture(scope="module")
def authorities(tmp_path_factory: pytest.TempPathFactory) -> tuple[Authority, Authority]:
    """Two authorities that know nothing of each other; both vouch for `localhost`."""
    return make_authority(tmp_path_factory.mktemp("ours")), make_authority(tmp_path_factory.mktemp("theirs"))


def make_authority(directory: Path) -> Authority:
    root_key, key = ec.generate_private_key(ec.SECP256R1()), ec.generate_private_key(ec.SECP256R1())
    root_name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, f"authority {directory.name}")])
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")])
    now = dt.datetime.now(dt.UTC)

    def certificate(
        subject: x509.Name, public: ec.EllipticCurvePublicKey, *, is_root: bool
    ) -> x509.Certificate:
        usage = dict.fromkeys(_USAGES, False) | {"key_cert_sign": is_root, "digital_signature": True}
        return (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(root_name)
            .public_key(public)
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - dt.timedelta(days=1))
            .not_valid_after(now + dt.timedelta(days=1))
            .add_extension(x509.BasicConstraints(ca=is_root, path_length=None), critical=True)
            .add_extension(x509.KeyUsage(**usage), critical=True)
            .add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False)
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(public), critical=False)
            .add_extension(
                x509.AuthorityKeyIdentifier.from_issuer_public_key(root_key.public_key()), critical=False
            )
            .sign(root_key, hashes.SHA256())
        )

    pem = serialization.Encoding.PEM
    root, chain = directory / "root.pem", directory / "server.pem"
    root.write_bytes(certificate(root_name, root_key.public_key(), is_root=True).public_bytes(pem))
    private = key.private_bytes(pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    chain.write_bytes(certificate(name, key.public_key(), is_root=False).public_bytes(pem) + private)
    return Authority(root, chain)


_USAGES = (
    "digital_signature",
    "content_commitment",
    "key_encipherment",
    "data_encipherment",
    "key_agreement",
    "key_cert_sign",
    "crl_sign",
    "encipher_only",
    "decipher_only",
)


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
