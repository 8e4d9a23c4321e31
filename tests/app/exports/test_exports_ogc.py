"""OGC API Features: GDAL's own client finds the features of the database, and no others."""

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import sqlalchemy as sa
from werkzeug.test import TestResponse

from app.core.database import table_of
from app.exports.ogc_query import LIMIT_MAX
from app.incidents.models import Incident
from tests.app.core.county import County, centre, household, incident, place
from tests.app.exports import gdal
from tests.app.identity.town import GRID, NEXT_VILLAGE_GRID, SAME_VILLAGE_GRID, outcome
from tests.conftest import SECRETS
from tests.prove.server import Server


@pytest.fixture
def filled(county: County) -> County:
    """Return a county with seven incidents, two of them in the next village, and two homes."""
    phone, other = county.phone("gw"), county.phone("gw_next_village")
    door = {"door_point": [104.1234567, 36.5012345], "door_accuracy_m": 5, "door_source": "gps"}
    here = [phone.edit("create", "incident", set=incident(**place(*centre(GRID))))
            for _ in range(5)]  # fmt: skip
    homes = [phone.edit("create", "household", set=household(**door)) for _ in range(2)]
    spot = place(*centre(NEXT_VILLAGE_GRID))
    there = [other.edit("create", "incident", set=incident(grid=NEXT_VILLAGE_GRID, **spot))
             for _ in range(2)]  # fmt: skip
    results = [*phone.push(*here, *homes), *other.push(*there)]
    assert {one["status"] for one in results} == {"applied"}
    return county


def _get(county: County, who: str, path: str = "") -> TestResponse:
    return county.client.get(f"/ogc{path}", headers=county.headers[who])


def _items(county: County, who: str, name: str, query: str = "") -> list[dict[str, Any]]:
    reply = _get(county, who, f"/collections/{name}/items?{query}")
    assert reply.status_code == 200, reply.get_data(as_text=True)
    assert reply.content_type == "application/geo+json"
    found = json.loads(reply.get_data())
    assert found["numberReturned"] == len(found["features"])
    features: list[dict[str, Any]] = found["features"]
    return features


@pytest.fixture
def served(filled: County) -> Iterator[tuple[County, str]]:
    """Return the county and the address at which the shipped server serves it."""
    settings = filled.app.extensions["wangge_settings"]
    server = Server({**SECRETS, "DATABASE_URL": settings.database_url,
                     "DATA_DIR": str(settings.data_dir), "JOBS": "apart"})  # fmt: skip
    server.start()
    yield filled, f"http://127.0.0.1:{server.port}/ogc"
    server.stop()


def test_gdal_reads_from_the_shipped_server_what_the_database_holds(
    served: tuple[County, str],
) -> None:
    county, address = served
    token = county.headers["ts"]["Authorization"]
    environment = {"GDAL_HTTP_HEADERS": f"Authorization: {token}"}

    def read(layer: str, *options: str) -> list[dict[str, Any]]:
        return gdal.features(f"OAPIF:{address}", layer, *options, **environment)

    small = ("-oo", "PAGE_SIZE=3")
    table = table_of(Incident)
    there = {row.id: row.category for row in county.sql(sa.select(table.c.id, table.c.category))}
    found = read("incidents", *small)
    assert {one["properties"]["id"]: one["properties"]["category"] for one in found} == there
    assert len(found) == 7, "three pages"
    assert {tuple(one["geometry"]["coordinates"]) for one in found} == {
        tuple(centre(GRID)), tuple(centre(NEXT_VILLAGE_GRID)),
    }  # fmt: skip
    lon, lat = centre(NEXT_VILLAGE_GRID)
    box = [str(number) for number in (lon - 0.001, lat - 0.001, lon + 0.001, lat + 0.001)]
    assert len(read("incidents", *small, "-spat", *box)) == 2
    borders = read("grids")
    assert sorted(gdal.values(borders, "name")) == ["grid 10", "grid 11", "grid 12"]
    assert borders[0]["geometry"]["type"] == "MultiPolygon"
    assert "Feature Count: 2" in gdal.summary(f"OAPIF:{address}", "households", environment)


def test_pages_follow_one_another_by_cursor_and_none_twice(filled: County) -> None:
    seen, here, pages = [], "/collections/incidents/items?limit=3", 0
    while here:
        found = json.loads(_get(filled, "ts", here).get_data())
        seen += [one["id"] for one in found["features"]]
        links = {one["rel"]: one["href"] for one in found["links"]}
        here, pages = links.get("next", "").partition("/ogc")[2], pages + 1
    assert len(seen) == len(set(seen)) == 7 and pages == 3
    one = json.loads(_get(filled, "ts", f"/collections/incidents/items/{seen[0]}").get_data())
    assert one["id"] == seen[0] and one["type"] == "Feature"


