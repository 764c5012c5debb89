"""JSON Schemas: two validators and one verdict, words for each mistake, nothing fetched."""

import copy
import importlib
import json
import keyword
import runpy
import socket
import string
import threading
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import jsonschema
import jsonschema_rs
import pytest
from hypothesis import given
from hypothesis import strategies as st

import pbxrules
from pbxrules import casefiles, loading, schema, shipped
from pbxrules.conditions.reading import kinds
from pbxrules.pbx.openvox import FIELDS
from pbxrules.rules import RuleSet
from pbxrules.schema import EventSchema, Mismatch, Schema, event_schemas, shown
from pbxrules.steps.controls import controls
from pbxrules.yamlsource import read
from tests.rulefiles import steps

ROOT = Path(__file__).parents[1]
SCHEMAS = shipped.folder("schemas")
FILES = sorted(SCHEMAS.rglob("*.schema.json"))
VERBS, CONDITIONS, CONTROLS = (
    [path.name.removesuffix(".schema.json") for path in (SCHEMAS / "parts" / kind).iterdir()]
    for kind in ("actions", "conditions", "steps")
)


def names(paths: list[Path]) -> list[str]:
    return [str(path.relative_to(SCHEMAS)) for path in paths]


def document(path: Path | str) -> Any:
    return json.loads((SCHEMAS / path).read_text("utf-8"))


# --- Each file ------------------------------------------------------------------------------


def test_there_are_schemas_for_rules_configuration_and_each_event() -> None:
    assert {"rules.schema.json", "config.schema.json", "events/ring.schema.json"} <= {*names(FILES)}
    assert len(FILES) == 3 + 8 + 5 + len(VERBS) + len(CONDITIONS) + len(CONTROLS)


@pytest.mark.parametrize("name", names(FILES))
def test_a_file_is_a_valid_schema_of_draft_2020_12(name: str) -> None:
    jsonschema.Draft202012Validator.check_schema(document(name))
    assert jsonschema_rs.meta.is_valid(document(name))
    if not name.startswith("parts/"):
        assert document(name)["$schema"] == "https://json-schema.org/draft/2020-12/schema"
        Schema(document(name))


def properties(part: Any, root: Any, path: str = "") -> Iterator[tuple[str, Mapping[str, Any]]]:
    """Every key that a schema knows, with what it refers to put in its place."""
    if isinstance(part, dict):
        for name, inner in {**part.get("properties", {}), **part.get("x-beside", {})}.items():
            there = root.get("$defs", {}).get(inner.get("$ref", "").removeprefix("#/$defs/"), {})
            yield f"{path}/{name}", {**there, **inner}
    for name, inner in part.items() if isinstance(part, dict) else enumerate(part):
        if isinstance(inner, dict | list) and name not in ("examples", "x-other-words"):
            yield from properties(inner, root, f"{path}/{name}")


@pytest.mark.parametrize("name", [name for name in names(FILES) if not name.startswith("parts/")])
def test_every_key_has_a_description(name: str) -> None:
    keys = list(properties(document(name), document(name)))
    assert keys
    assert [path for path, part in keys if not part.get("description")] == []


@pytest.mark.parametrize("name", ["rules.schema.json", "tests.schema.json", "config.schema.json"])
def test_what_a_message_names_has_a_title(name: str) -> None:
    """'x' is no key of …"""

    def closed(part: Any) -> Iterator[Any]:
        if isinstance(part, dict) and part.get("additionalProperties") is False:
            yield part
        for inner in part.values() if isinstance(part, dict) else part:
            if isinstance(inner, dict | list):
                yield from closed(inner)

    parts = list(closed(document(name)))
    assert parts
    assert [part for part in parts if not part.get("title")] == []


def test_every_pattern_of_a_person_says_what_is_wanted() -> None:
    def patterns(part: Any) -> Iterator[Any]:
        if isinstance(part, dict) and isinstance(part.get("pattern"), str):
            yield part
        for name, inner in part.items() if isinstance(part, dict) else enumerate(part):
            if isinstance(inner, dict | list) and name != "x-other-words":
                yield from patterns(inner)

    for name in ("rules.schema.json", "tests.schema.json", "config.schema.json"):
        assert [part for part in patterns(document(name)) if "x-wanted" not in part] == []


