"""The real clients against the real server: what app authors live through, on both engines."""

from datetime import UTC, datetime

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
from tests.app.identity.town import GRID, NEXT_VILLAGE_GRID, SAME_VILLAGE_GRID
from tests.faces.clients import Stage
from tests.faces.looks import conflicts_of, edits_of, master, pair, parked, shared_home
from tests.prove.ground import Ground

MANY = 1_000


def test_two_phones_edit_different_columns_of_one_row(stage: Stage) -> None:
    one, other = pair(stage)
    home = shared_home(one, other)
    one.change("household", home, occupancy="empty")
    other.change("household", home, building="9")
    for phone in (one, other, one):
        phone.sync()
    for shown in (master(stage, home), one.rows("household")[home], other.rows("household")[home]):
        assert (shown["occupancy"], shown["building"]) == ("empty", "9")
    assert conflicts_of(stage, home) == []


def test_a_change_between_pull_and_push_is_merged(stage: Stage) -> None:
    one, other = pair(stage)
    home = shared_home(one, other)
    one.change("household", home, building="9")
    with one.before_push():
        other.change("household", home, occupancy="empty")
        other.sync()
    one.sync()
    for shown in (master(stage, home), one.rows("household")[home]):
        assert (shown["occupancy"], shown["building"]) == ("empty", "9")
    assert conflicts_of(stage, home) == []


def test_the_same_column_changed_by_two_keeps_both_values(stage: Stage) -> None:
    one, other = pair(stage)
    home = shared_home(one, other)
    one.change("household", home, occupancy="empty")
    other.change("household", home, occupancy="seasonal")
    for phone in (one, other, one, other):
        phone.sync()
    [conflict] = conflicts_of(stage, home)
    values = {conflict[side]["values"]["occupancy"] for side in ("won", "lost")}
    assert values == {"empty", "seasonal"}
    stands = master(stage, home)["occupancy"]
    assert conflict["won"]["values"] == {"occupancy": stands}
    for phone in (one, other):
        assert phone.rows("household")[home]["occupancy"] == stands
        assert conflict["id"] in phone.rows("conflict")


def test_a_row_pulled_over_an_unsent_edit_does_not_hide_the_clash(stage: Stage) -> None:
    """The pull before the push shows the other's value; the edit still rests on the older one."""
    one, other = pair(stage)
    home = shared_home(one, other)
    one.change("household", home, occupancy="empty")
    one.sync_losing("pull")
    other.change("household", home, occupancy="seasonal")
    other.sync()
    for phone in (one, other):
        phone.sync()
    [conflict] = conflicts_of(stage, home)
    values = {conflict[side]["values"]["occupancy"] for side in ("won", "lost")}
    assert values == {"empty", "seasonal"}


def test_a_lost_reply_doubles_nothing(stage: Stage) -> None:
    one, other = pair(stage)
    home = shared_home(one, other)
    fresh = one.create("household", household(building="77"))
    one.change("household", home, building="8")
    before = edits_of(stage.ground, one.device)
    one.sync_losing("push")
    assert edits_of(stage.ground, one.device) == before + 2
    one.sync()
    assert edits_of(stage.ground, one.device) == before + 2
    assert parked(stage.ground, one.device) == []
    assert master(stage, home)["building"] == "8" and master(stage, fresh)["building"] == "77"
    assert one.sync()["pushes"] == 0


def test_a_lost_reply_does_not_fight_what_came_after_it(stage: Stage) -> None:
    one, other = pair(stage)
    home = shared_home(one, other)
    one.change("household", home, occupancy="empty")
    one.sync_losing("push")
    other.sync()
    other.change("household", home, occupancy="seasonal")
    other.sync()
    for phone in (one, one, other):
        phone.sync()
    assert master(stage, home)["occupancy"] == "seasonal"
    assert one.rows("household")[home]["occupancy"] == "seasonal"
    assert conflicts_of(stage, home) == []


def test_an_edit_after_a_lost_reply_is_not_lost(stage: Stage) -> None:
    one = stage.phone(stage.person(GRID))
    home = one.create("household", household(building="1"))
    one.sync_losing("push")
    one.change("household", home, building="2", occupancy="empty")
    for _ in range(2):
        one.sync()
    for shown in (master(stage, home), one.rows("household")[home]):
        assert (shown["building"], shown["occupancy"]) == ("2", "empty")
    assert parked(stage.ground, one.device) == []


def test_back_and_forth_ends_at_the_last_word(stage: Stage) -> None:
    one = stage.phone(stage.person(GRID))
    home = shared_home(one)
    for building in ("4", "3", "4"):
        one.change("household", home, building=building)
        one.sync()
        assert master(stage, home)["building"] == building


def test_a_refused_row_beside_good_ones_stops_nothing(stage: Stage) -> None:
    one = stage.phone(stage.person(GRID))
    home, sound = shared_home(one), new_id()
    one.create("household", household(building="5"), sound)
    one.create("incident", incident(category="9999"))
    one.change("household", home, occupancy="haunted")
    receipts = one.sync()["receipts"]
    assert sorted(receipt["status"] for receipt in receipts) == ["applied", "parked", "parked"]
    assert master(stage, sound)["building"] == "5"
    assert master(stage, home)["occupancy"] == "lived_in"
    assert parked(stage.ground, one.device) == [("invalid_fields", "parked")] * 2
    # WatermelonDB keeps what was refused, to be mended; RxDB goes back to what stands.
    shows = {"watermelon": "haunted", "rxdb": "lived_in"}[stage.node.client]
    assert one.rows("household")[home]["occupancy"] == shows
    later = one.create("household", household(building="6"))
    for _ in range(2):
        one.sync()
    assert master(stage, later)["building"] == "6"
    assert len(parked(stage.ground, one.device)) == 2
    assert one.rows("household")[home]["occupancy"] == shows


def test_a_refused_row_that_is_mended_goes_through(stage: Stage) -> None:
    one = stage.phone(stage.person(GRID))
    home = shared_home(one)
    one.change("household", home, occupancy="haunted")
    one.sync()
    one.change("household", home, occupancy="seasonal")
    for _ in range(2):
        one.sync()
    assert master(stage, home)["occupancy"] == "seasonal"
    assert one.sync()["pushes"] == 0


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


def test_a_second_sync_sends_nothing_and_takes_no_new_number(stage: Stage) -> None:
    one = stage.phone(stage.person(GRID))
    shared_home(one)
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
    one, other = pair(stage)
    home, gone = shared_home(one, other), new_id()
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
    assert master(stage, home)["building"] == "31"
    assert other.rows("household")[home]["building"] == "31"
    assert gone not in other.rows("contact")


@pytest.mark.parametrize("office", ["repair", "discard"])
def test_what_the_office_makes_of_a_parked_row_reaches_the_phone(stage: Stage, office: str) -> None:
    one = stage.phone(stage.person(GRID))
    home = shared_home(one)
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
    assert master(stage, home)["occupancy"] == wanted
    assert one.rows("household")[home]["occupancy"] == wanted
    assert one.sync()["pushes"] == 0
