"""What must happen after a request: rows written in its transaction, done later by a worker.

A worker takes a job by holding it for a while. Whatever dies with it can be taken again when
the hold has run out, so a job must come to the same end however often it runs.
"""

import logging
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, NamedTuple

import sqlalchemy as sa
from flask import Flask, current_app
from sqlalchemy.orm import Mapped, Session, mapped_column

from app.core import audit
from app.core.database import Base, BigInt, Database, Mode, insert_into, table_of
from app.core.moments import now_ms
from app.core.span import as_house
from sync.errors import Problem

log = logging.getLogger("wangge")

EXTENSION, BEATS = "wangge_jobs", "wangge_beats"
HOLD_MS = timedelta(minutes=5) // timedelta(milliseconds=1)
BACKOFF_MS_MIN, BACKOFF_MS_MAX = 2_000, 600_000
IDLE_S = 0.5
FAULT_CHARACTERS = 200


class JobRow(Base):
    """One job that waits, or that somebody holds."""

    __tablename__ = "job"
    __table_args__ = (
        sa.UniqueConstraint("name", "subject"),
        sa.Index("ix_job_due_ms", "due_ms"),
    )

    id: Mapped[int] = mapped_column(BigInt, primary_key=True, autoincrement=True)
    name: Mapped[str] = mapped_column(sa.String(40))
    # What it is about, so that the same job waits once only; empty for what comes round by itself.
    subject: Mapped[str] = mapped_column(sa.String(80), default="", server_default="")
    # Grows when the job is asked for again: a run that began before does not count for it.
    asked: Mapped[int] = mapped_column(default=1, server_default="1")
    due_ms: Mapped[int] = mapped_column(BigInt)
    tries: Mapped[int] = mapped_column(default=0, server_default="0")
    # The kind of error of the last try; never its words, which may hold somebody's.
    fault: Mapped[str | None] = mapped_column(sa.String(FAULT_CHARACTERS))


@dataclass(frozen=True, slots=True)
class Job:
    """A sort of job.

    Attributes:
        run: does it for a subject, in transactions of its own.
        every_s: how often it comes round by itself; None when it is only done on demand.
    """

    run: Callable[[str], None]
    every_s: int | None = None


class Taken(NamedTuple):
    """A job that this worker holds."""

    id: int
    name: str
    subject: str
    asked: int
    tries: int


_jobs = table_of(JobRow)


def ask_for(session: Session, name: str, subject: str = "", *, at_ms: int) -> None:
    """Write a job down; it stands or falls with the caller's transaction."""
    wish = insert_into(session, _jobs).values(name=name, subject=subject, due_ms=at_ms)
    sooner = sa.case((_jobs.c.due_ms < at_ms, _jobs.c.due_ms), else_=at_ms)
    session.execute(wish.on_conflict_do_update(
        index_elements=["name", "subject"], set_={"asked": _jobs.c.asked + 1, "due_ms": sooner}
    ))  # fmt: skip


def take(session: Session, at_ms: int) -> Taken | None:
    """Take the job that has been due longest, and hold it."""
    row = session.execute(
        sa.select(_jobs.c.id, _jobs.c.name, _jobs.c.subject, _jobs.c.asked, _jobs.c.tries)
        .where(_jobs.c.due_ms <= at_ms)
        .order_by(_jobs.c.due_ms, _jobs.c.id)
        .limit(1)
        .with_for_update(skip_locked=True)
    ).first()
    if row is None:
        return None
    session.execute(
        sa.update(_jobs)
        .where(_jobs.c.id == row.id)
        .values(due_ms=at_ms + HOLD_MS, tries=row.tries + 1)
    )
    return Taken(*row)


