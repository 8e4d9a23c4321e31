"""The sync engine: merges edits made offline; it knows no Flask, no feature and no place name."""
