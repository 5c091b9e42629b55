"""Whatever the OpenAPI document allows, and what it forbids: the answer is one that it describes."""

import asyncio
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import UUID

import hypothesis
import pytest
import schemathesis
from hypothesis import HealthCheck, strategies
from schemathesis.checks import not_a_server_error
from schemathesis.generation import GenerationMode
from schemathesis.python import asgi
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    negative_data_rejection,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from gatepost import Gatepost
from gatepost.app import api_surface
from gatepost.core.http.problems import Problems
from tests.conftest import make_settings, open_client
from tests.make import Make

CHECKS = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_schema_conformance,
    response_headers_conformance,
    negative_data_rejection,
]
BOUNDED = hypothesis.settings(
    max_examples=8,
    deadline=None,
    derandomize=True,
    database=None,
    suppress_health_check=list(HealthCheck),
    phases=[hypothesis.Phase.generate],
)


def _document() -> dict[str, Any]:
    gatepost = Gatepost(make_settings("sqlite:///never-opened.db", Path(), test_api=True))
    return api_surface(gatepost, Problems(gatepost.log)).openapi()


DOCUMENT = _document()
POSITIVE, NEGATIVE = GenerationMode.POSITIVE, GenerationMode.NEGATIVE
# What takes nothing can be given nothing wrong.
RUNS = [
    pytest.param(path, method, mode, id=f"{method.upper()} {path} {mode.value}")
    for path, methods in DOCUMENT["paths"].items()
    for method, operation in methods.items()
    for mode in (POSITIVE, NEGATIVE)
    if mode is POSITIVE or operation.keys() & {"parameters", "requestBody"}
    # It would wait for mail that nobody sends.
    if (method, path, mode) != ("get", "/test/mail", POSITIVE)
]


@dataclass
class Service:
    """The service under test, and how to make callers of it."""

    gatepost: Gatepost
    schema: Any
    arranging: Gatepost

    def caller(self, kind: str) -> "tuple[dict[str, str], UUID]":
        """Return the headers of a new caller, and the id of somebody they may name."""
        return asyncio.run(self._caller(kind))

    async def _caller(self, kind: str) -> "tuple[dict[str, str], UUID]":
        async with open_client(self.arranging) as client:
            make = Make(self.arranging, client)
            try:
                return await self._made(make, kind)
            finally:
                await self.arranging.database.close()

    async def _made(self, make: Make, kind: str) -> "tuple[dict[str, str], UUID]":
        if kind == "nobody":
            return {}, (await make.user()).id
        if kind == "somebody":
            me = await make.signed_in()
            return me.headers, me.person.id
        me = await make.signed_in(await make.administrator())
        return me.headers, (await make.user()).id


@pytest.fixture(scope="module")
def service(sqlite_template: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    directory = tmp_path_factory.mktemp("api")
    shutil.copy(sqlite_template, directory / "gatepost.db")
    url = f"sqlite:///{directory / 'gatepost.db'}"
    # Each case has a lifespan of its own, which a worker would be in the middle of something at the end of.
    settings = make_settings(url, directory, test_api=True, run_worker=False)
    gatepost = Gatepost(settings)
    yield Service(gatepost, schemathesis.openapi.from_asgi("/openapi.json", gatepost.app), Gatepost(settings))
    asgi.shutdown_lifespans()


@pytest.mark.parametrize("kind", ["nobody", "somebody", "administrator"])
@pytest.mark.parametrize(("path", "method", "mode"), RUNS)
def test_every_answer_is_as_documented(
    service: Service, path: str, method: str, mode: GenerationMode, kind: str
) -> None:
    headers, known = service.caller(kind)
    cases = service.schema[path][method].as_strategy(generation_mode=mode)

    @BOUNDED
    @hypothesis.given(case=cases, name_known=strategies.booleans())
    def run(case: Any, name_known: bool) -> None:
        if name_known and "user_id" in case.path_parameters:
            case.path_parameters["user_id"] = str(known)
        answer = case.call(headers=headers)
        case.validate_response(answer, checks=CHECKS)

    run()
