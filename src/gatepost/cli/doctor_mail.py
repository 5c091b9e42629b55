"""The part of `gatepost doctor` that looks at mail: whether it goes out, and whether it looks like ours."""

import os
from ipaddress import ip_address
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from gatepost.cli.check import Check

if TYPE_CHECKING:
    from pathlib import Path

    from gatepost.core.clock import Clock
    from gatepost.core.mail import MailServer
    from gatepost.settings import Settings

__all__ = ["mail_checks"]

_URL = "export GATEPOST_MAIL_URL=smtp://user:password@mail.example.com:587"
_SENDER = "export GATEPOST_MAIL__SENDER='Example <no-reply@example.com>', of a domain that is yours"
# Names that nobody can own (RFC 2606, RFC 6761, RFC 6762, RFC 8375).
_NOBODYS = {"example", "invalid", "local", "localhost", "test", "internal", "lan", "home", "arpa"}
_EXAMPLES = {"example.com", "example.net", "example.org"}


async def mail_checks(settings: "Settings", clock: "Clock") -> list[Check]:
    """Look at the way out, and at the sender. No mail is sent."""
    from gatepost.core.mail import parse_mail_url

    if settings.offers_test_api:
        return [Check("mail", "ok", "Is kept for /test/mail, and goes to nobody.")]
    url = settings.mail_location
    if url is None:
        says = "Nothing sends mail: nobody can prove an address, or come back after a forgotten password."
        level = "warning" if settings.environment == "production" else "ok"
        if settings.accounts.email_verification == "required":
            says = "Addresses must be verified, and nothing sends the mail for it: nobody new can sign in."
            level = "danger"
        return [Check("mail", level, says, _URL)]
    named = parse_mail_url(url)
    if named.server is not None:
        way = await _server(settings, named.server, clock)
    elif named.directory is not None:
        way = [_directory(named.directory)]
    else:
        return [Check("mail", "ok", f"Goes to the {named.kind}, and to nobody else.")]
    return [*way, *_sender(settings)]


async def _server(settings: "Settings", server: "MailServer", clock: "Clock") -> list[Check]:
    from gatepost.core.mail import MailDeferred, SmtpTransport, sender_address
    from gatepost.core.proxies import is_loopback

    where = f"{server.host}:{server.port}"
    checks = []
    if server.tls == "never" and not is_loopback(server.host):
        says = f"Travels to {where} unencrypted: whoever is on the way reads links that let people in."
        level = "danger" if settings.environment == "production" else "warning"
        checks.append(Check("mail", level, says, "drop starttls=never from GATEPOST_MAIL_URL"))
    try:
        sender = sender_address(settings.mail_sender)
        await SmtpTransport(server, settings.mail, sender, None, clock).check()
    except MailDeferred as fault:
        says = f"{where} does not take mail from us: {fault}."
        mend = "check GATEPOST_MAIL_URL, and that it is reached from here"
        return [*checks, Check("mail", "danger", says, mend)]
    except OSError as fault:
        says = f"The file of authorities cannot be used ({fault.strerror})."
        return [*checks, Check("mail", "danger", says, "check cafile= in GATEPOST_MAIL_URL")]
    how = "unencrypted" if server.tls == "never" else "encrypted and verified"
    signed_in = ", and we are signed in" if server.username else ""
    return [*checks, Check("mail", "ok", f"{where} answers, {how}{signed_in}.")]


def _directory(path: "Path") -> Check:
    nearest = next(each for each in (path, *path.parents) if os.path.lexists(each))
    if not nearest.is_dir() or not os.access(nearest, os.W_OK | os.X_OK):
        return Check("mail", "danger", f"{nearest} is not a directory to write in.", "make it writable")
    return Check("mail", "ok", f"Is written to {path}.")


def _sender(settings: "Settings") -> list[Check]:
    from gatepost.core.mail import sender_address

    if settings.environment != "production":
        return []
    domain = sender_address(settings.mail_sender).domain.lower()
    if _is_nobodys(domain):
        says = f"Comes from {domain}, which is nobody's: it will not be delivered."
        return [Check("mail sender", "danger", says, _SENDER)]
    ours = (urlsplit(settings.issuer).hostname or "").lower()
    if not _related(domain, ours):
        says = f"Comes from {domain}, and its links lead to {ours}: that is how fraud looks."
        return [Check("mail sender", "warning", says, _SENDER)]
    says = f"Comes from {domain}. Whether its SPF, DKIM and DMARC records name the server cannot be seen from here."
    return [Check("mail sender", "ok", says)]


def _is_nobodys(domain: str) -> bool:
    try:
        ip_address(domain.strip("[]"))
    except ValueError:
        registered = ".".join(domain.split(".")[-2:])
        return "." not in domain or domain.rpartition(".")[2] in _NOBODYS or registered in _EXAMPLES
    return True


def _related(one: str, other: str) -> bool:
    """Tell whether one is below the other, or both are below a third that is no top-level domain."""
    if one == other or one.endswith(f".{other}") or other.endswith(f".{one}"):
        return True
    return one.split(".")[-2:] == other.split(".")[-2:]
