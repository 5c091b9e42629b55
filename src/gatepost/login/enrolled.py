"""Which second steps somebody has set up: asked of the rooms that keep them."""

from collections.abc import Awaitable, Callable, Collection
from uuid import UUID

from gatepost.login.methods import Method

__all__ = ["Enrolled"]

Ask = Callable[[UUID], Awaitable[Collection[Method]]]


class Enrolled:
    """Asks each room which of its methods would do as a second step for a person.

    Whoever sets one up or takes one away has to count it as a change of the person (`Users.touch`): a sign-in under
    way then sees another version, and asks again.
    """

    def __init__(self, *rooms: Ask) -> None:
        self._rooms = rooms

    async def of(self, user_id: UUID) -> frozenset[Method]:
        """Return the methods; with one of them it is asked for after every first step that is a single factor."""
        return frozenset([method for ask in self._rooms for method in await ask(user_id)])
