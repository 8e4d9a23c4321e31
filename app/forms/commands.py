"""The commands ``flask forms …``: import, list, show, publish and retire forms."""

import json
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import click
from flask.cli import AppGroup
from sqlalchemy.orm import Session

from app.core.database import Mode, current_database
from app.forms import services
from app.forms.bringing import Flawed, bring, read_file, seed_files
from app.forms.models import FormVersion
from sync.errors import FieldError, Problem

forms = AppGroup("forms", help="表单 / Forms: questions and checklists in versions.")
KEY = click.argument("key")
VERSION = click.argument("version", type=click.IntRange(1))
STATE_WORDS = {"draft": "草稿 draft", "published": "已发布 published", "retired": "已停用 retired"}


@forms.command("import")
@click.argument("files", nargs=-1, type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--dry-run", is_flag=True, help="只检查不写入 / check, write nothing")
@click.option("--publish", is_flag=True, help="无误即发布 / publish what has no faults")
def import_forms(files: tuple[Path, ...], dry_run: bool, publish: bool) -> None:
    """导入表单（XLSForm、JSON），默认随产品的 / Import forms; default: those of the product."""
    wanted = files or tuple(seed_files())
    failed = 0
    with current_database().transaction(Mode.WRITE) as session:
        for path in wanted:
            failed += not _import_one(session, path, publish=publish or not files)
        if dry_run or failed:
            session.rollback()
    if failed:
        raise click.ClickException(
            f"{failed} 个文件有误，未写入 / faulty files, nothing was written"
        )
    if dry_run:
        click.echo("试运行，未写入 / dry run: nothing was written")


def _import_one(session: Session, path: Path, *, publish: bool) -> bool:
    """Import one file and say what became of it; tell whether nothing was wrong."""
    try:
        definition = read_file(path)
        form, new = bring(session, definition, publish=publish, now=datetime.now(UTC))
    except Flawed as found:
        _say(f"{path.name}: ", found.flaws)
        return False
    except services.FormFaults as found:
        _say(f"{path.name}: ", _lines(found.faults))
        return False
    said = STATE_WORDS[form.state] if new else "无变化 unchanged"
    click.echo(f"{path.name}: {form.key} v{form.version}  {said}")
    return True


@forms.command("list")
def list_forms() -> None:
    """列出各版本 / List all versions."""
    with current_database().transaction(Mode.READ) as session:
        rows = services.list_forms(session, key=None, state=None, drafts=True, limit=1000,
                                   cursor=None)  # fmt: skip
        for form in rows:
            title = json.loads(form.definition)["title"]
            click.echo(f"{form.key} v{form.version}  {STATE_WORDS[form.state]}  "
                       f"{title['zh']} / {title['en']}")  # fmt: skip
        if not rows:
            click.echo("没有 / none: flask forms import")


@forms.command("show")
@KEY
@VERSION
def show(key: str, version: int) -> None:
    """显示一个版本的定义 / Show the definition of one version."""
    with current_database().transaction(Mode.READ) as session:
        definition = json.loads(_find(session, key, version).definition)
        click.echo(json.dumps(definition, ensure_ascii=False, indent=1))


@forms.command("publish")
@KEY
@VERSION
def publish(key: str, version: int) -> None:
    """发布草稿 / Publish a draft; afterwards it never changes."""
    with current_database().transaction(Mode.WRITE) as session:
        _act(services.publish, session, key, version)


@forms.command("retire")
@KEY
@VERSION
def retire(key: str, version: int) -> None:
    """停用一个版本 / Take a version out of new work; its answers are accepted for ever."""
    with current_database().transaction(Mode.WRITE) as session:
        _act(services.retire, session, key, version)


def _act(deed: Any, session: Session, key: str, version: int) -> None:
    form = _find(session, key, version)
    try:
        deed(session, form, user_id=None, now=datetime.now(UTC))
    except services.FormFaults as found:
        _say("", _lines(found.faults))
        raise click.ClickException("表单有误，未发布 / the form has faults") from None
    except Problem as problem:
        raise click.ClickException(_in_words(problem.code)) from None
    click.echo(f"{form.key} v{form.version}  {STATE_WORDS[form.state]}")


def _find(session: Session, key: str, version: int) -> FormVersion:
    try:
        return services.find(session, key, version)
    except Problem:
        raise click.ClickException(f"没有 {key} v{version} / there is no such version") from None


def _in_words(code: str) -> str:
    from app.core.problems import CATALOGUE

    words = CATALOGUE[code]
    return f"{words.title_zh} / {words.title}: {words.next_step}"


def _lines(faults: Sequence[FieldError]) -> list[str]:
    """Return faults as lines: place, what is wrong and what to do, in both languages."""
    return [
        f"{one['field']}: {said['zh']} / {said['en']} → {said['mend_zh']} / {said['mend']}"
        for one in services.explained(faults)
        for said in [one["words"]]
    ]


def _say(head: str, lines: Sequence[str]) -> None:
    for line in lines:
        click.echo(head + line, err=True)
