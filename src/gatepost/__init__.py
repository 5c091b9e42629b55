"""Gatepost: users, sign-in and tokens for your backend, as a service or inside your FastAPI app.

Only what is listed here, the HTTP API, the settings and the events' names are promised to stay.
"""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from gatepost.access import RoleGranted, RoleRevoked
    from gatepost.accounts import Accounts, NewAccount
    from gatepost.core.events import Consumer, Event, RecordedEvent
    from gatepost.core.mail import Mail, MailDeferred, MailRefused
    from gatepost.core.outbox import Undeliverable
    from gatepost.core.principal import Principal
    from gatepost.gatepost import Gatepost, create_app
    from gatepost.login import LoginFailed
    from gatepost.passkeys import PasskeyAdded, PasskeyRefused, PasskeyRemoved
    from gatepost.passwords import PasswordChanged
    from gatepost.sessions import SessionEnded, SessionStarted
    from gatepost.settings import Settings
    from gatepost.tokens import RefreshTokenReused
    from gatepost.users import UserChanged, UserDeleted, UserDisabled, UserEnabled, UserRegistered

__version__ = "0.1.0"

_HOMES = {
    "Accounts": "gatepost.accounts",
    "Consumer": "gatepost.core.events",
    "Event": "gatepost.core.events",
    "Gatepost": "gatepost.gatepost",
    "LoginFailed": "gatepost.login",
    "Mail": "gatepost.core.mail",
    "MailDeferred": "gatepost.core.mail",
    "MailRefused": "gatepost.core.mail",
    "NewAccount": "gatepost.accounts",
    "PasskeyAdded": "gatepost.passkeys",
    "PasskeyRefused": "gatepost.passkeys",
    "PasskeyRemoved": "gatepost.passkeys",
    "PasswordChanged": "gatepost.passwords",
    "Principal": "gatepost.core.principal",
    "RecordedEvent": "gatepost.core.events",
    "RefreshTokenReused": "gatepost.tokens",
    "RoleGranted": "gatepost.access",
    "RoleRevoked": "gatepost.access",
    "SessionEnded": "gatepost.sessions",
    "SessionStarted": "gatepost.sessions",
    "Settings": "gatepost.settings",
    "Undeliverable": "gatepost.core.outbox",
    "UserChanged": "gatepost.users",
    "UserDeleted": "gatepost.users",
    "UserDisabled": "gatepost.users",
    "UserEnabled": "gatepost.users",
    "UserRegistered": "gatepost.users",
    "create_app": "gatepost.gatepost",
}

__all__ = [
    "Accounts",
    "Consumer",
    "Event",
    "Gatepost",
    "LoginFailed",
    "Mail",
    "MailDeferred",
    "MailRefused",
    "NewAccount",
    "PasskeyAdded",
    "PasskeyRefused",
    "PasskeyRemoved",
    "PasswordChanged",
    "Principal",
    "RecordedEvent",
    "RefreshTokenReused",
    "RoleGranted",
    "RoleRevoked",
    "SessionEnded",
    "SessionStarted",
    "Settings",
    "Undeliverable",
    "UserChanged",
    "UserDeleted",
    "UserDisabled",
    "UserEnabled",
    "UserRegistered",
    "__version__",
    "create_app",
]


def __getattr__(name: str) -> Any:
    # On first use: `gatepost --help` should not wait for FastAPI and SQLAlchemy.
    if name not in _HOMES:
        raise AttributeError(name)
    from importlib import import_module

    return getattr(import_module(_HOMES[name]), name)
