"""OGC API Features, Part 1: what GIS programs read (QGIS, GDAL), read-only, with a bearer token."""

from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlencode
from uuid import UUID

from flask import Response, json, request

from app.core.actor import current_actor
from app.core.database import current_session
from app.core.moments import now_ms
from app.core.openapi import told_as
from app.core.pagination import write_cursor
from app.core.web import Blueprint
from app.exports import features, ogc_pages
from app.exports.features import COLLECTIONS, Collection, Wish
from app.exports.layers import GRIDS
from app.exports.ogc_pages import GEOJSON, JSON, OPENAPI, link
from app.exports.ogc_query import wish_of
from sync.errors import Problem

PREFIX = "/ogc"
blueprint = Blueprint(
    "ogc", __name__, url_prefix=PREFIX, description="OGC API Features, for GIS programs"
)


def _root() -> str:
    return request.url_root.rstrip("/") + PREFIX


def _answer(body: Any, kind: str = JSON) -> Response:
    return Response(json.dumps(body), content_type=kind)


def _seen() -> list[Collection]:
    """Return the collections of which the asker sees features."""
    actor, at_ms = current_actor(), now_ms()
    return [one for one in COLLECTIONS.values() if features.may_see(actor, one, at_ms)]


@blueprint.route("")
@blueprint.guard("codelist.read")
@blueprint.doc(responses={200: told_as(JSON, schema={"type": "object"})})
def landing() -> Any:
    """Show where everything is."""
    return _answer(ogc_pages.landing(_root()))


@blueprint.route("/conformance")
@blueprint.guard("codelist.read")
@blueprint.doc(responses={200: told_as(JSON, schema={"type": "object"})})
def conformance() -> Any:
    """Say which parts of the standard are kept."""
    return _answer({"conformsTo": list(ogc_pages.CONFORMS_TO)})


@blueprint.route("/api")
@blueprint.guard("codelist.read")
@blueprint.doc(responses={200: told_as(OPENAPI, schema={"type": "object"})})
def api() -> Any:
    """Describe this interface in OpenAPI 3.0."""
    return _answer(ogc_pages.openapi(_root(), _seen()), OPENAPI)


@blueprint.route("/collections")
@blueprint.guard("codelist.read")
@blueprint.doc(responses={200: told_as(JSON, schema={"type": "object"})})
def list_collections() -> Any:
    """List the collections that you may see."""
    return _answer(ogc_pages.collections(_root(), _seen()))


def _open(collection: Collection) -> None:
    """Open the doors of one collection, each guarded by the action that lists its records."""
    here = f"/collections/{collection.name}"

    @blueprint.route(here, endpoint=f"{collection.name}_collection")
    @blueprint.guard(collection.action)
    @blueprint.doc(responses={200: told_as(JSON, schema={"type": "object"})})
    def read_collection() -> Any:
        """Say what a collection holds."""
        if collection not in _seen():
            raise Problem(403, "not_allowed", action=collection.action)
        return _answer(ogc_pages.collection(_root(), collection))

    @blueprint.route(f"{here}/items", endpoint=f"{collection.name}_items")
    @blueprint.guard(collection.action)
    @blueprint.doc(responses={200: told_as(GEOJSON, schema={"type": "object"})})
    def list_items() -> Any:
        """List features, page by page; `bbox` and `datetime` choose, `next` goes on."""
        wish = wish_of(request.args.to_dict(flat=True))
        found = features.features(current_session(), current_actor(), collection, wish, now_ms())
        return _answer(_page(found, wish), GEOJSON)

    @blueprint.route(f"{here}/items/<feature>", endpoint=f"{collection.name}_item")
    @blueprint.guard(collection.action)
    @blueprint.doc(responses={200: told_as(GEOJSON, schema={"type": "object"})})
    def read_item(feature: str) -> Any:
        """Read one feature."""
        wish = Wish(1, feature=_as_id(collection, feature))
        found = features.features(current_session(), current_actor(), collection, wish, now_ms())
        if not found:
            raise Problem(404, "not_found")
        links = [link(request.base_url, "self", GEOJSON), link(_root() + here, "collection")]
        return _answer({**found[0], "links": links}, GEOJSON)


def _as_id(collection: Collection, text: str) -> str:
    """Return the id of a feature.

    Raises:
        Problem: 404 for what can be no id.
    """
    if collection.name == GRIDS:
        return text
    try:
        return str(UUID(text))
    except ValueError:
        raise Problem(404, "not_found") from None


def _page(found: list[features.Feature], wish: Wish) -> dict[str, Any]:
    links = [link(request.url, "self", GEOJSON)]
    if len(found) > wish.limit:
        found = found[: wish.limit]
        query = {**request.args.to_dict(flat=True), "cursor": write_cursor([found[-1]["id"]])}
        links.append(link(f"{request.base_url}?{urlencode(query)}", "next", GEOJSON))
    return {
        "type": "FeatureCollection", "features": found, "links": links,
        "timeStamp": datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
        "numberReturned": len(found),
    }  # fmt: skip


for _one in COLLECTIONS.values():
    _open(_one)
