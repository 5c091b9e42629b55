"""Somebody holds a passkey."""

from gatepost.core.work import Work
from gatepost.login.methods import PASSKEY, VERIFIED_PASSKEY, Method
from gatepost.login.provers.prover import Context
from gatepost.login.refusals import refused
from gatepost.login.schemas import ShownCredential
from gatepost.passkeys import CheckedPasskey, PasskeyInvalid, Passkeys
from gatepost.users import Standing

__all__ = ["PasskeyProver", "ShownPasskey"]


class ShownPasskey:
    """An answer of an authenticator that was right."""

    def __init__(self, work: Work, passkeys: Passkeys, checked: CheckedPasskey) -> None:
        self.standing = checked.standing
        self._work = work
        self._passkeys = passkeys
        self._checked = checked

    @property
    def method(self) -> Method:
        """One factor, or two if the authenticator has verified its owner."""
        return VERIFIED_PASSKEY if self._checked.user_verified else PASSKEY

    async def accepted(self) -> None:
        """Nothing here is slow."""

    async def use(self) -> Standing:
        """Use the challenge up; return the person as they are by then, locked."""
        try:
            return await self._passkeys.use(self._checked)
        except PasskeyInvalid:
            raise refused(self._work, self.method, self.standing.user_id, "wrong_proof") from None

    async def holds(self) -> bool:
        """Tell that it does: the person's row has been locked since it was used."""
        return True

    async def finish(self) -> None:
        """All was done when it was used."""


class PasskeyProver:
    """Checks passkeys: anybody's as the first step, those of the person after another."""

    def __init__(self, work: Work, passkeys: Passkeys) -> None:
        self._work = work
        self._passkeys = passkeys

    async def check(self, given: ShownCredential, context: Context) -> ShownPasskey:
        """Check what an authenticator signed. Raises InvalidCredentials, LimitExceeded."""
        if context.binding_digest is None:
            raise refused(self._work, PASSKEY, context.person, "wrong_proof")
        try:
            checked = await self._passkeys.check(context.binding_digest, given.credential)
        except PasskeyInvalid as error:
            raise refused(self._work, PASSKEY, error.user_id, "wrong_proof") from None
        if context.person not in {None, checked.user_id}:
            # Asked for before anybody had said who they are, and answered after.
            raise refused(self._work, PASSKEY, checked.user_id, "wrong_proof")
        return ShownPasskey(self._work, self._passkeys, checked)
