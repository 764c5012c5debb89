"""What templates give in each context, and what is said of those that can't be used."""

# Over 300 lines, nearly all of them tables: one row for each thing that a person may write.

import json
import subprocess
import sys
from dataclasses import dataclass
from datetime import UTC
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from pbxrules.template import (
    FILTERS,
    INSTANT,
    TESTS,
    Context,
    Instant,
    Names,
    RenderError,
    Scope,
    TemplateError,
    compile_template,
    compile_tree,
    rule_vars,
)

VALUE, TEXT, TOPIC = Context.VALUE, Context.TEXT, Context.TOPIC
URL, ARGUMENT, CONDITION = Context.URL, Context.ARGUMENT, Context.CONDITION

NAMES = Names(
    fields=frozenset(
        {"event", "caller", "callee", "extension", "extensions", "duration", "trunk", "zero"}
    ),
    members={
        "now": frozenset(INSTANT),
        "rule": frozenset({"id"}),
        "trigger": frozenset({"id"}),
        "vars": frozenset(
            {"lamps", "room", "wild", "option", "none", "empty", "list", "odd", "bad"}
        ),
        "secret": frozenset({"ntfy", "dash"}),
        "state": frozenset({"missed", "armed"}),
        "light": frozenset({"exit_code", "stdout"}),
        "body": None,
        "outcome": frozenset(),
    },
    elsewhere={"later": "it is registered only further on"},
    withheld={"light": frozenset({"stderr"})},
)
SCOPE = Scope(
    fields={
        "event": "ring", "caller": "+4930123", "extension": "101", "extensions": ("100", "101"),
        "duration": 12, "zero": 0.0,
    },
    payload={"call": {"id": "c1", "n": None}, "list": [1, 2], "class": "x", "big": 10**400},
    vars=rule_vars({
        "lamps": {"101": "hall/lamp", "102": "den"}, "room": "hall", "wild": "a/#",
        "option": "--room=", "none": None, "empty": "", "list": ["a/b", "c"],
        "odd": "{{ 7*7 }}", "bad": "a b",
    }),
    secrets={"ntfy": "tk/1?", "dash": "-rf"},
    extras={
        "rule": {"id": "r1"}, "trigger": {"id": "door"},
        "now": Instant(1_795_525_509.9, ZoneInfo("Europe/Berlin")),
        "state": {"missed": 3, "armed": None},
        "light": {"exit_code": 1, "stdout": "{{ 7*7 }}"}, "body": {"a": [{"b": 1.5}]},
        "outcome": "done",
    },
)  # fmt: skip


@dataclass(frozen=True)
class Fails:
    """The template fails when it is filled in, and its message holds this."""

    saying: str


def scope(**fields: str) -> Scope:
    return Scope(
        fields={**SCOPE.fields, **fields},
        payload=SCOPE.payload,
        vars=SCOPE.vars,
        secrets=SCOPE.secrets,
        extras=SCOPE.extras,
    )


def check(source: str, context: Context, given: Scope, expected: Any) -> None:
    template = compile_template(source, context, NAMES)
    if isinstance(expected, Fails):
        with pytest.raises(RenderError) as caught:
            template.render(given)
        assert expected.saying in str(caught.value)
        return
    found = template.render(given)
    assert (found, type(found)) == (expected, type(expected))


def rows(*table: tuple[Any, ...]) -> list[Any]:
    """The parameters of a table test; the first of each row is its sentence."""
    return [pytest.param(*row, id=sentence) for sentence, *row in table]


