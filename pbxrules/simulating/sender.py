"""Sends reports at their times, many at once, and again where they were not answered 200."""

import heapq
import math
import select
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

from pbxrules.pbx.arrivals import Sent
from pbxrules.simulating.exchanges import Exchange, Target
from pbxrules.simulating.tally import OK, Tally

TRIES = 4
AGAIN_S = 5.0
"""After so long the PBX sends a report again; its real span is not known."""
AGAIN_AT_MAX_S = 1.0
MOST_WAITING = 10_000
"""Reports that wait to be sent again; beyond them a report is given up."""
TIMEOUT_S = 10.0
TICK_S = 0.1
"""At least so often it looks whether to stop."""


@dataclass(frozen=True, slots=True, order=True)
class _Job:
    """A report that is to be sent."""

    due_s: float
    number: int
    data: bytes
    tries: int = 0


@dataclass(slots=True)
class _UnderWay:
    """A job that is being sent."""

    job: _Job
    exchange: Exchange
    begun_s: float
    wanted: int = 0
    """What it waits for."""
    counted: bool = False
    """Its answer is known; it only waits for the receiver to hang up."""


class Sender:
    """Sends what it is given; ``tally`` says at any time what came of it."""

    def __init__(
        self,
        to: Target,
        *,
        speed: float,
        connections: int,
        clock: Callable[[], float],
        timeout_s: float = TIMEOUT_S,
    ) -> None:
        """Send nothing yet.

        Args:
            to: The receiver.
            speed: Seconds of the reports' time in one of *clock*; infinite: as fast as it goes.
            connections: How many may be under way at once; each is of one report.
            clock: Seconds, from anywhere, never back.
            timeout_s: Without an answer by then a try has failed.
        """
        self.tally = Tally()
        self.at_s = 0.0
        """How far the reports' time is."""
        self.stopping = False
        """Set it, and nothing more is begun."""
        self._to = to
        self._speed = speed
        self._connections = connections
        self._clock = clock
        self._timeout_s = timeout_s
        self._again_s = AGAIN_AT_MAX_S if math.isinf(speed) else AGAIN_S / speed
        self._again: list[_Job] = []
        self._next: _Job | None = None
        self._next_at_s = 0.0
        self._numbers = 0
        self._under_way: dict[int, _UnderWay] = {}
        self._began_s = 0.0

    def run(self, reports: Iterable[Sent], tick: Callable[[], object] = lambda: None) -> None:
        """Send them all, unless it is told to stop; *tick* is called now and then."""
        coming = iter(reports)
        self._began_s = self.tally.first_s = self._clock()
        with select.epoll() as poll:
            try:
                self._pull(coming)
                while self._goes_on():
                    self._begin_due(coming, poll)
                    self._wait(poll)
                    tick()
            finally:
                for one in self._under_way.values():
                    one.exchange.close()
                self.tally.unfinished += len(self._again)
                self.tally.unfinished += sum(not o.counted for o in self._under_way.values())
                self.tally.last_s = self._clock()

    def _goes_on(self) -> bool:
        if self.stopping:
            return any(not one.counted for one in self._under_way.values())
        return self._next is not None or bool(self._again or self._under_way)

    # --- What is begun -----------------------------------------------------------------------

    def _pull(self, coming: Iterator[Sent]) -> None:
        """Look at the report that comes next."""
        sent = next(coming, None)
        self._next = None
        if sent is not None:
            self._numbers += 1
            due_s = self._began_s
            due_s += 0.0 if math.isinf(self._speed) else sent.at_s / self._speed
            self._next_at_s = sent.at_s
            self._next = _Job(due_s, self._numbers, self._to.request(sent.report))

    def _begin_due(self, coming: Iterator[Sent], poll: select.epoll) -> None:
        now_s = self._clock()
        while len(self._under_way) < self._connections and not self.stopping:
            if self._again and self._again[0].due_s <= now_s:
                self._begin(heapq.heappop(self._again), now_s, poll)
            elif self._next is not None and self._next.due_s <= now_s:
                job = self._next
                self.tally.reports += 1
                self.at_s = self._next_at_s
                self._pull(coming)
                self._begin(job, now_s, poll)
            else:
                return
            now_s = self._clock()

    def _begin(self, job: _Job, now_s: float, poll: select.epoll) -> None:
        self.tally.sent += 1
        self.tally.again += job.tries > 0
        if not math.isinf(self._speed):
            self.tally.behind_s = max(self.tally.behind_s, now_s - job.due_s)
        try:
            exchange = Exchange(self._to, job.data)
        except OSError as exc:  # no descriptor is left
            self._failed(job, exc)
            return
        one = _UnderWay(job, exchange, now_s)
        number = exchange.sock.fileno()
        self._under_way[number] = one
        self._step(number, poll)

    # --- What goes on ------------------------------------------------------------------------

    def _wait(self, poll: select.epoll) -> None:
        """Go on with what can, or let some time pass."""
        wait_s = TICK_S
        if len(self._under_way) < self._connections and not self.stopping:
            now_s = self._clock()
            for job in (self._next, *self._again[:1]):
                wait_s = wait_s if job is None else min(wait_s, max(0.0, job.due_s - now_s))
        for number, _ in poll.poll(wait_s):
            if number in self._under_way:
                self._step(number, poll)
        now_s = self._clock()
        while self._under_way:  # the oldest stands first
            number, one = next(iter(self._under_way.items()))
            if one.begun_s + self._timeout_s > now_s:
                break
            self._end(number, TimeoutError(f"no answer within {self._timeout_s:g} s"))

    def _step(self, number: int, poll: select.epoll) -> None:
        one = self._under_way[number]
        try:
            wanted = next(one.exchange.steps)
        except StopIteration:
            self._count(one)
            self._end(number)
            return
        except OSError as exc:
            self._end(number, exc)
            return
        if one.exchange.status is not None:
            self._count(one)
        if not one.wanted:
            poll.register(number, wanted)
        elif wanted != one.wanted:
            poll.modify(number, wanted)
        one.wanted = wanted

    def _count(self, one: _UnderWay) -> None:
        """Its answer is there: latency counts to here."""
        status = one.exchange.status
        if one.counted or status is None:
            return
        one.counted = True
        self.tally.answered(status, self._clock() - one.begun_s)
        if status != OK:
            self._later(one.job)

    def _end(self, number: int, exc: OSError | None = None) -> None:
        one = self._under_way.pop(number)
        one.exchange.close()
        if exc is not None and not one.counted:
            self._failed(one.job, exc)

    def _failed(self, job: _Job, exc: OSError) -> None:
        self.tally.failed(exc.strerror or str(exc))
        self._later(job)

    def _later(self, job: _Job) -> None:
        """Send it again after a while, if it may have another try."""
        tries = job.tries + 1
        if tries >= TRIES or len(self._again) >= MOST_WAITING:
            self.tally.given_up += 1
            return
        due_s = self._clock() + self._again_s
        heapq.heappush(self._again, _Job(due_s, job.number, job.data, tries))
