"""Planted bugs of parking, each of which the simulation must catch."""

from collections.abc import Iterator
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from sync import parking, replica
from sync.edits import Edit, Parked
from sync.gate import Work
from sync.push import Run
from sync.release import Release
from tests.simulation.gate import DatedGate
from tests.simulation.sabotage import _instead, planted

if TYPE_CHECKING:
    from tests.simulation.world import World


@planted
def parked_edits_not_published(world: "World") -> Iterator[None]:
    """Park an edit and tell no phone."""
    with _instead((parking, "entered", lambda batch, before, after: None)):
        yield


@planted
def parked_without_its_body(world: "World") -> Iterator[None]:
    """Park an edit without what it wanted to set."""
    right = Run.keep_parked

    def wrong(self: Run, parked: Parked) -> None:
        right(self, replace(parked, edit=replace(parked.edit, set={})))

    with _instead((Run, "keep_parked", wrong)):
        yield


@planted
def own_release_lets_everything_through(world: "World") -> Iterator[None]:
    """Apply whatever its author has repaired, wherever he had no right when he made it."""
    right = DatedGate.judge

    def wrong(self: DatedGate, work: Work, values: Any) -> Any:
        if work.author == self.user:
            return right(replace(self, office=True), work, values)
        return right(self, work, values)

    with _instead((DatedGate, "judge", wrong)):
        yield


@planted
def a_bad_repair_settles_the_edit(world: "World") -> Iterator[None]:
    """Count a parked edit as repaired before it is known whether it can be applied."""
    right = Release._repair

    def wrong(self: Release, parked: Parked, repair: Edit) -> None:
        self._keep(parked, parking.REPAIRED)
        right(self, parked, repair)

    with _instead((Release, "_repair", wrong)):
        yield


@planted
def a_mended_edit_is_hidden_for_ever(world: "World") -> Iterator[None]:
    """Show on the phone no parked edit that somebody has tried to mend."""
    with _instead((replica.Replica, "parked", lambda self: [])):
        yield
