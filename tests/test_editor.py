"""What an editor makes of ``rules.schema.json``, asked of a real language server.

yaml-language-server is what VS Code, Neovim and others run for YAML.  A file names its schema
in its first line, as those of ``rules/`` do; ``¦`` in a text is the cursor or the pointer.
"""

# Over 300 lines, most of them tables: one row for each place in a file.

import json
import os
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from textwrap import indent
from typing import Any

import pytest
import yaml
from click.testing import CliRunner

from pbxrules import cli
from pbxrules.pbx.openvox import ACTIONS, FIELDS
from pbxrules.yamlsource import read
from tests.language_server import Completion, Diagnostic, LanguageServer
from tests.sockets import recording
from tests.test_rules import EVERY_KEY
from tests.test_rules_schema import KEYS as KEYS_OF_THE_SCHEMA

ROOT = Path(__file__).parents[1]
SERVER = ROOT / ".node/node_modules/yaml-language-server/bin/yaml-language-server"
README = (ROOT / "README.md").read_text("utf-8")
FIRST_LINE = "# yaml-language-server: $schema=rules.schema.json\n"


def server(
    *, settings: Mapping[str, Any] | None = None, env: Mapping[str, str] | None = None
) -> LanguageServer:
    assert SERVER.is_file(), "make test installs it"
    return LanguageServer(
        ["node", str(SERVER), "--stdio"],
        settings={"yaml": {"schemaStore": {"enable": False}, **(settings or {})}},
        env={**os.environ, **(env or {})},
    )


class Editor:
    """An editor in a folder that has the schema, as a user puts it there."""

    def __init__(self, folder: Path, language: LanguageServer) -> None:
        self._folder = folder
        self._language = language
        self._shown = 0
        schema = CliRunner().invoke(cli.main, ["schema", "rules"]).output
        (folder / "rules.schema.json").write_text(schema, "utf-8")

    def underlined(self, text: str, first_line: str = FIRST_LINE) -> list[tuple[int, str, str]]:
        """Line, text and message."""
        path, _ = self._show(text, first_line)
        return [(it.line, it.under, it.message) for it in self._language.diagnostics(path)]

    def underlined_in(self, path: Path) -> list[Diagnostic]:
        """The same of a file that is there."""
        self._language.open(path, path.read_text("utf-8"))
        return self._language.diagnostics(path)

    def offered(self, text: str) -> list[Completion]:
        return self._language.complete(*self._show(text))

    def hover(self, text: str) -> str:
        return self._language.hover(*self._show(text))

    def _show(self, text: str, first_line: str = FIRST_LINE) -> tuple[Path, int]:
        self._shown += 1
        path = self._folder / f"{self._shown}.yaml"
        text = first_line + text
        self._language.open(path, text.replace("¦", ""))
        return path, text.find("¦")


@pytest.fixture(scope="module")
def editor(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Editor]:
    with server() as language:
        yield Editor(tmp_path_factory.mktemp("rules"), language)


def rule(keys: str) -> str:
    """A rule between two others, *keys* behind its id, from line 7 on."""
    return (
        "rules:\n"
        "  - id: before\n"
        "    triggers: any\n"
        "    actions: [{log: a}]\n"
        f"  - id: here\n{indent(keys, '    ', lambda _: True)}\n"
        "  - id: after\n"
        "    triggers: [{event: ring}, {event: cdr}]\n"
        "    actions: [{log: a}]\n"
    )


def fired_by(triggers: str) -> str:
    """The same with *triggers*, from line 9 on."""
    return rule(f"actions: [{{log: a}}]\ntriggers:\n{indent(triggers, '  ', lambda _: True)}")


def provided(conditions: str) -> str:
    """The same with *conditions*, from line 10 on."""
    conditions = indent(conditions, "  ", lambda _: True)
    return rule(f"triggers: any\nactions: [{{log: a}}]\nconditions:\n{conditions}")


def timed(keys: str) -> str:
    """A time with *keys*, from line 4 on."""
    return f"times:\n  night:\n{indent(keys, '    ', lambda _: True)}\n"