@pytest.mark.parametrize(
    ("source", "expected"),
    rows(
        ("a text without braces is itself", "ON", "ON"),
        ("an empty text is itself", "", ""),
        ("a single brace is text", '{"a": {"b": 1}}', '{"a": {"b": 1}}'),
        ("a carriage return stays in a literal", "a\r\nb", "a\r\nb"),
        ("a comment is nothing", "a{# b #}c", "ac"),
        ("a field is its text", "{{ caller }}", "+4930123"),
        ("a single template keeps a number", "{{ duration }}", 12),
        ("a comment beside it does no harm", "{# x #}{{ duration }}", 12),
        ("a blank beside it makes text", " {{ duration }}", " 12"),
        ("a line break behind it is kept", "{{ duration }}\n", "12\n"),
        ("a dash strips blanks as in Jinja2", "a {{- duration -}} b", "a12b"),
        ("a list field is a list", "{{ extensions }}", ["100", "101"]),
        ("a list in text is JSON", "x {{ extensions }}", 'x ["100","101"]'),
        ("an absent field is null", "{{ callee }}", None),
        ("an absent field in text is empty", "<{{ callee }}>", "<>"),
        ("null in text is JSON's", "<{{ payload.call.n }}>", "<null>"),
        ("true in text is JSON's", "<{{ 1 == 1 }}>", "<true>"),
        ("a whole float in text is JSON's", "<{{ 10 / 2 }}>", "<5.0>"),
        ("zero is not absent", "{{ zero }}", 0.0),
        ("a text that looks like a number stays text", "{{ '1e5' }}", "1e5"),
        ("a text with umlauts stays readable", "{{ ['ü'] | to_json }}", '["ü"]'),
        ("all fields are a map", "{{ fields.caller }}", "+4930123"),
        ("a member of the report", "{{ payload.call.id }}", "c1"),
        ("a member in brackets", "{{ payload['call']['id'] }}", "c1"),
        ("a member that is missing is null", "{{ payload.no.where }}", None),
        ("a member of a text is null", "{{ payload.call.id.x }}", None),
        ("a map's member may be called like Python's", "{{ payload.class }}", "x"),
        ("a map's method is no member", "{{ payload.items }}", None),
        ("Python's attributes are no members", "{{ payload.__class__ }}", None),
        ("nor of literals", "{{ ''.__class__.__mro__ }}", None),
        ("nor of lists", "{{ payload.list.append }}", None),
        ("an entry of a list", "{{ extensions[1] }}", "101"),
        ("an entry from the end", "{{ extensions[-1] }}", "101"),
        ("an entry by a dot as in Jinja2", "{{ extensions.0 }}", "100"),
        ("an entry beyond the end is null", "{{ extensions[7] }}", None),
        ("a character of a text", "{{ caller[0] }}", "+"),
        ("the beginning of a text", "{{ caller[:3] }}", "+49"),
        ("the end of a text", "{{ caller[-3:] }}", "123"),
        ("a part of a list", "{{ extensions[1:] }}", ["101"]),
        ("a part of what is absent is null", "{{ callee[:3] }}", None),
        ("an index that is absent gives null", "{{ vars.lamps[callee] }}", None),
        (
            "a list by text fails",
            "{{ extensions[caller] }}",
            Fails("a list has no entry by"),
        ),
        ("a map by a number fails", "{{ vars.lamps[101] }}", Fails("keys of a map are text")),
        ("true is no index", "{{ extensions[true] }}", Fails("a list has no entry by")),
        ("a number has no entries", "{{ duration[0] }}", Fails("a number has no entry")),
        ("bounds are whole numbers", "{{ caller[:'x'] }}", Fails("whole numbers")),
        ("a table of texts", "{{ vars.lamps[extension] }}", "hall/lamp"),
        ("a map written down", "{{ {'101': 'hall'}[extension] }}", "hall"),
        ("a list written down", "{{ [caller, callee] }}", ["+4930123", None]),
        ("a registered result", "{{ light.exit_code }}", 1),
        ("a result with any members", "{{ body.a[0].b }}", 1.5),
        ("the rule's id", "{{ rule.id }}", "r1"),
        ("the trigger's id", "{{ trigger.id }}", "door"),
        ("the time is text by ISO 8601", "{{ now }}", "2026-11-24T14:05:09+01:00"),
        ("in text, too", "at {{ now }}", "at 2026-11-24T14:05:09+01:00"),
        ("and in a list", "{{ [now] }}", ["2026-11-24T14:05:09+01:00"]),
        ("and as JSON", "{{ now | to_json }}", '"2026-11-24T14:05:09+01:00"'),
        ("and as the filter has it", "{{ now | string }}", "2026-11-24T14:05:09+01:00"),
        ("a part of the time", "{{ now.hour }}", 14),
        ("a part of it in brackets", "{{ now['weekday'] }}", "tue"),
        ("parts of it in a text", "{{ now.day }}.{{ now.month }}. {{ now.time }}",
            "24.11. 14:05:09"),
        ("a part of a part is null", "{{ now.hour.x }}", None),
        ("a time has no entries", "{{ now[caller] }}", Fails("a time has no entry by text")),
        ("a time is no text", "{{ now + 'x' }}", Fails("a time + text")),
        ("nor has it characters", "{{ now[:4] }}", Fails("a time can't be cut")),
        ("nor a length", "{{ now | length }}", Fails("not a time")),
        ("a name without members", "{{ outcome }}", "done"),
        ("the rule's own state", "{{ state.missed + 1 }}", 4),
        ("a secret as it is", "Bearer {{ secret.ntfy }}", "Bearer tk/1?"),
        ("vars hold no templates", "{{ vars.odd }}", "{{ 7*7 }}"),
        ("what a command printed is no template", "{{ light.stdout }}", "{{ 7*7 }}"),
        ("a number too long for Python passes as it came", "{{ payload.big }}", 10**400),
    ),
)  # fmt: skip
def test_values(source: str, expected: Any) -> None:
    check(source, VALUE, SCOPE, expected)


