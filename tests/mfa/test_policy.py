"""Who must show or add a second factor: the whole table, and what holds for all of it."""

import itertools
from typing import get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gatepost.mfa import (
    PASSKEY,
    RECOVERY_CODE,
    TOTP,
    Enrolled,
    EnrolmentNeeded,
    FactorPolicy,
    FactorStep,
    judge_factors,
)

POLICIES = get_args(FactorPolicy)
NONE, APP, BOTH = Enrolled(), Enrolled(frozenset({TOTP}), 7), Enrolled(frozenset({TOTP, PASSKEY}), 0)
ADD = EnrolmentNeeded((TOTP, PASSKEY))


@pytest.mark.parametrize(
    ("policy", "administrator", "expected"),
    [
        ("off", True, None),
        ("optional", True, None),
        ("required", False, ADD),
        ("required", True, ADD),
        ("required-for-administrators", False, None),
        ("required-for-administrators", True, ADD),
    ],
)
def test_e01_who_has_none_adds_one_where_it_is_required(
    policy: FactorPolicy, administrator: bool, expected: EnrolmentNeeded | None
) -> None:
    asked = judge_factors(policy, NONE, administrator=administrator, shown={"password"})
    assert asked == expected
    # A device cannot have been remembered for what there never was, and a code stands in for nothing.
    told = judge_factors(
        policy, NONE, administrator=administrator, shown={"password", RECOVERY_CODE}, remembered=True
    )
    assert told == expected


@pytest.mark.parametrize("policy", [each for each in POLICIES if each != "off"])
def test_e01_who_has_one_is_asked_for_it_under_every_policy(policy: FactorPolicy) -> None:
    def asked(enrolled: Enrolled, *shown: str, **more: bool) -> object:
        return judge_factors(policy, enrolled, administrator=False, shown=shown, **more)

    assert asked(APP, "password") == FactorStep((TOTP, RECOVERY_CODE))
    # The strongest first; and no recovery code where none is left.
    assert asked(BOTH, "password") == FactorStep((PASSKEY, TOTP))
    assert asked(APP, "password", TOTP) is None
    assert asked(APP, "password", RECOVERY_CODE) is None
    assert asked(Enrolled(frozenset({TOTP}), 0), "password", RECOVERY_CODE) is None
    assert asked(APP, "password", remembered=True) is None
    assert asked(BOTH, PASSKEY, enough_alone=True) is None


@pytest.mark.parametrize("policy", [each for each in POLICIES if each != "off"])
def test_e13_a_factor_that_the_person_has_not_takes_the_place_of_none(policy: FactorPolicy) -> None:
    only_passkey = Enrolled(frozenset({PASSKEY}), 0)
    for shown in (
        ("password", TOTP),
        ("password", "email"),
        ("password", "sms"),
        (PASSKEY,),
        (PASSKEY, PASSKEY),
    ):
        asked = judge_factors(policy, only_passkey, administrator=False, shown=shown)
        assert isinstance(asked, FactorStep), shown


METHODS = ("password", "email", TOTP, PASSKEY, RECOVERY_CODE)


@given(
    st.sampled_from(POLICIES),
    st.frozensets(st.sampled_from((TOTP, PASSKEY))),
    st.integers(0, 10),
    st.booleans(),
    st.frozensets(st.sampled_from(METHODS)),
)
def test_e01_one_method_that_is_not_enough_alone_never_suffices_for_who_has_a_factor(
    policy: FactorPolicy, factors: frozenset[str], codes: int, administrator: bool, shown: frozenset[str]
) -> None:
    asked = judge_factors(policy, Enrolled(factors, codes), administrator=administrator, shown=shown)
    if policy == "off":
        assert asked is None
    elif factors and len(shown) < 2:
        assert isinstance(asked, FactorStep)
    elif not factors and (policy == "required" or (administrator and policy != "optional")):
        assert asked == ADD
    if isinstance(asked, FactorStep):
        assert set(asked.methods) <= factors | {RECOVERY_CODE}
        assert set(asked.methods).isdisjoint(shown)


def test_the_answer_depends_on_nothing_else() -> None:
    for policy, administrator in itertools.product(POLICIES, (False, True)):
        answers = {
            judge_factors(policy, APP, administrator=administrator, shown=["password"]) for _ in range(3)
        }
        assert len(answers) == 1
