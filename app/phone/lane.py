"""The photo lane of a phone: pictures wait in its folder and go on where their bytes ended.

The facts of a photo are edits and go with the others; the bytes come after all of them, in
requests of their own. A broken line, another day or another network costs one request at most.
"""

import base64
import hashlib
import os
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from app.core.identifiers import new_id
from app.core.moments import as_text
from app.decoder.headers import Unfit, read_header
from app.phone.client import Phone
from app.phone.home import PHOTOS
from app.phone.line import Refused
from sync.replica_tables import Row

REQUEST_BYTES = 256 * 1024
HEAD_BYTES = 2 * 1024 * 1024
PHOTO_BYTES_MAX = 20 * 1024 * 1024
BYTES = "application/offset+octet-stream"
ARRIVED = ("stored", "ready")
GONE, ELSEWHERE = ("not_found", "upload_expired"), ("wrong_offset", "upload_taken_over")
FAULTS_MAX = 20


class NoPicture(Exception):
    """The file is no picture that the server takes; ``code`` is the server's word for it."""

    def __init__(self, code: str) -> None:
        super().__init__(code)
        self.code = code


@dataclass(frozen=True, slots=True)
class Ledger:
    """How many photos of one incident or task have arrived, of how many."""

    arrived: int
    taken: int


@dataclass(frozen=True, slots=True)
class Sent:
    """What a run of the lane brought: photos that arrived, photos still waiting."""

    arrived: int
    waiting: int


# -- taking -----------------------------------------------------------------------------------


def check(source: Path) -> str:
    """Return the type of a picture, by its content.

    Raises:
        NoPicture: the server would refuse it.
    """
    if source.stat().st_size > PHOTO_BYTES_MAX:
        raise NoPicture("too_large")
    try:
        with source.open("rb") as file:
            return read_header(file.read(HEAD_BYTES)).media_type
    except Unfit as unfit:
        raise NoPicture(unfit.code) from None


def take(phone: Phone, source: Path, **subject: str) -> str:
    """Keep a picture on the phone and note its facts; return the photo's id.

    Args:
        subject: ``incident`` or ``task``, by id.

    Raises:
        NoPicture: the server would refuse it.
    """
    media_type, photo = check(source), new_id()
    kept = _keep(phone, photo, source)
    with kept.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    taken_ms = min(int(source.stat().st_mtime * 1000), phone.clock().wall_ms)
    phone.edit("create", "photo", photo, {
        **subject, "sha256": digest, "size_bytes": kept.stat().st_size, "media_type": media_type,
        "taken_at": as_text(taken_ms),
    })  # fmt: skip
    return photo


def _keep(phone: Phone, photo: str, source: Path) -> Path:
    """Copy a picture into the phone's folder, where it survives a power cut."""
    folder = phone.home.folder / PHOTOS
    folder.mkdir(mode=0o700, exist_ok=True)
    fresh, kept = folder / f".{photo}", folder / photo
    handle = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(handle, "wb") as file, source.open("rb") as origin:
        shutil.copyfileobj(origin, file)
        file.flush()
        os.fsync(file.fileno())
    fresh.replace(kept)
    return kept


def waiting(phone: Phone) -> list[Path]:
    """Return the pictures that the server lacks, the oldest first."""
    folder = phone.home.folder / PHOTOS
    return sorted(one for one in folder.glob("[0-9a-f]*")) if folder.exists() else []


def ledger(phone: Phone, subject: str) -> Ledger | None:
    """Count the photos of an incident or a task; None when there are none."""
    rows = [one for one in phone.replica.rows("photo").values()
            if subject in (one.values.get("incident"), one.values.get("task"))]  # fmt: skip
    arrived = sum(one.values.get("state") in ARRIVED for one in rows)
    return Ledger(arrived, len(rows)) if rows else None


# -- bringing ---------------------------------------------------------------------------------


def bring(phone: Phone) -> Iterator[Row]:
    """Bring what waits, photo by photo; yield each that has arrived.

    What the server refuses for good is not tried again, and its picture leaves the phone.

    Raises:
        Away: the line is gone; what has arrived stays, and the rest waits.
    """
    for kept in waiting(phone):
        row = phone.replica.row("photo", kept.name)
        if row is None and not _is_coming(phone, kept.name):
            kept.unlink(missing_ok=True)  # what it belonged to has been erased
            continue
        if row is None or row.rv == 0:
            continue  # its facts have not arrived, or are parked
        if row.values.get("state") == "rejected" or _bring_one(phone, kept, row):
            kept.unlink(missing_ok=True)
            yield row


def _is_coming(phone: Phone, photo: str) -> bool:
    """Tell whether the facts of a photo are still to be sent, or wait for somebody."""
    unsent = any(edit["rec"] == photo for edit in phone.replica.outbox())
    return unsent or any(one.values["record"] == photo for one in phone.replica.parked())


def _bring_one(phone: Phone, kept: Path, row: Row) -> bool:
    """Bring one photo; tell whether its story on this phone is over."""
    if row.values.get("state") in ARRIVED:
        return True
    size, at, faults = kept.stat().st_size, None, 0
    while faults <= FAULTS_MAX:
        try:
            at = _begin(phone, kept.name, size) if at is None else _go_on(phone, kept, at)
        except Refused as refused:
            if refused.code in ELSEWHERE or refused.code == "wrong_bytes":
                at, faults = None, faults + 1
                continue
            return refused.status == 422
        if at >= size:
            return True
    return False


def _begin(phone: Phone, photo: str, size: int) -> int:
    """Open the upload, or the one that is under way, and return where to go on."""
    name = base64.b64encode(photo.encode()).decode()
    said = _ask(phone, "POST", "/files", Upload_Length=str(size), Upload_Metadata=f"photo {name}")
    return int(said["Upload-Offset"])


def _go_on(phone: Phone, kept: Path, at: int) -> int:
    """Send the next bytes, and return where to go on."""
    with kept.open("rb") as file:
        file.seek(at)
        piece = file.read(REQUEST_BYTES)
    said = _ask(phone, "PATCH", f"/files/{kept.name}", piece, Upload_Offset=str(at),
                Content_Type=BYTES)  # fmt: skip
    return int(said["Upload-Offset"])


def _ask(phone: Phone, method: str, path: str, raw: bytes = b"", **headers: str) -> Any:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return phone.ask(method, path, raw, headers={"Tus-Resumable": "1.0.0", **named}).headers


def send_all(phone: Phone) -> Sent:
    """Bring all that waits, alone in the lane; data goes its own way meanwhile.

    Raises:
        Occupied: another command is at it.
        Away: the line is gone.
    """
    with phone.home.alone("photos.lock"):
        arrived = sum(1 for _ in bring(phone))
    return Sent(arrived, len(waiting(phone)))
