"""Tests of one field of an event: which values pass which test."""

import fnmatch
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pbxrules.conditions.fields import (
    IGNORE_CASE,
    OPERATORS,
    FieldTestError,
    field_test,
    value_of,
)
from pbxrules.model import Event, FieldValue, Kind
from tests.rulefiles import LANGUAGE

GROUPS = {"family": ["+4930", "0171"], "nobody": [], "words": ["Straße", "Weg"]}
ABSENT = None

PASSES = [
    ("101", "101", "a text is exact"),
    ("", "", "an empty text is a value"),
    ("*97*", "*97*", "a star is dialled, no pattern"),
    ("#31#", "#31#", "a hash is dialled, no pattern"),
    (["101", "102"], "102", "a list is any of"),
    ("101", ("100", "101"), "one element of a list field is enough"),
    (["7", "101"], ("100", "101"), "any of the wanted is any of the field's elements"),
    ("10", 10, "a whole number is its digits"),
    ("2.5", 2.5, "a fraction is its digits"),
    ({"in": "family"}, "+4930", "in a group"),
    ({"in": ["101", "102"]}, "101", "in a list"),
    ({"in": "family"}, ("x", "0171"), "one element is in the group"),
    ({"not": "101"}, "102", "not a text"),
    ({"not": ["101", "102"]}, "103", "not any of a list"),
    ({"not": {"in": "family"}}, "0172", "not in a group"),
    ({"not": {"not": "101"}}, "101", "not not"),
    ({"not": "101"}, ABSENT, "an absent field is not a text"),
    ({"not": {"in": "family"}}, ABSENT, "an absent field is not in a group"),
    ({"not": {"in": "nobody"}}, "101", "nobody is in an empty group"),
    ({"not": "101"}, ("102", "103"), "not holds if no element passes"),
    ({"exists": True}, "101", "it is there"),
    ({"exists": True}, "", "an empty text is there"),
    ({"exists": True}, 0, "zero is there"),
    ({"exists": True}, ("101",), "a list is there"),
    ({"exists": False}, ABSENT, "it is absent"),
    ({"not": {"exists": True}}, ABSENT, "not there"),
    ({"glob": "sip-*"}, "sip-7", "a star of a glob is any text"),
    ({"glob": "sip-*"}, "sip-", "or none"),
    ({"glob": "1?1"}, "1x1", "a question mark is one character"),
    ({"glob": "?"}, "ü", "whatever its bytes"),
    ({"glob": "[1-3]0"}, "20", "a set of a glob"),
    ({"glob": "[!1-3]0"}, "40", "all but a set"),
    ({"glob": "[^1-3]0"}, "40", "all but a set, as in regex"),
    ({"glob": "[]x]"}, "]", "a bracket in a set"),
    ({"glob": "[*]97*"}, "*97#", "a star that is dialled, in a glob"),
    ({"glob": "a[b"}, "a[b", "a bracket that is never closed is a text"),
    ({"glob": "[]"}, "[]", "so is an empty set"),
    ({"glob": "[!]"}, "[!]", "and all but nothing"),
    ({"glob": "a.+(b)|\\d"}, "a.+(b)|\\d", "what means something to regex is a text to glob"),
    ({"glob": "a*c"}, "a\nc", "a line break is a character, too"),
    ({"glob": ["a*", "*b"]}, "xb", "any of several globs"),
    ({"glob": "1*"}, ("2", "12"), "one element is as the glob says"),
    ({"glob": "1*"}, 12, "the digits of a number are"),
    ({"regex": "(00|\\+)49[0-9]+"}, "+4930", "a regular expression"),
    ({"regex": "a|ab"}, "ab", "each alternative is tried for the whole value"),
    ({"regex": "^a$"}, "a", "anchors do no harm"),
    ({"regex": ["[0-9]", "x"]}, "x", "any of several regular expressions"),
    ({"prefix": "+49"}, "+4930", "it begins so"),
    ({"prefix": "+49"}, "+49", "it is the prefix itself"),
    ({"prefix": ["00", "+"]}, "+49", "any of several prefixes"),
    ({"prefix": "1"}, ("2", "12"), "one element begins so"),
    ({"suffix": "00"}, "4900", "it ends so"),
    ({"suffix": ["1", "2"]}, "x2", "any of several suffixes"),
    ({"contains": "fax"}, "my fax 2", "it stands in it"),
    ({"contains": ["tel", "fax"]}, "a fax", "any of several stands in it"),
    ({"above": "9"}, "10", "more, as numbers"),
    ({"above": "9"}, "0010", "zeros in front do not count"),
    ({"above": "9"}, 10, "a number is more"),
    ({"above": "2.4"}, 2.5, "a fraction is more"),
    ({"above": "-3"}, "-2.5", "less below zero is more"),
    ({"above": "0.1"}, "0.10000000000000000000000000000000001", "to the last digit"),
    ({"above": "5"}, ("1", "7"), "one element is more"),
    ({"below": "10"}, "9", "less, as numbers"),
    ({"above": "4", "below": "6"}, 5, "more than one and less than another"),
    ({"between": ["100", "149"]}, "100", "the lower end is between"),
    ({"between": ["100", "149"]}, "149", "the upper end is between"),
    ({"between": ["100", "149"]}, "117", "so is what is between"),
    ({"between": ["0100", "0149"]}, "0117", "with zeros in front"),
    ({"between": ["+49300", "+49309"]}, "+49305", "with a plus in front"),
    ({"between": ["10", "20"]}, 15, "a number is between"),
    ({"length": "3"}, "101", "so many characters"),
    ({"length": "2"}, "üü", "characters, not bytes"),
    ({"length": "0"}, "", "none"),
    ({"length": {"above": "5"}}, "123456", "more characters"),
    ({"length": {"below": "5"}}, "1234", "fewer characters"),
    ({"length": {"between": ["9", "11"]}}, "1234567890", "between two lengths"),
    ({"length": {"above": "2", "below": "4"}}, "101", "more than one length, less than another"),
    ({"length": "2"}, ("1", "12"), "one element is so long"),
    ({"in": ["busy"], "ignore_case": True}, "BUSY", "in a list, ignoring case"),
    ({"in": "words", "ignore_case": True}, "STRASSE", "in a group, ignoring case"),
    ({"prefix": "SIP", "ignore_case": True}, "sip-1", "a prefix, ignoring case"),
    ({"suffix": "fax", "ignore_case": True}, "MyFax", "a suffix, ignoring case"),
    ({"contains": "ÄÖ", "ignore_case": True}, "xäöx", "a part, ignoring case"),
    ({"glob": "*fax[A-C]", "ignore_case": True}, "my FAXb", "a glob, ignoring case"),
    ({"regex": "fax|b", "ignore_case": True}, "B", "a regular expression, ignoring case"),
    ({"not": "busy", "ignore_case": True}, "idle", "not a text, ignoring case"),
    ({"not": {"in": ["x"], "ignore_case": False}, "ignore_case": True}, "X", "case again, inside"),
    ({"in": ["busy"], "ignore_case": False}, "busy", "not ignoring case"),
    ({"prefix": "1", "suffix": "9"}, ("12", "19"), "one element passes all operators"),
    ({"not": {"prefix": "1", "suffix": "9"}}, ("12", "29"), "no element passes them all"),
    ({"prefix": "1", "not": "2"}, ("12", "3"), "one element passes, and none is the other"),
    ({"in": ["101", "102"], "not": "102"}, "101", "all operators hold"),
    ({"not": "101", "exists": True}, "102", "there and not a text"),
]
FAILS = [
    ("101", "102", "another text"),
    ("101", "0101", "a leading zero matters"),
    ("101", "101 ", "a space matters"),
    ("Busy", "busy", "small and capital letters matter"),
    ("1*", "101", "a star is no pattern"),
    (".*", "101", "nor is a regular expression"),
    (["101", "102"], "103", "none of the list"),
    ("101", ABSENT, "an absent field is no text"),
    ("", ABSENT, "absent is not empty"),
    (["101"], ABSENT, "absent is none of a list"),
    ("101", ("102", "103"), "no element is the text"),
    ("101,102", ("101", "102"), "a list is not its elements in a row"),
    ("10.0", 10, "another way to write a number"),
    ({"in": "family"}, "4930", "a plus matters"),
    ({"in": "family"}, ABSENT, "absent is in no group"),
    ({"in": "nobody"}, "101", "an empty group"),
    ({"not": "101"}, "101", "not the text itself"),
    ({"not": "101"}, ("101", "102"), "not fails if one element passes"),
    ({"not": {"exists": False}}, ABSENT, "not absent"),
    ({"exists": True}, ABSENT, "it is not there"),
    ({"exists": False}, "101", "it is not absent"),
    ({"in": ["101", "102"], "not": "102"}, "102", "one operator fails"),
    ({"not": "101", "exists": True}, ABSENT, "not there, though not the text"),
    ({"in": ["101"], "not": "102"}, ("101", "102"), "not holds of no list with that element"),
    ({"glob": "sip-*"}, "my sip-1", "a glob is for the whole value"),
    ({"glob": "1?1"}, "11", "a question mark is a character"),
    ({"glob": "SIP*"}, "sip", "small and capital letters matter to a glob"),
    ({"glob": "*"}, ABSENT, "no glob fits what is absent"),
    ({"regex": "[0-9]"}, "12", "a regular expression is for the whole value"),
    ({"regex": "a"}, "a\n", "a line break at the end, too"),
    ({"regex": ".*"}, ABSENT, "no regular expression fits what is absent"),
    ({"prefix": "+49"}, "+4", "a part of the prefix"),
    ({"prefix": "+49"}, ABSENT, "absent begins with nothing"),
    ({"prefix": "x"}, "X", "small and capital letters matter to a prefix"),
    ({"suffix": "00"}, "0", "a part of the suffix"),
    ({"suffix": "00"}, "001", "it begins so, and does not end so"),
    ({"contains": "ab"}, "a b", "not in one piece"),
    ({"above": "10"}, "10", "the same is not more"),
    ({"above": "10"}, "9", "as text it would be"),
    ({"above": "1"}, "+49", "a plus makes it no number"),
    ({"above": "1"}, "2a", "nor is this one"),
    ({"above": "1"}, "٣", "nor are digits of another script"),
    ({"above": "1"}, "", "nor an empty text"),
    ({"below": "10"}, ABSENT, "absent is not less"),
    ({"below": "10"}, "10", "the same is not less"),
    ({"above": "4", "below": "6"}, ("1", "9"), "one element for each bound is not enough"),
    ({"between": ["100", "149"]}, "150", "beyond the upper end"),
    ({"between": ["100", "149"]}, "099", "below the lower end"),
    ({"between": ["100", "149"]}, "0117", "another number of digits"),
    ({"between": ["100", "149"]}, "12", "fewer digits"),
    ({"between": ["100", "149"]}, "1a0", "no digits"),
    ({"between": ["100", "149"]}, "1٣0", "digits of another script"),
    ({"between": ["+100", "+149"]}, "0117", "no plus"),
    ({"between": ["10", "20"]}, 1.5, "a fraction is not digits"),
    ({"between": ["100", "149"]}, ABSENT, "absent is not between"),
    ({"length": "3"}, "10", "fewer characters than that"),
    ({"length": {"above": "3"}}, "101", "as many are not more"),
    ({"length": {"between": ["2", "3"]}}, "1", "not between two lengths"),
    ({"length": "0"}, ABSENT, "absent has no length"),
    ({"in": ["busy"], "ignore_case": True}, "idle", "another text, ignoring case"),
    ({"not": "busy", "ignore_case": True}, "BUSY", "not the text itself, ignoring case"),
    ({"not": {"in": "words"}, "ignore_case": True}, "straße", "nor one of a group"),
    ({"in": ["busy"], "ignore_case": False}, "BUSY", "ignoring nothing"),
    ({"prefix": "1", "suffix": "9"}, ("12", "29"), "each operator has an element of its own"),
]


