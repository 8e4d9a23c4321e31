"""Photos are asked for, left free or forbidden by category and kind of task; papers do not stay."""

from typing import Any

import pytest
import sqlalchemy as sa

from app.core.blobs.shelf import BlobRow
from app.core.database import Mode
from app.core.evidence import NOT_ASKED
from app.core.moments import now_ms
from app.photos.finishing import look_again
from app.photos.models import Photo
from app.photos.tending import UNUSED_MS, tend
from tests.app.core.county import County, incident
from tests.app.identity.town import NEXT_VILLAGE_GRID, OTHER_TOWNSHIP_GRID, outcome
from tests.app.photos.camera import Camera, facts, picture

REQUIRED, OPTIONAL, FORBIDDEN = "0302", "0103", "0704"


@pytest.mark.parametrize(
    ("category", "said", "code"),
    [(REQUIRED, {}, "photo_required"), (REQUIRED, {"photo_count": 0}, "photo_required"),
     (REQUIRED, {"photo_count": 2}, None), (REQUIRED, {"no_photo_reason": "相机坏了"}, None),
     (OPTIONAL, {}, None), (OPTIONAL, {"photo_count": 1}, None),
     (FORBIDDEN, {}, None), (FORBIDDEN, {"photo_count": 1}, "photo_forbidden")],
)  # fmt: skip
def test_a_report_has_the_photos_that_its_category_asks_for(
    camera: Camera, category: str, said: dict[str, Any], code: str | None
) -> None:
    made = camera.phone.act("create", "incident", schema=2, set=incident(category=category, **said))
    assert (made["status"], made.get("code")) == ("parked" if code else "applied", code)


def test_a_draft_needs_no_photo_until_it_is_reported(camera: Camera) -> None:
    draft = incident(category=REQUIRED, state="draft")
    made = camera.phone.act("create", "incident", schema=2, set=draft)
    assert made["status"] == "applied"
    report = {"state": "reported", "round": 0}
    parked = camera.phone.act("event", "incident", made["rec"], base=1, schema=2, set=report)
    assert parked["code"] == "photo_required"
    report["photo_count"] = 1
    done = camera.phone.act("event", "incident", made["rec"], base=1, schema=2, set=report)
    assert done["status"] == "applied"


def test_an_app_from_before_photos_is_not_asked_for_any(camera: Camera) -> None:
    made = camera.phone.act("create", "incident", set=incident(category=REQUIRED))
    assert made["status"] == "applied"
    [item] = [one for one in camera.phone.pull() if one["t"] == "incident"]
    assert item["f"]["no_photo_reason"] == NOT_ASKED


def test_the_office_is_told_the_same(county: County) -> None:
    body = {name: value for name, value in incident(category=REQUIRED).items()
            if name not in ("state", "round")}  # fmt: skip
    assert outcome(county.ask("vl", "POST", "/incidents", body)) == (422, "photo_required")
    assert county.ask("vl", "POST", "/incidents", {**body, "photo_count": 1}).status_code == 201


@pytest.mark.parametrize(
    ("kind", "said", "code"),
    [("hazard_check", {}, "photo_required"), ("hazard_check", {"photo_count": 1}, None),
     ("hazard_check", {"no_photo_reason": "已锁门"}, None), ("inspection", {}, None),
     ("visit", {}, None), ("visit", {"photo_count": 1}, "photo_forbidden")],
)  # fmt: skip
def test_a_task_is_done_with_the_photos_that_its_kind_asks_for(
    camera: Camera, county: County, kind: str, said: dict[str, Any], code: str | None
) -> None:
    task, phone = county.task(task_kind=kind)["id"], camera.phone
    for rv, state in enumerate(("accepted", "started"), 1):
        phone.act("event", "task", task, base=rv, set={"state": state, "round": 0})
    report = {"state": "done", "round": 0, **said}
    done = phone.act("event", "task", task, base=3, schema=2, set=report)
    assert (done["status"], done.get("code")) == ("parked" if code else "applied", code)


def test_no_photo_of_a_forbidden_matter_gets_in_at_all(camera: Camera, county: County) -> None:
    camera.incident(category=FORBIDDEN)
    body = facts(picture(), incident=camera.subject)
    made = camera.phone.act("create", "photo", set=body)
    assert (made["status"], made["code"]) == ("parked", "photo_forbidden")
    assert camera.open(made["rec"], len(picture())).status_code == 404
    assert outcome(county.ask("gw", "POST", "/photos", body)) == (422, "photo_forbidden")


@pytest.mark.parametrize(
    ("change", "field", "code"),
    [({"incident": None}, "incident", "one_subject_needed"),
     ({"purpose": "document"}, "purpose", "documents_belong_to_tasks"),
     ({"sha256": "xyz"}, "sha256", "wrong_length"),
     ({"size_bytes": 30_000_000}, "size_bytes", "out_of_range"),
     ({"media_type": "image/gif"}, "media_type", "not_a_choice"),
     ({"state": "stored"}, "state", "read_only"),
     ({"incident": "01900000-0000-7000-8000-000000000000"}, "incident", "unknown_record")],
)  # fmt: skip
def test_facts_that_make_no_sense_are_parked_with_the_field(
    camera: Camera, change: dict[str, Any], field: str, code: str
) -> None:
    body = {**facts(picture(), incident=camera.incident()), **change}
    made = camera.phone.act("create", "photo", set=body)
    assert made["status"] == "parked"
    if made["code"] == "invalid_fields":
        found = {(one["field"], one["code"]) for one in made["errors"]}
        assert (field, code) in found
    else:
        assert code == "unknown_record"


