"""Hostile edits and bodies, and what a right server makes of each."""

import gzip
import json
import random
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from tests.app.core.county import household, incident
from tests.app.identity.town import GRID, NEXT_VILLAGE_GRID

APPLIED = frozenset({"applied"})
WAITS = frozenset({"parked", "held"})
NOTED = frozenset({"noted"})
ANY = frozenset({"applied", "merged", "noop", "conflict"}) | WAITS | NOTED
DATABASE_POISON, STUMBLE = "REFUSED BY TRIGGER", "STUMBLE"
JUNK: tuple[Any, ...] = (
    None, True, False, 0, -1, 1.5, 1e300, 2**53, 2**62, 10**19 - 1, "", " ", "x" * 5000,
    "\u202eevil", "0000", "9999-99-99T99:99", "2026-01-01T00:00:00", "💩" * 30,
    "'; DROP TABLE household;--", [], [[]], [None], [0, 0], [200, 100], ["x", "y"],
    [104.1, 36.5, 1], {}, {"a": {"b": []}}, {"$ne": 1}, list(range(400)),
    {f"k{n}": n for n in range(300)},
)  # fmt: skip
FIELDS = {
    "household": ("grid", "address_text", "building", "door_point", "door_accuracy_m",
                  "occupancy", "residents_count", "count_0_5", "last_confirmed_at", "new_field"),
    "contact": ("household", "grid", "name", "phone", "relation", "is_emergency"),
    "incident": ("category", "text", "point", "accuracy_m", "grid", "state", "round", "priority"),
    "task": ("grid", "task_kind", "title", "assignee", "due_at", "household", "state", "round"),
}  # fmt: skip
WRAPPING = ("op", "kind", "rec", "base", "set", "was", "schema", "at")


@dataclass
class Sent:
    """One edit and the fates that are right for it; ``code`` when only one reason is."""

    shape: dict[str, Any]
    fates: frozenset[str] = WAITS
    code: str | None = None


@dataclass
class Maker:
    """Makes edits of one phone, from one seed."""

    rng: random.Random
    n: int = 0
    homes: list[str] = field(default_factory=list)
    stumbles: int = 0

    def new_id(self) -> str:
        return str(uuid.UUID(int=self.rng.getrandbits(128), version=4))

    def edit(self, op: str, kind: str, rec: str | None = None, **more: Any) -> dict[str, Any]:
        self.n += 1
        return {"n": self.n, "id": self.new_id(), "op": op, "kind": kind,
                "rec": rec or self.new_id(), **more}  # fmt: skip

    def good(self) -> list[Sent]:
        """Return a creation that nothing speaks against."""
        return [Sent(self.edit("create", "household", set=household()), APPLIED)]

    def bad(self) -> list[Sent]:
        """Return one of the many sorts of bad edit."""
        return self.rng.choice(SORTS)(self)


def _wrong_value(one: Maker) -> list[Sent]:
    kind = one.rng.choice(sorted(FIELDS))
    values = {"household": household(), "incident": incident(), "contact": {"name": "张三"},
              "task": {"grid": GRID, "title": "x"}}[kind]  # fmt: skip
    for name in one.rng.sample(FIELDS[kind], one.rng.randint(1, 3)):
        values = {**values, name: one.rng.choice(JUNK)}
    return [Sent(one.edit("create", kind, set=values), ANY)]


def _wrong_wrapping(one: Maker) -> list[Sent]:
    edit = one.edit("create", "household", set=household())
    for name in one.rng.sample(WRAPPING, one.rng.randint(1, 3)):
        edit[name] = one.rng.choice(JUNK)
    return [Sent(edit, ANY)]


def _missing_wrapping(one: Maker) -> list[Sent]:
    edit = one.edit("create", "household", set=household())
    for name in one.rng.sample(("op", "kind", "rec"), one.rng.randint(1, 2)):
        del edit[name]
    return [Sent(edit, WAITS, "malformed_edit")]


