"""The signing keys: one signs, the next is published before it does, old ones verify until what they signed is over."""

from gatepost.tokens.keys.life import SigningKeys, keys_tended
from gatepost.tokens.keys.pairs import SEALED
from gatepost.tokens.keys.store import UNOPENED, KeyStore, LoadedKey
from gatepost.tokens.keys.stored import KeyInfo

__all__ = ["SEALED", "UNOPENED", "KeyInfo", "KeyStore", "LoadedKey", "SigningKeys", "keys_tended"]
