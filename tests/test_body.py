"""What bytes are a report, and what is wrong with those that are none."""

import json
import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pbxrules.errors import ReportError, ValueProblem
from pbxrules.pbx.body import MAX_DEPTH, Repeated, json_value, parse
from pbxrules.shipped import folder

SAMPLES = sorted(folder("openvox").glob("*.http"))


def refused(body: bytes) -> tuple[str, list[tuple[str, str]]]:
    with pytest.raises(ReportError) as caught:
        parse(body)
    assert caught.value.status == 400
    return caught.value.title, [(e.pointer, e.message) for e in caught.value.errors]


def nested(depth: int, *, inside: str = "1") -> bytes:
    """An object *depth* deep, itself included."""
    return ('{"a":' + "[" * (depth - 1) + inside + "]" * (depth - 1) + "}").encode()


@pytest.mark.parametrize("path", SAMPLES, ids=lambda path: path.name)
def test_the_manufacturers_reports_mean_what_json_says(path: Any) -> None:
    body = path.read_bytes().partition(b"\r\n\r\n")[2]
    assert parse(body) == json.loads(body)


@pytest.mark.parametrize(
    ("body", "value"),
    [
        pytest.param(b"{}", {}, id="an empty object is a value"),
        pytest.param(b' {"a" : 1}\r\n', {"a": 1}, id="white space around and within"),
        pytest.param('{"a":"ü🎉"}'.encode(), {"a": "ü🎉"}, id="text beyond ASCII"),
        pytest.param(rb'{"a":"\u00fc\ud83c\udf89"}', {"a": "ü🎉"}, id="escaped text beyond ASCII"),
        pytest.param(b'{"a":1e308,"b":-0.5,"c":0}', {"a": 1e308, "b": -0.5, "c": 0}, id="numbers"),
        pytest.param(b'{"a":"{[{[{["}', {"a": "{[{[{["}, id="brackets in a text"),
        pytest.param(b'{"a":[null,true,false]}', {"a": [None, True, False]}, id="the three words"),
        pytest.param(
            b'{"a":%s}' % (b"9" * 64), {"a": int("9" * 64)}, id="a whole number of 64 digits"
        ),
        pytest.param(
            b'{"a":-0.%s}' % (b"9" * 63), {"a": -1.0}, id="a fraction of 64 digits and a sign"
        ),
    ],
)
def test_a_strict_body_is_its_value(body: bytes, value: Any) -> None:
    assert parse(body) == value


@pytest.mark.parametrize(
    ("body", "problem"),
    [
        pytest.param(b"", "line 1, column 1: there is no body", id="nothing"),
        pytest.param(b" ", "line 1, column 2: Expecting value", id="white space"),
        pytest.param(
            b'{"a":1}\n{"b":2}', "line 2, column 1: Extra data", id="two values in one body"
        ),
        pytest.param(
            b"{'a':1}",
            "line 1, column 2: Expecting property name enclosed in double quotes",
            id="single quotes",
        ),
        pytest.param(
            b'{"a":"\t"}', "line 1, column 7: Invalid control character at", id="a raw tab"
        ),
        pytest.param(b'{"a":01}', "line 1, column 7: Expecting ',' delimiter", id="a leading zero"),
        pytest.param(b"\xef\xbb\xbf{}", "line 1, column 1: Expecting value", id="a BOM"),
        pytest.param(
            b'{"a":"' + b'\\"[{' * 10_000,
            "line 1, column 6: Unterminated string starting at",
            id="a text full of brackets that is never closed",
        ),
        pytest.param(b"[]" * 30_000, "line 1, column 3: Extra data", id="many brackets, not deep"),
        pytest.param(b'{"a":nan}', "line 1, column 6: Expecting value", id="a word of no JSON"),
    ],
)
def test_a_body_that_is_no_json_says_where(body: bytes, problem: str) -> None:
    assert refused(body) == ("the body is not JSON", [("", problem)])


@pytest.mark.parametrize(
    ("body", "problem"),
    [
        pytest.param(
            b'{"a":"\xff"}', "the byte at offset 6 is 0xff: invalid start byte", id="Latin-1"
        ),
        pytest.param(
            b'{"a":"\xed\xa0\x80"}',
            "the byte at offset 6 is 0xed: invalid continuation byte",
            id="a surrogate in bytes",
        ),
        pytest.param(
            "{}".encode("utf-16"),
            "the byte at offset 0 is 0xff: invalid start byte",
            id="UTF-16",
        ),
        pytest.param(
            b'{"a":"\xc3', "the byte at offset 6 is 0xc3: unexpected end of data", id="cut"
        ),
    ],
)
def test_a_body_that_is_not_utf8_says_at_which_byte(body: bytes, problem: str) -> None:
    assert refused(body) == ("the body is not UTF-8", [("", problem)])


