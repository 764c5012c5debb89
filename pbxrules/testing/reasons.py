"""Why a rule did not fire in a case: in words, the nearest miss first."""

from collections.abc import Iterator

from pbxrules.conditions.fields import value_of
from pbxrules.language import duration_text
from pbxrules.misses import words
from pbxrules.model import Event, Miss, Rule, Trigger
from pbxrules.rules import RuleSet
from pbxrules.testing.trial import Heard, Trial

FEW = 3
"""So many reasons are told."""
OTHER_EVENT = 10
"""Tests that an event of another kind misses the more: nobody meant that one."""
EVENT = "event"

Reason = tuple[int, str]
"""How far it was from firing, and why it did not."""


def why_not(ruleset: RuleSet, rule_id: str, trial: Trial) -> list[str]:
    """The reasons why the rule did not fire, of the nearest misses."""
    rule = ruleset.by_id[rule_id]
    reasons: dict[str, int] = {}
    for far, why in _reasons(rule, trial):
        reasons.setdefault(why, far)
    nearest = sorted(reasons, key=lambda why: reasons[why])
    if nearest and reasons[nearest[0]] < OTHER_EVENT:
        nearest = [why for why in nearest if reasons[why] < OTHER_EVENT]
    return nearest[:FEW] or ["no event came in"]


def _reasons(rule: Rule, trial: Trial) -> Iterator[Reason]:
    for at_s, of_rule, why in trial.missed:
        if of_rule == rule.id:
            yield 0, f"it waited, and at {duration_text(at_s)}: {why}"
    for heard in trial.heard:
        misses = [_missed(trigger, heard.event) for trigger in rule.triggers]
        told = f"{heard.event.kind} at {duration_text(heard.at_s)}"
        if all(misses):
            for missed in misses:
                yield _far(missed), f"{told}: {_joined(missed, heard.event)}"
        else:
            yield from ((0, f"{told}: {why}") for why in _decided(rule, heard))


def _decided(rule: Rule, heard: Heard) -> Iterator[str]:
    """Why the rule did not fire though a trigger of it fits."""
    for verdict in heard.decision.verdicts:
        if verdict.rule == rule.id and not verdict.matched:
            yield from (words(misses, heard.event) for misses in verdict.because)


def _missed(trigger: Trigger, event: Event) -> list[Miss]:
    """The tests of a trigger that *event* does not pass."""
    return [
        Miss(test.field, test.wanted)
        for test in trigger.tests
        if not test.holds(value_of(event, test.field))
    ]


def _far(missed: list[Miss]) -> int:
    other = any(miss.subject == EVENT for miss in missed)
    return len(missed) + (OTHER_EVENT if other else 0)


def _joined(missed: list[Miss], event: Event) -> str:
    return ", and ".join(words((miss,), event) for miss in missed)
