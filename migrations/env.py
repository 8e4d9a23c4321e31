"""Run the migrations on either engine; `flask db …` comes here."""

from typing import Any

import sqlalchemy as sa
from alembic import context
from flask import current_app
from sqlalchemy.orm import Session

from app.core import audit
from app.core.database import Base, Database
from app.core.roles import keep_the_log
from app.core.spatial import is_ours

database: Database = current_app.extensions["wangge_database"]


def include(item: Any, name: str | None, kind: str, reflected: bool, compare_to: Any) -> bool:
    """Leave SpatiaLite's and PostGIS's own tables and indexes alone."""
    return is_ours(name, kind, Base.metadata)


def write_down(connection: Any, steps: list[Any]) -> None:
    """Write down that a database which was there has been changed, if it can hold such a row."""
    found, name = sa.inspect(connection), audit.AuditEvent.__tablename__
    columns = found.get_columns(name) if found.has_table(name) else ()
    if set(audit.AuditEvent.__table__.columns.keys()) <= {one["name"] for one in columns}:
        with Session(connection) as session:
            audit.record(session, "system.migrated", user_id=None,
                         before=list(steps[0][0]), after=list(steps[-1][1]))  # fmt: skip
            session.commit()
        connection.commit()


def run() -> None:
    """Run inside one transaction; on SQLite without foreign keys, which are checked at the end."""
    steps: list[Any] = []
    with database.migrating() as connection:
        if database.is_sqlite:
            connection.exec_driver_sql("PRAGMA foreign_keys=OFF")
            connection.commit()
        context.configure(
            connection=connection,
            target_metadata=Base.metadata,
            include_object=include,
            compare_type=True,
            transaction_per_migration=True,
            on_version_apply=lambda step, **_: steps.append(
                (step.source_revision_ids, step.destination_revision_ids)
            ),
        )
        with context.begin_transaction():
            context.run_migrations()
        if steps and not database.is_sqlite:
            keep_the_log(connection)
            connection.commit()
        if steps and steps[0][0]:
            write_down(connection, steps)
        if database.is_sqlite:
            broken = connection.exec_driver_sql("PRAGMA foreign_key_check").fetchall()
            connection.commit()
            connection.exec_driver_sql("PRAGMA foreign_keys=ON")
            connection.commit()
            if broken:
                raise RuntimeError(f"foreign keys broken after the migration: {broken[:5]}")


run()
