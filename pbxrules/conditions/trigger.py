"""``trigger: ID``: by which of its triggers the rule fires."""

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from pbxrules.conditions.leaves import in_words, leaf, one_of
from pbxrules.errors import Fault, did_you_mean
from pbxrules.model import Condition, Facts, Miss
from pbxrules.schema import Path

if TYPE_CHECKING:
    from pbxrules.conditions.reading import Kind, Reader


def _read(wanted: Any, path: Path, reader: "Reader") -> Iterator[Condition]:
    if not reader.usable(path):
        return
    listed = wanted if isinstance(wanted, list) else [wanted]
    known = None if reader.triggers is None else [trigger.id for trigger in reader.triggers]
    for place, name in enumerate(listed):
        if known is not None and name not in known:
            at = (*path, place) if isinstance(wanted, list) else path
            hint = did_you_mean(name, known) or f"it has {', '.join(known)}"
            message = f"the rule has no trigger '{name}'"
            reader.faults.append(Fault(at, "unknown-trigger", message, hint))
    ids = frozenset(listed)
    words = one_of(listed)

    def miss(facts: Facts, *, wanted: bool) -> Miss:
        return Miss("trigger", in_words(words, so=wanted), facts.trigger)

    yield leaf(f"trigger {words}", lambda facts: facts.trigger in ids, miss)


KEYS: Mapping[str, "Kind"] = {"trigger": _read}
