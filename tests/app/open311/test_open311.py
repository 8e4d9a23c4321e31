"""Open311 GeoReport v2: off by default, true to the standard, and it leads to no person."""

import dataclasses
from datetime import UTC, datetime, timedelta
from typing import Any
from xml.etree import ElementTree

import pytest
import sqlalchemy as sa
from werkzeug.test import TestResponse

from app.core.database import Base
from app.core.settings import Settings, SettingsError
from app.open311.limits import IN_ALL, PER_ADDRESS, Turnstile
from app.open311.models import CitizenRequest
from sync.errors import Problem
from tests.app.core.county import GARBAGE, GAS_LEAK, County, centre
from tests.app.identity.town import GRID
from tests.app.incidents.cases import TO_CLOSED, on
from tests.conftest import SECRETS

WORDS = "路灯不亮，请联系 13812345678"
KEY = "k" * 20


def _turn(county: County, mode: str) -> None:
    settings = county.app.extensions["wangge_settings"]
    county.app.extensions["wangge_settings"] = dataclasses.replace(
        settings, open311=mode, open311_key=KEY
    )


@pytest.fixture
def opened(county: County) -> County:
    """Return a county whose citizens may report."""
    _turn(county, "open")
    county.person("second", "gw", GRID)
    return county


def _get(county: County, path: str) -> TestResponse:
    return county.client.get(f"/open311/v2/{path}")


def _report(county: County, fmt: str = "json", **more: Any) -> TestResponse:
    lon, lat = centre(GRID)
    form = {"service_code": GARBAGE, "lat": lat, "long": lon, "description": WORDS, **more}
    kept = {name: value for name, value in form.items() if value is not None}
    return county.client.post(f"/open311/v2/requests.{fmt}", data=kept)


def _number(county: County, **more: Any) -> str:
    reply = _report(county, **more)
    assert reply.status_code == 201, reply.get_data(as_text=True)
    return str(reply.get_json()[0]["service_request_id"])


def test_it_is_off_unless_it_is_turned_on(county: County) -> None:
    paths = ("discovery.json", "services.json", "requests.json", "requests/x.json", "tokens/x.xml")
    assert {_get(county, path).status_code for path in paths} == {404}
    assert _report(county).status_code == 404
    assert county.sql(sa.select(CitizenRequest)) == []


def test_a_report_becomes_an_incident_of_its_grid_that_names_nobody(opened: County) -> None:
    number = _number(
        opened, email="a@example.org", first_name="三", last_name="张", phone="13900000000",
        media_url="http://example.org/x.jpg", device_id="d", jurisdiction_id="any.where",
    )  # fmt: skip
    [shown] = opened.ask("ts", "GET", f"/incidents?grid={GRID}").get_json()
    assert (shown["category"], shown["state"], shown["grid"]) == (GARBAGE, "reported", GRID)
    assert shown["text"] == "路灯不亮，请联系 ***********"
    assert not shown["reporter"] and shown["state_by"] is None
    assert number != shown["id"]
    tables = " ".join(str(opened.sql(sa.select(*[c for c in t.columns
                                                 if not str(c.type).startswith("geometry")])))
                      for t in Base.metadata.sorted_tables)  # fmt: skip
    for private in ("a@example.org", "13900000000", "13812345678", "x.jpg"):
        assert private not in tables


def test_how_a_report_stands_is_told_without_its_words_and_its_exact_place(opened: County) -> None:
    number = _number(opened)
    [row] = _get(opened, f"requests/{number}.json").get_json()
    lon, lat = centre(GRID)
    assert (row["status"], row["service_code"], row["description"]) == ("open", GARBAGE, None)
    assert (row["lat"], row["long"]) == (round(lat, 3), round(lon, 3))
    [shown] = opened.ask("ts", "GET", f"/incidents?grid={GRID}").get_json()
    on(opened, shown["id"], TO_CLOSED)
    [row] = _get(opened, f"requests.json?service_request_id={number}").get_json()
    assert row["status"] == "closed" and row["expected_datetime"].endswith("Z")
    [token] = _get(opened, f"tokens/{number}.json").get_json()
    assert token == {"service_request_id": number, "token": number}
    assert _get(opened, "requests/01a21585-0000-7000-8000-000000000000.json").status_code == 404


def test_only_what_citizens_have_reported_is_listed_by_the_filters(opened: County) -> None:
    opened.made("gw", "/incidents", {"category": GARBAGE, "text": "内部", "grid": GRID,
                                     "address_text": "路口"})  # fmt: skip
    number = _number(opened)
    now = datetime.now(UTC)

    def found(query: str) -> list[str]:
        reply = _get(opened, f"requests.json?{query}")
        assert reply.status_code == 200, reply.get_data(as_text=True)
        return [row["service_request_id"] for row in reply.get_json()]

    old, last = now - timedelta(days=80), now + timedelta(minutes=1)
    assert found("") == found(f"service_code={GARBAGE},0101&status=open") == [number]
    assert found(f"start_date={old:%Y-%m-%dT%H:%M:%SZ}&end_date={last:%Y-%m-%dT%H:%M:%SZ}")
    assert found("status=closed") == found("service_code=0101") == []
    assert found(f"end_date={old:%Y-%m-%dT%H:%M:%SZ}") == []
    for wrong in ("start_date=2020-01-01T00:00:00Z&end_date=2021-01-01T00:00:00Z",
                  "start_date=yesterday", "status=lost"):  # fmt: skip
        assert _get(opened, f"requests.json?{wrong}").status_code == 400


