"""Rule files: what each key makes of a rule, and what is said of each mistake."""

# Over 300 lines, most of them tables: one row for each mistake that people make.

import copy
import json
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import pbxrules
from pbxrules import loading, programs, rules, shipped
from pbxrules.errors import Problem, ProblemsError
from pbxrules.language import FIELD_HINTS
from pbxrules.model import Count, Program, Retry
from pbxrules.pbx.tables import FIELDS
from pbxrules.schema import event_schemas
from pbxrules.yamlsource import Document, read
from tests.rulefiles import (
    LANGUAGE,
    codes_in,
    decided,
    event,
    filled,
    fired,
    program,
    rule,
    ruleset,
    source_of,
    step,
    steps,
    told,
)

# --- What is right --------------------------------------------------------------------------

EVERY_KEY = """\
# yaml-language-server: $schema=../schemas/rules.schema.json
groups:
  family: ["+4930123456", 0171234567, 12, 101.50]
times:
  night: {after: 22:30, before: 07:00}
  others:
    any: [{weekdays: sat..sun, timezone: Asia/Tokyo}]
    days: 1..7
    months: nov..feb
    years: 2026
    dates: [01-01..01-06]
state: {missed: 0, armed: {mqtt: home/alarm/armed}}
scripts:
  blink: [{mqtt: {topic: "{{ vars.lamp }}"}}, {delay: 1s}]
rules:
  - id: every-key
    alias: All that this release knows
    description: Notes for people.
    enabled: true
    variables: {room: hall, list: [1, two], map: {a: null}}
    expires: 5m
    per: [extension, call]
    once_per: call
    cooldown: 90s
    mode: queued
    max: 5
    triggers:
      - {id: door, event: ring, extension: {in: [101, 0102], not: {in: family}, exists: true}}
      - {payload.ext.extid: "7", extensions: 101, duration: 10, for: 20s, until: [answer, bye]}
      - count: {at_least: 3, within: 5m, of: reports}
        caller: {prefix: +49, suffix: [0, 1], contains: 5, length: 3, between: [0100, 0199]}
        trunk: {glob: "s*", regex: [a, "[b-d]"], ignore_case: true, length: {above: 2.0, below: 9}}
        duration: {above: 1.5, below: 10}
    conditions:
      - {time: [night, others], caller: {in: family}, state: {armed: "true"}}
      - or: [trigger: [door, 2], "{{ now.hour < 7 }}"]
      - and: [not: {extension: 7}]
    actions:
      - mqtt: {topic: "{{ vars.room }}/set", payload: {who: "{{ caller }}"}, qos: 2, retain: true}
        timeout: 2s
        expires: never
        continue_on_error: true
        retry: {attempts: 3, delay: 500ms, max_delay: 1h}
      - shell: [light, --room, "{{ extension }}"]
        env: {WHO: "{{ caller }}", N: 0101}
        cwd: /var/lib
      - shell: echo "$PBX_CALLER"
      - http:
          url: "http://h/{{ caller }}"
          method: PUT
          json: {a: 1}
          headers: {X-Token: "{{ secret.ntfy }}"}
      - http: {url: "https://h:8443/", body: "{{ caller }}"}
      - log: "{{ caller }}"
      - log: {text: "{{ vars.site }}", level: warning}
        id: last-word
        register: said
      - wait_for: {event: bye}
        timeout: 5m
        same: [caller]
        else: stop
      - if: {extension: 0102}
        then: [{parallel: [{log: a}]}, {set: {missed: 1}}]
        else: [{choose: [{when: {state: {missed: 1}}, do: [{stop: why}]}], default: [{log: b}]}]
      - repeat: {count: 2, while: "{{ state.missed < 1 }}", do: [{delay: 5s}]}
      - repeat: {until: {time: night}, do: [{script: {name: blink, with: {lamp: hall}}}]}
    finally: [{log: "{{ outcome }}"}]
"""


def keys_of(value: Any) -> Iterator[str]:
    if isinstance(value, dict):
        yield from value
    for inner in value.values() if isinstance(value, dict) else value:
        if isinstance(inner, dict | list):
            yield from keys_of(inner)


def schema_keys(schema: Any) -> Iterator[str]:
    """The keys that a schema lists, with those that stand beside a verb."""
    if isinstance(schema, dict):
        yield from schema.get("properties", {})
    for inner in schema.values() if isinstance(schema, dict) else schema:
        if isinstance(inner, dict | list):
            yield from schema_keys(inner)


def test_the_rule_with_every_key_has_every_key_of_this_release() -> None:
    known = set(schema_keys(LANGUAGE.rules_schema.document)) - {*FIELDS}
    assert known <= set(keys_of(read(EVERY_KEY, file="a").value))


def test_all_operators_fire_a_rule() -> None:
    fields = {"extension": "9", "caller": "+4912", "event": "bye"}
    assert fires(rule("{event: {not: ring}, caller: {glob: '+4?[0-9]*', length: 5}}"), **fields)
    assert not fires(rule("{event: {prefix: r}, caller: {glob: '+4*'}}"), **fields)


@pytest.mark.parametrize(
    ("caller", "callee", "expected"),
    [
        pytest.param("102", "0900123456", ["premium-calls"], id="a premium number"),
        pytest.param("102", "0137", [], id="an extension that begins so"),
        pytest.param("102", "0033123", ["calls-abroad"], id="abroad"),
        pytest.param("102", "+33123", ["calls-abroad"], id="abroad, with a plus"),
        pytest.param("101", "0033123", [], id="abroad, by one who may"),
        pytest.param("102", "004930", [], id="at home, the long way"),
        pytest.param("102", "030123", [], id="at home"),
    ],
)
def test_the_example_of_operators(caller: str, callee: str, expected: list[str]) -> None:
    text = (shipped.folder("rules") / "costly-calls.yaml").read_text("utf-8")
    told = event(direction="outbound", caller=caller, callee=callee)
    assert fired(ruleset(text), told) == expected


def test_every_key_means_what_the_language_says() -> None:
    every = ruleset(EVERY_KEY).by_id["every-key"]
    assert str(every.where) == "a.yaml:16:9"
    assert [[(test.field, test.wanted) for test in one.tests] for one in every.triggers] == [
        [
            ("event", "ring"),
            ("extension", "one of 101, 0102 and not in family and there"),
        ],
        [("payload.ext.extid", "7"), ("extensions", "101"), ("duration", "10")],
        [
            (
                "caller",
                (
                    "prefix +49 and suffix one of 0, 1 and contains 5 and length 3"
                    " and between 0100 and 0199"
                ),
            ),
            (
                "trunk",
                (
                    "glob s* and regex one of a, [b-d] and length above 2.0 and below 9"
                    " (ignoring case)"
                ),
            ),
            ("duration", "above 1.5 and below 10"),
        ],
    ]
    assert [trigger.id for trigger in every.triggers] == ["door", "2", "3"]
    assert every.condition is not None
    assert [
        (part.says, [inner.says for inner in part.parts]) for part in every.condition.parts
    ] == [
        ("and", ["time one of night, others", "caller in family", "state.armed true"]),
        ("or", ["trigger one of door, 2", "{{ now.hour < 7 }}"]),
        ("and", ["not"]),
    ]
    assert [(one.for_s, one.until, one.count) for one in every.triggers] == [
        (None, (), None),
        (20, ("answer", "bye"), None),
        (None, (), Count(at_least=3, within_s=300, of="reports")),
    ]
    assert (every.per, every.once_per_call, every.cooldown_s) == (("extension", "call"), True, 90)
    assert (every.mode, every.max_runs) == ("queued", 5)
    first, *others = steps(every.program)
    verbs = ["shell", "shell", "http", "http", "log", "log", "log", "log", "mqtt", "log"]
    assert [one.verb for one in others] == verbs
    assert first.retry == Retry(attempts=3, delay_s=0.5, max_delay_s=3600)
    assert (first.timeout_s, first.expires_s, first.continue_on_error) == (2, None, True)
    for one in others[:-1]:
        assert (one.timeout_s, one.expires_s, one.continue_on_error) == (10, 300, False)
    assert [one.register for one in others] == [*[""] * 5, "said", *[""] * 4]


def test_every_action_is_told_what_the_language_says() -> None:
    assert filled_in(EVERY_KEY) == [
        {"topic": "hall/set", "payload": {"who": "030"}, "qos": 2, "retain": True},
        {
            "argv": ["light", "--room", "101"],
            "env": {"WHO": "030", "N": "0101"},
            "cwd": "/var/lib",
        },
        {"script": 'echo "$PBX_CALLER"'},
        {
            "url": "http://h/030",
            "method": "PUT",
            "json": {"a": 1},
            "headers": {"X-Token": "s3cret"},
        },
        {"url": "https://h:8443/", "body": "030"},
        {"text": "030"},
        {"text": "hq", "level": "warning"},
        {"text": "a"},
        {"text": "b"},
        {"topic": "hall"},
        {"text": ""},
    ]


def filled_in(text: str, **fields: Any) -> list[Any]:
    """The arguments of each action of a file's one rule, for one ring."""
    return all_filled(program(text), {"caller": "030", "extension": "101", **fields})


def all_filled(of: Program, fields: Mapping[str, Any]) -> list[Any]:
    return [filled(one, of, **fields) for one in steps(of)]


@pytest.mark.parametrize(
    ("action", "attempts"),
    [
        pytest.param("{mqtt: {topic: t}}", None, id="mqtt is tried until it expires"),
        pytest.param("{http: {url: 'http://h/'}}", None, id="http is tried until it expires"),
        pytest.param("{shell: [a]}", 1, id="a list for shell is tried once"),
        pytest.param("{shell: a}", 1, id="a text for shell is tried once"),
        pytest.param("{log: a}", 1, id="log is tried once"),
    ],
)
def test_an_action_without_a_word_on_it(action: str, attempts: int | None) -> None:
    plain = step(action)
    assert plain.retry == Retry(attempts=attempts, delay_s=1, max_delay_s=60)
    assert (plain.timeout_s, plain.expires_s, plain.continue_on_error) == (10, 60, False)