def doing(actions: str) -> str:
    """The same with *actions*, from line 9 on."""
    return rule(f"triggers: any\nactions:\n{indent(actions, '  ', lambda _: True)}")


# --- Completion -----------------------------------------------------------------------------

EVENTS = [*ACTIONS, "other"]
BUT_EVENT = [name for name in FIELDS if name != "event"]
OF_A_RULE = ["alias", "enabled", "variables", "triggers", "conditions", "actions", "expires"]
OF_A_TEST = [
    "in", "not", "glob", "regex", "prefix", "suffix", "contains", "above", "below", "between",
    "length", "exists", "ignore_case",
]  # fmt: skip
OF_A_CONDITION = [*FIELDS, "time", "trigger", "and", "or", "not"]
OF_A_TIME = [
    "after", "before", "weekdays", "days", "months", "years", "dates", "timezone", "any",
]  # fmt: skip
VERBS = ["http", "log", "mqtt", "shell"]
BESIDE = ["timeout", "retry", "continue_on_error", "expires"]

KEYS = [
    pytest.param("¦\n", ["rules", "groups", "times"], id="of an empty file"),
    pytest.param(rule("triggers: any") + "¦\n", ["groups", "times"], id="of a file that has rules"),
    pytest.param("rules:\n  - ¦\n", OF_A_RULE, id="of the first rule"),
    pytest.param(rule("¦"), OF_A_RULE, id="of a rule"),
    pytest.param(rule("triggers: any\na¦\nactions: [{log: a}]"), ["alias"], id="in between"),
    pytest.param(fired_by("¦"), [*FIELDS, "id"], id="of the only trigger"),
    pytest.param(fired_by("event: ring\n¦"), BUT_EVENT, id="of a trigger that has one"),
    pytest.param(fired_by("- ¦"), FIELDS, id="of a listed trigger"),
    pytest.param(fired_by("- event: ring\n  ¦\n- event: bye"), BUT_EVENT, id="of the first of two"),
    pytest.param(fired_by("- caller: a\n  ¦\n- event: bye"), ["event"], id="of one without event"),
    pytest.param(fired_by("caller:\n  ¦"), OF_A_TEST, id="of a test"),
    pytest.param(fired_by("- caller:\n    not:\n      ¦"), OF_A_TEST, id="of a test in a test"),
    pytest.param(
        fired_by("caller:\n  length:\n    ¦"), ["above", "below", "between"], id="of length"
    ),
    pytest.param(provided("¦"), OF_A_CONDITION, id="of the only condition"),
    pytest.param(provided("- ¦"), OF_A_CONDITION, id="of a listed condition"),
    pytest.param(provided("- caller: 1\n  ¦\n- time: a"), ["time", "or"], id="of one that has one"),
    pytest.param(provided("not:\n  ¦"), OF_A_CONDITION, id="of what must not hold"),
    pytest.param(provided("- or:\n    - ¦"), OF_A_CONDITION, id="of one of several"),
    pytest.param(
        provided("- not:\n    caller:\n      ¦"), OF_A_TEST, id="of a test in a condition"
    ),
    pytest.param(timed("¦"), OF_A_TIME, id="of a time"),
    pytest.param(timed("any:\n  - ¦"), OF_A_TIME, id="of one of several times"),
    pytest.param(doing("- ¦"), [*VERBS, *BESIDE], id="of an action"),
    pytest.param(doing("- log: a\n  ¦\n- log: b"), BESIDE, id="of an action that has a verb"),
    pytest.param(doing("- shell: [ls]\n  ¦"), ["env", "cwd", *BESIDE], id="beside shell"),
    pytest.param(doing("- mqtt:\n    ¦"), ["topic", "payload", "qos", "retain"], id="of mqtt"),
    pytest.param(
        doing("- http:\n    url: http://h/\n    ¦\n- log: a"),
        ["method", "json", "body", "headers"],
        id="of http",
    ),
    pytest.param(doing("- log:\n    ¦"), ["text", "level"], id="of log"),
    pytest.param(
        doing("- log: a\n  retry:\n    ¦"), ["attempts", "delay", "max_delay"], id="of retry"
    ),
]
VALUES = [
    pytest.param("groups: ¦\n", ["{family: ['+4930123456', '0171234567']}"], id="of groups"),
    pytest.param(rule("enabled: ¦"), ["true", "false"], id="of enabled"),
    pytest.param(rule("expires: ¦"), ["60s", "never"], id="of expires"),
    pytest.param(rule("variables: ¦"), [], id="of variables"),
    pytest.param(rule("triggers: ¦"), ["any", "{event: ring}"], id="of triggers"),
    pytest.param(fired_by("event: ¦"), EVENTS, id="of event"),
    pytest.param(fired_by("- event:\n    - ¦"), EVENTS, id="of a list of events"),
    pytest.param(fired_by("direction: ¦"), ["internal", "inbound", "outbound"], id="of direction"),
    pytest.param(fired_by("caller:\n  in: ¦"), ["family", "['101', '102']"], id="of in"),
    pytest.param(fired_by("caller:\n  not: ¦"), ['"101"', "{in: family}"], id="of not"),
    pytest.param(fired_by("caller:\n  glob: ¦"), ["sip-*", "['*-fax', fax-*]"], id="of glob"),
    pytest.param(fired_by("caller:\n  prefix: ¦"), ["+49", "['0900', '0137']"], id="of prefix"),
    pytest.param(fired_by("caller:\n  between: ¦"), ["[100, 149]"], id="of between"),
    pytest.param(fired_by("caller:\n  length: ¦"), ["3", "{above: 5}"], id="of length"),
    pytest.param(fired_by("caller:\n  ignore_case: ¦"), ["true", "false"], id="of ignore_case"),
    pytest.param(rule("conditions: ¦"), ["{time: night}"], id="of conditions"),
    pytest.param(provided("- ¦"), ["'{{ callee | length > 2 }}'"], id="of a listed condition"),
    pytest.param(provided("time: ¦"), ["night", "[night, weekend]"], id="of time"),
    pytest.param(provided("trigger: ¦"), ["door", "[door, '2']"], id="of trigger"),
    pytest.param(provided("not: ¦"), ["{caller: {in: family}}"], id="of what must not hold"),
    pytest.param(timed("after: ¦"), ["22:30"], id="of after"),
    pytest.param(timed("weekdays: ¦"), ["mon..fri", "[mon, wed..fri]"], id="of weekdays"),
    pytest.param(timed("days: ¦"), ["1..7", "-3..-1", "[1, 15]"], id="of days"),
    pytest.param(timed("dates: ¦"), ["12-24", "['12-24..12-26', '2027-01-01']"], id="of dates"),
    pytest.param(doing("- mqtt: ¦"), ["{topic: home/hall/lamp/set, payload: 'ON'}"], id="of mqtt"),
    pytest.param(doing("- mqtt:\n    topic: a\n    qos: ¦"), ["0", "1", "2"], id="of qos"),
    pytest.param(doing("- shell: ¦"), [], id="of shell"),
    pytest.param(doing("- shell: [ls]\n  env: ¦"), ["{ROOM: '{{ extension }}'}"], id="of env"),
    pytest.param(
        doing("- http:\n    method: ¦\n    url: http://h/"),
        ["DELETE", "GET", "HEAD", "PATCH", "POST", "PUT"],
        id="of method",
    ),
    pytest.param(doing("- http:\n    json: ¦"), ["{from: '{{ caller }}'}"], id="of json"),
    pytest.param(doing("- log: ¦"), ["'{{ caller }} rings {{ extension }}'"], id="of log"),
    pytest.param(doing("- log:\n    text: ¦"), [], id="of text"),
    pytest.param(doing("- log: a\n  timeout: ¦"), ["10s"], id="of timeout"),
]
IN_BRACES = [
    pytest.param(rule("triggers: {e¦}"), FIELDS, id="the fields of an event"),
    pytest.param(rule("triggers: {event: ¦}"), EVENTS, id="events"),
    pytest.param(rule("triggers: {event: [ring, ¦]}"), EVENTS, id="further events"),
    pytest.param(rule("triggers: {caller: {i¦}}"), OF_A_TEST, id="operators"),
    pytest.param(doing("- mqtt: {topic: a, r¦}"), ["payload", "qos", "retain"], id="keys of mqtt"),
    pytest.param(
        doing("- log: {text: a, level: ¦}"), ["debug", "error", "info", "warning"], id="levels"
    ),
]


