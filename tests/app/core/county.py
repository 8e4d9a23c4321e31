"""The small county of identity's tests with code lists, borders, and phones that push edits."""

import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from typing import Any

import sqlalchemy as sa
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy.orm import Session
from werkzeug.test import TestResponse

from app.areas.models import AreaBorder
from app.core.database import Mode
from app.core.identifiers import new_id
from app.households.purposes import open_purpose
from app.incidents.commands import CATEGORIES
from app.incidents.models import IncidentCategory
from app.incidents.services import import_categories
from app.tasks.commands import KINDS
from app.tasks.services import import_kinds
from tests.app.identity.town import GRID, NEXT_VILLAGE_GRID, SAME_VILLAGE_GRID, TestPhone, Town

SIDE = 0.01
WEST, SOUTH = 104.10, 36.50
# Three grids side by side: the first two share a border line, the third lies one square apart.
SQUARES = {GRID: 0, SAME_VILLAGE_GRID: 1, NEXT_VILLAGE_GRID: 3}
GARBAGE = "0401"
GAS_LEAK = "0103"


def centre(grid: int) -> list[float]:
    """Return the middle of a grid."""
    return [round(WEST + SIDE * (SQUARES[grid] + 0.5), 7), round(SOUTH + SIDE / 2, 7)]


def household(**more: Any) -> dict[str, Any]:
    """Return the fields of a household in the first grid."""
    return {
        "grid": GRID, "address_text": "人民路 12 号", "building": "3", "unit_room": "2-501",
        "occupancy": "lived_in", **more,
    }  # fmt: skip


def incident(**more: Any) -> dict[str, Any]:
    """Return the fields of an incident as a phone reports it, by address."""
    return {
        "category": GARBAGE, "text": "垃圾无人清运", "grid": GRID, "address_text": "人民路口",
        "state": "reported", "round": 0, **more,
    }  # fmt: skip


def place(lon: float, lat: float) -> dict[str, Any]:
    """Return the fields of a position."""
    return {"point": [lon, lat], "accuracy_m": 8, "point_source": "gps"}


@dataclass
class SyncPhone:
    """An enrolled phone that numbers its edits; everything else is up to the test."""

    county: "County"
    who: str
    device: str
    n: int = 0
    anchor: str = ""

    def edit(self, op: str, kind: str, rec: str | None = None, /, **more: Any) -> dict[str, Any]:
        """Make the next edit."""
        self.n += 1
        shape = {"n": self.n, "id": new_id(), "op": op, "kind": kind, "rec": rec or new_id()}
        return {**shape, **more}

    def send(self, path: str, body: Mapping[str, Any]) -> TestResponse:
        """Send a body to a sync endpoint, with the device in it."""
        json = {"device": self.device, **body}
        return self.county.ask(self.who, "POST", f"/sync/{path}", json)

    def push(self, *edits: Mapping[str, Any]) -> list[dict[str, Any]]:
        """Push edits and return their receipts."""
        reply = self.send("push", {"edits": list(edits)})
        assert reply.status_code == 200, reply.get_data(as_text=True)
        results: list[dict[str, Any]] = reply.get_json()["results"]
        return results

    def act(self, op: str, kind: str, rec: str | None = None, /, **more: Any) -> dict[str, Any]:
        """Push one edit and return its receipt."""
        return self.push(self.edit(op, kind, rec, **more))[0]

    def pull(self, cursor: str | None = None) -> list[dict[str, Any]]:
        """Return all items since a cursor, page by page."""
        items: list[dict[str, Any]] = []
        while True:
            reply = self.send("pull", {"cursor": cursor})
            assert reply.status_code == 200, reply.get_data(as_text=True)
            page = reply.get_json()
            items += page["items"]
            cursor = page["to"]
            if page["complete"]:
                return items


