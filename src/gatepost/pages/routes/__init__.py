"""The pages, by journey. `hosted` are those that a setting switches off; the others are there in any case."""

from gatepost.pages.routes import (
    confirm,
    data,
    devices,
    email,
    home,
    links,
    notices,
    password,
    profile,
    recovery,
    sign_in,
    sign_in_link,
    sign_in_mail,
    sign_up,
    static,
)

__all__ = ["ALWAYS", "FRONT", "HOSTED"]

ALWAYS = (links.pages, sign_in_link.pages, static.files)
HOSTED = (
    sign_in.pages,
    sign_in_mail.pages,
    sign_up.pages,
    recovery.pages,
    home.pages,
    confirm.pages,
    profile.pages,
    email.pages,
    password.pages,
    devices.pages,
    notices.pages,
    data.pages,
)
FRONT = home.front
"""What a browser gets that asks for nothing in particular."""
