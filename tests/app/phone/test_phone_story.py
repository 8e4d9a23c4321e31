"""The story of two phones comes true against the server that ships, on both engines."""

import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from http.client import HTTPConnection
from pathlib import Path

import pytest
import sqlalchemy as sa
from click.testing import CliRunner, Result

from app.core.database import Mode
from app.demo.staff import FACTOR as DEMO_FACTOR
from app.demo.staff import LOGINS
from app.demo.staff import PASSWORD as DEMO_PASSWORD
from app.identity.models import User
from app.phone import story_command
from app.phone.client import Phone
from app.phone.commands import group
from app.phone.home import Home
from tests.app.core.county import County, incident
from tests.app.identity.town import GRID, TOWNSHIP
from tests.app.phone.test_phone_forms import bring_forms
from tests.conftest import SECRETS

ROOT = Path(__file__).parents[3]
READY_S = 60
PASSWORD = "long-enough-86"
FACTOR = "JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP"


def free_port() -> int:
    """Return a port that nobody uses."""
    with socket.socket() as door:
        door.bind(("127.0.0.1", 0))
        port: int = door.getsockname()[1]
        return port


def is_ready(port: int) -> bool:
    """Tell whether a server answers."""
    connection = HTTPConnection("127.0.0.1", port, timeout=5)
    try:
        connection.request("GET", "/livez")
        return connection.getresponse().status == 200
    except OSError:
        return False
    finally:
        connection.close()


@pytest.fixture
def granian(county: County, database_url: str, home: dict, tmp_path: Path) -> Iterator[str]:
    """Return the address of the server that ships, on the county's database."""
    county.person("supervisor", "ts", TOWNSHIP, login="supervisor", password=PASSWORD,
                  factor=FACTOR)  # fmt: skip
    bring_forms(county)
    port = free_port()
    settings = {**SECRETS, "DATABASE_URL": database_url, "DATA_DIR": str(tmp_path)}
    words = ["--interface", "asgi", "--host", "127.0.0.1", "--port", str(port), "--no-ws",
             "--workers", "1", "--log-level", "error"]  # fmt: skip
    with subprocess.Popen(
        [sys.executable, "-m", "granian", *words, "asgi:app"], cwd=ROOT, env=os.environ | settings
    ) as process:
        until = time.monotonic() + READY_S
        while not is_ready(port) and time.monotonic() < until and process.poll() is None:
            time.sleep(0.1)
        yield f"http://127.0.0.1:{port}"
        process.terminate()


def tell(server: str) -> Result:
    """Play the story."""
    words = ["story", "--server", server, "--supervisor-login", "supervisor",
             "--password", PASSWORD, "--factor", FACTOR]  # fmt: skip
    return CliRunner().invoke(group, words)


def test_the_code_of_a_worker_with_a_login_still_enrols_after_the_story(
    county: County, granian: str, tmp_path: Path
) -> None:
    county.person("third", "gw", GRID)
    with county.database.transaction(Mode.WRITE) as session:
        named = sa.update(User).where(User.id == county.ids["gw"]).values(login="worker")
        session.execute(named)
    code = county.code_for("gw")
    assert tell(granian).exit_code == 0
    phone = Phone(Home(tmp_path / "by hand"))
    phone.enrol(code, granian)
    assert phone.sync().received
    phone.close()


def test_the_story_comes_true_and_can_be_played_again(county: County, granian: str) -> None:
    others = [county.phone(who) for who in ("gw", "colleague")]
    for other in others:
        parked = other.act("create", "incident", set=incident(category="9999"))
        assert parked["status"] == "parked"
    for _ in range(2):
        told = tell(granian)
        assert told.exit_code == 0, told.output
        assert "everything as told" in told.output
        assert len(told.output.splitlines()) <= 60
    pages = county.pages("ts", "/devices?limit=200")
    still = [row for page in pages for row in page if not row["revoked_at"]]
    assert len(still) == len(others)


def test_without_a_server_the_story_says_what_to_start() -> None:
    told = tell("http://127.0.0.1:9")
    assert told.exit_code == 1
    assert "make run" in told.output


def test_the_story_signs_in_with_what_the_demo_makes() -> None:
    made = (LOGINS["ts"], DEMO_PASSWORD, DEMO_FACTOR)
    assert made == (story_command.LOGIN, story_command.PASSWORD, story_command.FACTOR)
