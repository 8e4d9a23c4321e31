"""Have a picture decoded by a child process that may use little and touch nothing."""

import importlib.util
import json
import subprocess
import sys
import threading
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from app.core.moments import as_text

ROOT = Path(__file__).parents[2]
TIMEOUT_S = 30
ONE_AT_A_TIME = threading.Lock()


@dataclass(frozen=True, slots=True)
class Decoded:
    """What came of a picture: its facts and derivatives, or a fault."""

    facts: dict[str, Any]
    pictures: tuple[bytes, ...] = ()
    fault: str | None = None


@cache
def heic_is_welcome() -> bool:
    """Tell whether the optional reader of HEIC is installed."""
    return importlib.util.find_spec("pillow_heif") is not None


class Died(Exception):
    """The child died over a picture, or took too long; that may be the picture's fault, or not."""


def decode(raw: bytes, parts: Sequence[Sequence[int]], now_ms: int) -> Decoded:
    """Decode a picture.

    Raises:
        Died: as its name says.
    """
    order = json.dumps({"parts": list(parts), "now": as_text(now_ms)}).encode() + b"\n"
    with ONE_AT_A_TIME:
        try:
            child = subprocess.run(
                [sys.executable, "-E", "-s", "-m", "app.decoder"], cwd=ROOT, check=False,
                input=order + raw, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
                timeout=TIMEOUT_S, env={"LC_ALL": "C.UTF-8"},
            )  # fmt: skip
        except subprocess.TimeoutExpired:
            raise Died from None
    if child.returncode:
        raise Died
    return _understood(child.stdout)


def _understood(answer: bytes) -> Decoded:
    line, _, rest = answer.partition(b"\n")
    facts = json.loads(line)
    fault, sizes = facts.pop("fault", None), facts.pop("sizes")
    starts = [sum(sizes[:number]) for number in range(len(sizes))]
    pictures = tuple(rest[at : at + size] for at, size in zip(starts, sizes, strict=True))
    return Decoded(facts, pictures, fault)
