"""The frozen types of tests: what happens in a case, and what is expected of it."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from pbxrules.errors import Location
from pbxrules.hints import example
from pbxrules.language import duration_text
from pbxrules.model import NOTHING, Event

EXACT_S = 0.05
"""How near to its ``at`` something has to be."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """An event comes in."""

    at_s: float
    """Seconds after the start, as all times of a case."""
    event: Event


@dataclass(frozen=True, slots=True, kw_only=True)
class Broker:
    """The broker goes, or is back."""

    at_s: float
    up: bool


Happening = Report | Broker


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What a target answers to some tries of one verb."""

    rule: str = ""
    """Of this rule only."""
    when: Mapping[str, Any] = field(default_factory=lambda: NOTHING)
    """Only where the action has these arguments at least."""
    times: int | None = None
    """Only so often; None: always."""
    fails: str = ""
    """The try fails, for this reason."""
    fails_for_good: str = ""
    """No further try is worth it, for this reason."""
    result: Mapping[str, Any] = field(default_factory=lambda: NOTHING)
    """Members of what ``register`` keeps."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Expected:
    """Something that is to come, or not to come: all that it says has to be so."""

    where: Location
    at_s: float | None = None
    after_s: float | None = None
    before_s: float | None = None
    times: int | None = None
    """None: at least once."""
    rule: str = ""
    verb: str = ""
    """Without one, that a run of the rule starts."""
    args: Mapping[str, Any] = field(default_factory=lambda: NOTHING)
    state: Mapping[str, Any] | None = None
    """These names have these values; then it is about nothing else."""

    @property
    def is_state(self) -> bool:
        """Whether it is about the state, and no action or run."""
        return self.state is not None

    @property
    def says(self) -> str:
        """It, as a person reads it."""
        parts = [self._what(), self._when()]
        if self.times is not None:
            parts.append("once" if self.times == 1 else f"{self.times} times")
        return " ".join(part for part in parts if part)

    def _what(self) -> str:
        if self.state is not None:
            return f"state {example(self.state)}"
        if not self.verb:
            return f"rule {self.rule} starts"
        of_rule = f" of {self.rule}" if self.rule else ""
        return f"{self.verb} {example(self.args)}{of_rule}"

    def _when(self) -> str:
        told = {"at": self.at_s, "after": self.after_s, "before": self.before_s}
        return " ".join(
            f"{word} {duration_text(moment)}" for word, moment in told.items() if moment is not None
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """One test with one combination of its ``cases``."""

    test: str
    """The test's name."""
    given: Mapping[str, Any]
    """The values of its ``cases``."""
    where: Location
    began_s: float
    """Its start, in seconds since 1970 UTC."""
    state: Mapping[str, Any]
    answers: Mapping[str, tuple[Answer, ...]]
    """By verb."""
    happens: tuple[Happening, ...]
    """In order of time."""
    expected: tuple[Expected, ...]
    unexpected: tuple[Expected, ...]

    @property
    def name(self) -> str:
        """The test's name, and what was given."""
        given = ", ".join(f"{name} {_shown(value)}" for name, value in self.given.items())
        return f"{self.test} ({given})" if given else self.test


def _shown(value: Any) -> str:
    return value if isinstance(value, str) else example(value)
