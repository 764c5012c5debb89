"""What may stand in a rule: verbs, fields, events and names, told by the schemas.

A verb is a file in ``schemas/parts/actions``; ``make schemas`` puts them all into
``rules.schema.json``, which is all that is read when the daemon runs.
"""

import copy
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, tzinfo
from functools import lru_cache
from typing import Any

from pbxrules.members import Members, joined
from pbxrules.model import NOTHING, FieldTest
from pbxrules.pbx.openvox import ACTIONS, FIELDS
from pbxrules.schema import EventSchema, Schema
from pbxrules.template import CALL, INSTANT, Context, Names

UNITS_S = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86_400.0}

BESIDE_ACTIONS = frozenset({"timeout", "retry", "continue_on_error", "register", "expires"})
"""Keys that stand beside each action."""
BESIDE_ALL = frozenset({"id"})
"""Keys that stand beside everything that is done."""

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
    result: frozenset[str] = frozenset()
    """The members of what ``register`` keeps."""
    said: frozenset[str] = frozenset()
    """Those of them that the target says: not kept where it was told a secret."""

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
class Control:
    """One word that steers what is done, such as ``if``, as its schema tells it."""

    name: str
    beside: frozenset[str]
    """What may stand beside it in the step."""
    result: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True, kw_only=True)
class Language:
    """What the rules of one configuration may say."""

    rules_schema: Schema
    verbs: Mapping[str, Verb]
    controls: Mapping[str, Control]
    event_schemas: Mapping[str, EventSchema]
    """By the PBX's word for the report."""
    variables: Mapping[str, Any] = field(default_factory=dict)
    secrets: frozenset[str] = frozenset()
    zone: tzinfo = UTC
    """Of times that name none, and of ``now``."""
    zones: Callable[[str], tzinfo] = _no_zone
    """The zone of an IANA name; KeyError or ValueError where there is none."""
    zone_names: Callable[[], Iterable[str]] = tuple
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
    def owners(self) -> Mapping[str, Sequence[str]]:
        """The verbs and controls beside which each key of a step may stand."""
        found: dict[str, list[str]] = {}
        for verb in self.verbs.values():
            for key in sorted(verb.beside | BESIDE_ACTIONS):
                found.setdefault(key, []).append(verb.name)
        for control in self.controls.values():
            for key in sorted(control.beside):
                found.setdefault(key, []).append(control.name)
        return found

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

    def names(
        self,
        variables: Iterable[str] | None,
        *,
        payload: Members | None = None,
        state: Iterable[str] | None = (),
        results: Mapping[str, frozenset[str] | None] = NOTHING,
        elsewhere: Mapping[str, str] = NOTHING,
        withheld: Mapping[str, frozenset[str]] = NOTHING,
    ) -> Names:
        """What a rule's templates may name.

        Args:
            variables: Those of the configuration and of the rule; None: nobody says which.
            payload: What the reports of its events may hold, where that is known.
            state: The names that ``state:`` declares; None: nobody says which.
            results: What else is known, and the members of each: results, ``outcome``.
            elsewhere: What is known in other places only, and where.
            withheld: The members that results lack because of secrets.
        """
        return Names(
            fields=frozenset(self.fields),
            members={
                "call": frozenset(CALL),
                "now": frozenset(INSTANT),
                "rule": frozenset({"id"}),
                "trigger": frozenset({"id"}),
                "state": None if state is None else frozenset(state),
                "vars": None if variables is None else frozenset(variables),
                "secret": self.secrets,
                **results,
            },
            payload=payload,
            elsewhere=elsewhere,
            withheld=withheld,
        )

    def payload(self, tests: Sequence[FieldTest]) -> Members | None:
        """What a report may hold that passes *tests*; None: whatever it is sent with.

        Known only where it can be an event of the user's own schemas alone: of the PBX's own
        events ours list what was seen, and a report may tell more.
        """
        if all(known.event in ACTIONS for known in self.event_schemas.values()):
            return None
        of_event = [test for test in tests if test.field == "event"]
        of_action = [test for test in tests if test.field == "action"]

        def passes(event: str, action: str) -> bool:
            told = all(test.holds(event) for test in of_event)
            return told and all(test.holds(action) for test in of_action)

        named = next((test.equals for test in of_action if test.equals), None)
        if named is None:  # a prefix, a pattern, a 'not': no schema says what else passes it
            if all(test.holds("other") for test in of_event):
                return None
        elif any(passes("other", action) for action in named - self.event_schemas.keys()):
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
            result=frozenset(part.get("x-result", ())),
            said=frozenset(part.get("x-said", ())),
        )
        for name, part in rules_document["$defs"].items()
        if "x-templates" in part
    }


def controls(rules_document: Mapping[str, Any]) -> dict[str, Control]:
    """The words of a bundled ``rules.schema.json`` that steer what is done."""
    return {
        name: Control(
            name=name,
            beside=frozenset(part.get("x-beside", ())) | frozenset(part["x-shared"]),
            result=frozenset(part.get("x-result", ())),
        )
        for name, part in rules_document["$defs"].items()
        if "x-shared" in part
    }


Documents = Mapping[str, Mapping[str, Any]]
"""JSON Schemas by the names of their files."""


def bundle(
    base: Mapping[str, Any],
    *,
    actions: Documents,
    steps: Documents,
    conditions: Documents,
    files: Documents,
) -> dict[str, Any]:
    """The schema of a rule file: *base* with its parts in it.

    Args:
        base: All but those.
        actions: The schema of each verb.
        steps: The schema of each word that steers what is done.
        conditions: What each kind of condition adds to the schema of conditions.
        files: Of keys of a file that are described by themselves.
    """
    whole = copy.deepcopy(dict(base))
    step = whole["$defs"]["step"]
    step["properties"] = {
        **_bundled_steps(whole, actions),
        **_bundled_steps(whole, steps),
        **step["properties"],
    }
    _bundle_conditions(whole["$defs"]["condition"], conditions)
    for name in sorted(files):
        part: dict[str, Any] = copy.deepcopy(dict(files[name]))
        whole["$defs"] |= part.pop("$defs", {})
        whole["properties"][name] = part
    return whole


def _bundle_conditions(condition: dict[str, Any], parts: Documents) -> None:
    for name in sorted(parts):
        more = copy.deepcopy(parts[name])
        condition["properties"] = {**more.get("properties", {}), **condition["properties"]}
        condition["examples"] += more["examples"]


def _bundled_steps(whole: dict[str, Any], parts: Documents) -> dict[str, Any]:
    """The keys that *parts* give a step, whose schemas are put into *whole*."""
    known = {}
    for name in sorted(parts):
        part = copy.deepcopy(dict(parts[name]))
        known[name] = {"$ref": f"#/$defs/{name}"}
        known |= part.get("x-beside", {})
        whole["$defs"][name] = part
    return known


@lru_cache(maxsize=1024)
def duration_s(text: str) -> float:
    """Seconds of a duration such as ``500ms`` or ``20s``, already checked by its schema."""
    digits = text.rstrip("dhms")
    return int(digits) * UNITS_S[text[len(digits) :]]


@lru_cache(maxsize=1024)
def duration_text(seconds: float) -> str:
    """A duration as rules write it, such as ``5m``: what ``duration_s`` reads."""
    thousandths = round(seconds * 1000)
    for unit, length_s in reversed(UNITS_S.items()):
        count, rest = divmod(thousandths, round(length_s * 1000))
        if count and not rest:
            return f"{count}{unit}"
    return "0s"
