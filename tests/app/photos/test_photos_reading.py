"""A picture is shown only to whoever may see it, at that moment, and never as anything else."""

from typing import Any

import pytest
import sqlalchemy as sa

from app.core.blobs.shelf import BlobRow
from app.core.moments import now_ms
from app.identity.models import Post
from app.photos import addresses
from app.photos.tending import UNUSED_MS, tend
from tests.app.core.county import County
from tests.app.identity.town import outcome
from tests.app.photos.camera import Camera, noise, picture

MAY_SEE = {"gw": 200, "colleague": 404, "gw_next_village": 404, "vl": 200, "vl_next_village": 404,
           "ts": 200, "ts_other_township": 404, "cm": 403, "cm_other_county": 404, "au": 404,
           "da": 403}  # fmt: skip


@pytest.fixture
def photo(camera: Camera) -> str:
    """Return a photo that is ready to be seen."""
    taken = camera.take(noise())
    camera.work()
    return taken


def _address(county: County, who: str, photo: str, variant: str = "thumb") -> str:
    reply = county.ask(who, "POST", f"/photos/{photo}/addresses", {"variant": variant})
    assert reply.status_code == 201, reply.get_data(as_text=True)
    path: str = reply.get_json()["path"]
    return path.removeprefix("/api/v1")


@pytest.mark.parametrize("who", MAY_SEE)
def test_a_picture_is_shown_only_where_the_record_may_be_seen(
    county: County, photo: str, who: str
) -> None:
    got = county.ask(who, "GET", f"/photos/{photo}/pictures/thumb").status_code
    assert got == MAY_SEE[who] or (who in ("au", "da") and got in (403, 404))


def test_a_manager_needs_a_reason_and_an_auditor_sees_no_picture(
    county: County, photo: str
) -> None:
    assert outcome(county.ask("cm", "GET", f"/photos/{photo}/pictures/thumb")) == (
        403, "reason_required",
    )  # fmt: skip
    assert outcome(county.ask("au", "GET", f"/photos/{photo}/pictures/thumb")) == (
        403, "not_allowed",
    )  # fmt: skip


def test_a_manager_who_states_a_reason_sees_that_photo_for_a_while(
    county: County, photo: str
) -> None:
    why = {"reason": "核查市民投诉"}
    for who, status in (("au", 409), ("da", 403), ("cm_other_county", 404), ("gw", 409)):
        assert county.ask(who, "POST", f"/photos/{photo}/reveal", why).status_code == status, who
    opened = county.ask("cm", "POST", f"/photos/{photo}/reveal", why)
    assert opened.status_code == 201
    for path in ("", "/pictures/thumb", "/original"):
        assert county.ask("cm", "GET", f"/photos/{photo}{path}").status_code == 200, path
    address = _address(county, "cm", photo)
    assert county.ask(None, "GET", address).status_code == 200
    assert len(county.events("reveal.used")) == 5
    county.ask("cm", "DELETE", f"/reveals/{opened.get_json()['id']}")
    assert county.ask(None, "GET", address).status_code == 403
    refused = county.ask("cm", "GET", f"/photos/{photo}/original")
    assert outcome(refused) == (403, "reason_required")


def test_the_list_of_photos_of_an_incident_opens_for_a_reason(county: County, photo: str) -> None:
    incident_id = county.ask("gw", "GET", f"/photos/{photo}").get_json()["incident"]
    path, why = f"/photos?incident={incident_id}", {"reason": "核查市民投诉"}
    assert outcome(county.ask("cm", "GET", path)) == (403, "reason_required")
    assert outcome(county.ask("cm", "GET", "/photos")) == (403, "not_allowed")
    revealed = county.ask("cm", "POST", f"/incidents/{incident_id}/photos/reveal", why)
    assert revealed.status_code == 201
    assert [row["id"] for row in county.ask("cm", "GET", path).get_json()] == [photo]
    assert outcome(county.ask("cm", "GET", f"/photos/{photo}")) == (403, "reason_required")
    assert outcome(county.ask("cm_other_county", "GET", path)) == (404, "not_found")


def test_the_original_is_for_its_author_and_his_superiors_and_is_noted_down(
    county: County, photo: str
) -> None:
    county.person("second", "gw")
    assert county.ask("second", "GET", f"/photos/{photo}/pictures/thumb").status_code == 200
    assert county.ask("second", "GET", f"/photos/{photo}/original").status_code in (403, 404)
    for who in ("gw", "vl", "ts"):
        assert county.ask(who, "GET", f"/photos/{photo}/original").status_code == 200
    assert len(county.events("photo.read_original")) == 3


def test_an_address_shows_the_picture_without_a_token(county: County, photo: str) -> None:
    reply = county.ask(None, "GET", _address(county, "vl", photo))
    assert (reply.status_code, reply.content_type) == (200, "image/jpeg")


def test_an_address_is_of_no_use_to_another_person_or_for_another_picture(
    county: County, photo: str
) -> None:
    path = _address(county, "vl", photo)
    assert county.ask("colleague", "GET", path).status_code == 404
    assert county.ask("ts", "GET", path).status_code == 404
    assert county.ask(None, "GET", path.replace("thumb", "view")).status_code == 404
    assert county.ask(None, "GET", path[:-2] + "AA").status_code == 404
    signature = path.partition("?")[2]
    assert county.ask(None, "GET", f"/photos/{photo}/original?{signature}").status_code == 404


def test_an_address_made_on_one_phone_is_of_no_use_on_another(
    county: County, camera: Camera, photo: str
) -> None:
    path = _address(county, camera.phone.who, photo)
    assert county.ask(camera.phone.who, "GET", path).status_code == 200
    other = county.another_phone("gw")
    assert county.ask(other.who, "GET", path).status_code == 404