def test_the_words_of_other_systems_lead_to_keys_that_are_there() -> None:
    for name in ("rules.schema.json", "tests.schema.json", "config.schema.json"):
        for part in [document(name), *document(name)["$defs"].values()]:
            for word, ours in part.get("x-other-words", {}).items():
                if " " not in ours:  # else it says what to do
                    assert ours in part["properties"]
                assert word not in part["properties"]


@pytest.mark.parametrize(("name", "maker"), [("rules", "bundled"), ("tests", "bundled_tests")])
def test_a_schema_of_parts_is_made_of_them_and_fresh(name: str, maker: str) -> None:
    made = runpy.run_path(str(ROOT / "scripts" / "bundle_schemas.py"))[maker]()
    assert (ROOT / "schemas" / f"{name}.schema.json").read_text("utf-8") == made, "make schemas"


# --- Found by folder ------------------------------------------------------------------------


@pytest.mark.parametrize("verb", VERBS)
def test_an_action_has_a_module_a_test_and_an_example_rule(verb: str) -> None:
    assert (Path(pbxrules.__file__).parent / "actions" / f"{verb}.py").is_file()
    tests = Path(__file__).parent
    assert (tests / f"test_{verb}.py").is_file() or (tests / f"test_{verb}_action.py").is_file()
    assert verb in {step.verb for rule in examples().rules for step in steps(rule.program)}


def test_the_language_has_the_actions_of_the_folder() -> None:
    assert loading.language().verbs.keys() == set(VERBS)


def test_each_schema_of_an_action_says_what_its_arguments_are() -> None:
    for verb in VERBS:
        part = document(f"parts/actions/{verb}.schema.json")
        arguments = {*part.get("properties", {}), *part.get("x-beside", {})}
        arguments |= set(part.get("x-shorthand", {}).values())
        assert part["x-templates"].keys() <= arguments
        assert part["x-retry"].keys() >= {"delay", "max_delay"}
        assert set(part.get("x-said", ())) <= set(part.get("x-result", ()))
        for example in part["examples"]:
            assert Schema(part).is_valid(example)


@pytest.mark.parametrize("kind", CONDITIONS)
def test_a_condition_has_a_module_an_example_and_an_example_rule(kind: str) -> None:
    part = document(f"parts/conditions/{kind}.schema.json")
    words = part.get("properties", {}).keys()
    module = importlib.import_module(f"pbxrules.conditions.{kind}")
    assert getattr(module, "KEYS", {}).keys() == words
    shown = [path.read_text("utf-8") for path in loading.rule_files(shipped.folder("rules"))]
    assert not [word for word in words if not any(f"{word}:" in text for text in shown)]
    schema = {**document("rules.schema.json"), "$ref": "#/$defs/condition"}
    for example in part["examples"]:
        assert Schema({name: schema[name] for name in ("$defs", "$ref")}).is_valid(example)


def test_each_module_that_gives_words_of_conditions_has_a_schema() -> None:
    assert {kind.__module__.rpartition(".")[2] for kind in kinds().values()} <= set(CONDITIONS)
    assert kinds().keys() == {
        word
        for kind in CONDITIONS
        for word in document(f"parts/conditions/{kind}.schema.json").get("properties", {})
    }


@pytest.mark.parametrize("name", CONTROLS)
def test_a_word_that_steers_has_a_module_an_example_and_an_example_rule(name: str) -> None:
    part = document(f"parts/steps/{name}.schema.json")
    module = importlib.import_module(f"pbxrules.steps.{name}{'_' * keyword.iskeyword(name)}")
    assert module.CONTROL is controls()[name]
    shown = [path.read_text("utf-8") for path in loading.rule_files(shipped.folder("rules"))]
    assert any(f"- {name}:" in text for text in shown)
    whole = {**document("rules.schema.json"), "$ref": f"#/$defs/{name}"}
    for example in part["examples"]:
        assert Schema({key: whole[key] for key in ("$defs", "$ref")}).is_valid(example)