@pytest.mark.parametrize(
    ("source", "expected"),
    rows(
        ("numbers add", "{{ duration + 1 }}", 13),
        ("numbers subtract", "{{ duration - 20 }}", -8),
        ("numbers divide", "{{ duration / 8 }}", 1.5),
        ("numbers divide to whole ones", "{{ duration // 5 }}", 2),
        ("numbers leave a rest", "{{ duration % 5 }}", 2),
        ("a sign in front", "{{ -duration }}", -12),
        ("texts join", "{{ caller + '/' + extension }}", "+4930123/101"),
        ("lists join", "{{ extensions + ['9'] }}", ["100", "101", "9"]),
        ("an absent part of a text is empty", "{{ 'from ' + callee }}", "from "),
        ("an absent number gives null", "{{ state.armed }}{{ callee }}", "null"),
        ("arithmetic with what is absent is absent", "{{ callee - 1 }}", None),
        ("text and number fail", "{{ caller + 1 }}", Fails("'| int' makes a number")),
        ("null and number fail", "{{ none + 1 }}", Fails("null + a number")),
        ("true is no number", "{{ true + 1 }}", Fails("true or false + a number")),
        ("a rest of a text is no format", "{{ '%s' % 1 }}", Fails("text % a number")),
        ("nor of two texts", "{{ '%9999999d' % '1' }}", Fails("text % text")),
        ("division by zero fails", "{{ 1 / zero }}", Fails("division by zero")),
        ("whole division by zero fails", "{{ 1 // 0 }}", Fails("division by zero")),
        ("a rest by zero fails", "{{ 1 % 0 }}", Fails("division by zero")),
        ("infinity fails", "{{ 9e307 + 9e307 }}", Fails("too large")),
        ("a whole number too large fails", "{{ payload.big + 1 }}", Fails("too large")),
        ("too large a whole number for a quotient fails", "{{ payload.big / 2 }}", Fails("lar")),
        ("equal texts", "{{ extension == '101' }}", True),
        ("a text never equals a number", "{{ extension == 101 }}", False),
        ("true is not 1", "{{ true == 1 }}", False),
        ("1 equals 1.0", "{{ 1 == 1.0 }}", True),
        ("a list field equals a list", "{{ extensions == ['100', '101'] }}", True),
        ("absent equals null", "{{ callee == none }}", True),
        ("absent equals no text", "{{ callee == '' }}", False),
        ("unequal", "{{ caller != callee }}", True),
        ("two absent ones are equal", "{{ callee == trunk }}", True),
        ("numbers are in order", "{{ duration > 9 }}", True),
        ("a time of the day is text, in order", "{{ '14:00' <= now.time < '14:30' }}", True),
        ("a day of the week in a list", "{{ now.weekday in ['sat', 'sun'] }}", False),
        ("the time is the time", "{{ now == now }}", True),
        ("the time is no text", "{{ now == '2026-11-24T14:05:09+01:00' }}", False),
        ("times have no order", "{{ now < now }}", Fails("a time < a time")),
        ("texts are in order", "{{ 'a' < 'b' }}", True),
        ("comparisons chain", "{{ 1 < duration <= 12 }}", True),
        ("a chain that breaks", "{{ 1 < duration < 12 < 'x' }}", False),
        ("text and number have no order", "{{ extension < 200 }}", Fails("'| int'")),
        ("lists have no order", "{{ extensions < [] }}", Fails("a list < a list")),
        ("nothing is less than what is absent", "{{ callee < 5 or callee >= 5 }}", False),
        ("in a list", "{{ '101' in extensions }}", True),
        ("in a text", "{{ '49' in caller }}", True),
        ("in a map's keys", "{{ extension in vars.lamps }}", True),
        ("not in", "{{ '7' not in extensions }}", True),
        ("nothing is in what is absent", "{{ 'a' in callee }}", False),
        ("what is absent is in no text", "{{ callee in caller }}", False),
        ("in a number fails", "{{ 1 in duration }}", Fails("can't be in a number")),
        ("a number in a text fails", "{{ 1 in caller }}", Fails("can't be in text")),
        ("and gives the last", "{{ caller and extension }}", "101"),
        ("or gives the first that is something", "{{ callee or caller }}", "+4930123"),
        ("and stops early", "{{ callee and 1 / 0 }}", None),
        ("not", "{{ not callee }}", True),
        ("one or the other", "{{ 'a' if callee else 'b' }}", "b"),
        ("without else it is null", "{{ 'a' if callee }}", None),
        ("only the branch taken is worked out", "{{ 1 if true else 1 / 0 }}", 1),
        ("strict JSON of an absent value is null", '{"c": {{ callee | to_json }}}',
            '{"c": null}'),
        ("a default for what is absent", "{{ callee | default('withheld') }}", "withheld"),
        ("a default for null", "{{ vars.none | default(1) }}", 1),
        ("a default is not for the empty", "{{ '' | default('x') }}", ""),
        ("unless one says so", "{{ '' | default('x', true) }}", "x"),
        ("or by its name", "{{ '' | default('x', boolean=true) }}", "x"),
        ("filters pass what is absent on", "{{ callee | upper | default('X') }}", "X"),
        ("an absent argument makes it absent", "{{ caller | replace('+', callee) }}", None),
        ("a filter on a wrong kind fails", "{{ duration | upper }}", Fails("'upper' takes")),
        ("digits of a number", "{{ '0101' | int }}", 101),
        ("an underscore is no digit", "{{ '1_0' | int(-1) }}", -1),
        ("Arabic digits are none", "{{ '\u0663' | int(-1) }}", -1),
        ("nan is no number", "{{ 'nan' | float(0) }}", 0),
        ("infinity is no number", "{{ '1e999' | float(0) }}", 0),
        ("no number and no default fails", "{{ 'x' | int }}", Fails("int(0)")),
        ("a fraction is cut", "{{ '-2.9' | int }}", -2),
        ("rounded to a whole number", "{{ 2.5 | round }}", 2),
        ("rounded up", "{{ 2.11 | round(1, 'ceil') }}", 2.2),
        ("rounded to too many places", "{{ 2.5 | round(999) }}", Fails("from 0 to 15")),
        ("rounded in no way there is", "{{ 2.5 | round(0, 'up') }}", Fails("'ceil'")),
        ("null in a joined list is empty", "{{ [caller, callee] | join('|') }}", "+4930123|"),
        ("numbers in a joined list", "{{ [1, true] | join(',') }}", "1,true"),
        ("the first of nothing is absent", "{{ [] | first | default('x') }}", "x"),
        ("cut in a word", "{{ 'abcdefghij' | truncate(6, true, '..', 0) }}", "abcd.."),
        ("cut by its names", "{{ 'a b c' | truncate(length=4, leeway=0) }}", "a..."),
        ("cut shorter than its mark", "{{ 'abc' | truncate(1, leeway=0) }}", Fails("end mark")),
        ("an empty text to replace", "{{ 'a' | replace('', 'b') }}", Fails("not empty")),
        ("absent is not defined", "{{ callee is defined }}", False),
        ("not defined", "{{ callee is not defined }}", True),
        ("null is defined", "{{ vars.none is defined }}", True),
        ("absent is none", "{{ callee is none }}", True),
        ("what is absent is no number", "{{ callee is number }}", False),
        ("the parity of what is absent", "{{ callee is odd or callee is even }}", False),
        ("the parity of a text", "{{ caller is odd }}", Fails("'odd' takes")),
    ),
)  # fmt: skip
def test_operators_filters_and_tests(source: str, expected: Any) -> None:
    check(source, VALUE, SCOPE, expected)


