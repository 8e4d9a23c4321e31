"""Disk and S3 keep the same contract; when S3 is away, bytes wait here, up to a cap."""

import errno
import os
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
import sqlalchemy as sa
from cryptography.exceptions import InvalidTag
from flask import Flask

from app.core.blobs import s3, shelf
from app.core.blobs.contract import BlobStore, Missing, Unreachable
from app.core.blobs.disk import DiskStore
from app.core.blobs.shelf import GRACE_MS, BlobRow
from app.core.moments import now_ms
from app.core.sealed import CHUNK_BYTES, StreamCipher, sealed_size
from app.factory import create_app
from app.photos import lane as photo_lane
from app.photos.tending import STRAY_MS, expire_uploads
from tests.app.core.county import County, draw_borders, open_county
from tests.app.identity.town import outcome, settle
from tests.app.photos.camera import Camera, noise, picture
from tests.app.photos.s3 import S3Server
from tests.conftest import settings_for

WORDS = b"sealed bytes of a photo " * 1000


@pytest.fixture(scope="module")
def s3_server() -> Iterator[S3Server]:
    """Return an S3 server that runs."""
    server = S3Server()
    server.start()
    yield server
    server.stop()


@pytest.fixture(params=["disk", "s3"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> BlobStore:
    """Return each store in turn, empty."""
    if request.param == "disk":
        return DiskStore(tmp_path / "store")
    remote = request.getfixturevalue("s3_server").store()
    for one in list(remote.list()):
        remote.delete(one.key)
    return remote


@pytest.fixture
def source(tmp_path: Path) -> Path:
    """Return a file to keep."""
    path = tmp_path / "source"
    path.write_bytes(WORDS)
    return path


def test_what_was_put_is_read_in_whole_and_in_part(store: BlobStore, source: Path) -> None:
    store.put("original/one", source)
    assert store.size("original/one") == len(WORDS)
    assert store.read("original/one", 0, len(WORDS)) == WORDS
    assert store.read("original/one", 100, 120) == WORDS[100:120]


def test_the_same_may_be_put_again_and_deleted_again(store: BlobStore, source: Path) -> None:
    store.put("original/one", source)
    store.put("original/one", source)
    assert [(one.key, one.size) for one in store.list()] == [("original/one", len(WORDS))]
    store.delete("original/one")
    store.delete("original/one")
    assert list(store.list()) == []


def test_what_is_not_there_is_missing(store: BlobStore) -> None:
    with pytest.raises(Missing):
        store.read("original/none", 0, 10)
    with pytest.raises(Missing):
        store.size("original/none")


def test_a_large_thing_goes_in_and_comes_out_whole(store: BlobStore, tmp_path: Path) -> None:
    path = tmp_path / "large"
    raw = bytes(range(256)) * (20 * 4096)
    path.write_bytes(raw)
    store.put("original/large", path)
    assert store.read("original/large", 0, len(raw)) == raw


def test_a_listing_tells_when_things_were_written(store: BlobStore, source: Path) -> None:
    store.put("picture/a-256", source)
    (found,) = store.list()
    assert abs(found.written_ms - now_ms()) < 60_000


def test_a_store_that_does_not_answer_is_unreachable(
    s3_server: S3Server, source: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    nowhere = s3.S3Store(replace(s3_server.settings, endpoint="http://127.0.0.1:9"))
    with pytest.raises(Unreachable):
        nowhere.put("original/one", source)
    with pytest.raises(Unreachable):
        nowhere.read("original/one", 0, 1)


@pytest.mark.parametrize("size", [1, 100, CHUNK_BYTES - 1, CHUNK_BYTES, CHUNK_BYTES + 1, 200_000])
def test_a_sealed_stream_opens_at_any_place_and_nowhere_else(size: int) -> None:
    cipher, raw = StreamCipher("a secret of the tests " * 3), bytes(i % 251 for i in range(size))
    sealed = b"".join(cipher.seal([raw[:7], raw[7:]], "original/one"))
    assert len(sealed) == sealed_size(size)

    def read(start: int, end: int) -> bytes:
        return sealed[start:end]

    for start, end in ((0, size), (size // 2, size), (0, 1), (size - 1, size)):
        assert b"".join(cipher.open(read, size, "original/one", start, end)) == raw[start:end]
    with pytest.raises(InvalidTag):
        b"".join(cipher.open(read, size, "original/two", 0, size))
    short = sealed[: -CHUNK_BYTES - 16] if size > CHUNK_BYTES else sealed[:-1]
    with pytest.raises(InvalidTag):
        cut = size - CHUNK_BYTES if size > CHUNK_BYTES else size
        b"".join(cipher.open(lambda a, b: short[a:b], cut, "original/one", 0, cut))


# -- with S3 behind the server ----------------------------------------------------------------


@pytest.fixture
def far(database_url: str, tmp_path: Path, s3_server: S3Server) -> Iterator[Camera]:
    """Return a camera before a server whose store is S3."""
    for one in list(s3_server.store().list()):
        s3_server.store().delete(one.key)
    app: Flask = create_app(settings_for(database_url, tmp_path, **s3_server.environment()))
    with app.app_context():
        county = open_county(app, app.test_client())
        settle(county)
        with county.database.transaction(shelf.Mode.WRITE) as session:
            draw_borders(session)
        yield Camera(county)
    app.extensions["wangge_database"].dispose()


def test_bytes_move_on_to_s3_and_are_read_from_there(far: Camera, s3_server: S3Server) -> None:
    raw = noise()
    photo = far.take(raw)
    far.work()
    far.lane.shelf.move()
    assert far.shown(photo)["state"] == "ready"
    assert len(list(s3_server.store().list())) == 3
    assert list(far.lane.shelf.spool.list()) == []
    assert far.county.ask("gw", "GET", f"/photos/{photo}/original").data == raw
    assert list(far.lane.shelf.faults()) == []


def test_while_s3_is_away_photos_are_taken_and_seen_until_the_spool_is_full(
    far: Camera, s3_server: S3Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    away = s3.S3Store(replace(s3_server.settings, endpoint="http://127.0.0.1:9"))
    here = replace(far.lane.shelf, store=away, spool_bytes_max=150_000)
    lane = replace(far.lane, shelf=here)
    far.county.app.extensions[photo_lane.EXTENSION] = lane
    raw = noise()
    photo = far.take(raw)
    far.work()
    assert far.shown(photo)["state"] == "ready"
    assert far.county.ask("gw", "GET", f"/photos/{photo}/original").data == raw
    more = far.register(picture(3))
    refused = far.open(more, len(picture(3)))
    assert outcome(refused) == (503, "storage_busy") and refused.headers["Retry-After"] == "60"
    back = replace(lane, shelf=replace(here, store=s3_server.store()))
    far.county.app.extensions[photo_lane.EXTENSION] = back
    back.shelf.move()
    assert far.upload(more, picture(3)).status_code == 204
    back.shelf.move()
    assert list(back.shelf.faults()) == [] and list(back.shelf.orphans()) == []


def test_a_move_that_dies_anywhere_is_made_again(
    far: Camera, monkeypatch: pytest.MonkeyPatch
) -> None:
    raw = noise()
    photo = far.take(raw)
    place = far.lane.shelf

    def die(*_: object) -> None:
        raise Unreachable

    with monkeypatch.context() as patch:
        patch.setattr(type(place.spool), "delete", die)
        with pytest.raises(Unreachable):
            place.move()
    assert far.county.ask("gw", "GET", f"/photos/{photo}/original").data == raw
    far.county.sql(sa.update(BlobRow).values(place="spool"))
    place.move()
    place.sweep(now_ms() + GRACE_MS + 60_000)
    assert list(place.orphans()) == [] and list(place.faults()) == []
    assert far.county.ask("gw", "GET", f"/photos/{photo}/original").data == raw


def test_bytes_without_a_row_are_swept_within_a_day_and_others_stay(
    camera: Camera, county: County, tmp_path: Path
) -> None:
    assert GRACE_MS < 24 * 3_600_000
    photo = camera.take(picture())
    place = camera.lane.shelf
    place.keep("original/stray", [b"left by a crash"], 15)
    assert list(place.orphans()) == ["original/stray"]
    assert place.sweep(now_ms()) == 0
    assert place.sweep(now_ms() + GRACE_MS + 60_000) == 1
    assert list(place.orphans()) == []
    assert county.ask("gw", "GET", f"/photos/{photo}/original").data == picture()


def test_bytes_of_uploads_that_are_no_more_are_swept(camera: Camera) -> None:
    camera.lane.incoming.append("0190-stray", "holder", 0, b"left by a crash")
    expire_uploads(camera.lane, now_ms())
    assert [name for name, _ in camera.lane.incoming.uploads()] == ["0190-stray"]
    expire_uploads(camera.lane, now_ms() + STRAY_MS + 60_000)
    assert list(camera.lane.incoming.uploads()) == []


def test_the_check_command_reads_every_photo_and_names_the_broken_one(
    camera: Camera, county: County
) -> None:
    camera.take(picture())
    run = county.app.test_cli_runner().invoke
    assert run(args=["photos", "check"]).exit_code == 0
    (found,) = camera.lane.shelf.store.list()
    (camera.lane.shelf.store.folder / found.key).write_bytes(b"changed")
    done = run(args=["photos", "check"])
    assert done.exit_code == 1 and found.key in done.output


def test_the_worker_command_does_what_is_due(camera: Camera, county: County) -> None:
    photo = camera.take(picture())
    done = county.app.test_cli_runner().invoke(args=["worker", "--once"])
    assert done.exit_code == 0, done.output
    assert camera.shown(photo)["state"] == "ready"
    assert county.app.test_cli_runner().invoke(args=["photos", "sweep"]).exit_code == 0


def test_a_full_disk_is_told_as_such_and_what_was_safe_stays(
    camera: Camera, monkeypatch: pytest.MonkeyPatch
) -> None:
    raw = noise()
    photo = camera.register(raw)
    camera.open(photo, len(raw))
    camera.add(photo, 0, raw[:1000])

    def full(_handle: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", full)
        reply = camera.add(photo, 1000, raw[1000:])
    assert outcome(reply) == (507, "storage_full") and "Retry-After" in reply.headers
    assert camera.add(photo, 1000, raw[1000:]).status_code == 204
    assert camera.shown(photo)["state"] == "stored"
