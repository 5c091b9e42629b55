"""Proofs that the sender of a token holds the key that it is bound to (DPoP, RFC 9449)."""

import base64
import hashlib
import hmac
import re
from collections import OrderedDict
from dataclasses import dataclass
from typing import Any
from urllib.parse import unquote_to_bytes, urlsplit

from gatepost.guard.clock import Clock
from gatepost.guard.errors import ProofInvalid, Unverifiable
from gatepost.guard.jose import MALFORMED, extracted, imported, opened

__all__ = ["Proof", "Proofs", "checked", "same_place"]

TYPE = "dpop+jwt"
LONGEST = 4096
# Some 10 MB. Each costs its sender a token and us two signature checks, so nobody fills it by accident.
MOST = 100_000
_NEEDED, _ALLOWED = {"typ", "alg", "jwk"}, {"typ", "alg", "jwk", "kid"}
_LONGEST_ID = 256
_UNRESERVED = re.compile(rb"[A-Za-z0-9\-._~]")
_ESCAPED = re.compile(r"%[0-9A-Fa-f]{2}")
_PORTS = {"https": 443, "http": 80}


@dataclass(frozen=True, slots=True)
class Proof:
    """A proof that is right as such. `digest` names it for good: the same is shown only by replaying it."""

    thumbprint: str
    digest: bytes


def checked(
    proof: str, *, now: float, window: float, leeway: float, method: str, url: str, token: str | None = None
) -> Proof:
    """Return what a proof shows, of this request and at this moment (RFC 9449, section 4.3). Raises ProofInvalid.

    Made at most `window` seconds ago, by a clock that is at most `leeway` seconds fast. With a token it must be of it.
    Whether it was shown before is for the caller to decide, by its `digest`.
    """
    if len(proof) > LONGEST or not proof.isascii():
        raise ProofInvalid("too long, or not ASCII")
    try:
        sealed = extracted(proof)
        if not _NEEDED <= sealed.header.keys() <= _ALLOWED or sealed.header["typ"] != TYPE:
            raise ProofInvalid("not the header of a proof")
        # Only the public members are looked at, but who sends a private key has given it away.
        jwk = sealed.header["jwk"]
        key = imported(jwk) if "d" not in jwk else None
        if key is None:
            raise ProofInvalid("not a key that we use")
        claims = opened(sealed, key)
        if type(claims["iat"]) is not int or not now - window <= claims["iat"] <= now + leeway:
            raise ProofInvalid("iat is not of now")
        _check_claims(claims, token, method, url)
    except MALFORMED as error:
        raise ProofInvalid(f"malformed: {type(error).__name__}") from error
    thumbprint, proof_id = key.jwk.thumbprint(), claims["jti"]
    named = f"{thumbprint} {proof_id}".encode(errors="surrogatepass")
    return Proof(thumbprint, hashlib.sha256(named).digest())


def _check_claims(claims: dict[str, Any], token: str | None, method: str, url: str) -> None:
    if claims["htm"] != method:
        raise ProofInvalid("htm")
    if not same_place(claims["htu"], url):
        raise ProofInvalid("htu")
    if token is not None:
        of_token = base64.urlsafe_b64encode(hashlib.sha256(token.encode()).digest()).rstrip(b"=").decode()
        if not hmac.compare_digest(claims["ath"], of_token):
            raise ProofInvalid("ath")
    if type(claims["jti"]) is not str or not 0 < len(claims["jti"]) <= _LONGEST_ID:
        raise ProofInvalid("jti")


class Proofs:
    """Checks proofs, each of which counts once: those of the last moments are remembered, by this process."""

    def __init__(self, clock: Clock, window: float, leeway: float) -> None:
        self._clock = clock
        self._window = window
        self._leeway = leeway
        self._seen: OrderedDict[bytes, float] = OrderedDict()

    def check(self, proof: str, *, token: str, thumbprint: str, method: str, url: str) -> None:
        """Let the proof of this request pass, once. Raises ProofInvalid, Unverifiable."""
        times = {"now": self._clock.now(), "window": self._window, "leeway": self._leeway}
        shown = checked(proof, **times, method=method, url=url, token=token)
        if not hmac.compare_digest(shown.thumbprint, thumbprint):
            raise ProofInvalid("made with another key than the token's")
        self._spend(shown.digest)

    def _spend(self, seen: bytes) -> None:
        now = self._clock.now()
        while self._seen and next(iter(self._seen.values())) < now:
            self._seen.popitem(last=False)
        if seen in self._seen:
            raise ProofInvalid("shown before")
        if len(self._seen) >= MOST:
            # To forget one that may still be replayed would be to let it pass again.
            raise Unverifiable("more proofs than can be remembered")
        # Not before the youngest that may be shown now has become too old: so the oldest entry ends first.
        self._seen[seen] = now + self._leeway + self._window


def same_place(stated: Any, ours: str) -> bool:
    """Tell whether two URLs name one place, whatever their queries (RFC 9449, section 4.3; RFC 3986, section 6.2)."""
    return type(stated) is str and stated.isascii() and _normal(stated) == _normal(ours)


def _normal(url: str) -> tuple[str, str, int | None, str]:
    parts = urlsplit(url)
    if parts.username is not None or not parts.hostname:
        raise ValueError("not a place")
    port = parts.port or _PORTS.get(parts.scheme)
    return parts.scheme, parts.hostname, port, _ESCAPED.sub(_unescaped, parts.path) or "/"


def _unescaped(found: re.Match[str]) -> str:
    byte = unquote_to_bytes(found[0])
    return byte.decode() if _UNRESERVED.fullmatch(byte) else found[0].upper()