@pytest.mark.parametrize(
    ("source", "expected"),
    rows(
        ("the author's slashes stay", "home/{{ vars.lamps[extension] }}/set",
            "home/hall/lamp/set"),
        ("as do those of a literal", "{{ 'a/b' }}", "a/b"),
        ("and of a choice of them", "{{ vars.room if duration > 5 else 'x/y' }}/l", "hall/l"),
        ("and of their sum", "{{ vars.room + '/' + vars.lamps['102'] }}", "hall/den"),
        ("and of an entry of a list", "x/{{ vars.list[0] }}", "x/a/b"),
        ("and of a map written down", "{{ {'101': 'a/b'}[extension] }}", "a/b"),
        ("a field is encoded", "calls/{{ caller }}", "calls/%2B4930123"),
        ("a sum with a field is encoded", "{{ vars.room + '/' + caller }}",
            "hall%2F%2B4930123"),
        ("what a filter gives is encoded", "{{ vars.list[0] | upper }}", "A%2FB"),
        ("a default is encoded", "{{ callee | default('a/b') }}", "a%2Fb"),
        ("what 'or' gives is encoded", "{{ callee or 'a/b' }}", "a%2Fb"),
        ("a secret is encoded", "x/{{ secret.ntfy }}", "x/tk%2F1?"),
        ("a number is its digits", "n/{{ duration }}", "n/12"),
        ("the time has no levels", "at/{{ now }}/{{ trigger.id }}",
            "at/2026-11-24T14:05:09%2B01:00/door"),
        ("an absent field fails", "calls/{{ callee }}", Fails("callee is absent")),
        ("an absent member fails", "x/{{ payload.no.id }}", Fails("payload.no is absent")),
        ("a missing entry fails", "x/{{ vars.lamps[caller] }}",
            Fails("vars.lamps[caller] is absent")),
        ("an absent part fails", "x/{{ 'a' + callee }}", Fails("callee is absent")),
        ("an absent entry of a list fails", "x/{{ [callee] | join }}",
            Fails("callee is absent")),
        ("an absent value of a map fails", "x/{{ {'a': callee} }}", Fails("callee is absent")),
        ("JSON of an absent field fails", "x/{{ callee | to_json }}", Fails("callee is absent")),
        ("null fails", "x/{{ state.armed }}", Fails("state.armed is null")),
        ("a choice without else fails", "x/{{ 'a' if callee }}", Fails("'if' without 'else'")),
        ("a wildcard of vars fails", "x/{{ vars.wild }}", Fails("'#' can't stand in a topic")),
        ("a level left empty fails", "a/{{ vars.empty }}/b", Fails("level of the topic")),
        ("an empty level at the end fails", "a/{{ '' if duration else 'x' }}", Fails("level")),
        ("an empty level at the front fails", "{{ vars.empty }}/b", Fails("level")),
        ("an empty topic fails", "{{ vars.empty }}", Fails("the topic is empty")),
        ("half a level may be empty", "a/b{{ vars.empty }}/c", "a/b/c"),
        ("the author's own empty levels stay", "/a//{{ extension }}", "/a//101"),
        ("a literal topic is itself", "$SYS/a b", "$SYS/a b"),
    ),
)  # fmt: skip
def test_topics(source: str, expected: Any) -> None:
    check(source, TOPIC, SCOPE, expected)


@pytest.mark.parametrize(
    ("caller", "expected"),
    [
        pytest.param("{{ 7*7 }}", "t/{{ 7*7 }}", id="a template is text"),
        pytest.param("$(touch x)", "t/%24(touch x)", id="a command is text"),
        pytest.param("a/b+c#", "t/a%2Fb%2Bc%23", id="levels and wildcards are encoded"),
        pytest.param("%2F", "t/%252F", id="what is encoded is encoded again"),
        pytest.param("../", "t/..%2F", id="dots are no path in MQTT"),
        pytest.param("\x00\n\x7f\x85", "t/%00%0A%7F%C2%85", id="control characters are encoded"),
        pytest.param("\ufffe\U0001ffff", "t/%EF%BF%BE%F0%9F%BF%BF", id="as are non-characters"),
        pytest.param("\ud800", "t/%ED%A0%80", id="and halves of characters"),
        pytest.param("\U0001f4de ü", "t/\U0001f4de ü", id="emoji and umlauts stay"),
        pytest.param("--help", "t/--help", id="an option is text"),
        pytest.param("x" * 70_000, Fails("longer than 65,535"), id="70,000 characters fail"),
        pytest.param("/" * 30_000, Fails("longer than 65,535"), id="as do they once encoded"),
        pytest.param("", Fails("level of the topic is empty"), id="an empty caller fails"),
    ],
)
def test_hostile_callers_in_topics(caller: str, expected: Any) -> None:
    check("t/{{ caller }}", TOPIC, scope(caller=caller), expected)


@pytest.mark.parametrize(
    ("source", "caller", "expected"),
    rows(
        ("a value of a query", "http://h/?x={{ caller }}", "a&b=c#d", "http://h/?x=a%26b%3Dc%23d"),
        ("an empty value of a query", "http://h/?x={{ caller }}", "", "http://h/?x="),
        ("a segment", "https://h:8443/a/{{ caller }}", "b/c?d", "https://h:8443/a/b%2Fc%3Fd"),
        ("a host without a path", "http://h?x={{ caller }}", "@evil", "http://h?x=%40evil"),
        ("an IPv6 host", "http://[::1]:80/{{ caller }}", "x", "http://[::1]:80/x"),
        ("an emoji", "http://h/{{ caller }}", "\U0001f4de", "http://h/%F0%9F%93%9E"),
        ("half a character", "http://h/{{ caller }}", "\udfff", "http://h/%ED%BF%BF"),
        ("a line break", "http://h/{{ caller }}", "a\r\nX: y", "http://h/a%0D%0AX%3A%20y"),
        ("vars go in as they are", "http://h/{{ vars.list[0] }}", "", "http://h/a/b"),
        ("but not what no URL has", "http://h/{{ vars.bad }}", "", Fails("' ' can't stand")),
        ("a secret is encoded", "http://h/{{ secret.ntfy }}", "", "http://h/tk%2F1%3F"),
        ("the time is encoded", "http://h/?at={{ now }}", "",
         "http://h/?at=2026-11-24T14%3A05%3A09%2B01%3A00"),
        ("an absent field fails", "http://h/{{ callee }}", "", Fails("callee is absent")),
        ("an empty segment fails", "http://h/{{ caller }}/x", "", Fails("segment")),
        ("an empty last segment fails", "http://h/a/{{ caller }}", "", Fails("segment")),
        ("a dot fails", "http://h/a/{{ caller }}/b", ".", Fails("segment")),
        ("two dots fail", "http://h/a/{{ caller }}?x", "..", Fails("segment")),
        ("half of two dots fails", "http://h/.{{ caller }}", ".", Fails("segment")),
        ("its encoded half, too", "http://h/%2E{{ caller }}", ".", Fails("segment")),
        ("the author's own dots stay", "http://h/a/../b?{{ caller }}", "x",
         "http://h/a/../b?x"),
        ("dots in a query stay", "http://h/a?{{ caller }}", "..", "http://h/a?.."),
        ("70,000 characters fail", "http://h/{{ caller }}", "x" * 70_000, Fails("64 KiB")),
    ),
)  # fmt: skip
def test_urls(source: str, caller: str, expected: Any) -> None:
    check(source, URL, scope(caller=caller), expected)


