"""Laws of long texts: lines changed apart come together, all else is left to people."""

import itertools
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sync import texts
from sync.texts import LINES_MAX, merge_lines
from tests.sync.arrivals import START, START_VALUES, History, Step, everywhere
from tests.sync.house import name_of

LINES = tuple(f"line {number}" for number in range(9))
BASE = "\n".join(LINES)
TOLD = type(START)("plot", START.id, 1, {**START_VALUES, "story": BASE}, START.marks)


def _changed(at: int, word: str) -> str:
    lines = list(LINES)
    lines[at] = word
    return "\n".join(lines)


def _step(device: str, story: str | None, **more: Any) -> Step:
    return Step(device, "update", {"story": story}, {"story": BASE}, **more)


texts_of_lines = st.lists(st.sampled_from("uvwxyz"), max_size=8).map("\n".join)


@given(texts_of_lines, texts_of_lines, texts_of_lines)
def test_which_side_is_mine_does_not_matter(base: str, mine: str, theirs: str) -> None:
    assert merge_lines(base, mine, theirs) == merge_lines(base, theirs, mine)


@given(texts_of_lines, texts_of_lines)
def test_a_text_merged_with_its_own_origin_or_with_itself_is_itself(base: str, mine: str) -> None:
    assert merge_lines(base, mine, base) == merge_lines(base, base, mine) == mine
    assert merge_lines(base, mine, mine) == mine


@given(texts_of_lines, texts_of_lines, texts_of_lines)
def test_a_merged_text_is_as_long_as_both_changes_make_it(
    base: str, mine: str, theirs: str
) -> None:
    merged = merge_lines(base, mine, theirs)
    if merged is not None and mine != theirs:
        grown = [len(one.split("\n")) - len(base.split("\n")) for one in (mine, theirs)]
        same = set(texts._hunks(base.split("\n"), mine.split("\n"))) & set(
            texts._hunks(base.split("\n"), theirs.split("\n"))
        )
        twice = sum(len(hunk.lines) - (hunk.end - hunk.start) for hunk in same)
        assert len(merged.split("\n")) == len(base.split("\n")) + sum(grown) - twice


edited = st.sampled_from([
    lambda line, word: [word], lambda line, word: [line, word], lambda line, word: [],
    lambda line, word: [word, f"{word}, more", line],
])  # fmt: skip


@given(st.permutations(range(0, 9, 2)), st.lists(edited, min_size=4, max_size=4))
def test_lines_changed_apart_come_together_in_every_order(places: Any, changes: Any) -> None:
    steps, whole = [], {number: [line] for number, line in enumerate(LINES)}
    for device, at, change in zip("abcd", places, changes, strict=False):
        whole[at] = change(LINES[at], f"by {device}")
        lines = [x for number, line in enumerate(LINES)
                 for x in (whole[number] if number == at else [line])]  # fmt: skip
        steps.append(_step(device, "\n".join(lines)))
    expected = "\n".join(x for number in sorted(whole) for x in whole[number])
    for history in everywhere(steps, start=TOLD):
        assert history.record.values["story"] == expected
        assert not history.kept


@pytest.mark.parametrize("steps", list(itertools.permutations([
    _step("a", _changed(3, "mine")), _step("b", _changed(3, "yours")),
])))  # fmt: skip
def test_the_later_of_two_texts_on_one_line_stands_and_people_decide(steps: Any) -> None:
    for history in everywhere(steps, start=TOLD):
        assert history.record.values["story"] == steps[1].values["story"]
        [clash] = [one for merged in history.merged for one in merged.clashes]
        assert (clash.open, clash.lost) == (True, steps[0].values)


three = st.lists(st.tuples(st.integers(0, 8), st.sampled_from(("p", "q"))), min_size=3, max_size=3)


@given(three)
def test_no_text_is_lost_and_none_is_concatenated(changes: Any) -> None:
    steps = [_step(device, _changed(at, f"{word} {device}"))
             for device, (at, word) in zip("abc", changes, strict=True)]  # fmt: skip
    for history in everywhere(steps, start=TOLD):
        story = history.record.values["story"].split("\n")
        assert len(story) == len(LINES)
        held = [story, *(str(one["story"]).split("\n") for one in history.kept)]
        for device, (_, word) in zip("abc", changes, strict=True):
            assert any(f"{word} {device}" in lines for lines in held)


