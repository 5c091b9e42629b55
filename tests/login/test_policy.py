"""What policy says of proofs that come in several steps."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gatepost.core.ids import new_id
from gatepost.core.principal import MULTI_FACTOR, PHISHING_RESISTANT, SINGLE_FACTOR
from gatepost.login.methods import (
    MAIL,
    METHODS,
    PASSKEY,
    PASSWORD,
    RECOVERY_CODE,
    TOTP,
    VERIFIED_PASSKEY,
    Method,
)
from gatepost.login.policy import Conditions, Proof, Refused, Situation, StepNeeded, judge
from gatepost.mfa import Enrolled, FactorPolicy
from gatepost.sessions import Assurance
from gatepost.users import Standing

NOW = datetime(2026, 11, 26, tzinfo=UTC)
CONDITIONS = Conditions(
    timedelta(minutes=10), (PASSWORD, MAIL, PASSKEY), verified_email=False, tells_unverified=True
)
ADA = Standing(new_id(), 7, is_active=True, locked_until=None, email_verified=True)
APP = Situation(Enrolled(frozenset({"totp"}), 3))
NOTHING = Situation(Enrolled())


def proof(method: Method) -> Proof:
    return Proof(method, ADA.user_id, NOW, ADA.version)


@pytest.mark.parametrize("first", [PASSWORD, MAIL], ids=lambda method: method.name)
def test_e01_whoever_has_a_second_step_takes_it_after_every_first(first: Method) -> None:
    assert judge(CONDITIONS, ADA, [proof(first)], APP, NOW) == StepNeeded(("totp", "recovery_code"))
    # One more of the same worth is no second.
    both = [proof(PASSWORD), proof(MAIL)]
    assert judge(CONDITIONS, ADA, both, APP, NOW) == StepNeeded(("totp", "recovery_code"))


def test_a_password_and_a_mail_are_one_factor() -> None:
    found = judge(CONDITIONS, ADA, [proof(PASSWORD), proof(MAIL)], NOTHING, NOW)
    assert found == Assurance(("pwd", "otp"), SINGLE_FACTOR)


@pytest.mark.parametrize("first", [PASSWORD, MAIL], ids=lambda method: method.name)
@pytest.mark.parametrize("second", [TOTP, RECOVERY_CODE], ids=lambda method: method.name)
def test_a_first_factor_and_an_app_are_two(first: Method, second: Method) -> None:
    found = judge(CONDITIONS, ADA, [proof(first), proof(second)], APP, NOW)
    assert found == Assurance((*dict.fromkeys((*first.amr, "otp")), "mfa"), MULTI_FACTOR)


def test_a_passkey_is_two_factors_if_it_has_verified_its_owner() -> None:
    key = Situation(Enrolled(frozenset({"passkey"})))
    alone = judge(CONDITIONS, ADA, [proof(VERIFIED_PASSKEY)], key, NOW)
    assert alone == Assurance(("pop", "user", "mfa"), PHISHING_RESISTANT)
    # Else it is one, and what is missing is something that one knows.
    assert judge(CONDITIONS, ADA, [proof(PASSKEY)], key, NOW) == StepNeeded(("password", "mail"))
    both = judge(CONDITIONS, ADA, [proof(PASSKEY), proof(PASSWORD)], key, NOW)
    assert both == Assurance(("pwd", "pop", "user", "mfa"), MULTI_FACTOR)


def test_e01_two_things_that_one_has_are_one_factor() -> None:
    both = Situation(Enrolled(frozenset({"passkey", "totp"}), 3))
    for second in (TOTP, RECOVERY_CODE):
        found = judge(CONDITIONS, ADA, [proof(PASSKEY), proof(second)], both, NOW)
        assert found == StepNeeded(("password", "mail"))


def test_e15_a_step_is_worth_nothing_once_the_person_has_changed() -> None:
    changed = replace(ADA, version=ADA.version + 1)
    found = judge(CONDITIONS, changed, [proof(PASSWORD), replace(proof(MAIL), version=8)], NOTHING, NOW)
    assert found == Refused("changed")


METHODS_SHOWN = st.lists(st.sampled_from([*METHODS.values()]), min_size=1, max_size=5)


@given(
    st.sampled_from(get_args(FactorPolicy)),
    st.frozensets(st.sampled_from(("totp", "passkey"))),
    st.booleans(),
    st.booleans(),
    METHODS_SHOWN,
)
def test_e01_e02_no_methods_in_any_order_are_a_way_around(
    policy: FactorPolicy, has: frozenset[str], administrator: bool, remembered: bool, shown: list[Method]
) -> None:
    conditions = replace(CONDITIONS, factors=policy)
    situation = Situation(Enrolled(has, 3 if has else 0), administrator, remembered)
    found = judge(conditions, ADA, [proof(method) for method in shown], situation, NOW)
    backwards = judge(conditions, ADA, [proof(method) for method in reversed(shown)], situation, NOW)
    assert found == backwards
    kinds = {factor for method in shown for factor in method.factors}
    if isinstance(found, Assurance):
        # Nobody comes in who has not said who they are, and no assurance is above what was shown.
        assert any(method.comes_first for method in shown)
        assert (found.acr == SINGLE_FACTOR) == (len(kinds) < 2)
        must = policy == "required" or (policy == "required-for-administrators" and administrator)
        if policy != "off" and has and not remembered:
            assert len(kinds) > 1
            own = {*has, "recovery_code"}
            assert own & {method.step for method in shown} or VERIFIED_PASSKEY in shown
        if must and not has:
            assert len(kinds) > 1
            assert VERIFIED_PASSKEY in shown
    else:
        assert isinstance(found, StepNeeded)
        assert found.methods
        assert set(found.methods).isdisjoint({method.step for method in shown})
