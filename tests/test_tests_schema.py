"""``tests.schema.json`` as people and editors read it: every key explained, with an example."""

import json
from collections.abc import Iterator, Mapping
from typing import Any

import jsonschema
import pytest

from pbxrules import loading, shipped
from pbxrules.pbx.tables import FIELDS
from pbxrules.schema import Schema
from pbxrules.yamlsource import read
from tests.test_rules_schema import filled_in, schemas, shown

WHOLE: Mapping[str, Any] = shipped.schema("tests")
ALL = dict(schemas(WHOLE))


def resolved(part: Mapping[str, Any]) -> Mapping[str, Any]:
    """*part* with what it refers to under it."""
    return {**WHOLE["$defs"].get(part.get("$ref", "").removeprefix("#/$defs/"), {}), **part}


KEYS = {
    path: resolved(part)
    for path, part in ALL.items()
    if path.rpartition("/")[0].rpartition("/")[2] == "properties"
}


def test_it_is_valid_json_schema_of_draft_2020_12() -> None:
    assert WHOLE["$schema"] == jsonschema.Draft202012Validator.META_SCHEMA["$id"]
    jsonschema.Draft202012Validator.check_schema(WHOLE)


def test_no_way_to_a_key_forks() -> None:
    assert [path for path, part in ALL.items() if part.keys() & {"oneOf", "anyOf"}] == []


@pytest.mark.parametrize("path", KEYS)
def test_a_key_is_explained_and_shows_what_may_be_written(path: str) -> None:
    part = KEYS[path]
    assert part["description"][-1] in ".…", part["description"]
    shows = {"examples", "enum", "defaultSnippets"} & part.keys() or shown(part)
    assert shows or "properties" in {**part, **resolved(part.get("items", {}))}


def examples() -> Iterator[tuple[str, Mapping[str, Any], Any]]:
    """Where it stands, its schema, and an example of each key."""
    for path, part in KEYS.items():
        for example in part.get("examples", []):
            yield f"{path} example", part, example
        for text in [snippet["label"] for snippet in part.get("defaultSnippets", [])]:
            yield f"{path} snippet", part, read(text, file="a").value


@pytest.mark.parametrize(
    ("part", "example"),
    [
        pytest.param(part, example, id=f"{what} {json.dumps(example)}")
        for what, part, example in examples()
    ],
)
def test_an_example_is_right(part: Mapping[str, Any], example: Any) -> None:
    assert Schema({**part, "$defs": WHOLE["$defs"]}).is_valid(example)


def test_the_snippets_are_what_their_labels_say() -> None:
    for part in ALL.values():
        for snippet in part.get("defaultSnippets", []):
            assert filled_in(snippet["body"]) == read(snippet["label"], file="a").value


def test_every_field_and_every_verb_with_its_arguments_is_there() -> None:
    defs, verbs = WHOLE["$defs"], loading.language().verbs
    assert {*FIELDS} <= defs["event"]["properties"].keys()
    assert verbs.keys() <= defs["expected"]["properties"].keys()
    assert verbs.keys() == defs["answers"]["properties"].keys()
    for name, verb in verbs.items():
        assert {*verb.templates} - verb.beside <= defs[f"expected_{name}"]["properties"].keys()
        assert verb.result <= defs[f"{name}_answer"]["properties"].keys()
