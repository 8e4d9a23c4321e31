"""Measure what photos that wait on a phone cost its data: two phones in turn, one with a queue.

Both serve one grid, hold the same records and make the same edits; the one holds some hundred
photos whose facts are known and whose bytes have not been sent. The ratio of their times comes
from one run, so that a busy machine changes little.

    python -m bench.photos [--engine sqlite|postgresql] [--photos 500] [--rounds 60]
"""

import argparse
import json
import statistics
import tempfile
import time
from pathlib import Path

from app.phone import acts, lane
from app.phone.client import Phone
from app.phone.home import Home
from tests.app.core.county import GARBAGE, centre
from tests.app.identity.town import GRID
from tests.app.photos.camera import picture
from tests.conftest import ENGINES
from tests.prove.ground import open_ground
from tests.prove.server import Server

GOAL = 1.05
EDITS = 20
PHOTOS_A_REPORT = 20


def enrol(ground, server: Server, folder: Path, name: str) -> Phone:
    """Return an enrolled phone of a worker of the grid."""
    ground.county.person(name, "gw", GRID)
    phone = Phone(Home(folder / name))
    phone.enrol(ground.county.code_for(name), f"http://127.0.0.1:{server.port}")
    phone.sync()
    return phone


def fill(phone: Phone, folder: Path, count: int) -> None:
    """Queue photos: their facts go at once, their bytes wait."""
    shots = []
    for number in range(count):
        shot = folder / f"{number}.jpg"
        shot.write_bytes(picture(number) + number.to_bytes(4) * 20_000)
        shots.append(shot)
    for first in range(0, count, PHOTOS_A_REPORT):
        some, (lon, lat) = shots[first : first + PHOTOS_A_REPORT], centre(GRID)
        acts.report_incident(phone, category=GARBAGE, text="井盖", place=(lon, lat), photos=some)
    phone.sync()


def sync_s(phone: Phone) -> float:
    """Make a day's edits and return the seconds that their sync takes."""
    for number in range(EDITS):
        acts.capture_household(phone, GRID, address=f"人民路 {number} 号", occupancy="lived_in")
    began = time.perf_counter()
    phone.sync()
    return time.perf_counter() - began


def measure(engine: str, photos: int, rounds: int) -> dict[str, object]:
    """Let both phones sync in turn, and return the ratio of their times."""
    with open_ground(engine) as ground, tempfile.TemporaryDirectory() as name:
        folder, server = Path(name), Server(ground.environment)
        server.start()
        full, empty = (enrol(ground, server, folder, one) for one in ("full", "empty"))
        fill(full, folder, photos)
        empty.sync()
        assert len(lane.waiting(full)) == photos
        times: dict[str, list[float]] = {"full": [], "empty": []}
        for number in range(rounds + 2):
            order = [("full", full), ("empty", empty)]
            for label, phone in order if number % 2 else reversed(order):
                times[label].append(sync_s(phone))
        server.stop()
        for phone in (full, empty):
            phone.close()
    # the lower quartile: what else the machine had to do makes a sync slower, never faster
    usual = {label: statistics.quantiles(taken[2:], n=4)[0] for label, taken in times.items()}
    return {
        "engine": engine, "photos": photos, "rounds": rounds, "edits": EDITS,
        "with_queue_ms": round(usual["full"] * 1000, 1),
        "without_ms": round(usual["empty"] * 1000, 1),
        "ratio": round(usual["full"] / usual["empty"], 3), "goal": GOAL,
    }  # fmt: skip


def main() -> None:
    """Print one line of JSON for each engine."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--engine", choices=ENGINES)
    parser.add_argument("--photos", type=int, default=500)
    parser.add_argument("--rounds", type=int, default=60)
    told = parser.parse_args()
    for engine in [told.engine] if told.engine else ENGINES:
        print(json.dumps(measure(engine, told.photos, told.rounds)))


if __name__ == "__main__":
    main()
