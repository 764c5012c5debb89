"""Times: which moments are in which time, and what is said of one that can't be.

The changes of the clock are computed a second time by C's own `date`, from the rules of
the law as POSIX writes them: no zone file, and none of our code.
"""

import calendar
import json
import math
import subprocess
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from functools import cache
from itertools import pairwise
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from pbxrules import zones
from pbxrules.conditions.times import OTHER_WORDS, Time, TimeError, TimeProblem, compile_time
from pbxrules.conditions.times.compiling import KEYS
from pbxrules.conditions.times.days import DAY_KEYS
from pbxrules.conditions.times.hours import WANTED
from pbxrules.schema import Schema
from pbxrules.yamlsource import read

BERLIN = ZoneInfo("Europe/Berlin")
ZONES = ("Europe/Berlin", "America/New_York")
WEEKDAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
SCHEMA = json.loads(
    (Path(__file__).parents[1] / "schemas/parts/times.schema.json").read_text("utf-8")
)
CHECK = Schema(SCHEMA)


def made(wanted: Any, zone: Any = UTC) -> Time:
    return compile_time(wanted, zone=zone, zones=zones.find, zone_names=lambda: ZONES)


def written(text: str) -> Any:
    """The value of a text in YAML, as times get it."""
    document = read(text, file="t.yaml")
    assert not document.problems
    return document.as_written(document.value, ())


def at(text: str, zone: Any = BERLIN) -> float:
    """The moment at which the wall clock shows *text*; of two the first."""
    return datetime.fromisoformat(text).replace(tzinfo=zone).timestamp()


# --- the language ---------------------------------------------------------------------------

