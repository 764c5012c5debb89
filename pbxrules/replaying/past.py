"""An event that came in once, and the clock that such events have together."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import field
from typing import Any

from pbxrules.model import NOTHING, Event, Moment
from pbxrules.records import record

BOOT = "of a replay"


@record()
class Past:
    """An event that came in once."""

    id: int
    came: Moment
    event: Event
    fired: frozenset[str] | None
    """The rules that fired for it then, also those that waited with a ``for`` first; None where
    nobody knows.
    """
    ended: Mapping[str, str] = field(default_factory=lambda: NOTHING)
    """Why the ``for`` of a rule that waited then did not fire."""
    verdicts: str = ""
    """What was decided then, as it is stored; ``""`` where nobody knows."""


class Timeline:
    """One clock for events of several boots: it goes on as ``Moment.since`` says, and never back.

    So what waits need not know of boots.  The wall clock shows what it showed.
    """

    def __init__(self) -> None:
        self._last: Moment | None = None
        self._uptime_s = 0.0

    def at(self, came: Moment) -> Moment:
        """The moment at which an event came, behind all that were asked for before."""
        if self._last is not None:
            self._uptime_s += came.since(self._last)
        self._last = came
        return Moment(boot=BOOT, uptime_s=self._uptime_s, wall_s=came.wall_s)


class Sent(Mapping[str, Any]):
    """A report as sent, read from its bytes only when somebody asks: few rules do."""

    __slots__ = ("_body", "_read", "_told")

    def __init__(self, body: bytes, read: Callable[[bytes], Mapping[str, Any]]) -> None:
        self._body = body
        self._read = read
        self._told: Mapping[str, Any] | None = None

    def _whole(self) -> Mapping[str, Any]:
        if self._told is None:
            self._told = self._read(self._body)
        return self._told

    def __getitem__(self, name: str) -> Any:
        return self._whole()[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._whole())

    def __len__(self) -> int:
        return len(self._whole())
