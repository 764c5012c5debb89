"""Random streams of reports, times, outcomes, crashes and reloads: the engine and the reference.

After each thing that happens, all that can be seen of the engine is what the reference, which
is made from the words of the language alone, says of it.  ``PBXRULES_STREAMS=10000`` asks for
so many streams.
"""

import os
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings

from tests.pairs import Pair
from tests.reference import UnclearError
from tests.streams import STATE, STREAMS, rule_sets

EXAMPLES = int(os.environ.get("PBXRULES_STREAMS", "300"))


@pytest.mark.timeout(60 + EXAMPLES)
@settings(
    max_examples=EXAMPLES,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)
@given(rule_sets(), STREAMS)
def test_whatever_happens_the_engine_does_what_the_language_says(
    rules: list[list[dict[str, Any]]], happenings: list[tuple[str, Any]]
) -> None:
    pair = Pair(rules, STATE)
    try:
        for kind, told in happenings:
            pair.happens(kind, told)
        pair.comes_to_an_end()
    except UnclearError:  # no clock could tell: one stream in a hundred
        return
