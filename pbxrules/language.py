"""What may stand in a rule: verbs, fields, events and names, told by the schemas.

A verb is a file in ``schemas/parts/actions``; ``make schemas`` puts them all into
``rules.schema.json``, which is all that is read when the daemon runs.
"""

import copy
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, tzinfo
from typing import Any

from pbxrules.errors import Fault
from pbxrules.members import Members, joined
from pbxrules.model import FieldTest
from pbxrules.pbx.openvox import ACTIONS, FIELDS
from pbxrules.schema import EventSchema, Path, Schema
from pbxrules.template import INSTANT, Context, Names

UNITS_S = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86_400.0}

NOT_YET: Mapping[str, frozenset[str]] = {
    "file": frozenset({"state", "scripts"}),
    "rule": frozenset({"per", "once_per", "cooldown", "mode", "max", "finally"}),
    "trigger": frozenset({"for", "until", "count"}),
    "condition": frozenset({"state"}),
    "step": frozenset(
        {
            "register", "id", "delay", "wait_for", "else", "if", "then", "choose", "default",
            "repeat", "parallel", "stop", "set", "script",
        }
    ),
}  # fmt: skip
"""Keys of the language that this release knows and does not do yet."""

LATER_NAMES = frozenset({"call", "state", "outcome"})
"""Names of templates of which the same is true."""

FIELD_HINTS = {
    "from": "caller", "number": "caller", "caller_id": "caller", "to": "callee",
    "phone": "extension", "ext": "extension", "extid": "extension", "exten": "extension",
    "entity_id": "extension", "callid": "call_id", "sn": "pbx", "platform": "event",
    "type": "event", "dialed": "dialled", "line": "trunk", "group": "in",
    "payload": "payload.NAME",
}  # fmt: skip
"""Words of other systems, and ours for them."""

EVENT_HINTS = {
    "incoming": "ring", "call": "ring", "outgoing": "ring", "dial": "alert", "dialing": "alert",
    "ringback": "alert", "pickup": "answer", "picked_up": "answer", "connected": "answer",
    "accept": "answer", "hangup": "bye", "hang_up": "bye", "end": "bye", "ended": "bye",
    "call_end": "bye", "call_ended": "bye", "disconnect": "bye", "busy": "call_failed",
    "failed": "call_failed", "no_answer": "call_failed", "missed": "bye", "missed_call": "bye",
    "forward": "transfer", "registered": "extension_status", "unregistered": "extension_status",
    "status": "extension_status", "record": "cdr", "newcdr": "cdr",
}  # fmt: skip
"""Words of other systems for events, and ours."""

CONDITION_HINTS = {
    "condition": "a condition needs no kind: write its tests",
    "value_template": "write the template by itself, without a key",
    "template": "write the template by itself, without a key",
    "after": "describe the time under 'times:', and say time: NAME",
    "before": "describe the time under 'times:', and say time: NAME",
    "weekday": "describe the time under 'times:', and say time: NAME",
    "any": "say 'or'", "all": "say 'and'", "conditions": "say 'and', or 'or'",
    "none": "say 'not'",
}  # fmt: skip
"""What to do instead of words of other systems' conditions."""

TRIGGER_HINTS = {"trigger": "say 'event'"}
"""The same, of their triggers."""


