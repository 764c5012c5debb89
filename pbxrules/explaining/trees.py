"""All rules beside one event: those that fire, then the nearest misses."""

from collections.abc import Sequence
from dataclasses import dataclass

from pbxrules.engine import Arrival, decide
from pbxrules.explaining.gates import gates, waits
from pbxrules.explaining.nodes import Node, of_condition, of_trigger
from pbxrules.memory import Draft, Memory
from pbxrules.misses import words
from pbxrules.model import Event, Facts, Miss, Moment, Rule, Verdict
from pbxrules.rules import RuleSet
from pbxrules.walking import names_of

EVENT = "event"
OTHER_EVENT = 10
"""Tests that an event of another kind misses the more: nobody meant that one."""
LONG = 200
"""Characters of a reason."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RuleTree:
    """All that a rule asks, of an event and of the moment, and what came of it."""

    rule: Rule
    event: Event
    triggers: tuple[Node, ...]
    nearest: int
    """The place of the first trigger that fits, else of that which misses the least."""
    condition: Node | None
    """As it is with that trigger."""
    gates: tuple[Node, ...]
    """What memory says; only where a trigger fits."""
    verdict: Verdict | None
    """The engine's; None: the event is nothing to any of its triggers."""

    @property
    def fits(self) -> bool:
        """Whether the event fits a trigger."""
        return self.triggers[self.nearest].holds is True

    @property
    def fires(self) -> bool:
        """Whether all that it asks is so."""
        condition = self.condition is None or self.condition.holds is True
        return self.fits and condition and all(gate.holds for gate in self.gates)

    @property
    def waits(self) -> bool:
        """Whether it may fire later: the event began its ``for``, or goes on with it."""
        return any(map(waits, self.gates))

    @property
    def asked(self) -> tuple[Node, ...]:
        """What is counted: the nearest trigger's tests, the conditions, and what memory says."""
        of_conditions: tuple[Node, ...] = ()
        if self.condition is not None:
            listed = self.condition.says == "and"
            of_conditions = self.condition.parts if listed else (self.condition,)
        return (*self.triggers[self.nearest].parts, *of_conditions, *self.gates)

    @property
    def missed(self) -> tuple[Node, ...]:
        """What of it is not so."""
        return tuple(node for node in self.asked if node.holds is not True)

    @property
    def of_other_event(self) -> bool:
        """Whether it is about another kind of event."""
        return _other_event(self.triggers[self.nearest])

    def why(self) -> str:
        """Why it does not fire, in words; ``""`` if it does."""
        if self.fires:
            return ""
        if self.fits and self.verdict is not None:
            return words(self.verdict.because[0], self.event)
        return _not_fitting(self.triggers[self.nearest], self.event)


def why_not_near(rule: Rule, event: Event) -> str:
    """Why an event fits no trigger of *rule*, in words: what the nearest one misses."""
    return _not_fitting(min((of_trigger(one, event) for one in rule.triggers), key=_far), event)


def _not_fitting(trigger: Node, event: Event) -> str:
    missed = (test for test in trigger.parts if test.holds is not True)
    return ", and ".join(_why(test, event) for test in missed)


def _why(test: Node, event: Event) -> str:
    if test.holds is None:
        return f"{test.subject} {test.found}"[:LONG]
    wanted = test.says.removeprefix(f"{test.subject} ")
    return words((Miss(test.subject, wanted),), event)


def explain(
    ruleset: RuleSet, memory: Memory, arrival: Arrival, now: Moment, rules: Sequence[Rule] = ()
) -> list[RuleTree]:
    """The tree of each rule: first those that fire, then the nearest misses.

    Args:
        ruleset: All rules.
        memory: What was remembered when the event came; it is not changed.
        arrival: The event.
        now: When it came.
        rules: Only these; else all.
    """
    decision, _ = decide(ruleset, memory, arrival, now)
    verdicts = {verdict.rule: verdict for verdict in decision.verdicts}
    around = _Around(ruleset, memory, arrival, now)
    trees = [around.tree(rule, verdicts.get(rule.id)) for rule in rules or ruleset.rules]
    return sorted(trees, key=_distance)


def _distance(tree: RuleTree) -> tuple[bool, bool, bool, int, int]:
    far = len(tree.missed) + OTHER_EVENT * tree.of_other_event
    return not tree.fires, not tree.waits, not tree.fits, far, len(tree.missed) - len(tree.asked)


class _Around:
    """An event, the moment, and what is remembered then."""

    def __init__(self, ruleset: RuleSet, memory: Memory, arrival: Arrival, now: Moment) -> None:
        self._ruleset = ruleset
        self._memory = memory
        self._arrival = arrival
        self._now = now
        known = Draft(memory, now, arrival.told).call(arrival.call)
        self._names = names_of(known, arrival.event, memory.state(ruleset.state))

    def tree(self, rule: Rule, verdict: Verdict | None) -> RuleTree:
        """The tree of *rule*, on which the engine gave that verdict."""
        event = self._arrival.event
        triggers = tuple(of_trigger(trigger, event) for trigger in rule.triggers)
        nearest = min(range(len(triggers)), key=lambda place: _far(triggers[place]))
        trigger = rule.triggers[nearest]
        fits = triggers[nearest].holds
        facts = Facts(event=event, wall_s=self._now.wall_s, trigger=trigger.id, names=self._names)
        given = (self._ruleset, self._memory, self._arrival, self._now)
        return RuleTree(
            rule=rule,
            event=event,
            triggers=triggers,
            nearest=nearest,
            condition=None if rule.condition is None else of_condition(rule.condition, facts),
            gates=gates(*given, rule, trigger) if fits else (),
            verdict=verdict,
        )


def _far(trigger: Node) -> int:
    """How much a trigger misses: nothing, if it fits."""
    missed = sum(part.holds is not True for part in trigger.parts)
    return missed + OTHER_EVENT * _other_event(trigger)


def _other_event(trigger: Node) -> bool:
    return any(part.subject == EVENT and not part.holds for part in trigger.parts)
