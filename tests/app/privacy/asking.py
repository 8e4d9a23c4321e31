"""People who ask something of their data, and the two of the township who answer."""

import io
import json
import zipfile
from typing import Any

from app.core.identifiers import new_id
from app.core.jobs import worker_of
from tests.app.core.county import County, SyncPhone
from tests.app.households.answers import consent, contact_fields, home_of

YES = {"verdict": "approved"}


def contact_of(phone: SyncPhone, home: str) -> str:
    """Let a worker take down a contact with his consent; return his id."""
    contact = new_id()
    consent(phone, home, "contact", contact)
    made = phone.act("create", "contact", contact, schema=2, set=contact_fields(home))
    assert made["status"] == "applied", made
    return contact


def family(phone: SyncPhone) -> tuple[str, str]:
    """Let a worker take down a household with a contact, who is changed once, and a visit."""
    home = home_of(phone)
    contact = contact_of(phone, home)
    visit = {"household": home, "outcome": "met", "note": "家里一切正常"}
    done = phone.push(
        phone.edit("update", "contact", contact, base=1, schema=2, set={"name": "张三峰"}),
        phone.edit("create", "visit", set=visit),
    )
    assert [one["status"] for one in done] == ["applied", "applied"]
    return home, contact


def asked(county: County, right: str, home: str, subject: str | None = None, **more: Any) -> str:
    """Take down in the office what somebody asks; return the id."""
    body = {"right": right, "household": home, "subject": subject or home, "came_by": "paper",
            "details": "请按规定办理", **more}  # fmt: skip
    made: str = county.made("vl", "/subject-requests", body)["id"]
    return made


def answered(county: County, request: str, verdict: str = "fulfil", **more: Any) -> None:
    """Let one of the township propose an answer, the other approve it, and the jobs run."""
    door = f"/subject-requests/{request}"
    proposed = county.ask("ts", "POST", f"{door}/answers", {"verdict": verdict, **more})
    assert proposed.status_code == 202, proposed.get_data(as_text=True)
    decided = county.ask("ts_colleague", "POST", f"{door}/decision", YES)
    assert decided.status_code == 200, decided.get_data(as_text=True)
    worker_of(county.app).work_off()


def unpacked(raw: bytes) -> tuple[dict[str, list[dict[str, Any]]], set[str]]:
    """Return the tables of a copy, and the names of all files in it."""
    with zipfile.ZipFile(io.BytesIO(raw)) as archive:
        tables = json.loads(archive.read("person.json"))["tables"]
        return tables, set(archive.namelist())