@pytest.mark.parametrize(
    ("written", "attempts", "delay_s", "max_delay_s"),
    [
        pytest.param("{attempts: 5}", 5, 1, 60, id="attempts alone"),
        pytest.param("{delay: 2m}", None, 120, 60, id="delay alone"),
        pytest.param("{max_delay: 1d}", None, 1, 86_400, id="max_delay alone"),
    ],
)
def test_a_retry_keeps_what_it_does_not_say(
    written: str, attempts: int | None, delay_s: float, max_delay_s: float
) -> None:
    given_ = step(f"{{mqtt: {{topic: t}}, retry: {written}}}").retry
    assert given_ == Retry(attempts=attempts, delay_s=delay_s, max_delay_s=max_delay_s)


def test_a_step_expires_as_it_says_else_as_its_rule_says() -> None:
    text = rule(actions="[{log: a, expires: 1s}, {log: b}, {log: c, expires: never}]")
    assert [one.expires_s for one in steps(program(text))] == [1, 60, None]
    text = text.replace("  triggers", "  expires: never\n  triggers")
    assert [one.expires_s for one in steps(program(text))] == [1, None, None]


@pytest.mark.parametrize(
    ("written", "digits"),
    [
        pytest.param("0101", "0101", id="a leading zero stays"),
        pytest.param("101.50", "101.50", id="a last zero stays"),
        pytest.param("100.0", "100.0", id="a fraction of zero stays"),
        pytest.param("-0", "-0", id="a minus before zero stays"),
        pytest.param("+4930", "+4930", id="a plus stays"),
        pytest.param("12345678901234567890", "12345678901234567890", id="a long number stays"),
        pytest.param('"101"', "101", id="quotes change nothing"),
        pytest.param("1e5", "1e5", id="an exponent is text"),
        pytest.param("NO", "NO", id="NO is text"),
    ],
)
def test_a_number_means_its_digits(written: str, digits: str) -> None:
    """The same wherever a text is meant: in tests, groups, arguments, headers, env."""
    for test in (written, f"[{written}]", f"{{in: [{written}]}}", f"{{not: {{not: {written}}}}}"):
        assert fires(rule(f"{{extension: {test}}}"), extension=digits), test
        assert not fires(rule(f"{{extension: {test}}}"), extension=f"{digits}0"), test
    assert fires(
        f"groups: {{g: [7, {written}]}}\n" + rule("{extension: {in: g}}"), extension=digits
    )
    actions = (
        f"[{{shell: [a, {written}], env: {{A: {written}}}}},"
        f" {{http: {{url: 'http://h/', headers: {{A: {written}}}}}}}]"
    )
    (shell, http) = filled_in(rule(actions=actions))
    assert shell == {"argv": ["a", digits], "env": {"A": digits}}
    assert http["headers"] == {"A": digits}


def test_a_number_in_a_payload_is_a_number() -> None:
    (mqtt,) = filled_in(rule(actions="[{mqtt: {topic: t, payload: {a: 1.50, b: [7, 0101]}}}]"))
    assert mqtt["payload"] == {"a": 1.5, "b": [7, "0101"]}


def fires(text: str, **fields: Any) -> bool:
    return bool(fired(ruleset(text), event(**fields)))


def test_one_trigger_a_list_of_them_or_any() -> None:
    assert fires(rule("any"), event="cdr")
    assert fires(rule("{event: ring}"))
    assert not fires(rule("{event: ring, extension: 5}"))
    either = rule("[{event: bye}, {event: ring, extension: 5}]")
    assert fires(either, event="bye")
    assert fires(either, extension="5")
    assert not fires(either, event="bye2", extension="5")


def test_groups_of_one_file_serve_all_files_whatever_their_order() -> None:
    text = rule("{extension: {in: reception}}")
    for files in ((text, "groups: {reception: [100]}\n"), ("groups: {reception: [100]}\n", text)):
        assert fired(ruleset(*files), event(extension="100")) == ["r"]


def test_a_file_without_rules_or_with_nothing_in_it_is_none() -> None:
    assert ruleset("", "# only a note\n", "groups: {}\n", "rules: []\n").rules == ()


def test_rules_stand_in_the_order_of_files_and_lines() -> None:
    one = "{triggers: any, actions: [{log: a}]"
    files = [f"rules: [{one}, id: z}}, {one}, id: y}}]\n", f"rules: [{one}, id: a}}]\n"]
    assert [each.id for each in ruleset(*files).rules] == ["z", "y", "a"]


def test_a_disabled_rule_is_checked_and_never_fires() -> None:
    off = rule().replace("  triggers", "  enabled: false\n  triggers")
    both = ruleset(off, rule().replace("id: r", "id: s"))
    assert [each.id for each in both.rules] == ["s"]
    assert "r" not in both.by_id
    assert both.disabled == 1
    assert [each.rule for each in decided(both, event()).verdicts] == ["s"]
    assert told(off.replace("any", "{evnt: ring}")) == [
        "a.yaml:4:14: unknown-field: no event has a field 'evnt' (did you mean 'event'?)"
    ]
    assert told(off, rule()) == ["b.yaml:2:7: duplicate-id: the id 'r' stands also at a.yaml:2:7"]


def test_a_rule_sees_the_variables_of_the_configuration_and_its_own_win() -> None:
    text = rule(actions="['{log: \"{{ vars.site }} {{ vars.lamps[extension] }}\"}']").replace(
        "'", ""
    )
    assert filled_in(text) == [{"text": "hq hall"}]
    own = text.replace("  triggers", "  variables: {site: annex}\n  triggers")
    assert filled_in(own) == [{"text": "annex hall"}]


def test_a_program_keeps_the_variables_it_uses_and_no_others() -> None:
    text = rule(actions="[{log: '{{ vars.site }}'}]")
    assert source_of(program(text))["variables"] == {"site": "hq"}
    assert source_of(program(rule()))["variables"] == {}


@pytest.mark.parametrize(
    ("written", "kept"),
    [
        pytest.param("hall", "hall", id="a text"),
        pytest.param("0101", "0101", id="digits that are no number"),
        pytest.param("5", 5, id="a number"),
        pytest.param("1.50", 1.5, id="a fraction"),
        pytest.param("true", True, id="true"),
        pytest.param("null", None, id="null"),
        pytest.param("[1, two, [3]]", [1, "two", [3]], id="a list"),
        pytest.param("{101: a, b: {c: 1}}", {"101": "a", "b": {"c": 1}}, id="a map"),
        pytest.param("'{{ caller }}'", "{{ caller }}", id="what looks like a template"),
    ],
)
def test_a_variable_keeps_its_kind(written: str, kept: Any) -> None:
    text = rule(actions="[{mqtt: {topic: t, payload: ['{{ vars.x }}']}}]")
    text = text.replace("  triggers", f"  variables: {{x: {written}}}\n  triggers")
    (mqtt,) = filled_in(text)
    assert mqtt["payload"] == [kept]
    assert type(mqtt["payload"][0]) is type(kept)


def test_a_variable_that_the_call_names_is_there() -> None:
    text = asking("'{{ vars[callee] == \"yes\" }}'", log="{{ vars[caller] }}")
    text = text.replace("  triggers", "  variables: {a: one, b: 'yes'}\n  triggers")
    assert filled_in(text, caller="a", callee="b") == [{"text": "one"}]
    assert filled_in(text, caller="site") == [{"text": "hq"}]
    assert fires(text, caller="a", callee="b")
    assert not fires(text, caller="a", callee="a")
    again = programs.program(source_of(program(text)), LANGUAGE)
    assert all_filled(again, {"caller": "b"}) == [{"text": "yes"}]


def test_variables_that_are_wrong_make_no_second_problem_of_conditions() -> None:
    text = asking("'{{ vars.x == 1 }}'").replace("  triggers", "  variables: 5\n  triggers")
    assert [line.split(": ")[1] for line in told(text)] == ["wrong-type"]


def test_a_secret_stays_a_name_in_what_is_stored() -> None:
    stored = program(rule(actions="[{log: '{{ secret.ntfy }}'}]")).text
    assert "{{ secret.ntfy }}" in stored
    assert "s3cret" not in stored


def test_the_digest_of_a_program_is_of_what_it_says_not_of_how_it_looks() -> None:
    plain = program(rule()).digest
    noted = rule("{event: ring}").replace("actions:", "actions:  # a note\n   ")
    assert program(noted).digest == plain
    assert program(rule(actions="[{log: ho}]")).digest != plain


# --- A program made again from what a run keeps -----------------------------------------------

SHIPPED = loading.load(loading.rule_files(shipped.folder("rules")), loading.language())
FIELD_TEXTS = st.sampled_from(["101", "106", "030", "", "a/b", "-x", "{{ 1 }}"]) | st.text(
    max_size=5
)
EVENT_FIELDS = st.fixed_dictionaries(
    {"event": st.sampled_from(["ring", "alert", "cdr"])},
    optional={name: FIELD_TEXTS for name in FIELDS if name not in ("event", "extensions")}
    | {"extensions": st.lists(FIELD_TEXTS, min_size=1, max_size=3).map(tuple)},
)


@pytest.mark.parametrize("name", [each.id for each in SHIPPED.ruleset.rules])
@settings(max_examples=40)
@given(fields=EVENT_FIELDS)
def test_a_program_made_again_from_its_stored_source_does_the_same(
    name: str, fields: dict[str, Any]
) -> None:
    original = SHIPPED.ruleset.by_id[name].program
    stored = source_of(original)
    again = programs.program(stored, SHIPPED.language)
    assert again.text == original.text
    assert again.digest == original.digest
    assert (again.rule, again.vars) == (original.rule, original.vars)
    for old, new in zip(steps(original), steps(again), strict=True):
        assert {**vars_of(old), "args": None} == {**vars_of(new), "args": None}
    assert all_filled(again, fields) == all_filled(original, fields)


