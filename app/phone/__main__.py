"""Run the phone without the server's application: ``python -m app.phone``."""

from app.phone.commands import group

group(prog_name="python -m app.phone")
