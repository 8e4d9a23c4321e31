"""People for the erasing prover: in every field, photo, conflict, parked edit and file a canary."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any

from app.core.actor import Actor
from app.core.database import Mode
from app.core.engine import current_engine, write_all_as_office
from app.core.identifiers import new_id
from app.exports import making
from app.exports.models import QUEUED, Export
from app.identity.authentication import posts_of
from app.photos.finishing import file_key
from app.photos.lane import current_lane
from app.photos.models import PhotoFile, PhotoPicture
from app.photos.pictures import keys_of
from app.privacy import house
from app.privacy.answering import QUEUED as COPY_QUEUED
from app.privacy.filing import make_copy
from app.privacy.models import SubjectAnswer
from sync.edits import Edit
from tests.app.core.county import County
from tests.app.households.answers import agreed
from tests.app.identity.town import GRID, VILLAGE

GONE, KEPT = "灭迹Zq", "留存Zq"
"""In every text of somebody who is erased, and of somebody who stays."""
GONE_DIGITS, KEPT_DIGITS = "1397777", "1398888"
SORTS = ("household", "contact", "service_person")
BATCH = 400


@dataclass(frozen=True)
class Person:
    """Somebody with his household, and the ids of what is made of him."""

    number: int
    sort: str
    stays: bool
    home: str
    contact: str
    person: str

    @property
    def key(self) -> tuple[str, str]:
        """Return whom a request to erase him would name."""
        record = {"household": self.home, "contact": self.contact}.get(self.sort, self.person)
        return self.sort, record

    def word(self, of: str) -> str:
        """Return a canary; what an erased contact leaves behind him is his neighbours'."""
        theirs = self.sort in ("household", of) and not self.stays
        return f"{GONE if theirs else KEPT}{self.number}"

    def phone(self) -> str:
        """Return his telephone number."""
        erased = self.word("contact").startswith(GONE)
        return f"{GONE_DIGITS if erased else KEPT_DIGITS}{self.number:04d}"


def people(count: int, *, stays: bool, first: int = 0) -> list[Person]:
    """Return so many people, of each sort in turn."""
    return [
        Person(number, SORTS[number % 3], stays, new_id(), new_id(), new_id())
        for number in range(first, first + count)
    ]


@dataclass
class Settlement:
    """The county with people in it."""

    county: County

    def actor(self, name: str) -> Actor:
        """Return a person of the county as the engine sees him."""
        user = self.county.ids[name]
        with self.county.database.transaction(Mode.READ) as session:
            return Actor(user, posts_of(session, user))

    def write(self, who: str, edits: Sequence[Edit]) -> list[Any]:
        """Write edits as somebody, some hundred at a time; return what became of each."""
        kinds, actor, results = current_engine().kinds.by_name, self.actor(who), []
        present = [replace(one, schema=kinds[one.kind].schema) for one in edits]
        for start in range(0, len(present), BATCH):
            with self.county.database.transaction(Mode.WRITE) as session:
                results += write_all_as_office(session, actor, present[start : start + BATCH])
        return [one["status"] for one in results]

    def settle(self, some: Sequence[Person]) -> None:
        """Make all of it."""
        made = self.write("vl", [edit for one in some for edit in _records(one)])
        assert set(made) == {"applied"}, set(made)
        # Two people change the same, and one says what cannot be: history, conflict, parking.
        again = [_change(one, "9") for one in some]
        self.write("vl", again)
        self.write("gw", [_change(one, "8") for one in some])
        parked = self.write("gw", [_impossible(one) for one in some])
        assert set(parked) == {"parked"}, set(parked)
        self._photos(some)

    def _photos(self, some: Sequence[Person]) -> None:
        """Give each a task with a photo whose bytes, and what was made of them, are here."""
        worker, tasks = self.county.ids["gw"], {one: new_id() for one in some}
        made = self.write("ts", [_task(one, tasks[one], worker) for one in some])
        photos = {one: new_id() for one in some}
        made += self.write("gw", [_photo(one, photos[one], tasks[one]) for one in some])
        assert set(made) == {"applied"}, set(made)
        for start in range(0, len(some), BATCH):
            self._bytes(some[start : start + BATCH], photos)

    def _bytes(self, some: Sequence[Person], photos: Mapping[Person, str]) -> None:
        lane, notes = current_lane(), {}
        with self.county.database.transaction(Mode.WRITE) as session:
            found = (
                current_engine()
                .store(session)
                .records(sorted(("photo", photos[one]) for one in some))
            )
            for one in some:
                file, version, raw = new_id(), new_id(), _raw(one)
                keys = (file_key(file), *keys_of(version))
                lane.shelf.enter(session, [lane.shelf.keep(key, [raw], len(raw)) for key in keys])
                session.add(PhotoFile(id=file, scope=f"grid:{GRID}", sha256=f"{one.number:064x}",
                                      size_bytes=len(raw), media_type="image/jpeg"))  # fmt: skip
                facts = json.dumps({"camera": one.word("photo")})
                session.add(PhotoPicture(photo=photos[one], version=version, parts="[]",
                                         fault=None, facts=facts, tries=0))  # fmt: skip
                noted = {"file": file, "state": "ready", "camera": one.word("photo")}
                key = ("photo", photos[one])
                notes[key] = (found[key].rv, noted)
            house.write(session, notes)

    def ask(self, some: Sequence[Person]) -> None:
        """Let people ask for copies, and make one file of each hundredth."""
        requests = {one: new_id() for one in some}
        made = self.write("vl", [
            Edit(0, "", "create", "subject_request", record, set={
                "household": one.home, "subject": one.key[1], "right": "copy",
                "details": one.word(one.sort), "came_by": "paper"})
            for one, record in requests.items()
        ])  # fmt: skip
        assert set(made) == {"applied"}, set(made)
        for one in some[::100]:
            answer = SubjectAnswer(
                id=new_id(), request=requests[one], verdict="fulfil", reason=None, approval="",
                asked_by=1, asked_at=datetime.now(UTC), decided_by=2, state=COPY_QUEUED,
            )  # fmt: skip
            with self.county.database.transaction(Mode.WRITE) as session:
                session.add(answer)
                name = answer.id
            make_copy(name)

    def export(self) -> None:
        """Make an export that shows addresses, and a ready-made copy of the grid."""
        export = Export(
            id=new_id(), user_id=self.county.ids["vl"], layer="households", format="csv",
            area_id=VILLAGE, personal=True, reason="核对门牌", state=QUEUED,
            asked_at=datetime.now(UTC),
        )  # fmt: skip
        with self.county.database.transaction(Mode.WRITE) as session:
            session.add(export)
            name = export.id
        making.make(name, lambda: datetime.now(UTC))


