"""What a phone keeps in its own database: rows, who shows them, the log of edits, its state."""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from sync.digest import BRIEF_LENGTH, brief_name
from sync.encoding import dump, load
from sync.values import as_identity

if TYPE_CHECKING:
    import sqlite3

TABLES = """
CREATE TABLE IF NOT EXISTS replica_row (
    kind TEXT NOT NULL, rec TEXT NOT NULL, rv INTEGER NOT NULL, body TEXT NOT NULL,
    PRIMARY KEY (kind, rec)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS replica_member (
    scope TEXT NOT NULL, kind TEXT NOT NULL, rec TEXT NOT NULL, stale INTEGER NOT NULL,
    PRIMARY KEY (scope, kind, rec)) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS replica_member_rec ON replica_member (kind, rec);
CREATE INDEX IF NOT EXISTS replica_member_stale ON replica_member (scope) WHERE stale = 1;
CREATE TABLE IF NOT EXISTS replica_log (
    seq INTEGER PRIMARY KEY, n INTEGER UNIQUE, id TEXT NOT NULL UNIQUE, kind TEXT NOT NULL,
    rec TEXT NOT NULL, body TEXT NOT NULL, contained INTEGER NOT NULL DEFAULT 0,
    filed INTEGER NOT NULL DEFAULT 0, taken_ms INTEGER, receipt TEXT);
CREATE INDEX IF NOT EXISTS replica_log_unsent ON replica_log (n) WHERE taken_ms IS NULL;
CREATE INDEX IF NOT EXISTS replica_log_own ON replica_log (kind, rec) WHERE contained = 0;
CREATE TABLE IF NOT EXISTS replica_copy (
    scope TEXT PRIMARY KEY, tag TEXT NOT NULL, body BLOB NOT NULL);
CREATE TABLE IF NOT EXISTS replica_state (name TEXT PRIMARY KEY, value TEXT NOT NULL);
"""
NAMES = ("replica_row", "replica_member", "replica_log", "replica_copy", "replica_state")


@dataclass(frozen=True, slots=True)
class Row:
    """One record as the phone shows it.

    Attributes:
        rv: the version pulled last, 0 when the server has not sent it yet.
        own: True when edits of this phone lie over what was pulled.
    """

    kind: str
    rec: str
    rv: int
    values: Mapping[str, Any]
    own: bool


@dataclass(frozen=True, slots=True)
class Entry:
    """One edit in the log of the phone."""

    n: int
    id: str
    edit: Mapping[str, Any]
    contained: bool
    taken: bool
    receipt: Mapping[str, Any] | None


