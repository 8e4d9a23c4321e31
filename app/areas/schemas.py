"""The shapes of areas in the REST interface."""

from marshmallow import Schema, fields, validate

from app.areas.divisions import LEVELS
from app.areas.places import NEAREST_WITHIN_M
from app.core.pagination import PageQuery

WITHIN_M_MAX = 500.0
ID_MAX = 2**62


class AreaQuery(PageQuery):
    """Which areas to list."""

    parent = fields.Integer(
        load_default=None,
        validate=validate.Range(1, ID_MAX),
        metadata={"description": "only those directly below this area"},
    )
    level = fields.String(load_default=None, validate=validate.OneOf(LEVELS))


class PlaceQuery(Schema):
    """A WGS-84 position, and how far away a grid may be."""

    lon = fields.Float(required=True, validate=validate.Range(-180, 180))
    lat = fields.Float(required=True, validate=validate.Range(-90, 90))
    within_m = fields.Float(
        load_default=NEAREST_WITHIN_M,
        validate=validate.Range(0, WITHIN_M_MAX),
        metadata={"description": "how far the nearest grid may be, if none holds the position"},
    )


class AreaOut(Schema):
    """An area that stands."""

    id = fields.Integer(required=True)
    level = fields.String(required=True, validate=validate.OneOf(LEVELS))
    parent_id = fields.Integer(required=True, allow_none=True)
    code = fields.String(required=True, metadata={"description": "of today; it can change"})
    name = fields.String(required=True)
    short_name = fields.String(required=True)
    kind = fields.String(required=True)
    urban_rural_code = fields.String(required=True)
    valid_from = fields.Date(required=True)
    valid_until = fields.Date(
        required=True,
        allow_none=True,
        metadata={"description": "the first day on which it no longer stands"},
    )


class AreaVersionOut(Schema):
    """What an area was called from a day on."""

    valid_from = fields.Date(required=True)
    valid_until = fields.Date(required=True, allow_none=True)
    code = fields.String(required=True)
    name = fields.String(required=True)
    short_name = fields.String(required=True)
    kind = fields.String(required=True)
    parent_id = fields.Integer(required=True, allow_none=True)
    edition = fields.String(required=True)


class AreaDetailOut(AreaOut):
    """An area, also one that has ended, with all it was called."""

    ancestors = fields.List(
        fields.Integer(), required=True, metadata={"description": "ids, the highest first"}
    )
    versions = fields.List(fields.Nested(AreaVersionOut), required=True)


class PlaceOut(Schema):
    """The grid of a position."""

    grid = fields.Nested(AreaOut, required=True)
    distance_m = fields.Float(required=True)
    inside = fields.Boolean(required=True, metadata={"description": "false: only the nearest"})
