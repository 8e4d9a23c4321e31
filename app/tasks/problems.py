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
    "nothing_to_assign": Words(
        "There is nothing to hand out there", "没有可下达的任务",
        "No grid stands there, or no household has gone unseen for so long.",
    ),
}  # fmt: skip
