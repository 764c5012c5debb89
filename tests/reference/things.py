"""Moments, reports and runs."""

from collections.abc import Generator, Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from tests.reference.words import TRIES

Rule = Mapping[str, Any]
Rests = list["Wait"] | list["Owed"]
Life = Generator[Rests, Any, None]


class At(NamedTuple):
    """A moment: within a boot only the uptime counts, across boots only the wall clock."""

    boot: str
    uptime: float
    wall: float


def passed(since: At, now: At) -> float:
    """Seconds from one moment to another; negative where clocks have it that way."""
    return now.uptime - since.uptime if now.boot == since.boot else now.wall - since.wall


def later(at: At, by: float) -> At:
    return At(at.boot, at.uptime + by, at.wall + by)


@dataclass(eq=False)
class Report:
    """Something that the PBX told."""

    number: int
    at: At
    fields: Mapping[str, str]
    call: str
    sure: bool

    @property
    def kind(self) -> str:
        return self.fields["event"]

    @property
    def subject(self) -> tuple[str, str] | None:
        """What reports of the same thing are about: an extension, or a call."""
        if self.kind == "extension_status":
            return "extension", self.fields["extension"]
        return ("call", self.call) if self.call else None


@dataclass(eq=False)
class Wait:
    """A time, a report or a place that a run waits for."""

    kind: str
    since: At
    until: At | None
    step: Mapping[str, Any] = field(default_factory=dict)
    wakes: At | None = None
    """Since the last start, at which there is something to settle."""


@dataclass(eq=False)
class Owed:
    """An action that a run owes."""

    step: Mapping[str, Any]
    due: At
    again: At
    expires_s: float | None
    limit: int | None
    """How often it is tried at most."""
    beside: bool
    """It stands in a ``parallel``."""
    wakes: At | None = None
    """When it is tried, since the last start."""
    attempts: int = 0
    under_way: bool = False
    state: str = ""
    """How it was settled."""
    result: Any = None
    place: int = 0
    """Among the steps that were settled."""

    @property
    def opens(self) -> At:
        """When it is tried next."""
        return self.wakes or self.again

    @property
    def verb(self) -> str:
        return next(verb for verb in TRIES if verb in self.step)


@dataclass(eq=False)
class Run:
    """One match on its way."""

    rule: Rule
    trigger: Mapping[str, Any]
    trigger_id: str
    report: Report
    key: tuple[Any, ...]
    matched: At
    """When it fired: the report, or the end of its ``for``."""
    stage: str = ""
    """``for``, ``lane`` or ``on`` while it is open; then ``over``."""
    fate: str = ""
    """How it ended: with an outcome, or ``dropped``."""
    fired: bool = False
    started: bool = False
    begun: bool = False
    """One of its actions was."""
    outcome: str = ""
    life: Life = field(init=False)
    rests: Rests = field(default_factory=list)
    settled: list[tuple[str, str, int]] = field(default_factory=list)
    results: dict[str, Any] = field(default_factory=dict)
    heard: int = 0
    """The last report that satisfied a wait, or else that which started it."""
    due: At = field(init=False)
    """The match, or the end of the previous step."""
    sees: dict[str, Any] = field(default_factory=dict)
    """The state."""
    leaves: dict[str, Any] = field(default_factory=dict)
    """What it set at this moment."""
    steps: int = 0
    """Without waiting."""

    @property
    def name(self) -> tuple[int, str]:
        return self.report.number, self.rule["id"]

    @property
    def open(self) -> bool:
        return self.stage != "over"


class EndedError(Exception):
    """The actions of a run are over."""

    def __init__(self, outcome: str) -> None:
        super().__init__(outcome)
        self.outcome = outcome


class UnclearError(Exception):
    """A wall clock that was set back, over a boot, has it that something is not over that was."""


class Counted(NamedTuple):
    """A match of a trigger with ``count``."""

    what: tuple[Any, ...]
    at: At
    within: float
    call: str
    counts: bool
    fires: bool


def spends(run: Run) -> bool:
    """Whether a run spends ``once_per`` and ``cooldown``: not if it ended before it began."""
    return run.started or run.open
