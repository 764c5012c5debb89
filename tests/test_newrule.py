"""A rule and its test from answers, whatever is typed."""

import functools
import json
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from pbxrules import casefiles, lint, loading, newrule, rules
from pbxrules.model import Event, Step
from pbxrules.newrule import Wish, command, message, proposed_id, request
from pbxrules.testing.around import Around
from pbxrules.testing.coverage import Coverage
from pbxrules.testing.filling import placeholders
from pbxrules.testing.judging import judge
from pbxrules.testing.reading import cases_of
from pbxrules.testing.trial import run
from pbxrules.yamlsource import read

LANGUAGE = loading.language(secrets=["ntfy"])
schema = functools.cache(casefiles.schema)

PIECES = st.sampled_from(
    [
        "{{", "}}", "{{ caller }}", "{{ extension }}", "{{ call_id }}", "{{ now }}", "{%", "{#",
        "{", "}", '"', "'", ":", ": ", "#", " #", "\\", "*", "&", "!", "|", ">", "%", "@", "`",
        "+49", "0112", "ON", "null", "~", "-", "- ", "?", ",", "[", "]", "\n", "\t", " ", "ü",
        "\u200b", "\x1b", "\U0001f514", "{{ secret.ntfy }}", "{{ duration }}", "{{ payload.x }}",
        "a", "b/c", "{{ '{{' }}",
    ]
)  # fmt: skip
TYPED = st.lists(PIECES, max_size=6).map("".join) | st.text(
    st.characters(exclude_categories=["Cs"]), max_size=12
)
FIELDS = st.just("") | TYPED
EVENTS = st.sampled_from(sorted(LANGUAGE.events))


def line(text: str) -> tuple[str, Any]:
    try:
        return "shell", command(text)
    except ValueError:
        return "log", text


DEEDS = (
    st.builds(lambda topic, payload: ("mqtt", message(topic, payload)), TYPED, TYPED)
    | st.builds(lambda path, sent: ("http", request(f"http://a.lan/{path}", sent)), TYPED, TYPED)
    | st.builds(line, TYPED.map(lambda text: f"/bin/light {text}"))
    | st.builds(lambda text: ("log", text), TYPED)
    | st.builds(
        lambda value: ("mqtt", message("t", json.dumps(value))),
        st.dictionaries(TYPED, TYPED | st.integers() | st.floats() | st.none(), max_size=3),
    )
)
WISHES = st.builds(
    lambda event, extension, trunk, caller, deed: Wish(
        event=event, extension=extension, trunk=trunk, caller=caller, verb=deed[0], args=deed[1]
    ),
    EVENTS,
    FIELDS,
    FIELDS,
    FIELDS,
    DEEDS,
)


def passes(wish: Wish) -> int:
    """Check both files as ``pbxrules check`` does, run the test; how many cases there were."""
    text = newrule.text_of_rule(wish)
    document = read(text, file="a.yaml")
    ruleset = rules.load([document], LANGUAGE)
    assert lint.warnings([document], ruleset, LANGUAGE) == ()
    tests = read(newrule.text_of_test(wish, LANGUAGE, schema()), file="a.test.yaml")
    around = Around(schema=schema(), language=LANGUAGE, ruleset=ruleset)
    cases, problems = cases_of(tests, around)
    assert problems == []
    for case in cases:
        coverage = Coverage(ruleset)
        secrets = placeholders(LANGUAGE.secrets)
        trial = run(case, coverage, verbs=LANGUAGE.verbs, secrets=secrets)
        assert [*judge(case, trial, coverage.ruleset)] == []
    return len(cases)


@given(WISHES)
def test_whatever_is_typed_is_refused_with_a_reason_or_good_and_its_test_passes(wish: Wish) -> None:
    faults = newrule.faults(wish, LANGUAGE)
    assert all(faults)
    if not faults:
        assert passes(wish) == 1 + any(
            wish.triggers[name] for name in wish.triggers if name != "event"
        )


PLAIN = st.text("0123456789+*#:'\"\\ abcü.-/", min_size=1, max_size=12).map(str.strip).filter(bool)


@given(PLAIN, PLAIN)
@example("0112", "to: #1")
@example("+4930123456", "\"a\" 'b'")
@example("*97", "#31#")
def test_the_rule_matches_what_was_typed_and_nothing_else(caller: str, trunk: str) -> None:
    wish = Wish(caller=caller, trunk=trunk)
    (rule,) = rules.load([read(newrule.text_of_rule(wish), file="a")], LANGUAGE).rules
    fields = {"event": "ring", "caller": caller, "trunk": trunk}
    event = Event(fields=fields, payload={})
    (trigger,) = rule.triggers
    assert all(test.holds(event.fields.get(test.field)) for test in trigger.tests)
    assert {test.field for test in trigger.tests} == set(fields)
    assert not all(test.holds(f"{event.fields[test.field]}0") for test in trigger.tests)


@given(
    st.text(st.characters(exclude_categories=["Cs", "Cc"], exclude_characters="{}"), max_size=20)
)
def test_a_message_without_braces_is_sent_as_it_was_typed(payload: str) -> None:
    wish = Wish(verb="mqtt", args={"topic": "t", "payload": payload})
    (rule,) = rules.load([read(newrule.text_of_rule(wish), file="a")], LANGUAGE).rules
    step = rule.program.nodes["actions/0"].deed
    assert isinstance(step, Step)
    sent = step.args["payload"]
    assert (sent if isinstance(sent, str) else sent.render(None)) == payload


def sends(topic: str) -> Wish:
    return Wish(verb="mqtt", args=message(topic, ""))


def asks(url: str) -> Wish:
    return Wish(verb="http", args=request(url, ""))


def runs(line: str) -> Wish:
    return Wish(verb="shell", args=command(line))


