"""Notice by ourselves that the database has gone back in time, and begin a new epoch.

Beside the database lies a milestone, outside of it: the epoch, and a generation that is raised in
both every half minute of work, at each start, and by each backup. A database whose generation is
behind its milestone is an older copy. On PostgreSQL the epoch that phones see holds the timeline
and the transaction that wrote it besides (``sync/stores/statements.py``); that needs no looking.
"""

import json
import logging
import os
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from flask import Flask, current_app, request
from sqlalchemy.orm import Session

from app.core import audit
from app.core.database import Database, Mode
from app.core.engine import Engine
from app.core.identifiers import new_id
from app.core.records import sync_tables
from app.core.settings import Settings
from app.core.span import as_house
from app.sync_api import erasures
from sync.stores.tables import EPOCH

log = logging.getLogger(__name__)
GENERATION, HOME, ENDED = "generation", "home", "was:"
LOOK_EVERY_S = 30.0
EXTENSION = "wangge_epochs"
BEHIND, STRANGE, MOVED, ORDERED = "behind", "strange", "moved", "ordered"


@dataclass(frozen=True, slots=True)
class Milestone:
    """What lies beside a database: which life it was in, and how far."""

    epoch: str
    generation: int


@dataclass(frozen=True, slots=True)
class Signs:
    """What a database says of itself.

    Attributes:
        home: the cluster in which it was last served, None before the first time.
        ended: its earlier epochs, with the generation at which each ended.
    """

    epoch: str
    generation: int
    home: str | None
    ended: Mapping[str, int]


def judged(signs: Signs, milestone: Milestone | None, *, home: str, alone: bool) -> str | None:
    """Return the reason for a new epoch, None when the database is the one that we knew.

    Args:
        home: the cluster in which the database is now.
        alone: True when a database that was served before must have a milestone: its only server
            keeps the milestone beside it.
    """
    served = signs.generation > 0
    if served and (signs.home not in (None, home) or (milestone is None and alone)):
        return MOVED
    if milestone is None or milestone.epoch in signs.ended:
        return None
    if milestone.epoch != signs.epoch:
        return STRANGE if served or milestone.generation else None
    return BEHIND if signs.generation < milestone.generation else None


# -- the milestone beside the database ------------------------------------------------------------


def place_of(settings: Settings) -> Path:
    """Return the path of the database's companions, without their suffix."""
    url = sa.make_url(settings.database_url)
    if url.get_backend_name() == "sqlite" and url.database:
        return Path(url.database)
    return settings.data_dir / f"wangge-{url.database}"


def read_milestone(path: Path) -> Milestone | None:
    """Return the milestone at a path, None when there is none that makes sense."""
    try:
        shape = json.loads(path.read_text(encoding="utf-8"))
        return Milestone(str(shape["epoch"]), int(shape["generation"]))
    except (FileNotFoundError, ValueError, KeyError, TypeError):
        return None


def write_milestone(path: Path, milestone: Milestone) -> None:
    """Put a milestone at a path, whole and on the disk."""
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f"{path.name}.{os.getpid()}.partial")
    with partial.open("w", encoding="utf-8") as file:
        json.dump({"epoch": milestone.epoch, "generation": milestone.generation}, file)
        file.flush()
        os.fsync(file.fileno())
    partial.replace(path)


# -- what the database says -----------------------------------------------------------------------


def _signs(session: Session) -> Signs:
    t = sync_tables.meta.c
    found = dict(iter(session.execute(sa.select(t.name, t.value))))
    ended = {name.removeprefix(ENDED): int(value) for name, value in found.items()
             if name.startswith(ENDED)}  # fmt: skip
    return Signs(found[EPOCH], int(found.get(GENERATION, 0)), found.get(HOME), ended)


def _home(session: Session) -> str:
    if session.get_bind().dialect.name == "sqlite":
        return "file"
    query = "SELECT system_identifier::text FROM pg_control_system()"
    return str(session.execute(sa.text(query)).scalar_one())