def vars_of(value: Any) -> dict[str, Any]:
    return {name: getattr(value, name) for name in value.__slots__}


def test_the_rule_with_every_key_is_made_again_too() -> None:
    original = program(EVERY_KEY)
    again = programs.program(source_of(original), LANGUAGE)
    for fields in ({"caller": "030", "extension": "101"}, {}):
        assert all_filled(again, fields) == all_filled(original, fields)


def test_a_program_that_this_release_does_not_understand_says_why() -> None:
    stored = source_of(program(rule(actions="[{log: '{{ vars.site }}'}]")))
    stored["variables"] = {}
    plain = loading.language()
    with pytest.raises(ValueError, match="'vars' has no 'site'"):
        programs.program(stored, plain)
    stored["actions"] = [{"morse": "sos"}]
    with pytest.raises(ValueError, match="an action needs a verb: one of http, log, mqtt, shell"):
        programs.program(stored, plain)


@pytest.mark.parametrize(
    "command",
    [
        "[light, '{{ caller }}']",
        "['{{ vars.site }}/light', '{{ caller }}']",
        "[env, 'A={{ caller }}', light, '{{ caller }}']",
        "[sh, -c, 'echo \"$1\"', sh, '{{ caller }}']",
        "[bash, -o, pipefail, -c, 'echo \"$1\"', bash, '{{ caller }}']",
        "[bash, /opt/a.sh, '{{ caller }}']",
        "[busybox, sh, -c, '{{ vars.site }}']",
        "\"docker ps --format '{{.Names}}'\"",
    ],
)
def test_promise_7_a_call_gives_arguments_to_what_the_rule_runs(command: str) -> None:
    assert ruleset(rule(actions=f"[{{shell: {command}}}]")).rules


def test_a_step_knows_that_it_uses_a_secret() -> None:
    assert step("{shell: [a], env: {T: '{{ secret.ntfy | upper }}'}}").uses_secret
    assert step("{http: {url: 'http://h/', headers: {T: 'a{{ secret.ntfy }}'}}}").uses_secret
    assert not step("{http: {url: 'http://h/', json: [secret.ntfy]}}").uses_secret


# --- What is wrong ----------------------------------------------------------------------------

PROGRAM = (
    "4:{}: program-template: a template of the event can't say which program runs (write its name)"
)
CODE = (
    "4:{}: shell-code: '{}' would run {} as code"
    ' (write shell: "…" as one text, with "$PBX_CALLER" in it)'
)

TRIGGER_ID = "a name of letters, digits, _ . - (at most 100), no digit first"
TRIGGERS = [
    pytest.param(
        "{event: rin}",
        ["3:21: unknown-event: no report is the event 'rin' (did you mean 'ring'?)"],
        id="an event nearly right",
    ),
    pytest.param(
        "{event: Klingel}",
        [
            (
                "3:21: unknown-event: no report is the event 'Klingel' (one of alert, answer, bye,"
                " call_failed, cdr, extension_status, ring, transfer, other)"
            )
        ],
        id="an event in another tongue",
    ),
    pytest.param(
        "{event: [ring, anser]}",
        ["3:28: unknown-event: no report is the event 'anser' (did you mean 'answer'?)"],
        id="an event in a list",
    ),
    pytest.param(
        "{event: {not: {in: [rin, ring]}}}",
        ["3:33: unknown-event: no report is the event 'rin' (did you mean 'ring'?)"],
        id="an event inside operators",
    ),
    pytest.param(
        "{evnt: ring}",
        ["3:14: unknown-field: no event has a field 'evnt' (did you mean 'event'?)"],
        id="a field nearly right",
    ),
    pytest.param(
        "{colour: red}",
        [
            (
                "3:14: unknown-field: no event has a field 'colour'"
                " (such as event, extension, caller, callee, direction, trunk)"
            )
        ],
        id="a field like no other",
    ),
    pytest.param(
        "{payload: x}",
        ["3:14: unknown-field: no event has a field 'payload' (say 'payload.NAME')"],
        id="the payload without a member",
    ),
    pytest.param(
        "{payload.: x, payload.a..b: y, payloads: z}",
        [
            "3:14: unknown-field: no event has a field 'payload.' (say 'payload.NAME')",
            "3:27: unknown-field: no event has a field 'payload.a..b' (say 'payload.NAME')",
            (
                "3:44: unknown-field: no event has a field 'payloads'"
                " (such as event, extension, caller, callee, direction, trunk)"
            ),
        ],
        id="a member without a name",
    ),
    pytest.param(
        "{extension: {in: famly}}",
        ["3:30: unknown-group: no group is called 'famly' (did you mean 'family'?)"],
        id="a group nearly right",
    ),
    pytest.param(
        "{extension: {not: {in: zz}}}",
        ["3:36: unknown-group: no group is called 'zz' (declare it under 'groups:')"],
        id="a group inside not",
    ),
    pytest.param(
        "{extension: {exist: true}}",
        [
            "3:26: unknown-key: 'exist' is no key of a field test (did you mean 'exists'?)",
        ],
        id="an operator nearly right",
    ),
    pytest.param(
        "{extension: {equals: 1}}",
        ["3:26: unknown-key: 'equals' is no key of a field test (say 'in')"],
        id="another system's operator",
    ),
    pytest.param(
        "{caller: {begins_with: 1, not: {ends_with: 2}, regexp: 3}}",
        [
            "3:23: unknown-key: 'begins_with' is no key of a field test (say 'prefix')",
            "3:45: unknown-key: 'ends_with' is no key of a field test (say 'suffix')",
            "3:60: unknown-key: 'regexp' is no key of a field test (say 'regex')",
        ],
        id="operators of other systems",
    ),
    pytest.param(
        "{caller: {regex: ['[0-9]+', '(0']}}",
        [
            (
                "3:41: bad-regex: '(0' is no regular expression: a ( is never closed"
                " (for the character itself write \\()"
            )
        ],
        id="a regular expression that is none",
    ),
    pytest.param(
        "{caller: {glob: '[9-0]*'}}",
        ["3:29: bad-glob: in '[9-0]*' the range 9-0 is empty (write 0-9)"],
        id="a glob with an empty range",
    ),
    pytest.param(
        "{caller: {exists: true, ignore_case: true}}",
        [
            (
                "3:50: lone-modifier: 'ignore_case' changes nothing here"
                " (it goes with in, not, glob, regex, prefix, suffix, contains)"
            )
        ],
        id="ignore_case beside nothing that has a case",
    ),
    pytest.param(
        "{caller: {prefix: '', suffix: [1, ''], contains: {}, glob: []}}",
        [
            "3:31: wrong-value: this text is empty",
            "3:47: wrong-value: this text is empty",
            "3:62: wrong-type: a mapping is not text or a number or a list",
            "3:72: wrong-value: this list is empty",
        ],
        id="operators without a text",
    ),
    pytest.param(
        "{duration: {above: 1m, below: [], between: [1, 2, 3]}}",
        [
            "3:32: wrong-value: '1m' is not a number",
            "3:43: wrong-type: a list is not a number",
            (
                "3:56: wrong-value: a list has more entries than 2"
                " (write both bounds, as in [100, 149])"
            ),
        ],
        id="bounds that are none",
    ),
    pytest.param(
        "{extension: {between: [5, 10]}}",
        [
            (
                "3:35: wrong-value: '5' and '10' have not the same number of digits"
                " (for numbers of any length say above and below)"
            )
        ],
        id="bounds with different numbers of digits",
    ),
    pytest.param(
        "{caller: {length: {over: 3}, not: {length: '3'}}}",
        [
            "3:32: unknown-key: 'over' is no key of length (say 'above')",
            ("3:56: wrong-type: '3' is not a whole number or a mapping (write 3, without quotes)"),
        ],
        id="a length that is none",
    ),
    pytest.param(
        "{extension: {exists: yes}}",
        ["3:34: wrong-type: 'yes' is not true or false (write true)"],
        id="yes is no true",
    ),
    pytest.param(
        "{extension: {in: 5}}",
        ["3:30: wrong-type: 5 is not text or a list (such as family)"],
        id="a number is no group",
    ),
    pytest.param(
        "{extension: true}",
        [
            (
                "3:25: wrong-type: true is not a text, a list of texts, or a map of operators"
                " (for a text put it in quotes)"
            )
        ],
        id="a truth value is no test",
    ),
    pytest.param(
        "{extension: null}",
        [
            (
                "3:25: wrong-type: null is not a text, a list of texts, or a map of operators"
                " (where the field is absent holds {exists: false})"
            )
        ],
        id="null is no test",
    ),
    pytest.param(
        "{extension: }",
        [
            (
                "3:25: empty-value: 'extension' has no value"
                ' (write what is meant; an empty text is "")'
            )
        ],
        id="a test without a value",
    ),
    pytest.param(
        "{extension: *101}",
        [
            (
                "3:25: alias: '*' without quotes begins an alias in YAML, and none are read here"
                ' (write "*101")'
            )
        ],
        id="a star without quotes",
    ),
    pytest.param("{extension: []}", ["3:25: wrong-value: this list is empty"], id="an empty list"),
    pytest.param(
        "{extension: {}}", ["3:25: wrong-value: this mapping is empty"], id="an empty test"
    ),
    pytest.param(
        "{extension: [[1]]}",
        [("3:26: wrong-type: a list is not text or a number (leave the inner brackets out)")],
        id="a list in a list",
    ),
    pytest.param("{}", ["3:13: wrong-value: this mapping is empty"], id="an empty trigger"),
    pytest.param("[]", ["3:13: wrong-value: this list is empty"], id="no trigger in the list"),
    pytest.param(
        "ring",
        [
            (
                "3:13: wrong-value: 'ring' is not any, a map of tests, or a list of such maps"
                " (such as {event: ring, extension: 101})"
            )
        ],
        id="an event in a trigger's place",
    ),
    pytest.param(
        "5",
        [
            (
                "3:13: wrong-type: 5 is not any, a map of tests, or a list of such maps"
                " (such as {event: ring})"
            )
        ],
        id="a number in a trigger's place",
    ),
    pytest.param(
        "[ring]",
        [("3:14: wrong-type: 'ring' is not a mapping (such as {event: ring, extension: 101})")],
        id="events in the list",
    ),
    pytest.param(
        "{event: ring, time: night, not: {caller: 1}}",
        [
            "3:27: unknown-field: no event has a field 'time' (it stands under 'conditions')",
            "3:40: unknown-field: no event has a field 'not' (it stands under 'conditions')",
        ],
        id="words of conditions",
    ),
    pytest.param(
        "[{event: ring, id: 5}, {event: ring, id: '5'}, {event: ring, id: a b}]",
        [
            (
                "3:32: wrong-type: 5 is not a name of letters, digits, _ . -"
                " (at most 100), no digit first (such as door)"
            ),
            (
                "3:54: wrong-value: '5' is not a name of letters, digits, _ . -"
                " (at most 100), no digit first"
            ),
            (
                "3:78: wrong-value: 'a b' is not a name of letters, digits, _ . -"
                " (at most 100), no digit first"
            ),
        ],
        id="ids that are none",
    ),
    pytest.param(
        "{colour: {red: 1}}",
        [
            (
                "3:14: unknown-field: no event has a field 'colour'"
                " (such as event, extension, caller, callee, direction, trunk)"
            )
        ],
        id="a field like no other, whatever is wrong with its test",
    ),
    pytest.param(
        "[{event: ring}, {event: ring, extn: 1}]",
        ["3:43: unknown-field: no event has a field 'extn' (did you mean 'extension'?)"],
        id="the second trigger of a list",
    ),
    pytest.param(
        "{event: ring, for: {seconds: 5}, until: anser}",
        [
            "3:32: wrong-type: a mapping is not a duration such as 20s or 5m (write 5s)",
            ("3:53: unknown-event: no report is the event 'anser' (did you mean 'answer'?)"),
        ],
        id="for as Home Assistant has it, and what ends it",
    ),
    pytest.param(
        "[{event: ring, until: bye}, {event: ring, for: 5s, until: [bye, rign, 5]}]",
        [
            "3:28: unknown-key: 'until' stands beside 'for' only (say for how long: for: 20s)",
            "3:77: unknown-event: no report is the event 'rign' (did you mean 'ring'?)",
            "3:83: wrong-type: 5 is not text (put it in quotes)",
        ],
        id="until alone, and a number as an event",
    ),
    pytest.param(
        "{event: ring, for: 5s, count: {at_least: 3, within: 5m}}",
        ["3:36: two-keys: 'for' and 'count' can't both stand in a trigger"],
        id="for and count",
    ),
    pytest.param(
        "[{event: ring, count: 3}, {event: ring, count: {times: 3, window: 5m, of: call}}]",
        [
            ("3:35: wrong-type: 3 is not a mapping (such as {at_least: 3, within: 5m})"),
            "3:61: unknown-key: 'times' is no key of a count (say 'at_least')",
            "3:71: unknown-key: 'window' is no key of a count (say 'within')",
            ("3:87: wrong-value: 'call' is none of calls, reports (did you mean 'calls'?)"),
        ],
        id="counts that are none",
    ),
    pytest.param(
        "{event: ring, count: {at_least: 1, within: 5}}",
        [
            "3:45: wrong-value: 1 is less than 2",
            "3:56: wrong-type: 5 is not a duration such as 20s or 5m (write 5s)",
        ],
        id="a count of one",
    ),
]

