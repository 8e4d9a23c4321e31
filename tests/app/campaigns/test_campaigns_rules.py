"""What a certificate may say: no number of a few people, nor one that the others add up to."""

from itertools import product

import pytest

from app.campaigns.rules import CELL_MIN, counted

CASES = (
    ({1: 50, 2: 20}, {1: 50, 2: 20}, 70),
    ({1: 1, 2: 50, 3: 60}, {1: None, 2: None, 3: 60}, 111),
    ({1: 1, 2: 1, 3: 50}, {1: None, 2: None, 3: None}, 52),
    ({1: 1, 2: 1, 3: 50, 4: 60}, {1: None, 2: None, 3: None, 4: 60}, 112),
    ({1: 2, 2: 3, 3: 50}, {1: None, 2: None, 3: 50}, 55),
    ({1: 4, 2: 4, 3: 50}, {1: None, 2: None, 3: None}, 58),
    ({1: 3, 2: 0}, {1: None, 2: 0}, None),
    ({1: 1, 2: 1, 3: 1, 4: 1, 5: 1}, dict.fromkeys(range(1, 6)), None),
)


@pytest.mark.parametrize(("cells", "shown", "total"), CASES)
def test_small_numbers_are_hidden_with_enough_company(
    cells: dict[int, int], shown: dict[int, int | None], total: int | None
) -> None:
    assert counted(cells, sum(cells.values())) == (shown, total)


def test_no_small_number_can_be_worked_out_from_what_is_shown() -> None:
    """Whoever knows the rule tries all numbers that would be shown alike: there are several."""
    alike: dict[str, set[tuple[int, ...]]] = {}
    for numbers in product(range(16), repeat=3):
        shown = counted(dict(enumerate(numbers)), sum(numbers))
        alike.setdefault(str(shown), set()).add(numbers)
    for cells in (one for one in alike.values() if max(map(max, one)) < 12):
        for place in range(3):
            found = {numbers[place] for numbers in cells}
            assert len(found) > 1 or not 0 < min(found) < CELL_MIN, cells
