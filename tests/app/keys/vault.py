"""A county in which everything that can be sealed is, and ways to look at it as a thief would."""

import base64
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import pyotp
import sqlalchemy as sa
from flask.testing import FlaskCliRunner

from app.core.database import Base, Mode
from app.core.engine import Engine
from app.core.identifiers import new_id
from app.core.keyring import KeyRing
from app.core.records import sync_tables
from app.identity import factors
from app.identity.models import SecondFactor
from app.keys import looking
from app.keys.making import Keys, Wish
from app.keys.registry import registry
from app.keys.rotating import Rotation
from app.keys.services import current_rotation
from app.sync_api.epochs import place_of
from tests.app.campaigns.emergency import enter, open_order
from tests.app.core.county import County, SyncPhone, household
from tests.app.households.answers import agreed
from tests.app.identity.town import COUNTY, GRID
from tests.app.photos.camera import Camera, picture
from tests.app.privacy.asking import answered, asked

CANARIES = ("张三丰", "13812345678", "李四光", "13987654321", "王阿婆", "每日服药", "赵六顺",
            "13711112222", "13711119999", "13812340987", "13612341234", "柳七变")  # fmt: skip
"""What stands in sealed fields, bodies and indexes, and nowhere else."""
SEALED_TEXT = re.compile(r"^[A-P][A-Za-z0-9+/][A-Za-z0-9+/]{36,}={0,2}$")


@dataclass
class Vault:
    """The county, and the ids of what lies sealed in it."""

    county: County
    ids: dict[str, str] = field(default_factory=dict)

    @property
    def engine(self) -> Engine:
        engine: Engine = self.county.app.extensions["wangge_engine"]
        return engine

    @property
    def ring(self) -> KeyRing:
        return self.engine.cipher.ring

    @property
    def phone(self) -> SyncPhone:
        return self.county.phone("gw")

    def run(self, *words: str) -> Any:
        """Run a command of keys."""
        return FlaskCliRunner(self.county.app).invoke(args=["keys", *words])

    def new_key(self, **wish: Any) -> int:
        """Let a new key seal from now on, long ago enough for all processes to know."""
        place = place_of(self.county.app.extensions["wangge_settings"])
        with self.county.database.transaction(Mode.WRITE) as session:
            number = Keys(session, self.ring, place).make(Wish(**{"algorithm": "aes-256-gcm",
                                                                  **wish}), 1)  # fmt: skip
        self.ring.look()
        return number

    def take_photo(self) -> str:
        """Let the worker take a photo, and return its id."""
        camera = Camera(self.county)
        photo = camera.take(picture(1))
        camera.work()
        return photo

    def rotation(self) -> Rotation:
        return current_rotation()

    def counts(self) -> dict[str, dict[int, int]]:
        """Return how many values of each column are sealed with which key."""
        with self.county.database.transaction(Mode.WRITE) as session:
            found = looking.counts(session, registry(self.engine))
        return {name: dict(column) for name, column in found.items()}

    def scan(self) -> Iterator[tuple[str, int]]:
        """Yield every sealed text of the whole database: its column and its key.

        It knows nothing of the list of sealed columns: it looks at every value of every table.
        """
        for table in Base.metadata.sorted_tables:
            if table.name in ("field_key", "area_border"):
                continue
            columns = [one for one in table.columns
                       if isinstance(one.type, sa.String | sa.LargeBinary | sa.JSON)]  # fmt: skip
            for row in self.county.sql(sa.select(*columns)) if columns else ():
                for column, value in zip(columns, row, strict=True):
                    if (number := sealed_with(value)) is not None:
                        yield f"{table.name}.{column.name}", number

    def truth(self) -> dict[str, Any]:
        """Return all that re-sealing must not change: versions, feed, digests, plain values."""
        t = sync_tables
        feed = self.county.sql(sa.select(t.feed).order_by(t.feed.c.scope, t.feed.c.ver))
        scopes = self.county.sql(sa.select(t.scope).order_by(t.scope.c.scope))
        ledger = self.county.sql(sa.select(t.ledger).order_by(t.ledger.c.edit))
        seal = self.engine.seal
        records = {
            (kind, row.id): (row.rv, row.marks, seal.open(kind, row.id, row.body))
            for kind, table in self.engine.tables.items()
            for row in self.county.sql(sa.select(table.table.c["id", "rv", "marks", "body"]))
        }
        return {
            "feed": [tuple(row) for row in feed], "scopes": [tuple(row) for row in scopes],
            "ledger": [(row.edit, row.rv, row.digest, row.receipt,
                        row.body and seal.open(row.kind, row.edit, row.body)) for row in ledger],
            "records": records, "pull": self.phone.pull(),
        }  # fmt: skip


