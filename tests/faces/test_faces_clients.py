"""The real clients against the real server: what app authors live through, on both engines."""

from datetime import UTC, datetime
from typing import Any

import pytest
import sqlalchemy as sa

from app.core.database import Mode
from app.core.identifiers import new_id
from app.core.records import sync_tables
from app.faces.models import FaceCursor
from app.identity.models import Post
from app.sync_api.services import Phone
from sync.wire import read_drafts
from tests.app.core.county import SyncPhone, household, incident
from tests.app.identity.town import GRID, NEXT_VILLAGE_GRID, SAME_VILLAGE_GRID, VILLAGE
from tests.faces.clients import AppPhone, Stage
from tests.prove.ground import Ground

MANY = 1_000


def _pair(stage: Stage, grid: int = GRID) -> tuple[AppPhone, AppPhone]:
    """Return the phones of two people who serve one grid."""
    return stage.phone(stage.person(grid)), stage.phone(stage.person(grid))


def _shared_home(one: AppPhone, *others: AppPhone, **more: Any) -> str:
    """Make a household on one phone and bring it to all, each as of its last version."""
    home = one.create("household", household(**more))
    for phone in (one, *others, one):
        phone.sync()
    return home


def _master(stage: Stage, home: str, who: str = "gw") -> dict[str, Any]:
    shown: dict[str, Any] = stage.ground.county.ask(who, "GET", f"/households/{home}").get_json()
    return shown


def _conflicts(stage: Stage, record: str) -> list[dict[str, Any]]:
    """Return the conflicts of a record, settled by rule or waiting for a human."""
    asked = stage.ground.county.ask
    return [
        one
        for state in ("open", "settled")
        for one in asked("ts", "GET", f"/conflicts?state={state}&record={record}").get_json()
    ]


def _parked(ground: Ground, device: str) -> list[tuple[str, str]]:
    t = sync_tables.parked
    rows = ground.county.sql(sa.select(t.c.code, t.c.state).where(t.c.device == device))
    return [(row.code, row.state) for row in rows]


def _edits(ground: Ground, device: str) -> int:
    t = sync_tables.ledger
    count = sa.select(sa.func.count()).select_from(t).where(t.c.device == device)
    return int(ground.county.sql(count)[0][0])


def test_two_phones_edit_different_columns_of_one_row(stage: Stage) -> None:
    one, other = _pair(stage)
    home = _shared_home(one, other)
    one.change("household", home, occupancy="empty")
    other.change("household", home, building="9")
    for phone in (one, other, one):
        phone.sync()
    for shown in (_master(stage, home), one.rows("household")[home], other.rows("household")[home]):
        assert (shown["occupancy"], shown["building"]) == ("empty", "9")
    assert _conflicts(stage, home) == []


def test_a_change_between_pull_and_push_is_merged(stage: Stage) -> None:
    one, other = _pair(stage)
    home = _shared_home(one, other)
    one.change("household", home, building="9")
    with one.before_push():
        other.change("household", home, occupancy="empty")
        other.sync()
    one.sync()
    for shown in (_master(stage, home), one.rows("household")[home]):
        assert (shown["occupancy"], shown["building"]) == ("empty", "9")
    assert _conflicts(stage, home) == []


def test_the_same_column_changed_by_two_keeps_both_values(stage: Stage) -> None:
    one, other = _pair(stage)
    home = _shared_home(one, other)
    one.change("household", home, occupancy="empty")
    other.change("household", home, occupancy="seasonal")
    for phone in (one, other, one, other):
        phone.sync()
    [conflict] = _conflicts(stage, home)
    values = {conflict[side]["values"]["occupancy"] for side in ("won", "lost")}
    assert values == {"empty", "seasonal"}
    stands = _master(stage, home)["occupancy"]
    assert conflict["won"]["values"] == {"occupancy": stands}
    for phone in (one, other):
        assert phone.rows("household")[home]["occupancy"] == stands
        assert conflict["id"] in phone.rows("conflict")


def test_a_row_pulled_over_an_unsent_edit_does_not_hide_the_clash(stage: Stage) -> None:
    """The pull before the push shows the other's value; the edit still rests on the older one."""
    one, other = _pair(stage)
    home = _shared_home(one, other)
    one.change("household", home, occupancy="empty")
    one.sync_losing("pull")
    other.change("household", home, occupancy="seasonal")
    other.sync()
    for phone in (one, other):
        phone.sync()
    [conflict] = _conflicts(stage, home)
    values = {conflict[side]["values"]["occupancy"] for side in ("won", "lost")}
    assert values == {"empty", "seasonal"}


