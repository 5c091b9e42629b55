"""Where mail goes out, from whom, and how patiently."""

import ssl
from dataclasses import dataclass
from email.headerregistry import Address
from email.utils import parseaddr
from pathlib import Path
from typing import Annotated, Literal
from urllib.parse import SplitResult, parse_qsl, unquote, urlsplit

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from gatepost.core.proxies import is_loopback

__all__ = ["MailOptions", "MailServer", "MailUrl", "Tls", "parse_mail_url", "sender_address"]

Tls = Literal["required", "implicit", "never"]

_PORTS = {"smtp": 587, "smtps": 465}
_EXAMPLES = "smtp://user:password@host:587, smtps://host:465, file:///directory, console: or memory:"


@dataclass(frozen=True, slots=True)
class MailServer:
    """A server that takes our mail. `tls`: by STARTTLS, from the first byte, or never."""

    host: str
    port: int
    tls: Tls
    username: str | None = None
    password: str | None = None
    authorities: Path | None = None

    def context(self) -> ssl.SSLContext:
        """Return what verifies the server: its certificate and its name. Raises OSError for a bad file."""
        context = ssl.create_default_context(cafile=self.authorities)
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        return context


@dataclass(frozen=True, slots=True)
class MailUrl:
    """What a mail URL names: `console`, `memory`, a `directory`, or a `server`."""

    kind: Literal["console", "memory", "directory", "server"]
    directory: Path | None = None
    server: MailServer | None = None


def parse_mail_url(url: str) -> MailUrl:
    """Return what the URL names. Raises ValueError that says what is wrong and shows nothing of the URL."""
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        raise ValueError(
            "is no URL: the port must be a number, and what is special in a password %-encoded"
        ) from None
    if url in {"console:", "memory:"}:
        return MailUrl("console" if parts.scheme == "console" else "memory")
    if parts.scheme == "file":
        if parts.netloc or not parts.path.startswith("/") or parts.path == "/":
            raise ValueError("must name a directory by its whole path: file:///var/spool/gatepost")
        return MailUrl("directory", directory=Path(unquote(parts.path)))
    if parts.scheme in _PORTS:
        return MailUrl("server", server=_server(parts, port))
    raise ValueError(f"must be {_EXAMPLES}")


def _server(parts: SplitResult, port: int | None) -> MailServer:
    if not parts.hostname:
        raise ValueError(f"names no host: {parts.scheme}://host:{_PORTS[parts.scheme]}")
    if parts.path not in {"", "/"} or parts.fragment:
        raise ValueError("ends with the port: a mail server has no path (special in a password? %-encode it)")
    asked = dict(parse_qsl(parts.query, keep_blank_values=True))
    tls = _tls(parts.scheme, asked.pop("starttls", "required"))
    authorities = asked.pop("cafile", None)
    if asked:
        raise ValueError("has parameters that mean nothing here; starttls and cafile do")
    username = unquote(parts.username) if parts.username else None
    if username and tls == "never" and not is_loopback(parts.hostname):
        raise ValueError("would send the password in the clear: drop starttls=never")
    if username and parts.password is None:
        raise ValueError("has a user and no password")
    return MailServer(
        host=parts.hostname,
        port=port or _PORTS[parts.scheme],
        tls=tls,
        username=username,
        password=unquote(parts.password) if username and parts.password is not None else None,
        authorities=Path(authorities) if authorities else None,
    )


def _tls(scheme: str, starttls: str) -> Tls:
    if scheme == "smtps":
        return "implicit"
    if starttls == "required":
        return "required"
    if starttls == "never":
        return "never"
    raise ValueError("starttls is required or never: what is only tried, an attacker can prevent")


def sender_address(sender: str) -> Address:
    """Return name and address of `Name <name@host>`, or of the address alone. Raises ValueError."""
    name, address = parseaddr(sender, strict=True)
    if not address or not sender.isprintable():
        raise ValueError("must be an address such as no-reply@example.com or Example <no-reply@example.com>")
    try:
        found = Address(display_name=name, addr_spec=address)
    except Exception:  # noqa: BLE001  the parser of the standard library fails in many ways
        raise ValueError("holds no valid address") from None
    if not found.username or ("." not in found.domain.strip(".") and found.domain != "localhost"):
        raise ValueError("must have a host with a domain")
    return found


def _a_sender(value: str | None) -> str | None:
    if value is not None:
        sender_address(value)
    return value


class MailOptions(BaseModel):
    """From whom mail comes and how it is sent; times in seconds."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    sender: Annotated[str | None, AfterValidator(_a_sender)] = Field(
        None,
        description="From whom mail comes: `Example <no-reply@example.com>`; `no-reply@` and the public URL's host if "
        "not set.",
    )
    reply_to: Annotated[str | None, AfterValidator(_a_sender)] = Field(
        None, description="Where answers go, if not to the sender."
    )
    concurrency: int = Field(
        8, ge=1, le=64, description="Mails that one worker sends at once, each on a connection of its own."
    )
    per_second: int = Field(
        25,
        ge=1,
        le=100_000,
        description="Mails sent a second, also when many have been waiting; of all workers together with Redis, else "
        "of each.",
    )
    connect_timeout: float = Field(
        10.0,
        gt=0,
        le=60,
        description="Longest wait for a connection, in seconds; encryption and sign-in as well.",
    )
    command_timeout: float = Field(
        30.0, gt=0, le=300, description="Longest wait for one answer of the server, in seconds."
    )
    timeout: float = Field(
        60.0, gt=0, le=600, description="Longest that sending one mail may take in all, in seconds."
    )
