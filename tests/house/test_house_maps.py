"""The lists that show what is demanded of the product name tests that there are."""

import ast
import json
import re
import subprocess
from pathlib import Path

import pytest

from scripts import maps
from tests.house import tree

PARTS: set[str] = set()
"""Parts of the product that may be named as open: all are there."""
ASVS = tree.ROOT / "docs" / "asvs.tsv"
CHAPTERS = {f"V{n}" for n in range(1, 18)}
STANDS = {"met", "partly", "open", "not applicable"}


def _is_there(name: str) -> bool:
    """Tell whether a test or a page that is named exists."""
    path, _, test = name.partition("::")
    file = tree.ROOT / path
    if not file.is_file():
        return False
    if not test:
        return True
    return any(isinstance(node, ast.FunctionDef) and node.name == test
               for node in ast.parse(file.read_text(encoding="utf-8")).body)  # fmt: skip


def test_every_demand_of_privacy_law_is_shown_by_something() -> None:
    found = maps.demands()
    assert len(found) == 66 == len(maps.read_map())
    assert [one.id for one in found if not one.shown_by] == []


def test_every_test_that_the_map_of_privacy_names_exists() -> None:
    named = {name for one in maps.demands() for name in one.shown_by}
    still_open = {name.removeprefix(maps.OPEN) for name in named if name.startswith(maps.OPEN)}
    assert still_open <= PARTS
    missing = sorted(name for name in named
                     if not name.startswith(maps.OPEN) and not _is_there(name))  # fmt: skip
    assert missing == []


def test_the_page_of_privacy_is_made_from_the_map() -> None:
    assert maps.PAGE.read_text(encoding="utf-8") == maps.page(), "python -m scripts.maps --write"


def test_a_test_that_does_not_exist_would_be_found() -> None:
    here = str(Path(__file__).relative_to(tree.ROOT))
    assert _is_there(f"{here}::test_a_test_that_does_not_exist_would_be_found")
    assert not _is_there(f"{here}::test_of_nothing") and not _is_there("docs/nothing.md")


def _asvs() -> list[list[str]]:
    lines = ASVS.read_text(encoding="utf-8").splitlines()
    return [line.split("\t") for line in lines if not line.startswith("#")][1:]


def test_every_row_of_the_security_standard_has_a_test_or_a_reason() -> None:
    rows = _asvs()
    assert {row[0].split(".")[0] for row in rows} == CHAPTERS
    for row in rows:
        number, sure, level, summary, stands, shown = row
        assert re.fullmatch(r"V\d{1,2}(\.\d{1,2}){1,2}", number), row
        assert sure in ("number", "section") and level in ("1", "2", "1-2"), row
        assert stands in STANDS and summary and shown, row
        if stands == "met":
            assert all(map(_is_there, shown.split())), row


@pytest.mark.parametrize("bad", ["tests/house/test_house_maps.py::nothing", "nowhere.md"])
def test_a_row_that_names_nothing_would_be_found(bad: str) -> None:
    assert not _is_there(bad)


def test_the_list_of_parts_names_every_pinned_package_with_its_licence(tmp_path: Path) -> None:
    target = tmp_path / "sbom.json"
    made = subprocess.run(["scripts/sbom.sh", str(target)], cwd=tree.ROOT, capture_output=True,
                          text=True, check=False)  # fmt: skip
    assert made.returncode == 0, made.stderr
    bom = json.loads(target.read_text(encoding="utf-8"))
    # Of some parts another version goes with another Python.
    parts = {(part["name"].lower(), part["version"]): part for part in bom["components"]}
    lines = (tree.ROOT / "requirements.txt").read_text(encoding="utf-8")
    pinned = re.findall(r"^([A-Za-z0-9_.-]+)(?:\[[^]]*\])?==(\S+)", lines, re.MULTILINE)
    assert bom["bomFormat"] == "CycloneDX" and len(pinned) > 20
    for name, version in pinned:
        assert parts[name.lower(), version].get("licenses"), f"{name} without a licence"