@pytest.mark.parametrize(
    ("source", "caller", "expected"),
    rows(
        ("a text is one argument", "{{ caller }}", "$(touch x); `x`", "$(touch x); `x`"),
        ("a call's option is refused", "{{ caller }}", "--help", Fails("begin with a '-'")),
        ("a dash alone, too", "{{ caller }}", "-", Fails("begin with a '-'")),
        ("behind nothing, too", "{{ vars.empty }}{{ caller }}", "-x", Fails("begin with")),
        ("behind a comment, too", "{# x #}{{ caller }}", "-x", Fails("begin with")),
        ("behind text it may", "--room={{ caller }}", "-x", "--room=-x"),
        ("behind vars it may", "{{ vars.option }}{{ caller }}", "-x", "--room=-x"),
        ("a sum with it may not", "{{ '--x=' + caller }}", "1", Fails("begin with")),
        ("a secret may not", "{{ secret.dash }}", "", Fails("begin with")),
        ("a number below zero may not", "{{ 1 - duration }}", "", Fails("begin with")),
        ("NUL is replaced", "{{ caller }}", "a\0b", "a\ufffdb"),
        ("half a character is replaced", "{{ caller }}", "\udc80", "\ufffd"),
        ("an empty text is an argument", "{{ caller }}", "", ""),
        ("an absent one fails", "{{ callee }}", "", Fails("callee is absent")),
        ("70,000 characters fail", "{{ caller }}", "x" * 70_000, Fails("64 KiB")),
        ("it is bytes that count", "{{ caller }}", "\U0001f4de" * 16_385, Fails("64 KiB")),
        ("a list is JSON", "{{ extensions }}", "", '["100","101"]'),
        ("the author's own option", "--help", "", "--help"),
    ),
)  # fmt: skip
def test_arguments(source: str, caller: str, expected: Any) -> None:
    check(source, ARGUMENT, scope(caller=caller), expected)


@pytest.mark.parametrize(
    ("source", "expected"),
    rows(
        ("true", "{{ caller == '+4930123' }}", True),
        ("false", "{{ caller == '0' }}", False),
        ("blanks around do no harm", " {{ true }}\n", True),
        ("absent is false", "{{ callee }}", False),
        ("null is false", "{{ state.armed }}", False),
        ("the length of what is absent", "{{ callee | length > 2 }}", False),
        ("a text is no condition", "{{ caller }}", Fails("gives text, not true or false")),
        ("a number is none", "{{ duration }}", Fails("gives a number, not true or false")),
        ("the time is none", "{{ now }}", Fails("gives a time, not true or false")),
        ("a list is none", "{{ extensions }}", Fails("gives a list, not true or false")),
        ("a map is none", "{{ trigger }}", Fails("gives a map, not true or false")),
        (
            "what 'or' gives is one only if it is true or false",
            "{{ caller or true }}",
            Fails("gives text"),
        ),
        ("the trigger's id", "{{ trigger.id == 'door' }}", True),
        ("the hour", "{{ 8 <= now.hour < 18 }}", True),
        ("a division by zero fails", "{{ 1 / 0 == 1 }}", Fails("division by zero")),
    ),
)
def test_conditions(source: str, expected: Any) -> None:
    check(source, CONDITION, SCOPE, expected)


@pytest.mark.parametrize(
    ("source", "caller", "expected"),
    rows(
        ("a template is a text like any", "{{ caller == '{{ 7*7 }}' }}", "{{ 7*7 }}", True),
        ("and is not worked out", "{{ caller == '49' }}", "{{ 7*7 }}", False),
        ("the word true is no truth", "{{ caller }}", "true", Fails("gives text")),
        ("nor equal to it", "{{ caller == true }}", "true", False),
        ("an expression is a text", "{{ caller == '1' }}", "1 or 1 == 1", False),
        ("digits are no number", "{{ caller == 112 }}", "112", False),
        ("a number is made of them", "{{ caller | int == 112 }}", "112", True),
        ("but not of other digits", "{{ caller | int == 3 }}", "\u0663", Fails("is no number")),
        ("nor of nan", "{{ caller | float > 0 }}", "nan", Fails("is no number")),
        ("nor of what is too large", "{{ caller | int > 0 }}", "9" * 5_000, Fails("no number")),
        ("a quote ends nothing", "{{ caller == 'a' }}", "' or 'a' == 'a", False),
        ("a path is a text", "{{ '..' in caller }}", "../../etc", True),
        ("NUL is a character", "{{ caller | length == 1 }}", "\0", True),
        ("as is half a character", "{{ caller == '\ud800' }}", "\ud800", True),
        ("an emoji is one", "{{ caller | length == 1 }}", "\U0001f4de", True),
        ("an empty caller is none", "{{ caller == '' and caller != none }}", "", True),
        ("70,000 characters are compared", "{{ caller == 'x' }}", "x" * 70_000, False),
        ("and counted", "{{ caller | length > 65536 }}", "x" * 70_000, True),
        ("but not joined", "{{ caller + caller == '' }}", "x" * 40_000, Fails("64 KiB")),
        ("no pattern is read", "{{ caller == '.*' or caller == '*' }}", "101", False),
    ),
)
def test_hostile_callers_in_conditions(source: str, caller: str, expected: Any) -> None:
    check(source, CONDITION, scope(caller=caller), expected)