NIGHT = "{after: 22:30, before: 07:00}"
FRIDAYS = "{weekdays: fri, after: 22:00, before: 06:00}"
CHRISTMAS = "{dates: 12-24..01-06}"
# 2026-11-27 is a Friday.
HOLDS = [
    (NIGHT, "2026-11-27T22:30:00", "the first second"),
    (NIGHT, "2026-11-28T06:59:59.999999", "the last microsecond"),
    (NIGHT, "2026-11-28T00:00:00", "over midnight"),
    ("{after: 08:00, before: 18:00}", "2026-11-27T08:00:00", "the first second of the day"),
    ("{after: 22:30:15}", "2026-11-27T22:30:15", "to the second"),
    ("{after: 22:30}", "2026-11-27T23:59:59", "after alone lasts to midnight"),
    ("{before: 07:00}", "2026-11-27T00:00:00", "before alone begins at midnight"),
    ("{after: 22:30, before: 24:00}", "2026-11-27T23:59:59", "24:00 is the day's end"),
    ("{after: 22:30, before: 00:00}", "2026-11-27T23:59:59", "so is 00:00, after a later after"),
    ("{after: 00:00, before: 24:00}", "2026-11-27T00:00:00", "the whole day"),
    ("{before: 24:00:00}", "2026-11-27T23:59:59", "24:00 with its seconds"),
    (FRIDAYS, "2026-11-27T22:00:00", "Friday's night begins on Friday"),
    (FRIDAYS, "2026-11-28T05:00:00", "Friday's night goes on to Saturday"),
    ("{days: 1, after: 22:00, before: 06:00}", "2026-11-02T05:00:00", "so does that of the 1st"),
    ("{months: nov, after: 22:00, before: 06:00}", "2026-12-01T05:00:00", "that of a month"),
    ("{years: 2026, after: 22:00, before: 06:00}", "2027-01-01T05:00:00", "that of a year"),
    ("{dates: 12-24, after: 22:00, before: 06:00}", "2026-12-25T05:00:00", "that of a date"),
    ("{after: 24:00, before: 06:00, weekdays: fri}", "2026-11-28T05:00:00", "after Friday's 24:00"),
    ("{weekdays: mon..fri}", "2026-11-27T12:00:00", "the end of a range of weekdays is in it"),
    ("{weekdays: fri..mon}", "2026-11-29T12:00:00", "weekdays go round"),
    ("{weekdays: fri..fri}", "2026-11-27T12:00:00", "a range of one"),
    ("{weekdays: sun..sat}", "2026-11-27T12:00:00", "a range of all"),
    ("{weekdays: [mon, wed..fri]}", "2026-11-26T12:00:00", "a list of weekdays and ranges"),
    ("{months: nov..feb}", "2026-01-15T12:00:00", "months go round"),
    ("{months: [jan, nov]}", "2026-11-27T12:00:00", "a list of months"),
    ("{days: 27}", "2026-11-27T12:00:00", "a day of the month"),
    ("{days: 25..31}", "2026-11-30T12:00:00", "a range of days is cut to the month"),
    ("{days: -1}", "2026-11-30T12:00:00", "the last day of a short month"),
    ("{days: -1}", "2026-12-31T12:00:00", "the last day of a long month"),
    ("{days: -1}", "2028-02-29T12:00:00", "the last day of a leap year's February"),
    ("{days: -3..-1}", "2026-02-26T12:00:00", "the third from the end"),
    ("{days: -31..-1}", "2026-02-01T12:00:00", "a range from the end is cut to the month"),
    ("{days: 25..-1}", "2026-02-25T12:00:00", "from a day to the end"),
    ("{days: [1, 15, -1]}", "2026-11-15T12:00:00", "a list of days"),
    ("{years: 2026}", "2026-11-27T12:00:00", "a year"),
    ("{years: 2025..2027}", "2027-12-31T23:59:59", "the last year of a range"),
    ("{years: [2025, 2026]}", "2026-01-01T00:00:00", "a list of years"),
    ("{dates: 12-24}", "2031-12-24T12:00:00", "a date of every year"),
    ("{dates: 2026-12-24}", "2026-12-24T23:59:59", "a date of one year"),
    ("{dates: 12-24..12-26}", "2026-12-26T23:59:59", "the end of a range of dates is in it"),
    (CHRISTMAS, "2026-12-31T12:00:00", "dates of every year go round: the old year"),
    (CHRISTMAS, "2027-01-06T12:00:00", "dates of every year go round: the new year"),
    ("{dates: 2026-12-24..2027-01-06}", "2027-01-06T12:00:00", "over one new year"),
    ("{dates: [12-24..12-26, 2027-01-01]}", "2027-01-01T12:00:00", "a list of dates"),
    ("{dates: 02-29}", "2028-02-29T12:00:00", "the 29th of February in a leap year"),
    ("{dates: 02-29..03-01}", "2027-03-01T12:00:00", "from it on in another year"),
    ("{dates: 02-20..02-29}", "2027-02-28T12:00:00", "up to it in another year"),
    ("{dates: 2028-02-29}", "2028-02-29T12:00:00", "that of one leap year"),
    ("{weekdays: fri, months: nov, days: 27, years: 2026, dates: 11-27}", "2026-11-27T01:00:00",
     "all keys hold"),
    ("{after: 22:30, timezone: America/New_York}", "2026-11-28T04:30:00", "another zone's clock"),
    ("{weekdays: fri, timezone: America/New_York}", "2026-11-28T05:59:59", "another zone's day"),
    ("{any: [{before: 08:00}, {weekdays: fri}]}", "2026-11-27T12:00:00", "the second of any"),
    ("{any: [{before: 08:00}, {weekdays: fri}]}", "2026-11-26T07:00:00", "the first of any"),
    ("{any: [{any: [{days: 5}, {days: 27}]}]}", "2026-11-27T12:00:00", "any in any"),
    ("{weekdays: fri, any: [{after: 22:00, before: 06:00}, {after: 12:00, before: 13:00}]}",
     "2026-11-28T05:00:00", "what stands beside any means the day on which a span began, too"),
    ("{after: 22:00, before: 06:00, any: [{weekdays: fri}, {dates: 12-24}]}",
     "2026-12-25T05:00:00", "hours beside any are those of each"),
    ("{after: 22:00, any: [{weekdays: fri, before: 06:00}, {weekdays: mon}]}",
     "2026-11-28T05:00:00", "after beside any and before in it are one span"),
    ("{timezone: America/New_York, any: [{weekdays: fri}]}", "2026-11-28T05:59:59",
     "a zone beside any is that of each"),
    ("{any: [{after: 23:30}, {after: 23:30, timezone: America/New_York}]}", "2026-11-28T05:30:00",
     "each of any may have a zone of its own"),
]  # fmt: skip
FAILS = [
    (NIGHT, "2026-11-27T22:29:59.999999", "a microsecond too early"),
    (NIGHT, "2026-11-28T07:00:00", "the end is not in it"),
    (NIGHT, "2026-11-28T12:00:00", "at noon"),
    ("{after: 08:00, before: 18:00}", "2026-11-27T18:00:00", "the end of the day's work"),
    ("{after: 22:30:15}", "2026-11-27T22:30:14", "a second too early"),
    ("{after: 22:30}", "2026-11-28T00:00:00", "after alone ends at midnight"),
    ("{before: 07:00}", "2026-11-27T07:00:00", "the end of before alone"),
    ("{after: 22:30, before: 24:00}", "2026-11-28T00:00:00", "24:00 itself is the next day"),
    ("{after: 22:30, before: 00:00}", "2026-11-28T00:00:00", "so it is where it is called 00:00"),
    (FRIDAYS, "2026-11-27T05:00:00", "Friday's early morning is Thursday's night"),
    (FRIDAYS, "2026-11-28T06:00:00", "Friday's night is over"),
    (FRIDAYS, "2026-11-28T22:00:00", "that is Saturday's night"),
    ("{days: 1, after: 22:00, before: 06:00}", "2026-11-01T05:00:00", "the night before the 1st"),
    ("{months: nov, after: 22:00, before: 06:00}", "2026-11-01T05:00:00", "October's last night"),
    ("{years: 2027, after: 22:00, before: 06:00}", "2027-01-01T05:00:00", "the old year's night"),
    ("{dates: 12-24, after: 22:00, before: 06:00}", "2026-12-24T05:00:00", "the night before"),
    ("{after: 24:00, before: 06:00, weekdays: fri}", "2026-11-27T05:00:00", "before that day"),
    ("{weekdays: mon..thu}", "2026-11-27T12:00:00", "after the range"),
    ("{weekdays: sat..thu}", "2026-11-27T12:00:00", "the one day that the round leaves out"),
    ("{months: nov..feb}", "2026-03-01T00:00:00", "after the round of months"),
    ("{days: 31}", "2026-11-30T12:00:00", "a day that the month lacks does not become its last"),
    ("{days: -31}", "2026-11-01T12:00:00", "nor does one from the end become its first"),
    ("{days: 29..31}", "2026-02-28T12:00:00", "nor does a range that lies behind it"),
    ("{days: -1}", "2028-02-28T12:00:00", "the last but one of a leap year's February"),
    ("{days: -3..-1}", "2026-11-27T12:00:00", "the fourth from the end"),
    ("{years: 2025..2027}", "2028-01-01T00:00:00", "after the last year"),
    ("{dates: 2026-12-24}", "2027-12-24T12:00:00", "a date of one year in the next"),
    ("{dates: 12-24..12-26}", "2026-12-27T00:00:00", "after the range of dates"),
    (CHRISTMAS, "2027-01-07T00:00:00", "after the round of dates"),
    (CHRISTMAS, "2026-12-23T23:59:59", "before the round of dates"),
    ("{dates: 2026-12-24..2027-01-06}", "2027-12-24T12:00:00", "over one new year, not the next"),
    ("{dates: 02-29}", "2027-02-28T12:00:00", "the 29th of February does not become the 28th"),
    ("{dates: 02-29}", "2027-03-01T12:00:00", "nor the 1st of March"),
    ("{weekdays: fri, months: dec}", "2026-11-27T12:00:00", "one key fails"),
    ("{after: 22:30, timezone: America/New_York}", "2026-11-27T22:30:00", "here it is late"),
    ("{any: [{before: 08:00}, {weekdays: fri}]}", "2026-11-26T08:00:00", "none of any"),
    ("{weekdays: fri, any: [{before: 08:00}, {after: 18:00}]}", "2026-11-28T07:00:00",
     "what stands beside any fails"),
    ("{weekdays: fri, any: [{after: 22:00, before: 06:00}, {after: 12:00, before: 13:00}]}",
     "2026-11-27T05:00:00", "what stands beside any fails on the day on which the span began"),
]  # fmt: skip


