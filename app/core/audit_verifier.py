"""Verify an exported audit log: this one file, with Python's standard library and no secret.

    python3 audit_verifier.py EXPORT --key PUBLIC_KEY [--anchors FILE ...]

Every row of the log stands in a chain: its hash is made of the row and of the hash before. The
server signs the newest hash every few seconds (an anchor) and keeps the anchors outside the
database. An export ends with a signed closing, which says how long it is. What is found is told
with the number of the row; the exit code is 0 when there is nothing.
"""

import argparse
import hashlib
import json
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

FORMAT = "wangge-audit/1"
GENESIS = "0" * 64
ANCHOR, CLOSING, RETIRED, START, SET_BACK = "anchor", "closing", "retired", "start", "set_back"
ROW_FIELDS = (
    "uid", "at", "event", "sort", "user_id", "session_id", "enrolment", "device", "subject",
    "scope", "reason", "result", "address", "phone_ms", "details",
)  # fmt: skip
LINK_FIELDS = frozenset({"n", "content", "hash", "sound", "sort", "row"})

Row = Mapping[str, Any]
Anchor = Mapping[str, Any]


# -- what is hashed and signed ----------------------------------------------------------------


def dump(shape: Any) -> bytes:
    """Return the one way in which a value is written before it is hashed."""
    text = json.dumps(shape, ensure_ascii=False, sort_keys=True, separators=(",", ":"))
    return text.encode("utf-8", "surrogatepass")


def canonical(row: Row) -> bytes:
    """Return the content of a row as bytes, without its code."""
    return dump([row[name] for name in ROW_FIELDS])


def content_of(row: Row) -> str:
    """Return the hash of a row with its code."""
    return hashlib.sha256(canonical(row) + b"\n" + dump(row["mac"])).hexdigest()


def hash_of(before: str, n: int, content: str, *, sound: bool, sort: str) -> str:
    """Return the hash of a link of the chain."""
    return hashlib.sha256(dump([FORMAT, before, n, content, sound, sort])).hexdigest()


def message_of(anchor: Anchor) -> bytes:
    """Return what is signed of an anchor."""
    return FORMAT.encode() + b"\n" + dump({k: v for k, v in anchor.items() if k != "sig"})


# -- Ed25519 (RFC 8032), for machines without the package `cryptography` ------------------------

