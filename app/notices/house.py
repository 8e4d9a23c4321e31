"""The server's own hand: what the dates make of a notice goes the way of every other edit."""

from app.core.actor import Actor, Post

HOUSE_ID = 0
HOUSE = Actor(HOUSE_ID, (Post("cm", 0, "", "city", 0),), name="wangge")
"""Nobody: he may do what the author of any notice may."""
