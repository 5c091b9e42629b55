"""The `Idempotency-Key` of creating calls (draft-ietf-httpapi-idempotency-key-header), for any route."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Annotated, Any
from uuid import UUID

from fastapi import Depends, Header, Request, Response

from gatepost.core.errors import Invalid
from gatepost.core.http.deps import client_info, house
from gatepost.core.idempotency import Answer, Asked, Claim, Idempotency

__all__ = ["Once", "OnceHere"]

_REPLAYED = "Idempotency-Replayed"

IdempotencyKey = Annotated[
    str | None,
    Header(
        # As a string of RFC 9651 (in quotes) or bare, as most clients send it.
        pattern=r'^(?:"[!#-\[\]-~]{1,255}"|[!#-~]{1,255})$',
        description="Any unique value. Sent again with the same request, the answer is the same and nothing is "
        "created twice.",
    ),
]


class Once:
    """Runs a creating call in a unit of work of its own: once for each key, however often it is sent.

    `return await once(Things, lambda things: things.add(new), shown)`. Document 409 and 422.
    """

    def __init__(self, request: Request, key: str | None) -> None:
        self._request = request
        self._key = key

    async def __call__[S, T](
        self,
        service: type[S],
        act: Callable[[S], Awaitable[T]],
        show: Callable[[T], Response],
        *,
        about: Callable[[T], UUID | None] | None = None,
    ) -> Response:
        """Return what `show` makes of what `act` does with the service, or the answer that was given before.

        `about` names the person whose data the answer holds (the caller, if absent): it is kept no longer than they
        are. Only success is kept; what raises gives the key back. Raises KeyReused, KeyInFlight, and what `act` does.
        """
        if self._key is None:
            return await self._run(service, act, show, about, None)
        claim = await self._store.claim(await self._asked())
        if isinstance(claim, Answer):
            headers = {**claim.headers, _REPLAYED: "true"}
            return Response(claim.body, claim.status, headers)
        try:
            return await self._run(service, act, show, about, claim)
        except BaseException:
            # Only now: on SQLite nothing else can be written before the unit of work has ended.
            await asyncio.shield(self._store.release(claim))
            raise

    async def _run(self, service: Any, act: Any, show: Any, about: Any, claim: Claim | None) -> Response:
        caller = self._request.scope.get("gatepost.principal")
        async with house(self._request).work(client=client_info(self._request), actor=caller) as work:
            made = await act(house(self._request).build(service, work))
            response: Response = show(made)
            if claim is not None:
                subject = about(made) if about else _subject(caller)
                await self._store.complete(work, claim, _answer(response), subject)
        return response

    async def _asked(self) -> Asked:
        request = self._request
        if len(request.headers.getlist("idempotency-key")) > 1:
            raise Invalid("Send one Idempotency-Key.", field="header.idempotency-key")
        content = b"\n".join((request.url.path.encode(), request.url.query.encode(), await request.body()))
        route = f"{request.method} {request.scope['route'].path_format}"
        return Asked.of(
            _subject(request.scope.get("gatepost.principal")), route, (self._key or "").strip('"'), content
        )

    @property
    def _store(self) -> Idempotency:
        return house(self._request).idempotency


async def _once(request: Request, idempotency_key: IdempotencyKey = None) -> Once:
    return Once(request, idempotency_key)


OnceHere = Annotated[Once, Depends(_once)]


def _subject(caller: Any) -> UUID | None:
    return caller.subject if caller else None


def _answer(response: Response) -> Answer:
    kept = {name: value for name, value in response.headers.items() if name != "content-length"}
    return Answer(response.status_code, kept, bytes(response.body))
