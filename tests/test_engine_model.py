"""Random streams of reports, times, outcomes, crashes and reloads: the engine and the reference.

After each thing that happens, all that can be seen of the engine is what the reference, which
is made from the words of the language alone, says of it.  ``PBXRULES_STREAMS=10000`` asks for
so many streams.
"""

import os
from typing import Any

import pytest
from hypothesis import HealthCheck, given, reject, settings

from tests.pairs import Pair
from tests.reference import UnclearError
from tests.streams import STATE, STREAMS, rule_sets

ASKED = os.environ.get("PBXRULES_STREAMS")
EXAMPLES = int(ASKED or 200)
DAY_S = 86_400.0


@pytest.mark.timeout(600)
@settings(
    max_examples=EXAMPLES,
    # The same streams each time, so that a change is what fails; chance is asked for by number.
    derandomize=ASKED is None,
    deadline=None,
    suppress_health_check=[
        HealthCheck.too_slow,
        HealthCheck.data_too_large,
        HealthCheck.filter_too_much,
    ],
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
    except UnclearError:
        reject()  # a wall clock set back over a boot: the language does not say what is over
