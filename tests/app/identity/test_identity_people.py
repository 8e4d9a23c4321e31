"""Listing and taking on people, giving and ending posts."""

import threading

import sqlalchemy as sa

from app.identity.models import Post, User
from tests.app.identity.town import (
    CITY,
    COUNTY,
    GRID,
    NEXT_VILLAGE_GRID,
    OTHER_TOWNSHIP,
    OTHER_TOWNSHIP_GRID,
    SAME_VILLAGE_GRID,
    TOWNSHIP,
    VILLAGE,
    TestPhone,
    Town,
    answer,
    outcome,
)  # fmt: skip


def new_user(role: str = "gw", area: int = GRID, **more: object) -> dict[str, object]:
    return {"name": "新来的", "post": {"role": role, "area_id": area}, **more}


def create(town: Town, who: str | None, body: object, key: str | None = None):
    return town.call(who, "POST", "/users", body, key=key)


def give(town: Town, who: str | None, whom: str, role: str, area: int, **more: object):
    key = more.pop("key", None)
    path = f"/users/{town.ids[whom]}/posts"
    return town.call(who, "POST", path, {"role": role, "area_id": area, **more}, key=key)


def users(town: Town) -> int:
    return town.sql(sa.select(sa.func.count()).select_from(User))[0][0]


SEEING = [
    ("gw", "gw", 200),
    ("gw", "colleague", 200),
    ("gw", "vl", 200),
    ("gw", "gw_next_village", 404),
    ("gw", "ts", 404),
    ("vl", "gw", 200),
    ("vl", "gw_next_village", 404),
    ("vl", "ts", 404),
    ("ts", "gw_next_village", 200),
    ("ts", "gw_other_township", 404),
    ("ts", "cm", 404),
    ("cm", "gw_other_township", 200),
    ("cm", "cm_city", 404),
    ("cm_city", "gw", 200),
    ("cm_other_county", "gw", 404),
    ("au", "gw", 200),
    ("da", "cm", 200),
    (None, "gw", 401),
]


def test_people_are_seen_by_the_table(town: Town) -> None:
    found = [
        (who, whom, town.call(who, "GET", f"/users/{town.ids[whom]}").status_code)
        for who, whom, _ in SEEING
    ]
    assert found == SEEING


def test_an_absent_person_and_a_foreign_one_get_the_same_answer(town: Town) -> None:
    foreign = town.call("vl", "GET", f"/users/{town.ids['gw_other_township']}")
    absent = town.call("vl", "GET", "/users/999999")
    huge = town.call("vl", "GET", f"/users/{2**65}")
    assert foreign.get_data() == absent.get_data()
    assert outcome(huge) == (404, "not_found")


LISTING = {
    "gw": {"gw", "colleague", "vl"},
    "vl_next_village": {"gw_next_village", "vl_next_village"},
    "ts_other_township": {"gw_other_township", "ts_other_township"},
    "cm_other_county": {"cm_other_county"},
}


def test_a_list_holds_the_own_area_and_nothing_else(town: Town) -> None:
    for who, seen in LISTING.items():
        rows = town.call(who, "GET", "/users").get_json()
        assert {row["name"] for row in rows} == seen, who


def test_the_auditor_sees_masked_names_no_logins_and_no_reasons(town: Town) -> None:
    town.person("马兰", "vl", VILLAGE, login="ma.lan")
    made = create(town, "ts", new_user(phone="13912345678")).get_json()
    give(town, "vl", "gw", "gw", SAME_VILLAGE_GRID, reason="病假")
    rows = town.call("au", "GET", "/users").get_json()
    assert {post["reason"] for row in rows for post in row["posts"]} == {""}
    seen = town.call("au", "GET", f"/users/{made['id']}").get_json()
    assert (seen["name"], seen["phone"]) == ("新**", "**********5678")
    assert {row["name"] for row in rows} >= {"马*", "g*"}
    assert {row["login"] for row in rows} == {None}


def test_a_list_can_be_narrowed_and_has_pages(town: Town) -> None:
    rows = town.call("cm", "GET", f"/users?area_id={VILLAGE}&role=gw").get_json()
    assert {row["name"] for row in rows} == {"gw", "colleague"}
    assert town.call("vl", "GET", f"/users?area_id={OTHER_TOWNSHIP}").get_json() == []
    found, path = [], "/users?limit=3"
    while path:
        reply = town.call("cm_city", "GET", path)
        found += [row["id"] for row in reply.get_json()]
        link = reply.headers.get("Link", "")
        path = link[1 : link.index(">")].removeprefix("/api/v1") if link else ""
    assert found == sorted(set(found))
    assert len(found) == users(town)


