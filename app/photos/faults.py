"""The codes that only photos give to fields, in words."""

from collections.abc import Mapping

from app.core.refusals import Advice

FAULTS: Mapping[str, Advice] = {
    "place_not_needed": Advice(
        "此类任务不需要拍摄地点", "Where it was taken is not needed here",
        "去掉位置", "Leave the position out."),
    "documents_belong_to_tasks": Advice(
        "证件照片只能用于任务", "A photo of a document belongs to a task",
        "改选用途，或改附于任务", "Choose another purpose, or attach it to a task."),
    "one_subject_needed": Advice(
        "照片须且只须属于一个事件或任务", "A photo belongs to one incident or one task",
        "只选其中一个", "Name one of them."),
    "fixed": Advice(
        "照片登记后不能更改此项", "This cannot be changed once the photo is registered",
        "删除后重新登记", "Delete the photo and register it anew."),
}  # fmt: skip
