"""The scopes of areas: what everybody below reads, and what only one role of them reads."""

from datetime import UTC, datetime, timedelta

import sqlalchemy as sa

from app.core.actor import Actor, Post
from app.core.database import Mode
from app.core.engine import current_engine
from app.core.records import sync_tables
from app.identity import models
from app.sync_api.scopes import scopes_of
from sync.head import head, moved
from tests.app.core.county import County
from tests.app.identity.town import NEXT_VILLAGE_GRID

_GRID_POST = Post("gw", 10, "1.2.4.7.10.", "grid", 0)


def _granted(county: County, name: str) -> set[str]:
    reply = county.ask(
        county.phone(name).who, "POST", "/sync/devices", {"app": "test", "schema": 1}
    )
    return {scope for scope in reply.get_json()["scopes"] if scope.startswith("area:")}


def test_each_role_reads_what_is_meant_for_it_on_all_levels_above(county: County) -> None:
    assert _granted(county, "gw") == {
        *(f"area:{area}" for area in (1, 2, 4, 7)), *(f"area:{area}:gw" for area in (1, 2, 4, 7)),
    }  # fmt: skip
    assert _granted(county, "vl") == {
        *(f"area:{area}" for area in (1, 2, 4, 7)), *(f"area:{area}:vl" for area in (1, 2, 4, 7)),
    }  # fmt: skip
    assert _granted(county, "ts") == {
        *(f"area:{area}" for area in (1, 2, 4)), *(f"area:{area}:ts" for area in (1, 2, 4)),
    }  # fmt: skip


def test_who_holds_two_posts_reads_each_role_only_where_he_has_it(county: County) -> None:
    posts = (_GRID_POST, Post("vl", 8, "1.2.4.8.", "village", 0))
    with county.database.transaction(Mode.READ) as session:
        scopes = scopes_of(session, Actor(1, posts), 1)
    assert "area:7:gw" in scopes and "area:7:vl" not in scopes
    assert "area:8:vl" in scopes and "area:8:gw" not in scopes


def _write(county: County, *scopes: str) -> None:
    """Let something have been written to scopes."""
    rows = [{"scope": scope, "ver": 1, "digest": 0, "live": 0, "floor": 0} for scope in scopes]
    county.sql(sa.insert(sync_tables.scope).values(rows))


def test_the_scopes_of_a_village_that_was_left_are_dropped(county: County) -> None:
    _write(county, "area:7", "area:7:gw", "area:8")
    phone = county.phone("gw")
    first = phone.send("pull", {"cursor": None}).get_json()
    now = datetime.now(UTC) - timedelta(seconds=1)
    county.sql(sa.update(models.Post).where(models.Post.user_id == county.ids["gw"])
               .values(area_id=NEXT_VILLAGE_GRID, starts=now))  # fmt: skip
    page = phone.send("pull", {"cursor": first["to"]}).get_json()
    assert sorted(page["drop"]) == ["area:7", "area:7:gw", "grid:10"]
    assert {one for one in page["digest"] if one.startswith("area:")} == {"area:8"}


def test_of_areas_that_say_nothing_nothing_is_said_until_they_do(county: County) -> None:
    phone = county.phone("gw")
    page = phone.send("pull", {"cursor": None}).get_json()
    assert set(page["digest"]) == {f"me:{county.ids['gw']}", "ref", "grid:10"}
    assert phone.send("head", {"cursor": page["to"]}).status_code == 204
    with county.database.transaction(Mode.READ) as session:
        scopes = scopes_of(session, Actor(county.ids["gw"], (_GRID_POST,)), 1)
        found = head(current_engine().store(session), scopes, page["to"])
    assert found.seen["area:1"] == 0 and not found.changed
    assert moved(found.seen, {"area:1": 1}) == ["area:1"], "who waits is woken by the first row"
    _write(county, "area:1")
    assert phone.send("head", {"cursor": page["to"]}).get_json()["changed"] == ["area:1"]
    again = phone.send("pull", {"cursor": page["to"]}).get_json()
    assert (again["reset"], again["drop"], again["ver"]["area:1"]) == ([], [], 1)
