"""The words of the phone, Chinese first: states, codes, troubles; each trouble with a mend."""

from collections.abc import Mapping, Sequence
from typing import Any

from app.core import refusals
from app.phone.acts import NotAVisit, NotFound, WrongChoice, WrongStep
from app.phone.calls import NumberInText
from app.phone.client import ENDED, WIPE, NotEnrolled, SomebodyElse
from app.phone.forms import NoForm, WrongAnswers
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
    "returned": "已退回 returned", "cancelled": "已取消 cancelled", "expired": "已过期 expired",
}  # fmt: skip
INCIDENT_STATES: Mapping[str, str] = {
    "draft": "草稿 draft", "reported": "已上报 reported", "verified": "已核实 verified",
    "rejected": "不予受理 rejected", "appealed": "已申诉 appealed", "filed": "已立案 filed",
    "not_filed": "不予立案 not filed", "cancelled": "已作废 cancelled", "closed": "已结案 closed",
    "dispatched": "已派遣 dispatched", "claimed": "已签收 claimed", "returned": "已退单 returned",
    "in_progress": "办理中 in progress", "hung": "挂账 hung", "answered": "已反馈 answered",
    "checked": "已核查 checked", "rework": "返工 rework", "followed_up": "已回访 followed up",
    "reopened": "已重开 reopened", "merged": "已并案 merged",
}  # fmt: skip
OUTCOMES: Mapping[str, str] = {
    "met": "见到 met", "nobody_home": "无人 nobody home", "declined": "谢绝 declined",
    "moved": "已搬走 moved", "unsafe_to_enter": "不宜进入 unsafe to enter",
}  # fmt: skip
CONSENT_STATES: Mapping[str | None, str] = {
    None: "未问过 never asked", "given": "已同意 given", "declined": "已谢绝 declined",
    "withdrawn": "已撤回 withdrawn", "expired": "已到期 run out",
}  # fmt: skip
PHOTO_STATES: Mapping[str, str] = {
    "expected": "待传 expected", "stored": "已到达 arrived", "ready": "可查看 ready",
    "rejected": "不被接受 rejected",
}  # fmt: skip
PICTURES: Mapping[str, str] = {
    "photo_type_refused": "照片格式不支持 no type of picture that we take",
    "photo_damaged": "照片已损坏 damaged", "photo_too_large": "照片像素过多 too many pixels",
    "too_large": "照片文件过大 the file is too large",
}  # fmt: skip
CONFLICT_STATES: Mapping[str, str] = {
    "open": "待选择 open", "settled": "已自动取舍 settled by rule", "resolved": "已选定 resolved",
}  # fmt: skip
CHOICES: Mapping[str | None, str] = {"keep": "保留 kept", "swap": "已换 swapped"}
RULES: Mapping[str, str] = {
    "latest": "后写者为准 the later", "open": "请人判断 for people", "text": "同处改动 same lines",
    "proposal": "建议 proposal", "workflow": "进度被超越 overtaken",
    "late": "已先由他人办理 came late", "delete": "删除 deletion",
    "consent": "撤回优先 withdrawal first", "counter": "重新计数 counted anew",
}  # fmt: skip
FIELDS: Mapping[str, str] = {
    "occupancy": "居住状况 occupancy", "address": "地址 address", "door": "门的位置 door",
    "people": "人口 people", "category": "事件分类 category", "point": "位置 place",
    "progress": "进度 progress", "place": "位置 place", "text": "内容 text", "grid": "网格 grid",
    "report_text": "反馈 report", "report_count": "数量 count", "result_text": "处理结果 result",
    "-": "整条记录 whole record", "due_at": "期限 due", "assignee": "承办人 assignee",
    "title": "标题 title", "photo_count": "照片 photos",
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
    WrongChoice: ("这个冲突不能这样处理", "this conflict cannot be settled like that",
                  "看 conflicts 的状态：已选定的用 undo / see its state; undo a choice with undo"),
    NotAVisit: ("只有走访住户的任务可报“无变化”", "only a visit finds nothing changed",
                "其他任务用 report 报完成 / report the others with: report"),
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
        case NumberInText():
            return two("备注里有证件、银行卡或电话号码", "the note holds somebody's numbers",
                       f"可改为 / it may say: {trouble.hint}")  # fmt: skip
        case WrongStep():
            return wrong_step(trouble)
        case NoForm():
            return no_form(trouble)
        case WrongAnswers():
            return "\n".join(fault(one) for one in trouble.faults)
        case _:
            return two(*_PLAIN[type(trouble)])


def _no_picture(trouble: NoPicture) -> tuple[str, str, str]:
    words = PICTURES.get(trouble.code, trouble.code)
    return (f"这不是可用的照片：{words}", "this is no picture that the server takes",
            "换一张 JPEG、PNG 或 WebP / take a JPEG, PNG or WebP")  # fmt: skip


def no_form(trouble: NoForm) -> str:
    """Return the words for a task that shows no form."""
    if trouble.name is None:
        return two("这个任务没有表单", "this task has no form", "report")
    return two(f"表单 {trouble.name} 还不在手机上", "its form is not on this phone yet",
               "有网络时 sync / sync when there is a network")  # fmt: skip


def missing(trouble: NotFound) -> str:
    """Return the words for a record that a name does not lead to."""
    chinese, english = ("找不到", "no such") if not trouble.found else ("不止一个", "more than one")
    step = f"用列表里的编号 / take the id from the list: {trouble.kind}"
    return two(f"{chinese} {trouble.name}", f"{english} {trouble.kind} {trouble.name}", step)


def wrong_step(trouble: WrongStep) -> str:
    """Return the words for a task that cannot be taken on."""
    if not trouble.mine:
        return two("这不是派给您的任务", "this task is not assigned to you",
                   "tasks: 我的 mine / 可领取 free: claim")  # fmt: skip
    state = TASK_STATES.get(trouble.state, trouble.state)
    return two(f"任务现在是：{state}", "no such step from here",
               "accept → start → report → take-back")  # fmt: skip


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
    kept = (
        [f"  技术支持编号 / number for the support: {body['support']}"] if "support" in body else []
    )
    return "\n".join([lines, *(f"  {fault(one)}" for one in body.get("errors", ())), *kept])


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
    advice = refusals.FIELDS.get(code)
    words = error.get("words") or (refusals.words(advice, error) if advice else {})
    return f"{FIELDS.get(field, field)}: {_both(words) or code}"


def reason(parked: Mapping[str, Any]) -> str:
    """Return why an edit is parked, in the server's words."""
    errors: Sequence[Mapping[str, Any]] = parked.get("errors", ())
    whole = _both(parked.get("words") or {}) or str(parked.get("code"))
    return "；".join([whole, *(fault(one) for one in errors)])


def mend(parked: Mapping[str, Any]) -> str:
    """Return what to do about a parked edit: about its fields, if they are what is wrong."""
    told = [one.get("words") or {} for one in parked.get("errors", ())]
    told = told or [parked.get("words") or {}]
    return "；".join(f"{one['mend_zh']} {one['mend']}" for one in told if one)


def _both(words: Mapping[str, str]) -> str:
    return f"{words['zh']} {words['en']}" if words else ""


def side(values: Mapping[str, Any]) -> str:
    """Return the values of one side of a conflict."""
    if "deleted" in values:
        return " · ".join(["已删除 deleted", *filter(None, [values.get("reason")])])
    return ", ".join(OCCUPANCY.get(str(one), str(one)) for one in values.values())
