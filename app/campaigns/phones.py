"""Which phones have wiped what was destroyed under an order, and which have not said so yet."""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from app.areas.services import ancestors_of, paths_of
from app.campaigns.rules import reason_of
from app.core.records import sync_tables
from app.identity.models import Enrolment, Post
from sync.store import PURGE

GRID = "grid:"


def phones_of(session: Session, order: str) -> dict[str, Any]:
    """Return how many phones have confirmed, and the last devices of those that have not.

    Asked are the phones that serve a grid in which something was destroyed, or an area above it.
    """
    needed = _needed(session, order)
    grids_of = _grids_by_area(session, needed)
    wiped = _wiped(session, needed)
    confirmed, open_ = 0, []
    for devices, areas in _phones(session, grids_of):
        scopes = {scope for area in areas for scope in grids_of[area]}
        done = all(
            any(wiped.get((device, scope), 0) >= needed[scope] for device in devices)
            for scope in scopes
        )
        confirmed += done
        open_ += [] if done else [devices[-1]]
    return {"confirmed": confirmed, "open": sorted(open_)}


def _needed(session: Session, order: str) -> dict[str, int]:
    """Return for each scope of a grid the version up to which a phone must have come."""
    feed, gone = sync_tables.feed.c, sync_tables.erasure.c
    same = sa.and_(gone.kind == feed.kind, gone.record == feed.record)
    rows = session.execute(
        sa.select(feed.scope, sa.func.max(feed.ver))
        .join_from(sync_tables.erasure, sync_tables.feed, same)
        .where(gone.reason == reason_of(order), feed.op == PURGE, feed.scope.startswith(GRID))
        .group_by(feed.scope)
    )
    return {row[0]: row[1] for row in rows}


def _grids_by_area(session: Session, scopes: Iterable[str]) -> Mapping[int, set[str]]:
    """Return for each grid, and each area above one, the scopes of the grids in it."""
    found: dict[int, set[str]] = defaultdict(set)
    paths = paths_of(session, [int(scope.removeprefix(GRID)) for scope in scopes])
    for grid, path in paths.items():
        for area in (*ancestors_of(path), grid):
            found[area].add(f"{GRID}{grid}")
    return found


def _wiped(session: Session, scopes: Iterable[str]) -> dict[tuple[str, str], int]:
    t = sync_tables.wiped.c
    rows = session.execute(sa.select(t.device, t.scope, t.ver).where(t.scope.in_(list(scopes))))
    return {(row.device, row.scope): row.ver for row in rows}


def _phones(session: Session, areas: Iterable[int]) -> list[tuple[list[str], set[int]]]:
    """Return the phones in use that serve some areas: their devices, the last one last."""
    device = sync_tables.device.c
    rows = session.execute(
        sa.select(Enrolment.id, device.id, Post.area_id)
        .select_from(sync_tables.device)
        .join(Enrolment, sa.cast(device.enrolment, sa.String) == Enrolment.id)
        .join(Post, Post.user_id == device.user_id)
        .where(Post.area_id.in_(list(areas)), Enrolment.revoked_at.is_(None))
        .order_by(device.made_ms)
    )
    found: dict[str, tuple[list[str], set[int]]] = {}
    for enrolment, name, area in rows:
        devices, served = found.setdefault(enrolment, ([], set()))
        served.add(area)
        if name not in devices:
            devices.append(name)
    return list(found.values())
