"""The tree of all that a rule asks: what holds, what was found, and that it is as decided."""

import re
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings

from pbxrules import engine
from pbxrules.engine import Arrival
from pbxrules.explaining.explanation import then_of
from pbxrules.explaining.nodes import Node
from pbxrules.explaining.trees import RuleTree, explain
from pbxrules.memory import Memory
from pbxrules.model import Decision, Event, Miss, Moment, Tried, Verdict
from pbxrules.rules import RuleSet
from tests import rulesets
from tests.drawn import DrawnDaemon
from tests.rulefiles import NOON_S, event, rule, ruleset
from tests.rulesets import EVENTS, RULES, Written
from tests.stores import run
from tests.streams import STREAMS, Happening, rule_sets

NOW = Moment(boot="b", uptime_s=100.0, wall_s=NOON_S)


def trees(rules: RuleSet, told: Event, *, at: Moment = NOW) -> list[RuleTree]:
    return explain(rules, Memory(), Arrival(event=told, id=1), at)


def tree(text: str, **fields: Any) -> RuleTree:
    """Of the one rule of a file, for a ring with these fields, at noon."""
    (only,) = trees(ruleset(text), event(**fields))
    return only


def lines(node: Node, depth: int = 0) -> list[str]:
    """A node and its parts, each as a line."""
    mark = {True: "+", False: "-", None: "?"}[node.holds]
    told = f"{'  ' * depth}{mark} {node.says}" + (f": {node.found}" if node.found else "")
    return [told, *(line for part in node.parts for line in lines(part, depth + 1))]


# --- It is as decided ------------------------------------------------------------------------


@given(RULES, EVENTS)
def test_a_tree_holds_whenever_the_rule_fires(written: list[list[Written]], told: Event) -> None:
    rules = rulesets.ruleset(written)
    decision, _ = engine.decide(rules, Memory(), Arrival(event=told, id=1), NOW)
    found = trees(rules, told)
    assert {tree.rule.id for tree in found} == {*rules.by_id}
    assert {tree.rule.id for tree in found if tree.fires} == {rule.id for rule in decision.fired}


class _Explained(DrawnDaemon):
    """Explains each event before it is decided, and compares."""

    def report(self, event: Event, call: str = "", *, sure: bool = True) -> Decision:
        told = self._told(event, call, sure=sure) if call else None
        arrival = Arrival(event=event, id=self.events + 1, call=call, sure=sure, told=told)
        found = explain(self.ruleset, self.memory, arrival, self.now)
        decision = super().report(event, call, sure=sure)
        fired = {rule.id for rule in decision.fired}
        assert {tree.rule.id for tree in found if tree.fires} == fired
        waits = {tree.rule.id for tree in found if tree.waits}
        assert waits == {v.rule for v in decision.verdicts if _waits(v)}
        assert all(bool(tree.why()) is not tree.fires for tree in found)
        return decision


def _waits(verdict: Verdict) -> bool:
    return any(miss.subject.startswith("for ") for missed in verdict.because for miss in missed)


@settings(
    suppress_health_check=[
        HealthCheck.too_slow,
        HealthCheck.data_too_large,
        HealthCheck.filter_too_much,
    ],
)
@given(rule_sets(), STREAMS)
def test_whatever_happened_before_a_tree_holds_whenever_the_rule_fires(
    rules: list[list[dict[str, Any]]], happenings: list[Happening]
) -> None:
    daemon = _Explained(rules)
    for kind, told in happenings:
        daemon.happens(kind, told)


# --- What it tells ---------------------------------------------------------------------------


def test_every_test_of_every_trigger_tells_what_it_found() -> None:
    text = rule("[{event: ring, extension: 101, caller: {prefix: +49}}, {id: door, event: bye}]")
    found = tree(text, extension="102", caller="+4930")
    first, second = map(lines, found.triggers)
    assert first == [
        "- 1",
        "  + event ring: ring",
        "  - extension 101: 102",
        "  + caller prefix +49: +4930",
    ]
    assert second == ["- door", "  - event bye: ring"]
    assert (found.fits, found.fires, found.nearest) == (False, False, 0)
    assert found.why() == "extension is 102, wanted 101"


