"""Keys, ciphers and the ring: old texts open for ever, new ones are tied to all they should be."""

import base64
import json
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from cryptography.exceptions import InvalidTag

from app.core.algorithms import AES, ALGORITHMS, SM4
from app.core.cipher import BodySeal, Cipher
from app.core.key_table import enter, read_list, together
from app.core.keyring import (
    CURRENT,
    DESTROYED,
    FIRST,
    LOOK_EVERY_S,
    OLD,
    RETIRED,
    Key,
    KeyEntry,
    KeyRing,
    Roots,
    UnknownKey,
)
from app.core.sealed import CHUNK_BYTES, LENGTH_BYTES, StreamCipher, frame_head
from app.core.settings import Settings, SettingsError
from sync.errors import Destroyed

GOLDEN = Path(__file__).parent / "golden" / "sealed_first_release.json"
SECRET, OTHER = "the first root key of the tests, one", "the second root key of the tests, 2"
PLACE = "contact/name/0190"


def entry(roots: Roots, number: int, algorithm: str = AES, state: str = CURRENT) -> KeyEntry:
    """Return a data key as it is written down; its material is its number."""
    material = bytes([number]) * 32
    bare = KeyEntry(number, algorithm, state, roots.current, None,
                    Key(number, material, algorithm).check)  # fmt: skip
    return replace(bare, wrapped=roots.wrap(bare, material, bytes(12)))


class Written:
    """What is written down, and a clock that stands until it is moved."""

    def __init__(self, *entries: KeyEntry) -> None:
        self.entries: list[KeyEntry] | None = list(entries)
        self.now = 0.0
        self.looks = 0

    def __call__(self) -> list[KeyEntry] | None:
        self.looks += 1
        return self.entries

    def ring(self, roots: Roots) -> KeyRing:
        return KeyRing(roots, self, lambda: self.now)


def ring_of(*algorithms: str) -> KeyRing:
    """Return a ring of the first key and of others, the last of which is current."""
    roots = Roots({FIRST: SECRET}, FIRST)
    first = KeyEntry(FIRST, AES, OLD, FIRST, None, Key(FIRST, SECRET).check)
    others = [entry(roots, number, algorithm, OLD)
              for number, algorithm in enumerate(algorithms, start=2)]  # fmt: skip
    others[-1] = replace(others[-1], state=CURRENT)
    return Written(first, *others).ring(roots)


def golden() -> Mapping[str, Any]:
    """Return what the first release has sealed."""
    shape: Mapping[str, Any] = json.loads(GOLDEN.read_text(encoding="utf-8"))
    return shape


@pytest.mark.parametrize("later", [(), (AES,), (SM4, AES)], ids=["alone", "aes", "sm4"])
def test_what_the_first_release_sealed_opens_for_ever(later: tuple[str, ...]) -> None:
    told = golden()
    ring = KeyRing.of(told["secret"])
    if later:
        first = KeyEntry(FIRST, AES, RETIRED, FIRST, None, Key(FIRST, told["secret"]).check)
        roots = Roots({FIRST: told["secret"]}, FIRST)
        ring = Written(first, entry(roots, 2, later[-1])).ring(roots)
    cipher, streams = Cipher(ring), StreamCipher(ring)
    for one in told["texts"]:
        assert cipher.open(one["sealed"], one["place"]) == one["plain"]
    for one in told["bodies"]:
        seal = BodySeal(cipher, {"task"})
        assert seal.open(one["kind"], one["record"], one["sealed"]) == one["plain"]
    for one in told["bytes"]:
        opened = cipher.open_bytes(base64.b64decode(one["sealed"]), one["place"])
        assert opened == base64.b64decode(one["plain"])
    for one in told["streams"]:
        raw, size = base64.b64decode(one["sealed"]), one["size"]
        whole = b"".join(streams.open(lambda a, b, raw=raw: raw[a:b], size, one["place"], 0, size))
        assert whole == bytes(i % 251 for i in range(size))
    for one in told["frames"]:
        raw = base64.b64decode(one["sealed"])
        number, length = frame_head(raw[:LENGTH_BYTES])
        piece = raw[LENGTH_BYTES : LENGTH_BYTES + length]
        assert streams.open_frame(number, piece, one["place"]) == base64.b64decode(one["plain"])
    for one in told["blinds"]:
        assert ring.key(FIRST).blind(one["text"], one["column"]) == one["blind"]


