"""What is hidden cannot be worked out from all that is shown, by nobody, at no level."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.numbers import hiding
from app.numbers.counting import GridCounts
from app.numbers.folding import Cells, cells_at_top, cells_below, fold
from app.numbers.hiding import SMALLEST, hidden_children, is_small

PARTS = 2
part = st.one_of(st.integers(0, 6), st.integers(0, 60))
cell = st.tuples(part, part)
# A county of townships of villages of grids; ids are the places in the tree.
counties = st.lists(st.lists(st.lists(cell, min_size=1, max_size=4), min_size=1, max_size=3),
                    min_size=1, max_size=4)  # fmt: skip
COUNTY = "1.2."


def _rows(county: Sequence[Sequence[Sequence[hiding.Cell]]]) -> list[GridCounts]:
    return [
        GridCounts(f"{COUNTY}{100 + t}.{1000 + 10 * t + v}.{10000 + 100 * t + 10 * v + g}.", one)
        for t, township in enumerate(county)
        for v, village in enumerate(township)
        for g, one in enumerate(village)
    ]


@dataclass
class Published:
    """All tables of a county, as anybody may ask for them."""

    rows: list[GridCounts]
    smallest: int = SMALLEST

    def paths(self) -> Iterator[str]:
        """Yield every area, the lowest first."""
        found = {COUNTY}
        for row in self.rows:
            steps = row.path.rstrip(".").split(".")
            found |= {".".join(steps[:n]) + "." for n in range(3, len(steps) + 1)}
        yield from sorted(found, key=lambda path: (-path.count("."), path))

    def table(self, path: str) -> Cells:
        """Return the table of an area."""
        steps = path.rstrip(".").split(".")
        line = [".".join(steps[:n]) + "." for n in range(2, len(steps) + 1)]
        chain = [(int(p.rstrip(".").split(".")[-1]), fold(self.rows, p, PARTS)) for p in line]
        return cells_below(chain, smallest=self.smallest)

    def intervals(self, at: int) -> dict[str, tuple[float, float]]:
        """Return between which values a part of each cell must lie, for all that is shown.

        In a tree of sums the narrowest bounds follow from one walk up and one down.
        """
        tables = {path: self.table(path) for path in self.paths()}
        low, high = {}, {}
        for path, table in tables.items():
            below = [f"{path}{child}." for child in table.sums.children]
            known = table.sums.total[at]
            low[path] = known if table.total_shown else sum(low[one] for one in below)
            many = sum(high[one] for one in below) if below else float("inf")
            high[path] = known if table.total_shown else many
        for path in reversed(list(tables)):
            below = [f"{path}{child}." for child in tables[path].sums.children]
            narrowed = {
                one: (max(low[one], low[path] - sum(high[o] for o in below if o != one)),
                      min(high[one], high[path] - sum(low[o] for o in below if o != one)))
                for one in below
            }  # fmt: skip
            for one, (least, most) in narrowed.items():
                low[one], high[one] = least, most
        return {path: (low[path], high[path]) for path in tables}


def given_away(published: Published) -> list[str]:
    """Return the small cells that somebody who reads all tables can work out."""
    bounds = [published.intervals(at) for at in range(PARTS)]
    return [
        path
        for path in published.paths()
        for at, value in enumerate(published.table(path).sums.total)
        if 0 < value < published.smallest and bounds[at][path][0] == bounds[at][path][1]
    ]


@given(counties)
def test_no_small_cell_follows_from_all_the_tables_of_a_county(
    county: Sequence[Sequence[Sequence[hiding.Cell]]],
) -> None:
    assert given_away(Published(_rows(county))) == []


@given(counties)
def test_small_cells_are_never_shown_and_no_table_contradicts_the_one_above(
    county: Sequence[Sequence[Sequence[hiding.Cell]]],
) -> None:
    published = Published(_rows(county))
    for path in published.paths():
        table = published.table(path)
        for child, one in table.sums.children.items():
            assert child in table.hidden or not is_small(one, SMALLEST)
            assert published.table(f"{path}{child}.").total_shown == (child not in table.hidden)


def test_the_attack_finds_what_a_weaker_rule_would_give_away(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Hiding small cells only, or looking at one table only, is not enough."""
    county = [[[(3, 40), (50, 50), (60, 60)], [(70, 70)]], [[(90, 90)]]]
    assert given_away(Published(_rows(county))) == []

    def small_only(
        _total: hiding.Cell, children: Mapping[int, hiding.Cell], *, smallest: int, **_: object
    ) -> frozenset[int]:
        return frozenset(key for key, one in children.items() if is_small(one, smallest))

    monkeypatch.setattr("app.numbers.folding.hidden_children", small_only)
    assert given_away(Published(_rows(county))) == ["1.2.100.1000.10000."]

    def one_table_only(
        total: hiding.Cell, children: Mapping[int, hiding.Cell], *, smallest: int, **_: object
    ) -> frozenset[int]:
        return hidden_children(total, children, smallest=smallest, total_shown=True)

    monkeypatch.setattr("app.numbers.folding.hidden_children", one_table_only)
    assert given_away(Published(_rows([[[(3, 40)]], [[(50, 50)], [(60, 60)]]])))


@given(st.lists(cell, min_size=1, max_size=6))
def test_the_topmost_total_is_hidden_when_it_would_give_a_county_away(
    cells: list[hiding.Cell],
) -> None:
    rows = [GridCounts(f"1.{n + 2}.{n + 20}.", one) for n, one in enumerate(cells)]
    table = cells_at_top(fold(rows, "1.", PARTS), smallest=SMALLEST)
    for child, at in product(table.hidden, range(PARTS)):
        if table.total_shown and 0 < table.sums.children[child][at] < SMALLEST:
            missing = sum(table.sums.children[key][at] for key in table.hidden)
            assert missing >= SMALLEST and missing > table.sums.children[child][at]


def test_nothing_is_hidden_where_nothing_is_small() -> None:
    rows = _rows([[[(5, 5), (0, 9)]], [[(0, 0)]]])
    table = Published(rows).table(COUNTY)
    assert table.total_shown and not table.hidden
