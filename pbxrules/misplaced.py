"""Keys that are right and stand in the wrong place: where each belongs.

Somebody who indents a line wrongly, or forgets ``rules:``, reads what to do once, and not a
line for each key that is strange there.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import groupby
from typing import Any

from pbxrules.language import BESIDE_ACTIONS, Language
from pbxrules.schema import Mismatch, Path

RULE_AT_TOP = "write 'rules:' first, and below it each rule with '- ' before its first key"
ACTIONS = "actions stand under 'actions'"
FIELDS = "fields stand under 'triggers'"
STANDS = {ACTIONS: "actions", FIELDS: "triggers"}
"""The key that is not missing as well: what belongs to it stands beside it."""
GUESSES = ("did you mean", "there are")
"""How hints begin that say less than where a key belongs."""
COLUMN = "keys of the rule begin in the column of '{}'"


@dataclass(frozen=True, slots=True, kw_only=True)
class Places:
    """Where each key of the language may stand."""

    file: frozenset[str]
    rule: frozenset[str]
    trigger: frozenset[str]
    action: frozenset[str]
    verbs: Mapping[str, frozenset[str]]
    """The verbs and the words that steer, and what stands in each."""
    beside: Mapping[str, frozenset[str]]
    """What stands beside each of them."""
    fields: frozenset[str]
    operators: frozenset[str]


def places(language: Language) -> Places:
    """Where the keys of *language* may stand."""
    document = language.rules_schema.document
    parts = document["$defs"]
    words = {**language.verbs, **language.controls}
    of_actions = {name: verb.beside | BESIDE_ACTIONS for name, verb in language.verbs.items()}
    of_controls = {name: control.beside for name, control in language.controls.items()}
    return Places(
        file=frozenset(document["properties"]),
        rule=frozenset(parts["rule"]["properties"]),
        trigger=frozenset(parts["trigger"]["properties"]) - {"id"},
        action=frozenset(parts["step"]["properties"]),
        verbs={name: frozenset(parts[name].get("properties", ())) for name in words},
        beside={**of_actions, **of_controls},
        fields=frozenset(language.fields),
        operators=frozenset(parts["operators"]["properties"]),
    )


def explained(found: Sequence[Mismatch], value: Any, known: Places) -> Iterator[Mismatch]:
    """*found* about the file *value*, with unknown keys that belong elsewhere told together."""
    told = [_placed(one, value, known) for one in found]
    there = {(one.path, STANDS.get(one.hint)) for one, moved in told if moved}
    told = [(one, moved) for one, moved in told if (one.path, one.missing or "") not in there]
    for (_, code, hint, moved), group in groupby(told, key=_alike):
        same = list(group)
        if not moved or len(same) == 1:
            yield from (one for one, _ in same)
            continue
        keys = [f"'{one.key}'" for one, _ in same]
        message = f"{', '.join(keys[:-1])} and {keys[-1]} are no keys of {same[0][0].kind}"
        yield replace(same[0][0], code=code, message=message, hint=hint)


def _alike(told: tuple[Mismatch, bool]) -> tuple[Path, str, str, bool]:
    one, moved = told
    return one.path, one.code, one.hint, moved


def _placed(one: Mismatch, value: Any, known: Places) -> tuple[Mismatch, bool]:
    """*one*, and whether its key belongs elsewhere, which its hint then says."""
    if one.code != "unknown-key" or one.key is None:
        return one, False
    if verb := _verb_of_service(one, value):
        return replace(one, hint=f"say '{verb}'"), False
    around = _at(value, one.path)
    inside = _hint_inside(one.key, around, known) if one.kind == "an action" else ""
    guessed = not one.hint or one.hint.startswith(GUESSES)
    hint = inside or (_hint(one.key, one.kind, known) if guessed else "")
    if hint:
        return replace(one, hint=hint), True
    if one.kind == "an action" and not one.hint:
        one = replace(one, hint=f"the verbs are {', '.join(known.verbs)}")
    return one, False


_SERVICES: Mapping[str, str] = {
    "shell_command": "shell", "rest_command": "http", "logbook": "log", "system_log": "log",
}  # fmt: skip
"""Home Assistant's services that are not done by a message, by their domain, and our verbs."""


def _verb_of_service(one: Mismatch, value: Any) -> str | None:
    """The verb for the service that is called by the key of *one*; None if it may be any."""
    if one.kind != "an action" or one.key not in ("service", "action"):
        return None
    service = _at(value, one.path)[one.key]
    return _SERVICES.get(service.partition(".")[0]) if isinstance(service, str) else None


def _at(value: Any, path: Path) -> Any:
    for step in path:
        value = value[step]
    return value


def _hint(key: str, kind: str, known: Places) -> str:
    if kind == "an action":
        return COLUMN.format("actions") if key in known.rule else ""
    verb = kind.removeprefix("an ").removeprefix("a ").removesuffix(" action")
    if verb in known.verbs:
        return f"write beside '{verb}', not in it" if key in known.beside[verb] else ""
    elsewhere = _ELSEWHERE.get(kind, ())
    return next((hint for keys, hint in elsewhere if key in getattr(known, keys)), "")


_ELSEWHERE: Mapping[str, Sequence[tuple[str, str]]] = {
    "a rule file": [("rule", RULE_AT_TOP)],
    "a rule": [
        ("verbs", ACTIONS),
        ("fields", FIELDS),
        ("trigger", "it stands in a trigger, beside its tests"),
        ("file", "keys of the file begin in the first column"),
    ],
    "a field test": [("fields", "fields stand beside each other, not in each other")],
}
"""What a key may have been meant for instead, by what has it: the keys of what, and what to do."""


def _hint_inside(key: str, around: Mapping[str, Any], known: Places) -> str:
    """That *key* belongs in the verb that stands in the action *around* it."""
    for verb, arguments in known.verbs.items():
        if verb in around and key in arguments:
            right = ", further to the right" if around[verb] is None else ""
            return f"write in '{verb}', not beside it{right}"
    return ""


def emptied(found: Sequence[Mismatch], value: Any, known: Places) -> set[Path]:
    """The verbs that only seem to lack a value: what belongs to them stands beside them."""
    return {
        (*one.path, verb)
        for one in found
        if one.kind == "an action" and one.code == "unknown-key" and one.key
        for verb, arguments in known.verbs.items()
        if one.key in arguments and _at(value, one.path).get(verb, "") is None
    }
