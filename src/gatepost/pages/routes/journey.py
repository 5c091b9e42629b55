"""What all routes of pages have in common."""

from collections.abc import Callable, Mapping
from typing import Any

from fastapi import APIRouter, Request, Response
from fastapi.routing import APIRoute

from gatepost.pages.visit import Visit

__all__ = ["digits_of", "journey"]


class PageRoute(APIRoute):
    """Takes the switch of languages before anything else: `?language=de` on any page."""

    def get_route_handler(self) -> Callable[[Request], Any]:
        """Return what answers a request."""
        handle = super().get_route_handler()

        async def switched(request: Request) -> Response:
            wanted = request.query_params.get("language")
            if wanted is not None and request.method == "GET":
                return Visit(request, None).speak(wanted)
            answer: Response = await handle(request)
            return answer

        return switched


def journey() -> APIRouter:
    """Return a router for the pages of one journey."""
    return APIRouter(include_in_schema=False, route_class=PageRoute)


def digits_of(form: Mapping[str, str]) -> str:
    """Return the code that was typed, as it was sent: people and programs put spaces into it."""
    return "".join(form.get("code", "").split())
