"""Which passwords are refused, and which are not."""

import pytest

from gatepost.passwords import Blocklist, PasswordOptions, PasswordPolicy, PasswordRefused

EMAIL = "ada.lovelace@analytical.example"


def policy(**options: bool) -> PasswordPolicy:
    return PasswordPolicy(PasswordOptions.model_validate(options), Blocklist.load(), {"gatepost"})


@pytest.mark.parametrize(
    "password",
    [
        "1234567",
        "Password123",
        "        ",
        "ababababababab",
        "ada.lovelace",
        "AdaLovelace2024",
        "lovelace-ada-1",
        "analytical!99",
        "gatepost-2026",
        "ada.lovelacepassword",
    ],
)
def test_what_is_guessed_first_is_refused(password: str) -> None:
    with pytest.raises(PasswordRefused):
        policy().check(password, EMAIL)


@pytest.mark.parametrize(
    "password",
    [
        "tangerine-lighthouse-42",
        "all lower case and long",
        "73190284655719",
        "\U0001f511\U0001f98a\U0001f30a\U0001f9ca\U0001f511\U0001f98a\U0001f30a\U0001f9ca",
        "lovelace wrote the first program",
    ],
)
def test_no_kind_of_character_is_asked_for(password: str) -> None:
    policy().check(password, EMAIL)


def test_without_the_list_only_length_and_likeness_count() -> None:
    without = policy(blocklist=False)
    without.check("Password123", EMAIL)
    without.check("ada.lovelacepassword", EMAIL)
    with pytest.raises(PasswordRefused):
        without.check("lovelace99", EMAIL)


def test_an_operator_may_ask_for_more() -> None:
    longer = PasswordPolicy(PasswordOptions(minimum_length=16), ())
    with pytest.raises(PasswordRefused, match="at least 16"):
        longer.check("tangerine-house", EMAIL)
