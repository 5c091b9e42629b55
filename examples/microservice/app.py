"""An orders service: no accounts and no database of Gatepost's, only tokens that Gatepost has issued."""

import os
from dataclasses import asdict
from typing import Annotated

from fastapi import Depends, FastAPI
from pydantic import BaseModel, Field

from gatepost.guard import Caller, Guard, GuardOptions
from gatepost.guard.fastapi import attach, require


class NewOrder(BaseModel):
    """What somebody wants."""

    article: str = Field(min_length=1, max_length=100)


class Order(NewOrder):
    """An order, and whose it is."""

    number: int
    of: str


def create_app(guard: Guard | None = None) -> FastAPI:
    """Return the whole service; without a guard, one by the environment."""
    guard = guard or guard_of_environment()
    app = FastAPI(title="Orders")
    attach(app, guard)
    orders: list[Order] = []

    AnyCaller = Annotated[Caller, Depends(require(guard, "account"))]  # noqa: N806  a type

    @app.get("/orders")
    async def own(caller: AnyCaller) -> list[Order]:
        """Read one's own orders."""
        return [order for order in orders if order.of == caller.subject]

    @app.post("/orders", status_code=201)
    async def add(new: NewOrder, caller: AnyCaller) -> Order:
        """Order something."""
        order = Order(number=len(orders) + 1, of=caller.subject, article=new.article)
        orders.append(order)
        return order

    @app.get("/reports", dependencies=[Depends(require(guard, "reports:read"))])
    async def report() -> dict[str, int]:
        """Count all orders: for tokens with a scope that signing in does not give."""
        return {"orders": len(orders)}

    @app.get("/health")
    async def health() -> dict[str, float | int | None]:
        """Tell how fresh is what tokens are judged by."""
        return asdict(guard.standing)

    return app


def guard_of_environment() -> Guard:
    """Return the guard that the environment describes."""
    return Guard(
        os.environ.get("ORDERS_ISSUER", "http://127.0.0.1:8000"),
        audience=os.environ.get("ORDERS_AUDIENCE"),
        options=GuardOptions(public_url=os.environ.get("ORDERS_PUBLIC_URL", "http://127.0.0.1:8001")),
    )
