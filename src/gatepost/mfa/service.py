"""Second factors as the door asks for them, and how they come to be and go."""

import asyncio
from contextlib import suppress
from datetime import datetime, timedelta
from typing import Any, Protocol
from uuid import UUID

from sqlalchemy import delete, insert, update

from gatepost.core.ids import new_id
from gatepost.core.secrets import KeyRing, Unsealable
from gatepost.core.work import Work
from gatepost.mfa import queries
from gatepost.mfa.devices import RememberedDevices
from gatepost.mfa.errors import CodeWrong, FactorNotFound, FactorsOff, TooManyFactors
from gatepost.mfa.events import FactorAdded, FactorRemoved, FactorResetCancelled, TotpRefused
from gatepost.mfa.guesses import Guesses
from gatepost.mfa.models import FactorReset, TotpFactor, sealed_for
from gatepost.mfa.policy import TOTP, Enrolled
from gatepost.mfa.qr import qr_svg
from gatepost.mfa.recovery_codes import RecoveryCodes
from gatepost.mfa.schemas import FactorConfirmed, FactorOut, TotpEnrolment
from gatepost.mfa.settings import MfaOptions
from gatepost.mfa.totp import matching_step, new_secret, otpauth_uri, written
from gatepost.sessions import EndReason, Sessions
from gatepost.users import User, Users

__all__ = ["Mfa", "OtherFactors"]

_ENROLMENT_LASTS = timedelta(minutes=10)
_MOST_APPS = 5
_NEVER_USED = -1


class OtherFactors(Protocol):
    """The second factors of a person that another room keeps."""

    async def of(self, user_id: UUID) -> frozenset[str]:
        """Return the methods by which the person can show them, as committed."""
        ...

    async def of_now(self, user_id: UUID) -> frozenset[str]:
        """Return the same inside the transaction."""
        ...

    async def remove_all(self, user_id: UUID) -> None:
        """Remove them; the person's row is locked."""
        ...

    async def remove_since(self, user_id: UUID, since: datetime) -> None:
        """Remove those that were added then or later; the person's row is locked."""
        ...


