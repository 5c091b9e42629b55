"""What the door asks of every method."""

from dataclasses import dataclass, field
from typing import Any, Protocol
from uuid import UUID

from gatepost.core.principal import Principal
from gatepost.login.methods import Method
from gatepost.users import Standing

__all__ = ["Context", "Prover", "Shown"]


@dataclass(frozen=True, slots=True)
class Context:
    """Where evidence is shown: in a flow or none, and in a browser that has a session already or not.

    `person` is whom the steps before were about: a second step is theirs, and `version` is which of them was judged.
    `binding_digest` names the client that began the flow, or the session that is renewed.
    """

    person: UUID | None = None
    version: int | None = None
    binding_digest: bytes | None = field(default=None, repr=False)
    here: Principal | None = None


class Shown(Protocol):
    """Evidence that was right when it was looked at. The door calls its methods in the order in which they stand here.

    Before it calls any, policy has said that this evidence and what came before suffice, or are a step on the way.
    """

    @property
    def standing(self) -> Standing:
        """Whose it is, as they were when it was looked at."""
        ...

    @property
    def method(self) -> Method:
        """What it is worth."""
        ...

    async def accepted(self) -> None:
        """Do what is slow, or waits for something else than the database. No transaction is open yet."""
        ...

    async def use(self) -> Standing:
        """Use it up, if it works once: of all who show it at once, one gets past this. In the transaction.

        Return the standing of now where the use changed the person or locked them, else the one of before. Raises
        InvalidCredentials.
        """
        ...

    async def holds(self) -> bool:
        """Tell whether it is still right. Asked, with the person's row locked, if they changed since."""
        ...

    async def finish(self) -> None:
        """Do what is to be done once a session has started."""
        ...


class Prover(Protocol):
    """One method of showing who one is."""

    async def check(self, given: Any, context: Context) -> Shown:
        """Look at what was given. Raises InvalidCredentials, LimitExceeded.

        `given` is the method's own kind of step. It charges the limits of the account itself, before it looks anything
        up, and does the same work for an account that there is not. Before the transaction, but for what is quick and
        counted: a code is used up, or counted as wrong, when it is looked at.
        """
        ...
