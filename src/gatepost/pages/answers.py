"""A page as an answer, with the headers that hold it in."""

from typing import Any

from fastapi import Request, Response

from gatepost.core.http.deps import house
from gatepost.core.limits import LimitExceeded

__all__ = ["dead", "page", "too_many"]

_POLICY = "default-src 'none'; style-src 'self'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'"


def page(request: Request, name: str, status: int, **told: Any) -> Response:
    """Return a page in the language that the browser asks for."""
    rendered = house(request).pages.render(name, request.headers.get("accept-language"), **told)
    headers = {
        "Content-Security-Policy": _POLICY,
        "Content-Language": rendered.language,
        "Vary": "Accept-Language",
    }
    return Response(rendered.html, status, headers, "text/html")


def dead(request: Request) -> Response:
    """Say that a link does not work any more."""
    return page(request, "dead-link", 400)


def too_many(request: Request, error: LimitExceeded) -> Response:
    """Say that somebody has to wait."""
    answer = page(request, "too-many", 429)
    answer.headers.update({"Retry-After": str(error.retry_after), **error.verdict.fields})
    return answer