def test_the_language_steers_by_the_words_of_the_folder() -> None:
    assert controls().keys() == loading.language().controls.keys() == set(CONTROLS)
    step = document("rules.schema.json")["$defs"]["step"]["properties"]
    for control in loading.language().controls.values():
        assert control.beside <= step.keys()


def examples() -> RuleSet:
    folder = shipped.folder("rules")
    return loading.load(loading.rule_files(folder), loading.language()).ruleset


def test_the_example_rules_are_good_and_name_their_schema() -> None:
    assert len(examples().rules) >= 5
    for path in loading.rule_files(shipped.folder("rules")):
        first = path.read_text("utf-8").partition("\n")[0]
        assert first == "# yaml-language-server: $schema=../schemas/rules.schema.json"


# --- One verdict ----------------------------------------------------------------------------

RULES = [
    read(path.read_text("utf-8"), file=str(path)).value
    for path in loading.rule_files(shipped.folder("rules"))
] + [
    {
        "groups": {"family": ["+49", 7]},
        "times": {
            "night": {"after": "22:00", "before": "06:00", "timezone": "Europe/Berlin"},
            "others": {
                "any": [{"weekdays": ["mon", "sat..sun"]}, {"days": [1, "-3..-1"]}],
                "months": "nov..feb", "years": 2026, "dates": ["12-24..12-26"],
            },
        },
        "state": {"missed": 0, "door": "x", "on": True, "list": [1], "armed": {"mqtt": "a/b"}},
        "scripts": {"blink": [{"log": "{{ vars.lamp }}"}, {"delay": "1s"}]},
        "rules": [
            {
                "id": "s", "per": ["caller", "call"], "once_per": "call", "cooldown": "5m",
                "mode": "restart", "max": 5, "finally": [{"log": "{{ outcome }}"}],
                "triggers": [
                    {"event": "ring", "for": "20s", "until": ["bye"]},
                    {"count": {"at_least": 3, "within": "5m", "of": "calls"}},
                ],
                "conditions": {"state": {"armed": "true", "missed": {"above": 1}}},
                "actions": [
                    {"wait_for": {"event": "bye"}, "same": "none", "else": "stop", "register": "w"},
                    {"if": {"caller": 1}, "then": [{"stop": "x"}], "else": [{"set": {"on": 1}}]},
                    {"choose": [{"when": "{{ x }}", "do": [{"log": "x"}]}],
                     "default": [{"log": "x"}]},
                    {"repeat": {"count": 2, "while": {"caller": 1}, "do": [{"delay": "1s"}]}},
                    {"repeat": {"until": ["{{ x }}"], "do": [{"parallel": [{"log": "x"}]}]}},
                    {"script": {"name": "blink", "with": {"lamp": "x"}}, "id": "last"},
                ],
            },
            {
                "id": "r", "alias": "x", "description": "d", "enabled": True, "variables": {"v": 1},
                "conditions": [
                    {"time": ["night"], "caller": {"in": ["1"]}, "trigger": ["door", 2]},
                    {"or": [{"not": {"time": "night"}}, {"and": ["{{ true }}"]}]},
                    {"not": [{"trigger": 1}]},
                    "{{ true }}",
                ],
                "triggers": [
                    {"event": "ring", "caller": {"in": ["1"], "not": {"exists": True}}},
                    {"id": "door", "event": "bye"},
                    {
                        "caller": {"glob": "1*", "regex": ["1.*"], "prefix": 1, "suffix": ["1", 2]},
                        "callee": {"contains": "a", "ignore_case": True, "between": ["1", 5]},
                        "duration": {"above": "1", "below": -2.5, "length": 3},
                        "trunk": {"length": {"above": 1, "below": 5, "between": [1, 2]}},
                    },
                ],
                "expires": "never",
                "actions": [
                    {"mqtt": {"topic": "t", "qos": 1, "retain": True}, "timeout": "5s"},
                    {"shell": ["a", 1], "env": {"A": "b"}, "cwd": "/", "expires": "1m"},
                    {"shell": "a", "retry": {"attempts": 2, "delay": "1s", "max_delay": "1m"}},
                    {"http": {"url": "http://h/", "method": "PUT", "headers": {"A": "b"}}},
                    {"http": {"url": "http://h/", "body": "x"}},
                    {"http": {"url": "http://h/", "json": 1}},
                    {"log": {"text": "x", "level": "info"}, "continue_on_error": True},
                ],
            }
        ],
    }
]  # fmt: skip
TESTS: list[Any] = [
    read(path.read_text("utf-8"), file=str(path)).value
    for path in casefiles.case_files(shipped.folder("rules"))
] + [
    {
        "tests": [
            {
                "name": "all keys",
                "start": "2026-11-24",
                "cases": {"a": [1]},
                "state": {"s": 1},
                "answers": {
                    "mqtt": {
                        "rule": "r",
                        "when": {"topic": "t", "qos": 1},
                        "fails": "x",
                        "times": 2,
                    },
                    "http": [{"when": {"url": "u"}, "status": 404, "body": "b", "json": {}}],
                    "shell": {
                        "when": {"argv": ["a"], "script": "s", "env": {}, "cwd": "c"},
                        "exit_code": 1,
                        "stdout": "a",
                        "stderr": "b",
                        "timed_out": True,
                    },
                    "log": {"fails_for_good": "x"},
                },
                "events": [{"at": "1s", "event": "ring", "payload": {}}, {"broker": "down"}],
                "expect": [
                    {"after": "1s", "shell": {"argv": ["a"], "script": "s"}, "env": {}, "cwd": "/"},
                    {"http": {"method": "GET", "json": 1, "body": "b", "headers": {}}},
                    {"mqtt": {"payload": 1, "qos": 1, "retain": True}, "before": "{{ a }}"},
                ],
                "expect_no": [
                    {"rule": "r", "log": {"text": "a", "level": "info"}, "times": "{{ a }}"}
                ],
            }
        ]
    }
]
CONFIGS: list[Any] = [
    {
        "listen": ["127.0.0.1:8080", "[::1]:80"], "rules": "r", "schemas": "s", "state": "t",
        "timezone": "Europe/Berlin", "variables": {"a": [1, {"b": None}]},
        "secrets": {"a": {"file": "/f"}, "b": {"env": "E"}, "c": {"credential": "c"}},
        "mqtt": {
            "url": "mqtts://h:1/x", "username": "u", "password": {"env": "P"}, "client_id": "c",
            "ca": "/ca", "protocol": 5, "keepalive": "30s",
        },
        "limits": {"keep_events": 100, "keep_days": 1.5, "store_megabytes": 16},
        "log": {"level": "debug", "format": "json"},
    },
    {"listen": "0.0.0.0:1"},
]  # fmt: skip