def _keep(session: Session, **values: object) -> None:
    """Write named values; never the epoch, whose row tells who wrote it."""
    t = sync_tables.meta
    for name, value in values.items():
        changed = session.execute(sa.update(t).where(t.c.name == name).values(value=str(value)))
        if not changed.rowcount:  # type: ignore[attr-defined]
            session.execute(sa.insert(t).values(name=name, value=str(value)))


@dataclass
class Epochs:
    """The watch over one database: looks when it is time, and when there is a new connection.

    Attributes:
        begun: is called when a new epoch has begun.
    """

    database: Database
    engine: Engine
    place: Path
    clock: Callable[[], float] = time.monotonic
    begun: Callable[[], None] = lambda: None
    _due_s: float = field(default=0.0, init=False)
    _looked: bool = field(default=False, init=False)
    _lock: threading.Lock = field(default_factory=threading.Lock, init=False)

    def __post_init__(self) -> None:
        if not self.database.is_sqlite:
            sa.event.listen(self.database.engine, "connect", self._connected)

    def _connected(self, _connection: Any, _record: Any) -> None:
        """Look soon: behind a new connection there may be another server."""
        self._due_s = 0.0

    @property
    def _path(self) -> Path:
        return self.place.with_name(f"{self.place.name}.milestone")

    def look_if_due(self) -> None:
        """Look when the last look is half a minute old, or something may have changed."""
        if self.clock() < self._due_s:
            return
        with self._lock:
            if self.clock() >= self._due_s:
                self._look_or_wait()
                self._due_s = self.clock() + LOOK_EVERY_S

    def _look_or_wait(self) -> None:
        """Look; a full disk must not stop those who only read, once we know where we are."""
        try:
            self.look()
            self._looked = True
        except (OSError, sa.exc.DBAPIError):
            if not self._looked:
                raise
            log.warning("could not write the milestone of the database", exc_info=True)

    @as_house()
    def look(self, *, reason: str | None = None) -> str | None:
        """Compare database and milestone, begin a new epoch if they differ, and raise both.

        Args:
            reason: begin a new epoch in any case, for this reason.

        Returns:
            Why a new epoch was begun, None when none was.
        """
        milestone = read_milestone(self._path)
        with self.database.transaction(Mode.WRITE) as session:
            _lock(session)
            signs, home = _signs(session), _home(session)
            alone = self.database.is_sqlite
            reason = reason or judged(signs, milestone, home=home, alone=alone)
            generation = max(signs.generation, milestone.generation if milestone else 0) + 1
            epoch = self._begin(session, signs, reason) if reason else signs.epoch
            _keep(session, generation=generation, home=home)
        write_milestone(self._path, Milestone(epoch, generation))
        if reason:
            self.begun()
        return reason

    def _begin(self, session: Session, signs: Signs, reason: str) -> str:
        """Begin a new epoch, and carry out again the erasures that a copy may have forgotten."""
        t, epoch = sync_tables.meta, new_id()
        session.execute(sa.update(t).where(t.c.name == EPOCH).values(value=epoch))
        _keep(session, **{f"{ENDED}{signs.epoch}": signs.generation})
        again = erasures.carry_out_again(session, self.engine, self.place)
        audit.record(session, "sync.new_epoch", user_id=None, subject=f"epoch:{epoch}",
                     reason=reason, generation=signs.generation, erasures=again)  # fmt: skip
        return epoch


def _lock(session: Session) -> None:
    """Let one process look at a time; pulls go on."""
    if session.get_bind().dialect.name != "sqlite":
        session.execute(sa.text("LOCK TABLE sync_meta IN SHARE ROW EXCLUSIVE MODE"))


def current_epochs() -> Epochs:
    """Return the watch of the running application."""
    epochs: Epochs = current_app.extensions[EXTENSION]
    return epochs


def init_app(app: Flask) -> None:
    """Watch over the database of an application, from its first request on."""
    settings: Settings = app.extensions["wangge_settings"]
    app.extensions[EXTENSION] = Epochs(
        app.extensions["wangge_database"], app.extensions["wangge_engine"], place_of(settings)
    )
    app.before_request(_look)


def _look() -> None:
    """Look before a guarded view runs; the others do without a database."""
    view = current_app.view_functions.get(request.endpoint or "")
    if hasattr(view, "action"):
        current_epochs().look_if_due()
