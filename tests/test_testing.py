"""What a test of rules sees: the daemon's own code, on a virtual clock."""

# Over 300 lines: one table for each thing that a test can say.

import pytest

from tests.caserunning import came, case, names, outcome, ran, timeline

LAMP = """\
rules:
- id: lamp
  triggers: {event: ring, extension: 101}
  actions: [{mqtt: {topic: home/lamp, payload: {state: "ON", n: 1}}}]
- id: late
  triggers: {event: ring, extension: 102, for: 20s}
  actions: [{log: late}]
"""
RING = "events: [{at: 0s, event: ring, extension: 101}]\n"


# --- What is expected ------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("expected", "holds"),
    [
        pytest.param("{rule: lamp}", True, id="a run started"),
        pytest.param("{rule: late}", False, id="no run of that rule did"),
        pytest.param("{mqtt: {topic: home/lamp}}", True, id="an action of any rule"),
        pytest.param("{rule: late, mqtt: {topic: home/lamp}}", False, id="of another rule"),
        pytest.param("{mqtt: {payload: {state: ON}}}", True, id="these members at least"),
        pytest.param("{mqtt: {payload: {state: 'OFF'}}}", False, id="a member is another"),
        pytest.param("{mqtt: {payload: {off: 1}}}", False, id="a member is not there"),
        pytest.param("{mqtt: {payload: {n: 1}}}", True, id="a number is one"),
        pytest.param("{mqtt: {payload: {n: '1'}}}", False, id="inside JSON a text is no number"),
        pytest.param("{mqtt: {payload: '{\"n\": 1}'}}", False, id="a text is the whole of it"),
        pytest.param("{mqtt: {retain: true}}", False, id="an argument that is not there"),
        pytest.param("{mqtt: {retain: false, qos: 1}}", True, id="what is so unless told"),
        pytest.param("{at: 0s, rule: lamp}", True, id="at its moment"),
        pytest.param("{at: 50ms, rule: lamp}", True, id="within 50 ms"),
        pytest.param("{at: 51ms, rule: lamp}", False, id="51 ms are too far"),
        pytest.param("{after: 0s, rule: lamp}", True, id="after begins at its moment"),
        pytest.param("{after: 1ms, rule: lamp}", False, id="it was before"),
        pytest.param("{before: 1ms, rule: lamp}", True, id="before its end"),
        pytest.param("{before: 0s, rule: lamp}", False, id="before ends before its moment"),
        pytest.param("{times: 1, rule: lamp}", True, id="exactly once"),
        pytest.param("{times: 2, rule: lamp}", False, id="not twice"),
        pytest.param("{times: 0, rule: late}", True, id="not at all"),
    ],
)
def test_what_is_expected_and_what_is_not_to_come(expected: str, holds: bool) -> None:
    assert (came(LAMP, f"{RING}expect: [{expected}]") == []) is holds
    if "times" not in expected:
        assert (came(LAMP, f"{RING}expect_no: [{expected}]") == []) is not holds


@pytest.mark.parametrize(
    ("sent", "expected", "holds"),
    [
        pytest.param("5", "'5'", True, id="a number is sent as its digits"),
        pytest.param("'5'", "5", True, id="and a text of digits is a number"),
        pytest.param("true", "'true'", True, id="true is sent as that"),
        pytest.param("null", "''", True, id="null is sent as nothing"),
        pytest.param("'{\"a\": [1, 2]}'", "{a: [1, 2]}", True, id="a text that is JSON"),
        pytest.param("[1, 2]", "[1]", False, id="a list is wanted as a whole"),
        pytest.param("[{a: 1, b: 2}]", "[{a: 1}]", True, id="a map in a list is not"),
        pytest.param("'ON'", "{a: 1}", False, id="a text that is no JSON"),
        pytest.param("{a: true}", "{a: 1}", False, id="true is not 1 in JSON"),
    ],
)
def test_a_payload_compares_as_it_is_sent(sent: str, expected: str, holds: bool) -> None:
    rule = f"rules: [{{id: r, triggers: any, actions: [{{mqtt: {{topic: t, payload: {sent}}}}}]}}]"
    body = f"events: [{{event: ring}}]\nexpect: [{{mqtt: {{payload: {expected}}}}}]"
    assert (came(rule, body) == []) is holds