@pytest.mark.parametrize(
    ("wanted", "moment", "holds"),
    [pytest.param(wanted, moment, True, id=f"{say} (holds)") for wanted, moment, say in HOLDS]
    + [pytest.param(wanted, moment, False, id=f"{say} (fails)") for wanted, moment, say in FAILS],
)
def test_a_moment_is_in_a_time(wanted: str, moment: str, holds: bool) -> None:
    assert CHECK.is_valid({"t": read(wanted, file="t.yaml").value})
    assert made(written(wanted), BERLIN).holds(at(moment)) is holds


@pytest.mark.parametrize(
    ("wanted", "words"),
    [
        pytest.param(NIGHT, "after 22:30, before 07:00", id="hours"),
        pytest.param("{before: 07:00, after: 22:30}", "after 22:30, before 07:00", id="our order"),
        pytest.param("{weekdays: mon..fri}", "on mon..fri", id="weekdays"),
        pytest.param("{days: [1, -1]}", "on days 1 or -1", id="days"),
        pytest.param("{months: nov..feb, years: 2027}", "in nov..feb, in 2027", id="months, years"),
        pytest.param(
            "{dates: [12-24..12-26, 2027-01-01]}", "on 12-24..12-26 or 2027-01-01", id="dates"
        ),
        pytest.param("{days: [1, 2, 3, 4, 5, 6]}", "on days 1 or 2 or 3 or 4 or 5 or …", id="many"),
        pytest.param(
            "{after: 22:30, timezone: Europe/Berlin}", "after 22:30, in Europe/Berlin", id="a zone"
        ),
        pytest.param("{any: [{before: 08:00}, {after: 18:00}]}", "before 08:00 or after 18:00",
                     id="any"),
        pytest.param(
            "{months: may, any: [{before: 08:00}, {after: 18:00, days: 1}]}",
            "in may, (before 08:00 or (after 18:00, on days 1))",
            id="keys beside any",
        ),
    ],
)  # fmt: skip
def test_a_time_in_words(wanted: str, words: str) -> None:
    assert made(written(wanted)).words == words


def test_the_clock_that_a_time_looks_at_in_words() -> None:
    moment = at("2026-11-27T22:30:05.9")
    assert made({"after": "22:30"}, BERLIN).clock(moment) == "fri 2026-11-27 22:30:05"
    there = made({"timezone": "America/New_York", "any": [{"days": "1"}, {"after": "22:30"}]})
    assert there.clock(moment) == "fri 2026-11-27 16:30:05"


# --- what is wrong --------------------------------------------------------------------------

WEEKDAY = "is not a weekday such as mon, or a range such as mon..fri"
DAY = "is not a day of the month (1 to 31, or -1 for its last), or a range such as 1..7"
MONTH = "is not a month such as nov, or a range such as nov..feb"
YEAR = "is not a year such as 2027, or a range such as 2027..2029"
DATE = "is not a date (MM-DD for every year, or YYYY-MM-DD), or a range such as 12-24..12-26"
CLOCK = "is not a time of day such as 22:30"
NEVER = "this time never holds: "
EITHER = "(for one or the other say any: [{…}, {…}])"
ALL_WEEKDAYS = "(one of mon, tue, wed, thu, fri, sat, sun)"
ALL_KEYS = "after, before, weekdays, days, months, years, dates, timezone, any"

