"""Editions, grids and borders are imported over what stands, and history stays readable."""

from collections import Counter
from datetime import date, timedelta
from typing import Any

import pytest
import shapely
import sqlalchemy as sa
from sqlalchemy.orm import Session

from app.areas import checks, imports, services
from app.areas.boundaries import Layer, check_features
from app.areas.datum import Datum
from app.areas.drawing import Origin
from app.areas.flaws import FlawedFile
from app.areas.layers import read_layer
from app.areas.models import Area, AreaBorder, AreaVersion
from tests.app.areas.house import (
    DATA,
    EDITION,
    FIRST_VILLAGE,
    HISTORY,
    grid_layer,
    import_counties,
    import_edition,
    import_grid_layer,
)

ORIGIN = Origin("wgs84", "测绘院 2021", 0.5)


def counts_of(session: Session) -> Counter[tuple[str, str]]:
    """Count standing areas by level and kind."""
    rows = session.execute(
        sa.select(Area.level, AreaVersion.kind)
        .join(AreaVersion, AreaVersion.area_id == Area.id)
        .where(Area.valid_until.is_(None), AreaVersion.valid_until.is_(None))
    )
    return Counter((level, kind) for level, kind in rows)


def test_five_editions_over_one_another_keep_the_counts_of_each_year(session: Session) -> None:
    expected = {
        2019: (79, 703, 118, 1), 2020: (78, 703, 119, 0), 2021: (78, 703, 143, 0),
        2022: (78, 702, 146, 3), 2023: (78, 702, 155, 3),
    }  # fmt: skip
    changes: Counter[str] = Counter()
    for year, numbers in expected.items():
        prepared, written = import_edition(session, HISTORY, date(year, 6, 30))
        assert prepared.flaws == ()
        if year > 2020:
            changes.update(written.counts)
        if year == 2020:
            assert (written.counts["renamed"], written.counts["ended"]) == (12, 2)
        found = counts_of(session)
        townships = sum(count for (level, _), count in found.items() if level == "township")
        villages = tuple(found["village", kind] for kind in ("village", "community", "quasi"))
        assert (townships, *villages) == numbers
        assert found["county", "county"] + found["county", "district"] == 5
    assert {name: count for name, count in changes.items() if count} == {"added": 41, "ended": 3}


def test_nothing_is_deleted_and_every_state_can_be_read_again(session: Session) -> None:
    for year in range(2019, 2024):
        import_edition(session, HISTORY, date(year, 6, 30))
    assert session.scalar(sa.select(sa.func.count()).select_from(Area)) == 949
    assert session.scalar(sa.select(sa.func.count()).select_from(AreaVersion)) == 961
    ended = services.area_of_code(session, "620423103217", date(2021, 12, 31))
    assert ended is not None
    assert services.area_of_code(session, "620423103217", date(2022, 6, 30)) is None
    renamed = services.area_of_code(session, "620423103200", date(2023, 6, 30))
    names = session.execute(
        sa.select(AreaVersion.short_name, AreaVersion.valid_from, AreaVersion.valid_until)
        .where(AreaVersion.area_id == renamed)
        .order_by(AreaVersion.valid_from)
    ).all()
    assert [tuple(row) for row in names] == [
        ("大水奓村", date(2019, 6, 30), date(2020, 6, 30)), ("大水䃎村", date(2020, 6, 30), None),
    ]  # fmt: skip


def test_rare_characters_come_back_as_they_went_in(session: Session) -> None:
    import_edition(session, DATA / "baiyin_divisions.csv", EDITION)
    names = set(session.scalars(sa.select(AreaVersion.short_name)))
    assert {"大水䃎村", "葛埫村", "窵岔村", "中窎村"} <= names


def test_the_same_edition_again_writes_nothing(session: Session) -> None:
    import_edition(session, HISTORY, date(2020, 6, 30))
    _, written = import_edition(session, HISTORY, date(2020, 6, 30))
    assert not any(written.counts.values())


def test_an_older_edition_is_refused(session: Session) -> None:
    import_edition(session, HISTORY, date(2021, 6, 30))
    with pytest.raises(FlawedFile, match="edition_older"):
        import_edition(session, HISTORY, date(2020, 6, 30))


