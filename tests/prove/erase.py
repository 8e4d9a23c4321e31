"""Prove that somebody who is erased is nowhere any more, and his neighbours are untouched.

A third are households with all in them, a third contacts, a third persons who asked for a service.
Their values stand in records, histories, conflicts, parked edits, photos, an export, files of
copies, ready-made copies and on a phone. They are erased; then every row, everything sealed,
every file is searched, plain, escaped, packed in base64. On SQLite the backup of the night before
is put back, and must forget them again.

    python -m tests.prove.erase --engine sqlite --persons 1000 --seed 1
        [--sabotage visits_forgotten]
"""

import contextlib
import shutil
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

from app.core.database import Mode
from app.core.engine import current_engine
from app.privacy import erasing, leftovers, subjects
from app.sync_api.copying import CopyRoom, current_copies
from app.sync_api.epochs import current_epochs
from sync.stores.sql_upkeep import SqlUpkeep
from tests.app.core.county import County, SyncPhone
from tests.app.identity.town import GRID
from tests.prove.erase_people import GONE, GONE_DIGITS, KEPT, KEPT_DIGITS, Settlement, people
from tests.prove.erase_search import holds, opened, rows, search
from tests.prove.ground import open_ground, run_as_command
from tests.simulation.sabotage import _instead

CANARIES = (GONE, GONE_DIGITS)
SHORT: Mapping[str, Any] = {"engine": "sqlite", "seed": 1, "persons": 3}


@contextlib.contextmanager
def visits_forgotten() -> Iterator[None]:
    """Forget a table that names households."""
    rest = tuple(one for one in subjects.BELONGING if one != "visit")
    with _instead((subjects, "BELONGING", rest), (erasing, "BELONGING", rest)):
        yield


@contextlib.contextmanager
def history_forgotten() -> Iterator[None]:
    """Leave the contents of the ledger."""
    with _instead((SqlUpkeep, "scrub_ledger", lambda self, records: 0)):
        yield


@contextlib.contextmanager
def requests_forgotten() -> Iterator[None]:
    """Leave what people wrote when they asked."""
    with _instead((erasing, "forget_links", lambda *_: None)):
        yield


@contextlib.contextmanager
def files_forgotten() -> Iterator[None]:
    """Strike files out of the books, and leave them lying."""
    with _instead((leftovers, "discard", lambda gone: None)):
        yield


@contextlib.contextmanager
def exports_forgotten() -> Iterator[None]:
    """Leave what has been exported."""
    with _instead((leftovers, "strike_exports", lambda *_: None)):
        yield


@contextlib.contextmanager
def copies_forgotten() -> Iterator[None]:
    """Leave the ready-made copies of the scopes."""
    with _instead((CopyRoom, "forget", lambda self, scopes: None)):
        yield


Bug = Callable[[], contextlib.AbstractContextManager[None]]
SABOTAGES: Mapping[str, Bug] = {
    "visits_forgotten": visits_forgotten, "history_forgotten": history_forgotten,
    "requests_forgotten": requests_forgotten, "files_forgotten": files_forgotten,
    "exports_forgotten": exports_forgotten, "copies_forgotten": copies_forgotten,
}  # fmt: skip


