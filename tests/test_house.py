"""A simulated day is the same each time, of the PBX's form, and as was wished."""

import random
from collections import Counter
from dataclasses import replace
from datetime import UTC, datetime
from itertools import islice, pairwise
from zoneinfo import ZoneInfo

import pytest

from bench import joining
from pbxrules.pbx.arrivals import STATUS, Sent
from pbxrules.pbx.compose import encode
from pbxrules.pbx.curves import Curve
from pbxrules.pbx.house import OFFLINE, Day, House
from pbxrules.pbx.tables import ACTIONS
from tests.reports import event_of

START_S = datetime(2026, 11, 23, 8, tzinfo=UTC).timestamp()
EXTENSIONS = tuple(str(number) for number in range(101, 141))
HOUSE = House(
    extensions=EXTENSIONS,
    trunks=("to-18-16-2", "sip-berlin"),
    groups=(EXTENSIONS[:4], EXTENSIONS[10:13]),
    curve=Curve.of("100"),
    missed=0.2,
    passed_on=0.1,
    again=0.05,
)


def day(house: House = HOUSE, *, seed: int = 1, hours: float = 4, zone: str = "UTC") -> Day:
    chance = random.Random(seed)  # noqa: S311 - no secret
    return Day(house, chance, start_s=START_S, duration_s=3600 * hours, zone=ZoneInfo(zone))


def made(house: House = HOUSE, *, seed: int = 1, hours: float = 4, zone: str = "UTC") -> list[Sent]:
    return list(day(house, seed=seed, hours=hours, zone=zone).arrivals)


def written(sent: list[Sent]) -> list[tuple[float, bytes]]:
    return [(one.at_s, encode(one.report)) for one in sent]


SENT = made()


def test_the_same_seed_gives_the_same_bytes_at_the_same_times() -> None:
    assert written(made()) == written(SENT)
    assert written(made(seed=2)) != written(SENT)


def test_all_eight_reports_occur_and_are_understood() -> None:
    assert {event_of(encode(one.report)).kind for one in SENT} == set(ACTIONS)


def test_the_reports_come_in_the_order_of_their_times() -> None:
    times = [one.at_s for one in SENT]
    assert times == sorted(times)


# --- The ids ----------------------------------------------------------------------------------


def legs(one: Sent) -> list[tuple[int, int]]:
    """The ids of a report, as epoch and counter."""
    fields = event_of(one.report).fields
    texts = [str(fields[name]) for name in ("call_id", "trunk_call_id") if name in fields]
    parts = [text.partition(".") for text in texts]
    return [(int(epoch), int(counter)) for epoch, _, counter in parts]


def test_ids_are_the_second_in_which_a_leg_was_made_and_a_counter_through_all_calls() -> None:
    found = sorted({leg for one in SENT for leg in legs(one)}, key=lambda leg: leg[1])
    assert all(before[0] <= after[0] for before, after in pairwise(found))
    assert len({counter for _, counter in found}) == len(found)
    assert all(START_S <= epoch <= START_S + SENT[-1].at_s for epoch, _ in found)


def test_the_legs_of_a_call_are_made_within_some_seconds_and_counters() -> None:
    alike: dict[int, set[tuple[int, int]]] = {}
    for one in SENT:
        if not one.kind.endswith("transfer"):
            alike.setdefault(one.call, set()).update(legs(one))
    for found in filter(None, alike.values()):
        epochs, counters = zip(*found, strict=True)
        assert max(epochs) - min(epochs) <= 3
        assert max(counters) - min(counters) <= 20


def test_no_two_calls_share_an_id() -> None:
    calls: dict[tuple[int, int], set[int]] = {}
    for one in SENT:
        for leg in legs(one):
            calls.setdefault(leg, set()).add(one.call)
    assert {len(of) for of in calls.values()} == {1}


@pytest.mark.parametrize("seed", [1, 2])
def test_each_report_finds_its_call(seed: int) -> None:
    sent = [one for one in made(seed=seed, hours=8) if one.event != STATUS]
    scores = joining.Joining().scores
    joining.judge(sent, joining.assigned(sent, joining.events_of(sent), joining.Joining()), scores)
    for kind in (joining.SHARED, joining.AGAIN):
        assert (scores[kind].precision, scores[kind].recall) == (1.0, 1.0), kind
    for kind, score in scores.items():
        assert min(score.precision, score.recall) >= 0.98, kind
    assert sum(score.surely_wrong for score in scores.values()) == 0


# --- What was wished --------------------------------------------------------------------------

LARGE = replace(
    HOUSE, extensions=tuple(str(n) for n in range(1001, 2001)), groups=(("1001", "1002", "1003"),)
)


def shares(house: House) -> tuple[float, float]:
    """Of the calls, those missed and those passed on."""
    fates = {
        one.call: event_of(one.report).fields["status"]
        for one in made(house, hours=20)
        if one.event == "cdr"
    }
    passed = {one.call for one in made(house, hours=20) if one.event == "transfer"}
    missed = sum(fate != "ANSWERED" for fate in fates.values())
    return missed / len(fates), len(passed) / len(fates)


@pytest.mark.parametrize(
    ("missed", "passed_on"),
    [(0.0, 0.0), (0.2, 0.1), (0.5, 0.5), (1.0, 0.0), (0.0, 1.0)],
    ids=["none", "some", "all of one or the other", "all missed", "all passed on"],
)
def test_so_many_calls_are_missed_and_passed_on(missed: float, passed_on: float) -> None:
    found = shares(replace(LARGE, missed=missed, passed_on=passed_on))
    assert found == pytest.approx((missed, passed_on), abs=0.03)


