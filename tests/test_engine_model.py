"""Random streams of reports, times, outcomes, crashes and reloads: the engine and the reference.

After each thing that happens, all that can be seen of the engine is what the reference, which
is made from the words of the language alone, says of it.  ``pytest --streams 10000`` asks for
so many streams.
"""

from typing import Any

import pytest
from hypothesis import HealthCheck, given, reject, settings

from tests.pairs import Pair
from tests.reference import UnclearError
from tests.streams import STREAMS, Happening, rule_sets

ASKED = settings.get_profile("streams")


@pytest.mark.timeout(60 + ASKED.max_examples)
@settings(
    ASKED,
    suppress_health_check=[
        HealthCheck.too_slow,
        HealthCheck.data_too_large,
        HealthCheck.filter_too_much,
    ],
)
@given(rule_sets(), STREAMS)
def test_whatever_happens_the_engine_does_what_the_language_says(
    rules: list[list[dict[str, Any]]], happenings: list[Happening]
) -> None:
    pair = Pair(rules)
    try:
        for kind, told in happenings:
            pair.happens(kind, told)
        pair.comes_to_an_end()
    except UnclearError:
        reject()  # no clock could tell, one stream in a hundred: it is not counted
