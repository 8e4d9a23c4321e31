"""Somebody goes: reading ends at once, his phone hands in its work, erases itself and says so."""

from datetime import UTC, datetime, timedelta

import pytest
import sqlalchemy as sa

from app.identity.models import AuthSession, Enrolment, Post, User
from app.identity.orders import read_ticket, wipe_ticket
from tests.app.core.county import County, SyncPhone, household
from tests.app.identity.town import GRID, TestPhone, answer, now_ms, outcome


def phone_of(county: County, who: str = "gw") -> SyncPhone:
    """Return a phone whose edits are anchored."""
    phone = county.phone(who)
    county.ask(phone.who, "POST", "/sync/pull", {"device": phone.device})
    return phone


def enrolment_of(county: County, who: str = "gw") -> str:
    """Return the latest enrolment of a person."""
    rows = county.sql(
        sa.select(Enrolment.id).where(Enrolment.user_id == county.ids[who]).order_by(Enrolment.id)
    )
    return str(rows[-1][0])


def dismiss(county: County, who: str = "gw", by: str = "ts") -> dict[str, object]:
    """Let a person go."""
    reply = county.ask(by, "POST", f"/users/{county.ids[who]}/dismissal")
    assert reply.status_code == 200, reply.get_data(as_text=True)
    shown: dict[str, object] = reply.get_json()
    return shown


def pass_time(county: County, hours: float) -> None:
    """Let hours go by, for drain grants."""
    later = datetime.now(UTC) - timedelta(hours=hours) + timedelta(hours=72)
    county.sql(sa.update(Enrolment).where(Enrolment.drain_until.is_not(None))
               .values(drain_until=later))  # fmt: skip


def act(phone: SyncPhone, anchor: str) -> dict[str, object]:
    """Capture a household now, by the server's clock."""
    at = {"claimed": now_ms(), "anchor": anchor, "elapsed_ms": 0, "device": phone.device}
    return phone.edit("create", "household", set=household(), at=at)


@pytest.mark.parametrize(
    ("by", "who", "told"),
    [
        ("ts", "gw", (200, None)), ("cm", "gw", (200, None)), ("cm", "ts", (200, None)),
        ("vl", "gw", (403, "not_allowed")), ("gw", "colleague", (403, "not_allowed")),
        ("ts", "ts", (403, "not_to_yourself")), ("ts", "cm", (404, "not_found")),
        ("ts_other_township", "gw", (404, "not_found")), ("au", "gw", (403, "not_allowed")),
        ("da", "gw", (403, "not_allowed")), (None, "gw", (401, "token_missing")),
    ],
)  # fmt: skip
def test_who_may_let_whom_go(
    county: County, by: str | None, who: str, told: tuple[int, str | None]
) -> None:
    assert answer(county.ask(by, "POST", f"/users/{county.ids[who]}/dismissal")) == told


def test_nobody_lets_himself_go_and_nobody_unknown_goes(county: County) -> None:
    own = county.ask("ts", "POST", f"/users/{county.ids['ts']}/dismissal")
    assert outcome(own) == (403, "not_to_yourself")
    assert outcome(county.ask("ts", "POST", "/users/999999/dismissal")) == (404, "not_found")


def test_all_posts_end_coming_ones_too_and_a_second_time_changes_nothing(county: County) -> None:
    starts = datetime.now(UTC) + timedelta(days=3)
    post = {"role": "gw", "area_id": GRID, "starts": starts.isoformat(), "mode": "cover",
            "ends": (starts + timedelta(days=2)).isoformat()}  # fmt: skip
    made = county.ask("ts", "POST", f"/users/{county.ids['colleague']}/posts", post)
    assert made.status_code == 201
    first = dismiss(county, "colleague")
    assert dismiss(county, "colleague") == first
    ends = county.sql(sa.select(Post.starts, Post.ends)
                      .where(Post.user_id == county.ids["colleague"]))  # fmt: skip
    assert all(row.ends is not None and row.ends <= max(row.starts, datetime.now(UTC))
               for row in ends)  # fmt: skip
    assert len(county.events("user.dismissed")) == 1


def test_reading_ends_with_the_dismissal_everywhere(county: County) -> None:
    phone = phone_of(county)
    dismiss(county)
    body = {"device": phone.device}
    assert outcome(county.ask("gw", "GET", "/households")) == (401, "revoked")
    assert outcome(phone.send("pull", {})) == (403, "device_drain")
    for path in ("/auth/me", "/households", "/tasks", "/parked-edits", "/areas", "/users"):
        assert outcome(county.ask(phone.who, "GET", path)) == (403, "device_drain"), path
    made = county.ask(phone.who, "POST", "/households", household())
    assert outcome(made) == (403, "device_drain")
    edit = phone.edit("create", "household", set=household())
    reply = county.ask(phone.who, "POST", "/sync/exchange", {**body, "edits": [edit]})
    assert reply.status_code == 200 and reply.get_json()["pull"] is None
    device = county.ask(phone.who, "POST", "/sync/devices", {"app": "test", "schema": 1})
    assert (device.status_code, device.get_json()["scopes"]) == (201, [])


def test_what_was_done_in_office_is_applied_and_the_rest_is_parked_for_the_supervisor(
    county: County,
) -> None:
    phone = phone_of(county)
    before = act(phone, county.phone("gw").anchor)
    dismiss(county)
    device = county.ask(phone.who, "POST", "/sync/devices", {"app": "test", "schema": 1})
    late = act(phone, device.get_json()["anchor"])
    late["at"]["device"] = device.get_json()["device"]  # type: ignore[index]
    unanchored = phone.edit("create", "household", set=household())
    results = phone.push(before, late, unanchored)
    assert [(one["status"], one.get("code"), one.get("flags")) for one in results] == [
        ("applied", None, ["late_scope"]),
        ("parked", "out_of_scope", None),
        ("parked", "out_of_scope", None),
    ]
    waiting = county.ask("ts", "GET", "/parked-edits").get_json()
    assert {one["id"] for one in waiting} == {late["id"], unanchored["id"]}