def test_paths_lead_from_the_city_to_the_village(session: Session) -> None:
    import_edition(session, DATA / "baiyin_divisions.csv", EDITION)
    area_id = services.area_of_code(session, FIRST_VILLAGE, EDITION)
    assert area_id is not None
    path = services.paths_of(session, [area_id, 10**9])[area_id]
    codes = [
        session.scalar(sa.select(AreaVersion.code).where(AreaVersion.area_id == one))
        for one in services.ancestors_of(path)
    ]
    assert codes == ["620400", FIRST_VILLAGE[:6], FIRST_VILLAGE[:9]]
    assert path.endswith(f".{area_id}.")


EDITED = [
    ("620402", "白银区", "county", "620400"), ("620403", "平川区", "county", "620400"),
    ("620402100", "水川镇", "township", "620402"), ("620402101", "强湾乡", "township", "620402"),
    ("620402100208", "金锋村", "village", "620402100"),
    ("620402100209", "白茨滩村", "village", "620402100"),
]  # fmt: skip


def edition_csv(rows: list[tuple[str, ...]], more: str = "") -> bytes:
    lines = [f"{code},{name},{level},{level},{parent},{more}" for code, name, level, parent in rows]
    head = "code,name,level,kind,parent_code,previous_code"
    return "\n".join([head, "620400,白银市,city,city,620000,", *lines]).encode()


def import_csv(session: Session, content: bytes, day: date) -> imports.Written:
    prepared = imports.prepare_divisions(session, content, day)
    assert prepared.flaws == ()
    return imports.write(session, prepared, day.isoformat(), ORIGIN)


def code_path(session: Session, code: str, day: date) -> list[str]:
    area_id = services.area_of_code(session, code, day)
    assert area_id is not None
    ids = services.ancestors_of(services.paths_of(session, [area_id])[area_id])
    names = services.names_of(session, ids)
    return [names[one].split()[0] for one in ids]


def test_a_moved_township_takes_everything_below_it_along(session: Session) -> None:
    import_csv(session, edition_csv(EDITED), EDITION)
    import_grid_layer(session, grid_layer("620402100208", 2), EDITION)
    moved = [
        (code, name, level, "620403" if code == "620402100" else parent)
        for code, name, level, parent in EDITED
    ]
    # One village leaves the township on the same day, against the stream.
    moved[-1] = ("620402100209", "白茨滩村", "village", "620402101")
    day = EDITION + timedelta(days=365)
    written = import_csv(session, edition_csv(moved), day)
    assert {name: n for name, n in written.counts.items() if n} == {"moved": 2}
    assert code_path(session, "620402100208001", day) == [
        "620400", "620403", "620402100", "620402100208",
    ]  # fmt: skip
    assert code_path(session, "620402100209", day) == ["620400", "620402", "620402101"]
    assert (
        list(checks.tree_findings(checks.area_rows(session), checks.standing_shapes(session))) == []
    )
    area_id = services.area_of_code(session, "620402100", day)
    parents = session.scalars(
        sa.select(AreaVersion.parent_id)
        .where(AreaVersion.area_id == area_id)
        .order_by(AreaVersion.valid_from)
    ).all()
    assert len(set(parents)) == 2


def test_a_unit_with_a_new_code_keeps_its_id(session: Session) -> None:
    import_csv(session, edition_csv(EDITED), EDITION)
    before = services.area_of_code(session, "620402100208", EDITION)
    day = EDITION + timedelta(days=365)
    content = edition_csv(EDITED).replace(
        "620402100208,金锋村,village,village,620402100,".encode(),
        "620402100308,金锋村,village,village,620402100,620402100208".encode(),
    )
    written = import_csv(session, content, day)
    assert {name: n for name, n in written.counts.items() if n} == {"recoded": 1}
    assert services.area_of_code(session, "620402100308", day) == before
    assert services.area_of_code(session, "620402100208", day) is None
    assert services.area_of_code(session, "620402100208", EDITION) == before


