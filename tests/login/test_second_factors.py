"""Second factors at the door: who is asked for which, and what a session is worth in the end."""

import itertools
import json
import random
from collections import Counter
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any, get_args

import pytest
from httpx2 import URL, AsyncClient, Response

from gatepost import Gatepost, Settings
from gatepost.core.clock import MovableClock
from gatepost.core.principal import MULTI_FACTOR, PHISHING_RESISTANT, SINGLE_FACTOR
from gatepost.mfa import FREE, FactorPolicy, FactorResets, Mfa
from tests.authenticator import Authenticator
from tests.conftest import open_client
from tests.login.factors import ORIGIN, STEP, give_app, give_passkey, next_code, verify
from tests.login.ways import sessions_of
from tests.make import PASSWORD, Make, Person
from tests.mfa.people import App
from tests.post import Post, by_hand
from tests.security.expect import assert_problem

on_one_database = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
MFA_GRANT = "urn:gatepost:params:oauth:grant-type:mfa"


@dataclass
class Visitor:
    """Somebody with what they have, at a client of their own."""

    gatepost: Gatepost
    client: AsyncClient
    person: Person
    app: App | None = None
    key: Authenticator | None = None
    device: str | None = None
    flow: dict[str, Any] = field(default_factory=dict)

    async def token(self, **more: Any) -> Response:
        form = {"username": self.person.email, "password": self.person.password, **more}
        answer = await self.client.post("/users/token", data=form)
        self._keep(answer)
        return answer

    def _keep(self, answer: Response) -> None:
        if answer.json().get("flow"):
            self.flow = {name: answer.json()[name] for name in ("flow", "binding")}

    async def begin(self) -> None:
        self._keep(await self.client.post("/login", json={}))

    async def step(self, method: str, **evidence: Any) -> Response:
        return await self.client.post("/login/proof", json={**self.flow, "method": method, **evidence})

    async def options(self) -> dict[str, Any]:
        answer = await self.client.post("/login/passkey/options", json=self.flow)
        return answer.json() if answer.status_code == 200 else {"refused": answer.json()["code"]}

    async def show(self, method: str, **more: Any) -> Response:
        """Take a step as its owner would."""
        if method == "password":
            more |= {"username": self.person.email, "password": self.person.password}
        elif method == "totp":
            assert self.app is not None
            self.gatepost.clock.move(STEP)  # ty: ignore[missing-attribute]
            more["code"] = self.app.code(self.gatepost.clock.now())
        elif method == "recovery_code":
            assert self.app is not None
            more["code"], *left = self.app.recovery_codes
            self.app = App(self.app.id, self.app.uri, tuple(left))
        elif method == "passkey":
            assert self.key is not None
            more["credential"] = self.key.get(await self.options(), ORIGIN)
        return await self.step(method, **more)


async def acr_of(client: AsyncClient, answer: Response) -> str:
    """Return what the session is worth that an answer lets in with."""
    body = answer.json()
    token = (body.get("tokens") or body)["access_token"]
    listed = await client.get("/users/me/sessions", headers={"Authorization": f"Bearer {token}"})
    (current,) = [item for item in listed.json()["items"] if item["current"]]
    assert ("mfa" in current["amr"]) == (current["acr"] != SINGLE_FACTOR)
    return current["acr"]


@asynccontextmanager
async def service_with(settings: Settings, clock: MovableClock, **mfa: Any) -> AsyncGenerator[Any]:
    changed = settings.model_copy(update={"mfa": settings.mfa.model_copy(update=mfa)})
    gatepost = Gatepost(changed, clock=clock)
    async with gatepost.lifespan(), open_client(gatepost) as client:
        yield gatepost, client, Make(gatepost, client)


async def visitor(gatepost: Gatepost, client: AsyncClient, person: Person, *has: str) -> Visitor:
    """Return somebody who has these factors, whatever policy lets them add now."""
    found = Visitor(gatepost, client, person)
    if "app" in has:
        found.app = await give_app(gatepost, person.id)
    if "passkey" in has or "key" in has:
        found.key = Authenticator(verifies="passkey" in has)
        await give_passkey(gatepost, person.id, found.key)
    if "device" in has:
        kept = await gatepost.run(lambda work: gatepost.build(Mfa, work).remember(person.id))
        assert kept is not None
        found.device = kept[0]
    return found


