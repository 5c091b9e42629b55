"""Names of variables that look like ours and are no setting."""

import os
from difflib import get_close_matches

from pydantic_settings import DotEnvSettingsSource

from gatepost.settings.model import PREFIX, SECRETS_DIR, Settings, variables

__all__ = ["unknown_names"]


def unknown_names() -> list[str]:
    """Return what is wrong with variables that look like ours and are no setting: most are typing errors."""
    known = {SECRETS_DIR, *(name for names in variables().values() for name in names)}
    sections = tuple(f"{PREFIX}{path[0].upper()}__" for path in variables() if len(path) > 1)
    given = {name.upper() for name in (*os.environ, *DotEnvSettingsSource(Settings).env_vars)}
    # Platforms set it. Whoever has it expects it to count, and would find the data in a file that the next
    # deployment forgets.
    unread = {"DATABASE_URL"} & given if f"{PREFIX}DATABASE_URL" not in given else set()
    lines = [f"{name} is set but not read. Did you mean {PREFIX}{name}?" for name in unread]
    return lines + [
        f"{name} is not a setting." + (f" Did you mean {near[0]}?" if near else "")
        for name in sorted(given - known)
        # Within a section Pydantic itself refuses what it does not know.
        if name.startswith(PREFIX) and not name.startswith(sections)
        for near in [get_close_matches(name, known, n=1, cutoff=0.8)]
    ]
