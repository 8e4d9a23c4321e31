"""Write docs/privacy.md from docs/privacy_map.tsv: each demand of the law, and what shows it.

python -m scripts.maps [--write]
"""

import csv
import sys
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[1]
DEMANDS = ROOT / "data" / "compliance_checklist.csv"
MAP = ROOT / "docs" / "privacy_map.tsv"
PAGE = ROOT / "docs" / "privacy.md"
OPEN = "open:"
HEAD = """# 个人信息保护 · Privacy, demand by demand

Made from `docs/privacy_map.tsv` by `python -m scripts.maps --write`; do not edit by hand. The
demands are those of `data/compliance_checklist.csv`: 50 of privacy law (P), 16 of graded
protection (M), with their sources. Each is shown by tests, which `make test` runs; a house test
sees that each test named here exists. What is marked *open* names the part that is to show it.

本页列出各项法定要求及其对应的测试。标为 open 的尚无测试。

| | area | demand | shown by |
|---|---|---|---|
"""


@dataclass(frozen=True, slots=True)
class Demand:
    """One demand: what it says, where from, and what shows that it is met."""

    id: str
    area: str
    text: str
    shown_by: tuple[str, ...]


def demands() -> list[Demand]:
    """Read the demands and what the map says of each.

    Raises:
        KeyError: the map leaves one out.
    """
    with DEMANDS.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    shown = read_map()
    text = "requirement" if "requirement" in rows[0] else list(rows[0])[2]
    return [Demand(row["id"], row["area"], row[text], shown[row["id"]]) for row in rows]


def read_map() -> dict[str, tuple[str, ...]]:
    """Return for each demand the tests, pages and open parts that the map names."""
    lines = MAP.read_text(encoding="utf-8").splitlines()[1:]
    return {name: tuple(shown.split()) for name, shown in (line.split("\t") for line in lines)}


def page() -> str:
    """Return the page as it should be."""
    rows = (f"| {one.id} | {one.area} | {one.text.replace('|', '/')} | {_shown(one)} |"
            for one in demands())  # fmt: skip
    return HEAD + "\n".join(rows) + "\n"


def _shown(one: Demand) -> str:
    return "<br>".join(
        f"*open*: {name.removeprefix(OPEN)}" if name.startswith(OPEN) else f"`{name}`"
        for name in one.shown_by
    )


if __name__ == "__main__":
    if "--write" in sys.argv:
        PAGE.write_text(page(), encoding="utf-8")
    elif PAGE.read_text(encoding="utf-8") != page():
        sys.exit("docs/privacy.md 已过期 / is out of date: python -m scripts.maps --write")