# ── the table ────────────────────────────────────────────────────────────────────────────────────────

STATES = ((), ("app",), ("passkey",), ("key",), ("app", "passkey"), ("app", "device"))
FIRSTS = ("token endpoint", "password", "passkey")


def expected(policy: str, administrator: bool, has: tuple[str, ...], first: str) -> Any:
    """Return what must come of a first step: what the session is worth, or what is asked for. By another hand."""
    if first == "passkey" and "passkey" in has:
        return PHISHING_RESISTANT
    if policy == "off":
        return SINGLE_FACTOR
    if first == "passkey":
        return ["password", "mail"]
    factors = [name for name, kinds in (("passkey", {"passkey", "key"}), ("totp", {"app"})) if kinds & {*has}]
    if factors:
        if "device" in has:
            return SINGLE_FACTOR
        return [*factors, "recovery_code"] if "app" in has else factors
    if policy == "required" or (policy == "required-for-administrators" and administrator):
        return ["enrol_totp", "enrol_passkey"]
    return SINGLE_FACTOR


async def first_step(who: Visitor, first: str) -> Any:
    device = {"device_token": who.device} if who.device else {}
    if first == "token endpoint":
        answer = await who.token(**device)
    else:
        await who.begin()
        answer = await who.show(first, **device)
    found = answer.json()
    if answer.status_code == 403:
        assert (found["code"], found["error"]) == ("mfa-required", "mfa_required")
    missing = found.get("next")
    return missing or await acr_of(who.client, answer)


@on_one_database
@pytest.mark.parametrize("policy", get_args(FactorPolicy))
async def test_e01_e13_every_way_in_asks_what_policy_demands_of_every_person(
    settings: Settings, clock: MovableClock, policy: str
) -> None:
    """Each way in, each policy, each state of factors: the session is worth what is demanded, or there is none."""
    # Factors are there from a time when one could add them.
    async with (
        service_with(settings, clock) as (open_one, _, _),
        service_with(settings, clock, policy=policy) as (gatepost, client, make),
    ):
        for has, first, administrator in itertools.product(STATES, FIRSTS, (False, True)):
            if first == "passkey" and not {"passkey", "key"} & {*has}:
                continue
            person = await (make.administrator() if administrator else make.user())
            given = await visitor(open_one, client, person, *has)
            who = Visitor(gatepost, client, person, given.app, given.key, given.device)
            wanted = expected(policy, administrator, has, first)
            told = (policy, administrator, has, first)

            found = await first_step(who, first)

            assert found == wanted, told
            assert await sessions_of(gatepost, person) == (0 if isinstance(wanted, list) else 1), told
            for method in found if isinstance(found, list) else ():
                if method.startswith("enrol") or method == "mail":
                    continue
                await first_step(who, first)
                done = await who.show(method)
                assert done.status_code == 200, (told, method, done.text)
                strongest = method == "passkey" and "passkey" in has
                acr = PHISHING_RESISTANT if strongest else MULTI_FACTOR
                assert await acr_of(client, done) == acr, (told, method)


@on_one_database
async def test_e02_no_order_of_steps_leads_past_the_second_factor(
    gatepost: Gatepost, client: AsyncClient, make: Make, clock: MovableClock
) -> None:
    """Steps in any order, of one's own and of another's factors: whoever is in has shown two kinds of one's own."""
    ada, eve = await make.user(), await make.user()
    mine, other = [await visitor(gatepost, client, each, "app", "key") for each in (ada, eve)]
    theirs = other.app
    assert theirs is not None
    chance, let_in = random.Random(2), 0
    steps = ["password", "totp", "recovery", "passkey", "their totp", "their code", "their passkey", "enrol"]
    for _ in range(60):
        await mine.begin()
        shown: set[str] = set()
        for step in chance.choices(steps, k=5):
            clock.move(STEP)
            assert mine.app is not None
            if step == "recovery" and not mine.app.recovery_codes:
                continue
            answer = await {
                "password": lambda: mine.show("password"),
                "totp": lambda: mine.show("totp"),
                "recovery": lambda: mine.show("recovery_code"),
                "passkey": lambda: passkey_of(mine, mine.key),
                "their totp": lambda: mine.step("totp", code=theirs.code(clock.now())),
                "their code": lambda: mine.step("recovery_code", code=theirs.recovery_codes[0]),
                "their passkey": lambda: passkey_of(mine, other.key),
                "enrol": lambda: mine.step("enrol_totp", id=str(theirs.id), code="000000"),
            }[step]()
            if answer.status_code == 200:
                shown.add(step)
                if answer.json()["complete"]:
                    let_in += 1
                    assert "password" in shown
                    assert {"totp", "recovery", "passkey"} & shown, shown
                    break
            elif step == "enrol":
                assert answer.json()["code"] in {"step-not-asked", "login-flow-invalid"}
    assert let_in > 5
    assert await sessions_of(gatepost, eve) == 0


