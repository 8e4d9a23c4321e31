"""Declare a synced record once: from ``synced(...)`` come wire, column, merge rule and privacy."""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from typing import Any, ClassVar

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, MappedColumn, mapped_column

from app.core.cipher import Cipher
from app.core.database import Base, BigInt, UTCDateTime
from app.core.forbidden import is_forbidden
from app.core.spatial import ewkt_point, point_type
from sync import values as v
from sync.edits import Record as SyncRecord
from sync.kinds import Field, Kind, Rule, Tell, Workflow
from sync.stores.tables import SyncTables, uuid
from sync.upgrade import Step

P0, P1, P2, P3 = "P0", "P1", "P2", "P3"
SEALED_MAX = 400
RESTRICTED = "restricted"
"""The field of a record that names the request by which it is only kept, and not used."""

sync_tables = SyncTables.describe(Base.metadata)


@dataclass(frozen=True, slots=True)
class Declared:
    """What one declaration says of a field.

    Attributes:
        privacy: class P0 (open) to P3 (sensitive).
        purpose: why we hold it; a field without a purpose is not held.
        retention: how long we hold it.
        follows: the fields that go with the record named here, as ``sync.kinds`` says.
        tells: what is told to the record named here, as ``sync.kinds`` says.
        mask: what a role sees that may not see the value; None hides it.
        shown_to: the action whose holders see the field, if not all who see the record do; it
            names a person, and whoever it names sees it over REST.
        needs: the purposes of which one must be consented to, as ``sync.kinds`` says.
        offline: it may be kept on phones; else they can write it, and never get it back.
    """

    type: v.ValueType
    rule: Rule
    group: str | None
    required: bool
    refers: str | None
    sealed: bool
    privacy: str
    purpose: str
    retention: str
    mask: Callable[[Any], Any] | None
    follows: tuple[str, ...] = ()
    shown_to: str | None = None
    tells: tuple[Tell, ...] = ()
    needs: tuple[str, ...] = ()
    offline: bool = True


def synced(
    type_: v.ValueType,
    *,
    privacy: str,
    purpose: str,
    retention: str = "life of record",
    rule: Rule = Rule.LATEST,
    group: str | None = None,
    required: bool = False,
    refers: str | None = None,
    sealed: bool = False,
    index: bool = False,
    mask: Callable[[Any], Any] | None = None,
    follows: tuple[str, ...] = (),
    shown_to: str | None = None,
    tells: tuple[Tell, ...] = (),
    needs: tuple[str, ...] = (),
    offline: bool = True,
) -> MappedColumn[Any]:
    """Declare one synced field; see :class:`Declared` and ``sync.kinds`` for the words."""
    assert not (sealed and rule is Rule.SET), (
        "the marks of a set name its codes, and are not sealed"
    )
    declared = Declared(
        type_, rule, group, required, refers, sealed, privacy, purpose, retention, mask, follows,
        shown_to, tells, needs, offline,
    )  # fmt: skip
    column = sa.Text() if sealed else column_type(type_)
    return mapped_column(column, nullable=True, index=index, info={"synced": declared})


def column_type(type_: v.ValueType) -> Any:
    """Return the column type that holds values of a wire type."""
    match type_:
        case v.Text(most=most):
            return sa.String(most)
        case v.Choice():
            return sa.String(40)
        case v.Whole():
            return BigInt
        case v.Number():
            return sa.Float()
        case v.Truth():
            return sa.Boolean()
        case v.Identity():
            return uuid()
        case v.Moment():
            return UTCDateTime()
        case v.Position():
            return point_type()
        case v.Phone():
            return sa.String(20)
        case _:
            return sa.JSON()


def _converter(type_: v.ValueType) -> Callable[[Any], Any] | None:
    """Return what turns a value of the wire into that of its column, None when they are equal."""
    match type_:
        case v.Moment():
            return datetime.fromisoformat
        case v.Position():
            return lambda position: ewkt_point(*position)
        case _:
            return None


