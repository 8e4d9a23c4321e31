"""Whatever is sent to whatever route: a stable code or a parked edit, never an error of ours."""

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any

import pytest
from werkzeug.test import TestResponse

from app.core.identifiers import new_id
from app.core.problems import CATALOGUE, PROBLEM_JSON
from tests.app.campaigns.emergency import order
from tests.app.core import hostile
from tests.app.core.county import County, SyncPhone, centre, household, incident, place
from tests.app.core.hostile import Operation, RawBody
from tests.app.forms.samples import VISIT
from tests.app.identity.town import GRID, OTHER_TOWNSHIP_GRID, TOWNSHIP
from tests.app.notices.bulletin import notice

BODY_CODES = {
    "json_too_deep", "number_too_long", "not_json", "nul_character", "half_a_surrogate",
    "key_twice", "not_utf8", "text_too_long", "too_large", "bad_gzip", "unsupported_media_type",
    "invalid_fields", "malformed_request", "not_allowed", "token_missing", "precondition_required",
    "too_many_requests", "not_found", "invalid_token", "tus_version",
}  # fmt: skip


class World:
    """A county with one record of everything, so that hostile requests get past the door."""

    def __init__(self, county: County) -> None:
        self.county = county
        self.phone: SyncPhone = county.phone("gw")
        home, self.task = new_id(), county.task()["id"]
        parked = self.phone.act("create", "incident", set=incident(category="9999"))
        self.phone.act("create", "household", home, set=household())
        self.phone.act("update", "household", home, base=1, set={"occupancy": "empty"})
        clash = county.another_phone("gw").act(
            "update", "household", home, base=1, set={"occupancy": "seasonal"}
        )
        report = {"category": "0401", "text": "x", **place(*centre(GRID))}
        self.incident = county.made("gw", "/incidents", report)["id"]
        photo = {"incident": self.incident, "sha256": "0" * 64, "size_bytes": 1000,
                 "media_type": "image/jpeg"}  # fmt: skip
        self.photo = county.made("gw", "/photos", photo)["id"]
        assert county.ask("cm", "POST", "/forms", {"definition": VISIT}).status_code == 201
        wish = {"layer": "tasks", "format": "csv", "area": GRID}
        self.export = county.ask("ts", "POST", "/exports", wish).get_json()["id"]
        many = {"task_kind": "inspection", "grids": [GRID]}
        self.batch = county.made("ts", "/task-batches", many)["id"]
        self.notice = county.made("ts", "/notices", notice(areas=[TOWNSHIP]))["id"]
        self.order = county.made("cm", "/orders", order())["id"]
        self.home, self.parked, self.conflict = home, parked["id"], clash["conflicts"][0]

    def path(self, rule: str) -> str:
        """Return the path of a route with ids that exist, where the world holds such a thing."""
        record = next(
            (
                one
                for word, one in (
                    ("tasks", self.task),
                    ("households", self.home),
                    ("incidents", self.incident),
                    ("photos", self.photo),
                    ("notices", self.notice),
                    ("orders", self.order),
                )
                if f"/{word}/" in rule
            ),
            new_id(),
        )
        ids = {"photo": self.photo, "variant": "thumb", "record": record,
               "conflict": self.conflict, "edit": self.parked,
               "user_id": str(self.county.ids["colleague"]), "area_id": str(GRID),
               "post_id": "999999", "device_id": new_id(), "scope": f"grid:{GRID}",
               "grid": str(GRID), "household": self.home, "kind": "household",
               "key": VISIT["key"], "version": "1", "year": "2026",
               "code": "tasks_open", "batch": self.batch, "rule": new_id(),
               "export": self.export, "feature": str(GRID), "approval": new_id(),
               "name": new_id(), "rotation": new_id(), "purpose": "contact",
               "fmt": "json", "number": new_id(), "token": new_id()}  # fmt: skip
        return re.sub(r"<(?:[^>]*:)?(\w+)>", lambda found: ids[found[1]], rule)

    def send(self, operation: Operation, who: str, **more: Any) -> TestResponse:
        """Send a request to an operation."""
        headers = {**self.county.headers[who], **more.pop("headers", {})}
        return self.county.client.open(
            self.path(operation.rule), method=operation.method, headers=headers, **more
        )