def prove(engine: str, persons: int = 30, seed: int = 1, sabotage: str | None = None) -> Any:
    """Erase so many people, and search for them."""
    with open_ground(engine) as ground:
        folder = Path(ground.environment["DATA_DIR"])
        gone = people(persons, stays=False, first=seed * 3)
        stay = people(max(3, persons // 50), stays=True, first=seed * 3 + 5001)
        town = Settlement(ground.county)
        town.settle([*gone, *stay])
        town.ask(gone)
        town.export()
        phone = Reader(ground.county.phone("gw"))
        phone.pull()
        current_copies().copy_of(town.actor("vl"), f"grid:{GRID}", None)
        before = _searched(ground.county, folder)
        backup = _backed_up(ground.county, folder)
        bug = SABOTAGES[sabotage]() if sabotage else contextlib.nullcontext()
        started = time.perf_counter()
        with bug:
            erasing.erase_people([one.key for one in gone], reason="prove", by=None)
        seconds = round(time.perf_counter() - started, 2)
        violations = _left(ground.county, folder, "left") + _phone(phone, gone)
        violations += _neighbours(ground.county, folder, before)
        if backup and not sabotage:
            violations += _put_back(ground.county, folder, backup)
        return {"people": persons, "found_before": sum(before[0].values()),
                "places_before": len(before[0]), "erase_s": seconds,
                "violations": violations[:20]}  # fmt: skip


class Reader:
    """A phone that remembers its cursor and what it was told to purge."""

    def __init__(self, phone: SyncPhone) -> None:
        self.phone, self.cursor = phone, None
        self.held: set[tuple[str, str]] = set()

    def pull(self) -> None:
        """Take all that is new; the last request also says that the pages have been applied."""
        complete = False
        while not complete:
            page = self.phone.send("pull", {"cursor": self.cursor}).get_json()
            for one in page["items"]:
                key = (one["t"], one["id"])
                self.held.discard(key)
                if "f" in one:
                    self.held.add(key)
            self.cursor, complete = page["to"], page["complete"]


def _phone(phone: Reader, gone: Any) -> list[str]:
    """Let the phone pull: nobody who was erased stays on it, and it has said so."""
    phone.pull()
    phone.pull()
    keys = {one.key for one in gone}
    return [f"on the phone: {kind}" for kind, _ in sorted(keys & phone.held)]


def _searched(county: County, folder: Path) -> tuple[dict[str, int], dict[str, int]]:
    """Return where those are who go, and where those are who stay."""
    erasing.free_space(county.database)
    engine = current_engine()
    return (search(county.database, engine, folder, CANARIES),
            search(county.database, engine, folder, (KEPT, KEPT_DIGITS)))  # fmt: skip


def _left(county: County, folder: Path, word: str) -> list[str]:
    """Return where somebody erased is still found."""
    found = search(county.database, current_engine(), folder, CANARIES)
    return [f"{word}: {place} ({number})" for place, number in sorted(found.items())]


def _neighbours(county: County, folder: Path, before: Any) -> list[str]:
    """Return what of those who stay has gone with the others, but for files."""
    after = search(county.database, current_engine(), folder, (KEPT, KEPT_DIGITS))
    bodies = ("household body", "contact body", "service_person body", "visit body")
    thrown = {one for one in bodies if before[1].get(one, 0) > 0 and not after.get(one)}
    return [f"neighbours lost: {one}" for one in sorted(thrown)]


def _backed_up(county: County, folder: Path) -> Path | None:
    if not county.database.is_sqlite:
        return None
    copy = folder.parent / f"{folder.name}-backup.db"
    shutil.copy(folder / "wangge.db", copy)
    current_epochs().look()  # the server has gone on since
    return copy


def _put_back(county: County, folder: Path, backup: Path) -> list[str]:
    """Put the copy of the night before in place; the next look carries the erasures out again."""
    county.database.engine.dispose()
    for suffix in ("-wal", "-shm"):
        (folder / f"wangge.db{suffix}").unlink(missing_ok=True)
    shutil.move(backup, folder / "wangge.db")
    reason = current_epochs().look()
    erasing.tidy("")
    erasing.free_space(county.database)
    with county.database.transaction(Mode.READ) as session:
        found = [place for place, raw in _everything(session) if _is_canary(raw)]
    return ([] if reason else ["the old copy went unnoticed"]) + [
        f"after a restore: {one}" for one in sorted(set(found))
    ]


def _everything(session: Any) -> Iterator[tuple[str, bytes]]:
    engine = current_engine()
    yield from rows(session)
    yield from opened(session, engine, engine.store(session).tables)


def _is_canary(raw: bytes) -> bool:
    return holds(raw, CANARIES)


if __name__ == "__main__":
    run_as_command(prove, list(SABOTAGES), more={"persons": 1000})