NO_NAME = "'{}' is no name that templates know"
CONDITIONS = [
    pytest.param(
        "5",
        ["4:15: wrong-type: 5 is not a mapping or a list or text (such as {time: night})"],
        id="a number",
    ),
    pytest.param("[]", ["4:15: wrong-value: this list is empty"], id="an empty list"),
    pytest.param("[{}]", ["4:16: wrong-value: this mapping is empty"], id="an empty condition"),
    pytest.param(
        "[[{caller: 1}]]",
        [
            (
                "4:16: wrong-type: a list is not a mapping or text"
                " (such as {time: night, caller: {exists: true}})"
            )
        ],
        id="a list in the list",
    ),
    pytest.param(
        "night",
        [
            (
                "4:15: bad-condition: a condition is a template that gives true or false"
                " (write '{{ … }}', or a map of tests)"
            )
        ],
        id="a text that is no template",
    ),
    pytest.param(
        "{time: nigth}",
        ["4:22: unknown-time: no time is called 'nigth' (did you mean 'night'?)"],
        id="a time nearly right",
    ),
    pytest.param(
        "{not: {time: [night, lunch]}}",
        ["4:36: unknown-time: no time is called 'lunch' (describe it under 'times:')"],
        id="a time like no other, in a list",
    ),
    pytest.param(
        "{time: {after: 22:00}}",
        [
            (
                "4:22: wrong-type: a mapping is not text or a list"
                " (describe it under 'times:', and write its name here)"
            )
        ],
        id="a time without a name",
    ),
    pytest.param(
        "[{state: {armd: 1}}, {state: armed}, {state: {armed: {in: no, exist: 1}}}, {armed: 1}]",
        [
            "4:25: unknown-state: no state is called 'armd' (did you mean 'armed'?)",
            "4:44: wrong-type: 'armed' is not a mapping (such as {armed: \"true\"})",
            "4:77: unknown-key: 'exist' is no key of a field test (did you mean 'exists'?)",
            "4:91: unknown-field: no event has a field 'armed' (say state: {armed: …})",
        ],
        id="states that are none, and one in a field's place",
    ),
    pytest.param(
        "[{state: {armed: {in: famly}}}, {state: {x: 1}}, {state: {}}]",
        [
            ("4:37: unknown-group: no group is called 'famly' (did you mean 'family'?)"),
            "4:56: unknown-state: no state is called 'x' (declare it under 'state:')",
            '4:72: wrong-value: this mapping is empty (such as {armed: "true"})',
        ],
        id="tests of states",
    ),
    pytest.param(
        "{trigger: dor}",
        ["4:25: unknown-trigger: the rule has no trigger 'dor' (did you mean 'door'?)"],
        id="a trigger nearly right",
    ),
    pytest.param(
        "{trigger: [1, 3]}",
        [
            "4:26: unknown-trigger: the rule has no trigger '1' (it has door, 2)",
            "4:29: unknown-trigger: the rule has no trigger '3' (it has door, 2)",
        ],
        id="places of triggers that have a name, or are not there",
    ),
    pytest.param(
        "{or: {caller: 1}}",
        ["4:20: wrong-type: a mapping is not a list (such as or: [{…}, {…}])"],
        id="or of a map, in which all must hold",
    ),
    pytest.param(
        "{not: 5}",
        [
            (
                "4:21: wrong-type: 5 is not a mapping or a list or text"
                " (such as {caller: {in: family}})"
            )
        ],
        id="not of a number",
    ),
    pytest.param(
        "{callr: 5, tme: night}",
        [
            "4:16: unknown-field: no event has a field 'callr' (did you mean 'caller'?)",
            "4:26: unknown-field: no event has a field 'tme' (did you mean 'time'?)",
        ],
        id="words nearly right",
    ),
    pytest.param(
        "{for: 5s}",
        ["4:16: unknown-field: no event has a field 'for' (it stands under 'triggers')"],
        id="a trigger's word in a condition",
    ),
    pytest.param(
        "{condition: time, after: 22:00}",
        [
            (
                "4:16: unknown-field: no event has a field 'condition'"
                " (a condition needs no kind: write its tests)"
            ),
            (
                "4:33: unknown-field: no event has a field 'after'"
                " (describe the time under 'times:', and say time: NAME)"
            ),
        ],
        id="another system's condition",
    ),
    pytest.param(
        "{any: [{caller: 1}]}",
        ["4:16: unknown-field: no event has a field 'any' (say 'or')"],
        id="another system's word around what no field has",
    ),
    pytest.param(
        "{caller: {in: famly}, event: rin}",
        [
            "4:29: unknown-group: no group is called 'famly' (did you mean 'family'?)",
            "4:44: unknown-event: no report is the event 'rin' (did you mean 'ring'?)",
        ],
        id="field tests, as in a trigger",
    ),
    pytest.param(
        "[{or: [{time: x}, '{{ y }}', {caller: {exists: 5}}]}, '{{ z }}']",
        [
            "4:29: unknown-time: no time is called 'x' (describe it under 'times:')",
            (
                "4:37: unknown-name: 'y' is no name that templates know"
                " (a text stands in quotes: 'y')"
            ),
            "4:62: wrong-type: 5 is not true or false",
            (
                "4:73: unknown-name: 'z' is no name that templates know"
                " (a text stands in quotes: 'z')"
            ),
        ],
        id="all that is wrong, at any depth",
    ),
    pytest.param(
        "'{{ now.hours > 5 }}'",
        ["4:23: unknown-name: 'now' has no 'hours' (did you mean 'hour'?)"],
        id="a member of now",
    ),
    pytest.param(
        "'{{ now().hour > 5 }}'",
        [
            (
                "4:19: template-refused: now(…) is a call, and templates have none"
                " (write 'now', or a condition 'time:')"
            )
        ],
        id="now as a call",
    ),
    pytest.param(
        "'{{ trigger.event == 1 }}'",
        [
            (
                "4:27: unknown-name: 'trigger' has no 'event'"
                " (it has id; what the report tells stands by itself, as {{ caller }})"
            )
        ],
        id="a member of trigger",
    ),
    pytest.param(
        "'{{ secret.ntfy == caller }}'",
        ["4:19: template-refused: a condition is given no secrets (actions are)"],
        id="a secret",
    ),
    pytest.param(
        "['{{ call.anwsered }}', '{{ state.x == 1 }}', '{{ outcome == 1 }}']",
        [
            "4:25: unknown-name: 'call' has no 'anwsered' (did you mean 'answered'?)",
            "4:49: unknown-name: 'state' has no 'x' (declare it under 'state:')",
            ("4:65: unknown-name: 'outcome' is not known here (only 'finally' knows it)"),
        ],
        id="names that have their places",
    ),
]

