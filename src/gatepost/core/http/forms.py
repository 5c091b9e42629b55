"""Reading `application/x-www-form-urlencoded` bodies as OAuth wants them (RFC 6749, appendix B)."""

from typing import Any
from urllib.parse import parse_qsl

from starlette.exceptions import HTTPException
from starlette.requests import Request

from gatepost.core.errors import Invalid

__all__ = ["FormInvalid", "read_form"]

MEDIA_TYPE = "application/x-www-form-urlencoded"
MOST_FIELDS = 50


class FormInvalid(Invalid):
    """A form that cannot be read, or that names a parameter twice (RFC 6749, section 3.2)."""

    code = "form-invalid"
    sentence = "The form is not valid."


async def read_form(request: Request) -> dict[str, str]:
    """Return the parameters; empty ones count as absent. Raises FormInvalid, or 415 for another type."""
    sent = request.headers.get("content-type", "").partition(";")[0].strip().casefold()
    if sent != MEDIA_TYPE:
        raise HTTPException(415, f"Send the form as {MEDIA_TYPE}.")
    try:
        text = (await request.body()).decode()
        pairs = parse_qsl(text, keep_blank_values=True, max_num_fields=MOST_FIELDS, errors="strict")
    except (UnicodeDecodeError, ValueError):
        raise FormInvalid(error="invalid_request") from None
    form: dict[str, Any] = {}
    for name, value in pairs:
        if name in form:
            raise FormInvalid("A parameter appears twice.", error="invalid_request")
        form[name] = value
    return {name: value for name, value in form.items() if value != ""}
