"""The two ciphers that seal: AES-256-GCM, and SM4-GCM for owners who must use state algorithms."""

from typing import Protocol

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

AES, SM4 = "aes-256-gcm", "sm4-gcm"
ALGORITHMS = (AES, SM4)
NONCE_BYTES = 12
TAG_BYTES = 16
SM4_KEY_BYTES = 16


class Aead(Protocol):
    """A cipher that also notices every change."""

    def encrypt(self, nonce: bytes, data: bytes, associated_data: bytes | None, /) -> bytes:
        """Return the data sealed, with the tag at its end."""

    def decrypt(self, nonce: bytes, data: bytes, associated_data: bytes | None, /) -> bytes:
        """Return the plain data.

        Raises:
            cryptography.exceptions.InvalidTag: it was changed, or sealed for something else.
        """


class Sm4Gcm:
    """SM4 in Galois counter mode, in the shape of ``AESGCM``."""

    def __init__(self, key: bytes) -> None:
        self._sm4 = algorithms.SM4(key)

    def encrypt(self, nonce: bytes, data: bytes, associated_data: bytes | None, /) -> bytes:
        """Return the data sealed, with the tag at its end."""
        work = Cipher(self._sm4, modes.GCM(nonce)).encryptor()
        work.authenticate_additional_data(associated_data or b"")
        return work.update(data) + work.finalize() + work.tag

    def decrypt(self, nonce: bytes, data: bytes, associated_data: bytes | None, /) -> bytes:
        """Return the plain data."""
        if len(data) < TAG_BYTES:
            raise InvalidTag
        work = Cipher(self._sm4, modes.GCM(nonce, data[-TAG_BYTES:])).decryptor()
        work.authenticate_additional_data(associated_data or b"")
        return work.update(data[:-TAG_BYTES]) + work.finalize()


def aead(algorithm: str, key: bytes) -> Aead:
    """Return a cipher under a key of 32 bytes, of which SM4 takes the first half."""
    return AESGCM(key) if algorithm == AES else Sm4Gcm(key[:SM4_KEY_BYTES])
