"""What a person writes as YAML, what it is read as, and what they are told about it."""

# Over 300 lines, most of them tables: one row for each mistake that people make.

import json
from collections.abc import Iterator

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from pbxrules import yamlsource
from pbxrules.errors import Location
from pbxrules.yamlsource import Document, Path, read

LOADERS = [
    pytest.param(yaml.CBaseLoader, id="libyaml"),
    pytest.param(yaml.BaseLoader, id="the parser in Python"),
]


@pytest.fixture(params=LOADERS)
def _loader(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where there is no libyaml, the same is read and said."""
    monkeypatch.setattr(yamlsource, "LOADER", request.param)


both_parsers = pytest.mark.usefixtures("_loader")


def told(document: Document) -> list[str]:
    return [str(problem).removeprefix("rules.yaml:") for problem in document.problems]


def paths(value: object, path: Path = ()) -> Iterator[Path]:
    yield path
    if isinstance(value, dict):
        for key, item in value.items():
            yield from paths(item, (*path, key))
    elif isinstance(value, list):
        for index, item in enumerate(value):
            yield from paths(item, (*path, index))


@both_parsers
@pytest.mark.parametrize(
    ("scalar", "value", "written"),
    [
        pytest.param("0101", "0101", "0101", id="a leading zero makes it text, not octal"),
        pytest.param("+4930123456", "+4930123456", "+4930123456", id="a plus makes it text"),
        pytest.param("22:30", "22:30", "22:30", id="a time of day is text, not base 60"),
        pytest.param("NO", "NO", "NO", id="NO is text, not false"),
        pytest.param("on", "on", "on", id="on is text, not true"),
        pytest.param("True", "True", "True", id="True is text"),
        pytest.param("~", "~", "~", id="a tilde is text, not null"),
        pytest.param("Null", "Null", "Null", id="Null is text"),
        pytest.param("1e5", "1e5", "1e5", id="an exponent makes it text"),
        pytest.param("0x1F", "0x1F", "0x1F", id="hexadecimal is text"),
        pytest.param("1_000", "1_000", "1_000", id="an underscore makes it text"),
        pytest.param(".5", ".5", ".5", id="a point without a digit before it is text"),
        pytest.param("5.", "5.", "5.", id="a point without a digit behind it is text"),
        pytest.param("00", "00", "00", id="two zeros are text"),
        pytest.param("-01", "-01", "-01", id="a minus and a leading zero are text"),
        pytest.param("--1", "--1", "--1", id="two minuses are text"),
        pytest.param("١٢", "١٢", "١٢", id="Arabic digits are text"),
        pytest.param("2026-03-29", "2026-03-29", "2026-03-29", id="a date is text"),
        pytest.param(".inf", ".inf", ".inf", id="infinity is text"),
        pytest.param("12#3*", "12#3*", "12#3*", id="* and # inside are text"),
        pytest.param("home/hall/set", "home/hall/set", "home/hall/set", id="a topic is text"),
        pytest.param("\ufffd1", "\ufffd1", "\ufffd1", id="U+FFFD is a character like others"),
        pytest.param("true", True, "true", id="true is true"),
        pytest.param("false", False, "false", id="false is false"),
        pytest.param("null", None, "null", id="null is null"),
        pytest.param("0", 0, "0", id="zero"),
        pytest.param("-7", -7, "-7", id="a negative number"),
        pytest.param("-0", 0, "-0", id="minus zero is zero, written with its minus"),
        pytest.param("1.50", 1.5, "1.50", id="a fraction, written with its last zero"),
        pytest.param("0.25", 0.25, "0.25", id="a fraction below one"),
        pytest.param("100.0", 100.0, "100.0", id="a fraction of zero"),
        pytest.param(
            "12345678901234567890",
            12345678901234567890,
            "12345678901234567890",
            id="a number of over 15 digits stays exact",
        ),
        pytest.param('"101"', "101", "101", id="double quotes make text"),
        pytest.param("'true'", "true", "true", id="single quotes make text"),
        pytest.param('"null"', "null", "null", id="null in quotes is text"),
        pytest.param('""', "", "", id="an empty text in quotes is no empty value"),
        pytest.param('"<<"', "<<", "<<", id="a merge key's sign in quotes is text"),
        pytest.param('"{{ caller }}"', "{{ caller }}", "{{ caller }}", id="a quoted template"),
        pytest.param('"\\u00e4\\n"', "ä\n", "ä\n", id="escapes in double quotes"),
        pytest.param("|\n  1\n", "1\n", "1\n", id="a block of lines is text"),
        pytest.param(">-\n  1\n  2\n", "1 2", "1 2", id="a folded block is text"),
        pytest.param("a\n  b", "a b", "a b", id="plain text over two lines"),
    ],
)
def test_scalar(scalar: str, value: object, written: str) -> None:
    """A scalar is read strictly, and its text is kept."""
    document = read(f"- {scalar}\n", file="rules.yaml")
    assert told(document) == []
    assert json.dumps(document.value) == json.dumps([value])
    assert document.written((0,)) == written


ALIAS = "'*' without quotes begins an alias in YAML, and none are read here"
ANCHOR = "'&' without quotes begins an anchor in YAML, and none are read here"
TAG = "'!' without quotes begins a tag in YAML, and none are read here"
TEMPLATE = "YAML takes '{' without quotes for the beginning of a mapping"
COLON = "a second ': ' stands in a value without quotes"
EMPTY = 'write what is meant; an empty text is ""'
COLUMNS = "keys of one mapping, and entries of one list, begin in the same column"
MISFIT = f"yaml-syntax: this does not fit under the lines before it ({COLUMNS}"


def unseen(name: str) -> str:
    return f"control-character: the unseen character {name} stands here (take it away)"


def cannot(char: str) -> str:
    return f"no value can begin with '{char}' without quotes"


@both_parsers
@pytest.mark.parametrize(
    ("text", "expected", "value"),
    [
        pytest.param(
            "a: 1\nb: 2\n\na: 3\n",
            ["4:1: duplicate-key: 'a' is given twice (first in line 1)"],
            {"a": 1, "b": 2},
            id="a key given twice; the first stays",
        ),
        pytest.param(
            "- a: 1\n  b: 2\n  a: 3\n  b: 4\n- b: 1\n  b: 2\n",
            [
                (
                    "3:3: duplicate-key: 'a' is given twice"
                    " (first in line 1; an entry of a list begins with '- ')"
                ),
                "6:3: duplicate-key: 'b' is given twice (first in line 5)",
            ],
            [{"a": 1, "b": 2}, {"b": 1}],
            id="a list's entry without its dash is told once",
        ),
        pytest.param(
            "{a: 1, a: 2}",
            ["1:8: duplicate-key: 'a' is given twice (first in line 1)"],
            {"a": 1},
            id="a key given twice in braces",
        ),
        pytest.param(
            "1: x\n'1': y\n",
            ["2:1: duplicate-key: '1' is given twice (first in line 1)"],
            {"1": "x"},
            id="keys are text, so 1 and '1' are one key",
        ),
        pytest.param(
            "a: *101\nb: 1\n",
            [f'1:4: alias: {ALIAS} (write "*101")'],
            {"a": "*101", "b": 1},
            id="a dialled star is YAML's alias",
        ),
        pytest.param(
            "a: *101#\nb: *97\n",
            [f'1:4: alias: {ALIAS} (write "*101#")', f'2:4: alias: {ALIAS} (write "*97")'],
            {"a": "*101#", "b": "*97"},
            id="the scanner gives up at *101#, we do not",
        ),
        pytest.param(
            "a: [*#31, 1, *97]\nb: {c: *2*, d: 4}\n",
            [
                f'1:5: alias: {ALIAS} (write "*#31")',
                f'1:14: alias: {ALIAS} (write "*97")',
                f'2:8: alias: {ALIAS} (write "*2*")',
            ],
            {"a": ["*#31", 1, "*97"], "b": {"c": "*2*", "d": 4}},
            id="aliases in brackets and braces",
        ),
        pytest.param(
            "*101: x\n*102#: y\n",
            [f'1:1: alias: {ALIAS} (write "*101")', f'2:1: alias: {ALIAS} (write "*102#")'],
            {"*101": "x", "*102#": "y"},
            id="aliases as keys",
        ),
        pytest.param(
            "a: &lamp 1\nb: &\n",
            [f'1:4: anchor: {ANCHOR} (write "&lamp 1")', f'2:4: anchor: {ANCHOR} (write "&")'],
            {"a": 1, "b": "&"},
            id="an anchor",
        ),
        pytest.param(
            "a: &lamp {b: 1}\nc: *lamp\n",
            [
                f"1:4: anchor: {ANCHOR} (write the value out at each place)",
                f"2:4: alias: {ALIAS} (write the value out at each place)",
            ],
            {"a": {"b": 1}, "c": "*lamp"},
            id="an anchor of a mapping, and its alias",
        ),
        pytest.param(
            "a: !secret x\nb: !<\n",
            [f'1:4: tag: {TAG} (write "!secret x")', f'2:4: tag: {TAG} (write "!<")'],
            {"a": "x", "b": "!<"},
            id="a tag",
        ),
        pytest.param(
            "a: {<<: {b: 1}, c: 2}\n",
            ["1:5: merge-key: merge keys ('<<') are not read here (write them out)"],
            {"a": {"c": 2}},
            id="a merge key",
        ),
        pytest.param(
            "a: #31#\nb: 2\n",
            ["1:4: empty-value: 'a' has no value ('#' begins a comment; write \"#31#\")"],
            {"a": None, "b": 2},
            id="a dialled hash is YAML's comment",
        ),
        pytest.param(
            "- 1\n- #31#\n",
            [
                (
                    "2:3: empty-value: this entry of the list has no value "
                    "('#' begins a comment; write \"#31#\")"
                )
            ],
            [1, None],
            id="a dialled hash in a list",
        ),
        pytest.param(
            "a: {b: #31#\n  }\n",
            ["1:8: empty-value: 'b' has no value ('#' begins a comment; write \"#31#\")"],
            {"a": {"b": None}},
            id="a dialled hash in braces",
        ),
        pytest.param(
            "a:\nb: 2\n",
            [f"1:3: empty-value: 'a' has no value ({EMPTY})"],
            {"a": None, "b": 2},
            id="a key without a value",
        ),
        pytest.param(
            "rules: # mine\n",
            [f"1:7: empty-value: 'rules' has no value ({EMPTY})"],
            {"rules": None},
            id="a key with a comment only",
        ),
        pytest.param(
            "- \n",
            [f"1:2: empty-value: this entry of the list has no value ({EMPTY})"],
            [None],
            id="an empty entry of a list",
        ),
        pytest.param(
            "{event: ring,extension:101}",
            [
                (
                    "1:14: empty-value: 'extension:101' has no value "
                    "(write 'extension: 101', with a space after the colon)"
                )
            ],
            {"event": "ring", "extension:101": None},
            id="no space after the colon",
        ),
        pytest.param(
            "{payload: {caller}}",
            [
                (
                    "1:12: empty-value: 'caller' has no value"
                    " (write 'caller: …', or \"{{ caller }}\" for a template)"
                )
            ],
            {"payload": {"caller": None}},
            id="a template of single braces",
        ),
        pytest.param(
            "? \n: 1\n",
            ['1:2: empty-key: a key is empty (an empty text is written "")'],
            {},
            id="an empty key",
        ),
        pytest.param(
            "? [a, b]\n: 1\nc: 2\n",
            [
                (
                    "1:3: complex-key: a list or mapping stands in a key's place "
                    "(quote it, if it is text)"
                )
            ],
            {"c": 2},
            id="a list as a key",
        ),
        pytest.param(
            "topic: {{ x }}\nb: 2\n",
            [f'1:8: unquoted-template: {TEMPLATE} (write "{{{{ x }}}}")'],
            {"topic": "{{ x }}", "b": 2},
            id="a template without quotes",
        ),
        pytest.param(
            '- {{ x | f("y") }} and more # c\n- [*1]\n',
            [
                f"1:3: unquoted-template: {TEMPLATE} (write '{{{{ x | f(\"y\") }}}} and more')",
                f'2:4: alias: {ALIAS} (write "*1")',
            ],
            ['{{ x | f("y") }} and more', ["*1"]],
            id="a template without quotes, text behind it, and what is wrong below",
        ),
        pytest.param(
            "{topic: home/{{ y['a'] }}/set, p: {{ x }}}",
            [
                f"1:9: unquoted-template: {TEMPLATE} (write \"home/{{{{ y['a'] }}}}/set\")",
                f'1:35: unquoted-template: {TEMPLATE} (write "{{{{ x }}}}")',
            ],
            {"topic": "home/{{ y['a'] }}/set", "p": "{{ x }}"},
            id="a template in the middle of a topic in braces",
        ),
        pytest.param(
            "a: {% if x %}\n",
            [f'1:4: unquoted-template: {TEMPLATE} (write "{{% if x %}}")'],
            {"a": "{% if x %}"},
            id="a statement without quotes",
        ),
        pytest.param(
            "a: b: c\nd: e:\n",
            [
                f'1:5: yaml-syntax: {COLON} (write "b: c")',
                f'2:5: yaml-syntax: {COLON} (write "e:")',
            ],
            {"a": "b: c", "d": "e:"},
            id="a second colon",
        ),
        pytest.param(
            "{event: ring extension: 101, d: 1}",
            [
                (
                    f"1:23: yaml-syntax: {COLON} (write ',' before 'extension';"
                    ' for one text write "ring extension: 101")'
                )
            ],
            {"event": "ring extension: 101", "d": 1},
            id="a comma that is missing before a key",
        ),
        pytest.param(
            "{a: b: c, d: 1}",
            [f'1:6: yaml-syntax: {COLON} (write "b: c")'],
            {"a": "b: c", "d": 1},
            id="a second colon in braces",
        ),
        pytest.param(
            "a: @x\nb: `y`\nc: %z # c\nd: ? e\n",
            [
                f'1:4: yaml-syntax: {cannot("@")} (write "@x")',
                f'2:4: yaml-syntax: {cannot("`")} (write "`y`")',
                f'3:4: yaml-syntax: {cannot("%")} (write "%z")',
                f'4:4: yaml-syntax: {cannot("?")} (write "? e")',
            ],
            {"a": "@x", "b": "`y`", "c": "%z", "d": "? e"},
            id="characters YAML keeps",
        ),
        pytest.param(
            "a: ] x\n",
            [f'1:4: yaml-syntax: {cannot("]")} (write "] x")'],
            {"a": "] x"},
            id="a bracket that closes nothing",
        ),
        pytest.param(
            "a: 'x' y\nb: 1\n",
            ["1:8: yaml-syntax: text stands behind a value's end (write \"'x' y\")"],
            {"a": "'x' y", "b": 1},
            id="text behind quotes",
        ),
        pytest.param(
            'a: \'it\'s x\'\nb: "x "y""\nc: 1\n',
            [
                "1:8: yaml-syntax: text stands behind a value's end (write \"it's x\")",
                "2:8: yaml-syntax: text stands behind a value's end (write 'x \"y\"')",
            ],
            {"a": "'it's x'", "b": '"x "y""', "c": 1},
            id="a quote inside quotes of its own kind",
        ),
        pytest.param(
            "a: |x\nb: 1\n",
            ["1:4: yaml-syntax: behind '|' the text begins in the next line (write \"|x\")"],
            {"a": "|x", "b": 1},
            id="text in the line of a block's sign",
        ),
        pytest.param(
            "a: \x07x\nb: 1\x7f\n",
            [f"1:4: {unseen('U+0007')}", f"2:5: {unseen('U+007F')}"],
            {"a": "\ufffdx", "b": "1\ufffd"},
            id="control characters",
        ),
        pytest.param(
            "a: b\u2028c: d\n",
            [f"1:5: {unseen('U+2028')}", f'1:7: yaml-syntax: {COLON} (write "b\ufffdc: d")'],
            {"a": "b\ufffdc: d"},
            id="a line end that no editor shows",
        ),
        pytest.param(
            "a: \ud800\n", [f"1:4: {unseen('U+D800')}"], {"a": "\ufffd"}, id="half a character"
        ),
        pytest.param(
            "a: " + 301 * "1",
            ["1:4: long-number: a number of over 300 digits (quote it)"],
            {"a": 301 * "1"},
            id="a number longer than any",
        ),
    ],
)
def test_problem_read_past(text: str, expected: list[str], value: object) -> None:
    """Each problem is told with its place, and all that follows is read and checked too."""
    document = read(text, file="rules.yaml")
    assert told(document) == expected
    assert document.value == value
    assert document.complete


@both_parsers
@pytest.mark.parametrize(
    ("text", "expected"),
    [
        pytest.param(
            "a: 1\na: 2\n\tb: 1\n",
            [
                "2:1: duplicate-key: 'a' is given twice (first in line 1)",
                "3:1: yaml-syntax: a tab stands in the indentation (use spaces)",
            ],
            id="a tab; what was wrong before it is told too",
        ),
        pytest.param(
            'a: 1\nb: "x\nc: 1\n',
            ["2:4: yaml-syntax: the quote that opens here is not closed in its line (close it)"],
            id="a quote that is never closed",
        ),
        pytest.param(
            'a: "x\nb: "y"\n',
            ["1:4: yaml-syntax: the quote that opens here is not closed in its line (close it)"],
            id="a quote that another closes lines below",
        ),
        pytest.param(
            'a: "x\n  y"\nb c\nd: 1\n',
            ["3:1: yaml-syntax: a line without a key (write 'key: value')"],
            id="a quote of two lines that has nothing to do with what is wrong",
        ),
        pytest.param(
            "a: [1, 2\nb: 3\n",
            ["1:4: yaml-syntax: this bracket is not closed (']' is missing, or ',')"],
            id="a bracket that is never closed",
        ),
        pytest.param(
            "- {event: ring, extension: #31#}\nb: 1\n",
            [
                (
                    "1:28: yaml-syntax: '#' begins a comment, and it hides the closing bracket "
                    '(write "#31#")'
                )
            ],
            id="a bracket that a dialled hash hides",
        ),
        pytest.param(
            'a: {b: "x" c: 1}\n',
            ["1:12: yaml-syntax: ',' or '}' is missing before 'c' (or quotes around the value)"],
            id="a missing comma",
        ),
        pytest.param(
            "a: [1, , 2]\n",
            ["1:8: yaml-syntax: nothing stands before this ',' (write a value, or \"\")"],
            id="two commas",
        ),
        pytest.param(
            "a: [1] x\n",
            [
                (
                    "1:8: yaml-syntax: text stands behind a value's end "
                    "(put quotes around the whole value)"
                )
            ],
            id="text behind brackets",
        ),
        pytest.param(
            "a: - b\n",
            [
                (
                    "1:4: yaml-syntax: a list can't begin in the line of its key "
                    '(put it in the next line; for text write "- b")'
                )
            ],
            id="a list in the line of its key",
        ),
        pytest.param("a:\n  b: 1\n c: 2\n", [f"3:2: {MISFIT})"], id="a line too far to the left"),
        pytest.param(
            "a: b\n  c: d\n",
            [f"2:3: {MISFIT}; after a key comes ': ')"],
            id="a line too far to the right",
        ),
        pytest.param("- a\nb: c\n", [f"2:1: {MISFIT})"], id="a key beside a list"),
        pytest.param(
            "a: 1\nextension:101\nb: 2\n",
            [
                "2:1: yaml-syntax: a space is missing after the colon (write 'extension: 101')",
            ],
            id="a line without a space after its colon",
        ),
        pytest.param(
            "a: 1\nextension\nb: 2\n",
            ["2:1: yaml-syntax: a line without a key (write 'key: value')"],
            id="a line without a key",
        ),
        pytest.param(
            "- a: |\n  text\n",
            ["2:3: yaml-syntax: the text behind '|' is not indented (begin it further right)"],
            id="a text that stands under its key's first letter",
        ),
        pytest.param(
            "a: [1, 2}\n",
            ["1:9: yaml-syntax: ']' is missing before '}' (write ']')"],
            id="a bracket closed by another kind",
        ),
        pytest.param(
            "a: 1\n--- \nb: *1\n",
            ["2:1: second-document: a second document begins here (split the file)"],
            id="a second document is not read",
        ),
        pytest.param(
            "a: 1\n...\nb: 2\n",
            ["3:1: second-document: a second document begins here (split the file)"],
            id="a second document behind dots",
        ),
        pytest.param(
            "a: *101 x\nb: 1\n",
            [f'1:4: alias: {ALIAS} (write "*101 x")'],
            id="what follows from an alias is not told again",
        ),
        pytest.param(
            21 * "[", ["1:21: too-deep: more than 20 levels deep"], id="nesting of 21 levels"
        ),
        pytest.param(
            "- *1\n" + (1 << 20) * "#",
            [
                (
                    "1:1: too-large: a file may hold 1 MiB, and this one is larger "
                    "(split it; all *.yaml of a folder are one rule set)"
                )
            ],
            id="more than 1 MiB is not read",
        ),
    ],
)
def test_problem_that_ends_the_reading(text: str, expected: list[str]) -> None:
    """Where nobody can tell what was meant, reading stops; what was found before is told."""
    document = read(text, file="rules.yaml")
    assert told(document) == expected
    assert not document.complete
    assert all(document.place(path) for path in paths(document.value))


@pytest.mark.parametrize(
    ("text", "value"),
    [
        pytest.param(r'a: "\d+"', r"\d+", id="a regex in double quotes"),
        pytest.param(r'a: "\ud800"', r"\ud800", id="half a character escaped"),
    ],
)
def test_escape(text: str, value: str) -> None:
    """An escape that YAML lacks is told at its backslash, and read past."""
    document = read(text + "\nb: 1\n", file="rules.yaml")
    assert told(document) == [
        (
            r"1:5: yaml-syntax: YAML has no such escape; in double quotes a backslash begins one "
            r"(write \\, or use single quotes)"
        ),
    ]
    assert document.value == {"a": value, "b": 1}


@both_parsers
@pytest.mark.parametrize(
    ("text", "value"),
    [
        pytest.param("", None, id="an empty file"),
        pytest.param("# nothing yet\n", None, id="comments only"),
        pytest.param("---\n", None, id="a document's mark only"),
        pytest.param("\ufeffa: 1\n", {"a": 1}, id="a byte-order mark"),
        pytest.param("%YAML 1.2\n---\na: 1\n...\n", {"a": 1}, id="YAML's own header and end"),
        pytest.param("a: 1\r\nb: 2\r\n", {"a": 1, "b": 2}, id="Windows' line ends"),
        pytest.param(20 * "[" + 20 * "]", json.loads(20 * "[" + 20 * "]"), id="20 levels"),
        pytest.param(
            '{"a": [1, {"b": null}], "c": true}', {"a": [1, {"b": None}], "c": True}, id="JSON"
        ),
        pytest.param(
            "x: {y: 0101}\n'y': [on, {z: 22:30}]\n",
            {"x": {"y": "0101"}, "y": ["on", {"z": "22:30"}]},
            id="braces and brackets",
        ),
        pytest.param("a: " + ((1 << 20) - 3) * "x", {"a": ((1 << 20) - 3) * "x"}, id="just 1 MiB"),
    ],
)
def test_nothing_wrong(text: str, value: object) -> None:
    """What is right raises no problem, and is read whole."""
    document = read(text, file="rules.yaml")
    assert told(document) == []
    assert document.value == value
    assert document.complete


RULES = """\
# Rules of the hall
rules:
  - id: hall-lamp
    triggers: {event: ring, "extension": 0101}
    actions:
      - mqtt:
          topic: home/ä/𝄞
      -   [a, "b", null]
"""


@both_parsers
@pytest.mark.parametrize(
    ("path", "place", "key_place"),
    [
        pytest.param((), "2:1", "2:1", id="the root"),
        pytest.param(("rules",), "3:3", "2:1", id="a list below its key"),
        pytest.param(("rules", 0), "3:5", "3:5", id="an entry of a list has no key"),
        pytest.param(("rules", 0, "id"), "3:9", "3:5", id="a value behind its key"),
        pytest.param(("rules", 0, "triggers"), "4:15", "4:5", id="a mapping in braces"),
        pytest.param(("rules", 0, "triggers", "event"), "4:23", "4:16", id="a value in braces"),
        pytest.param(("rules", 0, "triggers", "extension"), "4:42", "4:29", id="a key in quotes"),
        pytest.param(("rules", 0, "actions", 0, "mqtt"), "7:11", "6:9", id="a mapping below"),
        pytest.param(("rules", 0, "actions", 1, 2), "8:20", "8:20", id="an entry in brackets"),
        pytest.param(("rules", 0, "triger"), "3:5", "3:5", id="a key that is missing"),
        pytest.param(("rules", 7, "id"), "3:3", "3:3", id="an entry that is missing"),
        pytest.param(("rules", -1), "3:3", "3:3", id="a negative entry"),
        pytest.param(("rules", 0, "id", "x"), "3:9", "3:9", id="a member of a scalar"),
        pytest.param(("rules", "0"), "3:3", "3:3", id="a key in a list"),
    ],
)
def test_place(path: Path, place: str, key_place: str) -> None:
    """Each value and key has its place; what is missing has its parent's."""
    document = read(RULES, file="rules.yaml")
    assert told(document) == []
    assert str(document.place(path)) == f"rules.yaml:{place}"
    assert str(document.key_place(path)) == f"rules.yaml:{key_place}"


@both_parsers
def test_nulls() -> None:
    """Every written null has its path, for most places allow none; an empty value is none."""
    document = read(
        "a: null\nb: [1, null, {c: null}]\nd:\ne: 'null'\n<<: null\n", file="rules.yaml"
    )
    assert document.nulls == [("a",), ("b", 1), ("b", 2, "c")]
    assert read("null", file="rules.yaml").nulls == [()]
    assert read("", file="rules.yaml").nulls == []


@both_parsers
def test_written_of_what_is_no_scalar() -> None:
    """Lists, mappings and what is missing have no text; an empty value's is empty."""
    document = read("a: [1]\nb:\n", file="rules.yaml")
    assert [document.written(path) for path in [(), ("a",), ("a", 1), ("c",)]] == [None] * 4
    assert document.written(("b",)) == ""


def test_places_in_a_large_mapping() -> None:
    """Places stay right where keys are too many to search for each."""
    text = "".join(f"key{number}: {number}.0\n" for number in range(1000))
    document = read(text, file="rules.yaml")
    for number in (0, 1, 500, 999):
        path = (f"key{number}",)
        assert document.key_place(path) == Location("rules.yaml", number + 1, 1)
        assert document.place(path) == Location("rules.yaml", number + 1, len(path[0]) + 3)
        assert document.written(path) == f"{number}.0"


def test_too_many_problems() -> None:
    """A file that is no YAML at all is given up in a bounded time."""
    document = read("a: 1\n" * 100_000, file="rules.yaml")
    assert len(document.problems) == 1001
    assert (
        told(document)[-1] == "1002:1: too-many: over 1000 problems, and what follows was not read"
    )
    assert not document.complete


def test_many_mistakes_that_libyaml_stops_at() -> None:
    """Each of them costs another reading, so they are told up to a bound."""
    document = read("".join(f"k{number}: *{number}#\n" for number in range(50)), file="rules.yaml")
    assert [problem.where.line for problem in document.problems if "#" in problem.hint][:20] == [
        *range(1, 21),
    ]
    assert not document.complete


DIALLED = st.from_regex(r"[0-9+][0-9+*#]{0,30}", fullmatch=True)


@given(numbers=st.lists(DIALLED, min_size=1, max_size=5))
def test_dialled_numbers(numbers: list[str]) -> None:
    """Whatever is dialled stays as written, wherever it stands: no zero, no plus is lost."""
    listed = ", ".join(numbers)
    block = "".join(f"  - {number}\n" for number in numbers)
    document = read(f"flow: [{listed}]\nblock:\n{block}map: {{n: {numbers[0]}}}", file="rules.yaml")
    assert told(document) == []
    for kind in ("flow", "block"):
        assert [document.written((kind, at)) for at in range(len(numbers))] == numbers
    assert document.written(("map", "n")) == numbers[0]


TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
NUMBERS = st.integers() | st.decimals(-1000, 1000, places=3).map(float)
JSON = st.recursive(
    st.none() | st.booleans() | NUMBERS | TEXTS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXTS, inner, max_size=4),
    max_leaves=30,
)


