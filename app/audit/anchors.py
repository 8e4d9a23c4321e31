"""Keep signed anchors of the chain outside the database: beside it, and in a second place.

Two files lie beside the database (see ``place_of``). ``.audit-head`` holds the newest anchor and
is replaced at every sealing; ``.audit-anchors`` only grows: an anchor every ten minutes, and at
every export, check, retirement and setting back. What it gains also goes to the second place and
to the printed log, if the settings name them.
"""

import json
import logging
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from app.core.audit import Pen, moment_text
from app.core.audit_verifier import ANCHOR, SET_BACK, dump, message_of

log = logging.getLogger("wangge.audit")
EVERY_S, EVERY_ROWS = 600, 10_000
TAIL_BYTES = 4_096
Anchor = Mapping[str, Any]


@dataclass
class Outside:
    """The anchors of one database.

    Attributes:
        place: the database's companions, without their suffix.
        copy: the second place, if there is one.
        aloud: print what is added.
    """

    place: Path
    pen: Pen
    copy: Path | None = None
    aloud: bool = False
    _kept: tuple[int, datetime] = field(default=(0, datetime.min.replace(tzinfo=UTC)), init=False)

    @property
    def head(self) -> Path:
        """Return where the newest anchor lies."""
        return self.place.with_name(f"{self.place.name}.audit-head")

    @property
    def file(self) -> Path:
        """Return where the anchors lie that are kept."""
        return self.place.with_name(f"{self.place.name}.audit-anchors")

    def sign(self, kind: str, n: int, hash_: str, at: datetime, **more: Any) -> dict[str, Any]:
        """Return a signed anchor."""
        anchor = {"kind": kind, "n": n, "hash": hash_, "at": moment_text(at), **more}
        return {**anchor, "sig": self.pen.signer.sign(message_of(anchor)).hex()}

    def newest(self) -> Anchor | None:
        """Return the last that was signed of the head of the chain, None before the first time."""
        last = [*_anchors(self.file, TAIL_BYTES), *_anchors(self.head)]
        heads = [one for one in last if one["kind"] in (ANCHOR, SET_BACK)]
        return max(heads, key=lambda one: str(one["at"]), default=None)

    def kept(self) -> list[Anchor]:
        """Return the anchors that are kept, oldest first; a line that was cut off is left out."""
        return _anchors(self.file)

    def lines(self) -> list[str]:
        """Return all lines that a verifier may be given."""
        return [dump(one).decode() for one in (*self.kept(), *_anchors(self.head))]

    def put(self, n: int, hash_: str, at: datetime, *, firm: bool) -> None:
        """Anchor the head of the chain; it is on the disk afterwards.

        Args:
            firm: keep it in any case, not only when it is time.
        """
        anchor = self.sign(ANCHOR, n, hash_, at)
        last_n, last_at = self._kept
        due = (at - last_at).total_seconds() >= EVERY_S or n - last_n >= EVERY_ROWS
        if firm or due:
            self.keep(anchor)
            self._kept = (n, at)
        self._replace_head(anchor)

    def keep(self, anchor: Anchor) -> None:
        """Add an anchor to those that are kept, here and in the second place."""
        for path in (self.file, self.copy):
            if path is not None:
                _append(path, anchor)
        if self.aloud:
            log.warning("anchor %s", dump(anchor).decode())
        if anchor["kind"] == SET_BACK:
            self._replace_head(anchor)

    def _replace_head(self, anchor: Anchor) -> None:
        partial = self.head.with_name(f"{self.head.name}.{os.getpid()}.partial")
        _write(partial, os.O_TRUNC, dump(anchor) + b"\n")
        partial.replace(self.head)


def _append(path: Path, anchor: Anchor) -> None:
    """Add a line; it begins on a line of its own, also after one that was cut off."""
    _write(path, os.O_APPEND, b"\n" + dump(anchor) + b"\n")


def _write(path: Path, how: int, content: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    handle = os.open(path, os.O_WRONLY | os.O_CREAT | how, 0o600)
    with os.fdopen(handle, "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())


def _anchors(path: Path, most_bytes: int | None = None) -> list[Anchor]:
    """Return the anchors in a file, or in the last bytes of it."""
    try:
        with path.open("rb") as file:
            if most_bytes is not None:
                size = file.seek(0, os.SEEK_END)
                file.seek(max(0, size - most_bytes))
            lines = file.read().decode("utf-8", "replace").splitlines()
    except FileNotFoundError:
        return []
    return [one for one in map(_anchor, lines) if one]


def _anchor(line: str) -> Anchor | None:
    try:
        shape: Anchor = json.loads(line)
        return shape if shape["kind"] and shape["at"] and type(shape["n"]) is int else None
    except (ValueError, KeyError, TypeError):
        return None
