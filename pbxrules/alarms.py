"""Wakes what waits when its time has come: one timer of the loop for all of it."""

import asyncio
import heapq
import itertools
from collections.abc import Callable
from typing import Generic, TypeVar

Woken = TypeVar("Woken")
FEW = 64
"""Alarms that were taken back of which so many may always be kept."""


class Alarm(Generic[Woken]):
    """One waking to come."""

    __slots__ = ("off", "whom")

    def __init__(self, whom: Woken) -> None:
        self.whom = whom
        self.off = False
        """True: it rang, or was taken back."""


class Alarms(Generic[Woken]):
    """Who is to be woken when; ten thousand may be, so there is little of each."""

    def __init__(self, uptime: Callable[[], float], wake: Callable[[Woken], None]) -> None:
        """Wake nobody yet; *uptime* is the clock, and *wake* is called on the loop's thread."""
        self._uptime = uptime
        self._wake = wake
        self._heap: list[tuple[float, int, Alarm[Woken]]] = []
        self._off = 0
        """How many of them were taken back."""
        self._order = itertools.count()
        self._timer: asyncio.TimerHandle | None = None
        self._closed = False

    def set(self, at: float, whom: Woken) -> Alarm[Woken]:
        """Wake *whom* at the uptime *at*."""
        alarm = Alarm(whom)
        heapq.heappush(self._heap, (at, next(self._order), alarm))
        if self._heap[0][2] is alarm:
            self._wait()
        return alarm

    def take_back(self, alarm: Alarm[Woken]) -> None:
        """Wake nobody by *alarm*, which may have rung."""
        if alarm.off:
            return
        alarm.off = True
        self._off += 1
        # It stays till its time, or till most are such: an hour of calls that are answered in
        # time would else be kept for that hour.
        if self._off > max(FEW, len(self._heap) // 2):
            self._heap[:] = [entry for entry in self._heap if not entry[2].off]
            heapq.heapify(self._heap)
            self._off = 0

    def ring_due(self, now: float) -> None:
        """Wake all whose time has come by *now*: what is due goes before a report."""
        while self._heap and (self._heap[0][0] <= now or self._heap[0][2].off):
            alarm = heapq.heappop(self._heap)[2]
            if alarm.off:
                self._off -= 1
            else:
                alarm.off = True
                self._wake(alarm.whom)

    def close(self) -> None:
        """Wake nobody any more."""
        self._closed = True
        if self._timer is not None:
            self._timer.cancel()

    def _wait(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if self._heap and not self._closed:
            wait_s = max(0.0, self._heap[0][0] - self._uptime())
            self._timer = asyncio.get_running_loop().call_later(wait_s, self._due)

    def _due(self) -> None:
        self._timer = None
        self.ring_due(self._uptime())
        self._wait()
