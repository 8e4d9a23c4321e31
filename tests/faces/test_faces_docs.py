"""What app authors read is what the tests run, and the clients are pinned without a registry."""

import json
import re

from tests.faces.clients import FOLDER, KINDS
from tests.house.tree import ROOT

PAGE = ROOT / "docs" / "faces.md"


def test_the_code_on_the_page_is_the_code_that_the_tests_run() -> None:
    shown = re.findall(r"```js\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)
    run = [FOLDER / "clients" / name for name in ("watermelon.js", "rxdb.js")]
    assert shown == [path.read_text(encoding="utf-8") for path in run]


def test_the_page_names_the_versions_that_the_tests_install() -> None:
    wanted = json.loads((FOLDER / "package.json").read_text(encoding="utf-8"))["dependencies"]
    assert all(re.fullmatch(r"\d+\.\d+\.\d+", version) for version in wanted.values())
    page = PAGE.read_text(encoding="utf-8")
    assert wanted["@nozbe/watermelondb"] in page and wanted["rxdb"] in page


def test_the_lockfile_pins_every_package_and_names_no_registry() -> None:
    text = (FOLDER / "package-lock.json").read_text(encoding="utf-8")
    packages = json.loads(text)["packages"]
    assert '"resolved"' not in text and "registry" not in text
    assert all(one.get("integrity") for name, one in packages.items() if name)


def test_the_columns_of_the_tests_are_fields_of_the_wire() -> None:
    kinds = json.loads((ROOT / "docs" / "kinds.json").read_text(encoding="utf-8"))
    for kind, columns in KINDS.items():
        if kind != "conflict":
            assert {name for name, _ in columns} <= kinds[kind]["fields"].keys()