def test_without_a_second_key_texts_lie_as_an_older_release_reads_them() -> None:
    told = golden()
    cipher = Cipher(told["secret"])
    assert base64.b64decode(cipher.seal("x", PLACE))[:1] == b"\x01"
    assert StreamCipher(told["secret"]).seal_frame(b"x", "upload/u/h/0")[:1] == b"\x00"
    blind = told["blinds"][0]
    assert cipher.blind(blind["text"], blind["column"]) == blind["blind"]


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_a_text_is_tied_to_its_key_its_algorithm_and_its_place(algorithm: str) -> None:
    cipher = Cipher(ring_of(algorithm))
    sealed = cipher.seal("张三丰", PLACE)
    assert cipher.open(sealed, PLACE) == "张三丰"
    with pytest.raises(InvalidTag):
        cipher.open(sealed, "contact/name/0191")
    raw = base64.b64decode(sealed)
    assert raw[0] == 2
    for place in range(len(raw)):
        changed = raw[:place] + bytes([raw[place] ^ 1]) + raw[place + 1 :]
        with pytest.raises(InvalidTag):
            cipher.open_bytes(changed, PLACE)
    for short in (b"", raw[:1], raw[:20], raw[:-1]):
        with pytest.raises((InvalidTag, ValueError)):
            cipher.open_bytes(short, PLACE)


def test_the_same_material_under_another_number_or_algorithm_opens_nothing() -> None:
    material = b"m" * 32
    one = Key(2, material)
    sealed = one.fields.encrypt(bytes(12), b"text", one.bound + b"place")
    assert Key(2, material).fields.decrypt(bytes(12), sealed, one.bound + b"place") == b"text"
    for other in (Key(3, material), Key(2, material, SM4)):
        with pytest.raises(InvalidTag):
            other.fields.decrypt(bytes(12), sealed, other.bound + b"place")


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_a_stream_that_is_sealed_anew_while_it_is_read_is_read_on(algorithm: str) -> None:
    ring = ring_of(algorithm)
    size = 20 * CHUNK_BYTES + 5
    raw = bytes(size)
    old = b"".join(StreamCipher(KeyRing.of(SECRET)).seal([raw], "original/one"))
    new = b"".join(StreamCipher(ring).seal([raw], "original/one"))
    assert (old[0], new[0]) == (1, 2)
    reads: list[int] = []

    def read(start: int, end: int) -> bytes:
        reads.append(start)
        return (old if len(reads) <= 2 else new)[start:end]

    assert b"".join(StreamCipher(ring).open(read, size, "original/one", 0, size)) == raw
    assert len(reads) == 5  # head, chunks, chunks that opened no more, head, chunks


def test_an_index_cannot_be_matched_with_another_column_or_another_key() -> None:
    ring = ring_of(AES, AES)
    cipher, phone = Cipher(ring), "+8613812345678"
    columns = {column: cipher.blinds(phone, column) for column in ("contact.phone", "user.phone")}
    values = [value for one in columns.values() for value in one]
    assert len(set(values)) == len(values) == 6
    assert all(len(value) == 32 for value in values)
    assert [value[:3] for value in columns["user.phone"][:2]] == [
        "k03",
        columns["user.phone"][1][:3],
    ]
    assert cipher.blind(phone, "user.phone") == columns["user.phone"][0]
    assert {value[3:] for value in columns["user.phone"]}.isdisjoint(
        {value[3:] for value in columns["contact.phone"]}
    )


def test_a_process_learns_of_a_new_key_in_time_and_at_once_when_it_meets_one() -> None:
    roots = Roots({FIRST: SECRET}, FIRST)
    written = Written()
    ring = written.ring(roots)
    cipher = Cipher(ring)
    ring.look_if_due()
    assert ring.current.number == FIRST
    first = KeyEntry(FIRST, AES, OLD, FIRST, None, Key(FIRST, SECRET).check)
    written.entries = [first, entry(roots, 2)]
    ring.look_if_due()
    assert ring.current.number == FIRST
    sealed = Cipher(written.ring(roots)).seal("x", PLACE)
    assert cipher.open(sealed, PLACE) == "x"
    assert ring.current.number == 2
    written.entries = [first, replace(entry(roots, 2), state=OLD), entry(roots, 3)]
    written.now += LOOK_EVERY_S
    written.looks = 0
    ring.look_if_due()
    ring.look_if_due()
    assert (ring.current.number, written.looks) == (3, 1)
    # When the database does not answer, what is known goes on.
    written.entries, written.now = None, written.now + LOOK_EVERY_S
    ring.look_if_due()
    assert ring.current.number == 3


def test_a_destroyed_key_is_told_from_one_that_was_never_there() -> None:
    roots = Roots({FIRST: SECRET}, FIRST)
    gone = replace(entry(roots, 2), state=DESTROYED, wrapped=None)
    cipher = Cipher(Written(gone, entry(roots, 3)).ring(roots))
    with pytest.raises(Destroyed):
        cipher.open_bytes(b"\x02" + bytes(40), PLACE)
    with pytest.raises(UnknownKey):
        cipher.open_bytes(b"\x09" + bytes(40), PLACE)
    seal = BodySeal(cipher, ())
    text = base64.b64encode(b"\x02" + bytes(40)).decode()
    assert seal.shown("contact", "r", text) == "{}"


