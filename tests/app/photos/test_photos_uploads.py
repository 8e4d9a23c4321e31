"""Bytes follow the facts by tus: they resume where they ended, and only true ones are stored."""

import base64
import hashlib

import pytest
import sqlalchemy as sa

from app.core.actor import Actor
from app.core.blobs.shelf import BlobRow
from app.core.database import Mode
from app.core.identifiers import new_id
from app.photos import uploads
from app.photos.models import PhotoFile, Upload, UploadDay
from tests.app.core.county import County
from tests.app.core.trickle import Trickle
from tests.app.identity.town import outcome
from tests.app.photos.camera import BYTES, TUS, Camera, facts, noise, picture


def test_a_photo_is_expected_until_its_bytes_are_stored_and_then_shown(camera: Camera) -> None:
    raw = picture()
    photo = camera.register(raw)
    assert camera.shown(photo)["state"] == "expected"
    assert camera.upload(photo, raw).headers["Upload-Offset"] == str(len(raw))
    assert camera.shown(photo)["state"] == "stored"
    camera.work()
    shown = camera.shown(photo)
    assert (shown["state"], shown["width"], shown["height"]) == ("ready", 64, 48)


def test_the_phone_learns_by_its_next_pull_that_the_photo_has_arrived(camera: Camera) -> None:
    photo = camera.take(picture())
    pulled = {item["id"]: item["f"] for item in camera.phone.pull() if item["t"] == "photo"}
    assert pulled[photo]["state"] == "stored"


def test_an_upload_goes_on_where_its_bytes_ended(camera: Camera) -> None:
    raw = noise()
    photo = camera.register(raw)
    camera.open(photo, len(raw))
    first = len(raw) // 3
    assert camera.add(photo, 0, raw[:first]).headers["Upload-Offset"] == str(first)
    looked = camera.ask("HEAD", f"/{photo}")
    assert (looked.headers["Upload-Offset"], looked.headers["Upload-Length"]) == (
        str(first), str(len(raw)),
    )  # fmt: skip
    assert looked.headers["Cache-Control"] == "no-store"
    assert camera.add(photo, first, raw[first:]).status_code == 204
    assert camera.shown(photo)["state"] == "stored"


def test_bytes_at_a_wrong_place_are_refused_and_the_right_place_is_named(camera: Camera) -> None:
    raw = noise()
    photo = camera.register(raw)
    camera.open(photo, len(raw))
    camera.add(photo, 0, raw[:1000])
    reply = camera.add(photo, 500, raw[500:])
    assert outcome(reply) == (409, "wrong_offset")
    assert reply.get_json()["offset"] == 1000


def test_wrong_bytes_are_refused_and_the_upload_begins_again(camera: Camera) -> None:
    raw = picture()
    photo = camera.register(raw)
    assert outcome(camera.upload(photo, raw[:-1] + b"x")) == (422, "wrong_bytes")
    assert camera.shown(photo)["state"] == "expected"
    assert camera.ask("HEAD", f"/{photo}").headers["Upload-Offset"] == "0"
    assert camera.add(photo, 0, raw).status_code == 204
    assert camera.shown(photo)["state"] == "stored"


@pytest.mark.parametrize("harm", ["gone", "cut short", "changed"])
def test_an_upload_whose_bytes_were_lost_on_the_server_begins_again(
    camera: Camera, harm: str
) -> None:
    raw = noise()
    photo = camera.register(raw)
    camera.open(photo, len(raw))
    camera.add(photo, 0, raw[:5000])
    (file,) = (camera.lane.incoming.folder / photo).iterdir()
    kept = file.read_bytes()
    if harm == "gone":
        file.unlink()
    else:
        file.write_bytes(kept[:3000] if harm == "cut short" else kept[:-1] + b"x")
    assert outcome(camera.add(photo, 5000, raw[5000:])) == (422, "wrong_bytes")
    assert camera.ask("HEAD", f"/{photo}").headers["Upload-Offset"] == "0"
    assert camera.add(photo, 0, raw).status_code == 204
    assert camera.shown(photo)["state"] == "stored"


def test_a_photo_opened_twice_goes_on_with_the_upload_under_way(camera: Camera) -> None:
    raw = noise()
    photo = camera.register(raw)
    camera.open(photo, len(raw))
    camera.add(photo, 0, raw[:2000])
    again = camera.open(photo, len(raw))
    assert (again.status_code, again.headers["Upload-Offset"]) == (201, "2000")


def test_the_first_bytes_may_come_with_the_opening(camera: Camera) -> None:
    raw = picture()
    photo = camera.register(raw)
    kind = "application/offset+octet-stream"
    reply = camera.open(photo, len(raw), raw, Content_Type=kind)
    assert (reply.status_code, reply.headers["Upload-Offset"]) == (201, str(len(raw)))
    assert reply.headers["Location"] == f"/api/v1/files/{photo}"
    assert camera.shown(photo)["state"] == "stored"