SYNTAX = "(each '{{' needs its '}}'; '{{' itself is {{ '{{' }})"
ACTIONS = [
    pytest.param("[]", ["4:12: wrong-value: this list is empty"], id="no action"),
    pytest.param(
        "{log: a}",
        [("4:12: wrong-type: a mapping is not a list (put '- ' before it, or brackets around it)")],
        id="no list",
    ),
    pytest.param(
        "[hi]",
        [
            (
                "4:13: wrong-type: 'hi' is not a mapping"
                ' (such as {mqtt: {topic: home/hall/lamp/set, payload: "ON"}})'
            )
        ],
        id="a text as an action",
    ),
    pytest.param("[{}]", ["4:13: wrong-value: this mapping is empty"], id="an empty action"),
    pytest.param(
        "[{log: a}, {timeout: 5s}]",
        [
            (
                "4:23: no-verb: an action needs a verb: one of http, log, mqtt, shell, choose,"
                " delay, if, parallel, repeat, script, set, stop, wait_for"
            )
        ],
        id="an action without a verb",
    ),
    pytest.param(
        "[{log: a, mqtt: {topic: t}}]",
        [
            (
                "4:22: two-verbs: 'mqtt' stands in an action that has 'log' already"
                " (begin a new action with -)"
            )
        ],
        id="two verbs in one action",
    ),
    pytest.param(
        "[{mqqt: {topic: t}}]",
        ["4:14: unknown-key: 'mqqt' is no key of an action (did you mean 'mqtt'?)"],
        id="a verb nearly right",
    ),
    pytest.param(
        "[{service: x}]",
        ["4:14: unknown-key: 'service' is no key of an action (say 'mqtt')"],
        id="Home Assistant's service",
    ),
    pytest.param(
        "[{log: a, env: {A: b}, cwd: /}]",
        [
            "4:22: unknown-key: 'env' stands beside shell only",
            "4:35: unknown-key: 'cwd' stands beside shell only",
        ],
        id="what belongs to shell beside another verb",
    ),
    pytest.param(
        "[{mqtt: {topik: t}}]",
        ["4:21: unknown-key: 'topik' is no key of an mqtt action (did you mean 'topic'?)"],
        id="an argument nearly right",
    ),
    pytest.param(
        "[{mqtt: {topic: t, payload_template: x}}]",
        ["4:31: unknown-key: 'payload_template' is no key of an mqtt action (say 'payload')"],
        id="Home Assistant's argument",
    ),
    pytest.param(
        "[{mqtt: t}]",
        ["4:20: wrong-type: 't' is not a mapping (write {topic: t})"],
        id="mqtt as a text",
    ),
    pytest.param(
        "[{mqtt: {topic: t, qos: 3}}]",
        ["4:36: wrong-value: 3 is none of 0, 1, 2"],
        id="a qos that there is not",
    ),
    pytest.param(
        "[{mqtt: {topic: t, retain: 'true'}}]",
        ["4:39: wrong-type: 'true' is not true or false (write true, without quotes)"],
        id="a truth value in quotes",
    ),
    pytest.param("[{mqtt: {topic: ''}}]", ["4:28: wrong-value: this text is empty"], id="no topic"),
    pytest.param(
        "[{log: 5}]",
        [
            (
                "4:19: wrong-type: 5 is not a mapping or text"
                ' (such as "{{ caller }} rings {{ extension }}")'
            )
        ],
        id="a number",
    ),
    pytest.param(
        "[{log: {text: hi, level: warn}}]",
        [
            (
                "4:37: wrong-value: 'warn' is none of debug, info, warning, error"
                " (did you mean 'warning'?)"
            )
        ],
        id="a level nearly right",
    ),
    pytest.param("[{shell: []}]", ["4:21: wrong-value: this list is empty"], id="no command"),
    pytest.param(
        "[{shell: {argv: [a]}}]",
        [
            (
                "4:21: wrong-type: a mapping is not a list or text"
                ' (such as [/usr/local/bin/light, --room, "{{ extension }}"])'
            )
        ],
        id="shell as a map",
    ),
    pytest.param(
        "[{shell: [a], env: {A-B: c}}]",
        [
            (
                "4:32: wrong-value: 'A-B' is not a variable's name: letters, digits and _,"
                " no digit first"
            )
        ],
        id="a variable of the environment with a hyphen",
    ),
    pytest.param(
        "[{http: {url: 'http://h/', headers: {A b: c}}}]",
        ["4:49: wrong-value: 'A b' is not a header's name"],
        id="a header with a space",
    ),
    pytest.param(
        "[{http: {url: 'http://h/', method: post}}]",
        [
            (
                "4:47: wrong-value: 'post' is none of GET, POST, PUT, PATCH, DELETE, HEAD"
                " (did you mean 'POST'?)"
            )
        ],
        id="a method in small letters",
    ),
    pytest.param(
        "[{log: a, timeout: 5}]",
        ["4:31: wrong-type: 5 is not a duration such as 20s or 5m (write 5s)"],
        id="a duration without its unit",
    ),
    pytest.param(
        "[{log: a, timeout: 5 s}]",
        ["4:31: wrong-value: '5 s' is not a duration such as 20s or 5m (write 5s)"],
        id="a duration with a space",
    ),
    pytest.param(
        "[{log: a, expires: soon}]",
        [
            (
                "4:31: wrong-value: 'soon' is not a duration such as 60s, or never"
                " (a whole number with ms, s, m, h or d behind it)"
            )
        ],
        id="a word that is no duration",
    ),
    pytest.param(
        "[{log: a, retry: {attempts: 0}}]", ["4:40: wrong-value: 0 is less than 1"], id="no try"
    ),
    pytest.param(
        "[{log: a, retry: {attempts: 1001}}]",
        ["4:40: wrong-value: 1001 is more than 1000"],
        id="too many tries",
    ),
    pytest.param(
        "[{log: a, retry: {attempts: 1.5}}]",
        ["4:40: wrong-type: 1.5 is not a whole number (such as 3)"],
        id="half a try",
    ),
    pytest.param(
        "[{log: a, retries: 5}]",
        ["4:22: unknown-key: 'retries' is no key of an action (say 'retry')"],
        id="another word for retry",
    ),
    pytest.param(
        "[{mqtt: {topic: 'a/{{ callr }}'}}]",
        [("4:34: unknown-name: 'callr' is no name that templates know (did you mean 'caller'?)")],
        id="a name nearly right in a topic",
    ),
    pytest.param(
        "[{log: a}, {mqtt: {topic: t, payload: {a: [1, {b: '{{ foo }}'}, '{{ bar }}']}}}]",
        [
            (
                "4:66: unknown-name: 'foo' is no name that templates know"
                " (a text stands in quotes: 'foo')"
            ),
            (
                "4:80: unknown-name: 'bar' is no name that templates know"
                " (a text stands in quotes: 'bar')"
            ),
        ],
        id="templates inside a nested payload",
    ),
    pytest.param(
        "[{mqtt: {topic: t, payload: '{{ vars.stie }} {{ secret.x }} {{ rule.name }}'}}]",
        [
            "4:49: unknown-name: 'vars' has no 'stie' (did you mean 'site'?)",
            (
                "4:67: unknown-name: 'secret' has no 'x'"
                " (declare it under 'secrets:' in the configuration)"
            ),
            "4:80: unknown-name: 'rule' has no 'name' (it has id)",
        ],
        id="all that is wrong with one template",
    ),
    pytest.param(
        "[{shell: [a, b, '{{ extnsion }}'], env: {A: '{{ calr }}'}}]",
        [
            (
                "4:32: unknown-name: 'extnsion' is no name that templates know"
                " (did you mean 'extension'?)"
            ),
            ("4:60: unknown-name: 'calr' is no name that templates know (did you mean 'caller'?)"),
        ],
        id="templates of a command and beside it",
    ),
    pytest.param(
        "[{http: {url: 'http://h/', headers: {A: '{{ x }}'}, json: ['{{ y }}']}}]",
        [
            (
                "4:56: unknown-name: 'x' is no name that templates know"
                " (a text stands in quotes: 'x')"
            ),
            (
                "4:75: unknown-name: 'y' is no name that templates know"
                " (a text stands in quotes: 'y')"
            ),
        ],
        id="templates of a request",
    ),
    pytest.param(
        "[{log: '{{ caller'}]",
        [
            (
                "4:19: template-syntax: not a template: unexpected end of template,"
                f" expected 'end of expression' {SYNTAX}"
            )
        ],
        id="braces that are not closed",
    ),
    pytest.param(
        "[{log: '{% if x %}'}]",
        [
            (
                "4:19: template-refused: {% … %} is not there in templates"
                " (write {{ a if test else b }}; '{{' itself is {{ '{{' }})"
            )
        ],
        id="a statement in a template",
    ),
    pytest.param(
        "[{log: '{{ caller | uper }}'}]",
        ["4:32: unknown-filter: there is no filter 'uper' (did you mean 'upper'?)"],
        id="a filter nearly right",
    ),
    pytest.param(
        "[{log: '{{ caller is strin }}'}]",
        ["4:33: unknown-test: there is no test 'strin' (did you mean 'string'?)"],
        id="a test nearly right",
    ),
    pytest.param(
        "[{mqtt: {topic: 'a/#'}}]",
        ["4:31: bad-topic: '#' can't stand in a topic (wildcards are for who subscribes)"],
        id="a wildcard in a topic",
    ),
    pytest.param(
        "[{http: {url: 'http://{{ caller }}/'}}]",
        [
            (
                "4:26: bad-url: the host and port of a URL are no templates"
                " (write them out, and '/' before the first '{{')"
            )
        ],
        id="a host from the call",
    ),
    pytest.param(
        '[{shell: [a, "b\\0c"]}]',
        ["4:25: bad-argument: U+0000 can't stand in an argument"],
        id="a NUL in an argument",
    ),
    pytest.param(
        "[{shell: ['{{ caller }}', a]}]",
        [PROGRAM.format(22)],
        id="a program from the call",
    ),
    pytest.param(
        "[{shell: ['/opt/{{ event }}']},"
        " {shell: [env, -u, X, A=1, 'B={{ caller }}', '{{ caller }}']}]",
        [PROGRAM.format(22), PROGRAM.format(88)],
        id="a part of a program's name, and one behind env",
    ),
    pytest.param(
        "[{shell: [sh, -c, 'echo {{ caller }}']}, {shell: [/bin/bash, -lc, '{{ caller }}', a]}]",
        [CODE.format(30, "sh", "this template"), CODE.format(78, "/bin/bash", "this template")],
        id="a call's text as code",
    ),
    pytest.param(
        "[{shell: [env, -i, A=b, zsh, -o, x, -ec, --, '{{ caller }}']},"
        " {shell: [busybox, ash, +x, -c, '{{ caller }}']}]",
        [CODE.format(57, "zsh", "this template"), CODE.format(106, "ash", "this template")],
        id="a call's text as code behind env and busybox",
    ),
    pytest.param(
        "[{shell: [sh, '{{ caller }}']}, {shell: [sh, -s]}]",
        [CODE.format(26, "sh", "this template"), CODE.format(53, "sh", "the event on its stdin")],
        id="a script from the call, and the event as one",
    ),
    pytest.param(
        """[{shell: "echo '{{ caller }}' {{.Names}}", cwd: "/{{ extension }}"}]""",
        [
            '4:21: shell-template: a shell text takes no templates (write "$PBX_CALLER")',
            "4:60: shell-template: 'cwd' takes no templates (write the folder)",
        ],
        id="templates where none are read",
    ),
    pytest.param(
        "[{http: {url: 'http://h/', json: 1, body: a}}]",
        ["4:48: two-keys: 'json' and 'body' can't both stand in an http action"],
        id="two bodies",
    ),
]

