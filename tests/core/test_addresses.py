"""Who is calling: the connection's address, or what trusted proxies say, and never what a client says."""

import io
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gatepost.core.http.addresses import Addresses
from gatepost.core.logging import make_logger

PUBLIC, OTHER = "8.8.8.8", "9.9.9.9"
PROXY, INNER = "10.0.0.1", "10.0.0.2"


def addresses(
    *trusted: str, header: Any = "x-forwarded-for", tls: bool = False, prefix: int = 64
) -> Addresses:
    return Addresses(trusted, header, prefix, make_logger("json", "error"), behind_tls=tls)


def address_of(found: Addresses, asked: dict[str, Any]) -> str | None:
    return found.origin(asked).address


def scope(peer: str | None, *headers: tuple[str, str]) -> dict[str, Any]:
    return {
        "type": "http",
        "client": None if peer is None else (peer, 1234),
        "headers": [(name.encode(), value.encode("latin-1")) for name, value in headers],
    }


def xff(*lines: str) -> list[tuple[str, str]]:
    return [("x-forwarded-for", line) for line in lines]


def fwd(*lines: str) -> list[tuple[str, str]]:
    return [("forwarded", line) for line in lines]


def test_without_a_setting_no_header_has_any_effect() -> None:
    for headers in (xff(OTHER), fwd(f"for={OTHER}"), [("x-real-ip", OTHER)], [("true-client-ip", OTHER)]):
        assert address_of(addresses(), scope(PUBLIC, *headers)) == PUBLIC
        assert addresses().origin(scope(PUBLIC, *headers)).shared is False


WALKS = [
    ("the proxy names its client", [OTHER], OTHER),
    ("what the client wrote stands to the left", [f"1.1.1.1, {OTHER}"], OTHER),
    ("trusted hops are skipped", [f"1.1.1.1, {OTHER}, {INNER}"], OTHER),
    ("several lines are one list", ["1.1.1.1", OTHER, INNER], OTHER),
    ("all hops are trusted: the first of them", [f"10.9.9.9, {INNER}"], "10.9.9.9"),
    ("a broken hop ends the walk", [f"{OTHER}, garbage"], PROXY),
    ("a broken hop ends the walk at the last good one", [f"{OTHER}, garbage, {INNER}"], INNER),
    ("an empty hop is a broken one", [f"{OTHER},"], PROXY),
    ("nothing but blanks", [" "], PROXY),
    ("a name is no address", ["localhost"], PROXY),
    ("a port", [f"{OTHER}:4711"], OTHER),
    ("IPv6", ["2001:4860::8888"], "2001:4860::8888"),
    ("IPv6 in brackets with a port", ["[2001:4860::8888]:4711"], "2001:4860::8888"),
    ("one spelling of IPv6", ["2001:4860:0:0:0:0:0:8888"], "2001:4860::8888"),
    ("IPv4 as IPv6", ["::ffff:9.9.9.9"], OTHER),
    ("no scope id", ["fe80::1%eth0"], PROXY),
    ("no leading zeros", ["010.9.9.9"], PROXY),
    ("no other digits", ["٩.9.9.9".encode().decode("latin-1")], PROXY),
    ("a chain of thousands", ["1.1.1.1," * 2000 + OTHER], OTHER),
]


@pytest.mark.parametrize(("lines", "client"), [walk[1:] for walk in WALKS], ids=[walk[0] for walk in WALKS])
def test_networks_are_walked_from_the_right(lines: list[str], client: str) -> None:
    assert address_of(addresses("10.0.0.0/8"), scope(PROXY, *xff(*lines))) == client


def test_a_peer_that_is_no_proxy_is_the_client() -> None:
    assert address_of(addresses("10.0.0.0/8"), scope(PUBLIC, *xff(OTHER))) == PUBLIC
    assert address_of(addresses("10.0.0.0/8"), scope("192.168.1.1", *xff(OTHER))) == "192.168.1.1"
    assert address_of(addresses("::1/128"), scope("127.0.0.1", *xff(OTHER))) == "127.0.0.1"


def test_only_the_configured_header_is_read() -> None:
    both = [*xff("1.1.1.1"), *fwd(f"for={OTHER}"), ("x-real-ip", "2.2.2.2")]
    assert address_of(addresses("10.0.0.0/8"), scope(PROXY, *both)) == "1.1.1.1"
    assert address_of(addresses("10.0.0.0/8", header="forwarded"), scope(PROXY, *both)) == OTHER


@pytest.mark.parametrize(
    ("hops", "chain", "client"),
    [
        ("1", OTHER, OTHER),
        ("1", f"1.1.1.1, {OTHER}", OTHER),
        ("2", f"1.1.1.1, {OTHER}, {INNER}", OTHER),
        ("3", f"{OTHER}, {INNER}", PUBLIC),
        ("1", "garbage", PUBLIC),
        ("2", f"garbage, {OTHER}", PUBLIC),
        ("1", "", PUBLIC),
    ],
)
def test_hops_are_counted_from_the_right(hops: str, chain: str, client: str) -> None:
    assert address_of(addresses(hops), scope(PUBLIC, *xff(chain))) == client


