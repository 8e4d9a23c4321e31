"""The server's clock places every edit, whatever the owner of the phone has set or claims."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sync.clock import (
    AHEAD_MS_MAX,
    SUSPECT_MS,
    ActTime,
    AnchorsOfBatch,
    act_time,
    effective_stamp,
)
from tests.sync.house import ANCHORS, NOW_MS, Phone, name_of

DAY_MS = 86_400_000
YEAR_MS = 365 * DAY_MS
ME, EARLIER = name_of("me"), name_of("the id I had before")
PLOT = name_of(1)
WRONG_BY_MS = (30 * DAY_MS, -30 * DAY_MS, 50 * YEAR_MS, -50 * YEAR_MS)
ANYTHING: Any = st.one_of(
    st.none(), st.booleans(), st.integers(), st.floats(allow_nan=True), st.text(max_size=30),
    st.just("A" * 20), st.integers(NOW_MS - YEAR_MS, NOW_MS + YEAR_MS), st.lists(st.integers()),
)  # fmt: skip


def _act(received_ms: int = NOW_MS, **at: Any) -> ActTime:
    return act_time(at, received_ms=received_ms, device=ME, anchors=ANCHORS)


def _anchored(elapsed_ms: int, claimed: int, *, issued_ms: int = NOW_MS - DAY_MS) -> ActTime:
    return _act(anchor=ANCHORS.issue(issued_ms, ME), elapsed_ms=elapsed_ms, claimed=claimed)


@pytest.mark.parametrize("wrong_ms", WRONG_BY_MS)
def test_an_anchored_edit_lies_where_it_was_made_and_its_clock_is_suspect(wrong_ms: int) -> None:
    made_ms = NOW_MS - DAY_MS + 3_600_000
    assert _anchored(3_600_000, made_ms + wrong_ms) == ActTime(made_ms, True, True)
    assert _anchored(3_600_000, made_ms + SUSPECT_MS) == ActTime(made_ms, True, False)


def test_a_clock_set_back_between_two_edits_does_not_turn_them_round() -> None:
    first, second = _anchored(1000, NOW_MS), _anchored(2000, NOW_MS - 50 * YEAR_MS)
    assert first.ms < second.ms


def test_an_anchor_from_before_a_restart_still_bounds_the_claim() -> None:
    anchor = ANCHORS.issue(NOW_MS - DAY_MS, ME)
    early = _act(anchor=anchor, claimed=NOW_MS - 50 * YEAR_MS)
    assert early == ActTime(NOW_MS - DAY_MS, anchored=False, suspect=True)
    assert _act(anchor=anchor, claimed=NOW_MS - 5) == ActTime(NOW_MS - 5, False, False)
    assert _act(anchor=anchor, claimed=NOW_MS + YEAR_MS) == ActTime(NOW_MS, False, True)


def test_an_anchor_given_to_an_earlier_device_id_counts_when_it_is_named() -> None:
    anchor = ANCHORS.issue(NOW_MS - DAY_MS, EARLIER)
    assert _act(anchor=anchor, elapsed_ms=7, device=EARLIER).ms == NOW_MS - DAY_MS + 7
    assert not _act(anchor=anchor, elapsed_ms=7, claimed=NOW_MS).anchored


def test_a_forged_anchor_proves_nothing() -> None:
    genuine = ANCHORS.issue(NOW_MS - DAY_MS, ME)
    for position in range(len(genuine)):
        other = "B" if genuine[position] != "B" else "C"
        forged = genuine[:position] + other + genuine[position + 1 :]
        act = _act(anchor=forged, elapsed_ms=1000, claimed=NOW_MS - 5)
        assert act == ActTime(NOW_MS - 5, False, False), position


@given(st.lists(st.tuples(ANYTHING, st.sampled_from((ME, EARLIER))), max_size=6))
def test_the_anchors_of_a_batch_say_what_each_of_them_says(asked: list[tuple[Any, str]]) -> None:
    asked = [*asked, *((ANCHORS.issue(NOW_MS, ME), device) for device in (ME, EARLIER, ME))]
    batch = AnchorsOfBatch(ANCHORS.key)
    assert [batch.read(*one) for one in asked] == [ANCHORS.read(*one) for one in asked]


def test_more_time_than_can_have_passed_is_not_believed() -> None:
    act = _anchored(DAY_MS + AHEAD_MS_MAX + 1, NOW_MS - 1000)
    assert act == ActTime(NOW_MS - 1000, anchored=False, suspect=True)
    assert _anchored(DAY_MS + AHEAD_MS_MAX, NOW_MS) == ActTime(NOW_MS, True, False)
    assert _anchored(10**30, 5) == ActTime(NOW_MS - DAY_MS, False, True)


@given(at=st.fixed_dictionaries({}, optional={
    "claimed": ANYTHING, "anchor": ANYTHING, "elapsed_ms": ANYTHING, "device": ANYTHING,
}))  # fmt: skip
def test_whatever_a_phone_says_an_act_lies_between_the_beginning_and_its_arrival(at: Any) -> None:
    act = act_time(at, received_ms=NOW_MS, device=ME, anchors=ANCHORS)
    assert 0 <= act.ms <= NOW_MS


@given(
    acts=st.lists(st.tuples(st.integers(-(10**15), 10**15), st.integers(0, 10**10)), max_size=30),
    base_ms=st.integers(0, 2 * NOW_MS),
)
def test_stamps_grow_along_a_device_and_stay_within_a_minute_of_the_arrival(
    acts: list[tuple[int, int]], base_ms: int
) -> None:
    last_ms, received_ms = 0, NOW_MS
    for claimed, later_ms in acts:
        received_ms += later_ms
        act = _act(received_ms, claimed=claimed)
        stamp = effective_stamp(
            act, received_ms=received_ms, base_ms=base_ms, device_ms=last_ms
        )  # fmt: skip
        assert stamp > last_ms
        assert stamp <= max(received_ms + AHEAD_MS_MAX, last_ms + 1)
        last_ms = stamp


def test_a_claim_from_before_what_its_author_had_seen_is_suspect(ann: Phone) -> None:
    ann.push(ann.edit("create", "plot", PLOT, at={"claimed": NOW_MS}, set={"grid": 7}))
    back = ann.edit("update", "plot", PLOT, base=1, set={"name": "a"},
                    at={"claimed": NOW_MS - 30 * DAY_MS})  # fmt: skip
    assert ann.push(back, at_ms=NOW_MS + DAY_MS).results[0]["flags"] == ("clock_suspect",)


def test_a_parked_edit_says_that_its_clock_was_wrong(ann: Phone) -> None:
    bad = ann.edit("create", "plot", PLOT, set={"grid": "x"}, at={"claimed": NOW_MS + YEAR_MS})
    result = ann.push(bad).results[0]
    assert (result["status"], result["flags"]) == ("parked", ("clock_suspect",))


@pytest.mark.parametrize("wrong_ms", WRONG_BY_MS)
def test_a_wrong_clock_never_changes_who_wins(ann: Phone, bob: Phone, wrong_ms: int) -> None:
    """Bob wrote later, by the only clock that counts; Ann's clock is wrong, her anchor is not."""
    ann.push(ann.edit("create", "plot", PLOT, set={"grid": 7, "owner": "first"}))

    def edit(phone: Phone, made_ms: int, claimed: int, owner: str) -> Any:
        at = {"anchor": ANCHORS.issue(NOW_MS, phone.device), "elapsed_ms": made_ms - NOW_MS,
              "claimed": claimed}  # fmt: skip
        return phone.edit("update", "plot", PLOT, base=1, set={"owner": owner}, at=at)

    early, late = NOW_MS + 3_600_000, NOW_MS + 7_200_000
    carl = Phone(ann.stand, "carl", user=3)
    received_ms = NOW_MS + DAY_MS
    right = edit(bob, late, late, "bob")
    wrong = edit(carl, early, early + wrong_ms, "carl")
    bob.push(right, at_ms=received_ms)
    flagged = carl.push(wrong, at_ms=received_ms).results[0]
    assert "clock_suspect" in flagged["flags"]
    with ann.stand.open() as store:
        assert store.records([("plot", PLOT)])["plot", PLOT].values["owner"] == "bob"
