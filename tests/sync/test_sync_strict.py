"""A strict workflow: whatever arrives in whatever order, each step is one of the table."""

import itertools
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sync import conflicts, merge
from sync.edits import BASE_UNIT, Edit, Mark, Record
from sync.errors import Refusal
from sync.kinds import Kinds, Workflow
from sync.merge import Author
from tests.sync.house import JOB, NOW_MS, PERSON, PLOT, Phone, Stand, name_of

STATES = ("assigned", "started", "cancelled", "done")
assert JOB.workflow is not None
STRICT = replace(JOB, workflow=replace(JOB.workflow, strict=True))
FLOW: Workflow = STRICT.workflow  # type: ignore[assignment]
REC = name_of("strict")


@dataclass(frozen=True)
class Try:
    """One step that some phone sends, having seen some version."""

    device: int
    unseen: int
    state: str
    round: int
    report: str | None


TRIES = st.lists(
    st.builds(
        Try, st.integers(0, 2), st.integers(0, 3), st.sampled_from(STATES), st.integers(0, 2),
        st.sampled_from([None, "a", "b"]),
    ),
    max_size=12,
)  # fmt: skip


def _first() -> Record:
    values = {"grid": 7, "state": "assigned", "round": 0, "report": None}
    return Record("job", REC, 1, values, {BASE_UNIT: Mark(1, NOW_MS, "office", "e0")})


def _edit(n: int, one: Try, record: Record) -> tuple[Edit, dict[str, Any], Author]:
    values: dict[str, Any] = {"state": one.state, "round": one.round}
    values |= {"report": one.report} if one.report else {}
    edit = Edit(n, f"e{n}", "event", "job", REC, base=max(1, record.rv - one.unseen), set=values)
    # The clocks of the phones are far apart, each in its own order: they must not matter.
    ms = NOW_MS + n - 500 * one.device
    return edit, values, Author(ms, f"phone {one.device}", office=False)


def _played(tries: Sequence[Try]) -> tuple[list[Mapping[str, Any]], list[merge.Merged]]:
    record, ways, results = _first(), [_first().values], []
    for n, one in enumerate(tries, start=1):
        edit, values, author = _edit(n, one, record)
        try:
            merged = merge.apply(STRICT, record, edit, values, author)
        except Refusal as refusal:
            assert refusal.code == "transition_not_allowed"
            continue
        results.append(merged)
        if merged.changed:
            record = merged.record
            ways.append(record.values)
        _nothing_is_lost(merged, values, record)
    return ways, results


def _nothing_is_lost(merged: merge.Merged, values: Mapping[str, Any], record: Record) -> None:
    late = merge.late(merged)
    if late:
        assert not merged.changed and dict(late.lost) == dict(values)
    elif merged.changed:
        assert record.values["state"] == values["state"]


def _demand_table(ways: Sequence[Mapping[str, Any]]) -> None:
    for before, after in itertools.pairwise(ways):
        assert FLOW.allows(before, after), (before, after)


@given(TRIES)
def test_every_state_follows_from_the_one_before_by_the_table(tries: list[Try]) -> None:
    _demand_table(_played(tries)[0])


def test_the_law_would_notice_a_workflow_that_lets_the_further_state_win() -> None:
    tries = [Try(0, 0, "cancelled", 0, None), Try(1, 1, "done", 0, "a")]
    lax = replace(STRICT, workflow=replace(FLOW, strict=False))
    record, ways = _first(), [_first().values]
    for n, one in enumerate(tries, start=1):
        edit, values, author = _edit(n, one, record)
        record = merge.apply(lax, record, edit, values, author).record
        ways.append(record.values)
    with pytest.raises(AssertionError):
        _demand_table(ways)


def test_a_late_step_changes_nothing_and_is_kept_whole_even_if_it_says_the_same() -> None:
    tries = [Try(0, 0, "started", 0, "mine"), Try(1, 1, "started", 0, "theirs")]
    ways, results = _played(tries)
    late = merge.late(results[1])
    assert len(ways) == 2 and ways[-1]["report"] == "mine"
    assert late is not None and late.lost["report"] == "theirs" and late.open


def test_a_step_beside_another_stands_when_it_can_be_taken_from_there_too() -> None:
    ways, results = _played([Try(0, 0, "started", 0, None), Try(1, 1, "cancelled", 0, "x")])
    assert ways[-1]["state"] == "cancelled" and ways[-1]["report"] == "x"
    assert results[1].clashes == ()