def test_a_lost_reply_doubles_nothing(stage: Stage) -> None:
    one, other = _pair(stage)
    home = _shared_home(one, other)
    fresh = one.create("household", household(building="77"))
    one.change("household", home, building="8")
    before = _edits(stage.ground, one.device)
    one.sync_losing("push")
    assert _edits(stage.ground, one.device) == before + 2
    one.sync()
    assert _edits(stage.ground, one.device) == before + 2
    assert _parked(stage.ground, one.device) == []
    assert _master(stage, home)["building"] == "8" and _master(stage, fresh)["building"] == "77"
    assert one.sync()["pushes"] == 0


def test_a_lost_reply_does_not_fight_what_came_after_it(stage: Stage) -> None:
    one, other = _pair(stage)
    home = _shared_home(one, other)
    one.change("household", home, occupancy="empty")
    one.sync_losing("push")
    other.sync()
    other.change("household", home, occupancy="seasonal")
    other.sync()
    for phone in (one, one, other):
        phone.sync()
    assert _master(stage, home)["occupancy"] == "seasonal"
    assert one.rows("household")[home]["occupancy"] == "seasonal"
    assert _conflicts(stage, home) == []


def test_an_edit_after_a_lost_reply_is_not_lost(stage: Stage) -> None:
    one = stage.phone(stage.person(GRID))
    home = one.create("household", household(building="1"))
    one.sync_losing("push")
    one.change("household", home, building="2", occupancy="empty")
    for _ in range(2):
        one.sync()
    for shown in (_master(stage, home), one.rows("household")[home]):
        assert (shown["building"], shown["occupancy"]) == ("2", "empty")
    assert _parked(stage.ground, one.device) == []


def test_back_and_forth_ends_at_the_last_word(stage: Stage) -> None:
    one = stage.phone(stage.person(GRID))
    home = _shared_home(one)
    for building in ("4", "3", "4"):
        one.change("household", home, building=building)
        one.sync()
        assert _master(stage, home)["building"] == building


def test_a_refused_row_beside_good_ones_stops_nothing(stage: Stage) -> None:
    one = stage.phone(stage.person(GRID))
    home, sound = _shared_home(one), new_id()
    one.create("household", household(building="5"), sound)
    one.create("incident", incident(category="9999"))
    one.change("household", home, occupancy="haunted")
    receipts = one.sync()["receipts"]
    assert sorted(receipt["status"] for receipt in receipts) == ["applied", "parked", "parked"]
    assert _master(stage, sound)["building"] == "5"
    assert _master(stage, home)["occupancy"] == "lived_in"
    assert _parked(stage.ground, one.device) == [("invalid_fields", "parked")] * 2
    # WatermelonDB keeps what was refused, to be mended; RxDB goes back to what stands.
    shows = {"watermelon": "haunted", "rxdb": "lived_in"}[stage.node.client]
    assert one.rows("household")[home]["occupancy"] == shows
    later = one.create("household", household(building="6"))
    for _ in range(2):
        one.sync()
    assert _master(stage, later)["building"] == "6"
    assert len(_parked(stage.ground, one.device)) == 2
    assert one.rows("household")[home]["occupancy"] == shows


def test_a_refused_row_that_is_mended_goes_through(stage: Stage) -> None:
    one = stage.phone(stage.person(GRID))
    home = _shared_home(one)
    one.change("household", home, occupancy="haunted")
    one.sync()
    one.change("household", home, occupancy="seasonal")
    for _ in range(2):
        one.sync()
    assert _master(stage, home)["occupancy"] == "seasonal"
    assert one.sync()["pushes"] == 0


def test_a_fresh_row_deleted_at_once_stays_deleted(stage: Stage) -> None:
    one, other = _pair(stage)
    home = _shared_home(one, other)
    contact = one.create("contact", {"household": home, "name": "张三"})
    one.sync()
    one.remove("contact", contact)
    for phone in (one, one, other):
        phone.sync()
    assert contact not in one.rows("contact") and contact not in other.rows("contact")
    assert one.sync()["pushes"] == 0
    assert _parked(stage.ground, one.device) == []


