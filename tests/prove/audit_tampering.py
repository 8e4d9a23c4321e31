"""The ways in which somebody tampers with an audit log, each of which a verifier must find.

Two sorts of people: one has the exported file and nothing else; the other has the database, can
switch its triggers off and make the chain anew, but not sign. The server then exports what the
latter has left, and signs the closing: only the anchors from before can give it away.
"""

import copy
import json
import random
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from app.core.audit_verifier import ROW_FIELDS, content_of, hash_of

Line = dict[str, Any]


@dataclass
class Log:
    """An export taken apart.

    Attributes:
        sign: signs a closing, as the server would.
    """

    header: Line
    anchors: list[Line]
    links: list[Line]
    closing: Line | None
    sign: Callable[[Mapping[str, Any]], Line]

    @classmethod
    def of(cls, lines: list[str], sign: Callable[[Mapping[str, Any]], Line]) -> "Log":
        """Take an export apart."""
        shapes = [json.loads(line) for line in lines]
        return cls(shapes[0]["header"], [one["anchor"] for one in shapes if "anchor" in one],
                   [one for one in shapes if "n" in one], shapes[-1]["closing"], sign)  # fmt: skip

    def lines(self) -> list[str]:
        """Put it together again."""
        closing = [] if self.closing is None else [{"closing": self.closing}]
        shapes = [{"header": self.header}, *({"anchor": one} for one in self.anchors),
                  *self.links, *closing]  # fmt: skip
        return [json.dumps(one, ensure_ascii=False) for one in shapes]

    def copy(self) -> "Log":
        """Return a log that may be spoilt."""
        return Log(*copy.deepcopy((self.header, self.anchors, self.links, self.closing)), self.sign)

    @property
    def signed_up_to(self) -> int:
        """Return the last row that was anchored before anybody tampered."""
        return max(int(one["n"]) for one in self.anchors)

    def chain_anew(self, *, start: int = 0) -> None:
        """Number and hash the links from a place on, as somebody does who wants to hide."""
        first = self.header["first"]
        before = self.links[start - 1]["hash"] if start else self.header["before"]
        for place in range(start, len(self.links)):
            link = self.links[place]
            link["n"] = first + place
            if link["row"] is not None:
                link["content"] = content_of(link["row"])
            before = link["hash"] = hash_of(
                before, link["n"], link["content"], sound=link["sound"], sort=link["sort"]
            )

    def close_anew(self) -> None:
        """Let the server sign what is there now."""
        assert self.closing is not None
        last = self.links[-1] if self.links else None
        n = last["n"] if last else self.header["first"] - 1
        hash_ = last["hash"] if last else self.header["before"]
        self.closing = self.sign({**self.closing, "n": n, "hash": hash_})


Tampering = Callable[[Log, random.Random], None]
TAMPERINGS: dict[str, Tampering] = {}


def tampering(way: Tampering) -> Tampering:
    """Register a way under its own name."""
    TAMPERINGS[way.__name__] = way
    return way


def _place(log: Log, rng: random.Random, *, anchored: bool = False) -> int:
    """Return the place of a row; one that was anchored when the database is tampered with."""
    most = sum(link["n"] <= log.signed_up_to for link in log.links) if anchored else len(log.links)
    return rng.randrange(most)


def _other(value: Any, rng: random.Random) -> Any:
    if isinstance(value, bool):
        return not value
    if isinstance(value, int):
        return value + rng.choice((-1, 1, 1000))
    if isinstance(value, dict):
        return {**value, "more": rng.random()}
    text = value or ""
    place = rng.randrange(len(text) + 1)
    return f"{text[:place]}{rng.choice('xy01')}{text[place:]}"


def _edit(row: Line, rng: random.Random) -> None:
    name = rng.choice(ROW_FIELDS)
    row[name] = _other(row[name], rng)


# -- with the file alone ----------------------------------------------------------------------


@tampering
def row_edited(log: Log, rng: random.Random) -> None:
    """Change one field of a row."""
    _edit(log.links[_place(log, rng)]["row"], rng)


@tampering
def code_edited(log: Log, rng: random.Random) -> None:
    """Change the code of a row."""
    row = log.links[_place(log, rng)]["row"]
    row["mac"] = _other(row["mac"], rng)


@tampering
def row_edited_with_its_link(log: Log, rng: random.Random) -> None:
    """Change a row, and make its own link fit again: only the next one tells, or an anchor."""
    place = _place(log, rng)
    link = log.links[place]
    _edit(link["row"], rng)
    before = log.links[place - 1]["hash"] if place else log.header["before"]
    link["content"] = content_of(link["row"])
    link["sort"] = link["row"]["sort"]
    link["hash"] = hash_of(before, link["n"], link["content"], sound=link["sound"],
                           sort=link["sort"])  # fmt: skip


@tampering
def link_edited(log: Log, rng: random.Random) -> None:
    """Change one part of a link."""
    link = log.links[_place(log, rng)]
    name = rng.choice(("n", "hash", "content", "sound", "sort"))
    link[name] = _other(link[name], rng)


@tampering
def content_gone(log: Log, rng: random.Random) -> None:
    """Take the content of a row away, as if it had been retired."""
    log.links[_place(log, rng)]["row"] = None


