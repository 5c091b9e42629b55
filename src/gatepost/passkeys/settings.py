"""Options of passkeys."""

import re
from datetime import timedelta
from typing import Annotated, Literal
from uuid import UUID

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field
from pydantic_settings import NoDecode

__all__ = ["PasskeyOptions"]

_DOMAIN = re.compile(r"localhost|(?=.{1,253}$)[a-z0-9-]+(?:\.[a-z0-9-]+)*\.(?!\d+$)[a-z0-9-]+")
_ORIGIN = re.compile(r"(?:https://[a-z0-9._-]+|http://(?:[a-z0-9-]+\.)*localhost)(?::[0-9]{1,5})?")
# How Android names an app: by the certificate that signed it.
_APP = re.compile(r"android:apk-key-hash:[A-Za-z0-9_-]{43}")


def _split(value: object) -> object:
    return [item.strip() for item in value.split(",") if item.strip()] if isinstance(value, str) else value


def _a_domain(value: str | None) -> str | None:
    if value is not None and not _DOMAIN.fullmatch(value.lower()):
        raise ValueError("must be a domain: example.com")
    return value.lower() if value else None


def _a_page(value: str) -> str:
    origin = value.rstrip("/").lower()
    if not _ORIGIN.fullmatch(origin):
        raise ValueError("an origin is https, host and port alone: https://app.example.com")
    return origin.removesuffix(":443" if origin.startswith("https:") else ":80")


def _pages(values: list[str]) -> list[str]:
    return [_a_page(each) for each in values]


def _pages_or_apps(values: list[str]) -> list[str]:
    return [each if _APP.fullmatch(each) else _a_page(each) for each in values]


class PasskeyOptions(BaseModel):
    """Which passkeys people may have, and on which pages they work."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    rp_id: Annotated[str | None, AfterValidator(_a_domain)] = Field(
        None,
        description="The domain that passkeys belong to: that of your pages, or one above it. Changed later, all "
        "passkeys are lost. The host of the public URL if not set, `localhost` for a loopback address.",
    )
    origins: Annotated[list[str], NoDecode, BeforeValidator(_split), AfterValidator(_pages_or_apps)] = Field(
        default_factory=list,
        description="Origins at or below that domain whose pages may use passkeys, beside the public URL's; and apps "
        "for Android, as `android:apk-key-hash:…`.",
    )
    related_origins: Annotated[list[str], NoDecode, BeforeValidator(_split), AfterValidator(_pages)] = Field(
        default_factory=list,
        description="Origins of your other domains whose pages may use the same passkeys. Browsers read them at "
        "`/.well-known/webauthn` of the domain, and take those of five names at most.",
    )
    user_verification: Literal["required", "preferred"] = Field(
        "preferred",
        description="`required`: a passkey counts only if the authenticator has verified the person, by a PIN or a "
        "biometric. `preferred`: one that has not is a passkey still, but no two factors.",
    )
    discoverable: Literal["required", "preferred"] = Field(
        "preferred",
        description="`required`: only passkeys that are found without a name are made; security keys without room for "
        "them are refused. `preferred`: such as the authenticator can.",
    )
    aaguids: Annotated[list[UUID], NoDecode, BeforeValidator(_split)] = Field(
        default_factory=list,
        description="Models of authenticators (AAGUID) of which a passkey may be; any if empty. The browser then asks "
        "people whether to tell. It is the authenticator's word: chains of certificates are not judged.",
    )
    most_per_user: int = Field(20, ge=1, le=100, description="Most passkeys that a person may have.")
    challenge_lifetime: timedelta = Field(
        timedelta(minutes=5),
        ge=timedelta(minutes=1),
        le=timedelta(minutes=15),
        description="How long somebody has to answer the browser's question for a passkey.",
    )
