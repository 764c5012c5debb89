"""The language of rules by the plainest way to work it out: what the engine is compared with.

Made from the words of the language, not from the engine, and slow.  A rule is the map that
stands in its file.  A run is a generator that goes through the steps as they are nested, and
stands still where it has to wait: there are no positions, and a crash leaves nothing to
restore.  What depends on the past is looked up, each time anew, in the lists of all that ever
happened.
"""

# Over 300 lines: one world, in which all that a rule may say happens.

import math
from collections.abc import Generator, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from functools import lru_cache
from itertools import takewhile
from typing import Any, NamedTuple

import jinja2

DAY_S = 86_400.0
"""For so long a call is known: it has ended long before."""
SETTLING_S = 5.0
"""After a start no ``for`` and no ``wait_for`` ends by time for so long."""
MOST_STEPS = 1_000
MOST_HEARD = 16
"""Of the reports that a run may want later it knows the last ones."""
TRIES = {"mqtt": None, "http": None, "shell": 1, "log": 1}
"""How often each verb is tried unless told; None: until it expires."""
UNTIL = {
    "ring": ("answer", "bye", "cdr", "call_failed"),
    "alert": ("answer", "bye", "cdr", "call_failed"),
    "answer": ("bye", "cdr"),
    "extension_status": ("extension_status",),
}
UNITS_S = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0}

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


def seconds(text: str) -> float:
    number = text.rstrip("msh")
    return int(number) * UNITS_S[text.removeprefix(number)]


def listed(value: Any) -> list[Any]:
    return [] if value is None else value if isinstance(value, list) else [value]


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
    attempts: int = 0
    under_way: bool = False
    state: str = ""
    """How it was settled."""
    result: Any = None
    place: int = 0
    """Among the steps that were settled."""

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
    call: str
    counts: bool
    fires: bool


