"""What policy says of proofs that come in several steps."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from gatepost.core.ids import new_id
from gatepost.core.principal import MULTI_FACTOR, PHISHING_RESISTANT, SINGLE_FACTOR
from gatepost.login.methods import (
    MAIL,
    PASSKEY,
    PASSWORD,
    RECOVERY_CODE,
    TOTP,
    VERIFIED_PASSKEY,
    Method,
)
from gatepost.login.policy import Conditions, Proof, Refused, Situation, StepNeeded, judge
from gatepost.mfa import Enrolled
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
