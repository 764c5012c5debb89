"""The frozen types that travel from a report to what is done about it."""

# Over 300 lines: what each module hands to the next is read in one place.

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, tzinfo
from types import MappingProxyType
from typing import Any, Literal, Protocol

from pbxrules.errors import Location
from pbxrules.records import record

NOTHING: Mapping[str, Any] = MappingProxyType({})
"""No names, shared by all that have none."""

RUNS_PER_EVENT = 1_000_000
"""A run's id is its event's id times this, plus its place from 1: no index is needed."""

FieldValue = str | int | float | tuple[str, ...]
"""Text, a number (durations, in seconds) or a list of texts; an absent field has no key."""


@record(kw_only=False)
class Moment:
    """One reading of the clock, good for spans over clock steps and reboots.

    A Pi has no clock of its own: NTP sets it minutes after the start, by years.  So
    within a boot only the uptime counts; the wall clock is asked only across boots.
    """

    boot: str
    """The kernel's id of this boot."""
    uptime_s: float
    """CLOCK_BOOTTIME."""
    wall_s: float
    """Seconds since 1970 UTC, as the machine believes."""

    def since(self, earlier: "Moment") -> float:
        """Seconds from *earlier* to this moment; never negative."""
        if self.boot == earlier.boot:
            return max(0.0, self.uptime_s - earlier.uptime_s)
        return max(0.0, self.wall_s - earlier.wall_s)

    def reached(self, due: "Moment") -> bool:
        """Whether this moment is *due* or later."""
        if self.boot == due.boot:
            return self.uptime_s >= due.uptime_s
        return self.wall_s >= due.wall_s

    def within(self, seconds: float, earlier: "Moment") -> bool:
        """Whether *earlier* was less than *seconds* ago.

        Not if a wall clock that was set back, over a boot, has it yet to come.
        """
        if self.boot == earlier.boot:
            return self.uptime_s - earlier.uptime_s < seconds
        return 0.0 <= self.wall_s - earlier.wall_s < seconds

    def after(self, seconds: float) -> "Moment":
        """The moment *seconds* later, in the same boot."""
        return Moment(self.boot, self.uptime_s + seconds, self.wall_s + seconds)


@record(kw_only=False)
class Event:
    """What one report tells, in the words of ``docs/events.md``, whatever the PBX called it."""

    fields: Mapping[str, FieldValue]
    """Every field but ``payload``; ``event``, ``action`` and ``received_at`` are always there."""
    payload: Mapping[str, Any]
    """The report as sent."""

    @property
    def kind(self) -> str:
        """``ring``, ``alert``, … or ``other``."""
        return str(self.fields["event"])


