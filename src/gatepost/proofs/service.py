"""Asking somebody by mail whether they read an address, and taking the answer."""

import hmac
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import bindparam, delete, insert, or_, update

from gatepost.core.ids import new_id
from gatepost.core.limits import Limits
from gatepost.core.secrets import digest, new_code, new_token, well_formed
from gatepost.core.work import Work
from gatepost.proofs import queries
from gatepost.proofs.errors import MailProofInvalid
from gatepost.proofs.events import MailProofRefused
from gatepost.proofs.models import MailProof
from gatepost.proofs.purposes import Purpose
from gatepost.proofs.schemas import ShownProof
from gatepost.users import canonical_email

__all__ = ["Asked", "Claim", "MailProofs"]

_TOKEN_KIND = "ml"  # noqa: S105  no password
_GUESSES = 5


@dataclass(frozen=True, slots=True)
class Asked:
    """What goes into the mail, and until when it works."""

    link: str = field(repr=False)
    code: str = field(repr=False)
    expires_at: datetime

    @property
    def private(self) -> dict[str, str]:
        """The part of a delivery that only the mail may have."""
        return {"link": self.link, "code": self.code}


@dataclass(frozen=True, slots=True)
class Claim:
    """A proof that was right when it was looked at: what for, whose it is, and the address that it is about."""

    id: UUID
    purpose: Purpose
    user_id: UUID
    email: str
    email_canonical: str
    by_code: bool


