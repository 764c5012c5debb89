"""What a person wishes of the simulated PBX is read, and all that is wrong with it told at once."""

import math
from collections.abc import Mapping
from datetime import datetime
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pbxrules.errors import ProblemsError
from pbxrules.pbx.curves import Curve
from pbxrules.simulating import phones
from pbxrules.simulating.plan import DEFAULTS, Plan, read

BERLIN = ZoneInfo("Europe/Berlin")


def plan(wished: Mapping[str, str]) -> Plan:
    return read(wished, BERLIN)


def wrong(wished: Mapping[str, str]) -> list[str]:
    with pytest.raises(ProblemsError) as caught:
        plan(wished)
    return [f"{problem.where}: {problem.message}" for problem in caught.value.problems]


def test_without_a_wish_it_is_an_office_of_forty() -> None:
    made = plan({})
    assert (made.house.extensions[0], made.house.extensions[-1]) == ("101", "140")
    assert made.house.groups == (("101", "102", "103", "104"), ("105", "106", "107", "108"))
    assert made.house.trunks == ("to-18-16-2", "sip-berlin")
    assert made.house.curve == Curve.of("60")
    shares = (made.house.missed, made.house.passed_on, made.house.again)
    assert shares == (0.2, 0.08, 0.03)
    assert (made.seed, made.start_s, made.duration_s) == (None, None, 3600.0)
    assert (made.speed, made.connections) == (1.0, 16)


@pytest.mark.parametrize(
    ("text", "names"),
    [
        pytest.param("3", ("101", "102", "103"), id="how many"),
        pytest.param("101..103", ("101", "102", "103"), id="a range"),
        pytest.param("098..101", ("098", "099", "100", "101"), id="zeros stay"),
        pytest.param("200, 105,110..111", ("200", "105", "110", "111"), id="a list"),
        pytest.param("2,", None, id="a comma too many"),
    ],
)
def test_extensions_are_read(text: str, names: tuple[str, ...] | None) -> None:
    if names is None:
        with pytest.raises(ValueError, match="no extension"):
            phones.extensions(text)
    else:
        assert phones.extensions(text) == names


def test_no_number_of_many_is_the_beginning_of_another() -> None:
    names = phones.extensions("5000")
    assert {len(name) for name in names} == {5}
    assert len(set(names)) == 5000


@pytest.mark.parametrize(
    ("text", "names"),
    [
        pytest.param("0", (), id="none"),
        pytest.param("3", ("to-18-16-2", "sip-berlin", "trunk-3"), id="how many"),
        pytest.param("a, b c", ("a", "b c"), id="names"),
    ],
)
def test_trunks_are_read(text: str, names: tuple[str, ...]) -> None:
    assert phones.trunks(text) == names


@pytest.mark.parametrize(
    ("text", "groups"),
    [
        pytest.param("0", (), id="none"),
        pytest.param("1", (("1", "2", "3", "4"),), id="how many"),
        pytest.param("3", (("1", "2"), ("3", "4"), ("5", "6")), id="small ones where phones lack"),
        pytest.param("1..3,2+5", (("1", "2", "3"), ("2", "5")), id="who they are"),
        pytest.param(None, (("1", "2", "3", "4"),), id="nobody's wish"),
    ],
)
def test_groups_are_read(text: str | None, groups: tuple[tuple[str, ...], ...]) -> None:
    wished = None if text is None else phones.groups(text)
    assert phones.grouped(wished, [str(number) for number in range(1, 8)]) == groups


