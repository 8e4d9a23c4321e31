"""Pulls from a standby: only what the phone may rely on, never below its cursor, never a write."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import pytest
import sqlalchemy as sa

from app.core.database import Mode
from app.core.identifiers import new_id
from app.core.settings import Settings, SettingsError
from app.core.standby import REST_S, Standby, StandbyAway
from app.identity.models import Post
from tests.app.core.county import SyncPhone, household
from tests.app.core.lost_line import breaking
from tests.app.identity.town import GRID, SAME_VILLAGE_GRID
from tests.conftest import POSTGRES_MISSING, SECRETS
from tests.prove.cluster import Cluster, open_cluster, open_standby
from tests.prove.ground import Ground, open_ground
from tests.prove.server import free_port

REPLAYED = "SELECT pg_last_wal_replay_lsn() >= CAST(:lsn AS pg_lsn)"
SCOPE = f"grid:{GRID}"


@dataclass
class Pair:
    """A county on a database with a standby, and what the standby has been asked."""

    ground: Ground
    standby: Standby
    cluster: Cluster
    operator: sa.Engine
    said: list[str] = field(default_factory=list)

    def pull(self, phone: SyncPhone, cursor: str | None) -> tuple[dict[str, Any], bool]:
        """Pull over HTTP; tell what came, and whether the standby has read the feed."""
        self.said.clear()
        reply = phone.send("pull", {"cursor": cursor})
        assert reply.status_code == 200, reply.get_data(as_text=True)
        return reply.get_json(), any("sync_scope" in one for one in self.said)

    def catch_up(self) -> None:
        """Wait until the standby has all that is committed."""
        with self.ground.database.engine.connect() as connection:
            lsn = connection.exec_driver_sql("SELECT pg_current_wal_lsn()").scalar()
        with self.standby.engine.connect() as connection:
            while not connection.execute(sa.text(REPLAYED), {"lsn": str(lsn)}).scalar():
                connection.rollback()

    @contextmanager
    def behind(self) -> Iterator[None]:
        """Let the standby stand still; the server's own role may not order that."""
        with self.operator.connect() as connection:
            connection.exec_driver_sql("SELECT pg_wal_replay_pause()")
        try:
            yield
        finally:
            with self.operator.connect() as connection:
                connection.exec_driver_sql("SELECT pg_wal_replay_resume()")


@pytest.fixture(scope="module")
def pair() -> Iterator[Pair]:
    with open_cluster() as primary, open_ground("postgresql", primary.url) as ground:
        with open_standby(primary) as cluster:
            url = ground.database.url.set(port=cluster.port)
            standby = Standby(url.render_as_string(hide_password=False), pool_size=4)
            ground.database.standby = standby
            ground.county.person("beside", "gw", GRID)
            operator = sa.create_engine(ground.database.migrate_url.set(port=cluster.port))
            pair = Pair(ground, standby, cluster, operator)
            sa.event.listen(
                standby.engine, "before_cursor_execute", lambda *told: pair.said.append(told[2])
            )
            yield pair
            operator.dispose()


def _rows(page: dict[str, Any]) -> set[str]:
    return {item["id"] for item in page["items"] if item["t"] == "household"}


def test_a_standby_that_has_caught_up_answers(pair: Pair) -> None:
    phone, home = pair.ground.county.phone("gw"), new_id()
    phone.act("create", "household", home, set=household())
    pair.catch_up()
    page, asked = pair.pull(phone, None)
    assert asked and home in _rows(page) and page["complete"] and page["last_n"] == phone.n


def test_a_standby_below_the_cursor_is_not_believed(pair: Pair) -> None:
    phone, other = pair.ground.county.phone("gw"), pair.ground.county.phone("beside")
    pair.catch_up()
    with pair.behind():
        seen, unseen = new_id(), new_id()
        phone.act("create", "household", seen, set=household())
        edits = [phone.edit("create", "household", set=household())]
        reply = phone.send("exchange", {"cursor": None, "edits": edits})
        cursor = reply.get_json()["pull"]["to"]
        other.act("create", "household", unseen, set=household())
        page, asked = pair.pull(phone, cursor)
        assert asked and page["reset"] == [] and page["drop"] == []
        assert _rows(page) == {unseen}


def test_an_older_phone_gets_what_the_standby_has_and_later_the_rest(pair: Pair) -> None:
    phone, other = pair.ground.county.phone("gw"), pair.ground.county.phone("beside")
    late = new_id()
    pair.catch_up()
    cursor = pair.pull(phone, None)[0]["to"]
    with pair.behind():
        other.act("create", "household", late, set=household())
        page, asked = pair.pull(phone, cursor)
        assert asked and page["complete"] and late not in _rows(page)
    pair.catch_up()
    page, asked = pair.pull(phone, page["to"])
    assert asked and _rows(page) == {late}


