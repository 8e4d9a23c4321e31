"""Seal personal fields: AES-256-GCM bound to table, column and row, and a blind index to find."""

import base64
import hashlib
import hmac
import os
from collections.abc import Collection
from dataclasses import dataclass

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

KEY_ID = b"\x01"
NONCE_BYTES = 12
BLIND_CHARACTERS = 32


def derive_key(secret: str, purpose: str) -> bytes:
    """Return a key of 32 bytes for one purpose."""
    kdf = HKDF(algorithm=hashes.SHA256(), length=32, salt=None, info=purpose.encode())
    return kdf.derive(secret.encode())


class Cipher:
    """Seal and open texts; every sealed text names its key, and is tied to its place."""

    def __init__(self, secret: str) -> None:
        self._aead = AESGCM(derive_key(secret, "wangge field encryption"))
        self._index_key = derive_key(secret, "wangge blind index")

    def seal(self, text: str, place: str) -> str:
        """Return the text sealed for one place (``table/column/row``)."""
        return base64.b64encode(self.seal_bytes(text.encode(), place)).decode()

    def seal_bytes(self, content: bytes, place: str) -> bytes:
        """Return bytes sealed for one place."""
        nonce = os.urandom(NONCE_BYTES)
        return KEY_ID + nonce + self._aead.encrypt(nonce, content, KEY_ID + place.encode())

    def open(self, sealed: str, place: str) -> str:
        """Return the plain text.

        Raises:
            cryptography.exceptions.InvalidTag: it was changed, or sealed for another place.
        """
        return self.open_bytes(base64.b64decode(sealed), place).decode()

    def open_bytes(self, sealed: bytes, place: str) -> bytes:
        """Return sealed bytes as they were.

        Raises:
            cryptography.exceptions.InvalidTag: they were changed, or sealed for another place.
        """
        nonce, body = sealed[1 : 1 + NONCE_BYTES], sealed[1 + NONCE_BYTES :]
        return self._aead.decrypt(nonce, body, sealed[:1] + place.encode())

    def blind(self, text: str, column: str) -> str:
        """Return what lets equal values of one column be found without being read."""
        mac = hmac.digest(self._index_key, f"{column}:{text}".encode(), hashlib.sha256)
        return mac.hex()[:BLIND_CHARACTERS]


@dataclass(frozen=True)
class BodySeal:
    """Seal the ready bodies of the kinds that hold personal fields, and all we do not know.

    A kind may come to be sealed: what was written before lies open, and is sealed when it is
    written again. The first sign tells: bodies are JSON objects, what is sealed is base64.
    """

    cipher: Cipher
    open_kinds: Collection[str]

    def close(self, kind: str, record: str, text: str) -> str:
        """Return the text as it may lie in the database."""
        if kind in self.open_kinds:
            return text
        return self.cipher.seal(text, f"body/{kind}/{record}")

    def open(self, kind: str, record: str, text: str) -> str:
        """Return the plain text."""
        if kind in self.open_kinds or text.startswith("{"):
            return text
        return self.cipher.open(text, f"body/{kind}/{record}")