def _no_zone(name: str) -> tzinfo:
    raise KeyError(name)


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
    zone: tzinfo = UTC
    """Of times that name none, and of ``now``."""
    zones: Callable[[str], tzinfo] = _no_zone
    """The zone of an IANA name; KeyError or ValueError where there is none."""
    zone_names: Callable[[], Iterable[str]] = tuple
    not_yet: Mapping[str, frozenset[str]] = field(default_factory=lambda: NOT_YET)
    fields: Mapping[str, str] = field(default_factory=lambda: FIELDS)
    field_hints: Mapping[str, str] = field(default_factory=lambda: FIELD_HINTS)

    @property
    def events(self) -> list[str]:
        """The events that rules may name."""
        return [*dict.fromkeys(entry.event for entry in self.event_schemas.values()), "other"]

    @property
    def words(self) -> Mapping[str, Collection[str]]:
        """What stands beside field tests, in a ``trigger`` and in a ``condition``."""
        parts = self.rules_schema.document["$defs"]
        return {part: parts[part]["properties"] for part in ("trigger", "condition")}

    @property
    def operators(self) -> Collection[str]:
        """The operators of a field test."""
        names: Collection[str] = self.rules_schema.document["$defs"]["operators"]["properties"]
        return names

    @property
    def rule_keys(self) -> Collection[str]:
        """The keys of a rule."""
        keys: Collection[str] = self.rules_schema.document["$defs"]["rule"]["properties"]
        return keys

    @property
    def beside(self) -> Mapping[str, str]:
        """The keys beside a verb that belong to that verb alone."""
        return {name: verb.name for verb in self.verbs.values() for name in verb.beside}

    def names(
        self,
        variables: Mapping[str, Any],
        *,
        payload: Members | None = None,
        results: frozenset[str] = frozenset(),
    ) -> Names:
        """What a rule's templates may name.

        Args:
            variables: Those of the configuration and of the rule.
            payload: What the reports of its events may hold, where that is known.
            results: The names that its actions register.
        """
        return Names(
            fields=frozenset(self.fields),
            members={
                "now": frozenset(INSTANT),
                "rule": frozenset({"id"}),
                "trigger": frozenset({"id"}),
                "vars": frozenset(variables),
                "secret": self.secrets,
            },
            payload=payload,
            later=LATER_NAMES | results,
        )

    def late(self, value: Mapping[str, Any], path: Path, kind: str) -> Iterator[Fault]:
        """The keys of *value*, a file, rule, trigger, …, that are not there yet."""
        for key in value:
            if key in self.not_yet[kind]:
                message = f"'{key}' is not in this release yet"
                yield Fault((*path, key), "not-yet", message, at_key=True)

    def payload(self, tests: Sequence[FieldTest]) -> Members | None:
        """What a report may hold that passes *tests*; None: whatever it is sent with.

        Known only where it can be an event of the user's own schemas alone: of the PBX's own
        events ours list what was seen, and a report may tell more.
        """
        if all(known.event in ACTIONS for known in self.event_schemas.values()):
            return None
        asked = [test for test in tests if test.field in ("event", "action")]

        def passes(event: str, action: str) -> bool:
            told = {"event": event, "action": action}
            return all(test.holds(told[test.field]) for test in asked)

        named = {text for test in asked if test.field == "action" for text in test.equals}
        if any(passes("other", action) for action in {"", *named} - self.event_schemas.keys()):
            return None
        left = [k for action, k in self.event_schemas.items() if passes(k.event, action)]
        if not left or any(known.event in ACTIONS for known in left):
            return None
        return joined(None if _names_only_itself(known) else known.members for known in left)


def _names_only_itself(known: EventSchema) -> bool:
    """Whether a schema was written for the event's name alone, and lists nothing of it."""
    return known.members is not None and known.members.keys() <= {"action"}


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


Documents = Mapping[str, Mapping[str, Any]]
"""JSON Schemas by the names of their files."""


def bundle(
    base: Mapping[str, Any], actions: Documents, conditions: Documents, files: Documents
) -> dict[str, Any]:
    """The schema of a rule file: *base* with its parts in it.

    Args:
        base: All but those.
        actions: The schema of each verb.
        conditions: What each kind of condition adds to the schema of conditions.
        files: Of keys of a file that are described by themselves.
    """
    whole = copy.deepcopy(dict(base))
    _bundle_actions(whole, actions)
    for name in sorted(conditions):
        more = copy.deepcopy(conditions[name])
        condition = whole["$defs"]["condition"]
        condition["properties"] = {**more.get("properties", {}), **condition["properties"]}
        condition["examples"] += more["examples"]
    for name in sorted(files):
        part: dict[str, Any] = copy.deepcopy(dict(files[name]))
        whole["$defs"] |= part.pop("$defs", {})
        whole["properties"][name] = part
    return whole


def _bundle_actions(whole: dict[str, Any], parts: Documents) -> None:
    step = whole["$defs"]["step"]["properties"]
    known = {}
    for name in sorted(parts):
        part = copy.deepcopy(dict(parts[name]))
        known[name] = {"$ref": f"#/$defs/{name}"}
        known |= part.get("x-beside", {})
        whole["$defs"][name] = part
    whole["$defs"]["step"]["properties"] = known | step


def duration_s(text: str) -> float:
    """Seconds of a duration such as ``500ms`` or ``20s``, already checked by its schema."""
    digits = text.rstrip("dhms")
    return int(digits) * UNITS_S[text[len(digits) :]]
