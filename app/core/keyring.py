"""The key ring: which key seals, which others still open, and from where they come.

Two storeys of keys. **Root keys** come from the environment and never touch the database.
**Data keys** seal; each is random, lies in the database wrapped by a root key, and its number
stands in front of everything it sealed. Data key 1 is older than that: it is ``FIELD_KEY``
itself, and opens what was sealed before there was a ring.
"""

import hashlib
import hmac
import logging
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from app.core.algorithms import AES, NONCE_BYTES, Aead, aead
from sync.errors import Destroyed

log = logging.getLogger("wangge")

FIRST = 1
NUMBER_MAX = 255
CURRENT, OLD, RETIRED, DESTROYED = "current", "old", "retired", "destroyed"
BLIND_CHARACTERS = 32
BLIND_MARK = "k"
CHECK_CHARACTERS = 16
LOOK_EVERY_S = 5.0
SETTLE_MS = 15_000
"""After that all processes know which key is current; none looks less often."""


class UnknownKey(InvalidTag):
    """A text names a key that the ring does not hold."""


def derive_key(secret: str | bytes, purpose: str) -> bytes:
    """Return a key of 32 bytes for one purpose."""
    kdf = HKDF(algorithm=hashes.SHA256(), length=32, salt=None, info=purpose.encode())
    return kdf.derive(secret.encode() if isinstance(secret, str) else secret)


class Key:
    """One data key, with what is derived from it, each once.

    Attributes:
        head: the byte in front of everything sealed with it.
        bound: what all it seals is tied to besides its place: its number and its algorithm. The
            first key knows one algorithm only, and binds its number alone.
    """

    def __init__(self, number: int, secret: str | bytes, algorithm: str = AES) -> None:
        self.number, self.algorithm, self._secret = number, algorithm, secret
        self.head = bytes([number])
        self.bound = self.head if number == FIRST else self.head + algorithm.encode() + b"\x00"
        self.fields: Aead = aead(algorithm, derive_key(secret, "wangge field encryption"))
        self._columns: dict[str, bytes] = {}
        self._mark = blind_mark(number)

    @cached_property
    def streams(self) -> bytes:
        """Return the key from which each stream's own is derived."""
        return derive_key(self._secret, "wangge streams")

    @cached_property
    def frames(self) -> Aead:
        """Return the cipher of the pieces of uploads under way."""
        return aead(self.algorithm, derive_key(self._secret, "wangge frames"))

    @cached_property
    def check(self) -> str:
        """Return by what the key is known again, and from which nothing can be learned."""
        return derive_key(self._secret, "wangge key check").hex()[:CHECK_CHARACTERS]

    @cached_property
    def _index(self) -> bytes:
        return derive_key(self._secret, "wangge blind index")

    def blind(self, text: str, column: str) -> str:
        """Return what stands for a text in the index of one column.

        Each column has a key of its own, so that equal values of two cannot be matched. The
        first key names the column in what is hashed, to the same end.
        """
        if self.number == FIRST:
            mac = hmac.digest(self._index, f"{column}:{text}".encode(), hashlib.sha256)
            return mac.hex()[:BLIND_CHARACTERS]
        key = self._columns.get(column)
        if key is None:
            key = hmac.digest(self._index, column.encode(), hashlib.sha256)
            self._columns[column] = key
        mac = hmac.digest(key, text.encode(), hashlib.sha256)
        return (self._mark + mac.hex())[:BLIND_CHARACTERS]


def blind_mark(number: int) -> str:
    """Return how the index values of a key begin; those of the first are bare digits."""
    return f"{BLIND_MARK}{number:02x}"


@dataclass(frozen=True, slots=True)
class KeyEntry:
    """A data key as it is written down.

    Attributes:
        root: the number of the root key that wraps it; for the first, that it is made from.
        wrapped: the key itself, wrapped; None for the first and for a destroyed one.
        check: tells whether what was unwrapped is what was wrapped.
    """

    number: int
    algorithm: str
    state: str
    root: int
    wrapped: bytes | None
    check: str


