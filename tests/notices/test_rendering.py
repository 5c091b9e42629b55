"""Every message in every language: whole, safe, the same as text and as page."""

import re
from dataclasses import replace
from datetime import timedelta
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest
from babel.messages.pofile import read_po
from pydantic import ValidationError

from gatepost import Settings
from gatepost.core.errors import Stopped
from gatepost.notices import LETTERS, BrandOptions, NoticeOptions, Renderer, must_render, preview
from gatepost.notices.names import greeting_name
from gatepost.notices.preview import sample
from gatepost.testing.contents import codes, links
from scripts.messages import LOCALES, extracted
from tests.conftest import make_settings

LANGUAGES = ("de", "en", "es", "fr", "zh")
EVIL = "https://evil.example"


def renderer(brand: dict[str, Any] | None = None, **options: Any) -> Renderer:
    return Renderer(BrandOptions(**brand or {}), NoticeOptions(**options))


@pytest.fixture(scope="module")
def plain() -> Renderer:
    return renderer()


class Page(HTMLParser):
    """What a mail program would see: words, where links lead, what is fetched."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.words: list[str] = []
        self.targets: list[str] = []
        self.tags: list[str] = []
        self.fetched: list[str] = []
        self._skipped = 0
        self.feed(html)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        self.tags.append(tag)
        self._skipped += tag == "style"
        self.targets += [given["href"] or ""] if "href" in given else []
        self.fetched += [given["src"] or ""] if "src" in given else []

    def handle_endtag(self, tag: str) -> None:
        self._skipped -= tag == "style"

    def handle_data(self, data: str) -> None:
        if not self._skipped and data.strip():
            self.words.append(" ".join(data.split()))

    @property
    def text(self) -> str:
        return " ".join(self.words)


# ── whole ────────────────────────────────────────────────────────────────────────────────────────


def test_every_catalogue_has_every_message_and_no_other() -> None:
    wanted = {message.id for message in extracted() if message.id}
    assert len(wanted) > 60
    for language in set(LANGUAGES) - {"en"}:
        with (LOCALES / language / "LC_MESSAGES" / "gatepost.po").open("rb") as file:
            catalogue = read_po(file, locale=language, abort_invalid=True)
        found = {message.id: message for message in catalogue if message.id}
        assert found.keys() == wanted, language
        for message in found.values():
            words = message.string if isinstance(message.string, tuple) else (message.string,)
            assert all(words), (language, message.id)
            assert not message.fuzzy, (language, message.id)
        assert not list(catalogue.check()), language


def test_every_message_says_the_same_as_text_and_as_page_in_every_language(plain: Renderer) -> None:
    assert plain.languages.supported == LANGUAGES
    for kind in LETTERS:
        subjects = set()
        for language in LANGUAGES:
            mail, page = preview(plain, kind, language), None
            told = sample(kind)
            page = Page(mail.html)
            assert mail.language == language
            assert f'<html lang="{language}" dir="ltr"' in mail.html
            assert mail.text.startswith(f"{mail.subject}\n\n")
            assert page.words[0] == mail.subject  # its title
            for said in (mail.text, page.text):
                assert "Ada Lovelace" in said
                assert "Gatepost" in said
                assert (told.code or "") in said
                assert (told.device or "") in said
                assert (told.network or "") in said
            link = told.link or told.undo_link
            assert links(mail.text, None) == ([link] if link else [])
            # The button, and the same address to copy.
            assert page.targets == ([link, link] if link else [])
            assert codes(mail.text, mail.html) == ([told.code] if told.code else [])
            # Every sentence of the text stands in the page, too.
            for line in filter(None, mail.text.splitlines()):
                for sentence in re.split(r"(?<=[:：])\s+", line):
                    assert " ".join(sentence.strip("- ").split()).rstrip(":： ") in page.text, (
                        kind,
                        language,
                        sentence,
                    )
            assert len(mail.html.encode()) < 100_000
            assert page.fetched == []
            assert {"script", "form", "link", "iframe", "object"}.isdisjoint(page.tags)
            assert page.tags.count("h1") == 1
            subjects.add(mail.subject)
        assert len(subjects) == len(LANGUAGES), kind


def test_dates_durations_and_plurals_are_those_of_the_language(plain: Renderer) -> None:
    def said(kind: str, language: str, **changed: Any) -> str:
        return plain.render(kind, replace(sample(kind), **changed), language).text

    assert "March 12, 2026 at 2:05\u202fPM UTC" in said("new_device", "en")
    assert "12. März 2026 um 14:05 UTC" in said("new_device", "de-AT")
    assert "12 de marzo de 2026, 14:05 UTC" in said("new_device", "es-MX")
    assert "12 mars 2026 à 14:05 UTC" in said("new_device", "fr-CA")
    assert "2026年3月12日 14:05（UTC）" in said("new_device", "zh-Hans-CN")
    assert "Il vous reste 0 code." in said("recovery_codes_used", "fr", left=0)
    assert "Sie haben noch 0 Codes." in said("recovery_codes_used", "de", left=0)
    assert "You have 1 code left." in said("recovery_codes_used", "en", left=1)
    assert "您还剩 1 个恢复码。" in said("recovery_codes_used", "zh", left=1)
    at = sample("reset_password").at
    for seconds, english, chinese in (
        (30, "1 minute", "1分钟"),
        (959, "15 minutes", "15分钟"),
        (3600, "1 hour", "1小时"),
        (5400, "90 minutes", "90分钟"),
        (86_400, "24 hours", "24小时"),
        (7 * 86_400, "7 days", "7天"),
    ):
        until = at + timedelta(seconds=seconds)
        assert f"within {english}." in said("reset_password", "en", until=until)
        assert f"链接和验证码在{chinese}内有效" in said("reset_password", "zh", until=until)


def test_what_a_letter_needs_is_asked_for(plain: Renderer) -> None:
    for link in (
        None,
        "/relative",
        "javascript:alert(1)",
        "https://",
        "https://a b",
        "ftp://host/x",
        "data:,x",
    ):
        with pytest.raises(ValueError, match="link"):
            plain.render("reset_password", replace(sample("reset_password"), link=link), "en")
    with pytest.raises(ValueError, match="code"):
        plain.render("sign_in_code", replace(sample("sign_in_code"), code=None), "en")


# ── safe (J02, J13) ──────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    "name",
    [
        f'<a href="{EVIL}">Click</a>',
        EVIL,
        "evil.example",
        "Ada evil．example",
        "Ada evil。example",
        "evil\u200d.example",
        "e\u200cvil.co",
        "www.evil",
        "//evil.example/x",
        "ada@evil.example",
        "mailto:ada",
        "ⓔⓥⓘⓛ.ⓒⓞⓜ",
        "Call 555-0100-99",
        "Ada\r\nBcc: victim@example.com",
        "Ada \u202egnihsihp",
        "\u2066Ada",
        "{{7*7}}",
        "{% raise %}",
        "%(brand)s",
        "${7*7}",
        "[Click](evil)",
        "Your account is locked. Write to the address below to have it opened again",
        "Ada\u0000",
        "   ",
        "",
        "x" * 200,
    ],
)
def test_j02_what_is_no_name_is_not_shown(plain: Renderer, name: str) -> None:
    assert greeting_name(name) is None
    mail = plain.render("verify_email", replace(sample("verify_email"), name=name), "en")
    assert "Hello," in mail.text
    assert "Hello," in mail.html
    if name.strip():
        assert name not in mail.html
        assert name not in mail.text
    for said in (mail.subject, mail.text, mail.html):
        assert "evil" not in said
        assert "49" not in said.replace("402917", "")


@pytest.mark.parametrize(
    "name",
    [
        "Ada Lovelace",
        "O’Brien",
        "O'Brien",
        "J. R. R. Tolkien",
        "Jean-Luc",
        "José",
        "李小龍",
        "علی\u200cرضا",
        "Müller & Söhne",
        "Ludwig XIV.",
        "नेहा",
        "Nguyễn Thị Minh",
        "Ada 🚀",
        "Martin Luther King, Jr.",
        "Σωκράτης",
    ],
)
def test_names_are_shown(plain: Renderer, name: str) -> None:
    mail = plain.render("verify_email", replace(sample("verify_email"), name=name), "en")
    assert f"Hello {name}," in mail.text
    assert f"Hello {name}," in Page(mail.html).text


def test_j13_nothing_that_is_told_becomes_markup_a_template_or_a_header(plain: Renderer) -> None:
    evil = '"><img src=x onerror=alert(1)>{{7*7}}%(brand)s'
    told = replace(sample("new_device"), device=evil, network=evil)
    mail = plain.render("new_device", told, "de")
    assert "img" not in Page(mail.html).tags
    assert "{{7*7}}%(brand)s" in mail.text
    assert "{{7*7}}%(brand)s" in Page(mail.html).text
    brand = {"name": "<b>Bad</b> {{7*7}} %s", "footer": "<i>100 %</i>", "support_url": f'{EVIL}/?"><b>&x=1'}
    for kind in LETTERS:
        mail = renderer(brand).render(kind, sample(kind), "fr")
        page = Page(mail.html)
        assert {"b", "i"}.isdisjoint(page.tags)
        assert "<b>Bad</b> {{7*7}} %s" in page.text
        assert "<i>100 %</i>" in page.text
        assert brand["support_url"] in page.targets
        assert not re.search(r"[\r\n]", mail.subject)


# ── the operator's own ───────────────────────────────────────────────────────────────────────────


def test_the_brand_is_everywhere(tmp_path: Path) -> None:
    brand = {
        "name": "Acme",
        "logo_url": "https://acme.example/l.png",
        "color": "#FFCC00",
        "footer": "1 Main St",
    }
    branded = renderer(
        brand | {"support_url": "mailto:help@acme.example"}, account_url="https://acme.example/me"
    )
    for kind in LETTERS:
        mail = branded.render(kind, sample(kind), "en")
        page = Page(mail.html)
        assert "Gatepost" not in mail.text + mail.html
        assert page.fetched == ["https://acme.example/l.png"]
        assert 'alt="Acme"' in mail.html
        assert "1 Main St" in mail.text
        assert "1 Main St" in page.text
        assert "mailto:help@acme.example" in page.targets
        if "Look at your account" in mail.text:
            assert "https://acme.example/me" in mail.text
            assert "https://acme.example/me" in page.targets
    mail = branded.render("verify_email", sample("verify_email"), "en")
    assert "background-color:#ffcc00" in mail.html
    assert "color:#000000" in mail.html  # white on this yellow could not be read


def test_what_stands_on_the_button_can_always_be_read() -> None:
    def luminance(color: str) -> float:
        parts = [int(color[at : at + 2], 16) / 255 for at in (1, 3, 5)]
        red, green, blue = (x / 12.92 if x <= 0.04045 else ((x + 0.055) / 1.055) ** 2.4 for x in parts)
        return 0.2126 * red + 0.7152 * green + 0.0722 * blue

    steps = range(0, 256, 17)
    for color in (f"#{red:02x}{green:02x}{blue:02x}" for red in steps for green in steps for blue in steps):
        low, high = sorted((luminance(color), luminance(BrandOptions(color=color).text_color)))
        assert (high + 0.05) / (low + 0.05) >= 4.5, color


def test_settings_that_cannot_be_are_refused(tmp_path: Path) -> None:
    for section, name, value in (
        ("brand", "color", "red"),
        ("brand", "color", "#12345"),
        ("brand", "color", "#123456;background:url(x)"),
        ("brand", "name", "A\r\nBcc: x"),
        ("brand", "name", ""),
        ("brand", "logo_url", "http://acme.example/l.png"),
        ("brand", "logo_url", "javascript:x"),
        ("brand", "support_url", "javascript:alert(1)"),
        ("brand", "support_url", "mailto:nobody"),
        ("notices", "account_url", "mailto:a@b.example"),
        ("notices", "templates", str(tmp_path / "missing")),
        ("notices", "muted", "password_changed"),
        ("notices", "default_language", "not a language"),
        ("notices", "muted_kinds", "new_device"),
    ):
        with pytest.raises(ValidationError):
            make_settings("sqlite://", tmp_path, **{section: {name: value}})
    with pytest.raises(Stopped, match="catalogue for tlh"):
        renderer(default_language="tlh")


def test_settings_come_from_the_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("GATEPOST_NOTICES__MUTED", "new_device, sessions_ended_by_reuse")
    monkeypatch.setenv("GATEPOST_NOTICES__TEMPLATES", str(tmp_path))
    monkeypatch.setenv("GATEPOST_BRAND__NAME", "Acme")
    settings = Settings(_env_file=None)
    assert settings.notices.muted == ["new_device", "sessions_ended_by_reuse"]
    assert settings.notices.templates == tmp_path
    assert settings.brand.name == "Acme"


def test_templates_of_the_operator_take_the_place_of_ours(tmp_path: Path) -> None:
    (tmp_path / "messages").mkdir()
    (tmp_path / "messages" / "verify_email.jinja").write_text(
        "{% extends layout %}{% block subject %}Welcome aboard{% endblock %}"
        '{% block body %}{{ paragraph("Hi!") }}{{ action("Go", link, code, lasts) }}{% endblock %}'
    )
    (tmp_path / "layout.txt").write_text("ACME\n{{ self.subject() }}\n{% block body %}{% endblock %}")
    own = renderer(templates=tmp_path)
    mail = preview(own, "verify_email")
    assert (mail.subject, mail.text.splitlines()[:2]) == ("Welcome aboard", ["ACME", "Welcome aboard"])
    assert "Hi!" in Page(mail.html).text
    must_render(own)
    assert preview(own, "reset_password").text.startswith("ACME\nReset your password")
    (tmp_path / "messages" / "reset_password.jinja").write_text(
        "{% extends layout %}{% block subject %}{{ no_such_thing }}{% endblock %}"
    )
    with pytest.raises(Stopped, match="reset_password in de: 'no_such_thing' is undefined"):
        must_render(renderer(templates=tmp_path))
    (tmp_path / "messages" / "reset_password.jinja").write_text("{% extends layout %}{% block body %}")
    with pytest.raises(Stopped, match=r"reset_password in de: .*endblock"):
        must_render(renderer(templates=tmp_path))


def test_others_add_languages_and_change_words(tmp_path: Path) -> None:
    header = 'msgid ""\nmsgstr "Content-Type: text/plain; charset=utf-8\\n"\n\n'
    for language, words in (
        ("ar", "أعد تعيين كلمة المرور"),
        ("pt_BR", "Redefina sua senha"),
        ("de", "Neues Passwort!"),
    ):
        folder = tmp_path / language / "LC_MESSAGES"
        folder.mkdir(parents=True)
        (folder / "gatepost.po").write_text(f'{header}msgid "Reset your password"\nmsgstr "{words}"\n')
    own = renderer(locales=tmp_path)
    assert preview(own, "reset_password", "pt-BR").subject == "Redefina sua senha"
    german = preview(own, "reset_password", "de")
    assert german.subject == "Neues Passwort!"
    assert "Guten Tag" in german.text  # all else as before
    assert 'lang="ar" dir="rtl"' in preview(own, "reset_password", "ar-EG").html

    (tmp_path / "de" / "LC_MESSAGES" / "gatepost.po").write_text(
        f'{header}#, python-format\nmsgid "Sign in to %(brand)s"\nmsgstr "Anmelden bei %(marke)s"\n'
    )
    with pytest.raises(Stopped, match=r"gatepost\.po, line"):
        preview(renderer(locales=tmp_path), "reset_password", "de")
    (tmp_path / "klingon").mkdir()
    (tmp_path / "pt_BR").rename(tmp_path / "portuguese-x")
    with pytest.raises(Stopped, match="not named like a language"):
        renderer(locales=tmp_path)
