"""What is found in a message."""

import pytest

from gatepost.testing.contents import codes, links


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("Click https://a.example/x?y=1&z=2#f now", ["https://a.example/x?y=1&z=2#f"]),
        ("See https://a.example/x.", ["https://a.example/x"]),
        ("(see https://a.example/x)", ["https://a.example/x"]),
        ("https://a.example/wiki/X_(y)", ["https://a.example/wiki/X_(y)"]),
        ('<https://a.example/x>, "http://b.example"', ["https://a.example/x", "http://b.example"]),
        ("https://a.example/x\nhttps://a.example/x", ["https://a.example/x"]),
        ("myapp://confirm?token=1", ["myapp://confirm?token=1"]),
        ("Write to ada@example.com or www.example.com", []),
    ],
)
def test_links_of_a_text(text: str, found: list[str]) -> None:
    assert links(text, None) == found


def test_links_of_a_page_come_behind_those_of_the_text() -> None:
    page = (
        '<head><title>https://not.example</title></head><a href="https://a.example/x?y=1&amp;z=2">a</a>'
        '<a name="x">b</a><a href="mailto:ada@example.com">c</a><a href="#top">d</a>'
        '<img src="https://pixel.example"><a href="https://b.example">e</a>'
    )
    assert links("", page) == ["https://a.example/x?y=1&z=2", "https://b.example"]
    assert links("https://b.example", page) == ["https://b.example", "https://a.example/x?y=1&z=2"]


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("Your code is 493201.", ["493201"]),
        ("Your code: 493 201", ["493201"]),
        ("Your code: 493-201", ["493201"]),
        ("12345678 and 12345678", ["12345678"]),
        ("Recovery: ABCD-1234-EFGH", ["ABCD-1234-EFGH"]),
        ("gp_setup_Ab1-_Ab1-_Ab1-_Ab1-_", ["gp_setup_Ab1-_Ab1-_Ab1-_Ab1-_"]),
        ("https://a.example/493201?code=123456", []),
        ("Valid for 10 minutes, until 2030-01-01 12:30", []),
        ("Call +49 123 456 789 or 030 123 456", []),
        ("OPEN-SOURCE, order 12345, part X1234567", []),
        ("123456789", []),
    ],
)
def test_codes_of_a_text(text: str, found: list[str]) -> None:
    assert codes(text, None) == found


def test_codes_of_a_page_count_where_there_is_no_text() -> None:
    page = "<style>.x{color:#123456}</style><p>Your code: <b>493201</b></p><script>654321</script>"
    assert codes(" ", page) == ["493201"]
    assert codes("Look at the page.", page) == []
    assert codes("", "<p>Your <b>12</b>") == []
