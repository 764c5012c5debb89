"""Programs: what each kind of step becomes, and what is said of each mistake in one."""

# Over 300 lines, most of them tables: one row for each kind of step, and for each mistake.

import json
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import pbxrules
from pbxrules import programs
from pbxrules.model import (
    Choose,
    Deed,
    Delay,
    Facts,
    If,
    Node,
    Parallel,
    Program,
    Repeat,
    Set,
    StateDecl,
    Step,
    Stop,
    WaitFor,
)
from pbxrules.steps.reading import DEEPEST
from pbxrules.steps.sources import MOST
from pbxrules.template import RuleVars, Scope
from pbxrules.yamlsource import MAX_DEPTH
from tests.rulefiles import (
    LANGUAGE,
    NOON_S,
    codes_in,
    event,
    filled,
    program,
    rule,
    ruleset,
    source_of,
    steps,
)
from tests.rulefiles import told as problems

FILE = """\
groups: {family: ["+4930", 0171]}
times: {night: {after: 22:30, before: 07:00}}
state: {missed: 0, door: shut, open: false, last: [], armed: {mqtt: home/armed}}
scripts:
  blink: [{mqtt: {topic: "{{ vars.lamp }}/set"}}, {delay: 1s}]
  ask: [{shell: [ask], register: answer}, {log: "{{ answer.stdout }} {{ vars.site }}"}]
  any: [{log: "{{ vars[extension] }}"}]
"""


def made(actions: str, last: str = "") -> Program:
    """The program of a rule with these actions, in a folder where something is declared."""
    (only,) = ruleset(FILE, written(actions, last)).rules
    return only.program


def written(actions: str, last: str = "") -> str:
    """A file with one rule: its actions in line 4, its ``finally`` in line 5."""
    return rule(actions=actions) + (f"  finally: {last}\n" if last else "")


def again(of: Program) -> Program:
    """The program made from what a run keeps of it, where other rules are in force."""
    return programs.program(source_of(of), LANGUAGE)


# --- What a step becomes --------------------------------------------------------------------


def told(of: Program) -> list[str]:
    """A line for each node: its path, its deed, what is behind it, and what it stands in."""
    return [line(node) for node in of.nodes.values()]


def line(node: Node) -> str:
    behind = f" > {node.after}" if node.after else ""
    around = f" ^ {node.owner}" if node.owner else ""
    return f"{node.path}: {words(node.deed)}{behind}{around}"


def words(deed: Deed) -> str:
    match deed:
        case Step():
            text = deed.verb
        case Delay():
            text = f"delay {deed.seconds:g}"
        case WaitFor():
            tests = ", ".join(f"{test.field} {test.wanted}" for test in deed.tests)
            end = "stops" if deed.stops else "goes on"
            text = f"wait_for {tests}, {deed.timeout_s:g} s, {end}, same {'+'.join(deed.same)}"
        case If():
            text = f"if {deed.condition.says}: {deed.then or '-'} else {deed.otherwise or '-'}"
        case Choose():
            branches = ", ".join(f"{one.says}: {path}" for one, path in deed.branches)
            text = f"choose {branches or '-'} else {deed.default or '-'}"
        case Repeat():
            before = f" while {deed.before.says}" if deed.before else ""
            after = f" until {deed.after.says}" if deed.after else ""
            text = f"repeat {deed.count or '-'}{before}{after}: {deed.body}"
        case Parallel():
            text = f"parallel {' '.join(deed.branches)}"
        case Stop():
            text = "stop"
        case Set():
            text = f"set {' '.join(deed.values)}"
    return text