COUNTER = """\
state: {missed: 0, name: Ann, armed: {mqtt: home/armed}}
rules:
- id: count
  triggers: {event: bye}
  actions: [{set: {missed: "{{ state.missed + 1 }}", name: "{{ caller }}"}}]
- id: alarm
  triggers: {event: ring}
  conditions: [{state: {armed: "true"}}]
  actions: [{log: "{{ state.missed }}"}]
"""


@pytest.mark.parametrize(
    ("given", "expected", "holds"),
    [
        pytest.param("", "{state: {missed: 2}}", True, id="at the end"),
        pytest.param("", "{at: 4s, state: {missed: 0}}", True, id="before it changed"),
        pytest.param("", "{at: 5s, state: {missed: 1, name: '102'}}", True, id="as it changed"),
        pytest.param("", "{at: 9s, state: {missed: 2}}", False, id="not yet"),
        pytest.param("state: {missed: 3}\n", "{state: {missed: 5}}", True, id="given first"),
        pytest.param("", "{state: {armed: null}}", True, id="no message came"),
        pytest.param("state: {armed: 'true'}\n", "{log: '0'}", True, id="a message that was there"),
        pytest.param("state: {armed: 'false'}\n", "{log: '0'}", False, id="another message"),
    ],
)
def test_states(given: str, expected: str, holds: bool) -> None:
    body = (
        f"{given}events:\n"
        "- {at: 0s, event: ring}\n- {at: 5s, event: bye, caller: 102}\n- {at: 10s, event: bye}\n"
        f"expect: [{expected}]\n"
    )
    rule = COUNTER.replace('"{{ caller }}"', "\"{{ caller | default('nobody') }}\"")
    assert (came(rule, body) == []) is holds


def test_an_action_counts_when_it_is_first_tried_however_often_it_is_tried_again() -> None:
    rule = "rules: [{id: r, triggers: any, actions: [{http: {url: 'http://h/x'}}]}]"
    body = """\
answers: {http: [{fails: no answer, times: 2}, {status: 200}]}
events: [{event: ring}]
expect: [{at: 0s, http: {}, times: 1}]
"""
    assert came(rule, body.replace("http: {}, ", "http: {url: 'http://h/x'}, ")) == []


# --- Events ----------------------------------------------------------------------------------

TELL = """\
rules:
- id: r
  triggers: any
  actions: [{mqtt: {topic: t, payload: "{{ fields }}"}}]
"""


@pytest.mark.parametrize(
    ("event", "fields"),
    [
        pytest.param("{event: ring, extension: 0112}", "{extension: '0112'}", id="digits stay"),
        pytest.param("{event: ring, caller: null}", "{action: RING}", id="the PBX's own word"),
        pytest.param("{event: cdr, duration: 60}", "{duration: 60}", id="durations are numbers"),
        pytest.param("{event: cdr, talk_duration: 1.5}", "{talk_duration: 1.5}", id="of any kind"),
        pytest.param(
            "{event: bye, extensions: [106, 101]}", "{extensions: ['106', '101']}", id="a list"
        ),
        pytest.param("{event: bye, extensions: 106}", "{extensions: ['106']}", id="a list of one"),
        pytest.param(
            "{event: ring}", "{received_at: '2026-11-24T11:00:00.000+00:00'}", id="the clock"
        ),
        pytest.param(
            "{report: {action: RING, callid: 1589947952.1670, ext: {extid: ['106', '101']}}}",
            "{event: ring, caller: '101', extension: '106', call_id: '1589947952.1670'}",
            id="as the PBX sends it, an id without quotes",
        ),
        pytest.param(
            "{report: {action: Fax, pages: 3}}", "{event: other, action: Fax}", id="unknown"
        ),
    ],
)  # fmt: skip
def test_an_event_in_the_words_of_rules_or_as_sent(event: str, fields: str) -> None:
    assert came(TELL, f"events: [{event}]\nexpect: [{{mqtt: {{payload: {fields}}}}}]") == []


def test_a_field_that_is_null_is_absent() -> None:
    body = "events: [{event: ring, caller: null}]\nexpect: [{mqtt: {payload: {caller: x}}}]"
    (failure,) = outcome(TELL, body).failures
    assert failure.came[0].endswith("but payload.caller is absent, wanted x")