CONDITIONS = """\
groups: {family: [0301, 0302]}
times: {night: {after: 22:30, before: 07:00}}
state: {missed: 3, armed: {mqtt: home/armed}}
rules:
- id: r
  triggers: {id: door, event: ring}
  variables: {lamps: {"101": hall}}
  conditions:
  - time: night
  - not: {caller: {in: family}}
  - or: [{trigger: door}, "{{ call.answered }}"]
  - state: {missed: 3, armed: "true"}
  - "{{ vars.lamps[extension] == 'hall' and now.hour < 13 and payload.x == 'y' }}"
  - "{{ caller < 5 }}"
  actions: [{log: a}]
"""


def test_every_condition_tells_whether_it_holds_and_what_it_found() -> None:
    found = tree(CONDITIONS, extension="101", caller="0301")
    assert found.condition is not None
    told = lines(found.condition)
    assert told[0] == "- and"
    assert told[1:-1] == [
        "  - time night: Tue 12:00",
        "  - not",
        "    + caller in family: 0301",
        "  + or",
        "    + trigger door: door",
        "    - {{ call.answered }}",
        "  - and",
        "    + state.missed 3: 3",
        "    - state.armed true: absent",
        "  - {{ vars.lamps[extension] == 'hall' and now.hour < 13 and payload.x == 'y' }}",
    ]
    assert told[-1].startswith("  ? {{ caller < 5 }}: {{ caller < 5 }} fails: ")


def test_a_template_tells_what_its_names_stand_for() -> None:
    found = tree(CONDITIONS, extension="101", caller="0301").condition
    assert found is not None
    assert found.parts[4].values == {
        "extension": "101",
        "now.hour": 12,
        "payload.x": None,
        "vars.lamps": {"101": "hall"},
    }
    assert found.parts[5].values == {"caller": "0301"}


REMEMBERING = """\
rules:
- id: r
  triggers: {event: ring, %s}
  %s
  conditions: ["{{ caller == '1' }}"]
  actions: [{log: a}, {delay: 5s}]
"""


@pytest.mark.parametrize(
    ("trigger", "keys", "told"),
    [
        pytest.param("count: {at_least: 3, within: 5m, of: reports}", "max: 9",
                     ["- count 3 reports within 5m: this is number 2"], id="a count"),
        pytest.param("count: {at_least: 2, within: 5m, of: reports}", "max: 9",
                     ["+ count 2 reports within 5m: reached"], id="a count that is reached"),
        pytest.param("for: 20s", "max: 9", ["- for 20s: waited for already"], id="a for"),
        pytest.param("caller: 1", "cooldown: 5m", ["- cooldown 5m: on for another 297.0 s"],
                     id="a cooldown"),
        pytest.param("caller: 1", "cooldown: 3s", ["+ cooldown 3s: not on"], id="one that is over"),
        pytest.param("caller: 1", "once_per: call", ["- once_per call: spent by this call"],
                     id="once per call"),
        pytest.param("caller: 1", "mode: single", ["- mode single: on already"], id="a run is on"),
        pytest.param("caller: 1", "{cooldown: 5m, mode: single}",
                     ["- cooldown 5m: on for another 297.0 s", "- mode single: on already"],
                     id="all are told, and not only the first"),
        pytest.param("caller: 1", "{cooldown: 3s, mode: single, per: [caller, call]}",
                     ["+ cooldown 3s per caller, call: not on",
                      "- mode single per caller, call: on already"],
                     id="what keeps them apart is named"),
    ],
)  # fmt: skip
def test_what_memory_says_is_told(trigger: str, keys: str, told: list[str]) -> None:
    keys = re.sub(r", (?=\w+: )", "\n  ", keys.strip("{}"))
    rules = ruleset(REMEMBERING % (trigger, keys))
    ring, memory = event(caller="1", call_id="1.1", extension="101"), Memory()
    first = engine.arrival(rules, memory, ring, 1, NOW)
    memory.apply(engine.decide(rules, memory, first, NOW)[1])
    later = NOW.after(3)
    second = engine.arrival(rules, memory, ring, 2, later)
    (found,) = explain(rules, memory, second, later)
    assert [line for gate in found.gates for line in lines(gate)] == told
    assert found.condition is not None
    assert found.condition.holds, "what stands behind is looked at, too"


