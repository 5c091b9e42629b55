"""The settings themselves, with the rooms' sections, and where their values come from."""

import os
import re
from datetime import timedelta
from pathlib import Path
from typing import Literal
from urllib.parse import urlsplit

from pydantic import AliasChoices, Field, SecretStr
from pydantic_settings import (
    BaseSettings,
    PydanticBaseSettingsSource,
    SecretsSettingsSource,
    SettingsConfigDict,
)

from gatepost.accounts import AccountOptions
from gatepost.core.database import DatabaseOptions
from gatepost.core.errors import Stopped
from gatepost.core.hashing import HashingOptions
from gatepost.core.http.cookies import SameSite
from gatepost.core.limits import LimitOptions
from gatepost.core.logging import LogFormat
from gatepost.core.mail import MailOptions
from gatepost.core.proxies import ForwardedHeader, is_loopback
from gatepost.login import LoginOptions
from gatepost.mfa import MfaOptions
from gatepost.notices import BrandOptions, NoticeOptions
from gatepost.pages import PageOptions
from gatepost.passkeys import PasskeyOptions
from gatepost.passwords import PasswordOptions
from gatepost.sessions import SessionOptions
from gatepost.settings.fields import (
    DatabaseUrl,
    HostNames,
    MailUrl,
    Origins,
    PublicUrl,
    RedisUrl,
    Secrets,
    TrustedProxies,
)
from gatepost.tokens import TokenOptions

__all__ = ["MAKE_KEY", "PREFIX", "SECRETS_DIR", "Environment", "Settings", "secret_files", "variables"]

Environment = Literal["development", "test", "production"]

PREFIX = "GATEPOST_"
SECRETS_DIR = "GATEPOST_SECRETS_DIR"
DATABASE_FILE = "gatepost.db"
MAKE_KEY = (
    """export GATEPOST_SECRET_KEY="$(python3 -c 'import secrets; print(secrets.token_urlsafe(32))')\""""
)