@pytest.mark.parametrize("body", [b"[]", b'"RING"', b"480", b"null", b"true"], ids=bytes.decode)
def test_a_report_is_an_object(body: bytes) -> None:
    assert refused(body)[0] == "a report is a JSON object"


@pytest.mark.parametrize(
    ("body", "problems"),
    [
        pytest.param(b'{"a":NaN}', [("/a", "NaN is no JSON number")], id="NaN"),
        pytest.param(
            b'{"a":[1,Infinity,-Infinity]}',
            [("/a/1", "Infinity is no JSON number"), ("/a/2", "-Infinity is no JSON number")],
            id="both infinities",
        ),
        pytest.param(
            b'{"a":1e999}', [("/a", "the number 1e999 is too large")], id="a number that is inf"
        ),
        pytest.param(
            b'{"a":-1e999}', [("/a", "the number -1e999 is too large")], id="one that is -inf"
        ),
        pytest.param(
            b'{"a":%s}' % (b"9" * 65),
            [("/a", "the number has 65 digits; 64 are allowed")],
            id="a whole number of 65 digits",
        ),
        pytest.param(
            b'{"a":1.%s}' % (b"0" * 64),
            [("/a", "the number has 65 digits; 64 are allowed")],
            id="a fraction of 65 digits",
        ),
        pytest.param(
            b'{"a":%s}' % (b"9" * 60_000),
            [("/a", "the number has 60000 digits; 64 are allowed")],
            id="a number over Python's own limit of 4,300 digits",
        ),
        pytest.param(
            b'{"action":"RING","action":"BYE"}',
            [("/action", "'action' is given 2 times")],
            id="a repeated key",
        ),
        pytest.param(
            b'{"a":1,"\\u0061":1}', [("/a", "'a' is given 2 times")], id="repeated by an escape"
        ),
        pytest.param(
            b'{"\\ud800":1,"\\udfff":1}',
            [("/\ufffd", "'\ufffd' is given 2 times")],
            id="two broken keys that become one",
        ),
        pytest.param(
            b'{"a":1,"b":{"x":NaN,"x":2,"x":3},"a":1,"c/d":[{"~":1,"~":1}]}',
            [
                ("/a", "'a' is given 2 times"),
                ("/b/x", "'x' is given 3 times"),
                ("/b/x", "NaN is no JSON number"),
                ("/c~1d/0/~0", "'~' is given 2 times"),
            ],
            id="all that is wrong at once",
        ),
        pytest.param(
            b'{"inbound":{"ext":1,"ext":2}}',
            [("/inbound/ext", "'ext' is given 2 times")],
            id="ext repeated where no parties stand",
        ),
        pytest.param(
            b'{"a":{"call":{"ext":1,"ext":2}}}',
            [("/a/call/ext", "'ext' is given 2 times")],
            id="ext repeated in a call that is not the report's",
        ),
        pytest.param(
            b'{"call":[[{"ext":1,"ext":2}]]}',
            [("/call/0/0/ext", "'ext' is given 2 times")],
            id="ext repeated too deep in call",
        ),
        pytest.param(
            b'{"call":{},"call":{}}', [("/call", "'call' is given 2 times")], id="call repeated"
        ),
    ],
)
def test_what_json_would_let_pass_is_refused(body: bytes, problems: list[tuple[str, str]]) -> None:
    assert refused(body) == ("the body is not strict JSON", problems)


@pytest.mark.parametrize(
    ("body", "value"),
    [
        pytest.param(
            b'{"ext":1,"a":2,"ext":3}', {"ext": Repeated([1, 3]), "a": 2}, id="at the top"
        ),
        pytest.param(
            b'{"call":{"ext":1,"ext":2,"ext":3}}',
            {"call": {"ext": Repeated([1, 2, 3])}},
            id="in call",
        ),
        pytest.param(
            b'{"call":[{"ext":1,"ext":2},{"ext":3}]}',
            {"call": [{"ext": Repeated([1, 2])}, {"ext": 3}]},
            id="in an element of call",
        ),
    ],
)
def test_a_repeated_ext_is_the_list_of_its_values(body: bytes, value: Any) -> None:
    assert parse(body) == value
    assert repr_types(parse(body)) == repr_types(value)


def repr_types(value: Any) -> Any:
    """*value* with the type of every list beside it, for ``Repeated([]) == []``."""
    match value:
        case dict():
            return {key: repr_types(member) for key, member in value.items()}
        case list():
            return [type(value), *map(repr_types, value)]
        case _:
            return value