@pytest.mark.parametrize(
    ("wanted", "value", "holds"),
    [pytest.param(wanted, value, True, id=f"{say} (holds)") for wanted, value, say in PASSES]
    + [pytest.param(wanted, value, False, id=f"{say} (fails)") for wanted, value, say in FAILS],
)
def test_a_field_test(wanted: Any, value: FieldValue | None, holds: bool) -> None:
    made = field_test("extension", wanted, GROUPS)
    assert made.holds(value) is holds
    assert field_test("extension", {"not": wanted}, GROUPS).holds(value) is not holds


@pytest.mark.parametrize(
    ("wanted", "words"),
    [
        pytest.param("101", "101", id="a text"),
        pytest.param(["101"], "101", id="a list of one"),
        pytest.param(["101", "102"], "one of 101, 102", id="a list"),
        pytest.param(list("abcdefg"), "one of a, b, c, d, e, …", id="a long list"),
        pytest.param({"in": "family"}, "in family", id="a group"),
        pytest.param({"in": ["1", "2"]}, "one of 1, 2", id="in a list"),
        pytest.param({"not": {"in": "family"}}, "not in family", id="not"),
        pytest.param({"exists": True}, "there", id="exists"),
        pytest.param({"exists": False}, "absent", id="exists not"),
        pytest.param({"in": "family", "not": "0171"}, "in family and not 0171", id="all of them"),
        pytest.param({"prefix": "+49"}, "prefix +49", id="an operator and its text"),
        pytest.param({"suffix": ["1", "2"]}, "suffix one of 1, 2", id="an operator and a list"),
        pytest.param({"contains": "fax"}, "contains fax", id="contains"),
        pytest.param({"glob": "sip-*"}, "glob sip-*", id="a glob"),
        pytest.param({"regex": "[0-9]+"}, "regex [0-9]+", id="a regular expression"),
        pytest.param({"above": "2.50"}, "above 2.50", id="a number as written"),
        pytest.param({"between": ["1", "5"]}, "between 1 and 5", id="between"),
        pytest.param({"length": "3"}, "length 3", id="a length"),
        pytest.param(
            {"length": {"above": "3", "below": "9"}}, "length above 3 and below 9", id="lengths"
        ),
        pytest.param(
            {"not": {"prefix": "1", "suffix": "9"}}, "not (prefix 1 and suffix 9)", id="not both"
        ),
        pytest.param(
            {"in": ["a", "b"], "ignore_case": True}, "one of a, b (ignoring case)", id="ignore case"
        ),
        pytest.param({"in": ["a"], "ignore_case": False}, "a", id="do not ignore it"),
        pytest.param(
            {"not": {"prefix": "a"}, "ignore_case": True},
            "not prefix a (ignoring case)",
            id="not, ignoring case",
        ),
    ],
)
def test_what_is_wanted_in_words(wanted: Any, words: str) -> None:
    assert field_test("extension", wanted, GROUPS).wanted == words


