"""Laws of sets, counters and consents: whatever the order, they come to what was meant."""

import itertools
from typing import Any

import pytest
from hypothesis import given

from sync import joins
from sync.edits import Mark, Record
from sync.errors import Refusal
from tests.sync.arrivals import Arrived, History, Step, drawn, everywhere, lived

CODES = ("a", "b", "c")

# -- sets -------------------------------------------------------------------------------------


def _known(history: History, device: str, base: int) -> list[Arrived]:
    return [one for one in history.arrived if one.rv <= base or one.step.device == device]


FOUNDING = Arrived("0", Step("founder", "create", {"tags": ["a", "b"]}), 0, 1, frozenset())


def _change(one: Arrived) -> tuple[set[str], set[str]]:
    said, was = set(one.step.values["tags"]), set(one.step.was.get("tags", ()))
    if one.step.op in ("add", "create"):
        return said, set()
    return (set(), said) if one.step.op == "remove" else (said - was, was - said)


def _adds(element: str, one: Arrived) -> bool:
    return element in _change(one)[0]


def _removes(element: str, one: Arrived) -> bool:
    return element in _change(one)[1]


def _tags_of(known: list[Arrived]) -> list[str]:
    """Reckon a set from who had seen what: an addition stays unless a removal had seen it."""
    done = [FOUNDING, *known]
    return sorted(
        x for x in CODES
        if any(_adds(x, add) and not any(
                   _removes(x, one) and (add.name in one.seen or add is FOUNDING) for one in known)
               for add in done)
    )  # fmt: skip


def _adding(*tags: str) -> Any:
    return lambda *_: ("add", {"tags": list(tags)}, {})


def _removing(*tags: str) -> Any:
    return lambda *_: ("remove", {"tags": list(tags)}, {})


def _writing(*tags: str) -> Any:
    def write(history: History, device: str, base: int) -> Any:
        was = _tags_of(_known(history, device, base))
        return "update", {"tags": list(tags)}, {"tags": was}

    return write


TAG_DEEDS = [
    *(_adding(x) for x in CODES), *(_removing(x) for x in CODES), _adding("a", "c"),
    _removing("a", "b"), _writing(), _writing("a"), _writing("b", "c"),
]  # fmt: skip


@given(drawn(TAG_DEEDS))
def test_a_set_holds_every_addition_that_no_removal_had_seen(steps: Any) -> None:
    history = lived(History(), steps)
    assert history.record.values["tags"] == _tags_of(history.arrived)


CONCURRENT_TAGS = [
    Step("a", "add", {"tags": ["c"]}), Step("b", "remove", {"tags": ["a", "c"]}),
    Step("c", "update", {"tags": ["b", "c"]}, {"tags": ["a", "b"]}),
    Step("b", "add", {"tags": ["c"]}), Step("a", "remove", {"tags": ["c"]}),
    Step("d", "update", {"tags": []}, {"tags": ["a", "b"]}),
]  # fmt: skip


@pytest.mark.parametrize("count", [2, 3, 4])
def test_concurrent_changes_of_a_set_end_equal_in_every_order(count: int) -> None:
    for steps in itertools.permutations(CONCURRENT_TAGS, count):
        ends = {tuple(one.record.values["tags"]) for one in everywhere(steps)}
        assert len(ends) == 1, steps


def test_an_own_addition_does_not_hide_anothers() -> None:
    theirs, mine = Step("a", "add", {"tags": ["c"]}), Step("b", "add", {"tags": ["c"]})
    for history in everywhere([theirs, mine, Step("b", "remove", {"tags": ["c"]})]):
        assert history.record.values["tags"] == ["a", "b", "c"]


def test_an_addition_that_was_removed_does_not_stand_in_the_way_again() -> None:
    history = History()
    history.arrive("in", Step("a", "add", {"tags": ["c"]}))
    history.arrive("out", Step("a", "remove", {"tags": ["c"]}))
    history.arrive("again", Step("b", "add", {"tags": ["c"]}))
    history.arrive("gone", Step("b", "remove", {"tags": ["c"]}))
    assert history.record.values["tags"] == ["a", "b"]


def test_the_removal_of_what_was_never_there_takes_nothing_from_a_later_list() -> None:
    history = History()
    history.arrive("out", Step("a", "remove", {"tags": ["d"]}))
    history.arrive("list", Step("founder", "update", {"tags": ["a", "b", "d"]}, base=0))
    assert history.record.values["tags"] == ["a", "b", "d"]


