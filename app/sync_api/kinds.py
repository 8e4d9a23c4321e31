"""The wire of every kind, as a document that only grows: phones a year old still push."""

import dataclasses
import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from app.core.engine import Engine
from app.core.records import Declared, KindTable
from sync.kinds import Rule, Workflow

SNAPSHOT = Path(__file__).parents[2] / "docs" / "kinds.json"
FIXED = ("type", "group", "refers")
"""What may never change. The merge rule may: it decides what the server makes of an edit, not how
the edit is written; only a field that phones may not write any more would park what they send.
"""
Shape = Mapping[str, Any]


def describe(engine: Engine) -> dict[str, Any]:
    """Return every kind with its fields, derived from the declarations of the records."""
    return {name: _kind(table) for name, table in sorted(engine.tables.items())}


def as_text(kinds: Shape) -> str:
    """Write the document the way it is committed."""
    return json.dumps(kinds, ensure_ascii=False, indent=1) + "\n"


def read_snapshot() -> dict[str, Any]:
    """Return the committed document."""
    kinds: dict[str, Any] = json.loads(SNAPSHOT.read_text(encoding="utf-8"))
    return kinds


def _kind(table: KindTable) -> dict[str, Any]:
    shape: dict[str, Any] = {
        "schema": table.kind.schema,
        "sealed": table.kind.sealed,
        "fields": {name: _field(one) for name, one in table.declared.items()},
    }
    if table.kind.workflow:
        shape["moves"] = _moves(table.kind.workflow)
    return shape


def _field(one: Declared) -> dict[str, Any]:
    return {
        **_type(one.type), "rule": one.rule.value, "group": one.group, "required": one.required,
        "refers": one.refers, "sealed": one.sealed, "privacy": one.privacy,
        "purpose": one.purpose, "retention": one.retention,
        **({"needs": list(one.needs)} if one.needs else {}),
        **({} if one.offline else {"offline": False}),
    }  # fmt: skip


def _type(type_: Any) -> dict[str, Any]:
    limits = {
        name: _type(value) if dataclasses.is_dataclass(value) else value
        for name, value in ((f.name, getattr(type_, f.name)) for f in dataclasses.fields(type_))
    }
    shape = {name: list(v) if isinstance(v, tuple) else v for name, v in limits.items()}
    return {"type": type(type_).__name__.lower(), **shape}


def _moves(workflow: Workflow) -> list[list[str | None]]:
    return sorted(([here, there] for here, there in workflow.moves), key=str)


def breaches(before: Shape, after: Shape) -> Iterator[str]:
    """List what a phone that was built for ``before`` could not live with in ``after``."""
    for kind, old in before.items():
        if kind not in after:
            yield f"{kind}: gone"
            continue
        new = after[kind]
        for name, field in old["fields"].items():
            found = _field_breaches(field, new["fields"].get(name))
            yield from (f"{kind}.{name}: {breach}" for breach in found)
        if new["schema"] < old["schema"]:
            yield f"{kind}: schema {old['schema']} cannot push any more"
        for name in new["fields"].keys() - old["fields"].keys():
            if new["fields"][name]["required"]:
                yield f"{kind}.{name}: new, and required"
        for move in old.get("moves", ()):
            if move not in new.get("moves", ()):
                yield f"{kind}: the move {move[0]} -> {move[1]} is gone"


def _field_breaches(old: Shape, new: Shape | None) -> Iterator[str]:
    if new is None:
        yield "gone"
        return
    yield from (f"another {name}" for name in FIXED if old[name] != new[name])
    if new["rule"] == Rule.SERVER.value != old["rule"]:
        yield "read-only now"
    if new["required"] and not old["required"]:
        yield "required now"
    if old["sealed"] and not new["sealed"]:
        yield "not sealed any more"
    yield from _narrower(old, new)


def _narrower(old: Shape, new: Shape) -> Iterator[str]:
    if "most" in old and new.get("most", old["most"]) < old["most"]:
        yield "a smaller most"
    if "least" in old and new.get("least", old["least"]) > old["least"]:
        yield "a greater least"
    if set(old.get("choices", ())) - set(new.get("choices", old.get("choices", ()))):
        yield "fewer choices"
    if old.get("pattern") != new.get("pattern"):
        yield "another pattern"
