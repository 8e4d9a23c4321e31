"""The shapes of regridding in the REST interface."""

from typing import Any

from marshmallow import Schema, fields, validate

from app.areas.datum import Datum
from app.workflows.posts import ALL, WAYS

ID_MAX = 2**62
FEATURES_MAX = 200
ASSIGNED_MAX = 2_000
MERGED_MAX = 50


def _dry_run() -> fields.Boolean:
    return fields.Boolean(
        load_default=False, truthy={True}, falsy={False},
        metadata={"description": "do everything, tell what it did, and undo it"},
    )  # fmt: skip


def _posts() -> fields.String:
    return fields.String(
        load_default=ALL, validate=validate.OneOf(WAYS),
        metadata={"description": "where the people of an ended grid go on: in all parts, "
                                 "in the main one, or nowhere"},
    )  # fmt: skip


class Borders(Schema):
    """Grids with their borders, as GeoJSON features with code, name and perhaps parent_code."""

    features = fields.List(
        fields.Dict(), required=True, validate=validate.Length(1, FEATURES_MAX),
        metadata={"description": "GeoJSON features of type Polygon or MultiPolygon"},
    )  # fmt: skip
    datum = fields.String(
        load_default=Datum.WGS84.value, validate=validate.OneOf([one.value for one in Datum])
    )
    source = fields.String(required=True, validate=validate.Length(1, 200))
    accuracy_m = fields.Float(load_default=None, allow_none=True, validate=validate.Range(0, 5000))
    dry_run = _dry_run()


class SplitIn(Borders):
    """The parts that take a grid's place; it stays if its own code is among them."""

    main = fields.String(
        load_default=None, allow_none=True, validate=validate.Length(1, 15),
        metadata={"description": "code of the part that takes what has no place"},
    )  # fmt: skip
    assigned = fields.Dict(
        keys=fields.UUID(), values=fields.String(), load_default=dict,
        validate=validate.Length(max=ASSIGNED_MAX),
        metadata={"description": "for a record without a place, the code of the part it goes to"},
    )  # fmt: skip
    posts = _posts()
    people = fields.Dict(
        keys=fields.Integer(), values=fields.List(fields.String()), load_default=dict,
        validate=validate.Length(max=200),
        metadata={"description": "for a person, the codes of the parts where he goes on"},
    )  # fmt: skip


class MergeIn(Schema):
    """The grids that one grid takes over."""

    grids = fields.List(
        fields.Integer(validate=validate.Range(1, ID_MAX)), required=True,
        validate=validate.Length(1, MERGED_MAX),
    )  # fmt: skip
    into = fields.Integer(required=True, validate=validate.Range(1, ID_MAX))
    posts = _posts()
    dry_run = _dry_run()


class RegridOut(Schema):
    """What was done, or would be."""

    sources = fields.List(fields.Integer(), required=True)
    targets = fields.List(fields.Integer(), required=True)
    before = fields.Dict(required=True, metadata={"description": "living records by grid and kind"})
    after = fields.Dict(required=True)
    phones = fields.Integer(required=True, metadata={"description": "phones that get changes"})
    workers = fields.Integer(required=True)
    posts_ended = fields.Integer(required=True)
    posts_given = fields.Integer(required=True)
    uncovered_m2 = fields.Float(
        required=True, metadata={"description": "ground that no border covers any more"}
    )
    dry_run = fields.Boolean(required=True)


class TransferIn(Schema):
    """Where a household goes."""

    grid = fields.Integer(required=True, validate=validate.Range(1, ID_MAX))


class TransferOut(Schema):
    """The receipt of a transfer."""

    status = fields.String(required=True)
    rec = fields.UUID(required=True)
    rv = fields.Integer()


def told_of(body: dict[str, Any]) -> dict[str, Any]:
    """Return what a split has been told besides its borders."""
    return {
        "main": body["main"], "posts": body["posts"], "people": body["people"],
        "assigned": {str(record): code for record, code in body["assigned"].items()},
    }  # fmt: skip
