"""Every rule once through a push on every store, in all orders of arrival, each edit sent twice."""

import itertools
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pytest

from sync import merge, push
from sync.conflicts import CONFLICT
from sync.stores.memory import MemoryStore
from tests.sync.house import NOW_MS, MemoryStand, Phone, Stand, name_of

BASE = "one\ntwo\nthree\nfour\nfive"
PLOT: Mapping[str, Any] = {
    "grid": 7, "owner": "zero", "lon": 0, "lat": 10, "tags": ["a", "b"], "calls": 10,
    "story": BASE, "consent": "given", "told": "first",
}  # fmt: skip
JOB: Mapping[str, Any] = {"grid": 7, "state": "assigned", "round": 0}


@dataclass(frozen=True)
class Act:
    """What one phone does to the record all have seen."""

    op: str
    set: Mapping[str, Any]
    was: Mapping[str, Any] | None = None
    office: bool = False


@dataclass(frozen=True)
class Case:
    """Three acts made apart, what they come to, and what must be found beside it."""

    kind: str
    acts: tuple[Act, Act, Act]
    end: Mapping[str, Any]
    kept: tuple[Mapping[str, Any], ...] = ()
    open: bool = False


def _story(at: int, word: str) -> Act:
    lines = BASE.split("\n")
    lines[at] = word
    return Act("update", {"story": "\n".join(lines)}, {"story": BASE})


CASES = {
    "observation": Case(
        "plot", tuple(Act("update", {"owner": x}) for x in "xyz"),  # type: ignore[arg-type]
        {"owner": "z"}, ({"owner": "y"},),
    ),
    "group": Case(
        "plot", (Act("update", {"lon": 1, "lat": 11}), Act("update", {"lon": 2, "lat": 12}),
                 Act("update", {"owner": "o"})),
        {"lon": 2, "lat": 12, "owner": "o"}, ({"lon": 1, "lat": 11},), open=True,
    ),
    "outline": Case(
        "plot", (Act("update", {"outline": [[1, 2]]}), Act("update", {"outline": [[3, 4]]}),
                 Act("update", {"name": "n"})),
        {"outline": [[3.0, 4.0]], "name": "n"}, ({"outline": [[1.0, 2.0]]},), open=True,
    ),
    "office": Case(
        "plot", (Act("update", {"grid": 8}), Act("update", {"grid": 7}, office=True),
                 Act("update", {"name": "n"})),
        {"grid": 7, "name": "n"}, ({"grid": 8},), open=True,
    ),
    "consent": Case(
        "plot", (Act("update", {"consent": "withdrawn", "told": "ann"}),
                 Act("update", {"consent": "given", "told": "bob"}),
                 Act("update", {"consent": "given", "told": "cat"})),
        {"consent": "withdrawn", "told": "ann"}, ({"consent": "given", "told": "cat"},),
    ),
    "workflow": Case(
        "job", (Act("update", {"state": "started", "round": 0}),
                Act("update", {"state": "cancelled", "round": 0}, office=True),
                Act("update", {"state": "cancelled", "round": 0, "report": "r"}, office=True)),
        {"state": "cancelled", "round": 0, "report": "r"}, ({"state": "started", "round": 0},),
        open=True,
    ),
    "set": Case(
        "plot", (Act("add", {"tags": ["c"]}), Act("remove", {"tags": ["a", "c"]}),
                 Act("update", {"tags": ["a", "d"]}, {"tags": ["a", "b"]})),
        {"tags": ["c", "d"]},
    ),
    "counter": Case(
        "plot", (Act("add", {"calls": 3}), Act("update", {"calls": 50}, {"calls": 10}),
                 Act("add", {"calls": 4})),
        {"calls": 57},
    ),
    "text": Case(
        "plot", (_story(0, "ONE"), _story(2, "THREE"), _story(4, "FIVE")),
        {"story": "ONE\ntwo\nTHREE\nfour\nFIVE"},
    ),
    "text on one line": Case(
        "plot", (_story(1, "TWO"), _story(1, "2"), Act("update", {"name": "n"})),
        {"story": "one\n2\nthree\nfour\nfive", "name": "n"},
        ({"story": "one\nTWO\nthree\nfour\nfive"},), open=True,
    ),
}  # fmt: skip


def _record(stand: Stand, kind: str, name: str) -> Any:
    with stand.open() as store:
        return store.records([(kind, name)])[(kind, name)]


class Three:
    """Three phones that do one case, record after record."""

    def __init__(self, stand: Stand, case: Case) -> None:
        self.stand, self.case = stand, case
        self.founder = Phone(stand, "founder", user=9)
        self.phones = [Phone(stand, word, user=n) for n, word in enumerate(("ann", "bob", "cat"))]
        self.conflicts: list[Any] = []

    def play(self, order: Sequence[int], at_ms: int) -> Any:
        """Do it in one order, each edit sent twice, and return the record."""
        case, name = self.case, name_of(f"{self.case.kind} {order}")
        first = PLOT if case.kind == "plot" else JOB
        begin = self.founder.edit("create", case.kind, name, set=first)
        self.founder.push(begin, at_ms=at_ms)
        edits = [self._edit(n, name, at_ms) for n in range(3)]
        found = {}
        for n in order:
            reply = self.phones[n].push(edits[n], at_ms=at_ms + 90_000)
            again = self.phones[n].push(edits[n], at_ms=at_ms + 95_000)
            assert json.dumps(again.results) == json.dumps(reply.results)
            found |= dict.fromkeys(reply.results[0].get("conflicts", ()))
        self.conflicts = [_record(self.stand, CONFLICT.name, one) for one in found]
        return _record(self.stand, case.kind, name)

    def _edit(self, n: int, name: str, at_ms: int) -> Any:
        act, phone = self.case.acts[n], self.phones[n]
        at = {"claimed": at_ms + 1000 * (n + 1)}
        edit = phone.edit(act.op, self.case.kind, name, base=1, set=act.set, at=at,
                          was=act.was or {})  # fmt: skip
        if act.office:
            phone.gate.office.add(edit.id)
        return edit


