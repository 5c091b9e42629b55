"""What somebody who is signed in does with passkeys of theirs."""

import secrets
from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import delete, insert, update
from sqlalchemy.exc import IntegrityError

from gatepost.core.errors import TransactionConflict
from gatepost.core.ids import new_id
from gatepost.core.principal import Principal
from gatepost.core.work import Work
from gatepost.passkeys import ceremonies, queries
from gatepost.passkeys.ceremonies import ALGORITHMS, Made, Refusal
from gatepost.passkeys.challenges import Challenges, session_binding
from gatepost.passkeys.encoding import to_base64url
from gatepost.passkeys.errors import LastWayIn, PasskeyNotFound, TooManyPasskeys
from gatepost.passkeys.events import PasskeyAdded, PasskeyRemoved, PasskeyRenamed
from gatepost.passkeys.models import Passkey, PasskeyHandle
from gatepost.passkeys.schemas import (
    AuthenticatorSelection,
    CreationOptions,
    Descriptor,
    NewPasskey,
    Parameters,
    PasskeyList,
    PasskeyOut,
    RelyingParty,
    UserEntity,
)
from gatepost.passkeys.settings import PasskeyOptions
from gatepost.passkeys.site import Site
from gatepost.tokens import Tokens
from gatepost.users import User, Users

__all__ = ["HasAnotherWay", "OwnPasskeys"]

HasAnotherWay = Callable[[UUID], Awaitable[bool]]
"""Tells whether a person can sign in without any passkey."""

_HANDLE_BYTES = 32