WRONG = [
    # keys
    ("{weekday: mon}", "/weekday unknown-key: 'weekday' is no key of a time (say 'weekdays')"),
    ("{start: 22:00}", "/start unknown-key: 'start' is no key of a time (say 'after')"),
    ("{befor: 07:00}", "/befor unknown-key: 'befor' is no key of a time (did you mean 'before'?)"),
    ("{xyz: 1}", "/xyz unknown-key: 'xyz' is no key of a time"),
    # weekdays
    ("{weekdays: monday}", f"/weekdays wrong-value: 'monday' {WEEKDAY} (say 'mon')"),
    ("{weekdays: Mon}", f"/weekdays wrong-value: 'Mon' {WEEKDAY} (say 'mon')"),
    ("{weekdays: tues}", f"/weekdays wrong-value: 'tues' {WEEKDAY} (say 'tue')"),
    ("{weekdays: Fridays}", f"/weekdays wrong-value: 'Fridays' {WEEKDAY} (say 'fri')"),
    ("{weekdays: mo-fr}", f"/weekdays wrong-value: 'mo-fr' {WEEKDAY} (say 'mon..fri')"),
    ("{weekdays: mon - fri}", f"/weekdays wrong-value: 'mon - fri' {WEEKDAY} (say 'mon..fri')"),
    ("{weekdays: Monday to Friday}",
     f"/weekdays wrong-value: 'Monday to Friday' {WEEKDAY} (say 'mon..fri')"),
    ("{weekdays: mon...fri}", f"/weekdays wrong-value: 'mon...fri' {WEEKDAY} (say 'mon..fri')"),
    ("{weekdays: weekend}", f"/weekdays wrong-value: 'weekend' {WEEKDAY} (say 'sat..sun')"),
    ("{weekdays: 'mon, wed, fri'}",
     f"/weekdays wrong-value: 'mon, wed, fri' {WEEKDAY} (write a list: [mon, wed, fri])"),
    ("{weekdays: mon..wed and fri}",
     f"/weekdays wrong-value: 'mon..wed and fri' {WEEKDAY} (write a list: [mon..wed, fri])"),
    ("{weekdays: mno}", f"/weekdays wrong-value: 'mno' {WEEKDAY} (did you mean 'mon'?)"),
    ("{weekdays: mon..fir}", f"/weekdays wrong-value: 'mon..fir' {WEEKDAY} (did you mean 'fri'?)"),
    ("{weekdays: 1}", f"/weekdays wrong-value: '1' {WEEKDAY} {ALL_WEEKDAYS}"),
    ("{weekdays: nov}", f"/weekdays wrong-value: 'nov' {WEEKDAY} (say 'months: nov')"),
    ("{weekdays: [mon, x]}", f"/weekdays/1 wrong-value: 'x' {WEEKDAY} {ALL_WEEKDAYS}"),
    ("{weekdays: [[mon]]}", f"/weekdays/0 wrong-type: a list {WEEKDAY}"),
    ("{weekdays: true}", f"/weekdays wrong-type: true {WEEKDAY}"),
    ("{weekdays: []}", "/weekdays wrong-value: this list is empty"),
    # days
    ("{days: 0}", f"/days wrong-value: '0' {DAY}"),
    ("{days: 32}", f"/days wrong-value: '32' {DAY}"),
    ("{days: 1.5}", f"/days wrong-value: '1.5' {DAY}"),
    ("{days: 1..}", f"/days wrong-value: '1..' {DAY}"),
    ("{days: 01}", f"/days wrong-value: '01' {DAY} (say '1')"),
    ("{days: 3rd}", f"/days wrong-value: '3rd' {DAY} (say '3')"),
    ("{days: last}", f"/days wrong-value: 'last' {DAY} (say '-1')"),
    ("{days: 1-7}", f"/days wrong-value: '1-7' {DAY} (say '1..7')"),
    ("{days: -3 to -1}", f"/days wrong-value: '-3 to -1' {DAY} (say '-3..-1')"),
    ("{days: 12-24}", f"/days wrong-value: '12-24' {DAY} (say '12..24', or 'dates: 12-24')"),
    ("{days: mon..fri}", f"/days wrong-value: 'mon..fri' {DAY} (say 'weekdays: mon..fri')"),
    ("{days: 28..3}",
     ("/days wrong-value: '28..3' runs backwards"
     " (say '3..28', or over the month's end [28..-1, 1..3])")),
    ("{days: -1..-3}", "/days wrong-value: '-1..-3' runs backwards (say '-3..-1')"),
    ("{days: -3..3}", "/days wrong-value: '-3..3' runs over the month's end (say [-3..-1, 1..3])"),
    # months
    ("{months: November}", f"/months wrong-value: 'November' {MONTH} (say 'nov')"),
    ("{months: 11..2}", f"/months wrong-value: '11..2' {MONTH} (say 'nov..feb')"),
    ("{months: sept}", f"/months wrong-value: 'sept' {MONTH} (say 'sep')"),
    ("{months: ju}", f"/months wrong-value: 'ju' {MONTH} (did you mean 'jun'?)"),
    # years
    ("{years: 27}", f"/years wrong-value: '27' {YEAR} (say '2027', or 'days: 27')"),
    ("{years: 2027-2029}", f"/years wrong-value: '2027-2029' {YEAR} (say '2027..2029')"),
    ("{years: 2029..2027}", "/years wrong-value: '2029..2027' runs backwards (say '2027..2029')"),
    ("{years: 1999}", "/years wrong-value: the year 1999 is not one of 2000 to 2099"),
    # dates
    ("{dates: 24.12}", f"/dates wrong-value: '24.12' {DATE} (say '12-24')"),
    ("{dates: 24.12.2026}", f"/dates wrong-value: '24.12.2026' {DATE} (say '2026-12-24')"),
    ("{dates: 24.12.-26.12.}",
     f"/dates wrong-value: '24.12.-26.12.' {DATE} (say '12-24..12-26')"),
    ("{dates: 24/12}", f"/dates wrong-value: '24/12' {DATE} (say '12-24')"),
    ("{dates: 5/6}", f"/dates wrong-value: '5/6' {DATE}"),
    ("{dates: 2026/5/6}", f"/dates wrong-value: '2026/5/6' {DATE} (say '2026-05-06')"),
    ("{dates: 1-1}", f"/dates wrong-value: '1-1' {DATE} (say '01-01')"),
    ("{dates: Dec 24}", f"/dates wrong-value: 'Dec 24' {DATE} (say '12-24')"),
    ("{dates: 24th december 2026}",
     f"/dates wrong-value: '24th december 2026' {DATE} (say '2026-12-24')"),
    ("{dates: smarch 24}", f"/dates wrong-value: 'smarch 24' {DATE}"),
    ("{dates: 2027}", f"/dates wrong-value: '2027' {DATE} (say 'years: 2027')"),
    ("{dates: 02-30}", "/dates wrong-value: there is no day 02-30 (feb has 29 days)"),
    ("{dates: 2027-02-29}",
     "/dates wrong-value: there is no day 2027-02-29 (feb 2027 has 28 days)"),
    ("{dates: 24-12}", "/dates wrong-value: there is no day 24-12 (say '12-24')"),
    ("{dates: 2026-24-12}", "/dates wrong-value: there is no day 2026-24-12 (say '2026-12-24')"),
    ("{dates: 13-32}",
     "/dates wrong-value: there is no day 13-32 (the month stands before the day, 01 to 12)"),
    ("{dates: 2207-01-01}", "/dates wrong-value: the year 2207 is not one of 2000 to 2099"),
    ("{dates: 2027-01-06..2026-12-24}",
     ("/dates wrong-value: '2027-01-06..2026-12-24' runs backwards"
     " (say '2026-12-24..2027-01-06')")),
    ("{dates: 2026-12-24..01-06}",
     ("/dates wrong-value: of '2026-12-24..01-06' one end has a year and the other has none"
     " (write both as MM-DD, or both as YYYY-MM-DD)")),
    # hours
    ("{after: 7}", f"/after wrong-value: '7' {CLOCK} (say '07:00')"),
    ("{after: 7:00}", f"/after wrong-value: '7:00' {CLOCK} (say '07:00')"),
    ("{after: 22.30}", f"/after wrong-value: '22.30' {CLOCK} (say '22:30')"),
    ("{after: 7 pm}", f"/after wrong-value: '7 pm' {CLOCK} (say '19:00')"),
    ("{after: 12am}", f"/after wrong-value: '12am' {CLOCK} (say '00:00')"),
    ("{before: midnight}", f"/before wrong-value: 'midnight' {CLOCK} (say '24:00')"),
    ("{after: midnight}", f"/after wrong-value: 'midnight' {CLOCK} (say '00:00')"),
    ("{after: 13 pm}", f"/after wrong-value: '13 pm' {CLOCK} (HH:MM or HH:MM:SS, 00:00 to 24:00)"),
    ("{after: 25:00}", f"/after wrong-value: '25:00' {CLOCK} (HH:MM or HH:MM:SS, 00:00 to 24:00)"),
    ("{after: 24:01}", f"/after wrong-value: '24:01' {CLOCK} (HH:MM or HH:MM:SS, 00:00 to 24:00)"),
    ("{after: sunset}",
     (f"/after wrong-value: 'sunset' {CLOCK}"
     " (when the sun rises and sets is not known here: write a time such as 20:00)")),
    ("{after: 22:30..07:00}",
     f"/after wrong-value: '22:30..07:00' {CLOCK} (say 'after: 22:30' and 'before: 07:00')"),
    ("{after: [22:30]}",
     (f"/after wrong-type: a list {CLOCK}"
     " (for several spans say any: [{after: …, before: …}, …])")),
    # zones
    ("{timezone: Berlin}",
     "/timezone unknown-zone: no time zone is called 'Berlin' (did you mean 'Europe/Berlin'?)"),
    ("{timezone: ../../etc/passwd}",
     "/timezone unknown-zone: no time zone is called '../../etc/passwd' (such as Europe/Berlin)"),
    ("{timezone: [x]}",
     "/timezone wrong-type: a list is not a time zone's name (such as Europe/Berlin)"),
    # maps
    ("{}", f"/ wrong-value: this mapping is empty (its keys: {ALL_KEYS})"),
    ("night", "/ wrong-type: 'night' is not a mapping (such as {after: 22:30})"),
    ("[{after: 22:30}]", "/ wrong-type: a list is not a mapping (say any: [{…}, {…}])"),
    ("{any: {after: 22:30}}",
     ("/any wrong-type: a mapping is not a list"
     " (such as any: [{before: 08:00}, {weekdays: sun}])")),
    ("{any: []}", "/any wrong-value: this list is empty"),
    ("{any: [{}]}", f"/any/0 wrong-value: this mapping is empty (its keys: {ALL_KEYS})"),
    ("{any: [{after: 10:00}, 5]}",
     "/any/1 wrong-type: '5' is not a mapping (such as {after: 22:30})"),
    ("{days: 1, any: [{days: 2}]}",
     "/any/0/days two-keys: 'days' stands in the mapping around this one too (say it once)"),
    # never
    ("{after: 10:00, before: 10:00}",
     (f"/before never-holds: {NEVER}from 10:00 to 10:00 there is nothing"
     " (without 'after' and 'before' it is the whole day)")),
    ("{before: 00:00}",
     (f"/before never-holds: {NEVER}from 00:00 to 00:00 there is nothing"
     " (midnight as the day's end is 24:00)")),
    ("{after: 24:00}",
     (f"/after never-holds: {NEVER}from 24:00 to 24:00 there is nothing"
     " (midnight as the day's beginning is 00:00)")),
    ("{after: 10:00, any: [{before: 10:00}]}",
     (f"/any/0/before never-holds: {NEVER}from 10:00 to 10:00 there is nothing"
     " (without 'after' and 'before' it is the whole day)")),
    ("{days: 31, months: feb}",
     f"/months never-holds: {NEVER}no day fits 'days: 31' and 'months: feb' together {EITHER}"),
    ("{months: [feb, apr], days: 31}",
     f"/days never-holds: {NEVER}no day fits 'months: feb, apr' and 'days: 31' together {EITHER}"),
    ("{days: 31..-5}", f"/days never-holds: {NEVER}no day fits 'days: 31..-5'"),
    ("{years: 2027, dates: 02-29}",
     f"/dates never-holds: {NEVER}no day fits 'years: 2027' and 'dates: 02-29' together {EITHER}"),
    ("{dates: 2026-11-27, weekdays: mon..thu}",
     (f"/weekdays never-holds: {NEVER}no day fits 'dates: 2026-11-27' and 'weekdays: mon..thu'"
     f" together {EITHER}")),
    ("{weekdays: mon, months: feb, dates: 12-24}",
     f"/dates never-holds: {NEVER}no day fits 'months: feb' and 'dates: 12-24' together {EITHER}"),
    ("{weekdays: mon, dates: 02-29, years: 2020..2030}",
     (f"/years never-holds: {NEVER}no day fits 'weekdays: mon' and 'dates: 02-29' and"
     f" 'years: 2020..2030' together {EITHER}")),
    ("{months: feb, any: [{days: 1}, {days: 31}]}",
     f"/any/1/days never-holds: {NEVER}no day fits 'months: feb' and 'days: 31' together {EITHER}"),
    ("{months: feb, days: 31, any: [{before: 08:00}, {after: 18:00}]}",
     f"/days never-holds: {NEVER}no day fits 'months: feb' and 'days: 31' together {EITHER}"),
]  # fmt: skip