@pytest.mark.parametrize(("text", "expected"), KEYS)
def test_keys_are_offered_with_what_they_are(
    editor: Editor, text: str, expected: Sequence[str]
) -> None:
    offered = {entry.label: entry.documentation for entry in editor.offered(text)}
    assert offered.keys() >= set(expected)
    assert not [key for key in expected if not offered[key]]


@pytest.mark.parametrize(("text", "expected"), VALUES)
def test_values_are_offered(editor: Editor, text: str, expected: Sequence[str]) -> None:
    labels = [entry.label for entry in editor.offered(text)]
    assert labels
    assert set(labels) >= set(expected)
    assert not [label for label in labels if "[object" in label]


@pytest.mark.parametrize(("text", "expected"), IN_BRACES)
def test_in_braces_they_are_offered_too(editor: Editor, text: str, expected: Sequence[str]) -> None:
    assert {entry.label for entry in editor.offered(text)} >= set(expected)


@pytest.mark.parametrize("rows", [KEYS, VALUES], ids=["a key", "a value"])
def test_what_is_chosen_is_good_yaml(editor: Editor, rows: Sequence[pytest.ParameterSet]) -> None:
    for row in rows:
        text = str(row.values[0])
        for entry in editor.offered(text):
            problems = read(entry.accepted, file="a").problems
            assert {problem.code for problem in problems} <= {"empty-value"}, entry
            if below(entry.accepted, text) != below(text, text):
                said = {problem.message for problem in problems}
                assert f"'{entry.label}' has no value" not in said, "what came stands beside it"


