"""``rules.schema.json`` as people and editors read it: every key explained, with an example."""

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any

import jsonschema
import pytest

from pbxrules import shipped
from pbxrules.pbx.openvox import FIELDS
from pbxrules.schema import Schema
from pbxrules.yamlsource import read

WHOLE: Mapping[str, Any] = shipped.schema("rules")
SHOWING = frozenset({"examples", "enum", "const", "defaultSnippets"})
"""Keywords that hold values, no schemas: what may be written."""
BY_NAME = frozenset({"properties", "patternProperties", "$defs"})
"""Keywords that hold schemas by name."""


def schemas(part: Any, path: str = "") -> Iterator[tuple[str, Mapping[str, Any]]]:
    """Every schema in a schema, itself included, with the way to it."""
    if isinstance(part, dict):
        yield path, part
    for name, inner in part.items() if isinstance(part, dict) else enumerate(part):
        if name in BY_NAME:
            for key, one in inner.items():
                yield from schemas(one, f"{path}/{name}/{key}")
        elif isinstance(inner, dict | list) and name not in SHOWING:
            yield from schemas(inner, f"{path}/{name}")


def resolved(part: Mapping[str, Any]) -> Mapping[str, Any]:
    """*part* with what it refers to under it."""
    there = WHOLE["$defs"].get(part.get("$ref", "").removeprefix("#/$defs/"), {})
    return {**there, **part}


ALL = dict(schemas(WHOLE))
KEYS = {
    path: resolved(part)
    for path, part in ALL.items()
    if path.rpartition("/")[0].rpartition("/")[2] in {"properties", "patternProperties"}
}


def is_leaf(key: Mapping[str, Any]) -> bool:
    """Whether a key has a value of its own, and no keys below it that say more."""
    items = resolved(key.get("items", {}))
    return "properties" not in key and "properties" not in items


def test_it_is_valid_json_schema_of_draft_2020_12() -> None:
    assert WHOLE["$schema"] == jsonschema.Draft202012Validator.META_SCHEMA["$id"]
    jsonschema.Draft202012Validator.check_schema(WHOLE)


def test_no_way_to_a_key_forks() -> None:
    assert [path for path, part in ALL.items() if part.keys() & {"oneOf", "anyOf"}] == []


def test_the_keys_are_those_that_people_write() -> None:
    names = {path.rpartition("/")[2] for path in KEYS}
    assert names >= {"rules", "id", "triggers", "event", "in", "mqtt", "topic", "retry", "delay"}


@pytest.mark.parametrize("path", KEYS)
def test_a_key_has_a_description_that_is_a_sentence(path: str) -> None:
    assert KEYS[path]["description"][-1] in ".…)", KEYS[path]["description"]


@pytest.mark.parametrize("path", [path for path, key in KEYS.items() if is_leaf(key)])
def test_a_key_shows_what_may_be_written(path: str) -> None:
    key = KEYS[path]
    shows = SHOWING & key.keys() or shown(key)
    assert shows or key.get("type") == "boolean"


def shown(part: Mapping[str, Any]) -> list[str]:
    """The examples that an editor shows under the description."""
    return re.findall(r"```yaml\n(.*?)\n```", part.get("markdownDescription", ""), re.DOTALL)


def examples() -> Iterator[tuple[str, Mapping[str, Any], Any]]:
    """What it is and where it stands, its schema, and an example, read as people see it."""
    for path, part in ALL.items():
        # A snippet may stand in a branch that says nothing else.
        whole = ALL[re.sub(r"(?<!/properties)/(allOf/\d+|else)$", "", path)]
        schema = {"$ref": "#/$defs/test"} if path.startswith("/$defs/fields/") else whole
        labels = [snippet["label"] for snippet in part.get("defaultSnippets", [])]
        for example in part.get("examples", []):
            yield f"{path} example", schema, example
        for kind, texts in (("snippet", labels), ("shown", shown(part))):
            for text in texts:
                yield f"{path} {kind}", schema, read(text, file="a").value


@pytest.mark.parametrize(
    ("part", "example"),
    [
        pytest.param(part, example, id=f"{what} {json.dumps(example)}")
        for what, part, example in examples()
    ],
)
def test_an_example_is_right_as_it_is_and_as_it_would_be_typed(
    part: Mapping[str, Any], example: Any
) -> None:
    validator = Schema({**part, "$defs": WHOLE["$defs"]})
    assert validator.is_valid(example)
    if isinstance(example, str):
        # Without quotes 101 is a number in YAML, whatever it was in JSON.
        typed = read(f"key: {example}\n", file="a")
        assert typed.problems or validator.is_valid(typed.value["key"])


def test_the_snippets_are_what_their_labels_say() -> None:
    for part in ALL.values():
        for snippet in part.get("defaultSnippets", []):
            assert filled_in(snippet["body"]) == read(snippet["label"], file="a").value


def filled_in(body: Any) -> Any:
    if isinstance(body, dict):
        return {key: filled_in(value) for key, value in body.items()}
    if isinstance(body, list):
        return [filled_in(value) for value in body]
    text = body.partition(":")[2][:-1] if body.startswith("${") else body
    return read(text.replace("\\", ""), file="a").value


def test_every_field_of_an_event_is_listed_and_nothing_is_asked_of_it() -> None:
    fields = WHOLE["$defs"]["fields"]
    assert list(fields["properties"]) == list(FIELDS)
    told = {"$comment", "description", "examples", "defaultSnippets"}
    ways = {"properties", "patternProperties", "allOf", "items", "$ref"}
    for path, part in [*schemas(fields), *schemas(WHOLE["$defs"]["events"])]:
        assert part.keys() <= told | ways, path
    for name in ("trigger", "condition"):
        assert {"$ref": "#/$defs/fields"} in WHOLE["$defs"][name]["allOf"]
