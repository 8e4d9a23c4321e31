"""Seal streams of bytes in chunks, so that a part can be read without the whole.

A stream begins with the key id and 16 random bytes, from which its own key is derived. Chunks of
64 KiB follow, each sealed by AES-256-GCM under its number; the last one says that it is the last,
so that nothing can be cut off, swapped or moved to another place without being noticed.
"""

import os
from collections.abc import Callable, Iterable, Iterator

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from app.core.cipher import KEY_ID, derive_key

CHUNK_BYTES = 64 * 1024
SALT_BYTES = 16
TAG_BYTES = 16
CHUNKS_A_READ = 16
HEAD_BYTES = len(KEY_ID) + SALT_BYTES
LENGTH_BYTES = 4
FRAME_NONCE_BYTES = 12
Read = Callable[[int, int], bytes]
"""Return the sealed bytes from a first position up to, not with, an end."""


class StreamCipher:
    """Seal and open streams; each is tied to its place."""

    def __init__(self, secret: str) -> None:
        self._key = derive_key(secret, "wangge streams")
        self._frames = AESGCM(derive_key(secret, "wangge frames"))

    def _aead(self, salt: bytes, place: str) -> AESGCM:
        info = f"stream {place}".encode()
        return AESGCM(HKDF(hashes.SHA256(), 32, salt, info).derive(self._key))

    def seal(self, parts: Iterable[bytes], place: str) -> Iterator[bytes]:
        """Yield a stream sealed for one place."""
        salt = os.urandom(SALT_BYTES)
        aead = self._aead(salt, place)
        yield KEY_ID + salt
        number, waiting = 0, b""
        for chunk in _chunks(parts):
            if waiting:
                yield aead.encrypt(_nonce(number, 0), waiting, KEY_ID)
                number += 1
            waiting = chunk
        yield aead.encrypt(_nonce(number, 1), waiting, KEY_ID)

    def open(self, read: Read, size: int, place: str, start: int, end: int) -> Iterator[bytes]:
        """Yield the plain bytes from a position up to, not with, another one.

        Args:
            size: of the whole plain stream.

        Raises:
            cryptography.exceptions.InvalidTag: it was changed, or sealed for another place.
        """
        head = read(0, HEAD_BYTES)
        aead = self._aead(head[len(KEY_ID) :], place)
        last = max(0, (size - 1) // CHUNK_BYTES)
        wanted = range(start // CHUNK_BYTES, max(start, end - 1) // CHUNK_BYTES + 1)
        for number, sealed in _sealed_chunks(read, size, wanted):
            plain = aead.decrypt(_nonce(number, int(number == last)), sealed, head[:1])
            at = number * CHUNK_BYTES
            yield plain[max(0, start - at) : end - at]

    def seal_frame(self, plain: bytes, place: str) -> bytes:
        """Return one sealed piece that carries its own length."""
        nonce = os.urandom(FRAME_NONCE_BYTES)
        sealed = nonce + self._frames.encrypt(nonce, plain, place.encode())
        return len(sealed).to_bytes(LENGTH_BYTES) + sealed

    def open_frame(self, sealed: bytes, place: str) -> bytes:
        """Return the plain bytes of a piece, without its length.

        Raises:
            cryptography.exceptions.InvalidTag: it was changed, or sealed for another place.
        """
        nonce, body = sealed[:FRAME_NONCE_BYTES], sealed[FRAME_NONCE_BYTES:]
        return self._frames.decrypt(nonce, body, place.encode())


def sealed_size(size: int) -> int:
    """Return how long a stream of so many plain bytes is when sealed."""
    chunks = max(1, -(-size // CHUNK_BYTES))
    return HEAD_BYTES + size + chunks * TAG_BYTES


def _sealed_chunks(read: Read, size: int, wanted: range) -> Iterator[tuple[int, bytes]]:
    """Yield sealed chunks with their numbers, reading some at a time: a store may be far away."""
    whole = CHUNK_BYTES + TAG_BYTES
    for first in wanted[::CHUNKS_A_READ]:
        numbers = range(first, min(first + CHUNKS_A_READ, wanted.stop))
        begin = HEAD_BYTES + first * whole
        end = min(HEAD_BYTES + numbers.stop * whole, sealed_size(size))
        sealed = read(begin, end)
        for at, number in enumerate(numbers):
            yield number, sealed[at * whole : (at + 1) * whole]


def _nonce(number: int, last: int) -> bytes:
    return number.to_bytes(11) + bytes([last])


def _chunks(parts: Iterable[bytes]) -> Iterator[bytes]:
    """Cut a stream into chunks of one size; only the last may be shorter."""
    waiting = bytearray()
    for part in parts:
        waiting += part
        while len(waiting) >= CHUNK_BYTES:
            yield bytes(waiting[:CHUNK_BYTES])
            del waiting[:CHUNK_BYTES]
    if waiting:
        yield bytes(waiting)
