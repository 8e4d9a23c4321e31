"""What people's rights refuse, in words."""

from collections.abc import Mapping

from app.core.problems import Words

PROBLEMS: Mapping[str, Words] = {
    "request_answered": Words(
        "This request has been answered", "该请求已有答复", "Load it again; see its state."
    ),
    "no_such_person": Words(
        "The request names nobody who is there", "请求所指的人或住户不存在",
        "Look whom it is about; refuse it with a reason if there is nobody.",
    ),
    "purpose_open": Words("This purpose is open", "该用途已开启", "Nothing is left to do."),
}  # fmt: skip