def test_a_newer_request_takes_an_upload_over_from_a_dead_one(
    camera: Camera, county: County
) -> None:
    raw = noise()
    photo = camera.register(raw)
    camera.open(photo, len(raw))
    half = len(raw) // 2
    actor = _actor(county)
    with county.database.transaction(Mode.WRITE) as session:
        dead = uploads.hold(session, camera.lane, actor, photo, 0)
    dead.keep(raw[:half])
    assert camera.add(photo, half, raw[half : half + 10]).status_code == 204
    with pytest.raises(uploads.Problem, match="upload_taken_over"):
        dead.keep(b"a late piece of the dead request")
    assert camera.add(photo, half + 10, raw[half + 10 :]).status_code == 204
    assert camera.shown(photo)["state"] == "stored"


def _actor(county: County) -> Actor:
    return Actor(county.ids["gw"], ())


@pytest.mark.parametrize("algorithm", ["sha256", "sha1", "md5"])
def test_a_request_with_a_wrong_checksum_leaves_nothing_behind(
    camera: Camera, algorithm: str
) -> None:
    raw = noise()
    photo = camera.register(raw)
    camera.open(photo, len(raw))
    digest = base64.b64encode(hashlib.new(algorithm, raw).digest()).decode()
    damaged = raw[:100] + b"?" + raw[101:]
    reply = camera.add(photo, 0, damaged, Upload_Checksum=f"{algorithm} {digest}")
    assert outcome(reply) == (460, "checksum_mismatch")
    assert camera.ask("HEAD", f"/{photo}").headers["Upload-Offset"] == "0"
    assert camera.add(photo, 0, raw, Upload_Checksum=f"{algorithm} {digest}").status_code == 204
    assert camera.shown(photo)["state"] == "stored"


def test_an_unknown_checksum_is_refused(camera: Camera) -> None:
    photo = camera.register(picture())
    camera.open(photo, len(picture()))
    for text in ("crc32 AAAA", "sha256 !", "sha256"):
        assert camera.add(photo, 0, b"x", Upload_Checksum=text).status_code == 400


def test_the_same_photo_in_the_same_grid_costs_no_bytes(camera: Camera, county: County) -> None:
    raw = noise()
    first = camera.take(raw)
    again = camera.register(raw)
    assert camera.shown(again)["state"] == "stored"
    opened = camera.open(again, len(raw))
    assert (opened.status_code, opened.headers["Upload-Offset"]) == (201, str(len(raw)))
    camera.work()
    assert {camera.shown(one)["state"] for one in (first, again)} == {"ready"}
    assert len(county.sql(sa.select(PhotoFile))) == 1


def test_a_hash_known_elsewhere_is_not_told(camera: Camera, county: County) -> None:
    raw = noise()
    camera.take(raw)
    other = Camera(county, "colleague")
    other.incident(grid=11)
    photo = other.register(raw)
    assert other.shown(photo)["state"] == "expected"
    assert other.open(photo, len(raw)).headers["Upload-Offset"] == "0"


def test_an_upload_is_its_authors_only(camera: Camera, county: County) -> None:
    raw = picture()
    photo = camera.register(raw)
    camera.open(photo, len(raw))
    county.person("second", "gw")
    other = Camera(county, "second")
    replies = [other.open(photo, len(raw)), other.ask("HEAD", f"/{photo}"),
               other.add(photo, 0, raw), other.ask("DELETE", f"/{photo}")]  # fmt: skip
    assert [reply.status_code for reply in replies] == [404] * 4


def test_an_upload_can_be_given_up(camera: Camera) -> None:
    raw = noise()
    photo = camera.register(raw)
    camera.open(photo, len(raw))
    camera.add(photo, 0, raw[:1000])
    assert camera.ask("DELETE", f"/{photo}").status_code == 204
    assert camera.ask("HEAD", f"/{photo}").status_code == 404
    assert camera.open(photo, len(raw)).headers["Upload-Offset"] == "0"


def test_an_upload_expires_after_days_without_a_byte(camera: Camera, county: County) -> None:
    raw = noise()
    photo = camera.register(raw)
    assert "Upload-Expires" in camera.open(photo, len(raw)).headers
    camera.add(photo, 0, raw[:1000])
    county.sql(sa.update(Upload).values(expires_ms=1))
    assert outcome(camera.add(photo, 1000, raw[1000:])) == (410, "upload_expired")
    camera.work()
    assert county.sql(sa.select(Upload)) == []
    assert camera.open(photo, len(raw)).headers["Upload-Offset"] == "0"


