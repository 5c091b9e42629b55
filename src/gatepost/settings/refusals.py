"""Which settings must not run, and the command that mends each."""

import re
from importlib.util import find_spec
from typing import NamedTuple
from urllib.parse import unquote

from gatepost.core.errors import Stopped
from gatepost.core.proxies import hops_or_networks
from gatepost.core.secrets import weakness
from gatepost.settings.model import MAKE_KEY, Settings

__all__ = ["Refusal", "must_run", "refusals", "require_extras"]


_SHOWN = {"console:", "memory:"}
_USER = re.compile(r"[^:]+://([^:@/]*):([^@/]*)@")  # a parser would raise for what the driver may take
_DEFAULTS = {"admin", "change-me", "changeme", "changethis", "default", "example", "gatepost", "pass"}
_DEFAULTS |= {"password", "postgres", "redis", "root", "secret", "test", "123456", "12345678"}


class Refusal(NamedTuple):
    """Why settings must not run, and the command that mends it."""

    reason: str
    command: str

    def __str__(self) -> str:
        return f"{self.reason} Mend it: {self.command}"


def refusals(settings: Settings) -> list[Refusal]:
    """Return why these settings must not run, each with what mends it; an empty list if they may."""
    found = _missing_extras(settings)
    if settings.secret_key is not None and (weak := weakness(settings.secret_key.get_secret_value())):
        found.append(Refusal(f"GATEPOST_SECRET_KEY {weak}.", MAKE_KEY))
    if settings.metrics_token is not None and (weak := weakness(settings.metrics_token.get_secret_value())):
        command = MAKE_KEY.replace("GATEPOST_SECRET_KEY", "GATEPOST_METRICS_TOKEN")
        found.append(Refusal(f"GATEPOST_METRICS_TOKEN {weak}.", command))
    if settings.test_api and settings.environment != "test":
        reason = f"GATEPOST_TEST_API is on in {settings.environment}: anybody could move the clock and read the mail."
        found.append(Refusal(reason, "export GATEPOST_TEST_API=false"))
    found += _hidden_for_nothing(settings)
    if settings.environment != "production":
        return found
    if settings.secret_key is None:
        found.append(Refusal("GATEPOST_SECRET_KEY is not set.", MAKE_KEY))
    if not settings.issuer.startswith("https://"):
        command = "export GATEPOST_PUBLIC_URL=https://auth.example.com"
        found.append(Refusal("GATEPOST_PUBLIC_URL is not an https URL; give your own.", command))
    if settings.debug:
        found.append(Refusal("GATEPOST_DEBUG is on.", "export GATEPOST_DEBUG=false"))
    if settings.rate_limits == "off":
        found.append(Refusal("GATEPOST_RATE_LIMITS is off.", "export GATEPOST_RATE_LIMITS=on"))
    if settings.mail_location in _SHOWN:
        reason = f"GATEPOST_MAIL_URL is {settings.mail_location} and sends nothing, but shows links that let people in."
        found.append(Refusal(reason, "export GATEPOST_MAIL_URL=smtp://user:password@mail.example.com:587"))
    found += _default_passwords(settings)
    found += _everybodys_proxies(settings)
    return found


def _hidden_for_nothing(settings: Settings) -> list[Refusal]:
    accounts = settings.accounts
    if not accounts.sign_up_hides_accounts or accounts.email_verification == "required":
        return []
    # Whoever signs up and can sign in at once has been told.
    reason = "GATEPOST_ACCOUNTS__SIGN_UP_HIDES_ACCOUNTS hides nothing where people sign in unverified."
    return [Refusal(reason, "export GATEPOST_ACCOUNTS__EMAIL_VERIFICATION=required")]


def _everybodys_proxies(settings: Settings) -> list[Refusal]:
    _, networks = hops_or_networks(settings.trusted_proxies)
    if all(network.prefixlen for network in networks):
        return []
    command = "export GATEPOST_TRUSTED_PROXIES=10.0.0.0/8 (your own network)"
    return [Refusal("GATEPOST_TRUSTED_PROXIES trusts every address: clients could choose theirs.", command)]


def _default_passwords(settings: Settings) -> list[Refusal]:
    """Return what speaks against the passwords in URLs. None at all may be right: a socket, a certificate."""
    found = []
    for name, value in (
        ("GATEPOST_DATABASE_URL", settings.database_url),
        ("GATEPOST_REDIS_URL", settings.redis_url),
        ("GATEPOST_MAIL_URL", settings.mail_url),
    ):
        found_in = _USER.match(value.get_secret_value() if value else "")
        user, password = (unquote(part).casefold() for part in found_in.groups()) if found_in else ("", "")
        if password and (password in _DEFAULTS or password == user):
            found.append(
                Refusal(f"The password in {name} is a default that anybody tries.", "change it on the server")
            )
    return found


def _missing_extras(settings: Settings) -> list[Refusal]:
    wanted = {
        "asyncpg": ("GATEPOST_DATABASE_URL", "postgres", settings.database_location.startswith("postgresql")),
        "redis": ("GATEPOST_REDIS_URL", "redis", settings.redis_url is not None),
    }
    return [
        Refusal(f"{name} needs the extra `{extra}`.", f"pip install 'gatepost[{extra}]'")
        for module, (name, extra, needed) in wanted.items()
        if needed and find_spec(module) is None
    ]


def require_extras(settings: Settings) -> None:
    """Raise Stopped if a URL names a database or a Redis whose driver is not installed."""
    if found := _missing_extras(settings):
        raise Stopped("\n".join(map(str, found)))


def must_run(settings: Settings) -> None:
    """Raise Stopped, with what mends it, if these settings must not run."""
    if found := refusals(settings):
        raise Stopped("\n".join(map(str, found)))
