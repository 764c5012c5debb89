"""The cases of ``*.test.yaml``, run on a virtual clock: an hour takes a millisecond."""

import itertools
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

from pbxrules import engine, loading, runs
from pbxrules.language import duration_s
from pbxrules.memory import TIMED, Draft, Whole
from pbxrules.model import Delivery, Done, Event, GiveUp, Moment, Outcome, TryAgain
from pbxrules.pbx import openvox
from pbxrules.rules import RuleSet
from pbxrules.template import Context, Names, Scope, compile_tree
from pbxrules.walking import names_of
from pbxrules.yamlsource import read
from tests.virtual import STARTS, Daemon

LANGUAGE = loading.language(secrets=["duty"], timezone="Europe/Berlin")
LONGEST_S = 86_400.0
"""After the last event the clock runs until nothing waits, but no longer."""
EXACT_S = 0.05


@dataclass(frozen=True, slots=True, kw_only=True)
class Deed:
    """Something that happened: a run that started, or an action that was done."""

    at: float
    rule: str
    verb: str
    args: Mapping[str, Any]


@dataclass(slots=True, kw_only=True)
class Trial:
    """One case of one test, under way."""

    daemon: Daemon
    answers: Mapping[str, Any]
    began: Moment
    broker: bool = True
    deeds: list[Deed] = field(default_factory=list)
    states: list[tuple[float, dict[str, Any]]] = field(default_factory=list)
    tries: set[tuple[int, str, int]] = field(default_factory=set)

    @property
    def at(self) -> float:
        """Seconds since the start."""
        return self.daemon.now.uptime_s - self.began.uptime_s

    def report(self, event: Event) -> None:
        """Let an event come."""
        daemon = self.daemon
        daemon.events += 1
        arrival = engine.arrival(daemon.ruleset, daemon.memory, event, daemon.events, daemon.now)
        decision, moves = engine.decide(daemon.ruleset, daemon.memory, arrival, daemon.now)
        daemon._apply(moves)
        self.deeds += [Deed(at=self.at, rule=rule.id, verb="", args={}) for rule in decision.fired]
        self.work()

    def work(self) -> None:
        """Try all that is owed now, until nothing is."""
        while (run_id := self._owed()) is not None:
            whole = self.daemon.whole(run_id)
            if runs.expired(whole.run, self.daemon.now):
                self.daemon.expire(run_id)
                continue
            delivery = self._delivery(whole)
            self.daemon.begin(run_id)
            outcome = delivery if isinstance(delivery, GiveUp) else self._perform(whole, delivery)
            self.daemon.tried(run_id, outcome, jitter=1.0)
        state = self.daemon.memory.state(self.daemon.ruleset.state)
        self.states.append((self.at, state))

    def _owed(self) -> int | None:
        for run_id in sorted(self.daemon.open):
            run = self.daemon.whole(run_id).run
            if run.verb in TIMED or (run.verb == "mqtt" and not self.broker):
                continue
            if self.daemon.now.reached(run.next_try):
                return run_id
        return None

    def _delivery(self, whole: Whole) -> Delivery | GiveUp:
        daemon = self.daemon
        state = daemon.memory.state(whole.program.state)
        names = names_of(Draft(daemon.memory, daemon.now), whole.event, whole.run.call, state)
        secrets = {"duty": "s3cr3t"}
        return runs.delivery(whole, names=names, secrets=secrets, store_id="t", now=daemon.now)

    def _perform(self, whole: Whole, delivery: Delivery) -> Outcome:
        deed = Deed(at=self.at, rule=whole.run.rule, verb=delivery.verb, args=delivery.args)
        key = (whole.run.id, whole.run.position, len(whole.run.tried))
        if key not in self.tries:
            self.tries.add(key)
            self.deeds.append(deed)
        answer = dict(self.answers.get(delivery.verb, {}))
        if "fails" in answer:
            return TryAgain(reason=answer["fails"])
        return Done(result=answer)

    def go_on_to(self, at: float) -> None:
        """Let time pass until *at*, and do what is due."""
        while (due := self._next()) is not None and due - self.began.uptime_s <= at:
            self._pass(due - self.began.uptime_s)
            self._ring()
            self.work()
        self._pass(at)

    def end(self) -> None:
        """Let time pass until nothing waits."""
        last = self.at + LONGEST_S
        while (due := self._next()) is not None and due - self.began.uptime_s <= last:
            self.go_on_to(due - self.began.uptime_s)

    def _pass(self, at: float) -> None:
        self.daemon.now = self.began.after(max(at, self.at))

    def _next(self) -> float | None:
        stops = self.daemon.stops()
        return None if not stops else self.daemon.now.uptime_s + max(0.0, stops[0][0])

    def _ring(self) -> None:
        for run_id in sorted(self.daemon.open):
            whole = self.daemon.open.get(run_id)
            if whole is None:
                continue
            run = self.daemon.whole(run_id).run
            if run.verb not in TIMED:
                if runs.expired(run, self.daemon.now):
                    self.daemon.expire(run_id)
            elif run.verb != "join" and self.daemon.now.reached(run.next_try):
                self._wake(run_id, run.verb)

    def _wake(self, run_id: int, verb: str) -> None:
        self.daemon.wake(run_id)
        again = self.daemon.open.get(run_id)
        if verb == "for" and (again or self.daemon.ended[run_id].begun):
            rule = (again.run if again else self.daemon.ended[run_id]).rule
            self.deeds.append(Deed(at=self.at, rule=rule, verb="", args={}))


