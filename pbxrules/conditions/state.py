"""``state: {NAME: test}``: whether what the rule set remembers is as wanted.

A value is tested as if it were a field's: as text, and one that MQTT never told as absent.
"""

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from pbxrules.conditions.fields import field_value
from pbxrules.conditions.leaves import SHOWN, in_words, leaf
from pbxrules.errors import Fault, did_you_mean
from pbxrules.model import Condition, Facts, FieldTest, FieldValue, Miss
from pbxrules.schema import Path

if TYPE_CHECKING:
    from pbxrules.conditions.reading import Kind, Reader


def _read(wanted: Any, path: Path, reader: "Reader") -> Iterator[Condition]:
    if not isinstance(wanted, Mapping):
        return
    for name in wanted:
        reader.used.state.add(name)
        if name in reader.declared.state:
            for test in reader.test(f"state.{name}", wanted[name], (*path, name)):
                yield _of_state(name, test)
        else:
            reader.faults.append(unknown_state(name, (*path, name), reader.declared.state))


def unknown_state(name: str, path: Path, known: Mapping[str, Any]) -> Fault:
    """The fault that no state is called *name*, the key at *path*."""
    hint = did_you_mean(name, known) or "declare it under 'state:'"
    return Fault(path, "unknown-state", f"no state is called '{name}'", hint, at_key=True)


def _of_state(name: str, test: FieldTest) -> Condition:
    def value(facts: Facts) -> FieldValue | None:
        return field_value(facts.names.get("state", {}).get(name))

    def miss(facts: Facts, *, wanted: bool) -> Miss:
        found = value(facts)
        listed = found if isinstance(found, tuple) else (found,)
        told = "absent" if found is None else ", ".join(map(str, listed))
        return Miss(test.field, in_words(test.wanted, so=wanted), told[:SHOWN])

    return leaf(f"{test.field} {test.wanted}", lambda facts: test.holds(value(facts)), miss)


KEYS: Mapping[str, "Kind"] = {"state": _read}