def test_a_wrong_file_of_the_day_is_put_right_by_the_right_one(session: Session) -> None:
    import_csv(session, edition_csv(EDITED), EDITION)
    before = services.area_of_code(session, "620402100209", EDITION)
    import_grid_layer(session, grid_layer("620402100209", 1), EDITION)
    day = EDITION + timedelta(days=365)
    wrong = [row for row in EDITED if row[0] != "620402100209"]
    wrong[4] = ("620402100208", "金蜂村", "village", "620402100")
    import_csv(session, edition_csv(wrong), day)
    written = import_csv(session, edition_csv(EDITED), day)
    assert {name: n for name, n in written.counts.items() if n} == {"revived": 1, "renamed": 1}
    assert services.area_of_code(session, "620402100209", day) == before
    assert import_csv(session, edition_csv(EDITED), day).counts["renamed"] == 0


def test_faulty_rows_end_no_unit(session: Session) -> None:
    import_csv(session, edition_csv(EDITED), EDITION)
    day = EDITION + timedelta(days=365)
    damaged = edition_csv(EDITED).replace("白茨滩村".encode(), "白茨?村".encode())
    prepared = imports.prepare_divisions(session, damaged, day)
    assert [(flaw.row, flaw.code) for flaw in prepared.flaws] == [(7, "name_damaged")]
    assert not any(imports.write(session, prepared, "2021", ORIGIN).counts.values())


@pytest.fixture
def divided(session: Session) -> Session:
    """A session in which the divisions of 2020 stand."""
    import_edition(session, DATA / "baiyin_divisions.csv", EDITION)
    return session


def test_grids_come_with_border_datum_accuracy_and_source(divided: Session) -> None:
    written = import_grid_layer(divided, grid_layer(FIRST_VILLAGE, 3), EDITION)
    assert (written.counts["added"], written.counts["drawn"]) == (3, 3)
    village = services.area_of_code(divided, FIRST_VILLAGE, EDITION)
    assert village is not None
    assert services.grids_below(divided, village) == list(written.area_ids)
    border = divided.scalars(sa.select(AreaBorder).limit(1)).one()
    assert (border.datum_in, border.accuracy_m, border.source, border.valid_until) == (
        "gcj02", 0.5, "测绘院 2021", None,
    )  # fmt: skip


def test_a_redrawn_grid_closes_its_old_border(divided: Session) -> None:
    import_grid_layer(divided, grid_layer(FIRST_VILLAGE, 2), EDITION)
    day = EDITION + timedelta(days=100)
    written = import_grid_layer(divided, grid_layer(FIRST_VILLAGE, 2, wider=0.001), day)
    assert {name: n for name, n in written.counts.items() if n} == {"drawn": 2}
    rows = divided.execute(
        sa.select(AreaBorder.valid_from, AreaBorder.valid_until).order_by(AreaBorder.id)
    ).all()
    assert [tuple(row) for row in rows] == [(EDITION, day)] * 2 + [(day, None)] * 2


def test_the_same_borders_again_draw_nothing(divided: Session) -> None:
    import_grid_layer(divided, grid_layer(FIRST_VILLAGE, 2), EDITION)
    written = import_grid_layer(divided, grid_layer(FIRST_VILLAGE, 2), EDITION + timedelta(days=9))
    assert not any(written.counts.values())


def test_a_border_older_than_the_standing_one_is_refused(divided: Session) -> None:
    import_grid_layer(divided, grid_layer(FIRST_VILLAGE, 2), EDITION)
    import_grid_layer(
        divided, grid_layer(FIRST_VILLAGE, 2, wider=0.001), EDITION + timedelta(days=9)
    )
    with pytest.raises(FlawedFile, match="edition_older"):
        import_grid_layer(divided, grid_layer(FIRST_VILLAGE, 2), EDITION + timedelta(days=1))


@pytest.mark.parametrize(
    ("change", "code"),
    [({"code": "62040200100100"}, "code_length"), ({"name": ""}, "name_missing"),
     ({"parent_code": "620402999999"}, "parent_missing"),
     ({"parent_code": "620402001"}, "parent_level")],
)  # fmt: skip
def test_a_grid_with_a_fault_is_named_and_left_out(
    divided: Session, change: dict[str, Any], code: str
) -> None:
    layer = grid_layer(FIRST_VILLAGE, 2, change=change)
    prepared = imports.prepare_grids(divided, layer, EDITION)
    assert [(flaw.row, flaw.code) for flaw in prepared.flaws] == [(1, code)]
    assert imports.write(divided, prepared, "2020", ORIGIN).counts["added"] == 1


