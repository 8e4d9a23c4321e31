"""The commands of the sync engine."""

import click
import sqlalchemy as sa
from flask.cli import AppGroup

from app.core.database import Mode, current_database
from app.core.identifiers import new_id
from app.core.records import sync_tables
from sync.stores.tables import EPOCH

sync = AppGroup("sync", help="The sync engine / 同步引擎")


@sync.command("new-epoch")
def new_epoch() -> None:
    """Begin a new epoch, after a restore from a backup: phones check and send again."""
    t = sync_tables.meta
    epoch = new_id()
    with current_database().transaction(Mode.WRITE) as session:
        session.execute(sa.update(t).where(t.c.name == EPOCH).values(value=epoch))
    click.echo(f"新的同步纪元 / new epoch: {epoch}")