QUERIES = {
    "limit=0": 422, "limit=9999": 422, "role=boss": 422, "area_id=x": 422,
    f"area_id={2**70}": 422, "cursor=x": 400, "cursor=WyJhIl0": 400, "more=1": 422,
}  # fmt: skip


def test_a_malformed_list_query_is_refused(town: Town) -> None:
    found = {query: town.call("vl", "GET", f"/users?{query}").status_code for query in QUERIES}
    assert found == QUERIES


def test_a_list_takes_two_statements_whatever_its_length(town: Town) -> None:
    with town.statements() as seen:
        for limit in (2, 14):
            seen.clear()
            assert len(town.call("cm_city", "GET", f"/users?limit={limit}").get_json()) == limit
            assert len(seen) == 1 + 2  # who asks; people and their posts


def test_whoever_moves_away_is_no_longer_seen_and_the_new_place_sees_him(town: Town) -> None:
    post = town.sql(sa.select(Post.id).where(Post.user_id == town.ids["gw"]))[0][0]
    given = give(town, "cm", "gw", "gw", OTHER_TOWNSHIP_GRID)
    assert given.status_code == 201
    assert town.call("vl", "DELETE", f"/posts/{post}").status_code == 204
    path = f"/users/{town.ids['gw']}"
    assert town.call("vl", "GET", path).status_code == 404
    assert town.call("ts_other_township", "GET", path).status_code == 200
    assert "gw" not in {row["name"] for row in town.call("vl", "GET", "/users").get_json()}


def test_whoever_holds_no_post_any_more_is_found_where_he_served_last(town: Town) -> None:
    town.person("former", "gw", ended=True)
    path = f"/users/{town.ids['former']}"
    assert town.call("vl", "GET", path).status_code == 200
    assert town.call("vl_next_village", "GET", path).status_code == 404
    assert "former" in {row["name"] for row in town.call("vl", "GET", "/users").get_json()}
    assert outcome(town.call("former", "GET", "/auth/me")) == (403, "not_allowed")


def test_a_person_is_taken_on_with_a_first_post(town: Town) -> None:
    reply = create(town, "ts", new_user(phone="139 1234 5678"))
    body = reply.get_json()
    assert reply.status_code == 201
    assert (body["name"], body["phone"], body["login"]) == ("新来的", "+8613912345678", None)
    assert [(post["role"], post["area_id"]) for post in body["posts"]] == [("gw", GRID)]
    again = town.call("vl", "GET", f"/users/{body['id']}").get_json()
    assert again == body
    assert len(town.events("user.created")) == 1


def test_the_telephone_number_is_sealed_in_the_database(town: Town) -> None:
    made = create(town, "ts", new_user(phone="13912345678")).get_json()
    kept = town.sql(sa.select(User.phone, User.phone_blind).where(User.id == made["id"]))[0]
    assert "13912345678" not in repr(kept)
    assert kept.phone_blind == town.house.cipher.blind("+8613912345678", "user.phone")


def test_a_password_makes_an_office_user(town: Town) -> None:
    secret = "seven grey geese"
    body = new_user("vl", VILLAGE, login="New.Lead", password=secret)
    made = create(town, "ts", body)
    assert made.get_json()["login"] == "new.lead"
    assert secret not in made.get_data(as_text=True)
    credentials = {"login": "new.lead", "password": secret}
    assert town.call(None, "POST", "/auth/sign-in", credentials).status_code == 200


TAKING_ON = [
    ("ts", "gw", NEXT_VILLAGE_GRID, 201, None),
    ("ts", "vl", VILLAGE, 201, None),
    ("ts", "ts", TOWNSHIP, 201, None),
    ("cm", "gw", OTHER_TOWNSHIP_GRID, 201, None),
    ("cm", "cm", COUNTY, 201, None),
    ("cm_city", "cm", COUNTY, 201, None),
    ("ts", "gw", OTHER_TOWNSHIP_GRID, 404, "not_found"),
    ("ts", "gw", 999_999, 404, "not_found"),
    ("ts", "cm", COUNTY, 404, "not_found"),
    ("cm", "cm", CITY, 404, "not_found"),
    ("cm_other_county", "gw", GRID, 404, "not_found"),
    ("ts", "cm", TOWNSHIP, 403, "above_your_level"),
    ("ts", "au", TOWNSHIP, 403, "second_person_required"),
    ("cm", "da", COUNTY, 403, "second_person_required"),
    ("ts", "gw", VILLAGE, 422, "invalid_fields"),
    ("cm", "ts", COUNTY, 422, "invalid_fields"),
    ("vl", "gw", GRID, 403, "not_allowed"),
    ("gw", "gw", GRID, 403, "not_allowed"),
    ("au", "gw", GRID, 403, "not_allowed"),
    ("da", "gw", GRID, 403, "not_allowed"),
    (None, "gw", GRID, 401, "token_missing"),
]


