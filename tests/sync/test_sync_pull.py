"""A pull: any page boundary resumes, nothing is skipped, what is urgent comes first."""

import base64
import json
from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sync.cursor import CURSOR_SCOPES_MAX, read_cursor
from sync.edits import Device
from sync.pull import Page, Pull, pull
from sync.store import DEL, Batch, FeedChange, ScopeState
from sync.stores.memory import MemoryStore
from tests.sync.house import MemoryStand, Phone, SqlStand, Stand, name_of

GRID = ["grid:7"]


def _filled(phone: Phone, count: int = 12) -> None:
    edits = [phone.edit("create", "plot", name_of(n), set={"grid": 7, "name": f"n{n}"})
             for n in range(count)]  # fmt: skip
    phone.push(*edits)


def _items(page: Page) -> list[dict[str, Any]]:
    return [json.loads(item) for item in page.items]


def _all(
    phone: Phone, scopes: Sequence[str], cursor: str | None = None, want: int = 300
) -> list[Page]:
    pages = []
    for _ in range(200):
        page = phone.pull(scopes, cursor, want_bytes=want)
        assert page.start == cursor
        pages.append(page)
        cursor = page.cursor
        if page.complete:
            return pages
    raise AssertionError("the pull never ends")


@pytest.mark.parametrize("want", [1, 300, 1000, 10**9])
def test_every_page_size_brings_everything_once(ann: Phone, want: int) -> None:
    _filled(ann)
    pages = _all(ann, GRID, want=want)
    rows = [item["id"] for page in pages for item in _items(page)]
    assert sorted(rows) == sorted(name_of(n) for n in range(12))
    assert [page.complete for page in pages] == [False] * (len(pages) - 1) + [True]


def test_a_page_asked_twice_is_the_same_page(ann: Phone) -> None:
    _filled(ann)
    first = ann.pull(GRID, want_bytes=300)
    assert ann.pull(GRID, first.cursor, want_bytes=300) == ann.pull(
        GRID, first.cursor, want_bytes=300
    )


def test_rows_that_change_while_paging_come_again_and_none_is_skipped(
    ann: Phone, bob: Phone
) -> None:
    _filled(ann)
    page = ann.pull(GRID, want_bytes=300)
    seen: dict[str, int] = {}
    for number in range(40):
        seen |= {item["id"]: item["rv"] for item in _items(page)}
        if page.complete and number > 12:
            break
        if number <= 12:
            edit = bob.edit("update", "plot", name_of(number % 12), base=9, set={"owner": "x"})
            bob.push(edit)
        page = ann.pull(GRID, page.cursor, want_bytes=300)
    assert seen == {name_of(n): 3 if n < 1 else 2 for n in range(12)}


def test_urgent_rows_come_first_across_scopes(ann: Phone) -> None:
    ann.push(
        ann.edit("create", "plot", name_of(1), set={"grid": 1}),
        ann.edit("create", "plot", name_of(2), set={"grid": 2}),
        ann.edit("create", "job", name_of(3), set={"grid": 2, "state": "assigned", "round": 0}),
    )
    page = ann.pull(["grid:1", "grid:2"], want_bytes=10**6)
    assert [item["t"] for item in _items(page)] == ["job", "plot", "plot"]


def test_a_lost_scope_is_dropped_and_a_new_one_comes_whole(ann: Phone) -> None:
    _filled(ann, 3)
    first = ann.pull(GRID)
    lost = ann.pull(["grid:8"], first.cursor)
    assert (lost.drop, lost.items) == (GRID, [])
    again = ann.pull(GRID, lost.cursor)
    assert (len(again.items), again.reset) == (3, [])


def test_another_epoch_resets_everything_and_harms_nothing(ann: Phone) -> None:
    _filled(ann, 3)
    cursor = read_cursor(ann.pull(GRID).cursor)
    assert cursor is not None
    other = cursor.__class__("another epoch", cursor.places).write()
    page = ann.pull(GRID, other)
    assert (page.reset, len(page.items), page.complete) == (GRID, 3, True)


@pytest.mark.parametrize(
    "text",
    ["", "x", "!!!", "e30", base64.urlsafe_b64encode(b'["epoch-1",{"a":[1]}]').decode(),
     base64.urlsafe_b64encode(b'["epoch-1",{"a":[1,2,3,"x"]}]').decode(),
     base64.urlsafe_b64encode(b'["epoch-1",{"a":true}]').decode(),
     base64.urlsafe_b64encode(b"[" * 5000).decode(), "A" * 20_000],
)  # fmt: skip
def test_a_senseless_cursor_is_a_reset_and_never_an_error(ann: Phone, text: str) -> None:
    _filled(ann, 3)
    page = ann.pull(GRID, text)
    assert len(page.items) == 3
    assert page.reset == (GRID if text else [])