def _records(one: Person) -> list[Edit]:
    home = {"grid": GRID, "address_text": one.word("household"), "building": one.word("household"),
            "unit_room": one.word("household"), "occupancy": "lived_in"}  # fmt: skip
    contact = {"household": one.home, "name": one.word("contact"), "phone": one.phone(),
               "relation": "self", "is_emergency": True}  # fmt: skip
    person = {"household": one.home, "display_name": one.word("service_person"),
              "birth_year": 1950, "services": ["errands"],
              "care_note": one.word("service_person"), "power_dependent": True}  # fmt: skip
    act = {"household": one.home, "verb": "correct", "reason": one.word("household_act"),
           "changes": {"unit_room": one.word("household"), "building": one.word("household"),
                       "address_text": one.word("household")}, "state": "done"}  # fmt: skip
    consents = [
        agreed(one.home, "contact", one.contact), agreed(one.home, "errands", one.person),
        agreed(one.home, "health", one.person),
    ]  # fmt: skip
    return [
        Edit(0, "", "create", "household", one.home, set=home),
        *(Edit(0, "", "create", "consent", new_id(), set=consent) for consent in consents),
        Edit(0, "", "create", "contact", one.contact, set=contact),
        Edit(0, "", "create", "service_person", one.person, set=person),
        Edit(0, "", "create", "household_act", new_id(), set=act),
        Edit(0, "", "create", "visit", new_id(), set={
            "household": one.home, "outcome": "met", "note": one.word("visit")}),
    ]  # fmt: skip


def _raw(one: Person) -> bytes:
    return (one.word("photo") * 20).encode()


def _task(one: Person, task: str, worker: int) -> Edit:
    """Send the worker to somebody, and say in words what for."""
    said = {"grid": GRID, "household": one.home, "task_kind": "notice_delivery",
            "title": one.word("task"), "instructions": one.word("task"), "assignee": worker,
            "due_at": "2030-01-01T00:00:00Z", "state": "assigned", "round": 0}  # fmt: skip
    return Edit(0, "", "create", "task", task, set=said)


def _photo(one: Person, photo: str, task: str) -> Edit:
    """Announce a photo of that task."""
    said = {"task": task, "sha256": f"{one.number:064x}", "size_bytes": len(_raw(one)),
            "media_type": "image/jpeg"}  # fmt: skip
    return Edit(0, "", "create", "photo", photo, set=said)


def _change(one: Person, more: str) -> Edit:
    """Change a name, by somebody who has seen the first version only."""
    return Edit(0, "", "update", "contact", one.contact, base=1,
                set={"name": f"{one.word('contact')}{more}"})  # fmt: skip


def _impossible(one: Person) -> Edit:
    """Say of a person what no field can hold."""
    return Edit(0, "", "update", "contact", one.contact, base=1,
                set={"name": one.word("contact") * 20})  # fmt: skip
