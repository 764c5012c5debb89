"""What to write in the place of a value that is refused."""

import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pbxrules import hints
from pbxrules.language import duration_s
from pbxrules.schema import Schema
from pbxrules.yamlsource import read

SECONDS = {"ms": 0.001, "sec": 1, "seconds": 1, "min": 60, "minutes": 60, "hours": 3600, "d": 86400}


@given(
    number=st.integers(1, 300),
    unit=st.sampled_from([*SECONDS]),
    blank=st.sampled_from(["", " "]),
    end=st.sampled_from(["", "."]),
)
def test_a_duration_in_other_words_is_the_same_span(
    number: int, unit: str, blank: str, end: str
) -> None:
    hint = hints.near_duration(f"{number}{blank}{unit}{end}")
    written = hint.removeprefix("write ")
    assert re.fullmatch(r"[0-9]+(ms|s|m|h|d)", written)
    assert duration_s(written) == pytest.approx(number * SECONDS[unit])


@given(st.integers(0, 40), st.integers(0, 59), st.integers(0, 59))
def test_a_clocks_reading_is_the_same_span(hours: int, minutes: int, seconds: int) -> None:
    hint = hints.near_duration(f"{hours:02}:{minutes:02}:{seconds:02}")
    total = (hours * 60 + minutes) * 60 + seconds
    assert (duration_s(hint.removeprefix("write ")) if hint else 0) == total


@pytest.mark.parametrize(
    ("value", "hint"),
    [
        pytest.param(20, "write 20s", id="a number is seconds, as in Home Assistant"),
        pytest.param(0.5, "write 500ms", id="half a second"),
        pytest.param("1,5 min", "write 90s", id="a comma for a point"),
        pytest.param({"minutes": 1, "seconds": 30}, "write 90s", id="a map of units"),
        pytest.param({"minutes": "1"}, "", id="a map of texts"),
        pytest.param({"weeks": 1}, "", id="a map of other units"),
        pytest.param("5 weeks", "", id="another unit"),
        pytest.param("soon", "", id="a word"),
        pytest.param(0, "", id="nothing"),
        pytest.param(-5, "", id="less than nothing"),
        pytest.param(True, "", id="a truth value"),
        pytest.param(10**30, "", id="longer than anybody waits"),
        pytest.param(0.0001, "", id="shorter than a millisecond"),
        pytest.param(None, "", id="null"),
        pytest.param("9" * 400 + " s", "", id="more digits than any number has"),
    ],
)
def test_near_duration(value: Any, hint: str) -> None:
    assert hints.near_duration(value) == hint


TEXTS = st.text(max_size=8)
PRINTABLE = TEXTS.filter(str.isprintable)


def values(texts: st.SearchStrategy[str]) -> st.SearchStrategy[Any]:
    return st.recursive(
        st.none() | st.booleans() | st.integers(-1000, 1000) | texts,
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3),
        max_leaves=6,
    )


@given(values(TEXTS))
def test_an_example_obeys_no_terminal(value: Any) -> None:
    assert hints.example(value).isprintable()


@given(values(PRINTABLE))
def test_an_example_is_yaml_that_is_read_as_the_value(value: Any) -> None:
    text = hints.example(value)
    document = read(f"a: {text}\n", file="a.yaml")
    assert document.problems == []
    assert document.value == {"a": value}


@given(st.text(max_size=100), st.sampled_from("-_"))
def test_a_slug_is_a_name_or_nothing(text: str, blank: str) -> None:
    assert re.fullmatch(rf"([a-z]([a-z0-9]+|{blank}(?=[a-z0-9]))*)?", hints.slug(text, blank))


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("Hall lamp when 101 rings", "hall-lamp-when-101-rings"),
        ("Türklingel (groß)", "turklingel-gross"),
        ("101", ""),
        ("鈴", ""),
    ],
)
def test_slug(text: str, name: str) -> None:
    assert hints.slug(text, "-") == name


@pytest.mark.parametrize(
    ("part", "value", "hint"),
    [
        pytest.param({"type": "boolean"}, "yes", "write true", id="yes"),
        pytest.param({"type": "boolean"}, "Off", "write false", id="off"),
        pytest.param({"type": "boolean"}, "false", "write false, without quotes", id="quoted"),
        pytest.param({"type": "boolean"}, "maybe", "", id="no word for it"),
        pytest.param({"type": "integer"}, "05", "write 5", id="a leading zero"),
        pytest.param({"type": "number"}, "5", "write 5, without quotes", id="a quoted number"),
        pytest.param({"type": "array"}, "1, b", 'write ["1", b]', id="a list without brackets"),
        pytest.param({"type": "array"}, 5, "write [5]", id="one entry that is no list"),
        pytest.param(
            {"type": "array"}, {"-log": 1}, "write '- log', with a space after the dash",
            id="a dash without its space",
        ),
        pytest.param(
            {"type": "object"}, [{"a": 1}, {"b": 2}], "leave out the '- ' before its keys",
            id="keys in a list",
        ),
        pytest.param(
            {"type": "object", "required": ["topic"]}, "a/b", "write {topic: a/b}",
            id="the one argument by itself",
        ),
        pytest.param(
            {"type": "object", "examples": [{"a": [1, "on"]}]}, 5, 'such as {a: [1, "on"]}',
            id="an example",
        ),
        pytest.param(
            {"type": "object", "examples": [{"a": "x" * 100}]}, 5, "",
            id="an example that is too long",
        ),
        pytest.param(
            {"type": "string", "x-hint": {"null": "leave it out"}}, None, "leave it out",
            id="what the schema says of null",
        ),
        pytest.param(
            {"type": "object", "x-hint": "see there"}, 5, "see there", id="what it says of all"
        ),
        pytest.param(
            {"type": "boolean", "x-secret": True}, "yes", "", id="of a secret nothing is quoted"
        ),
    ],
)  # fmt: skip
def test_what_to_do_about_a_value_of_the_wrong_kind(part: Any, value: Any, hint: str) -> None:
    (mismatch,) = Schema(part).mismatches(value)
    assert mismatch.code == "wrong-type"
    assert mismatch.hint == hint


def test_a_key_that_is_misspelt_is_not_missing_too() -> None:
    part = {
        "title": "a lamp",
        "properties": {"colour": {"examples": ["red"]}, "id": {"x-slug": "-", "x-slug-of": "name"}},
        "x-other-words": {"color": "colour", "hue": "say 'colour', and no number"},
        "required": ["colour", "id"],
        "additionalProperties": False,
    }

    def told(value: Any) -> list[str]:
        return [f"{m.code}: {m.hint}" for m in Schema(part).mismatches(value)]

    assert told({"colur": 1, "id": 1}) == ["unknown-key: did you mean 'colour'?"]
    assert told({"color": 1, "id": 1}) == ["unknown-key: say 'colour'"]
    assert told({"hue": 1, "id": 1}) == [
        "missing-key: such as colour: red",
        "unknown-key: say 'colour', and no number",
    ]
    assert "missing-key: such as id: a-lamp" in told({"colour": 1, "name": "A lamp"})
