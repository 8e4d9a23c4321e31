"""Put a backup in the place of the present database, and let phones know."""

import os
import subprocess
from pathlib import Path
from typing import Any

import click
import sqlalchemy as sa
from flask_migrate import upgrade

from app.core import audit
from app.core.database import Database, Mode, current_database
from app.core.driver import driver
from app.sync_api.epochs import ORDERED, current_epochs


def postgres_environment(url: sa.URL) -> dict[str, str]:
    """Return where a PostgreSQL tool finds a database; the password stays out of sight."""
    parts = {
        "PGHOST": url.host, "PGPORT": url.port, "PGUSER": url.username,
        "PGPASSWORD": url.password, "PGDATABASE": url.database,
    }  # fmt: skip
    return {**os.environ, **{name: str(part) for name, part in parts.items() if part is not None}}


@click.command("restore")
@click.argument("backup", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--yes", is_flag=True, help="不再询问 / do not ask")
def restore(backup: Path, yes: bool) -> None:
    """恢复备份 / Go back to a backup; phones then send again what it does not know.

    Takes a file that `make backup` has written for this engine. The server may go on meanwhile.
    """
    database = current_database()
    if not yes:
        click.confirm(
            "当前数据将被替换，继续 / the present database is replaced, go on", abort=True
        )
    if database.is_sqlite:
        _restore_sqlite(database, backup)
    else:
        _restore_postgres(database, backup)
    upgrade()
    with database.transaction(Mode.WRITE) as session:
        audit.record(session, "system.restored", user_id=None, backup=backup.name)
    current_epochs().look(reason=ORDERED)
    click.echo("已恢复，手机将补发缺失内容 / restored; phones will send again what is missing")


def _restore_sqlite(database: Database, backup: Path) -> None:
    """Copy the pages of a sound backup over those of the live file, in one transaction."""
    source = driver.connect(f"{backup.absolute().as_uri()}?mode=ro", uri=True)
    try:
        _check_sqlite(source, backup)
        target = driver.connect(database.url.database)
        target.execute("PRAGMA synchronous=FULL")
        source.backup(target)
        target.close()
    finally:
        source.close()


def _check_sqlite(source: Any, backup: Path) -> None:
    try:
        sound = source.execute("PRAGMA quick_check").fetchone() == ("ok",)
        source.execute("SELECT value FROM sync_meta WHERE name = 'epoch'").fetchone()
    except driver.DatabaseError:
        sound = False
    if not sound:
        raise click.ClickException(f"不是完好的备份 / not a sound backup: {backup}")


def _restore_postgres(database: Database, backup: Path) -> None:
    """Let pg_restore replace the tables in one transaction; the extensions stay as they are."""
    environment = postgres_environment(database.migrate_url)
    database.dispose()
    contents = _run(["pg_restore", "--list", str(backup)], environment)
    kept = [line for line in contents.splitlines() if " EXTENSION " not in line]
    chosen = backup.with_suffix(".contents")
    chosen.write_text("\n".join(kept) + "\n", encoding="utf-8")
    try:
        _run(
            ["pg_restore", "--clean", "--if-exists", "--no-owner", "--single-transaction",
             f"--use-list={chosen}", f"--dbname={database.url.database}", str(backup)],
            environment,
        )  # fmt: skip
    finally:
        chosen.unlink()


def _run(command: list[str], environment: dict[str, str]) -> str:
    try:
        return subprocess.run(
            command, env=environment, check=True, capture_output=True, text=True
        ).stdout
    except FileNotFoundError as missing:
        raise click.ClickException(
            f"缺少 {command[0]} / {command[0]} is missing: "
            "sudo apt-get install -y postgresql-client"
        ) from missing
    except subprocess.CalledProcessError as failed:
        raise click.ClickException(
            f"{command[0]} 失败 / failed: {failed.stderr.strip()[-500:]}"
        ) from failed


COMMANDS = (restore,)