def test_the_devices_that_added_one_element_are_bounded() -> None:
    history = History()
    for number in range(3 * joins.ADDERS_MAX):
        history.arrive(f"in {number}", Step(f"device {number}", "add", {"tags": ["c"]}))
    assert sum(key.startswith("tags=") for key in history.record.marks) == joins.ADDERS_MAX


def test_a_plain_list_without_what_was_seen_is_understood_by_the_marks() -> None:
    history = History()
    history.arrive("add", Step("a", "add", {"tags": ["c"]}))
    history.arrive("remove", Step("a", "remove", {"tags": ["a"]}, base=2))
    history.arrive("list", Step("b", "update", {"tags": ["a", "b", "d"]}))
    assert history.record.values["tags"] == ["b", "c", "d"]
    history.arrive("all", Step("c", "update", {"tags": []}, base=4))
    assert history.record.values["tags"] == []


def test_each_element_keeps_its_mark_also_when_it_is_removed() -> None:
    history = History()
    history.arrive("gone", Step("a", "remove", {"tags": ["a"]}))
    assert set(history.record.marks) >= {"tags-a"}
    late = History(start=history.record)
    late.arrive("again", Step("b", "add", {"tags": ["a"]}))
    assert late.record.values["tags"] == ["a", "b"]


def test_a_parked_addition_that_comes_late_does_not_undo_its_authors_removal() -> None:
    history = History()
    history.arrive("out", Step("a", "remove", {"tags": ["x"]}), ms=20)
    late = history.arrive("in", Step("a", "add", {"tags": ["x"]}), ms=10)
    assert history.record.values["tags"] == ["a", "b"]
    assert late.lost == ("tags",)


def test_the_marks_of_removed_elements_are_bounded() -> None:
    history = History()
    for number in range(3 * joins.REMOVED_MAX):
        history.arrive(f"in {number}", Step("a", "add", {"tags": [f"x{number}"]}, base=2 * number))
        history.arrive(f"out {number}", Step("a", "remove", {"tags": [f"x{number}"]}))
    assert len(history.record.marks) <= 2 * joins.REMOVED_MAX + 4
    assert f"tags-x{number}" in history.record.marks


def test_a_set_that_grows_too_large_waits_for_a_human() -> None:
    history = History()
    history.arrive("some", Step("a", "add", {"tags": [str(n) for n in range(10)]}))
    with pytest.raises(Refusal) as refusal:
        history.arrive("more", Step("b", "add", {"tags": ["too many"]}))
    assert [(e.field, e.code) for e in refusal.value.errors] == [("tags", "too_many")]


# -- counters ---------------------------------------------------------------------------------


def _counting(number: int) -> Any:
    return lambda *_: ("add", {"calls": number}, {})


def test_concurrent_additions_sum_up_in_every_order() -> None:
    steps = [Step(device, "add", {"calls": n}) for device, n in (("a", 3), ("b", 4), ("a", -1))]
    for history in everywhere([*steps, Step("c", "add", {"calls": 20})]):
        assert history.record.values["calls"] == 36
        assert not history.kept


@given(drawn([_counting(n) for n in (1, 2, -3)]))
def test_a_counter_is_the_sum_of_what_was_added(steps: Any) -> None:
    history = lived(History(), steps)
    added = sum(one.step.values["calls"] for one in history.arrived)
    assert history.record.values["calls"] == 10 + added


RECOUNTS = [
    Step("a", "add", {"calls": 3}), Step("b", "update", {"calls": 20}, {"calls": 10}),
    Step("c", "add", {"calls": 5}), Step("d", "update", {"calls": 50}, {"calls": 10}),
]  # fmt: skip


@pytest.mark.parametrize("count", [2, 3, 4])
def test_a_new_count_lies_under_the_additions_it_had_not_seen_in_every_order(count: int) -> None:
    for steps in itertools.combinations(RECOUNTS, count):
        counts = [one.values["calls"] for one in steps if one.op == "update"]
        added = sum(one.values["calls"] for one in steps if one.op == "add")
        for history in everywhere(steps):
            assert history.record.values["calls"] == (counts[-1] if counts else 10) + added
            if len(counts) == 2:
                assert any(one["calls"] in range(20, 29) for one in history.kept)


