"""Schemas derived from the declarations of the records, so that nothing is typed twice."""

from collections.abc import Collection
from typing import Any

from marshmallow import Schema, fields, validate

from app.core.records import Declared, Record
from sync import values as v
from sync.kinds import Rule

REASON_MIN, REASON_MAX = 4, 200


def reason() -> fields.String:
    """Return the field of a stated reason: some words, which are written down."""
    return fields.String(
        required=True,
        validate=[validate.Length(REASON_MIN, REASON_MAX), validate.Regexp(r"\S(?s:.*\S)?\Z")],
        metadata={"description": "why; it is written down, and holds no personal data"},
    )


def out_schema(model: type[Record], name: str, *, without: Collection[str] = ()) -> type[Schema]:
    """Return the schema of a record as it is read.

    Args:
        without: fields that have their own way out.
    """
    columns: dict[str, fields.Field[Any]] = {
        "id": fields.UUID(required=True, metadata={"description": "made by whoever created it"}),
        "rv": fields.Integer(required=True, metadata={"description": "version; also the ETag"}),
    }
    return Schema.from_dict(
        columns | {column: _field(one, reading=True) for column, one in _declared(model).items()
                   if column not in without},
        name=name,
    )  # fmt: skip


def in_schema(
    model: type[Record], name: str, *, creating: bool, without: Collection[str] = ()
) -> type[Schema]:
    """Return the schema of a body that creates or changes a record.

    Args:
        without: fields that have their own way in (a state is moved, not set).
    """
    writable = {
        column: _field(one, reading=False, required=creating and one.required)
        for column, one in _declared(model).items()
        if one.rule is not Rule.SERVER and column not in without
    }
    if creating:
        writable["id"] = fields.UUID(
            metadata={"description": "a UUID version 7 of yours; left out, the server makes one"}
        )
    return Schema.from_dict(writable, name=name)


def _declared(model: type[Record]) -> dict[str, Declared]:
    return {
        column.name: column.info["synced"]
        for column in model.__table__.columns
        if "synced" in column.info
    }


def _field(one: Declared, *, reading: bool, required: bool = False) -> fields.Field[Any]:
    description = f"{one.purpose} · {one.privacy} · {one.retention}"
    common: dict[str, Any] = {
        "allow_none": not required, "required": required, "metadata": {"description": description},
    }  # fmt: skip
    if reading and one.mask and isinstance(one.type, v.Whole):
        # Masked, a number is a text: a band.
        either = {"type": ["integer", "string"]}
        return fields.Raw(**{**common, "metadata": {**common["metadata"], **either}})
    return _typed(one.type, common, reading=reading)


def _typed(type_: v.ValueType, common: dict[str, Any], *, reading: bool) -> fields.Field[Any]:
    """Describe a wire type; the exact check is the engine's own, the same as for phones."""
    match type_:
        case v.Text(most=most, least=least) if not reading:
            return fields.String(validate=validate.Length(least, most), **common)
        case v.Choice(choices=choices) if not reading:
            return fields.String(validate=validate.OneOf(choices), **common)
        case v.Whole(least=least, most=most) if not reading:
            return fields.Integer(strict=True, validate=validate.Range(least, most), **common)
        case v.Whole():
            return fields.Integer(**common)
        case v.Truth():
            return fields.Boolean(truthy={True}, falsy={False}, **common)
        case v.SetOf(most=most):
            return fields.List(fields.String(), validate=validate.Length(max=most), **common)
        case v.Listing(item=item, most=most):
            inner = _typed(item, {}, reading=reading)
            return fields.List(inner, validate=validate.Length(max=most), **common)
        case v.Named():
            return fields.Dict(keys=fields.String(), **common)
        case v.Position():
            return fields.List(fields.Float(), validate=validate.Length(equal=2), **common)
        case v.Free():
            return fields.Raw(**common)
        case _:
            return fields.String(**common)
