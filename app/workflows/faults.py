"""The codes that only workflows give to fields, in words."""

from collections.abc import Mapping

from app.core.refusals import Advice

FAULTS: Mapping[str, Advice] = {
    "grid_stands_already": Advice(
        "该网格已存在", "This grid stands already",
        "为新网格使用新的编号", "Give the new grid a code of its own."),
    "not_a_standing_grid": Advice(
        "没有这个现有网格", "There is no such grid now",
        "选择现有网格", "Choose a grid that stands now."),
    "not_a_part": Advice(
        "不是本次划分出的网格", "It is none of the parts",
        "填写划分后的网格编号", "Name one of the parts."),
}  # fmt: skip
