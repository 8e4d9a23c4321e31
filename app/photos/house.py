"""The server's own hand: what it notes on photos goes the way of every other edit."""

from app.core.actor import HOUSE_ID, Actor, Post

HOUSE = Actor(HOUSE_ID, (Post("gw", 0, "", "city", 0),), name="wangge")
"""Nobody: he may do what an author may with his own photos, and every photo counts as his own."""
