"""What a JSON Schema says that a value may hold."""

import time
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pbxrules.members import joined, members
from pbxrules.schema import Schema

TEXT = {"type": "string"}
ANY: dict[str, Any] = {}


@pytest.mark.parametrize(
    ("schema", "expected"),
    [
        pytest.param({"properties": {"a": TEXT}}, {"a": {}}, id="a text has no members"),
        pytest.param({"properties": {"a": ANY}}, {"a": None}, id="what may be anything has any"),
        pytest.param({"properties": {"a": {"const": "x"}}}, {"a": {}}, id="nor has a constant"),
        pytest.param({"type": "object"}, None, id="a map of which nothing is listed"),
        pytest.param(True, None, id="a schema for everything"),
        pytest.param({}, None, id="an empty schema"),
        pytest.param(TEXT, {}, id="a text by itself"),
        pytest.param(
            {"properties": {"a": {"type": ["object", "null"]}}},
            {"a": None},
            id="a map or null may be a map",
        ),
        pytest.param(
            {"properties": {"a": {"properties": {"b": TEXT}}}},
            {"a": {"b": {}}},
            id="a map in the map",
        ),
        pytest.param(
            {"properties": {"a": TEXT}, "additionalProperties": True},
            None,
            id="more may come than is listed",
        ),
        pytest.param(
            {"properties": {"a": TEXT}, "patternProperties": {"^x": TEXT}},
            None,
            id="more may come by a pattern",
        ),
        pytest.param(
            {"properties": {"a": TEXT}, "additionalProperties": False},
            {"a": {}},
            id="nothing more may come",
        ),
        pytest.param(
            {
                "properties": {"a": TEXT},
                "anyOf": [{"required": ["a"]}, {"properties": {"b": TEXT}}],
                "if": {"properties": {"c": TEXT}},
                "then": {"properties": {"d": TEXT}},
            },
            {"a": {}, "b": {}, "c": {}, "d": {}},
            id="branches list members too",
        ),
        pytest.param(
            {"properties": {"a": TEXT}, "allOf": [{"additionalProperties": {}}]},
            None,
            id="a branch by which more may come",
        ),
        pytest.param(
            {
                "properties": {"a": {"$ref": "#/$defs/x~1y"}},
                "$defs": {"x/y": {"properties": {"b": TEXT}}},
            },
            {"a": {"b": {}}},
            id="a reference",
        ),
        pytest.param(
            {"properties": {"a": {"$ref": "#/$defs/none"}}}, {"a": None}, id="one to nothing"
        ),
        pytest.param({"properties": {"a": {"$ref": "#a"}}}, {"a": None}, id="an anchor"),
        pytest.param(
            {
                "properties": {"a": {"properties": {"b": TEXT}}},
                "allOf": [{"properties": {"a": {"properties": {"c": TEXT}}}}],
            },
            {"a": {"b": {}, "c": {}}},
            id="a member that two parts describe",
        ),
    ],
)
def test_the_members_of_a_schema(schema: Any, expected: Any) -> None:
    assert members(schema) == expected


def test_a_schema_that_refers_to_itself_comes_to_an_end() -> None:
    child = {"$ref": "#/$defs/node"}
    schema = {
        "$defs": {"node": {"properties": dict.fromkeys("abcdefgh", child), "allOf": [child]}},
        "properties": {"root": child},
    }
    began = time.process_time()
    found = members(schema)
    assert time.process_time() - began < 5
    assert found is not None
    assert found.keys() == {"root"}


@pytest.mark.parametrize(
    ("lists", "expected"),
    [
        pytest.param([], {}, id="of nothing"),
        pytest.param([{"a": {}}, {"b": None}], {"a": {}, "b": None}, id="of two"),
        pytest.param([{"a": {}}, None], None, id="one of which may hold anything"),
        pytest.param([{"a": {"b": {}}}, {"a": {"c": {}}}], {"a": {"b": {}, "c": {}}}, id="inside"),
        pytest.param([{"a": {"b": {}}}, {"a": None}], {"a": None}, id="one of which is open"),
    ],
)
def test_the_members_of_what_is_one_of_several(lists: Any, expected: Any) -> None:
    assert joined(lists) == expected


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=3),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                ["properties", "a", "b", "$ref", "allOf", "anyOf", "if", "type", "$defs",
                 "additionalProperties", "const"]
            ),
            inner | st.just("#/properties/a"),
            max_size=4,
        )
    ),
    max_leaves=20,
)  # fmt: skip


@given(JSON)
def test_whatever_a_schema_is_there_is_an_answer(schema: Any) -> None:
    """Nobody looks whether it is one before."""
    found = members(schema)
    assert found is None or isinstance(found, dict)


NAMES = st.sampled_from(["a", "b", "c"])
SCHEMAS = st.recursive(
    st.just(TEXT) | st.just(ANY) | st.just({"type": "integer"}),
    lambda inner: (
        st.fixed_dictionaries({"properties": st.dictionaries(NAMES, inner, max_size=3)})
        | st.fixed_dictionaries({"allOf": st.lists(inner, min_size=1, max_size=2)})
        | st.fixed_dictionaries({"anyOf": st.lists(inner, min_size=1, max_size=2)})
    ),
    max_leaves=6,
)
VALUES = st.recursive(
    st.just("x") | st.just(1),
    lambda inner: st.dictionaries(NAMES, inner, max_size=3),
    max_leaves=6,
)


def closed(schema: Any) -> Any:
    """The same schema, where only what it lists may come."""
    return {**schema, "unevaluatedProperties": False}


@given(SCHEMAS, VALUES)
def test_what_is_listed_is_all_that_the_schema_knows_of_a_value(schema: Any, value: Any) -> None:
    found = members(schema)
    if found is None or not isinstance(value, dict) or not Schema(closed(schema)).is_valid(value):
        return
    assert value.keys() <= found.keys()