class Record(Base):
    """The base of every synced kind: identity, version, marks, and the ready body."""

    __abstract__ = True
    kind: ClassVar[str]
    workflow: ClassVar[Workflow | None] = None
    upcasters: ClassVar[tuple[Step, ...]] = ()
    moved_by: ClassVar[frozenset[str]] = frozenset({"grid"})
    consents: ClassVar[bool] = False
    acts_on: ClassVar[Any] = None

    id: Mapped[str] = mapped_column(uuid(), primary_key=True)
    rv: Mapped[int] = mapped_column(BigInt, nullable=False)
    deleted: Mapped[str | None] = mapped_column(sa.String(10))
    marks: Mapped[str] = mapped_column(sa.Text, nullable=False)
    body: Mapped[str] = mapped_column(sa.Text, nullable=False)

    @staticmethod
    def scopes_of(values: Mapping[str, Any]) -> tuple[str, ...]:
        """Return the scopes that see a record of these values: its grid, unless said otherwise.

        What is restricted lies in none: it is kept, and nobody works with it.
        """
        grid = values.get("grid")
        return (f"grid:{grid}",) if type(grid) is int and not values.get(RESTRICTED) else ()

    @staticmethod
    def rank_of(_values: Mapping[str, Any]) -> int:
        """Return the place in the order of a pull; smaller comes first."""
        return 60

    @staticmethod
    def settled(_one: Mapping[str, Any], _other: Mapping[str, Any]) -> bool:
        """Tell whether two clashing values of an open unit need no human."""
        return False

    @staticmethod
    def blinds_of(_values: Mapping[str, Any]) -> Mapping[str, str | None]:
        """Return the texts of which columns keep a keyed hash, to find what is the same."""
        return {}

    @staticmethod
    def needs_approval(_values: Mapping[str, Any], _now: datetime) -> bool:
        """Tell whether nobody reads a record of these values before another has agreed."""
        return False

    @staticmethod
    def given(_values: Mapping[str, Any]) -> bool:
        """Tell whether the values of a unit of consent give it."""
        return False


def living(model: type[Record]) -> sa.ColumnElement[bool]:
    """Return the condition that a record is there for those who work: not deleted or restricted."""
    restricted = model.__table__.columns.get(RESTRICTED)
    there = model.deleted.is_(None)
    return there if restricted is None else sa.and_(there, restricted.is_(None))


def declared_of(model: type[Record]) -> dict[str, Declared]:
    """Return what a record declares of its fields."""
    columns = model.__table__.columns
    return {one.name: one.info["synced"] for one in columns if "synced" in one.info}


def kind_of(model: type[Record]) -> Kind:
    """Return the engine's view of a kind of record."""
    declared = declared_of(model)
    return Kind(
        name=model.kind,
        fields=tuple(
            Field(name, d.type, d.rule, d.group, d.required, d.refers, d.follows, d.tells, d.needs)
            for name, d in declared.items()
        ),
        scopes=model.scopes_of,
        rank=model.rank_of,
        settled=model.settled,
        given=model.given,
        workflow=model.workflow,
        sealed=any(d.sealed for d in declared.values()),
        upcasters=model.upcasters,
        moved_by=model.moved_by,
        consents=model.consents,
        acts_on=model.acts_on,
        never=is_forbidden,
    )