class Mfa:
    """The front door of the room: authenticator apps, recovery codes and remembered devices, by person.

    It does not ask who is calling. Whoever does so has seen a proof: the door the first factor, `Factors` a session.
    """

    def __init__(
        self,
        work: Work,
        users: Users,
        sessions: Sessions,
        ring: KeyRing,
        devices: RememberedDevices,
        options: MfaOptions,
        issuer_name: str,
        others: OtherFactors | None = None,
    ) -> None:
        self._work = work
        self._users = users
        self._sessions = sessions
        self._ring = ring
        self._guesses = Guesses(work)
        self._codes = RecoveryCodes(work)
        self._devices = devices
        self._options = options
        self._issuer_name = issuer_name
        self._others = others

    # ── what somebody has, and shows ─────────────────────────────────────────────────────────────

    async def enrolled(self, user_id: UUID) -> Enrolled:
        """Return the second factors that a person has, as committed."""
        others = await self._others.of(user_id) if self._others else frozenset[str]()
        return _enrolled(await self._work.read.first(queries.ENROLLED, {"user_id": user_id}), others)

    async def enrolled_now(self, user_id: UUID) -> Enrolled:
        """Return the same inside the transaction."""
        row = (await self._work.execute(queries.ENROLLED, {"user_id": user_id})).one()
        others = await self._others.of_now(user_id) if self._others else frozenset[str]()
        return _enrolled(row, others)

    async def check_totp(self, user_id: UUID, code: str) -> None:
        """Take a code of one of a person's apps: each once, and none that is older than the last that was taken.

        Wrong ones are counted by person for good. Raises CodeWrong, TotpDelayed.
        """
        await self._lock(user_id)
        tally = await self._guesses.admit(user_id)
        rows = (await self._work.execute(queries.SECRETS, {"user_id": user_id})).all()
        for row in rows:
            step = self._step(row, code)
            if step is not None and await self._use_step(row.id, step):
                await self._guesses.succeeded(user_id, tally)
                return
        failures = await self._guesses.failed(user_id, tally)
        self._work.events.record(TotpRefused(subject=user_id, failures=failures))
        raise CodeWrong

    async def use_recovery_code(self, user_id: UUID, code: str) -> int:
        """Use up one of a person's recovery codes; return how many are left. Raises CodeWrong."""
        await self._lock(user_id)
        return await self._codes.use(user_id, code)

    async def new_codes(self, user_id: UUID) -> list[str]:
        """Return new recovery codes in the place of those of before. Whoever calls has locked the person's row."""
        return await self._codes.make(user_id, with_factor=False)

    async def remembered(self, user_id: UUID, token: str | None) -> UUID | None:
        """Return the device of this token, if the person's second factor was shown there. Before the transaction.

        It stands for a factor at a sign-in and nowhere else. `use_device` must follow, inside the transaction.
        """
        return await self._devices.recognise(user_id, token)

    async def use_device(self, user_id: UUID, device_id: UUID) -> bool:
        """Tell, inside the transaction, whether the device still is remembered."""
        return await self._devices.use(user_id, device_id)

    async def remember(self, user_id: UUID) -> tuple[str, datetime] | None:
        """Return a token for a device on which a factor was just shown, and its end; None: they are not remembered."""
        return await self._devices.remember(user_id)

    # ── adding an app ────────────────────────────────────────────────────────────────────────────

    async def begin_totp(self, user_id: UUID, account: str, name: str | None = None) -> TotpEnrolment:
        """Return what an app must know; it counts when `confirm_totp` has seen a code. One begun before is dead.

        `account` is what the app shows. Raises FactorsOff, TooManyFactors, UserNotFound.
        """
        if self._options.policy == "off":
            raise FactorsOff
        factor_id, secret, now = new_id(), new_secret(), self._work.now
        uri = otpauth_uri(secret, self._issuer_name, account)
        drawn = await asyncio.to_thread(qr_svg, uri)
        await self._users.load(user_id)
        if len((await self._work.execute(queries.APPS, {"user_id": user_id})).all()) >= _MOST_APPS:
            raise TooManyFactors
        await self._work.execute(
            delete(TotpFactor).where(TotpFactor.user_id == user_id, TotpFactor.confirmed_at.is_(None))
        )
        row = {
            "id": factor_id,
            "user_id": user_id,
            "name": name,
            "secret": self._ring.seal(secret, sealed_for(factor_id)),
            "last_step": _NEVER_USED,
            "created_at": now,
            "confirmed_at": None,
            "last_used_at": None,
            "expires_at": now + _ENROLMENT_LASTS,
        }
        await self._work.execute(insert(TotpFactor).values(**row))
        return TotpEnrolment(
            id=factor_id, secret=written(secret), uri=uri, qr_svg=drawn, expires_at=row["expires_at"]
        )

    async def confirm_totp(
        self, user_id: UUID, factor_id: UUID, code: str, *, keep: UUID | None = None
    ) -> FactorConfirmed:
        """Let an app count that shows its code, which is used by that; the session `keep` goes on.

        Whoever had no recovery codes gets them. Raises CodeWrong, FactorsOff, UserNotFound.
        """
        if self._options.policy == "off":
            raise FactorsOff
        user = await self._users.load(user_id)
        before = await self.enrolled_now(user_id)
        wanted = {"user_id": user_id, "factor_id": factor_id, "now": self._work.now}
        row = (await self._work.execute(queries.WAITING, wanted)).first()
        step = self._step(row, code) if row else None
        if row is None or step is None or not await self._use_step(factor_id, step, confirms=True):
            raise CodeWrong
        if TOTP not in before.factors:
            await self._guesses.forget(user_id)
        self._work.events.record(FactorAdded(subject=user_id, factor=TOTP, factor_id=factor_id))
        codes = None if before.recovery_codes else await self._codes.make(user_id, with_factor=True)
        await self.changed(user, keep=keep)
        factor = FactorOut(
            id=factor_id, kind="totp", name=row.name, created_at=self._work.now, last_used_at=self._work.now
        )
        return FactorConfirmed(factor=factor, recovery_codes=codes)

    # ── changes, and what follows ────────────────────────────────────────────────────────────────

    async def remove_totp(self, user: User, factor_id: UUID) -> None:
        """Remove one of a person's apps. Raises FactorNotFound."""
        statement = (
            delete(TotpFactor)
            .where(
                TotpFactor.id == factor_id,
                TotpFactor.user_id == user.id,
                TotpFactor.confirmed_at.is_not(None),
            )
            .returning(TotpFactor.id)
            .execution_options(synchronize_session=False)
        )
        if (await self._work.execute(statement)).first() is None:
            raise FactorNotFound
        self._work.events.record(FactorRemoved(subject=user.id, factor=TOTP, factor_id=factor_id))

    async def remove_all(self, user: User, *, tell_each: bool = False) -> bool:
        """Remove all second factors of a person, and end all sessions; return whether there were any.

        Whoever calls tells that all are gone, unless `tell_each`.
        """
        before = await self.enrolled_now(user.id)
        apps = delete(TotpFactor).where(TotpFactor.user_id == user.id)
        counted = apps.returning(TotpFactor.id, TotpFactor.confirmed_at)
        removed = await self._work.execute(counted.execution_options(synchronize_session=False))
        for row in removed.all():
            if tell_each and row.confirmed_at is not None:
                self._work.events.record(FactorRemoved(subject=user.id, factor=TOTP, factor_id=row.id))
        if self._others is not None:
            await self._others.remove_all(user.id)
        await self._work.execute(delete(FactorReset).where(FactorReset.user_id == user.id))
        if not before.factors:
            # Their passkeys may have gone just before: what stood in for them goes, too.
            await self._codes.drop(user.id)
            await self._guesses.forget(user.id)
            await self._devices.forget_all(user.id)
            return False
        await self.changed(user, keep=None, always=True)
        return True

    async def remove_since(self, user: User, since: datetime) -> None:
        """Remove the second factors and recovery codes that a person got then or later, and end all sessions."""
        newer = (
            delete(TotpFactor)
            .where(TotpFactor.user_id == user.id, TotpFactor.confirmed_at >= since)
            .returning(TotpFactor.id)
            .execution_options(synchronize_session=False)
        )
        for row in (await self._work.execute(newer)).all():
            self._work.events.record(FactorRemoved(subject=user.id, factor=TOTP, factor_id=row.id))
        if self._others is not None:
            await self._others.remove_since(user.id, since)
        await self._codes.drop(user.id, since)
        await self.changed(user, keep=None, always=True)

    async def changed(self, user: User, *, keep: UUID | None, always: bool = False) -> None:
        """Do what follows from every change of a person's factors. Sign-ins under way see another version.

        Without any factor, recovery codes stand in for nothing.
        """
        if not (await self.enrolled_now(user.id)).factors:
            await self._codes.drop(user.id)
            await self._guesses.forget(user.id)
        await self._devices.forget_all(user.id)
        await self.cancel_reset(user.id, by="credentials")
        if always or self._options.change_ends_sessions:
            await self._sessions.end_all(user.id, EndReason.FACTORS_CHANGED, keep=keep)
        await self._users.touch(user)

    async def credentials_changed(self, user_id: UUID) -> None:
        """Make worthless what was given on a first factor that is no more: a new password, another address."""
        await self._devices.forget_all(user_id)
        await self.cancel_reset(user_id, by="credentials")

    async def signed_in(self, user_id: UUID) -> None:
        """Keep the factors of somebody who has just shown that they have one."""
        await self.cancel_reset(user_id, by="sign-in")

    async def cancel_reset(self, user_id: UUID, by: str) -> bool:
        """Have a person's factors stay that were to be removed; return whether they were."""
        statement = (
            delete(FactorReset)
            .where(FactorReset.user_id == user_id)
            .returning(FactorReset.user_id)
            .execution_options(synchronize_session=False)
        )
        if (await self._work.execute(statement)).first() is None:
            return False
        self._work.events.record(FactorResetCancelled(subject=user_id, by=by))
        return True

    # ── steps ────────────────────────────────────────────────────────────────────────────────────

    async def _lock(self, user_id: UUID) -> None:
        if (await self._work.execute(queries.PERSON_LOCKED, {"user_id": user_id})).first() is None:
            raise CodeWrong

    def _step(self, row: Any, code: str) -> int | None:
        """Return the step whose code this is; None also for a secret that no key opens any more."""
        with suppress(Unsealable):
            secret = self._ring.open(row.secret, sealed_for(row.id))
            return matching_step(secret, code, self._work.now, row.last_step)
        return None

    async def _use_step(self, factor_id: UUID, step: int, *, confirms: bool = False) -> bool:
        """Use a step up: of all who show its code at once, one does, and nobody an older one after that."""
        now = self._work.now
        values: dict[str, Any] = {"last_step": step, "last_used_at": now}
        if confirms:
            values |= {"confirmed_at": now, "expires_at": None}
            waits = (TotpFactor.confirmed_at.is_(None), TotpFactor.expires_at > now)
        else:
            waits = (TotpFactor.confirmed_at.is_not(None),)
        statement = (
            update(TotpFactor)
            .where(TotpFactor.id == factor_id, TotpFactor.last_step < step, *waits)
            .values(**values)
            .returning(TotpFactor.id)
            .execution_options(synchronize_session=False)
        )
        return (await self._work.execute(statement)).first() is not None


def _enrolled(row: Any, others: frozenset[str]) -> Enrolled:
    return Enrolled(others | ({TOTP} if row.apps else set()), row.codes)
