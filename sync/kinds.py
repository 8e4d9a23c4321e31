"""What the engine knows of a kind of record: its fields, how each merges, where it is seen."""

import enum
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, NamedTuple

from sync.edits import JOIN_OPS, Edit, Record
from sync.errors import FieldError, Refusal
from sync.upgrade import Step
from sync.values import Invalid, ValueType, Whole

Values = Mapping[str, Any]
EXTRA_FIELDS_MAX, EXTRA_CHARACTERS_MAX = 40, 64 * 1024
DELTA = Whole(-(2**53), 2**53)


class Rule(enum.Enum):
    """How concurrent edits of one field or group come together."""

    LATEST = "latest"
    """The larger stamp wins; the loser is kept as a settled conflict."""
    OPEN = "open"
    """The larger stamp wins; people decide (positions apart, a reshaped polygon)."""
    TEXT = "text"
    """Lines changed apart come together; else the larger stamp wins and people decide."""
    SET = "set"
    """A set of codes: of an addition and a removal that had not seen it, the addition wins."""
    COUNTER = "counter"
    """Additions sum up; a whole new count is an observation under the additions it had not seen."""
    CONSENT = "consent"
    """A withdrawal beats every consent whose author had not seen it."""
    OFFICE = "office"
    """A worker's value is never applied; it becomes a proposal."""
    WORKFLOW = "workflow"
    """The state further along wins; what was overtaken is kept for the supervisor."""
    SERVER = "server"
    """Only the server writes it."""


NEED_THE_PAST = (Rule.TEXT, Rule.SET, Rule.COUNTER)


class Tell(NamedTuple):
    """What one record tells another one that it names, in the same act.

    Attributes:
        when: the field whose being set in an edit says that something may be told.
        value: the field whose new value is told.
        to: the field that gets it there; of two values the greater stands.
    """

    when: str
    value: str
    to: str


@dataclass(frozen=True, slots=True)
class Field:
    """One field on the wire."""

    name: str
    type: ValueType
    rule: Rule = Rule.LATEST
    group: str | None = None
    required: bool = False
    refers: str | None = None
    """The kind of record whose id the value is; that record must be there first."""
    follows: tuple[str, ...] = ()
    """The fields that go with the record named here: when they change there, they change here."""
    tells: tuple[Tell, ...] = ()
    """What is told to the record named here."""
    needs: tuple[str, ...] = ()
    """The purposes of which one must be consented to; each element of a set is its own purpose."""

    @property
    def unit(self) -> str:
        """Return what is merged as a whole: the group, or the field alone."""
        return self.group or self.name


@dataclass(frozen=True, slots=True)
class Workflow:
    """States with a rank, and the moves between them; `round` grows with each return.

    Attributes:
        strict: a step made beside others stands only if the table has it from the present state,
            too. Else it comes late: the record stays as it is, all that came with the step is
            kept. Without it, the state further along wins.
    """

    ranks: Mapping[str, int]
    moves: frozenset[tuple[str | None, str]]
    """From which state to which; None stands for "not there yet"."""
    new_round: frozenset[str] = frozenset()
    """States that begin the next round."""
    strict: bool = False

    def allows(self, before: Values, after: Values) -> bool:
        """Tell whether the table has a move, into the round that follows from it."""
        here, there = before.get("state"), after.get("state")
        round_ = (before.get("round") or 0) + (here is not None and there in self.new_round)
        return (here, there) in self.moves and (after.get("round") or 0) == round_

    def order(self, values: Values) -> tuple[int, int]:
        """Return the place of a record in the total order of (round, rank)."""
        return (values.get("round") or 0, self.ranks.get(values.get("state") or "", -1))

    def check(self, before: Values, after: Values) -> None:
        """Refuse a move that the table does not have.

        Raises:
            Refusal: ``transition_not_allowed`` with the states that can be reached from here.
        """
        if not self.allows(before, after):
            here, there = before.get("state"), after.get("state")
            onward = sorted(to for origin, to in self.moves if origin == here)
            round_ = (before.get("round") or 0) + (here is not None and there in self.new_round)
            limits = {"state": here, "round": round_, "possible": onward}
            raise Refusal("transition_not_allowed", FieldError("state", "no_such_move", limits))

    def check_round(self, before: Values, after: Values) -> None:
        """Refuse a step into a round that nobody can have begun from here.

        Raises:
            Refusal: ``transition_not_allowed`` with the present round.
        """
        round_ = before.get("round") or 0
        if (after.get("round") or 0) > round_ + (after.get("state") in self.new_round):
            limits = {"state": before.get("state"), "round": round_}
            raise Refusal("transition_not_allowed", FieldError("round", "no_such_round", limits))


