"""Run the phone without the server's application: ``python -m app.phone``."""

from app.phone.task_commands import group

group(prog_name="python -m app.phone")
