"""All planted bugs in one list, each of which the suite must catch.

    python -m tests.prove.planted --list
    python -m tests.prove.planted --run NAME|all

Bugs of the simulation come from every module ``tests/simulation/sabotage*.py``; those of a prover
from its ``SABOTAGES`` (the prover's ``SHORT`` tells how to run it in its short form; one without
runs its bugs in tests of its own); those that one test catches from ``planted_units.py``.
"""

import argparse
import ast
import importlib
import inspect
import json
import pkgutil
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

from tests import prove, simulation
from tests.prove.planted_units import UNITS
from tests.simulation.run import simulate
from tests.simulation.sabotage import SABOTAGES

SEEDS_MAX = 40
RARE = {
    "tombstones_without_a_floor": 88, "floor_not_raised": 88, "merge_by_equal_values": 66,
    "copy_with_a_cursor_ahead_of_its_rows": 99, "copy_counts_less_than_the_pages_before": 89,
    "page_asked_before_the_copy_is_applied": 89, "followers_of_followers_forgotten": 119,
    "own_release_lets_everything_through": 224, "undo_over_a_newer_value": 278,
    "consent_beats_withdrawal": 313,
}  # fmt: skip
"""Bugs that few histories show: one that does. When histories change, look for another one."""
SIMULATION, UNIT = "simulation", "unit"
MISFITS = ("AttributeError", "TypeError", "NameError", "ImportError")
PLAIN = {"engine": "sqlite", "seed": 1, "rounds": 60}


@dataclass(frozen=True, slots=True)
class Planted:
    """One bug: where it is switched on, what it does, and how it is looked for.

    Attributes:
        caught: switches the bug on and returns what gave it away, None when nothing did.
    """

    place: str
    name: str
    does: str
    caught: Callable[[], str | None]
    shown_by_its_prover: bool = False
    """The tests of its prover run it, in the form that fits it."""


def _modules(package: ModuleType, *, holding: str) -> list[ModuleType]:
    """Import the modules of a package that hold a word; no other is touched."""
    names = [one.name for one in pkgutil.iter_modules(package.__path__)]
    folder = Path(package.__path__[0])
    return [importlib.import_module(f"{package.__name__}.{name}") for name in names
            if not name.startswith("test_") and name != Path(__file__).stem
            and holding in (folder / f"{name}.py").read_text(encoding="utf-8")]  # fmt: skip


def _in_simulation(name: str) -> str | None:
    first = RARE.get(name, 0)
    seeds = range(first, first + SEEDS_MAX)
    found = (simulate(seed, "memory", name).violation for seed in seeds)
    return next((one for one in found if one and not _is_broken(one)), None)


def _is_broken(violation: str) -> bool:
    """Tell whether the bug itself fits no longer into the engine: that proves nothing."""
    return violation.startswith("error") and any(word in violation for word in MISFITS)


def _in_prover(prover: ModuleType, name: str) -> str | None:
    short: Mapping[str, Any] = getattr(prover, "SHORT", None) or {
        key: PLAIN[key] for key in inspect.signature(prover.prove).parameters if key in PLAIN
    }
    violations = prover.prove(**short, sabotage=name)["violations"]
    return str(violations[0]) if violations else None


def _in_unit(name: str) -> str | None:
    bug, test = UNITS[name]
    test()
    try:
        with bug():
            test()
    except AssertionError as fault:
        return f"its test fails: {str(fault)[:200]}"
    return None


def _does(bug: Any) -> str:
    return (inspect.getdoc(bug) or "").split("\n")[0]


def _caller(look: Callable[..., str | None], *told: Any) -> Callable[[], str | None]:
    return lambda: look(*told)


def every_bug() -> dict[str, Planted]:
    """Return all planted bugs under ``place/name``."""
    _modules(simulation, holding="@planted")
    bugs = [Planted(SIMULATION, name, _does(bug), _caller(_in_simulation, name))
            for name, bug in SABOTAGES.items()]  # fmt: skip
    for prover in _modules(prove, holding="SABOTAGES"):
        own = getattr(prover, "SABOTAGES", None)
        if own and own is not SABOTAGES and hasattr(prover, "prove"):
            place = prover.__name__.rpartition(".")[2]
            named = own.items() if isinstance(own, Mapping) else ((name, name) for name in own)
            bugs += [Planted(place, name, _told(prover, bug), _caller(_in_prover, prover, name),
                             not hasattr(prover, "SHORT")) for name, bug in named]  # fmt: skip
    bugs += [Planted(UNIT, name, _does(bug), _caller(_in_unit, name))
             for name, (bug, _) in UNITS.items()]  # fmt: skip
    return {f"{one.place}/{one.name}": one for one in bugs}


def _told(prover: ModuleType, bug: Any) -> str:
    """Say what a prover's bug does: in its own words, those of its server, or by its name."""
    if not isinstance(bug, str):
        return _does(bug)
    if ":" not in bug:
        return bug.replace("_", " ")
    folder, name = Path(prover.__file__ or "").parent, bug.partition(":")[0].rpartition(".")[2]
    words = ast.get_docstring(ast.parse((folder / f"{name}.py").read_text(encoding="utf-8")))
    return (words or "").split("\n")[0]


def main() -> int:
    """List the bugs, or switch one or all on; fail when one goes unnoticed."""
    parser = argparse.ArgumentParser(prog="python -m tests.prove.planted", description=__doc__)
    asked = parser.add_mutually_exclusive_group(required=True)
    asked.add_argument("--list", action="store_true", help="one line for each bug")
    asked.add_argument("--run", metavar="NAME", help="a name, place/name, or all")
    told = parser.parse_args()
    bugs = every_bug()
    if told.list:
        for name, bug in bugs.items():
            print(f"{name:58} {bug.does}")
        return 0
    chosen = {name: bug for name, bug in bugs.items()
              if told.run in ("all", name, bug.name)}  # fmt: skip
    if not chosen:
        parser.error(f"no bug is called {told.run}: see --list")
    return _run(chosen)


def _run(chosen: Mapping[str, Planted]) -> int:
    unnoticed = []
    for name, bug in chosen.items():
        began = time.monotonic()
        caught = bug.caught()
        unnoticed += [] if caught else [name]
        print(json.dumps({"bug": name, "caught": caught,
                          "took_s": round(time.monotonic() - began, 1)},
                         ensure_ascii=False), flush=True)  # fmt: skip
    print(json.dumps({"bugs": len(chosen), "unnoticed": unnoticed}))
    return 1 if unnoticed else 0


if __name__ == "__main__":
    sys.exit(main())
