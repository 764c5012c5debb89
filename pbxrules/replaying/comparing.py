"""What rules fire for events that came in once, beside what fired then."""

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field

from pbxrules.explaining.explanation import NOT_NOTED
from pbxrules.explaining.trees import why_not_near
from pbxrules.misses import words
from pbxrules.model import Decision, Event, Verdict
from pbxrules.records import record
from pbxrules.replaying.past import Past
from pbxrules.replaying.player import FOR, Later
from pbxrules.rules import RuleSet

GONE = "there is no such rule any more, or it has enabled: false"
WAITS = "its 'for' would wait still"


@record()
class Difference:
    """An event for which a rule fires now and did not then, or the other way round."""

    past: Past
    rule: str
    now: bool
    """It fires now; then it did not."""
    fired_s: float | None
    """When it would fire, in seconds since 1970 UTC; None: it would not."""
    verdict: Verdict | None = None
    """What is decided now, where it would not fire; None: the event is nothing to its triggers."""
    ended: str = ""
    """Why its ``for`` would not fire."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Span:
    """Which events count; the others only make what is remembered."""

    from_s: float = 0.0
    to_s: float = float("inf")
    """Seconds since 1970 UTC, the end not in it."""

    def holds(self, wall_s: float) -> bool:
        """Whether an event of this moment counts."""
        return self.from_s <= wall_s < self.to_s


@dataclass(slots=True, kw_only=True)
class Counts:
    """How many events there were, and for how many each rule fires."""

    events: int = 0
    known: int = 0
    """Events of which is known what was decided then."""
    since_s: float | None = None
    """When the first event came of all, those that don't count included, in wall seconds."""
    first_s: float | None = None
    last_s: float | None = None
    """When the first and the last of them came."""
    then: Counter[str] = field(default_factory=Counter)
    now: Counter[str] = field(default_factory=Counter)
    more: Counter[str] = field(default_factory=Counter)
    """Events for which it fires now only."""
    less: Counter[str] = field(default_factory=Counter)
    """Events for which it fired then only."""


class Comparison:
    """Compares event by event, as they are taken again."""

    def __init__(self, ruleset: RuleSet, span: Span, tell: Callable[[Difference], None]) -> None:
        """Begin with nothing; each difference is told as soon as it is sure."""
        self.counts = Counts()
        self._ruleset = ruleset
        self._span = span
        self._tell = tell
        self._waiting: dict[tuple[int, str], Past] = {}
        """The events whose ``for`` goes on, by rule."""

    def is_over(self, past: Past) -> bool:
        """Whether *past*, and all behind it, makes no difference any more."""
        return past.came.wall_s >= self._span.to_s and not self._waiting

    def decided(self, past: Past, decision: Decision) -> None:
        """Take what the rules decide on an event."""
        wall_s, counts, then = past.came.wall_s, self.counts, past.fired
        if counts.since_s is None:
            counts.since_s = wall_s
        if not self._span.holds(wall_s):
            return
        counts.events += 1
        counts.first_s = wall_s if counts.first_s is None else counts.first_s
        counts.last_s = wall_s
        counts.known += then is not None
        if not then and not decision.changes.runs:  # as for most events
            return
        now = {rule.id for rule in decision.fired}
        waits = {
            run.rule
            for run in decision.changes.runs
            if run.verb == FOR and run.event_id == past.id and not run.ended
        }
        for rule in waits:
            self._waiting[past.id, rule] = past
        counts.now.update(now)
        if then is None:
            return
        counts.then.update(then)
        for rule in sorted(now - then):
            self._more(past, rule, wall_s)
        for rule in sorted(then - now - waits):
            self._less(past, rule, _verdict(decision, rule), "")

    def later(self, later: Later) -> None:
        """Take what came of a ``for``."""
        past = self._waiting.pop((later.event_id, later.rule), None)
        if past is None:
            return
        self.counts.now[later.rule] += later.fired
        if past.fired is None:
            return
        did = later.rule in past.fired
        if later.fired and not did:
            self._more(past, later.rule, later.at.wall_s)
        elif did and not later.fired:
            self._less(past, later.rule, None, later.why)

    def finish(self) -> None:
        """Take what waits still for that which does not fire."""
        for (_, rule), past in self._waiting.items():
            if past.fired is not None and rule in past.fired:
                self._less(past, rule, None, WAITS)
        self._waiting.clear()

    def _more(self, past: Past, rule: str, fired_s: float) -> None:
        self.counts.more[rule] += 1
        self._tell(Difference(past=past, rule=rule, now=True, fired_s=fired_s))

    def _less(self, past: Past, rule: str, verdict: Verdict | None, ended: str) -> None:
        self.counts.less[rule] += 1
        told = Difference(
            past=past, rule=rule, now=False, fired_s=None, verdict=verdict, ended=ended
        )
        self._tell(told)


def _verdict(decision: Decision, rule: str) -> Verdict | None:
    return next((one for one in decision.verdicts if one.rule == rule), None)


Stored = Callable[[str], tuple[Verdict, ...]]
"""Reads verdicts as they are stored."""


def why(told: Difference, ruleset: RuleSet, stored: Stored) -> str:
    """Why the rule does not fire now, or did not then."""
    event = told.past.event
    if told.now and told.rule in told.past.ended:
        return told.past.ended[told.rule]
    if told.now:
        verdicts = stored(told.past.verdicts) if told.past.verdicts else ()
        then = next((one for one in verdicts if one.rule == told.rule), None)
        return _in_words(then, event) or NOT_NOTED
    rule = ruleset.by_id.get(told.rule)
    if rule is None:
        return GONE
    return told.ended or _in_words(told.verdict, event) or why_not_near(rule, event)


def _in_words(verdict: Verdict | None, event: Event) -> str:
    if verdict is None:
        return ""
    return "; ".join(words(misses, event) for misses in verdict.because)
