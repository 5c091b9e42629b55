"""Evidence that is used up by looking at it, so that nothing is left to do."""

from gatepost.login.methods import Method
from gatepost.users import Standing

__all__ = ["UsedUp"]


class UsedUp:
    """What was right, and is used: the person's row has been locked since, and nothing else of them has changed."""

    def __init__(self, method: Method, standing: Standing) -> None:
        self.method = method
        self.standing = standing

    async def accepted(self) -> None:
        """Nothing here is slow."""

    async def use(self) -> Standing:
        """Return the standing of after it."""
        return self.standing

    async def holds(self) -> bool:
        """Tell that it does: the row is locked."""
        return True

    async def finish(self) -> None:
        """All was done."""