@tampering
def rows_deleted(log: Log, rng: random.Random) -> None:
    """Take some rows out."""
    place = _place(log, rng)
    del log.links[place : place + rng.randint(1, 5)]


@tampering
def row_deleted_and_closed_up(log: Log, rng: random.Random) -> None:
    """Take a row out, and number and hash all after it anew."""
    place = _place(log, rng)
    del log.links[place]
    log.chain_anew(start=min(place, len(log.links)))


@tampering
def row_copied(log: Log, rng: random.Random) -> None:
    """Put a row in once more, somewhere."""
    log.links.insert(_place(log, rng), copy.deepcopy(log.links[_place(log, rng)]))


@tampering
def row_invented(log: Log, rng: random.Random) -> None:
    """Put a new row in, and number and hash all after it anew."""
    place = _place(log, rng)
    made = copy.deepcopy(log.links[place])
    _edit(made["row"], rng)
    made["row"]["uid"] = f"{rng.getrandbits(64):016x}"
    log.links.insert(place, made)
    log.chain_anew(start=place)


@tampering
def rows_swapped(log: Log, rng: random.Random) -> None:
    """Let two rows change their places."""
    one, other = rng.sample(range(len(log.links)), 2)
    log.links[one], log.links[other] = log.links[other], log.links[one]


@tampering
def contents_swapped(log: Log, rng: random.Random) -> None:
    """Let two rows change their contents, and leave the links where they are."""
    one, other = rng.sample(log.links, 2)
    for name in ("row", "content", "sort"):
        one[name], other[name] = other[name], one[name]


@tampering
def tail_cut(log: Log, rng: random.Random) -> None:
    """Cut rows off at the end, and leave the closing."""
    del log.links[-rng.randint(1, len(log.links)) :]


@tampering
def tail_cut_with_the_closing(log: Log, rng: random.Random) -> None:
    """Cut the file off, as a broken copy is."""
    del log.links[-rng.randint(1, len(log.links)) :]
    log.closing = None


@tampering
def tail_cut_at_an_anchor(log: Log, rng: random.Random) -> None:
    """Cut the file off behind an anchored row, and give the anchor out as its closing."""
    anchor = rng.choice([one for one in log.anchors if one["kind"] == "anchor"])
    log.links = [link for link in log.links if link["n"] <= anchor["n"]]
    log.closing = anchor


@tampering
def head_cut(log: Log, rng: random.Random) -> None:
    """Cut rows off at the beginning, and say that the log begins there."""
    count = rng.randint(1, len(log.links) - 1)
    log.header = {**log.header, "first": count + 1, "before": log.links[count - 1]["hash"]}
    del log.links[:count]


@tampering
def anchor_edited(log: Log, rng: random.Random) -> None:
    """Change an anchor."""
    anchor = rng.choice(log.anchors)
    name = rng.choice(sorted(anchor))
    anchor[name] = _other(anchor[name], rng)


@tampering
def anchor_removed(log: Log, rng: random.Random) -> None:
    """Take an anchor out of the export."""
    log.anchors.pop(rng.randrange(len(log.anchors)))


@tampering
def closing_edited(log: Log, rng: random.Random) -> None:
    """Change the closing."""
    assert log.closing is not None
    name = rng.choice(sorted(log.closing))
    log.closing[name] = _other(log.closing[name], rng)


@tampering
def header_edited(log: Log, rng: random.Random) -> None:
    """Change the header."""
    name = rng.choice(sorted(log.header))
    log.header[name] = _other(log.header[name], rng)


# -- with the database ------------------------------------------------------------------------


@tampering
def database_row_edited(log: Log, rng: random.Random) -> None:
    """Change a row in the database, and make the whole chain anew; the server signs it."""
    place = _place(log, rng, anchored=True)
    _edit(log.links[place]["row"], rng)
    log.links[place]["sort"] = log.links[place]["row"]["sort"]
    log.chain_anew(start=place)
    log.close_anew()


@tampering
def database_row_deleted(log: Log, rng: random.Random) -> None:
    """Delete a row from the database, and make the chain anew."""
    place = _place(log, rng, anchored=True)
    del log.links[place]
    log.chain_anew(start=place)
    log.close_anew()


@tampering
def database_row_inserted(log: Log, rng: random.Random) -> None:
    """Insert a row into the database, and make the chain anew."""
    place = _place(log, rng, anchored=True)
    made = copy.deepcopy(log.links[place])
    made["row"]["uid"] = f"{rng.getrandbits(64):016x}"
    log.links.insert(place, made)
    log.chain_anew(start=place)
    log.close_anew()


@tampering
def database_rows_reordered(log: Log, rng: random.Random) -> None:
    """Let two rows of the database change their order, and make the chain anew."""
    one = _place(log, rng, anchored=True)
    other = rng.choice([place for place in range(len(log.links)) if place != one])
    log.links[one], log.links[other] = log.links[other], log.links[one]
    log.chain_anew()
    log.close_anew()


@tampering
def database_tail_cut(log: Log, rng: random.Random) -> None:
    """Cut anchored rows off the end of the database: it was rolled back."""
    kept = _place(log, rng, anchored=True)
    del log.links[kept:]
    # Such an export holds no anchors of rows that its database does not have.
    log.anchors = []
    assert log.closing is not None
    log.closing["anchors"] = 0
    log.close_anew()
