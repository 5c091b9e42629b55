"""The cheapest FastAPI route that still answers like `GET /users/me`: a response model, no database."""

from datetime import UTC, datetime
from uuid import UUID

from fastapi import FastAPI
from pydantic import BaseModel


class Profile(BaseModel):
    """The contract's four fields of a user."""

    id: UUID
    email: str
    is_active: bool
    created_at: datetime


_SOMEONE = Profile(
    id=UUID("01930000-0000-7000-8000-000000000001"),
    email="someone@example.com",
    is_active=True,
    created_at=datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC),
)

app = FastAPI(title="Bare route")


@app.get("/me")
async def me() -> Profile:
    """Answer from memory."""
    return _SOMEONE
