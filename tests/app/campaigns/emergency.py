"""Short ways to give an order in the tests' county, and to look for what must be gone."""

from pathlib import Path
from typing import Any

import sqlalchemy as sa

from app.core.database import Base
from tests.app.core.county import County, SyncPhone
from tests.app.identity.town import COUNTY, GRID, TOWNSHIP
from tests.app.notices.bulletin import after
from tests.conftest import as_owner

PHONE, REGION, DAY = "13812340987", "429006", "2026-07-19"
"""What is planted in an entry, to be looked for afterwards."""
TRACES = (PHONE, DAY, f'"{REGION}"', f"'{REGION}'")
"""How it would look in a table or a file; six bare digits may stand in any number."""


def order(**more: Any) -> dict[str, Any]:
    """Return the body of an order for one township that began yesterday."""
    return {
        "title": "返乡人员登记", "basis": "突发事件应对法 第四十九条", "purpose": "疫情防控",
        "county": COUNTY, "areas": [TOWNSHIP], "asks": ["count_arrived", "from_region",
        "arrived_on", "contact_phone"], "starts": after(days=-1), "ends": after(days=5),
        "destroy_by": after(days=20), **more,
    }  # fmt: skip


def open_order(county: County, **more: Any) -> str:
    """Propose and approve an order, and return its id."""
    made = county.made("cm", "/orders", order(**more))
    reply = county.ask("cm_second", "POST", f"/orders/{made['id']}/approval")
    assert reply.status_code == 200, reply.get_data(as_text=True)
    return str(made["id"])


def entry(name: str, **more: Any) -> dict[str, Any]:
    """Return the fields of an entry with what is planted."""
    return {"order_id": name, "grid": GRID, "count_arrived": 3, "from_region": REGION,
            "arrived_on": DAY, "contact_phone": PHONE, **more}  # fmt: skip


def enter(phone: SyncPhone, name: str, **more: Any) -> dict[str, Any]:
    """Push one entry, done just now by the phone's anchor, and return its receipt."""
    at = {"anchor": phone.anchor, "elapsed_ms": 0, "boot": "b"}
    return phone.act("create", "emergency_entry", set=entry(name, **more), at=at)


def planted_in_tables(county: County, *needles: str) -> list[str]:
    """Return the tables that hold any of some texts in plain letters."""
    found = []
    for table in Base.metadata.sorted_tables:
        plain = [one for one in table.columns if not str(one.type).startswith("geometry")]
        text = " ".join(str(row) for row in county.sql(sa.select(*plain)))
        found += [f"{table.name}: {needle}" for needle in needles if needle in text]
    return found


_POSTGRES_FILES = """
    SELECT relname, pg_read_binary_file(pg_relation_filepath(oid)) FROM pg_class
    WHERE relkind IN ('r', 'i', 't') AND pg_relation_filepath(oid) LIKE 'base/%'
"""


def planted_in_files(county: County, folder: Path, *needles: str) -> list[str]:
    """Return the files of the database, or of its server, that hold any of some texts."""
    if not county.database.is_sqlite:
        with as_owner(county.database) as connection:
            connection.execute(sa.text("CHECKPOINT"))
            rows = connection.execute(sa.text(_POSTGRES_FILES)).all()
        return [f"{name}: {needle}" for name, content in rows
                for needle in needles if needle.encode() in bytes(content)]  # fmt: skip
    return [
        f"{path.name}: {needle}"
        for path in sorted(folder.rglob("*")) if path.is_file()
        for needle in needles if needle.encode() in path.read_bytes()
    ]  # fmt: skip