@pytest.mark.parametrize(
    ("wanted", "equals"),
    [
        pytest.param("101", {"101"}, id="a text is equality"),
        pytest.param(["101", "102"], {"101", "102"}, id="a list is equality"),
        pytest.param({"in": "family"}, {"+4930", "0171"}, id="a group is equality"),
        pytest.param({"in": "nobody"}, set(), id="an empty group is none"),
        pytest.param({"not": "101"}, set(), id="not is none"),
        pytest.param({"exists": True}, set(), id="exists is none"),
        pytest.param({"prefix": "1"}, set(), id="a prefix is none"),
        pytest.param({"in": ["a"], "ignore_case": True}, set(), id="equality in any case is none"),
        pytest.param({"prefix": "+", "in": "family"}, {"+4930", "0171"}, id="one operator of two"),
    ],
)
def test_where_equality_is_asked_for_it_is_told(wanted: Any, equals: set[str]) -> None:
    assert field_test("extension", wanted, GROUPS).equals == equals


@pytest.mark.parametrize(
    ("wanted", "kind", "texts"),
    [
        pytest.param("101", "equals", {"101"}, id="a text"),
        pytest.param({"in": "nobody"}, "equals", set(), id="an empty group, which nothing passes"),
        pytest.param({"prefix": ["1", "2"]}, "begins", {"1", "2"}, id="prefixes"),
        pytest.param({"suffix": "1"}, "ends", {"1"}, id="a suffix"),
        pytest.param({"contains": "1"}, "contains", {"1"}, id="a part"),
        pytest.param({"glob": "10[1]"}, "begins", {"10"}, id="a glob with a literal head"),
        pytest.param({"glob": "?-fax"}, "ends", {"-fax"}, id="a glob with a literal tail"),
        pytest.param({"glob": "a*bc"}, "ends", {"bc"}, id="the longer of the two"),
        pytest.param({"glob": "*b?cd*"}, "contains", {"cd"}, id="a glob with a literal part"),
        pytest.param({"glob": "101"}, "equals", {"101"}, id="a glob without a pattern"),
        pytest.param({"glob": ["1*", "101"]}, "begins", {"1", "101"}, id="globs that begin"),
        pytest.param({"glob": ["1*", "*1"]}, "contains", {"1"}, id="globs of different kinds"),
        pytest.param({"glob": "?[12]*"}, "matches", {"(?s).[12].*"}, id="a glob of patterns"),
        pytest.param({"glob": ["1*", "??"]}, "matches", {"(?s)1.*", "(?s).."}, id="one of them"),
        pytest.param({"regex": "1.*"}, "matches", {"1.*"}, id="a regular expression"),
        pytest.param({"between": ["100", "199"]}, "begins", {"1"}, id="a range of one head"),
        pytest.param({"between": ["099", "211"]}, "begins",
            {"099", "1", "20", "210", "211"}, id="a range of several heads"),
        pytest.param({"between": ["+10", "+19"]}, "begins", {"+1"}, id="a range with a plus"),
        pytest.param({"exists": True, "prefix": "1"}, "begins", {"1"}, id="beside exists"),
        pytest.param({"prefix": "1", "in": ["12"]}, "equals", {"12"}, id="equality first"),
        pytest.param({"prefix": "1", "suffix": "22"}, "ends", {"22"}, id="a longer text before"),
        pytest.param({"contains": "1111", "suffix": "2"}, "ends", {"2"}, id="an end before a part"),
    ],
)  # fmt: skip
def test_what_the_index_is_told(wanted: Any, kind: Kind, texts: set[str]) -> None:
    key = field_test("extension", wanted, GROUPS).key
    assert key
    assert (key.kind, set(key.texts), key.folded) == (kind, texts, False)