def below(text: str, cursor: str) -> list[str]:
    """The lines of *text* with something in them, below the ¦ in *cursor*."""
    lines = f"{FIRST_LINE}{text}".splitlines() if text is cursor else text.splitlines()
    return [line for line in lines[cursor.partition("¦")[0].count("\n") + 2 :] if line.strip()]


NOT_THERE = [
    pytest.param(
        provided("- time: night\n  ¦"), "'{{ callee | length > 2 }}'", id="a template beside keys"
    ),
    pytest.param(provided("or: ¦"), "{time: night}", id="a condition where a list has to stand"),
    pytest.param(
        provided("or:\n  - ¦"), "[{trunk: sip-1}, {caller: {in: family}}]", id="a list in a list"
    ),
]


@pytest.mark.parametrize(("text", "label"), NOT_THERE)
def test_what_does_not_fit_there_is_not_offered(editor: Editor, text: str, label: str) -> None:
    assert label not in {entry.label for entry in editor.offered(text)}


# --- Diagnostics ----------------------------------------------------------------------------

MISTAKES = [
    pytest.param(
        "rulse: []\n", [(2, "rulse", "Property rulse is not allowed.")], id="a key of a file"
    ),
    pytest.param(
        rule("triger: {event: ring}\ntriggers: any\nactions: [{log: a}]"),
        [(7, "triger", "Property triger is not allowed.")],
        id="a key of a rule",
    ),
    pytest.param(
        fired_by("- {event: ring}\n- {caller: {inn: family}}"),
        [(10, "inn", "Property inn is not allowed.")],
        id="an operator",
    ),
    pytest.param(
        doing("- log: a\n- mqqt: {topic: a}\n- log: b"),
        [(10, "mqqt", "Property mqqt is not allowed.")],
        id="a verb",
    ),
    pytest.param(
        doing("- mqtt:\n    topic: a\n    retian: true"),
        [(11, "retian", "Property retian is not allowed.")],
        id="a key of an action",
    ),
    pytest.param(
        rule("enabled: no\nexpires: soon\ntriggers: any\nactions: [{log: a}]"),
        [
            (7, "no", 'Incorrect type. Expected "boolean".'),
            (8, "soon", "This is not a duration such as 60s, or never."),
        ],
        id="values of a rule",
    ),
    pytest.param(
        rule("triggers: every\nactions: [{log: a}]"),
        [
            (
                7,
                "every",
                "This is not any, a map of tests, or a list of such maps.",
            )
        ],
        id="a word as triggers",
    ),
    pytest.param(
        fired_by("event: ring\nextension: [101, true]"),
        [(10, "true", "Incorrect type. Expected one of string, number.")],
        id="a value of a trigger",
    ),
    pytest.param(
        doing("- mqtt:\n    topic: a\n    qos: 7\n  timeout: 5"),
        [
            (11, "7", "Value is not accepted. Valid values: 0, 1, 2."),
            (12, "5", "This is not a duration such as 20s or 5m."),
        ],
        id="values of an action and beside it",
    ),
    pytest.param(
        fired_by("caller: {glob: '', between: [1], length: {over: 3}}\nduration: {above: x}"),
        [
            (9, "[1]", "Array has too few items. Expected 2 or more."),
            (9, "over", "Property over is not allowed."),
            (9, "''", "String is shorter than the minimum length of 1."),
            (10, "x", "This is not a number."),
        ],
        id="values of operators",
    ),
    pytest.param(
        provided("- {caller: {inn: a}}\n- 7\n- {or: {time: a}}\n- {not: {time: true}}"),
        [
            (10, "inn", "Property inn is not allowed."),
            (11, "7", "Incorrect type. Expected one of object, string."),
            (12, "{time: a}", 'Incorrect type. Expected "array".'),
            (13, "true", "Incorrect type. Expected one of string, array."),
        ],
        id="conditions",
    ),
    pytest.param(
        timed("after: 25:00\nweekdays: [mo]\ndays: 32\nany: [{befor: 08:00}]"),
        [
            (4, "25:00", "This is not a time of day such as 22:30."),
            (5, "mo", "This is not a weekday such as mon, or a range such as mon..fri."),
            (6, "32", "Value is above the maximum of 31."),
            (7, "befor", "Property befor is not allowed."),
        ],
        id="a time",
    ),
    pytest.param(
        rule("triggers: any"),
        [(6, "i", 'Missing property "actions".')],
        id="a rule that does nothing",
    ),
    pytest.param(
        doing("- log: a\n- mqtt: {payload: a}"),
        [(10, "mqtt", 'Missing property "topic".')],
        id="a message without a topic",
    ),
]


