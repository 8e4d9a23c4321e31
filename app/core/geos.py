"""Import shapely with a GEOS of its own, although SpatiaLite has brought another one along.

SQLite opens SpatiaLite for the whole process to see, with the system's GEOS behind it. Shapely,
imported after that, would call that older library instead of its own, and some functions of
both: wrong answers at best. On Linux its symbols are therefore looked up in its own library
first; macOS does so by itself. It costs 28 MB: only commands may import this module.
"""

import os
import sys

import numpy  # noqa: F401  (loaded before, so that the flags below touch shapely alone)

_flags = sys.getdlopenflags()
sys.setdlopenflags(_flags | getattr(os, "RTLD_DEEPBIND", 0))
try:
    import shapely
finally:
    sys.setdlopenflags(_flags)

__all__ = ["shapely"]