BECOMES = [
    ("[{log: a}]", ["actions/0: log"], "one action"),
    (
        "[{log: a}, {shell: [b]}, {delay: 500ms}]",
        [
            "actions/0: log > actions/1",
            "actions/1: shell > actions/2",
            "actions/2: delay 0.5",
        ],
        "one behind the other",
    ),
    (
        "[{wait_for: {event: [answer, bye]}}]",
        ["actions/0: wait_for event one of answer, bye, 3600 s, goes on, same call"],
        "a wait for this call, an hour at most",
    ),
    (
        "[{wait_for: {event: ring, caller: 0200}, timeout: 3m, else: stop, same: none}]",
        ["actions/0: wait_for event ring, caller 0200, 180 s, stops, same "],
        "a wait for any event",
    ),
    (
        (
            "[{wait_for: {trunk: {in: family}}, same: [caller, payload.x]}, "
            "{wait_for: {trunk: t}, same: trunk}, {wait_for: {trunk: t}, same: [call]}]"
        ),
        [
            (
                "actions/0: wait_for trunk in family, 3600 s, goes on, same caller+payload.x"
                " > actions/1"
            ),
            "actions/1: wait_for trunk t, 3600 s, goes on, same trunk > actions/2",
            "actions/2: wait_for trunk t, 3600 s, goes on, same call",
        ],
        "waits for events that share something",
    ),
    (
        "[{if: {time: night}, then: [{log: a}, {log: b}]}, {log: c}]",
        [
            "actions/0: if time night: actions/0/then/0 else - > actions/1",
            "actions/0/then/0: log > actions/0/then/1 ^ actions/0",
            "actions/0/then/1: log ^ actions/0",
            "actions/1: log",
        ],
        "one way, and what is behind both",
    ),
    (
        '[{if: [{caller: 0101}, "{{ true }}"], then: [{log: a}], else: [{log: b}]}]',
        [
            "actions/0: if and: actions/0/then/0 else actions/0/else/0",
            "actions/0/then/0: log ^ actions/0",
            "actions/0/else/0: log ^ actions/0",
        ],
        "one way or the other, by conditions that must all hold",
    ),
    (
        (
            "[{choose: [{when: {caller: 1}, do: [{log: a}]}, {when: {state: {door: shut}}, do: "
            "[{log: b}, {log: c}]}], default: [{log: d}]}]"
        ),
        [
            (
                "actions/0: choose caller 1: actions/0/choose/0/do/0,"
                " state.door shut: actions/0/choose/1/do/0 else actions/0/default/0"
            ),
            "actions/0/choose/0/do/0: log ^ actions/0",
            "actions/0/choose/1/do/0: log > actions/0/choose/1/do/1 ^ actions/0",
            "actions/0/choose/1/do/1: log ^ actions/0",
            "actions/0/default/0: log ^ actions/0",
        ],
        "one way of many",
    ),
    (
        "[{choose: [{when: {caller: 1}, do: [{log: a}]}]}]",
        [
            "actions/0: choose caller 1: actions/0/choose/0/do/0 else -",
            "actions/0/choose/0/do/0: log ^ actions/0",
        ],
        "no way where none fits",
    ),
    (
        "[{repeat: {count: 3, do: [{log: a}, {delay: 1s}]}}]",
        [
            "actions/0: repeat 3: actions/0/repeat/do/0",
            "actions/0/repeat/do/0: log > actions/0/repeat/do/1 ^ actions/0",
            "actions/0/repeat/do/1: delay 1 ^ actions/0",
        ],
        "so often",
    ),
    (
        (
            "[{repeat: {while: {state: {door: 5}}, do: [{delay: 1s}]}}, "
            "{repeat: {count: 9, until: '{{ state.missed > 3 }}', do: [{delay: 1s}]}}]"
        ),
        [
            "actions/0: repeat - while state.door 5: actions/0/repeat/do/0 > actions/1",
            "actions/0/repeat/do/0: delay 1 ^ actions/0",
            "actions/1: repeat 9 until {{ state.missed > 3 }}: actions/1/repeat/do/0",
            "actions/1/repeat/do/0: delay 1 ^ actions/1",
        ],
        "as long as, or until",
    ),
    (
        "[{parallel: [{log: a}, {shell: [b]}], continue_on_error: true}, {stop: why}]",
        [
            "actions/0: parallel actions/0/parallel/0 actions/0/parallel/1 > actions/1",
            "actions/0/parallel/0: log ^ actions/0",
            "actions/0/parallel/1: shell ^ actions/0",
            "actions/1: stop",
        ],
        "side by side: none is behind another",
    ),
    (
        "[{set: {missed: 5, door: '{{ caller }}', open: true, last: [1]}}]",
        ["actions/0: set missed door open last"],
        "values of every kind",
    ),
    (
        "[{log: a}, {script: {name: blink, with: {lamp: hall}}}, {log: b}]",
        [
            "actions/0: log > actions/1",
            "actions/1: choose - else actions/1/script/0 > actions/2",
            "actions/1/script/0: mqtt > actions/1/script/1 ^ actions/1",
            "actions/1/script/1: delay 1 ^ actions/1",
            "actions/2: log",
        ],
        "a script is put in, as a list by itself",
    ),
    (
        (
            "[{if: {caller: 1}, then: [{repeat: {count: 2, do: [{choose: [{when: {caller: 2}, "
            "do: [{script: {name: blink, with: {lamp: a}}}]}]}]}}]}]"
        ),
        [
            "actions/0: if caller 1: actions/0/then/0 else -",
            "actions/0/then/0: repeat 2: actions/0/then/0/repeat/do/0 ^ actions/0",
            (
                "actions/0/then/0/repeat/do/0: choose caller 2:"
                " actions/0/then/0/repeat/do/0/choose/0/do/0 else - ^ actions/0/then/0"
            ),
            (
                "actions/0/then/0/repeat/do/0/choose/0/do/0: choose - else"
                " actions/0/then/0/repeat/do/0/choose/0/do/0/script/0"
                " ^ actions/0/then/0/repeat/do/0"
            ),
            (
                "actions/0/then/0/repeat/do/0/choose/0/do/0/script/0: mqtt >"
                " actions/0/then/0/repeat/do/0/choose/0/do/0/script/1"
                " ^ actions/0/then/0/repeat/do/0/choose/0/do/0"
            ),
            (
                "actions/0/then/0/repeat/do/0/choose/0/do/0/script/1: delay 1"
                " ^ actions/0/then/0/repeat/do/0/choose/0/do/0"
            ),
        ],
        "steps in steps in steps",
    ),
]


@pytest.mark.parametrize(
    ("actions", "expected"), [pytest.param(*row, id=sentence) for *row, sentence in BECOMES]
)
def test_what_a_step_becomes(actions: str, expected: list[str]) -> None:
    assert told(made(actions)) == expected
    assert told(again(made(actions))) == expected


def test_what_is_done_last_becomes_nodes_of_their_own() -> None:
    last = "[{log: a}, {if: \"{{ outcome == 'done' }}\", then: [{set: {missed: 1}}]}]"
    assert told(made("[{log: a}]", last)) == [
        "actions/0: log",
        "finally/0: log > finally/1",
        "finally/1: if {{ outcome == 'done' }}: finally/1/then/0 else -",
        "finally/1/then/0: set missed ^ finally/1",
    ]


def test_an_action_of_finally_goes_on_after_a_failure_and_is_tried_for_an_hour() -> None:
    last = (
        "[{shell: [a]}, {mqtt: {topic: t}, expires: never}, {log: b, expires: 5s},"
        " {if: '{{ true }}', then: [{shell: [c], retry: {attempts: 2}, expires: 2d}]}]"
    )
    found = steps(made("[{shell: [a]}]", last))[1:]
    assert all(one.continue_on_error for one in found)
    assert [one.expires_s for one in found] == [3600, 3600, 5, 3600]
    assert [one.retry.attempts for one in found] == [None, None, None, 2]


def test_a_program_knows_what_it_waits_for_its_mode_and_its_state() -> None:
    plain = made("[{log: a}]")
    assert (plain.mode, plain.waits, plain.state) == ("parallel", (), {})
    text = written(
        "[{wait_for: {event: bye}}, {if: {state: {armed: 1}}, then: [{wait_for: {event: bye},"
        " same: none}]}, {set: {missed: '{{ state.last }}'}}]"
    )
    (only,) = ruleset(FILE, text + "  mode: queued\n").rules
    for one in (only.program, again(only.program)):
        assert (one.mode, one.waits) == ("queued", (("call",), ()))
        assert one.state == {
            "armed": StateDecl(first=None, topic="home/armed"),
            "last": StateDecl(first=[]),
            "missed": StateDecl(first=0),
        }