def test_members_of_a_report_are_payload_in_both_forms() -> None:
    rule = "rules: [{id: r, triggers: {payload.a.b: 7}, actions: [{log: hi}]}]"
    for event in ("{event: other, payload: {a: {b: 7}}}", "{report: {action: X, a: {b: 7}}}"):
        assert came(rule, f"events: [{event}]\nexpect: [{{rule: r}}]") == []


def test_an_event_without_a_time_comes_with_the_one_before() -> None:
    body = "events: [{at: 5s, event: ring}, {event: bye}]\nexpect: [{at: 5s, rule: r, times: 2}]"
    assert came(TELL, body) == []


@pytest.mark.parametrize(
    ("start", "wall"),
    [
        pytest.param("", "2026-11-24T12:00:00+01:00", id="a Tuesday at noon, in the zone"),
        pytest.param("start: 2026-07-01T23:00\n", "2026-07-01T23:00:00+02:00", id="in the zone"),
        pytest.param(
            "start: 2026-03-29T01:59:50+01:00\n", "2026-03-29T01:59:50+01:00", id="in its own"
        ),
        pytest.param("start: 2026-11-28\n", "2026-11-28T00:00:00+01:00", id="a day"),
    ],
)
def test_when_the_clock_begins(start: str, wall: str) -> None:
    rule = "rules: [{id: r, triggers: any, actions: [{log: '{{ now }}'}]}]"
    assert came(rule, f"{start}events: [{{event: ring}}]\nexpect: [{{log: '{wall}'}}]") == []


# --- Time ------------------------------------------------------------------------------------


def test_what_is_due_goes_before_an_event_of_the_same_moment() -> None:
    rule = LAMP.replace("for: 20s}", "for: 20s, direction: inbound}")
    ring = "{at: 0s, event: ring, extension: 102, direction: inbound, call_id: '1774746000.1'}"
    answer = "{event: answer, extension: 102, direction: inbound, call_id: '1774746000.1'}"
    early = answer.replace("{", "{at: 19999ms, ", 1)
    just = answer.replace("{", "{at: 20s, ", 1)
    assert came(rule, f"events: [{ring}, {just}]\nexpect: [{{at: 20s, rule: late}}]") == []
    assert came(rule, f"events: [{ring}, {early}]\nexpect_no: [{{rule: late}}]") == []


def test_after_the_last_event_the_clock_runs_for_a_day() -> None:
    rule = "rules: [{id: r, triggers: any, actions: [{delay: DELAY}, {log: hi}]}]"
    body = "events: [{event: ring}]\nexpect: [{log: hi}]"
    assert came(rule.replace("DELAY", "24h"), body) == []
    assert came(rule.replace("DELAY", "86401s"), body) == ["expected log {text: hi}"]
    later = "events: [{event: ring}, {at: 40h, broker: up}]\nexpect: [{at: 48h, log: hi}]"
    assert came(rule.replace("DELAY", "2d"), later) == []


def test_rules_that_go_on_for_ever_are_stopped_and_told() -> None:
    loop = "{repeat: {while: '{{ true }}', do: [{delay: 1ms}]}}"
    rule = f"rules: [{{id: r, triggers: any, actions: [{loop}]}}]"
    (failure,) = outcome(rule, "events: [{event: ring}]\nexpect: [{rule: r}]").failures
    ever = "the rules go on for ever: they were stopped after"
    assert failure.says == f"{ever} 100,000 tries and waits"
    at_once = rule.replace("delay: 1ms", "log: hi")
    (failure,) = outcome(at_once, "events: [{event: ring}]\nexpect: [{rule: r}]").failures
    assert failure.says == f"{ever} 10,000 tries and waits at one moment"


def test_a_run_that_waits_in_its_lane_has_not_started() -> None:
    rule = """\
rules:
- id: r
  triggers: any
  mode: queued
  actions: [{log: "{{ caller }}"}, {delay: 1m}]
"""
    body = """\
events: [{event: ring, caller: 1}, {at: 1s, event: ring, caller: 2}]
expect:
- {at: 0s, rule: r, times: 1}
- {at: 1m, rule: r, times: 1}
- {at: 1m, log: '2'}
- {rule: r, times: 2}
"""
    assert came(rule.replace("mode: queued", "mode: queued\n  expires: never"), body) == []