# No line end: Python's re lets $ stand before one, which is why it does not decide.
TEXT = st.text(
    alphabet=string.ascii_letters + string.digits + " -_.:/[]*#+ä\u044e\u0663", max_size=6
)
WORDS = TEXT | st.sampled_from(
    [
        "any",
        "never",
        "20s",
        "127.0.0.1:1",
        "mqtt://h",
        "ring",
        "",
        "5",
        "info",
        "a/b",
        "\u0661\u0662s",
    ]
)
KEYS = [
    "rules", "groups", "id", "in", "not", "exists", "glob", "above", "length", "mqtt", "log",
    "shell", "topic", "url", "level", "secrets", "file", "env", "ca", "for", "mode", "a b", "x",
    "times", "after", "any", "weekdays", "conditions", "and", "or", "time", "trigger", "state",
    "scripts", "count", "until", "finally", "delay", "wait_for", "else", "if", "then", "choose",
    "repeat", "do", "stop", "set", "script", "parallel", "mode", "per",
]  # fmt: skip
VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(10**20), 10**20)
    | st.floats(allow_nan=False, allow_infinity=False)
    | WORDS,
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(KEYS), inner, max_size=3)
    ),
    max_leaves=5,
)


def places(value: Any) -> list[tuple[Any, Any]]:
    found: list[tuple[Any, Any]] = []
    for key, inner in list(value.items() if isinstance(value, dict) else enumerate(value)):
        found.append((value, key))
        if isinstance(inner, dict | list):
            found += places(inner)
    return found


