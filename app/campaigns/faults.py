"""The codes that only emergency campaigns give to fields, in words."""

from collections.abc import Mapping

from app.core.refusals import Advice

FAULTS: Mapping[str, Advice] = {
    "ends_out_of_bounds": Advice(
        "结束时间须晚于开始时间，且不超过一年", "It must end after it begins, within a year",
        "核对起止时间", "Check both dates."),
    "destroyed_too_late": Advice(
        "销毁日期须在结束后 30 天以内", "The data must be destroyed within 30 days of the end",
        "提前销毁日期", "Choose an earlier date of destruction."),
    "outside_county": Advice(
        "区域不属于发布命令的县区", "An area lies outside the county that gives the order",
        "只选本县区内的区域", "Choose areas of the county."),
    "no_such_form": Advice(
        "没有已发布的这个表单", "No such form has been published",
        "先发布表单", "Publish the form first."),
    "only_earlier": Advice(
        "命令的期限只能提前，不能延长", "An order may end earlier, never later",
        "如需延长请另下命令", "Give a new order if it must go on."),
    "not_asked_by_order": Advice(
        "命令没有要求采集这一项", "The order does not ask for this",
        "去掉该字段", "Leave it out."),
    "outside_order": Advice(
        "该网格不在命令的范围内", "The grid lies outside the order",
        "核对网格", "Check the grid."),
}  # fmt: skip
