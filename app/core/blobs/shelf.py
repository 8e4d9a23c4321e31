"""What lies where: a row for everything that is kept, sealed, and moved on when it can be.

Bytes come before their row: whoever sees a row finds the bytes, and bytes that never got a row
are swept away. With a store elsewhere, bytes first lie on this machine's disk (the spool), so
that no upload waits for another server; a job moves them on.
"""

import logging
import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import NamedTuple

import sqlalchemy as sa
from cryptography.exceptions import InvalidTag
from sqlalchemy.orm import Mapped, Session, mapped_column

from app.core.blobs.contract import BlobStore, Missing, Unreachable
from app.core.blobs.disk import DiskStore, make_folder
from app.core.blobs.s3 import S3Settings, S3Store
from app.core.database import Base, BigInt, Database, Mode, insert_into, table_of
from app.core.identifiers import new_id
from app.core.keyring import FIRST
from app.core.sealed import StreamCipher
from app.core.settings import Settings
from sync.errors import Destroyed, Problem

log = logging.getLogger("wangge")

SPOOL, STORE = "spool", "store"
MOVES_MAX = 50
KEYS_MAX = 500
GRACE_MS = timedelta(hours=12) // timedelta(milliseconds=1)
MB = 1_000_000


class BlobRow(Base):
    """One thing that is kept."""

    __tablename__ = "blob"

    key: Mapped[str] = mapped_column(sa.String(120), primary_key=True)
    size: Mapped[int] = mapped_column(BigInt)
    # The number of the key; the bytes themselves begin with it, here it can be counted.
    sealed_with: Mapped[int] = mapped_column(sa.SmallInteger, default=FIRST, server_default="1")
    place: Mapped[str] = mapped_column(sa.String(5), index=True)


class Kept(NamedTuple):
    """Bytes that are safe on the disk, and not yet in the books."""

    key: str
    size: int
    sealed_with: int


_blobs = table_of(BlobRow)