NO_TRUNK = Wish(event="extension_status", trunk="t")


@pytest.mark.parametrize(
    ("wish", "reason"),
    [
        pytest.param(Wish(event="rong"), "did you mean 'ring'?", id="no such event"),
        pytest.param(Wish(extension="{{ caller }}"), "takes no templates", id="a template"),
        pytest.param(Wish(caller="030 123 45"), "reports part no numbers", id="a parted number"),
        pytest.param(Wish(extension="10\u200b1"), "U+200B", id="an unseen character"),
        pytest.param(Wish(trunk="a\nb"), "U+000A", id="a line end"),
        pytest.param(NO_TRUNK, "never has 'trunk'", id="a field that is never there"),
        pytest.param(sends("a/+"), "can't stand in a topic", id="a wildcard"),
        pytest.param(sends(""), "this text is empty", id="no topic"),
        pytest.param(Wish(args="{{ callr }}"), "did you mean 'caller'?", id="no such name"),
        pytest.param(Wish(args="{{ caller"), "each '{{' needs its '}}'", id="half a template"),
        pytest.param(Wish(args="{caller} rings"), "is plain text", id="half the braces"),
        pytest.param(Wish(args="x" * 5_000), "longer than 4,000", id="too long"),
        pytest.param(Wish(args="\udcff"), "no UTF-8", id="a stray byte"),
        pytest.param(Wish(id="a b"), "is not a name of letters", id="no name"),
        pytest.param(Wish(id="a.test"), "for tests", id="the name of a test file"),
        pytest.param(asks("ftp://a"), "http://", id="no web address"),
        pytest.param(runs("sh -c '{{ caller }}'"), "as code", id="code of a call"),
    ],
)
def test_what_is_wrong_is_told_as_check_would(wish: Wish, reason: str) -> None:
    assert any(reason in fault for fault in newrule.faults(wish, LANGUAGE))


@pytest.mark.parametrize(
    ("line", "words"),
    [
        pytest.param("on --in {{ a }}", ["on", "--in", "{{ a }}"], id="a template is one word"),
        pytest.param("say 'a b' \"c d\"", ["say", "a b", "c d"], id="quotes"),
        pytest.param("say x{{ a }}y", ["say", "x{{ a }}y"], id="a template in a word"),
        pytest.param("say {{ a }}{{ b }}", ["say", "{{ a }}{{ b }}"], id="two in one"),
        pytest.param("say \ue0000\ue001", ["say", "0"], id="our own marks"),
    ],
)  # fmt: skip
def test_a_command_is_parted_as_a_shell_would(line: str, words: list[str]) -> None:
    assert command(line) == words


@pytest.mark.parametrize(
    ("line", "why"), [("", "say a program"), ("  ", "say a program"), ("say 'a", "No closing")]
)
def test_a_command_that_is_none_is_told(line: str, why: str) -> None:
    with pytest.raises(ValueError, match=why):
        command(line)


def test_json_is_written_as_a_map_where_rule_files_can_say_it() -> None:
    assert message("t", '{"a": [1]}')["payload"] == {"a": [1]}
    assert message("t", '{"a": 1e300}')["payload"] == '{"a": 1e300}'
    assert message("t", "5")["payload"] == "5"
    assert message("t", "{}")["payload"] == "{}"
    assert request("http://a", '{"a": 1}') == {"url": "http://a", "json": {"a": 1}}
    assert request("http://a", "hi") == {"url": "http://a", "body": "hi"}


def test_a_name_is_proposed_that_no_rule_has() -> None:
    assert proposed_id(Wish(extension="0101"), []) == "ring-0101"
    assert proposed_id(Wish(extension="0101"), ["ring-0101", "ring-0101-2"]) == "ring-0101-3"
    assert proposed_id(Wish(caller="+49 30"), []) == "ring-49-30"
    assert proposed_id(Wish(event="bye", verb="mqtt"), []) == "bye-mqtt"


@given(WISHES)
def test_the_name_that_is_proposed_is_a_good_one(wish: Wish) -> None:
    made = Wish(id=proposed_id(wish, []))
    assert newrule.faults(made, LANGUAGE) == []


def test_a_rule_is_written_as_a_person_would() -> None:
    wish = Wish(
        id="hall-lamp", extension="101", trunk="to-18-16-2", verb="mqtt",
        args=message("home/hall/lamp/set", '{"state": "ON", "by": "{{ caller }}"}'),
    )  # fmt: skip
    assert newrule.text_of_rule(wish).splitlines()[3:] == [
        "rules:",
        "  - id: hall-lamp",
        "    triggers: {event: ring, extension: 101, trunk: to-18-16-2}",
        "    actions:",
        '      - mqtt: {topic: home/hall/lamp/set, payload: {state: "ON", by: "{{ caller }}"}}',
    ]
    assert newrule.text_of_test(wish, LANGUAGE, schema()).splitlines() == [
        "tests:",
        "  - name: on ring the message is sent",
        "    events:",
        "      - {at: 0s, event: ring, extension: 101, trunk: to-18-16-2, caller: 0301234}",
        "    expect:",
        (
            "      - {at: 0s, rule: hall-lamp, mqtt: {topic: home/hall/lamp/set,"
            ' payload: {state: "ON", by: "0301234"}}}'
        ),
        "  - name: another extension does nothing",
        "    events:",
        "      - {at: 0s, event: ring, extension: 199, trunk: to-18-16-2, caller: 0301234}",
        "    expect_no: [{rule: hall-lamp}]",
    ]


def test_a_record_of_calls_never_expires() -> None:
    assert "    expires: never # " in newrule.text_of_rule(Wish(event="cdr"))
    assert newrule.faults(Wish(event="cdr"), LANGUAGE) == []
