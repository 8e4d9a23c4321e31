"""Nothing beyond somebody's scope changes a byte of any answer, and whoever is told, is told so."""

import re

import pytest

from tests.app.core.county import County, household
from tests.cells.two_worlds import TELLS_ON_PURPOSE, answers, build
from tests.conftest import ENGINES
from tests.prove.ground import open_app

ANSWERS_MIN = 700
OWN_COUNT = re.compile(r'"(n|expected)":\d+')
"""A phone counts its own edits; of two asked one after the other the second has a later number."""


def _match(county: County) -> str:
    told = {key: household()[key] for key in ("address_text", "building", "unit_room")}
    return county.ask("vl_next_village", "POST", "/households/duplicates", told).get_data(
        as_text=True)  # fmt: skip


@pytest.mark.parametrize("engine", ENGINES)
def test_what_lies_elsewhere_changes_no_byte_and_is_answered_as_nothing(engine: str) -> None:
    told: list[dict[str, str]] = []
    matches: list[str] = []
    for crowded in (False, True):
        with open_app(engine) as (app, _):
            county = build(app, crowded=crowded)
            told.append(dict(answers(county)))
            matches.append(_match(county))
    quiet, busy = told
    assert len(quiet) > ANSWERS_MIN and quiet.keys() == busy.keys()
    assert {one: (quiet[one], busy[one]) for one in quiet if quiet[one] != busy[one]} == {}
    assert matches[0] == matches[1] and "/households/duplicates" in TELLS_ON_PURPOSE
    bare = {asked: OWN_COUNT.sub("", said) for asked, said in busy.items()}
    pairs = [(asked, asked.replace("far 0", "nowhere")) for asked in bare if " far 0" in asked]
    assert len(pairs) > 20
    assert {one: (bare[one], bare[two]) for one, two in pairs if bare[one] != bare[two]} == {}
