"""Consents over the door of the office: asked for at every write, ended at once."""

from tests.app.core.county import County, incident
from tests.app.households.answers import agreed, contact_fields, home_of
from tests.app.identity.town import outcome


def test_p06_p07_p10_p11_a_consent_covers_one_purpose_and_its_end_costs_nothing_else(
    county: County,
) -> None:
    phone = county.phone("gw")
    home = home_of(phone)
    contact = {"id": "0190a000-0000-7000-8000-0000000000c1", **contact_fields(home)}
    refused = county.ask("vl", "POST", "/contacts", contact)
    assert outcome(refused) == (409, "consent_missing")
    both = {**agreed(home, "contact", contact["id"]), "purpose": ["contact", "health"]}
    assert county.ask("vl", "POST", "/consents", both).status_code == 422
    given = county.made("vl", "/consents", agreed(home, "contact", contact["id"]))
    county.made("vl", "/contacts", contact)
    ended = county.ask("vl", "POST", f"/consents/{given['id']}/withdraw")
    assert ended.status_code == 200, ended.get_data(as_text=True)
    [left] = county.ask("vl", "GET", "/contacts").get_json()
    assert (left["name"], left["phone"]) == (None, None)
    late = phone.act("update", "contact", contact["id"], base=1, schema=2, set={"name": "李四"})
    assert late["code"] == "consent_withdrawn"
    # What does not need the data goes on as before.
    assert county.task(task_kind="errand", household=home)["household"] == home
    told = phone.act("create", "incident", set=incident(household=home))
    assert told["status"] == "applied"