@pytest.fixture
def world(county: County) -> World:
    """Return a county with one record of everything."""
    return World(county)


def _who(operation: Operation) -> str:
    """Return somebody who may."""
    if "/sync/" in operation.rule:
        return "gw_phone"
    if "/forms" in operation.rule or "/orders" in operation.rule:
        return "cm"
    return "gw" if "household" in operation.rule or "contact" in operation.rule else "ts"


def _assert_answered(reply: TestResponse, *, about: object) -> None:
    """See that an answer is none of our errors, and that a refusal has a stable code."""
    text = reply.get_data()[:300]
    assert reply.status_code < 500, (about, reply.status_code, text)
    if reply.status_code >= 400:
        assert reply.content_type == PROBLEM_JSON, (about, reply.status_code, text)
        body = reply.get_json()
        assert body["code"] in CATALOGUE and body["status"] == reply.status_code, (about, text)


def test_no_broken_body_is_an_error_of_ours(world: World) -> None:
    for operation in hostile.operations(world.county.app):
        for body in hostile.RAW_BODIES if operation.takes_body else hostile.RAW_BODIES[::12]:
            about = (operation.method, operation.rule, body.name)
            headers = {"If-Match": '"v1"', **body.headers}
            reply = world.send(operation, _who(operation), data=body.data, headers=headers)
            _assert_answered(reply, about=about)
            if operation.takes_body:
                _assert_refused(reply, body, about)


def _assert_refused(reply: TestResponse, body: RawBody, about: object) -> None:
    assert 400 <= reply.status_code < 500, (about, reply.status_code)
    assert reply.get_json()["code"] in BODY_CODES, (about, reply.get_json())


def test_the_worst_bodies_have_codes_of_their_own(world: World) -> None:
    expected = {
        "990 deep": (400, "json_too_deep"), "100,000 deep": (400, "json_too_deep"),
        "5,000 digits": (400, "number_too_long"), "not a number": (400, "not_json"),
        "NUL": (400, "nul_character"), "half a surrogate": (400, "half_a_surrogate"),
        "key twice": (400, "key_twice"), "bad UTF-8": (400, "not_utf8"),
        "10 MB": (413, "too_large"), "3 MB": (413, "too_large"), "gzip bomb": (413, "too_large"),
        "not gzip": (400, "bad_gzip"), "half a gzip": (400, "bad_gzip"),
        "plain text": (415, "unsupported_media_type"), "cut off": (400, "not_json"),
        "unknown encoding": (415, "unsupported_media_type"),
    }  # fmt: skip
    bodies = {body.name: body for body in hostile.RAW_BODIES}
    for path, who in (("/sync/exchange", "gw_phone"), ("/sync/push", "gw_phone"), ("/tasks", "ts")):
        for name, answer in expected.items():
            body = bodies[name]
            reply = world.county.ask(who, "POST", path, data=body.data, headers=body.headers)
            assert (reply.status_code, reply.get_json()["code"]) == answer, (path, name)


