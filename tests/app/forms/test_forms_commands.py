"""``flask forms …``: import, list, show, publish and retire."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest
import sqlalchemy as sa
from click.testing import Result
from flask import Flask

from app.core.database import Mode
from app.forms.models import FormVersion
from tests.app.forms.samples import SEED, VISIT, spoiled
from tests.app.forms.sheets import SURVEY, row, workbook

Run = Callable[..., Result]


@pytest.fixture
def run(app: Flask) -> Run:
    """Return a function that runs ``flask forms …``."""
    runner = app.test_cli_runner()
    return lambda *arguments: runner.invoke(args=["forms", *map(str, arguments)])


def states(app: Flask) -> dict[tuple[str, int], str]:
    columns = sa.select(FormVersion.key, FormVersion.version, FormVersion.state)
    with app.extensions["wangge_database"].transaction(Mode.READ) as session:
        return {(key, version): state for key, version, state in session.execute(columns)}


def file(folder: Path, source: object) -> Path:
    path = folder / "form.json"
    path.write_text(json.dumps(source), encoding="utf-8")
    return path


def test_the_forms_of_the_product_are_imported_once(app: Flask, run: Run) -> None:
    assert run("import").exit_code == 0
    assert states(app) == {(path.stem, 1): "published" for path in SEED}
    again = run("import")
    assert again.output.count("无变化 unchanged") == len(SEED)
    assert len(states(app)) == len(SEED)
    assert "visit v1  已发布 published  入户走访 / Household visit" in run("list").output


def test_a_form_goes_from_draft_to_published_to_retired(
    app: Flask, run: Run, tmp_path: Path
) -> None:
    assert "草稿 draft" in run("import", file(tmp_path, VISIT)).output
    assert json.loads(run("show", "sample_visit", 1).output) == VISIT
    assert "已发布 published" in run("publish", "sample_visit", 1).output
    twice = run("publish", "sample_visit", 1)
    assert twice.exit_code == 1 and "已发布，不可更改" in twice.output
    newer = run("import", "--publish", file(tmp_path, spoiled(VISIT, 2, most=60)))
    assert "v2  已发布" in newer.output
    assert "已停用 retired" in run("retire", "sample_visit", 1).output
    assert states(app) == {("sample_visit", 1): "retired", ("sample_visit", 2): "published"}
    assert run("show", "sample_visit", 9).exit_code == 1


def test_a_workbook_is_tried_before_it_is_imported(app: Flask, run: Run, tmp_path: Path) -> None:
    path = tmp_path / "street.xlsx"
    path.write_bytes(workbook())
    tried = run("import", "--dry-run", path)
    assert tried.exit_code == 0 and "未写入" in tried.output and states(app) == {}
    assert run("import", "--publish", path).exit_code == 0
    assert states(app) == {("street_visit", 1): "published"}


def test_a_faulty_file_keeps_all_of_them_out(app: Flask, run: Run, tmp_path: Path) -> None:
    bad = tmp_path / "bad.xlsx"
    bad.write_bytes(workbook([*SURVEY, row(relevant="${nobody} = 1")]))
    refused = run("import", file(tmp_path, VISIT), bad)
    assert refused.exit_code == 1 and states(app) == {}
    assert f"survey 第 {len(SURVEY) + 1} 行" in refused.output
    broken = file(tmp_path, {**VISIT, "questions": []})
    assert "questions: 至少 1 项 / At least 1" in run("import", broken).output
    broken.write_text("{", encoding="utf-8")
    assert "JSON" in run("import", broken).output
