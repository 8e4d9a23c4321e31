"""Take pictures for the tests, register them from a phone, and bring their bytes by hand."""

import base64
import hashlib
import io
from dataclasses import dataclass, field
from typing import Any

from PIL import Image
from werkzeug.test import TestResponse

from app.core.jobs import worker_of
from app.photos.lane import EXTENSION
from app.photos.uploads import Lane
from tests.app.core.county import County, SyncPhone, incident

TUS = {"Tus-Resumable": "1.0.0"}
BYTES = "application/offset+octet-stream"


def picture(seed: int = 0, size: tuple[int, int] = (64, 48), form: str = "JPEG") -> bytes:
    """Return a small picture, another one for each seed."""
    image = Image.new("RGB", size, (seed * 37 % 256, seed // 7 * 37 % 256, 120))
    out = io.BytesIO()
    image.save(out, form)
    return out.getvalue()


def noise(size: tuple[int, int] = (900, 700)) -> bytes:
    """Return a picture of some hundred kilobytes."""
    out = io.BytesIO()
    Image.effect_noise(size, 80).convert("RGB").save(out, "JPEG", quality=90)
    return out.getvalue()


def facts(raw: bytes, **more: Any) -> dict[str, Any]:
    """Return what a phone says of a picture before it sends the bytes."""
    return {"sha256": hashlib.sha256(raw).hexdigest(), "size_bytes": len(raw),
            "media_type": "image/jpeg", **more}  # fmt: skip


@dataclass
class Camera:
    """A worker's phone that reports an incident and takes photos of it."""

    county: County
    who: str = "gw"
    subject: str = field(default="")

    @property
    def phone(self) -> SyncPhone:
        """Return the phone."""
        return self.county.phone(self.who)

    @property
    def lane(self) -> Lane:
        """Return the lane of the server."""
        lane: Lane = self.county.app.extensions[EXTENSION]
        return lane

    def incident(self, **more: Any) -> str:
        """Report an incident, of which the coming photos are."""
        made = self.phone.act("create", "incident", set=incident(**more))
        assert made["status"] == "applied", made
        self.subject = made["rec"]
        return self.subject

    def register(self, raw: bytes, **more: Any) -> str:
        """Tell the server of a photo, and return its id."""
        subject = {} if "task" in more else {"incident": self.subject or self.incident()}
        made = self.phone.act("create", "photo", set=facts(raw, **subject, **more))
        assert made["status"] == "applied", made
        record: str = made["rec"]
        return record

    def ask(
        self, method: str, path: str, data: bytes | None = None, **headers: str
    ) -> TestResponse:
        """Send one request of tus."""
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        more = {} if data is None else {"data": data}
        return self.county.ask(self.phone.who, method, f"/files{path}",
                               headers={**TUS, **named}, **more)  # fmt: skip

    def open(self, photo: str, length: int, data: bytes | None = None, **more: str) -> TestResponse:
        """Open an upload."""
        name = base64.b64encode(photo.encode()).decode()
        return self.ask("POST", "", data, Upload_Length=str(length),
                        Upload_Metadata=f"photo {name}", **more)  # fmt: skip

    def add(self, photo: str, offset: int, data: bytes, **more: str) -> TestResponse:
        """Add bytes."""
        return self.ask("PATCH", f"/{photo}", data, Upload_Offset=str(offset),
                        **{"Content_Type": BYTES, **more})  # fmt: skip

    def upload(self, photo: str, raw: bytes) -> TestResponse:
        """Bring all bytes of a photo."""
        opened = self.open(photo, len(raw))
        assert opened.status_code == 201, opened.get_data(as_text=True)
        return self.add(photo, 0, raw)

    def take(self, raw: bytes, **more: Any) -> str:
        """Register a photo and bring its bytes; return its id."""
        photo = self.register(raw, **more)
        done = self.upload(photo, raw)
        assert done.status_code == 204, done.get_data(as_text=True)
        return photo

    def work(self) -> int:
        """Let the worker do what is due."""
        worker = worker_of(self.county.app)
        worker.prepare()
        return worker.work_off()

    def shown(self, photo: str, who: str = "ts") -> dict[str, Any]:
        """Return the facts of a photo as the office sees them."""
        reply = self.county.ask(who, "GET", f"/photos/{photo}")
        assert reply.status_code == 200, reply.get_data(as_text=True)
        shown: dict[str, Any] = reply.get_json()
        return shown
