"""Tags of languages, and what browsers ask for."""

import pytest

from gatepost.core.languages import canonical_tag, preferred
from gatepost.notices.languages import Languages


@pytest.mark.parametrize(
    ("given", "tag"),
    [
        ("de", "de"),
        ("DE-at", "de-AT"),
        ("zh-hant-tw", "zh-Hant-TW"),
        ("es-419", "es-419"),
        ("sl-Rozaj-biske", "sl-rozaj-biske"),
        ("de-DE-1996", "de-DE-1996"),
        ("en-US-u-hc-h23", "en-US-u-hc-h23"),
        ("gsw", "gsw"),
        ("de-x-Ours", "de-x-ours"),
    ],
)
def test_tags_have_one_spelling(given: str, tag: str) -> None:
    assert canonical_tag(given) == tag


@pytest.mark.parametrize(
    "given",
    [
        "",
        "d",
        "deutsch",
        "de_AT",
        "de-",
        "-de",
        "de--AT",
        "x-ours",
        "i-klingon",
        "de AT",
        "dé",
        "de-AT\n",
        "*",
        "de-" + "a" * 40,
        "../../etc/passwd",
        "en-a",
    ],
)
def test_what_is_no_tag_is_refused(given: str) -> None:
    with pytest.raises(ValueError, match="not a language tag"):
        canonical_tag(given)


@pytest.mark.parametrize(
    ("header", "wanted"),
    [
        (None, []),
        ("", []),
        ("de", ["de"]),
        ("fr-CH, fr;q=0.9, en;q=0.8, de;q=0.7, *;q=0.5", ["fr-CH", "fr", "en", "de"]),
        ("en;q=0.1, de", ["de", "en"]),
        ("en;q=0, de;q=0.001", ["de"]),
        ("en;q=2, de;q=x, ;;, fr ; q = 0.5", ["fr"]),
        (",".join(["xx"] * 1000), ["xx"] * 20),
    ],
)
def test_browsers_say_what_they_want_most(header: str | None, wanted: list[str]) -> None:
    assert preferred(header) == wanted


def test_the_nearest_language_that_there_is_gets_chosen() -> None:
    languages = Languages()
    assert languages.choose("de-AT") == "de"
    assert languages.choose("zh-Hant-TW") == "zh"
    assert languages.choose("gsw", "fr-CH") == "fr"
    assert languages.choose("tlh", None) == "en"
    assert languages.choose() == "en"
    assert Languages(default="es").choose("tlh") == "es"
