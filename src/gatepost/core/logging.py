"""Log lines: JSON in production, readable in development, free of secrets in both."""

import logging
import re
import sys
from contextvars import ContextVar
from functools import lru_cache
from typing import Any, Literal

import structlog
from structlog.typing import EventDict, FilteringBoundLogger, WrappedLogger

__all__ = ["LogFormat", "Logger", "make_logger", "request_id"]

LogFormat = Literal["json", "text"]
Logger = FilteringBoundLogger

REDACTED = "[redacted]"
_SECRET_KEYS = re.compile(
    r"pass(word|wd|phrase)?$|secret|token$|authorization|cookie|credential|private|^code$|_code$|api_?key|database_url|redis_url"
)
_WORD = r"[^\s@<>\"'=:,;()\[\]{}]"
# A JWT and an address begin at the start of a word only: else a long word takes quadratic time.
_SECRET_VALUES = re.compile(
    r"gp_[a-z]+_[\w-]{8,}"  # our opaque tokens
    r"|(?:(?<![\w-])|(?<=%[\dA-Fa-f]{2}))eyJ[\w-]+\.[\w-]+\.[\w-]*"  # a JWT
    r"|\$(?:argon2\w*|2[abxy])\$\S+"  # a password hash
    r"|(?<=://)[^\s/@:]*:[^\s/@]+(?=@)"  # user and password of a URL
    # An e-mail address, also as part of a URL.
    rf"|(?<!{_WORD}){_WORD}+?(?:@|%40){_WORD}+"
)
_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069]")


# What the patterns begin with: most values hold none of these, and a look is cheaper than a search.
_SUSPICIOUS = re.compile(r"[@$]|%40|gp_|eyJ|://")

request_id: ContextVar[str | None] = ContextVar("gatepost_request_id", default=None)
"""The id of the request that is being answered; every log line bears it."""


def _add_request_id(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
    current = request_id.get()
    if current is not None:
        event["request_id"] = current
    return event


def redact(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
    """Hide what must never be in a log, by the key's name and by the look of the value."""
    for key, value in event.items():
        event[key] = REDACTED if value is not None and _is_secret(key) else _clean(value)
    return event


@lru_cache(maxsize=1024)
def _is_secret(key: str) -> bool:
    return _SECRET_KEYS.search(key) is not None


def _clean(value: Any) -> Any:
    if isinstance(value, str):
        if _SUSPICIOUS.search(value):
            value = _SECRET_VALUES.sub(REDACTED, value)
        return value if value.isprintable() else _CONTROL.sub(lambda hit: f"\\x{ord(hit[0]):02x}", value)
    if isinstance(value, dict):
        return redact(None, "", {str(key): item for key, item in value.items()})
    if isinstance(value, list | tuple):
        return [_clean(item) for item in value]
    return value


def make_logger(log_format: LogFormat, level: str = "info", stream: Any = None) -> Logger:
    """Return a logger of its own: nothing global is set, so two Gateposts may log differently."""
    render: Any = (
        structlog.processors.JSONRenderer(sort_keys=True)
        if log_format == "json"
        else structlog.dev.ConsoleRenderer(colors=(stream or sys.stderr).isatty())
    )
    return structlog.wrap_logger(
        structlog.WriteLogger(stream or sys.stderr),
        processors=[
            _add_request_id,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.format_exc_info,
            redact,
            render,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(logging.getLevelNamesMapping()[level.upper()]),
        cache_logger_on_first_use=True,
    )
