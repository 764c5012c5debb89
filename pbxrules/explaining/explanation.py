"""One event explained: the moment, what was remembered, each rule, and what was decided then."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pbxrules.explaining.gates import FOR, WAITED
from pbxrules.explaining.nodes import Node
from pbxrules.explaining.trees import RuleTree
from pbxrules.misses import words
from pbxrules.model import Event, Run, Verdict

NOT_NOTED = "it was not near, or did not exist"


@dataclass(frozen=True, slots=True, kw_only=True)
class Then:
    """What was decided on a rule as the event came, as it is stored."""

    fired: bool
    waited: bool = False
    """Its ``for`` began to wait, or went on."""
    why: str = NOT_NOTED
    """Why it did not fire; ``""`` if it did."""
    came_of_it: str = ""
    """Of a ``for`` that waited: whether it fired, or what ended it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Remembered:
    """What memory is made of."""

    needed: bool
    """Whether these rules remember anything at all."""
    events: int
    """So many that are kept were taken again, by these rules."""
    since_s: float | None
    """When the first of them came, in seconds since 1970 UTC; before it nothing is known."""
    topics: Mapping[str, str]
    """Names of the state bound to MQTT, whose messages are not kept, and their topics."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Explanation:
    """Why each rule fires for an event, or does not."""

    event: Event
    id: int
    """0: it is none that is stored."""
    at_s: float
    """When it comes, in seconds since 1970 UTC."""
    remembered: Remembered
    trees: Sequence[RuleTree]
    then: Mapping[str, Then] | None = None
    """What was decided as it came, by rule; None where it did not come."""

    def then_of(self, rule: str) -> Then | None:
        """What was decided on a rule; None where the event did not come."""
        return None if self.then is None else self.then.get(rule, Then(fired=False))

    def changed(self, tree: RuleTree) -> bool:
        """Whether today's rules say otherwise than was decided then."""
        then = self.then_of(tree.rule.id)
        return then is not None and (then.fired, then.waited) != (tree.fires, tree.waits)

    def gone(self) -> Iterator[str]:
        """Rules that fired or waited then, and are none today."""
        today = {tree.rule.id for tree in self.trees}
        for rule, then in (self.then or {}).items():
            if rule not in today and (then.fired or then.waited):
                yield rule


def then_of(event: Event, verdicts: Sequence[Verdict], runs: Sequence[Run]) -> dict[str, Then]:
    """What was decided on each rule that the event came near, and what came of it."""
    by_rule = {run.rule: run for run in runs if not run.parent}
    return {verdict.rule: _then(verdict, event, by_rule) for verdict in verdicts}


def _then(verdict: Verdict, event: Event, runs: Mapping[str, Run]) -> Then:
    if verdict.matched:
        return Then(fired=True, why="")
    why = "; ".join(words(misses, event) for misses in verdict.because)
    last = verdict.because[-1][0] if verdict.because else None
    waited = last is not None and last.subject.startswith(f"{FOR} ")
    run = runs.get(verdict.rule)
    begun = last is not None and waited and last.found == WAITED and run is not None
    came_of_it = _came_of(run) if begun and run is not None else ""
    return Then(fired=False, waited=waited, why=why, came_of_it=came_of_it)


def _came_of(run: Run) -> str:
    if run.verb == FOR and not run.ended:
        return "it waits still"
    if run.ended and run.tried and run.tried[-1].verb == FOR:
        return f"then it ended: {run.tried[-1].reason}"
    return "then it fired"


# --- as JSON ---------------------------------------------------------------------------------


def as_json(explanation: Explanation, iso: Callable[[float], str]) -> dict[str, Any]:
    """An explanation as ``pbxrules explain --json`` has it; *iso* makes texts of moments."""
    event, remembered = explanation.event, explanation.remembered
    since = remembered.since_s
    return {
        "id": explanation.id or None,
        "at": iso(explanation.at_s),
        "fields": {**event.fields, "payload": dict(event.payload)},
        "memory": {
            "events": remembered.events,
            "known_from": None if since is None else iso(since),
            "unknown": sorted(remembered.topics),
        },
        "rules": [_tree_json(explanation, tree) for tree in explanation.trees],
        "gone": list(explanation.gone()),
    }


def _tree_json(explanation: Explanation, tree: RuleTree) -> dict[str, Any]:
    rule, then = tree.rule, explanation.then_of(tree.rule.id)
    return {
        "rule": rule.id,
        "file": rule.where.file,
        "line": rule.where.line or None,
        "column": rule.where.column or None,
        "fires": tree.fires,
        "waits": tree.waits,
        "why": tree.why(),
        "held": len(tree.asked) - len(tree.missed),
        "asked": len(tree.asked),
        "trigger": tree.triggers[tree.nearest].says if tree.fits else None,
        "then": None if then is None else _then_json(then),
        "changed": explanation.changed(tree),
        "triggers": [_node_json(node) for node in tree.triggers],
        "conditions": None if tree.condition is None else _node_json(tree.condition),
        "memory": [_node_json(node) for node in tree.gates],
    }


def _then_json(then: Then) -> dict[str, Any]:
    return {
        "fired": then.fired,
        "waited": then.waited,
        "why": then.why,
        "came_of_it": then.came_of_it,
    }


def _node_json(node: Node) -> dict[str, Any]:
    return {
        "says": node.says,
        "holds": node.holds,
        "found": node.found,
        "values": dict(node.values),
        "parts": [_node_json(part) for part in node.parts],
    }
