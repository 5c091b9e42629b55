"""The proxies of deploy/, run for real in front of an upstream; only addresses and the certificate are changed."""

import os
import re
import shutil
import socket
import ssl
import subprocess
import time
from collections.abc import Callable, Generator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from tests.processes import free_port

DEPLOY = Path(__file__).parents[2] / "deploy"
HOST = "auth.example.com"
_DEADLINE = 20.0


@dataclass(frozen=True)
class Front:
    """A running proxy: its port, and the certificate it shows."""

    port: int
    certificate: Path

    def context(self) -> ssl.SSLContext:
        """Return what a careful client would use."""
        return ssl.create_default_context(cafile=str(self.certificate))

    def connect(self, context: ssl.SSLContext | None = None, source: str = "127.0.0.1") -> ssl.SSLSocket:
        """Return a connection, encrypted, from an address of this machine."""
        plain = socket.create_connection(("127.0.0.1", self.port), timeout=5, source_address=(source, 0))
        try:
            return (context or self.context()).wrap_socket(plain, server_hostname=HOST)
        except BaseException:
            plain.close()
            raise

    def ask(self, request: bytes, source: str = "127.0.0.1") -> bytes:
        """Send these bytes and return all that is answered until the other side closes or falls silent."""
        with self.connect(source=source) as connection:
            return exchange(connection, request)


def exchange(connection: socket.socket, request: bytes) -> bytes:
    """Send these bytes and return all that is answered until the other side closes or says nothing for a second."""
    answer = b""
    connection.settimeout(1)
    try:
        connection.sendall(request)
        while part := connection.recv(65_536):
            answer += part
    except (TimeoutError, ConnectionError, ssl.SSLError):
        pass
    return answer


def status(answer: bytes) -> int:
    """Return the status of the first answer, 0 if there is none."""
    found = re.match(rb"HTTP/1\.[01] (\d{3})", answer)
    return int(found[1]) if found else 0


class Upstream(ThreadingHTTPServer):
    """Answers 200 to everything and keeps what it was sent: path and fields of each request."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Keeper)
        self.seen: list[tuple[str, list[tuple[str, str]]]] = []

    @property
    def asked(self) -> list[str]:
        """The paths that were asked for, but for those that the proxies ask by themselves."""
        return [path for path, fields in self.seen if dict(fields).get("X-Forwarded-For")]


class _Keeper(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def _answer(self) -> None:
        assert isinstance(self.server, Upstream)
        self.server.seen.append((self.path, self.headers.items()))
        if "chunked" in self.headers.get("Transfer-Encoding", ""):
            while size := int(self.rfile.readline(), 16):
                self.rfile.read(size + 2)
            self.rfile.readline()
        else:
            self.rfile.read(int(self.headers.get("Content-Length", 0)))
        self.send_response(200)
        self.send_header("Content-Length", "0")
        self.end_headers()

    do_GET = do_POST = do_OPTIONS = _answer  # noqa: N815  the names that the library looks for

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002  the library's name
        """Say nothing."""


@contextmanager
def upstream() -> Generator[Upstream]:
    """Run an upstream meanwhile."""
    with Upstream() as server:
        thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
        thread.start()
        try:
            yield server
        finally:
            server.shutdown()
            thread.join()


def certificate(directory: Path) -> tuple[Path, Path]:
    """Make a certificate that vouches for itself; return its file and that of its key."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, HOST)])
    now = datetime.now(UTC)
    builder = x509.CertificateBuilder(issuer_name=name, subject_name=name, public_key=key.public_key())
    builder = builder.serial_number(x509.random_serial_number())
    builder = builder.not_valid_before(now - timedelta(days=1)).not_valid_after(now + timedelta(days=1))
    builder = builder.add_extension(x509.SubjectAlternativeName([x509.DNSName(HOST)]), critical=False)
    signed = builder.sign(key, hashes.SHA256())
    shown, secret = directory / "fullchain.pem", directory / "privkey.pem"
    shown.write_bytes(signed.public_bytes(serialization.Encoding.PEM))
    secret.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
    )
    return shown, secret


def _replaced(text: str, changes: dict[str, str]) -> str:
    for old, new in changes.items():
        assert old in text, f"{old} is not in the file any more"
        text = text.replace(old, new)
    return text