class Roots:
    """The root keys: they wrap data keys, and nothing else."""

    def __init__(self, secrets: Mapping[int, str], current: int) -> None:
        self.secrets, self.current = dict(secrets), current

    def wrap(self, entry: KeyEntry, material: bytes, nonce: bytes) -> bytes:
        """Return the material of a data key, wrapped by its root key."""
        return nonce + self._cipher(entry).encrypt(nonce, material, _tied(entry))

    def unwrap(self, entry: KeyEntry) -> Key:
        """Return a data key.

        Raises:
            UnknownKey: its root key is not in the environment, or is another one there.
        """
        if entry.root not in self.secrets:
            raise UnknownKey(entry.number)
        secret: str | bytes = self.secrets[entry.root]
        if entry.number != FIRST:
            secret = self.material(entry)
        key = Key(entry.number, secret, entry.algorithm)
        if key.check != entry.check:
            raise UnknownKey(entry.number)
        return key

    def material(self, entry: KeyEntry) -> bytes:
        """Return what a wrapped data key is made of.

        Raises:
            UnknownKey: it cannot be unwrapped.
        """
        if entry.wrapped is None or entry.root not in self.secrets:
            raise UnknownKey(entry.number)
        nonce, body = entry.wrapped[:NONCE_BYTES], entry.wrapped[NONCE_BYTES:]
        try:
            return self._cipher(entry).decrypt(nonce, body, _tied(entry))
        except InvalidTag:
            raise UnknownKey(entry.number) from None

    def _cipher(self, entry: KeyEntry) -> Aead:
        purpose = "wangge key wrapping"
        return aead(entry.algorithm, derive_key(self.secrets[entry.root], purpose))


def _tied(entry: KeyEntry) -> bytes:
    return f"wangge key {entry.number} {entry.algorithm}".encode()


Source = Callable[[], Sequence[KeyEntry] | None]
"""Return the data keys as they are written down, None when that cannot be said just now."""


class KeyRing:
    """The data keys of one installation, as this process knows them.

    What is written down may change under a running process: it looks again every few seconds,
    before a transaction, and at once when it meets a number that it does not know.
    """

    def __init__(self, roots: Roots, source: Source, clock: Callable[[], float] = time.monotonic):
        self.roots, self._source, self._clock = roots, source, clock
        self._looking = threading.Lock()
        self._looked_at: float | None = None
        self._take(())

    @classmethod
    def of(cls, secret: str) -> "KeyRing":
        """Return a ring of one key that never changes."""
        return cls(Roots({FIRST: secret}, FIRST), tuple)

    @property
    def current(self) -> Key:
        """Return the key that seals."""
        if self._looked_at is None:
            self.look()
        if self._current is None:
            raise UnknownKey
        return self._current

    @property
    def numbers(self) -> Sequence[int]:
        """Return the numbers of all keys that open, the current one first."""
        others = sorted(self._keys.keys() - {self.current.number})
        return (self.current.number, *others)

    def key(self, number: int) -> Key:
        """Return the key of a number.

        Raises:
            Destroyed: it was destroyed, and what it sealed with it.
            UnknownKey: the ring does not hold it.
        """
        found = self._keys.get(number)
        if found is None and number not in self._destroyed:
            self.look()
            found = self._keys.get(number)
        if found is not None:
            return found
        if number in self._destroyed:
            raise Destroyed
        raise UnknownKey(number)

    @property
    def searched(self) -> Sequence[Key]:
        """Return the keys under which a value may stand in an index."""
        return [self.current, *(self._keys[n] for n in self.numbers[1:] if n not in self._retired)]

    def look_if_due(self) -> None:
        """Look again what is written down, if the last time is long ago."""
        at = self._looked_at
        due = at is None or self._clock() - at >= LOOK_EVERY_S
        # One thread looks while the others go on with what is known, once anything is.
        if due and self._looking.acquire(blocking=at is None):
            try:
                self._look()
            finally:
                self._looking.release()

    def look(self) -> None:
        """Look now."""
        with self._looking:
            self._look()

    def _look(self) -> None:
        entries = self._source()
        if entries is not None:
            self._take(entries)
            self._looked_at = self._clock()

    def _take(self, entries: Sequence[KeyEntry]) -> None:
        keys: dict[int, Key] = {}
        for entry in entries:
            if entry.state != DESTROYED:
                try:
                    keys[entry.number] = self._known(entry) or self.roots.unwrap(entry)
                except UnknownKey:
                    log.error("key %d cannot be used: its root key is missing", entry.number)
        if not any(entry.number == FIRST for entry in entries) and FIRST in self.roots.secrets:
            keys[FIRST] = Key(FIRST, self.roots.secrets[FIRST])
        states = {entry.number: entry.state for entry in entries}
        sealing = [number for number, state in states.items() if state == CURRENT] or [FIRST]
        self._keys: Mapping[int, Key] = keys
        self.written_down = frozenset(states)
        self._destroyed = frozenset(n for n, state in states.items() if state == DESTROYED)
        self._retired = frozenset(n for n, state in states.items() if state == RETIRED)
        self._current = keys.get(sealing[0])

    def _known(self, entry: KeyEntry) -> Key | None:
        """Return a key that was derived before: that is done once."""
        known = getattr(self, "_keys", {}).get(entry.number)
        return known if known is not None and known.check == entry.check else None
