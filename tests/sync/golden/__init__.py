"""Real pushes of every schema of every kind, with the records they must lead to, for ever.

A file is written when its schema is released, and never edited: it stands for phones that
nobody can change any more. SHA256SUMS holds their digests.
"""

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

FOLDER = Path(__file__).parent
SUMS = FOLDER / "SHA256SUMS"


def golden(kind: str, schema: int, **names: Any) -> Mapping[str, Any]:
    """Return one file; each text ``$name`` in it stands for what the test's town calls so."""

    def filled(value: Any) -> Any:
        if isinstance(value, dict):
            return {filled(name): filled(one) for name, one in value.items()}
        if isinstance(value, list):
            return [filled(one) for one in value]
        known = isinstance(value, str) and value.startswith("$")
        return names[value[1:]] if known else value

    path = FOLDER / f"{kind}-schema{schema}.json"
    shape: Mapping[str, Any] = filled(json.loads(path.read_text(encoding="utf-8")))
    return shape


def sums() -> str:
    """Return the digests of all files, one a line."""
    return "".join(
        f"{hashlib.sha256(path.read_bytes()).hexdigest()}  {path.name}\n"
        for path in sorted(FOLDER.glob("*.json"))
    )