def test_a_box_and_a_time_choose(filled: County) -> None:
    lon, lat = centre(GRID)
    assert len(_items(filled, "ts", "incidents", f"bbox={lon},{lat},{lon},{lat}")) == 5
    assert len(_items(filled, "ts", "incidents", f"bbox={lon},{lat},0,{lon},{lat},9")) == 5
    over_the_date_line = f"bbox=179,{lat - 1},{lon},{lat + 1}"
    assert len(_items(filled, "ts", "incidents", over_the_date_line)) == 5
    assert len(_items(filled, "ts", "grids", f"bbox={lon},{lat},{lon},{lat}")) == 1
    now = datetime.now(UTC)
    hour_ago = (now - timedelta(hours=1)).strftime("%Y-%m-%dT%H:%M:%SZ")
    assert len(_items(filled, "ts", "incidents", f"datetime={hour_ago}/..")) == 7
    assert _items(filled, "ts", "incidents", f"datetime=../{hour_ago}") == []
    assert _items(filled, "ts", "incidents", f"datetime={hour_ago}") == []
    assert len(_items(filled, "ts", "grids", f"datetime={hour_ago}")) == 3, "grids have no time"


def test_everybody_sees_what_his_role_may_see(filled: County) -> None:
    exact = _items(filled, "gw", "households")[0]
    assert exact["geometry"]["coordinates"] == [104.1234567, 36.5012345]
    rounded = _items(filled, "ts", "households")[0]
    assert rounded["geometry"]["coordinates"] == [104.123, 36.501]
    assert "address_text" not in rounded["properties"]
    reply = _get(filled, "cm", "/collections/households/items")
    assert outcome(reply) == (403, "not_allowed")
    listed = json.loads(_get(filled, "cm", "/collections").get_data())["collections"]
    assert [one["id"] for one in listed] == ["grids", "incidents"]
    assert len(_items(filled, "vl", "incidents")) == 5
    far = next(one["id"] for one in _items(filled, "ts", "incidents")
               if one["properties"]["grid"] == NEXT_VILLAGE_GRID)  # fmt: skip
    mine = _get(filled, "vl", f"/collections/incidents/items/{far}")
    assert outcome(mine) == (404, "not_found")
    assert _items(filled, "ts_other_township", "incidents") == []
    assert not any("reporter" in one["properties"] for one in _items(filled, "ts", "incidents"))


def test_no_box_tells_a_masked_door_closer_than_it_is_shown(filled: County) -> None:
    """The door is at 104.1234567, 36.5012345, shown at 104.123, 36.501."""

    def found(who: str, *box: float) -> int:
        return len(_items(filled, who, "households", f"bbox={','.join(map(str, box))}"))

    at_the_door = (104.1234, 36.5012, 104.1235, 36.5013)
    assert (found("gw", *at_the_door), found("ts", *at_the_door)) == (2, 0)
    where_it_is_shown = (104.123, 36.501, 104.123, 36.501)
    assert (found("gw", *where_it_is_shown), found("ts", *where_it_is_shown)) == (0, 2)
    for edge in (104.1231, 104.1234, 104.1239):
        assert found("ts", 104.1, 36.4, edge, 36.6) == 2, "east of where it is shown"
        assert found("ts", edge, 36.4, 104.2, 36.6) == 0, "west of where it is shown"


def test_without_a_token_there_is_nothing(filled: County) -> None:
    for path in ("", "/collections", "/collections/grids/items"):
        assert outcome(filled.client.get(f"/ogc{path}")) == (401, "token_missing")
    assert filled.client.post("/ogc/collections/grids/items").status_code in (401, 405)


def test_it_says_of_itself_what_the_standard_asks_for(filled: County) -> None:
    landing = json.loads(_get(filled, "ts").get_data())
    rels = {one["rel"]: one for one in landing["links"]}
    assert {"self", "service-desc", "conformance", "data"} <= set(rels)
    conformance = json.loads(_get(filled, "ts", "/conformance").get_data())
    assert any(one.endswith("conf/core") for one in conformance["conformsTo"])
    described = _get(filled, "ts", "/api")
    assert described.content_type.startswith("application/vnd.oai.openapi+json;version=3.0")
    assert "/collections/grids/items" in json.loads(described.get_data())["paths"]
    one = json.loads(_get(filled, "ts", "/collections/incidents").get_data())
    assert one["itemType"] == "feature" and one["extent"]["temporal"]


NONSENSE = (
    "limit=0", "limit=-1", "limit=x", "bbox=1,2,3", "bbox=a,b,c,d", "bbox=0,50,1,40",
    "bbox=nan,0,1,1", "datetime=yesterday", "datetime=../..", "datetime=2026-11-25",
    "datetime=2026-11-26T00:00:00Z/2026-11-25T00:00:00Z", "cursor=x", "colour=red",
    "datetime=0001-01-01T00:00:00%2B14:00",
)  # fmt: skip


def test_what_makes_no_sense_is_a_400_and_a_limit_too_high_is_ours(filled: County) -> None:
    for query in NONSENSE:
        reply = _get(filled, "ts", f"/collections/incidents/items?{query}")
        assert outcome(reply)[0] == 400, query
    assert len(_items(filled, "ts", "incidents", f"limit={LIMIT_MAX * 10}")) == 7
    for name in ("x", "0", "9" * 30, str(SAME_VILLAGE_GRID * 100)):
        for collection in ("grids", "incidents"):
            reply = _get(filled, "ts", f"/collections/{collection}/items/{name}")
            assert outcome(reply) == (404, "not_found"), name


def test_a_page_costs_the_same_few_statements(filled: County) -> None:
    costs = set()
    for limit in (1, 100):
        with filled.statements() as seen:
            _items(filled, "ts", "incidents", f"limit={limit}")
        costs.add(len(seen))
    assert len(costs) == 1 and costs.pop() <= 3
