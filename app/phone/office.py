"""The township's desk in the story: a supervisor who works through the REST interface."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import pyotp

from app.phone.line import Answer, Line, Refused, every

TASK_KIND = "inspection"


class NoStage(Exception):
    """There is no grid in which the story could be played."""


@dataclass(frozen=True, slots=True)
class Stage:
    """Where the story is played: a grid, and two of its workers."""

    grid: int
    name: str
    first: dict[str, Any]
    second: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Office:
    """A signed-in supervisor."""

    line: Line
    token: str
    name: str

    @classmethod
    def sign_in(cls, line: Line, login: str, password: str, *, factor: str, at_s: int) -> "Office":
        """Sign in with login, password and the secret of a second factor.

        Args:
            factor: in base32, as an app for one-time codes holds it.
            at_s: the time in seconds since 1970.

        Raises:
            Refused: the login, the password or every code that counts now was refused.
        """
        told = {"login": login, "password": password}
        for code in _codes(factor, at_s):
            try:
                session = line.call("POST", "/auth/sign-in", {**told, "code": code}).body
            except Refused as no:
                if no.code != "second_factor_used":
                    raise
                last = no
            else:
                return cls(line, session["access_token"], session["user"]["name"])
        raise last

    def ask(self, method: str, path: str, body: Any = None) -> Any:
        """Send a request and return the JSON of the answer."""
        return self._call(method, path, body).body

    def every(self, path: str) -> Iterator[dict[str, Any]]:
        """Yield the rows of a list, page by page."""
        return every(self._call, path)

    def _call(self, method: str, path: str, body: Any = None) -> Answer:
        return self.line.call(method, path, body, token=self.token)

    def stage(self) -> Stage:
        """Find a grid with two workers and a household whose door is known.

        Workers with a login come last: theirs may be the code that `make run` shows, and a phone
        that is enrolled for somebody else's sake would make it void.

        Raises:
            NoStage: there is none.
        """
        workers = list(self.every("/users?role=gw&limit=200"))
        unknown = [user for user in workers if user["login"] is None]
        stage = self._stage_of(unknown) or self._stage_of(workers)
        if stage is None:
            raise NoStage
        return stage

    def _stage_of(self, workers: Iterable[dict[str, Any]]) -> Stage | None:
        serving: dict[int, list[dict[str, Any]]] = {}
        for user in workers:
            for grid in _grids(user):
                serving.setdefault(grid, []).append(user)
                if len(serving[grid]) == 2 and self._has_door(grid):
                    name = self.ask("GET", f"/areas/{grid}")["name"]
                    return Stage(grid, name, *serving[grid])
        return None

    def _has_door(self, grid: int) -> bool:
        rows = self.ask("GET", f"/households?grid={grid}&limit=1")
        return any(row["door_point"] for row in rows)

    def assign(self, stage: Stage, title: str) -> dict[str, Any]:
        """Assign a task to the first worker of the stage."""
        task: dict[str, Any] = self.ask("POST", "/tasks", {
            "grid": stage.grid, "task_kind": TASK_KIND, "title": title,
            "assignee": stage.first["id"],
        })  # fmt: skip
        return task

    def code_for(self, user: dict[str, Any]) -> str:
        """Issue a one-time code for a worker's phone."""
        return str(self.ask("POST", f"/users/{user['id']}/enrolment-codes")["code"])

    def repair(self, edit: str, values: dict[str, Any]) -> None:
        """Correct a parked edit; it is applied as its author's."""
        self.ask("POST", f"/parked-edits/{edit}/repair", {"set": values})

    def category(self) -> dict[str, Any]:
        """Return a category of incident that needs no photo."""
        rows = self.ask("GET", "/incident-categories")
        plain = [row for row in rows if row["level"] == 2 and row["photo"] != "required"]
        least: dict[str, Any] = max(plain, key=lambda row: (row["priority"], row["code"]))
        return least


def _codes(factor: str, at_s: int) -> Iterator[str]:
    """Yield the code of now, and the next one, which counts already: each is good once."""
    otp = pyotp.TOTP(factor)
    yield otp.at(at_s)
    yield otp.at(at_s, counter_offset=1)


def _grids(user: dict[str, Any]) -> list[int]:
    return [
        post["area_id"] for post in user["posts"] if post["role"] == "gw" and post["ends"] is None
    ]
