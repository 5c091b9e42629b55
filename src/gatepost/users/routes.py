"""Reading people over HTTP; changing them is a journey of `accounts`."""

from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Query, Response

from gatepost.core.http.deps import CallerHere, require, room
from gatepost.core.http.etags import etag
from gatepost.core.http.json_body import StrictJsonRoute
from gatepost.core.http.problems import responses
from gatepost.core.paging import Page
from gatepost.users.schemas import UserFilter, UserOut
from gatepost.users.service import Users

__all__ = ["api"]

api = APIRouter(tags=["users"], route_class=StrictJsonRoute)

UsersHere = Annotated[Users, room(Users, read_only=True)]


@api.get(
    "/users", include_in_schema=False, response_model=Page[UserOut], dependencies=[require("users:read")]
)
@api.get(
    "/users/",
    response_model=Page[UserOut],
    dependencies=[require("users:read")],
    responses=responses(401, 403, 422, 429, 503),
)
async def list_users(wanted: Annotated[UserFilter, Query()], users: UsersHere) -> Page[Any]:
    """List people, newest first, or by address when searching with `q`. Needs `users:read`."""
    return await users.page(wanted)


@api.get("/users/{user_id}", response_model=UserOut, responses=responses(401, 403, 404, 422, 429, 503))
async def read_user(user_id: UUID, me: CallerHere, users: UsersHere, response: Response) -> Any:
    """Read a person: oneself, or anyone with `users:read`."""
    if user_id != me.subject:
        me.need("users:read")
    profile = await users.profile(user_id)
    response.headers["ETag"] = etag(profile.version)
    return profile