def _wrong_time(one: Maker) -> list[Sent]:
    at = {one.rng.choice(("claimed", "anchor", "elapsed_ms", "boot", "device")):
          one.rng.choice(JUNK)}  # fmt: skip
    return [Sent(one.edit("create", "household", set=household(), at=at), ANY)]


def _chain(one: Maker) -> list[Sent]:
    home, contact = one.new_id(), one.new_id()
    return [
        Sent(one.edit("create", "household", home, set=household(occupancy="haunted")), WAITS,
             "invalid_fields"),
        Sent(one.edit("create", "contact", contact, set={"household": home, "name": "张三"}),
             WAITS, "waits_for_parked"),
        Sent(one.edit("update", "contact", contact, set={"name": "李四"}), WAITS,
             "waits_for_parked"),
    ]  # fmt: skip


def _deleted(one: Maker) -> list[Sent]:
    home, contact = one.new_id(), one.new_id()
    return [
        Sent(one.edit("create", "household", home, set=household()), APPLIED),
        Sent(one.edit("create", "contact", contact, set={"household": home}), APPLIED),
        Sent(one.edit("delete", "contact", contact, base=1), APPLIED),
        Sent(one.edit("update", "contact", contact, base=2, set={"name": "张三"}), WAITS,
             "record_deleted"),
        Sent(one.edit("create", "household", home, set=household()), WAITS, "id_taken"),
    ]  # fmt: skip


def _single(code: str, op: str, kind: str, **values: Any) -> Callable[[Maker], list[Sent]]:
    def make(one: Maker) -> list[Sent]:
        return [Sent(one.edit(op, kind, set=dict(values)), WAITS, code)]

    return make


def _decision(op: str, code: str) -> Callable[[Maker], list[Sent]]:
    def make(one: Maker) -> list[Sent]:
        return [Sent(one.edit(op, "conflict", set={"choice": "swap"}), NOTED, code)]

    return make


def _own_home(code: str, op: str, **values: Any) -> Callable[[Maker], list[Sent]]:
    def make(one: Maker) -> list[Sent]:
        home = one.new_id()
        return [
            Sent(one.edit("create", "household", home, set=household()), APPLIED),
            Sent(one.edit(op, "household", home, base=1, set=dict(values)), WAITS, code),
        ]

    return make


def _stumble(one: Maker) -> list[Sent]:
    one.stumbles += 1
    building = f"{STUMBLE}-{one.rng.getrandbits(40):x}"
    return [Sent(one.edit("create", "household", set=household(building=building)), APPLIED)]


SORTS: tuple[Callable[[Maker], list[Sent]], ...] = (
    _wrong_value, _wrong_value, _wrong_value, _wrong_wrapping, _wrong_wrapping, _missing_wrapping,
    _wrong_time, _chain, _deleted, _stumble,
    _single("unknown_kind", "create", "castle", towers=4),
    _single("unknown_op", "split", "household", into=2),
    _single("unknown_record", "update", "household", occupancy="empty"),
    _single("out_of_scope", "create", "household", **household(grid=NEXT_VILLAGE_GRID)),
    _single("transition_not_allowed", "create", "incident",
            **incident(state="closed", result_text="x")),
    _single("invalid_fields", "create", "household", **household(address_text="x" * 60_000)),
    _single("too_many_fields", "create", "household",
            **household(**{f"new_{n}": "x" for n in range(45)})),
    _single("too_many_fields", "create", "household", **household(new=["x" * 60_000] * 2)),
    _single("database_refused", "create", "household", **household(address_text=DATABASE_POISON)),
    _own_home("not_allowed", "delete"),
    _own_home("invalid_fields", "update", residents_count=1, count_0_5=9),
    _decision("resolve", "unknown_record"), _decision("repair", "not_parked"),
    _decision("discard", "not_parked"),
)  # fmt: skip
CODES = frozenset({
    "malformed_edit", "invalid_fields", "waits_for_parked", "record_deleted", "id_taken",
    "unknown_kind", "unknown_op", "unknown_record", "out_of_scope", "transition_not_allowed",
    "too_many_fields", "database_refused", "not_allowed", "not_parked",
})  # fmt: skip


