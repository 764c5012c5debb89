"""The frozen types that travel from a report to what is done about it."""

# Over 300 lines: what each module hands to the next is read in one place.

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, tzinfo
from typing import Any, Literal, Protocol

from pbxrules.errors import Location

FieldValue = str | int | float | tuple[str, ...]
"""Text, a number (durations, in seconds) or a list of texts; an absent field has no key."""


@dataclass(frozen=True, slots=True, kw_only=True)
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

    def after(self, seconds: float) -> "Moment":
        """The moment *seconds* later, in the same boot."""
        return Moment(
            boot=self.boot,
            uptime_s=self.uptime_s + seconds,
            wall_s=self.wall_s + seconds,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
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


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """What conditions see, at the moment of firing."""

    event: Event
    wall_s: float
    """That moment, in seconds since 1970 UTC."""
    trigger: str
    """The id of the trigger that fits."""


@dataclass(frozen=True, slots=True)
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


@dataclass(frozen=True, slots=True, kw_only=True)
class Program:
    """What a rule does: a value that a run keeps, so that a reload never changes it."""

    rule: str
    steps: tuple[Step, ...]
    vars: Mapping[str, Any]
    source: Mapping[str, Any]
    """The rule's own JSON: what ``programs.program`` makes this value from again."""
    zone: tzinfo = UTC
    """That of ``now`` in its templates."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """When what is done."""

    id: str
    where: Location
    triggers: tuple[Trigger, ...]
    condition: Condition | None = None
    """None: it fires whenever a trigger fits."""
    program: Program
    max_runs: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """Whether a rule matched, and why not."""

    rule: str
    matched: bool
    because: tuple[tuple[Miss, ...], ...] = ()
    """What each trigger that was looked at missed first, or what the conditions missed.

    Of several in one entry any one would have done.
    """


@dataclass(frozen=True, slots=True, kw_only=True)
class Start:
    """A rule that fires."""

    rule: Rule
    trigger: str
    """The id of the first of its triggers that fits."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """What an event starts; nothing of it has happened yet."""

    verdicts: tuple[Verdict, ...]
    """Of the candidates only, in the rules' order."""
    starts: tuple[Start, ...]
    """The rules whose runs begin, in the rules' order."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Tried:
    """What became of one action of a run."""

    position: str
    verb: str
    state: str
    """``done``, ``failed`` or ``expired``; ``dropped`` where the rule's queue was full."""
    reason: str
    attempts: int


@dataclass(frozen=True, slots=True, kw_only=True)
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
    """The steps settled so far, in order."""

    @property
    def ended(self) -> bool:
        """Whether nothing of it is owed any more."""
        return not self.position


@dataclass(frozen=True, slots=True, kw_only=True)
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


@dataclass(frozen=True, slots=True, kw_only=True)
class Done:
    """The action did what it should."""

    detail: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class TryAgain:
    """The action failed; another try may help."""

    reason: str
    at_once: bool = False
    """No back-off: it was not the target's word, such as a connection that was lost."""


@dataclass(frozen=True, slots=True, kw_only=True)
class GiveUp:
    """The action failed and no further try can help."""

    reason: str


Outcome = Done | TryAgain | GiveUp
