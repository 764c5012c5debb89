"""What files declare beside their rules, for conditions to name: groups, times, state."""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeVar

from pbxrules.conditions.times import Time, compile_time
from pbxrules.language import Language
from pbxrules.model import StateDecl

Value = TypeVar("Value")
KINDS = ("groups", "times", "state")


@dataclass(frozen=True, slots=True, kw_only=True)
class Declared:
    """The groups, times and state names of a rule set; of a stored program, those it uses."""

    groups: Mapping[str, Sequence[str]] = field(default_factory=dict)
    times: Mapping[str, Time | None] = field(default_factory=dict)
    """None: what is wrong with it is told where it is described."""
    state: Mapping[str, StateDecl | None] = field(default_factory=dict)
    """None as of times."""
    written: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    """The JSON of each that is good, by kind and name."""
    unread: Collection[str] = ()
    """Kinds of which not all could be read: ``state``."""

    @property
    def names_of_state(self) -> Iterable[str] | None:
        """What templates may name of it; None: nobody says what there is."""
        return None if "state" in self.unread else self.state


@dataclass(slots=True, kw_only=True)
class Used:
    """What was named so far."""

    groups: set[str] = field(default_factory=set)
    times: set[str] = field(default_factory=set)
    state: set[str] = field(default_factory=set)
    names: set[str] = field(default_factory=set)
    """By templates, as their ``uses``."""

    def take(self, script: "Used") -> None:
        """Note what a *script* names; the variables are its own."""
        self.groups |= script.groups
        self.times |= script.times
        self.state |= script.state
        self.names |= {name for name in script.names if name.partition(".")[0] != "vars"}

    @property
    def names_calls(self) -> bool:
        """Whether ``call`` was named."""
        return any(name.partition(".")[0] == "call" for name in self.names)

    def of(self, declared: Declared) -> dict[str, dict[str, Any]]:
        """The JSON of what was named, by kind; a kind of which nothing was is left out."""
        told = {}
        for kind, wanted in (
            ("groups", self.groups),
            ("times", self.times),
            ("state", self.states(declared.state)),
        ):
            written = declared.written.get(kind, {})
            if named := {name: written[name] for name in sorted(wanted) if name in written}:
                told[kind] = named
        return told

    def states(self, declared: Mapping[str, Any]) -> set[str]:
        """The names of the state that were named, by conditions or templates."""
        if "state" in self.names:  # a call says which
            return {*declared}
        return {name for name in declared if name in self.state or f"state.{name}" in self.names}


class Noted(Mapping[str, Value]):
    """A mapping that notes what is looked up in it."""

    def __init__(self, values: Mapping[str, Value], noted: set[str]) -> None:
        self._values = values
        self._noted = noted

    def __getitem__(self, name: str) -> Value:
        self._noted.add(name)
        return self._values[name]

    def __contains__(self, name: object) -> bool:
        return name in self._values

    def __iter__(self) -> Iterator[str]:
        return iter(self._values)

    def __len__(self) -> int:
        return len(self._values)


def declared_by(written: Mapping[str, Mapping[str, Any]], language: Language) -> Declared:
    """What *written*, the JSON of good groups, times and states, declares.

    Raises:
        TimeError: This machine no longer has a time's zone.
    """
    return Declared(
        groups=written.get("groups", {}),
        times={
            name: compile_time(
                wanted, zone=language.zone, zones=language.zones, zone_names=language.zone_names
            )
            for name, wanted in written.get("times", {}).items()
        },
        state={name: state_of(value) for name, value in written.get("state", {}).items()},
        written=written,
    )


def state_of(written: Any) -> StateDecl:
    """The state that *written* declares: its first value, or ``{mqtt: topic}``."""
    if isinstance(written, Mapping):
        return StateDecl(first=None, topic=written["mqtt"])
    return StateDecl(first=written)
