"""Pushes that arrive twice at the same moment, at the real server on both engines."""

import threading
from typing import Any

import pytest

from app.core.identifiers import new_id
from tests.app.core.county import household
from tests.app.identity.town import GRID
from tests.faces.looks import edits_of
from tests.prove.ground import Ground
from tests.prove.server import Server

AT_ONCE = 6


def _bodies() -> dict[str, Any]:
    row = {"id": new_id(), **household()}
    return {
        "watermelon/sync?last_pulled_at=0&": {"household": {"created": [row]}},
        "rxdb/household/push?": [{"newDocumentState": row}],
    }


@pytest.mark.parametrize("door", list(_bodies()))
def test_the_same_rows_pushed_at_once_count_once(served: tuple[Ground, Server], door: str) -> None:
    ground, server = served
    who, body = new_id(), _bodies()[door]
    ground.county.person(who, "gw", GRID)
    phone = ground.county.another_phone(who)
    path = f"/api/v1/sync/faces/{door}device={phone.device}"
    answers: list[Any] = []

    def push() -> None:
        answers.append(server.ask("POST", path, body, ground.county.headers[phone.who]))

    threads = [threading.Thread(target=push) for _ in range(AT_ONCE)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert edits_of(ground, phone.device) == 1
    assert all(status == 200 for status, _ in answers)
    assert all(answer["receipts"] == answers[0][1]["receipts"] for _, answer in answers)
