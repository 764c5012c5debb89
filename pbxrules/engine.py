"""Decide what an event starts: pure, and the same for the daemon and for every tool."""

from pbxrules.conditions.fields import value_of
from pbxrules.model import Decision, Event, Trigger, Verdict
from pbxrules.rules import RuleSet


def decide(ruleset: RuleSet, event: Event) -> Decision:
    """Which rules match *event*, and why the other candidates do not.

    Rules are independent of each other: their order changes nothing but the order of the
    verdicts and starts, which is the order of the rules.
    """
    because: dict[int, list[tuple[str, str]]] = {}
    matched: set[int] = set()
    for rule_place, trigger_place in ruleset.index.candidates(event):
        if rule_place in matched:
            continue
        missed = _first_missed(ruleset.rules[rule_place].triggers[trigger_place], event)
        if missed is None:
            matched.add(rule_place)
            because.pop(rule_place, None)
            because[rule_place] = []
        else:
            because.setdefault(rule_place, []).append(missed)
    verdicts = tuple(
        Verdict(rule=ruleset.rules[place].id, matched=place in matched, because=tuple(missed))
        for place, missed in sorted(because.items())
    )
    starts = tuple(ruleset.rules[place] for place in sorted(matched))
    return Decision(verdicts=verdicts, starts=starts)


def _first_missed(trigger: Trigger, event: Event) -> tuple[str, str] | None:
    fields = event.fields
    for test in trigger.tests:
        try:
            value = fields.get(test.field)
            if value is None:
                value = value_of(event, test.field)
            if not test.holds(value):
                return test.field, test.wanted
        except Exception as exc:  # noqa: BLE001 - a defect of one test keeps no other rule from its call
            return test.field, f"a test that does not break: {exc!r}"
    return None


def words(because: tuple[str, str], event: Event) -> str:
    """A miss as a person reads it: ``extension is 102, wanted 101``."""
    field, wanted = because
    value = value_of(event, field)
    if isinstance(value, tuple):
        value = ", ".join(map(str, value))
    return f"{field} is {'absent' if value is None else value}, wanted {wanted}"
