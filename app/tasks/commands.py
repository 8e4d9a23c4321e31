"""The commands of tasks."""

from pathlib import Path

import click
from flask.cli import AppGroup

from app.core.database import Mode, current_database
from app.tasks.services import import_kinds

KINDS = Path(__file__).parents[2] / "data" / "task_kinds.csv"
tasks = AppGroup("tasks", help="Kinds of task / 任务类型")


@tasks.command("import-kinds")
@click.argument("file", type=click.Path(exists=True, path_type=Path), default=KINDS)
def import_kinds_command(file: Path) -> None:
    """Load the kinds of task (default: the list that comes with the product)."""
    with current_database().transaction(Mode.WRITE) as session:
        count = import_kinds(session, file)
    click.echo(f"已导入 {count} 个任务类型 / {count} kinds of task imported")