@pytest.mark.parametrize(
    ("wanted", "exact"),
    [
        pytest.param("101", True, id="a text"),
        pytest.param(["101", "102"], True, id="a list"),
        pytest.param({"in": "family"}, True, id="a group"),
        pytest.param({"prefix": "1", "ignore_case": True}, True, id="a prefix, in any case"),
        pytest.param({"in": ["101"], "exists": True}, False, id="one of two operators"),
        pytest.param({"contains": "1"}, False, id="a part, of which long values are not asked"),
        pytest.param({"between": ["10", "19"]}, False, id="a range, of so many digits"),
        pytest.param({"glob": "1*2"}, False, id="a glob"),
        pytest.param({"regex": "1"}, False, id="a regular expression"),
    ],
)
def test_where_the_index_alone_decides(wanted: Any, exact: bool) -> None:
    key = field_test("extension", wanted, GROUPS).key
    assert key
    assert key.exact is exact


@pytest.mark.parametrize(
    ("wanted", "kind", "texts", "folded"),
    [
        pytest.param({"in": "words"}, "equals", {"strasse", "weg"}, True, id="a group"),
        pytest.param({"prefix": "SIP"}, "begins", {"sip"}, True, id="a prefix"),
        # RE2 folds case by another table: what is literal in a glob stays a pattern.
        pytest.param({"glob": "SIP-*"}, "matches", {r"(?i)(?s)SIP\-.*"}, False, id="a glob"),
        pytest.param({"regex": "A"}, "matches", {"(?i)A"}, False, id="a regular expression"),
    ],
)
def test_what_the_index_is_told_where_case_does_not_matter(
    wanted: Any, kind: Kind, texts: set[str], folded: bool
) -> None:
    key = field_test("extension", {**wanted, "ignore_case": True}, GROUPS).key
    assert key
    assert (key.kind, set(key.texts), key.folded) == (kind, texts, folded)


