"""Copy the database into DATA_DIR/backup, whole and consistent, while the server goes on."""

import os
import subprocess
from datetime import UTC, datetime
from pathlib import Path

import click
import sqlalchemy as sa

from app.core import audit
from app.core.database import Mode, current_database
from app.core.driver import driver
from app.core.settings import Settings
from app.factory import create_app
from app.sync_api.epochs import EXTENSION
from app.sync_api.restore_command import postgres_environment


def copy_sqlite(source: Path, target: Path) -> None:
    """Write a consistent, compact copy of a SQLite file that may be in use."""
    connection = driver.connect(f"{source.absolute().as_uri()}?mode=ro", uri=True)
    try:
        connection.execute("VACUUM INTO ?", (str(target),))
    finally:
        connection.close()


def dump_postgres(url: sa.URL, target: Path) -> None:
    """Let pg_dump write the database; the password stays out of the list of processes."""
    command = ["pg_dump", "--format=custom", "--enable-row-security", f"--file={target}"]
    # The server's own role copies everything, too, when it asks for the span of the house.
    environment = {**postgres_environment(url), "PGOPTIONS": "-c wangge.areas={(,)}"}
    subprocess.run(command, env=environment, check=True)


def backup(settings: Settings, now: datetime) -> Path:
    """Copy the database of the settings and return the copy, which is on the disk by then.

    Raises:
        click.ClickException: there is nothing to copy, or no pg_dump to copy it with.
    """
    url = sa.make_url(settings.database_url)
    folder = settings.data_dir / "backup"
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    is_sqlite = url.get_backend_name() == "sqlite"
    target = folder / f"wangge-{now:%Y%m%dT%H%M%S}Z.{'db' if is_sqlite else 'dump'}"
    partial = target.with_suffix(".partial")
    if is_sqlite:
        copy_sqlite(_existing(url), partial)
    else:
        _dump_or_say_why(url, partial)
    return _settle(partial, target)


def _existing(url: sa.URL) -> Path:
    source = Path(url.database or "")
    if not source.is_file():
        raise click.ClickException(f"没有数据库，请先 make run / no database yet: {source}")
    return source


def _dump_or_say_why(url: sa.URL, target: Path) -> None:
    try:
        dump_postgres(url, target)
    except FileNotFoundError as missing:
        raise click.ClickException(
            "缺少 pg_dump / pg_dump is missing: sudo apt-get install -y postgresql-client"
        ) from missing
    except subprocess.CalledProcessError as failed:
        raise click.ClickException("pg_dump 失败，见上文 / pg_dump failed, see above") from failed


def _settle(partial: Path, target: Path) -> Path:
    """Give a copy its name only when it is whole and on the disk."""
    partial.chmod(0o600)
    with partial.open("rb") as file:
        os.fsync(file.fileno())
    return partial.rename(target)


def main() -> None:
    """Copy the database and say where the copy is."""
    settings = Settings.from_environment()
    target = backup(settings, datetime.now(UTC))
    # From here on the database is ahead of this copy, and shows it.
    app = create_app(settings)
    app.extensions[EXTENSION].look()
    with app.app_context(), current_database().transaction(Mode.WRITE) as session:
        audit.record(session, "system.backup", user_id=None, backup=target.name,
                     size_bytes=target.stat().st_size)  # fmt: skip
    click.echo(f"已备份 / copied to {target}")
    click.echo(
        "请将 FIELD_KEY 另存他处 / keep FIELD_KEY elsewhere: nothing else opens sealed fields"
    )
    click.echo("并另存 .audit-anchors 文件 / copy the .audit-anchors file to another machine")
    click.echo(
        "并同时保存 .erasures 文件 / copy the .erasures file too: what it names stays erased"
    )
    click.echo(
        "以及 .keys 文件（如有） / and the .keys file, if there is one: photos need the keys in it"
    )


if __name__ == "__main__":
    try:
        main()
    except click.ClickException as error:
        error.show()
        raise SystemExit(error.exit_code) from None
