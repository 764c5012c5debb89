"""What is written as YAML is read back as what it was, by us and by PyYAML."""

import math
from typing import Any

import pytest
import yaml
from hypothesis import example, given
from hypothesis import strategies as st

from pbxrules.yamlsource import read
from pbxrules.yamltext import flow, is_written, scalar

TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=30) | st.from_regex(
    r"[ -~]{0,20}", fullmatch=True
)
NUMBERS = st.integers(-(10**9), 10**9) | st.sampled_from([0.5, -1.25, 3.0])
VALUES = st.recursive(
    TEXTS | NUMBERS | st.booleans() | st.none(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXTS, inner, max_size=3),
    max_leaves=8,
)


@given(VALUES)
def test_a_value_is_read_back_as_it_was(value: Any) -> None:
    written = f"a: {flow(value)}\nb: [{flow(value)}]\n"
    document = read(written, file="a.yaml")
    assert document.problems == []
    assert document.value == {"a": value, "b": [value]}
    assert "\n" not in flow(value)


@given(TEXTS)
@example("\ufffd")
@example("- a")
@example("--room")
@example("a: b # c")
@example("#31#")
@example("*101#")
@example("{{ caller }}")
@example("7" * 400)
def test_a_text_of_a_field_is_read_back_with_its_digits_as_written(text: str) -> None:
    document = read(f"{{a: {scalar(text, of_field=True)}}}", file="a.yaml")
    assert document.problems == []
    assert document.written(("a",)) == text


@given(TEXTS)
def test_others_read_the_same(text: str) -> None:
    """As an editor or Home Assistant would: no text becomes a number, a date or a truth."""
    assert yaml.safe_load(f"[{scalar(text)}]") == [text]


@pytest.mark.parametrize(
    ("text", "written"),
    [
        pytest.param("home/hall/lamp/set", "home/hall/lamp/set", id="a topic"),
        pytest.param("to-18-16-2", "to-18-16-2", id="a trunk"),
        pytest.param("it rings", "it rings", id="words"),
        pytest.param("Küche", "Küche", id="letters of other languages"),
        pytest.param("--room", "--room", id="an option"),
        pytest.param("ON", '"ON"', id="what YAML 1.1 takes for a truth"),
        pytest.param("0101", '"0101"', id="digits"),
        pytest.param("12:30", '"12:30"', id="what YAML 1.1 takes for a number"),
        pytest.param("{{ caller }}", '"{{ caller }}"', id="a template"),
        pytest.param('say "hi"', "'say \"hi\"'", id="double quotes"),
        pytest.param("it's", '"it\'s"', id="a single one"),
        pytest.param("a\nb", '"a\\nb"', id="a line end"),
        pytest.param("a\u200bb", '"a\\u200Bb"', id="unseen"),
        pytest.param("\U000e0001", '"\\U000E0001"', id="unseen, and far off"),
        pytest.param("", '""', id="nothing"),
    ],
)
def test_a_text_has_the_quotes_that_it_needs(text: str, written: str) -> None:
    assert scalar(text) == written


@pytest.mark.parametrize(
    ("text", "written"),
    [
        pytest.param("101", "101", id="an extension"),
        pytest.param("0112", "0112", id="with a leading zero"),
        pytest.param("+4930", "+4930", id="with a plus"),
        pytest.param("*97", '"*97"', id="with a star"),
        pytest.param("1.5", '"1.5"', id="with a point"),
    ],
)
def test_a_number_of_a_field_needs_none(text: str, written: str) -> None:
    assert scalar(text, of_field=True) == written


def test_maps_and_lists_are_on_one_line() -> None:
    value = {"topic": "a/b", "payload": {"state": "ON", "n": [1, None, True]}}
    assert flow(value) == '{topic: a/b, payload: {state: "ON", "n": [1, null, true]}}'


@pytest.mark.parametrize("value", [math.nan, math.inf, 1e300, [1e-9], {"a": 1e30}])
def test_some_numbers_no_rule_file_can_say(value: Any) -> None:
    assert not is_written(value)