@pytest.mark.parametrize(("text", "expected"), MISTAKES)
def test_a_mistake_is_underlined_where_it_is(
    editor: Editor, text: str, expected: list[tuple[int, str, str]]
) -> None:
    assert editor.underlined(text) == expected


EXAMPLES = sorted((ROOT / "rules").glob("*.yaml"))


@pytest.mark.parametrize("path", EXAMPLES, ids=[path.name for path in EXAMPLES])
def test_nothing_is_underlined_in_an_example(editor: Editor, path: Path) -> None:
    assert editor.underlined_in(path) == []


def test_the_readme_shows_the_first_line_that_these_tests_are_about() -> None:
    assert FIRST_LINE in README


def test_the_settings_that_the_readme_shows_do_for_all_files(tmp_path: Path) -> None:
    (shown,) = re.findall(r"^```json\n(.*?)^```", README, re.DOTALL | re.MULTILINE)
    settings = json.loads(shown.replace("/etc/pbxrules", str(tmp_path)))
    (tmp_path / "rules").mkdir()
    with server(settings={"schemas": settings["yaml.schemas"]}) as language:
        editor = Editor(tmp_path / "rules", language)
        assert editor.underlined("rulse: []\n", first_line="") == [
            (1, "rulse", "Property rulse is not allowed.")
        ]


# --- Hover ----------------------------------------------------------------------------------