def test_xml_and_json_say_the_same(opened: County) -> None:
    reply = _report(opened, "xml")
    root = ElementTree.fromstring(reply.get_data())
    assert reply.status_code == 201 and root.tag == "service_requests"
    number = root.findtext("request/service_request_id")
    rows = ElementTree.fromstring(_get(opened, f"requests/{number}.xml").get_data())
    [row] = _get(opened, f"requests/{number}.json").get_json()
    assert {one.tag: one.text for one in rows[0]} == {
        name: None if value is None else str(value) for name, value in row.items()
    }
    services = ElementTree.fromstring(_get(opened, "services.xml").get_data())
    assert [one.findtext("service_code") for one in services] == [
        one["service_code"] for one in _get(opened, "services.json").get_json()
    ]
    assert services.findtext("service/metadata") == "false"
    assert _get(opened, "discovery.xml").content_type.startswith("text/xml")


def test_only_public_categories_are_services(opened: County) -> None:
    codes = {one["service_code"] for one in _get(opened, "services.json").get_json()}
    assert GARBAGE in codes and GAS_LEAK not in codes and not any(c.startswith("06") for c in codes)
    assert _get(opened, f"services/{GARBAGE}.json").get_json()["attributes"] == []
    assert _get(opened, f"services/{GAS_LEAK}.json").status_code == 404


@pytest.mark.parametrize(("more", "status", "words"), [
    ({"service_code": GAS_LEAK}, 400, "service_code: unknown_code"),
    ({"service_code": None}, 400, "service_code: required"),
    ({"lat": None}, 400, "lat: required"),
    ({"lat": "x"}, 400, "lat: invalid"),
    ({"lat": "nan"}, 400, "lat: invalid"),
    ({"lat": "36.5", "long": "100.5"}, 400, "outside_all_grids"),
    ({"description": ""}, 400, "description"),
    ({"description": "x" * 2001}, 400, "description"),
    ({"description": "x" * 20_000}, 413, "too_large"),
    ({"description": "a\x00b"}, 400, "nul_character"),
])  # fmt: skip
def test_what_cannot_be_taken_is_refused_as_the_standard_says(
    opened: County, more: dict[str, Any], status: int, words: str
) -> None:
    reply = _report(opened, **more)
    [error] = reply.get_json()
    assert (reply.status_code, error["code"]) == (status, status) and words in error["description"]
    xml = ElementTree.fromstring(_report(opened, "xml", **more).get_data())
    assert xml.findtext("error/code") == str(status)
    assert opened.sql(sa.select(CitizenRequest)) == []


def test_a_body_that_is_no_form_is_refused(opened: County) -> None:
    reply = opened.client.post("/open311/v2/requests.json", json={"service_code": GARBAGE})
    assert reply.status_code == 415
    assert _get(opened, "services.html").status_code == 404


def test_with_keys_only_apps_that_know_the_key_may_report(opened: County) -> None:
    _turn(opened, "key")
    assert _report(opened).status_code == 403
    assert _report(opened, api_key="wrong").status_code == 403
    assert _number(opened, api_key=KEY)
    assert _get(opened, "services.json").status_code == 200


def test_one_address_may_not_flood_the_office(opened: County) -> None:
    statuses = [_report(opened).status_code for _ in range(PER_ADDRESS + 1)]
    assert statuses == [201] * PER_ADDRESS + [429]
    late = _report(opened)
    assert int(late.headers["Retry-After"]) > 0
    assert len(opened.sql(sa.select(CitizenRequest))) == PER_ADDRESS


def test_the_turnstile_counts_by_home_and_in_all_and_forgets() -> None:
    gate = Turnstile()
    for number in range(PER_ADDRESS):
        gate.enter(f"2001:db8::{number}", 0.0)
    with pytest.raises(Problem):
        gate.enter("2001:db8::ffff", 1.0)
    gate.enter("2001:db8::ffff", 601.0)
    gate = Turnstile()
    for number in range(IN_ALL):
        gate.enter(f"10.0.0.{number}", 0.0, known="key")
    with pytest.raises(Problem) as full:
        gate.enter("10.1.1.1", 1.0)
    assert full.value.extra["retry_after_s"] == 60


def test_a_key_that_could_be_guessed_is_no_setting() -> None:
    with pytest.raises(SettingsError):
        Settings.from_environment({**SECRETS, "OPEN311": "key", "OPEN311_KEY": "short"})
    with pytest.raises(SettingsError):
        Settings.from_environment({**SECRETS, "OPEN311": "yes"})
