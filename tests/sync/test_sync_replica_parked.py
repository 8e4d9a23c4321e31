"""The phone shows what is parked, mends it without a network, and goes on when it is too old."""

from collections.abc import Iterator
from typing import Any

import pytest

from sync.replica import Replica
from tests.sync.house import NOW_MS, name_of
from tests.sync.server import Server, moment
from tests.sync.worker import Worker

PLOT = name_of("plot")
TOO_OLD = {"status": 426, "code": "upgrade_required", "min_schema": 3}


@pytest.fixture
def ann(server: Server) -> Iterator[Worker]:
    worker = Worker(server, "ann", 1, ("grid:7", "me:1"))
    yield worker
    worker.connection.close()


@pytest.fixture
def bob(server: Server) -> Iterator[Worker]:
    worker = Worker(server, "bob", 2, ("grid:7", "me:2"))
    yield worker
    worker.connection.close()


def _spoil(worker: Worker) -> str:
    edit = worker.edit("create", "plot", PLOT, grid=7, name="n" * 41)
    worker.sync()
    return edit


def test_what_is_parked_is_shown_with_the_reason(ann: Worker, bob: Worker) -> None:
    edit = _spoil(ann)
    bob.sync()
    for worker in (ann, bob):
        [row] = worker.phone.parked()
        assert (row.rec, row.values["code"], row.values["user"]) == (edit, "invalid_fields", 1)


def test_a_repair_without_a_network_counts_at_once_and_goes_through_later(ann: Worker) -> None:
    edit = _spoil(ann)
    ann.edit("repair", "parked", edit, name="short")
    assert ann.phone.parked() == []
    ann.sync()
    row = ann.phone.row("plot", PLOT)
    assert row is not None and row.values["name"] == "short"
    fate = ann.phone.row("parked", edit)
    assert fate is not None and fate.values["state"] == "repaired"


def test_a_repair_that_came_to_nothing_shows_the_edit_again(ann: Worker) -> None:
    edit = _spoil(ann)
    ann.edit("repair", "parked", edit, name="m" * 41)
    assert ann.phone.parked() == []
    ann.sync()
    assert [row.rec for row in ann.phone.parked()] == [edit]


def test_a_discard_is_seen_by_all(ann: Worker, bob: Worker) -> None:
    edit = _spoil(ann)
    ann.edit("discard", "parked", edit)
    ann.sync()
    bob.sync()
    assert ann.phone.parked() == bob.phone.parked() == []


def test_a_repair_speaks_the_schema_of_what_it_repairs(ann: Worker) -> None:
    edit = _spoil(ann)
    phone = Replica(ann.connection, schema=5, schemas={"plot": 3})
    for op, kind, rec, schema in (("repair", "parked", edit, 3), ("update", "plot", PLOT, 3),
                                  ("update", "job", PLOT, 1)):  # fmt: skip
        made = phone.edit(op, kind, rec, {"name": "a"}, edit_id=name_of(op + kind), now=ann.now)
        assert made["schema"] == schema
    assert phone.request()["schema"] == 5


def _too_old(worker: Worker) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return an exchange with a server that sends this app no records any more."""
    request, reply = worker.send()
    anchor = worker.server.anchors.issue(worker.now_ms, str(worker.phone.device))
    pushed = {**reply["push"], "now": moment(worker.now_ms), "anchor": anchor}
    return request, {"push": pushed, "pull": None, "problem": TOO_OLD}


def test_an_app_that_is_too_old_goes_on_pushing_and_says_so(ann: Worker, bob: Worker) -> None:
    for name in ("a", "b"):
        ann.edit("create", "plot", name_of(name), grid=7, name=name)
        assert not ann.take(*_too_old(ann))
        assert ann.phone.outbox() == []
        assert (ann.phone.must_upgrade or {})["min_schema"] == 3
    assert {row.values["name"] for row in ann.phone.rows("plot").values()} == {"a", "b"}
    bob.sync()
    assert len(bob.phone.rows("plot")) == 2


def test_after_the_upgrade_it_pulls_and_is_whole(ann: Worker) -> None:
    ann.edit("create", "plot", PLOT, grid=7, name="a")
    ann.take(*_too_old(ann))
    ann.sync()
    assert ann.phone.must_upgrade is None
    row = ann.phone.row("plot", PLOT)
    assert row is not None and (row.rv, row.own) == (1, False)


def test_a_refused_pull_alone_is_remembered_too(ann: Worker) -> None:
    ann.phone.problem(ann.phone.request(), TOO_OLD)
    assert ann.phone.must_upgrade == TOO_OLD


def test_a_copied_phone_is_found_out_by_the_push_alone(ann: Worker) -> None:
    ann.edit("create", "plot", PLOT, grid=7, name="a")
    request, reply = _too_old(ann)
    reply["push"]["last_id"] = name_of("somebody else's")
    ann.take(request, reply)
    assert ann.phone.needs_device == "device_forked"


def test_what_was_pushed_goes_again_when_the_server_wants_it(ann: Worker) -> None:
    edit = ann.edit("create", "plot", PLOT, grid=7, name="a")
    request, reply = _too_old(ann)
    ann.take(request, reply)
    assert ann.phone.request()["edits"] == []
    ann.phone.problem(ann.phone.request(), {"code": "gap", "expected": 1})
    assert [one["id"] for one in ann.phone.request()["edits"]] == [edit]
    assert ann.now_ms > NOW_MS