class Reference:
    """Everything that happened, and what it makes of the rules."""

    def __init__(self, rules: Sequence[Rule], state: Mapping[str, Any], now: At) -> None:
        self.now = now
        self.moments = [now]
        """All that ever were."""
        self.rules = list(rules)
        self.state = dict(state)
        self.reports: list[Report] = []
        self.runs: list[Run] = []
        """All that ever were, in the order of their reports."""
        self.took_place: list[Run] = []
        """Those that got past ``cooldown`` and ``mode``, in that order."""
        self.counted: list[Counted] = []
        self._set: dict[str, Any] = {}
        self._left: dict[tuple[Any, ...], dict[str, Any]] = {}

    @contextmanager
    def moment(self) -> Iterator[None]:
        """One thing that happens: what is set in it is seen by others afterwards."""
        self._set, self._left = {}, {}
        for run in self.runs:
            run.leaves = {}
        yield
        self.state.update(self._set)

    def set_clock(self, now: At) -> None:
        self.now = now
        self.moments.append(now)

    def over(self, since: At, span_s: float, *, ahead: bool = True) -> bool:
        """Whether so much time has passed.

        *ahead*: what a clock that was set back, over a boot, has yet to come is over, for
        nobody knows how long ago it was.
        """
        least = 0.0 if ahead else -math.inf
        if not least <= passed(since, self.now) < span_s:
            return True
        then = self.moments[self.moments.index(since) :]
        if not all(least <= passed(since, moment) < span_s for moment in then):
            raise UnclearError
        return False

    # --- what happens ------------------------------------------------------------------------

    def report(self, fields: Mapping[str, str], call: str, *, sure: bool) -> None:
        report = Report(len(self.reports) + 1, self.now, fields, call, sure)
        with self.moment():
            self.reports.append(report)
            for run in [run for run in self.runs if run.open]:
                self.hear(run, report)
            for rule in self.rules:
                self.look_at(rule, report)

    def wake(self, run: Run) -> None:
        """The time that it waited for has come."""
        (rest,) = run.rests
        with self.moment():
            match rest:
                case Wait(kind="for"):
                    self.stayed_so(run)
                case Wait(kind="lane"):
                    run.settled.append(("lane", "expired", 0))
                    self.end(run, "expired")
                case Wait(kind="delay"):
                    self.go(run)
                case Wait(kind="wait_for"):
                    self.go(run, answer=None)

    def begin(self, run: Run, owed: Owed) -> None:
        """A try of an action begins."""
        owed.attempts += 1
        owed.under_way = True
        run.begun = True

    def tried(self, run: Run, owed: Owed, outcome: str, result: Any, *, jitter: float) -> None:
        """A try has ended: ``done``, ``failed`` for good, or ``again``."""
        owed.under_way = False
        with self.moment():
            if outcome != "again":
                self.settle(run, owed, outcome, result)
                return
            limit = 1 if self.in_the_way(run) else owed.limit
            if limit is not None and owed.attempts >= limit:
                self.settle(run, owed, "failed", result)
                return
            retry = {"delay": "1s", "max_delay": "60s", **owed.step.get("retry", {})}
            doubled = seconds(retry["delay"]) * 2 ** (owed.attempts - 1)
            wait_s = min(doubled, seconds(retry["max_delay"])) * (0.5 + 0.5 * jitter)
            spent = max(0.0, passed(owed.due, self.now))
            if owed.expires_s is not None and spent + wait_s >= owed.expires_s:
                self.settle(run, owed, "expired", result)
            else:
                owed.again = later(self.now, wait_s)

    def expire(self, run: Run, owed: Owed) -> None:
        with self.moment():
            self.settle(run, owed, "expired", {})

    def crash(self) -> None:
        """The daemon is killed and started again, *now*.

        What is under way then is tried again.  Nobody knows by then whether what is owed was
        begun: a siren may be on.
        """
        for run in self.runs:
            for rest in run.rests:
                if isinstance(rest, Wait) and rest.until is not None:
                    settling_s = SETTLING_S if rest.kind in ("for", "wait_for") else 0.0
                    left_s = max(settling_s, self.left_s(rest.since, rest.until))
                    rest.wakes = later(self.now, left_s)
                elif isinstance(rest, Owed) and not rest.state:
                    run.begun = True
                    rest.under_way = False
                    rest.again = later(self.now, self.left_s(rest.due, rest.again))

    def left_s(self, since: At, until: At) -> float:
        """For how long it is to be waited yet, after a boot at most as long as in all."""
        left_s = max(0.0, passed(self.now, until))
        return (
            left_s if until.boot == self.now.boot else min(left_s, max(0.0, passed(since, until)))
        )

    def reload(self, rules: Sequence[Rule]) -> None:
        self.rules = list(rules)
        for run in self.runs:
            if run.stage == "for" and run.rule not in self.rules:
                self.end(run, "dropped")

    def fired(self) -> list[str]:
        """The rules that the last report fired, also where there was no room for a run."""
        last = self.reports[-1]
        return [run.rule["id"] for run in self.runs if run.report is last and run.fired]

    def stops(self) -> list[tuple[float, tuple[int, str], str, str]]:
        """The seconds until something is due by itself; whose, which, and what that is."""
        return sorted(
            (left, run.name, which, what)
            for run in self.runs
            for rest in run.rests
            for left, which, what in self.stops_of(run, rest)
        )

    def stops_of(self, run: Run, rest: Wait | Owed) -> Iterator[tuple[float, str, str]]:
        if isinstance(rest, Wait):
            if rest.until is not None:
                yield passed(self.now, rest.wakes or rest.until), "", rest.kind
        elif not rest.state and not rest.under_way:
            says = self.says(run, rest)
            if rest.expires_s is not None:
                yield rest.expires_s - passed(rest.due, self.now), says, "expires"
            if passed(self.now, rest.again) > 0:
                yield passed(self.now, rest.again), says, "again"

    # --- from a report to a run --------------------------------------------------------------

    def look_at(self, rule: Rule, report: Report) -> None:
        triggers = enumerate(listed(rule["triggers"]), 1)
        fitting = ((place, one) for place, one in triggers if fits(tests_of(one), report.fields))
        place, trigger = next(fitting, (0, None))
        if trigger is None:
            return
        names = {**report.fields, "call": report.call}
        key = tuple(names.get(name) or None for name in listed(rule.get("per")))
        trigger_id = trigger.get("id", str(place))
        if "count" in trigger and not self.is_the_nth(rule, trigger, trigger_id, key, report):
            return
        run = Run(rule, trigger, trigger_id, report, key, self.now)
        run.heard = report.number
        if "for" not in trigger:
            run.fired = True
            self.fire(run)
        elif not self.is_waited_for(rule, report):
            run.stage = "for"
            run.rests = [Wait("for", self.now, later(self.now, seconds(trigger["for"])))]
        if run.stage:
            self.runs.append(run)

    def is_the_nth(
        self, rule: Rule, trigger: Any, trigger_id: str, key: tuple[Any, ...], report: Report
    ) -> bool:
        """Whether a ``count`` fires; a call that reports again within the time is no new one."""
        count = trigger["count"]
        what = rule["id"], trigger_id, key
        within = seconds(count["within"])
        before = [
            *takewhile(
                lambda match: not self.over(match.at, within),
                (match for match in reversed(self.counted) if match.what == what),
            )
        ]
        # What was too old once stays so, whatever the clocks say later.
        self.counted = [m for m in self.counted if m.what != what or m in before]
        of_calls = count.get("of", "calls") == "calls"
        again = of_calls and report.call and report.call in [match.call for match in before]
        anew = [*takewhile(lambda match: not match.fires, before)]
        number = sum(match.counts for match in anew) + (not again)
        fires = not again and number >= count["at_least"]
        self.counted.append(Counted(what, self.now, report.call, not again, fires))
        return fires

    def is_waited_for(self, rule: Rule, report: Report) -> bool:
        """Whether a ``for`` of this rule waits for this call, or fired and the call goes on."""
        return report.subject is not None and any(
            run.rule["id"] == rule["id"]
            and "for" in run.trigger
            and run.report.subject == report.subject
            and (run.stage == "for" or run.fired)
            and not self.over(run.report.at, seconds(run.trigger["for"]) + DAY_S, ahead=False)
            and not any(self.ends(run, end) for end in self.reports[run.report.number :])
            for run in self.runs
        )

    def ends(self, run: Run, report: Report) -> bool:
        """Whether a report ends what a run's ``for`` waits for."""
        began = run.report
        if not self.surely_same(began, report):
            return False
        told = listed(run.trigger.get("until"))
        if report.kind not in (told or UNTIL.get(began.kind, ())):
            return False
        if report.kind == began.kind == "extension_status":
            return report.fields.get("status") != began.fields.get("status")
        if report.kind == "call_failed" and not told:
            return report.fields.get("call_id") == began.fields.get("call_id")
        return True

    def surely_same(self, one: Report, other: Report) -> bool:
        """Whether two reports are without a doubt of the same call, or of the same extension."""
        if one.subject is None or one.subject != other.subject:
            return False
        return (self.is_sure(one, then=other) and other.sure) or (
            "call_id" in one.fields and one.fields["call_id"] == other.fields["call_id"]
        )

    def is_sure(self, report: Report, *, then: Report | None = None) -> bool:
        """Whether *then* (now) a report with this id had surely been of this call."""
        own = report.call, report.fields.get("call_id")
        before = self.reports if then is None else self.reports[: then.number]
        return any((r.call, r.fields.get("call_id")) == own and r.sure for r in before)

    def stayed_so(self, run: Run) -> None:
        """A ``for`` has lasted its time: it fires, unless that was too long ago."""
        until, late_s = run.rests[0].until, self.first_expires_s(run)  # type: ignore[union-attr]
        assert until is not None
        if late_s is not None and max(0.0, passed(until, self.now)) >= late_s:
            self.end(run, "dropped")
            return
        run.fired = True
        run.matched = self.now
        run.stage, run.rests = "", []
        self.fire(run)
        if not run.stage:
            self.end(run, "dropped")

    def fire(self, run: Run) -> None:
        """Conditions, ``once_per``, ``cooldown``, ``mode``; then it starts or waits for that."""
        rule = run.rule
        run.sees = self.state
        names = self.names(run)
        if not self.holds(rule.get("conditions"), run.report.fields, names):
            return
        if "once_per" in rule and run.report.call and self.has_run_for(run):
            return
        if "cooldown" in rule and self.is_cooling(run):
            return
        mode, lane = rule.get("mode", "parallel"), self.lane(run)
        if mode == "single" and lane:
            return
        if mode != "restart" and len(lane) >= rule.get("max", 10_000):
            self.end(run, "dropped")
            return
        if mode == "restart":
            self.restart(lane)
            lane = self.lane(run)
        self.took_place.append(run)
        if lane and mode in ("restart", "queued"):
            late_s = self.first_expires_s(run)
            until = None if late_s is None else later(run.matched, late_s)
            run.stage, run.rests = "lane", [Wait("lane", run.matched, until)]
        else:
            self.start(run)

    def has_run_for(self, run: Run) -> bool:
        same = [
            other
            for other in self.took_place
            if other.rule["id"] == run.rule["id"]
            and other.report.call == run.report.call
            and "once_per" in other.rule
        ]
        return (
            bool(same) and spends(same[-1]) and not self.over(same[-1].matched, DAY_S, ahead=False)
        )

    def is_cooling(self, run: Run) -> bool:
        same = [
            other
            for other in self.took_place
            if other.rule["id"] == run.rule["id"]
            and other.key == run.key
            and "cooldown" in other.rule
        ]
        if not same or not spends(same[-1]):
            return False
        return not self.over(same[-1].matched, seconds(same[-1].rule["cooldown"]))

    def first_expires_s(self, run: Run) -> float | None:
        """For how long after its match the first action, or else the run, may begin."""
        first = run.rule["actions"][0]
        own = first.get("expires") if any(verb in first for verb in TRIES) else None
        text = own or run.rule.get("expires", "60s")
        return None if text == "never" else seconds(text)

    # --- lanes -------------------------------------------------------------------------------

    def lane(self, run: Run) -> list[Run]:
        """What is on in its lane or waits there."""
        return [
            other
            for other in self.took_place
            if other.open and other.rule["id"] == run.rule["id"] and other.key == run.key
        ]

    def restart(self, lane: list[Run]) -> None:
        """A newer match wants the place of all these."""
        for run in lane:
            if run.stage == "lane":
                self.end(run, "dropped")
            elif not run.outcome:
                owed = run.rests[0]
                if isinstance(owed, Owed) and not owed.beside:
                    run.settled.append((owed.verb, "dropped", owed.attempts))
                self.go(run, end=EndedError("restarted"))
            else:
                (owed,) = run.rests
                assert isinstance(owed, Owed)
                if owed.attempts and not owed.under_way:  # it had its one try
                    self.settle(run, owed, "failed", {})

    def in_the_way(self, run: Run) -> bool:
        """Whether a run's ``finally`` keeps a newer match from its start."""
        waits = any(other.stage == "lane" for other in self.lane(run))
        return bool(run.outcome) and run.rule.get("mode") == "restart" and waits

    def start(self, run: Run) -> None:
        run.stage, run.started = "on", True
        run.due = run.matched
        run.life = self.life(run)
        if run.rule.get("mode", "parallel") != "parallel":
            run.leaves = dict(self._left.get((run.rule["id"], run.key), {}))
        self.go(run)

    def end(self, run: Run, fate: str) -> None:
        run.stage, run.fate, run.rests = "over", fate, []
        lane = self.lane(run)
        if run.started and lane and all(other.stage == "lane" for other in lane):
            if any(passed(lane[0].matched, other.matched) < 0 for other in lane):
                raise UnclearError  # which of them was first, after a boot
            self.start(lane[0])

    # --- a run on its way --------------------------------------------------------------------

    def hear(self, run: Run, report: Report) -> None:
        """Let a run know of a report."""
        if run.stage == "for":
            if self.ends(run, report):
                self.end(run, "dropped")
            return
        match run.rests:
            case [Wait(kind="wait_for", step=step)] if self.wants(run, step, report):
                self.go(run, answer=report)

    def go(
        self,
        run: Run,
        *,
        answer: Any = None,
        end: EndedError | None = None,
    ) -> None:
        """Let a run go on until it waits again, or is over."""
        run.steps = 0
        run.sees = {**self.state, **run.leaves}
        try:
            run.rests = run.life.send(answer) if end is None else run.life.throw(end)
        except StopIteration:
            self._left[run.rule["id"], run.key] = run.leaves
            self.end(run, run.outcome)

    def life(self, run: Run) -> Life:
        outcome = "done"
        try:
            yield from self.steps(run, run.rule["actions"])
        except EndedError as ended:
            outcome = ended.outcome
        run.outcome = outcome
        if run.begun and "finally" in run.rule:
            run.due, run.steps = self.now, 0
            with suppress(EndedError):
                yield from self.steps(run, run.rule["finally"])

    def steps(self, run: Run, steps: Sequence[Mapping[str, Any]]) -> Life:
        for step in steps:
            run.steps += 1
            if run.steps > MOST_STEPS:
                run.settled.append(("repeat", "failed", 0))
                raise EndedError("failed")
            yield from self.step(run, step)

    def step(self, run: Run, step: Mapping[str, Any]) -> Life:
        match step:
            case {"delay": span}:
                yield [Wait("delay", self.now, later(self.now, seconds(span)))]
                run.due, run.steps = self.now, 0
            case {"wait_for": _}:
                yield from self.wait(run, step)
            case {"if": condition}:
                way = "then" if self.agrees(run, condition) else "else"
                yield from self.steps(run, step.get(way, ()))
            case {"choose": branches}:
                ways = (way["do"] for way in branches if self.agrees(run, way["when"]))
                yield from self.steps(run, next(ways, step.get("default", ())))
            case {"repeat": how}:
                yield from self.repeat(run, how)
            case {"stop": _}:
                run.settled.append(("stop", "done", 0))
                raise EndedError("stopped")
            case {"set": values}:
                self.set(run, values)
            case {"parallel": actions}:
                owed = [self.owed(run, action, beside=True) for action in actions]
                yield from self.act(run, owed, go_on=step.get("continue_on_error", False))
            case _:
                yield from self.act(run, [self.owed(run, step)])

    def wait(self, run: Run, step: Mapping[str, Any]) -> Life:
        waits = [*all_waits([run.rule["actions"]])]
        wanted = [r for r in self.reports if any(self.wants(run, wait, r) for wait in waits)]
        came = (r for r in wanted[-MOST_HEARD:] if self.wants(run, step, r))
        report = next(came, None)
        if report is None:
            report = yield [
                Wait(
                    "wait_for", self.now, later(self.now, seconds(step.get("timeout", "1h"))), step
                )
            ]
            run.steps = 0
        run.due = self.now
        result: dict[str, Any] = {"timed_out": report is None}
        if report is not None:
            run.heard = report.number
            result |= report.fields
        if "register" in step:
            run.results[step["register"]] = result
        if report is None and step.get("else") == "stop":
            raise EndedError("stopped")

    def wants(self, run: Run, step: Mapping[str, Any], report: Report) -> bool:
        """Whether a report satisfies a ``wait_for``."""
        if report.number <= run.heard or not fits(step["wait_for"], report.fields):
            return False
        same = step.get("same", "call")
        if same == "call":
            return self.surely_same(run.report, report)
        return same == "none" or all(
            report.fields.get(name) == run.report.fields.get(name) for name in listed(same)
        )

    def repeat(self, run: Run, how: Mapping[str, Any]) -> Life:
        rounds = 0
        while rounds < how.get("count", rounds + 1):
            if "while" in how and not self.agrees(run, how["while"]):
                return
            yield from self.steps(run, how["do"])
            rounds += 1
            if "until" in how and self.agrees(run, how["until"]):
                return

    def set(self, run: Run, values: Mapping[str, Any]) -> None:
        run.begun = True
        names = self.names(run)
        found = {name: evaluated(value, names) for name, value in values.items()}
        run.due = self.now
        if any(type(value) is not type(self.state[name]) for name, value in found.items()):
            run.settled.append(("set", "failed", 0))
            if not run.outcome:
                raise EndedError("failed")
            return
        run.sees.update(found)
        run.leaves.update(found)
        self._set.update(found)

    def act(self, run: Run, owed: list[Owed], *, go_on: bool = False) -> Life:
        """Owe one action, or several side by side, until all are settled.

        Of these none sees what another registers.
        """
        try:
            yield owed
        finally:
            for one in sorted(owed, key=lambda one: one.place):
                if one.state and "register" in one.step:
                    run.results[one.step["register"]] = one.result
        run.due, run.steps = self.now, 0
        bad = [
            one.state
            for one in owed
            if one.state != "done" and not one.step.get("continue_on_error")
        ]
        if bad and not go_on and not run.outcome:
            raise EndedError("expired" if "expired" in bad else "failed")

    def owed(self, run: Run, step: Mapping[str, Any], *, beside: bool = False) -> Owed:
        verb = next(verb for verb in TRIES if verb in step)
        usual, last = (run.rule.get("expires", "60s"), TRIES[verb])
        if run.outcome:  # finally: it is tried for an hour
            usual, last = "1h", None
        text = step.get("expires", usual)
        if run.outcome and text == "never":
            text = "1h"
        return Owed(
            step=step,
            due=run.due,
            again=self.now,
            expires_s=None if text == "never" else seconds(text),
            limit=step.get("retry", {}).get("attempts", last),
            beside=beside,
        )

    def settle(self, run: Run, owed: Owed, state: str, result: Any) -> None:
        owed.state = state
        owed.result, owed.place = result, len(run.settled)
        run.settled.append((owed.verb, state, owed.attempts))
        if all(isinstance(rest, Owed) and rest.state for rest in run.rests):
            self.go(run)

    # --- templates and conditions ------------------------------------------------------------

    def names(self, run: Run) -> dict[str, Any]:
        return {
            **run.report.fields,
            **run.results,
            "state": run.sees,
            "outcome": run.outcome,
            "trigger": {"id": run.trigger_id},
            "call": self.of_call(run.report),
        }

    def of_call(self, report: Report) -> dict[str, Any]:
        if report.kind == "extension_status" or not report.call:
            return {"id": None, "sure": False, "answered": False}
        answered = any(r.call == report.call and r.kind == "answer" for r in self.reports)
        return {"id": report.call, "sure": self.is_sure(report), "answered": answered}

    def agrees(self, run: Run, conditions: Any) -> bool:
        return self.holds(conditions, run.report.fields, self.names(run))

    def holds(self, conditions: Any, fields: Mapping[str, str], names: Mapping[str, Any]) -> bool:
        for condition in listed(conditions):
            if isinstance(condition, str):
                if evaluated(condition, names) is not True:
                    return False
                continue
            tests = {name: wanted for name, wanted in condition.items() if name != "state"}
            state = {name: str(value) for name, value in names["state"].items()}
            if not fits(tests, fields) or not fits(condition.get("state", {}), state):
                return False
        return True

    def says(self, run: Run, owed: Owed) -> str:
        """What an action that is owed would tell now."""
        match owed.step:
            case {"mqtt": {"payload": text}} | {"shell": [_, text]} | {"log": text}:
                pass
        return template(text).render({**self.names(run), "state": self.state})


