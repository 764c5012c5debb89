"""What may stand in a rule: verbs, fields, events and names, told by the schemas.

A verb is a file in ``schemas/parts/actions``; ``make schemas`` puts them all into
``rules.schema.json``, which is all that is read when the daemon runs.
"""

import copy
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from pbxrules.pbx.openvox import FIELDS
from pbxrules.schema import EventSchema, Schema
from pbxrules.template import Context, Names

UNITS_S = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86_400.0}

NOT_YET: Mapping[str, frozenset[str]] = {
    "file": frozenset({"times", "state", "scripts"}),
    "rule": frozenset(
        {"conditions", "per", "once_per", "cooldown", "mode", "max", "finally"}
    ),
    "trigger": frozenset({"for", "until", "count", "id"}),
    "step": frozenset(
        {
            "register", "id", "delay", "wait_for", "else", "if", "then", "choose", "default",
            "repeat", "parallel", "stop", "set", "script",
        }
    ),
}  # fmt: skip
"""Keys of the language that this release knows and does not do yet."""

FIELD_HINTS = {
    "from": "caller", "number": "caller", "caller_id": "caller", "to": "callee",
    "phone": "extension", "ext": "extension", "extid": "extension", "exten": "extension",
    "entity_id": "extension", "callid": "call_id", "sn": "pbx", "platform": "event",
    "type": "event", "dialed": "dialled", "line": "trunk", "group": "in",
    "payload": "payload.NAME",
}  # fmt: skip
"""Words of other systems, and ours for them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Verb:
    """One kind of action, as its schema tells it."""

    name: str
    shorthand: Mapping[str, str]
    """``array`` or ``string``: the argument that a value of this type stands for."""
    templates: Mapping[str, Context]
    """The arguments that hold templates, and in which context."""
    retry: Mapping[str, Any]
    beside: frozenset[str]
    """Arguments that stand beside the verb in the step."""

    def _short(self, value: Any) -> str | None:
        kind = "array" if isinstance(value, list) else "string" if isinstance(value, str) else ""
        return self.shorthand.get(kind)

    def arguments(self, step: Mapping[str, Any]) -> dict[str, Any]:
        """The verb's arguments by name, however they were written."""
        value = step[self.name]
        short = self._short(value)
        args = {short: value} if short else dict(value)
        return args | {name: step[name] for name in self.beside if name in step}

    def path_of(self, name: str, step: Mapping[str, Any]) -> tuple[str, ...] | None:
        """Where the argument *name* stands in *step*; None if it is not given."""
        if name in self.beside:
            return (name,) if name in step else None
        if self.name not in step:
            return None
        value = step[self.name]
        if self._short(value) == name:
            return (self.name,)
        return (self.name, name) if isinstance(value, Mapping) and name in value else None


@dataclass(frozen=True, slots=True, kw_only=True)
class Language:
    """What the rules of one configuration may say."""

    rules_schema: Schema
    verbs: Mapping[str, Verb]
    event_schemas: Mapping[str, EventSchema]
    """By the PBX's word for the report."""
    variables: Mapping[str, Any] = field(default_factory=dict)
    secrets: frozenset[str] = frozenset()
    not_yet: Mapping[str, frozenset[str]] = field(default_factory=lambda: NOT_YET)
    fields: Mapping[str, str] = field(default_factory=lambda: FIELDS)
    field_hints: Mapping[str, str] = field(default_factory=lambda: FIELD_HINTS)

    @property
    def events(self) -> list[str]:
        """The events that rules may name."""
        return [*dict.fromkeys(entry.event for entry in self.event_schemas.values()), "other"]

    @property
    def beside(self) -> Mapping[str, str]:
        """The keys beside a verb that belong to that verb alone."""
        return {name: verb.name for verb in self.verbs.values() for name in verb.beside}

    def names(self, variables: Mapping[str, Any]) -> Names:
        """What a rule's templates may name."""
        return Names(
            fields=frozenset(self.fields),
            members={
                "rule": frozenset({"id"}),
                "vars": frozenset(variables),
                "secret": self.secrets,
            },
        )


def verbs(rules_document: Mapping[str, Any]) -> dict[str, Verb]:
    """The verbs of a bundled ``rules.schema.json``."""
    return {
        name: Verb(
            name=name,
            shorthand=part.get("x-shorthand", {}),
            templates={n: Context[c.upper()] for n, c in part["x-templates"].items()},
            retry=part["x-retry"],
            beside=frozenset(part.get("x-beside", {})),
        )
        for name, part in rules_document["$defs"].items()
        if "x-templates" in part
    }


def bundle(base: Mapping[str, Any], parts: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
    """The schema of a rule file: *base*, with each verb's schema in it, by the verb's name."""
    whole = copy.deepcopy(dict(base))
    step = whole["$defs"]["step"]["properties"]
    known = {}
    for name in sorted(parts):
        part = copy.deepcopy(dict(parts[name]))
        known[name] = {"$ref": f"#/$defs/{name}"}
        known |= part.get("x-beside", {})
        whole["$defs"][name] = part
    whole["$defs"]["step"]["properties"] = known | step
    return whole


def duration_s(text: str) -> float:
    """Seconds of a duration such as ``500ms`` or ``20s``, already checked by its schema."""
    digits = text.rstrip("dhms")
    return int(digits) * UNITS_S[text[len(digits) :]]
