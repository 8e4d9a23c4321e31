"""Prove that photos arrive whole over lines that break, at a server that is killed.

Phones upload over HTTP to the real server. Their requests are cut off (FIN or RST) at random
bytes, some bytes are damaged on the way, some phones guess where to go on, and the server is
killed with -9. At the end every photo must be there with its hash, and nothing else.

    python -m tests.prove.photos --engine sqlite --uploads 500 --kills 20 --seed 1
        [--sabotage unchecked_hash]
"""

import base64
import hashlib
import random
import socket
import struct
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import sqlalchemy as sa

from app.core.database import Mode
from app.core.identifiers import new_id
from app.core.moments import now_ms
from app.photos.finishing import file_key
from app.photos.lane import EXTENSION
from app.photos.models import Photo, PhotoFile, Upload
from app.photos.rules import ARRIVED
from app.photos.tending import UNUSED_MS, drop_files, expire_uploads
from app.photos.uploads import Lane
from tests.app.core.county import incident
from tests.app.identity.town import GRID
from tests.app.photos.camera import facts, picture
from tests.prove import kill9
from tests.prove.ground import Ground, open_ground, run_as_command
from tests.prove.server import Server

PHONES = 4
SMALLEST, LARGEST = 50_000, 20 * 1024 * 1024 - 1
PIECE_BYTES, REQUEST_BYTES = 16 * 1024, 256 * 1024
CUTS_A_PHOTO = 3.0
DAMAGED, GUESSED = 0.15, 0.3
ANSWER_WITHIN_S = 60.0
AGAIN_BYTES_MAX = 256 * 1024
A_DAY_MS = 24 * 3_600_000
SABOTAGES: Mapping[str, str] = {
    "unchecked_hash": "tests.prove.photo_faults:unchecked_hash",
    "clients_offset": "tests.prove.photo_faults:clients_offset",
    "row_first": "tests.prove.photo_faults:row_first",
}