@pytest.mark.parametrize("again", [0.0, 0.1, 1.0], ids=["none", "a tenth", "all"])
def test_so_many_reports_come_twice_but_no_status(again: float) -> None:
    sent = made(replace(HOUSE, again=again))
    of_calls = [one for one in sent if one.event != STATUS and not one.again]
    twice = [one for one in sent if one.again]
    assert len(twice) / len(of_calls) == pytest.approx(again, abs=0.03)
    assert not [one for one in twice if one.event == STATUS]


def test_without_trunks_nobody_calls_in_or_out() -> None:
    kinds = {one.kind for one in made(replace(HOUSE, trunks=()))}
    assert kinds == {"internal", "internal group", "internal transfer", OFFLINE}


def test_without_groups_none_ring_together() -> None:
    assert not [one for one in made(replace(HOUSE, groups=())) if "group" in one.kind]


def test_a_group_rings_those_of_it_who_are_free() -> None:
    rung: dict[int, set[str]] = {}
    for one in SENT:
        if one.event == "ring" and one.kind.endswith("group"):
            rung.setdefault(one.call, set()).add(str(event_of(one.report).fields["callee"]))
    assert rung
    assert all(any(names <= set(group) for group in HOUSE.groups) for names in rung.values())
    assert Counter(map(len, rung.values())).most_common(1)[0][0] in {3, 4}


def test_who_finds_nobody_free_is_counted() -> None:
    full = day(replace(HOUSE, extensions=EXTENSIONS[:4], groups=(), curve=Curve.of("5000")))
    sent = list(full.arrivals)
    assert full.turned_away > full.calls > 0
    assert len({one.call for one in sent if one.kind != OFFLINE}) == full.calls


@pytest.mark.parametrize(
    "house",
    [
        pytest.param(replace(HOUSE, extensions=("101",), groups=(), passed_on=0.0), id="one phone"),
        pytest.param(
            replace(HOUSE, extensions=("101", "102"), groups=(("101", "102"),), trunks=(),
                    passed_on=0.0),
            id="a group that is all there is",
        ),
    ],
)  # fmt: skip
def test_the_smallest_houses_have_calls(house: House) -> None:
    assert {one.event for one in made(house)} > {"ring", "cdr"}


# --- What extensions do -----------------------------------------------------------------------


def test_a_status_is_told_when_it_is_another() -> None:
    calm = replace(HOUSE, again=0.0)
    told: dict[str, list[str]] = {}
    for one in sorted(made(calm), key=lambda one: one.at_s):
        if one.event == STATUS and one.kind != OFFLINE:
            told.setdefault(str(one.report["extension"]), []).append(str(one.report["status"]))
    assert len(told) == len(EXTENSIONS)
    # Those that come late stand in another order; no more of them than do.
    pairs = [pair for words in told.values() for pair in pairwise(words)]
    assert sum(before == after for before, after in pairs) / len(pairs) < 0.02


def test_everybody_is_idle_in_the_end() -> None:
    last: dict[str, tuple[float, str]] = {}
    for one in made(replace(HOUSE, again=0.0), hours=2):
        if one.event == STATUS and one.kind != OFFLINE:
            last[str(one.report["extension"])] = (one.at_s, str(one.report["status"]))
    busy = [name for name, (_, status) in last.items() if status != "Idle"]
    assert len(busy) <= 1  # a last word that came late


def test_a_phone_that_is_gone_comes_back() -> None:
    told: dict[int, list[object]] = {}
    for one in made(hours=20):
        if one.kind == OFFLINE:
            told.setdefault(one.call, []).append(one.report["status"])
    assert told
    assert {tuple(words) for words in told.values()} == {("Unregistered", "Registered")}


def test_who_is_engaged_is_told_by_a_failure_before_any_ring() -> None:
    events: dict[int, set[str]] = {}
    busy = set()
    for one in made(LARGE, hours=20):
        if one.event != STATUS:
            events.setdefault(one.call, set()).add(one.event)
        if one.report.get("status") == "BUSY":
            busy.add(one.call)
    assert len(busy) > 20
    assert {frozenset(events[call]) for call in busy} == {frozenset({"call_failed", "cdr"})}


# --- The record -------------------------------------------------------------------------------


def test_a_record_tells_when_the_call_began_in_the_pbxs_own_time_and_how_long_it_was() -> None:
    records = [event_of(one.report).fields for one in made(zone="Asia/Kolkata")
               if one.event == "cdr"]  # fmt: skip
    for fields in records:
        epoch = int(str(fields["call_id"]).partition(".")[0])
        began = datetime.fromtimestamp(epoch, ZoneInfo("Asia/Kolkata"))
        assert fields["started_at"] == began.strftime("%Y-%m-%d %H:%M:%S")
        whole, talk = fields["duration"], fields["talk_duration"]
        assert isinstance(whole, int)
        assert isinstance(talk, int)
        assert 0 <= talk <= whole <= 700
        assert (talk > 0) == (fields["status"] == "ANSWERED")


def test_reports_are_made_as_they_are_wanted() -> None:
    """A year of ten million calls an hour, of which a few are looked at."""
    endless = replace(LARGE, curve=Curve.of("10000000"))
    one = day(endless, hours=24 * 366)
    assert len(list(islice(one.arrivals, 200))) == 200
    assert one.calls < 5_000
