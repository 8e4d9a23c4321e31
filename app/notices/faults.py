"""The codes that only notices give to fields, in words."""

from collections.abc import Mapping

from app.core.refusals import Advice

FAULTS: Mapping[str, Advice] = {
    "areas_or_place": Advice(
        "区域与位置只能选一种", "Either areas or a place, not both",
        "只保留一种送达范围", "Leave one of them out."),
    "ends_before_it_begins": Advice(
        "截止时间须晚于开始时间", "It ends before it begins",
        "核对起止时间", "Check both dates."),
    "too_many_grids": Advice(
        "范围内网格超过 {most} 个", "It touches more than {most} grids",
        "缩小半径，或改选村、乡镇", "Make the circle smaller, or choose villages or townships."),
    "not_an_emergency": Advice(
        "只有应急通知需要逐人确认", "Only emergency notices are acknowledged by name",
        "无须再做", "Nothing is left to do."),
    "no_such_version": Advice(
        "通知没有这个版本", "The notice has no such version",
        "同步后再确认", "Sync, read it, and acknowledge it then."),
}  # fmt: skip
