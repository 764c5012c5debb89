"""Whatever number is written without quotes, it is that text in the event test."""

from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.rulefiles import event, fired, ruleset

# YAML takes '*' and '#' inside a text for themselves; at its beginning they are told to be
# quoted (tests/data/rules/bad).
NUMBERS = st.from_regex(r"[0-9+][0-9+*#]{0,30}", fullmatch=True) | st.from_regex(
    r"0{0,3}[0-9]{1,20}(\.[0-9]{1,3})?", fullmatch=True
)
HEAD = "rules:\n- id: r\n  actions: [{log: hi}]\n"
PLACES: list[Any] = [
    pytest.param(lambda n: f"  triggers: {{extension: {n}}}\n", id="in braces"),
    pytest.param(lambda n: f"  triggers: {{event: ring,extension: {n} }}\n", id="before a blank"),
    pytest.param(lambda n: f"  triggers:\n    extension: {n}\n", id="in a line of its own"),
    pytest.param(lambda n: f"  triggers:\n    extension: {n} # a note\n", id="before a comment"),
    pytest.param(lambda n: f"  triggers: {{extension: [7777,{n}]}}\n", id="in a list"),
    pytest.param(lambda n: f"  triggers:\n  - extension:\n    - {n}\n", id="in a list of lines"),
    pytest.param(lambda n: f"  triggers: {{extension: {{in: [{n}]}}}}\n", id="behind in"),
    pytest.param(
        lambda n: f"  triggers: {{extension: {{not: {{not: {n}}}}}}}\n", id="behind not"
    ),
    pytest.param(
        lambda n: f"  triggers: {{extension: {{in: g}}}}\ngroups: {{g: [{n}]}}\n", id="in a group"
    ),
    pytest.param(
        lambda n: f"  triggers: {{extension: {{in: g}}}}\ngroups:\n  g:\n  - {n}\n",
        id="in a group of lines",
    ),
    pytest.param(
        lambda n: f"  triggers: any\n  conditions: {{extension: {n}}}\n", id="in a condition"
    ),
]  # fmt: skip


@pytest.mark.parametrize("written", PLACES)
@given(number=NUMBERS)
def test_a_number_is_the_text_that_was_written(written: Callable[[str], str], number: str) -> None:
    rules = ruleset(HEAD + written(number))

    def fires(extension: str) -> bool:
        return bool(fired(rules, event(extension=extension)))

    assert fires(number)
    # What YAML 1.1 would have made of it: octal, without the plus, a float's own digits.
    digits = number.lstrip("+0")
    others = {digits or "+", f"0{number}", f"+{number}", number[:-1], number.rstrip("0")}
    for other in others - {number, ""}:
        assert not fires(other)
