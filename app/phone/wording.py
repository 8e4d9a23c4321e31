"""The words of the phone, Chinese first: states, codes, troubles; each trouble with a mend."""

from collections.abc import Mapping, Sequence
from typing import Any

from app.phone.acts import NotFound, WrongStep
from app.phone.client import ENDED, WIPE, NotEnrolled, SomebodyElse
from app.phone.home import Occupied
from app.phone.lane import NoPicture
from app.phone.line import BUSY, STRANGER, UNREACHED, Away, Refused
from sync.wire import NotJson

OCCUPANCY: Mapping[str, str] = {
    "lived_in": "有人居住 lived in", "empty": "空置 empty", "seasonal": "季节性居住 seasonal",
    "business": "经营用房 business", "unknown": "不明 unknown",
}  # fmt: skip
TASK_STATES: Mapping[str, str] = {
    "assigned": "待接受 assigned", "accepted": "已接受 accepted", "declined": "已谢绝 declined",
    "started": "进行中 started", "done": "已完成 done", "verified": "已核实 verified",
    "returned": "已退回 returned", "cancelled": "已取消 cancelled",
}  # fmt: skip
INCIDENT_STATES: Mapping[str, str] = {
    "draft": "草稿 draft", "reported": "已上报 reported", "verified": "已核实 verified",
    "rejected": "不予受理 rejected", "appealed": "已申诉 appealed", "filed": "已立案 filed",
    "not_filed": "不予立案 not filed", "cancelled": "已作废 cancelled", "closed": "已结案 closed",
}  # fmt: skip
PHOTO_STATES: Mapping[str, str] = {
    "expected": "待传 expected", "stored": "已到达 arrived", "ready": "可查看 ready",
    "rejected": "不被接受 rejected",
}  # fmt: skip
CONFLICT_STATES: Mapping[str, str] = {
    "open": "待选择 open", "settled": "已自动取舍 settled by rule", "resolved": "已选定 resolved",
}  # fmt: skip
FIELDS: Mapping[str, str] = {
    "occupancy": "居住状况 occupancy", "address": "地址 address", "door": "门的位置 door",
    "people": "人口 people", "category": "事件分类 category", "point": "位置 place",
    "progress": "进度 progress", "place": "位置 place", "text": "内容 text", "grid": "网格 grid",
    "photo_count": "照片 photos",
}  # fmt: skip
FAULTS: Mapping[str, str] = {
    "unknown_code": "没有这个代码 no such code", "required": "必填 required",
    "not_a_choice": "不在可选范围内 not one of the choices",
    "wrong_length": "长度不符 wrong length", "wrong_form": "格式不符 wrong form",
    "outside_all_grids": "不在任何网格内 outside all grids",
    "place_or_address_needed": "须有位置或地址 a place or an address is needed",
    "no_such_move": "不能这样流转 no such step from here",
    "not_a_phone": "不是电话号码 not a telephone number",
    "bands_exceed_total": "各年龄段之和超过总人数 age bands exceed the total",
    "unknown_record": "所指记录不存在 no such record",
    "photo_required": "须附照片或说明原因 a photo, or why there is none",
    "photo_forbidden": "此类事项不允许拍照 no photo may be taken of this",
    "place_not_needed": "不需要位置 the place is not needed",
}  # fmt: skip
PARKED: Mapping[str, str] = {
    "invalid_fields": "字段有误 wrong fields", "out_of_scope": "不在您的网格内 outside your grids",
    "not_allowed": "无权操作 not allowed", "unknown_record": "记录不存在 no such record",
    "unknown_kind": "未知的记录类型 unknown kind of record", "id_taken": "记录已存在 already there",
    "record_deleted": "记录已删除 deleted", "malformed_edit": "格式有误 malformed",
    "waits_for_parked": "等待前一条更正 waits for an earlier one",
    "transition_not_allowed": "不能这样流转 no such step from here",
    "photo_required": "须附照片 a photo is asked for",
    "photo_forbidden": "不允许拍照 no photo may be taken",
    "photo_type_refused": "照片格式不支持 no type of picture that we take",
    "photo_damaged": "照片已损坏 damaged", "photo_too_large": "照片像素过多 too many pixels",
    "too_large": "照片文件过大 the file is too large",
    "database_refused": "数据库拒绝 refused by the database", "erased": "已依法清除 erased",
}  # fmt: skip

_AWAY = {
    UNREACHED: ("连不上服务器，您的编辑都在手机上", "no answer from the server: your edits stay",
                "有网络后再执行 sync / sync again when there is a network"),
    BUSY: ("服务器繁忙，您的编辑都在手机上", "the server is busy: your edits stay",
           "稍后再执行 sync / sync again later"),
    STRANGER: ("应答的不是本系统的服务器，您的编辑都在手机上",
               "something else than our server answered: your edits stay",
               "检查地址或网络登录页 / check the address, or the sign-in page of the network"),
}  # fmt: skip