def sealed_with(value: Any) -> int | None:
    """Return the number of the key that a value seems to be sealed with, None if it is not."""
    if isinstance(value, bytes | memoryview):
        raw = bytes(value)
        return raw[0] if len(raw) > 40 and raw[0] < 16 else None
    if not isinstance(value, str) or not SEALED_TEXT.match(value):
        return None
    return base64.b64decode(value[:4])[0]


def fill(county: County) -> Vault:
    """Let people do all that leaves something sealed."""
    vault = Vault(county)
    county.person("cm_second", "cm", COUNTY)
    phone, home, contact, person = county.phone("gw"), new_id(), new_id(), new_id()
    receipts = phone.push(
        phone.edit("create", "household", home, set=household()),
        phone.edit("create", "consent", set=agreed(home, "contact", contact)),
        phone.edit("create", "contact", contact, schema=2, set={
            "household": home, "name": CANARIES[0], "phone": CANARIES[1]}),
        phone.edit("create", "consent", set=agreed(home, "meal_help", person)),
        phone.edit("create", "consent", set=agreed(home, "health", person)),
        phone.edit("create", "service_person", person, set={
            "household": home, "display_name": CANARIES[4], "services": ["meal_help"],
            "care_note": CANARIES[5], "power_dependent": True}),
    )  # fmt: skip
    assert {one["status"] for one in receipts} == {"applied"}, receipts
    phone.act("update", "contact", contact, base=1, schema=2, set={"name": CANARIES[2]})
    other = county.another_phone("gw")
    theirs = {"name": CANARIES[6], "phone": CANARIES[7]}
    clash = other.act("update", "contact", contact, base=1, schema=2, set=theirs)
    assert clash["status"] == "conflict", clash
    parked = phone.push(
        phone.edit("create", "contact", schema=2, set={
            "household": home, "name": CANARIES[11], "phone": CANARIES[3], "relation": "cousin"}),
        phone.edit("create", "building", set={"owner": CANARIES[11]}),
    )  # fmt: skip
    assert {one["status"] for one in parked} == {"parked"}
    vault.ids |= {"home": home, "contact": contact, "person": person}
    _fill_office(vault)
    return vault


def _fill_office(vault: Vault) -> None:
    """Let the office, and a phone that nobody understands, leave something sealed too."""
    county, phone = vault.county, vault.phone
    order = open_order(county)
    assert enter(phone, order)["status"] == "applied"
    body = {"name": "新人", "phone": CANARIES[8], "post": {"role": "gw", "area_id": GRID}}
    made = county.ask("ts", "POST", "/users", body, headers={"Idempotency-Key": new_id()})
    assert made.status_code == 201, made.get_data(as_text=True)
    raw, as_json = b'{"edits": [' + CANARIES[10].encode(), {"Content-Type": "application/json"}
    broken = county.ask(phone.who, "POST", "/sync/push", data=raw, headers=as_json)
    assert broken.status_code == 400
    request = asked(county, "next_of_kin", vault.ids["home"], proof_note="户口簿")
    answered(county, request, "refuse", reason="证明材料不足")
    _fill_factors(vault)
    task = county.task(title="看望老人")
    vault.ids |= {"task": task["id"], "user": made.get_json()["id"], "order": order}


def _fill_factors(vault: Vault) -> None:
    """Let somebody have a second factor, and be about to change it."""
    cipher, user = vault.engine.cipher, vault.county.ids["ts"]
    sealed = {one: cipher.seal(pyotp.random_base32(), factors.place_of(user, one))
              for one in ("secret", "pending")}  # fmt: skip
    row = sa.insert(SecondFactor).values(user_id=user, last_step=0, **sealed)
    vault.county.sql(row)
