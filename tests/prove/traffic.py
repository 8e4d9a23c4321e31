"""What goes to and fro between a country and its phones, of which it sees only what they say."""

import itertools
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import TypeVar

from tests.prove.apart import Coming, Here
from tests.prove.phones import Delivered, Said, TakenIn
from tests.prove.wide import Bag
from tests.simulation.handset import Made
from tests.simulation.parcel import OnItsWay
from tests.simulation.stands import Stand
from tests.simulation.world import SKEWS_MS, World

ROUNDS_LIVE = 5
"""When faults stop, all phones are equal after so many rounds."""
AHEAD = 3
"""So many phones are asked ahead when all come to rest."""
SESSIONS = (1, 2, 4, 8, 12, 20)
DELAYS_MS = (20, 100, 900, 15_000, 50_000, 400_000, 20_000_000)
FULL_BYTES = 4_000_000
T = TypeVar("T")


@dataclass
class Distant:
    """A phone as the world knows it.

    Attributes:
        life: changes when the phone forgets what it waits for.
        copied: whether it has been backed up.
        sessions: how often somebody has worked on it.
        asked: its last request.
    """

    number: int
    user: int
    life: int = 0
    copied: bool = False
    sessions: int = 0
    asked: "Asked | None" = None


@dataclass
class Asked:
    """A request that a phone was told to say; it is heard when it is needed.

    Attributes:
        sessions: how often somebody had worked on the phone by then.
    """

    coming: Coming
    sessions: int
    said: Said | None = None


@dataclass(order=True)
class Letter(OnItsWay):
    """A request that a phone somewhere else was told to say."""

    handset: Distant = field(compare=False)
    asked: Asked = field(compare=False)


