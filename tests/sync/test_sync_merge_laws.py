"""Laws of merging, on generated histories: order, grouping and repetition do not matter."""

import itertools
from collections.abc import Mapping, Sequence
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from sync import merge
from sync.clock import AHEAD_MS_MAX, ActTime, Anchors, act_time, effective_stamp
from sync.edits import Edit, Mark, Record
from sync.errors import Refusal
from tests.sync.house import JOB, PLOT, STATES, name_of

DEVICES = tuple(name_of(word) for word in ("a", "b", "c"))
START = Record("plot", name_of(1), 1, {"grid": 7, "owner": "zero", "lon": 0, "lat": 10},
               {"*": Mark(1, 0, name_of("founder"), name_of("0"))})  # fmt: skip

writes = st.sampled_from(
    [{"owner": word} for word in ("x", "y", "z")]
    + [{"lon": lon, "lat": lon + 10} for lon in (1, 2, 3)]
    + [{"owner": "w", "lon": 4, "lat": 14}]
)
histories = st.lists(
    st.tuples(st.sampled_from(DEVICES), st.integers(0, 50), writes), min_size=1, max_size=7
)


def _edits(history: Sequence[tuple[str, int, Mapping[str, Any]]]) -> list[tuple[Edit, str, int]]:
    """Give each device's edits growing stamps; all were made from the first version."""
    last: dict[str, int] = {}
    made = []
    for number, (device, gap, values) in enumerate(history):
        last[device] = last.get(device, 0) + 1 + gap
        edit = Edit(number + 1, name_of(f"e{number}"), "update", "plot", START.id, 1, values)
        made.append((edit, device, last[device]))
    return made


def _apply(record: Record, edits: Sequence[tuple[Edit, str, int]]) -> Record:
    for edit, device, ms in edits:
        author = merge.Author(ms, device, office=False)
        record = merge.update(PLOT, record, edit, edit.set, author).record
    return record


def _interleaved(data: st.DataObject, edits: list[tuple[Edit, str, int]]) -> list[Any]:
    """Draw another order of arrival; each device's own edits stay in theirs."""
    queues = {device: [one for one in edits if one[1] == device] for device in DEVICES}
    order = []
    while any(queues.values()):
        device = data.draw(st.sampled_from([name for name, queue in queues.items() if queue]))
        order.append(queues[device].pop(0))
    return order


@given(histories, st.data())
def test_the_order_of_arrival_does_not_matter(history: Any, data: st.DataObject) -> None:
    edits = _edits(history)
    one, other = _apply(START, edits), _apply(START, _interleaved(data, edits))
    assert one.values == other.values
    assert one.mark("owner").order == other.mark("owner").order


@given(histories)
def test_halves_of_a_group_are_never_mixed(history: Any) -> None:
    values = _apply(START, _edits(history)).values
    assert values["lat"] == values["lon"] + 10


@given(histories)
def test_the_latest_stamp_stands(history: Any) -> None:
    edits = [one for one in _edits(history) if "owner" in one[0].set]
    if edits:
        last = max(edits, key=lambda one: (one[2], one[1], one[0].id))
        assert _apply(START, edits).values["owner"] == last[0].set["owner"]


@given(histories)
def test_what_loses_is_in_a_clash_or_was_set_again_by_its_author(history: Any) -> None:
    record = START
    for edit, device, ms in _edits(history):
        author = merge.Author(ms, device, office=False)
        merged = merge.update(PLOT, record, edit, edit.set, author)
        lost = [one.lost for one in merged.clashes if one.lost_by.edit == edit.id]
        found = {**merged.record.values, **{k: v for one in lost for k, v in one.items()}}
        assert all(found[name] == value for name, value in edit.set.items())
        record = merged.record


@given(st.integers(0, 2**45), st.integers(0, 2**45), st.integers(0, 2**45), st.integers(1, 2**45))
def test_stamps_are_bounded_and_grow(claimed: int, base: int, device: int, received: int) -> None:
    act = act_time({"claimed": claimed}, received_ms=received, device="d", anchors=Anchors(b"k"))
    stamp = effective_stamp(act, received_ms=received, base_ms=base, device_ms=device)
    assert stamp > device
    assert stamp <= max(received + AHEAD_MS_MAX, device + 1)
    assert act.ms <= received


@given(st.integers(0, 2**44), st.integers(0, 2**32), st.integers(-(2**44), 2**44))
def test_an_anchor_places_an_edit_whatever_the_clock_says(
    server: int, elapsed: int, wrong: int
) -> None:
    anchors, received = Anchors(b"k"), server + elapsed + 5
    at = {"anchor": anchors.issue(server, "d"), "elapsed_ms": elapsed, "claimed": wrong}
    act = act_time(at, received_ms=received, device="d", anchors=anchors)
    assert act == ActTime(server + elapsed, anchored=True, suspect=act.suspect)
    moved = act_time(at, received_ms=received, device="other", anchors=anchors)
    assert not moved.anchored


# -- the workflow, exhaustively ---------------------------------------------------------------

BEGUN = Record("job", name_of(2), 1, {"grid": 7, "state": "assigned", "round": 0},
               {"*": Mark(1, 0, name_of("founder"), name_of("0"))})  # fmt: skip
ENDS = [
    ("assigned", 0), ("started", 0), ("done", 0), ("cancelled", 0), ("assigned", 1), ("started", 1),
]  # fmt: skip


def _moved(record: Record, order: Sequence[tuple[int, tuple[str, int]]]) -> Record | None:
    for number, (state, round_) in order:
        values = {"state": state, "round": round_}
        edit = Edit(1, name_of(f"w{number}"), "update", "job", BEGUN.id, 1, values)
        author = merge.Author(number, name_of(f"device {number}"), office=True)
        try:
            record = merge.update(JOB, record, edit, values, author).record
        except Refusal:
            return None
    return record


def test_of_concurrent_states_the_furthest_stands_in_every_order() -> None:
    assert JOB.workflow is not None
    for three in itertools.combinations_with_replacement(ENDS, 3):
        moves = list(enumerate(three, start=1))
        found = [_moved(BEGUN, order) for order in itertools.permutations(moves)]
        reached = {JOB.workflow.order(one.values) for one in found if one}
        assert len(reached) <= 1, three
        best = max(JOB.workflow.order({"state": s, "round": r}) for s, r in three)
        assert reached <= {best}, three


def test_seen_states_move_only_along_the_table() -> None:
    assert JOB.workflow is not None
    for here, there in itertools.product(STATES, STATES):
        record = Record("job", BEGUN.id, 1, {"grid": 7, "state": here, "round": 0}, BEGUN.marks)
        round_ = 1 if there == "assigned" else 0
        allowed = (here, there) in JOB.workflow.moves
        assert (_moved(record, [(1, (there, round_))]) is not None) == allowed, (here, there)


def test_a_round_cannot_be_made_up() -> None:
    done = Record("job", BEGUN.id, 1, {"grid": 7, "state": "done", "round": 3}, BEGUN.marks)
    assert _moved(done, [(1, ("assigned", 4))]) is not None
    assert _moved(done, [(1, ("assigned", 9))]) is None
