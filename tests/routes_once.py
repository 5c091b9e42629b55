"""What the framework makes of our routes, made once and not anew for each service that a test starts.

It takes a tenth of a second of a processor, as long as most tests themselves. The routes are the same objects in every
service, so what is made of them is, too: it holds nothing of the application beside overrides, which we do not use.
"""

from typing import Any

import pytest
from fastapi import routing

__all__: list[str] = []


def pytest_configure(config: pytest.Config) -> None:
    _remember(routing._EffectiveRouteContext)


def _remember(context: Any) -> None:
    make = context.from_api_route
    made: dict[tuple[int, str], Any] = {}

    def once(*, original_route: routing.APIRoute, include_context: Any) -> Any:
        if not _is_ours(include_context):
            return make(original_route=original_route, include_context=include_context)
        # What is made holds the route, so that no other gets its number.
        key = (id(original_route), include_context.prefix)
        if key not in made:
            made[key] = make(original_route=original_route, include_context=include_context)
        return made[key]

    context.from_api_route = once


def _is_ours(include_context: Any) -> bool:
    """Tell whether it is an application of ours that includes the route, and as all of them do."""
    state = getattr(include_context.dependency_overrides_provider, "state", None)
    home = getattr(state, "gatepost", None)
    return home is not None and not home.settings.telemetry
