"""A daemon on a virtual clock: the engine, and a disk that a crash leaves behind."""

from collections.abc import Iterator
from typing import cast

from pbxrules import engine, runs
from pbxrules.calls import Change, Known
from pbxrules.engine import Arrival
from pbxrules.memory import TIMED, Memory, Moves, Whole
from pbxrules.model import Decision, Delivery, Event, Moment, Outcome, Run
from pbxrules.recall import recall
from pbxrules.rules import RuleSet
from pbxrules.store import OpenRun, Store
from pbxrules.walking import names_of
from tests.disk import Disk, program_of

STARTS = Moment(boot="boot 0", uptime_s=1000.0, wall_s=1_795_518_000.0)

Name = tuple[int, str]
"""A run: its event's id, and its rule."""
Stop = tuple[float, Name, str, str]
"""Something that is due by itself: in how many seconds, whose, which action, and what."""


def between(since: Moment, now: Moment) -> float:
    """Seconds from one moment to another; negative where the clocks have it that way."""
    same = since.boot == now.boot
    return now.uptime_s - since.uptime_s if same else now.wall_s - since.wall_s


class Daemon:
    """Decides, waits and tries, as the daemon does, one thing after the other."""

    def __init__(self, ruleset: RuleSet, now: Moment) -> None:
        self.now = now
        self.ruleset = ruleset
        self.memory = Memory()
        self.events = 0
        self.open: dict[int, Whole] = {}
        """The runs that have not ended, as the dispatcher holds them."""
        self.ended: dict[int, Run] = {}
        self.under_way: set[int] = set()
        self._disk = Disk()
        self._wakes: dict[int, Moment] = {}
        """When runs are woken, or tried, that rested at the last start."""

    # --- what happens ------------------------------------------------------------------------

    def report(self, event: Event, call: str = "", *, sure: bool = True) -> Decision:
        self.events += 1
        told = self._told(event, call, sure=sure) if call else None
        arrival = Arrival(event=event, id=self.events, call=call, sure=sure, told=told)
        decision, moves = engine.decide(self.ruleset, self.memory, arrival, self.now)
        self._apply(moves)
        return decision

    def lose(self, event: Event, call: str, *, sure: bool) -> None:
        """Take an event whose commit fails: it never came."""
        arrival = Arrival(event=event, id=self.events + 1, call=call, sure=sure)
        _, moves = engine.decide(self.ruleset, self.memory, arrival, self.now)
        before = self.memory.undoing(moves)
        self.memory.apply(moves)
        self.memory.undo(before, moves)

    def _told(self, event: Event, call: str, *, sure: bool) -> Change:
        """What an event tells of its call; the ids that only doubtful ones bore are doubtful."""
        known = self.memory.calls.get(call) or _unknown(call, self.now)
        own = (str(event.fields["call_id"]),)
        legs = known.legs if not sure or own[0] in known.legs else known.legs + own
        doubtful = tuple({*known.doubtful, *own} - {*legs})
        answered = known.answered or event.kind == "answer"
        put = known._replace(legs=legs, doubtful=doubtful, answered=answered, seen=self.now)
        return Change(put=put)

    def wake(self, run_id: int) -> None:
        self._apply(engine.wake(self.ruleset, self.memory, run_id, self.now))

    def begin(self, run_id: int) -> None:
        """Begin a try; its outcome comes later."""
        whole = self.whole(run_id)
        whole = Whole(runs.tried_once(whole.run), whole.event, whole.program)
        self.open[run_id] = whole
        self.memory.touch(whole)
        if whole.run.parent:
            self.memory.begun(whole.run.parent)
        self.under_way.add(run_id)

    def tried(self, run_id: int, outcome: Outcome, *, jitter: float = 0.0) -> None:
        self.under_way.discard(run_id)
        whole = self.whole(run_id)
        self._apply(engine.settle(self.memory, whole, outcome, self.now, jitter=jitter))

    def expire(self, run_id: int) -> None:
        assert runs.expired(self.whole(run_id).run, self.now)
        self._apply(engine.expire(self.memory, self.whole(run_id), self.now))

    def crash(self, now: Moment) -> None:
        """Be killed, and start again at *now* with nothing but what is on disk."""
        self.now = now
        self.under_way.clear()
        self.memory, owed = recall(cast(Store, self._disk), program_of)
        self._wakes = {run.id: now.after(_left_s(run, now)) for run in owed}
        self.open = {
            loaded.run.id: runs.resumed(Whole(loaded.run, loaded.event, program_of(loaded)))
            for loaded in self._disk.load([run.id for run in owed])
        }

    def reload(self, ruleset: RuleSet) -> None:
        self.ruleset = ruleset
        self._apply(engine.reloaded(ruleset, self.memory, self.now))

    def _apply(self, moves: Moves) -> None:
        before_all = {whole.run.id: self._disk.runs.get(whole.run.id) for whole in moves.runs}
        self.memory.apply(moves)
        self._disk.write(moves)
        for whole in moves.runs:
            run, before = whole.run, before_all[whole.run.id]
            moved = before is None or _rest(before.run) != _rest(run)
            if moved:
                self.under_way.discard(run.id)
            if moved or (before is not None and before.run.next_try != run.next_try):
                self._wakes.pop(run.id, None)
            if run.ended:
                self.open.pop(run.id, None)
                self.ended[run.id] = run
            else:
                self.open[run.id] = whole

    # --- what is seen ------------------------------------------------------------------------

    def whole(self, run_id: int) -> Whole:
        return self.memory.runs.get(run_id) or self.open[run_id]

    def left_s(self, run_id: int) -> float:
        """The seconds until a run is woken or may be tried; negative where that is past."""
        return between(self.now, self._wakes.get(run_id, self.whole(run_id).run.next_try))

    def name(self, run: Run) -> Name:
        return run.event_id, run.rule

    def stops(self) -> list[Stop]:
        """What is due by itself, sorted."""
        return sorted(stop for run_id in self.open for stop in self._stops_of(run_id))

    def _stops_of(self, run_id: int) -> Iterator[Stop]:
        run, name = self.whole(run_id).run, self.name(self.whole(run_id).run)
        left = self.left_s(run_id)
        if run.verb in TIMED:
            if run.verb != "join" and (run.verb != "lane" or run.expires_s is not None):
                yield left, name, "", run.verb
        elif run_id not in self.under_way:
            if run.expires_s is not None:
                expires = run.expires_s - between(run.due, self.now)
                yield expires, name, self.says(run_id), "expires"
            if left > 0:
                yield left, name, self.says(run_id), "again"

    def says(self, run_id: int) -> str:
        """What the owed action tells, with its templates filled in; ``""`` where none is owed."""
        whole = self.whole(run_id)
        if whole.run.verb in TIMED:
            return ""
        state = self.memory.state(whole.program.state)
        names = names_of(self.memory.calls.get(whole.run.call), whole.event, state)
        made = runs.delivery(whole, names=names, secrets={}, store_id="s", now=self.now)
        assert isinstance(made, Delivery), made
        args = made.args
        told = (args[name] for name in ("text", "payload", "body", "json", "argv") if name in args)
        (text,) = told
        return str(text[-1] if made.verb == "shell" else text)


def _unknown(call: str, now: Moment) -> Known:
    """A call of which nothing was told yet."""
    return Known(
        id=call, legs=(), doubtful=(), first_leg=None, pbx=None, direction=None, caller=None,
        callee=None, callee_from="", extensions=(), marks=(), answered=False, transfer=None,
        started_s=now.wall_s, ended_s=None, seen=now,
    )  # fmt: skip


def _left_s(run: OpenRun, now: Moment) -> float:
    """As ``left_s``, at a start."""
    settling_s = runs.settling_s(run.verb, run.next_try, run.expires_s, now)
    return max(settling_s, runs.left_s(run.due, run.next_try, now))


def _rest(run: Run) -> tuple[str, tuple[tuple[str, int], ...]]:
    return run.position, tuple(run.counters.items())