@pytest.mark.parametrize(
    "wanted",
    [
        pytest.param({"not": "101"}, id="not"),
        pytest.param({"exists": True}, id="exists"),
        pytest.param({"above": "5"}, id="above"),
        pytest.param({"below": "5"}, id="below"),
        pytest.param({"length": "5"}, id="length"),
        pytest.param({"between": ["000", "999"]}, id="a range of all numbers of so many digits"),
        pytest.param({"not": {"prefix": "1", "in": ["12"]}}, id="not of several"),
    ],
)
def test_of_the_rest_the_index_is_told_nothing(wanted: Any) -> None:
    assert field_test("extension", wanted, GROUPS).key is None


DIGITS = st.text("0159", min_size=3, max_size=3)


@given(DIGITS, DIGITS, DIGITS)
def test_between_is_between_and_its_key_is_exact(one: str, other: str, value: str) -> None:
    low, high = sorted([one, other])
    made = field_test("extension", {"between": [low, high]}, GROUPS)
    assert made.holds(value) is (int(low) <= int(value) <= int(high))
    heads = made.key.texts if made.key else {""}
    assert any(value.startswith(head) for head in heads) is made.holds(value)


GLOBS = st.lists(
    st.sampled_from(["*", "?", "[ab]", "[!a]", "[]a]", "[!]a]", "[a-c1]", "[-a]", *"ab1]!-."]),
    max_size=7,
).map("".join)