# -- bodies that nobody can read ------------------------------------------------------------------


@dataclass(frozen=True)
class Unread:
    """A hostile body, the statuses that are right for it, and whether it must be kept."""

    raw: bytes
    statuses: frozenset[int] = frozenset({400})
    headers: Mapping[str, str] = field(default_factory=dict)

    @property
    def kept(self) -> bool:
        """Tell whether the bytes are to be there for the support."""
        return self.statuses == frozenset({400})


def unreadable(one: Maker, device: str) -> Unread:
    """Return a body around good edits whose numbers are not used up by it."""
    n = one.n
    good = [one.good()[0].shape for _ in range(one.rng.randint(1, 4))]
    one.n = n
    body: dict[str, Any] = {"device": device, "cursor": None, "edits": good}
    return one.rng.choice(BODIES)(one, body)


def _json(body: Any) -> bytes:
    return json.dumps(body, ensure_ascii=False).encode()


def _cut(one: Maker, body: dict[str, Any]) -> Unread:
    raw = _json(body)
    return Unread(raw[: one.rng.randrange(len(raw) - 1)])


def _deep(one: Maker, body: dict[str, Any]) -> Unread:
    depth = one.rng.choice((40, 990, 100_000))
    return Unread(_json(body)[:-1] + b',"x":' + b"[" * depth + b"]" * depth + b"}")


def _flipped(one: Maker, body: dict[str, Any]) -> Unread:
    return Unread(_json(body).replace("人".encode(), b"\xff\xfe", 1))


def _bad_edit(one: Maker, body: dict[str, Any]) -> Unread:
    edit = dict(body["edits"][-1])
    name = one.rng.choice(("n", "id"))
    edit[name] = one.rng.choice([None, -1, 0, "1", 1.5, True, [], {}, "x", 2**60, "x" * 36])
    wrong: Any = one.rng.choice([edit, None, 7, [], {}, "edit"])
    body["edits"].insert(one.rng.randrange(len(body["edits"])), wrong)
    return Unread(_json(body))


def _id_twice(one: Maker, body: dict[str, Any]) -> Unread:
    body["edits"].append({**body["edits"][0], "n": one.n + len(body["edits"]) + 1})
    return Unread(_json(body))


def _not_gzip(one: Maker, body: dict[str, Any]) -> Unread:
    return Unread(_json(body), headers={"Content-Encoding": "gzip"})


def _cut_gzip(one: Maker, body: dict[str, Any]) -> Unread:
    return Unread(gzip.compress(_json(body))[:-6], headers={"Content-Encoding": "gzip"})


def _bomb(one: Maker, body: dict[str, Any]) -> Unread:
    raw = gzip.compress(b" " * (12 * 1024 * 1024))
    return Unread(raw, frozenset({413}), {"Content-Encoding": "gzip"})


def _too_many(one: Maker, body: dict[str, Any]) -> Unread:
    body["edits"] = [
        {**body["edits"][0], "n": one.n + k, "id": one.new_id()} for k in range(1, 130)
    ]
    return Unread(_json(body), frozenset({413}))


def _gap(one: Maker, body: dict[str, Any]) -> Unread:
    body["edits"] = [{**edit, "n": edit["n"] + 5} for edit in body["edits"]]
    return Unread(_json(body), frozenset({409}))


def _envelope(one: Maker, body: dict[str, Any]) -> Unread:
    body[one.rng.choice(("edits", "device"))] = one.rng.choice([None, 7, "x", {}, True])
    return Unread(_json(body))


BODIES: tuple[Callable[[Maker, dict[str, Any]], Unread], ...] = (
    _cut, _cut, _deep, _flipped, _bad_edit, _bad_edit, _id_twice, _not_gzip, _cut_gzip, _bomb,
    _too_many, _gap, _envelope,
)  # fmt: skip
