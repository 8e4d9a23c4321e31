"""The page shows exactly the table, and every name on it has its words somewhere."""

from flask.testing import FlaskCliRunner

from app.incidents.moves import STATES, moves
from app.incidents.page import PAGE, as_table, with_table
from app.phone.wording import INCIDENT_STATES
from tests.app.core.county import County


def test_the_page_of_incidents_is_up_to_date() -> None:
    text = PAGE.read_text(encoding="utf-8")
    assert text == with_table(text), "flask incidents table --write"
    assert all(f"| {one.act} |" in text for one in moves())


def test_the_command_shows_the_table(county: County) -> None:
    shown = FlaskCliRunner(county.app).invoke(args=["incidents", "table"])
    assert shown.exit_code == 0 and shown.output == as_table()


def test_every_state_has_its_words_on_the_phone() -> None:
    assert INCIDENT_STATES.keys() == set(STATES)