@dataclass
class Worker:
    """Takes jobs and does them, one at a time."""

    database: Database
    jobs: Mapping[str, Job]
    clock: Callable[[], int] = now_ms

    def prepare(self) -> None:
        """See that the jobs that come round by themselves are there."""
        with self.database.transaction(Mode.WRITE) as session:
            there = set(session.scalars(sa.select(_jobs.c.name).where(_jobs.c.subject == "")))
            for name, job in self.jobs.items():
                if job.every_s is not None and name not in there:
                    ask_for(session, name, at_ms=self.clock())

    def work_off(self, most: int = 1_000) -> int:
        """Do what is due now, and return how many jobs that were."""
        return next((done for done in range(most) if not self.do_one()), most)

    @as_house()
    def do_one(self) -> bool:
        """Do the next job; tell whether there was one."""
        now = self.clock()
        with self.database.transaction(Mode.LOOK) as session:
            due = session.execute(sa.select(_jobs.c.id).where(_jobs.c.due_ms <= now).limit(1))
            if due.first() is None:
                return False
        with self.database.transaction(Mode.WRITE) as session:
            taken = take(session, now)
        if taken is None:
            return False
        job = self.jobs.get(taken.name)
        try:
            if job:
                job.run(taken.subject)
        except Exception as error:  # the outer door of all jobs: whatever it is, try again later
            self._failed(taken, error)
        else:
            self._done(taken, job)
        return True

    def _done(self, taken: Taken, job: Job | None) -> None:
        this = sa.and_(_jobs.c.id == taken.id, _jobs.c.asked == taken.asked)
        with self.database.transaction(Mode.WRITE) as session:
            if job is not None and job.every_s is not None:
                due = self.clock() + job.every_s * 1000
                again: Any = sa.update(_jobs).where(this).values(due_ms=due, tries=0, fault=None)
            else:
                again = sa.delete(_jobs).where(this)
            if not session.execute(again).rowcount:  # type: ignore[attr-defined]
                self._at_once(session, taken)

    def _at_once(self, session: Session, taken: Taken) -> None:
        """It was asked for again meanwhile: do it once more."""
        values = {"due_ms": self.clock(), "tries": 0, "fault": None}
        session.execute(sa.update(_jobs).where(_jobs.c.id == taken.id).values(**values))

    def _failed(self, taken: Taken, error: Exception) -> None:
        word = error.code if isinstance(error, Problem) else type(error).__name__
        log.warning("job %s failed at try %d: %s", taken.name, taken.tries + 1, word)
        wait_ms = min(BACKOFF_MS_MAX, BACKOFF_MS_MIN * 2 ** min(taken.tries, 16))
        values = {"due_ms": self.clock() + wait_ms, "fault": word[:FAULT_CHARACTERS]}
        with self.database.transaction(Mode.WRITE) as session:
            if taken.tries == 0:
                audit.record(session, "job.failed", user_id=None, result=audit.REFUSED,
                             subject=f"{taken.name}:{taken.subject}", fault=word)  # fmt: skip
            session.execute(sa.update(_jobs).where(_jobs.c.id == taken.id).values(**values))

    def run(self, stopping: threading.Event) -> None:
        """Work until told to stop."""
        ready = False
        while not stopping.is_set():
            try:
                if not ready:
                    self.prepare()
                    ready = True
                if not self.do_one():
                    stopping.wait(IDLE_S)
            except sa.exc.DBAPIError as error:
                log.warning("worker: database not available: %s", type(error.orig).__name__)
                stopping.wait(IDLE_S * 4)


Beat = Callable[[threading.Event], None]
"""What runs beside the jobs, in a thread of its own, until it is told to stop: what may not wait
for a long job to end."""


def start_beats(app: Flask, stopping: threading.Event) -> None:
    """Start what runs beside the jobs of an application."""
    for beat in app.extensions[BEATS]:

        def run(beat: Beat = beat) -> None:
            with app.app_context():
                beat(stopping)

        threading.Thread(target=run, name="beat", daemon=True).start()


def worker_of(app: Flask) -> Worker:
    """Return a worker for the jobs of an application."""
    return Worker(app.extensions["wangge_database"], app.extensions[EXTENSION])


def work_beside(app: Flask) -> None:
    """Let a thread of this process work; for the embedded engine, which has one process only."""

    stopping = threading.Event()
    start_beats(app, stopping)

    def run() -> None:
        with app.app_context():
            worker_of(app).run(stopping)

    threading.Thread(target=run, name="worker", daemon=True).start()


def current_worker() -> Worker:
    """Return a worker for the running application."""
    return worker_of(current_app._get_current_object())  # type: ignore[attr-defined]