def test_a_run_that_waited_in_its_lane_for_too_long_never_starts() -> None:
    rule = """\
rules:
- id: r
  triggers: any
  mode: queued
  actions: [{log: "{{ caller }}"}, {delay: 2m}]
"""
    body = """\
events: [{event: ring, caller: 1}, {at: 1s, event: ring, caller: 2}]
expect: [{rule: r, times: 2}]
"""
    result = outcome(rule, body)
    assert result.failures[0].came == ("it came once: at 0s",)
    assert "61 r does not start: not done within 60 s, never tried" in timeline(result)


def test_a_restart_ends_the_run_and_its_finally_is_done() -> None:
    rule = """\
rules:
- id: r
  triggers: {event: ring}
  mode: restart
  actions: [{log: "on {{ caller }}"}, {delay: 1m}]
  finally: [{log: "off {{ outcome }}"}]
"""
    body = """\
events: [{event: ring, caller: 1}, {at: 10s, event: ring, caller: 2}]
expect:
- {at: 10s, log: off restarted, times: 1}
- {at: 10s, log: on 2}
- {at: 70s, log: off done, times: 1}
- {rule: r, times: 2}
"""
    assert came(rule, body) == []


# --- The broker and other targets ------------------------------------------------------------


@pytest.mark.parametrize(
    ("expires", "expected"),
    [
        pytest.param("60s", "{mqtt: {topic: home/lamp}, times: 0}", id="expired meanwhile"),
        pytest.param("10m", "{at: 4m, mqtt: {topic: home/lamp}, times: 1}", id="done afterwards"),
        pytest.param("never", "{at: 4m, mqtt: {topic: home/lamp}, times: 1}", id="never expires"),
    ],
)
def test_a_message_waits_while_the_broker_is_away(expires: str, expected: str) -> None:
    rule = LAMP.replace("extension: 101}", f"extension: 101}}\n  expires: {expires}")
    body = f"""\
events:
- {{at: 0s, broker: down}}
- {{at: 0s, event: ring, extension: 101}}
- {{at: 4m, broker: up}}
expect: [{expected}, {{at: 0s, rule: lamp}}]
"""
    assert came(rule, body) == []


COMMAND = """\
rules:
- id: r
  triggers: any
  actions:
  - shell: [light, "{{ extension }}"]
    register: light
    continue_on_error: true
    timeout: 3s
  - log: "{{ light.exit_code }} {{ light.stdout }}{{ light.stderr }} {{ light.timed_out }}"
- id: s
  triggers: {event: bye}
  actions:
  - http: {url: "http://h/{{ extension }}"}
    register: who
    continue_on_error: true
    retry: {attempts: 3, delay: 1s}
  - log: "{{ who.status }} {{ who.json.name }}"
"""


@pytest.mark.parametrize(
    ("answers", "expected"),
    [
        pytest.param("", "{log: '0  false'}", id="it succeeds"),
        pytest.param("answers: {shell: {exit_code: 3, stderr: n}}\n", "{log: 3 n false}", id="3"),
        pytest.param("answers: {shell: {stdout: on}}\n", "{log: '0 on false'}", id="output"),
        pytest.param("answers: {shell: {timed_out: true}}\n", "{log: 'null  true'}", id="late"),
        pytest.param("answers: {shell: {fails: gone}}\n", "{log: 'null  false'}", id="it fails"),
        pytest.param(
            "answers: {shell: {rule: s, exit_code: 1}}\n", "{log: '0  false'}", id="of a rule"
        ),
        pytest.param(
            "answers: {shell: [{when: {argv: [light, '102']}, exit_code: 1}, {exit_code: 2}]}\n",
            "{log: '2  false'}", id="the first that fits",
        ),
        pytest.param(
            "answers: {shell: {when: {argv: [light, '101']}, exit_code: 1}}\n",
            "{log: '1  false'}", id="by its arguments",
        ),
    ],
)  # fmt: skip
def test_what_a_command_answers(answers: str, expected: str) -> None:
    body = f"{answers}events: [{{event: ring, extension: 101}}]\nexpect: [{expected}]"
    assert came(COMMAND, body) == []