@dataclass
class Uploader(kill9.Sender):
    """A phone that registers a photo and brings its bytes, whatever happens to the line."""

    photos: list[tuple[str, str]] = field(default_factory=list)
    again: list[int] = field(default_factory=list)
    cuts: int = 0
    quota: int = 0
    sound: bool = True
    largest: int = LARGEST

    def run(self) -> None:
        """Take and bring photos until so many are done, or the run is broken off."""
        while len(self.photos) < self.quota and not self.stopping.is_set():
            self._one_photo()

    def _one_photo(self) -> None:
        size = int(SMALLEST * (self.largest / SMALLEST) ** self.random.random())
        raw = picture(self.random.randrange(40))
        raw += self.random.randbytes(size - len(raw))
        photo = self._register(raw)
        if photo is None:
            return
        if self._bring(photo, raw):
            self.photos.append((photo, hashlib.sha256(raw).hexdigest()))

    def _register(self, raw: bytes) -> str | None:
        """Push the facts until they are taken."""
        report, photo = new_id(), new_id()
        edits = [("incident", report, incident(photo_count=1)),
                 ("photo", photo, facts(raw, incident=report))]  # fmt: skip
        self.outbox = []
        for kind, record, values in edits:
            self.n += 1
            self.outbox.append({"n": self.n, "id": new_id(), "op": "create", "kind": kind,
                                "rec": record, "set": values})  # fmt: skip
        while not self._push():
            if self.stopping.is_set():
                return None
            time.sleep(0.1)
        return photo

    def _bring(self, photo: str, raw: bytes) -> bool:
        """Bring the bytes; tell whether all are there, or the run was broken off."""
        cuts = self._cuts(len(raw))
        damaged = self.random.random() < DAMAGED
        self.sound = not damaged
        at: int | None = None
        while not self.stopping.is_set():
            if at is None:
                at = self._where(photo, len(raw))
            elif at >= len(raw):
                if self._where(photo, len(raw)) == len(raw):
                    return True
                at = None
            else:
                at, damaged = self._send(photo, raw, at, cuts, damaged=damaged)
        return False

    def _cuts(self, size: int) -> list[int]:
        """Return at which bytes the line will break, the last first."""
        count = min(10, int(self.random.expovariate(1 / CUTS_A_PHOTO) + 0.5))
        return sorted((self.random.randrange(1, size) for _ in range(count)), reverse=True)

    def _where(self, photo: str, length: int) -> int | None:
        """Ask where to go on; open the upload if there is none."""
        status, headers = self._ask("HEAD", f"/{photo}", {})
        if status == 404:
            name = base64.b64encode(photo.encode()).decode()
            self._ask("POST", "", {"Upload-Length": str(length), "Content-Length": "0",
                                   "Upload-Metadata": f"photo {name}"})  # fmt: skip
            return None
        if status != 200:
            time.sleep(0.1)
            return None
        return int(headers["upload-offset"])

    def _send(
        self, photo: str, raw: bytes, at: int, cuts: list[int], *, damaged: bool
    ) -> tuple[int | None, bool]:
        """Send one request, whole or cut off; return where to go on, if that is known."""
        end = min(len(raw), at + REQUEST_BYTES)
        cut = cuts.pop() if cuts and cuts[-1] < end else None
        stop = max(at, cut) if cut is not None else end
        body = bytearray(raw[at:end])
        if damaged:
            body[len(body) // 2] ^= 1
        status, headers = self._ask(
            "PATCH", f"/{photo}", {"Upload-Offset": str(at), "Content-Length": str(end - at),
                                   "Content-Type": "application/offset+octet-stream"},
            bytes(body), stop=stop - at if cut is not None else None,
        )  # fmt: skip
        if status in (204, 422):
            return (int(headers["upload-offset"]) if status == 204 else None), damaged and (
                status != 422
            )
        if status:
            return None, damaged
        self.cuts += 1
        if not damaged:
            self._count_again(photo, at, stop, len(raw))
        return (stop if self.random.random() < GUESSED else None), damaged

    def _count_again(self, photo: str, at: int, sent: int, length: int) -> None:
        """Note how much of what was sent is not there when the line is back."""
        found = self._where(photo, length)
        while found is None and not self.stopping.is_set():
            found = self._where(photo, length)
        if found is not None and found <= sent:
            self.again.append(sent - max(at, found))

    def _ask(
        self, method: str, path: str, headers: dict[str, str], body: bytes = b"",
        stop: int | None = None,
    ) -> tuple[int, dict[str, str]]:  # fmt: skip
        """Send one request over a line of its own; status 0 stands for a line that broke."""
        lines = {"Host": "127.0.0.1", "Tus-Resumable": "1.0.0", "Connection": "close",
                 "Authorization": f"Bearer {self._token()}", **headers}  # fmt: skip
        head = f"{method} /api/v1/files{path} HTTP/1.1\r\n" + "".join(
            f"{name}: {value}\r\n" for name, value in lines.items()
        )
        try:
            with socket.create_connection(("127.0.0.1", self.server.port), 5) as line:
                line.settimeout(ANSWER_WITHIN_S)
                line.sendall(head.encode() + b"\r\n")
                for first in range(0, len(body) if stop is None else stop, PIECE_BYTES):
                    last = min(first + PIECE_BYTES, len(body) if stop is None else stop)
                    line.sendall(body[first:last])
                if stop is not None:
                    return self._break(line)
                status, answer = _answer(line)
                if status == 422 and self.sound:
                    self.faults.append(f"sound bytes were doubted: {path}")
                return status, answer
        except (OSError, ValueError):
            time.sleep(0.05)
            return 0, {}

    def _break(self, line: socket.socket) -> tuple[int, dict[str, str]]:
        """Break the line: half of the time in order, else as a tunnel does."""
        if self.random.random() < 0.5:
            line.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        return 0, {}


def _answer(line: socket.socket) -> tuple[int, dict[str, str]]:
    raw = b""
    while b"\r\n\r\n" not in raw:
        read = line.recv(4096)
        if not read:
            raise OSError("no whole answer")
        raw += read
    first, *rest = raw.split(b"\r\n\r\n")[0].decode("latin-1").split("\r\n")
    headers = (one.partition(":") for one in rest)
    return int(first.split()[1]), {name.lower(): value.strip() for name, _, value in headers}


def _check(ground: Ground, uploaders: list[Uploader]) -> list[str]:
    """Compare what the phones believe to have brought with what is there, and there in a day."""
    lane: Lane = ground.county.app.extensions[EXTENSION]
    drop_files(lane, now_ms())
    drop_files(lane, now_ms() + UNUSED_MS + 1)
    expire_uploads(lane, now_ms() + A_DAY_MS)
    lane.shelf.sweep(now_ms() + A_DAY_MS)
    photo, file = Photo.__table__, PhotoFile.__table__
    with ground.database.transaction(Mode.READ) as session:
        rows = {
            row.id: row for row in session.execute(
                sa.select(photo.c.id, photo.c.state, photo.c.file, file.c.size_bytes)
                .outerjoin(file, file.c.id == photo.c.file)
            )
        }  # fmt: skip
        open_uploads = session.scalars(sa.select(Upload.photo)).all()
    brought = [pair for one in uploaders for pair in one.photos]
    wrong = [name for name, digest in brought if _hash(lane, rows.get(name)) != digest]
    worst = max((size for one in uploaders for size in one.again), default=0)
    found = {
        "not there or another hash": len(wrong),
        "not said to be stored": sum(rows[name].state not in ARRIVED for name, _ in brought
                                     if name in rows),
        "rows without their bytes": len(list(lane.shelf.faults())),
        "bytes of uploads that are over": sum(1 for name, _ in lane.incoming.uploads()
                                              if name not in open_uploads),
        "bytes without a row": len(list(lane.shelf.orphans())),
        "sent again after one cut": worst if worst > AGAIN_BYTES_MAX else 0,
    }  # fmt: skip
    return [f"{name}: {count}" for name, count in found.items() if count]


def _hash(lane: Lane, row: Any) -> str | None:
    if row is None or row.file is None:
        return None
    digest = hashlib.sha256()
    try:
        for piece in lane.shelf.read(file_key(row.file), row.size_bytes, 0, row.size_bytes):
            digest.update(piece)
    except Exception:
        return None
    return digest.hexdigest()


def prove(
    engine: str,
    uploads: int,
    kills: int,
    seed: int,
    sabotage: str | None = None,
    seconds: int = 3600,
    largest: int = LARGEST,
) -> dict[str, Any]:
    """Bring photos over bad lines to a server that is killed, and tell what was lost."""
    began, chance = time.monotonic(), random.Random(seed)
    kill9.TOKEN_LIFE_S = 300.0
    with open_ground(engine) as ground:
        environment = {**ground.environment, "UPLOAD_MB_PER_DAY": "1000000"}
        server = Server(environment, SABOTAGES.get(sabotage or "", "wsgi:app"))
        uploaders = _uploaders(ground, server, uploads, seed, largest)
        server.start()
        threads = [threading.Thread(target=one.run) for one in uploaders]
        for thread in threads:
            thread.start()
        killed = 0
        while any(thread.is_alive() for thread in threads):
            done = sum(len(one.photos) for one in uploaders)
            if killed < kills and done >= uploads * killed / (kills + 1):
                time.sleep(chance.uniform(0.1, 1.5))
                server.kill()
                killed += 1
                server.start()
            caught = sabotage and any(one.faults for one in uploaders)
            if caught or time.monotonic() - began > seconds:
                uploaders[0].stopping.set()
            time.sleep(0.05)
        for thread in threads:
            thread.join()
        server.stop()
        violations = [fault for one in uploaders for fault in one.faults]
        violations += _check(ground, uploaders)
        missing = uploads - sum(len(one.photos) for one in uploaders)
        violations += [f"never arrived: {missing}"] if missing else []
    return _figures(uploaders, killed, violations, time.monotonic() - began)


def _uploaders(
    ground: Ground, server: Server, uploads: int, seed: int, largest: int
) -> list[Uploader]:
    stopping, found = threading.Event(), []
    for number in range(PHONES):
        name = f"worker {number}"
        ground.county.person(name, "gw", GRID)
        quota = uploads // PHONES + (number < uploads % PHONES)
        found.append(
            Uploader(
                ground,
                server,
                name,
                random.Random(f"{seed}/{number}"),
                stopping,
                quota=quota,
                largest=largest,
            )
        )
    return found


def _figures(
    uploaders: list[Uploader], killed: int, violations: list[str], took_s: float
) -> dict[str, Any]:
    again = [size for one in uploaders for size in one.again]
    return {
        "prover": "photos", "uploads": sum(len(one.photos) for one in uploaders),
        "killed": killed, "cuts": sum(one.cuts for one in uploaders),
        "again_bytes_max": max(again, default=0),
        "again_bytes_mean": round(sum(again) / max(1, len(again))), "took_s": round(took_s, 1),
        "violations": violations,
    }  # fmt: skip


if __name__ == "__main__":
    run_as_command(prove, list(SABOTAGES), more={
        "uploads": 500, "kills": 20, "seconds": 7200, "largest": LARGEST,
    })  # fmt: skip