@dataclass
class County(Town):
    """The town, ready for households, tasks and incidents."""

    phones: dict[str, SyncPhone] = field(default_factory=dict)

    def ask(
        self,
        who: str | None,
        method: str,
        path: str,
        json: Any = None,
        *,
        headers: Mapping[str, str] | None = None,
        **more: Any,
    ) -> TestResponse:
        """Call the interface as a person, with any headers and any body."""
        sent = {**(self.headers[who] if who else {}), **(headers or {})}
        if json is not None:
            more["json"] = json
        return self.client.open(f"/api/v1{path}", method=method, headers=sent, **more)

    def phone(self, name: str) -> SyncPhone:
        """Return a person's enrolled phone with a device id; made at the first call."""
        if name not in self.phones:
            self.phones[name] = self.another_phone(name)
        return self.phones[name]

    def another_phone(self, name: str) -> SyncPhone:
        """Enrol one more phone for a person."""
        self.enrolled(name, TestPhone(f"install-{uuid.uuid4()}"))
        reply = self.ask(f"{name}_phone", "POST", "/sync/devices", {"app": "test", "schema": 1})
        assert reply.status_code == 201, reply.get_data(as_text=True)
        who = f"{name}_phone_{reply.get_json()['device']}"
        self.headers[who] = self.headers[f"{name}_phone"]
        return SyncPhone(self, who, reply.get_json()["device"], anchor=reply.get_json()["anchor"])

    def made(self, who: str, path: str, body: Mapping[str, Any]) -> dict[str, Any]:
        """Create a record over REST and return it."""
        reply = self.ask(who, "POST", path, dict(body))
        assert reply.status_code == 201, reply.get_data(as_text=True)
        shown: dict[str, Any] = reply.get_json()
        return shown

    def task(self, **more: Any) -> dict[str, Any]:
        """Assign a task to the worker of the first grid."""
        body = {"grid": GRID, "task_kind": "visit", "title": "看望独居老人",
                "assignee": self.ids["gw"], **more}  # fmt: skip
        return self.made("ts", "/tasks", body)

    def pages(self, who: str, path: str) -> list[list[dict[str, Any]]]:
        """Follow the Link headers of a list to its end."""
        pages, here = [], path
        while here:
            reply = self.ask(who, "GET", here)
            assert reply.status_code == 200, reply.get_data(as_text=True)
            pages.append(reply.get_json())
            link = reply.headers.get("Link", "")
            here = link[1 : link.index(">")].removeprefix("/api/v1") if link else ""
        return pages

    def same_nothing(self, who: str, method: str, path: str, one: str, other: str) -> bool:
        """Tell whether two ids are answered with the same 404, to the byte."""
        replies = [self.ask(who, method, path.format(name)) for name in (one, other)]
        assert [reply.status_code for reply in replies] == [404, 404]
        return bool(replies[0].get_data() == replies[1].get_data())


def fill(county: County, count: int = 3) -> SyncPhone:
    """Let a worker capture homes, each with a contact; return his phone."""
    phone = county.phone("gw")
    for _ in range(count):
        home = new_id()
        phone.push(
            phone.edit("create", "household", home, set=household()),
            phone.edit("create", "contact", set={"household": home, "name": "张三丰",
                                                 "phone": "13812345678"}),
        )  # fmt: skip
    return phone


def draw_borders(session: Session) -> None:
    """Give the grids their squares."""
    for grid, number in SQUARES.items():
        west, east, north = WEST + SIDE * number, WEST + SIDE * (number + 1), SOUTH + SIDE
        ring = ((west, SOUTH), (east, SOUTH), (east, north), (west, north), (west, SOUTH))
        text = ", ".join(f"{lon:.6f} {lat:.6f}" for lon, lat in ring)
        session.add(
            AreaBorder(area_id=grid, valid_from=date(2020, 1, 1),
                       geom=f"SRID=4326;MULTIPOLYGON((({text})))", datum_in="wgs84",
                       accuracy_m=1.0, source="test")
        )  # fmt: skip


def open_county(app: Flask, client: FlaskClient) -> County:
    """Return the county, settled by ``town.settle`` and made ready."""
    county = County(app, client)
    with county.database.transaction(Mode.WRITE) as session:
        import_kinds(session, KINDS)
        import_categories(session, CATEGORIES)
        # Each county sets its own rules; this one asks for no photo of rubbish.
        session.execute(sa.update(IncidentCategory).where(IncidentCategory.code == GARBAGE)
                        .values(photo="optional"))  # fmt: skip
        open_purpose(session, "health", by=0, now=datetime.now(UTC), assessment="PIA-2026-1",
                     assessed_on=date(2026, 1, 5))  # fmt: skip
    return county
