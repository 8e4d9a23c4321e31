"""Uploads by tus 1.0 (https://tus.io): core, creation, creation-with-upload, checksum, expiration,
termination. The id of an upload is that of its photo.
"""

import base64
import binascii
import hashlib
import hmac
import time
from collections.abc import Iterator
from uuid import UUID

from flask import Response, request
from werkzeug.exceptions import ClientDisconnected
from werkzeug.http import http_date

from app.core.actor import current_actor
from app.core.database import Mode, current_database, current_session
from app.core.statuses import PROBLEM
from app.core.web import STREAMED, Blueprint
from app.photos import uploads
from app.photos.finishing import finish
from app.photos.lane import current_lane
from app.photos.rules import SIZE_BYTES_MAX
from app.photos.uploads import Hold, Status
from sync.errors import Problem
from sync.values import as_identity

VERSION = "1.0.0"
EXTENSIONS = "creation,creation-with-upload,checksum,expiration,termination"
ALGORITHMS = ("sha256", "sha1", "md5")
BYTES = "application/offset+octet-stream"
READ_BYTES = 16 * 1024
PIECE_BYTES = 128 * 1024
PIECE_S = 1.0
"""A piece is made safe when it is large enough, or when so much time has passed."""

TUS_VERSION = {"in": "header", "name": "Tus-Resumable", "required": True,
               "schema": {"type": "string", "enum": [VERSION]}}  # fmt: skip

blueprint = Blueprint(
    "files", __name__, url_prefix="/api/v1/files", description="Bytes of photos, by tus 1.0"
)


@blueprint.after_request
def speak_tus(response: Response) -> Response:
    """Name the version of tus on every answer."""
    response.headers["Tus-Resumable"] = VERSION
    if response.status_code == 412:
        response.headers["Tus-Version"] = VERSION
    return response


def _check_version() -> None:
    if request.headers.get("Tus-Resumable") != VERSION:
        raise Problem(412, "tus_version")


def _whole_number(name: str) -> int:
    text = request.headers.get(name, "")
    if not (text.isascii() and text.isdecimal() and len(text) <= 15):
        raise Problem(400, "malformed_request", pointer=name)
    return int(text)


@blueprint.route("", methods=["OPTIONS"], provide_automatic_options=False)
@blueprint.guard("upload.status")
@blueprint.response(204)
def describe() -> Response:
    """Say what of tus is spoken here."""
    return Response(status=204, headers={
        "Tus-Version": VERSION, "Tus-Extension": EXTENSIONS, "Tus-Max-Size": str(SIZE_BYTES_MAX),
        "Tus-Checksum-Algorithm": ",".join(ALGORITHMS),
    })  # fmt: skip


@blueprint.route("", methods=["POST"], provide_automatic_options=False)
@blueprint.guard("upload.create", mode=None, door=STREAMED)
@blueprint.doc(
    parameters=[
        TUS_VERSION,
        {"in": "header", "name": "Upload-Length", "required": True, "schema": {"type": "integer"}},
        {"in": "header", "name": "Upload-Metadata", "required": True, "schema": {"type": "string"},
         "description": "`photo <base64 of the photo's id>`; its record must be there first"},
    ],
    responses={412: PROBLEM},
)  # fmt: skip
@blueprint.response(201)
def create() -> Response:
    """Open the upload of a photo whose facts have arrived; perhaps with the first bytes."""
    _check_version()
    photo, length = _photo_named(), _whole_number("Upload-Length")
    if length > SIZE_BYTES_MAX:
        raise Problem(413, "too_large", most_bytes=SIZE_BYTES_MAX)
    lane, actor = current_lane(), current_actor()
    with current_database().transaction(Mode.WRITE) as session:
        status = uploads.create(session, lane, actor, photo, length)
    if request.mimetype == BYTES and status.received == 0 and request.content_length:
        received = _add(photo, 0)
        status = Status(photo, received, length, status.expires_ms)
    response = _told(201, status)
    response.headers["Location"] = f"{request.path.rstrip('/')}/{photo}"
    return response


def _photo_named() -> str:
    pairs = (one.strip().partition(" ") for one in
             request.headers.get("Upload-Metadata", "").split(","))  # fmt: skip
    named = {name: value.strip() for name, _, value in pairs}
    try:
        text = base64.b64decode(named.get("photo", ""), validate=True).decode()
    except (binascii.Error, ValueError):
        text = ""
    photo = as_identity(text)
    if photo is None:
        raise Problem(400, "malformed_request", pointer="Upload-Metadata: photo")
    return photo


