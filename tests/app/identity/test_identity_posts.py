"""Giving and ending posts."""

from datetime import UTC, datetime, timedelta

import sqlalchemy as sa

from app.identity.models import Post
from tests.app.identity.town import (
    COUNTY,
    GRID,
    NEXT_VILLAGE_GRID,
    OTHER_TOWNSHIP,
    SAME_VILLAGE_GRID,
    VILLAGE,
    Town,
    answer,
    outcome,
)  # fmt: skip


def give(town: Town, who: str | None, whom: str, role: str, area: int, **more: object):
    key = more.pop("key", None)
    path = f"/users/{town.ids[whom]}/posts"
    return town.call(who, "POST", path, {"role": role, "area_id": area, **more}, key=key)


GIVING = [
    ("vl", "gw", "gw", SAME_VILLAGE_GRID, 201, None),
    ("ts", "gw", "vl", VILLAGE, 201, None),
    ("ts", "vl", "gw", NEXT_VILLAGE_GRID, 201, None),
    ("cm", "gw", "ts", OTHER_TOWNSHIP, 201, None),
    ("vl", "vl", "gw", GRID, 403, "not_to_yourself"),
    ("cm", "cm", "cm", COUNTY, 403, "not_to_yourself"),
    ("vl", "gw", "gw", NEXT_VILLAGE_GRID, 404, "not_found"),
    ("vl", "gw_next_village", "gw", GRID, 404, "not_found"),
    ("vl", "gw", "ts", VILLAGE, 403, "above_your_level"),
    ("cm", "gw", "au", COUNTY, 403, "second_person_required"),
    ("vl", "gw", "da", VILLAGE, 403, "not_allowed"),
    ("vl", "gw", "gw", GRID, 409, "post_held"),
    ("gw", "colleague", "gw", GRID, 403, "not_allowed"),
    ("au", "gw", "gw", GRID, 403, "not_allowed"),
    ("da", "gw", "gw", SAME_VILLAGE_GRID, 403, "not_allowed"),
    (None, "gw", "gw", GRID, 401, "token_missing"),
]


def test_posts_are_given_by_the_table_and_never_upwards(town: Town) -> None:
    for who, whom, role, area, status, code in GIVING:
        reply = give(town, who, whom, role, area)
        assert answer(reply) == (status, code), (who, whom, role, area)
        if status == 201:
            assert town.call("cm", "DELETE", f"/posts/{reply.get_json()['id']}").status_code == 204


def test_a_given_post_is_shown(town: Town) -> None:
    give(town, "ts", "gw", "gw", NEXT_VILLAGE_GRID)
    rows = town.call("ts", "GET", f"/users/{town.ids['gw']}").get_json()["posts"]
    assert [(row["role"], row["area_id"]) for row in rows] == [
        ("gw", GRID), ("gw", NEXT_VILLAGE_GRID),
    ]  # fmt: skip


def test_a_post_counts_at_once_and_its_end_too(town: Town) -> None:
    path = f"/users/{town.ids['gw_next_village']}"
    assert town.call("gw", "GET", path).status_code == 404
    given = give(town, "ts", "gw", "gw", NEXT_VILLAGE_GRID).get_json()
    assert town.call("gw", "GET", path).status_code == 200
    assert town.call("ts", "DELETE", f"/posts/{given['id']}").status_code == 204
    assert town.call("gw", "GET", path).status_code == 404


def test_a_cover_ends_by_itself(town: Town) -> None:
    now = datetime.now(UTC)
    ends = now + timedelta(days=3)
    cover = {"mode": "cover", "reason": "休假", "ends": ends.isoformat()}
    given = give(town, "ts", "gw", "gw", NEXT_VILLAGE_GRID, **cover)
    assert given.status_code == 201
    assert datetime.fromisoformat(given.get_json()["ends"]) == ends
    town.sql(
        sa.update(Post).where(Post.mode == "cover").values(ends=now, starts=now - timedelta(1))
    )
    roles = town.call("gw", "GET", "/auth/me").get_json()["posts"]
    assert [post["area_id"] for post in roles] == [GRID]


def test_the_same_post_again_is_given_once(town: Town) -> None:
    replies = [give(town, "vl", "gw", "gw", SAME_VILLAGE_GRID, key="p1") for _ in range(2)]
    assert [reply.status_code for reply in replies] == [201, 201]
    assert replies[0].get_json() == replies[1].get_json()
    other = give(town, "vl", "gw", "vl", VILLAGE, key="p1")
    assert outcome(other) == (409, "key_reused")


REFUSED_ENDS = [
    ("vl", "gw_next_village", 404),
    ("vl", "ts", 404),
    ("ts", "gw_other_township", 404),
    ("cm_city", "au", 403),
    ("gw", "colleague", 403),
    ("da", "gw", 403),
    (None, "gw", 401),
]
ENDS = [("vl", "gw"), ("ts", "vl"), ("cm", "ts"), ("cm", "ts_other_township")]


def end(town: Town, who: str | None, whose: str):
    query = sa.select(Post.id).where(Post.user_id == town.ids[whose])
    return town.call(who, "DELETE", f"/posts/{town.sql(query)[0][0]}")


def test_posts_are_ended_by_the_table(town: Town) -> None:
    found = [(who, whose, end(town, who, whose).status_code) for who, whose, _ in REFUSED_ENDS]
    assert found == REFUSED_ENDS
    for who, whose in ENDS:
        assert town.call(whose, "GET", "/auth/me").status_code == 200
        if whose == "ts":
            assert end(town, "ts_colleague", "ts").status_code == 204
        assert end(town, who, whose).status_code == 204
        assert outcome(town.call(whose, "GET", "/auth/me")) == (403, "not_allowed")


def test_an_ended_post_stays_as_it_ended(town: Town) -> None:
    query = sa.select(Post.ends).where(Post.user_id == town.ids["gw"])
    end(town, "vl", "gw")
    before = town.sql(query)
    assert end(town, "vl", "gw").status_code == 204
    assert town.sql(query) == before
    assert len(town.events("post.ended")) == 1


def test_an_unknown_post_is_not_found(town: Town) -> None:
    assert outcome(town.call("ts", "DELETE", "/posts/999999")) == (404, "not_found")
    assert outcome(town.call("ts", "DELETE", "/posts/x")) == (404, "not_found")
