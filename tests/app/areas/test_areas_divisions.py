"""A CSV of divisions is read as written, and each fault is named with its row."""

from datetime import date
from pathlib import Path

import pytest

from app.areas.divisions import Sheet, check_units, read_divisions
from app.areas.flaws import FlawedFile

DATA = Path(__file__).parents[3] / "data"
DAY = date(2020, 6, 30)
HEADER = "code,name,short_name,level,kind,parent_code,urban_rural_code"
CITY = "620400,白银市,白银市,city,city,620000,"
COUNTY = "620402,白银区,白银区,county,district,620400,"
TOWN = "620402100,水川镇,水川镇,township,town,620402,"
VILLAGE = "620402100208,金锋村村民委员会,金锋村,village,village,620402100,220"


def sheet_of(*lines: str, standing: dict[str, str] | None = None) -> Sheet:
    content = "\n".join([HEADER, *lines]).encode()
    return check_units(read_divisions(content, DAY), standing or {})


def flaws_of(*lines: str) -> list[tuple[int, str]]:
    return [(flaw.row, flaw.code) for flaw in sheet_of(*lines).flaws]


def test_the_edition_of_2020_has_no_fault() -> None:
    content = (DATA / "baiyin_divisions.csv").read_bytes()
    sheet = check_units(read_divisions(content, DAY), {})
    assert (len(sheet.units), sheet.flaws) == (906, ())


@pytest.mark.parametrize(
    ("year", "villages", "communities", "others"),
    [(2019, 703, 118, 1), (2020, 703, 119, 0), (2021, 703, 143, 0), (2022, 702, 146, 3),
     (2023, 702, 155, 3)],
)  # fmt: skip
def test_a_file_of_many_editions_gives_the_one_of_the_year(
    year: int, villages: int, communities: int, others: int
) -> None:
    content = (DATA / "baiyin_divisions_history.csv").read_bytes()
    units = [one for one in read_divisions(content, date(year, 6, 30)) if one.level == "village"]
    kinds = [one.kind for one in units]
    assert [kinds.count(kind) for kind in ("village", "community", "quasi")] == [
        villages, communities, others,
    ]  # fmt: skip


def test_rare_characters_are_read_from_utf8_and_from_gb18030() -> None:
    lines = [CITY, COUNTY, TOWN, VILLAGE.replace("金锋", "大水䃎埫窵窎")]
    text = "\n".join([HEADER, *lines])
    for encoding in ("utf-8", "utf-8-sig", "gb18030"):
        units = read_divisions(text.encode(encoding), DAY)
        assert units[-1].short_name == "大水䃎埫窵窎村"


def test_the_order_of_the_rows_does_not_matter() -> None:
    sheet = sheet_of(VILLAGE, TOWN, COUNTY, CITY)
    assert sheet.flaws == ()
    assert [unit.level for unit in sheet.units] == ["city", "county", "township", "village"]


def test_codes_padded_with_zeros_are_cut_to_their_level() -> None:
    padded = "620402000000,白银区,,county,district,620400000000,"
    town = TOWN.replace(",620402,", ",620402000000,")
    sheet = sheet_of(CITY, padded, town)
    assert sheet.flaws == ()
    assert [(unit.code, unit.parent_code) for unit in sheet.units] == [
        ("620400", ""), ("620402", "620400"), ("620402100", "620402"),
    ]  # fmt: skip


def test_an_unknown_level_is_named() -> None:
    assert flaws_of(CITY, COUNTY.replace("county", "prefecture")) == [(2, "unknown_level")]


def test_a_grid_does_not_belong_into_a_file_of_divisions() -> None:
    grid = "620402100208001,第1网格,,grid,grid,620402100208,"
    assert flaws_of(CITY, COUNTY, TOWN, VILLAGE, grid) == [(5, "unknown_level")]


@pytest.mark.parametrize("code", ["62040", "6204022", "62040a", "", "６２０４０２"])
def test_a_code_of_the_wrong_length_or_letters_is_named(code: str) -> None:
    assert flaws_of(CITY, COUNTY.replace("620402", code, 1)) == [(2, "code_length")]


def test_both_rows_of_a_duplicate_code_are_named() -> None:
    again = COUNTY.replace("白银区", "平川区")
    assert flaws_of(CITY, COUNTY, again) == [(2, "duplicate_code"), (3, "duplicate_code")]


def test_a_missing_parent_is_named_for_all_that_hang_below_it() -> None:
    assert flaws_of(CITY, TOWN, VILLAGE) == [(2, "parent_missing"), (3, "parent_missing")]


def test_a_parent_that_stands_already_need_not_be_in_the_file() -> None:
    assert sheet_of(TOWN, standing={"620402": "county"}).flaws == ()


def test_a_parent_of_the_same_level_or_two_levels_up_is_named() -> None:
    sister = "620402101,强湾乡,,township,township,620402100,"
    orphan = VILLAGE.replace(",620402100,", ",620402,")
    assert flaws_of(CITY, COUNTY, TOWN, sister, orphan) == [
        (4, "parent_level"), (5, "parent_level"),
    ]  # fmt: skip


def test_a_circle_is_named_for_each_unit_in_it() -> None:
    first = "620402101,甲乡,,township,township,620402102,"
    second = "620402102,乙乡,,township,township,620402101,"
    itself = "620402103,丙乡,,township,township,620402103,"
    flaws = flaws_of(CITY, COUNTY, first, second, itself)
    assert flaws == [(3, "circle"), (4, "circle"), (5, "circle")]


@pytest.mark.parametrize(
    ("name", "code"),
    [("", "name_missing"), ("大水?村", "name_damaged"), ("大水\ufffd村", "name_damaged"),
     ("大\x07村", "name_damaged"), ("村" * 101, "text_too_long")],
)  # fmt: skip
def test_a_name_that_nobody_could_read_is_refused(name: str, code: str) -> None:
    line = f"620402,{name},,county,district,620400,"
    assert flaws_of(CITY, line) == [(2, code)]


def test_a_kind_that_does_not_fit_is_refused() -> None:
    assert flaws_of(CITY, COUNTY.replace("district", "d" * 21)) == [(2, "text_too_long")]


@pytest.mark.parametrize(
    ("content", "code"),
    [(b"", "columns_missing"), (b"code,name\n1,2\n", "columns_missing"),
     (b"\xff\xff\xff", "file_unreadable"), (b"\x89PNG\r\n\x1a\n\x00\x00\xff", "file_unreadable")],
)  # fmt: skip
def test_a_file_that_is_no_list_of_divisions_is_refused(content: bytes, code: str) -> None:
    with pytest.raises(FlawedFile) as caught:
        read_divisions(content, DAY)
    assert caught.value.flaw.code == code


def test_a_flaw_says_the_row_the_unit_and_what_to_do_in_two_languages() -> None:
    (flaw,) = sheet_of(CITY, COUNTY.replace("county", "prefecture")).flaws
    assert str(flaw).startswith("第 2 行 / row 2 [620402 prefecture]: ")
    assert "county" in str(flaw) and "层级" in str(flaw)
