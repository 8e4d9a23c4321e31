"""Clients that others wrote upload, give up, resume and verify; and cut requests keep their bytes.

All of it against the server as it is shipped, on both engines.
"""

import base64
import http.client
import io
import json
import socket
import struct
import subprocess
import time
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from tusclient.client import TusClient
from tusclient.exceptions import TusCommunicationError

from app.core.identifiers import new_id
from tests.app.core.county import incident
from tests.app.identity.town import TestPhone
from tests.app.photos.camera import BYTES, facts, noise
from tests.conftest import ENGINES
from tests.npm import install
from tests.prove.ground import Ground, open_ground
from tests.prove.server import Server

CLIENT = Path(__file__).parents[2] / "photos"
CHUNK_BYTES = 100_000
KEPT_WITHIN_S = 10.0


@dataclass
class Office:
    """The shipped server with an enrolled phone that registers photos."""

    ground: Ground
    server: Server
    token: str
    device: str
    n: int = 0

    @property
    def files(self) -> str:
        """Return where uploads go."""
        return f"http://127.0.0.1:{self.server.port}/api/v1/files"

    def headers(self) -> dict[str, str]:
        """Return who asks."""
        return {"Authorization": f"Bearer {self.token}"}

    def register(self, raw: bytes) -> str:
        """Register a photo of an incident, in one request."""
        report, photo = new_id(), new_id()
        told = [("incident", report, incident(photo_count=1)),
                ("photo", photo, facts(raw, incident=report))]  # fmt: skip
        edits = [{"n": self.n + i, "id": new_id(), "op": "create", "kind": kind, "rec": rec,
                  "set": values} for i, (kind, rec, values) in enumerate(told, 1)]  # fmt: skip
        self.n += 2
        status, reply = self.server.ask("POST", "/api/v1/sync/push",
                                        {"device": self.device, "edits": edits},
                                        self.headers())  # fmt: skip
        assert status == 200 and all(one["status"] == "applied" for one in reply["results"])
        return photo

    def state(self, photo: str) -> str:
        """Return the state of a photo."""
        status, shown = self.server.ask("GET", f"/api/v1/photos/{photo}", None, self.headers())
        assert status == 200, shown
        state: str = shown["state"]
        return state

    def bytes_of(self, photo: str) -> bytes:
        """Return the original."""
        address = self.files.replace("/files", f"/photos/{photo}/original")
        request = urllib.request.Request(address, headers=self.headers())
        with urllib.request.urlopen(request, timeout=20) as reply:
            raw: bytes = reply.read()
        return raw

    def offset(self, photo: str) -> int:
        """Return how many bytes are safe."""
        line = http.client.HTTPConnection("127.0.0.1", self.server.port, timeout=20)
        line.request("HEAD", f"/api/v1/files/{photo}",
                     headers={"Tus-Resumable": "1.0.0", **self.headers()})  # fmt: skip
        with line.getresponse() as reply:
            assert reply.status == 200
            at = int(reply.headers["Upload-Offset"])
        line.close()
        return at

    def open(self, photo: str, length: int) -> None:
        """Open an upload."""
        name = base64.b64encode(photo.encode()).decode()
        head = _head("POST", "/api/v1/files", self.token, {
            "Upload-Length": str(length), "Upload-Metadata": f"photo {name}",
            "Content-Length": "0",
        })  # fmt: skip
        with socket.create_connection(("127.0.0.1", self.server.port), 10) as door:
            door.sendall(head)
            assert b" 201 " in door.recv(4096)

    def patch_head(self, photo: str, offset: int, length: int) -> bytes:
        """Return the head of a request that brings all that is missing from a place on."""
        return _head("PATCH", f"/api/v1/files/{photo}", self.token, {
            "Upload-Offset": str(offset), "Content-Length": str(length - offset),
            "Content-Type": BYTES,
        })  # fmt: skip