class KindTable:
    """One kind of record as the engine and the store see it, derived from its model."""

    def __init__(self, model: type[Record], cipher: Cipher) -> None:
        self.model = model
        self.table: sa.Table = model.__table__  # type: ignore[assignment]
        self.cipher = cipher
        self.declared = declared_of(model)

    @cached_property
    def kind(self) -> Kind:
        """Return the engine's view of the kind."""
        return kind_of(self.model)

    @cached_property
    def _plain(self) -> tuple[str, ...]:
        return tuple(name for name, declared in self.declared.items() if not declared.sealed)

    @cached_property
    def _sealed_names(self) -> tuple[str, ...]:
        return tuple(name for name, declared in self.declared.items() if declared.sealed)

    @cached_property
    def _converted(self) -> tuple[tuple[str, Callable[[Any], Any]], ...]:
        converters = ((name, _converter(self.declared[name].type)) for name in self._plain)
        return tuple((name, convert) for name, convert in converters if convert)

    @cached_property
    def masked(self) -> tuple[tuple[str, Callable[[Any], Any] | None], ...]:
        """Return the fields that a masked view hides, with their masks."""
        return tuple((name, d.mask) for name, d in self.declared.items() if d.privacy in (P2, P3))

    @cached_property
    def veiled(self) -> Mapping[str, str]:
        """Return the fields that not everybody sees who sees the record, with their actions."""
        return {name: d.shown_to for name, d in self.declared.items() if d.shown_to}

    @cached_property
    def personal(self) -> Mapping[str, str]:
        """Return the fields that tell of persons, with their classes."""
        return {name: d.privacy for name, d in self.declared.items() if d.privacy in (P2, P3)}

    @cached_property
    def on_phones(self) -> Mapping[str, str]:
        """Return those of them that phones are given back."""
        return {name: one for name, one in self.personal.items() if self.declared[name].offline}

    @cached_property
    def sensitive(self) -> frozenset[str]:
        """Return the fields that nobody sees without a stated reason."""
        return frozenset(name for name, d in self.declared.items() if d.privacy == P3)

    @cached_property
    def office_only(self) -> frozenset[str]:
        """Return the fields that may not lie on phones."""
        return frozenset(name for name, d in self.declared.items() if not d.offline)

    def row(self, record: SyncRecord) -> dict[str, Any]:
        """Return the typed columns of a record; sealed ones sealed, with their blind index."""
        values = record.values
        row = {name: values.get(name) for name in self._plain}
        for name, convert in self._converted:
            if row[name] is not None:
                row[name] = convert(row[name])
        for name in self._sealed_names:
            row |= self._sealed(name, values.get(name), record.id)
        for column, text in self.model.blinds_of(values).items():
            row[column] = None if text is None else self.blind(column, text)
        return row

    def blind(self, column: str, text: str) -> str:
        """Return the keyed hash that stands in a column."""
        return self.cipher.blind(text, f"{self.table.name}.{column}")

    def blinds(self, column: str, text: str) -> Sequence[str]:
        """Return all keyed hashes by which a column is searched: while keys change, several."""
        return self.cipher.blinds(text, f"{self.table.name}.{column}")

    def _sealed(self, name: str, value: Any, record: str) -> dict[str, Any]:
        place = f"{self.table.name}/{name}/{record}"
        text = json.dumps(value, ensure_ascii=False) if isinstance(value, dict) else str(value)
        row = {name: None if value is None else self.cipher.seal(text, place)}
        blind = f"{name}_blind"
        if blind in self.table.columns:
            column = f"{self.table.name}.{name}"
            row[blind] = None if value is None else self.cipher.blind(str(value), column)
        return row

    def mask(self, values: Mapping[str, Any]) -> dict[str, Any]:
        """Return the values as somebody sees them who may not see personal ones.

        Of a field that a newer phone sent and we do not know, nobody can tell: it is hidden. So
        is a value that is none of its field's: a parked edit may hold anything.
        """
        shown = {name: values[name] if name in self.declared else None for name in values}
        for name, mask in self.masked:
            if shown.get(name) is not None:
                shown[name] = self._masked(name, mask, shown[name])
        return shown

    def _masked(self, name: str, mask: Callable[[Any], Any] | None, value: Any) -> Any:
        try:
            return mask(self.declared[name].type.check(value)) if mask else None
        except v.Invalid:
            return None
