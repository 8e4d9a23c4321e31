"""The codes that only incidents give to fields, in words."""

from collections.abc import Mapping

from app.core.refusals import Advice

FAULTS: Mapping[str, Advice] = {
    "place_or_address_needed": Advice(
        "须有位置，或网格和地址", "A position, or a grid and an address, is needed",
        "重新定位或填写地址", "Take the position or enter the address."),
    "outside_all_grids": Advice(
        "位置不在任何网格 {within_m} 米之内", "It is not within {within_m} m of any grid",
        "核对位置；必要时改填网格和地址", "Check the position, or give grid and address instead."),
    "not_yours": Advice(
        "这一步由 {who} 办理", "This step is for: {who}",
        "请有权的人办理", "Ask whoever may."),
    "only_online": Advice(
        "这一步须联网办理", "This step is taken online, not by a later sync",
        "联网后在办公端办理", "Take it over the office's interface."),
    "only_with_a_step": Advice(
        "只能随流程步骤填写", "It only comes with a step",
        "与办理步骤一并提交", "Send it together with the step."),
    "not_now": Advice(
        "当前状态（{state}）不能这样做", "Not while it is {state}",
        "同步后再看", "Sync and look again."),
    "not_self_handled": Advice(
        "此类事项不能当场自行处置结案", "This category may not be settled on the spot",
        "请上报", "Report it."),
    "next_level_decides": Advice(
        "须由 {level} 级决定", "The level that decides is: {level}",
        "请该级办理", "Ask that level."),
    "unit_elsewhere": Advice(
        "承办单位不在该网格的上级之中", "That unit does not serve this grid",
        "选择该网格或其上级", "Choose the grid or an area above it."),
    "not_the_next_level": Advice(
        "只能逐级上报或下交", "It goes up or down one level at a time",
        "选择相邻的一级", "Choose the next level."),
    "too_late_to_reopen": Advice(
        "结案已超过 {most} 天", "It was closed more than {most} days ago",
        "请另行上报", "Report it anew."),
    "asked_before": Advice(
        "每个事项只能申请一次延期", "An extension is asked for once only",
        "请按期办理", "Keep to the time."),
    "nothing_asked": Advice(
        "没有待答复的申请", "Nothing has been asked for",
        "同步后再看", "Look again."),
    "not_above": Advice(
        "催办和督办由承办单位的上级进行", "Whoever urges must be above who handles it",
        "请上级办理", "Ask the next level."),
    "party_refused": Advice(
        "一方当事人（{party}）不愿调解，调解终止", "A party ({party}) refuses: mediation has ended",
        "请作废或结案，并告知其他途径", "Cancel or close it, and name other ways."),
    "own_answer": Advice(
        "自己的反馈须由他人核查", "Somebody else must check your own answer",
        "请他人核查", "Ask somebody else."),
    "dispute_names_nobody": Advice(
        "矛盾纠纷不与住户档案关联", "A dispute is never linked to a household",
        "去掉住户", "Leave the household out."),
}  # fmt: skip