def nginx(directory: Path, port: int, behind: int) -> list[str]:
    """Write nginx's configuration; return the command that runs it."""
    text = _replaced(
        (DEPLOY / "nginx" / "gatepost.conf").read_text(encoding="utf-8"),
        {
            "server 127.0.0.1:8000": f"server 127.0.0.1:{behind}",
            "listen 443": f"listen 127.0.0.1:{port}",
            "listen 80": f"listen 127.0.0.1:{free_port()}",
            "/etc/ssl/gatepost": str(directory),
        },
    )
    (directory / "gatepost.conf").write_text(text, encoding="utf-8")
    kinds = ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    folders = "".join(f"{kind}_temp_path {directory}/{kind};" for kind in kinds)
    user = "user root;" if os.geteuid() == 0 else ""
    main = directory / "nginx.conf"
    main.write_text(
        f"{user} daemon off; pid {directory}/pid; error_log {directory}/error.log; events {{}}"
        f"http {{ access_log off; {folders} include {directory}/gatepost.conf; }}",
        encoding="utf-8",
    )
    return ["nginx", "-p", str(directory), "-e", str(directory / "error.log"), "-c", str(main)]


def haproxy(directory: Path, port: int, behind: int) -> list[str]:
    """Write HAProxy's configuration; return the command that runs it."""
    both = directory / "both.pem"
    both.write_bytes(b"".join((directory / name).read_bytes() for name in ("fullchain.pem", "privkey.pem")))
    text = _replaced(
        (DEPLOY / "haproxy" / "haproxy.cfg").read_text(encoding="utf-8"),
        {
            "server one 127.0.0.1:8000": f"server one 127.0.0.1:{behind}",
            "bind :443": f"bind 127.0.0.1:{port}",
            "/etc/ssl/gatepost/both.pem": str(both),
        },
    )
    (directory / "haproxy.cfg").write_text(text, encoding="utf-8")
    return ["haproxy", "-db", "-f", str(directory / "haproxy.cfg")]


def caddy(directory: Path, port: int, behind: int) -> list[str]:
    """Write Caddy's configuration; return the command that runs it."""
    shown, secret = directory / "fullchain.pem", directory / "privkey.pem"
    text = _replaced(
        (DEPLOY / "caddy" / "Caddyfile").read_text(encoding="utf-8"),
        {
            "\tauto_https": f"\tadmin off\n\thttp_port {free_port()}\n\thttps_port {port}\n\tauto_https",
            "tls {": f"tls {shown} {secret} {{",
            "{$GATEPOST_SITE:auth.example.com}": f"https://{HOST}:{port}",
            "{$GATEPOST_UPSTREAM:127.0.0.1:8000}": f"127.0.0.1:{behind}",
        },
    )
    (directory / "Caddyfile").write_text(text, encoding="utf-8")
    return ["caddy", "run", "--adapter", "caddyfile", "--config", str(directory / "Caddyfile")]


PROXIES: dict[str, Callable[[Path, int, int], list[str]]] = {
    "nginx": nginx,
    "haproxy": haproxy,
    "caddy": caddy,
}


def missing(name: str) -> bool:
    """Tell whether a proxy is not on this machine."""
    return shutil.which(name, path=f"{os.environ['PATH']}:/usr/sbin") is None


@contextmanager
def running(name: str, directory: Path, behind: int) -> Generator[Front]:
    """Run a proxy in front of a port meanwhile."""
    shown, _ = certificate(directory)
    front = Front(free_port(), shown)
    command = PROXIES[name](directory, front.port, behind)
    output = directory / "output"
    places = {"HOME": str(directory), "XDG_DATA_HOME": str(directory), "XDG_CONFIG_HOME": str(directory)}
    with output.open("wb") as file:
        process = subprocess.Popen(
            command,
            env={"PATH": f"{os.environ['PATH']}:/usr/sbin", **places},
            stdin=subprocess.DEVNULL,
            stdout=file,
            stderr=subprocess.STDOUT,
        )
    try:
        _wait(front, process, output)
        yield front
    finally:
        process.terminate()
        process.wait(_DEADLINE)


def _wait(front: Front, process: subprocess.Popen[bytes], output: Path) -> None:
    """Wait until the proxy passes a request on."""
    deadline = time.monotonic() + _DEADLINE
    request = f"GET /health HTTP/1.1\r\nHost: {HOST}\r\nConnection: close\r\n\r\n".encode()
    while time.monotonic() < deadline and process.poll() is None:
        try:
            if status(front.ask(request)) == 200:
                return
        except OSError:
            pass
        time.sleep(0.05)
    raise AssertionError(f"the proxy does not serve:\n{output.read_text(errors='replace')}")
