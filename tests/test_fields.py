"""Tests of one field of an event: which values pass which test."""

from typing import Any

import pytest

from pbxrules.conditions.fields import OPERATORS, FieldTestError, field_test, value_of
from pbxrules.language import NOT_YET
from pbxrules.model import Event, FieldValue
from tests.rulefiles import LANGUAGE

GROUPS = {"family": ["+4930", "0171"], "nobody": []}
ABSENT = None

PASSES = [
    ("101", "101", "a text is exact"),
    ("", "", "an empty text is a value"),
    ("*97*", "*97*", "a star is dialled, no pattern"),
    ("#31#", "#31#", "a hash is dialled, no pattern"),
    (["101", "102"], "102", "a list is any of"),
    ("101", ("100", "101"), "one element of a list field is enough"),
    (["7", "101"], ("100", "101"), "any of the wanted is any of the field's elements"),
    ("10", 10, "a whole number is its digits"),
    ("2.5", 2.5, "a fraction is its digits"),
    ({"in": "family"}, "+4930", "in a group"),
    ({"in": ["101", "102"]}, "101", "in a list"),
    ({"in": "family"}, ("x", "0171"), "one element is in the group"),
    ({"not": "101"}, "102", "not a text"),
    ({"not": ["101", "102"]}, "103", "not any of a list"),
    ({"not": {"in": "family"}}, "0172", "not in a group"),
    ({"not": {"not": "101"}}, "101", "not not"),
    ({"not": "101"}, ABSENT, "an absent field is not a text"),
    ({"not": {"in": "family"}}, ABSENT, "an absent field is not in a group"),
    ({"not": {"in": "nobody"}}, "101", "nobody is in an empty group"),
    ({"not": "101"}, ("102", "103"), "not holds if no element passes"),
    ({"exists": True}, "101", "it is there"),
    ({"exists": True}, "", "an empty text is there"),
    ({"exists": True}, 0, "zero is there"),
    ({"exists": True}, ("101",), "a list is there"),
    ({"exists": False}, ABSENT, "it is absent"),
    ({"not": {"exists": True}}, ABSENT, "not there"),
    ({"in": ["101", "102"], "not": "102"}, "101", "all operators hold"),
    ({"not": "101", "exists": True}, "102", "there and not a text"),
]
FAILS = [
    ("101", "102", "another text"),
    ("101", "0101", "a leading zero matters"),
    ("101", "101 ", "a space matters"),
    ("Busy", "busy", "small and capital letters matter"),
    ("1*", "101", "a star is no pattern"),
    (".*", "101", "nor is a regular expression"),
    (["101", "102"], "103", "none of the list"),
    ("101", ABSENT, "an absent field is no text"),
    ("", ABSENT, "absent is not empty"),
    (["101"], ABSENT, "absent is none of a list"),
    ("101", ("102", "103"), "no element is the text"),
    ("101,102", ("101", "102"), "a list is not its elements in a row"),
    ("10.0", 10, "another way to write a number"),
    ({"in": "family"}, "4930", "a plus matters"),
    ({"in": "family"}, ABSENT, "absent is in no group"),
    ({"in": "nobody"}, "101", "an empty group"),
    ({"not": "101"}, "101", "not the text itself"),
    ({"not": "101"}, ("101", "102"), "not fails if one element passes"),
    ({"not": {"exists": False}}, ABSENT, "not absent"),
    ({"exists": True}, ABSENT, "it is not there"),
    ({"exists": False}, "101", "it is not absent"),
    ({"in": ["101", "102"], "not": "102"}, "102", "one operator fails"),
    ({"not": "101", "exists": True}, ABSENT, "not there, though not the text"),
    ({"in": ["101"], "not": "102"}, ("101", "102"), "each operator sees the whole list"),
]


@pytest.mark.parametrize(
    ("wanted", "value", "holds"),
    [pytest.param(wanted, value, True, id=f"{say} (holds)") for wanted, value, say in PASSES]
    + [pytest.param(wanted, value, False, id=f"{say} (fails)") for wanted, value, say in FAILS],
)
def test_a_field_test(wanted: Any, value: FieldValue | None, holds: bool) -> None:
    made = field_test("extension", wanted, GROUPS)
    assert made.holds(value) is holds
    assert field_test("extension", {"not": wanted}, GROUPS).holds(value) is not holds


