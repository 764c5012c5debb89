"""What is remembered between events: values by key, and the runs that events can touch.

``Memory`` is what stands on disk, and changes only by ``apply``.  Whoever decides works on
a ``Draft``: memory as it would be, which nobody else sees.  What a draft holds in the end
are ``Moves``: they are written, then applied; if they can't be written, nothing happened.
"""

from collections import OrderedDict, defaultdict, deque
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import count
from typing import Any

from pbxrules.calls import Calls, Change, Known
from pbxrules.model import (
    RUNS_PER_EVENT,
    Changes,
    Event,
    Kept,
    KeptKey,
    Moment,
    Program,
    Run,
    StateDecl,
)
from pbxrules.records import record

MAX_OF_RULE = 100_000
MAX_KEPT = 500_000
"""Remembered values of one rule, and in all; beyond it the oldest go, and are counted."""
Lane = tuple[str, str]
"""A rule, and the values of its ``per``."""
Rest = tuple[str, tuple[tuple[str, int], ...]]
"""A run's position, and the round of each ``repeat``."""
TIMED = frozenset({"for", "lane", "delay", "wait_for", "join"})
"""Words in place of a verb: runs that wait for something else than an action's turn."""
CALL = "call"
SAME_CALL = (CALL,)
FOR_OLD = 2
"""Old values that go with each new one, so that their number falls without a sweep."""


@record(kw_only=False)
class Whole:
    """A run with what its next step needs."""

    run: Run
    event: Event
    program: Program


@record(kw_only=False)
class Moves:
    """Changes, with the runs whole."""

    runs: tuple[Whole, ...] = ()
    kept: tuple[Kept, ...] = ()
    forgotten: tuple[KeptKey, ...] = ()
    call: Change | None = None
    """What becomes of the calls."""

    @property
    def changes(self) -> Changes:
        """What of it is written."""
        kept, forgotten = self.kept, self.forgotten
        if self.call is not None:
            kept = (*kept, _kept_call(self.call.put))
            forgotten = (*forgotten, *((CALL, "", key) for key in self.call.gone))
        runs = tuple([whole.run for whole in self.runs])
        return Changes(runs, kept, forgotten)


def _kept_call(known: Known) -> Kept:
    return Kept(CALL, "", known.id, known.as_json(), None)


