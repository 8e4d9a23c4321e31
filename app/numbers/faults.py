"""The codes that only numbers give to fields, in words."""

from collections.abc import Mapping

from app.core.refusals import Advice

FAULTS: Mapping[str, Advice] = {
    "area_too_small": Advice(
        "区域过小，可能只涉及一人", "This area is so small that it may be one person's",
        "选择村（社区）或以上", "Choose a village or an area above."),
    "area_too_wide": Advice(
        "区域过大", "This area is too wide",
        "选择乡镇或以下", "Choose a township or an area below."),
    "beyond_history": Advice(
        "该时点在台账之外", "The ledger does not know that moment",
        "选择保留期以内的过去时点", "Choose a past moment that the ledger still holds."),
    "too_many_changes": Advice(
        "此后变动过多", "Too much has changed since then",
        "选择较近的时点或较小的区域", "Choose a later moment or a smaller area."),
}  # fmt: skip