async def passkey_of(who: Visitor, key: Any) -> Response:
    asked = await who.options()
    if "refused" in asked:
        asked = {"challenge": "AAAA", "rpId": "localhost"}
    return await who.step("passkey", credential=key.get(asked, ORIGIN))


# ── guesses ──────────────────────────────────────────────────────────────────────────────────────────


@on_one_database
async def test_e05_e16_guesses_at_the_door_are_few_however_they_come_and_the_passkey_lets_in(
    gatepost: Gatepost, make: Make, clock: MovableClock
) -> None:
    person, chance, begun = await make.user(), random.Random(5), clock.now()
    async with open_client(gatepost) as client:
        ada = await visitor(gatepost, client, person, "app", "passkey")
        clock.move(2 * STEP)
        statuses = []
        for number in range(150):
            # Another client and another flow each time, the name and the code spelled anyhow.
            async with open_client(gatepost) as elsewhere:
                elsewhere.headers["X-Forwarded-For"] = f"203.0.113.{number}"
                name = chance.choice([person.email, person.email.upper(), person.email.title()])
                thief = Visitor(gatepost, elsewhere, Person(person.id, name))
                await thief.token()
                assert ada.app is not None
                wrong = ada.app.wrong_code(clock.now())
                code = chance.choice([wrong, f" {wrong}", f"{wrong[:3]} {wrong[3:]}"])
                statuses.append((await thief.step("totp", code=code)).status_code)
            clock.move(timedelta(seconds=chance.randrange(1, 9_000)))
        spent = int((clock.now() - begun).total_seconds())
        assert set(statuses) == {400, 429}
        assert FREE < statuses.count(400) <= FREE + (spent // 30).bit_length()
        # A right code waits, too; the passkey does not.
        await ada.token()
        late = await ada.show("totp")
        assert (late.status_code, late.json()["code"]) == (429, "totp-delayed")
        assert late.headers["retry-after"]
        assert (await ada.show("passkey")).status_code == 200


# ── showing that it is still oneself ─────────────────────────────────────────────────────────────────


@on_one_database
async def test_d10_a_password_alone_raises_nothing_for_who_has_a_factor(
    gatepost: Gatepost, client: AsyncClient, make: Make
) -> None:
    ada, eve = [await visitor(gatepost, client, await make.user(), "app", "passkey") for _ in range(2)]
    weak = await make.weakly_signed_in(ada.person)
    kept = await gatepost.run(lambda work: gatepost.build(Mfa, work).remember(ada.person.id))
    assert kept is not None
    path = "/users/me/reauthenticate"

    client.cookies.set("__Host-gp_device", kept[0])
    alone = await client.post(path, json={"password": PASSWORD}, headers=weak.headers)
    assert (alone.status_code, alone.json()["code"]) == (403, "mfa-required")
    assert (alone.json()["next"], "flow" in alone.json()) == (["passkey", "totp", "recovery_code"], False)

    options = (await client.post(f"{path}/options", headers=weak.headers)).json()
    assert eve.key is not None
    assert ada.key is not None
    assert eve.app is not None
    assert ada.app is not None
    for evidence in (
        {"credential": eve.key.get(options, ORIGIN)},
        {"password": PASSWORD, "code": next_code(gatepost, eve.app)},
        {"password": PASSWORD, "recovery_code": eve.app.recovery_codes[0]},
        {"password": "not the lighthouse", "code": next_code(gatepost, ada.app)},
    ):
        answer = await client.post(path, json=evidence, headers=weak.headers)
        assert (answer.status_code, answer.json()["code"]) == (400, "invalid-credentials"), evidence
    assert (await client.post(path, json={"code": "1"}, headers=weak.headers)).status_code == 422

    both = {"password": PASSWORD, "code": next_code(gatepost, ada.app)}
    answer = await client.post(path, json=both, headers=weak.headers)
    assert await acr_of(client, answer) == MULTI_FACTOR
    assert (await client.get("/users/me", headers=weak.headers)).status_code == 401
    strong = {"Authorization": f"Bearer {answer.json()['tokens']['access_token']}"}
    options = (await client.post(f"{path}/options", headers=strong)).json()
    answer = await client.post(path, json={"credential": ada.key.get(options, ORIGIN)}, headers=strong)
    assert await acr_of(client, answer) == PHISHING_RESISTANT


# ── devices ──────────────────────────────────────────────────────────────────────────────────────────


async def test_a_device_is_remembered_by_who_showed_a_factor_until_it_is_revoked(
    gatepost: Gatepost, make: Make, clock: MovableClock
) -> None:
    async with open_client(gatepost) as client:
        client.base_url = URL("https://gatepost.test")
        ada = await visitor(gatepost, client, await make.user(), "app")
        credentials = {"username": ada.person.email, "password": PASSWORD}
        page = {"Origin": "http://127.0.0.1:8000"}
        refused = await client.post("/session", json=credentials, headers=page)
        assert (refused.status_code, refused.json()["binding"]) == (403, None)
        assert "__Host-gp_flow" in client.cookies
        ada.flow = {"flow": refused.json()["flow"]}
        done = await ada.show("totp", remember_device=True)
        assert done.json()["device_token"] is None
        kept = done.headers["set-cookie"]
        assert "__Host-gp_device=gp_rd_" in kept
        assert "HttpOnly" in kept

        again = await client.post("/session", json=credentials, headers=page)
        assert again.status_code == 200
        csrf = {**page, "X-CSRF-Token": again.json()["csrf_token"]}
        items = (await client.get("/users/me/sessions")).json()["items"]
        assert {item["acr"] for item in items if item["current"]} == {SINGLE_FACTOR}
        # Nobody else is let in by it, and it stands for no first factor.
        eve = await visitor(gatepost, client, await make.user(), "app")
        other = {"username": eve.person.email, "password": PASSWORD}
        assert (await client.post("/session", json=other, headers=page)).status_code == 403

        (device,) = (await client.get("/users/me/remembered-devices")).json()["items"]
        gone = await client.delete(f"/users/me/remembered-devices/{device['id']}", headers=csrf)
        assert gone.status_code == 204
        assert (await client.post("/session", json=credentials, headers=page)).status_code == 403

    async with open_client(gatepost) as client:
        ada.client = client
        await ada.token()
        assert ada.app is not None
        clock.move(STEP)
        form = {"grant_type": MFA_GRANT, **ada.flow, "method": "totp", "remember_device": "true"}
        done = await client.post("/users/token", data={**form, "code": ada.app.code(clock.now())})
        token = done.json()["device_token"]
        assert (await ada.token(device_token=token)).status_code == 200
        clock.move(gatepost.settings.mfa.remember_for)
        assert (await ada.token(device_token=token)).status_code == 403


@on_one_database
async def test_a_flow_of_a_browser_gives_no_tokens_and_a_grant_says_what_it_lacks(
    gatepost: Gatepost, client: AsyncClient, make: Make
) -> None:
    ada = await visitor(gatepost, client, await make.user(), "app", "passkey")
    client.base_url = URL("https://gatepost.test")
    credentials = {"username": ada.person.email, "password": PASSWORD}
    refused = await client.post("/session", json=credentials)
    cookie = client.cookies["__Host-gp_flow"]
    assert ada.app is not None
    form = {"grant_type": MFA_GRANT, "flow": refused.json()["flow"], "binding": cookie, "method": "totp"}
    right = {**form, "code": next_code(gatepost, ada.app)}
    answer = await client.post("/users/token", data=right)
    assert (answer.status_code, answer.json()["code"]) == (400, "login-flow-invalid")
    assert answer.json()["error"] == "invalid_grant"
    assert (await client.post("/users/token", data=form)).json()["code"] == "parameter-missing"
    wrong = await client.post("/users/token", data={**form, "method": "mail"})
    assert (wrong.status_code, wrong.json()["code"]) == (422, "method-not-here")
    broken = await client.post("/users/token", data={**form, "method": "passkey", "credential": "{"})
    assert broken.status_code == 422
    await ada.token()
    assert ada.key is not None
    shown = ada.key.get(await ada.options(), ORIGIN)
    go_on = {"grant_type": MFA_GRANT, **ada.flow, "method": "passkey", "credential": json.dumps(shown)}
    assert await acr_of(client, await client.post("/users/token", data=go_on)) == PHISHING_RESISTANT


# ── what is lost ─────────────────────────────────────────────────────────────────────────────────────


async def test_a_lost_factor_is_removed_after_the_delay_unless_somebody_signs_in_with_it(
    gatepost: Gatepost, client: AsyncClient, make: Make, clock: MovableClock
) -> None:
    ada = await visitor(gatepost, client, await make.user(), "app")
    await ada.begin()
    early = await client.post("/login/factors/reset", json=ada.flow)
    assert (early.status_code, early.json()["code"]) == (403, "step-not-asked")
    await ada.token()
    asked = await client.post("/login/factors/reset", json=ada.flow)
    assert (asked.status_code, "due_at" in asked.json()) == (202, True)
    assert (await ada.show("totp")).status_code == 200
    clock.move(gatepost.settings.mfa.reset_delay)
    assert not await gatepost.run(lambda work: gatepost.build(FactorResets, work).carry_out_next())
    assert (await ada.token()).status_code == 403

    assert (await client.post("/login/factors/reset", json=ada.flow)).status_code == 202
    clock.move(gatepost.settings.mfa.reset_delay)
    assert await gatepost.run(lambda work: gatepost.build(FactorResets, work).carry_out_next())
    assert (await ada.token()).status_code == 200


async def test_e01_a_new_password_by_mail_signs_nobody_in_and_the_factor_is_asked_for_still(
    gatepost: Gatepost, client: AsyncClient, make: Make
) -> None:
    post = Post(gatepost)
    ada = await visitor(gatepost, client, await make.user(), "app")
    await verify(gatepost, ada.person.id)
    await post.letters()
    await client.post("/password/forgot", json={"email": ada.person.email})
    letter = await post.letter("reset_password")
    new = "harbour-umbrella-77"
    answer = await client.post("/password/reset", json={"token": letter.token, "password": new})
    assert (answer.status_code, answer.content, answer.headers.get("set-cookie")) == (204, b"", None)
    ada.person = Person(ada.person.id, ada.person.email, new)
    assert (await ada.token()).json()["next"] == ["totp", "recovery_code"]
    assert await acr_of(client, await ada.show("totp")) == MULTI_FACTOR


async def test_a03_an_app_on_somebody_elses_address_is_gone_once_they_read_their_mail(
    gatepost: Gatepost, client: AsyncClient, make: Make
) -> None:
    post = Post(gatepost)
    planted = await visitor(gatepost, client, await make.user("victim@example.com"), "app", "key")
    await post.letters()
    victim = Visitor(gatepost, client, Person(planted.person.id, planted.person.email, "unknown to her"))
    await victim.begin()
    await client.post("/login/mail", json={**victim.flow, "email": victim.person.email})
    code = (await post.letter("sign_in_code")).code
    done = await victim.step("mail", email=victim.person.email, code=code)
    assert await acr_of(client, done) == SINGLE_FACTOR
    enrolled = await gatepost.build(Mfa, gatepost.reading()).enrolled(victim.person.id)
    assert (enrolled.methods, enrolled.recovery_codes) == ((), 0)
    assert (await planted.token()).status_code == 400
    # Whoever set them may be who reads this: of each that is gone there is a mail.
    assert Counter(letter.kind for letter in await post.letters())["factor_removed"] == 2


@on_one_database
async def test_g03_nothing_is_said_of_factors_before_the_first_was_right(
    gatepost: Gatepost, client: AsyncClient, make: Make
) -> None:
    has = await visitor(gatepost, client, await make.user(), "app", "passkey")
    none = await visitor(gatepost, client, await make.user())
    said = []
    for who in (has, none, Visitor(gatepost, client, Person(none.person.id, "nobody@example.com"))):
        wrong = Visitor(gatepost, client, Person(who.person.id, who.person.email, "not this one"))
        first = (await wrong.token()).json()
        await wrong.begin()
        options = await wrong.options()
        assert options["allowCredentials"] == []
        second = await wrong.step("totp", code="000000")
        reset = await client.post("/login/factors/reset", json=wrong.flow)
        enrol = await client.post("/login/enrol/totp", json=wrong.flow)
        said.append(
            (
                first["detail"],
                sorted(options),
                second.json()["detail"],
                reset.json()["code"],
                enrol.json()["code"],
            )
        )
    assert said[0] == said[1] == said[2]


@on_one_database
async def test_e08_nothing_of_an_enrolment_goes_where_whoever_asks_says(
    settings: Settings, clock: MovableClock
) -> None:
    mallory = "mallory@example.com"
    async with service_with(by_hand(settings), clock, policy="required") as (gatepost, client, make):
        post, person = Post(gatepost), await make.user()
        who = await visitor(gatepost, client, person)
        await make.user(mallory)
        await post.letters()
        assert (await who.token()).json()["next"] == ["enrol_totp", "enrol_passkey"]
        for path in ("/login/enrol/totp", "/login/enrol/passkey"):
            for field in ("email", "to", "recipient", "phone", "account"):
                answer = await client.post(path, json={**who.flow, field: mallory})
                assert_problem(answer, 422)
                assert [error["field"] for error in answer.json()["errors"]] == [field]
        # Asked for in this flow, a mail is no factor to add, whoever it goes to.
        asked = await client.post("/login/mail", json={**who.flow, "email": mallory})
        codes = [letter.code for letter in await post.letters() if letter.kind == "sign_in_code"]
        for code in codes or ["000000"]:
            refused = await who.step("mail", email=mallory, code=code)
            assert refused.status_code in {400, 403}, (asked.status_code, refused.text)
        begun = (await client.post("/login/enrol/totp", json=who.flow)).json()
        app = App(begun["id"], begun["uri"])
        done = await who.step("enrol_totp", id=begun["id"], code=app.code(clock.now()))
        assert done.status_code == 200, done.text
        # The news of it goes to its owner alone.
        assert {(letter.kind, letter.to) for letter in await post.letters()} == {
            ("factor_added", person.email)
        }
        assert await sessions_of(gatepost, person) == 1


@on_one_database
async def test_a_factor_that_must_be_added_is_added_in_the_flow_and_the_grant_says_where(
    settings: Settings, clock: MovableClock
) -> None:
    async with service_with(settings, clock, policy="required") as (gatepost, client, make):
        who = await visitor(gatepost, client, await make.user())
        await who.token()
        form = {"grant_type": MFA_GRANT, **who.flow, "method": "enrol_totp", "code": "123456"}
        answer = await client.post("/users/token", data=form)
        assert_problem(answer, 422)
        assert (answer.json()["code"], answer.json()["error"]) == ("method-not-here", "invalid_request")
        assert "POST /login/proof" in answer.json()["detail"]


@on_one_database
async def test_opening_the_sign_in_page_takes_no_try_at_a_password_away(
    settings: Settings, clock: MovableClock
) -> None:
    on = settings.model_copy(update={"rate_limits": "on"})
    async with service_with(on, clock) as (gatepost, client, make):
        person = await make.user()
        who = await visitor(gatepost, client, person)
        for _ in range(settings.limits.credentials + 1):
            await who.begin()
            assert "challenge" in await who.options()
        assert (await who.token()).status_code == 200
        begun = [await client.post("/login", json={}) for _ in range(3 * settings.limits.begun)]
        assert {answer.status_code for answer in begun} == {200, 429}