def test_two_lines_added_at_the_end_are_not_put_one_after_the_other() -> None:
    steps = [_step(device, f"{BASE}\nby {device}") for device in "ab"]
    for history in everywhere(steps, start=TOLD):
        assert history.record.values["story"] == f"{BASE}\nby b"
        assert history.kept == [{"story": f"{BASE}\nby a"}]


def test_what_its_own_author_wrote_before_is_no_stranger() -> None:
    history = History(start=TOLD)
    history.arrive("theirs", _step("b", _changed(8, "by b")))
    history.arrive("first", _step("a", _changed(0, "by a")))
    second = "by a\nand more\n" + "\n".join(LINES[1:])
    step = Step("a", "update", {"story": second}, {"story": _changed(0, "by a")})
    history.arrive("second", step)
    assert history.record.values["story"] == second.replace("line 8", "by b")


def test_a_text_merged_into_a_later_one_can_still_be_changed_by_its_author() -> None:
    history = History(start=TOLD)
    history.arrive("theirs", _step("b", _changed(8, "by b")), ms=500)
    history.arrive("first", _step("a", _changed(0, "by a")), ms=10)
    assert history.record.values["story"] == _changed(0, "by a").replace("line 8", "by b")
    more = _changed(0, "by a, corrected")
    step = Step("a", "update", {"story": more}, {"story": _changed(0, "by a")})
    history.arrive("second", step, ms=20)
    assert history.record.values["story"] == more.replace("line 8", "by b")
    clashing = Step("a", "update", {"story": _changed(8, "by a")}, {"story": more})
    [clash] = history.arrive("third", clashing, ms=30).clashes
    assert (clash.lost_by.edit, clash.won_by.device) == (name_of("third"), name_of("b"))


def test_without_what_was_seen_the_later_stands_and_people_decide() -> None:
    history = History(start=TOLD)
    history.arrive("theirs", _step("b", _changed(8, "by b")))
    blind = Step("a", "update", {"story": _changed(0, "by a")})
    [clash] = history.arrive("mine", blind, ms=50).clashes
    assert clash.open and clash.lost == {"story": _changed(8, "by b")}


@pytest.mark.parametrize("was", [7, ["x"], {"y": 1}, True])
def test_a_senseless_past_is_no_past(was: Any) -> None:
    history = History(start=TOLD)
    history.arrive("theirs", _step("b", _changed(8, "by b")))
    odd = Step("a", "update", {"story": _changed(0, "by a")}, {"story": was})
    assert history.arrive("mine", odd).clashes[0].open


def test_a_text_that_would_not_fit_is_not_merged() -> None:
    long = "\n".join("x" * 40 + str(number) for number in range(8))
    start = type(START)("plot", START.id, 1, {**START_VALUES, "story": long}, START.marks)
    history = History(start=start)
    for device, at in (("a", 0), ("b", 7)):
        lines = long.split("\n")
        lines[at] += "y" * 45
        step = Step(device, "update", {"story": "\n".join(lines)}, {"story": long})
        history.arrive(device, step, ms=50 if device == "b" else 40)
    assert len(history.record.values["story"]) <= 400 and len(history.kept) == 1


def test_a_text_of_very_many_lines_is_left_to_people() -> None:
    base = "\n" * LINES_MAX
    assert merge_lines(base, "a" + base, base + "b") is None


def test_clearing_a_text_beside_a_change_is_left_to_people() -> None:
    steps = [_step("a", None), _step("b", _changed(2, "kept"))]
    for history in everywhere(steps, start=TOLD):
        assert history.record.values["story"] == _changed(2, "kept")
        assert history.kept == [{"story": None}]


def test_the_laws_notice_texts_put_one_after_the_other(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(texts, "merge_lines", lambda base, mine, theirs: f"{theirs}\n{mine}")
    with pytest.raises(AssertionError):
        test_two_lines_added_at_the_end_are_not_put_one_after_the_other()


def test_the_laws_notice_neighbours_taken_for_apart(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(texts, "pairwise", lambda hunks: iter(()))
    with pytest.raises(AssertionError):
        test_two_lines_added_at_the_end_are_not_put_one_after_the_other()
