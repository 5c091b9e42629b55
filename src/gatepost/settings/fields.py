"""Kinds of values that settings take."""

import json
import re
from typing import Annotated, Any
from urllib.parse import urlsplit

from pydantic import AfterValidator, BeforeValidator, SecretStr
from pydantic_settings import NoDecode
from sqlalchemy import make_url
from sqlalchemy.exc import ArgumentError

from gatepost.core.mail import parse_mail_url
from gatepost.core.proxies import hops_or_networks

__all__ = [
    "DatabaseUrl",
    "HostNames",
    "MailUrl",
    "Origins",
    "PublicUrl",
    "RedisUrl",
    "Secrets",
    "Texts",
    "TrustedProxies",
]

_ORIGIN = re.compile(r"https?://(?:[a-z0-9._-]+|\[[0-9a-f:.]+\])(?::[0-9]{1,5})?")
_HOST_NAME = re.compile(r"(?:\*\.)?[a-z0-9_-]+(?:\.[a-z0-9_-]+)*|\[[0-9a-f:.]+\]")
_DRIVERS = {"sqlite", "sqlite+aiosqlite", "postgresql", "postgresql+asyncpg"}


def _split(value: Any) -> Any:
    """Read a list from one variable: JSON, or values with commas between them."""
    if not isinstance(value, str):
        return value
    if value.lstrip().startswith("["):
        try:
            return json.loads(value)
        except ValueError:
            raise ValueError("is not a JSON list") from None
    return [item.strip() for item in value.split(",") if item.strip()]


def _an_origin(value: str | None) -> str | None:
    if value is None:
        return None
    parts = urlsplit(value)
    if parts.scheme not in {"http", "https"} or not parts.hostname:
        raise ValueError("must be an http or https URL")
    if parts.query or parts.fragment or "@" in parts.netloc:
        raise ValueError("must have no user, no query and no fragment")
    return value.rstrip("/")


def _a_database_we_know(value: SecretStr | None) -> SecretStr | None:
    if value is None:
        return None
    # `postgres://` is what hosting platforms hand out; the names mean the same.
    text = value.get_secret_value().replace("postgres://", "postgresql://", 1)
    try:
        driver = make_url(text).drivername
    except (ArgumentError, ValueError):
        driver = None
    if driver not in _DRIVERS:
        raise ValueError("must be a URL such as postgresql://user:password@host/name or sqlite:///file.db")
    return SecretStr(text)


def _a_redis(value: SecretStr | None) -> SecretStr | None:
    if value is not None and not value.get_secret_value().startswith(("redis://", "rediss://", "unix://")):
        raise ValueError("must be a URL such as redis://host:6379/0")
    return value


def _a_mail_url(value: SecretStr | None) -> SecretStr | None:
    if value is not None:
        parse_mail_url(value.get_secret_value())
    return value


def _origins(value: list[str]) -> list[str]:
    """Return origins as browsers write them (RFC 6454, section 6.2)."""
    if any("*" in origin for origin in value):
        raise ValueError("list each origin; a wildcard is never allowed")
    found = [origin.rstrip("/").lower() for origin in value]
    if not all(_ORIGIN.fullmatch(origin) for origin in found):
        raise ValueError("an origin is scheme, host and port alone: https://app.example.com")
    return [_without_default_port(origin) for origin in found]


def _without_default_port(origin: str) -> str:
    default = ":443" if origin.startswith("https:") else ":80"
    return origin.removesuffix(default)


def _host_names(value: list[str]) -> list[str]:
    found = [name.lower() for name in value]
    if not all(_HOST_NAME.fullmatch(name) for name in found):
        raise ValueError("a host is a name without port, or `*.` and a name: auth.example.com, *.example.com")
    return found


def _proxies(value: list[str]) -> list[str]:
    hops_or_networks(value)
    return value


Texts = Annotated[list[str], NoDecode, BeforeValidator(_split)]
Secrets = Annotated[list[SecretStr], NoDecode, BeforeValidator(_split)]
Origins = Annotated[list[str], NoDecode, BeforeValidator(_split), AfterValidator(_origins)]
HostNames = Annotated[list[str], NoDecode, BeforeValidator(_split), AfterValidator(_host_names)]
TrustedProxies = Annotated[list[str], NoDecode, BeforeValidator(_split), AfterValidator(_proxies)]
PublicUrl = Annotated[str | None, AfterValidator(_an_origin)]
DatabaseUrl = Annotated[SecretStr | None, AfterValidator(_a_database_we_know)]
MailUrl = Annotated[SecretStr | None, AfterValidator(_a_mail_url)]
RedisUrl = Annotated[SecretStr | None, AfterValidator(_a_redis)]
