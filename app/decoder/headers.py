"""Read type and size of a picture from its header, before anything is decoded.

Only a few bytes are looked at, none is unpacked: a bomb is refused for what it claims to be.
"""

from dataclasses import dataclass

JPEG, PNG, WEBP, HEIC = "image/jpeg", "image/png", "image/webp", "image/heic"
MEDIA_TYPES = (JPEG, PNG, WEBP, HEIC)
SIDE_PX_MAX = 30_000
# A baseline JPEG is opened at an eighth of its size; the others are opened whole.
PIXELS_MAX = {JPEG: 120_000_000, PNG: 16_000_000, WEBP: 12_000_000, HEIC: 16_000_000}
PROGRESSIVE_PIXELS_MAX = 20_000_000
HEIC_BRANDS = (b"heic", b"heix", b"heim", b"heis", b"mif1")
_PNG_START = b"\x89PNG\r\n\x1a\n"
_SIZES = frozenset({*range(0xC0, 0xC4), *range(0xC5, 0xC8), *range(0xC9, 0xCC), *range(0xCD, 0xD0)})
_PROGRESSIVE = frozenset({0xC2, 0xC6, 0xCA, 0xCE})
_ALONE = frozenset({0x01, *range(0xD0, 0xD9)})

TYPE, DAMAGED, TOO_LARGE = "photo_type_refused", "photo_damaged", "photo_too_large"


class Unfit(Exception):
    """We do not take this picture; ``code`` says why."""

    def __init__(self, code: str) -> None:
        super().__init__(code)
        self.code = code


@dataclass(frozen=True, slots=True)
class Header:
    """What a picture says of itself; a HEIC says its size only when it is opened."""

    media_type: str
    width: int = 0
    height: int = 0
    progressive: bool = False


def read_header(raw: bytes) -> Header:
    """Return the header of a picture that we take.

    Raises:
        Unfit: another type, a broken header, or more pixels than we open.
    """
    header = _header(raw)
    if header.media_type != HEIC:
        _check_size(header)
    return header


def _header(raw: bytes) -> Header:
    if raw.startswith(b"\xff\xd8\xff"):
        return _jpeg(raw)
    if raw.startswith(_PNG_START):
        return _png(raw)
    if raw[:4] == b"RIFF" and raw[8:12] == b"WEBP":
        return _webp(raw)
    if raw[4:8] == b"ftyp" and raw[8:12] in HEIC_BRANDS:
        return Header(HEIC)
    raise Unfit(TYPE)


def _check_size(header: Header) -> None:
    most = PROGRESSIVE_PIXELS_MAX if header.progressive else PIXELS_MAX[header.media_type]
    if not (header.width and header.height):
        raise Unfit(DAMAGED)
    if max(header.width, header.height) > SIDE_PX_MAX or header.width * header.height > most:
        raise Unfit(TOO_LARGE)


def _jpeg(raw: bytes) -> Header:
    """Walk over the segments to the one that holds the size."""
    at = 2
    while at + 4 <= len(raw):
        if raw[at] != 0xFF:
            raise Unfit(DAMAGED)
        marker = raw[at + 1]
        if marker == 0xFF:
            at += 1
        elif marker in _ALONE:
            at += 2
        elif marker in _SIZES:
            height, width = _number(raw, at + 5, 2), _number(raw, at + 7, 2)
            return Header(JPEG, width, height, marker in _PROGRESSIVE)
        else:
            at += 2 + _number(raw, at + 2, 2)
    raise Unfit(DAMAGED)


def _png(raw: bytes) -> Header:
    if raw[12:16] != b"IHDR":
        raise Unfit(DAMAGED)
    return Header(PNG, _number(raw, 16, 4), _number(raw, 20, 4))


def _webp(raw: bytes) -> Header:
    form, body = raw[12:16], raw[20:30]
    if len(body) < 10:
        raise Unfit(DAMAGED)
    if form == b"VP8X":
        return Header(WEBP, 1 + _little(body[4:7]), 1 + _little(body[7:10]))
    if form == b"VP8L" and body[0] == 0x2F:
        bits = _little(body[1:5])
        return Header(WEBP, 1 + (bits & 0x3FFF), 1 + (bits >> 14 & 0x3FFF))
    if form == b"VP8 " and body[3:6] == b"\x9d\x01\x2a":
        return Header(WEBP, _little(body[6:8]) & 0x3FFF, _little(body[8:10]) & 0x3FFF)
    raise Unfit(DAMAGED)


def _number(raw: bytes, at: int, length: int) -> int:
    return int.from_bytes(raw[at : at + length])


def _little(raw: bytes) -> int:
    return int.from_bytes(raw, "little")
