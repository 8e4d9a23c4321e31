"""Prove that no tampering with an exported audit log goes unnoticed, and no sound one is blamed.

A log is written, sealed and exported by the real server; then copies of it are tampered with in
every way of ``audit_tampering`` and given to the verifier with the anchors that were kept apart.
As many copies are left as they are, but for what changes nothing.

    python -m tests.prove.audit --engine sqlite --tampered 10000 --seed 1 [--sabotage NAME]
"""

import json
import random
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from functools import cache
from typing import Any

from app.audit import exporting
from app.audit.sealing import Sealer, current_sealer
from app.core import audit, audit_verifier
from app.core.audit_verifier import CLOSING, Finding, Verifier
from app.core.database import Mode
from tests.prove.audit_tampering import TAMPERINGS, Log
from tests.prove.ground import open_app, run_as_command

ROWS, CHUNKS = 20, 4
SOUND_SHARE = 5
EVENTS = ("household.read", "auth.sign_in", "consent.create", "sync.pull", "export.fetched")


def prove(
    engine: str, *, tampered: int = 250, seed: int = 1, sabotage: str | None = None
) -> dict[str, Any]:
    """Prove that tampering with an audit log is found."""
    log, outside, key = _log(engine, seed)
    with SABOTAGES[sabotage]() if sabotage else _nothing():
        return _tried(log, outside, key, random.Random(seed), tampered)


@cache
def _log(engine: str, seed: int) -> tuple[Log, list[str], bytes]:
    """Return an export of the real server, the anchors kept apart, and the public key."""
    with open_app(engine):
        sealer = current_sealer()
        outside = _written(sealer, random.Random(seed))
        lines = list(exporting.lines(sealer))
        log = Log.of(lines, lambda said: _closed(sealer, said))
        return log, outside, bytes.fromhex(sealer.pen.public_key)


def _written(sealer: Sealer, rng: random.Random) -> list[str]:
    """Write a log in some parts, each sealed and anchored; return the anchors kept apart."""
    ticks = iter(range(10**6))
    start = datetime.now(UTC) - timedelta(hours=1)
    sealer.clock = lambda: start + timedelta(seconds=next(ticks))
    for _ in range(CHUNKS):
        with sealer.database.transaction(Mode.WRITE) as session:
            for _ in range(ROWS // CHUNKS):
                audit.record(session, rng.choice(EVENTS), user_id=rng.randrange(50),
                             subject=f"household:{rng.getrandbits(60)}", rows=rng.randrange(9),
                             reason=rng.choice((None, "走访 visit")))  # fmt: skip
        sealer.seal(firm=True)
    return sealer.outside.lines()


def _closed(sealer: Sealer, said: Mapping[str, Any]) -> dict[str, Any]:
    more = {name: said[name] for name in ("first", "before", "anchors")}
    at = datetime.fromisoformat(said["at"])
    return sealer.outside.sign(CLOSING, said["n"], said["hash"], at, **more)


def _tried(
    log: Log, outside: list[str], key: bytes, rng: random.Random, tampered: int
) -> dict[str, Any]:
    missed: Counter[str] = Counter()
    found: Counter[str] = Counter()
    tried: Counter[str] = Counter()
    ways = sorted(TAMPERINGS)
    for number in range(tampered):
        way = ways[number % len(ways)]
        spoilt = log.copy()
        TAMPERINGS[way](spoilt, rng)
        tried[way] += 1
        codes = {one.code for one in _verified(spoilt.lines(), outside, key)}
        found.update(codes)
        missed[way] += not codes
    blamed = 0
    sound = max(1, tampered // SOUND_SHARE)
    for _ in range(sound):
        blamed += bool(_verified(*_sound(log, outside, rng), key))
    violations = [f"{way}: {count} of {tried[way]} went unnoticed"
                  for way, count in sorted(missed.items()) if count]  # fmt: skip
    violations += [f"{blamed} of {sound} sound logs were blamed"] if blamed else []
    return {"ways": len(ways), "tried": sum(tried.values()), "detected": tampered - missed.total(),
            "sound": sound, "blamed": blamed, "codes": dict(sorted(found.items())),
            "violations": violations}  # fmt: skip


def _verified(lines: list[str], outside: list[str], key: bytes) -> list[Finding]:
    return Verifier([key]).verify(lines, outside)


def _sound(log: Log, outside: list[str], rng: random.Random) -> tuple[list[str], list[str]]:
    """Return the log in another dress: what changes nothing must not be blamed."""
    lines = log.lines()
    if rng.random() < 0.5:
        lines = [json.dumps(_shuffled(json.loads(line), rng), indent=None) for line in lines]
    kept = [line for line in outside if rng.random() < 0.7]
    rng.shuffle(kept)
    torn = [outside[0][: rng.randrange(1, len(outside[0]) - 1)]]
    return lines, [*kept, "", *torn]


def _shuffled(shape: Any, rng: random.Random) -> Any:
    if not isinstance(shape, dict):
        return shape
    pairs = [(name, _shuffled(value, rng)) for name, value in shape.items()]
    rng.shuffle(pairs)
    return dict(pairs)


# -- verifiers that do not look ---------------------------------------------------------------


@contextmanager
def _nothing() -> Iterator[None]:
    yield


def _blind(does: str, owner: Any, name: str, instead: Any) -> Callable[[], Any]:
    @contextmanager
    def planted() -> Iterator[None]:
        right = getattr(owner, name)
        setattr(owner, name, instead)
        try:
            yield
        finally:
            setattr(owner, name, right)

    planted.__doc__ = does
    return planted


def _quiet(does: str, *codes: str) -> Callable[[], Any]:
    """Return a bug that keeps quiet about some findings."""
    right = Verifier.note

    def note(self: Verifier, code: str, n: int | None, words: str) -> None:
        if code not in codes:
            right(self, code, n, words)

    return _blind(does, Verifier, "note", note)


SABOTAGES: dict[str, Callable[[], Any]] = {
    "previous_hash_skipped": _quiet("Believe each link without the one before", "chain_broken"),
    "rows_not_compared": _quiet("Believe a row without its hash", "edited"),
    "anchors_skipped": _blind("Compare no row with its anchor", Verifier, "_check_marks",
                              lambda *_: None),
    "signatures_skipped": _blind("Believe every signature", audit_verifier, "signed",
                                 lambda *_: True),
    "tail_not_looked_at": _quiet("Do not ask whether the end is there", "cut"),
    "closing_not_looked_at": _blind("Do not read the closing", Verifier, "_close",
                                    lambda *_: None),
    "numbers_not_looked_at": _quiet("Do not count the rows", "missing", "out_of_order"),
}  # fmt: skip


if __name__ == "__main__":
    run_as_command(prove, list(SABOTAGES), more={"tampered": 10_000})