def test_a_rule_set_knows_the_state_of_all_its_files() -> None:
    assert ruleset(FILE, "state: {more: x}\n").state == {
        "missed": StateDecl(first=0),
        "door": StateDecl(first="shut"),
        "open": StateDecl(first=False),
        "last": StateDecl(first=[]),
        "armed": StateDecl(first=None, topic="home/armed"),
        "more": StateDecl(first="x"),
    }


# --- Results ----------------------------------------------------------------------------------

KNOWN = [
    (("[{shell: [a], register: r}, {log: '{{ r.exit_code }} {{ r.stdout }} {{ r.stderr }}"
     " {{ r.timed_out }}'}]"), "a command's"),
    (("[{http: {url: 'http://h/'}, register: r}, {log: '{{ r.status }} {{ r.body }}"
     " {{ r.json.a.b[0] }}'}]"), "a request's"),
    (("[{wait_for: {event: bye}, register: r}, {log: '{{ r.timed_out }} {{ r.caller }}"
     " {{ r.received_at }}'}]"), "a wait's"),
    ("[{log: a, register: r}, {log: '{{ r }}'}]", "that of what has none"),
    ("[{shell: [a], register: r}, {if: '{{ r.exit_code == 0 }}', then: [{log: '{{ r.stdout }}'}]}]",
     "in a condition, and behind it"),
    (("[{if: {caller: 1}, then: [{shell: [a], register: r}], else: [{http: {url: 'http://h/'},"
     " register: r}]}, {log: '{{ r.exit_code }} {{ r.status }}'}]"), "of either way"),
    ("[{repeat: {do: [{shell: [a], register: r}], until: '{{ r.exit_code == 0 }}'}}]",
     "of a round, once it is done"),
    (("[{parallel: [{shell: [a], register: r}, {shell: [b], register: s}]},"
     " {log: '{{ r.exit_code }} {{ s.exit_code }}'}]"), "of what was done side by side"),
    ("[{script: {name: ask}}, {log: '{{ answer.exit_code }}'}]", "of a script"),
    (("[{log: a}]\n  finally: [{log: '{{ outcome }}'}, {shell: [b], register: r},"
     " {if: '{{ r.exit_code == 0 and outcome == \"done\" }}', then: [{log: a}]}]"), "at the end"),
    ("[{shell: [a], register: r}]\n  finally: [{log: '{{ r.exit_code }}'}]",
     "of the actions, at the end"),
    (("[{log: '{{ call.id }} {{ call.sure }} {{ call.answered }} {{ call.caller }}"
     " {{ call.callee }} {{ call.extensions }} {{ call.started }} {{ call.ended }}'}]"),
     "what is known of the call"),
    ("[{log: '{{ state.missed }} {{ state.armed }} {{ state[caller] }}'}]", "the state"),
]  # fmt: skip


@pytest.mark.parametrize(
    "actions", [pytest.param(actions, id=sentence) for actions, sentence in KNOWN]
)
def test_a_result_is_known_behind_what_registers_it(actions: str) -> None:
    assert again(made(actions)).nodes


def test_a_step_and_a_wait_say_what_they_register() -> None:
    found = made("[{shell: [a], register: r}, {wait_for: {event: bye}, register: s}]").nodes
    assert [getattr(node.deed, "register", None) for node in found.values()] == ["r", "s"]


def test_promise_8_the_result_of_an_action_with_a_secret_has_no_words_of_its_target() -> None:
    secret = "{shell: [a], env: {T: '{{ secret.ntfy }}'}, register: r}"
    assert made(f"[{secret}, {{log: '{{{{ r.exit_code }}}} {{{{ r.timed_out }}}}'}}]").nodes
    assert said(f"[{secret}, {{log: '{{{{ r.stdout }}}}'}}]") == [
        (
            "4:83: unknown-name: 'r' keeps no 'stdout' (its action uses a secret, which "
            "the answer may repeat)"
        ),
    ]


# --- Scripts ----------------------------------------------------------------------------------


def test_a_script_sees_what_it_is_given_and_the_configurations_variables() -> None:
    of = made("[{script: {name: blink, with: {lamp: hall}}}, {script: {name: ask}}]")
    for one in (of, again(of)):
        topic, ask, said_ = steps(one)
        assert filled(topic, one) == {"topic": "hall/set"}
        assert (topic.vars, ask.vars, said_.vars) == ({"lamp": "hall"}, {"site": "hq"}, ask.vars)


def test_what_a_script_is_given_goes_before_the_configuration_and_the_rule_is_not_seen() -> None:
    text = written("[{log: '{{ vars.site }}'}, {script: {name: ask, with: {site: den}}}]")
    text = text.replace("  triggers", "  variables: {site: annex}\n  triggers")
    (only,) = ruleset(FILE, text).rules
    rules_own, _, scripts_own = steps(only.program)
    assert filled(rules_own, only.program) == {"text": "annex"}
    assert filled(scripts_own, only.program) == {"text": " den"}


def test_a_script_that_names_any_variable_is_given_all() -> None:
    of = made("[{script: {name: any, with: {'101': x}}}]".replace("'101'", "a101"))
    (one,) = steps(of)
    assert one.vars == {"site": "hq", "lamps": {"101": "hall"}, "a101": "x"}


def test_a_value_for_a_script_is_the_rules_own_text() -> None:
    of = made("[{script: {name: blink, with: {lamp: a/b}}}]")
    assert filled(steps(of)[0], of) == {"topic": "a/b/set"}


def test_a_script_may_put_in_others_of_other_files() -> None:
    more = "scripts: {twice: [{script: {name: blink, with: {lamp: '1'}}}, {script: {name: ask}}]}\n"
    (only,) = ruleset(more, FILE, written("[{script: {name: twice}}]")).rules
    assert [one.verb for one in steps(only.program)] == ["mqtt", "shell", "log"]
    assert list(only.program.nodes)[2] == "actions/0/script/0/script/0"


