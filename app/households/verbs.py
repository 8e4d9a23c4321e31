"""What households go through, worked out on plain records: move in and out, split, merge, correct.

Each verb names a household, perhaps another one, people, and facts of the household that change.
What comes out is the list of effects that the engine carries out as one act.
"""

from collections.abc import Collection, Iterable, Mapping
from typing import Any

from app.households.rules import AGE_BANDS, people_add_up
from sync.acts import ABSENT, DELETED, EFFECTS, NOW, OFFICE, effect, stands
from sync.edits import Record
from sync.errors import FieldError, Refusal
from sync.kinds import Kind, Rule
from sync.values import as_identity

MOVE_IN, MOVE_OUT, SPLIT, MERGE, CORRECT = "move_in", "move_out", "split", "merge", "correct"
VERBS = (MOVE_IN, MOVE_OUT, SPLIT, MERGE, CORRECT)
HOUSEHOLD, CONSENT = "household", "consent"
PEOPLE = ("contact", "service_person")
PLACE = ("grid", "address_text", "building", "unit_room", "door_point", "door_accuracy_m",
         "door_source")  # fmt: skip
NOBODY: Mapping[str, Any] = {
    "occupancy": "empty", "residents_count": 0, **dict.fromkeys(AGE_BANDS, 0),
}  # fmt: skip
Key = tuple[str, str]
Values = Mapping[str, Any]
Around = Mapping[Key, Record]


def touched(values: Values) -> tuple[Key, ...]:
    """Return the households that an act touches; its values may be anything yet."""
    names = (as_identity(values.get(name)) for name in ("household", "other"))
    return tuple((HOUSEHOLD, name) for name in names if name)


def _wrong(field: str, code: str) -> Refusal:
    return Refusal("invalid_fields", FieldError(field, code))


def effects_of(values: Values, around: Around, household: Kind) -> list[dict[str, Any]]:
    """Return what an act does to each record.

    Raises:
        Refusal: a household or somebody is not there, or the facts are none of a household.
    """
    home = _living(around, values["household"], "household")
    verb, people = values["verb"], list(values.get("people") or ())
    facts = _facts(household, values.get("changes") or {})
    if verb == CORRECT:
        _none(values, "other", "people")
        return _changed(home, facts)
    if verb == SPLIT:
        return _split(home, values, around, people, facts, household)
    if verb == MERGE:
        return _merged(home, values, around, facts)
    if verb == MOVE_IN:
        return _moved_in(home, values, around, people, facts)
    return _moved_out(home, values, around, people, facts)


def _moved_in(
    home: Record, values: Values, around: Around, people: list[str], facts: Values
) -> list[dict[str, Any]]:
    moved: list[dict[str, Any]] = []
    if people:
        origin = _living(around, values.get("other"), "other")
        moved = _moves(_members(around, origin, people), around, home)
    return [*_changed(home, {"occupancy": "lived_in", **facts}), *moved]


def _moved_out(
    home: Record, values: Values, around: Around, people: list[str], facts: Values
) -> list[dict[str, Any]]:
    """Let people leave: for another household, or out of sight; a home left by all is empty."""
    living = _members(around, home, None)
    going = _members(around, home, people) if people else living
    left = {} if len(going) < len(living) else NOBODY
    target = _living(around, values["other"], "other") if values.get("other") else None
    gone = _moves(going, around, target) if target else [_ended(one) for one in going]
    return [*_changed(home, {**left, **facts}), *gone]


def _split(
    home: Record,
    values: Values,
    around: Around,
    people: list[str],
    facts: Values,
    kind: Kind,
) -> list[dict[str, Any]]:
    """Let people go on as a household of their own behind the same door."""
    name = as_identity(values.get("other"))
    if name is None or (HOUSEHOLD, name) in around:
        raise _wrong("other", "unknown_record" if name is None else "id_taken")
    if not people:
        raise _wrong("people", "required")
    made = {field.name: None for field in kind.fields}
    made |= {part: home.values.get(part) for part in PLACE} | {"occupancy": "lived_in"}
    made |= {"last_confirmed_at": home.values.get("last_confirmed_at"), **facts}
    new = Record(HOUSEHOLD, name, 0, made, {})
    _check_people(made)
    told = {part: value for part, value in made.items() if value is not None}
    return [
        effect((HOUSEHOLD, name), {ABSENT: True}, told),
        *_moves(_members(around, home, people), around, new),
    ]


