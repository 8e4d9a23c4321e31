"""Two servers, equal in a county and different beyond it: what may be seen beyond one's scope.

Times, random ids, signatures and the names of epochs differ between any two servers; they are
replaced by what they stand for, in the order in which they appear. Everything else, to the byte,
must be the same: numbers, versions, totals, cursors, ETags, the words of errors.
"""

import gzip
import itertools
import json
import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from uuid import UUID, uuid5

from flask import Flask
from werkzeug.test import TestResponse

from app.core.database import Mode
from app.core.web import PUBLIC
from app.sync_api import services
from sync.cursor import read_cursor
from tests.app.core.county import County, draw_borders, household, incident, open_county
from tests.app.households.answers import agreed, contact_fields
from tests.app.identity.town import GRID, TOWNSHIP, _write_area, settle
from tests.app.notices.bulletin import notice
from tests.app.photos.camera import facts, picture
from tests.cells.world import FAR_GRID, GRID_2, MORE_AREAS

SPACE = UUID("6b1c9d4e-0000-4000-8000-000000000000")
ACTORS = ("gw", "vl", "ts", "cm")
PHONES = ("gw", "vl", "ts")
TELLS_ON_PURPOSE = {
    "/households/duplicates": "a match elsewhere is told, without saying where: whoever takes a "
                              "household down twice must know to ask his supervisor",
    "parked edits": "an edit about a record that lies elsewhere waits with the people of that "
                    "place (ADR 16), and not in its author's grid: whoever knows the id, of 122 "
                    "random bits, had the record before",
}  # fmt: skip
GZIP = b"\x1f\x8b"
_UUID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")
_TIME = re.compile(r"\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}(\.\d+)?(Z|\+00:00)")
_MS = re.compile(r"\b1[5-9]\d{11}\b")
_ANCHOR = re.compile(r'"anchor": ?"[^"]+"')
_CURSOR = re.compile(r'"(to|from|cursor)": ?"([^"]+)"')
KINDS = ("household", "contact", "visit", "incident", "photo", "task", "notice")


def name(word: str) -> str:
    """Return the id of a record, the same in both worlds."""
    return str(uuid5(SPACE, word))


def build(app: Flask, *, crowded: bool) -> County:
    """Settle the county and fill its first grid; in the crowded world, much happens elsewhere."""
    county = open_county(app, app.test_client())
    settle(county)
    with county.database.transaction(Mode.WRITE) as session:
        draw_borders(session)
        for area in MORE_AREAS:
            _write_area(session, *area)
        for who, role, area_id in (("gw_far", "gw", FAR_GRID), ("gw_2", "gw", GRID_2),
                                   ("ts_far", "ts", 6)):  # fmt: skip
            county.add(session, who, role, area_id)
    for round_ in range(2):
        if crowded:
            _fill(county, f"far {round_}", FAR_GRID, "gw_far", "ts_far")
            _fill(county, f"city {round_}", GRID_2, "gw_2", None)
            county.person(f"stranger {round_}", "gw", FAR_GRID)
        _fill(county, f"here {round_}", GRID, "gw", "ts")
    return county


def _fill(county: County, word: str, grid: int, worker: str, chief: str | None) -> None:
    """Let a worker and his township do one of everything."""
    with _seeded_devices(word):
        phone, second = county.phone(worker), county.another_phone(worker)
    home, case = name(f"{word} household"), name(f"{word} incident")
    edits = [
        ("household", home, household(grid=grid)),
        ("consent", name(f"{word} consent"), agreed(home, "contact")),
        ("contact", name(f"{word} contact"), contact_fields(home)),
        ("visit", name(f"{word} visit"), {"household": home, "outcome": "met"}),
        ("incident", case, incident(grid=grid)),
        ("photo", name(f"{word} photo"), facts(picture(1), incident=case)),
        ("incident", name(f"{word} parked"), incident(grid=grid, category="9999")),
    ]  # fmt: skip
    made = [phone.edit("create", kind, rec, set=said) for kind, rec, said in edits]
    phone.push(*(_named(edit, f"{word} {at}") for at, edit in enumerate(made)))
    for state, one in (("empty", phone), ("seasonal", second)):
        edit = one.edit("update", "household", home, base=1, set={"occupancy": state})
        one.push(_named(edit, f"{word} {state}"))
    if chief:
        county.made(chief, "/tasks", {
            "id": name(f"{word} task"), "grid": grid, "task_kind": "visit", "title": "走访",
            "assignee": county.ids[worker]})  # fmt: skip
        county.made(chief, "/notices", {**notice(areas=[grid]), "id": name(f"{word} notice"),
                                        "valid_until": "2027-06-01T00:00:00.000Z"})  # fmt: skip


@contextmanager
def _seeded_devices(word: str) -> Iterator[None]:
    """Give new devices ids that are the same in both worlds: ids of conflicts are made of them."""
    count, right = itertools.count(), services.new_id
    services.new_id = lambda: name(f"device {word} {next(count)}")
    try:
        yield
    finally:
        services.new_id = right


def _named(edit: dict[str, Any], word: str) -> dict[str, Any]:
    """Give an edit an id that is the same in both worlds: digests are made of ids."""
    return {**edit, "id": name(f"edit {word}")}


def answers(county: County) -> Iterator[tuple[str, str]]:
    """Yield what every door answers to everybody, by the request, in words of this world alone.

    What is read comes first; then what is refused, which leaves parked edits behind.
    """
    for who in ACTORS:
        for path in _paths(county.app):
            yield f"{who} GET {path}", _told(county.ask(who, "GET", path))
    for who in PHONES:
        yield from _pulled(county, who)
    for who in ACTORS:
        for method, path, body in _errors():
            yield f"{who} {method} {path} {body}", _told(county.ask(who, method, path, body))
    for who in PHONES:
        yield from _refused(county, who)


