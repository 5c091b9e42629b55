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
from gatepost.core.work import Run, Work
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
    binding_digest: bytes | None = field(repr=False)


class MailProofs:
    """Links and codes. `code_keys` are for the digests of codes, the first for new ones; links begin with `issuer`.

    Guesses at codes are counted by `run`, in a unit of work that has ended before anything is answered.
    """

    def __init__(self, work: Work, run: Run, code_keys: Sequence[bytes], issuer: str, limits: Limits) -> None:
        self._work = work
        self._run = run
        self._code_keys = code_keys
        self._issuer = issuer
        self._limits = limits

    async def ask(
        self,
        purpose: Purpose,
        email: str,
        user_id: UUID | None,
        lifetime: timedelta,
        binding: bytes | None = None,
    ) -> Asked:
        """Return a link and a code for an address; those sent there before for the same purpose are dead.

        Does the same work for nobody (no `user_id`) as for somebody. `binding` is the digest of a secret of the client
        that asks: then the code is for it alone.
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
            "binding_digest": binding,
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

    async def look(self, purpose: Purpose, token: str) -> Claim | None:
        """Return what a link would show, for the page that it leads to. Changes nothing, however often it is asked."""
        found = await self._by_link(token, purpose)
        return _claim(found, by_code=False) if found else None

    async def check(
        self,
        shown: ShownProof,
        purpose: Purpose,
        or_purpose: Purpose | None = None,
        binding: bytes | None = None,
    ) -> Claim:
        """Return what was shown, if it is right; a wrong code is one guess less. Before the transaction.

        It is not used up by that: what is slow, or may still be refused, comes before `use`. A code is right only with
        the `binding` that it was asked with; a link is, and `Claim` has the one that it was asked with.
        Raises MailProofInvalid, LimitExceeded.
        """
        if shown.token is not None:
            await self._limits.guess(self._work.client)
            found = await self._by_link(shown.token, purpose, or_purpose)
        else:
            found = await self._by_code(shown, [purpose, or_purpose or purpose], binding)
        if found is None:
            raise MailProofInvalid
        return _claim(found, by_code=shown.token is None)

    async def use(self, claim: Claim) -> None:
        """Use up what was checked: of all who show it at once, one gets past this. Raises MailProofInvalid."""
        statement = (
            update(MailProof)
            .where(
                MailProof.id == claim.id,
                MailProof.used_at.is_(None),
                MailProof.expires_at > self._work.now,
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

    async def _by_code(self, shown: ShownProof, purposes: list[Purpose], binding: bytes | None) -> Any:
        email, code = _canonical(shown.email or ""), shown.code or ""
        # By account, like passwords: whoever guesses from many addresses gets no more tries.
        attempt = await self._limits.attempt(self._work.client, email)
        rows = await self._run(lambda work: _take_guess(work, email, purposes, binding))
        found = next((row for row in rows if row.user_id is not None and self._is_of(row, code)), None)
        if found is None:
            subject = next((row.user_id for row in rows), None)
            self._work.events.record(MailProofRefused(subject=subject, purpose=purposes[0]))
            return None
        # Who knows the code was not guessing: what is refused after this (a poor password) shall cost nothing. In a
        # transaction of its own: PostgreSQL checks the foreign key of a row that is changed twice in one, which takes
        # a lock on the person, whom others hold while they wait for this row.
        await self._run(lambda work: _give_back(work, rows))
        await attempt.succeeded()
        return found

    def _is_of(self, row: Any, code: str) -> bool:
        wanted = [_code_digest(key, row.id, code) for key in self._code_keys]
        return any(hmac.compare_digest(row.code_digest, each) for each in wanted)


async def _take_guess(
    work: Work, email: str, purposes: list[Purpose], binding: bytes | None
) -> Sequence[Any]:
    """Take a guess off what bears one still, and return the rows: of a thousand guesses at once, five get any."""
    same_client = MailProof.binding_digest.is_not_distinct_from(
        bindparam("binding", binding, MailProof.binding_digest.type)
    )
    fewer = (
        update(MailProof)
        .where(
            MailProof.purpose.in_(purposes),
            MailProof.email_canonical == email,
            MailProof.used_at.is_(None),
            MailProof.expires_at > work.now,
            MailProof.attempts_left > 0,
            same_client,
        )
        .values(attempts_left=MailProof.attempts_left - 1)
        .returning(*queries.COLUMNS)
        .execution_options(synchronize_session=False)
    )
    return (await work.execute(fewer)).all()


async def _give_back(work: Work, rows: Sequence[Any]) -> None:
    back = update(MailProof).where(MailProof.id.in_([row.id for row in rows]))
    back = back.values(attempts_left=MailProof.attempts_left + 1)
    await work.execute(back.execution_options(synchronize_session=False))


def _claim(row: Any, *, by_code: bool) -> Claim:
    return Claim(
        row.id,
        Purpose(row.purpose),
        row.user_id,
        row.email,
        row.email_canonical,
        by_code,
        row.binding_digest,
    )


def _code_digest(key: bytes, proof_id: UUID, code: str) -> bytes:
    # Keyed, as a million codes are soon tried; and of the row, so that no digest can be put into another's.
    return hmac.digest(key, proof_id.bytes + code.encode(errors="surrogatepass"), "sha256")


def _canonical(email: str) -> str:
    try:
        return canonical_email(email)
    except ValueError:
        return email.strip().casefold()  # what is no address has no proofs, and is counted too
