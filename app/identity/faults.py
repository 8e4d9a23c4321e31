"""The codes that only identity gives to fields, in words."""

from collections.abc import Mapping

from app.core.refusals import Advice

_LONGER = ("换一个更长的密码", "Choose a longer one.")

FAULTS: Mapping[str, Advice] = {
    "not_a_p256_key": Advice(
        "不是 P-256 公钥", "It is no public key on P-256",
        "重新安装应用", "Install the app again."),
    "password_too_short": Advice("密码过短", "The password is too short", *_LONGER),
    "password_too_long": Advice(
        "密码过长", "The password is too long", "换一个较短的密码", "Choose a shorter one."),
    "password_too_common": Advice(
        "密码太容易猜到", "The password is too easy to guess", "换一个密码", "Choose another one."),
    "password_unchanged": Advice(
        "与原密码相同", "It is the old password", "换一个新密码", "Choose a new one."),
    "wrong_level": Advice(
        "该角色不能任职于这一级（{level}）", "This role is not served at this level ({level})",
        "选择相应级别的区域", "Choose an area of the right level."),
    "area_has_ended": Advice(
        "该区域已撤销", "The area has ended", "选择现有区域", "Choose a present area."),
    "too_far_back": Advice(
        "最多可追溯 {days} 天", "At most {days} days back",
        "改为较近的日期", "Choose a later date."),
    "too_early": Advice(
        "须晚于开始时间", "It must be after the start", "改为较晚的日期", "Choose a later date."),
    "not_to_be_covered": Advice(
        "此人在该区域没有可代管的任职", "This person holds no post there that could be covered",
        "代管（mode=cover）须指明在该区域任职的同事",
        "A cover names a colleague who serves in that area."),
}  # fmt: skip