def problems(wanted: Any) -> tuple[TimeProblem, ...]:
    """All that is wrong with *wanted*; none of it if it is a time."""
    try:
        made(wanted).holds(0)
    except TimeError as exc:
        return exc.problems
    return ()


def told(wanted: Any) -> list[str]:
    return [
        f"/{'/'.join(map(str, problem.path))} {problem.code}: {problem}"
        for problem in problems(wanted)
    ]


@pytest.mark.parametrize(
    ("wanted", "expected"), [pytest.param(wanted, said, id=wanted) for wanted, said in WRONG]
)
def test_a_mistake_is_told_with_what_to_write(wanted: str, expected: str) -> None:
    assert told(written(wanted)) == [expected]


def test_all_mistakes_of_a_time_are_told_at_once() -> None:
    wanted = "{after: 7, weekdays: [mno, mon, 8], x: 1, any: [{days: 0}, {timezone: Z, days: 31}]}"
    assert told(written(wanted)) == [
        f"/after wrong-value: '7' {CLOCK} (say '07:00')",
        f"/weekdays/0 wrong-value: 'mno' {WEEKDAY} (did you mean 'mon'?)",
        f"/weekdays/2 wrong-value: '8' {WEEKDAY} {ALL_WEEKDAYS}",
        "/x unknown-key: 'x' is no key of a time",
        f"/any/0/days wrong-value: '0' {DAY}",
        "/any/1/timezone unknown-zone: no time zone is called 'Z' (such as Europe/Berlin)",
    ]


def test_the_last_moment_that_a_float_can_tell_is_before_the_bound() -> None:
    just_before = math.nextafter(at("2026-11-27T22:30:00"), 0)
    assert not made({"after": "22:30"}, BERLIN).holds(just_before)
    assert made({"before": "22:30"}, BERLIN).holds(just_before)


def test_the_names_of_zones_are_only_asked_for_where_one_is_unknown() -> None:
    def names() -> list[str]:
        raise AssertionError

    wanted = {"timezone": "Europe/Berlin", "before": "07:00"}
    assert compile_time(wanted, zone=UTC, zones=zones.find, zone_names=names).holds(0)


# --- changes of the clock -------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """One change of a zone's clock."""

    zone: str
    law: str
    """The zone's rules as POSIX writes them, from which C's `date` computes."""
    day: str
    """The local day whose clock is changed."""
    minutes: int
    """How many that day has."""


