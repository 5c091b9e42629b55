"""For which domain passkeys are, as the settings have it."""

from pathlib import Path
from typing import Any

import pytest
from fastapi import FastAPI
from httpx2 import ASGITransport, AsyncClient
from pydantic import ValidationError

from gatepost import Gatepost
from gatepost.passkeys import PasskeyOptions, Site, trouble
from gatepost.settings.refusals import refusals
from tests.conftest import make_settings

APK = f"android:apk-key-hash:{'Ab1_-' * 8}abc"


@pytest.mark.parametrize(
    ("public_url", "options", "rp_id", "origins"),
    [
        ("http://127.0.0.1:8000", {}, "localhost", {"http://localhost:8000"}),
        ("http://[::1]:8000", {}, "localhost", {"http://localhost:8000"}),
        ("http://localhost:9000", {}, "localhost", {"http://localhost:9000"}),
        ("https://Auth.example.com/below", {}, "auth.example.com", {"https://auth.example.com"}),
        (
            "https://auth.example.com:443",
            {"rp_id": "Example.com"},
            "example.com",
            {"https://auth.example.com"},
        ),
        (
            "https://api.example.net",
            {"rp_id": "example.com", "origins": f"https://App.example.com:443/, {APK}"},
            "example.com",
            {"https://app.example.com", APK},
        ),
        (
            "https://example.com",
            {"related_origins": "https://example.de,https://example.fr:8443"},
            "example.com",
            {"https://example.com", "https://example.de", "https://example.fr:8443"},
        ),
        # One that only ends alike.
        ("https://badexample.com", {"rp_id": "example.com"}, "example.com", set()),
    ],
)
def test_the_domain_and_its_pages(public_url: str, options: Any, rp_id: str, origins: set[str]) -> None:
    site = Site.of(PasskeyOptions(**options), public_url, "Shop")
    assert (site.rp_id, site.origins, site.name) == (rp_id, origins, "Shop")


@pytest.mark.parametrize(
    "options",
    [
        {"rp_id": "https://example.com"},
        {"rp_id": "com"},
        {"rp_id": "192.0.2.1"},
        {"rp_id": "*.example.com"},
        {"origins": "http://example.com"},
        {"origins": "https://*.example.com"},
        {"origins": "https://example.com/path"},
        {"origins": "android:apk-key-hash:short"},
        {"related_origins": APK},
        {"aaguids": "no-model"},
        {"challenge_lifetime": "PT1H"},
        {"most_per_user": 0},
    ],
)
def test_settings_that_mean_nothing_are_refused(options: Any) -> None:
    with pytest.raises(ValidationError):
        PasskeyOptions(**options)


def test_pages_that_could_not_use_them_are_named_before_the_start(tmp_path: Path) -> None:
    url = "https://auth.example.com"
    assert trouble(PasskeyOptions(), "http://192.0.2.1") is None
    assert trouble(PasskeyOptions(origins=["https://app.auth.example.com"]), url) is None
    elsewhere: dict[str, Any] = {"origins": ["https://app.example.com"]}
    assert "https://app.example.com, which is not below auth.example.com" in str(
        trouble(PasskeyOptions(**elsewhere), url)
    )
    assert "no page could use" in str(trouble(PasskeyOptions(rp_id="example.org"), url))
    settings = make_settings(f"sqlite:///{tmp_path}/x.db", tmp_path, public_url=url, passkeys=elsewhere)
    (found,) = refusals(settings)
    assert "GATEPOST_PASSKEYS__RP_ID" in str(found)


async def test_a_host_that_embeds_us_shows_the_related_origins_at_its_root(tmp_path: Path) -> None:
    for options, status in (({}, 404), ({"related_origins": ["https://example.de"]}, 200)):
        settings = make_settings(
            f"sqlite:///{tmp_path}/x.db", tmp_path, public_url="https://example.com/auth", passkeys=options
        )
        app = FastAPI()
        Gatepost(settings).attach(app, "/auth")
        async with AsyncClient(transport=ASGITransport(app=app), base_url="https://example.com") as client:
            answer = await client.get("/.well-known/webauthn")
            assert answer.status_code == status
            if status == 200:
                assert answer.json() == {"origins": ["https://example.de"]}
            assert (await client.get("/.well-known/oauth-authorization-server/auth")).status_code == 200
