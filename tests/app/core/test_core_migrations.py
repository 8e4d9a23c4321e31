"""The migrations lead exactly to the models, and back, on both engines."""

import sqlalchemy as sa
from flask import Flask
from flask_migrate import check, downgrade, upgrade

from app.core.database import Base, Database, Mode

OURS = set(Base.metadata.tables)


def _tables(database: Database) -> set[str]:
    return set(sa.inspect(database.engine).get_table_names()) & OURS


def test_the_migrations_lead_exactly_to_the_models(app: Flask) -> None:
    check()


def test_the_way_down_leaves_nothing_and_the_way_up_is_whole_again(
    app: Flask, database: Database
) -> None:
    downgrade(revision="base")
    assert _tables(database) == set()
    upgrade()
    assert _tables(database) == OURS
    check()


def test_migrating_begins_the_first_epoch(app: Flask, database: Database) -> None:
    with database.transaction(Mode.READ) as session:
        epochs = session.execute(sa.text("SELECT value FROM sync_meta WHERE name = 'epoch'"))
        assert len(epochs.scalar_one()) == 36


def test_spatial_columns_have_their_index(app: Flask, database: Database) -> None:
    with database.engine.connect() as connection:
        for table, column in (("area_border", "geom"), ("incident", "point")):
            if database.is_sqlite:
                sql = "SELECT count(*) FROM sqlite_master WHERE name = :name"
            else:
                sql = "SELECT count(*) FROM pg_indexes WHERE indexname = :name"
            found = connection.execute(sa.text(sql), {"name": f"idx_{table}_{column}"})
            assert found.scalar_one() == 1