RULE = "  triggers: any\n  actions: [{log: a}]\n"
FILES = [
    pytest.param(
        "[]\n",
        [
            (
                "1:1: wrong-type: a list is not a mapping"
                " (write 'rules:' in the first line, and the list below it)"
            )
        ],
        id="a list",
    ),
    pytest.param(
        "hello\n",
        [
            (
                "1:1: wrong-type: 'hello' is not a mapping"
                " (write 'rules:' in the first line, and the rules below it)"
            )
        ],
        id="a text",
    ),
    pytest.param(
        "rules: 5\n", ["1:8: wrong-type: 5 is not a list (write [5])"], id="a number of rules"
    ),
    pytest.param("rules: [5]\n", ["1:9: wrong-type: 5 is not a mapping"], id="a number as a rule"),
    pytest.param(
        "automation: []\nrulse: []\nzzz: 1\n",
        [
            "1:1: unknown-key: 'automation' is no key of a rule file (say 'rules')",
            ("2:1: unknown-key: 'rulse' is no key of a rule file (did you mean 'rules'?)"),
            (
                "3:1: unknown-key: 'zzz' is no key of a rule file (there are rules, "
                "groups, scripts, state, times)"
            ),
        ],
        id="keys of a file",
    ),
    pytest.param(
        "rules:\n- alias: 5\n  enabled: 'no'\n  varables: {}\n  trigger: any\n  action: []\n",
        [
            "2:3: missing-key: 'id' is missing from a rule (such as id: hall-lamp)",
            "2:10: wrong-type: 5 is not text (put it in quotes)",
            "3:12: wrong-type: 'no' is not true or false (write false)",
            "4:3: unknown-key: 'varables' is no key of a rule (did you mean 'variables'?)",
            "5:3: unknown-key: 'trigger' is no key of a rule (say 'triggers')",
            "6:3: unknown-key: 'action' is no key of a rule (say 'actions')",
        ],
        id="keys of a rule",
    ),
    pytest.param(
        f"rules:\n- id: a b\n{RULE}- id: 5\n{RULE}- id: '{'x' * 101}'\n{RULE}",
        [
            (
                "2:7: wrong-value: 'a b' is not a name of letters, digits, _ . - (at most 100)"
                " (such as a-b)"
            ),
            "5:7: wrong-type: 5 is not text (put it in quotes)",
            (
                "8:7: wrong-value: 'xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx…'"
                " is not a name of letters, digits, _ . - (at most 100)"
                " (such as xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx)"
            ),
        ],
        id="ids that are none",
    ),
    pytest.param(
        f"rules:\n- id: a\n  expires: soon\n{RULE}- id: b\n  expires: 60\n{RULE}",
        [
            (
                "3:12: wrong-value: 'soon' is not a duration such as 60s, or never"
                " (a whole number with ms, s, m, h or d behind it)"
            ),
            "7:12: wrong-type: 60 is not a duration such as 60s, or never (write 1m)",
        ],
        id="spans of a rule that are none",
    ),
    pytest.param(
        f"rules:\n- id: a\n  variables: {{a-b: 1}}\n{RULE}",
        [
            (
                "3:15: wrong-value: 'a-b' is not a name for templates: letters, digits and _,"
                " no digit first (such as a_b)"
            )
        ],
        id="a variable's name",
    ),
    pytest.param(
        "groups: {a b: [1], c: [true], d: 5}\n",
        [
            (
                "1:10: wrong-value: 'a b' is not a group's name: letters, digits, _ and -,"
                " no digit first (such as a-b)"
            ),
            "1:24: wrong-type: true is not text or a number (put it in quotes)",
            "1:34: wrong-type: 5 is not a list (write [5])",
        ],
        id="groups",
    ),
    pytest.param(
        "times: {a b: {after: 1:00}, c: {}, d: {aftr: 22:00}, e: 5}\n",
        [
            (
                "1:9: wrong-value: 'a b' is not a time's name: letters, digits, _ and -, no"
                " digit first"
            ),
            "1:22: wrong-value: '1:00' is not a time of day such as 22:30 (say '01:00')",
            (
                "1:32: wrong-value: this mapping is empty"
                " (its keys: after, before, weekdays, days, months, years, dates, timezone,"
                " any)"
            ),
            "1:40: unknown-key: 'aftr' is no key of a time (did you mean 'after'?)",
            "1:57: wrong-type: '5' is not a mapping (such as {after: 22:30})",
        ],
        id="times",
    ),
    pytest.param(
        "times:\n  a: {timezone: Berlin}\n  b: {after: 22:00, before: 22:00}\n",
        [
            ("2:17: unknown-zone: no time zone is called 'Berlin' (did you mean 'Europe/Berlin'?)"),
            (
                "3:29: never-holds: this time never holds: from 22:00 to 22:00 there is nothing"
                " (without 'after' and 'before' it is the whole day)"
            ),
        ],
        id="times that only their meaning shows to be wrong",
    ),
    pytest.param(
        f"rules:\n- id: a\n  per: [callr, payload, call]\n  once_per: caller\n  mode: queue\n"
        f"  max: 0\n  cooldown: {{minutes: 5}}\n  finally: {{log: a}}\n{RULE}",
        [
            ("3:9: unknown-field: no event has a field 'callr' (did you mean 'caller'?)"),
            ("3:16: unknown-field: no event has a field 'payload' (say 'payload.NAME')"),
            "4:13: wrong-value: 'caller' is not call (did you mean 'call'?)",
            (
                "5:9: wrong-value: 'queue' is none of parallel, single, restart, queued "
                "(did you mean 'queued'?)"
            ),
            "6:8: wrong-value: 0 is less than 1",
            "7:13: wrong-type: a mapping is not a duration such as 20s or 5m (write 5m)",
            (
                "8:12: wrong-type: a mapping is not a list (put '- ' before it, or "
                "brackets around it)"
            ),
        ],
        id="what keeps runs apart and ends them",
    ),
    pytest.param(
        f"rules:\n- id: a\n  per: cal\n  cooldown: 5\n{RULE}"
        f"- id: b\n  per: 5\n  throttle: 5m\n{RULE}",
        [
            "3:8: unknown-field: no event has a field 'cal' (did you mean 'call'?)",
            "4:13: wrong-type: 5 is not a duration such as 20s or 5m (write 5s)",
            "8:8: wrong-type: 5 is not text or a list (such as call)",
            "9:3: unknown-key: 'throttle' is no key of a rule (say 'cooldown')",
        ],
        id="more of the same",
    ),
    pytest.param(
        "state: {a b: 1, c: null, d: {topic: x}, e: {mqtt: 'a/#'}, f: {mqtt: 'a/{{ x }}'},"
        " g: {initial: 5}, h: {mqtt: ''}}\n",
        [
            (
                "1:9: wrong-value: 'a b' is not a name for templates: letters, digits "
                "and _, no digit first"
            ),
            (
                "1:20: wrong-type: null is not text or a number or true or false or a "
                "list or a mapping (write its first value, or {mqtt: TOPIC})"
            ),
            "1:30: unknown-key: 'topic' is no key of a state (say 'mqtt')",
            "1:51: bad-topic: '#' can't stand in a topic (one state has one topic)",
            ("1:69: bad-topic: the topic of a state takes no templates (write the whole topic)"),
            ("1:86: missing-key: 'mqtt' is missing from a state (such as mqtt: home/alarm/armed)"),
            (
                "1:87: unknown-key: 'initial' is no key of a state (write the first "
                "value by itself, as in missed: 0)"
            ),
            "1:110: wrong-value: this text is empty",
        ],
        id="states",
    ),
    pytest.param(
        f"rules:\n- id: a\n  id: b\n{RULE}",
        ["3:3: duplicate-key: 'id' is given twice (first in line 2)"],
        id="a key given twice",
    ),
    pytest.param(
        "rules:\n- id: x\n  triggers:\n  actions:\n",
        [
            (
                "3:12: empty-value: 'triggers' has no value"
                ' (write what is meant; an empty text is "")'
            ),
            (
                "4:11: empty-value: 'actions' has no value"
                ' (write what is meant; an empty text is "")'
            ),
        ],
        id="keys without values",
    ),
    pytest.param(
        f"rules:\n- id: x\n{RULE}- id: x\n{RULE}- id: x\n  enabled: false\n{RULE}",
        [
            "5:7: duplicate-id: the id 'x' stands also at a.yaml:2:7",
            "8:7: duplicate-id: the id 'x' stands also at a.yaml:2:7",
        ],
        id="an id given twice",
    ),
]