def test_a_count_of_what_was_added_replaces_it() -> None:
    history = History()
    history.arrive("add", Step("a", "add", {"calls": 5}))
    history.arrive("count", Step("b", "update", {"calls": 12}, {"calls": 15}, base=2))
    history.arrive("more", Step("a", "add", {"calls": 1}, base=2))
    assert history.record.values["calls"] == 13
    history.arrive("none", Step("b", "update", {"calls": None}, {"calls": 13}, base=4))
    assert history.record.values["calls"] is None


def test_a_counter_beyond_its_limits_waits_for_a_human() -> None:
    history = History()
    with pytest.raises(Refusal) as refusal:
        history.arrive("much", Step("a", "add", {"calls": 10**6}))
    assert refusal.value.errors[0].code == "out_of_range"


# -- consent ----------------------------------------------------------------------------------


def _agreeing(consent: str, told: str = "x") -> Any:
    return lambda *_: ("update", {"consent": consent, "told": told}, {})


def _consent_meant(history: History) -> str | None:
    """A consent stands if its author had seen every withdrawal there is."""
    said = [(one.step.values["consent"], one) for one in history.arrived]
    withdrawn = {one.name for consent, one in said if consent == "withdrawn"}
    if any(consent == "given" and withdrawn <= one.seen for consent, one in said):
        return "given"
    return "withdrawn" if withdrawn else None


@given(drawn([_agreeing("given"), _agreeing("given", "y"), _agreeing("withdrawn")]))
def test_a_consent_counts_only_if_its_author_had_seen_every_withdrawal(steps: Any) -> None:
    history = lived(History(), steps)
    meant = _consent_meant(history)
    assert history.record.values["consent"] == meant


def _consents(count: int) -> Any:
    words = itertools.product(("given", "withdrawn"), repeat=count)
    return [
        [Step(device, "update", {"consent": word, "told": device})
         for device, word in zip("abcd", one, strict=False)]
        for one in words
    ]  # fmt: skip


@pytest.mark.parametrize("count", [2, 3, 4])
def test_of_concurrent_consents_a_withdrawal_stands_whole_in_every_order(count: int) -> None:
    for steps in _consents(count):
        ends = {(one.record.values["consent"], one.record.values["told"])
                for one in everywhere(steps)}  # fmt: skip
        withdrawn = [one for one in steps if one.values["consent"] == "withdrawn"]
        latest = (withdrawn or steps)[-1]
        assert ends == {(latest.values["consent"], latest.values["told"])}


def test_a_consent_that_loses_is_kept() -> None:
    given_ = Step("a", "update", {"consent": "given", "told": "a"})
    for history in everywhere([Step("b", "update", {"consent": "withdrawn", "told": "b"}), given_]):
        assert history.kept == [{"consent": "given", "told": "a"}]
        [clash] = [c for one in history.merged for c in one.clashes]
        assert (clash.rule, clash.open) == ("consent", False)


def test_a_new_consent_stands_after_its_author_has_seen_the_withdrawal() -> None:
    history = History()
    history.arrive("no", Step("b", "update", {"consent": "withdrawn", "told": "b"}))
    history.arrive("yes", Step("a", "update", {"consent": "given", "told": "a"}, base=2))
    assert history.record.values["consent"] == "given"
    old = history.arrive("old", Step("c", "update", {"consent": "given", "told": "c"}), ms=99)
    assert (history.record.values["told"], old.lost) == ("a", ("agreement",))


# -- planted: what the laws must notice -------------------------------------------------------


def _rv(item: tuple[str, Mark]) -> int:
    return item[1].rv


def test_the_laws_notice_an_own_addition_that_hides_anothers(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    right = joins._additions

    def newest_only(record: Record, name: str) -> Any:
        found = {x: max(keys.items(), key=_rv) for x, keys in right(record, name).items()}
        return {x: dict([one]) for x, one in found.items()}

    monkeypatch.setattr(joins, "_additions", newest_only)
    with pytest.raises(AssertionError):
        test_an_own_addition_does_not_hide_anothers()


def test_the_laws_notice_a_withdrawal_that_is_forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(joins, "_withdrawals", lambda meeting: (None, None))
    with pytest.raises(AssertionError):
        test_of_concurrent_consents_a_withdrawal_stands_whole_in_every_order(2)


def test_the_laws_notice_a_count_that_swallows_additions(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(joins, "_counted", lambda meeting, name, seen: joins._total(meeting))
    with pytest.raises(AssertionError):
        test_a_new_count_lies_under_the_additions_it_had_not_seen_in_every_order(3)
