"""Members: an account that Gatepost keeps, and a nickname that we keep."""

from collections.abc import Sequence
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Depends, HTTPException
from pydantic import BaseModel, ConfigDict, Field
from sqlalchemy import select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncSession, async_sessionmaker

from examples.embedded.tables import Profile
from gatepost import Accounts, Gatepost, NewAccount


class NewMember(NewAccount):
    """Somebody who joins: what Gatepost asks for, and a nickname."""

    nickname: Annotated[str, Field(min_length=1, max_length=40)]


class Member(BaseModel):
    """A member, as the others see it."""

    model_config = ConfigDict(from_attributes=True)

    user_id: UUID
    nickname: str


def members_api(gatepost: Gatepost, sessions: async_sessionmaker[AsyncSession]) -> APIRouter:
    """Return the routes about members."""
    api = APIRouter(tags=["members"])

    @api.post("/join")
    async def join(new: NewMember) -> Member:
        """Create the account and our own row about it: both, or neither."""
        try:
            async with sessions.begin() as session:
                async with gatepost.work(session) as work:
                    user = await gatepost.build(Accounts, work).sign_up(new)
                session.add(Profile(user_id=user.id, nickname=new.nickname))
        except IntegrityError:
            raise HTTPException(409, "This nickname is taken.") from None
        return Member(user_id=user.id, nickname=new.nickname)

    @api.get("/members", dependencies=[Depends(gatepost.require("users:read"))])
    async def members() -> Sequence[Member]:
        """List all members; Gatepost's administrators may."""
        async with sessions() as session:
            profiles = await session.scalars(select(Profile).order_by(Profile.nickname))
            return [Member.model_validate(profile) for profile in profiles]

    return api