def _rest(_values: Values) -> int:
    return 60


def _nowhere(_values: Values) -> tuple[str, ...]:
    return ()


def _alike(_one: Values, _other: Values) -> bool:
    return False


def _never(_values: Values) -> bool:
    return False


@dataclass(frozen=True, slots=True)
class Examined:
    """The values of an edit that passed their checks, normalised, and what is wrong with others."""

    passed: dict[str, Any]
    errors: list[FieldError]


@dataclass(frozen=True)
class Kind:
    """One kind of record.

    Attributes:
        scopes: which scopes see a record of these values.
        rank: its place in the order of a pull; smaller comes first.
        settled: tells that two clashing values of an ``OPEN`` unit need no human (50 m apart).
        given: tells that the values of a ``CONSENT`` unit give it; else they withdraw it.
        sealed: True when bodies may never lie in the database as plain text.
        upcasters: the way from each older schema to the next; their number tells the schema.
        moved_by: the fields whose change may take a record into other scopes.
        consents: its records are consents: each names its ``subject`` and ``purpose``.
        acts_on: which records one of these acts upon, with all that follows them (``sync.acts``).
        never: tells of the name of an unknown field that it may not even be kept unseen.
    """

    name: str
    fields: tuple[Field, ...]
    scopes: Callable[[Values], tuple[str, ...]] = _nowhere
    rank: Callable[[Values], int] = _rest
    settled: Callable[[Values, Values], bool] = _alike
    given: Callable[[Values], bool] = _never
    workflow: Workflow | None = None
    sealed: bool = False
    upcasters: tuple[Step, ...] = ()
    moved_by: frozenset[str] = frozenset()
    consents: bool = False
    acts_on: Callable[[Values], tuple[tuple[str, str], ...]] | None = None
    never: Callable[[str], bool] | None = None

    @property
    def schema(self) -> int:
        """Return the present schema number of the kind."""
        return len(self.upcasters) + 1

    @cached_property
    def by_name(self) -> Mapping[str, Field]:
        """Return the fields by name."""
        return {one.name: one for one in self.fields}

    @cached_property
    def units(self) -> Mapping[str, tuple[Field, ...]]:
        """Return the fields of each unit of merging."""
        units: dict[str, list[Field]] = {}
        for one in self.fields:
            units.setdefault(one.unit, []).append(one)
        return {name: tuple(fields) for name, fields in units.items()}

    def examine(self, values: Values, op: str = "update") -> "Examined":
        """Check each value of an edit by itself."""
        found = Examined({}, [])
        for name, value in values.items():
            if op in JOIN_OPS:
                self._check_joined(name, value, op, found)
            else:
                self._check_one(name, value, found.passed, found.errors)
        return found

    def check(self, values: Values, *, creating: bool, op: str = "update") -> dict[str, Any]:
        """Return the values of an edit normalised; fields we do not know yet are kept.

        Raises:
            Refusal: with one error for every field that is wrong.
        """
        return self.accept(self.examine(values, op), creating=creating)

    def accept(self, found: "Examined", *, creating: bool) -> dict[str, Any]:
        """Return the values that have been examined, if they are an edit as a whole.

        Raises:
            Refusal: with one error for every field that is wrong.
        """
        checked, errors = found.passed, list(found.errors)
        self._bound_extra(checked)
        if creating:
            missing = [f.name for f in self.fields if f.required and checked.get(f.name) is None]
            known = {error.field for error in errors}
            errors += [FieldError(name, "required") for name in missing if name not in known]
        errors += self._halves(checked)
        if errors:
            raise Refusal("invalid_fields", *errors)
        return checked

    def _bound_extra(self, values: Values) -> None:
        """Refuse more of what we do not know than a newer app could mean."""
        extra = [values[name] for name in values if name not in self.by_name]
        if not extra:
            return
        size = len(json.dumps(extra, ensure_ascii=False, default=dict))
        if len(extra) > EXTRA_FIELDS_MAX or size > EXTRA_CHARACTERS_MAX:
            raise Refusal("too_many_fields")

    def bound_together(self, values: Values, added: Values) -> None:
        """Refuse an edit that would heap up unknown fields on a record.

        Raises:
            Refusal: ``too_many_fields``.
        """
        if any(name not in self.by_name for name in added):
            self._bound_extra({**values, **added})

    def _check_one(
        self, name: str, value: Any, checked: dict[str, Any], errors: list[FieldError]
    ) -> None:
        known = self.by_name.get(name)
        if known is None and not name.isidentifier():
            errors.append(FieldError(name, "not_a_field_name"))
        elif known is None:
            checked[name] = value
        elif known.rule is Rule.SERVER:
            errors.append(FieldError(name, "read_only"))
        elif value is None:
            checked[name] = None
            if known.required:
                errors.append(FieldError(name, "required"))
        else:
            try:
                checked[name] = known.type.check(value)
            except Invalid as fault:
                errors.append(FieldError(name, fault.code, fault.limits))

    def _check_joined(self, name: str, value: Any, op: str, found: "Examined") -> None:
        """Check what is added to or removed from a set, or added to a counter."""
        known = self.by_name.get(name)
        rule = known.rule if known else None
        try:
            if known and rule is Rule.SET:
                found.passed[name] = known.type.check(value)
            elif rule is Rule.COUNTER and op == "add":
                found.passed[name] = DELTA.check(value)
            else:
                found.errors.append(FieldError(name, f"cannot_{op}"))
        except Invalid as fault:
            found.errors.append(FieldError(name, fault.code, fault.limits))

    def _halves(self, checked: Values) -> list[FieldError]:
        """Find groups of which only a part was given: halves of groups are never mixed."""
        errors = []
        for unit in dict.fromkeys(self._groups[n] for n in checked if n in self._groups):
            absent = [f for f in self.units[unit]
                      if f.name not in checked and f.rule is not Rule.SERVER]  # fmt: skip
            errors += [FieldError(one.name, "group_incomplete") for one in absent]
        return errors

    @cached_property
    def _groups(self) -> Mapping[str, str]:
        """Return the unit of each field that is merged together with others."""
        return {
            one.name: unit
            for unit, fields in self.units.items()
            if len(fields) > 1
            for one in fields
        }

    @cached_property
    def references(self) -> Mapping[str, str]:
        """Return the fields that hold ids of other records, with the kind of each."""
        return {one.name: one.refers for one in self.fields if one.refers}

    @cached_property
    def following(self) -> tuple[Field, ...]:
        """Return the fields by which records of this kind follow others."""
        return tuple(one for one in self.fields if one.follows and one.refers)

    def with_copies(self, values: Values, records: Mapping[tuple[str, str], Record]) -> Values:
        """Return a new record's values with those that it would copy from what it follows."""
        copied: dict[str, Any] = {}
        for one in self.following:
            parent = records.get((str(one.refers), str(values.get(one.name))))
            if parent:
                copied |= {name: parent.values.get(name) for name in one.follows}
        return {**values, **copied}

    @cached_property
    def by_consent(self) -> tuple[Field, ...]:
        """Return the fields that may only be held by somebody's consent."""
        return tuple(one for one in self.fields if one.needs)

    @cached_property
    def telling(self) -> tuple[Field, ...]:
        """Return the fields by which records of this kind tell others something."""
        return tuple(one for one in self.fields if one.tells and one.refers)

    @cached_property
    def _joined(self) -> frozenset[str]:
        return frozenset(f.name for f in self.fields if f.rule in NEED_THE_PAST)

    def past(self, edit: Edit) -> dict[str, Any]:
        """Return what the author of an edit had before him, where its merge depends on that."""
        names = self._joined & edit.set.keys() & edit.was.keys()
        return {name: edit.was[name] for name in names}

    def unit_of(self, name: str) -> str:
        """Return the unit of merging of a field; an unknown field is its own."""
        known = self.by_name.get(name)
        return known.unit if known else name

    def rule_of(self, unit: str) -> Rule:
        """Return the rule of a unit; unknown fields merge like observations."""
        fields = self.units.get(unit)
        return fields[0].rule if fields else Rule.LATEST


@dataclass(frozen=True, slots=True)
class Follower:
    """One field by which records of a kind follow records of another one."""

    kind: str
    field: str
    copies: tuple[str, ...]


@dataclass(frozen=True)
class Kinds:
    """All kinds of record that a store holds.

    Attributes:
        followers: for each kind, the fields of others that follow it.
        consent: the kind whose records are consents, if there is one.
    """

    kinds: Sequence[Kind]
    by_name: Mapping[str, Kind] = field(init=False)
    followers: Mapping[str, tuple[Follower, ...]] = field(init=False)
    consent: Kind | None = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "by_name", {kind.name: kind for kind in self.kinds})
        followers: dict[str, tuple[Follower, ...]] = {}
        for kind in self.kinds:
            for one in kind.fields:
                if one.follows and one.refers:
                    before = followers.get(one.refers, ())
                    followers[one.refers] = (*before, Follower(kind.name, one.name, one.follows))
        object.__setattr__(self, "followers", followers)
        object.__setattr__(self, "consent", next((k for k in self.kinds if k.consents), None))

    def get(self, name: str) -> Kind | None:
        """Return the kind of this name, if there is one."""
        return self.by_name.get(name)