def test_a_trigger_that_a_script_names_need_not_be_its_rules() -> None:
    more = "scripts: {s: [{if: {trigger: door}, then: [{log: a}]}]}\n"
    assert ruleset(more, written("[{script: {name: s}}]")).rules


# --- What a run keeps -------------------------------------------------------------------------


def kept(of: Program) -> set[str]:
    return {*source_of(of)} - {"rule", "expires", "variables", "actions"}


def test_a_run_keeps_what_its_steps_name_and_no_more() -> None:
    assert kept(made("[{log: a}]")) == set()
    of = made("[{if: {caller: {in: family}}, then: [{log: a}]}, {set: {door: open}}]")
    assert kept(of) == {"groups", "state"}
    assert source_of(of)["groups"] == {"family": ["+4930", "0171"]}
    assert source_of(of)["state"] == {"door": "shut"}
    of = made("[{if: {time: night}, then: [{log: '{{ state.armed }}'}]}]", "[{log: a}]")
    assert kept(of) == {"times", "state", "finally"}
    assert source_of(of)["times"] == {"night": {"after": "22:30", "before": "07:00"}}
    assert source_of(of)["state"] == {"armed": {"mqtt": "home/armed"}}


def test_a_run_keeps_the_variables_that_its_conditions_name() -> None:
    of = made("[{if: '{{ vars.site == caller }}', then: [{log: a}]}]")
    assert source_of(of)["variables"] == {"site": "hq"}


def test_the_programs_of_earlier_releases_keep_their_names() -> None:
    """What a plain rule keeps has not grown: the digest names it in the store."""
    assert {*source_of(program(rule()))} == {"rule", "expires", "variables", "actions"}


def holds(of: Program, path: str, *, wall_s: float = NOON_S, **fields: Any) -> bool:
    deed = of.nodes[path].deed
    assert isinstance(deed, If)
    names = {"state": {"door": "open", "armed": None}, "r": {"exit_code": 1}, "outcome": "failed"}
    facts = Facts(event=event(**fields), wall_s=wall_s, trigger="1", names=names)
    return deed.condition.holds(facts)


@pytest.mark.parametrize(
    ("condition", "seen", "expected"),
    [
        pytest.param("{caller: {in: family}}", {"caller": "0171"}, True, id="a group, a member"),
        pytest.param("{caller: {in: family}}", {"caller": "171"}, False, id="a group, a stranger"),
        pytest.param("{time: night}", {"wall_s": NOON_S + 11 * 3600}, True, id="a time, at night"),
        pytest.param("{time: night}", {}, False, id="a time, at noon"),
        pytest.param("{state: {door: open}}", {}, True, id="a state"),
        pytest.param("{state: {armed: {exists: false}}}", {}, True, id="a state never told"),
        pytest.param("{trigger: 1}", {}, True, id="a trigger"),
        pytest.param("'{{ r.exit_code == 1 }}'", {}, True, id="a result"),
        pytest.param("'{{ vars.lamps[extension] == \"hall\" }}'", {"extension": "101"}, True,
                     id="a variable"),
    ],
)  # fmt: skip
def test_a_condition_of_a_step_means_the_same_after_a_restart(
    condition: str, seen: dict[str, Any], expected: bool
) -> None:
    of = made(f"[{{shell: [a], register: r}}, {{if: {condition}, then: [{{log: a}}]}}]")
    assert holds(of, "actions/1", **seen) is expected
    assert holds(again(of), "actions/1", **seen) is expected


def test_a_condition_at_the_end_sees_the_outcome() -> None:
    of = made("[{log: a}]", "[{if: \"{{ outcome == 'failed' }}\", then: [{log: a}]}]")
    assert holds(again(of), "finally/0")


def test_a_stored_program_whose_zone_is_gone_says_so() -> None:
    more = "times: {tokyo: {after: 22:00, timezone: Asia/Tokyo}}\n"
    (only,) = ruleset(more, written("[{if: {time: tokyo}, then: [{log: a}]}]")).rules

    def gone(name: str) -> Any:
        raise KeyError(name)

    with pytest.raises(ValueError, match="Asia/Tokyo"):
        programs.program(source_of(only.program), replace(LANGUAGE, zones=gone))


# --- What is wrong ----------------------------------------------------------------------------


def said(actions: str, last: str = "") -> list[str]:
    """What ``check`` prints of a rule with these actions, without the file's name."""
    return [one.removeprefix("b.yaml:") for one in problems(FILE, written(actions, last))]


