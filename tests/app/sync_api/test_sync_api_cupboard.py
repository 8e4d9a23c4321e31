"""The cupboard of copies: sealed, bounded, and nothing erased is handed out of it."""

import os
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from app.core.cipher import Cipher
from app.core.database import Mode
from app.core.engine import Engine
from app.core.identifiers import new_id
from app.core.span import as_house
from app.sync_api.copying import CopyRoom
from app.sync_api.cupboard import KEPT_S, VERSIONS_MAX, Cupboard
from sync import snapshot
from sync.snapshot import Snapshot, read
from sync.store import Batch, FeedChange
from tests.app.core.county import County, household
from tests.app.identity.town import GRID, SAME_VILLAGE_GRID

SCOPE = f"grid:{GRID}"


@pytest.fixture
def cupboard(tmp_path: Path) -> Cupboard:
    return Cupboard(tmp_path / "snapshots", Cipher("k" * 40))


def _copy(ver: int = 1, body: bytes = "张三丰".encode(), scope: str = SCOPE) -> Snapshot:
    return Snapshot("epoch", scope, ver, snapshot.tag_of(body), body)


def _files(cupboard: Cupboard) -> list[Path]:
    return sorted(cupboard.folder.glob("*/*"))


def test_what_is_put_in_is_found_under_its_sight_only(cupboard: Cupboard) -> None:
    cupboard.put(_copy(), "whole")
    [kept] = cupboard.find("epoch", SCOPE, "whole")
    assert cupboard.open(kept, "epoch", SCOPE) == _copy()
    assert cupboard.find("epoch", SCOPE, "masked") == []
    assert cupboard.find("another epoch", SCOPE, "whole") == []
    assert cupboard.find("epoch", "grid:999", "whole") == []


def test_nothing_lies_there_in_plain_text_or_for_others_to_read(cupboard: Cupboard) -> None:
    cupboard.put(_copy(), "whole")
    [path] = _files(cupboard)
    assert "张三丰".encode() not in path.read_bytes()
    assert path.stat().st_mode & 0o077 == 0 and path.parent.stat().st_mode & 0o077 == 0
    assert str(GRID) not in path.name.split("-")[0] and SCOPE not in str(path)


def test_a_file_that_was_changed_cut_or_renamed_opens_no_more(cupboard: Cupboard) -> None:
    cupboard.put(_copy(), "whole")
    [path] = _files(cupboard)
    [kept] = cupboard.find("epoch", SCOPE, "whole")
    raw = path.read_bytes()
    for damaged in (raw[:-1], raw[:20], b"", raw[:-1] + bytes([raw[-1] ^ 1])):
        path.write_bytes(damaged)
        assert cupboard.open(kept, "epoch", SCOPE) is None
    path.write_bytes(raw)
    renamed = path.rename(path.with_name(path.name.replace("00001-", "00002-")))
    [other] = cupboard.find("epoch", SCOPE, "whole")
    assert other.ver == 2 and cupboard.open(other, "epoch", SCOPE) is None
    renamed.unlink()
    assert cupboard.open(kept, "epoch", SCOPE) is None


def test_only_the_newest_versions_stay(cupboard: Cupboard) -> None:
    for ver in range(1, 6):
        cupboard.put(_copy(ver), "whole")
    versions = [one.ver for one in cupboard.find("epoch", SCOPE, "whole")]
    assert versions == [5, 4] and len(_files(cupboard)) == VERSIONS_MAX


def test_the_oldest_go_when_there_is_too_much(tmp_path: Path) -> None:
    cupboard = Cupboard(tmp_path / "snapshots", Cipher("k" * 40), bytes_max=5_000)
    now = time.time()
    for number in range(10):
        cupboard.put(_copy(body=bytes(1_000), scope=f"grid:{number}"), "whole")
        for path in cupboard.shelf(f"grid:{number}").glob("*"):
            os.utime(path, (now - 100 + number, now - 100 + number))
    assert sum(path.stat().st_size for path in _files(cupboard)) <= 5_000
    assert [bool(cupboard.find("epoch", f"grid:{n}", "whole")) for n in (0, 9)] == [False, True]


def test_what_is_old_goes_and_what_is_erased_goes_at_once(cupboard: Cupboard) -> None:
    cupboard.put(_copy(), "whole")
    old = time.time() - KEPT_S - 10
    os.utime(_files(cupboard)[0], (old, old))
    cupboard.put(_copy(scope="grid:9"), "whole")
    assert cupboard.find("epoch", SCOPE, "whole") == []
    cupboard.forget("grid:9")
    assert _files(cupboard) == []


def _room(county: County) -> CopyRoom:
    room: CopyRoom = county.app.extensions["wangge_copies"]
    return room


