"""Make and read codes, access tokens, refresh tokens and device proofs; no database here.

A refresh token names its session and its generation and carries a tag of ours, so that an old
one, a copy, can be told from rubbish: only a true copy revokes a session. The successor of a
token is computed from it with a key of ours. So a phone whose reply was lost can be given the
same successor again, although the database holds nothing but hashes.
"""

import base64
import binascii
import hashlib
import hmac
import uuid
from dataclasses import dataclass
from datetime import datetime

import jwt
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import load_der_public_key
from jwt.types import Options

from app.core.cipher import derive_key
from app.identity import rules
from sync.errors import Problem

AUDIENCE = "wangge"
ALGORITHM = "HS256"
CODE_BYTES = 16
CODE_CHARACTERS = 26
SECRET_BYTES, TAG_BYTES = 32, 16
REFRESH_BYTES = 16 + 4 + SECRET_BYTES + TAG_BYTES
NONCE_BYTES = 16
KNOWN_BYTES = NONCE_BYTES + TAG_BYTES
PUBLIC_KEY_BYTES_MAX = 200
# Letters that are read wrongly from a screen, and what they stand for.
MISREAD = str.maketrans({"0": "O", "1": "I", "8": "B", "-": None, " ": None})


@dataclass(frozen=True, slots=True)
class Keys:
    """One key for each purpose, all derived from the server's secret."""

    access: bytes
    code: bytes
    tag: bytes
    successor: bytes
    wipe: bytes
    recovery: bytes
    attempt: bytes
    known: bytes

    @classmethod
    def derive(cls, secret: str) -> "Keys":
        """Derive all keys."""
        return cls(
            access=derive_key(secret, "wangge access token"),
            code=derive_key(secret, "wangge enrolment code"),
            tag=derive_key(secret, "wangge refresh tag"),
            successor=derive_key(secret, "wangge refresh successor"),
            wipe=derive_key(secret, "wangge wipe ticket"),
            recovery=derive_key(secret, "wangge recovery code"),
            attempt=derive_key(secret, "wangge attempts"),
            known=derive_key(secret, "wangge known computer"),
        )


@dataclass(frozen=True, slots=True)
class Claims:
    """What an access token says."""

    user_id: int
    session_id: str
    enrolment_id: str | None


@dataclass(frozen=True, slots=True)
class RefreshToken:
    """A refresh token that we have made, of whatever generation."""

    session_id: str
    generation: int
    secret: bytes

    def body(self) -> bytes:
        """Return its bytes without the tag."""
        return uuid.UUID(self.session_id).bytes + self.generation.to_bytes(4) + self.secret

    @property
    def hash(self) -> bytes:
        """Return what the database keeps of it."""
        return hashlib.sha256(self.body()).digest()

    def successor(self, keys: Keys) -> "RefreshToken":
        """Return the token that takes its place; the same one at each call."""
        secret = hmac.digest(keys.successor, self.body(), hashlib.sha256)
        return RefreshToken(self.session_id, self.generation + 1, secret)

    def text(self, keys: Keys) -> str:
        """Return the token as it travels."""
        body = self.body()
        return _to_base64(body + _tag(keys, body))


def show_code(random_bytes: bytes) -> str:
    """Return an enrolment code of 128 bits as it is typed or scanned."""
    return base64.b32encode(random_bytes).decode().rstrip("=")


def code_hash(code: str, keys: Keys) -> bytes:
    """Return the keyed hash under which a code is kept, forgiving how it was typed."""
    plain = code.upper().translate(MISREAD)
    return hmac.digest(keys.code, plain.encode(), hashlib.sha256)


def recovery_hash(user_id: int, code: str, keys: Keys) -> bytes:
    """Return the keyed hash under which a recovery code is kept, forgiving how it was typed."""
    plain = f"{user_id}:{code.upper().translate(MISREAD)}"
    return hmac.digest(keys.recovery, plain.encode(), hashlib.sha256)


def known_computer(nonce: bytes, account: str, keys: Keys) -> str:
    """Return what a computer keeps to show that this account has signed in from it before."""
    return _to_base64(nonce + _known_mac(nonce, account, keys))


def read_known(text: str | None, account: str, keys: Keys) -> str | None:
    """Return the name of the computer that a text stands for, None when it is not ours."""
    raw = _from_base64(text, KNOWN_BYTES) if text else None
    if raw is None or len(raw) != KNOWN_BYTES:
        return None
    nonce, mac = raw[:NONCE_BYTES], raw[NONCE_BYTES:]
    genuine = hmac.compare_digest(mac, _known_mac(nonce, account, keys))
    return nonce.hex() if genuine else None