NO_NAME = "unknown-name: 'x' is no name that templates know (a text stands in quotes: 'x')"
DURATION = "is not a duration such as 20s or 5m"
VERBS = "http, log, mqtt, shell, choose, delay, if, parallel, repeat, script, set, stop, wait_for"
MISTAKES: list[tuple[str, str, list[str], str]] = [
    ("[{then: [{log: '{{ x }}'}]}]", "", [
        f"4:13: no-verb: an action needs a verb: one of {VERBS} ('then' stands beside if)",
    ], "what belongs to if, without it"),
    ("[{log: a, then: [], default: [], same: none, env: {A: b}}]", "", [
        "4:22: unknown-key: 'then' stands beside if only",
        "4:28: wrong-value: this list is empty",
        "4:32: unknown-key: 'default' stands beside choose only",
        "4:41: wrong-value: this list is empty",
        "4:45: unknown-key: 'same' stands beside wait_for only",
        "4:57: unknown-key: 'env' stands beside shell only",
    ], "keys of others, wrong themselves"),
    ("[{log: a, then: [{log: b}], same: none}]", "", [
        "4:22: unknown-key: 'then' stands beside if only",
        "4:40: unknown-key: 'same' stands beside wait_for only",
    ], "keys of others"),
    ("[{delay: 5s, retry: {attempts: 2}, timeout: 5s, register: r}]", "", [
        "4:25: unknown-key: 'retry' stands beside http, log, mqtt or shell only",
        "4:47: unknown-key: 'timeout' stands beside http, log, mqtt, shell or wait_for only",
        "4:60: unknown-key: 'register' stands beside http, log, mqtt, shell or wait_for only",
    ], "keys of actions beside a delay"),
    ("[{if: {callr: 1}, log: a, then: [{log: '{{ x }}'}]}]", "", [
        "4:19: unknown-field: no event has a field 'callr' (did you mean 'caller'?)",
        ("4:30: two-verbs: 'log' stands in an action that has 'if' already (begin a "
         "new action with -)"),
        f"4:55: {NO_NAME}",
    ], "two verbs, and what is wrong inside"),
    ("[{delay: {seconds: 5}}, {delay: 5}, {delay: '00:00:05'}]", "", [
        f"4:21: wrong-type: a mapping {DURATION} (write 5s)",
        f"4:44: wrong-type: 5 {DURATION} (write 5s)",
        f"4:56: wrong-value: '00:00:05' {DURATION} (write 5s)",
    ], "delays of Home Assistant"),
    ("[{wait_for_trigger: [], continue_on_timeout: false}, {wait_template: x}, {scene: x}]", "", [
        "4:14: unknown-key: 'wait_for_trigger' is no key of an action (say 'wait_for')",
        "4:36: unknown-key: 'continue_on_timeout' is no key of an action (say 'else')",
        "4:66: unknown-key: 'wait_template' is no key of an action (say 'wait_for')",
        "4:86: unknown-key: 'scene' is no key of an action (say 'mqtt')",
    ], "verbs of Home Assistant"),
    ("[{condition: x}, {sequence: []}, {variables: {a: 1}}, {log: a, enabled: false}]", "", [
        "4:14: unknown-key: 'condition' is no key of an action (say 'if')",
        ("4:30: unknown-key: 'sequence' is no key of an action"
         " (write its actions here, without it)"),
        ("4:46: unknown-key: 'variables' is no key of an action"
         " (variables are the rule's; what changes is 'state:', and set)"),
        ("4:75: unknown-key: 'enabled' is no key of an action"
         " (take the action out, or put # before its lines)"),
    ], "more of Home Assistant's words"),
    ("[{wait_for: [{event: bye}]}, {wait_for: {}}, {wait_for: {event: bye}, else: go}]", "", [
        ("4:24: wrong-type: a list is not a mapping (one map of field tests; a list "
         "inside it says any of, as in {event: [answer, bye]})"),
        ("4:52: wrong-value: this mapping is empty (one map of field tests; a list "
         "inside it says any of, as in {event: [answer, bye]})"),
        "4:88: wrong-value: 'go' is not continue or stop, or a list of actions",
    ], "waits that are none"),
    ("[{wait_for: {evnt: bye, same: none, time: night, event: [anser]}, timeout: never}]", "", [
        "4:25: unknown-field: no event has a field 'evnt' (did you mean 'event'?)",
        ("4:36: unknown-field: no event has a field 'same' (it stands beside "
         "'wait_for')"),
        ("4:48: unknown-field: no event has a field 'time' (it stands under "
         "'conditions')"),
        ("4:69: unknown-event: no report is the event 'anser' (did you mean 'answer'?)"),
        f"4:87: wrong-value: 'never' {DURATION} (a whole number with ms, s, m, h or d behind it)",
    ], "what stands in a wait and should not, whatever stands beside it"),
    (("[{wait_for: {event: bye}, same: callr}, {wait_for: {event: bye}, same: [caller, call]},"
     " {wait_for: {event: bye}, same: [none]}, {wait_for: {event: bye}, else: [{log: a}]}]"), "", [
        "4:44: unknown-field: no event has a field 'callr' (did you mean 'caller'?)",
        "4:92: wrong-value: 'call' stands alone (same: call)",
        "4:132: wrong-value: 'none' stands alone (same: none)",
        ("4:171: wrong-value: 'else' of a wait_for is continue or stop"
         " (register its result, and put an 'if' behind it)"),
    ], "what a wait shares, and what it does without its event"),
    ("[{if: {caller: 1}}, {if: {caller: 1}, then: [{log: a}], else: stop}]", "", [
        "4:13: missing-key: 'then' is missing beside 'if' (then: […])",
        '4:74: wrong-value: \'else\' of an if is a list of actions (such as [{stop: "why"}])',
    ], "an if without then, and with another's else"),
    ("[{if: '{{ x }}', then: [{lgo: a}, {log: '{{ x }}'}], else: {log: a}}, {if: 5, then: []}]",
     "", [
         f"4:22: {NO_NAME}",
         "4:37: unknown-key: 'lgo' is no key of an action (did you mean 'log'?)",
         f"4:56: {NO_NAME}",
         ('4:71: wrong-type: a mapping is not a list or text (such as [{log: "the '
          'light is on"}])'),
         ('4:87: wrong-type: 5 is not a mapping or a list or text (such as "{{ '
          'light.exit_code != 0 }}")'),
         "4:96: wrong-value: this list is empty",
     ], "all that is wrong with an if, and in it"),
    ("[{choose: [{conditions: [], sequence: []}]}, {choose: {when: 1}}, {choose: []}]", "", [
        ("4:24: unknown-key: 'conditions' is no key of a branch of choose (say 'when')"),
        "4:40: unknown-key: 'sequence' is no key of a branch of choose (say 'do')",
        ("4:66: wrong-type: a mapping is not a list (a list of branches: [{when: …, "
         "do: […]}])"),
        ("4:87: wrong-value: this list is empty (a list of branches: [{when: …, do: "
         "[…]}])"),
    ], "a choose of Home Assistant, and such as are none"),
    ("[{choose: [{when: '{{ x }}', do: [{log: '{{ x }}'}]}], default: [{log: '{{ x }}'}]}]", "", [
        f"4:34: {NO_NAME}",
        f"4:56: {NO_NAME}",
        f"4:87: {NO_NAME}",
    ], "what is wrong in each branch"),
    ("[{repeat: {sequence: [], times: 3}}, {repeat: {for_each: [1], do: [{log: a}]}}]", "", [
        "4:23: unknown-key: 'sequence' is no key of a repeat (say 'do')",
        "4:37: unknown-key: 'times' is no key of a repeat (say 'count')",
        ("4:59: unknown-key: 'for_each' is no key of a repeat (there are no loops "
         "over lists: write the actions out, or count)"),
    ], "repeats of Home Assistant"),
    ("[{repeat: {do: [{log: '{{ x }}'}]}}, {repeat: {count: 0, while: a, until: b, do: []}}]",
     "", [
         ("4:22: missing-key: a repeat needs an end: 'count', 'while' or 'until' "
          "(such as count: 3)"),
         f"4:38: {NO_NAME}",
         "4:66: wrong-value: 0 is less than 1",
         ("4:76: bad-condition: a condition is a template that gives true or false "
          "(write '{{ … }}', or a map of tests)"),
         "4:79: two-keys: 'while' and 'until' can't both stand in a repeat",
         ("4:86: bad-condition: a condition is a template that gives true or false "
          "(write '{{ … }}', or a map of tests)"),
         "4:93: wrong-value: this list is empty",
     ], "a repeat without an end, and with too many"),
    (("[{parallel: [{delay: 5s}, {log: '{{ x }}'}, {parallel: [{log: a}]}, {set: {door: a}},"
     " {if: {caller: 1}, then: [{log: a}]}]}, {parallel: {log: a}}, {parallel: []}]"), "", [
         "4:26: not-here: 'delay' can't stand in 'parallel' (it holds actions only)",
         f"4:48: {NO_NAME}",
         ("4:57: not-here: 'parallel' can't stand in 'parallel' (it holds actions "
          "only)"),
         "4:81: not-here: 'set' can't stand in 'parallel' (it holds actions only)",
         "4:99: not-here: 'if' can't stand in 'parallel' (it holds actions only)",
         ("4:148: wrong-type: a mapping is not a list (put '- ' before it, or "
          "brackets around it)"),
         "4:170: wrong-value: this list is empty",
     ], "what can't be done side by side"),
    ("[{stop: 5}, {stop: '{{ x }}'}, {stop: '{{ secret.ntfy }}'}]", "", [
        "4:20: wrong-type: 5 is not text (put it in quotes)",
        f"4:35: {NO_NAME}",
        ("4:50: kept-secret: a secret can't stand in what is kept on disk (only "
         "actions are given secrets)"),
    ], "reasons to stop that are none"),
    ("[{set: {mised: 1, armed: 5, x: 1, door: '{{ secret.ntfy }}', last: '{{ x }}'}}]", "", [
        "4:20: unknown-state: no state is called 'mised' (did you mean 'missed'?)",
        ("4:30: read-only: 'armed' is what MQTT tells, and read-only (publish to "
         "home/armed)"),
        "4:40: unknown-state: no state is called 'x' (declare it under 'state:')",
        ("4:52: kept-secret: a secret can't stand in what is kept on disk (only "
         "actions are given secrets)"),
        f"4:83: {NO_NAME}",
    ], "names that can't be set, and values"),
    (("[{set: {missed: many, door: 5, open: 'true', last: x}},"
     " {set: {missed: 'a {{ caller }}', open: '{{ caller }}', door: '{{ caller }}s'}}]"), "", [
        ("4:28: wrong-type: 'missed' is a number, and this is text"
         " (it keeps the type of its first value)"),
        ("4:40: wrong-type: 'door' is text, and this is a number"
         " (it keeps the type of its first value)"),
        ("4:49: wrong-type: 'open' is true or false, and this is text"
         " (it keeps the type of its first value)"),
        ("4:63: wrong-type: 'last' is a list, and this is text"
         " (it keeps the type of its first value)"),
        ("4:83: wrong-type: 'missed' is a number, and this is text"
         " (it keeps the type of its first value)"),
    ], "values of another type"),
    ("[{set: {missed: null, door: {a: 1}}}, {set: {}}, {set: 5}]", "", [
        "4:28: wrong-type: null is not text or a number or true or false or a list",
        ("4:40: wrong-type: a mapping is not text or a number or true or false or a "
         "list"),
        "4:56: wrong-value: this mapping is empty (such as {missed: 0})",
        "4:67: wrong-type: 5 is not a mapping (such as {missed: 0})",
    ], "values that no state has"),
    ("[{script: blink}, {script: {service: blink, data: {}}}, {script: {name: blnk}}]", "", [
        "4:22: wrong-type: 'blink' is not a mapping (such as {name: blink})",
        "4:40: unknown-key: 'service' is no key of a script (say 'name')",
        "4:56: unknown-key: 'data' is no key of a script (say 'with')",
        "4:84: unknown-script: no script is called 'blnk' (did you mean 'blink'?)",
    ], "scripts that are none"),
    (("[{script: {name: blink}}, {script: {name: blink, with: {lmap: x}}},"
     " {script: {name: blink, with: {lamp: '{{ caller }}', more: 1}}},"
     " {script: {name: any, with: {a: [{b: '{% x %}'}]}}}]"), "", [
        ("4:22: missing-variable: the script 'blink' names 'vars.lamp', and is not given it"
         " (with: {lamp: …})"),
        ("4:68: unused-variable: the script 'blink' names no 'vars.lmap'"
         " (did you mean 'lamp'?)"),
        ("4:116: script-template: values for a script hold no templates"
         " (its own templates see the event: write {{ caller }} there)"),
        "4:132: unused-variable: the script 'blink' names no 'vars.more' (take it away)",
        ("4:175: script-template: values for a script hold no templates"
         " (its own templates see the event: write {{ caller }} there)"),
    ], "what a script is given"),
    (("[{log: a, register: caller}, {shell: [a], register: state}, {log: a, register: a-b},"
     " {log: a, id: '5'}, {wait_for: {event: bye}, register: outcome}]"), "", [
        "4:32: taken-name: 'caller' is a name of templates already (take another)",
        "4:64: taken-name: 'state' is a name of templates already (take another)",
        ("4:91: wrong-value: 'a-b' is not a name for templates: letters, digits and _,"
         " no digit first"),
        ("4:110: wrong-value: '5' is not a name of letters, digits, _ . - (at most 100),"
         " no digit first"),
        "4:151: taken-name: 'outcome' is a name of templates already (take another)",
    ], "names that can't be taken"),
    (("[{log: '{{ r }}'}, {shell: [a, '{{ r }}'], register: r},"
     " {log: '{{ r.exitcode }} {{ outcome }} {{ call.anwser }} {{ state.x }}'}]"), "", [
         "4:23: unknown-name: 'r' is not known here (a later action registers it)",
         "4:47: unknown-name: 'r' is not known here (a later action registers it)",
         "4:81: unknown-name: 'r' has no 'exitcode' (did you mean 'exit_code'?)",
         "4:96: unknown-name: 'outcome' is not known here (only 'finally' knows it)",
         "4:115: unknown-name: 'call' has no 'anwser' (did you mean 'answered'?)",
         "4:134: unknown-name: 'state' has no 'x' (declare it under 'state:')",
     ], "names that are not known there"),
    (("[{parallel: [{shell: [a], register: r}, {log: '{{ r }}'}]},"
     " {repeat: {while: '{{ s.exit_code == 0 }}', do: [{shell: [b], register: s}]}}]"), "", [
         "4:62: unknown-name: 'r' is not known here (a later action registers it)",
         "4:93: unknown-name: 's' is not known here (a later action registers it)",
     ], "results of what is beside, and of a round to come"),
    ("[{shel: [a], register: r}, {script: {name: no}, register: s}, {log: '{{ r.x }}'}]", "", [
        "4:14: unknown-key: 'shel' is no key of an action (did you mean 'shell'?)",
        "4:55: unknown-script: no script is called 'no' (declare it under 'scripts:')",
    ], "a result of what is wrong is no second mistake"),
    ("[{log: a}]",
     ("[{delay: 5s}, {if: '{{ outcom }}', then: [{stop: x}, {parallel: [{log: a}]}]},"
     " {script: {name: ask}}, {log: '{{ x }}'}, {set: {mised: 1}}]"), [
         ("5:14: not-here: 'delay' can't stand in 'finally' (it holds actions, 'if' "
          "and 'set')"),
         ("5:35: unknown-name: 'outcom' is no name that templates know (did you mean "
          "'outcome'?)"),
         ("5:55: not-here: 'stop' can't stand in 'finally' (it holds actions, 'if' "
          "and 'set')"),
         ("5:66: not-here: 'parallel' can't stand in 'finally' (it holds actions, "
          "'if' and 'set')"),
         ("5:92: not-here: 'script' can't stand in 'finally' (it holds actions, 'if' "
          "and 'set')"),
         f"5:124: {NO_NAME}",
         "5:139: unknown-state: no state is called 'mised' (did you mean 'missed'?)",
     ], "what can't be done last"),
]  # fmt: skip


