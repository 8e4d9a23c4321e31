"""The problems that only tasks raise, in words."""

from collections.abc import Mapping

from app.core.problems import Words

PROBLEMS: Mapping[str, Words] = {
    "already_claimed": Words(
        "Somebody else has the task now", "任务已由他人承办", "Load the task: `assignee` has it."
    ),
    "too_many_tasks": Words(
        "These would be too many tasks at once", "一次下达的任务过多",
        "Hand them out area by area; `most` says how many may be made at once.",
    ),
    "households_declined": Words(
        "All of these households said no to this within 180 days",
        "这些住户 180 天内均已拒绝此项用途",
        "They are left in peace; choose others or wait.",
    ),
    "nothing_to_assign": Words(
        "There is nothing to hand out there", "没有可下达的任务",
        "No grid stands there, or no household has gone unseen for so long.",
    ),
}  # fmt: skip
