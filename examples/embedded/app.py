"""A small notes service with tables of its own, whose people, sign-in and tokens are Gatepost's."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from sqlalchemy.ext.asyncio import AsyncSession, async_sessionmaker

from examples.embedded.members import members_api
from examples.embedded.notes import notes_api, welcome
from examples.embedded.tables import Base
from gatepost import Consumer, Gatepost, Settings, UserRegistered


def create_app(settings: Settings | None = None) -> FastAPI:
    """Return the whole application; without settings, those of the environment."""
    sessions = async_sessionmaker[AsyncSession](expire_on_commit=False)
    greeter = Consumer("welcome", {UserRegistered}, welcome(sessions))
    gatepost = Gatepost(settings or Settings(), consumers=[greeter])
    # One engine for both of us: one pool, and transactions that begin rightly on SQLite too.
    sessions.configure(bind=gatepost.database.engine)

    @asynccontextmanager
    async def lifespan(_app: FastAPI) -> AsyncGenerator[dict[str, str]]:
        # Gatepost is open by now, so the table that ours point at is there.
        async with gatepost.database.engine.begin() as connection:
            await connection.run_sync(Base.metadata.create_all)
        yield {"greeting": "Write it down."}

    app = FastAPI(title="Notes", lifespan=lifespan)
    app.state.gatepost = gatepost
    gatepost.attach(app, "/auth")
    app.include_router(members_api(gatepost, sessions))
    app.include_router(notes_api(gatepost, sessions))
    app.add_exception_handler(RequestValidationError, _say_what_is_wrong)

    @app.get("/")
    async def greeting(request: Request) -> dict[str, str]:
        """Say hello, with what our own lifespan prepared."""
        return {"greeting": request.state.greeting}

    return app


async def _say_what_is_wrong(_request: Request, error: Exception) -> JSONResponse:
    # FastAPI's own answer repeats what was sent, and that may be a password.
    found = error.errors() if isinstance(error, RequestValidationError) else []
    errors = [{"field": ".".join(map(str, item["loc"][1:])), "detail": item["msg"]} for item in found]
    return JSONResponse({"detail": errors}, 422)
