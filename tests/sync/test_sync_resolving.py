"""A choice in a conflict is an edit: made anywhere, once, and taken back while it stands."""

from collections.abc import Mapping
from typing import Any

import pytest

from sync import conflicts
from sync.conflicts import CONFLICT
from tests.sync.house import NOW_MS, Phone, Stand, name_of

PLOT = name_of(1)
FAR = ({"lon": 1, "lat": 1}, {"lon": 2, "lat": 2})


class Desk:
    """Two phones and an office about one plot."""

    def __init__(self, stand: Stand) -> None:
        self.stand = stand
        self.ann, self.bob = Phone(stand, "ann", user=1), Phone(stand, "bob", user=2)
        self.office = Phone(stand, "office", user=9)
        self.now = NOW_MS
        first = {"grid": 7, "owner": "zero", "calls": 10, "consent": "given", "told": "x"}
        self.do(self.ann, "create", first)

    def do(self, phone: Phone, op: str, values: Mapping[str, Any], **more: Any) -> Any:
        """Make and push one edit, a second later than the one before."""
        self.now += 1000
        kind = more.pop("kind", "plot")
        edit = phone.edit(op, kind, more.pop("rec", PLOT), set=values, **more)
        if phone is self.office:
            phone.gate.office.add(edit.id)
        return phone.push(edit, at_ms=self.now).results[0]

    def clash(self, mine: Mapping[str, Any], theirs: Mapping[str, Any], base: int = 1) -> str:
        """Let the phones write apart; the second one's stands. Return the conflict."""
        self.do(self.ann, "update", mine, base=base)
        return str(self.do(self.bob, "update", theirs, base=base)["conflicts"][0])

    def choose(self, phone: Phone, conflict: str, choice: str, **more: Any) -> Any:
        """Resolve a conflict."""
        values = {"choice": choice, **more}
        return self.do(phone, "resolve", values, kind="conflict", rec=conflict)

    def record(self, kind: str = "plot", name: str = PLOT) -> Any:
        """Return a record."""
        with self.stand.open() as store:
            return store.records([(kind, name)])[(kind, name)]

    def conflict(self, name: str) -> Any:
        """Return the values of a conflict."""
        return self.record(CONFLICT.name, name).values


@pytest.fixture
def desk(stand: Stand) -> Desk:
    """Return a plot with its people, on each store."""
    return Desk(stand)


def test_phone_and_office_make_the_same_record_of_the_same_choice(desk: Desk) -> None:
    found = []
    for chooser in (desk.ann, desk.office):
        base = desk.record().rv
        one = desk.clash({"owner": "early"}, {"owner": "late"}, base)
        assert desk.choose(chooser, one, "swap")["status"] == "applied"
        values = dict(desk.conflict(one))
        found.append((desk.record().values, values["state"], values["choice"]))
    assert found[0] == found[1]
    assert found[0][0]["owner"] == "early"


def test_a_choice_to_keep_can_be_undone(desk: Desk) -> None:
    one = desk.clash(*FAR)
    desk.choose(desk.ann, one, "keep")
    assert (desk.conflict(one)["state"], desk.conflict(one)["by"]["device"]) == (
        "resolved", desk.ann.device,
    )  # fmt: skip
    assert desk.choose(desk.ann, one, "undo")["status"] == "applied"
    values = desk.conflict(one)
    assert (values["state"], values["choice"], values["by"]) == ("open", None, None)
    assert desk.record().values["lon"] == 2


def test_a_swap_can_be_undone_and_made_again(desk: Desk) -> None:
    one = desk.clash({"owner": "early"}, {"owner": "late"})
    for _ in range(2):
        desk.choose(desk.ann, one, "swap")
        assert desk.record().values["owner"] == "early"
        assert desk.choose(desk.ann, one, "undo")["status"] == "applied"
        assert desk.record().values["owner"] == "late"
        assert desk.conflict(one)["state"] == "settled"


def test_what_has_been_written_since_is_not_undone(desk: Desk) -> None:
    one = desk.clash({"owner": "early"}, {"owner": "late"})
    desk.choose(desk.ann, one, "swap")
    desk.do(desk.bob, "update", {"name": "another unit"}, base=9)
    assert desk.choose(desk.ann, one, "undo")["status"] == "applied"
    desk.choose(desk.ann, one, "swap")
    desk.do(desk.bob, "update", {"owner": "newer"}, base=desk.record().rv)
    refused = desk.choose(desk.ann, one, "undo")
    assert (refused["status"], refused["code"]) == ("noted", "changed_since")
    assert (desk.record().values["owner"], desk.conflict(one)["state"]) == ("newer", "resolved")


