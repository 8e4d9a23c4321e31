"""Run the migrations on either engine; `flask db …` comes here."""

from typing import Any

from alembic import context
from flask import current_app

from app.core.database import Base, Database
from app.core.spatial import is_ours

database: Database = current_app.extensions["wangge_database"]


def include(item: Any, name: str | None, kind: str, reflected: bool, compare_to: Any) -> bool:
    """Leave SpatiaLite's and PostGIS's own tables and indexes alone."""
    return is_ours(name, kind, Base.metadata)


def run() -> None:
    """Run inside one transaction; on SQLite without foreign keys, which are checked at the end."""
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
        )
        with context.begin_transaction():
            context.run_migrations()
        if database.is_sqlite:
            broken = connection.exec_driver_sql("PRAGMA foreign_key_check").fetchall()
            connection.commit()
            connection.exec_driver_sql("PRAGMA foreign_keys=ON")
            connection.commit()
            if broken:
                raise RuntimeError(f"foreign keys broken after the migration: {broken[:5]}")


run()