# --- a test ----------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Case:
    """One test of a file, with one combination of its ``cases``."""

    file: Path
    name: str
    test: Mapping[str, Any]


def cases(folder: Path) -> list[Case]:
    """All of a folder."""
    return [case for file in sorted(folder.glob("*.test.yaml")) for case in _cases(file)]


def _cases(file: Path) -> Iterator[Case]:
    document = read(file.read_text("utf-8"), file=str(file))
    assert not document.problems, document.problems
    assert isinstance(document.value, dict)
    tests = document.as_written(document.value["tests"], ("tests",))
    for test in tests:
        given = test.get("cases", {})
        for values in itertools.product(*given.values()):
            told = dict(zip(given, values, strict=True))
            told_words = ", ".join(f"{name} {value}" for name, value in told.items())
            name = f"{file.name}: {test['name']}" + (f" ({told_words})" if told else "")
            filled = {key: _filled(value, told) for key, value in test.items() if key != "cases"}
            yield Case(file, name, filled)


def _filled(value: Any, given: Mapping[str, Any]) -> Any:
    names = Names(fields=frozenset(given), members={})
    told = {name: value for name, value in given.items() if value is not None}
    return compile_tree(value, Context.VALUE, names).render(Scope(fields=told))


def run(case: Case) -> list[str]:
    """Run it; what did not come as expected, in words."""
    test = case.test
    ruleset = _ruleset(case.file.parent)
    start = test.get("start")
    began = STARTS
    if start:
        wall_s = datetime.fromisoformat(start).timestamp()
        began = Moment(boot=STARTS.boot, uptime_s=STARTS.uptime_s, wall_s=wall_s)
    trial = Trial(daemon=Daemon(ruleset, began), answers=test.get("answers", {}), began=began)
    _set_state(trial, test.get("state", {}))
    for told in test["events"]:
        trial.go_on_to(duration_s(told["at"]))
        _happen(trial, told)
    trial.end()
    return [*_missing(trial, test.get("expect", [])), *_unwanted(trial, test.get("expect_no", []))]


def _ruleset(folder: Path) -> RuleSet:
    return loading.load(loading.rule_files(folder), LANGUAGE).ruleset


def _set_state(trial: Trial, state: Mapping[str, Any]) -> None:
    draft = Draft(trial.daemon.memory, trial.daemon.now)
    for name, value in state.items():
        declared = trial.daemon.ruleset.state[name]
        if declared.topic is not None:
            trial.daemon.memory.tell(declared.topic, value)
        else:
            number = isinstance(declared.first, int)
            draft.keep("state", "", name, int(value) if number else value, None)
    trial.daemon.memory.apply(draft.moves())


def _happen(trial: Trial, told: Mapping[str, Any]) -> None:
    if "broker" in told:
        trial.broker = told["broker"] == "up"
        trial.work()
    elif "report" in told:
        schemas = LANGUAGE.event_schemas
        trial.report(openvox.read(told["report"], schemas=schemas, received_at="now"))
    else:
        fields = {name: value for name, value in told.items() if name != "at" and value is not None}
        fields = {n: tuple(v) if isinstance(v, list) else v for n, v in fields.items()}
        action = str(fields["event"]).upper()
        trial.report(
            Event(fields={"action": action, "received_at": "now", **fields}, payload=fields)
        )


def _missing(trial: Trial, expected: list[Mapping[str, Any]]) -> Iterator[str]:
    for wanted in expected:
        if "state" in wanted:
            at = duration_s(wanted["at"])
            state = [values for when, values in trial.states if when <= at + EXACT_S][-1]
            told = {name: str(state[name]) for name in wanted["state"]}
            if told != {name: str(value) for name, value in wanted["state"].items()}:
                yield f"expected {wanted}, the state was {state}"
            continue
        found = [deed for deed in trial.deeds if _fits(deed, wanted)]
        times = wanted.get("times")
        if (not found) if times is None else (len(found) != int(times)):
            yield f"expected {wanted}, found {found} of {trial.deeds}"


def _unwanted(trial: Trial, unwanted: list[Mapping[str, Any]]) -> Iterator[str]:
    for wanted in unwanted:
        if found := [deed for deed in trial.deeds if _fits(deed, wanted)]:
            yield f"did not expect {wanted}, found {found}"


def _fits(deed: Deed, wanted: Mapping[str, Any]) -> bool:
    verbs = [name for name in wanted if name in LANGUAGE.verbs]
    if "rule" in wanted and deed.rule != wanted["rule"]:
        return False
    if deed.verb != (verbs[0] if verbs else ""):
        return False
    bounds = {
        name: duration_s(wanted[name]) for name in ("at", "after", "before") if name in wanted
    }
    if "at" in bounds and abs(deed.at - bounds["at"]) > EXACT_S:
        return False
    if deed.at < bounds.get("after", 0.0) or deed.at >= bounds.get("before", float("inf")):
        return False
    return not verbs or _holds(deed.args, wanted[verbs[0]])


def _holds(value: Any, wanted: Any) -> bool:
    """Whether *value* has what is wanted: of a map these members at least."""
    if isinstance(wanted, Mapping):
        return isinstance(value, Mapping) and all(
            name in value and _holds(value[name], inner) for name, inner in wanted.items()
        )
    return str(value) == str(wanted)