@pytest.mark.parametrize(
    ("source", "caller", "expected"),
    rows(
        ("a template is a text", "{{ caller }}", "{{ 7*7 }}", "{{ 7*7 }}"),
        ("half a template is a text", "{{ caller }}", "}} {{", "}} {{"),
        ("a block is a text", "{{ caller }}", "{% raw %}", "{% raw %}"),
        ("a number is a text", "{{ caller }}", "1e5", "1e5"),
        ("JSON is a text", "{{ caller }}", '{"a": 1}', '{"a": 1}'),
        ("a command is a text", "{{ caller }}", "$(touch x)", "$(touch x)"),
        ("a path is a text", "{{ caller }}", "../..", "../.."),
        ("what is dialled is a text", "{{ caller }}", "*97#", "*97#"),
        ("NUL stays", "{{ caller }}", "\x00", "\x00"),
        ("half a character stays", "{{ caller }}", "\ud800", "\ud800"),
        ("a line break stays", "{{ caller }}", "a\r\nb", "a\r\nb"),
        ("a secret's name is a text", "<{{ caller }}>", "{{ secret.ntfy }}",
         "<{{ secret.ntfy }}>"),
        ("70,000 characters fail", "{{ caller }}", "x" * 70_000, Fails("64 KiB")),
        ("65,536 characters with two fail", "<{{ caller }}>", "x" * 65_535, Fails("64 KiB")),
        ("65,534 with two do not", "<{{ caller }}>", "x" * 65_534, f"<{'x' * 65_534}>"),
        ("a sum too long fails", "{{ caller + caller }}", "x" * 40_000, Fails("64 KiB")),
        ("what replaces itself fails", "{{ caller | replace('x', caller) }}", "x" * 60_000,
         Fails("64 KiB")),
        ("what joins itself fails", "{{ [caller, caller] | join(caller) }}", "x" * 30_000,
         Fails("64 KiB")),
        ("a list too long fails", "{{ [caller, caller] }}", "x" * 40_000, Fails("64 KiB")),
        ("what is encoded is bounded", "{{ caller | urlencode }}", "/" * 30_000, Fails("64 KiB")),
        ("as is what is escaped", "{{ {'a': caller} | to_json }}", "\x00" * 20_000,
         Fails("64 KiB")),
    ),
)  # fmt: skip
def test_hostile_callers_as_values(source: str, caller: str, expected: Any) -> None:
    check(source, VALUE, scope(caller=caller), expected)


@pytest.mark.parametrize(
    ("source", "context", "offset", "told"),
    rows(
        ("an unknown name", "a {{ caler }}", VALUE, 5, "did you mean 'caller'?"),
        ("a word without quotes", "{{ ON }}", VALUE, 3, "a text stands in quotes: 'ON'"),
        ("a name of elsewhere", "{{ later.x }}", VALUE, 3, "it is registered only further on"),
        ("what a secret withholds", "{{ light.stderr }}", VALUE, 9, "its action uses a secret"),
        ("a member of the time", "{{ now.hours }}", VALUE, 7, "did you mean 'hour'?"),
        ("a method of the time", "{{ now.isoformat }}", VALUE, 7, "'now' has no 'isoformat'"),
        ("the time as a call", "{{ now() }}", VALUE, 3, "write 'now'"),
        ("a member of the trigger", "{{ trigger.event }}", VALUE, 11, "it has id"),
        ("an unknown member", "{{ vars.lmps }}", VALUE, 8, "did you mean 'lamps'?"),
        ("in brackets, too", "{{ light['exit'] }}", VALUE, 0, "'light' has no 'exit'"),
        ("an unknown field of all", "{{ fields.caler }}", VALUE, 10, "did you mean 'caller'?"),
        ("a member of a field", "{{ caller.number }}", VALUE, 10, "'caller' is no map"),
        ("Python's attribute", "{{ caller.__class__ }}", VALUE, 10, "'caller' is no map"),
        ("an unknown filter", "{{ caller | uper }}", VALUE, 12, "did you mean 'upper'?"),
        ("attr", "{{ caller | attr('x') }}", VALUE, 12, "write '.name'"),
        ("another system's filter", "{{ caller | tojson }}", VALUE, 12, "write 'to_json'"),
        ("a pattern", "{{ caller | regex_replace('a') }}", VALUE, 12, "no patterns"),
        ("a filter like nothing", "{{ caller | zzzz }}", VALUE, 12, "there are abs, "),
        ("an unknown test", "{{ caller is undefined }}", VALUE, 13, "'is not defined'"),
        ("an argument missing", "{{ caller | replace('a') }}", VALUE, 12, "'new'"),
        ("an argument too many", "{{ caller | upper(1) }}", VALUE, 12, "too many"),
        ("arguments with a star", "{{ caller | join(*vars) }}", VALUE, 17, "'*' before"),
        ("a call", "{{ caller.startswith('+49') }}", VALUE, 10, "caller[:3] == '+49'"),
        ("a call of a function", "{{ range(9) }}", VALUE, 3, "no loops"),
        ("a call that is a filter here", "{{ caller.upper() }}", VALUE, 10, "write '| upper'"),
        ("a call of what a call gave", "{{ caller.x()() }}", VALUE, 0, "is a call"),
        ("a product", "{{ 'a' * 200000000 }}", VALUE, 7, "'*' is not there"),
        ("a power", "{{ 9 ** 9 ** 9 }}", VALUE, 5, "'**' is not there"),
        ("a tilde", "{{ caller ~ 'x' }}", VALUE, 10, "write '+'"),
        ("a tuple", "{{ (caller, 1) }}", VALUE, 10, "write a list"),
        ("a step", "{{ caller[::-1] }}", VALUE, 10, "[a:b] is"),
        ("a plus sign in front", "{{ +duration }}", VALUE, 3, "leave the sign out"),
        ("a loop", "a{% for x in y %}{% endfor %}", VALUE, 1, "{% … %} is not there"),
        ("a raw block", "{% raw %}x{% endraw %}", VALUE, 0, "{% … %} is not there"),
        ("a block in a second line", "a\nb {% set x = 1 %}", VALUE, 4, "{% … %}"),
        ("one brace pair open", "x {{ caller", VALUE, 0, "each '{{' needs its '}}'"),
        ("nothing in braces", "{{ }}", VALUE, 0, "not a template"),
        ("one equals sign", "{{ caller = 1 }}", VALUE, 0, "'==' to compare"),
        ("C's and", "{{ caller && 1 }}", VALUE, 0, "write 'and'"),
        ("C's or", "{{ caller || 1 }}", VALUE, 0, "write 'or'"),
        ("C's not", "{{ !caller }}", VALUE, 0, "write 'not'"),
        ("the shell's names", "{{ $caller }}", VALUE, 0, "names stand by themselves"),
        ("an error in the third line", "a\nbc\n{{ 1 + }}", VALUE, 5, "not a template"),
        ("an escape there is not", r"{{ '\d' }}", VALUE, 4, r"a backslash itself is '\\'"),
        ("a carriage return", "{{ caller }}\r\n", VALUE, 0, "carriage return"),
        ("a number too long", "{{ " + "9" * 5000 + " }}", VALUE, 0, "too large"),
        ("a number too large", "{{ 1e999 }}", VALUE, 0, "too large"),
        ("parentheses without end", "{{ " + "(" * 9999 + " }}", VALUE, 0, "too deeply"),
        ("a sum without end", "{{ 1" + "+1" * 999 + " }}", VALUE, 0, "too deeply"),
        ("all secrets", "{{ secret }}", VALUE, 3, "secret.name"),
        ("a secret that a call names", "{{ secret[caller] }}", VALUE, 3, "secret.name"),
        ("a secret in a condition", "{{ secret.ntfy == caller }}", CONDITION, 3, "no secrets"),
        ("no template for a condition", "true", CONDITION, 0, "gives true or false"),
        ("two templates for a condition", "{{ a }}{{ b }}", CONDITION, 0, "one single"),
        ("text in a condition", "{{ true }} or", CONDITION, 0, "one single"),
        ("an empty topic", "", TOPIC, 0, "the topic is empty"),
        ("a wildcard", "home/+/x", TOPIC, 5, "who subscribes"),
        ("a wildcard beside a template", "{{ caller }}/#", TOPIC, 13, "who subscribes"),
        ("a wildcard in a literal", "x/{{ 'a' if caller else 'b+' }}", TOPIC, 26, "'+' can't"),
        ("a line break", "home/x\n", TOPIC, 6, "write '|-' or '>-'"),
        ("NUL", "home/\0", TOPIC, 5, "U+0000 can't stand in a topic"),
        ("a topic too long", "x" * 70_000, TOPIC, 0, "65,535 bytes"),
        ("a topic too deep", "x/" * 300, TOPIC, 0, "200 levels"),
        ("no scheme", "/notify", URL, 0, "begins with http://"),
        ("another scheme", "file:///etc/passwd", URL, 0, "begins with http://"),
        ("a templated URL", "{{ caller }}", URL, 0, "begins with http://"),
        ("a templated host", "http://{{ caller }}/", URL, 0, "no templates"),
        ("half a templated host", "http://h{{ caller }}/", URL, 0, "no templates"),
        ("a templated port", "http://h:{{ caller }}/", URL, 0, "no templates"),
        ("a user", "http://u:p@h/", URL, 10, "'headers'"),
        ("no host", "http:///x", URL, 0, "not host:port"),
        ("a port too high", "http://h:65536/", URL, 0, "not host:port"),
        ("a backslash", "http://h\\@evil/", URL, 8, "can't stand in a URL"),
        ("a blank", "http://h/a b", URL, 10, "write %20"),
        ("a percent sign", "http://h/{{ caller }}%", URL, 21, "write %25"),
        ("an umlaut", "http://h/ü", URL, 9, "write %C3%BC"),
        ("encoding twice", "http://h/{{ caller | urlencode }}", URL, 21, "by itself"),
        ("NUL in an argument", "a\0", ARGUMENT, 1, "U+0000 can't stand in an argument"),
    ),
)  # fmt: skip
def test_problems(source: str, context: Context, offset: int, told: str) -> None:
    with pytest.raises(TemplateError) as caught:
        compile_template(source, context, NAMES)
    problem = caught.value.problems[0]
    assert told in str(problem)
    assert problem.offset == offset
    assert problem.path == ()


