"""The server's own hand: what the dates make of a notice goes the way of every other edit."""

from app.core.actor import house

HOUSE = house("cm")
"""Nobody: he may do what the author of any notice may."""
