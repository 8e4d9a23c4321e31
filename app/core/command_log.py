"""Write every command down before it runs: who works on the server itself is in the log too.

The row holds the command's name and the account of the machine, not what was typed behind it,
which may hold a name. A command whose row cannot be written does not run. Its effects have rows
of their own.
"""

import getpass
from collections.abc import Callable
from functools import wraps
from typing import Any

import click
import sqlalchemy as sa
from flask.cli import with_appcontext

from app.core import audit
from app.core.database import Mode, current_database

# These change nothing and show nobody's data, or talk to a server as a phone does.
UNWRITTEN = frozenset({
    "areas check", "audit key", "audit seal", "calendar check", "forms list", "forms show",
    "incidents table", "numbers definitions", "sync alarms", "sync erasures", "sync kinds",
    "sync refusals", "demo welcome", "fsck",
})  # fmt: skip
NO_TABLES = "数据库尚未建表 / the database has no tables yet: flask db upgrade"
STRANGERS = frozenset({"phone"})
_MARK = "__wangge_written__"


def write_down_all(command: click.Command, path: str = "") -> None:
    """Let a command, and all commands of a group, be written down before they run."""
    name = f"{path} {command.name}".strip()
    if name in STRANGERS:
        return
    if isinstance(command, click.Group):
        for one in command.commands.values():
            write_down_all(one, name)
    elif name not in UNWRITTEN and command.callback and not hasattr(command.callback, _MARK):
        command.callback = _written(command.callback, name)


def _written(callback: Callable[..., Any], name: str) -> Callable[..., Any]:
    @wraps(callback)
    def run(*args: Any, **kwargs: Any) -> Any:
        if not sa.inspect(current_database().engine).has_table(audit.AuditEvent.__tablename__):
            raise click.ClickException(NO_TABLES)
        with current_database().transaction(Mode.WRITE) as session:
            audit.record(session, "system.command", user_id=None, subject=name,
                         operator=getpass.getuser())  # fmt: skip
        return callback(*args, **kwargs)

    inside = with_appcontext(run)
    setattr(inside, _MARK, True)
    return inside