def test_a_phone_that_has_sent_all_is_ordered_to_erase_itself(county: County) -> None:
    phone = phone_of(county)
    phone.push(phone.edit("create", "household", set=household()))
    dismiss(county)
    for path in ("exchange", "push"):
        reply = phone.send(path, {"edits": []})
        assert outcome(reply) == (403, "device_wipe")
        order = reply.get_json()
        assert (order["drain"], order["expected"]) == (True, 2)
        assert read_ticket(county.house.keys, order["ticket"]) == enrolment_of(county)


def test_after_72_hours_nothing_is_taken_any_more(county: County) -> None:
    phone = phone_of(county)
    dismiss(county)
    pass_time(county, 71.9)
    edit = phone.edit("create", "household", set=household())
    assert phone.push(edit)[0]["status"] == "parked"
    pass_time(county, 72.1)
    reply = phone.send("exchange", {"edits": [phone.edit("create", "household", set=household())]})
    assert outcome(reply) == (403, "device_wipe")
    assert "drain" not in reply.get_json()


def test_a_session_lasts_as_long_as_the_drain_and_an_order_comes_however_late(
    county: County,
) -> None:
    key = TestPhone("install-drain")
    tokens = county.enrolled("gw", key)
    soon = datetime.now(UTC) + timedelta(minutes=1)
    county.sql(sa.update(AuthSession).values(idle_until=soon, absolute_until=soon))
    dismiss(county)
    row = county.sql(sa.select(AuthSession.idle_until, AuthSession.absolute_until)
                     .where(AuthSession.enrolment_id == tokens["enrolment_id"]))[0]  # fmt: skip
    assert min(row) > datetime.now(UTC) + timedelta(hours=71)
    reply = county.refresh(key, tokens["refresh_token"])
    assert reply.status_code == 200
    past = datetime.now(UTC) - timedelta(days=400)
    county.sql(sa.update(AuthSession).values(idle_until=past, absolute_until=past))
    pass_time(county, 400 * 24)
    late = county.refresh(key, reply.get_json()["refresh_token"], later_ms=1)
    assert outcome(late) == (403, "device_wipe")


def test_a_dismissed_person_gets_no_new_phone_and_no_office(county: County) -> None:
    county.person("clerk", "ts", 4, login="clerk", password="correct horse 9")
    dismiss(county, "clerk", by="cm")
    body = {"login": "clerk", "password": "correct horse 9"}
    assert outcome(county.ask(None, "POST", "/auth/sign-in", body)) == (401, "wrong_credentials")
    issue = county.ask("cm", "POST", f"/users/{county.ids['clerk']}/enrolment-codes")
    assert issue.status_code in (403, 404, 409)
    assert county.sql(sa.select(User.active).where(User.id == county.ids["clerk"])) == [(False,)]


def test_the_receipt_of_a_wipe_is_kept_once_and_seen_in_the_list(county: County) -> None:
    phone = phone_of(county)
    dismiss(county)
    ticket = phone.send("exchange", {"edits": []}).get_json()["ticket"]
    for unsent in (3, 9):
        body = {"ticket": ticket, "unsent": unsent}
        assert county.ask(None, "POST", "/sync/wiped", body).status_code == 204
    shown = {one["id"]: one for one in county.ask("ts", "GET", "/devices?limit=200").get_json()}
    row = shown[enrolment_of(county)]
    assert row["wiped_at"] is not None and row["wiped_unsent"] == 3
    assert len(county.events("device.wiped")) == 1
    again = phone.send("exchange", {"edits": [phone.edit("create", "household", set=household())]})
    assert outcome(again) == (403, "device_wipe")


@pytest.mark.parametrize("ticket", ["x", "QUJD", "A" * 43, "é", "A" * 200])
def test_a_receipt_with_a_strange_ticket_is_refused(county: County, ticket: str) -> None:
    reply = county.ask(None, "POST", "/sync/wiped", {"ticket": ticket})
    assert outcome(reply) == (401, "ticket_unknown")


def test_a_ticket_opens_nothing_else(county: County) -> None:
    phone_of(county)
    ticket = wipe_ticket(county.house.keys, enrolment_of(county))
    headers = {"Authorization": f"Bearer {ticket}"}
    reply = county.ask(None, "GET", "/households", headers=headers)
    assert outcome(reply) == (401, "invalid_token")


def test_a_stolen_phone_is_erased_at_once_also_while_it_drains(county: County) -> None:
    phone = phone_of(county)
    path = f"/devices/{enrolment_of(county)}/wipe"
    soft = county.ask("ts", "POST", path, {"drain": True})
    assert soft.status_code == 200 and soft.get_json()["drain_until"] is not None
    edit = phone.edit("create", "household", set=household())
    assert phone.push(edit)[0]["status"] == "applied"
    assert outcome(phone.send("pull", {})) == (403, "device_drain")
    hard = county.ask("ts", "POST", path)
    assert hard.status_code == 200 and hard.get_json()["drain_until"] is None
    assert county.ask("ts", "POST", path, {"drain": True}).get_json()["drain_until"] is None
    reply = phone.send("exchange", {"edits": [phone.edit("create", "household", set=household())]})
    assert outcome(reply) == (403, "device_wipe") and "drain" not in reply.get_json()