def test_a_row_made_and_deleted_before_any_sync_leaves_no_trace(stage: Stage) -> None:
    one = stage.phone(stage.person(GRID))
    home = _shared_home(one)
    contact = one.create("contact", {"household": home, "name": "张三"})
    one.remove("contact", contact)
    before = _edits(stage.ground, one.device)
    one.sync()
    assert _edits(stage.ground, one.device) == before
    assert one.sync()["pushes"] == 0


def test_a_deletion_yields_to_an_edit_it_has_not_seen(stage: Stage) -> None:
    one, other = _pair(stage)
    home = _shared_home(one, other)
    contact = one.create("contact", {"household": home, "name": "张三"})
    for phone in (one, other, one):
        phone.sync()
    other.change("contact", contact, name="李四")
    other.sync()
    one.remove("contact", contact)
    for phone in (one, one, other):
        phone.sync()
    for phone in (one, other):
        assert phone.rows("contact")[contact]["name"] == "李四"


def _move_away(ground: Ground, who: str) -> None:
    """End somebody's post now and give him another grid."""
    now, user = datetime.now(UTC), ground.county.ids[who]
    with ground.database.transaction(Mode.WRITE) as session:
        session.execute(sa.update(Post).where(Post.user_id == user).values(ends=now))
        session.add(Post(user_id=user, role="gw", area_id=SAME_VILLAGE_GRID, starts=now,
                         ends=None, reason="", mode="permanent"))  # fmt: skip


def test_work_held_at_a_revocation_is_parked_and_the_rows_leave(stage: Stage) -> None:
    who = stage.person(GRID)
    one = stage.phone(who)
    home = _shared_home(one)
    one.change("household", home, building="99")
    _move_away(stage.ground, who)
    one.sync()
    assert _parked(stage.ground, one.device) == [("unknown_record", "parked")]
    mine = one.create("household", household(grid=SAME_VILLAGE_GRID))
    for _ in range(2):
        one.sync()
    rows = one.rows("household")
    assert home not in rows and mine in rows
    assert {row["grid"] for row in rows.values()} == {SAME_VILLAGE_GRID}
    assert one.sync()["pushes"] == 0


def test_work_is_pushed_before_its_row_is_taken_away_even_if_the_first_push_is_lost(
    stage: Stage,
) -> None:
    who = stage.person(GRID)
    one = stage.phone(who)
    home = _shared_home(one)
    one.change("household", home, building="98")
    _move_away(stage.ground, who)
    one.sync_losing("request")
    assert _parked(stage.ground, one.device) == []
    for _ in range(3):
        one.sync()
    assert _parked(stage.ground, one.device) == [("unknown_record", "parked")]
    assert home not in one.rows("household")


def test_what_was_under_way_at_a_pull_arrives_with_the_next(stage: Stage) -> None:
    who, county = stage.person(GRID), stage.ground.county
    with county.database.transaction(Mode.WRITE) as session:
        session.add(Post(user_id=county.ids[who], role="gw", area_id=SAME_VILLAGE_GRID, ends=None,
                         starts=datetime.now(UTC), reason="", mode="permanent"))  # fmt: skip
    one, quick = stage.phone(who), stage.native(stage.person(SAME_VILLAGE_GRID))
    # at rest a pull writes nothing, so it does not wait for the one writer of SQLite
    for _ in range(3):
        one.sync()
    native, slow_home, quick_home = stage.native(stage.person(GRID)), new_id(), new_id()
    slow = native.edit("create", "household", slow_home, set=household())
    with county.database.transaction(Mode.WRITE) as session:
        _server_side(stage.ground, native).apply(session, read_drafts([slow]))
        if not county.database.is_sqlite:
            quick.act("create", "household", quick_home, set=household(grid=SAME_VILLAGE_GRID))
        one.sync()
    one.sync()
    wanted = {slow_home} if county.database.is_sqlite else {slow_home, quick_home}
    assert wanted <= one.rows("household").keys()


def _server_side(ground: Ground, phone: SyncPhone) -> Phone:
    """Return the server's side of a phone, for a push whose transaction the test holds open."""
    county = ground.county
    token = county.headers[phone.who]["Authorization"].removeprefix("Bearer ")
    with ground.database.transaction(Mode.READ) as session:
        actor = county.app.extensions["wangge_authenticate"](session, token)
    engine = county.app.extensions["wangge_engine"]
    return Phone(ground.database, engine, actor, phone.device)


