"""Two persons: nobody grants to himself or above himself, or approves his own; one door for all."""

import threading
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import sqlalchemy as sa

from app.core import policy
from app.core.actor import ROLES
from app.core.database import table_of
from app.core.deeds import EXTENSION
from app.identity import approvals
from app.identity.approvals import OPEN_MAX, Approval
from app.identity.models import Post
from tests.app.identity.town import (
    CITY,
    COUNTY,
    OTHER_COUNTY,
    TOWNSHIP,
    Town,
    outcome,
)

GRANT = "/approvals/user.grant_role"
ELSEWHERE = {"audit.export", "key.rotate", "settings.update", "subject_request.fulfil"}
"""Actions of two persons whose deeds other features bring along, or nothing can be done yet."""


def wish(town: Town, who: str, role: str = "da", area: int = TOWNSHIP, **more: Any):
    return {"subject": str(town.ids[who]), "reason": "设备管理岗位轮换",
            "details": {"role": role, "area_id": area}, **more}  # fmt: skip


def ask(town: Town, asker: str, who: str, role: str = "da", area: int = TOWNSHIP) -> str:
    reply = town.call(asker, "POST", GRANT, wish(town, who, role, area))
    assert reply.status_code == 201, reply.get_data(as_text=True)
    return str(reply.get_json()["id"])


def posts(town: Town, who: str) -> list[tuple[str, int]]:
    query = sa.select(Post.role, Post.area_id).where(Post.user_id == town.ids[who])
    return sorted(tuple(row) for row in town.sql(query))


def test_every_action_of_two_persons_has_a_deed(town: Town) -> None:
    two = {action for action, cells in policy.table().items()
           if any(cells[role].suffix == "2" for role in ROLES)}  # fmt: skip
    assert two - town.app.extensions[EXTENSION].keys() <= ELSEWHERE


def test_a_role_is_given_when_a_second_person_agrees_and_not_before(town: Town) -> None:
    name = ask(town, "ts", "gw")
    assert posts(town, "gw") == [("gw", 10)]
    assert outcome(town.call("ts", "POST", f"{GRANT}/{name}/approve")) == (403, "not_to_yourself")
    assert town.call("ts_colleague", "POST", f"{GRANT}/{name}/approve").status_code == 200
    assert posts(town, "gw") == [("da", TOWNSHIP), ("gw", 10)]
    again = town.call("ts_colleague", "POST", f"{GRANT}/{name}/approve")
    assert outcome(again) == (409, "already_decided")
    [event] = [row.AuditEvent for row in town.events("role.granted")]
    assert event.user_id == town.ids["ts"]
    assert event.details["approved_by"] == town.ids["ts_colleague"]


ASKING = [
    ("ts", "ts", "da", TOWNSHIP, (403, "not_to_yourself")),
    ("ts", "gw", "cm", COUNTY, (404, "not_found")),
    ("ts", "gw", "au", CITY, (404, "not_found")),
    ("cm", "ts", "au", COUNTY, None),
    ("cm", "ts", "cm", COUNTY, None),
    ("cm", "ts", "cm", CITY, (404, "not_found")),
    ("cm", "ts", "da", OTHER_COUNTY, (404, "not_found")),
    ("cm", "ts", "au", TOWNSHIP, (422, "invalid_fields")),
    ("cm_other_county", "gw", "da", TOWNSHIP, (404, "not_found")),
    ("vl", "gw", "da", TOWNSHIP, (403, "not_allowed")),
    ("gw", "colleague", "da", TOWNSHIP, (403, "not_allowed")),
    ("au", "gw", "da", TOWNSHIP, (403, "not_allowed")),
    ("da", "gw", "da", TOWNSHIP, (403, "not_allowed")),
    (None, "gw", "da", TOWNSHIP, (401, "token_missing")),
]


def test_nobody_grants_to_himself_or_above_himself(town: Town) -> None:
    for asker, who, role, area, expected in ASKING:
        reply = town.call(asker, "POST", GRANT, wish(town, who, role, area))
        found = outcome(reply) if reply.status_code >= 400 else None
        assert found == expected, (asker, who, role, area)


def test_whom_it_is_for_does_not_approve_it(town: Town) -> None:
    name = ask(town, "ts", "ts_colleague")
    reply = town.call("ts_colleague", "POST", f"{GRANT}/{name}/approve")
    assert outcome(reply) == (403, "not_to_yourself")
    assert town.call("cm", "POST", f"{GRANT}/{name}/approve").status_code == 200


def test_who_may_not_ask_may_not_decide(town: Town) -> None:
    name = ask(town, "ts", "gw")
    for who, status in (("vl", 403), ("gw", 403), ("au", 403), ("ts_other_township", 404),
                        ("cm_other_county", 404), (None, 401)):  # fmt: skip
        for word in ("approve", "refuse"):
            assert town.call(who, "POST", f"{GRANT}/{name}/{word}").status_code == status, who
    unknown = "0190a000-0000-7000-8000-000000000001"
    for other in (f"{GRANT}/{unknown}", f"/approvals/household.delete/{name}"):
        assert outcome(town.call("ts_colleague", "POST", f"{other}/approve")) == (404, "not_found")
    assert posts(town, "gw") == [("gw", 10)]


