"""Options of the rate limits."""

from datetime import timedelta

from pydantic import BaseModel, ConfigDict, Field

__all__ = ["LimitOptions"]


class LimitOptions(BaseModel):
    """How often each class of request is answered in one minute; what comes more often gets 429."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    general: int = Field(
        300,
        ge=1,
        le=1_000_000,
        description="Requests a minute per address, all but `/health` and what is published.",
    )
    published: int = Field(
        3_000,
        ge=1,
        le=1_000_000,
        description="Requests a minute per address for what is the same for everybody: keys, metadata, ended sessions. "
        "Each process of a service that uses the guard makes some thirty.",
    )
    credentials: int = Field(
        10,
        ge=1,
        le=1_000_000,
        description="Passwords, setup codes, links and codes from mails tried a minute per address, and mails asked "
        "for.",
    )
    begun: int = Field(
        60,
        ge=1,
        le=1_000_000,
        description="Sign-ins in steps begun a minute per address, and questions for a passkey: a page that is opened "
        "has both.",
    )
    account: int = Field(
        10, ge=1, le=1_000_000, description="Passwords and codes from mails tried a minute per account."
    )
    sign_up: int = Field(10, ge=1, le=1_000_000, description="Sign-ups a minute per address.")
    recipient: int = Field(
        5, ge=1, le=1_000_000, description="Sign-ups a minute for one e-mail address, and mails asked for."
    )
    mail: int = Field(
        20,
        ge=1,
        le=1_000_000,
        description="Mails of one kind an hour to one address; what exceeds is not sent, and nobody is told.",
    )
    mail_origin: int = Field(
        100,
        ge=1,
        le=1_000_000,
        description="Mails asked for an hour from one address, to whomever: links, codes, and sign-ups that send one. "
        "The worker sends at most a day's worth of them a day, and drops the rest.",
    )
    free_failures: int = Field(
        10,
        ge=1,
        le=1_000,
        description="Wrong passwords in a row for an account before each next one must wait.",
    )
    longest_delay: timedelta = Field(
        timedelta(seconds=60),
        ge=timedelta(seconds=1),
        le=timedelta(hours=1),
        description="The wait doubles from one second with each failure, up to this.",
    )
    known_for: timedelta = Field(
        timedelta(days=30),
        gt=timedelta(0),
        description="An address that signed in to an account within this time is not delayed by strangers' failures.",
    )
    ipv6_prefix: int = Field(
        64, ge=32, le=128, description="Leading bits of an IPv6 address that count as one client."
    )