def test_only_who_chose_or_the_office_takes_a_choice_back(desk: Desk) -> None:
    one = desk.clash({"owner": "early"}, {"owner": "late"})
    desk.choose(desk.ann, one, "swap")
    assert desk.choose(desk.bob, one, "undo")["code"] == "not_allowed"
    assert desk.choose(desk.office, one, "undo")["status"] == "applied"
    assert desk.choose(desk.office, one, "undo")["code"] == "not_resolved"


def test_two_people_who_choose_at_once_are_both_answered(desk: Desk) -> None:
    one = desk.clash({"owner": "early"}, {"owner": "late"})
    assert desk.choose(desk.ann, one, "swap")["status"] == "applied"
    second = desk.choose(desk.bob, one, "keep")
    assert (second["status"], second["code"]) == ("noted", "already_resolved")
    assert desk.record().values["owner"] == "early"


def test_a_choice_that_something_newer_has_made_moot_is_told(desk: Desk) -> None:
    one = desk.clash({"owner": "early"}, {"owner": "late"})
    desk.do(desk.office, "update", {"owner": "newest"}, base=desk.record().rv)
    refused = desk.choose(desk.ann, one, "swap")
    assert (refused["status"], refused["code"]) == ("noted", "changed_since")
    assert desk.conflict(one)["state"] == "settled"
    assert desk.choose(desk.ann, one, "swap", seen=desk.record().rv - 1)["status"] == "noted"
    assert desk.choose(desk.ann, one, "swap", seen=desk.record().rv)["status"] == "applied"
    assert desk.record().values["owner"] == "early"


def test_what_is_newer_in_another_unit_does_not_matter(desk: Desk) -> None:
    one = desk.clash({"owner": "early"}, {"owner": "late"})
    desk.do(desk.office, "update", {"name": "x"}, base=desk.record().rv)
    assert desk.choose(desk.ann, one, "swap")["status"] == "applied"


def test_an_accepted_proposal_can_be_undone_by_the_office_alone(desk: Desk) -> None:
    [one] = desk.do(desk.bob, "update", {"grid": 8}, base=1)["conflicts"]
    assert desk.choose(desk.bob, one, "swap")["code"] == "not_allowed"
    assert desk.choose(desk.office, one, "swap")["status"] == "applied"
    assert desk.record().values["grid"] == 8
    assert desk.choose(desk.bob, one, "undo")["code"] == "not_allowed"
    assert desk.choose(desk.office, one, "undo")["status"] == "applied"
    assert (desk.record().values["grid"], desk.conflict(one)["state"]) == (7, "open")


def test_a_deletion_that_a_swap_made_can_be_undone(desk: Desk) -> None:
    desk.do(desk.ann, "update", {"owner": "mine"}, base=1)
    [one] = desk.do(desk.bob, "delete", {}, base=1)["conflicts"]
    desk.choose(desk.bob, one, "swap")
    assert desk.record().deleted == "worker"
    assert desk.choose(desk.bob, one, "undo")["status"] == "applied"
    assert (desk.record().deleted, desk.record().values["owner"]) == (None, "mine")
    late = desk.do(desk.ann, "delete", {}, base=2)
    assert late["status"] == "noted"


def test_a_deletion_over_edits_that_nobody_saw_is_not_made_by_a_swap(desk: Desk) -> None:
    desk.do(desk.ann, "update", {"owner": "mine"}, base=1)
    [one] = desk.do(desk.bob, "delete", {}, base=1)["conflicts"]
    desk.do(desk.ann, "update", {"name": "since"}, base=2)
    assert desk.choose(desk.bob, one, "swap")["code"] == "changed_since"
    assert desk.choose(desk.bob, one, "swap", seen=desk.record().rv)["status"] == "applied"


