"""What leaves a phone: by brief names, not before it is replaced, and all of it at a wipe."""

import json
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest

from sync.digest import BRIEF_LENGTH, brief_name
from sync.pull import read_cursor
from tests.sync.house import Phone, Stand, name_of
from tests.sync.server import Server
from tests.sync.worker import Worker

GRID, OTHER = "grid:7", "grid:8"


@pytest.fixture
def ann(stand: Stand) -> Iterator[Worker]:
    worker = Worker(Server(stand), "ann", 1, (GRID,))
    yield worker
    worker.connection.close()


def filled(stand: Stand, count: int = 12) -> Phone:
    """Return an office that has made plots in the first grid."""
    office = Phone(stand, "office", user=9)
    office.push(*[office.edit("create", "plot", name_of(n), set={"grid": 7, "name": f"n{n}"})
                  for n in range(count)])  # fmt: skip
    return office


def moved(office: Phone, *numbers: int) -> None:
    """Move plots to the other grid."""
    office.gate.office = {name_of(f"office/{office.n + 1 + step}") for step in range(len(numbers))}
    moves = [office.edit("update", "plot", name_of(n), base=1, set={"grid": 8}) for n in numbers]
    assert {one["status"] for one in office.push(*moves).results} == {"applied"}


def test_what_left_is_named_briefly_to_those_who_ask_for_it(stand: Stand) -> None:
    office = filled(stand)
    cursor = office.pull([GRID]).cursor
    moved(office, 1, 2, 3)
    plain, brief = office.pull([GRID], cursor), office.pull([GRID], cursor, brief=True)
    outs = [json.loads(one) for one in plain.items]
    assert [one["op"] for one in outs] == ["out"] * 3 and plain.outs == {}
    names = "".join(brief_name(one["t"], one["id"]) for one in outs)
    assert brief.items == [] and brief.outs == {GRID: names}
    assert len(names) == 3 * BRIEF_LENGTH
    assert brief.cursor == plain.cursor and brief.complete
    assert json.loads(brief.as_json("", ""))["out"] == {GRID: names}
    assert "out" not in json.loads(plain.as_json("", ""))


def test_a_phone_understands_brief_names(stand: Stand, ann: Worker) -> None:
    office = filled(stand)
    ann.sync()
    moved(office, 0, 5, 11)
    ann.sync()
    left = {name_of(n) for n in range(12)} - {name_of(n) for n in (0, 5, 11)}
    assert set(ann.phone.rows("plot")) == left
    assert ann.phone.memory.recall("healed", 0) == 0


def test_what_is_replaced_goes_with_the_last_page_and_what_is_lost_with_the_first(
    stand: Stand,
) -> None:
    office = filled(stand)
    moved(office, *range(6))
    cursor = office.pull([GRID]).cursor

    def pages(**more: Any) -> list[list[str]]:
        here, found = cursor, []
        while True:
            page = office.pull([OTHER], here, want_bytes=300, **more)
            found.append(list(page.drop))
            here = page.cursor
            if page.complete:
                return found

    lost, replaced = pages(), pages(linger=lambda left: left)
    assert lost[0] == [GRID] and not any(lost[1:])
    assert replaced[-1] == [GRID] and not any(replaced[:-1]) and len(replaced) > 2


def test_a_scope_of_another_epoch_does_not_linger(stand: Stand) -> None:
    office = filled(stand)
    moved(office, *range(6))
    here = read_cursor(office.pull([GRID]).cursor)
    assert here is not None
    for epoch, lingers in ((here.epoch, True), ("another", False)):
        asked = replace(here, epoch=epoch).write()
        page = office.pull([OTHER], asked, want_bytes=300, linger=lambda left: left)
        after = read_cursor(page.cursor)
        assert after is not None and not page.complete
        assert (GRID in after.places, page.drop == [GRID]) == (lingers, not lingers)


def test_unsent_work_goes_before_a_wipe_that_allows_it(stand: Stand, ann: Worker) -> None:
    filled(stand)
    ann.sync()
    ann.edit("create", "plot", name_of("late"), grid=7, name="late")
    order = {"code": "device_wipe", "drain": True, "expected": 1, "ticket": "t"}
    ann.phone.problem(ann.phone.request(), order)
    assert ann.phone.wiped is None and len(ann.phone.outbox()) == 1
    ann.sync()
    ann.phone.problem(ann.phone.request(), {**order, "expected": 2})
    assert ann.phone.wiped == {"unsent": 0, "ticket": "t"}
    assert ann.phone.rows("plot") == {} and ann.phone.device is None


def test_a_wipe_that_allows_nothing_is_obeyed_at_once_and_counted(
    stand: Stand, ann: Worker
) -> None:
    filled(stand)
    ann.sync()
    for number in range(3):
        ann.edit("create", "plot", name_of(f"late {number}"), grid=7, name="late")
    ann.phone.problem(ann.phone.request(), {"code": "device_wipe", "ticket": "t"})
    assert ann.phone.wiped == {"unsent": 3, "ticket": "t"}
    assert ann.phone.rows("plot") == {} and ann.phone.outbox() == []


def test_what_a_restored_server_lacks_goes_again_before_the_wipe(stand: Stand, ann: Worker) -> None:
    ann.edit("create", "plot", name_of("late"), grid=7, name="late")
    ann.sync()
    order = {"code": "device_wipe", "drain": True, "expected": 1, "ticket": "t"}
    ann.phone.problem(ann.phone.request(), order)
    assert ann.phone.wiped is None
    assert [one["rec"] for one in ann.phone.request()["edits"]] == [name_of("late")]


def test_a_wiped_phone_begins_anew_as_somebody_elses(ann: Worker) -> None:
    ann.phone.problem(ann.phone.request(), {"code": "device_wipe", "ticket": "t"})
    ann.phone.take_device(name_of("another"))
    assert ann.phone.wiped is None and ann.phone.device == name_of("another")