def test_a_thousand_rows_arrive_at_the_first_sync(stage: Stage) -> None:
    native = stage.native(stage.person(NEXT_VILLAGE_GRID))
    for _ in range(MANY // 100):
        native.push(*(native.edit("create", "household", set=household(grid=NEXT_VILLAGE_GRID))
                      for _ in range(100)))  # fmt: skip
    one = stage.phone(stage.person(NEXT_VILLAGE_GRID))
    took = one.sync()["ms"]
    print(f"{MANY} rows at first sync, {stage.node.client}: {took} ms")
    assert len(one.rows("household")) >= MANY
    assert one.sync()["pushes"] == 0


def test_personal_fields_never_reach_who_may_not_see_them(stage: Stage) -> None:
    one = stage.phone(stage.person(GRID))
    home = _shared_home(one)
    contact = one.create("contact", {"household": home, "name": "张三丰", "phone": "13812345678"})
    one.sync()
    lead = new_id()
    stage.ground.county.person(lead, "vl", VILLAGE)
    chief = stage.phone(lead)
    chief.sync()
    row, seen = chief.rows("household")[home], chief.rows("contact")[contact]
    assert (row["address_text"], row["unit_room"]) == ("***", None)
    assert (seen["name"], seen["phone"], seen["relation"]) == ("张*", "138****5678", None)
    assert row["occupancy"] == "lived_in"


def test_a_mask_is_never_written_back(stage: Stage) -> None:
    one = stage.phone(stage.person(GRID))
    home = _shared_home(one)
    lead = new_id()
    stage.ground.county.person(lead, "vl", VILLAGE)
    chief = stage.phone(lead)
    chief.sync()
    chief.change("household", home, building="21")
    chief.sync()
    assert _master(stage, home)["address_text"] == household()["address_text"]
    assert _master(stage, home)["unit_room"] == household()["unit_room"]
    assert [code for code, _ in _parked(stage.ground, chief.device)] == ["invalid_fields"]


def test_a_second_sync_sends_nothing_and_takes_no_new_number(stage: Stage) -> None:
    one = stage.phone(stage.person(GRID))
    _shared_home(one)
    one.sync()
    numbers = FaceCursor.number
    count = sa.select(sa.func.count(), sa.func.max(numbers)).where(FaceCursor.device == one.device)
    standing = stage.ground.county.sql(count)
    for _ in range(2):
        answer = one.sync()
        assert (answer["pushes"], answer["rows"]) == (0, 0)
    assert stage.ground.county.sql(count) == standing


def test_a_phone_whose_number_is_forgotten_gets_a_new_copy_and_keeps_its_work(
    stage: Stage,
) -> None:
    one, other = _pair(stage)
    home, gone = _shared_home(one, other), new_id()
    one.create("contact", {"household": home, "name": "张三"}, gone)
    for phone in (one, other, one):
        phone.sync()
    one.remove("contact", gone)
    one.sync()
    other.change("household", home, building="31")
    forget = sa.delete(FaceCursor).where(FaceCursor.device == other.device)
    stage.ground.county.sql(forget)
    for _ in range(3):
        other.sync()
    assert _master(stage, home)["building"] == "31"
    assert other.rows("household")[home]["building"] == "31"
    assert gone not in other.rows("contact")


@pytest.mark.parametrize("office", ["repair", "discard"])
def test_what_the_office_makes_of_a_parked_row_reaches_the_phone(stage: Stage, office: str) -> None:
    one = stage.phone(stage.person(GRID))
    home = _shared_home(one)
    one.change("household", home, occupancy="haunted")
    one.sync()
    t = sync_tables.parked
    [(edit,)] = stage.ground.county.sql(sa.select(t.c.edit).where(t.c.device == one.device))
    body = {"set": {"occupancy": "empty"}} if office == "repair" else None
    reply = stage.ground.county.ask("vl", "POST", f"/parked-edits/{edit}/{office}", body)
    assert reply.status_code == 200, reply.get_data(as_text=True)
    for _ in range(3):
        one.sync()
    wanted = "empty" if office == "repair" else "lived_in"
    assert _master(stage, home)["occupancy"] == wanted
    assert one.rows("household")[home]["occupancy"] == wanted
    assert one.sync()["pushes"] == 0