@st.composite
def mutated(draw: st.DrawFn, originals: list[Any]) -> Any:
    """A valid value with up to three of its parts replaced, removed or added."""
    value = copy.deepcopy(draw(st.sampled_from(originals)))
    for _ in range(draw(st.integers(0, 3))):
        container, key = draw(st.sampled_from(places(value) or [(value, "x")]))
        match draw(st.sampled_from(["replace", "remove", "add"])):
            case "remove":
                del container[key]
            case "add" if isinstance(container, dict):
                container[draw(st.sampled_from(KEYS) | WORDS)] = draw(VALUES)
            case _:
                container[key] = draw(VALUES)
        if not value:
            break
    return value


def one_verdict(document: Any, value: Any) -> None:
    compiled = Schema(document)
    verdict = compiled.is_valid(value)
    assert jsonschema.Draft202012Validator(document).is_valid(value) is verdict
    assert (not list(schema._errors(document, value))) is verdict
    found = compiled.mismatches(value)
    assert (not found) is verdict
    for mismatch in found:
        assert mismatch.message
        at = value
        for step in mismatch.path:
            at = at[step]  # every path leads to something
        assert mismatch.key is None or mismatch.key in at


@given(mutated(RULES))
def test_both_validators_give_the_same_verdict_on_a_rule_file(value: Any) -> None:
    one_verdict(document("rules.schema.json"), value)


@given(mutated(TESTS))
def test_both_validators_give_the_same_verdict_on_a_test_file(value: Any) -> None:
    one_verdict(document("tests.schema.json"), value)


@given(mutated(CONFIGS))
def test_both_validators_give_the_same_verdict_on_a_configuration(value: Any) -> None:
    one_verdict(document("config.schema.json"), value)


@pytest.mark.parametrize(
    ("name", "values"), [("rules", RULES), ("tests", TESTS), ("config", CONFIGS)]
)
def test_what_is_mutated_was_valid(name: str, values: list[Any]) -> None:
    for value in values:
        assert Schema(document(f"{name}.schema.json")).mismatches(value) == []


def test_every_key_of_this_release_is_in_what_is_mutated() -> None:
    def keys(value: Any) -> Iterator[str]:
        for key, inner in value.items() if isinstance(value, dict) else enumerate(value):
            if isinstance(value, dict):
                yield str(key)
            if isinstance(inner, dict | list):
                yield from keys(inner)

    for name, values in (("rules", RULES), ("tests", TESTS), ("config", CONFIGS)):
        whole = document(f"{name}.schema.json")
        known = {path.rpartition("/")[2] for path, _ in properties(whole, whole)}
        assert known - {*FIELDS} <= {*keys(values)}


@pytest.mark.parametrize("text", ["a\n", "a\nb", "٣", "a\0", "a\u2028"])
def test_a_pattern_means_the_same_to_both_at_line_ends_and_foreign_digits(text: str) -> None:
    for pattern in ("^[a-z]$", "^.$", "^\\d$", "a$"):
        whole = {"type": "string", "pattern": pattern}
        assert Schema(whole).is_valid(text) is (not list(schema._errors(whole, text)))


def test_a_pattern_takes_linear_time() -> None:
    compiled = Schema({"pattern": "^(\\+?[0-9]+[ -]?)+$"})
    (mismatch,) = compiled.mismatches("1" * 5000 + "x")
    assert len(mismatch.message) < 150


# --- Words ------------------------------------------------------------------------------------

COLOURS = {"enum": ["red", "green"]}
MAP = {
    "title": "a lamp",
    "properties": {"colour": COLOURS, "size": {}},
    "x-other-words": {"color": "colour"},
    "additionalProperties": False,
}


