"""Draw the demo city: townships, units and grids as cells around seeds within the real counties.

Imports shapely, which costs 28 MB: only commands that draw may import this module.
"""

from __future__ import annotations

import csv
import json
from collections.abc import Iterable, Iterator, Sequence
from functools import lru_cache, partial
from itertools import islice
from math import cos, dist, pi, sin, sqrt
from typing import TYPE_CHECKING, Final, TypeAlias

from app.core.geos import shapely
from app.demo.halton import points_from, points_inside, start_of
from app.demo.plan import DATA, CityPlan, Division

if TYPE_CHECKING:
    from shapely import Geometry, MultiPolygon

X_PER_LON: Final = 0.8
ROUNDING_DEGREES: Final = 1e-6
COMMUNITY_RADIUS: Final = 0.014
CANDIDATES: Final = 256
RELAXING_ROUNDS: Final = 2

Seed = tuple[float, float]
Cells: TypeAlias = "dict[str, Geometry]"


def draw_city(plan: CityPlan) -> Iterator[tuple[str, dict[str, MultiPolygon]]]:
    """Yield each township's code with the shapes of itself, its units and its grids, by code."""
    for county in plan.of_level("county"):
        for township in plan.below(county.code):
            yield township.code, draw_township(plan, township)


def draw_township(plan: CityPlan, township: Division) -> dict[str, MultiPolygon]:
    """Return the shapes of a township, its units and its grids, by code."""
    cells, seeds = _townships(plan, township.parent_code)
    region = cells[township.code]
    units = _units(plan.below(township.code), region, seeds[township.code], township.code)
    drawn = {township.code: region, **units}
    for unit_code, cell in units.items():
        drawn |= _grids(unit_code, cell, [grid.code for grid in plan.grids_of(unit_code)])
    return {code: _to_degrees(cell) for code, cell in drawn.items()}


def draw_counties() -> dict[str, MultiPolygon]:
    """Return the real county borders, by code."""
    return {code: _to_degrees(border) for code, border in _counties().items()}


def draw_outline() -> MultiPolygon:
    """Return the border of the city: the union of its counties."""
    return _to_degrees(shapely.union_all(list(_counties().values())))


@lru_cache(maxsize=1)
def _counties() -> Cells:
    """Read the county borders onto the drawing plane."""
    collection = json.loads((DATA / "baiyin_counties.geojson").read_text(encoding="utf-8"))
    return {
        feature["properties"]["code"]: _scaled(
            shapely.from_geojson(json.dumps(feature["geometry"])), X_PER_LON
        )
        for feature in collection["features"]
    }


@lru_cache(maxsize=8)
def _townships(plan: CityPlan, county_code: str) -> tuple[Cells, dict[str, Seed]]:
    """Cut a county into townships around their offices, or around points far from any office."""
    region = _counties()[county_code]
    codes = [township.code for township in plan.below(county_code)]
    known = _offices()
    seeds = {code: known[code] for code in codes if code in known}
    for code in codes:
        if code not in seeds:
            candidates = list(islice(points_in(region, start_of("halton", code)), CANDIDATES))
            seeds[code] = _farthest(candidates, list(seeds.values()))
    in_order = [seeds[code] for code in codes]
    return dict(zip(codes, _cells(region, in_order), strict=True)), seeds


def _offices() -> dict[str, Seed]:
    """Read the known places of township offices onto the drawing plane."""
    with (DATA / "baiyin_points.csv").open(encoding="utf-8", newline="") as lines:
        return {
            row["code"]: (float(row["lon"]) * X_PER_LON, float(row["lat"]))
            for row in csv.DictReader(lines)
        }


def _farthest(candidates: Iterable[Seed], seeds: Sequence[Seed]) -> Seed:
    """Return the candidate whose nearest seed is the farthest away."""
    return max(candidates, key=lambda point: min(dist(point, seed) for seed in seeds))


def _units(units: Sequence[Division], region: Geometry, centre: Seed, code: str) -> Cells:
    """Cut a township into communities round its office and villages spread over the rest."""
    communities = [unit.code for unit in units if unit.kind == "community"]
    villages = [unit.code for unit in units if unit.kind == "village"]
    fixed = [_near(centre, region, start_of("com", community)) for community in communities]
    spread = list(islice(points_in(region, start_of("halton", code)), len(villages)))
    for _ in range(RELAXING_ROUNDS if villages else 0):
        spread = [_heart(cell) for cell in _cells(region, fixed + spread)[len(fixed) :]]
    return dict(zip(communities + villages, _cells(region, fixed + spread), strict=True))


def _grids(unit_code: str, region: Geometry, codes: Sequence[str]) -> Cells:
    """Cut a unit into grids of about the same size."""
    seeds = list(islice(points_in(region, start_of("halton", unit_code)), len(codes)))
    for _ in range(RELAXING_ROUNDS):
        seeds = [_heart(cell) for cell in _cells(region, seeds)]
    return dict(zip(codes, _cells(region, seeds), strict=True))


def _near(centre: Seed, region: Geometry, start: int) -> Seed:
    """Return the first point of a spreading disc round a centre that lies inside a region."""
    shapely.prepare(region)
    return next(
        (x, y)
        for second, third in points_from(start)
        for x, y in [_on_disc(centre, COMMUNITY_RADIUS * sqrt(second), 2 * pi * third)]
        if shapely.contains_xy(region, x, y)
    )


def _on_disc(centre: Seed, radius: float, angle: float) -> Seed:
    """Return the point at a radius and an angle from a centre."""
    return centre[0] + radius * cos(angle), centre[1] + radius * sin(angle)


def points_in(shape: Geometry, start: int) -> Iterator[Seed]:
    """Yield the evenly spread points that lie inside a shape, from an index on."""
    shapely.prepare(shape)
    return points_inside(start, shape.bounds, partial(shapely.contains_xy, shape))


def _cells(region: Geometry, seeds: Sequence[Seed]) -> list[Geometry]:
    """Cut a region into the parts that are nearest to each seed, in the order of the seeds."""
    if len(seeds) == 1:
        return [region]
    diagram = shapely.voronoi_polygons(shapely.MultiPoint(seeds), extend_to=region, ordered=True)
    cuts = shapely.intersection(shapely.get_parts(diagram), region)
    return [_polygons(cut) for cut in cuts]


def _polygons(shape: Geometry) -> MultiPolygon:
    """Keep the polygons of a shape: touching edges leave lines and points behind."""
    parts = shapely.get_parts(shapely.get_parts([shape]))
    return shapely.MultiPolygon([part for part in parts if part.geom_type == "Polygon"])


def _heart(cell: Geometry) -> Seed:
    """Return the centroid of a cell's largest part, or a point on it if the centroid is outside."""
    largest = max(shapely.get_parts(cell), key=shapely.area)
    centroid = largest.centroid
    point = centroid if largest.contains(centroid) else largest.point_on_surface()
    return point.x, point.y


def _to_degrees(shape: Geometry) -> MultiPolygon:
    """Take a shape from the drawing plane to longitude and latitude of six decimals."""
    return _polygons(shapely.set_precision(_scaled(shape, 1 / X_PER_LON), ROUNDING_DEGREES))


def _scaled(shape: Geometry, factor: float) -> Geometry:
    """Stretch a shape from west to east."""
    return shapely.transform(shape, lambda points: points * [factor, 1.0])
