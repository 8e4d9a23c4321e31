"""What the OGC interface says of itself: landing page, conformance, API and collections."""

from collections.abc import Iterable
from typing import Any

from app.exports.features import Collection
from app.exports.ogc_query import LIMIT, LIMIT_MAX

JSON, GEOJSON = "application/json", "application/geo+json"
OPENAPI = "application/vnd.oai.openapi+json;version=3.0"
CRS84 = "http://www.opengis.net/def/crs/OGC/1.3/CRS84"
_CORE = "http://www.opengis.net/spec/ogcapi-features-1/1.0/conf"
CONFORMS_TO = (f"{_CORE}/core", f"{_CORE}/geojson", f"{_CORE}/oas30")
WORLD = [[-180.0, -90.0, 180.0, 90.0]]


def link(href: str, rel: str, kind: str = JSON, title: str = "") -> dict[str, str]:
    """Return a link."""
    return {"href": href, "rel": rel, "type": kind, **({"title": title} if title else {})}


def landing(root: str) -> dict[str, Any]:
    """Return the landing page."""
    return {
        "title": "Wangge", "description": "网格要素服务（只读） · Features of grid work, read-only",
        "links": [
            link(root, "self", title="this page"),
            link(f"{root}/api", "service-desc", OPENAPI, "the API"),
            link(f"{root}/conformance", "conformance", title="what it conforms to"),
            link(f"{root}/collections", "data", title="the collections"),
        ],
    }  # fmt: skip


def collection(root: str, one: Collection) -> dict[str, Any]:
    """Return what is said of a collection."""
    here = f"{root}/collections/{one.name}"
    extent: dict[str, Any] = {"spatial": {"bbox": WORLD, "crs": CRS84}}
    if one.moment:
        extent["temporal"] = {"interval": [[None, None]]}
    return {
        "id": one.name, "title": one.title, "description": one.description,
        "itemType": "feature", "crs": [CRS84], "extent": extent,
        "links": [link(here, "self"), link(f"{here}/items", "items", GEOJSON, one.title)],
    }  # fmt: skip


def collections(root: str, every: Iterable[Collection]) -> dict[str, Any]:
    """Return the list of collections."""
    return {
        "links": [link(f"{root}/collections", "self")],
        "collections": [collection(root, one) for one in every],
    }


def _parameter(name: str, schema: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {"name": name, "in": "query", "required": False, "schema": schema, **more}


_PARAMETERS = [
    _parameter("limit", {"type": "integer", "minimum": 1, "maximum": LIMIT_MAX, "default": LIMIT},
               style="form", explode=False),
    _parameter("bbox", {"type": "array", "minItems": 4, "maxItems": 6,
                        "items": {"type": "number"}}, style="form", explode=False),
    _parameter("datetime", {"type": "string"}, style="form", explode=False),
    _parameter("cursor", {"type": "string"}),
]  # fmt: skip


def openapi(root: str, every: Iterable[Collection]) -> dict[str, Any]:
    """Return the description of this interface in OpenAPI 3.0, which its standard asks for."""
    paths = {
        "/": _get("landing page", JSON), "/conformance": _get("conformance", JSON),
        "/collections": _get("collections", JSON),
    }  # fmt: skip
    for one in every:
        here = f"/collections/{one.name}"
        paths[here] = _get(one.title, JSON)
        paths[f"{here}/items"] = _get(f"{one.title}: features", GEOJSON, _PARAMETERS)
        feature = {"name": "featureId", "in": "path", "required": True,
                   "schema": {"type": "string"}}  # fmt: skip
        paths[f"{here}/items/{{featureId}}"] = _get(f"{one.title}: one", GEOJSON, [feature])
    return {
        "openapi": "3.0.3", "info": {"title": "Wangge: OGC API Features", "version": "1"},
        "servers": [{"url": root}], "paths": paths, "security": [{"bearer": []}],
        "components": {"securitySchemes": {"bearer": {"type": "http", "scheme": "bearer"}}},
    }  # fmt: skip


def _get(words: str, kind: str, parameters: Iterable[Any] = ()) -> dict[str, Any]:
    answer = {"description": words, "content": {kind: {"schema": {"type": "object"}}}}
    found: dict[str, Any] = {"summary": words, "responses": {"200": answer}}
    if parameters:
        found["parameters"] = list(parameters)
    return {"get": found}
