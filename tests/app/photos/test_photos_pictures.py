"""Every picture of the set gets its verdict soon, in little memory; served ones tell nothing."""

import base64
import csv
import io
import json
import resource
import shutil
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from app.core.moments import now_ms
from app.photos import decoding
from app.photos.decoding import decode, heic_is_welcome
from app.photos.pictures import BATCH_MAX, draw_pending
from app.photos.tending import UNUSED_MS, drop_files
from sync.values import Moment
from tests.app.core.county import County
from tests.app.identity.town import outcome
from tests.app.photos.camera import Camera, facts, picture

SET = Path(__file__).parents[2] / "photos"
WITHIN_S = 2.0
MEMORY_KB_MAX = 300 * 1024
CORNERS = {"red": (0, 0), "green": (1, 0), "blue": (0, 1), "yellow": (1, 1)}
COLOURS = {"red": (1, 0, 0), "green": (0, 1, 0), "blue": (0, 0, 1), "yellow": (1, 1, 0)}
REJECTED = ("photo_type_refused", "photo_damaged", "photo_too_large")
# What any JPEG has, and what exiftool says of the file and of itself.
PLAIN = {
    "SourceFile", "ExifToolVersion", "FileName", "Directory", "FileSize", "FileModifyDate",
    "FileAccessDate", "FileInodeChangeDate", "FilePermissions", "FileType", "FileTypeExtension",
    "MIMEType", "JFIFVersion", "ResolutionUnit", "XResolution", "YResolution", "ImageWidth",
    "ImageHeight", "EncodingProcess", "BitsPerSample", "ColorComponents", "YCbCrSubSampling",
    "ImageSize", "Megapixels",
}  # fmt: skip