def _told(status_code: int, status: Status) -> Response:
    response = Response(status=status_code)
    response.headers["Upload-Offset"] = str(status.received)
    if status.expires_ms:
        response.headers["Upload-Expires"] = http_date(status.expires_ms / 1000)
    return response


@blueprint.route("/<uuid:photo>", methods=["HEAD"])
@blueprint.guard("upload.status", mode=None)
@blueprint.doc(parameters=[TUS_VERSION], responses={412: PROBLEM})
@blueprint.response(200)
def look(photo: UUID) -> Response:
    """Tell how many bytes are safe, and where to go on."""
    _check_version()
    status = _status(str(photo))
    if status.received == status.length and status.expires_ms:
        finish(current_lane(), status.photo)
    response = _told(200, status)
    response.headers["Upload-Length"] = str(status.length)
    return response


def _status(photo: str) -> Status:
    with current_database().transaction(Mode.READ) as session:
        return uploads.status(session, current_actor(), photo)


@blueprint.route("/<uuid:photo>", methods=["PATCH"])
@blueprint.guard("upload.append", mode=None, door=STREAMED)
@blueprint.doc(
    parameters=[TUS_VERSION, {"in": "header", "name": "Upload-Offset", "required": True,
                              "schema": {"type": "integer"}}],
    responses={412: PROBLEM, 460: PROBLEM},
    requestBody={"content": {BYTES: {"schema": {"type": "string", "format": "binary"}}}},
)  # fmt: skip
@blueprint.response(204)
def add(photo: UUID) -> Response:
    """Add bytes where they ended; what arrived of a request that is cut off stays."""
    _check_version()
    if request.mimetype != BYTES:
        raise Problem(415, "unsupported_media_type", types=[BYTES])
    received = _add(str(photo), _whole_number("Upload-Offset"))
    return _told(204, Status(str(photo), received, received))


@blueprint.route("/<uuid:photo>", methods=["DELETE"])
@blueprint.guard("upload.abort", Mode.WRITE)
@blueprint.doc(parameters=[TUS_VERSION], responses={412: PROBLEM})
@blueprint.response(204)
def abort(photo: UUID) -> Response:
    """Give an upload up."""
    _check_version()
    uploads.abort(current_session(), current_actor(), str(photo))
    return Response(status=204)


# -- bytes ------------------------------------------------------------------------------------


def _add(photo: str, offset: int) -> int:
    """Take the bytes of the request, decide about the photo at the last; return how many there are.

    Raises:
        Problem: as :func:`uploads.hold`, :meth:`Hold.keep` and :func:`finish`.
    """
    lane, checksum = current_lane(), _checksum()
    with current_database().transaction(Mode.WRITE) as session:
        hold = uploads.hold(session, lane, current_actor(), photo, offset)
    if (request.content_length or 0) > hold.length - offset:
        raise Problem(413, "too_large", most_bytes=hold.length - offset)
    if checksum:
        _keep_checked(hold, *checksum)
    else:
        for piece in _pieces(hold.length - offset):
            hold.keep(piece)
    if hold.at == hold.length:
        finish(lane, photo)
    return hold.at


def _pieces(most: int) -> Iterator[bytes]:
    """Yield what arrives, at most so many bytes, until the request ends or is cut off."""
    request.max_content_length = SIZE_BYTES_MAX
    piece, began = bytearray(), time.monotonic()
    while most > 0:
        try:
            read = request.stream.read(min(READ_BYTES, most))
        except (ClientDisconnected, OSError):
            break
        if not read:
            break
        piece += read
        most -= len(read)
        if len(piece) >= PIECE_BYTES or time.monotonic() - began > PIECE_S:
            yield bytes(piece)
            piece, began = bytearray(), time.monotonic()
    if piece:
        yield bytes(piece)


def _checksum() -> tuple[str, bytes] | None:
    text = request.headers.get("Upload-Checksum")
    if text is None:
        return None
    algorithm, _, digest = text.partition(" ")
    try:
        raw = base64.b64decode(digest, validate=True)
    except binascii.Error:
        raw = b""
    if algorithm not in ALGORITHMS or not raw:
        raise Problem(400, "malformed_request", pointer="Upload-Checksum")
    return algorithm, raw


def _keep_checked(hold: Hold, algorithm: str, wanted: bytes) -> None:
    """Take a whole request or nothing of it, as its checksum demands."""
    digest, at = hashlib.new(algorithm, usedforsecurity=False), hold.at
    for piece in _pieces(hold.length - hold.at):
        hold.lane.incoming.append(hold.photo, hold.holder, at, piece)
        digest.update(piece)
        at += len(piece)
    if not hmac.compare_digest(digest.digest(), wanted):
        raise Problem(460, "checksum_mismatch")
    if at > hold.at:
        hold.count(at - hold.at)