def _pulled(county: County, who: str) -> Iterator[tuple[str, str]]:
    phone, cursor = county.phone(who), None
    for turn in range(20):
        reply = phone.send("pull", {"cursor": cursor, "want_bytes": 3_000})
        yield f"{who} pull {turn}", _told(reply)
        cursor = reply.get_json()["to"]
        if reply.get_json()["complete"]:
            break
    yield f"{who} head", _told(phone.send("head", {"cursor": cursor}))
    for scope in (f"grid:{GRID}", f"grid:{FAR_GRID}", f"grid:{GRID_2}", "area:3", "area:2"):
        yield f"{who} copy {scope}", _told(county.ask(phone.who, "GET", f"/sync/snapshot/{scope}"))
        asked = {"scope": scope, "ver": 1, "buckets": ["0" * 16] * 64}
        yield f"{who} verify {scope}", _told(phone.send("verify", asked))


def _refused(county: County, who: str) -> Iterator[tuple[str, str]]:
    """Push what is about records elsewhere and about none, each with a grid of one's own."""
    phone = county.phone(who)
    for word in ("far 0", "nowhere"):
        edits = [(kind, phone.edit("update", kind, name(f"{word} {kind}"), base=0,
                                   set={"grid": GRID})) for kind in KINDS]  # fmt: skip
        visit = {"household": name(f"{word} household"), "outcome": "met"}
        edits.append(("names", phone.edit("create", "visit", set=visit)))
        for kind, edit in edits:
            told = _told(phone.send("push", {"edits": [_named(edit, f"{who} {word} {kind}")]}))
            yield f"{who} edit {word} {kind}", told


def _errors() -> Iterator[tuple[str, str, Any]]:
    for word in ("far 0", "nowhere"):
        home = name(f"{word} household")
        yield "POST", f"/households/{home}/transfer", {"grid": 11}
        yield "POST", f"/households/{home}/transfer", {"grid": FAR_GRID}
        yield "POST", "/contacts", contact_fields(home)
        yield "POST", f"/photos/{name(f'{word} photo')}/addresses", {"variant": "thumb"}
        yield "POST", f"/tasks/{name(f'{word} task')}/moves", {"state": "accepted"}
        yield "DELETE", f"/photos/{name(f'{word} photo')}", None


def _paths(app: Flask) -> Iterator[str]:
    """Yield every GET route, about what is here, what is elsewhere, and what is nowhere."""
    adapter = app.url_map.bind("localhost")
    for rule in sorted(app.url_map.iter_rules(), key=lambda one: one.rule):
        action = getattr(app.view_functions[rule.endpoint], "action", PUBLIC)
        waits = rule.rule.endswith("/sync/wait")
        if action == PUBLIC or "GET" not in (rule.methods or ()) or waits or "/faces/" in rule.rule:
            continue
        for values in _values(rule):
            path = adapter.build(rule.endpoint, values)
            yield path.removeprefix("/api/v1") if path.startswith("/api/v1") else f"/../..{path}"
    yield from ("/households?limit=1", "/incidents?limit=1", "/tasks?limit=1", "/users?limit=1",
                f"/numbers?area={TOWNSHIP}", "/numbers?area=3", "/numbers?area=20",
                "/photo-ledger?grid=15", "/incidents?bbox=100,30,110,40")  # fmt: skip


def _values(rule: Any) -> Iterator[dict[str, Any]]:
    kinds = {n: type(c).__name__ for n, c in rule._converters.items()}
    if not rule.arguments:
        yield {}
        return
    for word, number in (("here 0", GRID), ("far 0", FAR_GRID), ("nowhere", 999_999)):
        for kind in [one for one in KINDS if one in rule.rule] or KINDS[:1]:
            yield {
                argument: name(f"{word} {kind}") if kinds[argument] == "UUIDConverter"
                else 2026 if argument == "year"
                else number if kinds[argument] == "IntegerConverter"
                else name(f"{word} {kind}") if argument == "feature" else "none"
                for argument in rule.arguments
            }  # fmt: skip


def _told(reply: TestResponse) -> str:
    """Return status, the headers that could tell something, and the body of an answer."""
    raw = reply.get_data()
    body = (gzip.decompress(raw) if raw[:2] == GZIP else raw).decode()
    body = _CURSOR.sub(lambda found: f'"{found[1]}": {_places(found[2])}', body)
    heads = [f"{key}: {reply.headers.get(key)}" for key in ("ETag", "Link", "Content-Type")]
    if "/sync/" in (reply.request.path if reply.request else ""):
        heads = heads[1:]  # the tag of a copy names its epoch and version
    text = "\n".join([str(reply.status_code), *heads, body])
    return _plain(text)


def _places(cursor: str) -> str:
    found = read_cursor(cursor)
    return json.dumps({scope: list(place) for scope, place in found.places.items()}
                      if found else None)  # fmt: skip


def _plain(text: str) -> str:
    """Replace what is made of time and chance by the order in which it appears."""
    order: dict[str, str] = {}
    text = _ANCHOR.sub('"anchor": A', _MS.sub("M", _TIME.sub("T", text)))
    return _UUID.sub(lambda found: order.setdefault(found[0], f"id{len(order)}"), text)


__all__ = ["TELLS_ON_PURPOSE", "answers", "build"]