class Memory:
    """What is remembered now."""

    def __init__(self, kept: Iterable[Kept] = (), runs: Iterable[Whole] = ()) -> None:
        self._kept: defaultdict[tuple[str, str], OrderedDict[str, Kept]] = defaultdict(OrderedDict)
        """By kind and rule, then by name, in order of their last change."""
        self._count = 0
        self.bound: dict[str, str] = {}
        """The last message of each topic that a name of the state is bound to; not on disk."""
        self.dropped = 0
        """Values that went because there were too many."""
        self.runs: dict[int, Whole] = {}
        """Open runs that events or time may touch; the others are only in ``lanes``."""
        self.lanes: dict[Lane, dict[int, None]] = {}
        """The open runs of each lane, the first one first."""
        self._watched: defaultdict[str, dict[int, None]] = defaultdict(dict)
        """Runs that watch for events of a subject (see ``subject_of``); ``""``: for any."""
        self.trying: set[int] = set()
        """Those of them of which a try was begun that did not end yet."""
        self.queued: defaultdict[Lane, dict[int, None]] = defaultdict(dict)
        """Those of them that wait for another one to end."""
        self._branches: defaultdict[int, dict[int, None]] = defaultdict(dict)
        """The open branches of each run at a ``parallel``."""
        self.branches_of_event: defaultdict[int, dict[int, None]] = defaultdict(dict)
        """The same, by their event."""
        self.leaving: set[int] = set()
        """Branches that an event has ended, and that come back if that can't be written."""
        self.held: defaultdict[str, dict[str, Kept]] = defaultdict(dict)
        """Rules whose ``for`` waits or fired for a subject, by that subject."""
        calls: list[Known] = []
        for value in kept:
            if value.kind == CALL:
                calls.append(Known.from_json(value.value))
            else:
                self._keep(value)
        self.calls = Calls(sorted(calls, key=lambda known: known.seen.wall_s))
        """Which reports belong to which call."""
        for whole in runs:
            self._put(whole)

    # --- reading -----------------------------------------------------------------------------

    def value(self, key: KeptKey) -> Kept | None:
        """The value that is remembered under *key*."""
        kind, rule, name = key
        values = self._kept.get((kind, rule))
        return None if values is None else values.get(name)

    def state(self, declared: Mapping[str, StateDecl]) -> dict[str, Any]:
        """The values of the *declared* names of the rule set's state."""
        values: Mapping[str, Kept] = self._kept.get(("state", ""), {})
        told: dict[str, Any] = {}
        for name, state in declared.items():
            if state.topic is not None:
                told[name] = self.bound.get(state.topic)
            elif name in values and fits(values[name].value, state):
                told[name] = values[name].value
            else:  # never set, or of another type before the rules changed
                told[name] = state.first
        return told

    def watching(self, subject: str) -> Sequence[int]:
        """The runs that watch for an event of *subject*, the oldest first."""
        of_all, own = self._watched.get(""), self._watched.get(subject)
        if not own:
            return sorted(of_all) if of_all else ()
        return sorted({*own, *(of_all or ())})

    @property
    def is_watched(self) -> bool:
        """Whether a run waits for events, or will."""
        return bool(self._watched)

    def branches(self, parent: int) -> Sequence[int]:
        """The open branches of a run."""
        return tuple(self._branches.get(parent, ()))

    def all_kept(self) -> Iterator[Kept]:
        """Every value."""
        for values in self._kept.values():
            yield from values.values()

    # --- changing ----------------------------------------------------------------------------

    def apply(self, moves: Moves) -> None:
        """Remember what is about to be written."""
        for key in moves.forgotten:
            self._forget(key)
        for kept in moves.kept:
            self._keep(kept)
        if moves.call is not None:
            self.calls.apply(moves.call)
        for whole in moves.runs:
            self._put(whole)

    def undoing(self, moves: Moves) -> Moves:
        """What takes a decision's moves out again, if they can't be written; not applied yet.

        Its runs are new, or remembered whole.  What it told of calls may stay: the report,
        sent again, is of the same one.  ``written`` or ``undo`` is to follow.
        """
        if self._branches:
            self.leaving |= _leaving(moves)
        runs = tuple([self.runs.get(whole.run.id) or _unmade(whole) for whole in moves.runs])
        if not moves.kept and not moves.forgotten:
            return Moves(runs=runs)
        keys = (*moves.forgotten, *(kept.key for kept in moves.kept))
        before = {key: self.value(key) for key in keys}
        return Moves(
            runs=runs,
            kept=tuple(kept for kept in before.values() if kept is not None),
            forgotten=tuple(key for key, kept in before.items() if kept is None),
        )

    def undo(self, before: Moves, moves: Moves) -> None:
        """Take *moves* out again; *before* is what ``undoing`` told of them.

        What has changed since, by time or by an action, has happened and stays.
        """
        self.leaving -= _leaving(moves)
        after = {kept.key: kept for kept in moves.kept}
        runs = map(self._as_before, before.runs, moves.runs)
        self.apply(
            Moves(
                runs=tuple(whole for whole in runs if whole is not None),
                kept=tuple(k for k in before.kept if self.value(k.key) == after.get(k.key)),
                forgotten=tuple(k for k in before.forgotten if self.value(k) == after.get(k)),
            )
        )

    def written(self, moves: Moves) -> None:
        """Know that a decision's moves are on disk."""
        if self.leaving:
            self.leaving -= _leaving(moves)

    def _as_before(self, was: Whole, became: Whole) -> Whole | None:
        """What a run is once a move is taken out; None where it went on since."""
        if was.run.ended or became.run.ended or not touchable(became):
            return was
        now = self.runs.get(was.run.id)
        if now is None or rest_of(now.run) != rest_of(became.run):
            return None
        if rest_of(now.run) != rest_of(was.run):
            return was
        run = was.run.changed(attempt=now.run.attempt, begun=now.run.begun)
        return Whole(run, was.event, was.program)

    def remember(self, whole: Whole) -> None:
        """Know of a run that stands in the store."""
        self._put(whole)

    def open(self, run_id: int, rule: str, lane: str, parent: int = 0) -> None:
        """Know of an open run, or a branch of one, that is not remembered whole."""
        if parent:
            self._branches[parent][run_id] = None
            self.branches_of_event[run_id // RUNS_PER_EVENT][run_id] = None
        else:
            self.lanes.setdefault((rule, lane), {})[run_id] = None

    def close(self, run_id: int, rule: str, lane: str) -> None:
        """Forget such a run: it has ended."""
        _discard(self.lanes, (rule, lane), run_id)
        _discard(self.branches_of_event, run_id // RUNS_PER_EVENT, run_id)
        for parent in [parent for parent, ids in self._branches.items() if run_id in ids]:
            _discard(self._branches, parent, run_id)

    def knows(self, run: Run) -> bool:
        """Whether an open run is one here, whole or not."""
        if run.parent and run.parent not in self.runs:
            return False  # its event was lost, and with that the run that it is a branch of
        return (
            run.id in self.runs
            or run.id in self.lanes.get((run.rule, run.lane), ())
            or run.id in self.branches_of_event.get(run.event_id, ())
        )

    def begun(self, run_id: int) -> None:
        """A branch of this run was tried: its ``finally`` is owed."""
        whole = self.runs.get(run_id)
        if whole is not None and not whole.run.begun:
            self.runs[run_id] = Whole(whole.run.changed(begun=True), whole.event, whole.program)

    def tell(self, topic: str, text: str | None) -> None:
        """Know the message of a topic that a name of the state is bound to."""
        if text is None:
            self.bound.pop(topic, None)
        else:
            self.bound[topic] = text

    def touch(self, whole: Whole) -> None:
        """Know that a try of a run begins; nobody needs that on disk."""
        if whole.run.id in self.runs:
            self.runs[whole.run.id] = whole
            self.trying.add(whole.run.id)

    def outdated(self, kind: str, rule: str, now: Moment) -> list[KeptKey]:
        """The oldest values of a kind and rule that need not be remembered: old, or too many.

        At most ``FOR_OLD``.
        """
        found: list[KeptKey] = []
        values: Mapping[str, Kept] = self._kept.get((kind, rule), {})
        for name, kept in values.items():
            gone = len(found)
            too_many = len(values) - gone >= MAX_OF_RULE or self._count - gone >= MAX_KEPT
            old = kept.until is not None and now.reached(kept.until)
            if gone == FOR_OLD or not (too_many or old):
                break
            self.dropped += too_many
            found.append((kind, rule, name))
        return found

    def _keep(self, kept: Kept) -> None:
        values = self._kept[kept.kind, kept.rule]
        self._count += kept.name not in values
        values[kept.name] = kept
        values.move_to_end(kept.name)
        if kept.kind == "held":
            self.held[kept.name][kept.rule] = kept

    def _forget(self, key: KeptKey) -> None:
        kind, rule, name = key
        values = self._kept.get((kind, rule))
        if values is None or values.pop(name, None) is None:
            return
        self._count -= 1
        if not values:
            del self._kept[kind, rule]
        if kind == "held":
            _discard(self.held, name, rule)

    def _put(self, whole: Whole) -> None:
        run = whole.run
        lane = run.rule, run.lane
        before = self.runs.pop(run.id, None)
        if before is not None:
            for subject in watched(before):
                _discard(self._watched, subject, run.id)
            _discard(self.queued, lane, run.id)
            self.trying.discard(run.id)
        if run.ended:
            _discard(self.lanes, lane, run.id)
            for branch in self._branches.pop(run.id, ()):  # of an event that was lost
                _discard(self.branches_of_event, run.event_id, branch)
                self._forget_run(branch)
            if run.parent:
                _discard(self._branches, run.parent, run.id)
                _discard(self.branches_of_event, run.event_id, run.id)
            return
        if run.parent:
            self._branches[run.parent][run.id] = None
            self.branches_of_event[run.event_id][run.id] = None
        elif run.verb != "for":  # has not begun
            self.lanes.setdefault(lane, {})[run.id] = None
        if touchable(whole):
            self._keep_in_mind(whole, lane)

    def _forget_run(self, run_id: int) -> None:
        """Forget a branch whose run never was."""
        whole = self.runs.pop(run_id, None)
        if whole is not None:
            for subject in watched(whole):
                _discard(self._watched, subject, run_id)
            self.trying.discard(run_id)

    def _keep_in_mind(self, whole: Whole, lane: Lane) -> None:
        run = whole.run
        self.runs[run.id] = whole
        if run.verb == "lane":
            self.queued[lane][run.id] = None
        for subject in watched(whole):
            self._watched[subject][run.id] = None


def rest_of(run: Run) -> Rest:
    """Where it rests: it is there once."""
    return run.position, tuple(run.counters.items())


def _leaving(moves: Moves) -> set[int]:
    return {whole.run.id for whole in moves.runs if whole.run.parent and whole.run.ended}


def _unmade(whole: Whole) -> Whole:
    """A run that never was, for all that memory holds of it."""
    return Whole(whole.run.changed(position=""), whole.event, whole.program)


def fits(value: Any, state: StateDecl) -> bool:
    """Whether *value* is of the type that a name of the state keeps."""
    number = (int, float)
    if isinstance(state.first, number) and not isinstance(state.first, bool):
        return isinstance(value, number) and not isinstance(value, bool)
    return type(value) is type(state.first)


def subject_of(event: Event, call: str) -> str:
    """What events of the same subject are about: a call, or an extension; else ``""``."""
    if event.kind == "extension_status":
        return f"extension/{event.fields.get('pbx', '')}/{event.fields.get('extension', '')}"
    return f"call/{call}" if call else ""


def touchable(whole: Whole) -> bool:
    """Whether events, time or a newer match may change an open run."""
    program = whole.program
    return whole.run.verb in TIMED or bool(program.waits) or program.mode == "restart"


def watched(whole: Whole) -> tuple[str, ...]:
    """The subjects of whose events a run wants to know."""
    run, waits = whole.run, whole.program.waits
    if run.ended or run.outcome or run.parent:  # nothing of it waits for an event any more
        return ()
    own = subject_of(whole.event, run.call)
    subjects = () if all(same == SAME_CALL for same in waits) else ("",)
    of_own = run.verb == "for" or SAME_CALL in waits
    return (*subjects, own) if own and of_own else subjects


def _discard(of: Any, key: Any, item: Any) -> None:
    """Take *item* out of the dict at *key*, and that with it if it is empty."""
    inner = of.get(key)
    if inner is not None:
        inner.pop(item, None)
        if not inner:
            del of[key]


class Draft:
    """Memory as one decision would have it."""

    def __init__(self, memory: Memory, now: Moment, call: Change | None = None) -> None:
        """Begin with *memory* as it is at *now*; *call* is what the event told of its call."""
        self.memory = memory
        self.now = now
        self._call = call
        self._runs: dict[int, Whole] = {}
        self._kept: dict[KeptKey, Kept | None] = {}
        self._lanes: dict[Lane, dict[int, bool]] = {}
        """Of each lane, the runs that came or are open still, and those that ended."""
        self.sets: dict[int, dict[str, Any]] = {}
        """What of the state each run has set: it sees that at once, others do not."""
        self.left: dict[Lane, dict[str, Any]] = {}
        """What the last run of a lane had set: the next one begins behind that."""
        self.freed: deque[Lane] = deque()
        """Lanes of which a run has ended, and that have not been looked at since."""
        self.names: Mapping[str, Any] | None = None
        """``call`` and ``state`` as the conditions of rules see them, for they are no run's."""

    # --- values ------------------------------------------------------------------------------

    def value(self, kind: str, rule: str, name: str) -> Any:
        """What is remembered and not too old; None if nothing is."""
        key = kind, rule, name
        kept = self._kept[key] if key in self._kept else self.memory.value(key)
        if kept is None or (kept.until is not None and self.now.reached(kept.until)):
            return None
        return kept.value

    def until(self, kind: str, rule: str, name: str) -> Moment | None:
        """When a value that is remembered will be forgotten."""
        key = kind, rule, name
        kept = self._kept[key] if key in self._kept else self.memory.value(key)
        return None if kept is None else kept.until

    def keep(self, kind: str, rule: str, name: str, value: Any, until: Moment | None) -> None:
        """Remember a value."""
        key = kind, rule, name
        if self.memory.value(key) is None and kind != "state":
            for old in self.memory.outdated(kind, rule, self.now):
                self._kept.setdefault(old, None)
        self._kept[key] = Kept(kind, rule, name, value, until)

    def forget(self, kind: str, rule: str, name: str) -> None:
        """Forget a value."""
        self._kept[kind, rule, name] = None

    def call(self, key: str) -> Known | None:
        """What is known of a call, by its key."""
        if self._call is not None and self._call.put.id == key:
            return self._call.put
        return self.memory.calls.get(key)

    # --- runs --------------------------------------------------------------------------------

    def whole(self, run_id: int) -> Whole | None:
        """A run that is open, if it is one that events or time may touch."""
        found = self._runs.get(run_id) or self.memory.runs.get(run_id)
        return None if found is None or found.run.ended else found

    def put(self, whole: Whole) -> None:
        """Take a new run, or what became of one."""
        run = whole.run
        if not run.parent and run.verb != "for":
            self._lanes.setdefault((run.rule, run.lane), {})[run.id] = not run.ended
        self._runs[run.id] = whole

    def lane(self, rule: str, lane: str) -> list[int]:
        """The open runs of a lane, the first one first."""
        changed = self._lanes.get((rule, lane), {})
        ids = dict.fromkeys([*self.memory.lanes.get((rule, lane), ()), *changed])
        return [id_ for id_ in ids if changed.get(id_, True)]

    def lane_size(self, rule: str, lane: str) -> int:
        """How many open runs a lane has; quick, where it has thousands."""
        key = rule, lane
        before, changed = self.memory.lanes.get(key), self._lanes.get(key)
        if before is None:
            return sum(changed.values()) if changed else 0
        if changed is None:
            return len(before)
        return len(before) + sum(open_ - (id_ in before) for id_, open_ in changed.items())

    def queues(self, rule: str, lane: str) -> bool:
        """Whether a run of a lane waits for another one to end."""
        mine = (w.run for w in self._runs.values() if w.run.verb == "lane" and not w.run.ended)
        key = rule, lane
        return key in self.memory.queued or any((run.rule, run.lane) == key for run in mine)

    def free_branches(self, event_id: int, first: int) -> Iterator[int]:
        """Ids for branches of an event's run, from the place *first* on: the lowest free ones."""
        open_ = self.memory.branches_of_event.get(event_id, ())
        taken = {*self._runs, *open_, *self.memory.leaving}
        ids = count(event_id * RUNS_PER_EVENT + first)
        return (id_ for id_ in ids if id_ not in taken)

    def branches(self, parent: int) -> list[int]:
        """The open branches of a run."""
        new = [id_ for id_, whole in self._runs.items() if whole.run.parent == parent]
        of = dict.fromkeys([*self.memory.branches(parent), *new])
        return [id_ for id_ in of if id_ not in self._runs or not self._runs[id_].run.ended]

    def moves(self) -> Moves:
        """All that it changes."""
        runs = tuple(self._runs.values())
        if not self._kept:
            return Moves(runs, (), (), self._call)
        kept = tuple([kept for kept in self._kept.values() if kept is not None])
        forgotten = tuple([key for key, kept in self._kept.items() if kept is None])
        return Moves(runs, kept, forgotten, self._call)