def test_where_it_was_taken_is_refused_when_the_task_has_no_need_of_it(
    camera: Camera, county: County
) -> None:
    task = county.task(task_kind="publicity")["id"]
    body = facts(picture(), task=task, point=[104.1, 36.5], accuracy_m=5)
    made = camera.phone.act("create", "photo", set=body)
    assert made["errors"] == [{"field": "point", "code": "place_not_needed"}]


def test_what_a_photo_is_never_changes(camera: Camera) -> None:
    photo = camera.register(picture())
    changed = camera.phone.act("update", "photo", photo, base=1, set={"sha256": "0" * 64})
    assert changed["errors"] == [{"field": "sha256", "code": "fixed"}]


def test_the_author_hides_a_part_from_his_phone(camera: Camera) -> None:
    photo = camera.take(picture())
    camera.work()
    seen = camera.shown(photo)["rv"]
    hidden = {"redactions": [[0, 0, 500, 1000]]}
    done = camera.phone.act("update", "photo", photo, base=seen, set=hidden)
    assert done["status"] == "applied" and camera.shown(photo)["state"] == "stored"
    camera.county.sql(sa.text("UPDATE job SET due_ms = 0"))
    camera.work()
    assert camera.shown(photo)["state"] == "ready"


@pytest.mark.parametrize("parts", [[[0, 0, 5]], [[]], [[900, 0, 200, 10]], [[0, 999, 1, 2]]])
def test_parts_that_are_no_parts_are_refused(camera: Camera, parts: list[list[int]]) -> None:
    photo = camera.register(picture())
    done = camera.phone.act("update", "photo", photo, base=1, set={"redactions": parts})
    assert done["errors"] == [{"field": "redactions", "code": "wrong_form"}]


def test_nobody_takes_photos_in_a_foreign_grid(camera: Camera, county: County) -> None:
    there = county.made("gw_other_township", "/incidents", {
        "category": "0401", "text": "x", "grid": OTHER_TOWNSHIP_GRID, "address_text": "路口",
    })  # fmt: skip
    made = camera.phone.act("create", "photo", set=facts(picture(), incident=there["id"]))
    assert made["status"] == "parked" and made["code"] in ("out_of_scope", "unknown_record")


def test_facts_and_report_may_come_in_one_request(camera: Camera) -> None:
    phone = camera.phone
    report = phone.edit("create", "incident", set=incident(photo_count=1))
    photo = phone.edit("create", "photo", set=facts(picture(), incident=report["rec"]))
    assert [one["status"] for one in phone.push(report, photo)] == ["applied", "applied"]
    assert camera.shown(photo["rec"])["grid"] == 10


def test_the_papers_of_an_errand_are_deleted_when_it_is_closed_and_evidence_is_not(
    camera: Camera, county: County
) -> None:
    task, phone = county.task(task_kind="errand", title="代办医保")["id"], camera.phone
    paper = camera.take(picture(1), task=task, purpose="document")
    proof = camera.take(picture(2), task=task)
    for rv, state in enumerate(("accepted", "started", "done"), 1):
        phone.act("event", "task", task, base=rv, set={"state": state, "round": 0})
    camera.work()
    assert camera.shown(paper)["state"] == "ready"
    verified = county.ask("vl", "POST", f"/tasks/{task}/moves", {"state": "verified"})
    assert verified.status_code == 200
    tend(camera.lane, now_ms())
    assert county.ask("ts", "GET", f"/photos/{paper}").status_code == 404
    assert {item["op"] for item in phone.pull() if item["id"] == paper} <= {"del"}
    tend(camera.lane, now_ms() + UNUSED_MS + 1)
    assert camera.shown(proof)["state"] == "ready"
    assert county.sql(sa.select(sa.func.count()).select_from(BlobRow))[0][0] == 3


def test_a_push_with_many_photos_needs_no_more_statements(camera: Camera, county: County) -> None:
    subject, phone = camera.incident(), camera.phone

    def push(count: int) -> int:
        edits = [phone.edit("create", "photo", set=facts(picture(phone.n + one), incident=subject))
                 for one in range(count)]  # fmt: skip
        with county.statements() as seen:
            phone.push(*edits)
        return len(seen)

    assert push(20) == push(2) or county.database.is_sqlite


def test_a_photo_moves_with_what_it_shows_and_keeps_its_bytes(
    camera: Camera, county: County
) -> None:
    task, raw = county.task(task_kind="inspection")["id"], picture()
    photo = camera.register(raw, task=task)
    camera.upload(photo, raw)
    [before] = county.sql(sa.select(Photo.file, Photo.state).where(Photo.id == photo))
    lead = county.another_phone("ts")
    moved = lead.act("update", "task", task, base=1, set={"grid": NEXT_VILLAGE_GRID})
    assert moved["status"] == "applied"
    with county.database.transaction(Mode.WRITE) as session:
        look_again(session, photo)
    [after] = county.sql(sa.select(Photo.grid, Photo.file, Photo.state).where(Photo.id == photo))
    assert (after.grid, after.file, after.state) == (NEXT_VILLAGE_GRID, before.file, before.state)
    assert before.file is not None