def _bodies(world: World) -> Mapping[str, dict[str, Any]]:
    """Return a good body for each operation that has one, by the end of its route."""
    ids = world.county.ids
    return {
        "POST /tasks": {"grid": GRID, "task_kind": "visit", "title": "x", "assignee": ids["gw"]},
        "PATCH /tasks/": {"title": "y"}, "POST /moves": {"state": "cancelled", "reason": "x"},
        "POST /households": household(), "PATCH /households/": {"occupancy": "empty"},
        "POST /contacts": {"household": world.home, "name": "张三", "phone": "13800138000"},
        "POST /incidents": {"category": "0401", "text": "x", **place(*centre(GRID))},
        "POST /photos": {"incident": world.incident, "sha256": "1" * 64, "size_bytes": 9,
                         "media_type": "image/jpeg"},
        "POST /notices": notice(areas=[TOWNSHIP]), "PATCH /notices/": {"text": "y"},
        "POST /withdrawal": {"reason": "x"}, "POST /orders": order(),
        "PUT /redactions": {"parts": [[0, 0, 1, 1]]}, "POST /addresses": {"variant": "thumb"},
        "PATCH /incidents/": {"text": "y"}, "POST /resolution": {"choice": "keep"},
        "POST /repair": {"set": {}}, "POST /sign-in": {"login": "x", "password": "y"},
        "POST /users": {"name": "x", "post": {"role": "gw", "area_id": GRID}},
        "POST /posts": {"role": "gw", "area_id": GRID}, "POST /devices": {"app": "x", "schema": 1},
        "POST /exchange": {"device": world.phone.device, "cursor": None, "edits": []},
        "POST /push": {"device": world.phone.device, "edits": []},
        "POST /pull": {"device": world.phone.device, "cursor": None},
        "POST /health": {"device": world.phone.device, "unsent": 0, "photos_waiting": 0,
                         "schema": 1},
        "POST /exports": {"layer": "tasks", "format": "csv", "area": GRID},
        "POST /decision": {"verdict": "refused"},
    }  # fmt: skip


def _good_body(bodies: Mapping[str, dict[str, Any]], operation: Operation) -> dict[str, Any]:
    tail = re.sub(r"<[^>]*>$", "", operation.rule)
    for end, body in bodies.items():
        method, word = end.split(" ")
        if operation.method == method and tail.endswith(word):
            return dict(body)
    return {}


def test_no_twisted_field_is_an_error_of_ours(world: World) -> None:
    bodies = _bodies(world)
    for operation in hostile.operations(world.county.app):
        if not operation.takes_body:
            continue
        good = _good_body(bodies, operation)
        for name in [*operation.fields, "unknown"]:
            for value in hostile.FIELD_VALUES:
                reply = world.send(
                    operation, _who(operation), json={**good, name: value},
                    headers={"If-Match": '"v1"'},
                )  # fmt: skip
                about = (operation.method, operation.rule, name, str(value)[:40])
                _assert_answered(reply, about=about)


def _twisted_edits(good: Mapping[str, Any], rec: str) -> Iterator[dict[str, Any]]:
    """List edits of which one member, or one field, is twisted."""
    for member in ("n", "id", "op", "kind", "rec", "base", "schema", "set", "was", "at"):
        for value in hostile.VALUES:
            yield {**good, member: value}
    for name in ("claimed", "anchor", "elapsed_ms", "boot", "device"):
        for value in hostile.VALUES:
            yield {**good, "at": {name: value}}
    for kind, fields in (("household", household()), ("incident", {**incident(), **place(1, 1)}),
                         ("task", {"state": "accepted", "round": 0, "assignee": 1}),
                         ("contact", {"household": None, "name": "x", "phone": "1"})):  # fmt: skip
        for name in [*fields, "unknown", "x" * 61]:
            for value in hostile.VALUES:
                yield {**good, "kind": kind, "op": "create", "set": {**fields, name: value}}
                yield {**good, "kind": kind, "op": "update", "rec": rec, "set": {name: value}}


def test_every_twisted_edit_is_refused_or_kept(world: World) -> None:
    phone, good = world.phone, {"op": "create", "kind": "household", "set": household(), "base": 0}
    taken = 0
    for batch in _batches(list(_twisted_edits(good, world.home)), 25):
        edits = [
            {"n": phone.n + place, "id": new_id(), "rec": new_id(), **edit}
            for place, edit in enumerate(batch, start=1)
        ]
        reply = phone.send("push", {"edits": edits})
        _assert_answered(reply, about=batch[0])
        if reply.status_code == 200:
            phone.n += len(edits)
            taken += len(edits)
            assert len(reply.get_json()["results"]) == len(edits)
        else:
            taken += _one_by_one(phone, edits)
    assert taken > 500


