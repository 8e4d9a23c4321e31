"""The catalogue of problems: one stable code, one title in both languages, one next step.

Every error answer is ``application/problem+json`` (RFC 9457). ``code`` never changes; the
words may.
"""

from collections.abc import Mapping
from typing import Any, NamedTuple

from flask import Response, json

PROBLEM_JSON = "application/problem+json"
RETRY_AFTER_S = 5


class Words(NamedTuple):
    """A problem in words."""

    title: str
    title_zh: str
    next_step: str


CATALOGUE: dict[str, Words] = {
    "range_not_satisfiable": Words(
        "There are fewer bytes than that", "所请求的字节超出范围", "Start again without Range."
    ),
    "bad_request": Words("The request cannot be read", "请求无法读取", "Compare it with /docs."),
    "not_json": Words("The body is not JSON", "正文不是 JSON", "Send UTF-8 JSON."),
    "not_utf8": Words("The body is not UTF-8", "正文不是 UTF-8", "Send UTF-8 JSON."),
    "json_too_deep": Words("The JSON is nested too deeply", "JSON 嵌套过深", "At most 32 levels."),
    "number_too_long": Words("A number has too many digits", "数字过长", "At most 19 digits."),
    "key_twice": Words("A key stands twice in one object", "键重复", "Send each key once."),
    "nul_character": Words("A text holds a NUL character", "文本含空字符", "Remove it."),
    "half_a_surrogate": Words(
        "A text is not valid Unicode", "文本编码无效", "Send whole characters."
    ),
    "text_too_long": Words("A text is too long", "文本过长", "At most 65,536 characters."),
    "bad_gzip": Words(
        "The body is not valid gzip", "压缩正文无效", "Send gzip, or no Content-Encoding."
    ),
    "malformed_request": Words(
        "A part of the request has the wrong form", "请求格式有误", "See pointer."
    ),
    "malformed_edit": Words("An edit has no usable number or id", "编辑缺少编号", "See pointer."),
    "invalid_fields": Words(
        "Some fields are wrong", "部分字段有误", "See errors, mend and send again."
    ),
    "not_found": Words("There is nothing here for you", "未找到", "Check the address."),
    "method_not_allowed": Words("This method is not offered here", "不支持该方法", "See Allow."),
    "unsupported_media_type": Words(
        "This content type is not taken", "内容类型不支持", "Send application/json."
    ),
    "not_acceptable": Words("No answer in the wanted form", "无法提供所需格式", "Accept JSON."),
    "token_missing": Words("Sign in first", "请先登录", "Send Authorization: Bearer …"),
    "invalid_token": Words("The token is not valid", "令牌无效", "Refresh, or sign in again."),
    "token_expired": Words("The token has expired", "令牌已过期", "Refresh it."),
    "revoked": Words("This access has been withdrawn", "访问已被撤销", "Ask your supervisor."),
    "https_required": Words(
        "Only https is answered here", "只接受 https 访问", "Send it over https; change the token."
    ),
    "not_allowed": Words("Your role may not do this", "您的角色无权操作", "Ask your supervisor."),
    "second_person_required": Words(
        "A second person must approve this", "需要第二人批准", "Ask a colleague of your level."
    ),
    "reason_required": Words(
        "This may only be seen with a stated reason",
        "须说明理由方可查看",
        "State the reason; it is written down.",
    ),
    "precondition_required": Words("Say which version you saw", "须注明所见版本", "Send If-Match."),
    "version_changed": Words(
        "It has changed since you saw it",
        "内容已被他人修改",
        "Load it again and repeat your change.",
    ),
    "too_large": Words("The request is too large", "请求过大", "Send it in parts."),
    "too_many_edits": Words("Too many edits in one request", "一次编辑过多", "Send at most 100."),
    "too_many_requests": Words(
        "Too many requests", "请求过于频繁", "Wait as long as Retry-After says."
    ),
    "unknown_device": Words("This device is not known", "设备未登记", "POST /api/v1/sync/devices."),
    "device_forked": Words(
        "This number was used by another edit",
        "设备副本冲突",
        "Take a new device id; keep the ids of your edits.",
    ),
    "gap": Words(
        "Edits before these have not arrived", "缺少先前的编辑", "Send from `expected` on."
    ),
    "edit_id_reused": Words(
        "This edit id came before with another body", "编辑号重复", "Use a new id."
    ),
    "bad_cursor": Words(
        "The page cursor makes no sense", "分页游标无效", "Start without a cursor."
    ),
    "transition_not_allowed": Words(
        "This step cannot be taken from here", "当前状态不能执行该操作", "See `possible` in errors."
    ),
    "record_deleted": Words("It has been deleted", "该记录已删除", "Load the list again."),
    "id_taken": Words("There is a record of this id already", "编号已被占用", "Use a new id."),
    "erased": Words(
        "It has been erased by law", "该内容已依法抹除", "Erase your copy; do not send it again."
    ),
    "already_resolved": Words("This conflict has been settled", "该冲突已处理", "Load it again."),
    "not_resolved": Words("There is no choice to undo", "尚未选定，无可撤销", "Load it again."),
    "changed_since": Words(
        "Something newer has been written since",
        "之后已有更新的内容",
        "Load the record; choose again with the version you saw as `seen`, or change it yourself.",
    ),
    "consent_missing": Words(
        "A consent in force is missing",
        "缺少有效的同意",
        "Ask for it, POST /api/v1/consents, then send this again.",
    ),
    "consent_withdrawn": Words(
        "They declined or withdrew; nothing is kept",
        "同意已拒绝或撤回，内容未保存",
        "Take it down anew if they agree later.",
    ),
    "purpose_closed": Words(
        "This purpose is not open: no impact assessment is named",
        "该用途尚未通过影响评估，不能采集",
        "Ask the county to name the assessment and open the purpose.",
    ),
    "data_restricted": Words(
        "This record is only kept, and may not be used",
        "该记录已限制处理，仅作保存",
        "Wait until the restriction is lifted.",
    ),
    "request_stays": Words(
        "A request that was taken down is not changed",
        "已登记的请求不能更改",
        "Take a new one down.",
    ),
    "proof_stays": Words(
        "A consent is a proof and cannot be deleted", "同意记录是凭证，不能删除", "Withdraw it."
    ),
    "consent_ask_again": Words(
        "A consent that was given before the withdrawal does not come back",
        "撤回前的同意不能恢复",
        "Ask the person again, and note the new consent.",
    ),
    "too_many_fields": Words("Too many fields", "字段过多", "Send only fields that are known."),
    "unknown_kind": Words("This kind of record is not known", "未知的记录类型", "See /docs."),
    "waits_for_parked": Words(
        "It waits for an edit that is parked", "须先处理相关的搁置编辑", "Settle that one first."
    ),
    "upgrade_required": Words(
        "This app is too old to receive; its edits are still taken",
        "应用版本过旧，不能再接收；未发送的编辑仍会被接收",
        "Push all edits, then install the present app.",
    ),
    "retry": Words(
        "Busy just now; nothing was lost", "系统繁忙，数据未丢失", "Send the same again."
    ),
    "storage_full": Words("The disk is full", "存储已满", "Try again later; tell the office."),
}


def problem_body(status: int, code: str, extra: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """Return the body of a problem, also for one that is only a part of an answer."""
    words = CATALOGUE.get(code, CATALOGUE["bad_request"])
    return {
        "type": f"urn:wangge:problem:{code}", "title": words.title, "title_zh": words.title_zh,
        "status": status, "code": code, "detail": words.next_step, **(extra or {}),
    }  # fmt: skip


def problem(status: int, code: str, extra: Mapping[str, Any] | None = None) -> Response:
    """Return a problem answer."""
    body = problem_body(status, code, extra)
    response = Response(json.dumps(body), status=status, content_type=PROBLEM_JSON)
    if status in (429, 503, 507):
        response.headers["Retry-After"] = str((extra or {}).get("retry_after_s", RETRY_AFTER_S))
    if status == 401:
        response.headers["WWW-Authenticate"] = 'Bearer realm="wangge"'
    return response
