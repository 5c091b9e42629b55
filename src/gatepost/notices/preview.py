"""Letters as somebody would get them, with particulars that nobody has."""

from datetime import UTC, datetime
from uuid import UUID

from jinja2 import TemplateError

from gatepost.core.errors import Stopped
from gatepost.core.mail.message import Mail
from gatepost.notices.letters import LETTERS
from gatepost.notices.rendering import Particulars, Renderer

__all__ = ["must_render", "preview", "sample"]

_AT = datetime(2026, 3, 12, 14, 5, tzinfo=UTC)
_TOKEN = "c2FtcGxlLXRva2VuLW5vdC1yZWFs"  # noqa: S105  opens nothing
_LEADS_TO = {
    "verify_email": "verify-email",
    "already_registered": "sign-in",
    "reset_password": "reset-password",
    "change_email_confirm": "confirm-email",
    "sign_in_code": "sign-in-link",
    "account_deletion_scheduled": "keep-account",
    "factors_reset_scheduled": "keep-factors",
    "data_export_ready": "export",
}
_HAPPEN_SOMEWHERE = {
    "sign_in_code",
    "account_deletion_scheduled",
    "password_changed",
    "email_changed",
    "new_device",
    "sessions_ended_by_reuse",
    "factor_added",
    "factor_removed",
    "recovery_codes_used",
    "factors_reset_scheduled",
    "wrong_codes",
}


def sample(kind: str, base_url: str = "https://auth.example.com") -> Particulars:
    """Return particulars that fit the letter."""
    letter = LETTERS[kind]
    link = f"{base_url}/{_LEADS_TO[kind]}?token={_TOKEN}" if "link" in letter.needs else None
    undo = f"{base_url}/undo-email?token={_TOKEN}" if kind == "email_changed" else None
    placed = kind in _HAPPEN_SOMEWHERE
    return Particulars(
        at=_AT,
        name="Ada Lovelace",
        link=link,
        code="402917" if "code" in letter.needs else None,
        undo_link=undo,
        until=_AT + letter.lifetime if link or undo else None,
        device="Firefox on Linux" if placed else None,
        network="203.0.113.0/24" if placed else None,
        factor="totp" if kind in {"factor_added", "factor_removed"} else None,
        left=3 if "left" in letter.needs else None,
        by_administrator=kind == "factors_reset_by_admin",
    )


def preview(renderer: Renderer, kind: str, language: str = "en") -> Mail:
    """Return the letter in a language; addressed to nobody."""
    rendered = renderer.render(kind, sample(kind), language)
    return Mail(
        id=UUID(int=0),
        to="ada@example.com",
        subject=rendered.subject,
        text=rendered.text,
        html=rendered.html,
        kind=kind,
        language=rendered.language,
    )


def must_render(renderer: Renderer) -> None:
    """Raise Stopped if any letter cannot be written in any language: an operator's template or catalogue may be wrong.

    To be asked at the start, since otherwise it shows when somebody waits for the message.
    """
    for language in renderer.languages.supported:
        for kind in LETTERS:
            try:
                preview(renderer, kind, language)
            except (TemplateError, KeyError, ValueError, TypeError) as error:
                raise Stopped(f"GATEPOST_NOTICES__TEMPLATES: {kind} in {language}: {error}") from error
