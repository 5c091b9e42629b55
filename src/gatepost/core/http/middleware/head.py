"""What is refused by the head of a request alone: the wrong name, too long, packed."""

from collections.abc import Collection

from starlette.types import ASGIApp, Receive, Scope, Send

from gatepost.core.http.hosts import Hosts
from gatepost.core.http.problems import refusal
from gatepost.core.http.route_table import route_path

__all__ = ["HeadLimits"]

MOST_FIELDS = 100
MOST_BYTES = 16_384
LONGEST_TARGET = 8_192
_FIELD_OVERHEAD = 4  # colon, space and the end of the line


class HeadLimits:
    """Refuses requests by their head. The paths in `anywhere` are answered under any name: probes know none."""

    def __init__(self, app: ASGIApp, hosts: Hosts, anywhere: Collection[str]) -> None:
        self._app = app
        self._hosts = hosts
        self._anywhere = frozenset(anywhere)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        code = self._refused(scope) if scope["type"] == "http" else None
        if code is None:
            await self._app(scope, receive, send)
            return
        # 415 says what would be taken (RFC 9110, section 12.5.3); the rest is no client to keep a connection for.
        headers = (
            {"Accept-Encoding": "identity"} if code == "content-encoding-refused" else {"Connection": "close"}
        )
        answer = refusal(code, scope.get("gatepost.request_id"), headers)
        await answer(scope, receive, send)

    def _refused(self, scope: Scope) -> str | None:
        """Return the code of the refusal, None if there is nothing to refuse."""
        fields = scope["headers"]
        if len(fields) > MOST_FIELDS:
            return "head-too-large"
        size = 0
        named: list[bytes] = []
        packed = False
        for name, value in fields:
            size += len(name) + len(value) + _FIELD_OVERHEAD
            if name == b"host":
                named.append(value)
            elif name == b"content-encoding":
                packed = packed or value.strip().lower() not in {b"", b"identity"}
        if size > MOST_BYTES:
            return "head-too-large"
        if len(scope.get("raw_path") or scope["path"]) + len(scope["query_string"]) > LONGEST_TARGET:
            return "target-too-long"
        if packed:
            return "content-encoding-refused"
        # Two names are refused whoever reads them: a proxy may have believed the other one.
        if len(named) == 1 and self._hosts.allow(named[0]):
            return None
        return None if len(named) < 2 and route_path(scope) in self._anywhere else "host-unknown"
