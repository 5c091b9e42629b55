"""Who opens a page."""

from fastapi import Request

from gatepost.core.http.deps import house
from gatepost.core.principal import Principal
from gatepost.tokens import TokenInvalid

__all__ = ["signed_in_here"]


async def signed_in_here(request: Request) -> Principal | None:
    """Return whose live session this browser has, if any."""
    try:
        found = await house(request).browser_session(request)
    except TokenInvalid:
        return None
    return found.principal if found else None
