"""The codes that only tasks give to fields, in words."""

from collections.abc import Mapping

from app.core.refusals import Advice

FAULTS: Mapping[str, Advice] = {
    "does_not_serve_grid": Advice(
        "此人现不服务该网格", "This person does not serve the grid now",
        "选择该网格的网格员", "Choose a worker of the grid."),
    "already_claimed": Advice(
        "已由 {name} 承办", "{name} has it now",
        "内容已保存，请主管决定如何采用", "What you did is kept; a supervisor decides about it."),
    "undo_too_late": Advice(
        "超过 {hours} 小时，不能自行撤回", "It was reported more than {hours} hours ago",
        "请主管退回任务", "Ask a supervisor to return the task."),
    "task_has_begun": Advice(
        "任务已开始，不能放回任务池", "The task has begun and cannot go back to the pool",
        "改派给另一网格员", "Give it to another worker."),
    "household_declined": Advice(
        "住户 180 天内已拒绝此项用途，暂不打扰",
        "The household said no to this within 180 days and is left in peace",
        "期满后再派，或由住户主动提出", "Wait, or until the household asks for it."),
    "not_about_a_household": Advice(
        "只有走访住户的任务可报“无变化”", "Only a visit to a household can find nothing changed",
        "填写办理情况后报完成", "Say what was done and report it as done."),
}  # fmt: skip