def test_a_key_is_only_unwrapped_by_its_own_root_key() -> None:
    roots = Roots({FIRST: SECRET, 2: OTHER}, 2)
    wrapped = entry(roots, 5, SM4)
    assert roots.unwrap(wrapped).check == wrapped.check
    for wrong in (
        Roots({FIRST: SECRET}, FIRST),
        Roots({FIRST: OTHER, 2: SECRET}, FIRST),
    ):
        with pytest.raises(UnknownKey):
            wrong.unwrap(wrapped)
    for changed in (replace(wrapped, number=6), replace(wrapped, algorithm=AES)):
        with pytest.raises(UnknownKey):
            roots.unwrap(changed)


def test_a_key_outlives_a_database_that_was_put_back_and_a_destroyed_one_does_not(
    tmp_path: Path,
) -> None:
    roots = Roots({FIRST: SECRET}, FIRST)
    two, three = entry(roots, 2, state=OLD), entry(roots, 3)
    path = tmp_path / "wangge.db.keys"
    for one in (two, three):
        enter(path, replace(one, state=OLD))
    assert [one.number for one in read_list(path)] == [2, 3]
    assert path.stat().st_mode & 0o777 == 0o600
    # The copy knows the second key only, and the third opens nevertheless.
    ring = KeyRing(roots, lambda: together([replace(two, state=CURRENT)], read_list(path)))
    assert (ring.current.number, ring.key(3).number) == (2, 3)
    enter(path, replace(two, wrapped=None))
    assert two.wrapped is not None
    assert base64.b64encode(two.wrapped) not in path.read_bytes()
    found = together([two, three], read_list(path))
    assert [(one.number, one.state) for one in found] == [(2, DESTROYED), (3, CURRENT)]
    with path.open("a", encoding="utf-8") as file:
        file.write('{"number": 4, "algo')
    assert len(read_list(path)) == 2


# -- settings -------------------------------------------------------------------------------------

GOOD = {
    "SECRET_KEY": "the signing secret of the tests, 3",
    "FIELD_KEY": SECRET,
    "PROFILE": "production",
}


def test_root_keys_come_from_the_environment_or_from_a_file(tmp_path: Path) -> None:
    file = tmp_path / "keys"
    file.write_text(f"2:{'b1c2d3e4f5g6' * 4}\n3:{'c1d2e3f4g5h6' * 4}\n", encoding="utf-8")
    given = {**GOOD, "FIELD_KEYS_FILE": str(file), "FIELD_KEY_CURRENT": "3"}
    settings = Settings.from_environment(given)
    assert settings.root_keys == {1: SECRET, 2: "b1c2d3e4f5g6" * 4, 3: "c1d2e3f4g5h6" * 4}
    assert settings.field_key_current == 3
    del given["FIELD_KEY"]
    assert 1 not in Settings.from_environment(given).root_keys


@pytest.mark.parametrize(
    ("more", "words"),
    [
        ({"FIELD_KEY_CURRENT": "2"}, "FIELD_KEY_CURRENT=2"),
        ({"FIELD_KEYS": f"2:{'a1b2c3d4e5f6' * 4} 2:{'b1c2d3e4f5g6' * 4}"}, "twice"),
        ({"FIELD_KEYS": f"2:{'a1b2c3d4e5f6' * 4} 3:{'a1b2c3d4e5f6' * 4}"}, "repeats"),
        ({"FIELD_KEYS": "2:tooshort"}, "at least 32"),
        ({"FIELD_KEYS": "2:" + "changeme" * 5}, "no secret"),
        ({"FIELD_KEYS": "2:" + "ab" * 20}, "no secret"),
        ({"FIELD_KEYS": "1:" + "a1b2c3d4e5f6" * 4}, "numbers 2 to 255"),
        ({"FIELD_KEYS": "256:" + "a1b2c3d4e5f6" * 4}, "numbers 2 to 255"),
        ({"FIELD_KEYS": "a1b2c3d4e5f6" * 4}, "number:secret"),
        ({"FIELD_KEY": ""}, "FIELD_KEY"),
        ({"FIELD_KEY": "x" * 40}, "no secret"),
    ],
)
def test_an_unsafe_ring_is_refused_with_what_to_do(more: dict[str, str], words: str) -> None:
    with pytest.raises(SettingsError, match=words):
        Settings.from_environment({**GOOD, **more})


def test_a_look_that_finds_nothing_new_derives_no_key_again() -> None:
    ring = ring_of(AES)
    keys = [ring.key(number) for number in ring.numbers]
    ring.look()
    assert [ring.key(number) for number in ring.numbers] == keys