def test_a_for_that_begins_to_wait_is_told() -> None:
    found = tree(rule("{event: ring, for: 20s}"))
    assert [line for gate in found.gates for line in lines(gate)] == ["- for 20s: begins to wait"]
    assert (found.waits, found.fires, found.why()) == (True, False, "for 20s is waited for")


def test_the_rules_that_fire_come_first_and_then_the_nearest_misses() -> None:
    texts = {
        "other-event": "{event: bye}",
        "two": "{event: ring, extension: 102, caller: 2}",
        "one": "{event: ring, extension: 102, caller: 1}",
        "fires": "{event: ring, extension: 101}",
        "one-of-three": "{event: ring, extension: 102, caller: 1, direction: inbound}",
        "waits": "{event: ring, for: 5s}",
    }
    listed = "".join(
        f"- id: {name}\n  triggers: {triggers}\n  actions: [{{log: a}}]\n"
        for name, triggers in texts.items()
    )
    told = event(extension="101", caller="1", direction="inbound")
    found = [tree.rule.id for tree in trees(ruleset("rules:\n" + listed), told)]
    assert found == ["fires", "waits", "one-of-three", "one", "two", "other-event"]


def test_a_condition_that_misses_is_nearer_than_a_trigger_that_does_not_fit() -> None:
    text = (
        "rules:\n- {id: a, triggers: {event: ring, extension: 102}, actions: [{log: a}]}\n"
        "- {id: b, triggers: {event: ring}, conditions: [{caller: 2}, {callee: 3}],"
        " actions: [{log: a}]}\n"
    )
    found = trees(ruleset(text), event(extension="101", caller="1"))
    assert [tree.rule.id for tree in found] == ["b", "a"]
    assert found[0].why() == "caller is 1, wanted 2"


def test_only_the_rules_that_are_asked_for_are_explained() -> None:
    rules = ruleset(rule(), rule().replace("id: r", "id: s"))
    arrival = Arrival(event=event(), id=1)
    (found,) = explain(rules, Memory(), arrival, NOW, [rules.by_id["s"]])
    assert found.rule.id == "s"


# --- What was decided then -------------------------------------------------------------------

FOR = Miss("for 20s", found="waited for")


@pytest.mark.parametrize(
    ("verdict", "ran", "told"),
    [
        pytest.param(
            Verdict(rule="rule-1", matched=True), {}, (True, False, "", ""), id="it fired",
        ),
        pytest.param(
            Verdict(rule="rule-1", matched=False, because=((Miss("caller", "1"),),)), None,
            (False, False, "caller is 7, wanted 1", ""), id="it did not",
        ),
        pytest.param(
            Verdict(rule="rule-1", matched=False, because=((FOR,),)),
            {"position": "for", "verb": "for"},
            (False, True, "for 20s is waited for", "it waits still"), id="it waits",
        ),
        pytest.param(
            Verdict(rule="rule-1", matched=False, because=((FOR,),)), {"position": ""},
            (False, True, "for 20s is waited for", "then it fired"), id="it waited, and fired",
        ),
        pytest.param(
            Verdict(rule="rule-1", matched=False, because=((FOR,),)),
            {"position": "", "verb": "for", "tried": (
                Tried(position="for", verb="for", state="dropped", reason="bye", attempts=0),)},
            (False, True, "for 20s is waited for", "then it ended: bye"), id="it waited in vain",
        ),
    ],
)  # fmt: skip
def test_what_was_decided_then(
    verdict: Verdict, ran: dict[str, Any] | None, told: tuple[bool, bool, str, str]
) -> None:
    runs = [] if ran is None else [run(1, **ran)]
    then = then_of(event(caller="7"), [verdict], runs)["rule-1"]
    assert (then.fired, then.waited, then.why, then.came_of_it) == told
