"""The catalogue of refusals: for every code of an edit or a field, what is wrong and what to do.

Codes never change; the words may. Features add the words of their own codes. The parked record,
the office's lists and, when asked for, receipts carry them; docs/refusals.md shows them all.
"""

from collections.abc import Mapping
from typing import Any, NamedTuple

Shape = Mapping[str, Any]


class Advice(NamedTuple):
    """A code in words; ``{names}`` in braces are the limits that the error carries."""

    zh: str
    en: str
    mend_zh: str
    mend: str


_MEND = ("改正后放行", "Correct it and let it through.")
_ASK = ("请有权的主管处理", "Ask a supervisor who may.")
_LATER = ("服务器升级后自动重试", "It is tried again when the server has been upgraded.")
_PHOTOS = {
    "photo_required": Advice(
        "此处须附照片", "A photo is asked for here",
        "拍照，或说明为何没有照片", "Take one, or say why there is none."),
    "photo_forbidden": Advice(
        "此类事项不允许拍照", "No photo may be taken of this",
        "放弃照片，改用文字说明", "Discard the photo and describe it in words."),
}  # fmt: skip

EDITS: dict[str, Advice] = {
    **_PHOTOS,
    "invalid_fields": Advice("部分字段有误", "Some fields are wrong", *_MEND),
    "too_many_fields": Advice(
        "未知字段过多", "Too many or too large unknown fields",
        "升级手机应用后重新填写", "Upgrade the app and enter it again."),
    "malformed_edit": Advice(
        "编辑的格式有误", "The edit is not well formed",
        "内容已完整保存；请升级手机应用并告知技术支持",
        "It is kept whole; upgrade the app and tell the support."),
    "unknown_kind": Advice("服务器尚不认识这种记录", "This kind of record is not known", *_LATER),
    "unknown_op": Advice("服务器尚不认识这种操作", "This operation is not known", *_LATER),
    "cannot_upgrade": Advice(
        "旧版应用的内容无法转换", "An older app's edit could not be brought up to date", *_LATER),
    "out_of_scope": Advice(
        "操作时不在您负责的范围内", "It was outside your area when you did it",
        "由现任负责人核对后放行", "Whoever is in charge there checks it and lets it through."),
    "not_allowed": Advice("您的角色无权进行此操作", "Your role may not do this", *_ASK),
    "second_person_required": Advice(
        "此操作须由第二人批准", "A second person must approve this",
        "请同级或上级放行", "Ask a colleague of your level, or above, to let it through."),
    "reason_required": Advice(
        "此操作须说明理由", "This needs a stated reason", "补充理由", "State the reason."),
    "unknown_record": Advice(
        "找不到这条记录", "There is no such record for you",
        "同步后核对；确已不存在时可放弃", "Sync and look again; discard it if it is really gone."),
    "id_taken": Advice(
        "编号已被另一条记录占用", "There is a record of this id already",
        "在原记录上修改，然后放弃此条", "Change the record that is there, then discard this."),
    "record_deleted": Advice(
        "该记录已被删除", "The record has been deleted",
        "须保留时请办公室恢复记录", "Ask the office to restore the record if it must stay."),
    "erased": Advice(
        "该记录已依法清除", "The record has been erased by law",
        "不能恢复；请放弃此条", "It cannot come back; discard this."),
    "transition_not_allowed": Advice(
        "当前状态不能执行该步骤", "This step cannot be taken from here",
        "同步后按可行的步骤重新办理", "Sync and take a step that is possible now."),
    "overtaken": Advice(
        "该事项已先由他人办理", "Somebody else has taken this further already",
        "您的内容已附在事项上，无须再做", "What you added is kept with it; nothing is left to do."),
    "already_claimed": Advice(
        "任务已由他人承办", "Somebody else has the task now",
        "内容已保存，请主管决定如何采用", "What you did is kept; a supervisor decides about it."),
    "already_resolved": Advice(
        "该冲突已处理", "This conflict has been settled", "无须再做", "Nothing is left to do."),
    "not_resolved": Advice(
        "尚无选定可以撤销", "There is no choice to take back",
        "无须再做", "Nothing is left to do."),
    "changed_since": Advice(
        "之后已有更新的内容", "Something newer stands there since",
        "同步后看过新内容再选", "Sync, look at what stands now, and choose again."),
    "consent_ask_again": Advice(
        "同意已撤回，旧的同意不能恢复", "The consent was withdrawn; an older one cannot come back",
        "请重新征求住户同意", "Ask the household for its consent again."),
    "order_not_open": Advice(
        "应急命令此时无效", "The emergency order does not hold at that time",
        "不再采集；请放弃此条", "Nothing may be entered any more; discard this."),
    "consent_missing": Advice(
        "缺少有效的同意", "A consent in force is missing",
        "征求同意并登记，然后放行", "Ask for it, take it down, then let this through."),
    "consent_withdrawn": Advice(
        "住户已拒绝或撤回同意，内容未保存", "They declined or withdrew; nothing is kept",
        "无须再做", "Nothing is left to do."),
    "purpose_closed": Advice(
        "该用途尚未通过影响评估，不能采集",
        "This purpose is not open: no impact assessment is named",
        "请县级管理员登记评估并开启", "Ask the county to name the assessment and open it."),
    "data_restricted": Advice(
        "该记录已限制处理，仅作保存", "This record is only kept, and may not be used",
        "限制解除后放行，或放弃", "Let it through when the restriction is lifted, or discard it."),
    "request_stays": Advice(
        "已登记的请求不能更改", "A request that was taken down is not changed",
        "如需更改请另行登记", "Take down a new one."),
    "proof_stays": Advice(
        "同意记录是凭证，不能删除", "A consent is a proof and cannot be deleted",
        "改为撤回", "Withdraw it instead."),
    "not_parked": Advice(
        "这条编辑已不在停放区", "This edit is not parked any more",
        "无须再做", "Nothing is left to do."),
    "waits_for_parked": Advice(
        "等待前一条被搁置的编辑", "It waits for an earlier edit that is parked",
        "先处理那一条，本条随后自动放行", "Settle that one; this one follows by itself."),
    "waits_for_discarded": Advice(
        "它所依赖的编辑已被放弃", "What it depended on has been discarded",
        "改指另一条记录后放行，或放弃", "Let it name another record, or discard it."),
    "parking_expired": Advice(
        "搁置满 180 天无人处理，已删除", "It was parked for 180 days and has been deleted",
        "仍需要时请重新填写", "Enter it again if it is still needed."),
    "database_refused": Advice(
        "数据库拒绝保存", "The database refused it", "请告知技术支持", "Tell the support."),
}  # fmt: skip

