"""Sign-ins that take several steps: what was proven so far, for the client that began, for a while, and once."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Select, case, insert, literal, update

from gatepost.core.ids import new_id
from gatepost.core.principal import Carrier
from gatepost.core.secrets import BoundTokens, KeyRing, digest, new_token, well_formed
from gatepost.core.work import Work
from gatepost.login import queries
from gatepost.login.errors import FlowInvalid
from gatepost.login.methods import METHODS
from gatepost.login.models import LoginFlow
from gatepost.login.policy import Proof
from gatepost.login.settings import LoginOptions

__all__ = ["Begun", "Flow", "Flows", "binding_digest", "flow_handles"]

_BINDING_KIND = "lb"


def flow_handles(ring: KeyRing) -> BoundTokens:
    """Return what makes the names of flows and knows them."""
    return BoundTokens("lf", 16, ring.derive_all("login flows"))


def binding_digest(binding: str | None) -> bytes | None:
    """Return what is kept of the secret of a client; None for what cannot be one."""
    return digest(binding) if binding is not None and well_formed(_BINDING_KIND, binding) else None


@dataclass(frozen=True, slots=True)
class Begun:
    """A new flow: its name, which may travel, and the secret that stays with the client that began it."""

    handle: str
    binding: str = field(repr=False)
    expires_in: int


@dataclass(frozen=True, slots=True)
class Flow:
    """A flow that was found open."""

    id: UUID
    binding_digest: bytes = field(repr=False)
    carrier: Carrier
    scope: str
    remember: bool
    proofs: tuple[Proof, ...]
    steps: int
    expires_at: datetime

    @property
    def person(self) -> UUID | None:
        """Whom the steps so far are about; nobody before the first."""
        return self.proofs[0].user_id if self.proofs else None


class Flows:
    """Keeps the state of sign-ins under way in the database."""

    def __init__(self, work: Work, handles: BoundTokens, options: LoginOptions) -> None:
        self._work = work
        self._handles = handles
        self._options = options

    async def begin(
        self, carrier: Carrier, scope: str, *, remember: bool, proofs: Sequence[Proof] = ()
    ) -> Begun:
        """Begin a flow, with what was proven already."""
        flow_id, binding, now = new_id(), new_token(_BINDING_KIND), self._work.now
        row = {
            "id": flow_id,
            "binding_digest": digest(binding),
            "carrier": carrier,
            "scope": scope,
            "user_id": proofs[0].user_id if proofs else None,
            "proofs": [*map(_kept, proofs)],
            "steps": len(proofs),
            "failures": 0,
            "remember": remember,
            "created_at": now,
            "expires_at": now + self._options.flow_lifetime,
            "finished_at": None,
        }
        await self._work.execute(insert(LoginFlow).values(**row))
        lifetime = int(self._options.flow_lifetime.total_seconds())
        return Begun(self._handles.make(flow_id.bytes), binding, lifetime)

    async def open(self, handle: str, binding: str | None) -> Flow:
        """Return a flow for the client that began it. Raises FlowInvalid."""
        head = self._handles.head(handle)
        if head is None:
            raise FlowInvalid
        return await self._open(queries.OPEN_FLOW, binding, id=UUID(bytes=head))

    async def open_here(self, binding: str | None) -> Flow:
        """Return the flow that this client began last. Raises FlowInvalid."""
        return await self._open(queries.OPEN_FLOW_HERE, binding)

    async def _open(self, query: Select[*tuple[Any, ...]], binding: str | None, **more: Any) -> Flow:
        known = binding_digest(binding)
        if known is None:
            raise FlowInvalid
        row = await self._work.read.first(query, {"binding": known, "now": self._work.now, **more})
        if row is None:
            raise FlowInvalid
        proofs = tuple(map(_proof, row.proofs))
        return Flow(row.id, known, row.carrier, row.scope, row.remember, proofs, row.steps, row.expires_at)

    async def finish(self, flow: Flow) -> None:
        """End a flow whose proofs suffice. Raises FlowInvalid if another step came first."""
        await self._step(flow, finished_at=self._work.now)

    async def add(self, flow: Flow, proof: Proof) -> None:
        """Keep a proof that does not suffice by itself. Raises FlowInvalid if another step came first."""
        await self._step(flow, proofs=[*map(_kept, flow.proofs), _kept(proof)], user_id=proof.user_id)

    async def failed(self, flow: Flow) -> None:
        """Count a wrong proof, however many come at once; one too many ends the flow."""
        over = LoginFlow.failures + 1 >= self._options.flow_failures
        ended = case((over, literal(self._work.now, LoginFlow.finished_at.type)), else_=None)
        await self._update(flow, failures=LoginFlow.failures + 1, finished_at=ended)

    async def _step(self, flow: Flow, **values: Any) -> None:
        # The number of steps as it was read: of two at once, one is taken.
        if not await self._update(flow, LoginFlow.steps == flow.steps, steps=flow.steps + 1, **values):
            raise FlowInvalid

    async def _update(self, flow: Flow, *conditions: Any, **values: Any) -> bool:
        open_still = (
            LoginFlow.id == flow.id,
            LoginFlow.finished_at.is_(None),
            LoginFlow.expires_at > self._work.now,
        )
        statement = update(LoginFlow).where(*open_still, *conditions).values(**values).returning(LoginFlow.id)
        statement = statement.execution_options(synchronize_session=False)
        return (await self._work.execute(statement)).first() is not None


def _kept(proof: Proof) -> dict[str, Any]:
    return {
        "method": proof.method.name,
        "user_id": str(proof.user_id),
        "at": proof.at.isoformat(),
        "version": proof.version,
    }


def _proof(kept: dict[str, Any]) -> Proof:
    at = datetime.fromisoformat(kept["at"])
    return Proof(METHODS[kept["method"]], UUID(kept["user_id"]), at, kept["version"])
