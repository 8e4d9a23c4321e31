"""Seal streams of bytes in chunks, so that a part can be read without the whole.

A stream begins with the key id and 16 random bytes, from which its own key is derived. Chunks of
64 KiB follow, each sealed under its number; the last one says that it is the last, so that
nothing can be cut off, swapped or moved to another place without being noticed. Frames are pieces
of uploads under way; the first of their four bytes of length names the key, 0 being the first.
"""

import os
from collections.abc import Callable, Iterable, Iterator

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from app.core.algorithms import NONCE_BYTES, TAG_BYTES, Aead, aead
from app.core.keyring import FIRST, Key, KeyRing

CHUNK_BYTES = 64 * 1024
KEY_BYTES = 1
SALT_BYTES = 16
CHUNKS_A_READ = 16
HEAD_BYTES = KEY_BYTES + SALT_BYTES
LENGTH_BYTES = 4
Read = Callable[[int, int], bytes]
"""Return the sealed bytes from a first position up to, not with, an end."""


class StreamCipher:
    """Seal and open streams; each is tied to its place."""

    def __init__(self, keys: KeyRing | str) -> None:
        self.ring = KeyRing.of(keys) if isinstance(keys, str) else keys

    def seal(self, parts: Iterable[bytes], place: str) -> Iterator[bytes]:
        """Yield a stream sealed for one place."""
        key, salt = self.ring.current, os.urandom(SALT_BYTES)
        cipher = _cipher(key, salt, place)
        yield key.head + salt
        number, waiting = 0, b""
        for chunk in _chunks(parts):
            if waiting:
                yield cipher.encrypt(_nonce(number, 0), waiting, key.bound)
                number += 1
            waiting = chunk
        yield cipher.encrypt(_nonce(number, 1), waiting, key.bound)

    def open(self, read: Read, size: int, place: str, start: int, end: int) -> Iterator[bytes]:
        """Yield the plain bytes from a position up to, not with, another one.

        A stream may be sealed anew with another key while it is read; then it is read on there.

        Args:
            size: of the whole plain stream.

        Raises:
            cryptography.exceptions.InvalidTag: it was changed, or sealed for another place.
            Destroyed: its key was destroyed.
        """
        stream = _Opened(self.ring, read, size, place)
        wanted = range(start // CHUNK_BYTES, max(start, end - 1) // CHUNK_BYTES + 1)
        for first in wanted[::CHUNKS_A_READ]:
            numbers = range(first, min(first + CHUNKS_A_READ, wanted.stop))
            for number, plain in zip(numbers, stream.chunks(numbers), strict=True):
                at = number * CHUNK_BYTES
                yield plain[max(0, start - at) : end - at]

    def seal_frame(self, plain: bytes, place: str) -> bytes:
        """Return one sealed piece that carries its key's number and its own length."""
        key, nonce = self.ring.current, os.urandom(NONCE_BYTES)
        sealed = nonce + key.frames.encrypt(nonce, plain, _frame_bound(key) + place.encode())
        head = 0 if key.number == FIRST else key.number
        return bytes([head]) + len(sealed).to_bytes(LENGTH_BYTES - 1) + sealed

    def open_frame(self, number: int, sealed: bytes, place: str) -> bytes:
        """Return the plain bytes of a piece, without its length.

        Args:
            number: of the key, as ``frame_head`` has read it.

        Raises:
            cryptography.exceptions.InvalidTag: it was changed, or sealed for another place.
            Destroyed: its key was destroyed.
        """
        key = self.ring.key(number)
        nonce, body = sealed[:NONCE_BYTES], sealed[NONCE_BYTES:]
        return key.frames.decrypt(nonce, body, _frame_bound(key) + place.encode())


def frame_head(head: bytes) -> tuple[int, int]:
    """Return the number of the key of a piece, and how many sealed bytes follow its head."""
    return (head[0] if head else 0) or FIRST, int.from_bytes(head[1:])


def _frame_bound(key: Key) -> bytes:
    """Return what a piece is tied to besides its place; the first key binds nothing more."""
    return b"" if key.number == FIRST else key.bound


def _cipher(key: Key, salt: bytes, place: str) -> Aead:
    """Return the cipher of one stream."""
    info = f"stream {place}".encode()
    return aead(key.algorithm, HKDF(hashes.SHA256(), 32, salt, info).derive(key.streams))


class _Opened:
    """A sealed stream that is being read."""

    def __init__(self, ring: KeyRing, read: Read, size: int, place: str) -> None:
        self._ring, self._read, self._size, self._place = ring, read, size, place
        self._last = max(0, (size - 1) // CHUNK_BYTES)
        self._take(read(0, HEAD_BYTES))

    def _take(self, head: bytes) -> None:
        self._head = head
        self._key = self._ring.key(head[0] if head else 0)
        self._cipher = _cipher(self._key, head[KEY_BYTES:], self._place)

    def chunks(self, numbers: range) -> list[bytes]:
        """Return some plain chunks, read at once: a store may be far away."""
        try:
            return self._chunks(numbers)
        except InvalidTag:
            head = self._read(0, HEAD_BYTES)
            if head == self._head:
                raise
            self._take(head)
            return self._chunks(numbers)

    def _chunks(self, numbers: range) -> list[bytes]:
        whole = CHUNK_BYTES + TAG_BYTES
        end = min(HEAD_BYTES + numbers.stop * whole, sealed_size(self._size))
        sealed = self._read(HEAD_BYTES + numbers.start * whole, end)
        return [
            self._cipher.decrypt(_nonce(number, int(number == self._last)),
                                 sealed[at * whole : (at + 1) * whole], self._key.bound)
            for at, number in enumerate(numbers)
        ]  # fmt: skip


def sealed_size(size: int) -> int:
    """Return how long a stream of so many plain bytes is when sealed."""
    chunks = max(1, -(-size // CHUNK_BYTES))
    return HEAD_BYTES + size + chunks * TAG_BYTES


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
