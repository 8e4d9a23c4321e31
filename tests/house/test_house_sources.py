"""Every file keeps the rules of the house: size, docstrings, one SQLite, no machine's paths."""

import ast
import re
from collections.abc import Iterator

from tests.house import tree

FILE_LINES_MAX = 400
FUNCTION_LINES_MAX = 40
# A migration is a list of steps in their order, which does not get clearer in parts.
MIGRATIONS = ("migrations", "versions")
SQLITE_DRIVERS = {"sqlite3", "pysqlite3", "sqlean"}
# Folders of people and build machines; put together here so that this file does not hold them.
MACHINE_PATHS = re.compile("|".join(f"/{name}/" for name in ("root", "home", "Users", "work")))


def test_no_file_is_longer_than_400_lines() -> None:
    long = {
        str(path): lines
        for path, _ in tree.modules()
        if path.parts[:2] != MIGRATIONS
        and (lines := len((tree.ROOT / path).read_text(encoding="utf-8").splitlines()))
        > FILE_LINES_MAX
    }
    assert not long


def test_no_function_is_longer_than_40_lines() -> None:
    long = {
        f"{path}:{function.lineno} {function.name}": lines
        for path, module in tree.modules()
        if path.parts[:2] != MIGRATIONS
        for function in tree.functions(module)
        if (lines := (function.end_lineno or 0) - function.lineno + 1) > FUNCTION_LINES_MAX
    }
    assert not long


def test_every_module_says_what_it_is_for() -> None:
    silent = [str(path) for path, module in tree.modules() if not ast.get_docstring(module)]
    assert not silent


def test_every_public_function_of_the_product_says_what_it_does() -> None:
    silent = [
        f"{path}:{function.lineno} {function.name}"
        for path, module in tree.modules("app", "sync")
        for function in _public(module)
        if not ast.get_docstring(function)
    ]
    assert not silent


def _public(module: ast.Module) -> Iterator[ast.FunctionDef]:
    """Yield functions of the module and methods of its classes that others may call."""
    bodies = [module.body] + [node.body for node in module.body if isinstance(node, ast.ClassDef)]
    for body in bodies:
        for node in body:
            if isinstance(node, ast.FunctionDef) and not node.name.startswith("_"):
                yield node


def test_only_one_module_chooses_the_sqlite_driver() -> None:
    """Two copies of SQLite in one process lose each other's locks and corrupt the file.

    The engine says ``sqlite3``, which is the name that the chosen driver takes.
    """
    strangers = [
        f"{path}:{node.lineno}"
        for path, module in tree.modules()
        for node in _running(module)
        if (SQLITE_DRIVERS - ({"sqlite3"} if path.parts[0] == "sync" else set())) & _imported(node)
    ]
    assert not strangers, "import the driver from app.core.driver"


def _imported(node: ast.AST) -> set[str]:
    if isinstance(node, ast.Import):
        return {alias.name.split(".")[0] for alias in node.names}
    if isinstance(node, ast.ImportFrom):
        return {(node.module or "").split(".")[0]}
    return set()


def test_shapely_comes_through_the_one_module_that_keeps_its_geos_apart() -> None:
    """SpatiaLite brings a GEOS for all the process to see; see app.core.geos."""
    strangers = [
        f"{path}:{node.lineno}"
        for path, module in tree.modules("app", "sync", "scripts", "bench")
        for node in _running(module)
        if "shapely" in _imported(node)
    ]
    assert [one for one in strangers if not one.startswith("app/core/geos.py:")] == []


def _running(module: ast.Module) -> Iterator[ast.AST]:
    """Yield the nodes of a module but for what only the type checker reads."""
    unread = {
        id(below)
        for node in ast.walk(module)
        if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test)
        for below in ast.walk(node)
    }
    yield from (node for node in ast.walk(module) if id(node) not in unread)


def test_no_file_names_a_folder_of_somebodys_machine() -> None:
    found = []
    for path in tree.files():
        try:
            text = path.read_text(encoding="utf-8")
        except UnicodeDecodeError:
            continue
        if MACHINE_PATHS.search(text):
            found.append(str(path.relative_to(tree.ROOT)))
    assert not found