class OwnPasskeys:
    """A person's passkeys. `fresh_for` is how long ago the sign-in of somebody who changes them may be."""

    def __init__(
        self,
        work: Work,
        users: Users,
        tokens: Tokens,
        challenges: Challenges,
        options: PasskeyOptions,
        site: Site,
        fresh_for: timedelta,
        has_another_way: HasAnotherWay,
    ) -> None:
        self._work = work
        self._users = users
        self._tokens = tokens
        self._challenges = challenges
        self._options = options
        self._site = site
        self._fresh_for = fresh_for
        self._has_another_way = has_another_way

    async def of(self, user_id: UUID) -> PasskeyList:
        """Return a person's passkeys."""
        asked = {"user_id": user_id}
        rows = await self._work.read.rows(queries.OWN, asked)
        known = await self._work.read.first(queries.HANDLE, asked)
        items = [PasskeyOut.model_validate(row) for row in rows]
        return PasskeyList(items=items, rp_id=self._site.rp_id, user_handle=known.handle if known else None)

    async def creation_options(self, me: Principal) -> CreationOptions:
        """Return what the browser needs to make a passkey. The answer counts for this session alone.

        Raises ReauthenticationRequired, TooManyPasskeys, TokenInvalid.
        """
        user = await self._locked(me)
        rows = (await self._work.execute(queries.CREDENTIALS, {"user_id": me.subject})).all()
        if len(rows) >= self._options.most_per_user:
            raise TooManyPasskeys
        wanted = self._options.user_verification
        challenge = await self._challenges.begin(
            "register", session_binding(me.session_id), me.subject, user_verification=wanted == "required"
        )
        return CreationOptions(
            rp=RelyingParty(id=self._site.rp_id, name=self._site.name),
            user=UserEntity(
                id=await self._handle(me.subject), name=user.email, display_name=user.name or user.email
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

    async def register(self, me: Principal, new: NewPasskey) -> PasskeyOut:
        """Add the passkey that a browser made. What is refused uses its challenge up.

        Raises ReauthenticationRequired, PasskeyInvalid, TooManyPasskeys, TokenInvalid.
        """
        me.need_fresh(self._fresh_for, self._work.now)
        challenge = None
        try:
            client = ceremonies.client_data(new.credential.response.client_data_json)
            challenge = await self._challenges.find(client.challenge)
            self._challenges.need_open(challenge, "register", session_binding(me.session_id))
            made = ceremonies.made(
                new.credential,
                client,
                self._site,
                user_verification=challenge.user_verification,
                aaguids=self._options.aaguids,
            )
            await self._need_new(me, made)
        except Refusal as refusal:
            if challenge is not None and challenge.binding == session_binding(me.session_id):
                await self._challenges.spend(challenge.id)
            raise self._challenges.refuse("register", refusal.reason, me.subject) from refusal
        user = await self._locked(me)
        if not await self._challenges.spend(challenge.id):
            raise self._challenges.refuse("register", "challenge_used", me.subject)
        return await self._add(user, new, made)

    async def rename(self, me: Principal, passkey_id: UUID, name: str) -> PasskeyOut:
        """Give a passkey another name. Raises ReauthenticationRequired, PasskeyNotFound, TokenInvalid."""
        await self._locked(me)
        statement = (
            update(Passkey)
            .where(Passkey.id == passkey_id, Passkey.user_id == me.subject)
            .values(name=name)
            .returning(*queries.SHOWN)
            .execution_options(synchronize_session=False)
        )
        row = (await self._work.execute(statement)).first()
        if row is None:
            raise PasskeyNotFound
        self._work.events.record(PasskeyRenamed(subject=me.subject, passkey_id=passkey_id))
        return PasskeyOut.model_validate(row)

    async def remove(self, me: Principal, passkey_id: UUID) -> None:
        """Remove a passkey, unless it is the only way in. Sessions that began with it go on.

        Raises ReauthenticationRequired, PasskeyNotFound, LastWayIn, TokenInvalid.
        """
        user = await self._locked(me)
        statement = delete(Passkey).where(Passkey.id == passkey_id, Passkey.user_id == me.subject)
        found = await self._work.execute(
            statement.returning(Passkey.id).execution_options(synchronize_session=False)
        )
        if found.first() is None:
            raise PasskeyNotFound
        # Raising takes the deletion back. The row of the person is locked, so nobody removes the other meanwhile.
        if not await self._count(me.subject) and not await self._has_another_way(me.subject):
            raise LastWayIn
        # Also counts the change: a sign-in that has checked the passkey sees another version and looks again.
        await self._users.touch(user)
        self._work.events.record(PasskeyRemoved(subject=me.subject, passkey_id=passkey_id, reason="by_owner"))

    async def _locked(self, me: Principal) -> User:
        """Return the caller's row, locked. Raises ReauthenticationRequired, TokenInvalid."""
        me.need_fresh(self._fresh_for, self._work.now)
        user = await self._users.load(me.subject)
        await self._tokens.confirm(me)
        return user

    async def _count(self, user_id: UUID) -> int:
        return (await self._work.execute(queries.COUNT, {"user_id": user_id})).scalar_one()

    async def _handle(self, user_id: UUID) -> str:
        """Return what stands for a person, whose row is locked, on authenticators: the same for all of them."""
        known = (await self._work.execute(queries.HANDLE, {"user_id": user_id})).first()
        if known is not None:
            return known.handle
        handle = to_base64url(secrets.token_bytes(_HANDLE_BYTES))
        await self._work.execute(insert(PasskeyHandle).values(user_id=user_id, handle=handle))
        return handle

    async def _need_new(self, me: Principal, made: Made) -> None:
        row = await self._work.read.first(queries.BY_CREDENTIAL, {"credential_id": made.credential_id})
        if row is not None:
            raise Refusal("credential_known" if row.id == me.subject else "credential_taken")

    async def _add(self, user: User, new: NewPasskey, made: Made) -> PasskeyOut:
        if await self._count(user.id) >= self._options.most_per_user:
            raise TooManyPasskeys
        row: dict[str, Any] = {
            "id": new_id(),
            "user_id": user.id,
            "name": new.name,
            "credential_id": made.credential_id,
            "public_key": made.public_key,
            "sign_count": made.sign_count,
            "aaguid": made.aaguid,
            "transports": sorted(set(new.credential.response.transports)),
            "user_verified": made.user_verified,
            "discoverable": new.credential.discoverable,
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
