"""Write down that a server has started."""

import logging
import os

import sqlalchemy as sa

from app.core import audit
from app.core.database import Database, Mode
from app.core.settings import current_settings

log = logging.getLogger("wangge")


def write_down_start(database: Database) -> None:
    """Write the start of this process down.

    A database that is away, or has no such table yet, keeps no server from starting: it answers
    503 until the database is there, and does nothing that would need a row.
    """
    try:
        with database.transaction(Mode.WRITE) as session:
            audit.record(session, "system.started", user_id=None, subject=f"process:{os.getpid()}",
                         profile=current_settings().profile)  # fmt: skip
    except sa.exc.SQLAlchemyError as error:
        log.warning("the start could not be written down: %s", type(error).__name__)
