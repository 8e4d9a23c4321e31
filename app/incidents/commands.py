"""The commands of incidents."""

from pathlib import Path

import click
from flask.cli import AppGroup

from app.core.database import Mode, current_database
from app.incidents.services import import_categories

CATEGORIES = Path(__file__).parents[2] / "data" / "incident_categories.csv"
incidents = AppGroup("incidents", help="Categories of incident / 事件分类")


@incidents.command("import-categories")
@click.argument("file", type=click.Path(exists=True, path_type=Path), default=CATEGORIES)
def import_categories_command(file: Path) -> None:
    """Load the categories (default: the list that comes with the product)."""
    with current_database().transaction(Mode.WRITE) as session:
        count = import_categories(session, file)
    click.echo(f"已导入 {count} 个事件分类 / {count} categories imported")
