"""A server whose database stumbles when told to, and in which one of the known bugs may live.

A household in the building ``STUMBLE-…`` makes the database fail once, as a lost connection
does. ``POISON_SABOTAGE`` in the environment names the planted bug.
"""

import os
from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import exc

from app.factory import create_app
from sync.edits import Draft
from sync.push import Run
from tests.prove.poison_bugs import SABOTAGES
from tests.prove.poison_edits import STUMBLE

_stumbled: set[str] = set()
_take = Run.take


def _stumbling(self: Run, drafts: Sequence[Draft], known: Mapping[str, Any]) -> None:
    for draft in drafts:
        building = str(draft.edit.set.get("building"))
        if building.startswith(STUMBLE) and building not in _stumbled:
            _stumbled.add(building)
            raise exc.OperationalError("SELECT 1", {}, Exception("the connection was lost"))
    _take(self, drafts, known)


Run.take = _stumbling  # type: ignore[method-assign]
if os.environ.get("POISON_SABOTAGE"):
    SABOTAGES[os.environ["POISON_SABOTAGE"]]()
app = create_app()