_PLAIN = {
    NotEnrolled: ("这部手机尚未登记", "this phone is not enrolled",
                  "向主管要登记码，再执行 enrol CODE / ask for a code, then: enrol CODE"),
    SomebodyElse: ("手机里还有他人未发送的内容，未作改动",
                   "this phone holds unsent work of somebody else; nothing was changed",
                   "先用原使用人同步，或换一个 --home / sync it first, or use another --home"),
    Occupied: ("另一个命令正在同步这部手机", "another command is syncing this phone",
               "等它结束 / wait for it to end"),
    NotJson: ("内容含无法发送的字符", "the text holds characters that cannot be sent",
              "改掉后再试 / remove them and try again"),
}  # fmt: skip


def trouble(trouble: Exception) -> str:
    """Return the words for any trouble of a phone."""
    match trouble:
        case NoPicture():
            return two(*_no_picture(trouble))
        case Away():
            return away(trouble)
        case Refused():
            return refused(trouble)
        case NotFound():
            return missing(trouble)
        case WrongStep():
            return wrong_step(trouble)
        case _:
            return two(*_PLAIN[type(trouble)])


def _no_picture(trouble: NoPicture) -> tuple[str, str, str]:
    words = PARKED.get(trouble.code, trouble.code)
    return (f"这不是可用的照片：{words}", "this is no picture that the server takes",
            "换一张 JPEG、PNG 或 WebP / take a JPEG, PNG or WebP")  # fmt: skip


def missing(trouble: NotFound) -> str:
    """Return the words for a record that a name does not lead to."""
    chinese, english = ("找不到", "no such") if not trouble.found else ("不止一个", "more than one")
    step = f"用列表里的编号 / take the id from the list: {trouble.kind}"
    return two(f"{chinese} {trouble.name}", f"{english} {trouble.kind} {trouble.name}", step)


def wrong_step(trouble: WrongStep) -> str:
    """Return the words for a task that cannot be taken on."""
    if not trouble.mine:
        return two("这不是派给您的任务", "this task is not assigned to you", "tasks: 我的 mine")
    state = TASK_STATES.get(trouble.state, trouble.state)
    return two(f"任务现在是：{state}", "no such step from here",
               "accept → start → report")  # fmt: skip


def two(chinese: str, english: str, step: str) -> str:
    """Return a message in both languages and its next step."""
    return f"{chinese} / {english}\n→ {step}"


def away(trouble: Away) -> str:
    """Return the words for a server that is not there."""
    chinese, english, step = _AWAY[trouble.reason]
    if trouble.retry_after_s:
        step = f"{trouble.retry_after_s} 秒后 / in {trouble.retry_after_s} s: {step}"
    return two(chinese, english, step)


def refused(trouble: Refused) -> str:
    """Return the server's own words for a refusal, with the fields it names."""
    body = trouble.body
    if trouble.code in ENDED:
        return two(*_ended(trouble))
    lines = two(str(body.get("title_zh", trouble.code)), str(body.get("title", trouble.code)),
                str(body.get("detail", "")))  # fmt: skip
    return "\n".join([lines, *(f"  {fault(one)}" for one in body.get("errors", ()))])


def _ended(trouble: Refused) -> tuple[str, str, str]:
    """Return the words for access that is over, and what becomes of the unsent edits."""
    if trouble.code == WIPE:
        return ("应办公室要求，本机内容已删除", "the office asked for it: this phone was erased",
                "需要时请重新登记 / enrol again when needed")  # fmt: skip
    return (str(trouble.body.get("title_zh")), str(trouble.body.get("title")),
            "未发送的编辑都在；向主管要新登记码，再 enrol / unsent edits are kept; "
            "ask for a new code and enrol again")  # fmt: skip


def fault(error: Mapping[str, Any]) -> str:
    """Return the words for one thing that is wrong with one field."""
    field, code = str(error.get("field")), str(error.get("code"))
    return f"{FIELDS.get(field, field)}: {FAULTS.get(code, code)}"


def reason(receipt: Mapping[str, Any]) -> str:
    """Return why an edit is parked."""
    code = str(receipt.get("code"))
    errors: Sequence[Mapping[str, Any]] = receipt.get("errors", ())
    return "；".join([PARKED.get(code, code), *(fault(one) for one in errors)])


def side(values: Mapping[str, Any]) -> str:
    """Return the values of one side of a conflict."""
    return ", ".join(OCCUPANCY.get(str(one), str(one)) for one in values.values())