def _rows() -> list[Any]:
    with (SET / "manifest.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    return [pytest.param(row, id=row["file"]) for row in rows]


def _verdict(row: dict[str, str]) -> str:
    """Return what must come of a file here: a HEIC is only taken with its optional reader."""
    if row["actual_type"] == "HEIC" and not heic_is_welcome():
        return "reject"
    return row["verdict"]


def _memory_kb(watched: list[int], stop: threading.Event) -> None:
    """Watch the largest memory of the decoder's processes."""
    while not stop.is_set():
        for status in Path("/proc").glob("[0-9]*/status"):
            try:
                if b"app.decoder" in (status.parent / "cmdline").read_bytes():
                    lines = dict(line.split(":", 1) for line in status.read_text().splitlines())
                    watched.append(int(lines.get("VmHWM", "0 kB").split()[0]))
            except (OSError, ValueError):
                continue
        time.sleep(0.005)


def _children_s() -> float:
    """Return the processor time of all children that have ended: what a free machine needs."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


@pytest.mark.parametrize("row", _rows())
def test_every_picture_of_the_set_gets_its_verdict(row: dict[str, str]) -> None:
    raw = (SET / row["file"]).read_bytes()
    watched, stop = [0], threading.Event()
    watcher = threading.Thread(target=_memory_kb, args=(watched, stop))
    watcher.start()
    began_s = _children_s()
    decoded = decode(raw, [], now_ms())
    took_s = _children_s() - began_s
    stop.set()
    watcher.join()
    assert took_s < WITHIN_S
    assert max(watched) < MEMORY_KB_MAX
    verdict = _verdict(row)
    if verdict == "reject":
        assert decoded.fault in REJECTED
    elif verdict.startswith("accept"):
        assert decoded.fault is None
        _check_facts(row, decoded.facts)
        for side, one in zip((256, 1280), decoded.pictures, strict=True):
            _check_served(one, row, side)


def _check_facts(row: dict[str, str], found: dict[str, Any]) -> None:
    upright = (int(row["upright_width"]), int(row["upright_height"]))
    assert (found["width"], found["height"]) == upright
    if row["lat"]:
        lon, lat = found["point"]
        assert abs(lon - float(row["lon"])) < 1e-5 and abs(lat - float(row["lat"])) < 1e-5
    else:
        assert found["point"] is None
    if row["taken_at"] and not row["taken_at"].startswith("0000"):
        offset = row["utc_offset"] or "+08:00"
        day, clock = row["taken_at"].split()
        local = f"{day.replace(':', '-')}T{clock}{offset}"
        assert found["taken_at"] == _utc(local)
    else:
        assert found["taken_at"] is None
    if row["model"]:
        assert row["model"] in found["camera"]


def _utc(local: str) -> str:
    return Moment().check(local)


def _check_served(raw: bytes, row: dict[str, str], side: int) -> None:
    """Look at what is served: small, upright, nothing but pixels."""
    image = Image.open(io.BytesIO(raw))
    assert max(image.size) == min(side, max(int(row["upright_width"]), int(row["upright_height"])))
    assert set(_told(raw)) <= PLAIN
    if row["marker"]:
        assert row["marker"].encode() not in raw
    if row["why"].startswith("corners") and side == 1280:
        _check_corners(image)


def _told(raw: bytes) -> dict[str, Any]:
    """Return all that exiftool finds in a picture, also behind its end."""
    assert shutil.which("exiftool"), "apt-get install libimage-exiftool-perl"
    said = subprocess.run(
        ["exiftool", "-j", "-a", "-u", "-"], input=raw, capture_output=True, check=True
    ).stdout
    told: dict[str, Any] = json.loads(said)[0]
    return told


def _check_corners(image: Image.Image) -> None:
    for name, (right, bottom) in CORNERS.items():
        x = image.width - 20 if right else 20
        y = image.height - 20 if bottom else 20
        pixel = image.convert("RGB").getpixel((x, y))
        assert tuple(int(one > 128) for one in pixel) == COLOURS[name], (name, pixel)


def test_exiftool_finds_what_is_there_before_it_is_stripped() -> None:
    """A tool that finds nothing at all would prove nothing."""
    told = set(_told((SET / "cn_huawei_o1.jpg").read_bytes()))
    assert {"GPSLatitude", "Make"} <= told


@pytest.mark.parametrize("name", ["html_as.jpg", "pdf_as.jpg", "svg_as.jpg", "bomb_gif_65535.gif",
                                  "bomb_png_900mpx.png", "bomb_png_header_lie.png"])  # fmt: skip
def test_what_its_header_gives_away_is_refused_with_the_last_byte_and_not_kept(
    camera: Camera, name: str
) -> None:
    raw = (SET / name).read_bytes()
    photo = camera.register(raw)
    camera.open(photo, len(raw))
    status, code = outcome(camera.add(photo, 0, raw))
    assert status == 422 and code in REJECTED
    shown = camera.shown(photo)
    assert (shown["state"], shown["fault"]) == ("rejected", code)
    assert list(camera.lane.shelf.store.list()) == []
    assert outcome(camera.open(photo, len(raw))) == (422, code)


def test_a_picture_that_breaks_when_opened_is_rejected_later_and_its_bytes_go(
    camera: Camera, county: County
) -> None:
    photo = camera.take((SET / "truncated_60.jpg").read_bytes())
    camera.work()
    shown = camera.shown(photo)
    assert (shown["state"], shown["fault"]) == ("rejected", "photo_damaged")
    drop_files(camera.lane, now_ms())
    drop_files(camera.lane, now_ms() + UNUSED_MS + 1)
    assert list(camera.lane.shelf.store.list()) == []


def test_time_place_and_maker_become_fields_of_the_photo(camera: Camera) -> None:
    photo = camera.take((SET / "cn_vivo_o8.jpg").read_bytes())
    camera.work()
    shown = camera.shown(photo)
    assert shown["camera_taken_at"] == "2020-12-29T01:15:30.000Z"
    assert shown["camera_point"] == [104.683, 36.5655]
    assert (shown["camera"], shown["width"], shown["height"]) == ("vivo V2048A", 640, 480)


def test_where_a_photo_was_taken_is_dropped_when_its_task_has_no_need_of_it(
    camera: Camera, county: County
) -> None:
    task = county.task(task_kind="publicity", title="发放宣传单")
    photo = camera.take((SET / "cn_vivo_o8.jpg").read_bytes(), task=task["id"])
    camera.work()
    shown = camera.shown(photo)
    assert shown["camera_point"] is None and shown["camera"] == "vivo V2048A"


def test_a_hidden_part_is_painted_over_and_the_original_stays_sealed(
    camera: Camera, county: County
) -> None:
    raw = (SET / "cn_huawei_o1.jpg").read_bytes()
    photo = camera.take(raw)
    camera.work()
    before = camera.county.ask("ts", "GET", f"/photos/{photo}/pictures/view")
    parts = {"parts": [[0, 0, 500, 500]]}
    hidden = county.ask("vl", "PUT", f"/photos/{photo}/redactions", parts)
    assert hidden.status_code == 200 and hidden.get_json()["state"] == "stored"
    while_drawn = county.ask("ts", "GET", f"/photos/{photo}/pictures/view")
    assert outcome(while_drawn) == (409, "photo_not_ready")
    camera.work()
    after = county.ask("ts", "GET", f"/photos/{photo}/pictures/view")
    pixels = [Image.open(io.BytesIO(one.data)).convert("RGB") for one in (before, after)]
    assert pixels[0].getpixel((20, 20)) != pixels[1].getpixel((20, 20)) == (96, 96, 96)
    corner = (pixels[0].width - 20, pixels[0].height - 20)
    assert all(one.getpixel(corner)[0] > 200 for one in pixels)
    assert county.ask("gw", "GET", f"/photos/{photo}/original").data == raw
    assert before.headers["ETag"] != after.headers["ETag"]


def test_a_death_of_the_decoder_is_not_at_once_held_against_the_photo(
    camera: Camera, monkeypatch: pytest.MonkeyPatch
) -> None:
    photo = camera.take(picture())
    monkeypatch.setattr(decoding, "TIMEOUT_S", 0)
    draw_pending(camera.lane)
    assert camera.shown(photo)["state"] == "stored"
    draw_pending(camera.lane)
    draw_pending(camera.lane)
    assert camera.shown(photo)["fault"] == "photo_damaged"


def test_the_child_may_not_use_more_memory_than_we_allow() -> None:
    hungry = "import app.decoder.__main__ as m; m.limit(); bytearray(m.MEMORY_BYTES)"
    done = subprocess.run([sys.executable, "-c", hungry], capture_output=True, check=False,
                          cwd=SET.parents[1])  # fmt: skip
    assert b"MemoryError" in done.stderr


@pytest.mark.parametrize("name", json.loads((SET / "hostile_names.json").read_text()))
def test_no_name_that_a_phone_sends_is_ever_used(camera: Camera, name: Any) -> None:
    raw = picture()
    photo = camera.register(raw)
    said = base64.b64encode(str(name).encode("utf-8", "replace")).decode()
    ours = base64.b64encode(photo.encode()).decode()
    reply = camera.ask("POST", "", Upload_Length=str(len(raw)),
                       Upload_Metadata=f"filename {said},photo {ours}")  # fmt: skip
    assert reply.status_code == 201
    assert camera.add(photo, 0, raw).status_code == 204
    keys = [one.key for one in camera.lane.shelf.store.list()]
    assert len(keys) == 1 and keys[0].startswith("original/")
    assert facts(raw)["sha256"] not in keys[0]


def test_a_photo_whose_bytes_are_gone_does_not_hold_up_the_others(camera: Camera) -> None:
    lost = camera.take(picture(1))
    (found,) = camera.lane.shelf.store.list()
    camera.lane.shelf.store.delete(found.key)
    good = camera.take(picture(2))
    for _ in range(2):
        camera.work()
    assert camera.shown(good)["state"] == "ready"
    assert camera.shown(lost)["state"] == "stored"


def test_more_photos_than_one_run_opens_are_opened_one_run_after_the_other(
    camera: Camera,
) -> None:
    photos = [camera.take(picture(seed)) for seed in range(BATCH_MAX + 1)]
    camera.work()
    assert {camera.shown(one)["state"] for one in photos} == {"ready"}
