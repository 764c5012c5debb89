"""The engine and the reference side by side: the same happens to both, and is compared."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from pbxrules.memory import TIMED
from pbxrules.model import Done, Event, GiveUp, Moment, Outcome, Run, Tried, TryAgain
from tests import reference
from tests.reference import At, Owed, Reference, Wait
from tests.rulefiles import ruleset
from tests.streams import STATE, TOPIC, reported, scripts_of, text_of
from tests.virtual import STARTS, Daemon, Name, Stop

MOST_STOPS = 500
"""Of one wait; more would be a run that never comes to an end."""
View = dict[Name, Any]


class Pair:
    """Both of them."""

    def __init__(self, rule_sets: Sequence[Sequence[Mapping[str, Any]]]) -> None:
        """Start with the first of *rule_sets*; the others are for reloads."""
        self.rule_sets = rule_sets
        self.read = [ruleset(text_of(rules, number)) for number, rules in enumerate(rule_sets)]
        self.daemon = Daemon(self.read[0], STARTS)
        self.model = Reference(rule_sets[0], scripts_of(0), STATE, at(STARTS))
        self.up = True
        """Whether actions can be tried: the broker is there."""
        self._boots = 0

    def happens(self, kind: str, told: Any) -> None:
        """Do one thing, and compare; what is due then is done at once."""
        getattr(self, kind)(told)
        self.wait(0.0)
        self.compare()

    def comes_to_an_end(self) -> None:
        """All that is tried from here on succeeds: every run ends."""
        self.up = True
        for _ in range(MOST_STOPS):
            self.happens("outcome", (0, "done", 0.0))
            stops = self._stops()
            if not self.daemon.under_way:
                if not stops:
                    break
                self.wait(max(0.0, stops[0][0]))
        assert not self.daemon.open

    # --- what happens ------------------------------------------------------------------------

    def report(self, told: Mapping[str, Any]) -> None:
        fields, call, sure = reported(told)
        decision = self.daemon.report(Event(fields=fields, payload={}), call, sure=sure)
        self.model.report(fields, call, sure=sure)
        assert [rule.id for rule in decision.fired] == self.model.fired()

    def lost(self, told: Mapping[str, Any]) -> None:
        """A report that can't be written: nothing of it has happened."""
        fields, call, sure = reported(told)
        self.daemon.lose(Event(fields=fields, payload={}), call, sure=sure)

    def outcome(self, told: tuple[int, str, float]) -> None:
        """One of the tries under way ends."""
        number, what, jitter = told
        under_way = sorted(self._name(run_id) for run_id in self.daemon.under_way)
        if not under_way:
            return
        name, says = under_way[number % len(under_way)]
        result = {"exit_code": number, "status": number}
        outcomes: Mapping[str, Outcome] = {
            "done": Done(result=result),
            "again": TryAgain(reason="no answer", result=result),
            "failed": GiveUp(reason="refused", result=result),
        }
        run, owed = self._owed(name, says)
        self.daemon.tried(self._find(name, says), outcomes[what], jitter=jitter)
        self.model.tried(run, owed, what, result, jitter=jitter)

    def targets(self, up: bool) -> None:
        self.up = up

    def clock(self, by_s: float) -> None:
        """The wall clock is set."""
        now = self.daemon.now
        self._set(Moment(boot=now.boot, uptime_s=now.uptime_s, wall_s=now.wall_s + by_s))

    def crash(self, told: tuple[bool, float, float]) -> None:
        """Be killed; after a time start again, perhaps in a new boot with another wall clock."""
        boots, down_s, by_s = told
        now = self.daemon.now.after(down_s)
        if boots:
            self._boots += 1
            boot = f"boot {self._boots}"
            now = Moment(boot=boot, uptime_s=10.0, wall_s=now.wall_s + by_s)
        self.model.set_clock(at(now))
        self.daemon.crash(now)
        self.model.crash()
        self._agree_on_tries()

    def message(self, text: str | None) -> None:
        """Another message is on the topic that a name of the state is bound to; or none."""
        self.daemon.memory.tell(TOPIC, text)
        self.model.message(TOPIC, text)

    def reload(self, number: int) -> None:
        self.daemon.reload(self.read[number])
        self.model.reload(self.rule_sets[number], scripts_of(number))

    def wait(self, seconds: float) -> None:
        """Let time pass, and do what is due meanwhile at its moment."""
        self._try()
        for _ in range(MOST_STOPS):
            stops = self._stops()
            left = max(0.0, stops[0][0]) if stops else seconds
            if not stops or left > seconds:
                self._set(self.daemon.now.after(seconds))
                return
            seconds -= left
            self._set(self.daemon.now.after(left))
            self._do(stops[0])
            self._try()
            self.compare()
        raise AssertionError("it does not come to an end")

    def _do(self, stop: Stop) -> None:
        _, name, says, what = stop
        if what == "expires":
            self.daemon.expire(self._find(name, says))
            self.model.expire(*self._owed(name, says))
        elif what != "again":
            self.daemon.wake(self._find(name, ""))
            (run,) = (run for run in self.model.runs if run.name == name)
            self.model.wake(run)

    def _try(self) -> None:
        """Begin all that can be tried; what is too late has been given up before."""
        late = [stop for stop in self._stops() if stop[0] <= 0 and stop[3] == "expires"]
        if not self.up or late:
            return
        for run_id, whole in list(self.daemon.open.items()):
            idle = whole.run.verb not in TIMED and run_id not in self.daemon.under_way
            if idle and self.daemon.left_s(run_id) <= 0:
                name, says = self._name(run_id)
                run, owed = self._owed(name, says)
                assert reference.passed(owed.opens, self.model.now) >= 0
                self.daemon.begin(run_id)
                self.model.begin(run, owed)

    def _set(self, now: Moment) -> None:
        self.daemon.now = now
        self.model.set_clock(at(now))

    def _agree_on_tries(self) -> None:
        """Take the number of tries from the disk: a try that a crash cut off may be on it."""
        for run in self.model.runs:
            for rest in run.rests:
                if isinstance(rest, Owed) and not rest.state:
                    run_id = self._find(run.name, self.model.says(run, rest))
                    known = self.daemon.whole(run_id).run.attempt
                    assert known in (rest.attempts, rest.attempts - 1)
                    rest.attempts = known

    # --- who is who --------------------------------------------------------------------------

    def _name(self, run_id: int) -> tuple[Name, str]:
        run = self.daemon.whole(run_id).run
        return (run.event_id, run.rule), self.daemon.says(run_id)

    def _find(self, name: Name, says: str) -> int:
        """The open run, or the branch of one, that owes what it *says*; or waits."""
        (found,) = (
            run_id
            for run_id, whole in self.daemon.open.items()
            if self._name(run_id) == (name, says) and (says or not whole.run.parent)
        )
        return found

    def _owed(self, name: Name, says: str) -> tuple[reference.Run, Owed]:
        (found,) = (
            (run, rest)
            for run in self.model.runs
            for rest in run.rests
            if run.name == name and isinstance(rest, Owed) and not rest.state
            if self.model.says(run, rest) == says
        )
        return found

    # --- the comparison ----------------------------------------------------------------------

    def _stops(self) -> list[Stop]:
        stops, wanted = self.daemon.stops(), self.model.stops()
        assert stops == wanted, differences(enumerate(stops), enumerate(wanted))
        return stops

    def compare(self) -> None:
        engine, model = self._engine_view(), self._model_view()
        assert engine == model, differences(engine.items(), model.items())
        state = self.daemon.memory.state(self.daemon.ruleset.state)
        assert state == self.model.state, differences(state.items(), self.model.state.items())

    def _engine_view(self) -> View:
        seen: View = {}
        for run in self.daemon.ended.values():
            if not run.parent:
                fate = run.outcome or run.tried[-1].state
                seen[run.event_id, run.rule] = fate, fate != "dropped" and settled(run.tried)
        for run_id in self.daemon.open:
            run = self.daemon.whole(run_id).run
            if not run.parent:
                rests = sorted(self._engine_rests(run_id, run))
                seen[run.event_id, run.rule] = (
                    rests, run.begun, run.outcome, settled(run.tried)
                )  # fmt: skip
        return seen

    def _engine_rests(self, run_id: int, run: Run) -> list[Any]:
        if run.verb == "join":
            branches = [i for i, w in self.daemon.open.items() if w.run.parent == run_id]
            return [self._engine_owes(branch) for branch in branches]
        if run.verb == "lane" and run.expires_s is None:
            return [("lane", None)]
        if run.verb in TIMED:
            return [(run.verb, self.daemon.left_s(run_id))]
        return [self._engine_owes(run_id)]

    def _engine_owes(self, run_id: int) -> Any:
        run = self.daemon.whole(run_id).run
        return (
            run.verb, self.daemon.says(run_id), at(run.due), max(0.0, self.daemon.left_s(run_id)),
            run.expires_s, run.attempt, run_id in self.daemon.under_way,
        )  # fmt: skip

    def _model_view(self) -> View:
        seen: View = {}
        for run in self.model.runs:
            if run.open:
                rests = sorted(
                    (rest.kind, self._left_s(rest))
                    if isinstance(rest, Wait)
                    else self._model_owes(run, rest)
                    for rest in run.rests
                    if isinstance(rest, Wait) or not rest.state
                )
                seen[run.name] = rests, run.begun, run.outcome, run.settled
            else:
                seen[run.name] = run.fate, run.fate != "dropped" and run.settled
        return seen

    def _left_s(self, wait: Wait) -> float | None:
        until = wait.wakes or wait.until
        return None if until is None else reference.passed(self.model.now, until)

    def _model_owes(self, run: reference.Run, owed: Owed) -> Any:
        return (
            owed.verb, self.model.says(run, owed), owed.due,
            max(0.0, reference.passed(self.model.now, owed.opens)),
            owed.expires_s, owed.attempts, owed.under_way,
        )  # fmt: skip


def at(moment: Moment) -> At:
    return At(moment.boot, moment.uptime_s, moment.wall_s)


def differences(engine: Iterable[tuple[Any, Any]], model: Iterable[tuple[Any, Any]]) -> str:
    """What only one of them says, in lines."""
    one, other = dict(engine), dict(model)
    return "\n".join(
        f"{key}:\n  engine {one.get(key)}\n  model  {other.get(key)}"
        for key in {**one, **other}
        if one.get(key) != other.get(key)
    )


def settled(tried: Sequence[Tried]) -> list[tuple[str, str, int]]:
    """What became of the steps; a ``set`` that worked is seen by the state."""
    return [
        (one.verb, one.state, one.attempts if one.verb in reference.TRIES else 0)
        for one in tried
        if one.verb != "set" or one.state != "done"
    ]
