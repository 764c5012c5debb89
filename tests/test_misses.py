"""Misses in words: what a test found, and what it wanted."""

from typing import Any

import pytest

from pbxrules.misses import words
from pbxrules.model import Event, Miss
from tests.rulefiles import decided, event, rule, ruleset


@pytest.mark.parametrize(
    ("miss", "fields", "expected"),
    [
        pytest.param(
            Miss("extension", "101"),
            {"extension": "102"},
            "extension is 102, wanted 101",
            id="a text",
        ),
        pytest.param(
            Miss("trunk", "one of t, u"), {}, "trunk is absent, wanted one of t, u", id="absent"
        ),
        pytest.param(
            Miss("extensions", "7"),
            {"extensions": ("1", "2")},
            "extensions is 1, 2, wanted 7",
            id="a list",
        ),
        pytest.param(
            Miss("duration", "10"), {"duration": 0}, "duration is 0, wanted 10", id="zero"
        ),
        pytest.param(
            Miss("caller", ""), {"caller": "7"}, "caller is 7, wanted ", id="an empty text wanted"
        ),
        pytest.param(
            Miss("time", "night", "Tue 14:05"),
            {},
            "time is Tue 14:05, wanted night",
            id="what the event does not tell",
        ),
        pytest.param(
            Miss("{{ callee }}", found="false"), {}, "{{ callee }} is false", id="a template"
        ),
        pytest.param(Miss("it breaks"), {}, "it breaks", id="a sentence"),
    ],
)
def test_a_miss_in_words(miss: Miss, fields: dict[str, Any], expected: str) -> None:
    assert words((miss,), event(**fields)) == expected


def test_misses_of_which_one_would_do_in_words() -> None:
    misses = (Miss("trunk", "t"), Miss("caller", "in family"))
    assert words(misses, event(trunk="u")) == (
        "one of these would do: trunk is u, wanted t; caller is absent, wanted in family"
    )


def test_a_miss_of_the_payload_shows_what_was_sent() -> None:
    rules = ruleset(rule("{event: ring, payload.sn: 5}"))
    told = Event(fields=event().fields, payload={"sn": "7"})
    (verdict,) = decided(rules, told).verdicts
    (misses,) = verdict.because
    assert words(misses, told) == "payload.sn is 7, wanted 5"
