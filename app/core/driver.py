"""Choose the one SQLite driver of the process before anything else imports one.

Two copies of SQLite that open one file lose each other's POSIX locks, so the chosen driver
also takes the name ``sqlite3``. SpatiaLite needs loadable extensions, which some builds of
the standard module lack.
"""

import importlib
import sys
from types import ModuleType

SPATIALITE_NAMES = (
    "mod_spatialite",
    "mod_spatialite.so",
    "mod_spatialite.dylib",
    # Homebrew on Apple silicon, which the loader does not search by itself
    "/opt/homebrew/lib/mod_spatialite.dylib",
)
SPATIALITE_MISSING = (
    "SpatiaLite is missing / 缺少 SpatiaLite。"
    "Debian, Ubuntu: apt-get install libsqlite3-mod-spatialite · "
    "macOS: brew install libspatialite"
)


def choose_driver() -> ModuleType:
    """Return the SQLite driver that can load extensions, under the name ``sqlite3``."""
    standard = importlib.import_module("sqlite3")
    if hasattr(standard.Connection, "enable_load_extension"):
        return standard
    fallback = importlib.import_module("pysqlite3")
    sys.modules["sqlite3"] = fallback
    sys.modules["sqlite3.dbapi2"] = importlib.import_module("pysqlite3.dbapi2")
    return fallback


def load_spatialite(connection) -> None:  # type: ignore[no-untyped-def]
    """Load SpatiaLite into a fresh connection.

    Raises:
        RuntimeError: the library is not installed; the message says how to install it.
    """
    connection.enable_load_extension(True)
    try:
        for name in SPATIALITE_NAMES:
            try:
                connection.load_extension(name)
            except driver.OperationalError:
                continue
            return
        raise RuntimeError(SPATIALITE_MISSING)
    finally:
        connection.enable_load_extension(False)


driver = choose_driver()