def _head(method: str, path: str, token: str, headers: dict[str, str]) -> bytes:
    lines = {"Host": "127.0.0.1", "Tus-Resumable": "1.0.0", "Authorization": f"Bearer {token}",
             "Connection": "close", **headers}  # fmt: skip
    told = "".join(f"{name}: {value}\r\n" for name, value in lines.items())
    return f"{method} {path} HTTP/1.1\r\n{told}\r\n".encode()


@pytest.fixture(scope="module", params=ENGINES)
def office(request: pytest.FixtureRequest) -> Iterator[Office]:
    """Return the shipped server on each engine in turn."""
    with open_ground(request.param) as ground:
        server = Server(ground.environment)
        server.start()
        tokens = ground.county.enrolled("gw", TestPhone("install-tus"))
        made = ground.county.ask("gw_phone", "POST", "/sync/devices", {"app": "t", "schema": 1})
        yield Office(ground, server, tokens["access_token"], made.get_json()["device"])
        server.stop()


@pytest.fixture(scope="module")
def client() -> Path:
    """Return the folder of tus-js-client, installed as its lock file says."""
    install(CLIENT)
    return CLIENT


def _node(client: Path, office: Office, photo: str, path: Path, **order: Any) -> dict[str, Any]:
    told = {"endpoint": office.files, "token": office.token, "photo": photo, "path": str(path),
            **order}  # fmt: skip
    done = subprocess.run(["node", "upload.mjs", json.dumps(told)], cwd=client,
                          capture_output=True, timeout=60)  # fmt: skip
    assert done.returncode == 0, done.stderr.decode()[-2000:]
    said: dict[str, Any] = json.loads(done.stdout)
    return said


@pytest.fixture
def shot(tmp_path: Path) -> Path:
    """Return a picture of half a megabyte in a file."""
    path = tmp_path / "shot.jpg"
    path.write_bytes(noise((1200, 900)))
    return path


@pytest.mark.parametrize("during", [False, True])
def test_tus_js_client_uploads_a_photo(
    office: Office, client: Path, shot: Path, during: bool
) -> None:
    raw = shot.read_bytes()
    photo = office.register(raw)
    said = _node(client, office, photo, shot, during=during)
    assert said["done"], said
    assert office.state(photo) in ("stored", "ready") and office.bytes_of(photo) == raw


