"""Load several townships at once, each in a process of its own, as far as the machine allows."""

import gc
import multiprocessing
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from functools import partial
from typing import Final

from flask import Flask
from flask.cli import ScriptInfo

from app.core.database import Database, Mode
from app.core.span import as_house
from app.demo.load import Demo, load_township
from app.demo.plan import city_plan
from app.demo.stories import Cast

SQLITE_CREW_MAX: Final = 2
"""One file has one writer: one process computes while the other writes."""


@dataclass(frozen=True, slots=True)
class Order:
    """What a process is told at its start: which application, and who is who in its database."""

    app_import_path: str | None
    cast: Cast
    day: date


def crew_size(database: Database) -> int:
    """Return how many processes help to load."""
    cores = os.cpu_count() or 1
    return min(cores, SQLITE_CREW_MAX) if database.is_sqlite else cores


def load_apart(order: Order, codes: Sequence[str], jobs: int) -> Iterator[int]:
    """Load townships in processes of their own; yield the households of each one done."""
    largest_first = sorted(codes, key=lambda code: -_households(code))
    context = multiprocessing.get_context("spawn")
    with context.Pool(jobs, _begin, (order,)) as pool:
        yield from pool.imap_unordered(_load, largest_first)


def _households(code: str) -> int:
    return city_plan().only(code).households


@dataclass(slots=True)
class _Member:
    """What a process of the crew keeps between townships."""

    app: Flask
    order: Order


_crew: list[_Member] = []


def _begin(order: Order) -> None:
    """Open the application in a new process.

    The garbage collector looks for circles, which millions of rows do not hold: a fifth of the
    time is saved without it.
    """
    gc.disable()
    _crew.append(_Member(ScriptInfo(app_import_path=order.app_import_path).load_app(), order))


@as_house()
def _load(code: str) -> int:
    """Load one township in a process of the crew."""
    member = _crew[0]
    database: Database = member.app.extensions["wangge_database"]
    demo = Demo(member.app.extensions["wangge_engine"], member.order.cast, member.order.day)
    steps: list[int] = []
    load_township(partial(database.transaction, Mode.WRITE), demo, code, steps.append)
    return sum(steps)
