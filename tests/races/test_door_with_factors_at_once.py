"""One code, one recovery code, one answer of a passkey: shown twenty times at once at the door of two processes."""

import asyncio
import time
from collections import Counter
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import httpx2
import pytest

from tests.authenticator import Authenticator
from tests.make import PASSWORD
from tests.mfa.people import App
from tests.passkeys.desk import OWN
from tests.races.conftest import ISSUER, Pair

RACERS = 20


async def with_factor(client: httpx2.AsyncClient, kind: str) -> tuple[dict[str, str], Any]:
    """Return somebody's credentials, and the app or the passkey that they have added."""
    credentials = {"username": f"racer-with-{kind}@example.com", "password": PASSWORD}
    await client.post("/users/", json={"email": credentials["username"], "password": PASSWORD})
    tokens = (await client.post("/users/token", data=credentials)).json()
    headers = {"Authorization": f"Bearer {tokens['access_token']}"}
    if kind == "passkey":
        key, asked = Authenticator(), (await client.post(f"{OWN}/options", headers=headers)).json()
        made = key.create(asked, ISSUER["GATEPOST_PUBLIC_URL"])
        added = await client.post(OWN, json={"name": "Key", "credential": made}, headers=headers)
        assert added.status_code == 201, added.text
        return credentials, key
    begun = (await client.post("/users/me/factors/totp", json={}, headers=headers)).json()
    app = App(UUID(begun["id"]), begun["uri"])
    body = {"id": begun["id"], "code": app.code(datetime.now(UTC))}
    done = await client.post("/users/me/factors/totp/confirm", json=body, headers=headers)
    assert done.status_code == 200, done.text
    return credentials, App(app.id, app.uri, tuple(done.json()["recovery_codes"]))


async def begun(client: httpx2.AsyncClient, credentials: dict[str, str]) -> dict[str, str]:
    answer = (await client.post("/users/token", data=credentials)).json()
    assert answer["code"] == "mfa-required", answer
    return {name: answer[name] for name in ("flow", "binding")}


@pytest.mark.parametrize("empty_url", ["postgresql"], indirect=True)
@pytest.mark.parametrize("kind", ["totp", "recovery_code", "passkey"])
async def test_e04_e07_e10_of_twenty_at_the_door_at_once_one_comes_in(pair: Pair, kind: str) -> None:
    async with (
        httpx2.AsyncClient(base_url=pair.one.url, timeout=60) as one,
        httpx2.AsyncClient(base_url=pair.other.url, timeout=60) as other,
    ):
        credentials, factor = await with_factor(one, kind)
        flows = [await begun(one, credentials)]
        if kind == "passkey":
            # A question is of one flow: in it, the answer comes twenty times.
            asked = (await other.post("/login/passkey/options", json=flows[0])).json()
            shown = {"credential": factor.get(asked, ISSUER["GATEPOST_PUBLIC_URL"])}
            flows *= RACERS
        else:
            flows += [await begun(other, credentials) for _ in range(RACERS - 1)]
            # Of the step that comes: it stays right however long this takes.
            code = App.code(factor, datetime.fromtimestamp(time.time() + 30, UTC))
            shown = {"code": code if kind == "totp" else factor.recovery_codes[0]}

        answers = await asyncio.gather(
            *(
                (one, other)[n % 2].post("/login/proof", json={**flow, "method": kind, **shown})
                for n, flow in enumerate(flows)
            )
        )

        statuses = Counter(answer.status_code for answer in answers)
        assert statuses[200] == 1, statuses
        # The wrong ones of a code are guesses: after five they wait.
        assert set(statuses) <= {200, 400, 429}
        token = next(answer for answer in answers if answer.status_code == 200).json()["tokens"]
        headers = {"Authorization": f"Bearer {token['access_token']}"}
        sessions = (await one.get("/users/me/sessions", headers=headers)).json()["items"]
        assert sum("mfa" in session["amr"] for session in sessions) == 1
