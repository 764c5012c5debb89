"""Decide what an event starts: pure, and the same for the daemon and for every tool."""

from pbxrules.conditions.fields import value_of
from pbxrules.model import Condition, Decision, Event, Facts, Miss, Start, Trigger, Verdict
from pbxrules.rules import RuleSet

SHOWN = 200
"""Characters of an exception that the words of a miss tell."""


def decide(ruleset: RuleSet, event: Event, wall_s: float) -> Decision:
    """Which rules fire for *event*, and why the other candidates do not.

    Rules are independent of each other: their order changes nothing but the order of the
    verdicts and starts, which is the order of the rules.

    Args:
        ruleset: All rules.
        event: What a report tells.
        wall_s: The moment of firing, in seconds since 1970 UTC, as conditions see it.
    """
    because: dict[int, list[tuple[Miss, ...]]] = {}
    fits: dict[int, str] = {}
    for rule_place, trigger_place in ruleset.index.candidates(event):
        if rule_place in fits:
            continue
        rule = ruleset.rules[rule_place]
        trigger = rule.triggers[trigger_place]
        missed = _first_missed(trigger, event)
        if missed is not None:
            because.setdefault(rule_place, []).append((missed,))
            continue
        fits[rule_place] = trigger.id
        because[rule_place] = []
        if rule.condition is not None:
            lacking = _lacking(rule.condition, event, wall_s, trigger.id)
            because[rule_place] = [lacking] if lacking else []
    verdicts = tuple(
        Verdict(rule=ruleset.rules[place].id, matched=not missed, because=tuple(missed))
        for place, missed in sorted(because.items())
    )
    starts = tuple(
        Start(rule=ruleset.rules[place], trigger=fits[place])
        for place in sorted(fits)
        if not because[place]
    )
    return Decision(verdicts=verdicts, starts=starts)


def _first_missed(trigger: Trigger, event: Event) -> Miss | None:
    for test in trigger.tests:
        try:
            if not test.holds(value_of(event, test.field)):
                return Miss(test.field, test.wanted)
        except Exception as exc:  # noqa: BLE001 - a defect of one test keeps no other rule from its call
            return _broken(test.field, exc)
    return None


def _lacking(condition: Condition, event: Event, wall_s: float, trigger: str) -> tuple[Miss, ...]:
    """What *condition* misses."""
    try:
        return condition.misses(Facts(event=event, wall_s=wall_s, trigger=trigger), wanted=True)
    except Exception as exc:  # noqa: BLE001 - as of a test: such a rule does not fire, and harms none
        return (_broken("a condition", exc),)


def _broken(what: str, exc: Exception) -> Miss:
    return Miss(f"{what} breaks: {exc!r}"[:SHOWN])


def words(misses: tuple[Miss, ...], event: Event) -> str:
    """Misses as a person reads them: ``extension is 102, wanted 101``."""
    told = [_words(miss, event) for miss in misses]
    return told[0] if len(told) == 1 else f"one of these would do: {'; '.join(told)}"


def _words(miss: Miss, event: Event) -> str:
    if miss.wanted is None and miss.found is None:
        return miss.subject
    found = _found(miss.subject, event) if miss.found is None else miss.found
    wanted = "" if miss.wanted is None else f", wanted {miss.wanted}"
    return f"{miss.subject} is {found}{wanted}"


def _found(field: str, event: Event) -> str:
    value = value_of(event, field)
    if isinstance(value, tuple):
        return ", ".join(map(str, value))
    return "absent" if value is None else str(value)