def test_a_device_that_the_standby_has_not_heard_of_is_served(pair: Pair) -> None:
    pair.catch_up()
    with pair.behind():
        phone = pair.ground.county.another_phone("gw")
        page, asked = pair.pull(phone, None)
    assert page["complete"] and SCOPE in page["digest"] and not asked


def test_the_end_of_a_grant_is_told_although_the_standby_does_not_know(pair: Pair) -> None:
    county = pair.ground.county
    county.person("leaving", "gw", GRID)
    phone = county.phone("leaving")
    pair.catch_up()
    cursor = pair.pull(phone, None)[0]["to"]
    with pair.behind():
        now, who = datetime.now(UTC), county.ids["leaving"]
        with county.database.transaction(Mode.WRITE) as session:
            session.execute(sa.update(Post).where(Post.user_id == who).values(ends=now))
            session.add(Post(user_id=who, role="gw", area_id=SAME_VILLAGE_GRID, starts=now))
        page, _ = pair.pull(phone, cursor)
    assert SCOPE in page["drop"] and SCOPE not in page["digest"]


def test_edits_and_their_answer_never_touch_the_standby(pair: Pair) -> None:
    phone = pair.ground.county.phone("gw")
    pair.catch_up()
    pair.said.clear()
    reply = phone.send("exchange", {"cursor": None, "edits": [
        phone.edit("create", "household", set=household())]})  # fmt: skip
    assert reply.status_code == 200 and pair.said == []
    assert phone.send("exchange", {"cursor": None, "edits": []}).status_code == 200
    assert any("sync_scope" in one for one in pair.said)
    assert not [one for one in pair.said if "UPDATE" in one or "INSERT" in one]
    with pytest.raises(sa.exc.InternalError), pair.standby.reading() as session:
        session.execute(sa.text("DELETE FROM sync_scope"))


def test_a_standby_that_is_down_costs_one_try_and_no_answer(pair: Pair) -> None:
    phone = pair.ground.county.phone("gw")
    pair.catch_up()
    pair.standby._rests_until = 0.0
    pair.cluster.stop()
    try:
        for _ in range(3):
            page, _ = pair.pull(phone, None)
            assert page["complete"] and SCOPE in page["digest"]
        assert pair.standby._rests_until > 0
    finally:
        pair.cluster.start()
    pair.standby._rests_until = 0.0
    phone.act("create", "household", set=household())
    pair.catch_up()
    assert pair.pull(phone, None)[1]


def test_a_standby_is_left_alone_for_a_while_after_a_failure() -> None:
    now = [100.0]
    standby = Standby(f"postgresql+psycopg://nobody@127.0.0.1:{free_port()}/none", pool_size=1,
                      clock=lambda: now[0])  # fmt: skip
    tries: list[object] = []
    sa.event.listen(standby.engine, "do_connect", lambda *told: tries.append(told))
    for moment, tried in ((100.0, 1), (100.0 + REST_S - 1, 1), (100.0 + REST_S, 2)):
        now[0] = moment
        with pytest.raises(StandbyAway), standby.reading():
            pass
        assert len(tries) == tried
    standby.dispose()


def test_a_server_that_follows_nobody_is_not_asked() -> None:
    assert os.environ.get("TEST_POSTGRES_URL"), POSTGRES_MISSING
    url = sa.make_url(os.environ["TEST_POSTGRES_URL"]).set(drivername="postgresql+psycopg")
    standby = Standby(url.render_as_string(hide_password=False), pool_size=1)
    with pytest.raises(StandbyAway), standby.reading():
        pass
    standby.dispose()


def test_sqlite_has_no_standby() -> None:
    told = {**SECRETS, "DATABASE_URL": "sqlite:////tmp/x.db", "STANDBY_URL": "postgresql://y/z"}
    with pytest.raises(SettingsError, match="STANDBY_URL"):
        Settings.from_environment(told)
    assert Settings.from_environment({**told, "STANDBY_URL": ""}).standby_url is None


@pytest.mark.parametrize("place", range(1, 7))
def test_a_standby_that_breaks_off_at_any_statement_costs_the_phone_nothing(
    pair: Pair, place: int
) -> None:
    phone, home = pair.ground.county.phone("gw"), new_id()
    phone.act("create", "household", home, set=household())
    pair.catch_up()
    with breaking(pair.standby.engine, pair.operator) as line:
        line.statements_left = place
        page, _ = pair.pull(phone, None)
    pair.standby._rests_until = 0.0
    assert line.statements_left <= 0 and page["complete"] and home in _rows(page)