def test_one_ext_that_is_a_list_is_not_repeated() -> None:
    assert type(parse(b'{"ext":[1,2]}')["ext"]) is list


def test_lone_surrogates_are_replaced_in_keys_and_values_at_any_depth() -> None:
    body = rb'{"a\ud800":["\udc00",{"\udfffb":"x\udbff\u0041"}],"ok":"\ud83c\udf89"}'
    assert parse(body) == {"a\ufffd": ["\ufffd", {"\ufffdb": "x\ufffdA"}], "ok": "🎉"}


@pytest.mark.parametrize(
    "body",
    [
        pytest.param(nested(MAX_DEPTH), id="as deep as allowed"),
        pytest.param(nested(2, inside=",".join(["[]"] * 100)), id="many lists side by side"),
        pytest.param(nested(MAX_DEPTH, inside='"[[\\"[["'), id="brackets in a text count nothing"),
    ],
)
def test_a_body_may_nest_so_deep(body: bytes) -> None:
    assert parse(body) == json.loads(body)


@pytest.mark.parametrize(
    "body",
    [
        pytest.param(nested(MAX_DEPTH + 1), id="one level too deep"),
        pytest.param(b"[" * 65_000, id="only opening brackets"),
        pytest.param(b'{"a":' * 13_000, id="only opening objects"),
        pytest.param(nested(20_000), id="20,000 levels, well-formed"),
        pytest.param(b'{"a":"","b":' + b'{"\\"[":' * 40 + b"1" + b"}" * 41, id="quotes in keys"),
    ],
)
def test_a_body_nested_too_deep_is_never_a_recursion_error(body: bytes) -> None:
    problem = ("", f"nested deeper than {MAX_DEPTH}")
    assert refused(body) == ("the body is nested too deep", [problem])


JSON_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-(10**40), 10**40) | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=40,
)
PIECES = st.sampled_from(
    [
        b"{", b"}", b"[", b"]", b",", b":", b'"', b"\\", b'"ext":', b'"call":', b'"a":', b"1",
        b"1e999", b"NaN", b"-Infinity", b"\\ud800", b"\xff", b"\xed\xa0\x80", b" ", b"\n", b"null",
        b"9" * 65,
        b'{"ext":1,"ext":2}', b"[[[[[[[[[[[[[[[[",
    ]
)  # fmt: skip


def is_strict(value: Any) -> bool:
    """Whether *value* can be written as JSON and UTF-8 again."""
    match value:
        case dict():
            return all(is_strict(part) for pair in value.items() for part in pair)
        case list():
            return all(map(is_strict, value))
        case float():
            return math.isfinite(value)
        case str():
            return not any("\ud800" <= character <= "\udfff" for character in value)
        case _:
            return True


def value_or_refusal(body: bytes) -> None:
    """Ask for the one or the other; any other exception fails the test."""
    try:
        value = parse(body)
    except ReportError as error:
        refusal = error
    else:
        assert type(value) is dict
        assert is_strict(value)
        return
    assert refusal.status == 400
    assert refusal.errors
    assert all(isinstance(problem, ValueProblem) for problem in refusal.errors)


@given(st.binary())
def test_any_bytes_are_a_value_or_refused(body: bytes) -> None:
    value_or_refusal(body)


@given(st.lists(PIECES, max_size=30).map(b"".join))
def test_any_pieces_of_json_are_a_value_or_refused(body: bytes) -> None:
    value_or_refusal(body)
    value_or_refusal(b'{"a":' + body + b"}")


@given(st.dictionaries(st.text(), JSON_VALUES, max_size=5), st.booleans())
def test_what_json_writes_is_read_or_has_a_reason(value: dict[str, Any], ascii_only: bool) -> None:
    value_or_refusal(json.dumps(value, ensure_ascii=ascii_only).encode())


@given(st.dictionaries(st.text(), JSON_VALUES.filter(is_strict), max_size=5))
def test_a_strict_value_is_read_as_it_was_written(value: dict[str, Any]) -> None:
    assert parse(json.dumps(value).encode()) == value


@given(JSON_VALUES.filter(is_strict))
def test_any_strict_value_of_an_answer_is_read_as_it_was_written(value: Any) -> None:
    assert json_value(json.dumps(value)) == value


@given(st.lists(PIECES, max_size=30).map(b"".join))
def test_any_pieces_of_an_answer_are_a_strict_value_or_none(body: bytes) -> None:
    assert is_strict(json_value(body.decode(errors="replace")))
