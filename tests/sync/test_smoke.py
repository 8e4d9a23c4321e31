"""The shortest way through the engine: push, push again, pull, page by page."""

import json

from tests.sync.house import Phone, name_of


def test_a_pushed_record_is_pulled_by_another_phone(ann: Phone, bob: Phone) -> None:
    reply = ann.push(ann.edit("create", "plot", name_of(1), set={"grid": 7, "name": "a"}))
    assert reply.expected == 2
    assert [one["status"] for one in reply.results] == ["applied"]
    page = bob.pull(["grid:7"])
    assert page.complete
    assert json.loads(page.items[0])["f"]["name"] == "a"
    assert bob.pull(["grid:7"], page.cursor).items == []


def test_resending_a_push_answers_the_same_and_changes_nothing(ann: Phone) -> None:
    edits = [
        ann.edit("create", "plot", name_of(1), set={"grid": 7, "name": "a"}),
        ann.edit("update", "plot", name_of(1), base=1, set={"name": "b"}),
    ]
    first = ann.push(*edits)
    assert ann.push(*edits).results == first.results
    assert json.loads(ann.pull(["grid:7"]).items[0])["rv"] == 2
