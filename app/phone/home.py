"""The folder of one phone: its replica, its key and its tokens, readable by nobody else."""

import base64
import fcntl
import json
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_pem_private_key,
)  # fmt: skip

from app.core.driver import driver
from app.core.identifiers import new_id

if TYPE_CHECKING:
    import sqlite3

FOLDER_MODE, FILE_MODE = 0o700, 0o600
REPLICA, KEY, PAPERS, LOCK = "replica.db", "key.pem", "papers.json", "lock"
PHOTOS = "photos"


class Occupied(Exception):
    """Another command is syncing this phone just now."""


@dataclass(frozen=True, slots=True)
class Home:
    """One phone's folder."""

    folder: Path

    def prepare(self) -> None:
        """Make the folder for its owner alone."""
        self.folder.mkdir(mode=FOLDER_MODE, parents=True, exist_ok=True)
        self.folder.chmod(FOLDER_MODE)

    # -- papers: who this phone is ------------------------------------------------------------

    @property
    def papers(self) -> dict[str, Any]:
        """Return what the phone knows of itself: server, user, tokens; empty before enrolment."""
        try:
            papers: dict[str, Any] = json.loads((self.folder / PAPERS).read_bytes())
        except FileNotFoundError:
            return {}
        return papers

    def keep(self, **values: Any) -> None:
        """Write some of the papers; the old or the new ones survive a power cut, never half."""
        papers = {**self.papers, **values}
        self._write(PAPERS, json.dumps(papers, ensure_ascii=False, indent=1).encode())

    def erase(self) -> None:
        """Forget who this phone was, and everything it held."""
        for name in (PAPERS, KEY, REPLICA):
            (self.folder / name).unlink(missing_ok=True)
        self.drop_photos()

    def drop_photos(self) -> None:
        """Remove the pictures that wait here."""
        shutil.rmtree(self.folder / PHOTOS, ignore_errors=True)

    def erase_all_but(self, **values: Any) -> None:
        """Erase everything but these papers, which are written first."""
        self._write(PAPERS, json.dumps(values, ensure_ascii=False, indent=1).encode())
        for name in (KEY, REPLICA):
            (self.folder / name).unlink(missing_ok=True)
        self.drop_photos()

    # -- the key ------------------------------------------------------------------------------

    def key(self) -> ec.EllipticCurvePrivateKey:
        """Return the phone's own key; it is made once and never leaves the folder."""
        path = self.folder / KEY
        if not path.exists():
            made = ec.generate_private_key(ec.SECP256R1())
            self._write(KEY, made.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
        key = load_pem_private_key(path.read_bytes(), password=None)
        assert isinstance(key, ec.EllipticCurvePrivateKey), "we made it ourselves"
        return key

    def public_key(self) -> str:
        """Return the public half as the server wants it (SPKI, base64)."""
        half = self.key().public_key()
        return base64.b64encode(
            half.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
        ).decode()

    def sign(self, message: bytes) -> str:
        """Return the signature of a message (ECDSA, SHA-256, DER, base64url)."""
        signature = self.key().sign(message, ec.ECDSA(hashes.SHA256()))
        return base64.urlsafe_b64encode(signature).decode().rstrip("=")

    # -- the replica --------------------------------------------------------------------------

    def connect(self) -> "sqlite3.Connection":
        """Open the replica's database."""
        path = self.folder / REPLICA
        os.close(os.open(path, os.O_RDWR | os.O_CREAT, FILE_MODE))
        connection: sqlite3.Connection = driver.connect(str(path), timeout=20)
        connection.execute("PRAGMA synchronous=FULL")
        return connection

    @contextmanager
    def alone(self, lock: str = LOCK) -> Iterator[None]:
        """Keep other commands from doing the same at the same time.

        Raises:
            Occupied: one of them is doing so.
        """
        handle = os.open(self.folder / lock, os.O_RDWR | os.O_CREAT, FILE_MODE)
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            yield
        except BlockingIOError:
            raise Occupied from None
        finally:
            os.close(handle)

    def _write(self, name: str, raw: bytes) -> None:
        """Replace a file as a whole."""
        fresh = self.folder / f".{name}.{new_id()}"
        handle = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, FILE_MODE)
        with os.fdopen(handle, "wb") as file:
            file.write(raw)
            file.flush()
            os.fsync(file.fileno())
        fresh.replace(self.folder / name)