def test_a_proxy_on_a_socket_has_no_address_and_is_one_hop() -> None:
    assert address_of(addresses("1"), scope(None, *xff(OTHER))) == OTHER
    assert addresses().origin(scope(None)) == (None, None, True)
    assert addresses().origin(scope("/run/gatepost.sock")) == (None, None, True)


ELEMENTS = [
    (f"for={OTHER}", OTHER),
    (f"For={OTHER};proto=https;by=10.0.0.1", OTHER),
    (f"proto=https; host=a ;for={OTHER}", OTHER),
    ('for="[2001:4860::8888]:4711"', "2001:4860::8888"),
    ('for="9.9.9.9:80"', OTHER),
    (f"for=1.1.1.1, for={OTHER}", OTHER),
    (f'for=1.1.1.1;host="a, for=2.2.2.2", for={OTHER}', OTHER),
    (f"for={OTHER}, for={INNER}", OTHER),
    (f"for={OTHER}, for=unknown", PROXY),
    (f"for={OTHER}, for=_hidden", PROXY),
    (f"for={OTHER}, proto=https", PROXY),
    (f"for={OTHER};for=1.1.1.1", PROXY),
    (f"for = {OTHER}", PROXY),
    ("for=[2001:4860::8888]", PROXY),
    ("", PROXY),
    (f"for=1.1.1.1, {'x=y, ' * 1000} for={OTHER}", PROXY),
    # A quote that the client leaves open must not swallow what the proxy wrote.
    ('for=1.1.1.1;x=", for="[2001:4860::8888]"', PROXY),
    (f'for=1.1.1.1;x=", for={OTHER}', PROXY),
    (f'for=1.1.1.1;x="\\", for={OTHER}', PROXY),
]


@pytest.mark.parametrize(("line", "client"), ELEMENTS)
def test_rfc_7239_is_read(line: str, client: str) -> None:
    assert address_of(addresses("10.0.0.0/8", header="forwarded"), scope(PROXY, *fwd(line))) == client


def test_rfc_7239_several_lines_are_one_list() -> None:
    lines = fwd("for=1.1.1.1", f"for={OTHER}", f"for={INNER}")
    assert address_of(addresses("10.0.0.0/8", header="forwarded"), scope(PROXY, *lines)) == OTHER


@given(
    text=st.text(alphabet='for=";,\\ 1.:[]x', max_size=40),
    header=st.sampled_from(["x-forwarded-for", "forwarded"]),
)
def test_whatever_the_client_wrote_never_counts(text: str, header: str) -> None:
    """The proxy appends its element; in front of it stands anything."""
    appended = OTHER if header == "x-forwarded-for" else f"for={OTHER}"
    found = address_of(addresses("10.0.0.0/8", header=header), scope(PROXY, (header, f"{text}, {appended}")))
    assert found == OTHER or (found == PROXY and header == "forwarded")


def test_k02_an_ipv6_client_is_its_network() -> None:
    one, other = "2001:4860:1:2::1", "2001:4860:1:2:ffff:ffff:ffff:ffff"
    beside = "2001:4860:1:3::1"
    found = addresses()
    assert found.network(one) == found.network(other) == "2001:4860:1:2::/64"
    assert found.network(beside) != found.network(one)
    assert addresses(prefix=56).network(beside) == addresses(prefix=56).network(one)
    assert found.network("::ffff:8.8.8.8") == found.network("8.8.8.8") == "8.8.8.8"
    assert address_of(found, scope("::ffff:8.8.8.8")) == "8.8.8.8"


def test_a_proxy_that_no_setting_names_is_noticed_once() -> None:
    said = io.StringIO()
    found = Addresses([], "x-forwarded-for", 64, make_logger("json", "warning", said), behind_tls=True)
    assert found.origin(scope(PROXY)).shared is False
    assert found.uncovered is False
    for _ in range(3):
        assert found.origin(scope(PROXY, *xff(OTHER))) == (PROXY, PROXY, True)
    assert found.uncovered is True
    assert said.getvalue().count("proxy.unconfigured") == 1


def test_a_trusted_proxy_that_writes_another_header_is_noticed_too() -> None:
    found = addresses("10.0.0.0/8", header="forwarded")
    assert found.origin(scope(PROXY, *xff(OTHER))) == (PROXY, PROXY, True)
    assert found.uncovered is True


def test_only_a_near_peer_can_be_such_a_proxy_and_only_in_front_of_https() -> None:
    assert addresses(tls=True).origin(scope(PUBLIC, *xff(OTHER))).shared is False
    assert addresses(tls=False).origin(scope(PROXY, *xff(OTHER))).shared is False
    assert addresses(tls=True).origin(scope("127.0.0.1", ("x-real-ip", OTHER))).shared is True
