"""A real phone: what it may not keep any more is gone from it, its log too."""

from tests.app.core.county import County, household
from tests.app.households.answers import agreed, contact_fields, work_off
from tests.app.workflows.handset import Handset

SECRET = "13812345678"


def _all_of(handset: Handset) -> str:
    """Return every value that lies in the phone's database."""
    connection = handset.replica.memory.connection
    tables = ("replica_row", "replica_log", "replica_copy", "replica_state")
    return "\n".join(
        str(row) for table in tables for row in connection.execute(f"SELECT * FROM {table}")
    )


def test_a_withdrawal_reaches_every_phone_and_clears_its_log(county: County) -> None:
    author, lead = Handset(county, "gw"), Handset(county, "vl")
    author.replica.schemas = {"contact": 2}
    home = author.edit("create", "household", **household())
    contact = "01a214cc-0000-7000-8000-000000000001"
    given = author.edit("create", "consent", **agreed(home, "contact", contact))
    author.edit("create", "contact", contact, **contact_fields(home))
    author.sync()
    lead.sync()
    assert SECRET in _all_of(author) and "张*" in _all_of(lead)
    author.edit("update", "consent", given, state="withdrawn")
    author.edit("update", "contact", contact, phone=SECRET)
    author.sync()
    work_off(county)
    author.sync()
    lead.sync()
    assert SECRET not in _all_of(author) and "张三丰" not in _all_of(author)
    assert "张*" not in _all_of(lead)
    assert author.is_exact()


def test_a_phone_that_must_begin_anew_sends_again_what_it_may_and_nothing_doubles(
    county: County,
) -> None:
    author = Handset(county, "gw")
    author.replica.schemas = {"contact": 2}
    home = author.edit("create", "household", **household())
    given = author.edit("create", "consent", **agreed(home, "safety"))
    author.edit("update", "household", home, heating="coal_stove", occupancy="seasonal")
    author.sync()
    author.edit("update", "consent", given, state="withdrawn")
    author.sync()
    work_off(county)
    author.sync()
    anew = county.another_phone("gw")
    author.replica.take_device(anew.device)
    author.who = anew.who
    receipts = author.sync().receipts
    assert {one["status"] for one in receipts} == {"duplicate"}
    assert author.replica.needs_device is None
    row = author.replica.row("household", home)
    assert row and (row.values["heating"], row.values["occupancy"]) == (None, "seasonal")
