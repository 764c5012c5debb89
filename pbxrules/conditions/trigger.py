"""``trigger: ID``: by which of its triggers the rule fires."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from pbxrules.conditions.leaves import Leaf, in_words, one_of
from pbxrules.errors import Fault, did_you_mean
from pbxrules.model import Condition, Facts, Miss
from pbxrules.schema import Path

if TYPE_CHECKING:
    from pbxrules.conditions.reading import Kind, Reader


@dataclass(frozen=True, slots=True)
class ByTrigger(Leaf):
    """Holds if one of these triggers fits."""

    ids: tuple[str, ...]

    @property
    def says(self) -> str:
        """Its word and the ids."""
        return f"trigger {one_of(self.ids)}"

    def is_true(self, facts: Facts) -> bool:
        """Whether it is one of them."""
        return facts.trigger in self.ids

    def miss(self, facts: Facts, *, wanted: bool) -> Miss:
        """The trigger that fits instead."""
        return Miss("trigger", in_words(one_of(self.ids), so=wanted), facts.trigger)


def _read(wanted: Any, path: Path, reader: "Reader") -> Iterator[Condition]:
    if not reader.usable(path):
        return
    listed = wanted if isinstance(wanted, list) else [wanted]
    known = None if reader.triggers is None else [trigger.id for trigger in reader.triggers]
    if known == []:  # they are missing, or could not be read, which is told already
        return
    for place, name in enumerate(listed):
        if known is not None and name not in known:
            at = (*path, place) if isinstance(wanted, list) else path
            hint = did_you_mean(name, known) or f"it has {', '.join(known)}"
            message = f"the rule has no trigger '{name}'"
            reader.faults.append(Fault(at, "unknown-trigger", message, hint))
    yield ByTrigger(tuple(listed))


KEYS: Mapping[str, "Kind"] = {"trigger": _read}
