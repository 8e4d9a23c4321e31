"""The codes that only households give to fields, in words."""

from collections.abc import Mapping

from app.core.refusals import Advice

FAULTS: Mapping[str, Advice] = {
    "bands_exceed_total": Advice(
        "各年龄段之和超过总人数", "The age bands exceed the total",
        "核对各年龄段人数", "Check the numbers of each band."),
}  # fmt: skip
