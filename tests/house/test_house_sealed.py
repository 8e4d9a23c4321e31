"""Whoever seals something new enters it in the registry, so that keys can be changed under it."""

import ast

from app.core.cipher import Cipher
from app.core.database import Base
from app.core.records import declared_of
from app.factory import FEATURES
from app.keys.registry import SEALED_BY
from tests.house import tree

SEALING = {"seal", "seal_bytes", "seal_frame", "close", "blind"}
SEALERS = {"cipher", "_cipher", "seal", "streams", "frames"}
REGISTRY = "app/keys/registry.py"


def _seals(source: str) -> bool:
    """Tell whether a module calls a cipher to seal, or to make a value of an index."""
    return any(
        isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.args
        and node.func.attr in SEALING and _named(node.func.value) in SEALERS | {"table", "self"}
        and not (node.func.attr == "close" and _named(node.func.value) != "seal")
        for node in ast.walk(ast.parse(source))
    )  # fmt: skip


def _named(node: ast.AST) -> str:
    """Return the last name of what a method is called on."""
    return getattr(node, "attr", getattr(node, "id", ""))


def test_only_modules_of_the_registry_seal() -> None:
    sealing = {
        path.relative_to(tree.ROOT).as_posix()
        for folder in ("app", "sync")
        for path in sorted((tree.ROOT / folder).rglob("*.py"))
        if _seals(path.read_text(encoding="utf-8"))
    }
    strangers = sealing - SEALED_BY
    assert not strangers, f"enter what these seal in {REGISTRY}, then their names: {strangers}"
    assert SEALED_BY - sealing <= {"app/core/cipher.py", "app/core/sealed.py"}


def test_the_look_for_sealing_modules_finds_one() -> None:
    assert _seals("house.cipher.seal(phone, place)")
    assert _seals("current_engine().cipher.seal_bytes(raw, place)")
    assert _seals("engine.seal.close(kind, record, text)")
    assert not _seals("file.close()")
    assert not _seals("cipher.open(text, place)")


def test_each_sealed_field_and_each_index_has_its_column_in_the_registry() -> None:
    """What is declared sealed is registered by itself; an index is known by its name."""
    engine_of = {one.model.__tablename__: one.model for feature in FEATURES
                 for one in feature.policies}  # fmt: skip
    for name, table in Base.metadata.tables.items():
        blinds = [one.name for one in table.columns if one.name.endswith("_blind")]
        assert not blinds or name in engine_of or name == "user", (name, blinds)
        if name not in engine_of:
            continue
        for column in blinds:
            sealed = column.removesuffix("_blind")
            own = declared_of(engine_of[name]).get(sealed)
            assert (own and own.sealed) or column in engine_of[name].blinds_of({}), column
    assert hasattr(Cipher, "blinds")
