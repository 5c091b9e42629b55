"""The peer's application: fastapi-users set up as in its documentation's full SQLAlchemy example.

Ours are only the database URL, the Argon2id parameters (equal to Gatepost's), and GET /health for the probe.
This file runs in the peer's environment, which has nothing of ours.
"""

import os
import uuid
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Annotated

from fastapi import Depends, FastAPI, Request
from fastapi_users import BaseUserManager, FastAPIUsers, UUIDIDMixin, schemas  # ty: ignore[import-not-found]
from fastapi_users.authentication import (  # ty: ignore[import-not-found]
    AuthenticationBackend,
    BearerTransport,
    JWTStrategy,
)
from fastapi_users.db import (  # ty: ignore[import-not-found]
    SQLAlchemyBaseUserTableUUID,
    SQLAlchemyUserDatabase,
)
from fastapi_users.password import PasswordHelper  # ty: ignore[import-not-found]
from pwdlib import PasswordHash  # ty: ignore[import-not-found]
from pwdlib.hashers.argon2 import Argon2Hasher  # ty: ignore[import-not-found]
from sqlalchemy.ext.asyncio import AsyncSession, async_sessionmaker, create_async_engine
from sqlalchemy.orm import DeclarativeBase

SECRET = os.environ["PEER_SECRET"]
POOL = os.environ.get("PEER_POOL")


class Base(DeclarativeBase):
    """The example's declarative base."""


class User(SQLAlchemyBaseUserTableUUID, Base):
    """The example's table, nothing added."""


engine = create_async_engine(os.environ["PEER_DATABASE_URL"], **({"pool_size": int(POOL)} if POOL else {}))
session_maker = async_sessionmaker(engine, expire_on_commit=False)
password_helper = PasswordHelper(
    PasswordHash((Argon2Hasher(time_cost=2, memory_cost=19_456, parallelism=1),))
)


async def get_session() -> AsyncGenerator[AsyncSession]:
    """One session for each request."""
    async with session_maker() as session:
        yield session


async def get_user_db(
    session: Annotated[AsyncSession, Depends(get_session)],
) -> AsyncGenerator[SQLAlchemyUserDatabase]:
    """Yield the library's adapter over it."""
    yield SQLAlchemyUserDatabase(session, User)


class UserManager(UUIDIDMixin, BaseUserManager[User, uuid.UUID]):
    """The example's manager."""

    reset_password_token_secret = SECRET
    verification_token_secret = SECRET

    async def on_after_register(self, user: User, request: Request | None = None) -> None:  # noqa: ARG002
        """Print, as the example does."""
        print(f"User {user.id} has registered.")


async def get_user_manager(
    user_db: Annotated[SQLAlchemyUserDatabase, Depends(get_user_db)],
) -> AsyncGenerator[UserManager]:
    """Yield the manager, with the same hash parameters as Gatepost."""
    yield UserManager(user_db, password_helper)


def get_jwt_strategy() -> JWTStrategy:
    """HS256, an hour, as in the example."""
    return JWTStrategy(secret=SECRET, lifetime_seconds=3600)


class UserRead(schemas.BaseUser[uuid.UUID]):
    """Out."""


class UserCreate(schemas.BaseUserCreate):
    """In, on sign-up."""


class UserUpdate(schemas.BaseUserUpdate):
    """In, on change."""


backend = AuthenticationBackend(
    name="jwt", transport=BearerTransport(tokenUrl="auth/jwt/login"), get_strategy=get_jwt_strategy
)
fastapi_users = FastAPIUsers[User, uuid.UUID](get_user_manager, [backend])


@asynccontextmanager
async def lifespan(_: FastAPI) -> AsyncGenerator[None]:
    """Create the tables, as the example does."""
    async with engine.begin() as connection:
        await connection.run_sync(Base.metadata.create_all)
    yield


app = FastAPI(lifespan=lifespan)
app.include_router(fastapi_users.get_auth_router(backend), prefix="/auth/jwt", tags=["auth"])
app.include_router(fastapi_users.get_register_router(UserRead, UserCreate), prefix="/auth", tags=["auth"])
app.include_router(fastapi_users.get_reset_password_router(), prefix="/auth", tags=["auth"])
app.include_router(fastapi_users.get_verify_router(UserRead), prefix="/auth", tags=["auth"])
app.include_router(fastapi_users.get_users_router(UserRead, UserUpdate), prefix="/users", tags=["users"])


@app.get("/health")
async def health() -> dict[str, str]:
    """Answer the probe."""
    return {"status": "healthy"}