def test_a_grid_without_parent_code_hangs_below_the_village_of_its_code(divided: Session) -> None:
    import_grid_layer(divided, grid_layer(FIRST_VILLAGE, 1, change={"parent_code": ""}), EDITION)
    assert code_path(divided, f"{FIRST_VILLAGE}001", EDITION)[-1] == FIRST_VILLAGE


def test_county_borders_are_kept_whole(divided: Session) -> None:
    written = import_counties(divided)
    assert written.counts["drawn"] == 5
    jingyuan = services.area_of_code(divided, "620421", EDITION)
    shapes = checks.standing_shapes(divided)
    assert jingyuan is not None and len(shapes[jingyuan].geoms) == 2
    rows = checks.area_rows(divided)
    (group,) = checks.groups_of(rows, shapes)
    assert list(checks.ground_findings(rows, shapes, group, smallest_m2=1.0)) == []


def test_a_border_of_an_unknown_code_is_named(divided: Session) -> None:
    layer = check_features(read_layer(DATA / "baiyin_counties.geojson"), Datum.CGCS2000)
    unknown = Layer((*layer.features[1:], grid_layer("620499", 1).features[0]), ())
    prepared = imports.prepare_borders(divided, unknown, EDITION)
    assert [flaw.code for flaw in prepared.flaws] == ["unknown_area"]


def kinds_found(session: Session) -> Counter[str]:
    rows, shapes = checks.area_rows(session), checks.standing_shapes(session)
    found = [*checks.tree_findings(rows, shapes)]
    for group in checks.groups_of(rows, shapes):
        found += checks.ground_findings(rows, shapes, group)
    return Counter(one.kind for one in found)


def test_the_check_finds_grids_outside_overlapping_and_without_border(divided: Session) -> None:
    import_counties(divided)
    import_grid_layer(divided, grid_layer(FIRST_VILLAGE, 3), EDITION)
    assert kinds_found(divided) == {}
    import_grid_layer(divided, grid_layer(FIRST_VILLAGE, 4, wider=0.0005), EDITION)
    assert kinds_found(divided) == {"overlap": 3}
    import_grid_layer(divided, grid_layer("620422100200", 1), EDITION)
    assert kinds_found(divided)["outside"] == 1
    divided.execute(sa.delete(AreaBorder).where(AreaBorder.area_id == sa.select(
        sa.func.max(Area.id)).scalar_subquery()))  # fmt: skip
    assert kinds_found(divided)["no_border"] == 1


def test_the_check_finds_circles_wrong_paths_and_lost_parents(divided: Session) -> None:
    first, second = services.areas_of_codes(divided, ["620402100", "620402101"], EDITION).values()
    divided.execute(sa.update(Area).where(Area.id == first).values(parent_id=second))
    divided.execute(sa.update(Area).where(Area.id == second).values(parent_id=first))
    assert kinds_found(divided)["circle_or_path"] >= 2
    ended = services.area_of_code(divided, FIRST_VILLAGE[:9], EDITION)
    divided.execute(sa.update(Area).where(Area.id == ended).values(valid_until=EDITION))
    villages = sa.select(sa.func.count()).where(Area.parent_id == ended)
    assert kinds_found(divided)["ended_parent"] == divided.scalar(villages) > 1


def test_an_unfinished_county_has_no_gap_but_a_hole_is_one(divided: Session) -> None:
    import_counties(divided)
    layer = grid_layer(FIRST_VILLAGE, 1)
    (one,) = layer.features
    hole = one.shape.centroid.buffer(0.001)
    holed = shapely.MultiPolygon([shapely.Polygon(one.shape.geoms[0].exterior, [hole.exterior])])
    import_grid_layer(divided, Layer((type(one)(1, one.code, one.name, "", holed),), ()), EDITION)
    assert kinds_found(divided) == {"gap": 1}


def test_importing_an_edition_costs_a_constant_number_of_statements(
    session: Session, statements: list[str]
) -> None:
    import_edition(session, DATA / "baiyin_divisions.csv", EDITION)
    # sqlalchemy cuts long inserts into pages; a statement for each unit would be thousands.
    assert len(statements) < 40
