"""Read what phones send: strict JSON, then edits one by one, so that a bad one harms no other."""

import json
import re
from collections.abc import Mapping
from typing import Any

from sync.edits import OPS, Draft, Edit
from sync.errors import Problem
from sync.values import Identity, Invalid, as_identity

BODY_BYTES_MAX = 2 * 1024 * 1024
DEPTH_MAX = 32
EDITS_MAX = 100
NAME_MAX = 60
FIELDS_MAX = 200
WHOLE_MAX = 2**53
DIGITS_MAX = 19
STRING_MAX = 64 * 1024
MALFORMED, UNKNOWN_OP = "malformed_edit", "unknown_op"
_OP = re.compile(r"[a-z][a-z_]{0,19}")


class NotJson(ValueError):
    """A body is not the JSON that we take; ``code`` says in which way."""

    def __init__(self, code: str) -> None:
        super().__init__(code)
        self.code = code


def read_json(raw: bytes | str) -> Any:
    """Decode JSON strictly.

    Raises:
        NotJson: not JSON, too deep, a number too long, a key twice, NUL or half a surrogate.
    """
    try:
        text = raw if isinstance(raw, str) else raw.decode("utf-8")
        value = json.loads(text, object_pairs_hook=_unique, parse_int=_whole,
                           parse_float=_number, parse_constant=_constant)  # fmt: skip
    except RecursionError:
        raise NotJson("json_too_deep") from None
    except UnicodeDecodeError:
        raise NotJson("not_utf8") from None
    except json.JSONDecodeError:
        raise NotJson("not_json") from None
    _check_tree(value, suspicious="\\u" in text or "\x00" in text, room=len(text) > STRING_MAX)
    return value


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    shape = dict(pairs)
    if len(shape) != len(pairs):
        raise NotJson("key_twice")
    return shape


def _whole(digits: str) -> int:
    if len(digits) > DIGITS_MAX:
        raise NotJson("number_too_long")
    return int(digits)


def _number(digits: str) -> float:
    if len(digits) > 40:
        raise NotJson("number_too_long")
    value = float(digits)
    if value in (float("inf"), float("-inf")):
        raise NotJson("number_too_long")
    return value


def _constant(word: str) -> Any:
    raise NotJson("not_json")


def _check_tree(value: Any, *, suspicious: bool, room: bool) -> None:
    """Walk the containers once; single texts only when the raw body gave reason to."""
    level, depth = [value], 0
    look = suspicious or room
    while level:
        depth += 1
        # Texts and numbers, when they are looked at, are no level of their own.
        if depth > DEPTH_MAX and any(type(one) in (dict, list) for one in level):
            raise NotJson("json_too_deep")
        below: list[Any] = []
        for one in level:
            if type(one) is dict:
                below += [item for item in one.values() if look or type(item) in (dict, list)]
                if look:
                    below += one.keys()
            elif type(one) is list:
                below += [item for item in one if look or type(item) in (dict, list)]
            elif look and type(one) is str:
                _check_text(one)
        level = below


def _check_text(text: str) -> None:
    if "\x00" in text:
        raise NotJson("nul_character")
    if len(text) > STRING_MAX:
        raise NotJson("text_too_long")
    try:
        text.encode("utf-8")
    except UnicodeEncodeError:
        raise NotJson("half_a_surrogate") from None


def read_drafts(shapes: Any) -> list[Draft]:
    """Read the edits of a push.

    Raises:
        Problem: the list itself cannot be taken, or an edit has no usable number or id, so that
            no receipt could be given for it.
    """
    if not isinstance(shapes, list):
        raise Problem(400, "malformed_request", pointer="/edits")
    if len(shapes) > EDITS_MAX:
        raise Problem(413, "too_many_edits", most=EDITS_MAX, sent=len(shapes))
    drafts = [_draft(index, shape) for index, shape in enumerate(shapes)]
    if len({draft.edit.id for draft in drafts}) != len(drafts):
        raise Problem(400, "malformed_request", pointer="/edits", reason="edit_id_twice")
    return drafts


def _draft(index: int, shape: Any) -> Draft:
    if not isinstance(shape, dict):
        raise Problem(400, "malformed_edit", pointer=f"/edits/{index}")
    n, name = shape.get("n"), shape.get("id")
    if type(n) is not int or not 1 <= n <= WHOLE_MAX:
        raise Problem(400, "malformed_edit", pointer=f"/edits/{index}/n")
    try:
        edit_id = Identity().check(name)
    except Invalid:
        raise Problem(400, "malformed_edit", pointer=f"/edits/{index}/id") from None
    faults = _faults(shape)
    if faults:
        return Draft(_as_far_as_readable(n, edit_id, shape), MALFORMED, tuple(faults))
    edit = Edit(
        n, edit_id, shape["op"], shape["kind"], as_identity(shape["rec"]) or edit_id,
        shape.get("base", 0), shape.get("set", {}), shape.get("was", {}),
        shape.get("schema", 1) or 1, shape.get("at", {}),
    )  # fmt: skip
    return Draft(edit, None if edit.op in OPS else UNKNOWN_OP)


def _faults(shape: Mapping[str, Any]) -> list[dict[str, Any]]:
    checks = (
        ("op", isinstance(shape.get("op"), str) and bool(_OP.fullmatch(shape["op"])),
         "not_a_choice"),
        ("kind", isinstance(shape.get("kind"), str) and len(shape["kind"]) <= NAME_MAX, "not_text"),
        ("rec", as_identity(shape.get("rec")) is not None, "not_an_id"),
        ("base", shape.get("base", 0) is not None and _is_whole(shape.get("base", 0)),
         "not_a_whole_number"),
        ("schema", _is_whole(shape.get("schema", 1)), "not_a_whole_number"),
        ("set", _is_fields(shape.get("set", {})), "not_an_object"),
        ("was", _is_fields(shape.get("was", {})), "not_an_object"),
        ("at", _is_fields(shape.get("at", {})), "not_an_object"),
    )  # fmt: skip
    return [{"field": name, "code": code} for name, good, code in checks if not good]


def _as_far_as_readable(n: int, name: str, shape: Mapping[str, Any]) -> Edit:
    """Return a malformed edit with its whole body: somebody's work may be in it."""
    return Edit(
        n=n, id=name, op=_text(shape.get("op")), kind=_text(shape.get("kind")),
        rec=as_identity(shape.get("rec")) or name, base=_base(shape.get("base")),
        set=_mapping(shape.get("set")), was={"raw": dict(shape)},
        schema=_base(shape.get("schema")) or 1, at=_mapping(shape.get("at")),
    )  # fmt: skip


def _is_whole(value: Any) -> bool:
    return type(value) is int and 0 <= value <= WHOLE_MAX


def _is_fields(value: Any) -> bool:
    if not isinstance(value, dict) or len(value) > FIELDS_MAX:
        return False
    return not value or ("" not in value and max(map(len, value)) <= NAME_MAX)


def _text(value: Any) -> str:
    return value[:NAME_MAX] if isinstance(value, str) else ""


def _base(value: Any) -> int:
    return value if _is_whole(value) else 0


def _mapping(value: Any) -> Mapping[str, Any]:
    return value if _is_fields(value) else {}