def _known_mac(nonce: bytes, account: str, keys: Keys) -> bytes:
    return hmac.digest(keys.known, nonce + account.encode(), hashlib.sha256)[:TAG_BYTES]


def qr_text(public_url: str, code: str) -> str:
    """Return what the QR code of an enrolment says."""
    return f"wangge://enrol?u={public_url}&c={code}"


def first_token(code: str, session_id: str, keys: Keys) -> RefreshToken:
    """Return the first refresh token of a phone; the same one when it must ask again."""
    start = code_hash(code, keys) + uuid.UUID(session_id).bytes
    return RefreshToken(session_id, 0, hmac.digest(keys.successor, start, hashlib.sha256))


def read_refresh(text: str, keys: Keys) -> RefreshToken | None:
    """Return the refresh token that a text is, or None if we never made it."""
    raw = _from_base64(text, REFRESH_BYTES)
    if raw is None or len(raw) != REFRESH_BYTES:
        return None
    body, tag = raw[:-TAG_BYTES], raw[-TAG_BYTES:]
    if not hmac.compare_digest(tag, _tag(keys, body)):
        return None
    return RefreshToken(str(uuid.UUID(bytes=body[:16])), int.from_bytes(body[16:20]), body[20:])


def make_access(claims: Claims, keys: Keys, now: datetime) -> str:
    """Return an access token of ten minutes."""
    body = {
        "sub": str(claims.user_id), "sid": claims.session_id, "aud": AUDIENCE,
        "iat": int(now.timestamp()), "exp": int((now + rules.ACCESS_LIFE).timestamp()),
    }  # fmt: skip
    if claims.enrolment_id:
        body["enr"] = claims.enrolment_id
    return jwt.encode(body, keys.access, ALGORITHM)


# The moment is ours to judge, so that time stays an argument.
_OPTIONS: Options = {
    "require": ["sub", "sid", "iat", "exp"],
    "verify_exp": False,
    "verify_iat": False,
}


def read_access(token: str, keys: Keys, now: datetime) -> Claims:
    """Return what an access token says.

    Raises:
        Problem: 401 ``invalid_token`` or ``token_expired``.
    """
    try:
        body = jwt.decode(token, keys.access, [ALGORITHM], options=_OPTIONS, audience=AUDIENCE)
        claims = Claims(int(body["sub"]), str(body["sid"]), body.get("enr"))
        expires = int(body["exp"])
    except (jwt.InvalidTokenError, ValueError, TypeError):
        raise Problem(401, "invalid_token") from None
    if expires <= now.timestamp():
        raise Problem(401, "token_expired")
    return claims


def read_public_key(text: str) -> bytes | None:
    """Return the DER of a public key on curve P-256, or None if the text is none."""
    raw = _from_base64(text, PUBLIC_KEY_BYTES_MAX)
    try:
        key = load_der_public_key(raw or b"")
    except (ValueError, TypeError, UnsupportedAlgorithm):
        return None
    if isinstance(key, ec.EllipticCurvePublicKey) and isinstance(key.curve, ec.SECP256R1):
        return raw
    return None


def proof_message(refresh_token: str, at_ms: int) -> bytes:
    """Return the bytes that a phone signs to show that the token is on the right phone."""
    return f"wangge refresh\n{refresh_token}\n{at_ms}".encode()


def step_up_message(session_id: str, at_ms: int) -> bytes:
    """Return the bytes that a phone signs to show that its holder is there now."""
    return f"wangge step-up\n{session_id}\n{at_ms}".encode()


def proves(public_key: bytes, proof: str, message: bytes) -> bool:
    """Tell whether a proof is the device's signature (ECDSA, SHA-256, DER) of the message."""
    signature = _from_base64(proof, 80)
    key = load_der_public_key(public_key)
    if signature is None or not isinstance(key, ec.EllipticCurvePublicKey):
        return False
    try:
        key.verify(signature, message, ec.ECDSA(hashes.SHA256()))
    except InvalidSignature:
        return False
    return True


def _tag(keys: Keys, body: bytes) -> bytes:
    return hmac.digest(keys.tag, body, hashlib.sha256)[:TAG_BYTES]


def _to_base64(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).decode().rstrip("=")


def _from_base64(text: str, most: int) -> bytes | None:
    """Decode base64 in either alphabet, padded or not; None if it is none or too long."""
    plain = text.rstrip("=").replace("+", "-").replace("/", "_")
    if len(plain) > most * 4 // 3 + 2:
        return None
    try:
        return base64.b64decode(plain + "=" * (-len(plain) % 4), altchars=b"-_", validate=True)
    except (ValueError, binascii.Error):
        return None
