"""Whether rules remember anything: if not, no past makes a difference to them."""

from collections.abc import Mapping

from pbxrules.model import Rule
from pbxrules.rules import MAX_RUNS, RuleSet


def remembers(ruleset: RuleSet) -> bool:
    """Whether what came before makes a difference to which rules fire for an event."""
    return bool(ruleset.state) or ruleset.about_calls or any(map(_remembers, ruleset.rules))


def _remembers(rule: Rule) -> bool:
    kept = rule.once_per_call or rule.cooldown_s is not None
    lanes = rule.mode != "parallel" or rule.max_runs != MAX_RUNS
    waits = any(trigger.for_s is not None or trigger.count for trigger in rule.triggers)
    return kept or lanes or waits


def topics(ruleset: RuleSet) -> Mapping[str, str]:
    """The names of the state that are bound to MQTT, and their topics: nobody keeps messages."""
    return {
        name: declared.topic
        for name, declared in ruleset.state.items()
        if declared.topic is not None
    }
