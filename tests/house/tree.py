"""Walk the files of the project, without what is made on the spot."""

import ast
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parents[2]
MADE_ON_THE_SPOT = {".git", ".venv", "var", "__pycache__", "node_modules"}
CODE_FOLDERS = ("app", "sync", "migrations", "bench", "scripts", "tests")


def files(*suffixes: str) -> Iterator[Path]:
    """Yield the files with one of these suffixes, or all of them."""
    for path in _below(ROOT):
        if not suffixes or path.suffix in suffixes:
            yield path


def _below(folder: Path) -> Iterator[Path]:
    for path in sorted(folder.iterdir()):
        if path.is_dir():
            hidden_cache = path.name.startswith(".") and path.name != ".ci"
            if path.name not in MADE_ON_THE_SPOT and not hidden_cache:
                yield from _below(path)
        elif path.is_file() and path.name not in MADE_ON_THE_SPOT:
            yield path


def modules(*folders: str) -> Iterator[tuple[Path, ast.Module]]:
    """Yield the Python files of these folders (all code, if none is named), parsed."""
    wanted = folders or CODE_FOLDERS
    for path in files(".py"):
        relative = path.relative_to(ROOT)
        if relative.parts[0] in wanted or (not folders and len(relative.parts) == 1):
            yield relative, ast.parse(path.read_text(encoding="utf-8"), str(relative))


def functions(module: ast.Module) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef]:
    """Yield all functions and methods of a module."""
    for node in ast.walk(module):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield node
