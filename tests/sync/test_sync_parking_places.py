"""A parked edit lies with its author's people, whoever else touches what it is about."""

from typing import Any

from sync.edits import Draft, Edit
from sync.kinds import Field, Kind, Kinds
from sync.push import Push, push
from sync.values import Text, Whole
from tests.sync.house import ANCHORS, NOW_MS, Phone, Stand, name_of


def _places(values: Any) -> tuple[str, ...]:
    area = (f"area:{values['person']}",) if values.get("person") else ()
    return (f"grid:{values['grid']}",) if values.get("grid") else area


NEWS = Kind(
    "job",
    (Field("person", Text(40)), Field("grid", Whole(1, 99)), Field("title", Text(9))),
    _places,
    moved_by=frozenset({"grid", "person"}),
)
NOTICE, AREA = name_of("notice"), name_of("area")


def _push(phone: Phone, home: str | None, *edits: Edit) -> list[Any]:
    def present(scope: str) -> str:
        return (home or f"me:{phone.user}") if scope.startswith("area:") else scope

    context = Push(phone.device, phone.user, NOW_MS, ANCHORS, phone.gate, Kinds((NEWS,)),
                   home=home, present=present)  # fmt: skip
    with phone.stand.open() as store:
        return push(store, [Draft(edit) for edit in edits], context).results


def _scope(stand: Stand, edit: Edit) -> str | None:
    with stand.open() as store:
        found: str | None = store.parked_for([], [edit.id])[edit.id].scope
    return found


def _refused(ann: Phone, **values: Any) -> Edit:
    _push(ann, "grid:5", ann.edit("create", "job", NOTICE, set={"title": "a", **values}))
    edit = ann.edit("update", "job", NOTICE, base=1, set={"title": "much too long"})
    [receipt] = _push(ann, "grid:5", edit)
    assert receipt["status"] == "parked"
    return edit


def test_it_stays_when_a_stranger_touches_a_record_of_all_below_an_area(
    stand: Stand, ann: Phone, bob: Phone
) -> None:
    edit = _refused(ann, person=AREA)
    for home in ("grid:9", None):
        _push(bob, home, bob.edit("update", "job", NOTICE, base=1, set={"title": "c"}))
        assert _scope(stand, edit) == "grid:5"


def test_it_stays_when_a_stranger_touches_a_record_of_no_place(
    stand: Stand, ann: Phone, bob: Phone
) -> None:
    edit = _refused(ann)
    _push(bob, "grid:9", bob.edit("update", "job", NOTICE, base=1, set={"title": "c"}))
    assert _scope(stand, edit) == "grid:5"


def test_it_goes_along_when_the_record_comes_to_a_place(
    stand: Stand, ann: Phone, bob: Phone
) -> None:
    edit = _refused(ann, person=AREA)
    _push(bob, "grid:9", bob.edit("update", "job", NOTICE, base=1, set={"grid": 8}))
    assert _scope(stand, edit) == "grid:8"