def test_what_does_not_speak_tus_is_told_so(camera: Camera) -> None:
    photo = camera.register(picture())
    reply = camera.county.ask(camera.phone.who, "HEAD", f"/files/{photo}")
    assert reply.status_code == 412 and reply.headers["Tus-Version"] == "1.0.0"
    described = camera.ask("OPTIONS", "")
    assert described.status_code == 204
    assert "creation-with-upload" in described.headers["Tus-Extension"]
    assert described.headers["Tus-Max-Size"] == str(20 * 1024 * 1024)


@pytest.mark.parametrize(
    ("change", "wanted"),
    [({"Upload_Length": "x"}, 400), ({"Upload_Length": str(21 * 1024 * 1024)}, 413),
     ({"Upload_Length": "5"}, 422), ({"Upload_Metadata": "photo !!"}, 400),
     ({"Upload_Metadata": "name abcd"}, 400)],
)  # fmt: skip
def test_a_malformed_opening_is_refused(
    camera: Camera, change: dict[str, str], wanted: int
) -> None:
    photo = camera.register(picture())
    name = base64.b64encode(photo.encode()).decode()
    headers = {"Upload_Length": str(len(picture())), "Upload_Metadata": f"photo {name}", **change}
    assert camera.ask("POST", "", **headers).status_code == wanted


def test_more_bytes_than_announced_are_refused(camera: Camera) -> None:
    raw = picture()
    photo = camera.register(raw)
    camera.open(photo, len(raw))
    assert outcome(camera.add(photo, 0, raw + b"x")) == (413, "too_large")
    assert camera.add(photo, 0, raw, Content_Type="image/jpeg").status_code == 415


def test_the_day_of_a_phone_is_counted_while_the_bytes_arrive(
    camera: Camera, county: County
) -> None:
    raw = noise((2000, 1500))
    photo = camera.register(raw)
    camera.open(photo, len(raw))
    object.__setattr__(camera.lane, "day_bytes_max", 300_000)
    reply = camera.add(photo, 0, raw)
    assert outcome(reply) == (429, "upload_quota")
    assert int(reply.headers["Retry-After"]) > 0
    kept = int(camera.ask("HEAD", f"/{photo}").headers["Upload-Offset"])
    assert 0 < kept <= 300_000
    ((_, _, counted),) = county.sql(sa.select(UploadDay.__table__))
    assert counted == kept


def test_a_photo_of_which_nobody_knows_has_no_upload(camera: Camera) -> None:
    assert camera.open(new_id(), 100).status_code == 404


def test_bytes_lie_sealed_on_the_disk_also_while_they_arrive(
    camera: Camera, county: County
) -> None:
    raw = noise()
    photo = camera.register(raw)
    camera.open(photo, len(raw))
    camera.add(photo, 0, raw[:5000])
    folder = county.app.extensions["wangge_settings"].data_dir
    probe = raw[1000:1040]
    camera.add(photo, 5000, raw[5000:7000])
    files = [one for one in folder.rglob("*") if one.is_file() and one.suffix != ".txt"]
    assert any("incoming" in one.parts for one in files)
    camera.add(photo, 7000, raw[7000:])
    camera.work()
    assert county.sql(sa.select(sa.func.count()).select_from(BlobRow))[0][0] == 3
    files += [one for one in folder.rglob("*") if one.is_file()]
    assert all(probe not in one.read_bytes() for one in files if one.exists())


def test_a_photo_whose_request_died_at_the_last_byte_is_decided_by_the_worker(
    camera: Camera, county: County
) -> None:
    raw = picture()
    photo = camera.register(raw)
    camera.open(photo, len(raw))
    with county.database.transaction(Mode.WRITE) as session:
        dying = uploads.hold(session, camera.lane, _actor(county), photo, 0)
    dying.keep(raw)
    assert camera.shown(photo)["state"] == "expected"
    county.sql(sa.text("UPDATE job SET due_ms = 0"))
    camera.work()
    assert camera.shown(photo)["state"] == "ready"


def test_no_transaction_is_open_while_the_bytes_of_a_photo_arrive(
    camera: Camera, county: County
) -> None:
    raw = noise((2000, 1500))
    photo = camera.register(raw)
    camera.open(photo, len(raw))
    body = Trickle(raw, county.database)
    reply = county.client.open(
        f"/api/v1/files/{photo}", method="PATCH", input_stream=body, content_type=BYTES,
        headers={**county.headers[camera.phone.who], **TUS, "Upload-Offset": "0",
                 "Content-Length": str(len(raw))},
    )  # fmt: skip
    assert reply.status_code == 204 and set(body.in_use) == {0}


def test_an_office_user_uploads_with_his_own_account(county: County) -> None:
    raw = picture()
    camera = Camera(county)
    body = facts(raw, incident=camera.incident())
    made = county.made("ts", "/photos", body)
    assert (made["state"], made["taken_by"]) == ("expected", county.ids["ts"])
    assert camera.open(made["id"], len(raw)).status_code == 404
