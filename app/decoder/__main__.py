"""The child that decodes one picture: limits first, then the picture from stdin, the answer out.

stdin: one line of JSON ``{"parts": [...], "now": ...}``, then the picture.
stdout: one line of JSON, ``{"fault": code}`` or the facts with ``"sizes"``, then the derivatives.
"""

import json
import resource
import sys
from datetime import datetime
from typing import Any

MEMORY_BYTES = 400 * 1024 * 1024
CPU_S = 10
PICTURE_BYTES_MAX = 20 * 1024 * 1024


def limit() -> None:
    """Take away what a decoder has no need of: memory, time, files, children."""
    for what, most in (
        (resource.RLIMIT_AS, MEMORY_BYTES), (resource.RLIMIT_CPU, CPU_S),
        (resource.RLIMIT_FSIZE, 0), (resource.RLIMIT_CORE, 0),
    ):  # fmt: skip
        resource.setrlimit(what, (most, most))


def answer(order: dict[str, Any], raw: bytes) -> tuple[dict[str, Any], list[bytes]]:
    """Return the facts and derivatives of a picture, or the fault that speaks against it."""
    from app.decoder.headers import DAMAGED, Unfit
    from app.decoder.pictures import render

    try:
        return render(raw, order["parts"], datetime.fromisoformat(order["now"]))
    except Unfit as unfit:
        return {"fault": unfit.code}, []
    except MemoryError:
        return {"fault": "photo_too_large"}, []
    except Exception:
        # a decoder fails in many ways over a broken picture, and all of them mean this
        return {"fault": DAMAGED}, []


def main() -> None:
    """Decode one picture."""
    limit()
    order = json.loads(sys.stdin.buffer.readline())
    facts, pictures = answer(order, sys.stdin.buffer.read(PICTURE_BYTES_MAX))
    line = json.dumps({**facts, "sizes": [len(one) for one in pictures]})
    sys.stdout.buffer.write(line.encode() + b"\n")
    for one in pictures:
        sys.stdout.buffer.write(one)


if __name__ == "__main__":
    main()
