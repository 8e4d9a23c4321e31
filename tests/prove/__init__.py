"""Provers: long runs against the real thing, each with a planted bug that it must catch."""