def _one_by_one(phone: SyncPhone, edits: list[dict[str, Any]]) -> int:
    """Push what can be pushed of a batch that was refused as a whole."""
    taken = 0
    for edit in edits:
        numbered = {**edit, "n": edit["n"] if not _is_number(edit["n"]) else phone.n + 1}
        reply = phone.send("push", {"edits": [numbered]})
        _assert_answered(reply, about=json.dumps(edit)[:200])
        if reply.status_code == 200:
            phone.n += 1
            taken += 1
    return taken


def _is_number(value: Any) -> bool:
    return type(value) is int and 0 < value < 2**31


def _batches(items: list[Any], size: int) -> list[list[Any]]:
    return [items[start : start + size] for start in range(0, len(items), size)]


def test_a_batch_is_poisoned_by_none_of_its_edits(world: World) -> None:
    phone = world.phone
    results = phone.push(
        phone.edit("create", "household", set=household()),
        phone.edit("create", "household", set=household(grid=OTHER_TOWNSHIP_GRID)),
        phone.edit("create", "household", set=household(grid=2**53)),
        phone.edit("create", "unheard_of", set={"a": {"b": {"c": [1, 2, 3]}}}),
        phone.edit("walk", "household", set={}),
        phone.edit("create", "household", set={"x" * 60: 1}),
        phone.edit("create", "household", set=household(address_text="中" * 60_000)),
        phone.edit("create", "household", set=household()),
    )
    assert [one["status"] for one in results] == ["applied", *["parked"] * 6, "applied"]
    assert [one["code"] for one in results[1:7]] == [
        "out_of_scope", "out_of_scope", "unknown_kind", "unknown_op", "invalid_fields",
        "invalid_fields",
    ]  # fmt: skip


def test_no_query_is_an_error_of_ours(world: World) -> None:
    for operation in hostile.operations(world.county.app):
        names = [*operation.queries, "unknown"] if operation.method == "GET" else []
        for name in names:
            values = hostile.cursors() if name == "cursor" else hostile.QUERY_VALUES
            for value in values:
                path = f"{world.path(operation.rule)}?{name}={value}"
                reply = world.county.client.get(path, headers=world.county.headers[_who(operation)])
                _assert_answered(reply, about=path[:200])


def test_no_path_is_an_error_of_ours(world: World) -> None:
    for path in hostile.PATHS:
        for method in ("GET", "POST", "PATCH", "DELETE", "PUT", "OPTIONS", "HEAD"):
            reply = world.county.ask("ts", method, path)
            assert reply.status_code < 500, (method, path)
            if method == "GET":
                _assert_answered(reply, about=path[:200])
                assert reply.status_code in (404, 405, 308), (path, reply.status_code)


HEADED = (
    ("GET", "/tasks"), ("GET", "/tasks/<uuid:record>"), ("PATCH", "/tasks/<uuid:record>"),
    ("POST", "/tasks"), ("POST", "/tasks/<uuid:record>/moves"), ("POST", "/users"),
    ("POST", "/sync/exchange"), ("POST", "/parked-edits/<uuid:edit>/discard"),
)  # fmt: skip


def test_no_header_is_an_error_of_ours(world: World) -> None:
    bodies = _bodies(world)
    for operation in hostile.operations(world.county.app):
        if (operation.method, operation.rule.removeprefix("/api/v1")) not in HEADED:
            continue
        for headers in hostile.HEADERS:
            body = _good_body(bodies, operation) if operation.takes_body else None
            environ = {_environ(name): value for name, value in headers.items()}
            reply = world.send(operation, _who(operation), json=body, environ_overrides=environ)
            _assert_answered(reply, about=(operation.method, operation.rule, headers))


def _environ(header: str) -> str:
    return f"HTTP_{header.upper().replace('-', '_')}"


def test_no_token_is_an_error_of_ours(world: World) -> None:
    for token in hostile.TOKENS:
        for method, path in (("GET", "/tasks"), ("POST", "/sync/exchange"), ("GET", "/auth/me")):
            reply = world.county.ask(
                None, method, path, environ_overrides={"HTTP_AUTHORIZATION": token}
            )
            assert reply.status_code == 401, (token, reply.status_code)
            assert reply.headers["WWW-Authenticate"].startswith("Bearer")
