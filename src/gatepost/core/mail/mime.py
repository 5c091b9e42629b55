"""A mail as it travels (RFC 5322, RFC 2045, RFC 6531)."""

import re
from datetime import datetime
from email.headerregistry import Address
from email.message import EmailMessage
from email.policy import SMTP, SMTPUTF8, EmailPolicy
from email.utils import format_datetime

import idna

from gatepost.core.mail.errors import MailRefused
from gatepost.core.mail.message import Mail

__all__ = ["Envelope", "composed", "recipient_of"]

# No line of a body needs more than 7 bits on the way: every server takes it.
_ASCII, _UTF8 = (policy.clone(cte_type="7bit") for policy in (SMTP, SMTPUTF8))
_OWN = {"subject", "from", "to", "cc", "bcc", "sender", "reply-to", "date", "message-id", "mime-version"}
_OWN |= {"auto-submitted", "content-language", "content-type", "content-transfer-encoding", "x-gatepost-kind"}
_CONTROL = re.compile(r"[\x00-\x1f\x7f\u0085\u2028\u2029]+")
_HEADER = re.compile(r"[A-Za-z][A-Za-z0-9-]*")
_NO_ADDRESS = "no address that mail can be sent to"


class Envelope:
    """A composed mail with the addresses that the server is told. `utf8`: they need SMTPUTF8 (RFC 6531)."""

    __slots__ = ("content", "recipient", "sender", "utf8")

    def __init__(self, sender: str, recipient: str, content: bytes, *, utf8: bool) -> None:
        self.sender = sender
        self.recipient = recipient
        self.content = content
        self.utf8 = utf8


def composed(mail: Mail, sender: Address, reply_to: Address | None, now: datetime) -> Envelope:
    """Return the mail as it travels. Raises MailRefused if it cannot: whatever is in it, it adds no header."""
    try:
        to = recipient_of(mail.to)
        utf8 = not (to.username.isascii() and sender.username.isascii())
        message = _headed(mail, sender, reply_to, to, now, _UTF8 if utf8 else _ASCII)
        message.set_content(mail.text)
        message.add_alternative(mail.html, subtype="html")
        # After the content, which takes all headers of its own family along.
        message["Content-Language"] = mail.language
        return Envelope(sender.addr_spec, to.addr_spec, message.as_bytes(), utf8=utf8)
    except (ValueError, LookupError, UnicodeError):
        raise MailRefused("it cannot be written as a mail") from None


def recipient_of(address: str) -> Address:
    """Return an address, its host as the name system knows it (IDNA). Raises MailRefused for what is none."""
    name, at, host = address.rpartition("@")
    if not (name and at and host) or not address.isprintable() or " " in address:
        raise MailRefused(_NO_ADDRESS)
    try:
        known = host if host.isascii() else idna.encode(host, uts46=True).decode()
        return Address(username=name, domain=known)
    except Exception:  # noqa: BLE001  the parser of the standard library fails in many ways
        raise MailRefused(_NO_ADDRESS) from None


def _headed(
    mail: Mail,
    sender: Address,
    reply_to: Address | None,
    to: Address,
    now: datetime,
    policy: "EmailPolicy[EmailMessage]",
) -> EmailMessage:
    message = EmailMessage(policy=policy)
    message["From"] = sender
    message["To"] = to
    if reply_to is not None:
        message["Reply-To"] = reply_to
    message["Subject"] = _CONTROL.sub(" ", mail.subject)
    message["Date"] = format_datetime(now)
    message["Message-ID"] = f"<{mail.id}@{sender.domain}>"
    # Nobody's holiday notice answers it (RFC 3834, section 5).
    message["Auto-Submitted"] = "auto-generated"
    message["X-Gatepost-Kind"] = mail.kind
    for name, value in mail.headers.items():
        if name.lower() in _OWN or not _HEADER.fullmatch(name):
            raise ValueError("not a header of the sender's choice")
        message[name] = _CONTROL.sub(" ", value)
    return message
