"""Columns line up although a Chinese character is as wide as two letters."""

from app.phone.columns import cut, row, width


def test_a_chinese_character_counts_as_two() -> None:
    assert width("网格 grid") == 9


def test_columns_begin_at_the_same_cell() -> None:
    lines = [row(("任务", 8), ("x", 4), ("y", 4)), row(("task", 8), ("x", 4), ("y", 4))]
    assert {width(line) for line in lines} == {17}


def test_a_text_that_is_too_long_is_cut_within_its_cells() -> None:
    assert cut("甘润苑社区第一网格", 9) == "甘润苑社…"
    assert cut("short", 9) == "short"
