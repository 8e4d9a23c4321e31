"""A phone in Python: enrols with a code, works offline on a local replica, and syncs."""

from app.core.feature import Feature
from app.phone import bulletin_commands, call_commands, commands, task_commands

feature = Feature(name="phone", commands=(commands.group,))

# Its commands join the group when they are imported.
__all__ = ["bulletin_commands", "call_commands", "feature", "task_commands"]
