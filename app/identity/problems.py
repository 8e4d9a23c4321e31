"""The problems that only identity raises, in words."""

from collections.abc import Mapping

from app.core.problems import Words

PROBLEMS: Mapping[str, Words] = {
    "second_factor_needed": Words(
        "The code of your second factor is missing", "密码正确，请输入动态码",
        "Send the same again with `code`: six digits of your app, or a code for recovery.",
    ),
    "second_factor_wrong": Words(
        "This code is not right", "动态码错误",
        "Take the present one; the clock of the phone must be right to half a minute.",
    ),
    "second_factor_used": Words(
        "This code has been used", "动态码已使用", "Wait for the next one, half a minute at most."
    ),
    "second_factor_not_set": Words(
        "Set up a second factor first", "请先设置动态码",
        "POST /api/v1/auth/second-factor, then /api/v1/auth/second-factor/confirm with a code.",
    ),
    "no_factor_waits": Words(
        "There is no new second factor to confirm", "没有待确认的动态码",
        "POST /api/v1/auth/second-factor first.",
    ),
    "password_change_needed": Words(
        "Choose a password of your own first", "请先修改密码", "POST /api/v1/auth/password."
    ),
    "temporary_password_expired": Words(
        "This first password has expired", "临时密码已过期", "Ask your superior for a new one."
    ),
    "no_office_access": Words(
        "This person has no office access", "此人没有办公登录", "Phones get enrolment codes."
    ),
    "step_up_needed": Words(
        "Prove again who you are", "请再次验证身份",
        "POST `fields` to the address in `call`; then repeat this within five minutes.",
    ),
    "wrong_proof_here": Words(
        "This session is proved in another way", "此会话须以其他方式验证", "Send `fields`."
    ),
    "already_decided": Words(
        "This has been decided", "已有审批结论", "Load it again; ask anew if you still need it."
    ),
    "approval_expired": Words(
        "Nobody decided within seven days", "七日内无人审批，已失效", "Ask again."
    ),
    "asker_lost_right": Words(
        "Whoever asked for this may not do it any more", "申请人已无此权限", "Refuse it."
    ),
    "too_many_waiting": Words(
        "Too much of what you asked for waits for a second person", "待审批事项过多",
        "Wait for decisions, or withdraw some.",
    ),
    "nothing_to_reveal": Words(
        "You may see this without a reason", "无需说明理由即可查看", "Read it."
    ),
    "approval_needed": Words(
        "Somebody else must agree first: it concerns a minor", "涉及未成年人，需他人批准",
        "POST /reveal with a reason; a colleague approves it at /api/v1/approvals.",
    ),
    "wrong_credentials": Words(
        "Login or password is wrong", "用户名或密码错误", "Check both; upper and lower case count."
    ),
    "session_expired": Words(
        "The session has expired", "会话已过期", "Sign in, or enrol the phone, again."
    ),
    "token_reused": Words(
        "An old refresh token came back: this session was ended", "旧令牌被重复使用，会话已终止",
        "Sign in, or enrol the phone, again; tell your supervisor if this was not you.",
    ),
    "bad_proof": Words(
        "The proof of the device key is missing or wrong", "设备密钥证明缺失或错误",
        "Sign the refresh token and the time with the key of this phone.",
    ),
    "stale_proof": Words(
        "The proof is too old, or was used before", "设备密钥证明已过期",
        "Take the time from `now`, later than `after`, and sign again.",
    ),
    "code_unknown": Words("This code is not known", "登记码无效", "Ask for a new code."),
    "code_expired": Words("This code has expired", "登记码已过期", "Ask for a new code."),
    "code_used": Words("Another phone has used this code", "登记码已被使用", "Ask for a new code."),
    "no_serving_post": Words(
        "This person serves nowhere with a phone", "此人没有需要手机的岗位",
        "Give a post as grid worker, village lead or township supervisor first.",
    ),
    "above_your_level": Words(
        "Nobody gives rights above the own level", "不能授予高于本人级别的权限",
        "Ask the next level up.",
    ),
    "not_to_yourself": Words(
        "Nobody gives rights to himself", "不能给自己授权", "Ask a colleague or your supervisor."
    ),
    "login_taken": Words("This login is taken", "用户名已被占用", "Choose another one."),
    "phone_taken": Words(
        "Somebody has this telephone number already", "该电话号码已被登记",
        "One account is one person: give the one who stands a further post.",
    ),
    "post_held": Words(
        "This post is held already", "此岗位已存在", "End the other one first, or change the dates."
    ),
    "key_reused": Words(
        "This Idempotency-Key came before with another body", "幂等键重复使用", "Use a new key."
    ),
    "device_wipe": Words(
        "This phone is to erase what it holds", "本机须清除数据",
        "Send what `expected` asks for if `drain` is given; erase everything of Wangge; then hand "
        "in `ticket` at /sync/wiped.",
    ),
    "device_drain": Words(
        "This phone may only send what it holds", "本机只能上传未发送的内容",
        "POST /sync/exchange with the unsent edits; then it is told to erase itself.",
    ),
    "ticket_unknown": Words(
        "This ticket is not ours", "回执凭证无效", "Send the `ticket` of the order to erase."
    ),
}  # fmt: skip