@pytest.mark.parametrize("word", CASES)
def test_three_edits_made_apart_end_equal_in_every_order_and_lose_nothing(
    word: str, stand: Stand
) -> None:
    case = CASES[word]
    three = Three(stand, case)
    for number, order in enumerate(itertools.permutations(range(3))):
        record = three.play(order, NOW_MS + 1_000_000 * number)
        assert {name: record.values[name] for name in case.end} == case.end, order
        lost = [one.values["lost"]["values"] for one in three.conflicts]
        assert all(any(kept.items() <= one.items() for one in lost) for kept in case.kept), order
        assert any(one.values["state"] == "open" for one in three.conflicts) == case.open, order


def test_the_marks_of_joined_fields_come_back_from_every_store(stand: Stand) -> None:
    ann = Phone(stand, "ann")
    name = name_of("marks")
    ann.push(ann.edit("create", "plot", name, set=PLOT))
    ann.push(ann.edit("add", "plot", name, base=1, set={"calls": 5, "tags": ["c"]}))
    marks = _record(stand, "plot", name).marks
    assert (marks["calls+"].sum, marks[f"tags={ann.device[-8:]}=c"].rv) == (5, 2)


def test_children_made_apart_both_exist(stand: Stand, ann: Phone, bob: Phone) -> None:
    ann.push(ann.edit("create", "plot", name_of("p"), set=PLOT))
    for phone in (ann, bob):
        child = {"grid": 7, "plot": name_of("p"), "name": phone.word}
        made = phone.edit("create", "person", name_of(phone.word), set=child)
        assert phone.push(made).results[0]["status"] == "applied"
    names = [_record(stand, "person", name_of(word)).values["name"] for word in ("ann", "bob")]
    assert names == ["ann", "bob"]


def test_only_sets_and_counters_are_added_to(stand: Stand, ann: Phone) -> None:
    ann.push(ann.edit("create", "plot", name_of("p"), set=PLOT))
    for op, said, code in (
        ("add", {"owner": "x"}, "cannot_add"), ("remove", {"calls": 1}, "cannot_remove"),
        ("add", {"calls": "1"}, "not_a_whole_number"), ("add", {"tags": "x"}, "not_a_list"),
        ("remove", {"tags": [1]}, "not_text"), ("add", {"unheard": ["x"]}, "cannot_add"),
        ("add", {"tags": [str(n) for n in range(40)]}, "too_many"),
    ):  # fmt: skip
        receipt = ann.push(ann.edit(op, "plot", name_of("p"), base=1, set=said)).results[0]
        assert (receipt["status"], receipt["errors"][0]["code"]) == ("parked", code)


def test_a_receipt_names_what_lost_and_what_was_overtaken(
    stand: Stand, ann: Phone, bob: Phone
) -> None:
    ann.push(ann.edit("create", "job", name_of("j"), set=JOB))
    steps = [ann.edit("update", "job", name_of("j"), base=1, set={"state": s, "round": 0})
             for s in ("started", "done")]  # fmt: skip
    ann.push(*steps)
    late = {"state": "cancelled", "round": 0, "report": "left"}
    edit = bob.edit("update", "job", name_of("j"), base=1, set=late)
    receipt = bob.push(edit, at_ms=NOW_MS + 9000).results[0]
    assert (receipt["status"], receipt["flags"], receipt["lost"]) == (
        "conflict", ("overtaken",), ("state",),
    )  # fmt: skip
    conflict = _record(stand, CONFLICT.name, receipt["conflicts"][0]).values
    assert (conflict["state"], conflict["lost"]["values"]) == ("open", late)
    assert _record(stand, "job", name_of("j")).values["report"] == "left"


def test_the_ledger_tells_what_stood_after_where_that_is_not_what_was_said(
    stand: Stand, ann: Phone, bob: Phone
) -> None:
    ann.push(ann.edit("create", "plot", name_of("p"), set=PLOT))
    edit = bob.edit("add", "plot", name_of("p"), base=1, set={"calls": 5, "tags": ["a"]})
    bob.push(edit)
    if stand.name == "memory":
        entry = stand.store.ledger[edit.id]  # type: ignore[attr-defined]
        assert entry.before == {"calls": 10, "tags": ["a", "b"]}
        assert entry.after == {"calls": 15, "tags": ["a", "b"]}


def test_an_addition_that_counts_twice_on_a_resend_would_be_noticed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(push, "_fresh", lambda drafts, device, known: list(drafts))
    monkeypatch.setattr(MemoryStore, "known", lambda self, edits: {})
    monkeypatch.setattr(MemoryStore, "_check", lambda self, batch: None)
    with pytest.raises(AssertionError):
        Three(MemoryStand(), CASES["counter"]).play((0, 1, 2), NOW_MS)


def test_a_rule_that_trusts_the_later_stamp_alone_would_be_noticed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(merge, "JOINS", {})
    for word in ("consent", "set", "counter", "text"):
        with pytest.raises(AssertionError):
            test_three_edits_made_apart_end_equal_in_every_order_and_lose_nothing(
                word, MemoryStand()
            )
