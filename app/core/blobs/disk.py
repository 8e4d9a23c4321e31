"""Bytes on the disk: written beside, flushed, renamed, and the folder flushed too."""

import os
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from app.core.blobs.contract import Found, Missing
from app.core.identifiers import new_id

FILE_MODE, FOLDER_MODE = 0o600, 0o700
FRESH = ".fresh-"


def flush_folder(folder: Path) -> None:
    """Make sure that the names in a folder survive a power cut."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def make_folder(folder: Path) -> None:
    """Make a folder, and those above it, for the server alone; durable when it returns."""
    missing = [one for one in (folder, *folder.parents) if not one.exists()]
    for one in reversed(missing):
        one.mkdir(mode=FOLDER_MODE, exist_ok=True)
        flush_folder(one.parent)


@dataclass(frozen=True)
class DiskStore:
    """A folder as a store."""

    folder: Path

    def _path(self, key: str) -> Path:
        return self.folder / key

    def put(self, key: str, source: Path) -> None:
        """Keep the bytes of a file."""
        target = self._path(key)
        make_folder(target.parent)
        fresh = target.parent / f"{FRESH}{new_id()}"
        handle = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, FILE_MODE)
        with os.fdopen(handle, "wb") as file, source.open("rb") as origin:
            shutil.copyfileobj(origin, file)
            file.flush()
            os.fsync(file.fileno())
        fresh.replace(target)
        flush_folder(target.parent)

    def read(self, key: str, start: int, end: int) -> bytes:
        """Return bytes from a position up to, not with, another one."""
        try:
            with self._path(key).open("rb") as file:
                file.seek(start)
                return file.read(end - start)
        except FileNotFoundError:
            raise Missing(key) from None

    def size(self, key: str) -> int:
        """Return how many bytes lie under a key."""
        try:
            return self._path(key).stat().st_size
        except FileNotFoundError:
            raise Missing(key) from None

    def delete(self, key: str) -> None:
        """Remove what lies under a key, and the folder that this leaves empty."""
        path = self._path(key)
        path.unlink(missing_ok=True)
        if path.parent != self.folder and path.parent.exists() and not any(path.parent.iterdir()):
            path.parent.rmdir()

    def list(self) -> Iterator[Found]:
        """Yield everything that is there, also what a crash has left half-written."""
        for path in self.folder.rglob("*"):
            try:
                found = path.stat()
            except FileNotFoundError:
                continue
            if path.is_file():
                key = path.relative_to(self.folder).as_posix()
                yield Found(key, found.st_size, found.st_mtime_ns // 1_000_000)
