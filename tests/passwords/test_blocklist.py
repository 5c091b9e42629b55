"""The offline list of common passwords: what it holds, how it is searched, and that damage never passes."""

import itertools
import random
import string
import subprocess
import sys
import threading
import time
import tracemalloc
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gatepost.core.errors import Stopped
from gatepost.passwords.blocklist import MIN_LENGTH, Blocklist, build

ROOT = Path(__file__).parents[2]
SHIPPED = ROOT / "src/gatepost/passwords/data/common-passwords.bin"
HEADER_BYTES = 32
DIGEST_BYTES = 6

# Any code point, lone surrogates included: that is what a JSON body can carry.
words = st.text(st.characters(exclude_categories=()), min_size=MIN_LENGTH, max_size=20)


@pytest.fixture(scope="module")
def shipped() -> Blocklist:
    return Blocklist.load()


@pytest.fixture
def unopened(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Blocklist, "_shared", None)


def digests(data: bytes) -> list[bytes]:
    return [data[start : start + DIGEST_BYTES] for start in range(HEADER_BYTES, len(data), DIGEST_BYTES)]


# What the shipped list holds


@pytest.mark.parametrize("password", ["password", "12345678", "qwertyuiop", "trustno1", "iloveyou"])
def test_common_passwords_are_listed_in_any_case(shipped: Blocklist, password: str) -> None:
    for spelling in (password, password.upper(), password.title(), password.swapcase()):
        assert spelling in shipped


@pytest.mark.parametrize("password", ["pa\u017fsword", "pa\u00dfword1", "\u212aeyboard"])
def test_letters_that_fold_to_ascii_do_not_hide_a_common_password(shipped: Blocklist, password: str) -> None:
    assert password.casefold() in shipped
    assert password in shipped


def test_every_line_of_a_sample_of_the_source_is_listed(shipped: Blocklist) -> None:
    lines = SAMPLE.split()
    assert len(set(lines)) == 2000
    assert any(line != line.casefold() for line in lines)
    assert [line for line in lines if line not in shipped or line.swapcase() not in shipped] == []


def test_random_passwords_are_not_listed(shipped: Blocklist) -> None:
    choose = random.Random(20_261_122)
    strangers = ("".join(choose.choices(string.printable[:94], k=14)) for _ in range(20_000))
    assert [stranger for stranger in strangers if stranger in shipped] == []


@pytest.mark.parametrize(
    "neighbour", ["password ", " password", "password\n", "password\x00", "p\u00e4ssword"]
)
def test_only_the_case_is_folded(shipped: Blocklist, neighbour: str) -> None:
    assert neighbour not in shipped


def test_passwords_of_fewer_than_8_characters_are_never_listed(shipped: Blocklist) -> None:
    for short in ("", "123456", "qwerty", "dragon"):
        assert short not in shipped
    # It folds to "password", but the policy counts what was typed.
    assert "pa\u00dfword" not in shipped
    assert "password" in shipped


def test_lone_surrogates_get_an_answer(shipped: Blocklist) -> None:
    assert "\ud800" * 8 not in shipped
    assert "\udfff" * 8 in Blocklist(build(["\udfff" * 8]))


@pytest.mark.parametrize("other", [b"password", None, 12345678, ["password"]])
def test_what_is_not_a_string_is_an_error_and_not_an_absence(shipped: Blocklist, other: object) -> None:
    with pytest.raises(TypeError, match="str"):
        assert other not in shipped


def test_digests_of_the_shipped_list_are_sorted_and_unique(shipped: Blocklist) -> None:
    rows = digests(SHIPPED.read_bytes())
    assert len(rows) == len(shipped) == 474_743
    assert all(before < after for before, after in itertools.pairwise(rows))


def test_false_positives_stay_below_one_in_500_million(shipped: Blocklist) -> None:
    assert len(shipped) / 2 ** (8 * DIGEST_BYTES) < 1 / 500_000_000


def test_the_first_and_the_last_digest_are_reached() -> None:
    passwords = [f"password{number}" for number in range(3000)]
    data = build(passwords)
    rows = digests(data)
    by_digest = {digests(build([password]))[0]: password for password in passwords}
    blocklist = Blocklist(data)
    assert by_digest[rows[0]] in blocklist
    assert by_digest[rows[-1]] in blocklist


# The format


def test_a_digest_is_the_start_of_blake2b_512() -> None:
    # As coreutils say: printf password | b2sum
    assert digests(build(["PassWord"])) == [bytes.fromhex("7c863950ac93")]


@given(st.lists(words), st.lists(words))
def test_a_list_holds_what_it_was_built_from_and_nothing_else(listed: list[str], others: list[str]) -> None:
    blocklist = Blocklist(build(listed))
    folded = {password.casefold() for password in listed}
    assert len(blocklist) == len(folded)
    assert all(password in blocklist for password in listed)
    assert all((other in blocklist) == (other.casefold() in folded) for other in others)


@given(st.lists(words, min_size=1), st.randoms())
def test_order_repetition_and_case_do_not_change_a_byte(listed: list[str], chance: random.Random) -> None:
    again = [*listed, *(password.casefold() for password in listed)]
    chance.shuffle(again)
    data = build(listed)
    assert build(again) == data
    assert digests(data) == sorted(set(digests(data)))


def test_short_passwords_are_left_out() -> None:
    assert build(["1234567", "12345678"]) == build(["12345678"])


def test_the_script_rebuilds_the_same_bytes(tmp_path: Path) -> None:
    source, output = tmp_path / "source.txt", tmp_path / "list.bin"
    # U+0085 ends a line for str.splitlines(), not in a file of passwords.
    source.write_bytes("Trustno1\r\nshort\npass\u0085word\n12345678".encode())
    script = ROOT / "scripts/build_blocklist.py"
    subprocess.run([sys.executable, script, source, "--output", output], check=True, capture_output=True)
    assert output.read_bytes() == build(["trustno1", "pass\u0085word", "12345678"])
    assert set(tmp_path.iterdir()) == {source, output}


# Damage


