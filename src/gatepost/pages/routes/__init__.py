"""The pages, by journey. `hosted` are those that a setting switches off; the others are there in any case."""

from gatepost.pages.routes import (
    apps,
    confirm,
    data,
    devices,
    email,
    enrol,
    home,
    links,
    notices,
    passkeys,
    password,
    profile,
    recovery,
    security,
    sign_in,
    sign_in_link,
    sign_in_mail,
    sign_up,
    static,
    step,
)

__all__ = ["ALWAYS", "FRONT", "HOSTED"]

ALWAYS = (links.pages, sign_in_link.pages, static.files)
HOSTED = (
    sign_in.pages,
    sign_in_mail.pages,
    step.pages,
    enrol.pages,
    sign_up.pages,
    recovery.pages,
    home.pages,
    confirm.pages,
    profile.pages,
    email.pages,
    password.pages,
    security.pages,
    passkeys.pages,
    apps.pages,
    devices.pages,
    notices.pages,
    data.pages,
)
FRONT = home.front
"""What a browser gets that asks for nothing in particular."""
