"""Two roles of PostgreSQL: the owner changes tables, the server only uses them.

The owner (``MIGRATE_URL``) runs the migrations. The server's role (``DATABASE_URL``) cannot change
tables, nor take back what is written in the audit log, and row-level security holds it.
"""

import click
import sqlalchemy as sa
from flask.cli import AppGroup

from app.core.database import Database, current_database

ROLE_HINT = (
    "make a role of its own for the server: CREATE ROLE wangge_server LOGIN PASSWORD '…', then "
    "flask database grant-runtime wangge_server, and name it in DATABASE_URL"
)
_OWN = (
    "SELECT relname, relkind = 'S' FROM pg_class WHERE relnamespace = 'public'::regnamespace"
    " AND relkind IN ('r', 'S') AND pg_has_role(current_user, relowner, 'USAGE') ORDER BY 1"
)
_ALWAYS = (
    "GRANT USAGE ON SCHEMA public TO {role}",
    "ALTER DEFAULT PRIVILEGES IN SCHEMA public"
    " GRANT SELECT, INSERT, UPDATE, DELETE ON TABLES TO {role}",
    "ALTER DEFAULT PRIVILEGES IN SCHEMA public GRANT USAGE, SELECT ON SEQUENCES TO {role}",
    "REVOKE UPDATE, DELETE, TRUNCATE ON audit_event, audit_link FROM {role}",
    "REVOKE INSERT, UPDATE, DELETE, TRUNCATE ON alembic_version FROM {role}",
)
BOXES_TELL_NOTHING = "ALTER FUNCTION geometry_overlaps(geometry, geometry) LEAKPROOF"
"""Comparing boxes fails for no value; with that said, searches by place use their index."""
_MAY_CHANGE_THE_LOG = """
    SELECT DISTINCT c.relname, pg_get_userbyid(g.grantee)
    FROM pg_class c, aclexplode(c.relacl) g
    WHERE c.relname IN ('audit_event', 'audit_link') AND g.grantee <> c.relowner
      AND g.grantee <> 0 AND g.privilege_type IN ('UPDATE', 'DELETE', 'TRUNCATE')
"""
_WHO = sa.text(
    "SELECT rolsuper OR rolbypassrls, EXISTS (SELECT 1 FROM pg_class WHERE relname = 'household'"
    " AND pg_has_role(current_user, relowner, 'MEMBER')) FROM pg_roles WHERE rolname = current_user"
)

group = AppGroup("database", help="数据库角色 / roles of the database")


def grant(connection: sa.Connection, role: str) -> None:
    """Let a role serve: use all tables, change none, and add to the audit log only."""
    quoted = connection.dialect.identifier_preparer.quote_identifier(role)
    for name, is_sequence in connection.exec_driver_sql(_OWN).all():
        rights = "USAGE, SELECT" if is_sequence else "SELECT, INSERT, UPDATE, DELETE"
        kind = "SEQUENCE" if is_sequence else "TABLE"
        connection.exec_driver_sql(f'GRANT {rights} ON {kind} "{name}" TO {quoted}')
    if connection.exec_driver_sql("SELECT current_setting('is_superuser') = 'on'").scalar():
        connection.exec_driver_sql(BOXES_TELL_NOTHING)
    for statement in _ALWAYS:
        connection.exec_driver_sql(statement.format(role=quoted))


def keep_the_log(connection: sa.Connection) -> None:
    """Take from all roles but the owner what default privileges give them on a new audit log."""
    quote = connection.dialect.identifier_preparer.quote_identifier
    for table, role in connection.exec_driver_sql(_MAY_CHANGE_THE_LOG).all():
        connection.exec_driver_sql(
            f'REVOKE UPDATE, DELETE, TRUNCATE ON "{table}" FROM {quote(role)}'
        )


def weaknesses(connection: sa.Connection) -> list[str]:
    """Return why the role of this connection would hold nobody to anything."""
    passes, owns = connection.execute(_WHO).one()
    found = ["the server's role passes by row-level security"] if passes else []
    found += ["the server's role owns the tables"] if owns and not passes else []
    return [f"{one}: {ROLE_HINT}" for one in found]


def demand_own_role(database: Database) -> list[str]:
    """Return the weaknesses of the server's role; SQLite has no roles."""
    if database.is_sqlite:
        return []
    with database.engine.connect() as connection:
        return weaknesses(connection)


@group.command("grant-runtime")
@click.argument("role")
def grant_runtime(role: str) -> None:
    """Let ROLE serve without owning anything; again after a migration / 授权运行角色。"""
    database = current_database()
    if database.is_sqlite:
        raise click.ClickException("SQLite 没有角色 / SQLite has no roles")
    engine = sa.create_engine(database.migrate_url)
    with engine.begin() as connection:
        grant(connection, role)
    engine.dispose()
    click.echo(
        f"{role}：可读写，不能改表，不能改审计 / may read and write, not change tables or audit"
    )
