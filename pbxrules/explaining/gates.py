"""What is remembered and has a say in whether a rule fires, such as ``cooldown``.

Each is asked by itself, of the engine: it decides on a rule that has this one and nothing
else to keep it from firing.  So all are told, and not only the first, and none of them is
worked out a second time.
"""

from collections.abc import Iterator
from dataclasses import replace

from pbxrules import index
from pbxrules.engine import Arrival, decide
from pbxrules.explaining.nodes import Node
from pbxrules.language import duration_text
from pbxrules.memory import Memory
from pbxrules.model import Miss, Moment, Rule, Trigger
from pbxrules.rules import RuleSet

FOR = "for"
WAITED, BEGINS = "waited for", "begins to wait"


def gates(
    ruleset: RuleSet, memory: Memory, arrival: Arrival, now: Moment, rule: Rule, trigger: Trigger
) -> tuple[Node, ...]:
    """What memory says of *rule*, which *trigger* fits, in the order in which it is looked at."""
    found = []
    for says, passed, probe in _probes(rule, trigger):
        missed = _missed(_only(probe, ruleset), memory, arrival, now)
        told = passed if missed is None else _told(missed, trigger)
        found.append(Node(kind="memory", says=says, holds=missed is None, found=told))
    return tuple(found)


def waits(gate: Node) -> bool:
    """Whether the rule may fire later: a ``for`` has begun."""
    return gate.kind == "memory" and gate.says.startswith(f"{FOR} ") and not gate.holds


def _probes(rule: Rule, trigger: Trigger) -> Iterator[tuple[str, str, Rule]]:
    """For each gate: its words, what is to be said where it is open, and a rule with it alone."""
    # The others stay in their places: by those the engine keeps counts apart.
    plain = replace(trigger, for_s=None, count=None)
    triggers = tuple(plain if one is trigger else one for one in rule.triggers)
    open_ = replace(rule, condition=None, once_per_call=False, cooldown_s=None, mode="parallel")
    count, apart = trigger.count, f" per {', '.join(rule.per)}" if rule.per else ""
    if count is not None:
        says = f"count {count.at_least} {count.of} within {duration_text(count.within_s)}"
        yield says + apart, "reached", open_
    if trigger.for_s is not None:
        yield f"{FOR} {duration_text(trigger.for_s)}", "", open_
    at_once = replace(open_, triggers=triggers)
    if rule.once_per_call:
        yield "once_per call", "not spent", replace(at_once, once_per_call=True)
    if rule.cooldown_s is not None:
        says = f"cooldown {duration_text(rule.cooldown_s)}"
        yield says + apart, "not on", replace(at_once, cooldown_s=rule.cooldown_s)
    if rule.mode == "single":
        yield f"mode single{apart}", "none is on", replace(at_once, mode="single")


def _only(rule: Rule, ruleset: RuleSet) -> RuleSet:
    """A rule set of this rule alone."""
    found = index.build([rule.triggers])
    return replace(ruleset, rules=(rule,), index=found, by_id={rule.id: rule})


def _missed(ruleset: RuleSet, memory: Memory, arrival: Arrival, now: Moment) -> Miss | None:
    decision, _ = decide(ruleset, memory, arrival, now)
    (verdict,) = decision.verdicts
    return None if verdict.matched else verdict.because[0][0]


def _told(miss: Miss, trigger: Trigger) -> str:
    if miss.subject == "count":
        return f"this is number {miss.found}"
    if miss.found == WAITED and trigger.for_s is not None:
        return BEGINS
    return miss.found or miss.subject