@given(st.data())
def test_one_changed_byte_anywhere_is_refused(data: st.DataObject) -> None:
    whole = build(["12345678", "password", "trustno1"])
    place = data.draw(st.integers(0, len(whole) - 1))
    damaged = bytearray(whole)
    damaged[place] ^= data.draw(st.integers(1, 255))
    with pytest.raises(Stopped, match="damaged"):
        Blocklist(bytes(damaged))


def damaged_copies() -> Iterator[tuple[str, bytes]]:
    whole = SHIPPED.read_bytes()
    yield "empty", b""
    yield "cut in the header", whole[: HEADER_BYTES - 1]
    yield "header only", whole[:HEADER_BYTES]
    yield "one digest short", whole[:-DIGEST_BYTES]
    yield "one byte short", whole[:-1]
    yield "one byte long", whole + b"\x00"
    yield "last byte changed", whole[:-1] + bytes([whole[-1] ^ 1])
    yield "count too low", whole[:15] + bytes([whole[15] - 1]) + whole[16:]
    yield "later format", whole[:7] + b"\x02" + whole[8:]
    yield "another kind of file", b"PK\x03\x04" + whole[4:]


@pytest.mark.parametrize("damaged", [pytest.param(data, id=name) for name, data in damaged_copies()])
def test_a_damaged_file_is_refused_by_name(tmp_path: Path, damaged: bytes) -> None:
    path = tmp_path / "list.bin"
    path.write_bytes(damaged)
    with pytest.raises(Stopped, match=r"list of common passwords.*list\.bin"):
        Blocklist.from_file(path)


def test_a_missing_file_is_refused_by_name(tmp_path: Path) -> None:
    with pytest.raises(Stopped, match=r"missing\.bin"):
        Blocklist.from_file(tmp_path / "missing.bin")


# Opening