def test_all_problems_are_told_at_once_in_order() -> None:
    source = "{{ caler }}\n{{ caller * x.y(z) }} {{ caller | uper }} {{ caler }}"
    with pytest.raises(TemplateError) as caught:
        compile_template(source, VALUE, NAMES)
    codes = [(problem.code, source[problem.offset :][:5]) for problem in caught.value.problems]
    assert codes == [
        ("unknown-name", "caler"),
        ("template-refused", "* x.y"),
        ("unknown-name", "x.y(z"),
        ("template-refused", "y(z) "),
        ("unknown-name", "z) }}"),
        ("unknown-filter", "uper "),
    ]


@pytest.mark.parametrize(
    ("source", "uses", "is_literal"),
    rows(
        ("a text uses nothing", "ON", set(), True),
        ("nor does a comment", "ON {# vars.room #}", set(), True),
        ("nor a text in braces", "{{ 'ON' }}", set(), False),
        ("a field, once", "{{ caller }}{{ caller }}", {"caller"}, False),
        ("a table and its key", "{{ vars.lamps[extension] }}", {"vars.lamps", "extension"}, False),
        ("a table that a call names", "{{ vars[caller] }}", {"vars", "caller"}, False),
        (
            "the first member alone",
            "{{ payload.call.id }} {{ secret['ntfy'] }}",
            {"payload.call", "secret.ntfy"},
            False,
        ),
    ),
)
def test_uses(source: str, uses: set[str], is_literal: bool) -> None:
    template = compile_template(source, VALUE, NAMES)
    assert (set(template.uses), template.is_literal) == (uses, is_literal)


def test_names_decide_what_is_there() -> None:
    more = Names(fields=NAMES.fields, members={"call": frozenset({"answered"})})
    template = compile_template("{{ call.answered }}", CONDITION, more)
    assert template.render(Scope(extras={"call": {"answered": True}})) is True
    with pytest.raises(TemplateError, match="'call' has no 'answerd'"):
        compile_template("{{ call.answerd }}", CONDITION, more)
    with pytest.raises(TemplateError, match="'vars' is no name"):
        compile_template("{{ vars.room }}", VALUE, more)


@pytest.mark.parametrize("name", INSTANT)
def test_each_member_of_the_time_is_as_its_example_says(name: str) -> None:
    check(f"{{{{ now.{name} }}}}", VALUE, SCOPE, INSTANT[name].example)


@pytest.mark.parametrize(
    ("wall_s", "zone", "expected"),
    rows(
        ("before the clocks change", 1_774_745_999.999, "Europe/Berlin",
         "2026-03-29T01:59:59+01:00"),
        ("after they did", 1_774_746_000.0, "Europe/Berlin", "2026-03-29T03:00:00+02:00"),
        ("the first time in autumn", 1_792_888_200.0, "Europe/Berlin",
         "2026-10-25T02:30:00+02:00"),
        ("the second time", 1_792_891_800.0, "Europe/Berlin", "2026-10-25T02:30:00+01:00"),
        ("half an hour off", 1_795_525_509.0, "Asia/Kolkata", "2026-11-24T18:35:09+05:30"),
        ("a clock that was never set", 0.0, "Europe/Berlin", "1970-01-01T01:00:00+01:00"),
    ),
)  # fmt: skip
def test_the_time_is_told_by_the_clock_of_its_zone(wall_s: float, zone: str, expected: str) -> None:
    moment = Instant(wall_s, ZoneInfo(zone))
    assert str(moment) == expected
    assert compile_template("{{ now }}", TEXT, NAMES).render(Scope(extras={"now": moment})) == (
        expected
    )


