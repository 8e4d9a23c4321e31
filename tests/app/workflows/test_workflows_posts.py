"""Workers are moved, stand in for one another and leave; nothing is written when time passes."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import sqlalchemy as sa

from app.core.records import sync_tables
from app.identity.models import Post
from tests.app.core.county import County, household
from tests.app.identity.town import GRID, SAME_VILLAGE_GRID
from tests.app.workflows.conftest import Handed
from tests.app.workflows.handset import Handset, on_server, within_five_percent
from tests.app.workflows.street import Street

HOUR = timedelta(hours=1)


def cover(county: County, who: str, grid: int, starts: timedelta, ends: timedelta) -> None:
    """Plan a cover through the office."""
    now = datetime.now(UTC)
    body = {"role": "gw", "area_id": grid, "mode": "cover", "reason": "leave",
            "starts": (now + starts).isoformat(), "ends": (now + ends).isoformat()}  # fmt: skip
    reply = county.ask("ts", "POST", f"/users/{county.ids[who]}/posts", body)
    assert reply.status_code == 201, reply.get_data(as_text=True)


def pass_time(county: County, hours: timedelta) -> None:
    """Let time go by for all posts: they begin and end that much earlier."""
    for row in county.sql(sa.select(Post.id, Post.starts, Post.ends).where(Post.mode == "cover")):
        values: dict[str, Any] = {"starts": row.starts - hours, "ends": row.ends - hours}
        county.sql(sa.update(Post).where(Post.id == row.id).values(**values))


def written(county: County) -> list[Any]:
    """Return all that the sync engine has written for scopes."""
    rows = county.sql(sa.select(sync_tables.scope).order_by(sync_tables.scope.c.scope))
    feed = county.sql(sa.select(sa.func.count(), sa.func.max(sync_tables.feed.c.ver)))
    return [*map(tuple, rows), tuple(feed[0])]


def end_posts(county: County, who: str) -> None:
    """End all posts of a person through the office."""
    posts = county.sql(sa.select(Post.id).where(Post.user_id == county.ids[who]))
    for (post,) in posts:
        assert county.ask("ts", "DELETE", f"/posts/{post}").status_code == 204


def statuses(phone: Handset) -> list[tuple[str, str | None, list[str]]]:
    """Return status, code and flags of the edits that were answered."""
    found = [one.receipt or {} for one in phone.replica.receipts()]
    return [(one["status"], one.get("code"), list(one.get("flags", ()))) for one in found]


def test_a_cover_begins_and_ends_by_itself_and_costs_its_records_once(
    street: Street, handset: Handed
) -> None:
    county = street.county
    absent, standing_in = handset("gw"), handset("colleague")
    cover(county, "colleague", GRID, 24 * HOUR, 48 * HOUR)
    before = written(county)
    early = standing_in.sync()
    assert not early.puts and standing_in.is_exact()
    pass_time(county, 25 * HOUR)
    during = standing_in.sync()
    assert set(during.puts) == set(absent.rows()) == set(on_server(county, {GRID}))
    assert standing_in.is_exact()
    pass_time(county, 24 * HOUR)
    after, other = standing_in.sync(), absent.sync()
    assert after.drops == [f"grid:{GRID}"] and not after.puts and not other.puts
    assert standing_in.is_exact() and absent.is_exact()
    assert within_five_percent(during.records, early, during, after, other)
    assert written(county) == before


def test_what_was_done_during_a_cover_is_applied_after_it(street: Street, handset: Handed) -> None:
    county = street.county
    cover(county, "colleague", GRID, timedelta(), 2 * HOUR)
    phone = handset("colleague")
    phone.edit("update", "household", street.homes[0], occupancy="lived_in")
    # The grant is cut to a moment between the act and now.
    county.sql(sa.update(Post).where(Post.mode == "cover").values(ends=datetime.now(UTC)))
    phone.later()
    phone.edit("update", "household", street.homes[1], occupancy="lived_in")
    phone.sync()
    assert statuses(phone) == [
        ("applied", None, ["late_scope"]), ("parked", "unknown_record", []),
    ]  # fmt: skip
    assert ("household", street.homes[0]) not in phone.rows() and phone.is_exact()


def test_a_worker_who_lost_his_only_post_can_still_hand_in_his_work(
    street: Street, handset: Handed
) -> None:
    county, phone = street.county, handset("gw")
    made = phone.edit("create", "household", **household())
    end_posts(county, "gw")
    phone.later()
    late = phone.edit("create", "household", **household())
    traffic = phone.sync()
    assert traffic.drops and not phone.rows()
    assert statuses(phone) == [
        ("applied", None, ["late_scope"]), ("parked", "out_of_scope", []),
    ]  # fmt: skip
    assert ("household", made) in on_server(county, {GRID})
    assert ("household", late) not in on_server(county, {GRID})
    waiting = county.ask("vl", "GET", "/parked-edits").get_json()
    assert [one["edit"]["rec"] for one in waiting] == [late]
    for path in ("/households", "/tasks", "/incidents"):
        assert county.ask(phone.who, "GET", path).status_code == 403


@pytest.mark.parametrize("want_bytes", [500, 65_536])
def test_a_worker_who_is_moved_holds_the_new_grid_and_nothing_of_the_old(
    street: Street, handset: Handed, want_bytes: int
) -> None:
    county, phone = street.county, handset("gw")
    phone.edit("update", "household", street.homes[0], occupancy="lived_in")
    county.ask("ts", "POST", f"/users/{county.ids['gw']}/posts",
               {"role": "gw", "area_id": SAME_VILLAGE_GRID})  # fmt: skip
    county.sql(sa.update(Post).where(Post.area_id == GRID).values(ends=datetime.now(UTC)))
    phone.exchange(want_bytes)
    assert not any(kind == "household" for kind, _ in phone.rows())
    phone.sync(want_bytes)
    assert statuses(phone) == [("applied", None, ["late_scope"])] and phone.is_exact()


def test_giving_a_grant_writes_one_row_whatever_the_grid_holds(street: Street) -> None:
    county = street.county
    before = written(county)
    with county.statements() as said:
        cover(county, "colleague", GRID, timedelta(), 2 * HOUR)
    assert len([one for one in said if one.startswith("INSERT INTO post")]) == 1
    assert not [one for one in said if "sync_" in one]
    assert written(county) == before
