"""Whether each report finds its call among 200 at once, and how long that takes.

The traffic is simulated (``pbxrules.pbx.traffic``), so it is known of which call each report
is.  It has what makes that hard to tell: reports that come late, again or without the PBX's
name, calls made twice, and extensions that have two calls at a time.
"""

import gc
import random
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field

from pbxrules import shipped
from pbxrules.calls import Call, Calls, Change, assign
from pbxrules.model import Event, Moment
from pbxrules.pbx.openvox import read
from pbxrules.pbx.traffic import Habits, Sent, traffic
from pbxrules.schema import event_schemas

CALLS = 3_000
AT_ONCE = 200
ROUNDS = 3
HABITS = (Habits(), Habits(later_leg=True))
FIRST, AGAIN, SHARED, ALERT, BYE, OTHER = (
    "first of its call",
    "says the same again",
    "shares an id",
    "alert of an outbound call",
    "second bye",
    "other leg",
)
KINDS = (FIRST, AGAIN, SHARED, ALERT, BYE, OTHER)
"""What a report has in common with those of its call that came before it."""


@dataclass(slots=True, kw_only=True)
class Score:
    """How many reports of one kind were put where."""

    rightly: int = 0
    wrongly: int = 0
    """With the reports of another call."""
    apart: int = 0
    """In a new call, though their own was known."""
    doubted: int = 0
    """Rightly, but not ``sure``."""
    surely_wrong: int = 0

    @property
    def reports(self) -> int:
        """All of them."""
        return self.rightly + self.wrongly + self.apart

    @property
    def precision(self) -> float:
        """Of those put with others, or rightly in a new call, the share that belongs there."""
        return _share(self.rightly, self.rightly + self.wrongly)

    @property
    def recall(self) -> float:
        """The share that was put where it belongs."""
        return _share(self.rightly, self.reports)


def _share(some: int, of: int) -> float:
    return some / of if of else 1.0


@dataclass(slots=True, kw_only=True)
class Joining:
    """What was measured."""

    scores: dict[str, Score] = field(default_factory=lambda: {kind: Score() for kind in KINDS})
    assign_s: list[float] = field(default_factory=list)
    """CPU time of one report, the mean of each round."""
    apply_s: list[float] = field(default_factory=list)


def events_of(sent: Iterable[Sent]) -> list[Event]:
    """The events of the reports that were sent."""
    schemas = event_schemas(shipped.event_schemas())
    return [read(one.report, schemas=schemas, received_at="") for one in sent]


def assigned(sent: Sequence[Sent], events: Sequence[Event], joining: Joining) -> list[Call]:
    """The call that each report was put in, one after the other; the times go to *joining*."""
    nows = [Moment(boot="bench", uptime_s=one.at_s, wall_s=one.at_s) for one in sent]
    calls = Calls()
    found: list[Call] = []
    changes: list[Change] = []
    began_s = time.thread_time()
    for event, now in zip(events, nows, strict=True):
        put = assign(calls, event, now)
        assert put is not None  # every report of the traffic has a call's id
        call, change = put
        found.append(call)
        changes.append(change)
        calls.apply(change)
    both_s = time.thread_time() - began_s
    calls = Calls()
    began_s = time.thread_time()
    for change in changes:
        calls.apply(change)
    apply_s = time.thread_time() - began_s
    joining.assign_s.append((both_s - apply_s) / len(sent))
    joining.apply_s.append(apply_s / len(sent))
    return found


def judge(sent: Sequence[Sent], found: Sequence[Call], scores: dict[str, Score]) -> None:
    """Add to *scores* where each report was put.

    A call's key belongs to the call whose report it was first given to.
    """
    owners: dict[str, int] = {}
    told: dict[int, list[tuple[Sent, Call]]] = {}
    for one, call in zip(sent, found, strict=True):
        before = told.setdefault(one.call, [])
        kind, keys = expected(one, call, before, owners)
        owner = owners.setdefault(call.id, one.call)
        score = scores[kind]
        right = call.id in keys if keys else owner == one.call
        wrong = not right and owner != one.call
        score.rightly += right
        score.wrongly += wrong
        score.apart += not right and not wrong
        score.surely_wrong += wrong and call.sure
        score.doubted += right and not call.sure
        before.append((one, call))


def expected(
    one: Sent, call: Call, before: Sequence[tuple[Sent, Call]], owners: dict[str, int]
) -> tuple[str, set[str]]:
    """Which of ``KINDS`` a report is of, and the keys of which it should have one; none: a new one.

    Those reports of its call that were put with another call say nothing of where it belongs,
    unless it only says the same again.
    """
    same = {known.id for other, known in before if _without_sn(other) == _without_sn(one)}
    if same:
        return AGAIN, same
    rightly = [known for _, known in before if owners[known.id] == one.call]
    sharing = {known.id for known in rightly if not set(known.legs).isdisjoint(call.legs)}
    if sharing:
        return SHARED, sharing
    kind = BYE if one.event == "bye" else ALERT if one.kind == "outbound" else OTHER
    keys = {known.id for known in rightly}
    return kind if keys else FIRST, keys


def _without_sn(one: Sent) -> dict[str, object]:
    return {name: value for name, value in one.report.items() if name != "sn"}


def measure(say: Callable[[str], None], *, calls: int = CALLS, seed: int = 1) -> Joining:
    """Put the reports of so many calls, of each of ``HABITS``, several times, and judge."""
    joining = Joining()
    for habits in HABITS:
        chance = random.Random(seed)  # noqa: S311 - the same calls each time
        sent = traffic(chance, calls=calls, at_once=AT_ONCE, habits=habits)
        events = events_of(sent)
        gc.collect()
        gc.freeze()  # what the bench holds is not the daemon's to walk
        for _ in range(ROUNDS):
            found = assigned(sent, events, joining)
        gc.unfreeze()
        judge(sent, found, joining.scores)
        best_s = min(joining.assign_s[-ROUNDS:])
        say(f"joining  {len(sent)} reports of {calls} calls  {best_s * 1e6:5.1f} µs each")
    return joining
