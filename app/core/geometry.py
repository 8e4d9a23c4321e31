"""Import GeoAlchemy2 without what it would load along.

Where shapely is installed, GeoAlchemy2 imports it, and numpy with it: 28 MB for every worker
process, for conversions that no request makes. Commands import shapely themselves, later.
"""

import sys

_absent = "shapely" not in sys.modules
if _absent:
    sys.modules["shapely"] = None  # type: ignore[assignment]
try:
    from geoalchemy2 import Geometry
finally:
    if _absent:
        del sys.modules["shapely"]

__all__ = ["Geometry"]
