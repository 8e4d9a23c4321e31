"""The problems that only forms raise, in words."""

from collections.abc import Mapping

from app.core.problems import Words

PROBLEMS: Mapping[str, Words] = {
    "form_has_faults": Words(
        "This form cannot be taken as it is", "表单有误，不能采用",
        "See errors: each names its place in the definition.",
    ),
    "form_is_fixed": Words(
        "This version was published and never changes", "该版本已发布，不可更改",
        "Write a draft: it becomes the next version.",
    ),
    "form_not_published": Words(
        "Only a published version can be retired", "只有已发布的版本可以停用",
        "See the state of the version in the list.",
    ),
}  # fmt: skip
