"""The two tests that the tutorial ends with."""

from datetime import datetime
from uuid import UUID

from httpx2 import AsyncClient


async def test_create_user(client: AsyncClient) -> None:
    answer = await client.post("/users/", json={"email": "test@example.com", "password": "strongpass123"})

    assert answer.status_code == 200
    body = answer.json()
    assert body["email"] == "test@example.com"
    assert body["is_active"] is True
    assert UUID(body["id"])
    assert datetime.fromisoformat(body["created_at"]).tzinfo is not None
    assert "hashed_password" not in body


async def test_login(client: AsyncClient) -> None:
    await client.post("/users/", json={"email": "login@example.com", "password": "strongpass123"})

    answer = await client.post(
        "/users/token", data={"username": "login@example.com", "password": "strongpass123"}
    )

    assert answer.status_code == 200
    assert answer.json()["access_token"]
    assert answer.json()["token_type"] == "bearer"