FIELDS: dict[str, Advice] = {
    **_PHOTOS,
    "required": Advice("必填", "It is required", "填写该字段", "Fill it in."),
    "never_held": Advice(
        "此类信息不得采集，内容未保存", "This must never be held; nothing of it is kept",
        "无须再做；请勿登记此类信息", "Nothing is left to do; do not take such things down."),
    "read_only": Advice(
        "只由系统填写", "Only the server writes it", "去掉该字段", "Leave it out."),
    "group_incomplete": Advice(
        "同组字段须一并填写", "Fields of one group must be given together",
        "补齐同组字段", "Fill in the rest of the group."),
    "not_a_field_name": Advice(
        "字段名无效", "This is no field name", "升级手机应用", "Upgrade the app."),
    "not_text": Advice("不是文字", "It is not a text", "填写文字", "Give a text."),
    "control_character": Advice(
        "含不可见的控制字符", "It holds control characters", "删去后重填", "Remove them."),
    "wrong_length": Advice(
        "长度须为 {least} 到 {most} 个字", "It must have {least} to {most} characters",
        "改短或补充", "Shorten or complete it."),
    "wrong_form": Advice("格式不符", "It has the wrong form", "按要求的格式填写", "Mend the form."),
    "not_a_whole_number": Advice(
        "不是整数", "It is not a whole number", "填写整数", "Give a whole number."),
    "not_a_number": Advice("不是数字", "It is not a number", "填写数字", "Give a number."),
    "out_of_range": Advice(
        "须在 {least} 到 {most} 之间", "It must be from {least} to {most}",
        "改为范围内的值", "Give a value within."),
    "not_true_or_false": Advice(
        "须为是或否", "It must be yes or no", "选择是或否", "Choose one."),
    "not_a_choice": Advice(
        "不在可选范围内", "It is not one of the choices", "从列表中选择", "Choose from the list."),
    "not_an_id": Advice(
        "不是有效的编号", "It is no id", "重新选择记录", "Choose the record again."),
    "not_a_moment": Advice(
        "不是有效的时间", "It is no time", "重新选择时间", "Choose the time again."),
    "zone_missing": Advice(
        "时间缺少时区", "The time has no zone", "升级手机应用", "Upgrade the app."),
    "not_a_position": Advice(
        "不是有效的位置", "It is no position", "重新定位", "Take the position again."),
    "null_island": Advice(
        "定位失败（经纬度为 0）", "The receiver had no position (0, 0)",
        "到室外重新定位", "Take the position again in the open."),
    "not_a_phone": Advice(
        "不是电话号码", "It is no telephone number", "核对号码", "Check the number."),
    "not_a_list": Advice("不是列表", "It is not a list", "升级手机应用", "Upgrade the app."),
    "too_many": Advice("最多 {most} 项", "At most {most}", "删去多余的", "Remove some."),
    "not_an_object": Advice("格式有误", "It is not an object", "升级手机应用", "Upgrade the app."),
    "no_such_move": Advice(
        "不能这样流转；可行：{possible}", "There is no such step; possible: {possible}",
        "选择可行的步骤", "Take a step that is possible."),
    "cannot_add": Advice(
        "该字段不能添加或累加", "Nothing can be added to this field",
        "升级手机应用", "Upgrade the app."),
    "cannot_remove": Advice(
        "该字段不能移除", "Nothing can be removed from this field",
        "升级手机应用", "Upgrade the app."),
    "overtaken": Advice(
        "现为 {state}", "It is {state} now",
        "您的内容已附上", "What you added is kept with it."),
    "no_such_round": Advice(
        "不是当前轮次", "It is not the round that is on",
        "同步后按当前轮次重新办理", "Sync and take the step in the present round."),
    "unknown_record": Advice(
        "所指记录不存在", "The record it names does not exist",
        "改指现有记录", "Name a record that exists."),
    "unknown_code": Advice(
        "没有这个代码", "There is no such code", "从列表中选择", "Choose from the list."),
}  # fmt: skip
_UNKNOWN = Advice("原因 {code}", "Reason: {code}", "请告知技术支持", "Tell the support.")


