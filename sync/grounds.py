"""Fields held only by consent: what an edit may not bring, and what falls with a withdrawal.

A consent is a record that names its subject, which is another record, and one purpose. When it is
withdrawn, the fields of its subject that no other consent covers are emptied in the same
transaction, in the name of the same edit. What arrives later for them is not kept at all.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from sync.edits import Edit, Mark, Record
from sync.kinds import Field, Kind, Kinds, Rule
from sync.values import as_identity

if TYPE_CHECKING:
    from sync.push import Run
    from sync.reading import Reading

SUBJECT, PURPOSE = "subject", "purpose"
WITHDRAWN = "consent_withdrawn"
NEVER_HELD = "never_held"
EMPTIED = "not_held"
"""The field of a record that lists what was emptied: its phones clear their logs of it."""
Key = tuple[str, str]


# -- reading ----------------------------------------------------------------------------------


def load(reading: "Reading", edits: Iterable[Edit]) -> None:
    """Read the consents that edits depend on, and what rests on consents that they may end.

    They must stand as they were read, also those that are not there. What rests on them comes
    first: there, whoever ends a consent and whoever renews it wait for each other.
    """
    consent = reading.kinds.consent
    if consent is None:
        return
    edits = list(edits)
    falling = _subjects(reading, [e for e in edits if e.kind == consent.name])
    resting = {(kind.name, name) for kind in holding(reading.kinds) for name in falling}
    reading.load(resting)
    for key in resting:
        reading.batch.seen_rv.setdefault(key, 0)
    reading.batch.relied |= resting
    asked = falling | {e.rec for e in edits if _touches(reading.kinds.get(e.kind), e)}
    if asked:
        question = {(consent.name, SUBJECT): frozenset(asked)}
        found = reading.store.followers(question)
        reading.batch.followed_asked.append((question, frozenset(found)))
        for key, record in found.items():
            reading.found.setdefault(key, record)
            reading.batch.seen_rv.setdefault(key, record.rv)
        reading.batch.relied |= found.keys()


def _subjects(reading: "Reading", edits: Iterable[Edit]) -> set[str]:
    """Return whom the consents of these edits are about; one that is made here may end here."""
    found = set()
    for edit in edits:
        record = reading.found.get((edit.kind, edit.rec))
        named = (edit.set.get(SUBJECT), record.values.get(SUBJECT) if record else None)
        found |= {name for one in named if (name := as_identity(one))}
    return found


def holding(kinds: Kinds) -> list[Kind]:
    """Return the kinds that hold something by consent."""
    return [kind for kind in kinds.kinds if kind.by_consent]


def _touches(kind: Kind | None, edit: Edit) -> bool:
    return kind is not None and any(edit.set.get(one.name) is not None for one in kind.by_consent)


def about(reading: "Reading", kind: Kind, edit: Edit) -> tuple[Record, ...]:
    """Return the consents about the record of an edit, as they stand in this batch."""
    if not _touches(kind, edit):
        return ()
    record = reading.record((kind.name, edit.rec))
    known = {**reading.found, **reading.batch.records}
    values = record.values if record else kind.with_copies(edit.set, known)
    return _consents(reading, edit.rec, kind.scopes(values))


def _consents(reading: "Reading", subject: str, scopes: Iterable[str]) -> tuple[Record, ...]:
    """Return the consents about a subject that lie where it lies: others do not speak for it."""
    consent, where = reading.kinds.consent, set(scopes)
    if consent is None:
        return ()
    known = {**reading.found, **reading.batch.records}
    return tuple(
        one for key, one in sorted(known.items())
        if key[0] == consent.name and not one.deleted and one.values.get(SUBJECT) == subject
        and where & set(consent.scopes(one.values))
    )  # fmt: skip


# -- what is not covered ----------------------------------------------------------------------


def uncovered(field: Field, value: Any, purposes: Iterable[str]) -> tuple[str, ...]:
    """Return the purposes of which a value needs one and has none; of a set, each one missing."""
    covered = set(purposes)
    if value is None:
        return ()
    if field.rule is Rule.SET and isinstance(value, list):
        return tuple(str(one) for one in value if not isinstance(one, str) or one not in covered)
    return () if covered & set(field.needs) else field.needs


@dataclass(frozen=True, slots=True)
class Grounds:
    """What consents mean for one batch."""

    run: "Run"

    def bar(self, edit: Edit, kind: Kind) -> Edit:
        """Return an edit without what may not even be kept; nothing remembers that it came."""
        if edit.op == "repair":
            return self._bar_repair(edit)
        barred = self._barred(edit, kind) if _touches(kind, edit) else ()
        barred += never_held(kind, edit.set)
        if not barred:
            return edit
        run, lawful = self.run, without(edit, barred)
        run.barred[edit.id] = barred
        run.sent[edit.id] = without(run.sent.get(edit.id, edit), barred)
        run.examined[edit.id] = kind.examine(lawful.set, lawful.op)
        return lawful

    def _bar_repair(self, repair: Edit) -> Edit:
        """Return a repair without what the edit that it mends may not bring."""
        reading = self.run.reading
        parked = reading.parked.get(repair.rec)
        edit = reading.present(parked.edit, repair) if parked else repair
        kind = reading.kind(edit)
        barred = self._barred(edit, kind) if parked and kind and _touches(kind, edit) else ()
        barred += never_held(kind, repair.set) if kind else ()
        mine = tuple(name for name in barred if name in repair.set)
        if not mine:
            return repair
        self.run.barred[repair.id] = mine
        return without(repair, mine)

    def _barred(self, edit: Edit, kind: Kind) -> tuple[str, ...]:
        """Return the fields whose consent was refused or withdrawn.

        What nobody was asked about stays: the gate sends it back to be asked.
        """
        consents = about(self.run.reading, kind, edit)
        given, denied = self._answers(consents)
        return tuple(
            one.name for one in kind.by_consent
            if (missing := uncovered(one, edit.set.get(one.name), given))
            and set(missing) & (denied - given)
        )  # fmt: skip

    def _answers(self, consents: Iterable[Record]) -> tuple[set[str], set[str]]:
        """Return the purposes consented to, and those with another answer."""
        kind = self.run.context.kinds.consent
        given: set[str] = set()
        denied: set[str] = set()
        for one in consents:
            stands = kind is not None and kind.given(one.values)
            (given if stands else denied).add(str(one.values.get(PURPOSE)))
        return given, denied

    def fall(
        self, kind: Kind, before: Record | None, after: Record, mark: Mark
    ) -> Iterator[tuple[Kind, Record]]:
        """Yield the records that lose something because a consent has ended, as they are then."""
        ended = kind.consents and before is not None and kind.given(before.values)
        if not ended or (kind.given(after.values) and not after.deleted):
            return
        subject = str(after.values.get(SUBJECT))
        for one in holding(self.run.context.kinds):
            record = self.run.reading.record((one.name, subject))
            if record is None:
                continue
            # Somebody may have moved away from his consents: those of both places speak for him.
            where = {*kind.scopes(after.values), *one.scopes(record.values)}
            given, _ = self._answers(_consents(self.run.reading, subject, where))
            emptied = _emptied(one, record.values, given)
            if emptied:
                yield one, _fallen(one, record, emptied, mark)


def _emptied(kind: Kind, values: Mapping[str, Any], given: set[str]) -> dict[str, Any]:
    """Return the fields that nothing covers any more, each with what is left of it."""
    left: dict[str, Any] = {}
    for one in kind.by_consent:
        missing = uncovered(one, values.get(one.name), given)
        if missing and one.rule is Rule.SET:
            left[one.name] = [x for x in values[one.name] if x not in missing] or None
        elif missing:
            left[one.name] = None
    return left


def _fallen(kind: Kind, record: Record, emptied: Mapping[str, Any], mark: Mark) -> Record:
    """Return a record without the fields that fell; the marks of sets name codes, so they go."""
    sets = [one.name for one in kind.by_consent if one.rule is Rule.SET and one.name in emptied]
    codes = [key for key in record.marks if key.partition("=")[0] in sets
             or any(key.startswith(f"{name}-") for name in sets)]  # fmt: skip
    own = mark._replace(rv=record.rv + 1)
    values = {**emptied, EMPTIED: sorted({*(record.values.get(EMPTIED) or ()), *emptied})}
    units = {kind.unit_of(name): own for name in values}
    return record.without_marks(codes).written(values, units, own.rv)


def never_held(kind: Kind, names: Iterable[str]) -> tuple[str, ...]:
    """Return the unknown fields that may not be kept, whatever a newer app means by them."""
    if kind.never is None:
        return ()
    return tuple(name for name in names if name not in kind.by_name and kind.never(name))


def errors(barred: Iterable[str], kind: Kind | None) -> tuple[Mapping[str, Any], ...]:
    """Return what a receipt says of fields that were not kept."""
    never = never_held(kind, barred) if kind else ()
    return tuple({"field": name, "code": NEVER_HELD if name in never else WITHDRAWN}
                 for name in barred)  # fmt: skip


def barred_by(receipt: Mapping[str, Any]) -> list[str]:
    """Return the fields of an edit that the server did not keep, by its receipt."""
    return [
        one["field"]
        for one in receipt.get("errors", ())
        if one.get("code") in (WITHDRAWN, NEVER_HELD)
    ]


def without(edit: Edit, names: Iterable[str]) -> Edit:
    """Return an edit that says nothing about some fields."""
    gone = set(names)
    return replace(
        edit,
        set={name: one for name, one in edit.set.items() if name not in gone},
        was={name: one for name, one in edit.was.items() if name not in gone},
    )