def _merged(home: Record, values: Values, around: Around, facts: Values) -> list[dict[str, Any]]:
    """Let a household take over another one, which ends."""
    other = _living(around, values.get("other"), "other")
    _none(values, "people")
    grid = {"grid": other.values.get("grid")}
    return [
        *_changed(home, facts),
        *_moves(_members(around, other, None), around, home),
        effect((HOUSEHOLD, other.id), {DELETED: None, **grid}, {DELETED: OFFICE}),
    ]


# -- the pieces -------------------------------------------------------------------------------


def _living(around: Around, name: Any, field: str) -> Record:
    record = around.get((HOUSEHOLD, as_identity(name) or ""))
    if record is None or record.deleted or record.values.get("restricted"):
        raise _wrong(field, "unknown_record")
    return record


def _none(values: Values, *names: str) -> None:
    for name in names:
        if values.get(name):
            raise _wrong(name, "not_part_of_verb")


def _members(around: Around, home: Record, people: Collection[str] | None) -> list[Record]:
    """Return the living people of a household, all or the ones named."""
    living = [one for key, one in around.items() if key[0] in PEOPLE and not one.deleted
              and not one.values.get("restricted")
              and one.values.get("household") == home.id]  # fmt: skip
    if people is None:
        return living
    named = [one for one in living if one.id in set(people)]
    if len(named) < len(set(people)):
        raise _wrong("people", "not_in_household")
    return named


def _moves(people: Iterable[Record], around: Around, target: Record) -> list[dict[str, Any]]:
    """Move people, and the consents about them, to another household."""
    going = list(people)
    names = {one.id for one in going}
    consents = [one for key, one in around.items() if key[0] == CONSENT and not one.deleted
                and one.values.get("subject") in names]  # fmt: skip
    there = {"household": target.id, "grid": target.values.get("grid")}
    return [
        effect((one.kind, one.id), {name: one.values.get(name) for name in there}, there)
        for one in (*going, *consents)
    ]


def _ended(one: Record) -> dict[str, Any]:
    """Let somebody leave for where nobody here serves him."""
    here = {"household": one.values.get("household"), "grid": one.values.get("grid")}
    return effect((one.kind, one.id), {DELETED: None, **here}, {DELETED: OFFICE})


def _changed(home: Record, facts: Values) -> list[dict[str, Any]]:
    after = {**home.values, **facts}
    _check_people(after)
    was = {name: home.values.get(name) for name in facts}
    return [effect((HOUSEHOLD, home.id), was, facts)] if facts and was != dict(facts) else []


def _check_people(values: Values) -> None:
    if not people_add_up(values):
        raise _wrong("changes", "bands_exceed_total")


def _facts(household: Kind, changes: Any) -> dict[str, Any]:
    """Return the facts of a household that an act changes: none that need a consent or a move."""
    if not isinstance(changes, Mapping):
        raise _wrong("changes", "not_an_object")
    found = household.examine(changes)
    barred = [
        name for name in changes
        if name not in household.by_name or household.by_name[name].needs
        or household.by_name[name].rule in (Rule.SERVER, Rule.OFFICE)
    ]  # fmt: skip
    if barred or found.errors:
        raise Refusal("invalid_fields", *(FieldError(name, "not_part_of_verb") for name in barred),
                      *found.errors)  # fmt: skip
    return found.passed


# -- undoing ----------------------------------------------------------------------------------


def check_undoable(act: Values, around: Around) -> None:
    """Refuse to undo an act of which something does not stand as it was left.

    Raises:
        Refusal: ``changed_since``; the office takes up what has happened since by hand.
    """
    effects = act.get(EFFECTS) or ()
    ours = {(one["kind"], one["rec"]) for one in effects}
    if not all(stands(one, around.get((one["kind"], one["rec"]))) for one in effects):
        raise Refusal("changed_since")
    ending = {one["rec"] for one in effects if one["was"].get(ABSENT)}
    returning = {one["rec"] for one in effects if one[NOW].get(DELETED)}
    strangers = [key for key, one in around.items() if key[0] in PEOPLE and not one.deleted
                 and one.values.get("household") in ending and key not in ours]  # fmt: skip
    homes = {one["was"].get("household") for one in effects} - {None}
    lost = [home for home in homes - returning
            if (found := around.get((HOUSEHOLD, home))) is None or found.deleted]  # fmt: skip
    if strangers or lost:
        raise Refusal("changed_since")