@pytest.mark.usefixtures("unopened")
def test_the_list_is_opened_once_whichever_thread_comes_first(monkeypatch: pytest.MonkeyPatch) -> None:
    opened: list[Path] = []
    real = Blocklist.from_file

    def slow(path: Path) -> Blocklist:
        opened.append(path)
        time.sleep(0.05)
        return real(path)

    monkeypatch.setattr(Blocklist, "from_file", slow)
    together = threading.Barrier(8)
    got: list[Blocklist] = []

    def load() -> None:
        together.wait()
        got.append(Blocklist.load())

    threads = [threading.Thread(target=load) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(opened) == 1
    assert len(got) == 8
    assert len({id(blocklist) for blocklist in got}) == 1


@pytest.mark.usefixtures("unopened")
def test_a_failed_load_is_tried_again(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    with monkeypatch.context() as broken:
        real = Blocklist.from_file
        broken.setattr(Blocklist, "from_file", lambda _: real(tmp_path / "missing.bin"))
        with pytest.raises(Stopped):
            Blocklist.load()
    assert "password" in Blocklist.load()


def test_the_list_costs_no_memory_of_ours() -> None:
    tracemalloc.start()
    try:
        blocklist = Blocklist.from_file(SHIPPED)
        assert "password" in blocklist
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < SHIPPED.stat().st_size / 10


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_importing_opens_nothing_and_loading_maps_the_file_shared_and_read_only() -> None:
    program = """
from pathlib import Path
from gatepost.passwords.blocklist import Blocklist
def mapped():
    lines = Path("/proc/self/maps").read_text().splitlines()
    return [line.split()[1] for line in lines if line.endswith("common-passwords.bin")]
before = mapped()
Blocklist.load()
print(before, mapped())
"""
    done = subprocess.run([sys.executable, "-c", program], check=True, capture_output=True, text=True)
    assert done.stdout.strip() == "[] ['r--s']"


# 2,000 lines of the source, evenly spaced among those of letters and digits that hold no word, name or
# telephone number: no run of 4 letters or of 5 digits.
SAMPLE = """
1qaz2wsx 1a2b3c4d z1x2c3v4 z1x2c3v4b5 q1q2q3q4 Q1w2e3r4 78N3s5Af mom4u4mm 11c645df zaq11qaz 669E53E1
cde34rfv 0cDh0v99uE 1w2q1w2q asd123qwe g0dz1ll4 kki177hk ZAQ12WSX ke12fe13 Z123z123 H1Y4dUa229 1a2a3a4a5a6a
gl3bk02k 1o3t6res q1w2e3r4t5y gin55ger 2b1ind2c Yt9g4Bnu p0p0p0p0 ffg47nav aho9PSW2 1qwe2qwe Zaq1xsw2
t5y6u7i8 q1w2e3q1w2e3 hh7sc4dx cbr1100x a1b1c1d1 4r5t6y7u 1qw23er45ty6 123q123w x1950pro RE2J3HMD P4ssw0rd
m1ch1gan iu234jkh2g c1f2i3f4 a1s2d3f4g5h6j7k8 4r2x3sp9 1z2x3c4v5b6n7m 1927f907 0p9o8i7u6y xxx111xxx
v1a2d3i4m5 sl1g0129 qqq12qqq p8ssw0rd ncc1701x l2cy1999 jb011a98 gmi94fin f7b9f7b9 d7q91db3tt C7130c0406
AH85k5Cc 7of97of9 44tr123s 28a7738t 1q1a1z2w2s2x 123qwe321ewq 00Bs1875 Ypq4xg5e wrw75rfu vyt18ktn te387ewi
shj01nva red4rum4 qwe123zxc q1w2e3r4t5y6u pA1ub65udD NUo725xX n1i2c3k4 mj23jg81 lol123lo js455kts if2gb4a2
Gor1t2006 f929vcb2 e9neg194 dc3dnh7h ck2330ha c1c2c3c4c5 B8WRK624 atk24bam ada6ada6 a1l1e1x1 93qn3rbm
7gr7grt3 5l7uo8ja 498aqh51 3edc4rfv5tgb 2hot2000 1t3v5z7a 1q2w3e4r1q2w3e4r 12zx34cv 123aaa123 01t09J2004
zer0c00l z91k4yz41 yj83qng4 xx2449xx x2c3v4b5 wn8126jc w2w2w2w2 v4c3x2z1 uba853m4 ty7t6yy7 thx1138a t28gc1zi
SpZ5VDr8 sl1200mk sc277b23 s1v2e3t4a5 rup321rt rFt7WH7585 r4e9vz9w r1033tts QQQ111qqq qaz123WSX q1q1q2q2
pr0gre55 pai0ter99 p1o2i3u4 oei07jhq nu17fmt0 NCC1701e mx80y36a ml792zz2 mar56ger m609m609 luz16dey1
le652ue1 l0n3st4r kel422ly k1r1bat1 jo2ph3el ja00fu77 j0n4th4n i4t68k85 hog39dre har97nos gt2evo699 gf3s5sg7
g1a2r3y4 fox2fox2 f3n3l945 el131ARM e3r0i2c2 dt3a0kyt dm007hal Dan11Alf d2jah0488 d1a2v3e4 cow22boy CG5995CG
c9Utg6UA bra22nds bmw330xi bay4r5t6 b33tl3h3 ax1600dmt3c asv98asv aq2398tx ac4400cw a9z2e8f4gs8e a3ce5wfy
a1ar1c00 9ejo6xdi 93yb39np 861qq565 7c64d9fc 6REL50xl 6a6a96a6a9 5z9exc34 555y777y999y 4oak37qn 46n8i743
3l3ph4nt 34dd34dd 2r6hw9ws 2big4you 230h1113 1z2x3c4a5s6d 1r0nf1st 1q2q1q2q 1f43kj7x 1A2b3c4d 1376lr55
123xxx00 123gg123 1230lol1 10ch10ng 0o9i8u7y6t5r 03ab17bi ZZZ111zzz222 ZXC123qwe ZX12CV34 Zse45rdx zky70ykz
zaq23edc zai4ik1987 Z72P2KJB z370non3 z1x1c1v1b1n1m1 z10z15z20 yz3x8y9c6v ys5s3hf30 yki79skq ycx8989bnn
y7yk6srd y33s2vr5 xz11xz11 XW3V3857 XPK6Zx32 xj8w0180 xeh9xuz4 x9xz1gqz x555x555x x1x2x3x4x5 www666www
Ws1973Ws wls2730wls wgp7zbx8 we4rt6zu Wb8RST3f w5vjy5cmm w2n9y33x W14NQ633 vzr92r84 vyt16ktn vvj4yvm7
vpc2md4f vm3a0qqc vi3wl0ve vd1f3vuw va86eq9xg V4t2Z56P v29gnt07e v1e2r3a4 uy7vb4h4 Ur6X3gDO uk1802uk
UCQ266EH u8u8u8u8 u3cm6z8x tzb4e82a TV2gr3wd Ts1rHc1tNa tr0us3rs top11cat tm599ksb tig45okc tha6ks2000
tey666me td6t3ew49 tas01mia t9a58mpn1 t6t3ayc9 t42at888 t351br57 t1ckt0ck szt7bzs5 sxp11rje sud96c017
str00dle ssn593su sq882who som733ma smv9BtC0xzs8A ski52hhh six18dad si19cn98 sh0wt1m3 set8day266 sdf1sdf2
sc00ter7 sam2012sam2012 s90s90s90s90 s5b2z8jjx s41g0ghP s24sam24 s1mas1ma s1988s1908 ry7y2efu rup123rt
rsd17yc3030 ROO58CLD rj2821mo rg2h0jpn rei29sol re7359ly rab77bit R6gc80Jx r4dg5987 r356su3t r1i2m3a4
QxP32hgD qwe1qwe1 qw2as3zx4 qT9xmT2x QPn5a4U7 QeQ4apf7yB qaz123wsx123 q7g1f5l0 q2xt57dq q1w2e3r41 q1b7k4x3
q1010in1010 pw12ur16 ps86ps86 prj63vet po1po2vi pj73ypb9 phg490ph pEk5j7p5tL par2us3nik Pa55W0rd p8l8o2ly
p5r3e1n2y4 p4e8l5s3 p247ucb4 P1cP0rn0 p0rnk1ng ou812icx opl139k9 oli4ka1509 o949rj3u o292Ax55Ru ny6r85d6
nsu12kka noo44ppp nM3M4ni9s nia11er5 New1eve1 Ncc1701d n86MO661 N4MR3Z4L n2a8m9o1r n1b2v3f4 my3000gt
mtc84KZT mqo9t6hm mnu834r5 mlb186ap mic60mic mfr85rdy Mds7Br8VNU8so Md4OX4b0g2JWs mb587c75 max1m1l1an
map327ab mac1nt0s ma12to12 m72Fp98U M4JA75c1 m2zmj9j0 m1p2d3j4 m1a2k3s4s5s6 m0rr0w1nd lym69odd Lpo225hs
lo0plo0p lin63mal lf123if456 le4322k8 la2la2la2 l5e4v3i2s1 l2299ber l17m18ss l0ad0fsh1t KW0Iw0xWw7OM6
kt5kq9wgk kr4S4Ii417 ko2dom25 kke9503k ki41xa93 ken11ibs kar54nak k814ph199rus k4abm62w k1i2s3a4 k0cs1990
jt983koa jor12dan jkn35pkw jh76gu76 jen21ab1 jce6a6dz jan1jan1 j7v5cs12 J3st3r13 j20ghm2x J12BR7A376
itg45fak in2012ad igb403mj ia1859sc I6c4Bh5h I1fc6av5iB hv95uad5 ht8e3776 hot5hit492 hn1966jr hit71rus
hen48txs hBc8z21r Ha1000pq h6y857t5y65hd6c7 H467H774 h2oh2so4 h1ll1ers h0bb1tty gVH70m9O GT81Ne2B gp0346ct
gkf6gv82 ghs65ebj54 gf22wk33 gd7u1pkr g9rxu9xd g64chc8x g3c6sj0f g1u3s1u0 g0atb0ys fug1t1ve fs78e4dw
Fr1066Yn FNS854ID fkc61w2e FGY67p17 fe4o4e6u7o Fat56jap f9gr4kfw F78b3T0d f5e3c604 f3jbn7is f287gra7
F12avp7g ex1d0rtg ets17csb er13in99 em9b5xho ehs32hmr eec2tu2s ec6651a3e7 e8avy2nb e56iq727 e2pop2pop
e159r951t159y951 dwt5eb3v ds325fgg dpa46z17 DN7Uo0mi9J djq2b1fez dhb95n3d df65r4g5 den4uk2904 de7ia7n8
dd33bb33 db8guw37 dac3as3r d9f6rn0n d79rv7i76UN6 d5915da4 d3lfu3nt3s d2fi4588 d1nam1te d1al0g1c D0i5m1a0
cxc57kxr CU2two4u CQ566CGr cod2031d cl0th0s3 chr73ona CH2711AB cdr80min cc6520ab cat345op Cam84aro c8v98g7b
c74f6d91 c4f6dar3 c3g45s3j c1pp4l1pp4 c12h16n2 c0gnj079 By73tsa396 BU98CzL1 bru515ha bpp189tt bo4w2150
BMW330ci bkm1z234 bi99do99 bgs40mgs ben0it7145 bce3b292 baz45baz bad5did8 b9Iu1e6sxT b74d2abh b4gu9q3h
b3l3nh0rn b22b9031 b1b8b8b8 b0a23e14 az2co2ks au95qB7J atk48fjg atk076ha asd678zx as9ffz1172 art2952hes
aq1290mx ana32ana All05eYB ak4762aw ahf785fds af38f8vj ad28e1324 abe57bgh ab01rh01 aa1991aa a8ZH89r2
a7lx85B1 A6c8948d06 a5403pqn a3to8ov2 a2da3tes a1z2a3z4a5 a1n2d3r4e5y6 a1b2v666 a17b19c2 a1121meb a0284vdv
9t5yR5jG 9nqQ42NZ 9k3e2j2j 9E96L5J8 9a832nf6wh 98dRA8r4hR0NQ 96tqm7ua 953c925e 93pan666 925b312a 90op90op
8xmd38bzz 8r4kc6z3 8K7Ugg7Y 8fb5df8e9aeb9461 8c679d49 89G489r7gh 888dj888 8775fEF34hX5k 852a456f 83p4dg9x
80X42KYa 7xxq6a3o 7roc7ket 7mak7def 7f4df4517f1 7D35KM67 79a5a195 789zxc123 777xxx777 772msw69 75W02oUI1K2zg
7441pc00 72rj6cKi65L9M 7145he80oeh2E 6xr8pcu8 6s9Mj3jH3c 6L209Km28PQ2 6fr65gm9e 6b3b7ad8 69Os5vQ2F7fys
689z2n26 679C2MLB 666war77 64KPa3MD7sc 6393sm00 623jac21 5zf8Oc35 5twb9Vt1N 5q4w3e2r1t 5f3x5b93 5al0hc1n
58u699ic 576t3n8b 55Um2wTQ8T 5501db4b 5353A201 511g18pp 4xtz2gfu 4us2see2 4rfv4rfv 4o3n2a1t 4i2nk2tw
4e4en4ik 4a3yg7s7 494rgt91 4826as12 4697ner9 45fr4ree 450E97E6IGd4U 43ZP6OUu0w2sY 42dd42dd 40ZP67qSE2yus
3zwf6d04 3vdl7aiq 3q893g2i 3kxv633r 3g2Hif9C 3e4r5t6y7u 3c5x9cfg 39q5D89tU2DP2 38dds4me 37LhQ71s70u2U
368pen81 358D9IrH88MXc 345tgb67 3363txn3p 32eg2rT5d52wQ 316J3sus 3003KI2030 2v9m89e2eb 2q3w4e5r6t7y 2MDL1422
2hp48rdx 2fd6c92f 2c3x3hna3 2a3d4g5j6m 28WT00Q60iFE2 285e6app 27F3aDm3 26h03b68 25nov1985 24aGk9RmA4nwg
23njy34t 234ry789 22FFI7lO 21may1974 20x206cmf8TIY 2012ujl84 1z2x3c4v5b6n7 1w2o3w4a 1sfp1953 1r2b3h4f
1qAZ2wSX 1q2z3p4m 1q23we4r 1o91yUb7 1n2m3k4q 1l0v3y0u 1hot2sho 1f8fe4cdf 1d2j3d4f 1bn10mar 1a2w3d4r
1a2b3c1a2b3c 19lt11vt95uj 1996qa23 1978a1978 187Ae7BX6nqn2 1710ke1978 1602PLz7X 155Y0Al6GN0hU 14bbv407
13f11gbw54 1308cdc1 12sk2c2f 12er34qw 123Zz1234 123w456w 123rs456 123qaz456 123lex321 123ghj123 123d4vf8
123al123 1234qw1234 11uS8iFH8Ri5Y 11a11l70 111ddd111 10b2004A02 101Ftc1Ud0Fz2 0r948f8m 0nwo1981 0d1YEW0o
098PoI99LkJ 06vfz1929 044cy1780 0220k861ko 00ca25ca zzz88bbb ZZZ555AAA zzz12adg zzz007zzz zzt2u7v3eb
zzn36x26 zze121qw Zz8N6P7E zz6uhi1y zz4r7gnp zz37m91q38 Zz23JcC0486 zz1950zzz zz0096zz zyt1234zyt zyj6u45o
zy9z191f zy7o0rhg ZY4qZ454 Zy2978ilx1AP zXW3d93M zxq1x9zp3 zxf43Grg1Q zxc5Asd32 zxc456vbn zxc22vb333
zxc123zxc456 zxc123aq zx9r0000 zx82hy3aa zx6rf100 zX5L7M4C zx4u774e ZX3B9wfN zx2n80bh9g zX1r9Z60S4 zx15pk87
zx123zx123 zx0Cy8Dhk zwt394i2 ZWg7PDz8 zW7x5DZL zw5l8d90 ZW28ik9U zvv748w1jd zVJ9o733 zv9s698m Zv7c5Vz2
ZV44eb13Us zV1J0Im8S5obU zuu4zo6f zum41man zub4pes5 zu8a6i2o zu4k8thj ZU1ZU5ZU9 ztz552mr zty237ev ztw573sr
ztv33om8 zts8462c ztr24om2 ztp558gj ztm63dhm ztk67a2z Zth0hs0k zte38t6q ztc44z0e zta29v6v zt6q02mv zt539fw6
zt01pq93 zsR8s8hz zsg8eg8e ZSE45tgb Zsc52y3i ZS5S6L6K zs2ks2xu zrx65q4z zrk5258i Zrd9VA72 zr8k9ods ZR52BRB4
zr19ir87 ZQt5BR4zA456 zqi3i60bj zq78b2h8 zq34jl9z zPt9sUk5 zpn28zpn zPC56HrL zp84os20 zp4r59qe9i Zp0Ft5Yh
zor120pnb zol0t0n0 zod321bi zo73rxs4 zo4e4akk zo032kau zns86zan69 zne6q3g8 zn827sdo zn5ab6eq zn1sv6kb
zMw06cch zmn151ru zm9v4viE ZM675HRA Zm3aa8z4fKu zm10bm43 zlk29kri zl9g75ml zl46ip08 zl000dei zkp7g13p
zke46yy5 zK88Ma88 ZK2FR67P zJs31n2Q541z ZJB5ft9w zJ5iGr7h zj0eq5h90 zip4u812 zik9taz3 zIb96mPk zi8br724
ZI2p3STQ8V5L6 zhv8zk3wz zhq8h0i822nk0pc zhK4Xw19 zH9A6i62 zh6xnd58 zh4tn9pd zh228W79 zgt4110f zgl58agl
zGb1u6s0 zG6e3i9jTZ1Kk zG33MnC7 zFu3hpL8 zfk6517j Zfb8Yg5Z Zf6g8DFR zf378keb zew0s7fw zet01dey zen12zen34
zeh74muh zed87ast Ze8UR67H zE6vPC22 ze3zvs2z Ze1969Ta Zdv6n52F Zdi6A87G zdb15zw9 zD6TrL5V ZD43I292 ZCY89fo5
zcs38yo7 zCF8Ubw2 zc8zbn2h Zc6mP63m zc4a63vnm16kpo zc13ad13 zbq78ojx5 ZbK52xh7 zbf46upl ZB8Lzf98 zb5z8iih
zb33af22 zaz228zaz889 zat9110sat23 zar183alf zaq1xsw2g123 zaq147qaz741 zaq123xsw234 zap976BG zam15kak2
zai1zai1 zad4x77w12z ZA9Vxa56 za80po90 za57gs7b za375xj2 za20ki21 za12za123 z9XM5GKN z9uob2vr z9n9br5z
z9i7f10z z9fe6ttt z9cp6tbo Z99A793J Z9711qAB z94v62g62k86 Z8zTP2b7 z8x6151l z8tqw3ot z8qg5y0w Z8LH6H5W
Z8ho7JZZ Z8CU6zGm z8akd9jo z88edm2u z8778oxs z84hr4cg z81g0he62 z7x4c1vv Z7sy5Emq z7ol1f67 z7k37kmn z7h7b7r7
z7e525c4 z7aav7b2 Z778A449 z74v7zmb Z7235I7D z6yr3d02n z6w8hm1sh z6q72bd8xw1d8 z6n0a97q z6ht6loO z6E6x5C5
z6bb8heb Z698A5D2 Z66U8iCd z644ae3y z6176cy111 z5y12pbn89hsq374z z5uz01is z5qna89r z5k66v11 Z5f6U272
z5c9gs7k z59za3rx Z57r1324S7 Z56iWi6b Z556dV8P z530irf3300 Z4ZO0FUF z4v8lvt2 Z4S4378U z4N7Vm7Y z4km8nk38y
z4h1Nz1Y z4c8f1v5 z4857qr3 z466uy95 z44jsa19 z3z3z3z2 z3VG9h54 z3taj59f Z3QV98uC z3lv8xfx z3g9fez8 Z3D1X7S58
z3AV3i8s Z38Jl1c8qX8Gs z370dj6i z34ter15 z3137bek z2z66c8p z2Wp3QZS z2sz2sz2s z2ns9chm z2m6zfk4 Z2hB5EuB
z2fq5kqx3 Z2chz3yR Z28ZU94W Z2776LG3 z254m46X z2351z51 z21ve02to1990k Z1zSS3lY z1z1z1ns1ns1ns1
z1x2c3v4z1x2c3v4 Z1wY0SY536 z1rc0n1u2007 z1ON0101 Z1n33fMk Z1jVK2q7 z1h2e0n5ay Z1DF8X2b Z1A9H8A8R z1a2g3u4l
z1979xr14s Z181GTE5ARb z15qtb2z z14a08r93 z12x14c96 z123z123z z11pu768a6 z1014y1117 z0taI21a z0m4x96es
z0eyg1rl Z08o09m1989 z02utf0f Z00mz00m yzu65wfu YZF2wQK6 YZ8eu6Nk yz4xyc6u YZ125AS505 YYv28q57keX YYF7j9mq
yy859SAN Yy3Rs5Ny yy1206yy Yxr5ir4J yxh38ad4 yx897f45 YX5ogK74 yx1cq2If ywq5k1C4fN ywe765cxz yw8n62gs44w
yW5Ta2xH YW186gvj yvs3zk3ax YVF827WF yv8ez6t8 YV54FKK5 yv1uzg4r yuu86he2 yun4gx66 yUI6D4YG yud1h4l1 yu8Fox88
YU6v8nYF yu46sm83 yu27eq0h yu12hn0o ytu27hgd yTN986bK ytF69ckr yt97gec71 yt6mw23gvf yt457bn1 yt28E68e
yst65mnw ysl1b8e0 ysa1976ysa YS7E2cAd ys4twv3l yS14Sf25 yRN5UCk5 yRe1W7CE Yra2mrJ9 yR5y58Lu yr389fan
yqz8dnr9 yqf86j41n yq7aaj5bmc yq18Z2Hy yps354a8 ypg2mz76 YP8Y4YDY yp6ofi9q Yp2NkF19 you9red4 you314ter
yor30r5v yof21yof yO9ioW4V yo614hey yo14q105 ynu3BGP5 yNN4U9Cr ynd7rc4v8 yn7G4oSP yn33svd4 ymP3f3vo ymb2t2gn
ym7orr8z Ym54zm8V ym252pow yll8t00e YLB480HC yL5e8GiZ YKy65inm YKP5G7V8 yKH3plz2 yKc0fY9D Yk6Xs45LhV
YK568zDZ yk089h98m yjH1FHp679 yj8w5ufo Yj4P864w yj24im10iy02 yIq1xEj6 yie5y507 yi7kph89 yI3dcf8P yhw25tg54fw
yhq1w5tz Yhm70je8t6G6s yhf78t56fk Yh6hEo6h yh2vc6mn3 yh066lmn ygs64gf5 ygh3r26g yg8f4kbv yG5u6vb2 yg39hnx2
yfz1000r yfn6f8oo yfh39uwx yF8kbi7X yf678wt12 yF461GoJ9N0m yf201cnz yeZ5v8D2 yet346mrs5 yes123it Yek5ASH8
yee13yee ye7b6yg4 ye62Cpt9y7e6 ye0av4l1 ydo69do68 ydf6n5be ydb4j4fc YD526B3X YD131jL631 ycr8ks8d yce9p6dr
Yc7foO70 yc4p2k0h15 yc1iBs6y3D ybs2mb3q ybk53crb YB7DU676 yb41rj39 yb122vq2 yAV5PPh2 yar1999kr yam9urn9
yah7ub3n YAB9N8AS Ya7yiv7k ya6727xw ya3n06um ya20vbH11 ya1258SP y9z4gi7g Y9t5U1jz y9PWi855 y9I34qWa y9dwA5H8
y98zme6s Y959R734 y92m01d09 Y8X8x89R Y8u4f7sa y8qZc0ZD y8N556yP y8j63wd2 y8fn48bo y8cu736h Y8A696kP y885ha72
Y85Y893m Y849k7R7 y815r03u y7x43yse y7u66uyh Y7rbP4Ak y7nnf8m7dw y7j33gem y7fes7e8 y7ctr1mub48of
Y7A9Kga2X1nt y769ll93 y7499sGU266BR4h2 Y72oRU5X y6y97jkd y6vU87Wz Y6TJ5Ucm Y6RY7C35 y6nvc9tz y6hL64j7
y6ejk4uty8k y6c5uog3 Y6aa28yP y677wqr9 y65bh7tj y62w2pim y5y7v8b2f9 y5VTY8zq Y5t3CNC4 Y5QS5366 y5mk97q6gc
Y5iu9crw y5gc44ah y5e12g9q y5b5y5f5 y58tz6zd y57k76hq Y565eo199 Y53mP9jC y520f1314 y4U5BM5T Y4QP46Y6
Y4LG2L4t y4Fy8C8Z y4czu49r y48ea5lg y45a4vm5 y42pif77 y3Xk856o y3tDW58Z y3r1sfi5dv y3na6502 y3jvm6sk
y3cez27f y38r3x3i Y35Y6HRR y346a456 Y3283LQS y2z3c8p6 Y2v9N93m y2rfc206 Y2mz6iM1 y2k8uV01 y2Gy7j7s y2dR7EZq
y29xmz52 Y27x4BLM y25ft1z7 y23x42n97 Y22LK7AB y2008www93 y1u2r3i4j5 Y1rZO6bKT7mLF3 y1mO4Hmp y1h5l9n6
y1b9r9f4 y1989m03d1 y16f0imr y146bw2c y12i2002 y10d1ln0e Y0t9wpN453 y0kj7m8ai y0f1n2f3 Y0842b066 y020om26rus
xzs3en4i Xzh8Thc5 xZ87gdL3 XZ5e9wiJ XZ23DF28 xyz7b4df xyx23xyx xyp6z725 xyf3dcv8 xy97q025 xy6a6y6a
xy3f0659g0 xy25w8jln xxy22faz xxx666xx xxx333xx xxx1zxz846 xxx11ccc xxw4e2wwo XXS63eDR xxl5003d xxe5ET8u
xx9222UH xx73HG8F868Z6 Xx5oA6cC xx3on869 xx2udd1q xx1ukX0nt3902 xx1496xx xx02xx04xx19xx97 xwp4qi8n XWh523fL
xW9x7VE6 XW6m8B67 xvv15gh6 xvm8bgx5 xve6gu6nx xv7FoU76 xv5ev7qo XV20VV07 xux4u4nzm xur2lnq69g xUi362UH
xu9hdu5g xU7ErZ47 xu4zq2pyk xu21ve01 XtV878Sv xtr2xtr2 xtf4c5fj xt9no3a81z xt6e4tSz xt4e01xt xsz46w13
xSw23EdC xso7roj1991 xsf70s13y xs8y1Epn XS5N45So xS21b3YT xRx2B3m5 XRo2D7rD xrf45teq xr9981pf xr6jm2t5
xr5712sr xr2vrh941 XQS797BM xqe3yd7p Xq8o7q5i xQ1Y7DXN XPt9RsB5 Xpm24ZoJ58T XPK5m292 xpe826tc xp9gx7ea
XP6G8PRR xp4b7dbt XP1hnx65 xox45xo22x XON34QJF xoc9xoc9 Xo7e69Yb xo4616vx xo1h59s2 XnU2dlD9 XnN67EZk
xn9DNT7K xn6bmy816b xn38r5xu xmZ06u35 xmt400inv xmh8ue4c xm9tj3hl xm6fgt5h XM2832W4 XLR8av8r xlh2fzd1
xl4cc71w xks827pw xkj2f86n xk923y22 xk6y2ywv xk3e6REe xjy6721w xjs8921s XJj0f9N7 xja171ms xj5j1hs8 XJ2832C2
xip6vib6 xI9JZ82v XI6cn47c xi2y3xxc xhx4h5ex xhn6p1q3 xhc8rp35f xh7y5VkS xh5cnd66 xh0zv8am7 xgq1drp0
XGH8Z34Q xgB1t6yzF Xg7mz2ff xg594v3b XG27H8u6 XFR7D2R6 xf9nk9ij xf88nm1rv Xf66r88a xf2xhf7j xey8r4nj
xes123xes xen9i199 xej1M463IJ xeb274ztt XE6w4F7h Xe54Mo42 Xe3l03ug xdz505dat xdr5xdr5 xdi5h2lz xdc8wz97
xd83fjo5 Xd5Ju2gP XD321MN9 xCx7wv1y xCP2z7vX xCg7L5RR xc9572xl xc73epc7z xc5678spp xc2u8abm xbv116vi
xbL5jbu5 xBE2L5S7 xb84vz62 Xb4ueE5U xB1t9lj5pY xav1er22 xar123mir xam1981xam xad46ew5 xA9675He XA74K73Z
xa5kj43w Xa2o7hT6 xA0URq1766 x9xk9ppt x9rv8fst x9k07wn9 X9F49YQK x99tjv8w X989m659 x9606q9x X939WA88
x8z0k4oo X8W3f2yz x8su03d6 x8pa0820 X8md77R8 X8IkO6Fs x8ehs45ly0s X8Bih5DZ x893flz1 X8734ZuL x857g6475
x83gHu8G x822ka2003 X7Ys3B64 X7V4M782 X7Rn7Nbe X7oM8w36 X7mDv6dD X7h57Ft7 x7c7mn38 x795nm69 x77h2001
x75ut3FD x74vn1327h X738VX2H x710x710 x6y3gas7 x6us54hu X6sc8M5e x6N86mSw x6j9bmb5 x6gg5878 x6Cp8x7l
x6Am5GWn x68tr12x X679CA98 x656SJ7n x62x62x62 x610es5pm x5X8M5VZ x5u4kM2B x5rs4rs6 X5NY57tn x5j9097hx
x5eyo8f2 X5c6S4X5 X59z36ff x56v5yfn x55izr6t x52xhw7h x516ek76 x4w4gh5u x4s32zep x4PM2AWo x4lbr1wtu6
x4gho51un81 X4C64ko5 x48S2evZ x466ah74 x43smd6z x419ba24 X3X5B7mzC4kJ x3sqo4jp x3o8g5se x3m5l8npq x3gt3m06
x3d4Uy5zwX x3a3l3e3 x37tnc5hrn1 x35i3qb5 X33wwr8tc82K x30ze1lp x2xe6blv X2W4t2tq x2s48zsp x2o6r4ocy x2l5c59g
X2iwx3y1 x2f7pn3m33k x2c6b2sa X293T5m8 x26zyh0vh0vd x24w5r5r X2376SY3 x2109t23s02 x1x9x8x0 X1pU4md6 x1l58b2m
x1e2r3456 x1964z1974 x1745x1990x x13qvk1k x11vg14cc x0xp0e2q x0pic003 x0gei9xr x09k158j X03A04A2009 x001mk43
wzq11otb WZF2SmE498 wz8fr711 wz61hln5 wz2074ut wyt2k5d489 wyi809yr wyA2v1q6nJ wy86hN2GS wy4ymy22 wxy023ab
WXN7RX3Y wxc11qsd wx7yt2pe wx4mra4e wx1j8xvz www9696www www555aaa www222www222www www143rus wws56ynm
wwj84gcf wwe123wwe ww8xx6xs ww6mqf5z ww4318ww ww2r13ho1a8k395z ww1607ww wvu6z5xx wVh8n8i8 wv8z6h4x WV6687QY
wv2klg1b97 wuw7keb2 wup2wup2 wuk51r0o WUb656i8 wu6jdi22 wu2xaz6z WTX31yK8 wtm1tnw54s wtc123abc wT772w7b
wt5Ku7TZ wT2JO885 wsx654DKL wsw1709wsw wsm9704mz wsd479bzn11 ws82zx16 ws5s33BN ws3esQ14 WS215kG2 wRW9DM4K
wrm8d4yv wrb58c3i wr6ZCV87 wr56tyo7 wr3ck3r1 WR173WR1 wqp8932i wqd86lzn4j wq5yp8ub wq2t5rvy wq0o23ur
WPK3wP5P wpb7xx6vw WP7SL0CG wp5hcb19 WP2cOC9n WoW2u1234 wov13zid woo5v8v9 wok33nb6 wo8z2uyR wo4uty7ami
wo11wa12 wnu2a4pp wnm2bn5r wnb2ca7p1 wN82IVz145 wn43mt1vm0k wn15bl25 wmr127b5psm wmf27ziz WM8Xv6ff wm7b2b27
wm23pd01yu95 WLU45DOy wli65fdv wl8n98mu0 wL5h7tno wL20BgA595 wkt8av4m wkd9zdh7 wk7z3ww3 wk59hq11 wk22v2704
wJt7SAg57zN6k wjk555zyf666 wjd72m8c wj6yR7VWL wj3qba6i wj0xl2jzr1d wiv2fam6 wip6665wik WIN88FAN win2er72
wil2178kpm wi9vM6CVc9cv wi6san9r wi3w7hfx wi11ki11 WHY547CR WHt0t8e3 who78boy72 whl9wl42 WHD93Ktg Wh8isk2e
wh5N683T wh2aw8ni wh11b180 WGy7fcS2 Wgr5LJ3x wgi69hmm WG9zb6Xu wg6s3df2 wg3434g4gg Wg1y4edF wFs5A535
Wfm7D85n wfb48nc57 wf7wr8y54 wf43gt4hz6 wf19h4zth wev4ik77 wes501qw wer6for7 wer4sdf4 wer345tyu wer145bgt
wEN8ug5o WEJ169EX wee13dee web38web we9i8q9x we7my7iv2wv wE6Srq3i WE5K7835 we44b6kh7 we23we23 we15st515
wdw8z6xg wdt23njr wdl78r75w wde2U6zC wD8kBf42 wd6f14m46 wd472iad wd0X51mw wcs0tr3jm wcf45gox WCA88ZZK
wc75ys62 wc4k39w5 wc2k5xhs wBv0F9kc wbk2498k wBa3Rz5I wB92q0QE4787 WB5TtP8B wb2m5vq1 way7tax666 way24six89
WAT4k6Fp was4lot947 war527his7 war2war2 war000god000 WAm4jVu5 wag6pl3m4k wad59fro wa92b35b61b wa76del4369
wa4mj3uj wa2ve5gyf5 wa1wa1wa wa11y0cjr w9wl654s w9rzz8fo w9nmk3jz1 w9jeh3Nc8S W9f7xY6S w9ae669r w97hT5av
w94d9zz5 w8zg548k w8wk2wk0 w8urz724 w8rGl5M36fPD w8og5cwh W8ke7Rxn w8Hb5fS5 W8e482Wy W8bVu7Ra7 W895m6Vu
w87aDH76 W85iy2iY w827fpf6 w7y52b85 w7TUy2v6 w7s3ke3l w7O88zGx w7jre3fq W7f1Mn5Dk8rE w7bp8b9z W787SX73
W76tK96a w75r58s9 w74qn8ma w72O61Qlf6 w6z3zzd6 w6w9w6w1 w6rm6z2d w6otu17l W6K856A8 w6htS5V3 w6DT9D82
W6A6K6R7 W6875M44 w65z7f2c W6454YN4 w5ysj654 w5w0x5k0 w5tii8y5 w5Q4I5jM w5LbT58B W5h8v5ih w5el1a12
W5AwR8z36stV w586rs56 w55w66w77 w54eb2nd w50mx9pel w4vid9w9 w4szu5y2 w4o205sg w4l0z9qcy1 w4hpq5ld w4fd24pb
w4a7n4d7e8r8e8 w475r2vw w458kk0g w428k9a6 w3zc97yi w3w12w3w12w3w12 w3tau5y3 w3r3w0lf w3mve0Ve W3J83mKU
w3ft1144 w3c0j8g1 w39R87yP w384y8yk W36L5imw w34th3r1 w339ha01 w316s8w7 w2xwl40yv72 w2V46PS7 w2qh9e7b
w2n2od88 w2jh0q2ywc068tr w2gws58k2e w2e4v6n8 W2aRd8cm W2878E6U w25zf348xx w23vw59y W2291adk w1z7p0r2
w1w1w1wa w1s2x3e4d5c6 w1p2a3k4 w1nn3r75 w1ll1waw w1l9a9d3 w1i2g2r5 w1f1z0n3 w1ck3rm4n w1a2s3d4 w1961w1961
W14Pg47N w12kv410 w11di4wj0fk w0z23AJP w0rkl02d w0n9593ghj23d51 w0gwa3gv w07w10w2001was w02h98p5 w00sku94
w00ai66d vzz75aas vzz22mms vzy72zde vzy32bct vzx84r8q vzx38h7c vzw85tvt vzw57amv vzw41seh vzw24e8o vzv73zes
vzv3732v vzu57ooe vzt79x8x vzt66v2t vzt55chc vzs929qk vzs622pr vzs38ea4 vzr844mo vzr82hxt vzr78osq vzr775kb
vzr36s74 vzq86c4z vzq38od3 vzp72e8e vzp48sib vzp32mis vzn76h63 vzm9675z vzm64xvo vzm39m4s vzk94s3q vzk75sqb
vzk448b8 vzj99b6s vzj42de3 vzf87ps8 vzf44rse vze889vs vze3f59m vze2jv7v vzd77bre vzd26msc vzc8554e vzc5799r
vzc48rvw vzc27d83 vzb699a7 vza994e6 vza86eeq vza77r2e vza65imv vza51msv vza445e2 vza34rod vza32r73 vza3172r
vza285re vza2615d vza243o1 vza212db vza178ms vza12e41 VZ7hZ0W8 vz4qw1z0 vyY3bFk2iN vyt22ujl vyk17r9i
vy9xfq79v vy7c6ff9nh Vy510Ma209 vy2b6vcw3 vXu9fj6J vxk7mh4qqw VXb3F5C9 vx778j4d vx5xu4py vx3dkz286b vwz4oa7h
vwr9r8300 vwe92n8w vw889xxx vW4q2neL Vw0ilJ4o vvv333vvv Vvm5KB3fsQ vVC85i64 Vv8kT5nl VV6V37JE vv4616an
Vv2S9NZ6EGx5Y VV1224gp vut33ig6 vul3xo6xo6 vud96xex VU748SbT vu2in6ux VTV1P2Eo VTP03ntn07 vth7rm2b9g
vt8mtv284 vt605vt605 vT3Gj96m vt148ql96mnt vsz42hzj vss54zeb VSI5bfw1FkB VsC5o2PT vS6Sg5PV vs4532av1441
vs194ws2 vRy69bOf vro0wx7i713 VRH396JB vrb2w0od vr6ehy2o vr4b604k vr17v418 vqn36bg45 Vq99mLn9 vq44d883
vpz72zbe vpp264vpp26 Vpi98Ts3 vpa383g5 vp756gvy VP544P550 vp2ksa8w vp1973Uhd vov4uk90 vor2323dan vol4er13
vOI3f6Vt VO97S98M09 vo5hj01a vo23va02 vo15lch12ko19va86 vnt32v7c Vnf4FEr3Hb vn9j5dkd Vn7gU9Z7 vn578vhf
vn2i78is Vmz10asd10 vmp84xze vmi37fdg vm9905km vm6154an vm3aa8nq VLW5m22W vlf3006vl vl7hlv65 vL582txT
Vl245EI28 vl1980ad VkU58kMU vKi8UB6i vkd3kv11 Vk8v0yak vk52Pp3zg0KhE vk2z769d vjw4a9mR
"""
