"""How a passkey comes to be: what the browser is told, and what of its answer is kept."""

import secrets
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from sqlalchemy import insert
from sqlalchemy.exc import IntegrityError

from gatepost.core.errors import TransactionConflict
from gatepost.core.ids import new_id
from gatepost.core.work import Work
from gatepost.passkeys import ceremonies, queries
from gatepost.passkeys.ceremonies import ALGORITHMS, Made, Refusal
from gatepost.passkeys.challenges import Challenges
from gatepost.passkeys.encoding import to_base64url
from gatepost.passkeys.errors import TooManyPasskeys
from gatepost.passkeys.events import PasskeyAdded
from gatepost.passkeys.models import Passkey, PasskeyHandle
from gatepost.passkeys.schemas import (
    AuthenticatorSelection,
    CreationOptions,
    Descriptor,
    NewPasskey,
    Parameters,
    PasskeyOut,
    RelyingParty,
    UserEntity,
)
from gatepost.passkeys.settings import PasskeyOptions
from gatepost.passkeys.site import Site
from gatepost.users import User, Users

__all__ = ["CheckedEnrolment", "Enrolment"]

_HANDLE_BYTES = 32


@dataclass(frozen=True, slots=True)
class CheckedEnrolment:
    """A new passkey that is as it should be; it counts once `add` has taken it."""

    new: NewPasskey
    made: Made
    challenge_id: UUID


class Enrolment:
    """Makes passkeys for a person. Whoever calls has seen that it is them, in a session or a sign-in under way."""

    def __init__(
        self, work: Work, users: Users, challenges: Challenges, options: PasskeyOptions, site: Site
    ) -> None:
        self._work = work
        self._users = users
        self._challenges = challenges
        self._options = options
        self._site = site

    async def options(self, user: User, binding: bytes) -> CreationOptions:
        """Return what the browser needs to make a passkey for a person, whose row the caller has locked.

        The answer counts for this binding alone. Raises TooManyPasskeys.
        """
        rows = (await self._work.execute(queries.CREDENTIALS, {"user_id": user.id})).all()
        if len(rows) >= self._options.most_per_user:
            raise TooManyPasskeys
        wanted = self._options.user_verification
        challenge = await self._challenges.begin(
            "register", binding, user.id, user_verification=wanted == "required"
        )
        return CreationOptions(
            rp=RelyingParty(id=self._site.rp_id, name=self._site.name),
            user=UserEntity(
                id=await self._handle(user.id), name=user.email, display_name=user.name or user.email
            ),
            challenge=to_base64url(challenge),
            pub_key_cred_params=[Parameters(alg=each.value) for each in ALGORITHMS],
            timeout=self._challenges.timeout,
            exclude_credentials=[Descriptor(id=row.credential_id, transports=row.transports) for row in rows],
            authenticator_selection=AuthenticatorSelection(
                resident_key=self._options.discoverable,
                require_resident_key=self._options.discoverable == "required",
                user_verification=wanted,
            ),
            attestation="direct" if self._options.aaguids else "none",
            # It tells whether the new one is found without a name.
            extensions={"credProps": True},
        )

    async def check(self, user_id: UUID, binding: bytes, new: NewPasskey) -> CheckedEnrolment:
        """Judge what a browser made. Before the transaction; what is refused uses its challenge up.

        Raises PasskeyInvalid.
        """
        challenge = None
        try:
            client = ceremonies.client_data(new.credential.response.client_data_json)
            challenge = await self._challenges.find(client.challenge)
            self._challenges.need_open(challenge, "register", binding)
            made = ceremonies.made(
                new.credential,
                client,
                self._site,
                user_verification=challenge.user_verification,
                aaguids=self._options.aaguids,
            )
            await self._need_new(user_id, made)
            return CheckedEnrolment(new, made, challenge.id)
        except Refusal as refusal:
            if challenge is not None and challenge.binding == binding:
                # Not another's, which they may be about to answer.
                await self._challenges.spend(challenge.id)
            raise self._challenges.refuse("register", refusal.reason, user_id) from refusal

    async def add(self, user: User, checked: CheckedEnrolment) -> PasskeyOut:
        """Keep what was checked for a person, whose row the caller has locked: of several at once, one gets past this.

        Raises PasskeyInvalid, TooManyPasskeys.
        """
        if not await self._challenges.spend(checked.challenge_id):
            raise self._challenges.refuse("register", "challenge_used", user.id)
        count = (await self._work.execute(queries.COUNT, {"user_id": user.id})).scalar_one()
        if count >= self._options.most_per_user:
            raise TooManyPasskeys
        made, credential = checked.made, checked.new.credential
        row: dict[str, Any] = {
            "id": new_id(),
            "user_id": user.id,
            "name": checked.new.name,
            "credential_id": made.credential_id,
            "public_key": made.public_key,
            "sign_count": made.sign_count,
            "aaguid": made.aaguid,
            "transports": sorted(set(credential.response.transports)),
            "user_verified": made.user_verified,
            "discoverable": credential.discoverable,
            "backup_eligible": made.backup_eligible,
            "backed_up": made.backed_up,
            "created_at": self._work.now,
            "last_used_at": None,
        }
        try:
            await self._work.execute(insert(Passkey).values(**row))
        except IntegrityError as error:
            # Somebody else has just brought the same credential: the next try finds theirs.
            raise TransactionConflict from error
        await self._users.touch(user)
        self._work.events.record(PasskeyAdded(subject=user.id, passkey_id=row["id"]))
        return PasskeyOut.model_validate(row)

    async def _handle(self, user_id: UUID) -> str:
        """Return what stands for a person on authenticators: the same for all of theirs."""
        known = (await self._work.execute(queries.HANDLE, {"user_id": user_id})).first()
        if known is not None:
            return known.handle
        handle = to_base64url(secrets.token_bytes(_HANDLE_BYTES))
        await self._work.execute(insert(PasskeyHandle).values(user_id=user_id, handle=handle))
        return handle

    async def _need_new(self, user_id: UUID, made: Made) -> None:
        row = await self._work.read.first(queries.BY_CREDENTIAL, {"credential_id": made.credential_id})
        if row is not None:
            raise Refusal("credential_known" if row.id == user_id else "credential_taken")
