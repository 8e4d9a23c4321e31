"""Where ready-made copies lie until somebody wants them: sealed files, bounded in number and size.

A copy shows what one sight may see, and is only found under that sight. Losing a file costs a
new one; a file that was cut or changed opens no more and counts as lost.
"""

import contextlib
import hashlib
import os
import secrets
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from cryptography.exceptions import InvalidTag

from app.core.cipher import Cipher
from sync.errors import Destroyed
from sync.snapshot import Snapshot

BYTES_MAX = 256 * 1024 * 1024
VERSIONS_MAX = 2
KEPT_S = 7 * 86_400
NAME_CHARACTERS = 16


@dataclass(frozen=True, slots=True)
class Kept:
    """A copy in the cupboard, closed."""

    path: Path
    ver: int
    tag: str


@dataclass
class Cupboard:
    """The copies of one server in one folder; several processes may share it."""

    folder: Path
    cipher: Cipher
    bytes_max: int = BYTES_MAX
    _locks: dict[Path, threading.Lock] = field(default_factory=dict)

    def shelf(self, scope: str) -> Path:
        """Return the folder of a scope."""
        return self.folder / _short(scope)

    def find(self, epoch: str, scope: str, sight: str) -> list[Kept]:
        """Return the copies that there are, newest first."""
        found = []
        for path in self.shelf(scope).glob(f"{_short(epoch)}-{_short(sight)}-*.copy"):
            ver, tag = path.stem.split("-")[2:]
            found.append(Kept(path, int(ver), tag))
        return sorted(found, key=lambda one: one.ver, reverse=True)

    def open(self, kept: Kept, epoch: str, scope: str) -> Snapshot | None:
        """Open a copy; None when it has gone or is not what was put there."""
        try:
            body = self.cipher.open_bytes(kept.path.read_bytes(), f"snapshot/{kept.path.name}")
        except (OSError, InvalidTag, Destroyed, ValueError):
            return None
        return Snapshot(epoch, scope, kept.ver, kept.tag, body)

    def put(self, copy: Snapshot, sight: str) -> None:
        """Keep a copy, and clear away what is old or too much."""
        shelf = self.shelf(copy.scope)
        shelf.mkdir(mode=0o700, parents=True, exist_ok=True)
        name = f"{_short(copy.epoch)}-{_short(sight)}-{copy.ver:020d}-{copy.tag}.copy"
        sealed = self.cipher.seal_bytes(copy.body, f"snapshot/{name}")
        draft = shelf / f"{secrets.token_hex(8)}.new"
        handle = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(handle, "wb") as file:
            file.write(sealed)
        # The shelf may just have been emptied for the law's sake: then the copy is not kept.
        with contextlib.suppress(FileNotFoundError):
            draft.rename(shelf / name)
        for old in self.find(copy.epoch, copy.scope, sight)[VERSIONS_MAX:]:
            old.path.unlink(missing_ok=True)
        self._clear()

    def forget(self, scope: str) -> None:
        """Throw away all copies of a scope, because something in it was erased by law."""
        for path in self.shelf(scope).glob("*"):
            path.unlink(missing_ok=True)

    def empty(self) -> None:
        """Throw away everything: the database went back in time, and these copies are of before."""
        for path in self.folder.glob("*/*"):
            path.unlink(missing_ok=True)

    def keep_only(self, number: int) -> None:
        """Throw away what another key than one has sealed; it costs a new copy when it is asked."""
        for path in self.folder.glob("*/*"):
            with contextlib.suppress(FileNotFoundError), path.open("rb") as file:
                if file.read(1) != bytes([number]):
                    path.unlink(missing_ok=True)

    def _clear(self) -> None:
        """Throw away the oldest until what is left is neither too old nor too much."""
        files = []
        for path in self.folder.glob("*/*"):
            with contextlib.suppress(FileNotFoundError):
                stat = path.stat()
                files.append((stat.st_mtime, stat.st_size, path))
        left, now = self.bytes_max, time.time()
        for at, size, path in sorted(files, reverse=True):
            left -= size
            if left < 0 or now - at > KEPT_S:
                path.unlink(missing_ok=True)

    @contextmanager
    def making(self, scope: str, sight: str) -> Iterator[None]:
        """Let one thread make a copy while the others who want it wait."""
        with self._locks.setdefault(self.shelf(scope) / _short(sight), threading.Lock()):
            yield


def _short(word: str) -> str:
    return hashlib.sha256(word.encode()).hexdigest()[:NAME_CHARACTERS]
