"""The problems that only notices have."""

from collections.abc import Mapping

from app.core.problems import Words

PROBLEMS: Mapping[str, Words] = {
    "not_an_emergency": Words(
        "Only emergency notices are acknowledged by name",
        "只有应急通知需要逐人确认",
        "Ask for its progress instead: numbers by area.",
    ),
}