@given(GLOBS, st.text("abc1[]!-.", max_size=5))
def test_a_glob_is_that_of_file_names(pattern: str, value: str) -> None:
    made = field_test("extension", {"glob": pattern}, GROUPS)
    assert made.holds(value) is fnmatch.fnmatchcase(value, pattern)


@given(st.text("aAßäÄk\u212a1*?", max_size=5), st.text("aAßäÄk\u212a1", max_size=5))
def test_a_glob_may_ignore_case(pattern: str, value: str) -> None:
    made = field_test("extension", {"glob": pattern, "ignore_case": True}, GROUPS)
    folded = fnmatch.fnmatchcase(value.lower(), pattern.lower())
    assert made.holds(value) is folded


@pytest.mark.parametrize(
    "pattern",
    [
        pytest.param({"regex": r"(\+?\d+[ -]?)+x"}, id="a regular expression"),
        pytest.param({"glob": "*1*1*1*1*1*1*1*x"}, id="a glob"),
    ],
)
def test_no_value_makes_a_pattern_slow(pattern: Any) -> None:
    """Python's re takes time without bound for these, so the test would not end."""
    assert not field_test("caller", pattern, GROUPS).holds("1" * 60_000 + "!")


@pytest.mark.parametrize(
    ("wanted", "path", "words"),
    [
        pytest.param({"regex": "*97"}, ("regex",),
            (r"'*97' is no regular expression: '*' has nothing to repeat (for the character itself"
             r" write \*; * and ? as in file names are glob)"), id="a star that is dialled"),
        pytest.param({"regex": "+49"}, ("regex",),
            (r"'+49' is no regular expression: '+' has nothing to repeat (for the character itself"
             r" write \+; * and ? as in file names are glob)"), id="a plus of a number"),
        pytest.param({"regex": ["1", "(2"]}, ("regex", 1),
            (r"'(2' is no regular expression: a ( is never closed"
             r" (for the character itself write \()"),
            id="an open bracket, in a list"),
        pytest.param({"regex": "2)"}, ("regex",),
            (r"'2)' is no regular expression: a ) closes nothing"
             r" (for the character itself write \))"),
            id="a bracket too many"),
        pytest.param({"regex": "[1-3"}, ("regex",),
            (r"'[1-3' is no regular expression: a [ is never closed"
             r" (for the character itself write \[)"), id="an open set"),
        pytest.param({"regex": "[3-1]"}, ("regex",),
            "'[3-1]' is no regular expression: '3-1' is no range of characters",
            id="a range that runs backwards"),
        pytest.param({"regex": "(?!112)[0-9]+"}, ("regex",),
            ("'(?!112)[0-9]+' is no regular expression: '(?!' is not known to RE2 (RE2 has no"
             " look-around: to leave something out, add a test such as not: {regex: …} beside it)"),
            id="a look ahead"),
        pytest.param({"regex": "(?<=0)1"}, ("regex",),
            ("'(?<=0)1' is no regular expression: '(?<=' is not known to RE2 (RE2 has no"
             " look-around: to leave something out, add a test such as not: {regex: …} beside it)"),
            id="a look behind"),
        pytest.param({"regex": r"(1)\1"}, ("regex",),
            (r"'(1)\1' is no regular expression: '\1' has no meaning"
             " (RE2 has no back references: write it out)"), id="a back reference"),
        pytest.param({"regex": r"1\Z"}, ("regex",),
            (r"'1\Z' is no regular expression: '\Z' has no meaning"
             " (leave it out: a regex is for the whole value anyway)"), id="an end as in Python"),
        pytest.param({"regex": "1++"}, ("regex",),
            ("'1++' is no regular expression: '++' repeats a repetition"
             " (write one of them, or put the first in (?:…))"), id="a repetition of a repetition"),
        pytest.param({"regex": "1{2000}"}, ("regex",),
            ("'1{2000}' is no regular expression: '{2000}' is no count of repetitions"
             " (at most 1000 in all, and the smaller number first)"), id="too many repetitions"),
        pytest.param({"regex": "1\\"}, ("regex",),
            (r"'1\' is no regular expression: it ends in a lone \ "
             r"(for the character itself write \\)"), id="a lone backslash"),
        pytest.param({"regex": "(?>1)"}, ("regex",),
            "'(?>1)' is no regular expression: '(?>' is not known to RE2 (write (?: instead)",
            id="an atomic group"),
        pytest.param({"regex": r"\pL{1000}\pN{1000}"}, ("regex",),
            (r"'\pL{1000}\pN{1000}' is no regular expression: it is too large"
             " (make it of fewer repetitions, or several tests)"), id="a large pattern"),
        pytest.param({"not": {"glob": ["*", "[3-1]"]}}, ("not", "glob", 1),
            "in '[3-1]' the range 3-1 is empty (write 1-3)", id="a range of a glob"),
        pytest.param({"between": ["1a", "20"]}, ("between", 0),
            "'1a' is not digits (at most 40, a + before them or not)", id="no digits"),
        pytest.param({"between": ["1", "9" * 41]}, ("between", 1),
            f"'{'9' * 41}' is not digits (at most 40, a + before them or not)", id="many digits"),
        pytest.param({"between": ["5", "60"]}, ("between",),
            ("'5' and '60' have not the same number of digits"
             " (for numbers of any length say above and below)"), id="digits of another number"),
        pytest.param({"between": ["+12", "123"]}, ("between",),
            ("'+12' and '123' have not the same number of digits"
             " (for numbers of any length say above and below)"), id="a plus is no digit"),
        pytest.param({"between": ["20", "10"]}, ("between",),
            "nothing is between 20 and 10 (write [10, 20])", id="bounds in the wrong order"),
        pytest.param({"length": {"between": ["9", "2"]}}, ("length", "between"),
            "nothing is between 9 and 2 (write [2, 9])", id="lengths in the wrong order"),
        pytest.param({"exists": True, "ignore_case": True}, ("ignore_case",),
            ("'ignore_case' changes nothing here"
             " (it goes with in, not, glob, regex, prefix, suffix, contains)"),
            id="ignore_case without a text"),
    ],
)  # fmt: skip
def test_a_test_that_can_not_be(wanted: Any, path: tuple[str | int, ...], words: str) -> None:
    with pytest.raises(FieldTestError) as caught:
        field_test("caller", wanted, GROUPS)
    error = caught.value
    assert error.path == path
    assert error.message + (f" ({error.hint})" if error.hint else "") == words


