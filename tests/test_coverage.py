"""Which rules fired, and which of their branches were taken."""

import pytest

from pbxrules.testing.coverage import percent
from pbxrules.testing.running import results
from tests.caserunning import folder


def lacking(actions: str, *events: str, more: str = "", answers: str = "") -> set[str]:
    """What was never taken of a rule with these actions, once these events came."""
    rule = f"rules:\n- id: r\n  triggers: {{event: ring}}\n  actions: {actions}\n{more}"
    test = "tests:\n" + "".join(
        f"- {{name: t{n}, {answers} events: [{event}], expect: [{{rule: r}}]}}\n"
        for n, event in enumerate(events)
    )
    made = folder(rule, test)
    assert all(result.passed for result in results(made))
    return {branch.lacking for branch in made.coverage.never_taken}


RING, OTHER = "{event: ring, caller: 1, call_id: '1.1'}", "{event: ring, caller: 2}"
BYE = "{at: 5s, event: bye, call_id: '1.1'}"
IF = "[{if: {caller: 1}, then: [{log: hi}]}]"
CHOOSE = "[{choose: [{when: {caller: 1}, do: [{log: a}]}, {when: {caller: 3}, do: [{log: b}]}]}]"
WHILE = "[{repeat: {while: {caller: 1}, count: 2, do: [{log: hi}]}}]"
UNTIL = "[{repeat: {until: {caller: 1}, count: 2, do: [{log: hi}]}}]"
WAIT = "[{log: a}, {wait_for: {event: bye}}]"
LATER = "[{delay: 10s}, {wait_for: {event: bye}}]"


@pytest.mark.parametrize(
    ("actions", "events", "expected"),
    [
        pytest.param("[{log: hi}]", [RING], set(), id="nothing branches"),
        pytest.param(IF, [RING], {"its 'if' always held"}, id="only then"),
        pytest.param(IF, [OTHER], {"its 'if' never held"}, id="only else"),
        pytest.param(IF, [RING, OTHER], set(), id="both, in two tests"),
        pytest.param(
            CHOOSE, [RING],
            {"branch 2 of its 'choose' never held", "one branch of its 'choose' always held"},
            id="the first branch",
        ),
        pytest.param(
            CHOOSE, [RING, OTHER], {"branch 2 of its 'choose' never held"}, id="and the default"
        ),
        pytest.param(WHILE, [OTHER], {"its 'repeat' never had a round"}, id="no round"),
        pytest.param(WHILE, [RING], set(), id="rounds"),
        pytest.param(UNTIL, [RING], {"its 'repeat' never had a second round"}, id="one round"),
        pytest.param(UNTIL, [OTHER], set(), id="two rounds"),
        pytest.param(WAIT, [RING], {"what its 'wait_for' waits for never came"}, id="in vain"),
        pytest.param(
            WAIT, [f"{RING}, {BYE}"], {"its 'wait_for' was never over without that"}, id="it came"
        ),
        pytest.param(
            LATER, [f"{RING}, {BYE}"], {"its 'wait_for' was never over without that"},
            id="it came before the run got there",
        ),
        pytest.param(LATER, [f"{RING}, {BYE}", RING], set(), id="both ways"),
    ],
)  # fmt: skip
def test_what_was_never_taken(actions: str, events: list[str], expected: set[str]) -> None:
    assert lacking(actions, *events) == expected


def test_a_finally_is_reached_only_by_a_run_that_began_an_action() -> None:
    more = "  finally: [{log: off}]\n"
    assert lacking("[{log: hi}]", RING, more=more) == set()
    assert lacking("[{delay: 1s}]", RING, more=more) == {"'finally' was never reached"}


def test_branches_inside_branches_count_by_themselves() -> None:
    actions = f"[{{if: {{caller: 1}}, then: {IF}}}]"
    assert lacking(actions, RING, OTHER) == {"its 'if' always held"}


def test_the_percentage_is_of_rules_and_branches_together() -> None:
    rule = f"rules:\n- {{id: r, triggers: {{event: ring}}, actions: {IF}}}\n"
    rule += f"- {{id: s, triggers: {{event: bye}}, actions: {IF}}}\n"
    made = folder(rule, f"tests: [{{name: t, events: [{RING}], expect: [{{rule: r}}]}}]")
    assert percent({"a": made.coverage}) == 0.0
    assert all(result.passed for result in results(made))
    assert percent({"a": made.coverage}) == pytest.approx(100 * 2 / 6)
    assert [rule.id for rule in made.coverage.never_fired] == ["s"]
    assert [(one.rule, one.path) for one in made.coverage.never_taken] == [("r", "actions/0")]
    assert percent({}) == 100.0
