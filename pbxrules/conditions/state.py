"""``state: {NAME: test}``: whether what the rule set remembers is as wanted.

A value is tested as if it were a field's: as text, and one that MQTT never told as absent.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from pbxrules.conditions.fields import field_value
from pbxrules.conditions.leaves import SHOWN, Leaf, in_words
from pbxrules.errors import Fault, did_you_mean
from pbxrules.model import Condition, Facts, FieldTest, FieldValue, Miss
from pbxrules.schema import Path
from pbxrules.template import Context, Names, TemplateError, compile_template

if TYPE_CHECKING:
    from pbxrules.conditions.reading import Kind, Reader


def _read(wanted: Any, path: Path, reader: "Reader") -> Iterator[Condition]:
    if not isinstance(wanted, Mapping):
        return
    for name in wanted:
        reader.used.state.add(name)
        if name in reader.declared.state:
            for test in reader.test(f"state.{name}", wanted[name], (*path, name)):
                yield OfState(name=name, test=test)
        else:
            reader.faults.append(unknown_state(name, (*path, name), reader.declared.state))


def unknown_state(name: str, path: Path, known: Mapping[str, Any]) -> Fault:
    """The fault that no state is called *name*, the key at *path*."""
    hint = did_you_mean(name, known) or "declare it under 'state:'"
    return Fault(path, "unknown-state", f"no state is called '{name}'", hint, at_key=True)


def topic_faults(declared: Any, path: Path) -> Iterator[Fault]:
    """What is wrong with the topic at *path*, if a state is *declared* to be one's message."""
    if not isinstance(declared, Mapping):
        return
    topic = declared["mqtt"]
    if "{{" in topic:
        message = "the topic of a state takes no templates"
        yield Fault(path, "bad-topic", message, "write the whole topic")
        return
    try:
        compile_template(topic, Context.TOPIC, Names(fields=frozenset()))
    except TemplateError as exc:
        for problem in exc.problems:
            hint = "one state has one topic" if problem.hint else ""
            yield Fault(path, problem.code, problem.message, hint)


@dataclass(frozen=True, slots=True, kw_only=True)
class OfState(Leaf):
    """Holds if a value of the state passes a test."""

    name: str
    test: FieldTest

    @property
    def says(self) -> str:
        """What is tested, and what is wanted."""
        return f"{self.test.field} {self.test.wanted}"

    def _value(self, facts: Facts) -> FieldValue | None:
        return field_value(facts.names.get("state", {}).get(self.name))

    def is_true(self, facts: Facts) -> bool:
        """Whether it passes."""
        return self.test.holds(self._value(facts))

    def miss(self, facts: Facts, *, wanted: bool) -> Miss:
        """The value, and what was wanted of it."""
        found = self._value(facts)
        listed = found if isinstance(found, tuple) else (found,)
        told = "absent" if found is None else ", ".join(map(str, listed))
        return Miss(self.test.field, in_words(self.test.wanted, so=wanted), told[:SHOWN])


KEYS: Mapping[str, "Kind"] = {"state": _read}
