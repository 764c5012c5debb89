"""Test files' values: cases, or everything that is wrong with them."""

from typing import Any

import pytest
import yaml
from hypothesis import example, given
from hypothesis import strategies as st

from tests.caserunning import LANGUAGE, SCHEMA, told

RULE = (
    "state: {n: 0, word: a}\nrules: [{id: r, triggers: any, actions: [{set: {n: 1, word: b}}]}]\n"
)
EXPECT = ", expect: [{rule: r}]"
USUAL = "events: [{event: ring}]" + EXPECT
TEST = f"tests: [{{name: t, {USUAL}}}]"


def wrong(test: str) -> list[str]:
    """The codes and messages about a file with this one test, without its name."""
    problems = told(f"tests:\n- {{name: t, {test}}}\n", RULE)
    return [problem.split(": ", 1)[1] for problem in problems]


def test_a_good_file_has_no_problems() -> None:
    assert told(TEST, RULE) == []


@pytest.mark.parametrize(
    ("text", "said"),
    [
        pytest.param("", "t:1:1: wrong-value: the file is empty (write 'tests:')", id="empty"),
        pytest.param("tests: []", "t:1:8: wrong-value: this list is empty", id="no tests"),
        pytest.param("[]", "t:1:1: wrong-type: a list is not a mapping (write", id="list"),
        pytest.param("tests: [1]", "t:1:9: wrong-type: 1 is not a mapping", id="no map"),
        pytest.param("{}", "t:1:1: missing-key: 'tests' is missing from a test file", id="no key"),
    ],
)  # fmt: skip
def test_what_is_no_test_file(text: str, said: str) -> None:
    assert told(text)[0].startswith(said)


@pytest.mark.parametrize(
    ("test", "said"),
    [
        pytest.param("events: [{event: ring}], expect: [{state: {n: x}}]",
                     "wrong-type: 'n' can't be text (it begins as a number)", id="a state's kind"),
        pytest.param("events: [{event: ring}], expect: [{state: {word: [1]}}]",
                     "wrong-type: 'word' can't be a list (it begins as text)", id="of text"),
        pytest.param("events: [{event: ring}], expect: [{rule: r, times: -1}]",
                     "wrong-value: -1 is less than 0", id="less than nothing"),
        pytest.param("start: 2026-13-01, " + USUAL,
                     "wrong-value: '2026-13-01' is no day and time (such as", id="no month"),
        pytest.param("cases: {a: [1], b: [x], a-b: [1]}, " + USUAL,
                     "wrong-value: 'a-b' is not a name for templates", id="a name"),
        pytest.param("cases: {a: ['{{']}, events: [{at: '{{ a }}', event: ring}]" + EXPECT,
                     "wrong-value: '{{' is no time after the start (with a {{)", id="braces"),
        pytest.param("cases: {a: [[1]]}, events: [{event: '{{ a }}'}]" + EXPECT,
                     "wrong-type: a list is not a text", id="no text once filled in"),
        pytest.param("cases: {a: [x]}, events: [{event: ring, caller: '{{ a - 1 }}'}]" + EXPECT,
                     "wrong-value: a template can't be filled in: ", id="not to be filled in"),
        pytest.param("events: [{event: ring, caller: '{{ caller }}'}]" + EXPECT,
                     "unknown-name: 'caller' is no name that templates know", id="no such case"),
        pytest.param("events: [{event: ring}], expect: [{log: '{{ secret.dutty }}'}]",
                     "unknown-name: 'secret' has no 'dutty' (did you mean 'duty'?)", id="a secret"),
    ],
)  # fmt: skip
def test_a_mistake_is_told(test: str, said: str) -> None:
    assert wrong(test)[0].startswith(said)


def test_more_combinations_than_anybody_meant_are_refused() -> None:
    values = ", ".join(map(str, range(101)))
    test = (
        f"cases: {{a: [{values}], b: [{values}]}}, events: [{{event: ring}}], expect: [{{rule: r}}]"
    )
    assert wrong(test) == [
        "wrong-value: 10,201 combinations are more than 10,000 (make several tests of it)"
    ]


def test_of_several_combinations_with_one_mistake_the_first_is_told() -> None:
    test = "cases: {a: [rang, ring, rang], b: [1, 2]}, events: [{event: '{{ a }}'}]" + EXPECT
    (said,) = wrong(test)
    assert said.startswith("unknown-event: no report is the event 'rang' (with a rang, b 1)")


def test_where_rules_can_not_be_read_nothing_is_said_of_their_names() -> None:
    test = "tests: [{name: t, events: [{event: rang}], expect: [{rule: x}, {state: {y: 1}}]}]"
    (said,) = told(test, known=False)
    assert "unknown-event" in said


LEAVES = st.one_of(
    st.none(), st.booleans(), st.integers(), st.floats(allow_nan=False, allow_infinity=False),
    st.text(max_size=6), st.sampled_from(["ring", "0s", "5m", "r", "{{ a }}", "{{", "down"]),
)  # fmt: skip
KEYS = st.sampled_from(
    ["name", "start", "cases", "state", "answers", "events", "expect", "expect_no", "at", "event",
     "report", "broker", "rule", "mqtt", "shell", "times", "a", "n", "action", "when", "fails"]
)  # fmt: skip
VALUES = st.recursive(
    LEAVES,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=4),
    max_leaves=20,
)


@given(st.lists(st.dictionaries(KEYS, VALUES, max_size=6), min_size=1, max_size=3))
@example([{"name": "t", "events": [{"report": {"action": 1}}], "expect": [{"rule": "r"}]}])
@example([{"name": "t", "cases": {"a": []}, "events": [{"event": "{{ a }}"}], "expect": [{}]}])
def test_whatever_stands_in_a_test_it_is_read_or_told_with_its_place(tests: list[Any]) -> None:
    text = yaml.safe_dump({"tests": tests}, allow_unicode=True, sort_keys=False)
    problems = told(text, RULE)
    assert all(problem.startswith("t:") for problem in problems)
    if not SCHEMA.is_valid({"tests": tests}):
        assert problems
    assert LANGUAGE.verbs