HOVERS = [
    pytest.param("gr¦oups: {family: [101]}\n", "Lists of numbers with a name", id="groups"),
    pytest.param("rules:\n  - i¦d: a\n", "The rule's name in logs", id="id"),
    pytest.param(rule("ali¦as: A"), "What the rule is called", id="alias"),
    pytest.param(rule("trig¦gers: any"), "A map of field tests", id="any trigger"),
    pytest.param(rule("trig¦gers: {event: ring}"), "Field tests, all of which", id="one trigger"),
    pytest.param(rule("trig¦gers: [{event: ring}]"), "a list of such maps", id="many triggers"),
    pytest.param(rule("triggers: {ev¦ent: ring}"), "What happened", id="event"),
    pytest.param(rule("triggers: {call¦er: {in: a}}"), "Who calls.", id="a field with operators"),
    pytest.param(rule("triggers: {payload.¦a: 1}"), "A member of the report", id="payload"),
    pytest.param(rule("triggers: {caller: {i¦n: a}}"), "A group's name, or a list", id="in"),
    pytest.param(rule("triggers: {caller: {n¦ot: a}}"), "Any test; holds where", id="not"),
    pytest.param(rule("condi¦tions: {time: a}"), "What else must hold", id="one condition"),
    pytest.param(rule("condi¦tions: [{time: a}]"), "a list of them", id="many conditions"),
    pytest.param(
        provided("n¦ot: {time: a}"), "This condition must not hold", id="not of conditions"
    ),
    pytest.param(provided("- cal¦ler: a"), "Who calls.", id="a field in a condition"),
    pytest.param(provided("- {o¦r: [a]}"), "- trunk: sip-1\n- caller:", id="a list as example"),
    pytest.param("times: {ni¦ght: {after: 22:30}}\n", "A span over midnight", id="a time"),
    pytest.param(rule("act¦ions: [{log: a}]"), "What is done, in this order.", id="actions"),
    pytest.param(doing("- mq¦tt: {topic: a}"), "Publish a message.", id="a verb"),
    pytest.param(doing("- mqtt: {top¦ic: a}"), "no caller-ID changes the topic", id="topic"),
    pytest.param(doing("- mqtt: {topic: a, paylo¦ad: b}"), "by: '{{ caller }}'", id="an example"),
    pytest.param(doing("- log: a\n  timeo¦ut: 5s"), "How long one try may take", id="timeout"),
    pytest.param(doing("- log: a\n  retry: {del¦ay: 5s}"), "Before the second try", id="delay"),
]


@pytest.mark.parametrize(("text", "expected"), HOVERS)
def test_a_key_is_explained_under_the_pointer(editor: Editor, text: str, expected: str) -> None:
    assert expected in editor.hover(text)


def test_every_key_is_explained_by_its_own_description(editor: Editor) -> None:
    text = EVERY_KEY.partition("\n")[2]  # without a first line, for that of these tests
    told: dict[str, list[str]] = {}
    for path, key in KEYS_OF_THE_SCHEMA.items():
        told.setdefault(path.rpartition("/")[2], []).append(key["description"])
    document = yaml.compose(text)
    assert document
    for mark in key_marks(document):
        name = text[mark.index :].partition(":")[0]
        if name in told:  # not chosen by who wrote the rule
            inside = mark.index + 1
            shown = editor.hover(f"{text[:inside]}¦{text[inside:]}").replace("\\", "")
            assert any(description in shown for description in told[name]), (name, shown)


def key_marks(node: yaml.Node) -> Iterator[yaml.Mark]:
    """Where the keys in *node* begin, at whatever depth."""
    for entry in node.value if isinstance(node, yaml.CollectionNode) else ():
        if isinstance(node, yaml.MappingNode):
            yield entry[0].start_mark
        yield from key_marks(entry[1] if isinstance(node, yaml.MappingNode) else entry)


# --- The network ----------------------------------------------------------------------------


def test_nothing_is_fetched_to_check_a_rule(tmp_path: Path) -> None:
    with recording() as proxy:
        proxies = dict.fromkeys(("HTTP_PROXY", "HTTPS_PROXY"), proxy.url)
        with server(env=proxies) as language:
            editor = Editor(tmp_path, language)
            assert editor.underlined("rulse: []\n"), "by a schema that names its own by a URL"
            assert proxy.came == []

            editor.underlined("a: 1\n", "# yaml-language-server: $schema=http://h.invalid/a.json\n")
            assert [request.split()[1] for request in proxy.came] == [b"http://h.invalid/a.json"], (
                "whatever is fetched is seen"
            )
