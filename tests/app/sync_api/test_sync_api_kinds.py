"""The wire of the kinds only grows."""

import copy
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskCliRunner

from app.core.engine import current_engine
from app.sync_api import kinds

Shape = dict[str, Any]


def test_the_snapshot_is_what_the_models_say(app: Flask) -> None:
    written = kinds.SNAPSHOT.read_text(encoding="utf-8")
    assert written == kinds.as_text(kinds.describe(current_engine())), (
        "run: flask sync kinds --write"
    )


def test_every_field_says_why_and_how_long_it_is_held() -> None:
    for kind in kinds.read_snapshot().values():
        for field in kind["fields"].values():
            assert field["purpose"] and field["retention"] and field["privacy"]


def _drop_kind(shape: Shape) -> None:
    del shape["contact"]


def _drop_field(shape: Shape) -> None:
    del shape["household"]["fields"]["building"]


def _change(kind: str, field: str, **values: Any) -> Callable[[Shape], None]:
    def change(shape: Shape) -> None:
        shape[kind]["fields"][field] |= values

    return change


def _demand(shape: Shape) -> None:
    new = {**shape["household"]["fields"]["building"], "required": True}
    shape["household"]["fields"]["floors"] = new


def _drop_move(shape: Shape) -> None:
    shape["task"]["moves"].remove(["assigned", "accepted"])


def _forget_a_schema(shape: Shape) -> None:
    shape["task"]["schema"] = 0


BREACHES: tuple[tuple[Callable[[Shape], None], str], ...] = (
    (_drop_kind, "contact: gone"),
    (_drop_field, "household.building: gone"),
    (_forget_a_schema, "task: schema 3 cannot push any more"),
    (_demand, "household.floors: new, and required"),
    (_drop_move, "task: the move assigned -> accepted is gone"),
    (_change("household", "building", type="whole"), "household.building: another type"),
    (_change("household", "building", group=None), "household.building: another group"),
    (_change("task", "title", rule="server"), "task.title: read-only now"),
    (_change("contact", "relation", required=True), "contact.relation: required now"),
    (_change("contact", "name", sealed=False), "contact.name: not sealed any more"),
    (_change("household", "address_text", most=60), "household.address_text: a smaller most"),
    (_change("household", "address_text", least=9), "household.address_text: a greater least"),
    (_change("household", "door_source", choices=["gps"]), "household.door_source: fewer choices"),
)


def test_what_an_old_phone_could_not_live_with_is_named() -> None:
    before = kinds.read_snapshot()
    for spoil, expected in BREACHES:
        after = copy.deepcopy(before)
        spoil(after)
        assert list(kinds.breaches(before, after)) == [expected]


def test_additions_pass() -> None:
    before = kinds.read_snapshot()
    after = copy.deepcopy(before)
    fields = after["household"]["fields"]
    fields["floors"] = {**fields["building"], "required": False}
    fields["address_text"]["most"] = 200
    fields["door_source"]["choices"].append("beidou")
    after["building"] = after["household"]
    after["task"]["fields"]["report_text"]["rule"] = "open"
    after["task"]["moves"].append(["done", "cancelled"])
    assert list(kinds.breaches(before, after)) == []


def test_the_command_refuses_what_only_takes_away(
    app: Flask, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    runner, copied = FlaskCliRunner(app), tmp_path / "kinds.json"
    copied.write_text(kinds.SNAPSHOT.read_text(encoding="utf-8"), encoding="utf-8")
    monkeypatch.setattr(kinds, "SNAPSHOT", copied)
    assert runner.invoke(args=["sync", "kinds"]).exit_code == 0
    larger = kinds.read_snapshot()
    larger["household"]["fields"]["floors"] = larger["household"]["fields"]["building"]
    copied.write_text(kinds.as_text(larger), encoding="utf-8")
    refused = runner.invoke(args=["sync", "kinds", "--write"])
    assert refused.exit_code == 1 and "household.floors: gone" in refused.output
    del larger["household"]["fields"]["floors"], larger["household"]["fields"]["building"]
    copied.write_text(kinds.as_text(larger), encoding="utf-8")
    assert runner.invoke(args=["sync", "kinds"]).exit_code == 1
    assert runner.invoke(args=["sync", "kinds", "--write"]).exit_code == 0
    assert runner.invoke(args=["sync", "kinds"]).exit_code == 0