_P = 2**255 - 19
_ORDER = 2**252 + 27742317777372353535851937790883648493
_D = -121665 * pow(121666, -1, _P) % _P
_ROOT = pow(2, (_P - 1) // 4, _P)


class _Point(NamedTuple):
    """A point of the curve in extended coordinates."""

    x: int
    y: int
    z: int
    t: int

    def plus(self, other: "_Point") -> "_Point":
        """Add a point."""
        a = (self.y - self.x) * (other.y - other.x) % _P
        b = (self.y + self.x) * (other.y + other.x) % _P
        c, d = 2 * self.t * other.t * _D % _P, 2 * self.z * other.z % _P
        e, f, g, h = b - a, d - c, d + c, b + a
        return _Point(e * f % _P, g * h % _P, f * g % _P, e * h % _P)

    def times(self, number: int) -> "_Point":
        """Multiply by a number."""
        total, step = _Point(0, 1, 1, 0), self
        while number:
            total = total.plus(step) if number & 1 else total
            step, number = step.plus(step), number >> 1
        return total

    def equals(self, other: "_Point") -> bool:
        """Tell whether it is the same point, whatever its scale."""
        same_x = (self.x * other.z - other.x * self.z) % _P == 0
        return same_x and (self.y * other.z - other.y * self.z) % _P == 0


def _point(raw: bytes) -> _Point:
    number = int.from_bytes(raw, "little")
    y, sign = number & (2**255 - 1), number >> 255
    square = (y * y - 1) * pow(_D * y * y + 1, -1, _P) % _P
    x = pow(square, (_P + 3) // 8, _P)
    x = x if x * x % _P == square else x * _ROOT % _P
    if y >= _P or x * x % _P != square:
        raise ValueError("not a point of the curve")
    x = x if x & 1 == sign else -x % _P
    return _Point(x, y, 1, x * y % _P)


_BASE = _point((4 * pow(5, -1, _P) % _P).to_bytes(32, "little"))


def signed_slowly(key: bytes, signature: bytes, message: bytes) -> bool:
    """Tell whether a signature is of a key and a message, with arithmetic alone."""
    try:
        public, commitment = _point(key), _point(signature[:32])
    except ValueError:
        return False
    scalar = int.from_bytes(signature[32:], "little")
    if len(signature) != 64 or scalar >= _ORDER:
        return False
    digest = hashlib.sha512(signature[:32] + key + message).digest()
    challenge = int.from_bytes(digest, "little") % _ORDER
    return _BASE.times(scalar).equals(commitment.plus(public.times(challenge)))


def signed(key: bytes, signature: bytes, message: bytes) -> bool:
    """Tell whether a signature is of a key and a message; fast where `cryptography` is there."""
    try:
        from cryptography.exceptions import InvalidSignature
        from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
    except ImportError:
        return signed_slowly(key, signature, message)
    try:
        Ed25519PublicKey.from_public_bytes(key).verify(signature, message)
    except (InvalidSignature, ValueError):
        return False
    return True


# -- looking ------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Finding:
    """Something that is wrong, in words, with the row at which it shows."""

    code: str
    n: int | None
    words: str

    def __str__(self) -> str:
        """Return the finding as a line."""
        place = "" if self.n is None else f" at row {self.n}"
        return f"{self.code}{place}: {self.words}"


class Broken(Exception):
    """The file is no export at all from here on."""


@dataclass
class Verifier:
    """Reads an export line by line and collects what is wrong.

    Attributes:
        keys: the public keys whose anchors count.
        known: rows to which the database was set back, of which the auditor knows already.
    """

    keys: Sequence[bytes]
    known: frozenset[int] = frozenset()
    findings: list[Finding] = field(default_factory=list)
    anchors: list[Anchor] = field(default_factory=list)
    rows: int = 0
    last: int = 0
    hash: str = GENESIS
    _marks: dict[int, list[Anchor]] = field(default_factory=dict)
    _retired: dict[str, int] = field(default_factory=dict)
    _uids: set[str] = field(default_factory=set)

    def note(self, code: str, n: int | None, words: str) -> None:
        """Write something down that is wrong."""
        self.findings.append(Finding(code, n, words))

    def verify(self, lines: Iterable[str], outside: Iterable[str] = ()) -> list[Finding]:
        """Return all that is wrong with an export.

        Args:
            outside: the lines of anchor files that were kept apart from the database.
        """
        try:
            for line in outside:
                # A line that a crash has cut off ends in the middle; no anchor was promised then.
                if line.rstrip().endswith("}"):
                    self._take_anchor(_read(line), where="anchor file")
            self._read_export(iter(lines))
        except Broken as fault:
            self.note("damaged", self.last + 1, str(fault))
        return self.findings

    def _read_export(self, lines: Iterable[str]) -> None:
        shapes = (_read(line) for line in lines)
        header = _only(next(iter(shapes), None), "header", {"format", "first", "before"})
        if header["format"] != FORMAT:
            raise Broken(f"this is no {FORMAT}")
        count, closing = 0, None
        for shape in shapes:
            if closing is not None:
                raise Broken("there is something after the closing")
            if "anchor" in shape:
                if self.rows:
                    raise Broken("an anchor stands among the rows")
                count += 1
                self._take_anchor(_only(shape, "anchor"), where="export")
            elif "closing" in shape:
                closing = _only(shape, "closing")
            else:
                if not self.rows:
                    self._begin(header)
                self._link(shape)
        if not self.rows:
            self._begin(header)
        self._close(header, count, closing)

    # -- anchors

    def _take_anchor(self, anchor: Anchor | None, *, where: str) -> None:
        if not isinstance(anchor, dict) or not self._is_signed(anchor):
            number = anchor.get("n") if isinstance(anchor, dict) else None
            self.note("forged_anchor", number if type(number) is int else None,
                      f"an anchor in the {where} does not bear the server's signature")  # fmt: skip
            return
        if anchor in self.anchors:
            return
        self.anchors.append(anchor)
        kind, n = anchor["kind"], anchor["n"]
        if kind == RETIRED:
            self._retired[anchor["sort"]] = max(n, self._retired.get(anchor["sort"], 0))
        elif kind == SET_BACK:
            if n not in self.known:
                self.note(SET_BACK, n, f"the database was set back to row {n} before "
                          f"{anchor['at']}: rows up to {anchor['lost']} were lost")  # fmt: skip
        elif kind == ANCHOR:
            self._marks.setdefault(n, []).append(anchor)

    def _is_signed(self, anchor: Anchor) -> bool:
        try:
            signature, message = bytes.fromhex(anchor["sig"]), message_of(anchor)
            known = anchor["kind"] and type(anchor["n"]) is int and anchor["at"]
        except (KeyError, ValueError, TypeError):
            return False
        return bool(known) and any(signed(key, signature, message) for key in self.keys)

    def _is_lost(self, anchor: Anchor) -> bool:
        """Tell whether an anchor is of rows that a known setting back has taken away."""
        return any(
            one["kind"] == SET_BACK and one["n"] < anchor["n"] <= one["lost"]
            and anchor["at"] <= one["at"]
            for one in self.anchors
        )  # fmt: skip

    # -- rows

    def _begin(self, header: Row) -> None:
        first, before = header["first"], header["before"]
        if type(first) is not int or not isinstance(before, str):
            raise Broken("the header makes no sense")
        starts = {(one["n"], one["hash"]) for one in self.anchors if one["kind"] == START}
        if (first, before) != (1, GENESIS) and (first - 1, before) not in starts:
            self.note("missing", 1, f"rows 1 to {first - 1} are missing, and no signed start "
                      "says that they were retired")  # fmt: skip
        self.last, self.hash = first - 1, before

    def _link(self, shape: Row) -> None:
        if set(shape) != LINK_FIELDS or type(shape["n"]) is not int:
            raise Broken("a line is no row")
        n, expected = shape["n"], self.last + 1
        if n > expected:
            self.note("missing", expected, f"rows {expected} to {n - 1} are missing")
        elif n < expected:
            words = "a row stands here that does not follow the one before: inserted or moved"
            self.note("out_of_order", n, words)
        self._check_row(n, shape)
        made = hash_of(self.hash, n, shape["content"], sound=shape["sound"], sort=shape["sort"])
        if made != shape["hash"]:
            self.note("chain_broken", n, "its hash does not follow from the row and the hash "
                      "before: edited, inserted, moved, or the row before was removed")  # fmt: skip
        self._check_marks(n, shape["hash"])
        self.rows, self.last, self.hash = self.rows + 1, n, shape["hash"]

    def _check_row(self, n: int, shape: Row) -> None:
        row = shape["row"]
        if not shape["sound"]:
            self.note("forged_row", n, "the server did not write this row: it was put in or "
                      "changed by hand before it was sealed")  # fmt: skip
        if row is None:
            if n > self._retired.get(shape["sort"], 0):
                self.note("missing", n, "its content is gone before its time")
            return
        if not isinstance(row, dict) or set(row) != {*ROW_FIELDS, "mac"}:
            raise Broken("a row has not its fields")
        if content_of(row) != shape["content"] or row["sort"] != shape["sort"]:
            self.note("edited", n, "the row does not say what it said when it was sealed")
        if row["uid"] in self._uids:
            self.note("copied", n, "a row with this identity stands before")
        self._uids.add(row["uid"] or f"old {n}")

    def _check_marks(self, n: int, found: str) -> None:
        for anchor in self._marks.get(n, ()):
            if anchor["hash"] != found and not self._is_lost(anchor):
                self.note("rewritten", n, f"the server signed another hash at {anchor['at']}: "
                          "the log was rewritten at or before this row")  # fmt: skip

    def _close(self, header: Row, anchors: int, closing: Anchor | None) -> None:
        if closing is None:
            self.note("cut", self.last, "the export has no closing: its tail was cut off")
            at = max((one["at"] for one in self.anchors), default="")
        elif not self._is_signed(closing) or closing["kind"] != CLOSING:
            self.note("forged_closing", self.last, "the closing bears no signature of the server")
            at = ""
        else:
            at = closing["at"]
            self._compare(header, anchors, closing)
        later = [one for one in self.anchors if one["kind"] == ANCHOR and one["n"] > self.last
                 and one["at"] <= at and not self._is_lost(one)]  # fmt: skip
        if later:
            most = max(one["n"] for one in later)
            self.note("cut", self.last, f"rows {self.last + 1} to {most} are missing at the end: "
                      "the server had signed them before")  # fmt: skip

    def _compare(self, header: Row, anchors: int, closing: Anchor) -> None:
        said = (closing.get("first"), closing.get("before"))
        if said != (header["first"], header["before"]):
            self.note("header", None, "the export begins elsewhere than its closing says")
        if closing["n"] != self.last:
            self.note("cut", self.last, f"the closing speaks of {closing['n']} rows")
        elif closing["hash"] != self.hash:
            self.note("rewritten", self.last, "the closing was signed over another log")
        if closing.get("anchors") != anchors:
            self.note("anchors", None, f"the closing speaks of {closing.get('anchors')} anchors, "
                      f"there are {anchors}")  # fmt: skip


def _read(line: str) -> Any:
    try:
        shape = json.loads(line, object_pairs_hook=_once)
    except ValueError:
        shape = None
    if not isinstance(shape, dict):
        raise Broken("a line is no JSON object")
    return shape


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    shape = dict(pairs)
    if len(shape) != len(pairs):
        raise ValueError("a key stands twice")
    return shape


def _only(shape: Any, name: str, names: set[str] | None = None) -> Any:
    """Return what stands under the only key of a line."""
    if not isinstance(shape, dict) or set(shape) != {name} or not isinstance(shape[name], dict):
        raise Broken(f"there is no {name}")
    if names is not None and set(shape[name]) != names:
        raise Broken(f"the {name} has not its fields")
    return shape[name]


def main(arguments: Sequence[str], say: Callable[[str], None] = print) -> int:
    """Verify the files named on the command line; return the exit code."""
    parser = argparse.ArgumentParser(description="Verify an exported audit log.")
    parser.add_argument("export", type=Path)
    parser.add_argument("--key", action="append", required=True, help="public key, 64 hex digits")
    parser.add_argument("--anchors", action="append", default=[], type=Path)
    parser.add_argument("--known", action="append", default=[], type=int,
                        help="a row to which the database was set back, as you know")  # fmt: skip
    asked = parser.parse_args(arguments)
    verifier = Verifier([bytes.fromhex(key) for key in asked.key], frozenset(asked.known))
    outside = [line for path in asked.anchors
               for line in path.read_text(encoding="utf-8").splitlines()]  # fmt: skip
    with asked.export.open(encoding="utf-8") as file:
        findings = verifier.verify(file, outside)
    for finding in findings:
        say(str(finding))
    verdict = "OK" if not findings else f"NOT OK, {len(findings)} findings"
    say(f"{verdict}: {verifier.rows} rows, the last is {verifier.last}, "
        f"{len(verifier.anchors)} anchors")  # fmt: skip
    return 1 if findings else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
