"""Bring the database up to date, load the demo once and greet: one process, to start quickly."""

import sys

import click
from flask_migrate import upgrade

from app.core.database import Database, UnsafeEngine
from app.core.settings import DEVELOPMENT, Settings
from app.factory import create_app

# Not wsgi.py's: that one is a server, with a worker that would ask for tables before they are made.
app = create_app()


def run_command(*words: str) -> None:
    """Run one of the ``flask`` commands in this process.

    Raises:
        click.ClickException: it failed; the message says why.
    """
    app.cli.main(args=list(words), prog_name="flask", standalone_mode=False)


def grant_to_server(database: Database) -> None:
    """Let the server's role use the tables, where it is another than the owner's."""
    role = database.url.username
    if not database.is_sqlite and role and role != database.migrate_url.username:
        run_command("database", "grant-runtime", role)


def greet(settings: Settings) -> None:
    """Show who may sign in to the demo, or at least the address."""
    try:
        run_command("demo", "welcome")
    except click.ClickException:
        click.echo(f"服务地址 / address: {settings.public_url}")


def main() -> None:
    """Prepare the database of the settings."""
    settings: Settings = app.extensions["wangge_settings"]
    database: Database = app.extensions["wangge_database"]
    database.check()
    with app.app_context():
        upgrade()
        grant_to_server(database)
        if settings.profile == DEVELOPMENT:
            run_command("demo", "township", "--if-empty", "--quiet")
            greet(settings)


if __name__ == "__main__":
    try:
        main()
    except click.ClickException as error:
        error.show()
        sys.exit(error.exit_code)
    except UnsafeEngine as error:
        sys.exit(f"数据库不可用 / the database will not do: {error}")
