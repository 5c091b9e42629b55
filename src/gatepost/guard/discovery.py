"""Where the issuer keeps its keys and its list of ended sessions (RFC 8414)."""

import json
import math
from dataclasses import dataclass
from typing import Any

from gatepost.guard.clock import Clock
from gatepost.guard.fetch import Fetch, Unfetched, checked_url, origin

__all__ = ["Discovery", "Places", "parsed"]

_LOOKED_UP_AGAIN = 3600.0


@dataclass(frozen=True, slots=True)
class Places:
    """URLs of the issuer's own."""

    keys: str
    ended_sessions: str | None


class Discovery:
    """Looks the issuer's metadata up, once an hour, and believes only what names the issuer and stays at its host."""

    def __init__(self, issuer: str, fetch: Fetch, clock: Clock, *, allow_http: bool) -> None:
        parts = checked_url(issuer, allow_http=allow_http)
        self._issuer = issuer
        self._origin = origin(parts)
        # The path comes after the well-known part (RFC 8414, section 3.1).
        root = issuer.removesuffix(parts.path) if parts.path else issuer
        self._url = f"{root}/.well-known/oauth-authorization-server{parts.path.rstrip('/')}"
        self._fetch = fetch
        self._clock = clock
        self._places: Places | None = None
        self._again_at = -math.inf

    async def places(self) -> Places:
        """Return where things are; as last known, if the issuer cannot be asked. Raises Unfetched."""
        if self._places is None or self._clock.monotonic() >= self._again_at:
            try:
                self._places = self._read((await self._fetch(self._url)).body)
                self._again_at = self._clock.monotonic() + _LOOKED_UP_AGAIN
            except Unfetched:
                if self._places is None:
                    raise
        return self._places

    def _read(self, body: bytes) -> Places:
        said = parsed(body)
        if said.get("issuer") != self._issuer:
            raise Unfetched(f"the metadata at {self._url} is that of another issuer")
        keys = self._own(said.get("jwks_uri"))
        if keys is None:
            raise Unfetched("the metadata names no keys")
        return Places(keys, self._own(said.get("gatepost_revoked_sessions_uri")))

    def _own(self, url: Any) -> str | None:
        """Return the URL if the issuer itself answers there; None if there is none. Raises Unfetched."""
        if url is None:
            return None
        try:
            if type(url) is str and origin(checked_url(url, allow_http=True)) == self._origin:
                return url
        except ValueError as error:
            raise Unfetched("the metadata names a place that is none") from error
        raise Unfetched("the metadata names a place that is not the issuer's")


def parsed(body: bytes) -> dict[str, Any]:
    """Return the members of a JSON object. Raises Unfetched."""
    try:
        said = json.loads(body)
    except (ValueError, RecursionError) as error:
        raise Unfetched("not JSON") from error
    if not isinstance(said, dict):
        raise Unfetched("not a JSON object")
    return said
