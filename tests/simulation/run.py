"""Run one seed on one store, with or without a planted bug."""

import importlib
import pkgutil
import traceback
from collections.abc import Mapping
from dataclasses import dataclass

import tests.simulation
from tests.simulation.demands import Violation
from tests.simulation.sabotage import SABOTAGES
from tests.simulation.stands import STANDS
from tests.simulation.world import World

DETAIL_MAX = 600

# Each module registers its planted bugs when it is imported.
for _module in pkgutil.iter_modules(tests.simulation.__path__):
    if _module.name.startswith("sabotage_"):
        importlib.import_module(f"tests.simulation.{_module.name}")


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of one seed."""

    seed: int
    violation: str | None
    figures: Mapping[str, int]
    checks: Mapping[str, int]


def simulate(seed: int, store: str, sabotage: str | None = None) -> Outcome:
    """Run one seed; an error of the engine counts as a violation."""
    world = World(seed, STANDS[store]())
    try:
        if sabotage:
            with SABOTAGES[sabotage](world):
                world.run()
        else:
            world.run()
        violation = None
    except Violation as found:
        violation = str(found)[:DETAIL_MAX]
    except Exception:
        violation = f"error: {traceback.format_exc()[-DETAIL_MAX:]}"
    finally:
        world.close()
    return Outcome(seed, violation, world.figures, dict(world.checks.done))