def test_nobody_is_taken_on_above_the_authors_level(town: Town) -> None:
    before = users(town)
    found = [
        (who, role, area, *answer(create(town, who, new_user(role, area))))
        for who, role, area, *_ in TAKING_ON
    ]
    assert found == TAKING_ON
    assert users(town) == before + sum(case[3] == 201 for case in TAKING_ON)


MALFORMED: list[tuple[dict[str, object], str]] = [
    ({"name": ""}, "name"),
    ({"name": "x" * 101}, "name"),
    ({"name": 5}, "name"),
    ({"name": " "}, "name"),
    ({"name": "马兰\n"}, "name"),
    ({"post": None}, "post"),
    ({"post": {"role": "boss", "area_id": GRID}}, "role"),
    ({"post": {"role": "gw", "area_id": "10"}}, "area_id"),
    ({"post": {"role": "gw", "area_id": 2**62 + 1}}, "area_id"),
    ({"post": {"role": "gw", "area_id": GRID, "starts": "2026-01-01T00:00:00"}}, "starts"),
    ({"post": {"role": "gw", "area_id": GRID, "starts": "2020-01-01T00:00:00Z"}}, "starts"),
    ({"post": {"role": "gw", "area_id": GRID, "ends": "9999-12-31T23:59:59-12:00"}}, "ends"),
    ({"post": {"role": "gw", "area_id": GRID, "ends": "2021-01-01T00:00:00Z"}}, "ends"),
    ({"login": "a b", "password": "seven grey geese"}, "login"),
    ({"login": "abc"}, "password"),
    ({"password": "seven grey geese"}, "login"),
    ({"login": "abc", "password": "short"}, "password"),
    ({"login": "abc", "password": "password123"}, "password"),
    ({"login": "lanzhou.ma", "password": "lanzhou.ma1"}, "password"),
    ({"phone": "12"}, "phone"),
    ({"score": 7}, "score"),
]


def test_a_malformed_person_is_refused_with_the_field(town: Town) -> None:
    before = users(town)
    for change, field in MALFORMED:
        reply = create(town, "ts", {**new_user(), **change})
        assert outcome(reply) == (422, "invalid_fields"), change
        assert field in {error["field"] for error in reply.get_json()["errors"]}, change
    assert users(town) == before


def test_a_manager_needs_a_longer_password(town: Town) -> None:
    body = new_user("cm", COUNTY, login="chief", password="grey geese")
    reply = create(town, "cm", body)
    assert reply.get_json()["errors"][0]["code"] == "password_too_short"


def test_the_same_request_again_takes_nobody_on_twice(town: Town) -> None:
    first, second = (create(town, "ts", new_user(), key="a-1") for _ in range(2))
    assert first.get_json() == second.get_json()
    assert outcome(create(town, "ts", new_user(name="另一人"), key="a-1")) == (409, "key_reused")
    other = create(town, "ts_other_township", new_user(area=OTHER_TOWNSHIP_GRID), key="a-1")
    assert other.status_code == 201
    assert outcome(create(town, "ts", new_user(), key="é" * 3))[0] == 422


def test_two_copies_of_a_request_at_the_same_moment_take_on_one_person(town: Town) -> None:
    statuses: list[int] = []
    before = users(town)
    barrier = threading.Barrier(2)

    def run() -> None:
        client = town.app.test_client()
        headers = {**town.headers["ts"], "Idempotency-Key": "same"}
        barrier.wait()
        statuses.append(client.post("/api/v1/users", json=new_user(), headers=headers).status_code)

    threads = [threading.Thread(target=run) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert users(town) == before + 1
    assert set(statuses) <= {201, 503}


def test_a_login_belongs_to_one_person(town: Town) -> None:
    body = new_user("vl", VILLAGE, login="lead", password="seven grey geese")
    assert create(town, "ts", body).status_code == 201
    assert outcome(create(town, "ts", body)) == (409, "login_taken")


def test_me_tells_posts_and_rights(town: Town) -> None:
    mine = town.call("ts", "GET", "/auth/me").get_json()
    assert mine["roles"] == ["ts"]
    assert [post["path"] for post in mine["posts"]] == ["1.2.4."]
    assert mine["rights"]["task.create"] == "t"
    assert mine["rights"]["household.read"] == "tr"
    assert "audit.list" not in mine["rights"]


def test_a_phone_carries_only_what_its_person_may(town: Town, phone: TestPhone) -> None:
    town.enrolled("gw", phone)
    assert create(town, "gw_phone", new_user()).status_code == 403
    assert town.call("gw_phone", "GET", "/auth/me").get_json()["rights"]["household.create"] == "g"