def test_the_receipt_tells_what_stands_and_the_office_takes_up_the_content(
    stand: Stand, ann: Phone, bob: Phone
) -> None:

    ann.kinds = bob.kinds = Kinds((PLOT, PERSON, STRICT))
    begin = {"grid": 7, "state": "assigned", "round": 0}
    ann.push(ann.edit("create", "job", REC, set=begin))
    ann.push(ann.edit("event", "job", REC, base=1, set={"state": "cancelled", "round": 0}))
    sent = bob.edit(
        "event", "job", REC, base=1, set={"state": "started", "round": 0, "report": "r"}
    )
    [receipt] = bob.push(sent, at_ms=NOW_MS + 5_000).results
    assert (receipt["status"], receipt["code"]) == ("noted", merge.OVERTAKEN)
    assert receipt["errors"][0]["state"] == "cancelled"
    again = bob.push(sent, at_ms=NOW_MS + 9_000).results
    assert json.dumps(again) == json.dumps([receipt])
    [name] = receipt["conflicts"]
    choice = ann.edit("resolve", "conflict", name, set={"choice": conflicts.SWAP})
    [swapped] = ann.push(choice, at_ms=NOW_MS + 20_000).results
    assert swapped["status"] == "applied"
    with stand.open() as store:
        record = store.records([("job", REC)])[("job", REC)]
    assert (record.values["state"], record.values["report"]) == ("cancelled", "r")


def test_all_that_came_with_steps_too_late_is_kept_in_their_conflict(
    stand: Stand, ann: Phone, bob: Phone
) -> None:
    ann.kinds = bob.kinds = Kinds((PLOT, PERSON, STRICT))
    begin = {"grid": 7, "state": "assigned", "round": 0}
    ann.push(ann.edit("create", "job", REC, set=begin))
    ann.push(ann.edit("event", "job", REC, base=1, set={"state": "cancelled", "round": 0}))
    told = {"state": "started", "round": 0, "report": "gas leak seen"}
    results = [
        bob.push(bob.edit("event", "job", REC, base=1, set=step)).results[0]
        for step in (told, {"state": "done", "round": 0})
    ]
    assert [one["code"] for one in results] == [merge.OVERTAKEN] * 2
    lost: dict[str, Any] = {}
    with stand.open() as store:
        found = store.records([("conflict", one["conflicts"][0]) for one in results])
    for one in found.values():
        lost |= one.values["lost"]["values"]
        assert one.values["won"]["values"].keys() == one.values["lost"]["values"].keys()
    assert lost == {"state": "done", "round": 0, "report": "gas leak seen"}
    [name] = {one["conflicts"][0] for one in results}
    choice = ann.edit("resolve", "conflict", name, set={"choice": conflicts.SWAP})
    assert ann.push(choice).results[0]["status"] == "applied"
    with stand.open() as store:
        assert store.records([("job", REC)])["job", REC].values["report"] == "gas leak seen"


def test_two_devices_that_are_late_for_each_other_have_a_conflict_each() -> None:
    here, there = Mark(2, NOW_MS, "a", "e1"), Mark(3, NOW_MS, "b", "e2")
    ids = {
        merge.Clash("state", merge.LATE, True, {}, won, {}, lost).conflict_id(REC, 1)
        for won, lost in ((here, there), (there, here))
    }
    assert len(ids) == 2


def test_a_workers_deletion_yields_to_a_step_too_late_that_it_had_not_seen(
    stand: Stand, ann: Phone, bob: Phone
) -> None:
    ann.kinds = bob.kinds = Kinds((PLOT, PERSON, STRICT))
    begin = {"grid": 7, "state": "assigned", "round": 0}
    ann.push(ann.edit("create", "job", REC, set=begin))
    ann.push(ann.edit("event", "job", REC, base=1, set={"state": "cancelled", "round": 0}))
    ann.push(ann.edit("delete", "job", REC, base=2))
    late = {"state": "started", "round": 0, "report": "gas leak seen"}
    [receipt] = bob.push(bob.edit("event", "job", REC, base=1, set=late)).results
    assert (receipt["status"], receipt["code"]) == ("conflict", merge.OVERTAKEN)
    with stand.open() as store:
        record = store.records([("job", REC)])["job", REC]
        found = store.records([("conflict", name) for name in receipt["conflicts"]])
    assert (record.deleted, record.values["state"], record.rv) == (None, "cancelled", 4)
    states = {one.values["rule"]: one.values["state"] for one in found.values()}
    assert states == {merge.LATE: conflicts.OPEN, "delete": conflicts.SETTLED}
    [name] = [one.id for one in found.values() if one.values["rule"] == merge.LATE]
    choice = ann.edit("resolve", "conflict", name, set={"choice": conflicts.SWAP})
    assert ann.push(choice).results[0]["status"] == "applied"
    with stand.open() as store:
        assert store.records([("job", REC)])["job", REC].values["report"] == "gas leak seen"
