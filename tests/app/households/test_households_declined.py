"""What was parked for want of an answer is forgotten when the answer is no."""

import pytest

from app.core.identifiers import new_id
from tests.app.core.county import County, SyncPhone
from tests.app.households.answers import consent, home_of, work_off
from tests.app.households.test_households_consents import SECRET
from tests.app.households.test_households_consents import _everything as everything
from tests.app.households.test_households_consents import _new_contact as new_contact


@pytest.fixture
def phone(county: County) -> SyncPhone:
    """Return the phone of the worker of the first grid."""
    return county.phone("gw")


def test_what_waited_for_an_answer_is_forgotten_when_the_answer_is_no(
    county: County, phone: SyncPhone
) -> None:
    home, contact, person = home_of(phone), new_id(), new_id()
    assert new_contact(phone, home, contact)["code"] == "consent_missing"
    consent(phone, home, "contact", contact, state="declined")
    # A no to one help is no answer about the others.
    fields = {"household": home, "display_name": "王阿婆", "services": ["errands"]}
    phone.act("create", "service_person", person, set=fields)
    consent(phone, home, "meal_help", person, state="declined")
    assert SECRET in everything(county)
    work_off(county)
    left = everything(county)
    assert SECRET not in left and "张三丰" not in left
    assert "王阿婆" in left