def test_no_text_of_a_call_is_asked_of_the_time() -> None:
    """``now[x]`` is no way to Python's attributes."""
    template = compile_template("{{ now[caller] }}", TEXT, NAMES)
    for caller in ("hour", "__class__", "zone", "local"):
        with pytest.raises(RenderError, match="a time has no entry by text"):
            template.render(scope(caller=caller))
    assert Instant(0, UTC) == Instant(0, UTC)


def test_members_of_the_payload_are_checked_as_far_as_they_are_written() -> None:
    names = Names(fields=frozenset({"caller"}), payload={"a": {"b": {}}, "any": None})
    for good in ("a", "a.b", "a['b']", "any.x.y", "a[caller].x", "a[0].x", "a[:1].x"):
        compile_template(f"{{{{ payload.{good} }}}}", TEXT, names)
    for wrong, word in (("c", "c"), ("a.c", "c"), ("a.c.d", "c"), ("a.b.c", "c")):
        source = f"{{{{ payload.{wrong} }}}}"
        with pytest.raises(TemplateError) as caught:
            compile_template(source, TEXT, names)
        (problem,) = caught.value.problems
        assert problem.code == "unknown-member"
        assert source[problem.offset :].startswith(word)


def test_texts_of_vars_are_not_marked_outside() -> None:
    for source in ("{{ vars.list[0] }}", "{{ vars.list }}", "{{ [vars.room] }}", "{{ 'a' }}"):
        found = compile_template(source, VALUE, NAMES).render(SCOPE)
        texts = found if isinstance(found, list) else [found]
        assert {type(text) for text in texts} == {str}


def test_a_value_is_the_callers_own() -> None:
    found = compile_template("{{ payload.call }}", VALUE, NAMES).render(SCOPE)
    found["id"] = "changed"
    assert SCOPE.payload["call"]["id"] == "c1"


def test_messages_quote_no_secret() -> None:
    given = scope(caller="token-of-a-call")
    for source in ("{{ secret.ntfy + 1 }}", "{{ secret.ntfy | int }}", "{{ [][secret.ntfy] }}",
                   "{{ vars.room[secret.ntfy] }}", "{{ secret.ntfy < 1 }}",
                   "{{ caller + 1 }}", "{{ 1 in caller }}", "{{ caller | float }}"):  # fmt: skip
        template = compile_template(source, TEXT, NAMES)
        with pytest.raises(RenderError) as caught:
            template.render(given)
        assert "tk/1" not in str(caught.value)
        assert "token-of-a-call" not in str(caught.value)
        assert caught.value.__cause__ is None


def test_tree() -> None:
    source = {"state": "ON", "by": "{{ caller }}", "n": 1, "{{ key }}": [True, "{{ duration }}"]}
    tree = compile_tree(source, VALUE, NAMES)
    assert tree.uses == {"caller", "duration"}
    assert not tree.is_literal
    assert tree.render(SCOPE) == {
        "state": "ON", "by": "+4930123", "n": 1, "{{ key }}": [True, 12],
    }  # fmt: skip
    assert list(tree.render(SCOPE)) == list(source)


def test_tree_without_templates_is_itself() -> None:
    source = {"a": ["x", None, 1.5], "b": {"c": "d"}}
    tree = compile_tree(source, VALUE, NAMES)
    assert tree.is_literal
    assert tree.render(SCOPE) is source


def test_tree_drops_comments() -> None:
    assert compile_tree(["a{# b #}"], VALUE, NAMES).render(SCOPE) == ["a"]


def test_tree_tells_all_problems_with_their_paths() -> None:
    source = {"a": ["ok", "x {{ caler }}"], "b": "{{ nope }}", "c": {"d": "{{"}}
    with pytest.raises(TemplateError) as caught:
        compile_tree(source, VALUE, NAMES)
    places = [(problem.path, problem.offset) for problem in caught.value.problems]
    assert places == [(("a", 1), 5), (("b",), 3), (("c", "d"), 0)]


@pytest.mark.parametrize(
    "name", [f"| {name}" for name in FILTERS] + [f"is {name}" for name in TESTS]
)
def test_each_filter_and_test_does_as_its_example_says(name: str) -> None:
    behind, _, word = name.partition(" ")
    spec = FILTERS[word] if behind == "|" else TESTS[word]
    assert name in spec.example
    assert compile_template(spec.example, VALUE, NAMES).render(Scope()) == spec.gives


def test_numbers_in_text_are_json() -> None:
    for value in (0, -1, 1.5, 1e-9, 1e20, 12345678901234567890, True, None, [1.0, {"a": None}]):
        found = compile_template("{{ body }}.", TEXT, NAMES).render(Scope(extras={"body": value}))
        assert json.loads(found[:-1]) == value


def test_what_json_lacks_fails() -> None:
    for value in (float("nan"), float("inf"), object(), {"a": {1, 2}}):
        with pytest.raises(RenderError, match="JSON does not have"):
            compile_template("{{ body }}", VALUE, NAMES).render(Scope(extras={"body": value}))


def test_nesting_without_end_fails() -> None:
    deep: Any = "x"
    for _ in range(50_000):
        deep = [deep]
    for source in ("{{ body }}", "{{ body | to_json }}", "{{ body == [body] }}"):
        with pytest.raises(RenderError, match="nested too deeply"):
            compile_template(source, VALUE, NAMES).render(Scope(extras={"body": deep}))


def test_rules_without_templates_import_no_jinja2() -> None:
    code = (
        "import sys; from pbxrules.template import *\n"
        "compile_template('home/x', Context.TOPIC, Names(fields=frozenset()))\n"
        "print('jinja2' in sys.modules)"
    )
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, check=True)
    assert found.stdout == b"False\n"
