"""The short form of the long simulation: the same seed lives the same days everywhere."""

import json
import os
import subprocess
import sys
from typing import Any

from tests.prove import sim
from tests.prove.apart import Apart, Aside
from tests.prove.beside import Beside
from tests.prove.country import Plan
from tests.prove.server import ROOT

MONTH = Plan(phones=24, edits=1000, days=30, rests=2, restores=2)
FEW = ("--phones", "20", "--edits", "400", "--days", "6")


def _command(*more: str, hashes: str = "0") -> tuple[int, dict[str, Any]]:
    words = [sys.executable, "-m", "tests.prove.sim", "--engine", "memory", "--seed", "3", *more]
    done = subprocess.run(words, cwd=ROOT, capture_output=True, text=True,
                          env={**os.environ, "PYTHONHASHSEED": hashes})  # fmt: skip
    return done.returncode, json.loads(done.stdout)


def test_all_stores_live_the_same_month_without_a_violation() -> None:
    memory, *others = (sim.prove(engine, 3, MONTH) for engine in sorted(sim.ENGINES))
    assert memory["violations"] == []
    assert memory["days"] >= 25 and memory["restores"] >= 1
    for other in others:
        assert other["violations"] == []
        assert (other["trace"], other["checks"]) == (memory["trace"], memory["checks"])


def test_a_world_judged_beside_itself_is_judged_like_any_other() -> None:
    at_once = sim.prove("memory", 3, MONTH)
    beside = sim.prove("memory", 3, MONTH, aside=Aside(Beside, Apart))
    assert (beside["trace"], beside["checks"]) == (at_once["trace"], at_once["checks"])
    assert at_once["violations"] == beside["violations"] == []


def test_the_same_seed_gives_the_same_trace_in_another_process() -> None:
    (good, one), (_, other) = _command(*FEW, hashes="1"), _command(*FEW, hashes="2")
    assert good == 0 and one["violations"] == []
    assert one["trace"] == other["trace"]
    (_, third) = _command(*FEW, "--seed", "4")
    assert third["trace"] != one["trace"]


def test_a_violation_ends_the_command_with_an_error() -> None:
    code, found = _command(*FEW, "--sabotage", "overlay_dropped_at_the_reply")
    assert code == 1 and found["violations"][0].startswith("own_edit_shown")