def test_a_refused_or_withdrawn_wish_is_over(town: Town) -> None:
    refused, withdrawn = ask(town, "ts", "gw"), ask(town, "ts", "colleague")
    assert town.call("ts_colleague", "POST", f"{GRANT}/{refused}/refuse").status_code == 200
    assert outcome(town.call("ts_colleague", "DELETE", f"{GRANT}/{withdrawn}")) == (
        404, "not_found",
    )  # fmt: skip
    for _ in range(2):
        reply = town.call("ts", "DELETE", f"{GRANT}/{withdrawn}")
        assert reply.get_json()["state"] == "withdrawn"
    assert outcome(town.call("ts", "DELETE", f"{GRANT}/{refused}")) == (409, "already_decided")
    for name in (refused, withdrawn):
        reply = town.call("cm", "POST", f"{GRANT}/{name}/approve")
        assert outcome(reply) == (409, "already_decided")


def test_a_wish_outlives_neither_seven_days_nor_the_right_of_the_asker(town: Town) -> None:
    late, lost = ask(town, "ts", "gw"), ask(town, "ts", "colleague")
    table = table_of(Approval)
    old = datetime.now(UTC) - approvals.LIFE
    town.sql(sa.update(table).where(table.c.id == late).values(asked_at=old))
    reply = town.call("ts_colleague", "POST", f"{GRANT}/{late}/approve")
    assert outcome(reply) == (409, "approval_expired")
    past = datetime.now(UTC) - timedelta(minutes=1)
    town.sql(sa.update(Post).where(Post.user_id == town.ids["ts"]).values(ends=past))
    reply = town.call("ts_colleague", "POST", f"{GRANT}/{lost}/approve")
    assert outcome(reply) == (409, "asker_lost_right")
    assert town.call("ts_colleague", "POST", f"{GRANT}/{lost}/refuse").status_code == 200


def test_everybody_lists_what_waits_for_him_and_what_he_asked_for(town: Town) -> None:
    first, second = ask(town, "ts", "gw"), ask(town, "ts_colleague", "colleague")
    seen = {who: [row["id"] for row in town.call(who, "GET", "/approvals").get_json()]
            for who in ("ts", "ts_colleague", "cm", "vl", "au", "ts_other_township")}  # fmt: skip
    assert seen == {"ts": [second], "ts_colleague": [first], "cm": [first, second], "vl": [],
                    "au": [], "ts_other_township": []}  # fmt: skip
    mine = town.call("ts", "GET", "/approvals?of=mine").get_json()
    assert [(row["id"], row["state"], row["action"]) for row in mine] == [
        (first, "waiting", "user.grant_role")]  # fmt: skip
    page = town.call("cm", "GET", "/approvals?limit=1")
    assert [row["id"] for row in page.get_json()] == [first]
    assert "Link" in page.headers
    assert outcome(town.call("cm", "GET", "/approvals?of=all")) == (422, "invalid_fields")


MALFORMED: list[dict[str, Any]] = [
    {"reason": "x"}, {"reason": None}, {"subject": ""}, {"subject": 5}, {"details": None},
    {"details": {"role": "king", "area_id": TOWNSHIP}}, {"details": {"role": "da"}}, {"more": 1},
]  # fmt: skip


def test_a_malformed_wish_is_refused_and_an_unknown_person_not_found(town: Town) -> None:
    for change in MALFORMED:
        reply = town.call("ts", "POST", GRANT, wish(town, "gw", **change))
        assert outcome(reply) == (422, "invalid_fields"), change
    for subject in ("999999", "x", "1" * 40, "-1"):
        reply = town.call("ts", "POST", GRANT, wish(town, "gw", subject=subject))
        assert outcome(reply) == (404, "not_found")


def test_nobody_floods_his_colleagues(town: Town) -> None:
    name = ask(town, "ts", "gw")
    table = table_of(Approval)
    [row] = town.sql(sa.select(table).where(table.c.id == name))
    copies = [{**row._mapping, "id": f"{name[:-4]}{n:04d}"} for n in range(OPEN_MAX - 1)]
    town.sql(sa.insert(table).values(copies))
    reply = town.call("ts", "POST", GRANT, wish(town, "gw"))
    assert outcome(reply) == (409, "too_many_waiting")


@pytest.mark.parametrize("words", [("approve", "approve"), ("approve", "refuse")])
def test_of_two_who_decide_at_once_one_does(town: Town, words: tuple[str, str]) -> None:
    name, statuses = ask(town, "ts", "gw"), []

    def run(who: str, word: str) -> None:
        client = town.app.test_client()
        path = f"/api/v1{GRANT}/{name}/{word}"
        statuses.append(client.post(path, headers=town.headers[who]).status_code)

    threads = [threading.Thread(target=run, args=pair)
               for pair in zip(("ts_colleague", "cm"), words, strict=True)]  # fmt: skip
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(statuses) == [200, 409]
    assert len(posts(town, "gw")) <= 2
