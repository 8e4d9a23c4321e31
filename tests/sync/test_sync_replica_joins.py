"""The phone shows what it has added and removed at once, and says what it had before it."""

from collections.abc import Iterator
from typing import Any

import pytest

from tests.sync.house import Phone, Stand, name_of
from tests.sync.server import Server
from tests.sync.worker import Worker

GRID = "grid:7"
PLOT = name_of(1)
STORY = "one\ntwo\nthree\nfour\nfive"


@pytest.fixture
def phones(stand: Stand) -> Iterator[tuple[Worker, Worker]]:
    """Return two phones that both show one plot."""
    server = Server(stand)
    ann, bob = Worker(server, "ann", 1, (GRID,)), Worker(server, "bob", 2, (GRID,))
    ann.edit("create", "plot", PLOT, grid=7, tags=["a", "b"], calls=10, story=STORY)
    for phone in (ann, bob):
        phone.sync()
    yield ann, bob
    ann.connection.close()
    bob.connection.close()


def _shown(phone: Worker, *names: str) -> list[Any]:
    row = phone.phone.row("plot", PLOT)
    assert row is not None
    return [row.values[name] for name in names]


def _meet(*phones: Worker) -> None:
    for phone in (*phones, *phones):
        phone.sync()


def test_what_is_added_and_removed_shows_before_any_network(phones: Any) -> None:
    ann, bob = phones
    ann.edit("add", "plot", PLOT, tags=["c"], calls=5)
    ann.edit("remove", "plot", PLOT, tags=["a"])
    ann.edit("add", "plot", PLOT, calls=-2)
    assert _shown(ann, "tags", "calls") == [["b", "c"], 13]
    bob.edit("add", "plot", PLOT, tags=["d"], calls=100)
    _meet(ann, bob)
    assert _shown(ann, "tags", "calls") == [["b", "c", "d"], 113]
    assert ann.phone.rows("plot") == bob.phone.rows("plot")


def test_an_addition_to_what_is_empty_shows_too(phones: Any) -> None:
    ann, _ = phones
    ann.edit("create", "plot", name_of(2), grid=7)
    ann.edit("add", "plot", name_of(2), tags=["x"], calls=1)
    row = ann.phone.row("plot", name_of(2))
    assert row is not None
    assert (row.values["tags"], row.values["calls"]) == (["x"], 1)


def test_an_addition_of_another_shows_beside_ones_own_until_it_is_contained(phones: Any) -> None:
    ann, bob = phones
    bob.edit("add", "plot", PLOT, calls=7)
    bob.sync()
    request = ann.send()
    ann.edit("add", "plot", PLOT, calls=1)
    assert ann.take(*request)
    assert _shown(ann, "calls") == [18]
    _meet(ann, bob)
    assert _shown(ann, "calls") == _shown(bob, "calls") == [18]


def test_a_whole_list_says_what_its_author_had_before_him_own_edits_included(phones: Any) -> None:
    ann, bob = phones
    ann.edit("add", "plot", PLOT, tags=["c"])
    ann.edit("update", "plot", PLOT, tags=["a"])
    assert ann.phone.outbox()[-1]["was"] == {"tags": ["a", "b", "c"]}
    bob.edit("add", "plot", PLOT, tags=["d"])
    _meet(bob, ann)
    assert _shown(bob, "tags") == [["a", "d"]]


def test_two_phones_write_one_story_line_by_line_without_a_network(phones: Any) -> None:
    ann, bob = phones
    for word in ("ONE", "One", "1"):
        ann.edit("update", "plot", PLOT, story=STORY.replace("one", word))
    bob.edit("update", "plot", PLOT, story=STORY.replace("five", "5"))
    bob.edit("update", "plot", PLOT, story=STORY.replace("five", "5\nsix"))
    _meet(bob, ann)
    assert _shown(ann, "story") == _shown(bob, "story") == ["1\ntwo\nthree\nfour\n5\nsix"]
    assert not ann.phone.conflicts()


def test_a_conflict_is_settled_offline_and_undone_offline(phones: Any) -> None:
    ann, bob = phones
    ann.edit("update", "plot", PLOT, story="ann")
    bob.edit("update", "plot", PLOT, story="bob")
    _meet(ann, bob)
    [before] = _shown(ann, "story")
    [conflict] = ann.phone.conflicts()
    ann.edit("resolve", "conflict", conflict.rec, choice="swap")
    assert not ann.phone.conflicts()
    _meet(ann, bob)
    assert {before, *_shown(ann, "story")} == {"ann", "bob"}
    ann.edit("resolve", "conflict", conflict.rec, choice="undo")
    [again] = ann.phone.conflicts()
    assert again.values["state"] == "open"
    _meet(ann, bob)
    assert _shown(ann, "story") == _shown(bob, "story") == [before]
    assert [one.rec for one in bob.phone.conflicts()] == [conflict.rec]


def test_a_parked_addition_counts_once_when_it_is_repaired(stand: Stand, ann: Phone) -> None:
    ann.push(ann.edit("create", "plot", PLOT, set={"grid": 7, "calls": 1, "tags": ["a"]}))
    many = [f"x{number}" for number in range(20)]
    edit = ann.edit("add", "plot", PLOT, base=1, set={"calls": 4, "tags": many})
    gone = ann.edit("remove", "plot", PLOT, base=1, set={"tags": ["x1"]})
    assert [one["status"] for one in ann.push(edit, gone).results] == ["parked", "applied"]
    office = Phone(stand, "office", user=9)
    repair = office.edit("repair", "parked", edit.id, set={"tags": ["x1", "x2"]})
    for _ in range(2):
        assert office.push(repair).results[0]["status"] == "applied"
    with stand.open() as store:
        values = store.records([("plot", PLOT)])[("plot", PLOT)].values
    assert (values["calls"], values["tags"]) == (5, ["a", "x2"])