def test_a_pattern_that_is_wrong_is_told_to_nobody_but_its_author(
    capfd: pytest.CaptureFixture[str],
) -> None:
    with pytest.raises(FieldTestError):
        field_test("caller", {"regex": "(secret"}, GROUPS)
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize(
    ("wanted", "path"),
    [
        pytest.param({"in": "famly"}, ("in",), id="alone"),
        pytest.param({"exists": True, "not": {"in": "famly"}}, ("not", "in"), id="inside not"),
    ],
)
def test_an_unknown_group_is_told_with_the_path_to_it(wanted: Any, path: tuple[str, ...]) -> None:
    with pytest.raises(FieldTestError) as caught:
        field_test("caller", wanted, GROUPS)
    error = caught.value
    assert error.path == path
    assert (error.code, error.message, error.hint) == (
        "unknown-group", "no group is called 'famly'", "did you mean 'family'?",
    )  # fmt: skip


PAYLOAD = {
    "a": {"b": "deep", "n": 7, "f": 1.5, "t": True, "no": False, "null": None, "map": {"x": 1}},
    "texts": ["x", "y"], "mixed": ["x", 1], "empty": [], "a.b": "with a point",
}  # fmt: skip


@pytest.mark.parametrize(
    ("field", "value"),
    [
        pytest.param("extension", "101", id="a field of the event"),
        pytest.param("extensions", ("101", "102"), id="a list field"),
        pytest.param("duration", 10, id="a number"),
        pytest.param("trunk", None, id="a field that this event lacks"),
        pytest.param("payload.a.b", "deep", id="a member of a member"),
        pytest.param("payload.a.n", 7, id="a number as sent"),
        pytest.param("payload.a.f", 1.5, id="a fraction as sent"),
        pytest.param("payload.a.t", "true", id="true as JSON writes it"),
        pytest.param("payload.a.no", "false", id="false as JSON writes it"),
        pytest.param("payload.a.null", None, id="null is absent"),
        pytest.param("payload.a.map", None, id="a map is no value to compare"),
        pytest.param("payload.a.b.c", None, id="beyond a text"),
        pytest.param("payload.z", None, id="a member that is not there"),
        pytest.param("payload.texts", ("x", "y"), id="a list of texts"),
        pytest.param("payload.mixed", None, id="a list of other things is no value to compare"),
        pytest.param("payload.empty", (), id="an empty list has no element that passes"),
        pytest.param("payload.texts.0", None, id="no element by its number"),
    ],
)
def test_the_value_that_a_test_sees(field: str, value: FieldValue | None) -> None:
    fields: dict[str, FieldValue] = {
        "event": "ring", "extension": "101", "extensions": ("101", "102"), "duration": 10,
    }  # fmt: skip
    assert value_of(Event(fields=fields, payload=PAYLOAD), field) == value


def test_every_operator_that_the_schema_lists_is_there() -> None:
    listed = LANGUAGE.rules_schema.document["$defs"]["operators"]["properties"].keys()
    assert listed == OPERATORS.keys() | {IGNORE_CASE}
