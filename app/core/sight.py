"""What somebody may see of each kind of record: all of it, masked, or only that it is there."""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from app.core import policy, refusals
from app.core.actor import Actor
from app.core.feature import KindPolicy
from app.core.records import KindTable
from sync.conflicts import CONFLICT
from sync.parking import OPEN_STATES, PARKING

Values = Mapping[str, Any]
SIDES = ("won", "lost", "before")
_NOBODY: Values = {"user": None, "device": None}
"""Whose a parked edit is, to those who need not know whom its kind names."""


GONE = {CONFLICT.name: '{"state":"resolved"}', PARKING.name: '{"state":"discarded"}'}
"""What phones are shown in place of a body that went with its key: nothing is left to do."""


@dataclass(frozen=True, slots=True)
class Sight:
    """How the bodies of one answer are shown to one actor.

    Attributes:
        whole: the kinds of which he may list all fields.
        masked: the kinds of which he may list masked records; of all others, no value.
        user: who looks; of parked edits he may see his own.
        parked: he may list those of others too, where he serves.
        veils: of each kind, the fields that name persons whom he need not know.
    """

    tables: Mapping[str, KindTable]
    whole: frozenset[str]
    masked: frozenset[str]
    user: int = 0
    parked: bool = False
    veils: Mapping[str, "Veil"] = field(default_factory=dict)

    def values(self, kind: str, values: Values) -> Values:
        """Return the values of a record, or some of them, as he may see them."""
        if kind in self.veils:
            values = self.veils[kind].values(values)
        if kind not in self.whole:
            return self.tables[kind].mask(values) if kind in self.masked else dict.fromkeys(values)
        hidden = self._office_only(kind)
        return {**values, **dict.fromkeys(hidden & values.keys())} if hidden else values

    def _office_only(self, kind: str) -> frozenset[str]:
        """Return the fields of a kind that are not shown with its records: phones keep those."""
        table = self.tables.get(kind)
        return table.office_only if table else frozenset()

    def conflict(self, values: Values) -> Values:
        """Return a conflict with both values shown as its record would be.

        A device tells whose it is: of a kind that veils persons, it is not shown either.
        """
        kind = values["kind"]
        veiled = {"device": None} if kind in self.veils else {}
        sides = {
            side: {**values[side], **veiled, "values": self.values(kind, values[side]["values"])}
            for side in SIDES
            if values.get(side)
        }
        return {**values, **sides}

    def parked_edit(self, values: Values) -> Values:
        """Return a parked edit in words, its fields as its record's would be shown."""
        edit, own = values["edit"], values["user"] == self.user
        shown = self.values(values["kind"], edit["set"]) if self.parked or own else {}
        told = {**edit, "set": {name: shown.get(name) for name in edit["set"]}, "was": {}}
        whose = {} if own or values["kind"] not in self.veils else _NOBODY
        if whose:
            told["at"] = {}  # an anchor would tell whose it is
        return refusals.explained({**values, **whose, "edit": told})

    def body(self, kind: str, text: str) -> str:
        """Return a ready body for a pull; what needs no mask is not even parsed."""
        if kind in self.whole and kind != CONFLICT.name and not self._office_only(kind):
            return self.veils[kind].body(text) if kind in self.veils else text
        values = json.loads(text)
        if not values:
            return GONE.get(kind, text)
        if kind == CONFLICT.name:
            shown = self.conflict(values)
        elif kind == PARKING.name:
            shown = self.parked_edit(values if values["state"] in OPEN_STATES else _bare(values))
        else:
            shown = self.values(kind, values)
        return json.dumps(shown, ensure_ascii=False, separators=(",", ":"))


@dataclass(frozen=True)
class Veil:
    """Fields that name persons, or lead to them, hidden from whoever need not know them.

    A phone holds one copy of a scope, the same for all who serve there; so it hides them even
    from those whom they name.
    """

    fields: tuple[str, ...]

    def values(self, values: Values) -> Values:
        """Return the values of a record without the names."""
        return {name: None if name in self.fields else value for name, value in values.items()}

    def body(self, text: str) -> str:
        """Return a ready body without the names; it need not be parsed for that.

        Within a text of the body a quotation mark has a backslash before it, so what the pattern
        finds is a field.
        """
        return self._pattern.sub(r"\1null", text)

    @cached_property
    def _pattern(self) -> re.Pattern[str]:
        value = r'(?:\d+|"(?:[^"\\]|\\.)*")'
        return re.compile(rf'("(?:{"|".join(self.fields)})"\s*:\s*){value}')


def veils_of(actor: Actor, tables: Mapping[str, KindTable], at_ms: int) -> dict[str, Veil]:
    """Return what an actor does not see of each kind, by the actions he has no right to."""
    found = {}
    for kind, table in tables.items():
        hidden = [name for name, action in table.veiled.items()
                  if not policy.might(actor, action, at_ms)]  # fmt: skip
        if hidden:
            found[kind] = Veil(tuple(hidden))
    return found


def unveiled(actor: Actor, table: KindTable, values: Values, at_ms: int) -> Values:
    """Return the values of one record as an actor sees them who may be named in it himself."""
    hidden = {name for name, action in table.veiled.items()
              if values.get(name) != actor.user_id
              and not policy.might(actor, action, at_ms)}  # fmt: skip
    if not hidden:
        return values
    return {name: None if name in hidden else value for name, value in values.items()}


def sight_of(
    actor: Actor, policies: Mapping[str, KindPolicy], tables: Mapping[str, KindTable], at_ms: int
) -> Sight:
    """Return what an actor may see at a moment, by the authorisation table."""
    reaches = {name: policy.reach(actor, one.list_action, at_ms) for name, one in policies.items()}
    seen = {name: one for name, one in reaches.items() if one.paths or one.own or one.everything}
    whole = {name for name, one in seen.items() if not one.masked}
    if len(whole) == len(policies):
        whole.add(CONFLICT.name)
    parking = policy.reach(actor, "parking.list", at_ms)
    return Sight(
        tables, frozenset(whole), frozenset(seen.keys() - whole), actor.user_id,
        parked=bool(parking.paths or parking.everything) and not parking.masked,
        veils=veils_of(actor, tables, at_ms),
    )  # fmt: skip


def _bare(values: Values) -> Values:
    """Return a settled parked edit without its fields: phones need only know its fate."""
    return {**values, "edit": {**values["edit"], "set": {}}}