@pytest.mark.parametrize(
    ("actions", "last", "expected"),
    [pytest.param(*row, id=sentence) for *row, sentence in MISTAKES],
)
def test_a_mistake_in_a_step(actions: str, last: str, expected: list[str]) -> None:
    assert said(actions, last) == expected


SCRIPTS = [
    ("{a b: [{log: a}], c: [], d: {log: a}}", [
        ("1:11: wrong-value: 'a b' is not a script's name: letters, digits, _ and -, "
         "no digit first"),
        "1:31: wrong-value: this list is empty",
        ("1:38: wrong-type: a mapping is not a list (put '- ' before it, or brackets "
         "around it)"),
    ], "scripts that are none"),
    ("{a: [{script: {name: b}}], b: [{script: {name: a}}], c: [{script: {name: c}}]}", [
        "1:57: script-loop: the script 'a' would run itself: a → b → a",
        "1:83: script-loop: the script 'c' would run itself: c → c",
    ], "scripts that would run themselves"),
    (("{a: [{log: '{{ x }} {{ r }}'}, {shell: [a], register: r}, {shell: [sh, -c, '{{ caller }}']},"
     " {shell: ['{{ vars.prog }}', '{{ caller }}']}]}"), [
         f"1:25: {NO_NAME}",
         "1:33: unknown-name: 'r' is not known here (a later action registers it)",
         ("1:85: shell-code: 'sh' would run this template as code (write shell: \"…\" "
          'as one text, with "$PBX_CALLER" in it)'),
     ], "what is wrong whatever the script is given"),
    ("{a: [{log: a, expires: x}, {if: {callr: 1}, then: [{set: {y: 1}}]}]}", [
        ("1:33: wrong-value: 'x' is not a duration such as 60s, or never (a whole "
         "number with ms, s, m, h or d behind it)"),
        "1:43: unknown-field: no event has a field 'callr' (did you mean 'caller'?)",
        "1:68: unknown-state: no state is called 'y' (declare it under 'state:')",
    ], "all that is wrong with a script that nobody puts in"),
]  # fmt: skip