BERLINS = "CET-1CEST,M3.5.0,M10.5.0/3"
NEW_YORKS = "EST5EDT,M3.2.0,M11.1.0"
LORD_HOWES = "<+1030>-10:30<+11>-11,M10.1.0,M4.1.0"
SANTIAGOS = "<-04>4<-03>,M9.1.6/24,M4.1.6/24"
CHANGES = {
    "Berlin skips 02:00 to 03:00": Change(
        zone="Europe/Berlin", law=BERLINS, day="2026-03-29", minutes=23 * 60
    ),
    "Berlin has 02:00 to 03:00 twice": Change(
        zone="Europe/Berlin", law=BERLINS, day="2026-10-25", minutes=25 * 60
    ),
    "New York skips 02:00 to 03:00": Change(
        zone="America/New_York", law=NEW_YORKS, day="2026-03-08", minutes=23 * 60
    ),
    "New York has 01:00 to 02:00 twice": Change(
        zone="America/New_York", law=NEW_YORKS, day="2026-11-01", minutes=25 * 60
    ),
    "Lord Howe skips 02:00 to 02:30": Change(
        zone="Australia/Lord_Howe", law=LORD_HOWES, day="2026-10-04", minutes=24 * 60 - 30
    ),
    "Lord Howe has 01:30 to 02:00 twice": Change(
        zone="Australia/Lord_Howe", law=LORD_HOWES, day="2026-04-05", minutes=24 * 60 + 30
    ),
    "Santiago skips 00:00 to 01:00": Change(
        zone="America/Santiago", law=SANTIAGOS, day="2026-09-06", minutes=23 * 60
    ),
    "Santiago has 23:00 to 24:00 twice": Change(
        zone="America/Santiago", law=SANTIAGOS, day="2026-04-04", minutes=25 * 60
    ),
}
each_change = pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES.keys())


@dataclass(frozen=True, slots=True, kw_only=True)
class Shown:
    """What the wall clock shows at one moment."""

    moment: int
    clock: str
    """``02:30:00``"""
    day: tuple[str, str]
    """Date and weekday: ``("2026-03-29", "sun")``."""
    day_before: tuple[str, str]


@cache
def shown_around(change: Change) -> tuple[Shown, ...]:
    """Every minute from the day before the change to the day after it, as `date` has it."""
    noon = int(datetime.fromisoformat(f"{change.day}T12:00:00+00:00").timestamp())
    moments = range(noon - 3 * 86_400, noon + 2 * 86_400, 60)
    done = subprocess.run(
        ["date", "--file=-", "+%F %a %T"],
        input="".join(f"@{moment}\n" for moment in moments),
        env={"PATH": "/usr/bin:/bin", "TZ": change.law, "LC_ALL": "C"},
        capture_output=True,
        text=True,
        check=True,
    )
    lines = [line.lower().split() for line in done.stdout.splitlines()]
    days = list(dict.fromkeys((day, weekday) for day, weekday, _ in lines))
    before = dict(zip(days[1:], days, strict=False))
    return tuple(
        Shown(moment=moment, clock=clock, day=(day, weekday), day_before=before[day, weekday])
        for moment, (day, weekday, clock) in zip(moments, lines, strict=True)
        if (day, weekday) in before
    )


def expected(wanted: Mapping[str, Any], shown: Shown) -> bool:
    """Whether *wanted* holds, by comparing what the clock shows as text."""
    after, before = wanted.get("after", "00:00:00"), wanted.get("before", "24:00:00")
    day = shown.day
    if after < before:
        inside = after <= shown.clock < before
    elif shown.clock < before:
        inside, day = True, shown.day_before
    else:
        inside = after <= shown.clock
    date_, weekday = day
    dates, weekdays = wanted.get("dates"), wanted.get("weekdays")
    return (
        inside
        and (weekdays is None or weekday in weekdays)
        and (dates is None or date_ in dates or date_[5:] in dates)
    )


def times_around(change: Change) -> Iterator[dict[str, Any]]:
    """Times whose ends lie in, at and beside what is skipped or comes twice."""
    day = change.day
    ends = ["00:00", "00:30", "01:00", "01:30", "01:59", "02:00", "02:15", "02:30", "02:45"]
    ends += ["02:59", "03:00", "03:01", "12:00", "22:00", "22:59", "23:00", "23:30", "23:59"]
    clocks = [f"{end}:00" for end in ends]
    yield from ({"after": clock} for clock in clocks)
    yield from ({"before": clock} for clock in clocks[1:])
    for after, before in zip(clocks, [*clocks[1:], clocks[0]], strict=True):
        yield {"after": after, "before": before}
        yield {"after": before, "before": after}
    night = {"after": "22:00:00", "before": "06:00:00"}
    yield from ({**night, "weekdays": [word]} for word in WEEKDAYS)
    yield from ({"weekdays": [word]} for word in WEEKDAYS)
    yield from ({**part, "dates": [day]} for part in ({}, night, {"after": "02:30:00"}))
    yield from ({**part, "dates": [day[5:]]} for part in ({}, night, {"before": "02:30:00"}))
    yield {"after": "23:30:00", "before": "00:30:00", "weekdays": ["sat", "sun"]}
    yield {"after": "02:45:00", "before": "02:15:00", "weekdays": ["sat"]}
    yield {"after": "02:00:00", "before": "24:00:00", "dates": [day]}


@each_change
def test_the_wall_clock_of_every_minute_decides_when_clocks_change(change: Change) -> None:
    minutes = shown_around(change)
    assert sum(shown.day[0] == change.day for shown in minutes) == change.minutes
    zone = ZoneInfo(change.zone)
    wrong = [
        (wanted, shown)
        for wanted in times_around(change)
        for holds in [made(wanted, zone).holds]
        for shown in minutes
        if holds(shown.moment) is not expected(wanted, shown)
    ]
    assert wrong == []


@each_change
def test_every_minute_is_in_its_own_minute_and_in_no_other(change: Change) -> None:
    zone = ZoneInfo(change.zone)
    marks = [f"{minute // 60:02}:{minute % 60:02}" for minute in range(24 * 60 + 1)]
    own = {
        mark: made({"after": mark, "before": following}, zone)
        for mark, following in pairwise(marks)
    }
    for shown in shown_around(change):
        mark = shown.clock[:5]
        assert own[mark].holds(shown.moment)
        assert own[mark].holds(shown.moment + 59.999)
        for other in (marks[marks.index(mark) - 1], marks[marks.index(mark) + 1]):
            assert other == "24:00" or not own[other].holds(shown.moment)


