"""The problems that only the workflows raise, in words."""

from collections.abc import Mapping

from app.core.problems import Words

PROBLEMS: Mapping[str, Words] = {
    "grid_has_ended": Words(
        "This grid stands no longer", "该网格已撤销", "Name the grid that took it over."
    ),
    "area_not_empty": Words(
        "Something is left in this area", "该区域内仍有数据",
        "See `left`: end its posts, move its records, dissolve the areas below first.",
    ),
    "area_has_ended": Words("This area stands no longer", "该区域已撤销", "Refuse it."),
    "not_a_grid": Words("This area is no grid", "该区域不是网格", "Name a grid."),
    "too_many_records": Words(
        "Too many records for one request", "记录过多，不能在一次请求中完成",
        "Let the operator run `flask grids …`, which works in batches.",
    ),
    "flawed_borders": Words(
        "Some borders cannot be used", "部分边界有误", "See errors, mend the rows, send again."
    ),
}  # fmt: skip
