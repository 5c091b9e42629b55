"""Reading password hashes."""

from sqlalchemy import bindparam, select

from gatepost.passwords.models import Password
from gatepost.users import STANDING, User

__all__ = ["BY_EMAIL", "BY_USER"]

_CREDENTIAL = select(*STANDING, Password.hash).outerjoin(Password, Password.user_id == User.id)

BY_EMAIL = _CREDENTIAL.where(User.email_canonical == bindparam("email_canonical"))
BY_USER = _CREDENTIAL.where(User.id == bindparam("user_id"))
