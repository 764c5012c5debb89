"""One case, run: what happened in it, as it is judged and shown."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from pbxrules.language import Verb
from pbxrules.memory import TIMED, Draft, Moves, Whole
from pbxrules.model import Decision, Delivery, Done, Event, GiveUp, Moment, Outcome, Run
from pbxrules.testing.answering import Answers
from pbxrules.testing.cases import Broker, Case
from pbxrules.testing.coverage import Coverage
from pbxrules.testing.daemon import Daemon, EndlessError

LONGEST_S = 86_400.0
"""After the last event the clock runs until nothing waits, but no longer."""
BOOT = "of a test"
UPTIME_S = 1_000.0
"""Of the virtual machine at the start."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Deed:
    """A run that started, or an action that was begun."""

    at_s: float
    rule: str
    verb: str = ""
    """Of the action; ``""``: the run."""
    args: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Moved:
    """One line of what happened."""

    at_s: float
    kind: str
    """``event``, ``broker``, ``run``, ``action`` or ``state``."""
    rule: str = ""
    what: str = ""
    """Such as ``starts``, ``waits``, ``ends``; an action's verb; a state's name."""
    told: Any = None
    """The event, the action's arguments, a reason, …"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Heard:
    """An event, and what was decided on it."""

    at_s: float
    event: Event
    decision: Decision


@dataclass(slots=True, kw_only=True)
class Trial:
    """What happened in a case."""

    heard: list[Heard] = field(default_factory=list)
    deeds: list[Deed] = field(default_factory=list)
    states: list[tuple[float, Mapping[str, Any]]] = field(default_factory=list)
    """The state after each change of it, the first one at the start."""
    happened: list[Moved] = field(default_factory=list)
    missed: list[tuple[float, str, str]] = field(default_factory=list)
    """When a run that waited to begin ended without, of which rule, and why."""
    endless: str = ""
    """After how much it was stopped, for it would go on for ever; ``""``: it was not."""


def run(
    case: Case,
    coverage: Coverage,
    *,
    verbs: Mapping[str, Verb],
    secrets: Mapping[str, str],
) -> Trial:
    """Run *case* by the rules of *coverage*, which notes what of them comes into play.

    *secrets* are the texts that stand for them, *verbs* those of the language.
    """
    trial = Trial()
    witness = _Witness(trial, Answers(case.answers, verbs), coverage)
    now = Moment(boot=BOOT, uptime_s=UPTIME_S, wall_s=case.began_s)
    daemon = witness.daemon = Daemon(coverage.ruleset, now, secrets, witness)
    _set_state(daemon, case.state)
    trial.states.append((0.0, daemon.memory.state(daemon.ruleset.state)))
    try:
        for happening in case.happens:
            daemon.go_on_to(happening.at_s)
            if isinstance(happening, Broker):
                witness.broker(up=happening.up)
                daemon.set_broker(up=happening.up)
            else:
                daemon.report(happening.event)
        daemon.finish(LONGEST_S)
    except EndlessError as exc:
        trial.endless = str(exc)
    return trial


def _set_state(daemon: Daemon, state: Mapping[str, Any]) -> None:
    draft = Draft(daemon.memory, daemon.now)
    for name, value in state.items():
        declared = daemon.ruleset.state[name]
        if declared.topic is not None:
            daemon.memory.tell(declared.topic, value)
        else:
            draft.keep("state", "", name, value, None)
    daemon.memory.apply(draft.moves())


class _Witness:
    """Writes down what a daemon tells."""

    daemon: Daemon

    def __init__(self, trial: Trial, answers: Answers, coverage: Coverage) -> None:
        self._trial = trial
        self._answers = answers
        self._coverage = coverage
        self._started: set[int] = set()
        self._begun: set[str] = set()
        self._said = ""
        """Why the last try failed."""

    def _note(self, kind: str, rule: str, what: str, told: Any = None) -> None:
        at_s = self.daemon.at_s
        self._trial.happened.append(Moved(at_s=at_s, kind=kind, rule=rule, what=what, told=told))

    def broker(self, *, up: bool) -> None:
        """The broker goes, or is back."""
        self._note("broker", "", "up" if up else "down")

    def decided(self, event: Event, decision: Decision) -> None:
        self._note("event", "", event.kind, event)
        at_s = self.daemon.at_s
        self._trial.heard.append(Heard(at_s=at_s, event=event, decision=decision))

    def timed_out(self, whole: Whole) -> None:
        if whole.run.verb == "wait_for":
            self._coverage.timed_out(whole)

    def tried(self, whole: Whole, delivery: Delivery | GiveUp) -> Outcome:
        run = whole.run
        if isinstance(delivery, GiveUp):
            return delivery
        if delivery.id not in self._begun:
            self._begun.add(delivery.id)
            deed = Deed(
                at_s=self.daemon.at_s, rule=run.rule, verb=delivery.verb, args=delivery.args
            )
            self._trial.deeds.append(deed)
        outcome = self._answers.to(run.rule, delivery)
        self._note("action", run.rule, delivery.verb, (delivery.args, outcome))
        self._said = "" if isinstance(outcome, Done) else outcome.reason
        return outcome

    def moved(self, before: Whole | None, after: Whole) -> None:
        self._coverage.moved(before, after)
        run = after.run
        if run.parent:
            self._note_settled(before, run)
            return
        waited = before is None or before.run.verb in ("for", "lane")
        if waited and run.id not in self._started and _has_started(run):
            self._started.add(run.id)
            self._trial.deeds.append(Deed(at_s=self.daemon.at_s, rule=run.rule))
            self._coverage.fired(run.rule)
            self._note("run", run.rule, "starts")
        self._note_settled(before, run)
        if run.ended:
            self._note_end(run)
        elif run.verb in TIMED and (before is None or before.run.position != run.position):
            self._note("run", run.rule, "waits", (run.verb, self.daemon.now, run.next_try))

    def _note_settled(self, before: Whole | None, run: Run) -> None:
        """Note the steps that were given up, or told something, since."""
        known = set() if before is None else {id(tried) for tried in before.run.tried}
        for tried in run.tried:
            if id(tried) in known or (tried.state == "dropped" and run.ended and not run.outcome):
                continue
            told = tried.state == "failed" and tried.reason == self._said
            if (tried.state != "done" and not told) or tried.verb == "stop":
                self._note("run", run.rule, tried.verb, (tried.state, tried.reason))

    def _note_end(self, run: Run) -> None:
        if run.id in self._started:
            self._note("run", run.rule, "ends", run.outcome or run.tried[-1].reason)
            return
        why = run.tried[-1].reason if run.tried else run.outcome
        self._trial.missed.append((self.daemon.at_s, run.rule, why))
        self._note("run", run.rule, "does not start", why)

    def settled(self, moves: Moves) -> None:
        if not any(kept.kind == "state" for kept in moves.kept):
            return
        _, before = self._trial.states[-1]
        now = self.daemon.memory.state(self.daemon.ruleset.state)
        for name, value in now.items():
            if value != before[name]:
                self._note("state", "", name, (before[name], value))
        self._trial.states.append((self.daemon.at_s, now))


def _has_started(run: Run) -> bool:
    """Whether a run that waited, or is new, does so no more, and was not dropped."""
    if not run.ended:
        return run.verb not in ("for", "lane")
    return bool(run.outcome) and not (run.tried and run.tried[-1].verb == "lane")
