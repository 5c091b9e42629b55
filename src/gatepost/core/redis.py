"""A client of Redis, for those who can go on without it."""

from typing import Any

from gatepost.core.errors import Stopped

__all__ = ["connect"]

CONNECT_SECONDS = 2.0


def connect(url: str, answer_seconds: float | None = None, *, reconnects: bool = True) -> Any:
    """Return a client that opens its connections on first use. Raises Stopped without the extra.

    `answer_seconds`: how long an answer may take; for ever if None, as a listener wants it.
    `reconnects`: replace a broken connection before anybody learns of it; a listener would miss messages unawares.
    """
    try:
        from redis.asyncio import Redis
        from redis.asyncio.retry import Retry
        from redis.backoff import NoBackoff
    except ImportError as error:
        raise Stopped("GATEPOST_REDIS_URL needs the extra: pip install 'gatepost[redis]'") from error
    # Once, at once: a kept connection dies with the server it led to. Whoever can go on without does not wait for it.
    retry = Retry(NoBackoff(), 1) if reconnects else Retry(NoBackoff(), 0, supported_errors=())
    return Redis.from_url(
        url,
        socket_connect_timeout=CONNECT_SECONDS,
        socket_timeout=answer_seconds,
        health_check_interval=30,
        retry=retry,
    )