def test_an_address_ends_after_five_minutes(
    county: County, photo: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert addresses.LIFE_MS <= 300_000
    monkeypatch.setattr(addresses, "LIFE_MS", -1)
    path = _address(county, "vl", photo)
    assert outcome(county.ask(None, "GET", path)) == (401, "address_expired")


def test_an_address_ends_with_the_session_and_with_the_post(county: County, photo: str) -> None:
    path = _address(county, "vl", photo)
    county.sql(sa.delete(Post).where(Post.user_id == county.ids["vl"]))
    assert county.ask(None, "GET", path).status_code in (403, 404)
    path = _address(county, "ts", photo)
    county.sql(sa.text("UPDATE auth_session SET revoked_at = absolute_until"))
    assert outcome(county.ask(None, "GET", path)) == (401, "revoked")


def test_nobody_gets_an_address_of_what_he_may_not_see(county: County, photo: str) -> None:
    body = {"variant": "thumb"}
    assert county.ask("colleague", "POST", f"/photos/{photo}/addresses", body).status_code == 404
    assert county.ask("cm", "POST", f"/photos/{photo}/addresses", body).status_code == 403


@pytest.mark.parametrize(
    ("wanted", "start", "end"),
    [("bytes=0-99", 0, 100), ("bytes=70000-140000", 70_000, 140_001), ("bytes=-10", -10, None),
     ("bytes=65535-65536", 65_535, 65_537), ("bytes=100-", 100, None)],
)  # fmt: skip
def test_a_part_of_a_picture_is_that_part(
    camera: Camera, county: County, wanted: str, start: int, end: int | None
) -> None:
    raw = noise()
    assert len(raw) > 200_000
    photo = camera.take(raw)
    reply = county.ask("gw", "GET", f"/photos/{photo}/original", headers={"Range": wanted})
    assert reply.status_code == 206
    assert reply.data == raw[start:end]
    first = start if start >= 0 else len(raw) + start
    whole = f"bytes {first}-{first + len(reply.data) - 1}/{len(raw)}"
    assert reply.headers["Content-Range"] == whole


def test_a_part_outside_is_refused_and_what_is_no_range_gives_the_whole(
    county: County, photo: str
) -> None:
    path = f"/photos/{photo}/pictures/view"
    beyond = county.ask("vl", "GET", path, headers={"Range": "bytes=99999999-"})
    assert outcome(beyond) == (416, "range_not_satisfiable")
    for text in ("bytes=", "bytes=-", "lines=1-2", "bytes=1-2,4-5"):
        assert county.ask("vl", "GET", path, headers={"Range": text}).status_code == 200


def test_a_picture_that_is_known_is_not_sent_again(county: County, photo: str) -> None:
    path = f"/photos/{photo}/pictures/view"
    tag = county.ask("vl", "GET", path).headers["ETag"]
    again = county.ask("vl", "GET", path, headers={"If-None-Match": tag})
    assert (again.status_code, again.data) == (304, b"")
    other = county.ask("vl", "GET", path, headers={"Range": "bytes=0-9", "If-Range": '"old"'})
    assert other.status_code == 200


def test_a_picture_can_be_nothing_but_a_picture(county: County, photo: str) -> None:
    headers: Any = county.ask("vl", "GET", f"/photos/{photo}/pictures/view").headers
    assert headers["Content-Type"] == "image/jpeg"
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert headers["Content-Security-Policy"].startswith("sandbox; default-src 'none'")
    assert headers["Content-Disposition"] == f'inline; filename="{photo}-view.jpg"'
    assert headers["Cache-Control"] == "private, no-cache"
    original = county.ask("vl", "GET", f"/photos/{photo}/original").headers
    assert original["Content-Disposition"].startswith("attachment; ")


def test_bytes_that_were_changed_on_the_disk_are_never_shown(
    camera: Camera, county: County
) -> None:
    photo = camera.take(picture())
    (found,) = camera.lane.shelf.store.list()
    path = camera.lane.shelf.store.folder / found.key
    raw = path.read_bytes()
    path.write_bytes(raw[:-20] + bytes([raw[-20] ^ 1]) + raw[-19:])
    assert outcome(county.ask("gw", "GET", f"/photos/{photo}/original")) == (503, "retry")
    assert list(camera.lane.shelf.faults()) == [found.key]
    path.unlink()
    assert list(camera.lane.shelf.faults()) == [found.key]
    assert county.sql(sa.select(BlobRow))


def test_a_deleted_photo_is_seen_no_more_and_its_bytes_go(camera: Camera, county: County) -> None:
    photo = camera.take(picture())
    camera.work()
    assert county.ask("gw", "DELETE", f"/photos/{photo}").status_code == 204
    assert county.ask("vl", "GET", f"/photos/{photo}/pictures/thumb").status_code == 404
    tend(camera.lane, now_ms())
    tend(camera.lane, now_ms() + UNUSED_MS + 1)
    assert county.sql(sa.select(BlobRow)) == []
    assert list(camera.lane.shelf.store.list()) == []


def test_the_ledger_counts_what_was_announced_and_what_arrived(
    camera: Camera, county: County
) -> None:
    camera.incident(photo_count=5)
    for seed in range(3):
        camera.take(picture(seed))
    camera.register(picture(9))
    (row,) = county.ask("ts", "GET", f"/photo-ledger?incident={camera.subject}").get_json()
    assert (row["announced"], row["known"], row["arrived"]) == (5, 4, 3)
    assert county.ask("ts_other_township", "GET", "/photo-ledger").get_json() == []
    (listed,) = county.ask("vl", "GET", "/photo-ledger?grid=10").get_json()
    assert listed == row
    photos = county.ask("vl", "GET", f"/photos?incident={camera.subject}&state=expected")
    assert len(photos.get_json()) == 1