@each_change
def test_the_clock_in_words_is_what_date_shows(change: Change) -> None:
    time = made({"before": "24:00"}, ZoneInfo(change.zone))
    for shown in shown_around(change):
        day, weekday = shown.day
        assert time.clock(shown.moment) == f"{weekday} {day} {shown.clock}"


@pytest.mark.parametrize(
    ("moment", "holds"),
    [
        pytest.param("2026-03-29T00:59:59+00:00", False, id="spring: 01:59:59"),
        pytest.param("2026-03-29T01:00:00+00:00", False, id="spring: 03:00:00 comes next"),
        pytest.param("2026-10-25T00:30:00+00:00", True, id="autumn: 02:30 in summer time"),
        pytest.param("2026-10-25T01:00:00+00:00", False, id="autumn: 02:00 again"),
        pytest.param("2026-10-25T01:30:00+00:00", True, id="autumn: 02:30 again"),
    ],
)
def test_half_past_two_never_comes_in_spring_and_twice_in_autumn(moment: str, holds: bool) -> None:
    time = made({"after": "02:30", "before": "02:31"}, BERLIN)
    assert time.holds(datetime.fromisoformat(moment).timestamp()) is holds


# --- properties -----------------------------------------------------------------------------

clocks = st.integers(0, 24 * 60).map(lambda minute: f"{minute // 60:02}:{minute % 60:02}")
dates_of_a_leap_year = [date(2028, 1, 1) + timedelta(day) for day in range(366)]
annual = st.sampled_from([f"{day:%m-%d}" for day in dates_of_a_leap_year])
once = st.dates(date(2000, 1, 1), date(2099, 12, 31)).map(str)
numbers = st.integers(-31, 31).filter(bool)
years = st.integers(2000, 2099)
moments = st.floats(at("2000-01-02T00:00", UTC), at("2099-12-31T00:00", UTC))


def ranges(ends: st.SearchStrategy[Any], *, ordered: bool = False) -> st.SearchStrategy[str]:
    pairs = st.tuples(ends, ends)
    pairs = pairs.map(lambda pair: tuple(sorted(pair))) if ordered else pairs
    return ends.map(str) | pairs.map(lambda pair: f"{pair[0]}..{pair[1]}")


def listed(texts: st.SearchStrategy[str]) -> st.SearchStrategy[Any]:
    return texts | st.lists(texts, min_size=1, max_size=3)


from_the_end = st.integers(-31, -1)
asked_days = {
    "weekdays": listed(ranges(st.sampled_from(WEEKDAYS))),
    "days": listed(
        ranges(st.integers(1, 31), ordered=True)
        | ranges(from_the_end, ordered=True)
        | st.tuples(st.integers(1, 31), from_the_end).map(lambda ends: f"{ends[0]}..{ends[1]}")
    ),
    "months": listed(ranges(st.sampled_from(MONTHS))),
    "years": listed(ranges(years, ordered=True)),
    "dates": listed(ranges(annual) | ranges(once, ordered=True)),
}
asked = asked_days | {
    "after": clocks, "before": clocks, "timezone": st.sampled_from(ZONES),
}  # fmt: skip


def maps(keys: Iterable[str], most: int) -> st.SearchStrategy[dict[str, Any]]:
    """Maps with one to so many of these keys: with more, hardly one would ever hold."""
    chosen = st.lists(st.sampled_from(sorted(keys)), unique=True, min_size=1, max_size=most)
    return chosen.flatmap(lambda some: st.fixed_dictionaries({key: asked[key] for key in some}))


def held(wanted: Any, moment: float) -> bool | None:
    """Whether it holds; None if it never does, and that is all that is wrong with it."""
    if wrong := problems(wanted):
        assert {problem.code for problem in wrong} == {"never-holds"}
        return None
    return made(wanted).holds(moment)


def on(key: str, wanted: Any, day: date) -> bool:
    """Whether *day* is one of those that *wanted* of *key* asks for, found by walking."""
    return any(
        _in_range(key, text, day) for text in (wanted if isinstance(wanted, list) else [wanted])
    )


def _in_range(key: str, text: str, day: date) -> bool:
    first, last = text.split("..") if ".." in text else (text, text)
    length = calendar.monthrange(day.year, day.month)[1]
    match key:
        case "weekdays":
            return _walks(WEEKDAYS, first, last, f"{day:%a}".lower())
        case "months":
            return _walks(MONTHS, first, last, f"{day:%b}".lower())
        case "years":
            return int(first) <= day.year <= int(last)
        case "days":
            from_end = day.day - length - 1
            return (day.day if int(first) > 0 else from_end) >= int(first) and (
                day.day if int(last) > 0 else from_end
            ) <= int(last)
    if len(first) == len("YYYY-MM-DD"):
        return first <= str(day) <= last
    return _walks([f"{each:%m-%d}" for each in dates_of_a_leap_year], first, last, f"{day:%m-%d}")


def _walks(circle: Any, first: str, last: str, wanted: str) -> bool:
    place = circle.index(first)
    while circle[place] != last:
        if circle[place] == wanted:
            return True
        place = (place + 1) % len(circle)
    return wanted == last


@given(maps(asked_days, 5), st.dates(date(2000, 1, 1), date(2099, 12, 31)))
def test_days_are_those_that_are_found_by_walking(wanted: dict[str, Any], day: date) -> None:
    noon = datetime(day.year, day.month, day.day, 12, tzinfo=UTC).timestamp()
    wanted_then = all(on(key, wanted[key], day) for key in wanted)
    assert bool(held(wanted, noon)) is wanted_then  # None: refused, for it never holds


@given(st.fixed_dictionaries({"days": st.just("29..31"), "months": st.just("feb")}, optional={
    "weekdays": st.sampled_from(WEEKDAYS), "years": ranges(years, ordered=True),
    "dates": ranges(once, ordered=True) | annual,
}))  # fmt: skip
def test_what_never_holds_is_refused_and_nothing_else(wanted: dict[str, Any]) -> None:
    leap_days = [date(year, 2, 29) for year in range(2000, 2100, 4)]
    ever = any(all(on(key, wanted[key], day) for key in wanted) for day in leap_days)
    if ever:
        made(wanted)
    else:
        assert "never-holds" in told(wanted)[0]