@dataclass(frozen=True)
class Shelf:
    """The bytes of one installation.

    Attributes:
        store: where they end up.
        spool: where they wait for it; None when the store is this disk.
        fresh: folder for what is being written.
    """

    database: Database
    cipher: StreamCipher
    store: BlobStore
    spool: DiskStore | None
    fresh: Path
    spool_bytes_max: int

    # -- keeping ------------------------------------------------------------------------------

    def keep(self, key: str, parts: Iterable[bytes], size: int) -> Kept:
        """Seal bytes and keep them; they survive a power cut when this returns."""
        return Kept(key, size, self._put(self.spool or self.store, key, parts))

    def _put(self, store: BlobStore, key: str, parts: Iterable[bytes]) -> int:
        """Seal bytes into a store; return the number of the key that sealed them."""
        make_folder(self.fresh)
        fresh = self.fresh / new_id()
        try:
            with fresh.open("wb") as file:
                sealed = self.cipher.seal(parts, key)
                head = next(sealed)
                file.write(head)
                file.writelines(sealed)
            store.put(key, fresh)
        finally:
            fresh.unlink(missing_ok=True)
        return head[0]

    def enter(self, session: Session, kept: Sequence[Kept]) -> None:
        """Write into the books what has been kept."""
        place = SPOOL if self.spool else STORE
        insertion = insert_into(session, _blobs)
        insertion = insertion.on_conflict_do_update(
            index_elements=["key"],
            set_={"size": insertion.excluded.size, "place": place,
                  "sealed_with": insertion.excluded.sealed_with},
        )  # fmt: skip
        rows = [{**one._asdict(), "place": place} for one in kept]
        session.execute(insertion, rows)

    def strike(self, session: Session, keys: Iterable[str]) -> None:
        """Strike things out of the books; :meth:`discard` then removes the bytes."""
        session.execute(sa.delete(_blobs).where(_blobs.c.key.in_(list(keys))))

    def discard(self, keys: Iterable[str]) -> None:
        """Remove bytes that are in the books no more; what fails here is swept up later."""
        with suppress(Unreachable):
            for key in keys:
                for store in self._stores():
                    store.delete(key)

    def _stores(self) -> Iterator[BlobStore]:
        yield self.store
        if self.spool:
            yield self.spool

    # -- reading ------------------------------------------------------------------------------

    def size(self, session: Session, key: str) -> int | None:
        """Return how many plain bytes are kept under a key, None when there are none."""
        return session.scalars(sa.select(_blobs.c.size).where(_blobs.c.key == key)).first()

    def read(self, key: str, size: int, start: int, end: int) -> Iterator[bytes]:
        """Yield plain bytes from a position up to, not with, another one.

        Raises:
            Missing, Unreachable, InvalidTag, Destroyed: as their names say.
        """
        return self.cipher.open(partial(self.read_sealed, key), size, key, start, end)

    def read_sealed(self, key: str, first: int, last: int) -> bytes:
        """Return bytes as they lie there.

        Raises:
            Missing, Unreachable: as their names say.
        """
        if self.spool:
            try:
                return self.spool.read(key, first, last)
            except Missing:
                pass  # it has been moved on
        return self.store.read(key, first, last)

    # -- the spool ----------------------------------------------------------------------------

    def check_room(self, session: Session) -> None:
        """Refuse more bytes for the moment when too many wait for the store.

        Raises:
            Problem: 503 ``storage_busy``.
        """
        if self.spool is None:
            return
        waiting = sa.select(sa.func.coalesce(sa.func.sum(_blobs.c.size), 0))
        waiting = waiting.where(_blobs.c.place == SPOOL)
        if session.execute(waiting).scalar_one() >= self.spool_bytes_max:
            raise Problem(503, "storage_busy", retry_after_s=60)

    def move(self) -> int:
        """Move what waits on to the store, some at a time; return how many were moved.

        Raises:
            Unreachable: the store does not answer; what was moved stays moved.
        """
        if self.spool is None:
            return 0
        with self.database.transaction(Mode.READ) as session:
            keys = session.scalars(
                sa.select(_blobs.c.key).where(_blobs.c.place == SPOOL).limit(MOVES_MAX)
            ).all()
        for key in keys:
            self._move_one(self.spool, key)
        return len(keys)

    def _move_one(self, spool: DiskStore, key: str) -> None:
        """Copy, note, and only then delete: a move that dies anywhere can be made again."""
        try:
            self.store.put(key, spool.folder / key)
        except FileNotFoundError:
            log.error("blob %s waits for the store and is not on the disk", key)
            return
        with self.database.transaction(Mode.WRITE) as session:
            session.execute(sa.update(_blobs).where(_blobs.c.key == key).values(place=STORE))
        spool.delete(key)

    # -- sealing anew -------------------------------------------------------------------------

    def sealed(self, session: Session) -> Mapping[int, int]:
        """Return how many things are sealed with which key."""
        numbers = sa.select(_blobs.c.sealed_with, sa.func.count()).group_by(_blobs.c.sealed_with)
        return {row[0]: row[1] for row in session.execute(numbers)}

    def keys(self, session: Session) -> Sequence[str]:
        """Return the keys of everything that is in the books."""
        return session.scalars(sa.select(_blobs.c.key).order_by(_blobs.c.key)).all()

    def left(self, session: Session, after: str, limit: int) -> Sequence[tuple[str, int]]:
        """Return key and size of the next things that another key has sealed.

        What still waits in the spool is left out: it has its turn when it has been moved on.
        """
        query = sa.select(_blobs.c.key, _blobs.c.size).where(
            _blobs.c.key > after, _blobs.c.place == STORE,
            _blobs.c.sealed_with != self.cipher.ring.current.number,
        )  # fmt: skip
        rows = session.execute(query.order_by(_blobs.c.key).limit(limit))
        return [(row.key, row.size) for row in rows]

    def seal_anew(self, key: str, size: int) -> None:
        """Seal one thing with the current key, under the same name.

        The bytes come before the row, as ever. They say themselves which key opens them, so it
        does not matter if the row is behind.

        Raises:
            Missing, Unreachable, InvalidTag, Destroyed: as their names say.
        """
        number = self._put(self.store, key, self.read(key, size, 0, size))
        with self.database.transaction(Mode.WRITE) as session:
            session.execute(sa.update(_blobs).where(_blobs.c.key == key).values(sealed_with=number))

    def key_of(self, key: str) -> int:
        """Return the number of the key that has sealed a thing, from its bytes.

        Raises:
            Missing, Unreachable: as their names say.
        """
        return self.read_sealed(key, 0, 1)[0]

    # -- order --------------------------------------------------------------------------------

    def sweep(self, now_ms: int) -> int:
        """Remove bytes that are in no book and not just being written; return how many."""
        swept = 0
        for store in self._stores():
            for key in self._strangers(store, before_ms=now_ms - GRACE_MS):
                store.delete(key)
                swept += 1
        return swept + self._sweep_fresh(now_ms)

    def _strangers(self, store: BlobStore, *, before_ms: float = math.inf) -> Iterator[str]:
        """Yield the keys of a store that are in no book; some hundred are asked for at once."""
        keys = [one.key for one in store.list() if one.written_ms < before_ms]
        for first in range(0, len(keys), KEYS_MAX):
            some = keys[first : first + KEYS_MAX]
            yield from set(some) - self._known(some, store)

    def _known(self, keys: Sequence[str], store: BlobStore) -> set[str]:
        """Return the keys that the books expect in a store; a copy left in the spool is none."""
        wanted = sa.select(_blobs.c.key).where(_blobs.c.key.in_(keys))
        if store is self.spool:
            wanted = wanted.where(_blobs.c.place == SPOOL)
        with self.database.transaction(Mode.READ) as session:
            return set(session.scalars(wanted))

    def _sweep_fresh(self, now_ms: int) -> int:
        """Remove what a crash has left half-written."""
        old = [
            path for path in (self.fresh.iterdir() if self.fresh.exists() else ())
            if path.stat().st_mtime * 1000 < now_ms - GRACE_MS
        ]  # fmt: skip
        for path in old:
            path.unlink(missing_ok=True)
        return len(old)

    def faults(self) -> Iterator[str]:
        """Yield the keys whose bytes are missing, cut off or changed; reads everything."""
        with self.database.transaction(Mode.READ) as session:
            rows = session.execute(sa.select(_blobs.c.key, _blobs.c.size)).all()
        for key, size in rows:
            if not self._is_whole(key, size):
                yield key

    def _is_whole(self, key: str, size: int) -> bool:
        try:
            return sum(map(len, self.read(key, size, 0, size))) == size
        except (Missing, InvalidTag, Destroyed, ValueError):
            return False

    def orphans(self) -> Iterator[str]:
        """Yield the keys of bytes that are in no book."""
        for store in self._stores():
            yield from self._strangers(store)


def build_shelf(settings: Settings, database: Database, cipher: StreamCipher) -> Shelf:
    """Return the shelf that the settings ask for."""
    spool = settings.data_dir / "spool"
    here = not settings.s3_endpoint
    store: BlobStore = DiskStore(settings.data_dir / "photos") if here else S3Store(
        S3Settings(settings.s3_endpoint, settings.s3_bucket, settings.s3_region,
                   settings.s3_access_key, settings.s3_secret_key)
    )  # fmt: skip
    return Shelf(
        database, cipher, store, None if here else DiskStore(spool / "waiting"), spool / "fresh",
        settings.spool_mb * MB,
    )  # fmt: skip
