"""Seal personal fields, bound to table, column and row, and blind indexes to find them."""

import base64
import os
from collections.abc import Collection, Sequence
from dataclasses import dataclass

from app.core.algorithms import NONCE_BYTES
from app.core.keyring import KeyRing, derive_key
from sync.errors import Destroyed

NOTHING = "{}"


class Cipher:
    """Seal and open texts; every sealed text names its key, and is tied to its place."""

    def __init__(self, keys: KeyRing | str) -> None:
        self.ring = KeyRing.of(keys) if isinstance(keys, str) else keys

    def seal(self, text: str, place: str) -> str:
        """Return the text sealed for one place (``table/column/row``)."""
        return base64.b64encode(self.seal_bytes(text.encode(), place)).decode()

    def seal_bytes(self, content: bytes, place: str) -> bytes:
        """Return bytes sealed for one place."""
        key, nonce = self.ring.current, os.urandom(NONCE_BYTES)
        return key.head + nonce + key.fields.encrypt(nonce, content, key.bound + place.encode())

    def open(self, sealed: str, place: str) -> str:
        """Return the plain text.

        Raises:
            cryptography.exceptions.InvalidTag: it was changed, or sealed for another place.
            Destroyed: its key was destroyed.
        """
        return self.open_bytes(base64.b64decode(sealed), place).decode()

    def open_bytes(self, sealed: bytes, place: str) -> bytes:
        """Return sealed bytes as they were.

        Raises:
            cryptography.exceptions.InvalidTag: they were changed, or sealed for another place.
            Destroyed: their key was destroyed.
        """
        key = self.ring.key(sealed[0] if sealed else 0)
        nonce, body = sealed[1 : 1 + NONCE_BYTES], sealed[1 + NONCE_BYTES :]
        return key.fields.decrypt(nonce, body, key.bound + place.encode())

    def blind(self, text: str, column: str) -> str:
        """Return what lets equal values of one column be found without being read."""
        return self.ring.current.blind(text, column)

    def blinds(self, text: str, column: str) -> Sequence[str]:
        """Return all that may stand for a value in an index: while keys change, more than one."""
        return [key.blind(text, column) for key in self.ring.searched]


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
        """Return the plain text; of what was stripped, nothing.

        Raises:
            Destroyed: its key was destroyed.
        """
        if kind in self.open_kinds or not text or text.startswith("{"):
            return text
        return self.cipher.open(text, f"body/{kind}/{record}")

    def shown(self, kind: str, record: str, text: str) -> str:
        """Return the plain text; in a list, what went with its key is an empty record."""
        try:
            return self.open(kind, record, text)
        except Destroyed:
            return NOTHING


__all__ = ["BodySeal", "Cipher", "derive_key"]
