"""What policy says of proofs that come in several steps."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from gatepost.core.ids import new_id
from gatepost.core.principal import MULTI_FACTOR, SINGLE_FACTOR
from gatepost.login.methods import MAIL, PASSWORD, Factor, Method
from gatepost.login.policy import Conditions, Proof, Refused, StepNeeded, judge
from gatepost.sessions import Assurance
from gatepost.users import Standing

NOW = datetime(2026, 11, 26, tzinfo=UTC)
CONDITIONS = Conditions(timedelta(minutes=10), (PASSWORD, MAIL), verified_email=False, tells_unverified=True)
ADA = Standing(new_id(), 7, is_active=True, locked_until=None, email_verified=True)
KEY = Method("key", ("swk",), frozenset({Factor.POSSESSION}))


def proof(method: Method) -> Proof:
    return Proof(method, ADA.user_id, NOW, ADA.version)


@pytest.mark.parametrize("first", [PASSWORD, MAIL], ids=lambda method: method.name)
def test_e01_whoever_has_a_second_step_takes_it_after_every_first(first: Method) -> None:
    assert judge(CONDITIONS, ADA, [proof(first)], {KEY}, NOW) == StepNeeded(("key",))
    # One more of the same worth is no second.
    both = [proof(PASSWORD), proof(MAIL)]
    assert judge(CONDITIONS, ADA, both, {KEY}, NOW) == StepNeeded(("key",))


def test_a_password_and_a_mail_are_one_factor() -> None:
    found = judge(CONDITIONS, ADA, [proof(PASSWORD), proof(MAIL)], (), NOW)
    assert found == Assurance(("pwd", "otp"), SINGLE_FACTOR)


def test_a_key_that_is_no_method_of_ours_yet_would_make_two(monkeypatch: pytest.MonkeyPatch) -> None:
    from gatepost.login import methods

    monkeypatch.setitem(methods.METHODS, "key", KEY)
    for first in (PASSWORD, MAIL):
        found = judge(CONDITIONS, ADA, [proof(first), proof(KEY)], {KEY}, NOW)
        assert found == Assurance((*first.amr, "swk", "mfa"), MULTI_FACTOR)


def test_e15_a_step_is_worth_nothing_once_the_person_has_changed() -> None:
    changed = replace(ADA, version=ADA.version + 1)
    found = judge(CONDITIONS, changed, [proof(PASSWORD), replace(proof(MAIL), version=8)], (), NOW)
    assert found == Refused("changed")
