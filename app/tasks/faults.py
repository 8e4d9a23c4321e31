"""The codes that only tasks give to fields, in words."""

from collections.abc import Mapping

from app.core.refusals import Advice

FAULTS: Mapping[str, Advice] = {
    "does_not_serve_grid": Advice(
        "此人现不服务该网格", "This person does not serve the grid now",
        "选择该网格的网格员", "Choose a worker of the grid."),
}  # fmt: skip