Kind = Literal["equals", "begins", "ends", "contains", "matches"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Key:
    """What a text is like that passes a test: what an index files the test under.

    A field that passes is, or has as an element, such a text.
    """

    kind: Kind
    """How the text is to stand to one of *texts*."""
    texts: frozenset[str]
    """Patterns of RE2 for the whole text, where *kind* is ``matches``.  Empty: none passes."""
    folded: bool = False
    """*texts* are case-folded, and the field's text is to be so, too."""
    exact: bool = False
    """Every field with such a text passes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FieldTest:
    """One test of one field of an event."""

    field: str
    wanted: str
    """The test in words a person reads: ``101``, ``one of 100, 101``, ``prefix +49``."""
    holds: Callable[[FieldValue | None], bool]
    key: Key | None = None
    """None: an absent field may pass, or nothing is known of what passes."""

    @property
    def equals(self) -> frozenset[str]:
        """Where not empty: the test holds only if the field is, or has, one of these texts."""
        exact = self.key is not None and self.key.kind == "equals" and not self.key.folded
        return self.key.texts if exact and self.key else frozenset()


@dataclass(frozen=True, slots=True, kw_only=True)
class Trigger:
    """A set of field tests, all of which must hold."""

    id: str
    """As written, else its place from 1."""
    tests: tuple[FieldTest, ...]
    for_s: float | None = None
    """Fires only if it is still so after this time."""
    until: tuple[str, ...] = ()
    """The events that end what ``for`` waits for; empty: those of ``engine.UNTIL``."""
    count: "Count | None" = None
    """Fires with the n-th match only."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Count:
    """So many matches inside a sliding window."""

    at_least: int
    within_s: float
    of: str = "calls"
    """``calls``: reports of one call count once; ``reports``: each counts."""


@record(kw_only=False)
class Facts:
    """What conditions see, at the moment of firing."""

    event: Event
    wall_s: float
    """That moment, in seconds since 1970 UTC."""
    trigger: str
    """The id of the trigger that fits."""
    names: Mapping[str, Any] = field(default_factory=lambda: NOTHING)
    """What else templates may name: ``call``, ``state``, ``outcome``, registered results."""


@record(kw_only=False)
class Miss:
    """What a test wanted and did not find; small, for it is stored."""

    subject: str
    """A field, ``time``, ``trigger``, a template; a whole sentence where nothing else is said."""
    wanted: str | None = None
    found: str | None = None
    """None: the field's value, which the event tells."""


class Condition(Protocol):
    """What else must hold at the moment of firing."""

    __slots__ = ()

    @property
    def says(self) -> str:
        """The condition in words: ``and``, ``or``, ``not``, ``caller in family``."""

    @property
    def parts(self) -> tuple["Condition", ...]:
        """The conditions that it is made of."""

    def misses(self, facts: Facts, *, wanted: bool) -> tuple[Miss, ...]:
        """Why it is not as *wanted*, true or false; empty if it is.

        Of several misses any one would do.  What can't be worked out is neither true nor
        false, and misses both.
        """

    def holds(self, facts: Facts) -> bool:
        """Whether it holds; False also where that can't be worked out."""
        return not self.misses(facts, wanted=True)


@dataclass(frozen=True, slots=True, kw_only=True)
class Retry:
    """How often and how fast a failed action is tried again."""

    attempts: int | None
    """None: until the action expires."""
    delay_s: float
    max_delay_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One action of a rule, checked and compiled."""

    verb: str
    args: Any
    """A tree of templates that the verb's module understands."""
    timeout_s: float
    retry: Retry
    expires_s: float | None
    """None: never."""
    continue_on_error: bool
    uses_secret: bool
    """A template of its arguments names a secret."""
    register: str = ""
    """The name of its result in later templates."""
    vars: Mapping[str, Any] | None = None
    """Those of the script that it comes from; None: the program's."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Delay:
    """Nothing is done for a time."""

    seconds: float


@dataclass(frozen=True, slots=True, kw_only=True)
class WaitFor:
    """Nothing is done until an event comes."""

    tests: tuple[FieldTest, ...]
    timeout_s: float
    stops: bool
    """Without its event the run ends there (``else: stop``)."""
    same: tuple[str, ...]
    """``("call",)``: only reports of the run's call (of its extension, where it has no call);
    fields: only events of which they are the same; ``()``: any event.
    """
    register: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class If:
    """One way or the other; a path is ``""`` where there is nothing to do."""

    condition: Condition
    then: str
    otherwise: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Choose:
    """The first branch whose condition holds."""

    branches: tuple[tuple[Condition, str], ...]
    default: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Repeat:
    """A list of steps, again and again."""

    body: str
    count: int | None = None
    before: Condition | None = None
    """``while``: looked at before each round."""
    after: Condition | None = None
    """``until``: looked at after each round."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Parallel:
    """Actions side by side; joined when all have settled."""

    branches: tuple[str, ...]
    continue_on_error: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Stop:
    """The run ends here."""

    why: Any
    """A template."""
    vars: Mapping[str, Any] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Set:
    """Values of the rule set's state."""

    values: Mapping[str, Any]
    """A template for each name."""
    vars: Mapping[str, Any] | None = None


Deed = Step | Delay | WaitFor | If | Choose | Repeat | Parallel | Stop | Set


@dataclass(frozen=True, slots=True, kw_only=True)
class Node:
    """One step of a program, and where it stands."""

    path: str
    """``actions/2/then/0``, ``finally/0``: as in the rule's JSON."""
    deed: Deed
    after: str
    """The path of the step behind it in its list; ``""`` for the last."""
    owner: str
    """The path of the step whose list it stands in; ``""`` in ``actions`` and ``finally``."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Program:
    """What a rule does: a value that a run keeps, so that a reload never changes it."""

    rule: str
    nodes: Mapping[str, Node]
    """By path; the first is ``actions/0``."""
    vars: Mapping[str, Any]
    text: str
    """The rule's own JSON: what ``programs.program`` makes this value from again.

    As text, for it is only ever written: as maps it would be a quarter of all that a rule takes.
    """
    digest: str
    """Of *text*: the name under which a run finds its program again."""
    expires_s: float | None
    """How long after it was due a step is too late that says nothing else; None: never."""
    zone: tzinfo = UTC
    """That of ``now`` in its templates."""
    mode: str = "parallel"
    """As ``Rule.mode``."""
    waits: tuple[tuple[str, ...], ...] = ()
    """The ``same`` of each of its ``wait_for``."""
    about_calls: bool = False
    """A template or a condition of it names ``call``."""
    state: Mapping[str, "StateDecl"] = field(default_factory=lambda: NOTHING)
    """Those that its steps name."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StateDecl:
    """One name of the rule set's state."""

    first: Any
    """Its value before anything was set, whose type it keeps."""
    topic: str | None = None
    """Bound to the retained message of this topic, and read-only."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """When what is done."""

    id: str
    where: Location
    triggers: tuple[Trigger, ...]
    condition: Condition | None = None
    """None: it fires whenever a trigger fits."""
    program: Program
    digest: str = ""
    """Of all that its file says of it: it tells whether a reload changed the rule."""
    per: tuple[str, ...] = ()
    """The fields (or ``call``) whose values keep counts, cooldowns and lanes apart."""
    once_per_call: bool = False
    cooldown_s: float | None = None
    mode: str = "parallel"
    """``parallel``, ``single``, ``restart`` or ``queued``."""
    max_runs: int
    """Of one lane, waiting ones included."""
    about_calls: bool = False
    """Which reports belong to one call makes a difference to it."""


@record(kw_only=False)
class Verdict:
    """Whether a rule matched, and why not."""

    rule: str
    matched: bool
    because: tuple[tuple[Miss, ...], ...] = ()
    """What each trigger that was looked at missed first, or what the conditions missed.

    Of several in one entry any one would have done.
    """


@dataclass(frozen=True, slots=True, kw_only=True)
class Arrived:
    """An event that a run may want when it comes to a ``wait_for``."""

    id: int
    fields: Mapping[str, FieldValue]
    wanted: tuple[str, ...]
    """The paths of the ``wait_for`` that it satisfies."""


@record(kw_only=False)
class Tried:
    """What became of one action of a run."""

    position: str
    verb: str
    state: str
    """``done``, ``failed`` or ``expired``; ``dropped`` where the rule's queue was full."""
    reason: str
    attempts: int


@record()
class Run:
    """A rule's actions under way for one event: a value on disk."""

    id: int
    event_id: int
    rule: str
    program: str
    """The digest of its ``Program``."""
    trigger: str
    """The id of the trigger that fitted."""
    position: str
    """The step that is owed, such as ``actions/0``; ``""`` once the run has ended."""
    verb: str
    """The verb of that step."""
    due: Moment
    """From when the step's ``expires`` counts: the match, or the last step's end."""
    expires_s: float | None
    """How long after *due* the step is too late; None: never."""
    next_try: Moment
    """Not before this."""
    attempt: int
    """Tries begun of this step."""
    tried: tuple[Tried, ...]
    """The steps settled so far, in order; of many the last ``runs.KEPT``."""
    lane: str = ""
    """The values of the rule's ``per``, as JSON; ``""`` where it has none."""
    call: str = ""
    """The key of the call of its event; ``""`` where that has none."""
    begun: bool = False
    """An action was begun: its ``finally`` is owed."""
    outcome: str = ""
    """How its actions ended, once they have: ``done failed expired stopped restarted``."""
    results: Mapping[str, Any] = field(default_factory=lambda: NOTHING)
    """What its steps registered."""
    counters: Mapping[str, int] = field(default_factory=lambda: NOTHING)
    """The round that each ``repeat`` is in, by its path; from 1."""
    parent: int = 0
    """The run that waits for this branch of its ``parallel``; 0: it is no branch."""
    mark: int = 0
    """The last event that satisfied a ``wait_for``; later ones are news to the next."""
    inbox: tuple["Arrived", ...] = ()
    """Such events that came before it got there, and that one of its ``wait_for`` wants."""
    trouble: str = ""
    """Why the last try of the owed step failed, where another one is to follow."""
    given_up: str = ""
    """The step that was given up and ended it, or ``lane``: where it can be taken up again."""

    @property
    def ended(self) -> bool:
        """Whether nothing of it is owed any more."""
        return not self.position

    @staticmethod
    def resting(
        *,
        run_id: int,
        event_id: int,
        rule: str,
        program: str,
        trigger: str,
        position: str,
        verb: str,
        due: Moment,
        expires_s: float | None,
        next_try: Moment,
        lane: str,
        call: str,
        inbox: tuple["Arrived", ...],
        results: Mapping[str, Any],
    ) -> "Run":
        """One that was not tried yet: as ``Run(…)``, in a third of the time (see ``changed``)."""
        made = object.__new__(Run)
        new: Any = made
        new.id = run_id
        new.event_id = event_id
        new.rule = rule
        new.program = program
        new.trigger = trigger
        new.position = position
        new.verb = verb
        new.due = due
        new.expires_s = expires_s
        new.next_try = next_try
        new.attempt = 0
        new.tried = ()
        new.lane = lane
        new.call = call
        new.begun = False
        new.outcome = ""
        new.results = results
        new.counters = NOTHING
        new.parent = 0
        new.mark = 0
        new.inbox = inbox
        new.trouble = ""
        new.given_up = ""
        return made

    def changed(self, **values: Any) -> "Run":
        """This run with other values.

        Field by field, for a report costs three of these: ``dataclasses.replace`` takes ten
        times as long, and any loop five times.
        """
        made = object.__new__(Run)
        other: Any = made  # else mypy would have none of this
        other.id = self.id
        other.event_id = self.event_id
        other.rule = self.rule
        other.program = self.program
        other.trigger = self.trigger
        other.position = self.position
        other.verb = self.verb
        other.due = self.due
        other.expires_s = self.expires_s
        other.next_try = self.next_try
        other.attempt = self.attempt
        other.tried = self.tried
        other.lane = self.lane
        other.call = self.call
        other.begun = self.begun
        other.outcome = self.outcome
        other.results = self.results
        other.counters = self.counters
        other.parent = self.parent
        other.mark = self.mark
        other.inbox = self.inbox
        other.trouble = self.trouble
        other.given_up = self.given_up
        for name, value in values.items():
            setattr(other, name, value)
        return made


@record(kw_only=False)
class Delivery:
    """One action with its templates filled in, ready to be tried."""

    id: str
    """The same on every try."""
    verb: str
    args: Mapping[str, Any]
    event: Event
    attempt: int
    timeout_s: float
    left_s: float | None
    """What is left of ``expires``; None: never expires."""
    uses_secret: bool = False
    """Nothing of what a command prints or a target answers may be kept: it may repeat one."""


@record()
class Done:
    """The action did what it should."""

    detail: str = ""
    result: Mapping[str, Any] = field(default_factory=lambda: NOTHING)
    """What ``register`` keeps: of a command ``exit_code stdout stderr timed_out``, …"""


@record()
class TryAgain:
    """The action failed; another try may help."""

    reason: str
    at_once: bool = False
    """No back-off: it was not the target's word, such as a connection that was lost."""
    result: Mapping[str, Any] = field(default_factory=lambda: NOTHING)


@record()
class GiveUp:
    """The action failed and no further try can help."""

    reason: str
    result: Mapping[str, Any] = field(default_factory=lambda: NOTHING)


Outcome = Done | TryAgain | GiveUp

KeptKey = tuple[str, str, str]
"""What a remembered value is found by: kind, rule (``""``: of none), name."""


@record(kw_only=False)
class Kept:
    """One value that outlives the event that made it: a row on disk."""

    kind: str
    """``state``, ``cooldown``, ``once``, ``count``, ``held`` or ``call``."""
    rule: str
    name: str
    value: Any
    """What JSON has."""
    until: Moment | None
    """It may be forgotten after this; None: never."""

    @property
    def key(self) -> KeptKey:
        """What it is found by."""
        return self.kind, self.rule, self.name


@record(kw_only=False)
class Changes:
    """What becomes of runs and memory: values to be written, and then to be applied."""

    runs: tuple[Run, ...] = ()
    """New ones, and those that went on or ended."""
    kept: tuple[Kept, ...] = ()
    forgotten: tuple[KeptKey, ...] = ()


@record(kw_only=False)
class Decision:
    """What an event starts and changes; nothing of it has happened yet."""

    verdicts: tuple[Verdict, ...]
    """Of the candidates only, in the rules' order."""
    fired: tuple[Rule, ...]
    """The rules of which a run begins, or takes its place in a lane, in the rules' order."""
    changes: Changes
