"""Jobs are done once they are committed, again when a worker died, and never by two at once."""

import threading

import pytest
import sqlalchemy as sa

from app.core import jobs
from app.core.database import Database, Mode
from app.core.jobs import HOLD_MS, Job, JobRow, Worker


class Bench:
    """A worker with a clock that the test moves, and a job that writes down its subjects."""

    def __init__(self, database: Database) -> None:
        self.now, self.done, self.faults = 1_000_000, [], 0
        work = {"note": Job(self.note), "round": Job(self.note, every_s=60)}
        self.worker = Worker(database, work, lambda: self.now)
        self.database = database

    def note(self, subject: str) -> None:
        if self.faults:
            self.faults -= 1
            raise RuntimeError("somebody's secret")
        self.done.append(subject)

    def ask(self, subject: str, delay_ms: int = 0) -> None:
        with self.database.transaction(Mode.WRITE) as session:
            jobs.ask_for(session, "note", subject, at_ms=self.now + delay_ms)

    def rows(self) -> list:
        with self.database.transaction(Mode.READ) as session:
            return list(session.execute(sa.select(JobRow.name, JobRow.tries, JobRow.fault)))


@pytest.fixture
def bench(database: Database) -> Bench:
    return Bench(database)


def test_a_job_is_done_once_however_often_it_was_asked_for(bench: Bench) -> None:
    bench.ask("a")
    bench.ask("a")
    bench.ask("b")
    assert bench.worker.work_off() == 2
    assert sorted(bench.done) == ["a", "b"] and bench.rows() == []


def test_a_job_falls_with_the_transaction_that_asked_for_it(bench: Bench) -> None:
    with pytest.raises(ValueError, match="rolled back"):
        with bench.database.transaction(Mode.WRITE) as session:
            jobs.ask_for(session, "note", "a", at_ms=bench.now)
            raise ValueError("rolled back")
    assert bench.worker.work_off() == 0


def test_a_job_waits_for_its_time(bench: Bench) -> None:
    bench.ask("later", delay_ms=500)
    assert bench.worker.work_off() == 0
    bench.now += 500
    assert bench.worker.work_off() == 1


def test_a_job_that_fails_is_tried_again_later_and_keeps_no_words_of_the_fault(
    bench: Bench,
) -> None:
    bench.faults = 2
    bench.ask("a")
    bench.worker.work_off()
    assert bench.done == [] and bench.rows() == [("note", 1, "RuntimeError")]
    for _ in range(2):
        bench.now += 60_000
        bench.worker.work_off()
    assert bench.done == ["a"] and bench.rows() == []


def test_a_job_whose_worker_died_is_taken_again_when_the_hold_has_run_out(bench: Bench) -> None:
    bench.ask("a")
    with bench.database.transaction(Mode.WRITE) as session:
        assert jobs.take(session, bench.now) is not None
    assert bench.worker.work_off() == 0
    bench.now += HOLD_MS
    assert bench.worker.work_off() == 1 and bench.done == ["a"]


def test_a_job_asked_for_while_it_runs_is_done_once_more(bench: Bench) -> None:
    once = iter([True])

    def ask_again(subject: str) -> None:
        if next(once, False):
            bench.ask(subject)
        bench.done.append(subject)

    bench.worker.jobs = {"note": Job(ask_again)}
    bench.ask("a")
    assert bench.worker.work_off() == 2
    assert bench.done == ["a", "a"]


def test_what_comes_round_by_itself_is_there_once_and_comes_again(bench: Bench) -> None:
    bench.worker.prepare()
    bench.worker.prepare()
    assert bench.worker.work_off() == 1
    bench.now += 60_000
    assert bench.worker.work_off() == 1
    assert bench.done == ["", ""]


def test_two_workers_never_do_the_same_job(bench: Bench) -> None:
    for number in range(40):
        bench.ask(str(number))
    workers = [threading.Thread(target=bench.worker.work_off) for _ in range(4)]
    for one in workers:
        one.start()
    for one in workers:
        one.join()
    bench.worker.work_off()
    assert sorted(bench.done) == sorted(map(str, range(40)))


def test_a_job_of_another_release_is_not_in_the_way(bench: Bench) -> None:
    with bench.database.transaction(Mode.WRITE) as session:
        jobs.ask_for(session, "gone", at_ms=bench.now)
    bench.ask("a")
    assert bench.worker.work_off() == 2 and bench.done == ["a"]
