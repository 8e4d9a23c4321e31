"""Open one picture and make what is shown of it: upright, smaller, without a word about anybody."""

import io
from collections.abc import Sequence
from datetime import datetime
from typing import Any

from PIL import Image, ImageDraw, ImageFile, ImageOps, PngImagePlugin

from app.decoder.facts import lift
from app.decoder.headers import HEIC, JPEG, PIXELS_MAX, TOO_LARGE, TYPE, Unfit, read_header

SIDES_PX = (256, 1280)
QUALITY = {256: 75, 1280: 82}
WHITE, GREY = (255, 255, 255), (96, 96, 96)
PARTS = 1000
"""Redacted parts are given in thousandths of the upright picture."""
FORMATS = {"image/jpeg": "JPEG", "image/png": "PNG", "image/webp": "WEBP"}
Part = Sequence[int]

# Our own limit stands in the header check; a text that unpacks to megabytes is never read.
Image.MAX_IMAGE_PIXELS = max(PIXELS_MAX.values())
PngImagePlugin.MAX_TEXT_CHUNK = 64 * 1024
PngImagePlugin.MAX_TEXT_MEMORY = 1024 * 1024
ImageFile.LOAD_TRUNCATED_IMAGES = False


def can_open_heic() -> bool:
    """Tell whether the optional reader of HEIC is installed, and make it known to Pillow."""
    try:
        import pillow_heif
    except ImportError:
        return False
    pillow_heif.register_heif_opener(thumbnails=False)
    return True


def render(raw: bytes, parts: Sequence[Part], now: datetime) -> tuple[dict[str, Any], list[bytes]]:
    """Return what the picture says of itself, and its derivatives, smallest first.

    Args:
        parts: what must not be seen, ``[left, top, width, height]`` in thousandths.

    Raises:
        Unfit: it cannot be opened.
    """
    header = read_header(raw)
    image = _opened(raw, header.media_type)
    facts = lift(image.getexif(), now)
    size = image.size
    if header.media_type == JPEG:
        image.draft("RGB", (SIDES_PX[-1], SIDES_PX[-1]))
    image = _small(image)
    turned = header.media_type != HEIC and image.getexif().get(0x0112) in (5, 6, 7, 8)
    upright = image if header.media_type == HEIC else ImageOps.exif_transpose(image)
    flat = _hidden(_flat(upright), parts)
    width, height = (size[1], size[0]) if turned else size
    facts |= {"width": width, "height": height, "media_type": header.media_type}
    return facts, [_shown(flat, side) for side in SIDES_PX]


def _opened(raw: bytes, media_type: str) -> Image.Image:
    if media_type == HEIC:
        if not can_open_heic():
            raise Unfit(TYPE)
        image = Image.open(io.BytesIO(raw), formats=("HEIF",))
        if image.width * image.height > PIXELS_MAX[HEIC]:
            raise Unfit(TOO_LARGE)
        return image
    return Image.open(io.BytesIO(raw), formats=(FORMATS[media_type],))


def _small(image: Image.Image) -> Image.Image:
    """Return the picture no larger than the largest derivative, with its Exif still there."""
    image.load()
    exif = image.getexif()
    if max(image.size) > SIDES_PX[-1]:
        if image.mode not in ("L", "RGB", "RGBA"):
            image = image.convert("RGBA" if _has_alpha(image) else "RGB")
        image.thumbnail((SIDES_PX[-1], SIDES_PX[-1]), reducing_gap=2.0)
    if 0x0112 in exif:
        image.getexif()[0x0112] = exif[0x0112]
    return image


def _has_alpha(image: Image.Image) -> bool:
    return image.mode in ("LA", "PA", "RGBA", "La", "RGBa") or "transparency" in image.info


def _flat(image: Image.Image) -> Image.Image:
    """Return the picture in plain colours, laid on white where one could see through."""
    if not _has_alpha(image):
        return image.convert("RGB")
    layer = image.convert("RGBA")
    flat = Image.new("RGB", layer.size, WHITE)
    flat.paste(layer, mask=layer.getchannel("A"))
    return flat


def _hidden(image: Image.Image, parts: Sequence[Part]) -> Image.Image:
    """Paint over what must not be seen; nothing of it is left to be brought back."""
    pen = ImageDraw.Draw(image)
    for left, top, width, height in parts:
        x, y = left * image.width // PARTS, top * image.height // PARTS
        right = -(-(left + width) * image.width // PARTS)
        bottom = -(-(top + height) * image.height // PARTS)
        pen.rectangle((x, y, max(x, right - 1), max(y, bottom - 1)), fill=GREY)
    return image


def _shown(image: Image.Image, side_px: int) -> bytes:
    """Return a JPEG that holds pixels and nothing else."""
    shown = Image.new("RGB", image.size)
    shown.paste(image)
    shown.thumbnail((side_px, side_px), reducing_gap=2.0)
    out = io.BytesIO()
    shown.save(out, "JPEG", quality=QUALITY[side_px], optimize=True, comment=b"")
    return out.getvalue()