@pytest.mark.parametrize(
    ("wanted", "words"),
    [
        pytest.param("101", "101", id="a text"),
        pytest.param(["101"], "101", id="a list of one"),
        pytest.param(["101", "102"], "one of 101, 102", id="a list"),
        pytest.param(list("abcdefg"), "one of a, b, c, d, e, …", id="a long list"),
        pytest.param({"in": "family"}, "in family", id="a group"),
        pytest.param({"in": ["1", "2"]}, "one of 1, 2", id="in a list"),
        pytest.param({"not": {"in": "family"}}, "not in family", id="not"),
        pytest.param({"exists": True}, "there", id="exists"),
        pytest.param({"exists": False}, "absent", id="exists not"),
        pytest.param({"in": "family", "not": "0171"}, "in family and not 0171", id="all of them"),
    ],
)
def test_what_is_wanted_in_words(wanted: Any, words: str) -> None:
    assert field_test("extension", wanted, GROUPS).wanted == words


@pytest.mark.parametrize(
    ("wanted", "equals"),
    [
        pytest.param("101", {"101"}, id="a text is equality"),
        pytest.param(["101", "102"], {"101", "102"}, id="a list is equality"),
        pytest.param({"in": "family"}, {"+4930", "0171"}, id="a group is equality"),
        pytest.param({"in": "nobody"}, set(), id="an empty group is none"),
        pytest.param({"not": "101"}, set(), id="not is none"),
        pytest.param({"exists": True}, set(), id="exists is none"),
        pytest.param({"in": "family", "exists": True}, set(), id="several operators are none"),
    ],
)
def test_where_equality_is_asked_for_the_index_is_told(wanted: Any, equals: set[str]) -> None:
    made = field_test("extension", wanted, GROUPS)
    assert made.equals == equals
    assert all(made.holds(text) for text in made.equals)


@pytest.mark.parametrize(
    ("wanted", "path"),
    [
        pytest.param({"in": "famly"}, ("in",), id="alone"),
        pytest.param({"exists": True, "not": {"in": "famly"}}, ("not", "in"), id="inside not"),
    ],
)
def test_an_unknown_group_is_told_with_the_path_to_it(wanted: Any, path: tuple[str, ...]) -> None:
    with pytest.raises(FieldTestError) as caught:
        field_test("caller", wanted, GROUPS)
    error = caught.value
    assert error.path == path
    assert (error.code, error.message, error.hint) == (
        "unknown-group", "no group is called 'famly'", "did you mean 'family'?",
    )  # fmt: skip


PAYLOAD = {
    "a": {"b": "deep", "n": 7, "f": 1.5, "t": True, "no": False, "null": None, "map": {"x": 1}},
    "texts": ["x", "y"], "mixed": ["x", 1], "empty": [], "a.b": "with a point",
}  # fmt: skip


@pytest.mark.parametrize(
    ("field", "value"),
    [
        pytest.param("extension", "101", id="a field of the event"),
        pytest.param("extensions", ("101", "102"), id="a list field"),
        pytest.param("duration", 10, id="a number"),
        pytest.param("trunk", None, id="a field that this event lacks"),
        pytest.param("payload.a.b", "deep", id="a member of a member"),
        pytest.param("payload.a.n", 7, id="a number as sent"),
        pytest.param("payload.a.f", 1.5, id="a fraction as sent"),
        pytest.param("payload.a.t", "true", id="true as JSON writes it"),
        pytest.param("payload.a.no", "false", id="false as JSON writes it"),
        pytest.param("payload.a.null", None, id="null is absent"),
        pytest.param("payload.a.map", None, id="a map is no value to compare"),
        pytest.param("payload.a.b.c", None, id="beyond a text"),
        pytest.param("payload.z", None, id="a member that is not there"),
        pytest.param("payload.texts", ("x", "y"), id="a list of texts"),
        pytest.param("payload.mixed", None, id="a list of other things is no value to compare"),
        pytest.param("payload.empty", (), id="an empty list has no element that passes"),
        pytest.param("payload.texts.0", None, id="no element by its number"),
    ],
)
def test_the_value_that_a_test_sees(field: str, value: FieldValue | None) -> None:
    fields: dict[str, FieldValue] = {
        "event": "ring", "extension": "101", "extensions": ("101", "102"), "duration": 10,
    }  # fmt: skip
    assert value_of(Event(fields=fields, payload=PAYLOAD), field) == value


def test_every_operator_that_the_schema_lists_is_there_or_comes_later() -> None:
    listed = LANGUAGE.rules_schema.document["$defs"]["operators"]["properties"].keys()
    assert listed == OPERATORS.keys() | NOT_YET["operator"]
    assert not OPERATORS.keys() & NOT_YET["operator"]