@dataclass(frozen=True, slots=True)
class Memory:
    """The phone's database in the terms of the replica, without any decision.

    Attributes:
        state: the text of each named value as it lies in the database. It is asked twenty times
            an exchange and seldom changes, so only what has changed is written. One memory is
            the only one that writes to its database.
        cursor: the one by which everything is asked; each answer is read to its end at once.
    """

    connection: "sqlite3.Connection"
    state: dict[str, str] = field(default_factory=dict)
    cursor: "sqlite3.Cursor" = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "cursor", self.connection.cursor())

    def prepare(self) -> None:
        """Make the tables that are missing; transactions are opened by hand from now on."""
        self.connection.isolation_level = None
        self.connection.execute("PRAGMA secure_delete=ON")
        for statement in TABLES.split(";"):
            self.connection.execute(statement)
        self._read_state()

    @contextmanager
    def whole(self) -> Iterator[None]:
        """Do everything or nothing."""
        self.cursor.execute("BEGIN IMMEDIATE")
        try:
            yield
            self.cursor.execute("COMMIT")
        except BaseException:
            if self.connection.in_transaction:
                self.cursor.execute("ROLLBACK")
            self._read_state()
            raise

    def ask(self, statement: str, *values: Any) -> list[Any]:
        """Run one statement and return its rows."""
        return self.cursor.execute(statement, values).fetchall()

    # -- state --------------------------------------------------------------------------------

    def recall(self, name: str, default: Any = None) -> Any:
        """Return a named value of the state."""
        found = self.state.get(name)
        return default if found is None else load(found)

    def keep(self, **values: Any) -> None:
        """Write those named values of the state that have changed."""
        texts = {name: dump(value) for name, value in values.items()}
        changed = [(name, text) for name, text in texts.items() if self.state.get(name) != text]
        if changed:
            self.cursor.executemany(
                "INSERT INTO replica_state VALUES (?, ?) "
                "ON CONFLICT (name) DO UPDATE SET value = excluded.value",
                changed,
            )
            self.state.update(changed)

    def _read_state(self) -> None:
        self.state.clear()
        self.state.update(self.ask("SELECT name, value FROM replica_state"))

    def wipe(self) -> None:
        """Erase everything."""
        for name in NAMES:
            self.ask(f"DELETE FROM {name}")
        self.state.clear()

    # -- rows and who shows them --------------------------------------------------------------

    def put(self, scope: str, kind: str, rec: str, *, rv: int, values: Mapping[str, Any]) -> None:
        """Write a pulled row and that a scope shows it."""
        self.put_all([(scope, kind, rec, rv, values)])

    def put_all(self, rows: Sequence[tuple[str, str, str, int, Mapping[str, Any]]]) -> None:
        """Write pulled rows, each (scope, kind, id, version, values), and what shows them.

        A scope that is sent anew brings mostly what is there: flash memory is not worn by it.
        """
        self.cursor.executemany(
            "INSERT INTO replica_row VALUES (?, ?, ?, ?) ON CONFLICT (kind, rec) "
            "DO UPDATE SET rv = excluded.rv, body = excluded.body "
            "WHERE rv != excluded.rv OR body != excluded.body",
            [(kind, rec, rv, dump(values)) for _, kind, rec, rv, values in rows],
        )
        self._show([row[:3] for row in rows])

    def put_older(
        self, scope: str, kind: str, rec: str, *, rv: int, values: Mapping[str, Any]
    ) -> None:
        """Write a row of a copy, unless another scope has shown a newer one meanwhile."""
        newer = self.ask(
            "SELECT 1 FROM replica_row r JOIN replica_member m USING (kind, rec) "
            "WHERE kind = ? AND rec = ? AND rv > ? AND stale = 0 AND scope != ?",
            kind, rec, rv, scope,
        )  # fmt: skip
        if newer:
            self._show([(scope, kind, rec)])
        else:
            self.put(scope, kind, rec, rv=rv, values=values)

    def _show(self, rows: Sequence[tuple[str, str, str]]) -> None:
        self.cursor.executemany(
            "INSERT INTO replica_member VALUES (?, ?, ?, 0) "
            "ON CONFLICT (scope, kind, rec) DO UPDATE SET stale = 0 WHERE stale = 1",
            rows,
        )

    def leave(self, scope: str, kind: str, rec: str) -> None:
        """Forget that a scope shows a row; the row itself stays until the pull is complete."""
        self._unshow("scope = ? AND kind = ? AND rec = ?", scope, kind, rec)

    def leave_briefly(self, scope: str, names: str) -> None:
        """Forget that a scope shows the rows with these brief names, one after the other."""
        gone = {names[at : at + BRIEF_LENGTH] for at in range(0, len(names), BRIEF_LENGTH)}
        for kind, rec in self.ask("SELECT kind, rec FROM replica_member WHERE scope = ?", scope):
            if brief_name(kind, rec) in gone:
                self.leave(scope, kind, rec)

    def erase_orphan(self, kind: str, rec: str) -> None:
        """Erase a row at once unless another scope shows it: it may live on there."""
        self.ask("DELETE FROM replica_row WHERE kind = ?1 AND rec = ?2 AND NOT EXISTS "
                 "(SELECT 1 FROM replica_member m WHERE m.kind = ?1 AND m.rec = ?2)",
                 kind, rec)  # fmt: skip

    def erase(self, kind: str, rec: str) -> None:
        """Erase all that the phone knows of a record, also in its log, as the law demands.

        Of edits that the server may still ask for the numbers and all ids stay: without them the
        later ones could not be taken, nor could a server that has gone back in time tell that
        they belong to something erased.
        """
        self.ask("DELETE FROM replica_member WHERE kind = ? AND rec = ?", kind, rec)
        self.ask("DELETE FROM replica_row WHERE kind = ? AND rec = ?", kind, rec)
        for seq, body in self.ask("SELECT seq, body FROM replica_log WHERE rec = ?", rec):
            edit = load(body)
            named = {name: one for name, one in edit["set"].items() if as_identity(one)}
            bare = {**edit, "set": named, "was": {}}
            self.ask("UPDATE replica_log SET body = ?, contained = 1, filed = 1 WHERE seq = ?",
                     dump(bare), seq)  # fmt: skip

    def unsay(self, names: Collection[str], *, rec: str = "", edit: str = "") -> None:
        """Take some fields out of what the log keeps of a record, or of one edit.

        Their consent has ended. What is still to be sent may rest on a new one: the server judges.
        """
        if not names:
            return
        rows = self.ask(
            "SELECT seq, body FROM replica_log WHERE (rec = ? AND taken_ms IS NOT NULL) OR id = ?",
            rec,
            edit,
        )
        for seq, body in rows:
            said = load(body)
            for part in ("set", "was"):
                said[part] = {n: one for n, one in said.get(part, {}).items() if n not in names}
            self.ask("UPDATE replica_log SET body = ? WHERE seq = ?", dump(said), seq)

    def drop(self, scope: str) -> None:
        """Erase at once what only this scope showed."""
        shown = self.ask("SELECT kind, rec FROM replica_member WHERE scope = ?", scope)
        self.ask("DELETE FROM replica_member WHERE scope = ?", scope)
        for kind, rec in shown:
            self.erase_orphan(kind, rec)

    def doubt(self, scopes: list[str] | None = None) -> None:
        """Mark all that these scopes show as stale: it goes unless it is sent again."""
        if scopes is None:
            self.ask("UPDATE replica_member SET stale = 1 WHERE stale = 0")
        for scope in scopes or ():
            self.ask("UPDATE replica_member SET stale = 1 WHERE scope = ? AND stale = 0", scope)

    def sweep(self, scopes: set[str], *, keep_stale: bool) -> None:
        """Drop what is stale, what no granted scope shows, and what nothing shows any more.

        Args:
            keep_stale: stale rows are to wait for another time.
        """
        if not keep_stale:
            self._unshow("stale = 1")
        for scope in self.scopes() - scopes:
            self._unshow("scope = ?", scope)
        if self.recall("left", True):
            self.ask("DELETE FROM replica_row WHERE NOT EXISTS (SELECT 1 FROM replica_member m "
                     "WHERE m.kind = replica_row.kind AND m.rec = replica_row.rec)")  # fmt: skip
            self.keep(left=False)

    def _unshow(self, where: str, *values: Any) -> None:
        gone = self.cursor.execute(f"DELETE FROM replica_member WHERE {where}", values)
        if gone.rowcount:
            self.keep(left=True)

    def scopes(self) -> set[str]:
        """Return the scopes that show anything, going from one to the next by the index."""
        return {row[0] for row in self.ask(
            "WITH RECURSIVE shows (scope) AS (SELECT min(scope) FROM replica_member UNION ALL "
            "SELECT (SELECT min(m.scope) FROM replica_member m WHERE m.scope > shows.scope) "
            "FROM shows WHERE shows.scope IS NOT NULL) "
            "SELECT scope FROM shows WHERE scope IS NOT NULL")}  # fmt: skip

    def shown(self, scope: str) -> list[tuple[str, str, int]]:
        """Return (kind, id, version) of all that a scope shows."""
        return self.ask("SELECT m.kind, m.rec, r.rv FROM replica_member m "
                        "JOIN replica_row r ON r.kind = m.kind AND r.rec = m.rec "
                        "WHERE m.scope = ? AND m.stale = 0", scope)  # fmt: skip

    def row(self, kind: str, rec: str) -> tuple[int, dict[str, Any]] | None:
        """Return version and values of a pulled row."""
        found = self.ask("SELECT rv, body FROM replica_row WHERE kind = ? AND rec = ?", kind, rec)
        return (found[0][0], load(found[0][1])) if found else None

    def rows(self, kind: str) -> dict[str, tuple[int, dict[str, Any]]]:
        """Return version and values of all pulled rows of a kind."""
        found = self.ask("SELECT rec, rv, body FROM replica_row WHERE kind = ?", kind)
        return {rec: (rv, load(body)) for rec, rv, body in found}

    # -- ready-made copies on their way -------------------------------------------------------

    def copy_part(self, scope: str) -> tuple[str, bytes] | None:
        """Return the tag and the bytes of a copy that have arrived so far."""
        found = self.ask("SELECT tag, body FROM replica_copy WHERE scope = ?", scope)
        return (found[0][0], bytes(found[0][1])) if found else None

    def keep_copy(self, scope: str, tag: str, body: bytes) -> None:
        """Keep what has arrived of a copy."""
        self.ask("INSERT INTO replica_copy VALUES (?, ?, ?) ON CONFLICT (scope) "
                 "DO UPDATE SET tag = excluded.tag, body = excluded.body",
                 scope, tag, body)  # fmt: skip

    def lose_copies(self, scopes: Iterable[str] | None = None) -> None:
        """Forget what has arrived of copies: of these scopes, or of all."""
        if scopes is None:
            self.ask("DELETE FROM replica_copy")
        for scope in scopes or ():
            self.ask("DELETE FROM replica_copy WHERE scope = ?", scope)

    # -- the log ------------------------------------------------------------------------------

    def append(self, edit: Mapping[str, Any]) -> None:
        """Add an edit at the end of the log."""
        self.ask("INSERT INTO replica_log (n, id, kind, rec, body) VALUES (?, ?, ?, ?, ?)",
                 edit["n"], edit["id"], edit["kind"], edit["rec"],
                 dump(edit))  # fmt: skip

    def entries(self, where: str, *values: Any) -> list[Entry]:
        """Return edits of the log in their order; ``where`` is ours, never somebody's text."""
        found = self.ask("SELECT n, id, body, contained, taken_ms, receipt FROM replica_log "
                         f"WHERE {where} ORDER BY seq", *values)  # fmt: skip
        return [
            Entry(n, name, {**load(body), "n": n, "id": name}, bool(contained),
                  taken is not None, load(receipt) if receipt else None)
            for n, name, body, contained, taken, receipt in found
        ]  # fmt: skip

    def own(self, kind: str, rec: str) -> list[Mapping[str, Any]]:
        """Return the edits of a record that lie over its row, in their order."""
        found = self.ask("SELECT body FROM replica_log WHERE kind = ? AND rec = ? "
                         "AND contained = 0 ORDER BY seq", kind, rec)  # fmt: skip
        return [load(body) for (body,) in found]

    def id_of(self, n: int) -> str | None:
        """Return the id of the edit with a number, None when the log does not hold it."""
        found = self.ask("SELECT id FROM replica_log WHERE n = ?", n)
        return found[0][0] if found else None

    def answered(self, receipts: Iterable[Mapping[str, Any]]) -> None:
        """Keep the receipts of edits; the latest answer counts."""
        self.cursor.executemany(
            "UPDATE replica_log SET receipt = ? WHERE id = ?",
            [(dump(receipt), receipt["id"]) for receipt in receipts],
        )

    def taken(self, last_n: int, now_ms: int) -> None:
        """Believe which edits the server has, in both directions."""
        self.ask("UPDATE replica_log SET taken_ms = ? WHERE n <= ? AND taken_ms IS NULL",
                 now_ms, last_n)  # fmt: skip
        self.ask("UPDATE replica_log SET taken_ms = NULL WHERE n > ? AND taken_ms IS NOT NULL",
                 last_n)  # fmt: skip

    def last_taken(self, *, after: int) -> int:
        """Return the number of the last edit beyond one that the server once had, 0 for none."""
        found = self.ask("SELECT max(n) FROM replica_log WHERE n > ? AND taken_ms IS NOT NULL",
                         after)  # fmt: skip
        return found[0][0] or 0

    def renumber(self) -> int:
        """Number all that the log still holds from 1 and return the next number.

        What the pulled rows contain is filed: it goes again, in case the server has lost it
        since, but is not laid over the rows a second time.
        """
        self.ask("UPDATE replica_log SET n = NULL, filed = filed OR contained, "
                 "taken_ms = NULL")  # fmt: skip
        waiting = self.ask("SELECT seq FROM replica_log ORDER BY seq")
        for n, (seq,) in enumerate(waiting, start=1):
            self.ask("UPDATE replica_log SET n = ? WHERE seq = ?", n, seq)
        return len(waiting) + 1

    def rename(self, old: str, new: str) -> None:
        """Give an edit another id, because the server knows another edit under the old one."""
        self.ask("UPDATE replica_log SET id = ? WHERE id = ?", new, old)

    def contain(self, last_n: int) -> None:
        """Believe which edits the pulled rows contain, in both directions."""
        self.ask("UPDATE replica_log SET contained = (n <= ?1 OR filed) "
                 "WHERE contained IS NOT (n <= ?1 OR filed)", last_n)  # fmt: skip

    def prune(self, *, before_ms: int, last_n: int) -> None:
        """Forget old edits that the server has and that the rows contain; never the last."""
        self.ask("DELETE FROM replica_log WHERE contained = 1 AND taken_ms < ? AND n < ?",
                 before_ms, last_n)  # fmt: skip