@pytest.mark.parametrize("first", ["edit", "deletion"])
def test_what_the_office_deleted_is_restored_at_once_and_buried_again(
    desk: Desk, first: str
) -> None:
    acts = {
        "edit": lambda: desk.do(desk.ann, "update", {"owner": "late"}, base=1),
        "deletion": lambda: desk.do(desk.office, "delete", {"reason": "gone"}, base=1),
    }
    receipts = [acts[word]() for word in sorted(acts, key=lambda word: word != first)]
    [one] = receipts[1]["conflicts"]
    assert desk.record().deleted == "office"
    values = desk.conflict(one)
    assert values["won"]["values"] == {"deleted": True, "reason": "gone"}
    assert (values["state"], values["lost"]["values"]["owner"]) == ("open", "late")
    assert desk.choose(desk.ann, one, "swap")["code"] == "not_allowed"
    assert desk.choose(desk.office, one, "swap")["status"] == "applied"
    assert (desk.record().deleted, desk.record().values["owner"]) == (None, "late")
    assert "deleted_reason" not in desk.record().values
    assert desk.choose(desk.office, one, "undo")["status"] == "applied"
    assert (desk.record().deleted, desk.record().values["deleted_reason"]) == ("office", "gone")
    assert '"op":"del"' in "".join(desk.ann.pull(["grid:7"]).items)


@pytest.mark.parametrize("first", ["edit", "deletion"])
def test_what_was_added_to_a_deleted_record_is_there_when_it_is_restored(
    desk: Desk, first: str
) -> None:
    desk.do(desk.office, "update", {"tags": ["a", "b"]}, base=1)
    acts = {
        "edit": lambda: [
            desk.do(desk.ann, "add", {"calls": 3, "tags": ["c"]}, base=2),
            desk.do(desk.ann, "add", {"calls": 1}, base=2),
            desk.do(desk.bob, "remove", {"tags": ["a"]}, base=2),
        ],
        "deletion": lambda: [desk.do(desk.office, "delete", {}, base=2)],
    }
    receipts = [one for word in sorted(acts, key=lambda word: word != first)
                for one in acts[word]()]  # fmt: skip
    assert desk.record().deleted == "office"
    for one in {name for receipt in receipts for name in receipt.get("conflicts", ())}:
        desk.choose(desk.office, one, "swap", seen=desk.record().rv)
    values = desk.record().values
    assert (desk.record().deleted, values["calls"], values["tags"]) == (None, 14, ["b", "c"])


def test_a_withdrawal_reaches_a_deleted_record_too(desk: Desk) -> None:
    desk.do(desk.office, "delete", {}, base=1)
    no = {"consent": "withdrawn", "told": "no"}
    [one] = desk.do(desk.ann, "update", no, base=1)["conflicts"]
    assert desk.choose(desk.office, one, "swap")["status"] == "applied"
    assert desk.record().values["consent"] == "withdrawn"
    assert desk.choose(desk.office, one, "undo")["status"] == "applied"
    assert desk.record().deleted == "office"


def test_a_swap_does_not_bring_back_a_deleted_record(desk: Desk) -> None:
    one = desk.clash({"owner": "early"}, {"owner": "late"})
    desk.do(desk.ann, "delete", {}, base=desk.record().rv)
    assert desk.choose(desk.ann, one, "swap")["code"] == "record_deleted"
    assert desk.choose(desk.ann, one, "keep")["status"] == "applied"


def test_a_consent_that_lost_does_not_come_back_by_a_swap(desk: Desk) -> None:
    desk.do(desk.ann, "update", {"consent": "withdrawn", "told": "no"}, base=1)
    late = desk.do(desk.bob, "update", {"consent": "given", "told": "yes"}, base=1)
    [one] = late["conflicts"]
    assert desk.choose(desk.office, one, "swap")["code"] == "consent_ask_again"
    anew = {"consent": "given", "told": "asked again"}
    desk.do(desk.bob, "update", anew, base=desk.record().rv)
    assert desk.record().values["told"] == "asked again"


def test_a_count_that_lost_is_swapped_and_undone_with_all_additions(desk: Desk) -> None:
    was = {"was": {"calls": 10}, "base": 1}
    desk.do(desk.ann, "update", {"calls": 20}, **was)
    [one] = desk.do(desk.bob, "update", {"calls": 50}, **was)["conflicts"]
    desk.choose(desk.ann, one, "swap")
    assert desk.record().values["calls"] == 20
    desk.choose(desk.ann, one, "undo")
    assert desk.record().values["calls"] == 50
    desk.choose(desk.ann, one, "swap")
    desk.do(desk.bob, "add", {"calls": 1}, base=1)
    assert desk.choose(desk.ann, one, "undo")["code"] == "changed_since"
    assert desk.record().values["calls"] == 21


