"""The floors of the house hold: nobody imports upwards or sideways."""

import ast
import os
import subprocess
import sys
import tomllib
from pathlib import Path

from tests.house import tree


def test_every_package_imports_only_lower_floors() -> None:
    linter = Path(sys.executable).parent / "lint-imports"
    result = subprocess.run(
        [linter, "--no-cache"], cwd=tree.ROOT, capture_output=True, text=True, check=False,
        env={**os.environ, "PYTHONPATH": str(tree.ROOT)},
    )  # fmt: skip
    assert result.returncode == 0, result.stdout + result.stderr


def test_the_engine_needs_only_the_standard_library_outside_its_sql_stores_and_its_json() -> None:
    strangers = []
    for path, module in tree.modules("sync"):
        if path.parts[:2] == ("sync", "stores") or path == Path("sync/encoding.py"):
            continue
        for node in module.body:
            for name in _names(node):
                if name not in sys.stdlib_module_names and name != "sync":
                    strangers.append(f"{path}: {name}")
    assert not strangers


def _names(node: ast.stmt) -> set[str]:
    if isinstance(node, ast.ImportFrom):
        return {(node.module or "").split(".")[0]}
    if isinstance(node, ast.Import):
        return {alias.name.split(".")[0] for alias in node.names}
    return set()


def test_every_part_of_the_application_stands_on_a_floor() -> None:
    """A folder that no contract names could import whatever it likes."""
    settings = tomllib.loads((tree.ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    floors = settings["tool"]["importlinter"]["contracts"][0]["layers"]
    named = {name.strip() for floor in floors for name in floor.split("|")}
    there = {
        f"app.{path.stem}"
        for path in (tree.ROOT / "app").iterdir()
        if (path.is_dir() and any(path.glob("*.py"))) or path.suffix == ".py"
    }
    assert there - {"app.__init__"} <= named
