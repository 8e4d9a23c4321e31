"""A small county with one person for each role, for the tests of identity."""

import base64
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from typing import Any

import sqlalchemy as sa
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy.orm import Session
from werkzeug.test import TestResponse

from app.areas.models import Area, AreaVersion
from app.core.audit import AuditEvent
from app.core.database import Database, Mode
from app.core.identifiers import new_id
from app.identity import credentials, factors, phones, sessions
from app.identity.credentials import RefreshToken
from app.identity.gatehouse import EXTENSION, Gatehouse
from app.identity.models import Post, User

CITY, COUNTY, OTHER_COUNTY, TOWNSHIP, OTHER_TOWNSHIP, FAR_TOWNSHIP = 1, 2, 3, 4, 5, 6
VILLAGE, NEXT_VILLAGE, OTHER_VILLAGE = 7, 8, 9
GRID, SAME_VILLAGE_GRID, NEXT_VILLAGE_GRID, OTHER_TOWNSHIP_GRID = 10, 11, 12, 13
AREAS = [
    (CITY, "city", None, "1."),
    (COUNTY, "county", CITY, "1.2."),
    (OTHER_COUNTY, "county", CITY, "1.3."),
    (TOWNSHIP, "township", COUNTY, "1.2.4."),
    (OTHER_TOWNSHIP, "township", COUNTY, "1.2.5."),
    (FAR_TOWNSHIP, "township", OTHER_COUNTY, "1.3.6."),
    (VILLAGE, "village", TOWNSHIP, "1.2.4.7."),
    (NEXT_VILLAGE, "village", TOWNSHIP, "1.2.4.8."),
    (OTHER_VILLAGE, "village", OTHER_TOWNSHIP, "1.2.5.9."),
    (GRID, "grid", VILLAGE, "1.2.4.7.10."),
    (SAME_VILLAGE_GRID, "grid", VILLAGE, "1.2.4.7.11."),
    (NEXT_VILLAGE_GRID, "grid", NEXT_VILLAGE, "1.2.4.8.12."),
    (OTHER_TOWNSHIP_GRID, "grid", OTHER_VILLAGE, "1.2.5.9.13."),
]
PEOPLE = {
    "gw": ("gw", GRID),
    "colleague": ("gw", SAME_VILLAGE_GRID),
    "gw_next_village": ("gw", NEXT_VILLAGE_GRID),
    "gw_other_township": ("gw", OTHER_TOWNSHIP_GRID),
    "vl": ("vl", VILLAGE),
    "vl_next_village": ("vl", NEXT_VILLAGE),
    "ts": ("ts", TOWNSHIP),
    "ts_colleague": ("ts", TOWNSHIP),
    "ts_other_township": ("ts", OTHER_TOWNSHIP),
    "cm": ("cm", COUNTY),
    "cm_other_county": ("cm", OTHER_COUNTY),
    "cm_city": ("cm", CITY),
    "au": ("au", CITY),
    "da": ("da", CITY),
}
FIRST_DAY = date(2020, 1, 1)


class TestPhone:
    """A phone's own key pair and what it says of itself."""

    __test__ = False

    def __init__(self, install_id: str = "install-1") -> None:
        self.install_id = install_id
        self._key = ec.generate_private_key(ec.SECP256R1())
        raw = self._key.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
        self.public_key = base64.b64encode(raw).decode()

    def enrolment(self, code: str) -> dict[str, str]:
        """Return the body of an enrolment."""
        return {
            "code": code,
            "install_id": self.install_id,
            "public_key": self.public_key,
            "model": "Redmi 9A",
            "app": "wangge-phone 0.1",
        }

    def refresh(self, token: str, at_ms: int) -> dict[str, Any]:
        """Return the body of a refresh with the proof of the key."""
        message = credentials.proof_message(token, at_ms)
        signature = self._key.sign(message, ec.ECDSA(hashes.SHA256()))
        proof = base64.urlsafe_b64encode(signature).decode().rstrip("=")
        return {"refresh_token": token, "proof": proof, "at": at_ms}

    def step_up(self, session_id: str, at_ms: int) -> dict[str, Any]:
        """Return the body of a fresh proof."""
        message = credentials.step_up_message(session_id, at_ms)
        signature = self._key.sign(message, ec.ECDSA(hashes.SHA256()))
        return {"proof": base64.urlsafe_b64encode(signature).decode().rstrip("="), "at": at_ms}


