"""Prove that every door says what the authorisation table says, and nothing else.

Every action, role and relation, at every door: REST, lists, edits, pulled rows, copies, photo
addresses, exports, maps, guards and the rows that the database itself shows. What is expected is
read from the table by an oracle of its own (``tests/cells/oracle.py``).

    python -m tests.prove.cells --engine sqlite [--sabotage mask_forgotten]
"""

import time
from contextlib import nullcontext
from typing import Any

from tests.app.core.county import open_county
from tests.cells import sabotage as mistakes
from tests.cells.ask import ask
from tests.cells.world import open_world
from tests.prove.ground import open_app, run_as_command

SHOWN_MAX = 40
SABOTAGES = {name: planted for name, (planted, _) in mistakes.SABOTAGES.items()}


def prove(engine: str, *, seed: int = 1, sabotage: str | None = None) -> dict[str, Any]:
    """Ask every cell at every door; there is one world, so that the seed changes nothing."""
    begun = time.monotonic()
    with open_app(engine) as (app, _):
        world = open_world(open_county(app, app.test_client()))
        with SABOTAGES[sabotage]() if sabotage else nullcontext():
            cells = ask(world)
    return {
        "cells": cells.count, "doors": dict(cells.by_door), "deviations": len(cells.wrong),
        "seconds": round(time.monotonic() - begun, 1), "violations": cells.wrong[:SHOWN_MAX],
    }  # fmt: skip


if __name__ == "__main__":
    run_as_command(prove, list(SABOTAGES), more={})