@pytest.mark.parametrize(("triggers", "expected"), TRIGGERS)
def test_a_mistake_in_a_trigger(triggers: str, expected: list[str]) -> None:
    assert told("groups: {family: [1]}\n", rule(triggers)) == [f"b.yaml:{x}" for x in expected]


@pytest.mark.parametrize(("conditions", "expected"), CONDITIONS)
def test_a_mistake_in_a_condition(conditions: str, expected: list[str]) -> None:
    names = "groups: {family: [1]}\ntimes: {night: {after: 22:00}}\nstate: {armed: {mqtt: a}}\n"
    text = asking(conditions, "[{event: ring, id: door}, {event: alert}]")
    assert told(names, text) == [f"b.yaml:{line}" for line in expected]


@pytest.mark.parametrize(("actions", "expected"), ACTIONS)
def test_a_mistake_in_an_action(actions: str, expected: list[str]) -> None:
    assert told(rule(actions=actions)) == [f"a.yaml:{line}" for line in expected]


@pytest.mark.parametrize(("text", "expected"), FILES)
def test_a_mistake_in_a_file(text: str, expected: list[str]) -> None:
    assert told(text) == [f"a.yaml:{line}" for line in expected]


@pytest.mark.parametrize(("word", "ours"), FIELD_HINTS.items())
def test_another_systems_word_for_a_field_is_told_ours(word: str, ours: str) -> None:
    assert told(rule(f"{{{word}: x}}")) == [
        f"a.yaml:3:14: unknown-field: no event has a field '{word}' (say '{ours}')"
    ]


def test_what_the_hints_say_is_there() -> None:
    operators = LANGUAGE.rules_schema.document["$defs"]["operators"]["properties"]
    assert set(FIELD_HINTS.values()) <= {*FIELDS, *operators, "payload.NAME"}


@pytest.mark.parametrize("name", FIELDS)
def test_every_field_of_an_event_may_be_tested(name: str) -> None:
    value = "ring" if name == "event" else "x"
    assert fires(rule(f"{{{name}: {value}}}"), **{name: value})


def asking(conditions: str, triggers: str = "{event: ring}", log: str = "hi") -> str:
    """A file with one rule: its triggers in line 3, its conditions in line 4."""
    return rule(f"{triggers}\n  conditions: {conditions}", f"[{{log: '{log}'}}]")


def test_all_problems_of_all_files_come_at_once_and_sorted() -> None:
    lines = told(
        "groups: {g: [1]}\nrules:\n"
        "- {id: x, triggers: {evnt: ring}, actions: [{log: '{{ calr }}'}, {lgo: b}]}\n",
        "groups: {g: [2]}\nrulse: []\n",
        "rules:\n- {id: x, triggers: {extension: {in: h}}, actions: [{log: a, expires: 5}]}\n",
    )
    assert [line.split(": ")[:2] for line in lines] == [
        ["a.yaml:3:22", "unknown-field"],
        ["a.yaml:3:55", "unknown-name"],
        ["a.yaml:3:67", "unknown-key"],
        ["b.yaml:1:10", "duplicate-group"],
        ["b.yaml:2:1", "unknown-key"],
        ["c.yaml:2:8", "duplicate-id"],
        ["c.yaml:2:38", "unknown-group"],
        ["c.yaml:2:71", "wrong-type"],
    ]


def test_each_kind_of_name_is_unique_over_all_files() -> None:
    text = (
        "groups: {x: [1]}\ntimes: {x: {years: 2026}}\nstate: {x: 1}\nscripts: {x: [{log: a}]}\n"
    ) + rule().replace("id: r", "id: x")
    assert ruleset(text).by_id.keys() == {"x"}, "a name of each kind may be the same"
    assert told(text, text) == [
        "b.yaml:1:10: duplicate-group: the group 'x' stands also at a.yaml:1:10",
        "b.yaml:2:9: duplicate-time: the time 'x' stands also at a.yaml:2:9",
        "b.yaml:3:9: duplicate-state: the state 'x' stands also at a.yaml:3:9",
        "b.yaml:4:11: duplicate-script: the script 'x' stands also at a.yaml:4:11",
        "b.yaml:6:7: duplicate-id: the id 'x' stands also at a.yaml:6:7",
    ]


def test_a_group_or_a_time_that_is_wrong_is_told_once_and_not_where_it_is_named() -> None:
    text = "groups: {g: 5}\ntimes: {t: {after: x}, u: {after: 22:00, before: 22:00}}\n"
    lines = told(text, asking("{caller: {in: g}, time: [t, u]}"))
    assert [line.split(": ")[1] for line in lines] == ["wrong-type", "wrong-value", "never-holds"]


def test_a_broken_file_hides_nothing_of_the_others() -> None:
    lines = told("rules: [\n", rule("{evnt: ring}"))
    assert [line.split(": ")[1] for line in lines] == ["yaml-syntax", "unknown-field"]


# --- A user's own event -----------------------------------------------------------------------

FAX = {
    "properties": {
        "action": {"const": "FAX"},
        "callid": {"type": "string"},
        "pages": {"type": "integer"},
        "sender": {"type": "object", "properties": {"number": {"type": "string"}}},
        "notes": {},
        "tags": {"type": "object", "additionalProperties": {"type": "string"}},
    }
}
DOOR = {"properties": {"action": {"enum": ["DOOR", "GATE"]}, "floor": {}, "sender": {}}}
BARE = {"properties": {"action": {"const": "BARE"}}}


def own_events(text: str) -> list[str]:
    """What is wrong with a file where ``fax``, ``door`` and ``bare`` are events."""
    own = {**shipped.event_schemas(), "fax": FAX, "door": DOOR, "bare": BARE}
    language = replace(LANGUAGE, event_schemas=event_schemas(own))
    try:
        ruleset(text, language=language)
    except ProblemsError as exc:
        return [str(problem) for problem in exc.problems]
    return []