@given(maps(asked, 3), maps(asked, 3), moments)
def test_any_is_the_or_of_its_parts(
    one: dict[str, Any], other: dict[str, Any], moment: float
) -> None:
    parts = held(one, moment), held(other, moment)
    assert held({"any": [one, other]}, moment) is (None if None in parts else any(parts))


@given(st.data(), maps(asked, 2), moments)
def test_what_stands_beside_any_is_as_if_it_stood_in_each_of_its_maps(
    data: st.DataObject, beside: dict[str, Any], moment: float
) -> None:
    inner = data.draw(st.lists(maps(asked.keys() - beside, 2), min_size=1, max_size=3))
    spread = [{**beside, **each} for each in inner]
    assert held({**beside, "any": inner}, moment) is held({"any": spread}, moment)


@given(clocks, clocks, moments)
def test_a_moment_is_in_a_span_or_in_what_is_left_of_the_day(
    start: str, end: str, moment: float
) -> None:
    assume({start, end} != {"00:00", "24:00"} and start != end)
    inside = made({"after": start, "before": end}, BERLIN).holds(moment)
    outside = made({"after": end, "before": start}, BERLIN).holds(moment)
    assert inside is not outside


@pytest.mark.parametrize(
    ("key", "circle"),
    [
        pytest.param("weekdays", WEEKDAYS, id="weekdays"),
        pytest.param("months", MONTHS, id="months"),
        pytest.param("dates", [f"{day:%m-%d}" for day in dates_of_a_leap_year], id="dates"),
    ],
)
@given(data=st.data(), moment=moments)
def test_a_range_is_the_list_of_its_members_also_where_it_goes_round(
    key: str, circle: list[str], data: st.DataObject, moment: float
) -> None:
    first, steps = data.draw(st.sampled_from(range(len(circle)))), len(circle) - 1
    members = [
        circle[(first + step) % len(circle)] for step in range(data.draw(st.integers(0, steps)) + 1)
    ]
    as_range = made({key: f"{members[0]}..{members[-1]}"})
    assert as_range.holds(moment) is made({key: members}).holds(moment)


@given(
    st.sampled_from([("days", 1, 31), ("days", -31, -1), ("years", 2000, 2099)]), st.data(), moments
)
def test_a_range_of_numbers_is_the_list_of_its_members(
    asked: tuple[str, int, int], data: st.DataObject, moment: float
) -> None:
    key, least, most = asked
    first = data.draw(st.integers(least, most))
    last = data.draw(st.integers(first, most))
    as_list = [str(member) for member in range(first, last + 1)]
    assert made({key: f"{first}..{last}"}).holds(moment) is made({key: as_list}).holds(moment)


words = (
    st.sampled_from(
        ["", "..", "mon", "monday", "1", "-1", "0", "31", "2027", "12-24", "2027-01-01", "24.12.",
         "22:30", "7 pm", "24:00", "noon", "mon..", "..fri", "feb", "weekend", "Europe", "x\n",
         "\u0661", "²", "mon\n", "12-24\n", "22:30\n", "Europe/Berlin"]
    )
    | st.text(max_size=12)
    | st.from_regex(r"[0-9.:/ -]{1,24}", fullmatch=True)
)  # fmt: skip
scalars = words | st.tuples(words, words).map("..".join) | st.none() | st.booleans()
values = scalars | st.lists(scalars, max_size=3)
some_maps: st.SearchStrategy[Any] = st.deferred(
    lambda: (
        st.dictionaries(st.sampled_from(KEYS[:-1]) | words, values, max_size=4)
        | st.fixed_dictionaries({"any": st.lists(some_maps, max_size=3) | values})
    )
)


@given(some_maps | values)
def test_anything_is_a_time_or_is_told_with_its_place(wanted: Any) -> None:
    wrong = problems(wanted)
    for problem in wrong:
        assert problem.code
        assert str(problem).isprintable()
        value = wanted
        for step in problem.path:
            value = value[step]
    assert wrong or CHECK.is_valid({"t": wanted}), "what the schema refuses is refused here too"


@given(some_maps)
def test_a_hint_that_says_what_to_write_can_be_written(wanted: Any) -> None:
    for problem in problems(wanted):
        key = next((key for key in reversed(problem.path) if isinstance(key, str)), "")
        if problem.code == "wrong-value" and problem.hint.startswith("say '"):
            said = problem.hint.split("'")[1]
            other = written("{" + (said if ": " in said else f"{key}: {said}") + "}")
            assert {each.code for each in problems(other)} <= {"never-holds"}


# --- the schema -----------------------------------------------------------------------------


def test_the_schema_knows_the_keys_and_the_words_of_other_systems() -> None:
    part = SCHEMA["$defs"]["time"]
    assert tuple(part["properties"]) == KEYS
    assert part["x-other-words"] == OTHER_WORDS
    assert set(OTHER_WORDS.values()) <= set(KEYS)
    assert not OTHER_WORDS.keys() & set(KEYS)


def test_the_schema_says_what_is_wanted_in_the_same_words() -> None:
    parts = SCHEMA["$defs"]["time"]["properties"]
    for key in ("after", "before", *DAY_KEYS):
        wanted = DAY_KEYS[key].wanted if key in DAY_KEYS else WANTED
        places = [parts[key], parts[key]["items"]] if key in DAY_KEYS else [parts[key]]
        for place in places:
            assert place["x-wanted"] == wanted
            assert place["pattern"] == parts[key]["pattern"]


@pytest.mark.parametrize("key", KEYS)
def test_every_key_has_a_description_and_examples_that_are_times(key: str) -> None:
    part = SCHEMA["$defs"]["time"]["properties"][key]
    assert part["description"]
    assert part["examples"]
    for example in part["examples"]:
        assert CHECK.is_valid({"t": {key: example}})
        text = json.dumps({key: example})
        assert made(written(text)).words


def test_the_examples_of_the_schema_are_times() -> None:
    for example in SCHEMA["examples"]:
        assert CHECK.is_valid(example)
        assert [made(each).words for each in example.values()]


def test_the_time_of_a_day_that_the_language_shows() -> None:
    shown = "times:\n  night: {after: 22:30, before: 07:00}\n"
    value = read(shown, file="t.yaml").value["times"]
    assert CHECK.is_valid(value)
    assert made(value["night"]).words == "after 22:30, before 07:00"
