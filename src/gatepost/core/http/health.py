"""Health and metrics over HTTP: little for everybody, the details for operators."""

import hmac
import json
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Literal

from fastapi import APIRouter, Request
from pydantic import BaseModel, Field
from starlette.responses import Response

from gatepost.core.errors import Unauthenticated
from gatepost.core.http.deps import house
from gatepost.core.http.operators import Page
from gatepost.core.http.problems import responses
from gatepost.core.readiness import Draining, NotReady

__all__ = ["Health", "health", "metrics", "operators_pages"]


class Health(BaseModel):
    """The service is up."""

    status: Literal["healthy"] = "healthy"


class Ready(BaseModel):
    """The service can do its work. `checks` is told to operators alone."""

    status: Literal["healthy", "degraded"] = "healthy"
    checks: dict[str, str | int] | None = Field(
        None, description="What each dependency says, for those who present the metrics token."
    )


health = APIRouter(tags=["health"])
metrics = APIRouter(include_in_schema=False)


@health.get("/health")
async def healthy() -> Health:
    """Tell that the process answers."""
    return Health()


@health.get("/health/live")
async def live() -> Health:
    """Tell that the process answers, whatever it depends on. For probes that restart what does not."""
    return Health()


@health.get("/health/ready", responses=responses(503), response_model_exclude_none=True)
async def ready(request: Request) -> Ready:
    """Tell whether the service can do its work. For probes that decide who gets requests."""
    home = house(request)
    return await examined(home, in_detail=_is_operator(home, request))


@metrics.get("/metrics")
async def measures(request: Request) -> Response:
    """Return the metrics, to those who present the metrics token."""
    home = house(request)
    if not _is_operator(home, request):
        raise Unauthenticated("Present the metrics token as `Authorization: Bearer …`.")
    return Response(await home.measures.text(), media_type=home.measures.metrics.content_type)


def _is_operator(home: Any, request: Request) -> bool:
    token = home.settings.metrics_token
    scheme, _, presented = request.headers.get("authorization", "").partition(" ")
    if token is None or scheme.casefold() != "bearer":
        return False
    return hmac.compare_digest(presented.strip().encode(), token.get_secret_value().encode())


async def examined(home: Any, *, in_detail: bool) -> Ready:
    """Return how ready the service is. Raises Draining, NotReady."""
    if home.draining:
        raise Draining
    report = await home.readiness.report(in_detail=in_detail)
    checks = {**report.checks, "hashing_queue": home.hashing.queued}
    if not report.ready:
        home.log.warning("health.not_ready", checks=checks)
        raise NotReady(checks=checks) if in_detail else NotReady()
    if not in_detail:
        return Ready()
    return Ready(status="degraded" if report.degraded else "healthy", checks=checks)


def operators_pages(home: Any) -> Mapping[str, Callable[[], Awaitable[Page]]]:
    """Return what operators may read on their own port."""

    async def metrics_page() -> Page:
        return Page(200, home.measures.metrics.content_type, await home.measures.text())

    async def live_page() -> Page:
        return Page(200, "application/json", Health().model_dump_json().encode())

    async def ready_page() -> Page:
        try:
            found = await examined(home, in_detail=True)
        except (Draining, NotReady) as error:
            body = {"status": error.code, **error.extensions}
            return Page(503, "application/json", json.dumps(body).encode())
        return Page(200, "application/json", found.model_dump_json().encode())

    return {"/metrics": metrics_page, "/health/live": live_page, "/health/ready": ready_page}