@pytest.mark.parametrize(
    ("scripts", "expected"), [pytest.param(*row, id=sentence) for *row, sentence in SCRIPTS]
)
def test_a_mistake_in_a_script_is_told_where_it_stands(scripts: str, expected: list[str]) -> None:
    puts_in = rule(actions="[{script: {name: a}}]")
    text = f"scripts: {scripts}\n"
    assert problems(text) == [f"a.yaml:{line}" for line in expected]
    if "a: [" in scripts:
        assert problems(text, puts_in) == [f"a.yaml:{line}" for line in expected]


def test_a_script_whose_variable_makes_a_command_a_shell_is_refused_where_it_is_put_in() -> None:
    run = "scripts: {run: [{shell: ['{{ vars.prog }}', -c, '{{ caller }}']}]}\n"
    actions = (
        "[{script: {name: run, with: {prog: light}}}, {script: {name: run, with: {prog: sh}}}]"
    )
    assert problems(run, rule(actions=actions)) == [
        (
            "b.yaml:4:66: shell-code: 'sh' would run this template as code"
            ' (write shell: "…" as one text, with "$PBX_CALLER" in it)'
        )
    ]


def test_scripts_that_double_each_other_are_refused_before_they_fill_the_memory() -> None:
    doubling = [f"  s{n}: [{{script: {{name: s{n - 1}}}}}, {{script: {{name: s{n - 1}}}}}]"
                for n in range(1, 60)]  # fmt: skip
    text = "\n".join(["scripts:", "  s0: [{log: a}, {log: b}]", *doubling, ""])
    (only,) = problems(text, rule(actions="[{script: {name: s59}}]"))
    assert only.endswith(
        f"too-many-actions: with its scripts this would be more than {MOST:,} actions"
    )