@pytest.mark.parametrize(
    ("part", "value", "expected"),
    [
        pytest.param(
            MAP, {"colr": 1}, "unknown-key: 'colr' is no key of a lamp (did you mean 'colour'?)",
            id="additionalProperties with a word nearly right",
        ),
        pytest.param(
            MAP, {"color": 1}, "unknown-key: 'color' is no key of a lamp (say 'colour')",
            id="additionalProperties with another system's word",
        ),
        pytest.param(
            MAP, {"x": 1}, "unknown-key: 'x' is no key of a lamp (there are colour, size)",
            id="additionalProperties with a word like no other",
        ),
        pytest.param(
            {"unevaluatedProperties": False, "properties": {"a": {}}}, {"b": 1},
            "unknown-key: 'b' is no key of this mapping (there are a)",
            id="unevaluatedProperties",
        ),
        pytest.param(
            {"required": ["a", "b"]}, {"a": 1}, "missing-key: 'b' is missing from this mapping",
            id="required",
        ),
        pytest.param(
            {"not": {"required": ["a", "b"]}, "title": "a lamp"}, {"a": 1, "b": 1},
            "two-keys: 'a' and 'b' can't both stand in a lamp", id="not both",
        ),
        pytest.param(
            {"type": "string", "x-secret": True}, ["hunter2"],
            "wrong-type: this value is not text", id="of a secret nothing is quoted",
        ),
        pytest.param(
            {"multipleOf": 2, "x-secret": True}, 3,
            "wrong-value: this value is not what its schema asks for",
            id="nor by another keyword",
        ),
        pytest.param({"type": "string"}, [], "wrong-type: a list is not text", id="type string"),
        pytest.param(
            {"type": "string"}, 5, "wrong-type: 5 is not text (put it in quotes)",
            id="type string with a number",
        ),
        pytest.param(
            {"type": "integer"}, "a", "wrong-type: 'a' is not a whole number", id="type integer"
        ),
        pytest.param(
            {"type": "number"}, None, "wrong-type: null is not a number", id="type number"
        ),
        pytest.param(
            {"type": "boolean"}, "yes", "wrong-type: 'yes' is not true or false (write true)",
            id="type boolean",
        ),
        pytest.param(
            {"type": "array"}, {},
            "wrong-type: a mapping is not a list (put '- ' before it, or brackets around it)",
            id="type array",
        ),
        pytest.param(
            {"type": "object"}, True, "wrong-type: true is not a mapping", id="type object"
        ),
        pytest.param({"type": "null"}, False, "wrong-type: false is not null", id="type null"),
        pytest.param(
            {"type": ["string", "array"]}, 1.5, "wrong-type: 1.5 is not text or a list",
            id="several types",
        ),
        pytest.param(
            {"type": "string", "pattern": "^[0-9]+s$", "x-wanted": "a time"}, 5,
            "wrong-type: 5 is not a time", id="type string where quotes would not help",
        ),
        pytest.param(
            {"type": "string", "pattern": "^[0-9]+$", "x-wanted": "digits"}, 5,
            "wrong-type: 5 is not text (put it in quotes)", id="type string where quotes do",
        ),
        pytest.param(
            COLOURS, "grin", "wrong-value: 'grin' is none of red, green (did you mean 'green'?)",
            id="enum",
        ),
        pytest.param(
            {"enum": ["PUT"]}, "put", "wrong-value: 'put' is none of PUT (did you mean 'PUT'?)",
            id="enum in capital letters",
        ),
        pytest.param(
            {"enum": ["any"], "x-wanted": "any"}, 5, "wrong-value: 5 is not any",
            id="enum with what is wanted",
        ),
        pytest.param({"const": "a"}, "b", "wrong-value: 'b' is not 'a'", id="const"),
        pytest.param(
            {"pattern": "^a$", "x-wanted": "an a"}, "b", "wrong-value: 'b' is not an a",
            id="pattern with what is wanted",
        ),
        pytest.param(
            {"pattern": "^a$"}, "b", "wrong-value: 'b' is not of the form ^a$", id="pattern"
        ),
        pytest.param(
            {"propertyNames": {"pattern": "^a$", "x-wanted": "an a"}}, {"b": 1},
            "wrong-value: 'b' is not an a", id="propertyNames",
        ),
        pytest.param({"minimum": 1}, 0, "wrong-value: 0 is less than 1", id="minimum"),
        pytest.param({"maximum": 1}, 1.5, "wrong-value: 1.5 is more than 1", id="maximum"),
        pytest.param({"minItems": 1}, [], "wrong-value: this list is empty", id="minItems, none"),
        pytest.param(
            {"minItems": 2}, [1], "wrong-value: a list has fewer entries than 2", id="minItems"
        ),
        pytest.param(
            {"maxItems": 1}, [1, 2], "wrong-value: a list has more entries than 1", id="maxItems"
        ),
        pytest.param(
            {"minLength": 1}, "", "wrong-value: this text is empty", id="minLength, none"
        ),
        pytest.param({"minLength": 2}, "a", "wrong-value: 'a' is shorter than 2", id="minLength"),
        pytest.param({"maxLength": 1}, "ab", "wrong-value: 'ab' is longer than 1", id="maxLength"),
        pytest.param(
            {"minProperties": 1}, {}, "wrong-value: this mapping is empty", id="minProperties, none"
        ),
        pytest.param(
            {"minProperties": 2}, {"a": 1}, "wrong-value: a mapping has fewer keys than 2",
            id="minProperties",
        ),
        pytest.param(
            {"maxProperties": 1}, {"a": 1, "b": 2}, "wrong-value: a mapping has more keys than 1",
            id="maxProperties",
        ),
        pytest.param(
            {"anyOf": [{"type": "null"}, {"properties": {"a": COLOURS}, "type": "object"}]},
            {"a": 1}, "wrong-value: 1 is none of red, green",
            id="anyOf: the branch that comes furthest",
        ),
        pytest.param(
            {"multipleOf": 2}, 3, "wrong-value: 3 is not a multiple of 2", id="any other keyword"
        ),
    ],
)  # fmt: skip
def test_a_mismatch_in_words(part: Mapping[str, Any], value: Any, expected: str) -> None:
    (found,) = Schema(part).mismatches(value)
    hint = f" ({found.hint})" if found.hint else ""
    assert f"{found.code}: {found.message}{hint}" == expected


