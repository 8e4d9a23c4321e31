"""A phone takes photos along with a report; they come after the data and go on where they broke."""

from collections.abc import Callable
from pathlib import Path

import pytest
import sqlalchemy as sa
from click.testing import Result

from app.incidents.models import IncidentCategory
from app.phone import acts, lane
from app.phone.client import Phone
from app.phone.home import Home
from app.phone.line import Away
from tests.app.core.county import GARBAGE, County, centre
from tests.app.identity.town import GRID
from tests.app.phone import network as faults
from tests.app.phone.conftest import Enrolled
from tests.app.phone.network import Network
from tests.app.photos.camera import noise, picture

Run = Callable[..., Result]


@pytest.fixture
def shots(tmp_path: Path) -> list[Path]:
    """Return five pictures in files."""
    paths = [tmp_path / f"IMG_{number}.jpg" for number in range(5)]
    for number, path in enumerate(paths):
        path.write_bytes(picture(number) if number else noise((1600, 1200)))
    return paths


@pytest.fixture
def ready(county: County, network: Network, run: Run) -> Run:
    """Return the commands of an enrolled phone."""
    done = run("enrol", county.code_for("gw"), "--server", network.address)
    assert done.exit_code == 0, done.output
    return run


def _report(shots: list[Path], *more: str) -> list[str]:
    lon, lat = map(str, centre(GRID))
    photos = [word for path in shots for word in ("--photo", str(path))]
    return ["report-incident", "--category", GARBAGE, "--text", "井盖缺失", "--lon", lon,
            "--lat", lat, *photos, *more]  # fmt: skip


def test_photos_of_a_report_follow_the_data_and_are_counted(
    county: County, ready: Run, shots: list[Path]
) -> None:
    assert ready(*_report(shots)).exit_code == 0
    assert "未传照片 photos       5" in ready("status").output
    assert "0/5 已到达 arrived" in ready("photos").output
    synced = ready("sync")
    assert "到达 arrived 5 · 待传 waiting 0" in synced.output, synced.output
    assert "5/5 已到达 arrived" in ready("photos").output
    assert "📷 5" in ready("incidents").output
    (row,) = county.ask("ts", "GET", "/photo-ledger").get_json()
    assert (row["announced"], row["arrived"]) == (5, 5)


def test_data_goes_alone_when_told_so_and_photos_later(
    county: County, ready: Run, shots: list[Path]
) -> None:
    ready(*_report(shots[:2]))
    assert "发出 sent 3" in ready("sync", "--data-only").output
    (row,) = county.ask("ts", "GET", "/photo-ledger").get_json()
    assert (row["announced"], row["known"], row["arrived"]) == (2, 2, 0)
    assert "到达 arrived 2" in ready("upload").output


def test_an_upload_goes_on_where_the_line_broke(
    county: County, enrolled: Enrolled, network: Network, tmp_path: Path, shots: list[Path]
) -> None:
    phone = enrolled()
    acts.report_incident(phone, category=GARBAGE, text="井盖", place=tuple(centre(GRID)),
                         photos=shots[:1])  # fmt: skip
    phone.sync()
    (kept,) = lane.waiting(phone)
    assert kept.stat().st_size > 2 * lane.REQUEST_BYTES
    network.fail(kept.name, "", faults.LOST)
    with pytest.raises(Away):
        lane.send_all(phone)
    network.seen.clear()
    lane.send_all(phone)
    patches = [path for path in network.seen if path.endswith(kept.name)]
    whole = -(-kept.stat().st_size // lane.REQUEST_BYTES) if kept.exists() else None
    assert whole is None and len(patches) < -(-shots[0].stat().st_size // lane.REQUEST_BYTES)
    phone.sync()
    (row,) = phone.replica.rows("photo").values()
    assert row.values["state"] == "stored"


def test_three_of_five_is_what_both_sides_see(
    county: County, enrolled: Enrolled, network: Network, shots: list[Path]
) -> None:
    phone = enrolled()
    subject = acts.report_incident(phone, category=GARBAGE, text="井盖", photos=shots,
                                   place=tuple(centre(GRID)))  # fmt: skip
    phone.sync()
    three = lane.bring(phone)
    for _ in range(3):
        next(three)
    three.close()
    phone.sync()
    assert lane.ledger(phone, subject) == lane.Ledger(arrived=3, taken=5)
    (row,) = county.ask("vl", "GET", f"/photo-ledger?incident={subject}").get_json()
    assert (row["arrived"], row["announced"]) == (3, 5)


def test_what_is_no_picture_is_refused_at_once_and_nothing_is_reported(
    ready: Run, tmp_path: Path
) -> None:
    page = tmp_path / "page.jpg"
    page.write_text("<html></html>")
    done = ready(*_report([page]))
    assert done.exit_code == 1 and "照片格式不支持" in done.output
    assert "没有 / none" in ready("incidents").output


def test_a_category_that_asks_for_a_photo_takes_a_reason_instead(
    county: County, ready: Run
) -> None:
    county.sql(sa.update(IncidentCategory).values(photo="required"))
    ready(*_report([]))
    assert "1 条被搁置" in ready("sync").output
    assert "须附照片 A photo is asked for" in ready("parked").output
    ready(*_report([], "--no-photo", "相机坏了"))
    assert "1 条被搁置" in ready("sync").output
    assert "井盖缺失" in ready("incidents").output


def test_a_photo_of_a_task_is_taken_by_itself(
    county: County, ready: Run, shots: list[Path]
) -> None:
    task = county.task(task_kind="inspection")["id"]
    ready("sync")
    assert ready("photo", str(shots[1]), "--task", task[-8:]).exit_code == 0
    assert "到达 arrived 1" in ready("sync").output
    assert ready("photo", str(shots[1])).exit_code == 2


def test_a_rejected_photo_leaves_the_phone_and_says_why(
    county: County, ready: Run, tmp_path: Path, shots: list[Path]
) -> None:
    lies = tmp_path / "huge.png"
    lies.write_bytes((Path(__file__).parents[2] / "photos" / "bomb_png_900mpx.png").read_bytes())
    assert "像素过多" in ready(*_report([lies])).output
    phone = Phone(Home(tmp_path / "cli"))
    assert lane.waiting(phone) == []
    phone.close()
