"""Where bytes lie while they arrive: one file for each request, sealed piece by piece.

A request only ever adds to a file of its own. So one that was believed dead and wakes up can
spoil nothing: which pieces count is written in the row of the upload, and nowhere else.
"""

import os
import shutil
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from cryptography.exceptions import InvalidTag

from app.core.blobs.contract import Missing
from app.core.blobs.disk import FILE_MODE, flush_folder, make_folder
from app.core.sealed import LENGTH_BYTES, StreamCipher, frame_head
from sync.errors import Destroyed

Parts = Sequence[tuple[int, str]]
"""First byte and holder of each file, in order; each counts up to where the next one begins."""


@dataclass(frozen=True)
class Incoming:
    """The folder of all uploads under way."""

    folder: Path
    cipher: StreamCipher

    def append(self, upload: str, holder: str, at: int, piece: bytes) -> None:
        """Add a piece to a request's file; it survives a power cut when this returns."""
        path = self._path(upload, holder)
        fresh = not path.exists()
        if fresh:
            make_folder(path.parent)
        handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, FILE_MODE)
        with os.fdopen(handle, "wb") as file:
            file.write(self.cipher.seal_frame(piece, _place(upload, holder, at)))
            file.flush()
            os.fsync(file.fileno())
        if fresh:
            flush_folder(path.parent)

    def read(self, upload: str, parts: Parts, received: int) -> Iterator[bytes]:
        """Yield what counts of an upload, in order.

        Raises:
            Missing: a file is gone, cut short, or was changed.
        """
        ends = [start for start, _ in parts[1:]] + [received]
        for (start, holder), end in zip(parts, ends, strict=True):
            if start < end:
                yield from self._pieces(upload, holder, start, end)

    def _pieces(self, upload: str, holder: str, at: int, end: int) -> Iterator[bytes]:
        try:
            with self._path(upload, holder).open("rb") as file:
                while at < end:
                    piece = self.cipher.open_frame(*_frame(file), _place(upload, holder, at))
                    at += len(piece)
                    yield piece
        except (FileNotFoundError, InvalidTag, Destroyed, ValueError):
            raise Missing(upload) from None

    def discard(self, upload: str) -> None:
        """Remove all files of an upload."""
        shutil.rmtree(self.folder / upload, ignore_errors=True)

    def drop(self, upload: str, parts: Parts) -> None:
        """Remove the files of some requests; a newer one may be writing already."""
        for _, holder in parts:
            self._path(upload, holder).unlink(missing_ok=True)

    def uploads(self) -> Iterator[tuple[str, int]]:
        """Yield the uploads that have files, and when they were touched last (ms since 1970)."""
        for path in self.folder.iterdir() if self.folder.exists() else ():
            # An upload may end, and take its files with it, while they are looked at.
            with suppress(FileNotFoundError):
                touched = [path, *path.iterdir()] if path.is_dir() else [path]
                touched_ns = max(one.stat().st_mtime_ns for one in touched)
                yield path.name, touched_ns // 1_000_000

    def keys(self) -> Counter[int]:
        """Return how many files under way hold pieces sealed with which key."""
        found: Counter[int] = Counter()
        for path in self.folder.glob("*/*"):
            with suppress(FileNotFoundError), path.open("rb") as file:
                found.update(set(_keys(file)))
        return found

    def _path(self, upload: str, holder: str) -> Path:
        return self.folder / upload / holder


def _frame(file: BinaryIO) -> tuple[int, bytes]:
    """Read the next piece: the number of its key, and its sealed bytes."""
    number, length = frame_head(file.read(LENGTH_BYTES))
    return number, file.read(length)


def _keys(file: BinaryIO) -> Iterator[int]:
    """Yield the numbers of the keys of all pieces of a file."""
    while head := file.read(LENGTH_BYTES):
        number, length = frame_head(head)
        yield number
        file.seek(length, os.SEEK_CUR)


def _place(upload: str, holder: str, at: int) -> str:
    return f"upload/{upload}/{holder}/{at}"