def test_everything_that_is_wrong_is_told_with_its_path() -> None:
    part = {
        "properties": {"list": {"items": {"type": "string"}}, "map": {**MAP, "required": ["size"]}}
    }
    value = {"list": ["a", 1, "b", 2], "map": {"colour": "grin", "zzz": 1}}
    found = [(m.path, m.code, m.key) for m in Schema(part).mismatches(value)]
    assert sorted(found, key=str) == [
        (("list", 1), "wrong-type", None),
        (("list", 3), "wrong-type", None),
        (("map", "colour"), "wrong-value", None),
        (("map",), "missing-key", None),
        (("map",), "unknown-key", "zzz"),
    ]


def test_the_wrong_kind_of_thing_is_told_once() -> None:
    part = {"type": "string", "enum": ["any"], "minLength": 2}
    assert [m.code for m in Schema(part).mismatches(5)] == ["wrong-type"]


def test_no_more_than_the_limit_is_explained() -> None:
    compiled = Schema({"items": {"type": "string"}})
    assert len(compiled.mismatches([1] * 50, limit=7)) == 7
    assert len(compiled.mismatches([1] * 50)) == 50


def test_a_long_value_makes_no_long_message() -> None:
    parts: list[Mapping[str, Any]] = [
        {"not": {}}, {"type": "null"}, {"enum": [1]}, {"const": 1}, {"multipleOf": 7},
    ]  # fmt: skip
    for part in parts:
        for value in ("x" * 60_000, ["x" * 60_000], 10**60 + 1):
            found = Schema(part).mismatches(value)
            assert all(len(mismatch.message) <= 200 for mismatch in found)


def test_where_nothing_can_be_explained_something_is_said() -> None:
    (found,) = Schema({"properties": {"a": False}}).mismatches({"a": 1})
    assert found == Mismatch(path=(), code="wrong-value", message="False schema does not allow 1")


