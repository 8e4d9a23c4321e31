"""A phone in Python: enrols with a code, works offline on a local replica, and syncs."""

from app.core.feature import Feature
from app.phone import bulletin_commands
from app.phone.commands import group

feature = Feature(name="phone", commands=(group,))

__all__ = ["bulletin_commands", "feature"]
