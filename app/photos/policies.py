"""Who may register, hide and delete photos; which photos are asked for, and which forbidden."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from app.core.actor import HOUSE_ID, Actor
from app.core.database import table_of
from app.core.evidence import FORBIDDEN
from app.core.moments import as_text
from app.incidents.models import IncidentCategory
from app.photos import rules
from app.photos.models import Photo, PhotoFile, PhotoPicture
from app.tasks.models import TaskKind
from sync.errors import FieldError, Refusal
from sync.gate import Work
from sync.stores.many import among

Values = Mapping[str, Any]
SUBJECTS = ("incident", "task")
CHANGEABLE = frozenset({"redactions"})
FACTS = {"width": "width", "height": "height", "camera": "camera", "taken_at": "camera_taken_at"}

# Plain tables, not models: they are read at every push that holds photos.
_categories, _kinds = table_of(IncidentCategory), table_of(TaskKind)
_files, _pictures = table_of(PhotoFile), table_of(PhotoPicture)
_CATEGORIES = sa.select(_categories.c.code, _categories.c.photo).where(_categories.c.level == 2)
_KINDS = sa.select(_kinds.c.code, _kinds.c.photo, _kinds.c.needs_location)
_FILES = sa.select(_files.c.scope, _files.c.sha256, _files.c.id).where(
    among(_files.c.sha256, "hashes"), _files.c.unused_since_ms.is_(None)
)
_PICTURES = sa.select(_pictures).where(among(_pictures.c.photo, "photos"))


@dataclass(frozen=True, slots=True)
class Asked:
    """What a category or a kind of task says of photos."""

    photo: str
    place: bool


@dataclass(frozen=True, slots=True)
class Found:
    """What the batch's photos need: the rules, the files already here, what came of opening."""

    rules: Mapping[tuple[str, str], Asked]
    files: Mapping[tuple[str, str], str]
    pictures: Mapping[str, Any]


def _rules(session: Session) -> dict[tuple[str, str], Asked]:
    run = session.connection().execute
    told = {("incident", code): Asked(photo or rules.OPTIONAL, True)
            for code, photo in run(_CATEGORIES)}  # fmt: skip
    return told | {("task", code): Asked(photo, place) for code, photo, place in run(_KINDS)}


class PhotoPolicy:
    """Rights and rules of photos: they follow their subject."""

    model = Photo
    list_action = "photo.list"
    propose_action = "photo.delete"
    _ACTIONS = {"create": "upload.create", "event": "upload.append"}

    def action(self, work: Work, values: Values) -> str:
        """Return the action: to hide a part of a photo is to delete that part."""
        return self._ACTIONS.get(work.edit.op, "photo.delete")

    def prepare(self, session: Session, works: Sequence[Work]) -> Found:
        """Read the rules, if a photo is new, and the files and pictures of the photos named."""
        run = session.connection().execute
        told = _rules(session) if any(work.edit.op == "create" for work in works) else {}
        hashes = {_value(work, "sha256") for work in works}
        files = run(_FILES, {"hashes": sorted(one for one in hashes if isinstance(one, str))})
        pictures = run(_PICTURES, {"photos": sorted({work.edit.rec for work in works})})
        return Found(
            told, {(row[0], row[1]): row[2] for row in files}, {row.photo: row for row in pictures}
        )

    def grids(self, work: Work, values: Values, found: Found | None) -> tuple[int, ...] | None:
        """Return the grid of the photo, or of the subject it names; a photo of nothing has none."""
        if work.edit.op == "create" and not any(values.get(one) for one in SUBJECTS):
            return None
        records = [work.record] if work.record else [work.referred.get(one) for one in SUBJECTS]
        grids = {one.values.get("grid") for one in records if one}
        return tuple(grid for grid in grids if type(grid) is int)

    def own(self, actor: Actor, work: Work, values: Values) -> bool:
        """Tell whether the actor took it; the server's own hand counts as the author's."""
        if actor.user_id == HOUSE_ID:
            return True
        return work.record is not None and work.record.values.get("taken_by") == actor.user_id

    def derive(self, work: Work, values: Values, found: Found, actor: Actor) -> Values:
        """Check the rule of the subject; say in which state the photo is."""
        if work.edit.op == "delete":
            return values
        if work.edit.op == "create":
            values = {**values, **self._registered(work, values, found, actor)}
        else:
            _refuse_changes(values)
        if not rules.are_parts(values.get("redactions")):
            raise Refusal("invalid_fields", FieldError("redactions", "wrong_form"))
        return {**values, **_standing(work, values, found)}

    def _registered(self, work: Work, values: Values, found: Found, actor: Actor) -> Values:
        name, subject = _subject(work, values)
        code = subject.get("category" if name == "incident" else "task_kind")
        asked = found.rules.get((name, str(code)), Asked(rules.OPTIONAL, False))
        purpose = values.get("purpose") or rules.EVIDENCE
        if asked.photo == FORBIDDEN:
            raise Refusal("photo_forbidden", FieldError(name, "photo_forbidden", {"code": code}))
        if values.get("point") is not None and not asked.place:
            raise Refusal("invalid_fields", FieldError("point", "place_not_needed"))
        if purpose == rules.DOCUMENT and name != "task":
            raise Refusal("invalid_fields", FieldError("purpose", "documents_belong_to_tasks"))
        return {"purpose": purpose, "grid": subject["grid"], "taken_by": actor.user_id,
                "registered_at": as_text(work.act.ms)}  # fmt: skip


def _value(work: Work, name: str) -> Any:
    return work.edit.set.get(name) or (work.record.values.get(name) if work.record else None)


def _refuse_changes(values: Values) -> None:
    """Refuse to change what a photo is: it would be another one."""
    fixed = [one.name for one in Photo.__table__.columns if one.name in values]
    wrong = [FieldError(name, "fixed") for name in fixed if name not in CHANGEABLE]
    if wrong:
        raise Refusal("invalid_fields", *wrong)


def _subject(work: Work, values: Values) -> tuple[str, Values]:
    named = [name for name in SUBJECTS if values.get(name)]
    if len(named) != 1:
        raise Refusal("invalid_fields", FieldError("incident", "one_subject_needed"))
    subject = work.referred.get(named[0])
    if subject is None or type(subject.values.get("grid")) is not int:
        raise Refusal("invalid_fields", FieldError(named[0], "unknown_record"))
    return named[0], subject.values


def _standing(work: Work, values: Values, found: Found) -> Values:
    """Return the state of the photo, and what was lifted out of the picture."""
    merged = {**(work.record.values if work.record else {}), **values}
    file = _file(merged, found)
    picture = found.pictures.get(work.edit.rec)
    wanted = merged.get("redactions") or []
    drawn = json.loads(picture.parts) if picture and picture.version else None
    fault = picture.fault if picture else None
    shown: dict[str, Any] = {
        "state": rules.standing(file, fault, drawn, wanted), "fault": fault,
        "file": None if fault else file,
    }  # fmt: skip
    return {**shown, **(_facts(json.loads(picture.facts)) if picture else {})}


def _file(merged: Values, found: Found) -> str | None:
    """Return the file of a photo's bytes: that of its grid, or the one it had before it moved."""
    file = found.files.get((f"grid:{merged['grid']}", merged["sha256"]))
    own: str | None = merged.get("file")
    return own if file is None and own in found.files.values() else file


def _facts(facts: Values) -> Values:
    """Return what the camera said; where, only if the purpose needs to know."""
    lifted = {field: facts.get(name) for name, field in FACTS.items()}
    place = facts.get("point") if facts.get("place_needed") else None
    return {**lifted, "camera_point": place}
