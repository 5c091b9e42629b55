"""What the door and other rooms ask of passkeys."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import delete, update

from gatepost.core.limits import Limits
from gatepost.core.work import Work
from gatepost.passkeys import ceremonies, queries
from gatepost.passkeys.ceremonies import ClientData, Refusal
from gatepost.passkeys.challenges import Challenges
from gatepost.passkeys.encoding import to_base64url
from gatepost.passkeys.events import PasskeyRemoved, RemovalReason
from gatepost.passkeys.models import Passkey
from gatepost.passkeys.schemas import AssertionResponse, Descriptor, RequestOptions
from gatepost.passkeys.settings import PasskeyOptions
from gatepost.passkeys.site import Site
from gatepost.users import Standing, UserNotFound, Users

__all__ = ["CheckedPasskey", "Passkeys"]


@dataclass(frozen=True, slots=True)
class CheckedPasskey:
    """Somebody holds a passkey of this person. `user_verified`: and the authenticator has verified that it is them.

    Verified it is two factors, of which one resists phishing; else it is one. It counts once `use` has taken it.
    """

    user_id: UUID
    standing: Standing
    passkey_id: UUID
    user_verified: bool
    challenge_id: UUID
    sign_count: int
    backed_up: bool


class Passkeys:
    """Asking for passkeys, and judging what is shown."""

    def __init__(
        self,
        work: Work,
        users: Users,
        challenges: Challenges,
        limits: Limits,
        options: PasskeyOptions,
        site: Site,
    ) -> None:
        self._work = work
        self._users = users
        self._challenges = challenges
        self._limits = limits
        self._options = options
        self._site = site

    async def request_options(
        self, binding: bytes, user_id: UUID | None = None, *, verified: bool = False
    ) -> RequestOptions:
        """Return what the browser needs to ask for a passkey.

        `binding` is a digest of the secret of the sign-in under way, or `session_binding` of the session that is to be
        renewed: the answer counts for it alone. `user_id` may be given only after that person has shown something
        else: it lists their credentials, and would tell a stranger who has which. `verified`: the authenticator must
        verify the person, whatever the settings say. Who begins the sign-in has charged the limits for it.
        """
        wanted = verified or self._options.user_verification == "required"
        allowed = [] if user_id is None else await self._descriptors(user_id)
        challenge = await self._challenges.begin("sign_in", binding, user_id, user_verification=wanted)
        return RequestOptions(
            challenge=to_base64url(challenge),
            timeout=self._challenges.timeout,
            rp_id=self._site.rp_id,
            allow_credentials=allowed,
            user_verification="required" if wanted else "preferred",
        )

    async def check(self, binding: bytes, shown: AssertionResponse) -> CheckedPasskey:
        """Judge what somebody shows. Before the transaction; what is refused uses its challenge up.

        An unknown passkey, one of another person, and a wrong signature are refused alike.
        Raises PasskeyInvalid, LimitExceeded.
        """
        await self._limits.guess(self._work.client)
        challenge = known = None
        try:
            client = ceremonies.client_data(shown.response.client_data_json)
            challenge = await self._challenges.find(client.challenge)
            self._challenges.need_open(challenge, "sign_in", binding)
            known = await self._known(shown)
            return self._judged(shown, client, challenge, known)
        except Refusal as refusal:
            if challenge is not None and challenge.binding == binding:
                # Not another's, which they may be about to answer.
                await self._challenges.spend(challenge.id)
            expected = challenge.user_id if challenge else None
            whose, which = (known.id, known.passkey_id) if known else (expected, None)
            raise self._challenges.refuse("sign_in", refusal.reason, whose, which) from refusal

    async def use(self, checked: CheckedPasskey) -> Standing:
        """Take what was checked: of all who show it at once, one gets past this. Raises PasskeyInvalid.

        Return the person as they are now, locked. Before a session is started: what this refuses, it keeps.
        """
        try:
            user = await self._users.load(checked.user_id)
        except UserNotFound:
            raise self._challenges.refuse("sign_in", "removed", checked.user_id, checked.passkey_id) from None
        if not await self._challenges.spend(checked.challenge_id):
            raise self._challenges.refuse("sign_in", "challenge_used", checked.user_id, checked.passkey_id)
        # Those that do not count say 0, and always did.
        count = checked.sign_count
        later = Passkey.sign_count < count if count else Passkey.sign_count == 0
        statement = (
            update(Passkey)
            .where(Passkey.id == checked.passkey_id, later)
            .values(sign_count=count, backed_up=checked.backed_up, last_used_at=self._work.now)
            .returning(Passkey.id)
            .execution_options(synchronize_session=False)
        )
        if (await self._work.execute(statement)).first() is None:
            # Its owner has just removed it, or another has shown a later count.
            raise self._challenges.refuse("sign_in", "removed", checked.user_id, checked.passkey_id)
        return Standing.of(user)

    async def has_any(self, user_id: UUID) -> bool:
        """Tell whether a person has a passkey, as committed."""
        row = await self._work.read.first(queries.COUNT, {"user_id": user_id})
        return bool(row and row.passkeys)

    async def has_any_now(self, user_id: UUID) -> bool:
        """Tell the same inside the transaction."""
        return bool((await self._work.execute(queries.COUNT, {"user_id": user_id})).scalar_one())

    async def remove_all(self, user_id: UUID, reason: RemovalReason, since: datetime | None = None) -> int:
        """Remove all passkeys of a person, or those that were added then or later; return how many there were.

        The caller has locked the person's row, and counts it as a change of theirs (`Users.touch`).
        """
        statement = delete(Passkey).where(Passkey.user_id == user_id).returning(Passkey.id)
        if since is not None:
            statement = statement.where(Passkey.created_at >= since)
        removed = (await self._work.execute(statement.execution_options(synchronize_session=False))).all()
        for row in removed:
            self._work.events.record(PasskeyRemoved(subject=user_id, passkey_id=row.id, reason=reason))
        return len(removed)

    async def _descriptors(self, user_id: UUID) -> list[Descriptor]:
        rows = await self._work.read.rows(queries.CREDENTIALS, {"user_id": user_id})
        return [Descriptor(id=row.credential_id, transports=row.transports) for row in rows]

    async def _known(self, shown: AssertionResponse) -> Any:
        if shown.id != shown.raw_id:
            raise Refusal("credential_id")
        row = await self._work.read.first(queries.BY_CREDENTIAL, {"credential_id": shown.id})
        if row is None:
            raise Refusal("credential_unknown")
        return row

    def _judged(
        self, shown: AssertionResponse, client: ClientData, challenge: Any, known: Any
    ) -> CheckedPasskey:
        if challenge.user_id not in {None, known.id}:
            raise Refusal("credential_of_another")
        # Where nobody has said who they are, the authenticator must (section 7.2, step 6).
        handle = shown.response.user_handle or None
        if handle != known.handle and (handle is not None or challenge.user_id is None):
            raise Refusal("user_handle")
        found = ceremonies.asserted(
            shown, client, self._site, known, user_verification=challenge.user_verification
        )
        return CheckedPasskey(
            user_id=known.id,
            standing=Standing.of(known),
            passkey_id=known.passkey_id,
            user_verified=found.user_verified,
            challenge_id=challenge.id,
            sign_count=found.sign_count,
            backed_up=found.backed_up,
        )