@given(st.text(max_size=60) | st.binary(max_size=60).map(base64.urlsafe_b64encode))
def test_no_text_breaks_the_reading_of_cursors(text: Any) -> None:
    cursor = read_cursor(text if isinstance(text, str) else text.decode())
    assert cursor is None or len(cursor.places) <= CURSOR_SCOPES_MAX


def test_a_cursor_from_the_future_is_reset(ann: Phone) -> None:
    _filled(ann, 2)
    cursor = read_cursor(ann.pull(GRID).cursor)
    assert cursor is not None
    for place in ((9, 9, -1, 0), (1, 9, 10, 3)):
        ahead = {GRID[0]: cursor.places[GRID[0]].__class__(*place)}
        page = ann.pull(GRID, cursor.__class__(cursor.epoch, ahead).write())
        assert (page.reset, len(page.items)) == (GRID, 2)


def _raise_floor(stand: Stand, floor: int) -> None:
    if isinstance(stand, MemoryStand):
        state = stand.store.states[GRID[0]]
        stand.store.states[GRID[0]] = state._replace(floor=floor)
    if isinstance(stand, SqlStand):
        with stand.engine.begin() as connection:
            connection.execute(stand.tables.scope.update().values(floor=floor))


def test_below_the_floor_a_scope_starts_again_and_the_paged_reset_ends(
    stand: Stand, ann: Phone
) -> None:
    _filled(ann)
    old = _all(ann, GRID)[-1].cursor
    ann.push(ann.edit("delete", "plot", name_of(0), base=1),
             ann.edit("update", "plot", name_of(1), base=1, set={"name": "x"}))  # fmt: skip
    _raise_floor(stand, 14)
    pages = _all(ann, GRID, old)
    assert pages[0].reset == GRID
    assert all(page.reset == [] for page in pages[1:])
    assert len({item["id"] for page in pages for item in _items(page)}) == 12


def test_a_complete_page_carries_the_digest_of_what_is_shown(ann: Phone) -> None:
    _filled(ann, 2)
    page = ann.pull(GRID)
    assert set(page.digests) == set(GRID)
    ann.push(ann.edit("delete", "plot", name_of(0), base=1),
             ann.edit("delete", "plot", name_of(1), base=1))  # fmt: skip
    assert ann.pull(GRID, page.cursor).digests == {GRID[0]: "0" * 16}


def test_bytes_are_counted_as_bytes(ann: Phone) -> None:
    story = "网" * 390
    ann.push(*(ann.edit("create", "plot", name_of(n), set={"grid": 7, "story": story})
               for n in range(10)))  # fmt: skip
    page = ann.pull(GRID, want_bytes=5000)
    assert 0 < len("".join(page.items).encode()) <= 5000


def test_a_role_sees_its_own_projection(ann: Phone) -> None:
    _filled(ann, 1)
    page = ann.pull(GRID, project=lambda kind, body: '{"masked":true}')
    assert _items(page)[0]["f"] == {"masked": True}


def test_nothing_is_below_the_cursor_after_a_deletion_that_nobody_saw(ann: Phone) -> None:
    ann.push(
        ann.edit("create", "plot", name_of(1), set={"grid": 7}),
        ann.edit("delete", "plot", name_of(1), base=1),
    )
    assert (ann.pull(GRID).items, ann.pull(GRID).complete) == ([], True)


def test_a_page_is_one_json_object(ann: Phone) -> None:
    _filled(ann, 2)
    shape = json.loads(ann.pull(GRID).as_json("2026-01-31T08:00:00.000Z", "anchor"))
    assert set(shape) == {
        "from", "to", "items", "drop", "reset", "complete", "digest", "last_n", "last_id", "now",
        "anchor", "ver", "copies",
    }  # fmt: skip
    assert (shape["last_n"], shape["last_id"]) == (2, name_of("ann/2"))


@given(st.lists(st.integers(0, 3), min_size=1, max_size=12), st.integers(1, 900))
def test_no_history_of_changes_and_pages_skips_a_row(script: list[int], want: int) -> None:
    """Change rows, ranks and tombstones between pages; at the end nothing is missing."""
    store = MemoryStore()
    store.enrol(name_of("d"), 1)
    cursor, rv = None, 0
    shown: dict[str, int] = {}
    for step in [*script, *([9] * 40)]:
        if step != 9:
            rv += 1
            _write(store, name_of(step), rv, rank=step * rv % 7)
        page = pull(store, Pull(["s"], cursor, Device(name_of("d"), 1), want))
        cursor = page.cursor
        shown |= {one["id"]: one["rv"] for one in map(json.loads, page.items)}
        if step == 9 and page.complete:
            break
    assert shown == {key[1]: row.rv for key, row in store.feeds["s"].items()}


def _write(store: MemoryStore, record: str, rv: int, *, rank: int) -> None:
    device = store.devices[name_of("d")]
    batch = Batch(device=device, device_before=device)
    batch.feed.append(FeedChange("s", "plot", record, rank, DEL, rv))
    batch.digests["s"] = (0, 0)
    store.write(batch)
    assert isinstance(store.states["s"], ScopeState)
