"""The schema of test files, put together from its parts and those of the rules."""

import copy
from collections.abc import Iterable, Mapping
from typing import Any

from pbxrules.language import FIELD_HINTS, Documents
from pbxrules.pbx.tables import FIELDS

LISTS = ("extensions",)
"""Fields that hold a list."""


def bundle_tests(
    base: Mapping[str, Any], *, actions: Documents, examples: Mapping[str, Any]
) -> dict[str, Any]:
    """The schema of a test file: *base* with events, verbs and answers in it.

    Args:
        base: All but those.
        actions: The schema of each verb, as rules have it.
        examples: Of each field.
    """
    whole = copy.deepcopy(dict(base))
    defs = whole["$defs"]
    event, expected = defs["event"], defs["expected"]
    fields = {name: _field(name, told, examples[name]) for name, told in FIELDS.items()}
    event["properties"] = {**_first(event["properties"]), **fields, **event["properties"]}
    event["x-other-words"] = {w: to for w, to in FIELD_HINTS.items() if to in FIELDS}
    answer = defs.pop("answer")
    for verb in sorted(actions):
        part = actions[verb]
        name = f"expected_{verb}"
        defs[name] = _expected(verb, part)
        expected["properties"][verb] = {"$ref": f"#/$defs/{name}"}
        expected["properties"] |= _bare(part.get("x-beside", {}))
        defs[f"{verb}_answer"] = _answer(verb, part, answer)
        defs["answers"]["properties"][verb] = _answers(verb)
    return whole


def _first(properties: Mapping[str, Any]) -> dict[str, Any]:
    return {"at": properties["at"]}


def _field(name: str, told: str, examples: Iterable[Any]) -> dict[str, Any]:
    text = told.removesuffix(", …")
    kinds = ["string", "number", "null", *(["array"] if name in LISTS else [])]
    part: dict[str, Any] = {
        "description": f"{text[0].upper()}{text[1:]}.",
        "type": kinds,
        "examples": list(examples),
        "x-wanted": "a text, or null where the event has none",
    }
    if name in LISTS:
        part |= {"items": {"type": ["string", "number"]}, "examples": [["106", "101"]]}
        part["x-wanted"] = "a list of texts"
    return part


def _expected(verb: str, part: Mapping[str, Any]) -> dict[str, Any]:
    """What may be said of an action of *verb* that is expected: some of its arguments."""
    short = part.get("x-shorthand", {})
    known = part.get("properties") or {name: {} for name in short.values()}
    return {
        "title": f"an expected {verb} action",
        "description": "Such an action is begun, with these arguments at least.",
        "type": ["object", *short],
        "minItems": 1,
        "minLength": 1,
        "minProperties": 1,
        "additionalProperties": False,
        "properties": _bare(known),
        "x-other-words": part.get("x-other-words", {}),
        "examples": [EXAMPLES.get(verb, part["examples"][0])],
    }


EXAMPLES: Mapping[str, Any] = {
    "mqtt": {"topic": "home/hall/lamp/set", "payload": "ON"},
    "http": {"url": "http://127.0.0.1:9000/missed", "json": {"from": "+4930999"}},
    "log": "+4930999 rings 101",
    "shell": ["/usr/local/bin/light", "--room", "101"],
}
"""Of what is expected, in which no template of a rule stands."""
ARGUMENTS: Mapping[str, Any] = {
    "url": "http://127.0.0.1:9000/missed?from=%2B4930999",
    "payload": {"state": "ON"}, "json": {"from": "+4930999"}, "body": "call from +4930999",
    "text": "+4930999 rings 101", "headers": {"Authorization": "Bearer {{ secret.ntfy }}"},
    "env": {"ROOM": "101"}, "argv": ["/usr/local/bin/light", "--room", "101"],
    "script": "/usr/local/bin/light", "topic": "home/hall/lamp/set",
}  # fmt: skip
"""Of its arguments."""
OF_COMMANDS: Mapping[str, str] = {
    "argv": "The program and its arguments.", "script": "The text that a shell runs.",
}  # fmt: skip


def _bare(properties: Mapping[str, Any]) -> dict[str, Any]:
    """Each argument with what it is, and nothing asked of its value: a template may stand there."""
    found = {}
    for name, part in properties.items():
        examples = [ARGUMENTS[name]] if name in ARGUMENTS else _shown(part)
        told = {"description": part.get("description", OF_COMMANDS.get(name, ""))}
        found[name] = {**told, "examples": examples}
    return found


def _shown(part: Mapping[str, Any]) -> list[Any]:
    if part.get("type") == "boolean":
        return [True]
    return [part["enum"][0]] if "enum" in part else list(part["examples"])


def _answer(verb: str, part: Mapping[str, Any], base: Mapping[str, Any]) -> dict[str, Any]:
    whole = copy.deepcopy(dict(base))
    short = part.get("x-shorthand", {})
    known = part.get("properties") or {name: {} for name in short.values()}
    whole["title"] = f"an answer to {verb}"
    whole["description"] = "What becomes of a try."
    when = {
        "title": "when",
        "description": "Only to actions with these arguments at least.",
        "type": "object",
        "minProperties": 1,
        "additionalProperties": False,
        "properties": _bare({**known, **part.get("x-beside", {})}),
    }
    first = {"rule": whole["properties"].pop("rule"), "when": when}
    results = {
        name: {
            "description": f"{told[0].upper()}{told[1:]}.",
            **_kind(RESULTS[name]),
            "examples": [RESULTS[name]],
        }
        for name, told in part.get("x-result", {}).items()
    }
    whole["properties"] = {**first, **whole["properties"], **results}
    if "status" in results:
        whole["x-other-words"]["code"] = "status"
    words = whole["x-other-words"].items()
    whole["x-other-words"] = {w: to for w, to in words if " " in to or to in whole["properties"]}
    return whole


def _kind(sample: Any) -> dict[str, Any]:
    """What a member of a result has to be; a template may stand in its place."""
    match sample:
        case bool():
            kinds, pattern, wanted = ["boolean", "string"], r"\{\{", "true or false"
        case int():
            kinds, wanted = ["integer", "string", "null"], "a whole number"
            pattern = r"^([0-9]{1,9}|.*\{\{.*)$"
        case str():
            return {"type": "string"}
        case _:
            return {}
    return {"type": kinds, "pattern": pattern, "x-wanted": wanted}


RESULTS: Mapping[str, Any] = {
    "exit_code": 1, "stdout": "on", "stderr": "no such lamp", "timed_out": True,
    "status": 404, "body": "not found", "json": {"name": "Ann"},
}  # fmt: skip
"""Of what targets answer."""


def _answers(verb: str) -> dict[str, Any]:
    one = {"$ref": f"#/$defs/{verb}_answer"}
    return {
        "description": f"To {verb}: an answer, or a list of which the first that fits counts.",
        "type": ["object", "array"],
        "minItems": 1,
        "if": {"type": "array"},
        "then": {"items": one},
        "else": one,
        "x-example": {"fails": "no answer"},
        "examples": [{"fails": "no answer"}],
    }
