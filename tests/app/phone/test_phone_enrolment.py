"""A phone becomes somebody's, stays his through lost replies, and gives up nothing unsent."""

from pathlib import Path

import pytest

from app.phone import acts
from app.phone.client import NotEnrolled, Phone, SomebodyElse
from app.phone.home import Home
from app.phone.line import UNREACHED, Away, Refused
from tests.app.core.county import County
from tests.app.phone.conftest import Enrolled
from tests.app.phone.network import LOST, Network


def test_a_phone_enrols_with_a_code_and_receives_its_grid(enrolled: Enrolled, home: dict) -> None:
    phone = enrolled()
    assert phone.user["name"] == "gw"
    assert list(phone.replica.rows("household")) == [home["id"]]
    assert phone.grids == [home["grid"]]


def test_what_a_phone_holds_is_its_owners_alone(enrolled: Enrolled) -> None:
    phone = enrolled()
    modes = {path.name: path.stat().st_mode & 0o777 for path in phone.home.folder.iterdir()}
    assert modes == {"replica.db": 0o600, "key.pem": 0o600, "papers.json": 0o600, "lock": 0o600}
    assert phone.home.folder.stat().st_mode & 0o777 == 0o700


def test_a_lost_answer_to_an_enrolment_is_asked_for_again(
    county: County, network: Network, tmp_path: Path
) -> None:
    code = county.code_for("gw")
    phone = Phone(Home(tmp_path / "phone"))
    network.fail("/auth/enrol", LOST)
    with pytest.raises(Away) as raised:
        phone.enrol(code, network.address)
    assert raised.value.reason == UNREACHED
    with pytest.raises(NotEnrolled):
        phone.sync()
    phone.close()
    again = Phone(Home(tmp_path / "phone"))
    assert again.enrol(code, network.address)["name"] == "gw"
    again.sync()
    again.close()


def test_a_used_code_is_refused_on_another_phone(
    county: County, network: Network, tmp_path: Path
) -> None:
    code = county.code_for("gw")
    for number, expected in enumerate((None, "code_used")):
        phone = Phone(Home(tmp_path / str(number)))
        if expected:
            with pytest.raises(Refused, match=expected):
                phone.enrol(code, network.address)
        else:
            phone.enrol(code, network.address)
        phone.close()


def test_a_withdrawn_phone_keeps_its_edits_and_sends_them_once_enrolled_again(
    county: County, network: Network, enrolled: Enrolled, home: dict
) -> None:
    phone = enrolled()
    acts.change_occupancy(phone, str(home["id"]), "seasonal")
    phone.sync()
    acts.change_occupancy(phone, str(home["id"]), "empty")
    county.ask("ts", "DELETE", f"/devices/{phone.home.papers['enrolment']}")
    with pytest.raises(Refused, match="revoked"):
        phone.sync()
    assert len(phone.replica.outbox()) == 1
    phone.enrol(county.code_for("gw"), network.address)
    phone.sync()
    assert phone.replica.outbox() == []
    shown = county.ask("gw", "GET", f"/households/{home['id']}").get_json()
    assert (shown["occupancy"], shown["rv"]) == ("empty", 3)


def test_unsent_work_is_never_given_to_somebody_else(
    county: County, network: Network, enrolled: Enrolled, home: dict
) -> None:
    phone = enrolled()
    acts.change_occupancy(phone, str(home["id"]), "empty")
    with pytest.raises(SomebodyElse):
        phone.enrol(county.code_for("second"), network.address)
    phone.sync()
    assert phone.user["name"] == "gw"


def test_a_phone_without_unsent_work_goes_to_the_next_person_empty(
    county: County, network: Network, enrolled: Enrolled, home: dict
) -> None:
    phone = enrolled()
    phone.enrol(county.code_for("gw_next_village"), network.address)
    assert phone.replica.rows("household") == {}
    phone.sync()
    assert phone.user["name"] == "gw_next_village"
    assert phone.replica.rows("household") == {}


def test_a_phone_told_to_erase_itself_holds_nothing_afterwards(
    county: County, enrolled: Enrolled
) -> None:
    phone = enrolled()
    county.ask("ts", "POST", f"/devices/{phone.home.papers['enrolment']}/wipe")
    with pytest.raises(Refused, match="device_wipe"):
        phone.sync()
    assert [path.name for path in phone.home.folder.iterdir()] == ["lock"]