@pytest.mark.parametrize(
    "text",
    [
        pytest.param(rule("{event: fax, payload.pages: 3}"), id="a member in a trigger"),
        pytest.param(rule("{event: [fax, door], payload.floor: 3}"), id="a member of one of two"),
        pytest.param(rule("{action: GATE, payload.floor: 3}"), id="an event by its action"),
        pytest.param(rule("{event: fax, payload.sender.number: 3}"), id="a member's member"),
        pytest.param(rule("{event: fax, payload.notes.x.y: 3}"), id="a member of any kind"),
        pytest.param(rule("{event: fax, payload.tags.x: 3}"), id="a map of any members"),
        pytest.param(rule("{event: bare, payload.x: 3}"), id="a schema that lists nothing"),
        pytest.param(rule("{event: [bare, fax], payload.x: 3}"), id="such a one among others"),
        pytest.param(rule("{event: ring, payload.x: 3}"), id="the PBX's own event"),
        pytest.param(rule("{event: [ring, fax], payload.x: 3}"), id="such a one among others too"),
        pytest.param(rule("{event: other, payload.x: 3}"), id="what nobody knows"),
        pytest.param(rule("{action: NEW, payload.x: 3}"), id="an action that nobody knows"),
        pytest.param(rule("{action: [NEW, FAX], payload.x: 3}"), id="such a one among others also"),
        pytest.param(rule("{event: {not: ring}, payload.x: 3}"), id="all events but one"),
        pytest.param(rule("{caller: 5, payload.x: 3}"), id="no event at all"),
        pytest.param(rule("any", "[{log: '{{ payload.x }}'}]"), id="any event"),
        pytest.param(
            rule("[{event: fax}, {event: ring}]", "[{log: '{{ payload.x }}'}]"),
            id="a template that another trigger's event may fill",
        ),
        pytest.param(
            asking(
                "[{payload.pages: 1}, '{{ payload.sender.number == caller }}']",
                "{event: fax}",
                "{{ payload.pages }} {{ payload[caller] }} {{ payload }}",
            ),
            id="members in conditions and templates",
        ),
    ],
)
def test_a_member_that_a_users_own_event_may_have_is_good(text: str) -> None:
    assert own_events(text) == []


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        pytest.param(
            rule("{event: fax, payload.pagse: 3}"),
            ["3:26: unknown-member: 'payload' has no 'pagse' (did you mean 'pages'?)"],
            id="in a trigger",
        ),
        pytest.param(
            rule("[{event: fax, payload.pages: 3}, {event: door, payload.pages: 3}]"),
            ["3:60: unknown-member: 'payload' has no 'pages' (it has action, floor, sender)"],
            id="in the trigger of another event",
        ),
        pytest.param(
            rule("{event: [fax, door], payload.flor: 3}"),
            ["3:34: unknown-member: 'payload' has no 'flor' (did you mean 'floor'?)"],
            id="of two events",
        ),
        pytest.param(
            rule("{event: {not: {not: fax}}, payload.pagse: 3}"),
            ["3:40: unknown-member: 'payload' has no 'pagse' (did you mean 'pages'?)"],
            id="of the only event that operators leave",
        ),
        pytest.param(
            rule("{action: GATE, payload.flor: 3}"),
            ["3:28: unknown-member: 'payload' has no 'flor' (did you mean 'floor'?)"],
            id="of an event told by its action",
        ),
        pytest.param(
            rule("{event: fax}\n  per: [payload.pages, payload.pags]"),
            ["4:24: unknown-member: 'payload' has no 'pags' (did you mean 'pages'?)"],
            id="that keeps runs apart",
        ),
        pytest.param(
            rule(
                "{event: fax}",
                "[{wait_for: {event: door, payload.pages: 1}, same: [payload.pages, payload.x]},"
                " {if: {payload.pags: 1}, then: [{log: '{{ payload.pagse }}'}]}]",
            ),
            [
                ("4:38: unknown-member: 'payload' has no 'pages' (it has action, floor, sender)"),
                (
                    "4:79: unknown-member: 'payload' has no 'x' (it has action, callid, "
                    "notes, pages, sender, tags)"
                ),
                ("4:98: unknown-member: 'payload' has no 'pags' (did you mean 'pages'?)"),
                ("4:141: unknown-member: 'payload' has no 'pagse' (did you mean 'pages'?)"),
            ],
            id="in steps",
        ),
        pytest.param(
            rule("{event: fax, payload.sender.nubmer: 3, payload.pages.x: 1}"),
            [
                ("3:26: unknown-member: 'payload.sender' has no 'nubmer' (did you mean 'number'?)"),
                "3:52: unknown-member: 'payload.pages' has no 'x' ('payload.pages' is no map)",
            ],
            id="a member's member",
        ),
        pytest.param(
            asking(
                "[{or: [{payload.pagse: 1}]}, '{{ payload.pags > 1 }}']",
                "{event: fax}",
                "{{ payload.pgaes }} {{ payload.sender.numbr.x }}",
            ),
            [
                "4:23: unknown-member: 'payload' has no 'pagse' (did you mean 'pages'?)",
                "4:56: unknown-member: 'payload' has no 'pags' (did you mean 'pages'?)",
                "5:31: unknown-member: 'payload' has no 'pgaes' (did you mean 'pages'?)",
                ("5:58: unknown-member: 'payload.sender' has no 'numbr' (did you mean 'number'?)"),
            ],
            id="in conditions and templates",
        ),
    ],
)
def test_a_member_that_no_schema_of_the_event_lists_is_told(text: str, expected: list[str]) -> None:
    assert own_events(text) == [f"a.yaml:{line}" for line in expected]


def test_a_users_own_event_is_unknown_without_its_schema() -> None:
    assert told(rule("{event: fax, payload.pages: 5}")) == [
        (
            "a.yaml:3:21: unknown-event: no report is the event 'fax' (one of alert, answer, bye,"
            " call_failed, cdr, extension_status, ring, transfer, other)"
        )
    ]


def codes_in_the_code() -> set[str]:
    """Every problem code that the modules which read rules can give."""
    package = Path(pbxrules.__file__).parent
    return codes_in(
        package / "rules.py",
        package / "rulefile.py",
        package / "schema.py",
        package / "steps" / "commands.py",
        *(package / "conditions").glob("*.py"),
        *(package / "template").glob("*.py"),
    )


def test_every_problem_code_has_a_row_in_these_tables() -> None:
    tables: Any = (TRIGGERS, CONDITIONS, ACTIONS, FILES)
    lines = [line for table in tables for row in table for line in row.values[1]]
    shown = {line.split(": ")[1] for line in lines} | {"duplicate-group"}
    assert codes_in_the_code() - {"unknown-member"} <= shown


# --- Whatever is written ----------------------------------------------------------------------

WORDS = [
    "rules", "groups", "id", "triggers", "actions", "for", "mqtt", "log", "shell", "http", "event",
    "extension", "in", "not", "exists", "glob", "env", "cwd", "topic", "payload", "text", "url",
    "vars", "expires", "retry", "enabled", "times", "mode", "a", "x y", "", "payload.x", "if",
    "then", "else", "choose", "when", "do", "default", "repeat", "parallel", "set", "script",
    "with", "wait_for", "same", "delay", "stop", "state", "scripts", "finally", "per", "count",
    "until", "register", "blink", "missed", "armed",
]  # fmt: skip
VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=4)
    | st.sampled_from(["any", "{{ caller }}", "{{ vars.room }}", "{{", "5s", "never", "family"]),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(WORDS), inner, max_size=3)
    ),
    max_leaves=6,
)


def places(value: Any) -> list[tuple[Any, Any]]:
    found: list[tuple[Any, Any]] = []
    for key, inner in list(value.items() if isinstance(value, dict) else enumerate(value)):
        found.append((value, key))
        if isinstance(inner, dict | list):
            found += places(inner)
    return found


@st.composite
def mutated(draw: st.DrawFn) -> Any:
    """The rule with every key, with up to three of its parts replaced, removed or added."""
    value: Any = copy.deepcopy(read(EVERY_KEY, file="a").value)
    for _ in range(draw(st.integers(1, 3))):
        container, key = draw(st.sampled_from(places(value) or [(value, "rules")]))
        match draw(st.sampled_from(["replace", "remove", "add"])):
            case "remove" if len(container):
                container.pop(key, None) if isinstance(container, dict) else container.pop(key)
            case "add" if isinstance(container, dict):
                container[draw(st.sampled_from(WORDS))] = draw(VALUES)
            case _:
                container[key] = draw(VALUES)
    return value


@given(mutated())
def test_whatever_is_written_there_are_rules_or_problems(value: Any) -> None:
    try:
        loaded = ruleset(json.dumps(value))
    except ProblemsError as wrong:
        problems = wrong.problems
    else:
        for each in loaded.rules:
            again = programs.program(source_of(each.program), LANGUAGE)
            assert again.text == each.program.text
        return
    assert problems
    assert all(problem.where.file == "a.yaml" for problem in problems)


@settings(max_examples=300)
@given(
    cut=st.integers(0, len(EVERY_KEY)),
    mess=st.sampled_from(["", "[", "{", '"', "'", "\t", "*x#", ": ", "- ", "{{", "#", "!x ", "\n"]),
    rest=st.booleans(),
)
def test_a_file_with_a_slip_anywhere_is_read_or_told(cut: int, mess: str, rest: bool) -> None:
    """Whatever YAML could not read, what stands before it is looked at, and nothing breaks."""
    text = EVERY_KEY[:cut] + mess + (EVERY_KEY[cut:] if rest else "")
    document = read(text, file="a.yaml")
    problems = _problems(document)
    assert document.complete or problems
    if not document.complete:
        last = max(problem.where for problem in document.problems)
        assert all(problem.where <= last for problem in problems)


def _problems(document: Document) -> tuple[Problem, ...]:
    try:
        rules.load([document], LANGUAGE)
    except ProblemsError as exc:
        return exc.problems
    return ()


def test_what_stands_before_an_unclosed_quote_is_checked_too() -> None:
    text = rule("{evnt: ring}", "[{lgo: a}]") + '- id: s\n  triggers: any\n  actions: [{log: "a}]\n'
    assert [line.split(": ")[:2] for line in told(text)] == [
        ["a.yaml:3:14", "unknown-field"],
        ["a.yaml:4:14", "unknown-key"],
        ["a.yaml:7:19", "yaml-syntax"],
    ]


def test_nobody_is_told_of_an_unknown_group_while_a_file_with_groups_is_not_read() -> None:
    asks = rule("{caller: {in: family}}")
    assert told(asks, "groups: {family: [1\n") == [
        "b.yaml:1:18: yaml-syntax: this bracket is not closed (']' is missing, or ',')"
    ]
    assert "unknown-group" in told(asks, "groups: {other: [1]}\n")[0]


UNREAD = [
    pytest.param("conditions: {time: night}\n  actions: [{log: a}]", "times", id="times"),
    pytest.param("conditions: {state: {n: 1}}\n  actions: [{log: a}]", "state", id="state"),
    pytest.param("actions: [{set: {n: 1}}]", "state", id="state that is set"),
    pytest.param("actions: [{log: '{{ state.n }}'}]", "state", id="state in templates"),
    pytest.param("actions: [{script: {name: blink}}]", "scripts", id="scripts"),
]


@pytest.mark.parametrize(("does", "kind"), UNREAD)
def test_nobody_is_told_of_unknown_names_where_not_all_could_be_read(does: str, kind: str) -> None:
    asks = f"rules:\n- id: r\n  triggers: any\n  {does}\n"
    assert told(asks)[0].split(": ")[1].startswith("unknown-")
    assert [line.split(": ")[1] for line in told(asks, f"{kind}: {{a: [1\n")] == ["yaml-syntax"]
    assert [line[:6] for line in told(asks, f"{kind}: [a]\n")] == ["b.yaml"]


def test_what_a_script_that_was_not_read_to_its_end_names_nobody_knows() -> None:
    asks = "rules: [{id: r, triggers: any, actions: [{script: {name: blink, with: {lamp: a}}}]}]\n"
    cut = "scripts:\n  blink:\n  - delay: 1s\n  - log: 'the lamp\n"
    assert [line.split(": ")[:2] for line in told(asks, cut)] == [["b.yaml:4:10", "yaml-syntax"]]