def test_many_who_want_a_copy_at_once_let_it_be_made_once(
    county: County, monkeypatch: pytest.MonkeyPatch
) -> None:
    phone = county.phone("gw")
    phone.act("create", "household", set=household())
    token = county.headers[phone.who]["Authorization"].removeprefix("Bearer ")
    with county.database.transaction(Mode.READ) as session:
        actor = county.app.extensions["wangge_authenticate"](session, token)
    made = []
    right = snapshot.make
    monkeypatch.setattr(snapshot, "make", lambda *all_: made.append(1) or right(*all_))
    with ThreadPoolExecutor(8) as pool:
        copy_of = as_house()(_room(county).copy_of)
        found = list(pool.map(lambda _: copy_of(actor, SCOPE, None), range(16)))
    assert len(made) == 1 and len({one.tag for one in found}) == 1


def test_a_copy_that_holds_what_was_erased_since_is_not_handed_out(county: County) -> None:
    phone, rec = county.phone("gw"), new_id()
    phone.act("create", "household", set=household())
    phone.act("create", "household", rec, set=household())
    path = f"/sync/snapshot/{SCOPE}"
    before = county.ask(phone.who, "GET", path)
    engine: Engine = county.app.extensions["wangge_engine"]
    with county.database.transaction(Mode.WRITE) as session:
        store = engine.store(session)
        device = store.device(phone.device)
        assert device is not None
        batch = Batch(device=device, device_before=device)
        batch.feed.append(FeedChange(SCOPE, "household", rec, 60, "purge", 2))
        batch.digests[SCOPE] = (0, -1)
        store.write(batch)
    tag = before.headers["ETag"]
    after = county.ask(phone.who, "GET", path, headers={"If-Range": tag, "Range": "bytes=9-"})
    lines = _lines(after.data)
    assert after.status_code == 200
    assert rec not in {line["id"] for line in lines if line["op"] == "put"}
    assert all("f" not in line for line in lines if line["id"] == rec)


def _lines(body: bytes) -> list[dict[str, str]]:
    import gzip
    import json

    return [json.loads(one) for one in gzip.decompress(body).decode().split("\n")[:-2]]


def test_a_new_epoch_makes_new_copies(county: County) -> None:
    phone = county.phone("gw")
    phone.act("create", "household", set=household())
    path = f"/sync/snapshot/{SCOPE}"
    before = read(county.ask(phone.who, "GET", path).data)
    county.app.test_cli_runner().invoke(args=["sync", "new-epoch"])
    after = read(county.ask(phone.who, "GET", path).data)
    assert before.items == after.items and before.cursor != after.cursor
    assert phone.send("pull", {"cursor": after.cursor}).get_json()["reset"] == []


# -- erasure --------------------------------------------------------------------------------------


def _erase(county: County, rec: str) -> None:
    words = ["sync", "erase", "household", rec, "--reason", "x", "--yes"]
    result = county.app.test_cli_runner().invoke(args=words)
    assert result.exit_code == 0, result.output


def test_an_erasure_throws_away_the_copies_of_its_scope_and_of_no_other(county: County) -> None:
    phone, rec, other = county.phone("gw"), new_id(), f"grid:{SAME_VILLAGE_GRID}"
    phone.act("create", "household", rec, set=household())
    county.phone("colleague").act("create", "household", set=household(grid=SAME_VILLAGE_GRID))
    for who, scope in (("gw", SCOPE), ("vl", SCOPE), ("colleague", other)):
        county.ask(county.phone(who).who, "GET", f"/sync/snapshot/{scope}")
    cupboard = _room(county).cupboard
    assert len(_files(cupboard)) == 3
    _erase(county, rec)
    assert _files(cupboard) == list(cupboard.shelf(other).glob("*")) != []


def test_a_copy_made_while_something_in_it_is_erased_does_not_stay(
    county: County, monkeypatch: pytest.MonkeyPatch
) -> None:
    phone, rec = county.phone("gw"), new_id()
    phone.act("create", "household", rec, set=household())
    right = Cupboard.put

    def late(self: Cupboard, copy: Snapshot, sight: str) -> None:
        monkeypatch.setattr(Cupboard, "put", right)
        _erase(county, rec)
        right(self, copy, sight)

    monkeypatch.setattr(Cupboard, "put", late)
    assert county.ask(phone.who, "GET", f"/sync/snapshot/{SCOPE}").status_code == 200
    assert _files(_room(county).cupboard) == []


def test_a_copy_whose_shelf_is_emptied_under_it_is_not_kept(
    cupboard: Cupboard, monkeypatch: pytest.MonkeyPatch
) -> None:
    right = Path.rename

    def emptied(self: Path, target: Path) -> Path:
        cupboard.forget(SCOPE)
        return right(self, target)

    monkeypatch.setattr(Path, "rename", emptied)
    cupboard.put(_copy(), "whole")
    assert _files(cupboard) == []


def test_a_new_epoch_throws_away_all_copies_of_the_old_one(county: County) -> None:
    phone = county.phone("gw")
    phone.act("create", "household", set=household())
    county.ask(phone.who, "GET", f"/sync/snapshot/{SCOPE}")
    assert _files(_room(county).cupboard) != []
    county.app.test_cli_runner().invoke(args=["sync", "new-epoch"])
    assert _files(_room(county).cupboard) == []