def flow_yaml(value: object) -> str:
    """*value* in brackets and braces, each text in double quotes."""
    if isinstance(value, dict):
        return "{" + ", ".join(f"{flow_yaml(k)}: {flow_yaml(v)}" for k, v in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(map(flow_yaml, value)) + "]"
    if isinstance(value, float):
        return f"{value:.3f}"
    if not isinstance(value, str):
        return json.dumps(value)
    return '"' + "".join(c if c.isalnum() else f"\\U{ord(c):08x}" for c in value) + '"'


@given(JSON)
def test_json_round_trip(value: object) -> None:
    """Any JSON value, written as YAML, is read as that value."""
    document = read(flow_yaml(value), file="rules.yaml")
    assert told(document) == []
    assert json.dumps(document.value) == json.dumps(value)


MISCHIEF = st.text(
    "ab01:-#*&!|>'\"{}[],?%@` \n\t\r\\~<.\ufeff\x00\ud800\u2028\ufffdä𝄞", max_size=60
)
PIECES = [
    "{{ x }}",
    "a: ",
    "- ",
    "\n",
    "\n  ",
    "*1#",
    "#31#",
    "null",
    "1.50",
    '"',
    "'",
    "{",
    "}",
    "[",
    "]",
    ", ",
    "---\n",
    "...\n",
    "<<: ",
    "? ",
    "&a ",
    "!t ",
    "\t",
    "|\n",
    "\\U0011ffff",
    "%YAML 1.1\n",
    "\r\n",
]
ANYTHING = st.text() | MISCHIEF | st.lists(st.sampled_from(PIECES), max_size=15).map("".join)


@pytest.mark.parametrize("loader", LOADERS)
@settings(max_examples=400)
@given(text=ANYTHING)
def test_any_text(loader: type, text: str) -> None:
    """No text raises; every problem and every value has a place inside the text."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(yamlsource, "LOADER", loader)
        document = read(text, file="rules.yaml")
    lines = text.removeprefix("\ufeff").replace("\r\n", "\n").replace("\r", "\n").split("\n")
    assert document.problems == sorted(set(document.problems))
    assert document.complete or document.problems
    wheres = [problem.where for problem in document.problems]
    for path in paths(document.value):
        wheres += [document.place(path), document.key_place(path)]
        assert isinstance(document.written(path), str | None)
        assert path not in document.nulls or document.written(path) == "null"
    for where in wheres:
        # A Windows line end counts as two characters behind its line.
        assert 1 <= where.column <= len(lines[where.line - 1]) + 2


END = st.sampled_from(["\n", "\r\n"])
PRINTED = st.text(st.characters(categories=["L", "N", "P", "S"]), min_size=1, max_size=20)


@given(lines=st.lists(PRINTED, min_size=1, max_size=4), at=st.integers(0, 200), end=END)
def test_a_character_of_a_text_behind_a_bar_has_its_place(
    lines: list[str], at: int, end: str
) -> None:
    block = "".join(f"    {line}{end}" for line in lines)
    document = read(f"a:{end}  b: |{end}{block}c: 1{end}", file="rules.yaml")
    value = document.value["a"]["b"]
    offset = at % len(value)
    row = value.count("\n", 0, offset)
    column = offset - (value.rfind("\n", 0, offset) + 1)
    where = document.place_within(("a", "b"), offset)
    if value[offset] != "\n" or end == "\n":
        assert (where.line, where.column) == (3 + row, 5 + column)


@given(text=PRINTED, at=st.integers(0, 30), quote=st.sampled_from(["", "'", '"']))
def test_a_character_of_a_text_in_one_line_has_its_place(text: str, at: int, quote: str) -> None:
    document = read(f"- a\n- {quote}{text}{quote}\n", file="rules.yaml")
    if document.problems or document.value[1:] != [text]:
        return  # YAML took a sign of it for its own
    offset = at % len(text)
    where = document.place_within((1,), offset)
    assert (where.line, where.column) == (2, 3 + len(quote) + offset)


@pytest.mark.parametrize(
    ("text", "offset", "place"),
    [
        pytest.param("'it''s {{ x }}'", 8, "1:3", id="behind an escaped quote"),
        pytest.param('"a\\tb {{ x }}"', 7, "1:3", id="behind an escape"),
        pytest.param(">\n  a\n  b\n", 2, "1:3", id="in folded lines"),
        pytest.param("a\n  b", 2, "1:3", id="in plain text over two lines"),
        pytest.param("101", 1, "1:3", id="in a number"),
        pytest.param("'abc'", 9, "1:3", id="beyond its end"),
    ],
)
def test_where_a_characters_place_is_not_known_it_is_that_of_the_text(
    text: str, offset: int, place: str
) -> None:
    document = read(f"- {text}\n", file="rules.yaml")
    assert str(document.place_within((0,), offset)) == f"rules.yaml:{place}"
