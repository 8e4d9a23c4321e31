"""A pull in lines: of a cut one the whole lines count, and the next pull goes on from there."""

import base64
import json
import zlib
from collections.abc import Iterator

import pytest

from sync.cursor import (
    CURSOR_CHARACTERS_MAX,
    CURSOR_SCOPES_MAX,
    Cursor,
    Place,
    joined,
    read_cursor,
)
from sync.lines import pages, whole_lines
from sync.pull import Page, turn_of
from tests.sync.house import Phone, Stand, name_of
from tests.sync.server import Server, moment
from tests.sync.worker import Worker

GRID = "grid:7"
MARK = 5


@pytest.fixture
def bob(stand: Stand) -> Iterator[Worker]:
    worker = Worker(Server(stand), "bob", 2, (GRID,))
    yield worker
    worker.connection.close()


def _fill(phone: Phone, count: int = 23) -> None:
    values = [{"grid": 7, "name": f"n{n}\u2028\x85"} for n in range(count)]
    phone.push(*(phone.edit("create", "plot", name_of(n), set=one)
                 for n, one in enumerate(values)))  # fmt: skip


def _raw(page: Page) -> bytes:
    lines = [*page.as_lines(moment(1_800_000_000_000), "anchor"), ""]
    return "\n".join(lines).encode()


def test_all_lines_are_one_pull_in_parts(ann: Phone) -> None:
    _fill(ann)
    page = ann.pull([GRID], mark_every=MARK)
    parts = list(pages(whole_lines(_raw(page))))
    assert [len(part["items"]) for part in parts] == [5, 5, 5, 5, 3]
    assert [part["complete"] for part in parts] == [False] * 4 + [True]
    assert parts[-1]["to"] == page.cursor and parts[-1]["digest"] == page.digests
    assert [part["from"] for part in parts] == [None, *(part["to"] for part in parts[:-1])]


def test_a_pull_cut_at_any_byte_keeps_its_whole_lines_and_goes_on(ann: Phone, bob: Worker) -> None:
    _fill(ann)
    right = {name_of(n) for n in range(23)}
    raw = _raw(ann.pull([GRID], mark_every=MARK))
    for cut in [*range(0, len(raw), 97), len(raw) - 1]:
        parts = list(pages(whole_lines(raw[:cut])))
        cursor, seen = None, []
        for part in parts:
            assert part["from"] == cursor
            cursor = part["to"]
            seen += [item["id"] for item in part["items"]]
        rest = ann.pull([GRID], cursor)
        seen += [json.loads(item)["id"] for item in rest.items]
        assert rest.complete and sorted(seen) == sorted(right), cut


def test_a_phone_takes_the_parts_of_a_cut_pull(ann: Phone, bob: Worker) -> None:
    _fill(ann)
    request = bob.phone.request()
    with bob.server.stand.open() as store:
        assert store.device(bob.phone.device)
    raw = _raw(Phone.pull(_as(ann, bob), [GRID], mark_every=MARK))
    for part in pages(whole_lines(raw[: len(raw) // 2])):
        assert bob.take(request, {"pull": {**part, "anchor": part["anchor"]}})
    assert len(bob.phone.rows("plot")) in (5, 10, 15)
    bob.sync()
    assert len(bob.phone.rows("plot")) == 23
    assert bob.phone.memory.recall("healed", 0) == 0


def _as(phone: Phone, worker: Worker) -> Phone:
    """Return a phone that asks under the device of a worker."""
    other = object.__new__(Phone)
    other.stand, other.device = phone.stand, str(worker.phone.device)
    return other


def test_no_line_at_all_is_no_page() -> None:
    assert list(pages(whole_lines(b""))) == list(pages(whole_lines(b'{"from":'))) == []


def test_of_many_scopes_cursors_come_less_often(ann: Phone) -> None:
    _fill(ann)
    scopes = [GRID, *(f"grid:{n}" for n in range(100, 300))]
    page = ann.pull(scopes, mark_every=MARK)
    assert [rows for rows, _ in page.marks] == [10, 20]


def _thousand(place: Place) -> Cursor:
    return Cursor("e" * 36, {f"grid:{n * 7919 % 100_000}": place for n in range(CURSOR_SCOPES_MAX)})


def test_the_cursor_of_a_thousand_scopes_can_be_read_again() -> None:
    for place in (Place(), Place(123, 123), Place(12_345, 99_999, 30, 54_321)):
        text = _thousand(place).write()
        assert len(text) < CURSOR_CHARACTERS_MAX
        assert read_cursor(text) == _thousand(place)
    one_more = {**_thousand(Place()).places, "ref": Place()}
    assert read_cursor(Cursor("e", one_more).write()) is None


def test_the_settled_cursor_of_a_thousand_scopes_fits_into_an_address() -> None:
    places = {f"grid:{n * 61}": Place(n * 7919, n * 7919) for n in range(CURSOR_SCOPES_MAX)}
    assert len(Cursor("e" * 36, places).write()) < 12_000


def test_a_thousand_scopes_are_pulled_page_by_page(ann: Phone) -> None:
    scopes = [f"grid:{n}" for n in range(1, 1001)]
    for first in range(1, 1001, 100):
        ann.push(*(ann.edit("create", "plot", name_of(n), set={"grid": n})
                   for n in range(first, first + 100)))  # fmt: skip
    cursor, seen, rounds = None, set(), 0
    while rounds < 30:
        page = ann.pull(scopes, cursor, want_bytes=30_000)
        assert page.reset == []
        seen |= {json.loads(item)["id"] for item in page.items}
        cursor, rounds = page.cursor, rounds + 1
        if page.complete:
            break
    assert page.complete and rounds > 3 and len(seen) == 1000
    assert ann.pull(scopes, cursor).items == []


def test_an_old_cursor_in_plain_words_can_still_be_read() -> None:
    plain = "WyJlcG9jaC0xIix7ImdyaWQ6NyI6WzEyLDEyLC0xLDBdfV0"
    assert read_cursor(plain) == Cursor("epoch-1", {GRID: Place(12, 12)})


def test_a_packed_cursor_that_unpacks_to_too_much_is_no_cursor() -> None:
    bomb = base64.urlsafe_b64encode(zlib.compress(b"[" + b" " * 10_000_000)).decode()
    assert len(bomb) < CURSOR_CHARACTERS_MAX and read_cursor(bomb) is None


def test_the_cursor_of_a_copy_counts_for_its_scope_only() -> None:
    own = Cursor("e", {GRID: Place(3, 9, 10, 5), "ref": Place(1, 1)}).write()
    copy = Cursor("e", {GRID: Place(7, 7)}).write()
    both = read_cursor(joined(own, copy))
    assert both == Cursor("e", {GRID: Place(7, 7), "ref": Place(1, 1)})
    assert read_cursor(joined(None, copy)) == read_cursor(copy)
    mixed = read_cursor(joined(own, Cursor("another", {"grid:8": Place()}).write()))
    assert mixed is not None and mixed.epoch == "" and set(mixed.places) == {GRID, "ref", "grid:8"}


def test_what_is_ones_own_comes_before_all_areas_whatever_its_rank(ann: Phone) -> None:
    scopes = ["grid:1", "area:2", "ref", "me:5"]
    assert sorted(scopes, key=turn_of) == ["me:5", "ref", "grid:1", "area:2"]