HOSTILE = {
    "a range that runs backwards": (
        {"extensions": "140..101"}, "--extensions: 140..101 runs backwards (write 101..140)",
    ),
    "a range without end": ({"extensions": "0..9999999999"}, "10,000,000,000 extensions, at most"),
    "no extensions": ({"extensions": "0"}, "0 is no number of extensions (1 to 50,000)"),
    "too many extensions": ({"extensions": "60000"}, "60000 is no number of extensions"),
    "an extension that is a word": ({"extensions": "hall"}, "'hall' is no extension (such as 40"),
    "an extension twice": ({"extensions": "101,100..102"}, "--extensions: 101 is given twice"),
    "a phone that is alone": (
        {"extensions": "1", "trunks": "0"}, "one phone alone has nobody to call",
    ),
    "a trunk without a name": ({"trunks": "a,,b"}, "'a,,b' has an empty or unprintable name"),
    "a trunk with a control character": ({"trunks": "a\x1b[31m"}, "'a\\x1b[31m' has an empty"),
    "a trunk twice": ({"trunks": "a,a"}, "--trunks: a is given twice"),
    "too many trunks": ({"trunks": "1001"}, "1001 is no number of trunks (0 to 1,000)"),
    "a group of one": ({"groups": "101"}, None),
    "a group of a stranger": ({"groups": "101+999"}, "--groups: 999 is none of --extensions"),
    "a group of strangers": ({"groups": "1..9"}, "1 and 8 more is none of --extensions"),
    "more groups than phones": ({"groups": "30"}, "30 groups need 60 extensions, there are 40"),
    "no curve": ({"calls-per-hour": "a lot"}, "'a lot' is no number of calls"),
    "more than all missed": ({"missed": "120"}, "--missed: 120 is no percentage (0 to 100)"),
    "less than none": ({"resends": "-1"}, "--resends: -1 is no percentage (0 to 100)"),
    "not a number": ({"transfers": "nan"}, "--transfers: nan is no percentage (0 to 100)"),
    "more than all in sum": (
        {"missed": "60", "transfers": "50"}, "60% missed and 50% transferred are more than all",
    ),
    "nobody to pass on to": (
        {"extensions": "2", "trunks": "0", "transfers": "5"}, "nobody to pass a call on to",
    ),
    "a seed that is a word": ({"seed": "x"}, "--seed: x is no whole number from 0"),
    "a seed of other digits": ({"seed": "\u0665"}, "--seed: \u0665 is no whole number"),
    "a duration without a unit": ({"duration": "60"}, "--duration: 60 is no duration (write 1m)"),
    "no time at all": ({"duration": "0s"}, "--duration: 0s is too short (1ms to 366d)"),
    "years": ({"duration": "400d"}, "--duration: 400d is too long (1ms to 366d)"),
    "no day": ({"start": "monday"}, "monday is no day and time (such as 2026-11-24T08:00)"),
    "a day long ago": ({"start": "0001-01-01"}, "0001-01-01 is too far away"),
    "no speed": ({"speed": "0"}, "0 is no speed (a number from 0.01 to 100000, or max)"),
    "endless speed": ({"speed": "inf"}, "--speed: inf is no speed"),
    "no connection": ({"connections": "0"}, "--connections: 0 is no whole number from 1 to 500"),
}  # fmt: skip


@pytest.mark.parametrize(("wished", "says"), HOSTILE.values(), ids=HOSTILE.keys())
def test_what_can_not_be_wished_is_told(wished: dict[str, str], says: str | None) -> None:
    if says is None:  # 101 groups
        assert wrong(wished) == ["--groups: 101 groups need 202 extensions, there are 40"]
        return
    (problem,) = wrong(wished)
    assert says in problem
    assert problem.isprintable()


def test_all_that_is_wrong_is_told_at_once() -> None:
    wished = {"extensions": "140..101", "missed": "120", "speed": "fast", "groups": "5+"}
    assert [problem.partition(":")[0] for problem in wrong(wished)] == [
        "--extensions", "--groups", "--missed", "--speed",
    ]  # fmt: skip


def test_transfers_that_nobody_asked_for_give_way() -> None:
    assert plan({"missed": "97"}).house.passed_on == pytest.approx(0.03)
    assert plan({"extensions": "2", "trunks": "0"}).house.passed_on == 0.0


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        pytest.param("2026-11-24T08:00", "2026-11-24T08:00+01:00", id="in the zone"),
        pytest.param("2026-07-01", "2026-07-01T00:00+02:00", id="a day is its midnight"),
        pytest.param("2026-11-24T08:00Z", "2026-11-24T08:00+00:00", id="of a zone of its own"),
    ],
)
def test_a_start_is_a_moment(text: str, moment: str) -> None:
    assert plan({"start": text}).start_s == datetime.fromisoformat(moment).timestamp()


def test_the_fastest_is_without_end() -> None:
    assert plan({"speed": "max"}).speed == math.inf
    assert plan({"speed": "60"}).speed == 60.0


@given(st.dictionaries(st.sampled_from(sorted(DEFAULTS)), st.text(max_size=12)))
def test_whatever_is_written_is_a_plan_or_told(wished: dict[str, str]) -> None:
    try:
        made = plan(wished)
    except ProblemsError as exc:
        names = {problem.where.file.removeprefix("--") for problem in exc.problems}
        assert names <= wished.keys() | {"extensions", "groups", "transfers"}
        return
    assert sum(made.house.shares.values()) == pytest.approx(1.0)