def _overtaken(desk: Desk) -> str:
    job = name_of("job")
    first = {"grid": 7, "state": "assigned", "round": 0}
    desk.do(desk.office, "create", first, kind="job", rec=job)
    desk.do(desk.office, "update", {"state": "started", "round": 0}, kind="job", rec=job, base=1)
    desk.do(desk.ann, "update", {"state": "done", "round": 0}, kind="job", rec=job, base=2)
    late = {"state": "cancelled", "round": 0, "report": "what was left"}
    receipt = desk.do(desk.bob, "update", late, kind="job", rec=job, base=2)
    assert receipt["flags"] == ("overtaken",)
    desk.do(desk.office, "update", {"report": "written over"}, kind="job", rec=job, base=9)
    return str(receipt["conflicts"][0])


def test_of_an_overtaken_step_the_content_is_taken_up_where_the_step_cannot(desk: Desk) -> None:
    one, job = _overtaken(desk), name_of("job")
    seen = desk.record("job", job).rv
    assert desk.choose(desk.office, one, "swap", seen=seen)["status"] == "applied"
    assert desk.record("job", job).values["state"] == "done"
    assert desk.record("job", job).values["report"] == "what was left"
    desk.choose(desk.office, one, "undo")
    assert desk.record("job", job).values["report"] == "written over"


def test_content_taken_up_is_taken_back_even_when_the_step_has_gone_on(desk: Desk) -> None:
    one, job = _overtaken(desk), name_of("job")
    desk.choose(desk.office, one, "swap", seen=desk.record("job", job).rv)
    again, rv = {"state": "assigned", "round": 1}, desk.record("job", job).rv
    desk.do(desk.office, "update", again, kind="job", rec=job, base=rv)
    assert desk.choose(desk.office, one, "undo")["status"] == "applied"
    values = desk.record("job", job).values
    assert (values["state"], values["round"], values["report"]) == ("assigned", 1, "written over")
    assert desk.conflict(one)["state"] == "open"


def test_content_taken_up_and_written_over_since_is_not_taken_back(desk: Desk) -> None:
    one, job = _overtaken(desk), name_of("job")
    desk.choose(desk.office, one, "swap", seen=desk.record("job", job).rv)
    newer, rv = {"report": "newer"}, desk.record("job", job).rv
    desk.do(desk.ann, "update", newer, kind="job", rec=job, base=rv)
    refused = desk.choose(desk.office, one, "undo")
    assert (refused["status"], refused.get("code")) == ("noted", "changed_since")
    assert desk.record("job", job).values["report"] == "newer"


def test_a_step_that_the_table_does_not_have_is_not_made_by_a_swap(desk: Desk) -> None:
    job, values = name_of("job"), {"grid": 7, "state": "assigned", "round": 0}
    desk.do(desk.office, "create", values, kind="job", rec=job)
    steps = {"kind": "job", "rec": job, "base": 1}
    desk.do(desk.ann, "update", {"state": "started", "round": 0}, **steps)
    late = desk.do(desk.bob, "update", {"state": "cancelled", "round": 0}, **steps)
    [one] = late["conflicts"]
    assert desk.record("job", job).values["state"] == "cancelled"
    assert desk.choose(desk.office, one, "swap")["code"] == "transition_not_allowed"
    assert desk.conflict(one)["state"] == "open"


def test_a_choice_and_its_undoing_are_shown_on_the_phone_at_once() -> None:
    shown = {"state": "open", "choice": None, "before": None}
    chosen = conflicts.resolved_here(shown, "swap")
    assert (chosen["state"], chosen["choice"]) == ("resolved", "swap")
    pulled = {**chosen, "before": {"state": "settled"}}
    assert conflicts.resolved_here(pulled, "undo")["state"] == "settled"


# -- planted ----------------------------------------------------------------------------------


def test_a_swap_over_the_unseen_would_be_noticed(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(conflicts, "_is_news", lambda *_: False)
    with pytest.raises((AssertionError, KeyError)):
        test_a_choice_that_something_newer_has_made_moot_is_told(desk)


def test_an_undo_over_the_newer_would_be_noticed(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(conflicts, "_written_over", lambda *_: [])
    with pytest.raises((AssertionError, KeyError)):
        test_what_has_been_written_since_is_not_undone(desk)
