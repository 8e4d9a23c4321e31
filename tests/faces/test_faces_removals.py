"""What must leave a phone, what must never reach it, and what must not leave it too early."""

from datetime import UTC, datetime

import sqlalchemy as sa

from app.core.database import Mode
from app.core.identifiers import new_id
from app.identity.models import Post
from app.sync_api.upkeep_commands import carry_out
from tests.app.core.county import household
from tests.app.identity.town import GRID, SAME_VILLAGE_GRID, VILLAGE
from tests.faces.clients import Stage
from tests.faces.looks import edits_of, master, pair, parked, shared_home
from tests.prove.ground import Ground

MANY = 1_000


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
    home = shared_home(one)
    one.change("household", home, building="99")
    _move_away(stage.ground, who)
    one.sync()
    assert parked(stage.ground, one.device) == [("unknown_record", "parked")]
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
    home = shared_home(one)
    one.change("household", home, building="98")
    _move_away(stage.ground, who)
    one.sync_losing("request")
    assert parked(stage.ground, one.device) == []
    for _ in range(3):
        one.sync()
    assert parked(stage.ground, one.device) == [("unknown_record", "parked")]
    assert home not in one.rows("household")


def test_personal_fields_never_reach_who_may_not_see_them(stage: Stage) -> None:
    one = stage.phone(stage.person(GRID))
    home = shared_home(one)
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
    home = shared_home(one)
    lead = new_id()
    stage.ground.county.person(lead, "vl", VILLAGE)
    chief = stage.phone(lead)
    chief.sync()
    chief.change("household", home, building="21")
    chief.sync()
    assert master(stage, home)["address_text"] == household()["address_text"]
    assert master(stage, home)["unit_room"] == household()["unit_room"]
    assert [code for code, _ in parked(stage.ground, chief.device)] == ["invalid_fields"]


def test_a_fresh_row_deleted_at_once_stays_deleted(stage: Stage) -> None:
    one, other = pair(stage)
    home = shared_home(one, other)
    contact = one.create("contact", {"household": home, "name": "张三"})
    one.sync()
    one.remove("contact", contact)
    for phone in (one, one, other):
        phone.sync()
    assert contact not in one.rows("contact") and contact not in other.rows("contact")
    assert one.sync()["pushes"] == 0
    assert parked(stage.ground, one.device) == []


def test_a_row_made_and_deleted_before_any_sync_leaves_no_trace(stage: Stage) -> None:
    one = stage.phone(stage.person(GRID))
    home = shared_home(one)
    contact = one.create("contact", {"household": home, "name": "张三"})
    one.remove("contact", contact)
    before = edits_of(stage.ground, one.device)
    one.sync()
    assert edits_of(stage.ground, one.device) == before
    assert one.sync()["pushes"] == 0


def test_a_deletion_yields_to_an_edit_it_has_not_seen(stage: Stage) -> None:
    one, other = pair(stage)
    home = shared_home(one, other)
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


def test_who_may_read_nothing_any_more_still_offers_his_work(stage: Stage) -> None:
    who = stage.person(GRID)
    one = stage.phone(who)
    home = shared_home(one)
    one.change("household", home, building="97")
    ended = sa.update(Post).where(Post.user_id == stage.ground.county.ids[who])
    stage.ground.county.sql(ended.values(ends=datetime.now(UTC)))
    assert one.tries_to_push()
    assert one.rows("household")[home]["building"] == "97"


def test_a_phone_that_may_only_send_hands_in_its_work_and_is_ordered_to_erase_itself(
    stage: Stage,
) -> None:
    who, county = stage.person(GRID), stage.ground.county
    one = stage.phone(who)
    home = shared_home(one)
    one.change("household", home, building="96")
    contact = one.create("contact", {"household": home, "name": "张三"})
    before = edits_of(stage.ground, one.device)
    reply = county.ask("ts", "POST", f"/users/{county.ids[who]}/dismissal")
    assert reply.status_code == 200, reply.get_data(as_text=True)
    one.sync_ordered_to_erase()
    assert edits_of(stage.ground, one.device) == before + 2
    assert {state for _, state in parked(stage.ground, one.device)} <= {"parked", "held"}
    one.sync_ordered_to_erase()
    assert edits_of(stage.ground, one.device) == before + 2
    assert contact in one.rows("contact")


def test_what_the_law_erases_leaves_the_phone_at_once(stage: Stage) -> None:
    one, other = pair(stage)
    home = shared_home(one, other)
    one.change("household", home, building="95")
    carry_out("household", home, "asked", ())
    for phone in (one, one, other):
        phone.sync()
        assert home not in phone.rows("household")
    assert one.sync()["pushes"] == 0
    assert parked(stage.ground, one.device) == []