@pytest.mark.parametrize(
    ("value", "text"),
    [
        pytest.param(True, "true", id="true"),
        pytest.param(None, "null", id="null"),
        pytest.param("a", "'a'", id="a text"),
        pytest.param("a\x1b[2J\n", r"'a\x1b[2J\n'", id="control characters"),
        pytest.param("x" * 100, f"'{'x' * 56}…'", id="a long text"),
        pytest.param({}, "a mapping", id="a mapping"),
        pytest.param([], "a list", id="a list"),
        pytest.param(1.5, "1.5", id="a number"),
    ],
)
def test_how_a_value_is_quoted(value: Any, text: str) -> None:
    assert shown(value) == text


# --- Nothing is fetched -------------------------------------------------------------------------


@pytest.fixture
def web() -> Iterator[tuple[str, list[str]]]:
    """A URL where a schema could be fetched, and who came for it."""
    came: list[str] = []
    with socket.create_server(("127.0.0.1", 0)) as server:

        def serve() -> None:
            while True:
                try:
                    peer, address = server.accept()
                except OSError:
                    return
                came.append(str(address))
                with peer:
                    peer.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}")

        thread = threading.Thread(target=serve)
        thread.start()
        yield f"http://127.0.0.1:{server.getsockname()[1]}/schema.json", came
        server.shutdown(socket.SHUT_RDWR)
        thread.join()


def test_a_schema_on_the_web_is_refused_and_not_fetched(web: tuple[str, list[str]]) -> None:
    url, came = web
    for part in (
        {"$ref": url},
        {"properties": {"a": {"items": {"$ref": f"{url}#/x"}}}},
        {"$id": url, "$ref": "other.json"},
        {"$dynamicRef": url},
        {"allOf": [{"$ref": url}]},
    ):
        with pytest.raises(ValueError, match=r"."):
            Schema(part)
    assert came == []


def test_a_schema_of_another_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "there.json").write_text("{}")
    for reference in (f"file://{tmp_path}/there.json", "there.json", "#/$defs/nowhere"):
        with pytest.raises(ValueError, match=r"."):
            Schema({"$ref": reference})


def test_the_one_that_explains_fetches_nothing_either(web: tuple[str, list[str]]) -> None:
    url, came = web
    with pytest.raises(Exception, match="Unresolvable"):
        list(schema._errors({"$ref": url}, 5))
    assert came == []


def test_the_schema_of_schemas_itself_is_at_hand() -> None:
    Schema({"$ref": "https://json-schema.org/draft/2020-12/schema"})


@pytest.mark.parametrize(
    "part",
    [
        pytest.param({"type": "strin"}, id="an unknown type"),
        pytest.param({"pattern": "("}, id="a pattern that is none"),
        pytest.param({"pattern": "(?=a)"}, id="a pattern that would backtrack"),
        pytest.param({"minimum": "1"}, id="a bound that is none"),
    ],
)
def test_what_is_no_schema_is_refused(part: Mapping[str, Any]) -> None:
    with pytest.raises(ValueError, match=r"."):
        Schema(part)


# --- Schemas of events -----------------------------------------------------------------------


def test_events_are_found_by_the_pbxs_own_word() -> None:
    found = event_schemas(
        {
            "dtmf": {"properties": {"action": {"const": "DTMF"}}},
            "moved": {"properties": {"action": {"enum": ["Moved", "MOVED"]}}},
        }
    )
    assert {name: entry.event for name, entry in found.items()} == {
        "DTMF": "dtmf", "Moved": "moved", "MOVED": "moved",
    }  # fmt: skip
    assert isinstance(found["DTMF"], EventSchema)


@pytest.mark.parametrize(
    ("documents", "why"),
    [
        pytest.param(
            {"dtmf": {}},
            "dtmf: properties.action needs a const: the PBX's own word",
            id="no action",
        ),
        pytest.param(
            {name: {"properties": {"action": {"const": "X"}}} for name in ("a", "b")},
            "b: the action 'X' is already a",
            id="an action twice",
        ),
    ],
)
def test_schemas_of_events_that_can_not_be(documents: Any, why: str) -> None:
    with pytest.raises(ValueError, match=why):
        event_schemas(documents)
