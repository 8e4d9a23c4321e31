"""What stands on a consent falls with it, whoever comes between; each planted bug is caught."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import pytest

from sync import acts, grounds, telling, unsaying
from sync.clock import Anchors
from sync.edits import Draft, Edit, Record
from sync.errors import Stale
from sync.grounds import EMPTIED
from sync.kinds import Field, Kind, Kinds, Rule, Tell
from sync.push import Push, push
from sync.stores import memory_upkeep
from sync.stores.memory import MemoryStore
from sync.stores.memory_upkeep import MemoryUpkeep
from sync.unsaying import unsay
from sync.values import Choice, Free, Identity, SetOf, Text, Whole
from tests.sync.house import OpenGate, name_of


def _grid(values: Any) -> tuple[str, ...]:
    return (f"grid:{values['grid']}",) if values.get("grid") else ()


def _homes(values: Any) -> tuple[tuple[str, str], ...]:
    return tuple(("home", values[name]) for name in ("home", "other") if values.get(name))


HOME = Kind("home", (Field("grid", Whole(1, 99)), Field("seen", Text(40), Rule.SERVER)), _grid)
CARD = Kind(
    "card",
    (
        Field("home", Identity(), refers="home", follows=("grid",)),
        Field("grid", Whole(1, 99), Rule.SERVER),
        Field("phone", Text(20), needs=("reach",)),
        Field("help", SetOf(Choice(("meals", "errands")), 2), Rule.SET, needs=("meals", "errands")),
        Field(EMPTIED, SetOf(Text(20), 9), Rule.SERVER),
    ),
    _grid,
)
YES = Kind(
    "yes",
    (
        Field("home", Identity(), refers="home", follows=("grid",)),
        Field("grid", Whole(1, 99), Rule.SERVER),
        Field("subject", Identity(), required=True),
        Field("purpose", Text(20), required=True),
        Field("state", Choice(("given", "withdrawn")), Rule.CONSENT),
    ),
    _grid, given=lambda values: values.get("state") == "given", consents=True,
)  # fmt: skip
CALL = Kind(
    "call",
    (
        Field(
            "home",
            Identity(),
            refers="home",
            follows=("grid",),
            tells=(Tell(when="at", value="at", to="seen"),),
        ),
        Field("grid", Whole(1, 99), Rule.SERVER),
        Field("at", Text(40)),
    ),
    _grid,
)
ACT = Kind(
    "act",
    (
        Field("home", Identity(), refers="home", follows=("grid",)),
        Field("grid", Whole(1, 99), Rule.SERVER),
        Field("other", Identity()),
        Field("state", Choice((acts.DONE, acts.UNDONE))),
        Field("effects", Free(), Rule.SERVER),
    ),
    _grid, acts_on=_homes,
)  # fmt: skip
KINDS = Kinds((HOME, YES, CARD, CALL, ACT))
HOUSE, PERSON, OK = name_of("house"), name_of("person"), name_of("ok")
SECRET = "13812345678"


class FamilyGate(OpenGate):
    """Gives what belongs to a home its grid, and lets an act take a card to the other home."""

    def derive(self, work: Any, values: Any) -> Any:
        """Add the grid, and the effects."""
        home = work.referred.get("home")
        added = {"grid": home.values["grid"]} if home and "home" in values else {}
        if work.kind is ACT and work.edit.op == "create":
            other = work.around["home", values["other"]]
            there = {"home": other.id, "grid": other.values["grid"]}
            added["effects"] = [
                acts.effect(key, {name: one.values[name] for name in there}, there)
                for key, one in work.around.items() if key[0] == "card"
            ]  # fmt: skip
        return {**values, **added}


@dataclass
class Family:
    """A store with phones whose edits are written in short."""

    store: Any = field(default_factory=MemoryStore)
    numbers: dict[str, int] = field(default_factory=dict)

    def push(self, who: str, *edits: tuple[str, str, str, int, dict[str, Any]]) -> list[Any]:
        """Push edits, each as (op, kind, record, base, values)."""
        device = name_of(who)
        if device not in self.store.devices:
            self.store.enrol(device, 1)
        first = self.store.devices[device].last_n + 1
        drafts = [
            Draft(Edit(n, name_of(f"{who}{n}"), op, kind, rec, base, values, at={"claimed": 1000}))
            for n, (op, kind, rec, base, values) in enumerate(edits, first)
        ]  # fmt: skip
        context = Push(device, 1, 10_000, Anchors(b"key"), FamilyGate(), KINDS)
        return push(self.store, drafts, context).results

    def memory(self) -> str:
        """Return all that the store remembers of what was ever said."""
        return repr((self.store.rows, self.store.ledger, self.store.parked))

    def row(self, kind: str, rec: str) -> Record:
        """Return a record."""
        found: Record = self.store.rows[kind, rec]
        return found


def _agreed(rec: str = OK, purpose: str = "reach") -> tuple[str, str, str, int, dict[str, Any]]:
    values = {"home": HOUSE, "subject": PERSON, "purpose": purpose, "state": "given"}
    return ("create", "yes", rec, 0, values)


CARDED = ("create", "card", PERSON, 0, {"home": HOUSE, "phone": SECRET})
ENDED = ("update", "yes", OK, 1, {"state": "withdrawn"})


def _family() -> Family:
    family = Family()
    family.push("gw", ("create", "home", HOUSE, 0, {"grid": 7}), _agreed())
    return family


class Interrupted:
    """A store before whose first write somebody else writes."""

    def __init__(self, store: MemoryStore, between: Callable[[], Any]) -> None:
        self._store, self._between = store, [between]

    def __getattr__(self, name: str) -> Any:
        return getattr(self._store, name)

    def write(self, batch: Any) -> None:
        """Let the other one write first."""
        while self._between:
            self._between.pop()()
        self._store.write(batch)


def falls_and_stays_fallen() -> None:
    """Withdraw, then let late work arrive."""
    family = _family()
    family.push("gw", CARDED)
    family.push("lead", ENDED)
    assert family.row("card", PERSON).values["phone"] is None
    assert family.row("card", PERSON).values[EMPTIED] == ["phone"]
    [late] = family.push("gw", ("update", "card", PERSON, 1, {"phone": SECRET}))
    assert (late["status"], late.get("code")) == ("noted", "consent_withdrawn")
    unsay(MemoryUpkeep(family.store), {("card", PERSON): {"phone"}})
    assert SECRET not in family.memory()


def nobody_comes_between() -> None:
    """Let a card be made while the consent is withdrawn, and the other way round."""
    for first, second in ((ENDED, CARDED), (CARDED, ENDED)):
        family = _family()
        inner = Family(family.store)
        family.store = Interrupted(inner.store, lambda e=second, f=inner: f.push("other", e))
        with pytest.raises(Stale):
            family.push("gw", first)
        family.store = inner.store
        family.push("gw", first)
        assert family.row("card", PERSON).values["phone"] is None


def each_element_stands_for_itself() -> None:
    """Withdraw one of two services."""
    family = _family()
    meals, errands = name_of("meals"), name_of("errands")
    family.push("gw", _agreed(meals, "meals"), _agreed(errands, "errands"),
                ("create", "card", PERSON, 0, {"home": HOUSE, "help": ["errands", "meals"]}),
                ("update", "yes", meals, 1, {"state": "withdrawn"}))  # fmt: skip
    card = family.row("card", PERSON)
    assert card.values["help"] == ["errands"]
    assert not any("meals" in mark for mark in card.marks)


def conflicts_and_parked_edits_forget() -> None:
    """Take a field out of both sides of a conflict and of a parked edit."""
    family = _family()
    family.push("gw", CARDED)
    family.push("lead", ("update", "card", PERSON, 1, {"phone": "1"}))
    family.push("gw", ("update", "card", PERSON, 1, {"phone": SECRET}),
                ("update", "card", PERSON, 1, {"phone": SECRET, "home": "no id"}))  # fmt: skip
    family.push("gw", ENDED)
    done = unsay(MemoryUpkeep(family.store), {("card", PERSON): {"phone"}})
    assert (done.conflicts, done.parked) == (1, 1)
    assert done.scopes == {"grid:7", "me:1"}
    assert SECRET not in family.memory()


def a_call_moves_the_moment_on_and_never_back() -> None:
    """Let two calls arrive in the wrong order."""
    family = _family()
    for name, at in (("b", "2026-02"), ("a", "2026-01")):
        family.push("gw", ("create", "call", name_of(name), 0, {"home": HOUSE, "at": at}))
    assert family.row("home", HOUSE).values["seen"] == "2026-02"


def an_act_is_carried_out_and_taken_back() -> None:
    """Take a card to another home by one edit, and back by one edit."""
    family, other, act = _family(), name_of("other"), name_of("act")
    family.push("gw", ("create", "home", other, 0, {"grid": 8}), CARDED)
    said = {"home": HOUSE, "other": other, "state": acts.DONE}
    family.push("gw", ("create", "act", act, 0, said))
    assert family.row("card", PERSON).values["grid"] == 8
    family.push("gw", ("update", "act", act, 1, {"state": acts.UNDONE}))
    assert family.row("card", PERSON).values["grid"] == 7


CHECKS = (
    falls_and_stays_fallen, nobody_comes_between, each_element_stands_for_itself,
    conflicts_and_parked_edits_forget, a_call_moves_the_moment_on_and_never_back,
    an_act_is_carried_out_and_taken_back,
)  # fmt: skip


@pytest.mark.parametrize("check", CHECKS, ids=lambda one: one.__name__)
def test_what_stands_on_a_consent_and_what_an_act_does(check: Callable[[], None]) -> None:
    check()


def _trust_what_was_read(load: Callable[..., None]) -> Callable[..., None]:
    def wrong(reading: Any, edits: Any) -> None:
        load(reading, edits)
        reading.batch.relied = frozenset()
        reading.batch.followed_asked.clear()

    return wrong


BUGS: dict[str, tuple[Any, str, Any]] = {
    "nothing_falls": (grounds.Grounds, "fall", lambda *_: iter(())),
    "late_work_is_kept": (grounds.Grounds, "bar", lambda _self, edit, _kind: edit),
    "somebody_comes_between": (grounds, "load", _trust_what_was_read(grounds.load)),
    "a_set_falls_as_a_whole": (grounds, "uncovered",
                               lambda f, v, p: () if set(p) & set(f.needs) or not v else f.needs),
    "history_remembers": (unsaying, "thinned", lambda _body, _names: None),
    "conflicts_remember": (unsaying, "_bare", lambda conflict, _names: conflict),
    "moments_go_back": (telling, "is_newer", lambda *_: True),
    "nobody_is_told": (telling, "is_newer", lambda *_: False),
    "acts_do_nothing": (acts, "carry_out", lambda *_: None),
}  # fmt: skip


@contextmanager
def _planted(bug: str) -> Iterator[None]:
    owner, name, wrong = BUGS[bug]
    places = [owner]
    if bug == "history_remembers":
        places.append(memory_upkeep)
    right = getattr(owner, name)
    for place in places:
        setattr(place, name, wrong)
    try:
        yield
    finally:
        for place in places:
            setattr(place, name, right)


@pytest.mark.parametrize("bug", BUGS)
def test_every_planted_bug_is_caught(bug: str) -> None:
    caught = 0
    with _planted(bug):
        for check in CHECKS:
            try:
                check()
            except (AssertionError, pytest.fail.Exception):
                caught += 1
    assert caught
