"""What every store of bytes can do; the same tests hold for all of them."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol


class Unreachable(Exception):
    """The store does not answer just now; nothing is lost, try again later."""


class Missing(Exception):
    """The store answers, and has nothing under this key."""


@dataclass(frozen=True, slots=True)
class Found:
    """One object of a store, and when it was written (ms since 1970)."""

    key: str
    size: int
    written_ms: int


class BlobStore(Protocol):
    """Bytes by key. Keys are ours: small letters, digits, dashes, dots and slashes."""

    def put(self, key: str, source: Path) -> None:
        """Keep the bytes of a file; when this returns they survive a power cut.

        The same bytes may be put again under the same key.

        Raises:
            Unreachable: the store does not answer.
        """

    def read(self, key: str, start: int, end: int) -> bytes:
        """Return bytes from a position up to, not with, another one.

        Raises:
            Missing, Unreachable: as their names say.
        """

    def size(self, key: str) -> int:
        """Return how many bytes lie under a key.

        Raises:
            Missing, Unreachable: as their names say.
        """

    def delete(self, key: str) -> None:
        """Remove what lies under a key, if anything does.

        Raises:
            Unreachable: the store does not answer.
        """

    def list(self) -> Iterator[Found]:
        """Yield everything that is there.

        Raises:
            Unreachable: the store does not answer.
        """
