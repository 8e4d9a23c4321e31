"""The server's own hand: what it notes on photos goes the way of every other edit."""

from app.core.actor import house

HOUSE = house("gw")
"""Nobody: he may do what an author may with his own photos, and every photo counts as his own."""