def test_scripts_nest_only_so_deep() -> None:
    deeper = [f"  s{n}: [{{script: {{name: s{n - 1}}}}}]" for n in range(1, DEEPEST + 1)]
    text = "\n".join(["scripts:", "  s0: [{log: a}]", *deeper[:-1], ""])
    assert ruleset(text).rules == ()
    (only,) = problems("\n".join(["scripts:", "  s0: [{log: a}]", *deeper, ""]))
    assert "too-deep: more than 10 lists of actions inside one another" in only


def test_every_problem_code_of_steps_has_a_row_in_these_tables() -> None:
    package = Path(pbxrules.__file__).parent
    modules = [*(package / "steps").glob("*.py"), package / "scripts.py"]
    shown = {one.split(": ")[1] for _, _, lines, _ in MISTAKES for one in lines}
    shown |= {one.split(": ")[1] for _, lines, _ in SCRIPTS for one in lines}
    known = {"too-deep", "too-many-actions", "shell-template", "program-template"}
    assert codes_in(*modules) - known <= shown


# --- Whatever is written ----------------------------------------------------------------------

CONDITIONS: st.SearchStrategy[Any] = st.sampled_from(
    [{"caller": {"in": "family"}}, {"time": "night"}, {"state": {"door": "shut"}}, "{{ true }}",
     "{{ state.missed > vars.lamps | length }}", [{"caller": "1"}, {"not": {"trunk": "t"}}]]
)  # fmt: skip
PLAIN: st.SearchStrategy[Any] = st.sampled_from(
    [{"log": "{{ vars.site }} {{ caller }}"}, {"shell": ["a", "{{ extension }}"], "register": "r"},
     {"mqtt": {"topic": "a/{{ caller }}", "payload": [1, "{{ call.id }}"]}, "expires": "5s"}]
)  # fmt: skip
SIMPLE: st.SearchStrategy[Any] = PLAIN | st.sampled_from(
    [{"delay": "1s"}, {"wait_for": {"event": "bye"}, "same": "none"}, {"stop": "{{ caller }}"},
     {"set": {"missed": "{{ state.missed + 1 }}"}}, {"script": {"name": "ask"}},
     {"script": {"name": "blink", "with": {"lamp": "x"}}}]
)  # fmt: skip


def nesting(inner: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    lists = st.lists(inner, min_size=1, max_size=3)
    branch = st.fixed_dictionaries({"when": CONDITIONS, "do": lists})
    count = {"do": lists, "count": st.integers(1, 9)}
    repeat = st.fixed_dictionaries(count, optional={"until": CONDITIONS})
    return st.one_of(
        st.fixed_dictionaries({"if": CONDITIONS, "then": lists}, optional={"else": lists}),
        st.fixed_dictionaries(
            {"choose": st.lists(branch, min_size=1, max_size=2)}, optional={"default": lists}
        ),
        st.fixed_dictionaries({"repeat": repeat}),
        st.fixed_dictionaries({"parallel": st.lists(PLAIN, min_size=1, max_size=3)}),
        inner,
    )


def depth(value: Any) -> int:
    """How many lists and maps are inside one another."""
    inner = value.values() if isinstance(value, dict) else value
    return 1 + max(map(depth, inner), default=0) if isinstance(value, list | dict) else 0


STEPS = st.lists(st.recursive(SIMPLE, nesting, max_leaves=8), min_size=1, max_size=4).filter(
    lambda steps: depth(steps) < MAX_DEPTH - 4
)


def led_to(deed: Deed) -> Iterator[str]:
    """The paths that a deed leads to."""
    match deed:
        case If():
            yield from (deed.then, deed.otherwise)
        case Choose():
            yield from (path for _, path in deed.branches)
            yield deed.default
        case Repeat():
            yield deed.body
        case Parallel():
            yield from deed.branches


@given(STEPS)
def test_every_step_is_reached_once_and_knows_where_it_stands(written_: list[Any]) -> None:
    of = made(json.dumps(written_))
    reached: list[str] = []

    def walk(path: str, owner: str) -> None:
        while path:
            node = of.nodes[path]
            assert (node.path, node.owner) == (path, owner)
            reached.append(path)
            for inner in filter(None, led_to(node.deed)):
                walk(inner, path)
            path = node.after

    walk("actions/0", "")
    assert reached == list(of.nodes)
    for path in reached:
        assert stands(source_of(of), path)


def stands(source: Mapping[str, Any], path: str) -> bool:
    """Whether there is a step at *path* of what a run keeps."""
    value: Any = source
    for part in path.split("/"):
        value = value[int(part)] if isinstance(value, list) else value[part]
    return isinstance(value, dict)


@given(STEPS)
def test_a_program_made_again_is_the_same(written_: list[Any]) -> None:
    of = made(json.dumps(written_))
    other = again(of)
    assert (source_of(other), other.digest, other.vars) == (source_of(of), of.digest, of.vars)
    assert (other.waits, other.state, told(other)) == (of.waits, of.state, told(of))
    for one, same in zip(steps(of), steps(other), strict=True):
        assert replace(one, args={}) == replace(same, args={})
        assert filled(one, of) == filled(same, other)


def test_the_reason_of_a_stop_and_the_values_of_a_set_are_templates() -> None:
    of = made("[{set: {missed: '{{ 1 + 1 }}', door: 'a {{ caller }}'}}, {stop: 'no {{ caller }}'}]")
    first, second = (node.deed for node in of.nodes.values())
    assert isinstance(first, Set)
    assert isinstance(second, Stop)
    scope = Scope(fields={"caller": "5"}, vars=RuleVars(of.vars))
    assert {name: tree.render(scope) for name, tree in first.values.items()} == {
        "missed": 2,
        "door": "a 5",
    }
    assert second.why.render(scope) == "no 5"