@pytest.mark.parametrize(
    ("answers", "at", "said"),
    [
        pytest.param("", "0s", "200 ", id="it succeeds"),
        pytest.param("{json: {name: Ann}}", "0s", "200 Ann", id="with a body that is JSON"),
        pytest.param('{body: \'{"name": "Ann"}\'}', "0s", "200 Ann", id="as text"),
        pytest.param("{status: 404}", "0s", "404 ", id="given up at once"),
        pytest.param("{status: 503}", "3s", "503 ", id="tried again, in vain"),
        pytest.param("{fails: no answer}", "3s", "null ", id="nobody answers"),
        pytest.param("{fails_for_good: not for you}", "0s", "null ", id="no further try"),
        pytest.param("[{fails: a, times: 1}, {status: 201}]", "1s", "201 ", id="the second try"),
    ],
)
def test_what_a_web_server_answers(answers: str, at: str, said: str) -> None:
    given = f"answers: {{http: {answers}}}\n" if answers else ""
    body = f"{given}events: [{{event: bye, extension: 1}}]\nexpect: [{{at: {at}, log: '{said}'}}]"
    assert came(COMMAND, body) == []


def test_no_value_of_a_secret_is_needed_and_none_is_shown() -> None:
    rule = """\
rules:
- id: r
  triggers: any
  actions:
  - http: {url: "http://h/{{ secret.duty }}", headers: {Authorization: "Bearer {{ secret.duty }}"}}
    register: told
  - log: "{{ told.status }}"
"""
    body = """\
answers: {http: {json: {a: 1}}}
events: [{event: ring}]
expect:
- http: {url: "http://h/{{ secret.duty }}", headers: {Authorization: "Bearer secret.duty"}}
- {log: "200"}
- {log: none of these}
"""
    result = outcome(rule, body)
    assert [failure.says for failure in result.failures] == ['expected log {text: "none of these"}']
    assert any("http://h/secret.duty" in line for line in timeline(result))


# --- Cases -----------------------------------------------------------------------------------


def test_every_combination_of_cases_is_run_with_its_name() -> None:
    text = """\
tests:
- name: lamps
  cases: {phone: [101, 0112, null], caller: [anonymous, "102"]}
  events: [{event: ring, extension: "{{ phone }}", caller: "{{ caller }}"}]
  expect: [{rule: lamp, times: "{{ 1 if phone == '101' else 0 }}"}]
  expect_no: [{mqtt: {payload: {by: "{{ caller }}"}}}]
"""
    found = ran(LAMP, text)
    assert names(found) == []
    assert [result.case.name for result in found][:3] == [
        "lamps (phone 101, caller anonymous)",
        "lamps (phone 101, caller 102)",
        "lamps (phone 0112, caller anonymous)",
    ]
    assert len(found) == 6


def test_templates_may_stand_in_times_states_and_answers() -> None:
    text = """\
tests:
- name: t
  cases: {at: [1s, 2m], first: [1, 5], code: [0, 3]}
  state: {missed: "{{ first }}"}
  answers: {shell: {exit_code: "{{ code }}"}}
  events: [{at: "{{ at }}", event: bye, caller: 7}]
  expect:
  - {at: "{{ at }}", rule: count}
  - {state: {missed: "{{ first | int + 1 }}", name: "7"}}
"""
    assert names(ran(COUNTER, text)) == []


# --- What is told of a failure ---------------------------------------------------------------


def test_why_a_rule_did_not_fire_the_nearest_miss_first() -> None:
    body = """\
events:
- {at: 0s, event: bye, extension: 101}
- {at: 1s, event: ring, extension: 103, call_id: a}
- {at: 2s, event: ring, call_id: a}
expect: [{rule: lamp}]
"""
    (failure,) = outcome(LAMP, body).failures
    assert failure.because == (
        "ring at 1s: extension is 103, wanted 101",
        "ring at 2s: extension is absent, wanted 101",
    )


def test_where_no_event_is_of_its_kind_that_is_told() -> None:
    (failure,) = outcome(LAMP, "events: [{event: bye}]\nexpect: [{rule: lamp}]").failures
    assert failure.because == (
        "bye at 0s: event is bye, wanted ring, and extension is absent, wanted 101",
    )