class _Limits(dict[str, Any]):
    """The limits of an error; one that it does not carry reads as an ellipsis."""

    def __missing__(self, name: str) -> str:
        return "…"


def words(advice: Advice, limits: Shape) -> dict[str, str]:
    """Return an advice with the limits of one error filled in."""
    flat = {name: ", ".join(map(str, v)) if isinstance(v, list | tuple) else v
            for name, v in limits.items()}  # fmt: skip
    said = _Limits(flat)
    return {name: text.format_map(said) for name, text in advice._asdict().items()}


def explained(shape: Shape) -> dict[str, Any]:
    """Return a receipt or a parked edit with words beside its code and each of its errors."""
    code = shape.get("code")
    if code is None:
        return dict(shape)
    told = {**shape, "words": words(EDITS.get(code, _UNKNOWN), {"code": code})}
    if shape.get("errors"):
        told["errors"] = [
            {**error, "words": words(FIELDS.get(error["code"], _UNKNOWN), error)}
            for error in shape["errors"]
        ]
    return told


def as_page() -> str:
    """Write the catalogue as the page docs/refusals.md."""
    head = (
        "# 搁置原因 · Why an edit is parked\n\n"
        "Written by `flask sync refusals --write`; a test finds it when it is out of date. "
        "Codes never change, the words may.\n"
    )
    tables = (("编辑 · Edits", EDITS), ("字段 · Fields", FIELDS))
    return head + "".join(_table(title, catalogue) for title, catalogue in tables)


def _table(title: str, catalogue: Mapping[str, Advice]) -> str:
    rows = "".join(
        f"| `{code}` | {one.zh} · {one.en} | {one.mend_zh} · {one.mend} |\n"
        for code, one in sorted(catalogue.items())
    )
    head = "| code | 原因 · what is wrong | 处理 · what to do |\n|---|---|---|\n"
    return f"\n## {title}\n\n{head}{rows}"
