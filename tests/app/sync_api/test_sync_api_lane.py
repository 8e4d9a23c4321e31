"""Few exchanges compute at a time, in the order in which they came; one held up holds up nobody."""

import threading

import sqlalchemy as sa

from app.core.database import Mode
from app.core.records import sync_tables
from app.sync_api.lane import EXTENSION, Lane
from tests.app.core.county import County, household
from tests.app.sync_api.patience import until

LONG_S = 60.0
AT_LAST_S = 20.0


class Visitor(threading.Thread):
    """Somebody who enters the lane, writes down that he did, and stays until he is let go."""

    def __init__(self, lane: Lane, order: list[int], number: int) -> None:
        super().__init__(daemon=True)
        self.lane, self.order, self.number = lane, order, number
        self.go = threading.Event()

    def run(self) -> None:
        """Go through."""
        with self.lane.place():
            self.order.append(self.number)
            self.go.wait(LONG_S)


def _line_up(lane: Lane, order: list[int], count: int) -> list[Visitor]:
    """Let visitors come, each after the one before him has entered or queued."""
    visitors = []
    for number in range(count):
        visitor = Visitor(lane, order, number)
        visitor.start()
        until(lambda: len(order) + len(lane._waiting) > len(visitors), within_s=AT_LAST_S)
        visitors.append(visitor)
    return visitors


def test_no_more_are_inside_than_there_are_places_and_the_first_comes_first() -> None:
    lane, order = Lane(2, patience_s=LONG_S), list[int]()
    visitors = _line_up(lane, order, 6)
    assert order == [0, 1]
    for place, visitor in enumerate(visitors):
        visitor.go.set()
        visitor.join()
        entered = min(6, place + 3)
        until(lambda: len(order) == entered, within_s=AT_LAST_S)  # noqa: B023
    assert order == list(range(6))


def test_one_who_is_held_up_holds_up_nobody() -> None:
    lane, order = Lane(1, patience_s=0.05), list[int]()
    held_up, *others = _line_up(lane, order, 4)
    for one in others:
        one.go.set()
    for one in others:
        one.join(LONG_S)
    assert order == [0, 1, 2, 3] and held_up.is_alive()
    held_up.go.set()
    held_up.join()


def test_a_failure_inside_gives_the_place_back() -> None:
    lane = Lane(1, patience_s=LONG_S)
    for _ in range(3):
        try:
            with lane.place():
                raise ValueError("as a request that is refused")
        except ValueError:
            continue
    assert not lane._inside


def test_phones_whose_edits_wait_for_a_lock_keep_nobody_from_pulling(county: County) -> None:
    writers = [county.phone("gw"), county.another_phone("gw"), county.another_phone("gw")]
    reader = county.phone("colleague")
    cursor = reader.send("pull", {}).get_json()["to"]
    lane: Lane = county.app.extensions[EXTENSION]
    replies: list[int] = []
    pulled: list[bool] = []

    def push(number: int) -> None:
        edit = writers[number].edit("create", "household", set=household())
        replies.append(writers[number].send("push", {"edits": [edit]}).status_code)

    def pull() -> None:
        pulled.append(reader.send("pull", {"cursor": cursor}).get_json()["complete"])

    pulling = threading.Thread(target=pull)
    pushing = [threading.Thread(target=push, args=(number,)) for number in range(len(writers))]
    devices = sync_tables.device
    names = [one.device for one in writers]
    with county.database.transaction(Mode.WRITE) as session:
        session.execute(sa.select(devices).where(devices.c.id.in_(names)).with_for_update())
        for thread in pushing:
            thread.start()
        until(lambda: len(lane._inside) + len(lane._waiting) == len(writers), within_s=AT_LAST_S)
        pulling.start()
        until(lambda: pulled == [True], within_s=AT_LAST_S)
        assert replies == []
    for thread in (pulling, *pushing):
        thread.join()
    assert replies == [200, 200, 200]