@dataclass
class Town:
    """The application with its people, and short ways to act as one of them."""

    app: Flask
    client: FlaskClient
    ids: dict[str, int] = field(default_factory=dict)
    headers: dict[str, dict[str, str]] = field(default_factory=dict)

    @property
    def database(self) -> Database:
        """Return the database."""
        database: Database = self.app.extensions["wangge_database"]
        return database

    def sql(self, statement: Any, **values: Any) -> list[Any]:
        """Run a statement in a transaction of its own and return its rows."""
        with self.database.transaction(Mode.WRITE) as session:
            result = session.execute(statement, values)
            return list(result) if getattr(result, "returns_rows", True) else []

    @contextmanager
    def statements(self) -> Iterator[list[str]]:
        """Write down the statements that are sent to the database, but for BEGIN.

        The look at the database that is due now and then has been taken before.
        """
        self.app.extensions["wangge_epochs"].look_if_due()
        seen: list[str] = []

        def write_down(_connection: object, _cursor: object, statement: str, *_: object) -> None:
            if not statement.startswith("BEGIN"):
                seen.append(statement)

        sa.event.listen(self.database.engine, "before_cursor_execute", write_down)
        yield seen
        sa.event.remove(self.database.engine, "before_cursor_execute", write_down)

    def events(self, event: str) -> list[Any]:
        """Return what was audited under a name."""
        return self.sql(sa.select(AuditEvent).where(AuditEvent.event == event))

    @property
    def house(self) -> Gatehouse:
        """Return the gatehouse."""
        house: Gatehouse = self.app.extensions[EXTENSION]
        return house

    def call(
        self,
        who: str | None,
        method: str,
        path: str,
        json: Any = None,
        *,
        key: str | None = None,
        address: str = "192.0.2.1",
    ) -> TestResponse:
        """Call the interface as a person, perhaps with an Idempotency-Key."""
        headers = dict(self.headers[who]) if who else {}
        if key:
            headers["Idempotency-Key"] = key
        arguments: dict[str, Any] = {} if json is None else {"json": json}
        return self.client.open(
            f"/api/v1{path}", method=method, headers=headers,
            environ_base={"REMOTE_ADDR": address}, **arguments,
        )  # fmt: skip

    def person(
        self,
        name: str,
        role: str | None = None,
        area: int = GRID,
        *,
        login: str | None = None,
        password: str | None = None,
        factor: str | None = None,
        ended: bool = False,
    ) -> None:
        """Put a person into the database, signed in.

        Args:
            factor: the secret of his one-time codes.
        """
        hashed = self.house.passwords.hash(password) if password else None
        with self.database.transaction(Mode.WRITE) as session:
            self.add(session, name, role, area, login=login, hashed=hashed, ended=ended)
            if factor:
                factors.set_secret(session, self.house.cipher, self.ids[name], factor, step=0,
                                   now=datetime.now(UTC))  # fmt: skip

    def add(
        self,
        session: Session,
        name: str,
        role: str | None,
        area: int,
        *,
        login: str | None = None,
        hashed: str | None = None,
        ended: bool = False,
    ) -> None:
        """Write a person with a post and a session."""
        now = datetime.now(UTC)
        user = User(name=name, login=login, password_hash=hashed, active=True, created=now)
        session.add(user)
        session.flush()
        if role:
            started, ends = now - timedelta(days=30), now - timedelta(days=1)
            session.add(
                Post(user_id=user.id, role=role, area_id=area, starts=started,
                     ends=ends if ended else None, reason="", mode="permanent")
            )  # fmt: skip
        self.ids[name] = user.id
        self.headers[name] = self._signed_in(session, user, now)

    def _signed_in(self, session: Session, user: User, now: datetime) -> dict[str, str]:
        first = RefreshToken(new_id(), 0, secrets.token_bytes(32))
        tokens = sessions.open_session(session, self.house, user, first, enrolment_id=None, now=now)
        return {"Authorization": f"Bearer {tokens.access_token}"}

    def code_for(self, name: str, *, age: timedelta = timedelta()) -> str:
        """Issue a code for a person, perhaps some time ago."""
        with self.database.transaction(Mode.WRITE) as session:
            issued = phones.make_code(
                session, self.house, user_id=self.ids[name], made_by=None,
                now=datetime.now(UTC) - age,
            )  # fmt: skip
        return issued.code

    def enrolled(self, name: str, phone: TestPhone) -> dict[str, Any]:
        """Enrol a phone for a person and return its tokens."""
        reply = self.call(None, "POST", "/auth/enrol", phone.enrolment(self.code_for(name)))
        assert reply.status_code == 201, reply.get_data(as_text=True)
        tokens: dict[str, Any] = reply.get_json()
        self.headers[f"{name}_phone"] = {"Authorization": f"Bearer {tokens['access_token']}"}
        return tokens

    def refresh(
        self, phone: TestPhone, token: str, *, at_ms: int | None = None, later_ms: int = 0
    ) -> TestResponse:
        """Refresh as a phone does."""
        moment = at_ms if at_ms is not None else now_ms() + later_ms
        return self.call(None, "POST", "/auth/refresh", phone.refresh(token, moment))


def outcome(response: TestResponse) -> tuple[int, str]:
    """Return status and code of a problem."""
    assert response.content_type == "application/problem+json", response.get_data(as_text=True)
    return response.status_code, response.get_json()["code"]


def answer(response: TestResponse) -> tuple[int, str | None]:
    """Return status and, of a problem, its code: what a table of cases says."""
    return outcome(response) if response.status_code >= 400 else (response.status_code, None)


def now_ms() -> int:
    """Return the time in ms."""
    return int(datetime.now(UTC).timestamp() * 1000)


def settle(town: Town) -> None:
    """Write the areas and the people."""
    with town.database.transaction(Mode.WRITE) as session:
        for area_id, level, parent, path in AREAS:
            _write_area(session, area_id, level, parent, path)
        for name, (role, area) in PEOPLE.items():
            town.add(session, name, role, area)


def _write_area(session: Session, area_id: int, level: str, parent: int | None, path: str) -> None:
    session.add(Area(id=area_id, level=level, parent_id=parent, path=path, valid_from=FIRST_DAY))
    session.flush()
    name = f"{level} {area_id}"
    session.add(
        AreaVersion(area_id=area_id, valid_from=FIRST_DAY, code=f"62{area_id:010}", name=name,
                    short_name=name, kind=level, parent_id=parent, urban_rural_code="",
                    edition="test")
    )  # fmt: skip