class Settings(BaseSettings):
    """What an operator decides. Names in the environment: `GATEPOST_` and the path, `__` between sections.

    Values come from arguments, the environment, `.env`, and files in `GATEPOST_SECRETS_DIR`, in this order.
    """

    model_config = SettingsConfigDict(
        env_prefix="GATEPOST_",
        env_nested_delimiter="__",
        env_file=".env",
        extra="ignore",
        frozen=True,
        hide_input_in_errors=True,
        populate_by_name=True,
    )

    environment: Environment = Field("development", description="`development`, `test` or `production`.")
    debug: bool = Field(False, description="Log more; refused in production.")
    host: str = Field("127.0.0.1", description="Address to listen on.")
    port: int = Field(
        8000,
        ge=0,
        le=65535,
        validation_alias=AliasChoices("PORT", "GATEPOST_PORT", "port"),
        description="Port to listen on. Also read from `PORT`.",
    )
    workers: int = Field(1, ge=1, le=64, description="Processes that answer requests.")
    data_dir: Path = Field(
        Path("gatepost-data"), description="Where the embedded database and generated secrets lie."
    )
    database_url: DatabaseUrl = Field(
        None, description="SQLAlchemy URL of the database; an SQLite file in the data directory if not set."
    )
    redis_url: RedisUrl = Field(
        None,
        description="Redis, through which processes count rate limits together, tell each other which cached callers "
        "to forget and wake each other's outbox workers; if not set each counts for itself, caches no caller on "
        "PostgreSQL, and polls.",
    )
    mail_url: MailUrl = Field(
        None,
        description="Where mail goes: `smtp://user:password@host:587` (encrypted by STARTTLS; `?starttls=never` only "
        "on a network that is yours, `?cafile=` for an authority of your own), `smtps://host:465`, `file:///directory` "
        "for `.eml` files, `console:`, `memory:`. If not set: the console in development, nowhere in production.",
    )
    public_url: PublicUrl = Field(
        None,
        description="Where clients reach the service: the issuer of tokens. `http://HOST:PORT` if not set.",
    )
    secret_key: SecretStr | None = Field(
        None, description="At least 32 random bytes as text. Seals secrets in the database, signs cursors."
    )
    previous_secret_keys: Secrets = Field(
        default_factory=list,
        description="Keys that used to be the secret key; they still open what they sealed.",
    )
    cors_origins: Origins = Field(
        default_factory=list,
        description="Origins whose pages may call the API, such as `https://app.example.com`.",
    )
    return_origins: Origins = Field(
        default_factory=list,
        description="Origins to whose pages people may be led back once they have signed in, such as "
        "`https://app.example.com`; our own is always one.",
    )
    cookie_same_site: SameSite = Field(
        "lax",
        description="`SameSite` of the cookies: `lax`, `strict`, or `none` where pages of another site use them, too "
        "(`cors_origins` names them; needs https).",
    )
    allowed_hosts: HostNames = Field(
        default_factory=list,
        description="Names in `Host` that are answered beside the public URL's; `*.example.com` for all below one.",
    )
    trusted_proxies: TrustedProxies = Field(
        default_factory=list,
        description="Networks of the proxies in front, such as `10.0.0.0/8`, or one number: how many there are. "
        "Only they may say who the client is.",
    )
    forwarded_header: ForwardedHeader = Field(
        "x-forwarded-for", description="The header in which they say so; no other is read."
    )
    rate_limits: Literal["on", "off"] = Field(
        "on", description="`off` counts nothing; refused in production."
    )
    max_body_bytes: int = Field(65_536, ge=8_192, description="Largest request body, in bytes.")
    request_timeout: float = Field(
        30.0,
        gt=0,
        description="Longest that a request may take, in seconds; a third of it for its body to arrive.",
    )
    drain_seconds: float | None = Field(
        None,
        ge=0,
        le=300,
        description="How long `gatepost serve` goes on serving after it was told to stop, not ready meanwhile, so "
        "that balancers look elsewhere; 5 in production and 0 elsewhere if not set.",
    )
    metrics_port: int | None = Field(
        None,
        ge=1,
        le=65535,
        description="Port of its own for `/metrics` and the details of `/health/ready`; none if not set.",
    )
    metrics_host: str = Field("127.0.0.1", description="Address that the port of the metrics listens on.")
    metrics_token: SecretStr | None = Field(
        None,
        description="Serve `/metrics` on the main port, to those who present this as a bearer token.",
    )
    docs: bool | None = Field(
        None, description="Serve `/docs` and `/openapi.json`; everywhere but in production if not set."
    )
    log_format: LogFormat | None = Field(None, description="`json` or `text`; by the environment if not set.")
    log_level: Literal["debug", "info", "warning", "error"] = Field(
        "info", description="Least level that is logged."
    )
    idempotency_seconds: int = Field(
        86_400, ge=60, description="How long an answer is kept under its Idempotency-Key, in seconds."
    )
    delivery_retention: timedelta = Field(
        timedelta(days=30),
        ge=timedelta(days=1),
        description="How long deliveries of events are kept after they were made or given up.",
    )
    test_api: bool | None = Field(
        None,
        description="Serve `/test/clock`, which moves the time of the whole service, and `/test/mail`, which shows "
        "what it sends, to everybody; refused outside of the environment `test`. If not set: there, to clients on this "
        "machine, when `GATEPOST_HOST` and `GATEPOST_PUBLIC_URL` name no other and no proxy is trusted.",
    )
    run_worker: bool = Field(
        True, description="Run the worker (deliveries of events, clean-up) inside the web process."
    )
    telemetry: bool = Field(
        False,
        description="Send OpenTelemetry traces (needs the `otel` extra; the exporter reads `OTEL_…` itself).",
    )

    database: DatabaseOptions = Field(default_factory=DatabaseOptions)
    hashing: HashingOptions = Field(default_factory=HashingOptions)
    limits: LimitOptions = Field(default_factory=LimitOptions)
    mail: MailOptions = Field(default_factory=MailOptions)
    passwords: PasswordOptions = Field(default_factory=PasswordOptions)
    passkeys: PasskeyOptions = Field(default_factory=PasskeyOptions)
    sessions: SessionOptions = Field(default_factory=SessionOptions)
    tokens: TokenOptions = Field(default_factory=TokenOptions)
    login: LoginOptions = Field(default_factory=LoginOptions)
    mfa: MfaOptions = Field(default_factory=MfaOptions)
    accounts: AccountOptions = Field(default_factory=AccountOptions)
    brand: BrandOptions = Field(default_factory=BrandOptions)
    notices: NoticeOptions = Field(default_factory=NoticeOptions)
    pages: PageOptions = Field(default_factory=PageOptions)

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,  # noqa: ARG003
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Read the directory of secret files from the environment as it is now, not as it was at import."""
        return init_settings, env_settings, dotenv_settings, secret_files(settings_cls)

    @property
    def issuer(self) -> str:
        """The public URL, without a slash at the end."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return self.public_url or f"http://{host}:{self.port}"

    @property
    def mail_location(self) -> str | None:
        """The mail's URL; in development the console if none is set, elsewhere none."""
        if self.mail_url is not None:
            return self.mail_url.get_secret_value()
        return {"development": "console:", "test": "memory:"}.get(self.environment)

    @property
    def mail_sender(self) -> str:
        """From whom mail comes: name and address."""
        host = urlsplit(self.issuer).hostname or ""
        return self.mail.sender or f"no-reply@{host if host and ':' not in host else 'localhost'}"

    @property
    def database_location(self) -> str:
        """The database's URL, the embedded file's if none is set."""
        if self.database_url is not None:
            return self.database_url.get_secret_value()
        return f"sqlite:///{self.data_dir / DATABASE_FILE}"

    @property
    def is_embedded(self) -> bool:
        """Whether the database is a file of ours, which we may create and migrate without asking."""
        return self.database_url is None or self.database_location.startswith("sqlite")

    @property
    def migrates_on_start(self) -> bool:
        """Whether a start brings the schema up to date; otherwise it must be right already."""
        return self.is_embedded or self.environment != "production"

    @property
    def host_names(self) -> list[str]:
        """The names in `Host` that the service answers to."""
        own = urlsplit(self.issuer).netloc.rpartition("@")[2]
        return [re.sub(r":\d*$", "", own), *self.allowed_hosts]

    @property
    def shows_docs(self) -> bool:
        """Whether the documentation pages are served."""
        return self.environment != "production" if self.docs is None else self.docs

    @property
    def offers_test_api(self) -> bool:
        """Whether tests may move the clock and read the mail."""
        if self.environment != "test":
            return False
        return self._stays_here if self.test_api is None else self.test_api

    @property
    def _stays_here(self) -> bool:
        hosts = (self.host, urlsplit(self.issuer).hostname or "")
        return all(map(is_loopback, hosts)) and not self.trusted_proxies

    @property
    def measures(self) -> bool:
        """Whether metrics are kept."""
        return self.metrics_port is not None or self.metrics_token is not None

    @property
    def effective_drain_seconds(self) -> float:
        """How long to go on serving after the word to stop, by the environment if it is not set."""
        if self.drain_seconds is not None:
            return self.drain_seconds
        return 5.0 if self.environment == "production" else 0.0

    @property
    def effective_log_format(self) -> LogFormat:
        """The log format, by the environment if it is not set."""
        return self.log_format or ("text" if self.environment == "development" else "json")

    def key_ring(self) -> list[str]:
        """Return the secret keys, the current one first. Raises Stopped if there is none."""
        if self.secret_key is None:
            raise Stopped(f"GATEPOST_SECRET_KEY is not set. Mend it: {MAKE_KEY}")
        return [key.get_secret_value() for key in (self.secret_key, *self.previous_secret_keys)]


def secret_files(settings_cls: type[BaseSettings]) -> SecretsSettingsSource:
    """Return what reads the directory of secret files. Raises Stopped if there is no such directory."""
    directory = os.environ.get(SECRETS_DIR) or None
    if directory is not None and not Path(directory).is_dir():
        raise Stopped(f"{SECRETS_DIR}: {directory} is not a directory")
    return SecretsSettingsSource(settings_cls, directory)


def variables() -> dict[tuple[str, ...], list[str]]:
    """Return every setting's path, with the variables that set it, the usual one first."""
    found: dict[tuple[str, ...], list[str]] = {}
    for name, field in Settings.model_fields.items():
        whole = f"{PREFIX}{name.upper()}"
        parts = getattr(field.annotation, "model_fields", None)
        if parts is not None:
            # A section may be given as a whole too, in JSON.
            found |= {(name, part): [f"{whole}__{part.upper()}", whole] for part in parts}
        elif isinstance(field.validation_alias, AliasChoices):
            found[(name,)] = [str(alias) for alias in field.validation_alias.choices if alias != name]
        else:
            found[(name,)] = [whole]
    return found
