"""Reading JSON strictly: no depth bombs, no duplicate names, no numbers that are none."""

import json
import re
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any

from fastapi.routing import APIRoute
from starlette.requests import Request
from starlette.responses import Response

__all__ = ["StrictJsonRoute", "load_json"]

MOST_DEPTH = 32
MOST_DIGITS = 64
# A string may lack its end: were that no match, each later quote would start the search anew, in quadratic time.
_STRUCTURE = re.compile(rb'"(?:[^"\\]|\\.)*+\\?"?|[\[{]|[\]}]', re.DOTALL)


def load_json(body: bytes) -> Any:
    """Parse JSON (RFC 8259) in UTF-8. Raises JSONDecodeError, whose message never quotes the body."""
    if _depth(body) > MOST_DEPTH:
        raise json.JSONDecodeError(f"nested deeper than {MOST_DEPTH} levels", "", 0)
    try:
        text = body.decode()
    except UnicodeDecodeError:
        raise json.JSONDecodeError("not UTF-8", "", 0) from None
    try:
        return json.loads(text, object_pairs_hook=_unique, parse_constant=_refuse, parse_int=_integer)
    except json.JSONDecodeError as error:
        raise json.JSONDecodeError(error.msg, "", 0) from None
    except RecursionError:
        raise json.JSONDecodeError("nested too deeply", "", 0) from None


def _depth(body: bytes) -> int:
    depth = deepest = 0
    for token in _STRUCTURE.finditer(body):
        first = token[0][:1]
        if first in b"[{":
            depth += 1
            deepest = max(deepest, depth)
            if deepest > MOST_DEPTH:
                break
        elif first in b"]}":
            depth -= 1
    return deepest


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise json.JSONDecodeError("a name appears twice in one object", "", 0)
    return found


def _refuse(name: str) -> Any:
    raise json.JSONDecodeError(f"{name} is not JSON", "", 0)


def _integer(digits: str) -> int:
    if len(digits) > MOST_DIGITS:
        raise json.JSONDecodeError("a number is too long", "", 0)
    return int(digits)


class _StrictRequest(Request):
    async def json(self) -> Any:
        return load_json(await self.body())


class StrictJsonRoute(APIRoute):
    """A route whose JSON body is read strictly."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        handle: Callable[[Request], Awaitable[Response]] = super().get_route_handler()

        async def strict(request: Request) -> Response:
            return await handle(_StrictRequest(request.scope, request.receive))

        return strict