def spends(run: Run) -> bool:
    """Whether a run spends ``once_per`` and ``cooldown``: not if it ended before it began."""
    return run.started or run.open


def all_waits(value: Any) -> Iterator[Mapping[str, Any]]:
    """Each ``wait_for`` inside a step, at whatever depth."""
    for inner in value.values() if isinstance(value, Mapping) else value:
        if isinstance(inner, Mapping) and "wait_for" in inner:
            yield inner
        if isinstance(inner, Mapping | list):
            yield from all_waits(inner)


def tests_of(trigger: Mapping[str, Any]) -> dict[str, Any]:
    return {k: v for k, v in trigger.items() if k not in ("for", "until", "count", "id")}


def fits(tests: Mapping[str, Any], fields: Mapping[str, str]) -> bool:
    return all(fields.get(name) in listed(wanted) for name, wanted in tests.items())


def as_text(value: Any) -> Any:
    if value is None:
        return ""
    return str(value).lower() if isinstance(value, bool) else value


ENVIRONMENT = jinja2.Environment(  # noqa: S701 - it makes no page
    finalize=as_text, undefined=jinja2.ChainableUndefined
)


@lru_cache(maxsize=10_000)
def template(text: str) -> jinja2.Template:
    return ENVIRONMENT.from_string(text)


@lru_cache(maxsize=10_000)
def expression(text: str) -> Any:
    return ENVIRONMENT.compile_expression(text)


def evaluated(value: Any, names: Mapping[str, Any]) -> Any:
    """A value; of a single template its value."""
    if isinstance(value, str) and value.startswith("{{"):
        return expression(value.removeprefix("{{").removesuffix("}}").strip())(**names)
    return value
