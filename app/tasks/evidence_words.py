"""Why a kind of task asks for a photo, leaves it to the worker, or forbids it: in words."""

from collections.abc import Mapping
from typing import NamedTuple

from app.core.evidence import FORBIDDEN, REQUIRED


class Why(NamedTuple):
    """The reason of an evidence rule."""

    zh: str
    en: str


WHY: Mapping[str, Why] = {
    REQUIRED: Why(
        "须附照片：隐患或设施的状况要让整改的人看得见；拍不了请写明原因",
        "A photo is asked for: whoever mends it must see it; if none can be taken, say why",
    ),
    FORBIDDEN: Why(
        "不得拍照：这是居民的家和私事，文字足够",
        "No photo: this is people's home and their own business; words are enough",
    ),
}
LEFT_OPEN = Why("照片可拍可不拍，有助于说明情况时再拍", "A photo only where it helps to explain")


def why(rule: str) -> Why:
    """Return the reason of an evidence rule."""
    return WHY.get(rule, LEFT_OPEN)