class MailProofs:
    """Links and codes. `code_keys` are for the digests of codes, the first for new ones; links begin with `issuer`."""

    def __init__(self, work: Work, code_keys: Sequence[bytes], issuer: str, limits: Limits) -> None:
        self._work = work
        self._code_keys = code_keys
        self._issuer = issuer
        self._limits = limits

    async def ask(self, purpose: Purpose, email: str, user_id: UUID | None, lifetime: timedelta) -> Asked:
        """Return a link and a code for an address; those sent there before for the same purpose are dead.

        Does the same work for nobody (no `user_id`) as for somebody.
        """
        proof_id, token, code, now = new_id(), new_token(_TOKEN_KIND), new_code(), self._work.now
        canonical = canonical_email(email)
        # As a parameter also where there is none: the statement is the same for nobody.
        holder = bindparam("holder", user_id, MailProof.user_id.type)
        before = delete(MailProof).where(
            MailProof.purpose == purpose,
            MailProof.email_canonical == canonical,
            or_(MailProof.user_id == holder, MailProof.user_id.is_(None)),
        )
        await self._work.execute(before)
        row = {
            "id": proof_id,
            "purpose": purpose,
            "user_id": user_id,
            "email": email,
            "email_canonical": canonical,
            "link_digest": digest(token),
            "code_digest": _code_digest(self._code_keys[0], proof_id, code),
            "attempts_left": _GUESSES,
            "created_at": now,
            "expires_at": now + lifetime,
            "used_at": None,
        }
        await self._work.execute(insert(MailProof).values(**row))
        return Asked(f"{self._issuer}/{purpose.page}?token={token}", code, row["expires_at"])

    async def pending(self, purpose: Purpose, user_id: UUID) -> Any:
        """Return the newest proof that a person was asked for and has not given, with `email` and `expires_at`."""
        return await self._work.read.first(queries.PENDING, {**self._wanted(purpose), "user_id": user_id})

    async def works(self, purpose: Purpose, token: str) -> bool:
        """Tell whether a link would do, for the page that it leads to. Changes nothing, however often it is asked."""
        return await self._by_link(token, purpose) is not None

    async def check(self, shown: ShownProof, purpose: Purpose, or_purpose: Purpose | None = None) -> Claim:
        """Return what was shown, if it is right; a wrong code is one guess less. Before the transaction.

        It is not used up by that: what is slow, or may still be refused, comes before `use`.
        Raises MailProofInvalid, LimitExceeded.
        """
        if shown.token is not None:
            await self._limits.guess(self._work.client)
            found = await self._by_link(shown.token, purpose, or_purpose)
        else:
            found = await self._by_code(
                _canonical(shown.email or ""), shown.code or "", purpose, or_purpose or purpose
            )
        if found is None:
            raise MailProofInvalid
        purpose, by_code = Purpose(found.purpose), shown.token is None
        return Claim(found.id, purpose, found.user_id, found.email, found.email_canonical, by_code)

    async def use(self, claim: Claim) -> None:
        """Use up what was checked: of all who show it at once, one gets past this. Raises MailProofInvalid."""
        # Guesses that came in between count too. A link works also when they have used up the code.
        least = 1 if claim.by_code else 0
        statement = (
            update(MailProof)
            .where(
                MailProof.id == claim.id,
                MailProof.used_at.is_(None),
                MailProof.expires_at > self._work.now,
                MailProof.attempts_left >= least,
            )
            .values(used_at=self._work.now)
            .returning(MailProof.id)
            .execution_options(synchronize_session=False)
        )
        if (await self._work.execute(statement)).first() is None:
            raise MailProofInvalid

    async def drop(self, user_id: UUID, *purposes: Purpose) -> None:
        """Make worthless what a person was sent for these purposes, and has not used.

        For all if none is named, but to undo a change of address: that is for whom somebody has shut out.
        """
        chosen = purposes or [each for each in Purpose if each is not Purpose.UNDO_EMAIL]
        await self._work.execute(
            delete(MailProof).where(
                MailProof.user_id == user_id, MailProof.purpose.in_(chosen), MailProof.used_at.is_(None)
            )
        )

    async def drop_later(self, claim: Claim) -> None:
        """Make worthless what was sent to the same person for the same purpose after this, not what was before."""
        await self._work.execute(
            delete(MailProof).where(
                MailProof.user_id == claim.user_id,
                MailProof.purpose == claim.purpose,
                # Ids are made in the order of time.
                MailProof.id > claim.id,
            )
        )

    def _wanted(self, purpose: Purpose, or_purpose: Purpose | None = None) -> dict[str, Any]:
        return {"purpose": purpose, "or_purpose": or_purpose or purpose, "now": self._work.now}

    async def _by_link(self, token: str, purpose: Purpose, or_purpose: Purpose | None = None) -> Any:
        if not well_formed(_TOKEN_KIND, token):
            return None
        wanted = {**self._wanted(purpose, or_purpose), "digest": digest(token)}
        return await self._work.read.first(queries.BY_LINK, wanted)

    async def _by_code(self, email: str, code: str, purpose: Purpose, or_purpose: Purpose) -> Any:
        # By account, like passwords: whoever guesses from many addresses gets no more tries.
        attempt = await self._limits.attempt(self._work.client, email)
        wanted = {**self._wanted(purpose, or_purpose), "email_canonical": email}
        rows = await self._work.read.rows(queries.BY_EMAIL, wanted)
        found = next((row for row in rows if row.user_id is not None and self._is_of(row, code)), None)
        if found is None:
            await self._count_guess(email, purpose, or_purpose)
            subject = next((row.user_id for row in rows), None)
            self._work.events.record(MailProofRefused(subject=subject, purpose=purpose))
        else:
            await attempt.succeeded()
        return found

    def _is_of(self, row: Any, code: str) -> bool:
        wanted = [_code_digest(key, row.id, code) for key in self._code_keys]
        return any(hmac.compare_digest(row.code_digest, each) for each in wanted)

    async def _count_guess(self, email: str, *purposes: Purpose) -> None:
        statement = (
            update(MailProof)
            .where(
                MailProof.purpose.in_(purposes),
                MailProof.email_canonical == email,
                MailProof.used_at.is_(None),
                MailProof.attempts_left > 0,
            )
            .values(attempts_left=MailProof.attempts_left - 1)
            .execution_options(synchronize_session=False)
        )
        await self._work.execute(statement)


def _code_digest(key: bytes, proof_id: UUID, code: str) -> bytes:
    # Keyed, as a million codes are soon tried; and of the row, so that no digest can be put into another's.
    return hmac.digest(key, proof_id.bytes + code.encode(errors="surrogatepass"), "sha256")


def _canonical(email: str) -> str:
    try:
        return canonical_email(email)
    except ValueError:
        return email.strip().casefold()  # what is no address has no proofs, and is counted too
