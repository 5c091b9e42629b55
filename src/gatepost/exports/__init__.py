"""What is held about a person, all of it, as they may take it with them.

Owns no table and reads all of them. Promises that no column is forgotten: each is in an export, or named as a secret
that stays, and a test compares that with the schema. What is about others is not in it.
"""

from gatepost.exports.events import AccountExported
from gatepost.exports.queries import PARTS, Part
from gatepost.exports.service import Exports

__all__ = ["PARTS", "AccountExported", "Exports", "Part"]