class Traffic(World):
    """A world whose phones live somewhere else."""

    line: Here
    """To the phones."""

    def __init__(self, seed: int, stand: Stand) -> None:
        self.made: dict[str, Made] = {}
        self.busy = Bag()
        """The phones that have something to send, as far as they have said."""
        super().__init__(seed, stand)
        self.phones = [Distant(number, user) for number, user in enumerate(self.users)]

    # -- what happens to phones --------------------------------------------------------------------

    def work(self) -> None:
        """Somebody works for a while."""
        phone = self.rng.choice(self.phones)
        moments = []
        for _ in range(self.rng.choice(SESSIONS)):
            self.now_ms += self.rng.randrange(1, 2000)
            moments.append(self.now_ms)
        self.line.tell("work", phone.number, moments, self.granted(phone.user))
        phone.sessions += 1
        self.busy.put(phone.number)

    def reboot(self) -> None:
        """A phone is switched off and on: replies under way are lost."""
        phone = self.rng.choice(self.phones)
        phone.life += 1
        self.line.tell("reboot", phone.number, self.now_ms)

    def set_clock(self) -> None:
        """Somebody sets the clock of a phone."""
        phone = self.rng.choice(self.phones)
        self.line.tell("set_clock", phone.number, self.rng.choice(SKEWS_MS))

    def back_up_phone(self) -> None:
        """A phone is backed up."""
        phone = self.rng.choice(self.phones)
        phone.copied = True
        self.line.tell("back_up", phone.number)

    def restore_phone(self) -> None:
        """A phone goes back to its backup."""
        copied = [one for one in self.phones if one.copied]
        if copied:
            phone = self.rng.choice(copied)
            phone.life += 1
            self.line.tell("restore", phone.number, self.now_ms)
            self.figures["phones_restored"] += 1

    # -- the network --------------------------------------------------------------------------

    def send(self) -> None:
        """A phone tries to exchange, most likely one that has something to send.

        It says its request now; whether that is lost, or comes twice, is seen on the way.
        """
        number = self.busy.draw(self.rng) if self.rng.random() < 0.8 else None
        phone = self.rng.choice(self.phones) if number is None else self.phones[number]
        asked = self._ask(phone, self.rng.choice((300, 1500, 65_536)))
        for _ in range(self.rng.choice((1, 1, 1, 1, 2))):
            if self.rng.random() >= self.loss:
                self._post(Letter(self._later(), next(self.orders), phone, phone.life, asked))

    def _ask(self, phone: Distant, want_bytes: int) -> Asked:
        """Tell a phone to say a request; what it said before is heard now at the latest."""
        if phone.asked:
            self._heard(phone, phone.asked)
        coming = self.line.ask("request", phone.number, self.now_ms, want_bytes)
        phone.asked = Asked(coming, phone.sessions)
        return phone.asked

    def _heard(self, phone: Distant, asked: Asked) -> Said:
        """Return a request once the phone has said it, and note what else it tells."""
        if asked.said is None:
            said = asked.said = asked.coming()
            if said.device:
                self.stand.enrol(said.device, phone.user)
            self.made.update((one.id, one) for one in said.made)
            if not said.pending and asked.sessions == phone.sessions:
                self.busy.take(phone.number)
        return asked.said

    def _later(self) -> int:
        return self.now_ms + self.rng.choice(DELAYS_MS)

    def _text(self, parcel: Letter) -> str:
        return self._heard(parcel.handset, parcel.asked).text

    def _hand_over(self, parcel: Letter) -> None:
        """Let a phone receive an answer."""
        self.line.tell("take_in", parcel.handset.number, self.now_ms, _delivered(parcel))

    # -- coming to rest -----------------------------------------------------------------------

    def _settle(self, phones: Sequence[Distant]) -> None:
        """Let phones exchange over a good line, in turn, until all are quiet.

        Who has been quiet is asked again only after somebody has pushed: nothing else is news.
        """
        self.first_copies.good_line = True
        asked = phones
        for number in range(ROUNDS_LIVE + 1):
            edits = self.figures["edits"]
            moved = self._lap(asked)
            if not moved:
                self.figures["rounds_max"] = max(self.figures["rounds_max"], number)
                self.first_copies.good_line = False
                return
            asked = phones if self.figures["edits"] > edits else moved
        self.checks.fail("comes_to_rest", f"still moving after {ROUNDS_LIVE} rounds")

    def _lap(self, phones: Sequence[Distant]) -> list[Distant]:
        """Let phones exchange until all is sent; return those that something has moved.

        How many edits wait is not what must come to rest: only that they become fewer.
        """
        moved: dict[int, Distant] = {}
        left: dict[int, int] = {}
        sending = phones
        while sending:
            again = []
            for phone, has_edits, taken in self._exchange(sending):
                if taken.moved or taken.renewing or has_edits:
                    moved[phone.number] = phone
                if 0 < taken.left < left.get(phone.number, taken.left + 1):
                    again.append(phone)
                left[phone.number] = taken.left
            sending = again
        return list(moved.values())

    def _exchange(self, phones: Sequence[Distant]) -> Iterator[tuple[Distant, bool, TakenIn]]:
        """Exchange once with each phone; while one takes in its page, the next is answered."""
        taking = []
        requests = ((phone, self._ask(phone, FULL_BYTES)) for phone in phones)
        for phone, asked in _ahead(requests, AHEAD):
            self.now_ms += 1000
            said = self._heard(phone, asked)
            granted = tuple(self.granted(phone.user))
            reply = self.serve(said.text, phone.user)
            come = Delivered(said.text, said.sent, reply, granted)
            coming = self.line.ask("settle", phone.number, self.now_ms, come)
            moved = said.has_edits or said.device is not None
            taking.append((phone, moved, coming))
        return ((phone, moved, coming()) for phone, moved, coming in taking)


def _delivered(letter: Letter) -> Delivered:
    said = letter.asked.said
    assert said and letter.reply, "it has been heard and answered"
    return Delivered(said.text, said.sent, letter.reply, letter.granted)


def _ahead(things: Iterable[T], count: int) -> Iterator[T]:
    """Yield things, when some more of them have been begun."""
    coming = iter(things)
    begun = deque(itertools.islice(coming, count))
    while begun:
        yield begun.popleft()
        begun.extend(itertools.islice(coming, 1))