def test_tus_js_client_gives_up_and_another_goes_on(
    office: Office, client: Path, shot: Path
) -> None:
    raw = shot.read_bytes()
    photo = office.register(raw)
    said = _node(client, office, photo, shot, chunkSize=CHUNK_BYTES, abortAt=2 * CHUNK_BYTES)
    assert said["aborted"] >= 2 * CHUNK_BYTES and office.state(photo) == "expected"
    later = _node(client, office, photo, shot, url=said["url"], chunkSize=CHUNK_BYTES)
    assert later["done"] and later["statuses"][0] == "HEAD 200"
    sent = sum(one == "PATCH 204" for one in later["statuses"])
    assert sent <= -(-len(raw) // CHUNK_BYTES) - 2
    assert office.bytes_of(photo) == raw


def test_tus_js_client_terminates_an_upload(office: Office, client: Path, shot: Path) -> None:
    photo = office.register(shot.read_bytes())
    said = _node(client, office, photo, shot, chunkSize=CHUNK_BYTES, abortAt=CHUNK_BYTES,
                 terminate=True)  # fmt: skip
    assert "DELETE 204" in said["statuses"]
    assert _node(client, office, photo, shot)["done"]


def test_tus_js_client_is_told_of_wrong_bytes_and_begins_again(
    office: Office, client: Path, shot: Path, tmp_path: Path
) -> None:
    raw = shot.read_bytes()
    photo = office.register(raw)
    wrong = tmp_path / "wrong.jpg"
    wrong.write_bytes(raw[:-1] + bytes([raw[-1] ^ 1]))
    assert _node(client, office, photo, wrong)["error"] == 422
    assert office.offset(photo) == 0
    assert _node(client, office, photo, shot)["done"]
    assert office.bytes_of(photo) == raw


@pytest.mark.parametrize("checked", [False, True])
def test_tuspy_stops_and_resumes_and_verifies_its_checksums(
    office: Office, shot: Path, checked: bool
) -> None:
    raw = shot.read_bytes()
    photo = office.register(raw)
    tus = TusClient(office.files, headers=office.headers())
    chunks = {"chunk_size": CHUNK_BYTES, "upload_checksum": checked}
    first = tus.uploader(file_stream=io.BytesIO(raw), metadata={"photo": photo}, **chunks)
    first.upload(stop_at=2 * CHUNK_BYTES)
    assert office.offset(photo) == 2 * CHUNK_BYTES
    again = tus.uploader(
        file_stream=io.BytesIO(raw), chunk_size=CHUNK_BYTES, url=first.url, upload_checksum=checked
    )
    assert again.offset == 2 * CHUNK_BYTES
    again.upload()
    assert office.bytes_of(photo) == raw


def test_tuspy_cannot_upload_a_photo_of_which_nobody_knows(office: Office, shot: Path) -> None:
    tus = TusClient(office.files, headers=office.headers())
    with pytest.raises(TusCommunicationError):
        tus.uploader(file_stream=io.BytesIO(b"x"), metadata={"photo": new_id()}).upload()


@pytest.mark.parametrize("end", ["fin", "rst"])
def test_what_arrived_of_a_cut_request_is_kept(office: Office, shot: Path, end: str) -> None:
    raw = shot.read_bytes()
    photo = office.register(raw)
    office.open(photo, len(raw))
    sent = 300_000
    head = office.patch_head(photo, 0, len(raw))
    line = socket.create_connection(("127.0.0.1", office.server.port), 10)
    line.sendall(head + raw[:sent])
    time.sleep(2)
    if end == "rst":
        line.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    line.close()
    began = time.monotonic()
    while office.offset(photo) < sent and time.monotonic() - began < KEPT_WITHIN_S:
        time.sleep(0.05)
    assert office.offset(photo) == sent
    rest = office.patch_head(photo, sent, len(raw))
    with socket.create_connection(("127.0.0.1", office.server.port), 10) as line:
        line.sendall(rest + raw[sent:])
        assert b" 204 " in line.recv(4096)
    assert office.bytes_of(photo) == raw


def test_a_request_that_hangs_is_taken_over_without_waiting(office: Office, shot: Path) -> None:
    raw = shot.read_bytes()
    photo = office.register(raw)
    office.open(photo, len(raw))
    head = office.patch_head(photo, 0, len(raw))
    with socket.create_connection(("127.0.0.1", office.server.port), 10) as hanging:
        hanging.sendall(head + raw[:200_000])
        time.sleep(2.5)
        at = office.offset(photo)
        assert at >= 128 * 1024, "what a hanging request has brought is safe after a while"
        tus = TusClient(office.files, headers=office.headers())
        tus.uploader(file_stream=io.BytesIO(raw), url=f"{office.files}/{photo}",
                     chunk_size=CHUNK_BYTES).upload()  # fmt: skip
        assert office.bytes_of(photo) == raw


def test_a_server_killed_in_the_middle_goes_on_at_the_last_durable_byte(
    office: Office, shot: Path
) -> None:
    raw = shot.read_bytes()
    photo = office.register(raw)
    office.open(photo, len(raw))
    head = office.patch_head(photo, 0, len(raw))
    with socket.create_connection(("127.0.0.1", office.server.port), 10) as line:
        line.sendall(head + raw[:300_000])
        time.sleep(2.5)
        office.server.kill()
    office.server.start()
    at = office.offset(photo)
    assert 300_000 - at <= 256 * 1024
    assert at > 0
    tus = TusClient(office.files, headers=office.headers())
    tus.uploader(file_stream=io.BytesIO(raw), url=f"{office.files}/{photo}").upload()
    assert office.bytes_of(photo) == raw
