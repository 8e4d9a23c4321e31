"""Head tells what a pull would be about, and nothing can happen unnoticed after it was asked."""

from sync.cursor import Cursor, read_cursor
from sync.head import Head, head, moved
from tests.sync.house import Phone, Stand, name_of, raise_floor

GRID, OTHER = "grid:7", "grid:8"


def _head(stand: Stand, cursor: str | None, *scopes: str) -> Head:
    with stand.open() as store:
        return head(store, scopes or (GRID, OTHER), cursor)


def _plot(phone: Phone, number: int, grid: int) -> None:
    phone.push(phone.edit("create", "plot", name_of(number), set={"grid": grid}))


def test_after_a_whole_pull_nothing_is_new(stand: Stand, ann: Phone) -> None:
    _plot(ann, 1, 7)
    found = _head(stand, ann.pull([GRID, OTHER]).cursor)
    assert found.changed == []
    assert found.seen == {GRID: 1, OTHER: 0}


def test_a_change_is_told_by_its_scope(stand: Stand, ann: Phone) -> None:
    _plot(ann, 1, 7)
    cursor = ann.pull([GRID, OTHER]).cursor
    _plot(ann, 2, 8)
    assert _head(stand, cursor).changed == [OTHER]
    assert _head(stand, ann.pull([GRID, OTHER], cursor).cursor).changed == []


def test_a_pull_that_is_not_finished_a_new_and_a_lost_scope_are_news(
    stand: Stand, ann: Phone
) -> None:
    for number in range(9):
        _plot(ann, number, 7)
    assert _head(stand, ann.pull([GRID], want_bytes=300).cursor, GRID).changed == [GRID]
    cursor = ann.pull([GRID]).cursor
    assert _head(stand, cursor, GRID, OTHER).changed == [OTHER]
    assert _head(stand, cursor, OTHER).changed == [OTHER, GRID]


def test_what_would_be_reset_is_news(stand: Stand, ann: Phone) -> None:
    _plot(ann, 1, 7)
    cursor = ann.pull([GRID]).cursor
    _plot(ann, 2, 7)
    raise_floor(stand, GRID)
    read = read_cursor(cursor)
    assert read is not None
    for text in (None, "", "rubbish", cursor, Cursor("another", read.places).write()):
        assert _head(stand, text, GRID).changed == [GRID]


def test_every_change_since_the_question_is_seen_by_comparing_with_it(
    stand: Stand, ann: Phone
) -> None:
    cursor = ann.pull([GRID, OTHER]).cursor
    asked = _head(stand, cursor)
    assert asked.changed == []
    for number, (grid, scopes) in enumerate([(7, [GRID]), (7, [GRID]), (8, [GRID, OTHER])]):
        _plot(ann, number, grid)
        with stand.open() as store:
            assert moved(asked.seen, store.versions([GRID, OTHER, "grid:999"])) == scopes


def test_versions_are_told_of_those_scopes_that_were_ever_written(stand: Stand, ann: Phone) -> None:
    _plot(ann, 1, 7)
    with stand.open() as store:
        assert store.versions([]) == {}
        assert store.versions([GRID, OTHER]) == {GRID: 1}
        assert store.versions([GRID, *(f"area:{n}" for n in range(40_000))]) == {GRID: 1}
