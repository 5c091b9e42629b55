"""Tokens that work only with a key of the client's (DPoP, RFC 9449): whose key it is, and that a proof counts once."""

from datetime import datetime, timedelta

from sqlalchemy import insert
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Mapped, mapped_column

from gatepost.core.clock import Clock
from gatepost.core.database import Database
from gatepost.core.models import Base, Digest
from gatepost.core.schedule import Job, delete_past
from gatepost.guard import Proof, ProofInvalid, checked
from gatepost.tokens.errors import DpopProofInvalid

__all__ = ["DPOP_ALGORITHMS", "DpopProof", "SenderKeys", "spent_proofs"]

DPOP_ALGORITHMS = ("ES256", "EdDSA", "RS256")

_WINDOW = timedelta(seconds=60)
_LEEWAY = timedelta(seconds=30)
# How much longer a proof is kept: the clocks of those who check it and of the one who cleans up differ.
_SKEW = timedelta(minutes=1)


class DpopProof(Base):
    """A proof that was shown; kept for as long as it could be shown again."""

    __tablename__ = "dpop_proofs"

    digest: Mapped[bytes] = mapped_column(Digest, primary_key=True)
    expires_at: Mapped[datetime] = mapped_column(index=True)


class SenderKeys:
    """Finds the key that the sender of a request holds. The database decides which proof was shown first.

    Not Redis: what forgets must not let anybody in.
    """

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock

    async def proven(self, proof: str, method: str, url: str, access_token: str | None = None) -> str:
        """Return the thumbprint (RFC 7638) of the key that made this proof, for this request. Raises DpopProofInvalid.

        `url` is what the client asked, without its query; with an access token the proof must name it (`ath`).
        """
        shown = self._checked(proof, method, url, access_token)
        row = {"digest": shown.digest, "expires_at": self._clock.now() + _WINDOW + _LEEWAY + _SKEW}
        try:
            async with self._database.write() as transaction:
                await transaction.execute(insert(DpopProof).values(**row))
        except IntegrityError as error:
            raise DpopProofInvalid from error
        return shown.thumbprint

    def _checked(self, proof: str, method: str, url: str, access_token: str | None) -> Proof:
        try:
            return checked(
                proof,
                now=self._clock.now().timestamp(),
                window=_WINDOW.total_seconds(),
                leeway=_LEEWAY.total_seconds(),
                method=method,
                url=url,
                token=access_token,
            )
        except ProofInvalid as error:
            raise DpopProofInvalid from error


def spent_proofs() -> Job:
    """Return the job that forgets proofs that are too old to be shown again."""
    return delete_past("dpop-proofs.expired", DpopProof.digest, DpopProof.expires_at)