@pytest.mark.parametrize(
    ("rule", "events", "because"),
    [
        pytest.param("conditions: [{caller: 5}]", "[{event: ring, caller: 6}]",
                     "ring at 0s: caller is 6, wanted 5", id="a condition"),
        pytest.param("conditions: ['{{ caller < 5 }}']", "[{event: ring, caller: 6}]",
                     "ring at 0s: {{ caller < 5 }} fails: ", id="one that can't be worked out"),
        pytest.param("triggers: {event: ring, for: 20s}",
                     "[{event: ring, call_id: '1.1'}, {at: 5s, event: answer, call_id: '1.1'}]",
                     "it waited, and at 5s: answer came in time", id="what ended its for"),
        pytest.param("triggers: {event: ring, count: {at_least: 2, within: 5m}}", "[{event: ring}]",
                     "ring at 0s: count is 1, wanted 2 calls within 5m", id="too few"),
    ],
)  # fmt: skip
def test_why_a_rule_did_not_fire_though_its_trigger_fits(
    rule: str, events: str, because: str
) -> None:
    triggers = "" if rule.startswith("triggers") else "  triggers: {event: ring}\n"
    text = f"rules:\n- id: r\n{triggers}  {rule}\n  actions: [{{log: hi}}]\n"
    (failure,) = outcome(text, f"events: {events}\nexpect: [{{rule: r}}]").failures
    assert failure.because[0].startswith(because)


def test_what_came_instead_the_most_alike_first() -> None:
    body = (
        RING + "expect: [{at: 5s, rule: late, mqtt: {topic: home/lamp, payload: {state: 'OFF'}}}]"
    )
    (failure,) = outcome(LAMP, body).failures
    (told,) = failure.came
    assert told.endswith(
        'of lamp at 0s, but it is of lamp; not at 5s; payload.state is "ON", wanted "OFF"'
    )


def test_the_quotes_that_make_a_difference_are_told() -> None:
    (failure,) = outcome(LAMP, RING + "expect: [{mqtt: {payload: {n: '1'}}}]").failures
    assert failure.came[0].endswith(
        'payload.n is 1, wanted "1" (sent is no text: leave the quotes out)'
    )


def test_how_often_it_came_is_told_with_the_moments() -> None:
    body = "events: [{event: ring, extension: 101}, {at: 3s, event: ring, extension: 101}]\n"
    (failure,) = outcome(LAMP, body + "expect: [{rule: lamp, times: 1}]").failures
    assert failure.came == ("it came 2 times: at 0s, at 3s",)


def test_that_reports_without_an_id_are_of_no_call_is_told() -> None:
    body = """\
events: [{event: ring, extension: 102}, {at: 5s, event: answer, extension: 102}]
expect_no: [{rule: late}]
"""
    (note,) = outcome(LAMP, body).notes
    assert note.startswith("an event without call_id belongs to no call")


def test_the_timeline_has_events_runs_actions_and_states_in_order() -> None:
    rule = """\
state: {n: 0}
rules:
- id: r
  triggers: {event: ring}
  actions:
  - http: {url: "http://h/x"}
    retry: {attempts: 2, delay: 1s}
    continue_on_error: true
  - set: {n: "{{ state.n + 1 }}"}
  - wait_for: {event: bye}
    timeout: 10s
  - stop: "enough of {{ caller }}"
"""
    body = """\
answers: {http: [{fails: no answer}]}
events: [{event: ring, caller: 7, call_id: '1774746000.1'}, {at: 5s, broker: down}]
expect: [{rule: r, times: 2}]
"""
    assert timeline(outcome(rule, body)) == [
        "0 ring caller=7 call_id=1774746000.1",
        "0 r starts",
        "0 r http {url: http://h/x}: failed: no answer",
        "1 r http {url: http://h/x}: failed: no answer",
        "1 r http failed: no answer (2 tries)",
        "1 r waits for an event, until 11s at the latest",
        "1 n: 0 → 1",
        "5 the broker is gone",
        "11 r stops: enough of 7",
        "11 r ends: stopped",
    ]


def test_of_much_that_happened_the_beginning_and_the_end_are_shown() -> None:
    events = ", ".join("{event: bye, extension: 1}" for _ in range(200))
    told = timeline(outcome(LAMP, f"events: [{events}]\nexpect: [{{rule: lamp}}]"))
    assert len(told) == 61
    assert told[30] == "0 (140 more things happened)"


def test_a_case_knows_where_its_parts_stand() -> None:
    read = case(LAMP, f"{RING}expect: [{{rule: lamp}}]")
    assert (str(read.where), str(read.expected[0].where)) == ("a.test.yaml:2:9", "a.test.yaml:4:12")
