"""The record of a photo, which syncs at once, and the tables of its bytes, which follow."""

from collections.abc import Mapping
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column

from app.core.database import Base, BigInt
from app.core.records import P0, P1, Record, synced
from app.decoder.headers import MEDIA_TYPES
from app.photos.rules import PARTS_MAX, PURPOSES, SIZE_BYTES_MAX, STATES
from sync.kinds import Rule
from sync.stores.tables import uuid
from sync.values import Choice, Identity, Listing, Moment, Position, Text, Whole

PROOF = "show what was found and done / 证明现场与办理情况"
LANE = "bring the photo over whole / 完整传送照片"
PLACE = "tell where it was taken, where that matters / 需要时说明拍摄地点"
SHIELD = "hide what nobody needs to see / 遮挡无关内容"
SHA256 = r"[0-9a-f]{64}"
RANK = 50


class Photo(Record):
    """A photo of an incident or a task: its facts; the bytes come by themselves."""

    __tablename__ = "photo"
    kind = "photo"

    incident: Mapped[str | None] = synced(
        Identity(), refers="incident", follows=("grid",), privacy=P1, purpose=PROOF, index=True
    )
    task: Mapped[str | None] = synced(
        Identity(), refers="task", follows=("grid",), privacy=P1, purpose=PROOF, index=True
    )
    purpose: Mapped[str | None] = synced(Choice(PURPOSES), privacy=P0, purpose=PROOF)
    sha256: Mapped[str | None] = synced(
        Text(64, 64, SHA256), required=True, privacy=P1, purpose=LANE, index=True
    )
    size_bytes: Mapped[int | None] = synced(
        Whole(1, SIZE_BYTES_MAX), required=True, privacy=P0, purpose=LANE
    )
    media_type: Mapped[str | None] = synced(
        Choice(MEDIA_TYPES), required=True, privacy=P0, purpose=LANE
    )
    taken_at: Mapped[str | None] = synced(Moment(), privacy=P0, purpose=PROOF)
    point: Mapped[str | None] = synced(Position(), group="place", privacy=P1, purpose=PLACE)
    accuracy_m: Mapped[int | None] = synced(
        Whole(0, 5000), group="place", privacy=P1, purpose=PLACE
    )
    redactions: Mapped[Any | None] = synced(
        Listing(Listing(Whole(0, 1000), 4), PARTS_MAX), privacy=P0, purpose=SHIELD
    )
    grid: Mapped[int | None] = synced(
        Whole(1, 2**53), rule=Rule.SERVER, privacy=P0, purpose=PROOF, index=True
    )
    # Who took the photo of a report has reported it: as hidden as the reporter himself.
    taken_by: Mapped[int | None] = synced(
        Whole(1, 2**53), rule=Rule.SERVER, privacy=P1, purpose=PROOF, shown_to="incident.close"
    )
    registered_at: Mapped[str | None] = synced(Moment(), rule=Rule.SERVER, privacy=P0, purpose=LANE)
    state: Mapped[str | None] = synced(
        Choice(STATES), rule=Rule.SERVER, privacy=P0, purpose=LANE, index=True
    )
    fault: Mapped[str | None] = synced(Text(40), rule=Rule.SERVER, privacy=P0, purpose=LANE)
    file: Mapped[str | None] = synced(
        Identity(), rule=Rule.SERVER, privacy=P0, purpose=LANE, index=True
    )
    width: Mapped[int | None] = synced(Whole(1, 65535), rule=Rule.SERVER, privacy=P0, purpose=PROOF)
    height: Mapped[int | None] = synced(
        Whole(1, 65535), rule=Rule.SERVER, privacy=P0, purpose=PROOF
    )
    camera: Mapped[str | None] = synced(Text(80), rule=Rule.SERVER, privacy=P1, purpose=PROOF)
    camera_taken_at: Mapped[str | None] = synced(
        Moment(), rule=Rule.SERVER, privacy=P0, purpose=PROOF
    )
    camera_point: Mapped[str | None] = synced(
        Position(), rule=Rule.SERVER, privacy=P1, purpose=PLACE
    )

    @staticmethod
    def rank_of(_values: Mapping[str, Any]) -> int:
        """Photos come after what they belong to."""
        return RANK


class PhotoFile(Base):
    """Bytes that are safe; two photos of one scope with the same hash share them."""

    __tablename__ = "photo_file"
    __table_args__ = (sa.UniqueConstraint("scope", "sha256"),)

    id: Mapped[str] = mapped_column(uuid(), primary_key=True)
    scope: Mapped[str] = mapped_column(sa.String(60))
    sha256: Mapped[str] = mapped_column(sa.String(64))
    size_bytes: Mapped[int] = mapped_column(BigInt)
    media_type: Mapped[str] = mapped_column(sa.String(40))
    # Since when no photo needs it; from then on no new photo may rely on it either.
    unused_since_ms: Mapped[int | None] = mapped_column(BigInt, index=True)


class PhotoPicture(Base):
    """What came of opening a photo: its derivatives and facts, or the fault."""

    __tablename__ = "photo_picture"

    photo: Mapped[str] = mapped_column(uuid(), primary_key=True)
    # Names the derivatives; they are never written over.
    version: Mapped[str | None] = mapped_column(uuid())
    # The parts that the derivatives hide, as JSON; also tells which request they answer.
    parts: Mapped[str] = mapped_column(sa.Text)
    fault: Mapped[str | None] = mapped_column(sa.String(40))
    facts: Mapped[str] = mapped_column(sa.Text)
    # How often the decoder has died over it.
    tries: Mapped[int] = mapped_column(default=0, server_default="0")


class Upload(Base):
    """One photo on its way: how much is safe, and which request may add to it."""

    __tablename__ = "upload"

    photo: Mapped[str] = mapped_column(uuid(), primary_key=True)
    user_id: Mapped[int] = mapped_column(BigInt)
    length: Mapped[int] = mapped_column(BigInt)
    received: Mapped[int] = mapped_column(BigInt)
    # The request that may add; a newer one takes its place, and the older one finds out.
    holder: Mapped[str] = mapped_column(uuid())
    # Where the bytes lie: [first byte, holder] of each request, as JSON.
    parts: Mapped[str] = mapped_column(sa.Text)
    expires_ms: Mapped[int] = mapped_column(BigInt, index=True)


class UploadDay(Base):
    """How many bytes a phone (or an office user) has sent on a day."""

    __tablename__ = "upload_day"

    sender: Mapped[str] = mapped_column(sa.String(50), primary_key=True)
    day: Mapped[str] = mapped_column(sa.String(10), primary_key=True)
    bytes: Mapped[int] = mapped_column(BigInt)
