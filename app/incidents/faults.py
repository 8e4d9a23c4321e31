"""The codes that only incidents give to fields, in words."""

from collections.abc import Mapping

from app.core.refusals import Advice

FAULTS: Mapping[str, Advice] = {
    "place_or_address_needed": Advice(
        "须有位置，或网格和地址", "A position, or a grid and an address, is needed",
        "重新定位或填写地址", "Take the position or enter the address."),
    "outside_all_grids": Advice(
        "位置不在任何网格 {within_m} 米之内", "It is not within {within_m} m of any grid",
        "核对位置；必要时改填网格和地址", "Check the position, or give grid and address instead."),
}  # fmt: skip
