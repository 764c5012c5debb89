"""Which reports are put in one call: by ids, by nearness, and where it stays in doubt."""

import json
import random
from collections.abc import Iterable, Sequence
from itertools import combinations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench import joining
from pbxrules import shipped
from pbxrules.calls import Call, Calls, Known, assign, surely_one, table
from pbxrules.calls.told import MAX_LISTED, MAX_TEXT
from pbxrules.model import Event, Moment
from pbxrules.pbx.compose import compose
from pbxrules.pbx.tables import ACTIONS
from pbxrules.pbx.traffic import Habits, Sent, traffic
from tests.reports import OTHER_EVENTS, event_of, sample

START = Moment(boot="a boot", uptime_s=500.0, wall_s=1_795_000_000.0)
HOUR_S, DAY_S = 3600.0, 86_400.0


def told(kind: str, leg: str, **fields: str | None) -> Event:
    """The event of a report of the PBX's form; without ``pbx`` it has no sn."""
    return event_of(compose(kind, call_id=leg, **fields))


def ring(leg: str, callee: str = "101", caller: str = "106", **fields: str) -> Event:
    return told("ring", leg, direction="internal", caller=caller, callee=callee, **fields)


def answer(leg: str, callee: str = "101", caller: str = "106", **fields: str) -> Event:
    return told("answer", leg, direction="internal", caller=caller, callee=callee, **fields)


def alert(leg: str, caller: str = "106", **fields: str) -> Event:
    return told("alert", leg, direction="outbound", extension=caller, **fields)


def bye(leg: str, who: str = "101", other: str = "106", **fields: str) -> Event:
    return told("bye", leg, direction="internal", extension=who, other=other, **fields)


def out(kind: str, leg: str, trunk_leg: str, callee: str = "0301", **fields: str) -> Event:
    """Of a call of 106 to the outside."""
    return told(
        kind, leg, direction="outbound", trunk_call_id=trunk_leg, caller="106", callee=callee,
        **fields,
    )  # fmt: skip


def come(kind: str, leg: str, trunk_leg: str, callee: str = "101", **fields: str) -> Event:
    """Of a call of 03, outside."""
    return told(
        kind, leg, direction="inbound", trunk_call_id=trunk_leg, caller="03", callee=callee,
        **fields,
    )  # fmt: skip


class Desk:
    """Assigns events one after the other."""

    def __init__(self, known: Iterable[Known] = ()) -> None:
        self.calls = Calls(known)

    def take(self, event: Event, now: Moment = START) -> Call | None:
        put = assign(self.calls, event, now)
        if put is None:
            return None
        self.calls.apply(put[1])
        return put[0]

    def put(self, event: Event, now: Moment = START) -> Call:
        call = self.take(event, now)
        assert call is not None
        return call


def put_all(events: Iterable[Event], gap_s: float = 0.1) -> list[Call]:
    desk = Desk()
    return [desk.put(event, START.after(n * gap_s)) for n, event in enumerate(events)]


def together(events: Sequence[Event], calls: Sequence[Call]) -> set[frozenset[str]]:
    """The reports of one call, each by what it is, for every call."""
    found: dict[str, set[str]] = {}
    for event, call in zip(events, calls, strict=True):
        found.setdefault(call.id, set()).add(repr(sorted(event.payload.items())))
    return {frozenset(names) for names in found.values()}


# --- The manufacturer's reports -------------------------------------------------------------

REQUESTS = [
    event_of(sample(file.name)) for file in sorted(shipped.folder("openvox").glob("*.http"))
]
OTHERS = [event_of(line) for line in OTHER_EVENTS]
OF_CALLS = [*REQUESTS, *(event for event in OTHERS if event.kind != "extension_status")]
ONE_CALL = [
    OF_CALLS[0:2],  # 101 calls 106
    OF_CALLS[2:4],  # 106 calls 103, outside: two ids
    OF_CALLS[4:6],  # 103, outside, calls 101
    [OF_CALLS[6]],
    OF_CALLS[7:9],  # two byes: two ids
    [OF_CALLS[9]],
    [OF_CALLS[10]],
    [OF_CALLS[11]],
]


@given(st.permutations(OF_CALLS))
def test_the_manufacturers_reports_find_their_calls_in_any_order(events: list[Event]) -> None:
    calls = put_all(events)
    expected = {frozenset(repr(sorted(event.payload.items())) for event in one) for one in ONE_CALL}
    assert together(events, calls) == expected
    assert all(call.sure for call in calls)


def test_a_report_without_a_calls_id_belongs_to_no_call() -> None:
    desk = Desk()
    assert [desk.take(event) for event in OTHERS if event.kind == "extension_status"] == [None]
    assert desk.take(event_of({"action": "Reboot", "sn": "a"})) is None
    assert len(desk.calls) == 0


def test_an_unknown_report_belongs_to_the_call_whose_id_it_bears() -> None:
    ids = [
        call.id
        for call in put_all(
            [ring("100.1"), event_of({"action": "Hold", "callid": "100.1"}),
             event_of({"action": "Hold", "callid": "100.2"})]
        )
    ]  # fmt: skip
    assert ids == ["100.1", "100.1", "100.2"]


# --- What is known of a call ----------------------------------------------------------------


def facts(call: Call) -> tuple[object, ...]:
    return (call.direction, call.caller, call.callee, call.answered, call.ended_s is not None)


@pytest.mark.parametrize(
    ("events", "expected"),
    [
        pytest.param(
            [
                alert("100.1"), ring("100.1"), answer("100.1"), bye("100.1"),
                bye("100.3", "106", "101"),
            ],
            [
                (None, "106", None, False, False),
                ("internal", "106", "101", False, False),
                ("internal", "106", "101", True, False),
                ("internal", "106", "101", True, True),
                ("internal", "106", "101", True, True),
            ],
            id="an internal call",
        ),
        pytest.param(
            [
                alert("100.3"), out("ring", "100.1", "100.1"), out("answer", "100.3", "100.1"),
                out("bye", "100.1", "100.1"), out("bye", "100.3", "100.3"),
                told("cdr", "100.1", direction="outbound", caller="106", callee="160301"),
            ],
            [
                (None, "106", None, False, False),
                ("outbound", "106", "0301", False, False),
                ("outbound", "106", "0301", True, False),
                *[("outbound", "106", "0301", True, True)] * 3,
            ],
            id="a call to the outside keeps the number without the prefix",
        ),
        pytest.param(
            [
                come("alert", "100.3", "100.1", "9"),
                come("ring", "100.3", "100.1"), come("ring", "100.4", "100.1", "102"),
                come("call_failed", "100.3", "100.1"), come("answer", "100.4", "100.1", "102"),
                come("bye", "100.1", "100.1", "102"),
            ],
            [
                ("inbound", "03", "9", False, False),
                *[("inbound", "03", "101", False, False)] * 3,
                ("inbound", "03", "102", True, False),
                ("inbound", "03", "102", True, True),
            ],
            id="of a group the callee is who answered, before that who rang first",
        ),
        pytest.param(
            [ring("100.1"), told("cdr", "100.1", direction="internal", status="NO ANSWER")],
            [("internal", "106", "101", False, False), ("internal", "106", "101", False, True)],
            id="a cdr ends a call that nobody answered",
        ),
        pytest.param(
            [told("cdr", "100.1", direction="internal", caller="106", callee="101")],
            [("internal", "106", "101", True, True)],
            id="a cdr with ANSWERED alone says that it was",
        ),
        pytest.param(
            [ring("100.1"), told("call_failed", "100.1", direction="internal", extension="101")],
            [("internal", "106", "101", False, False)] * 2,
            id="a phone that fails does not end the call: others may ring",
        ),
        pytest.param(
            [
                ring("100.1"), answer("100.1"), bye("100.1"),
                told("transfer", "100.1", direction="internal", extension="102", other="101"),
                ring("100.1", "102"), bye("100.1", "102"),
            ],
            [
                ("internal", "106", "101", False, False),
                ("internal", "106", "101", True, False),
                *[("internal", "106", "101", True, True)] * 2,
                ("internal", "106", "101", True, False),
                ("internal", "106", "101", True, True),
            ],
            id="after a transfer a new ring goes on with the call",
        ),
    ],
)  # fmt: skip
def test_what_is_known_of_a_call_with_each_report(
    events: list[Event], expected: list[tuple[object, ...]]
) -> None:
    calls = put_all(events)
    assert [facts(call) for call in calls] == expected
    assert {call.id for call in calls} == {calls[0].id}
    assert all(call.sure for call in calls)


def test_a_call_tells_every_extension_named_when_it_began_and_ended_and_on_which_pbx() -> None:
    desk = Desk()
    desk.put(ring("100.1"), START)
    desk.put(ring("100.1", "102", pbx="a"), START.after(1))
    desk.put(bye("100.1"), START.after(60))
    call = desk.put(bye("100.3", "106", "101"), START.after(61))
    assert call == Call(
        id="100.1",
        sure=True,
        answered=False,
        caller="106",
        callee="101",
        extensions=("101", "106", "102"),
        started_s=START.wall_s,
        ended_s=START.wall_s + 60,
        direction="internal",
        pbx="a",
        legs=("100.3",),
    )


# --- Whether a report joins a call ----------------------------------------------------------


@pytest.mark.parametrize(
    ("before", "event", "expected"),
    [
        pytest.param([ring("100.1")], bye("100.1"), ("100.1", True), id="the same callid"),
        pytest.param(
            [come("ring", "100.3", "100.1")], come("ring", "900.9", "100.1", "102"),
            ("100.3", True), id="the same id of the trunk, however far the legs",
        ),
        pytest.param(
            [come("ring", "100.3", "100.1")], told("cdr", "100.1", direction="inbound"),
            ("100.3", True), id="the trunk's id as callid",
        ),
        pytest.param(
            [ring("c1")], bye("c1"), ("c1", True), id="an id of another form, if it is the same",
        ),
        pytest.param(
            [ring("c1")], bye("c2"), ("c2", True), id="an id of another form is near to none",
        ),
        pytest.param(
            [out("ring", "100.1", "100.1")], alert("101.3"), ("100.1", True),
            id="the alert of an outbound call after its ring",
        ),
        pytest.param(
            [alert("101.3")], out("ring", "100.1", "100.1"), ("101.3", True),
            id="the alert of an outbound call before its ring",
        ),
        pytest.param(
            [out("ring", "100.1", "100.1"), out("bye", "100.1", "100.1")],
            out("bye", "102.40", "102.40"), ("100.1", True),
            id="the second bye of an outbound call that nobody answered",
        ),
        pytest.param(
            [ring("100.1"), bye("100.1")], bye("100.3", "106", "101"), ("100.1", True),
            id="the second bye of an internal call",
        ),
        pytest.param(
            [ring("100.3")], told("cdr", "100.1", direction="internal", caller="106", callee="101"),
            ("100.3", True), id="the record of an internal call, by its other leg",
        ),
        pytest.param(
            [alert("102.40")],
            told("cdr", "100.1", direction="outbound", caller="106", callee="160301"),
            ("102.40", False), id="the record of a call of which only an alert is known: in doubt",
        ),
        pytest.param(
            [out("ring", "100.1", "100.1", "03")],
            told("cdr", "101.3", direction="outbound", caller="106", callee="1603"),
            ("101.3", True), id="a number too short to be the end of another",
        ),
        pytest.param(
            [ring("100.1"), ring("100.2", "102")], ring("100.3", "103"), ("100.1", True),
            id="a group whose legs bear ids of their own",
        ),
        pytest.param(
            [alert("100.1"), ring("100.1")], alert("100.2"), ("100.1", False),
            id="a second alert at once may be of the group: in doubt",
        ),
        pytest.param(
            [ring("100.1")], ring("100.2"), ("100.2", True),
            id="the same two again, told as ringing by another id, are another call",
        ),
        pytest.param(
            [ring("100.1"), bye("100.1")], bye("100.3"), ("100.3", True),
            id="the same one hangs up again: another call",
        ),
        pytest.param(
            [out("ring", "100.1", "100.1")], out("ring", "100.3", "100.3"), ("100.3", True),
            id="another first leg is another call",
        ),
        pytest.param(
            [come("ring", "100.3", "100.1")], come("ring", "100.4", "100.2"), ("100.4", True),
            id="two calls from outside at once by the same to the same",
        ),
        pytest.param(
            [out("ring", "100.4", "100.4")], alert("100.3"), ("100.3", True),
            id="a leg older than the first one is of another call",
        ),
        pytest.param(
            [out("ring", "100.1", "100.1")], alert("103.3"), ("103.3", True),
            id="three seconds are not near",
        ),
        pytest.param(
            [out("ring", "100.1", "100.1")], alert("100.102"), ("100.102", True),
            id="101 counters are not near",
        ),
        pytest.param(
            [out("ring", "100.1", "100.1")], alert("102.101"), ("100.1", False),
            id="far, and only one party says so: in doubt",
        ),
        pytest.param(
            [out("ring", "100.1", "100.1")], alert("101.3", "107"), ("101.3", True),
            id="another caller",
        ),
        pytest.param(
            [out("ring", "100.1", "100.1")], out("bye", "100.3", "100.3", "04"), ("100.3", True),
            id="another number outside",
        ),
        pytest.param(
            [ring("100.1")], bye("100.3", "101", "107"), ("100.3", True),
            id="a bye of one of the two and somebody else",
        ),
        pytest.param(
            [come("ring", "100.3", "100.1", "106")], alert("100.5"), ("100.5", True),
            id="an extension that is rung from outside hears no ringback",
        ),
        pytest.param(
            [ring("100.1")], out("bye", "100.3", "100.3"), ("100.3", True), id="another way",
        ),
        pytest.param(
            [ring("100.1", pbx="a")], bye("100.1"), ("100.1", True), id="no sn hinders nothing",
        ),
        pytest.param(
            [ring("100.1"), bye("100.1", pbx="a")], bye("100.3", "106", "101", pbx="a"),
            ("100.1", True), id="the sn may come later",
        ),
        pytest.param(
            [ring("100.1", pbx="a")], bye("100.1", pbx="b"), ("100.1#2", True),
            id="another PBX, though the ids are the same",
        ),
        pytest.param(
            [ring("100.1", pbx="a")], bye("100.3", pbx="b"), ("100.3", True),
            id="another PBX, though all is near",
        ),
        pytest.param(
            [ring("100.1", pbx="a"), ring("100.1", pbx="b")], bye("100.1"), ("100.1#2", False),
            id="two PBXs have the id, and none is named: in doubt",
        ),
        pytest.param(
            [out("ring", "100.1", "100.1"), out("ring", "101.20", "101.20", "04")], alert("101.30"),
            ("101.20", False), id="two calls are as likely: in doubt the nearest",
        ),
        pytest.param(
            [out("ring", "100.1", "100.1"), out("ring", "101.20", "101.20", "04")], alert("101.22"),
            ("101.20", True), id="of two calls one is close and the other is not",
        ),
        pytest.param(
            [
                out("ring", "100.1", "100.1"), alert("102.90"), out("answer", "102.90", "100.1"),
            ],
            out("bye", "102.90", "102.90"), ("100.1", True),
            id="a doubt ends when a report bears both ids",
        ),
        pytest.param(
            [ring("100.1"), told("call_failed", "100.1", direction="internal", extension="101")],
            event_of({"action": "CallFailed", "callid": "100.2", "reason": 486}), ("100.2", True),
            id="a failure without parties is near to none",
        ),
    ],
)  # fmt: skip
def test_whether_a_report_joins_a_call(
    before: list[Event], event: Event, expected: tuple[str, bool]
) -> None:
    call = put_all([*before, event])[-1]
    assert (call.id, call.sure) == expected


TRANSFERRED = [
    alert("100.1"), ring("100.1"), answer("100.1"),
    told("transfer", "100.1", direction="internal", extension="102", other="101"),
]  # fmt: skip


@pytest.mark.parametrize(
    ("event", "after_s", "expected"),
    [
        pytest.param(ring("160.9", "102"), 1.0, ("100.1", True), id="the new party rings"),
        pytest.param(alert("160.9"), 1.0, ("100.1", False), id="he hears a ringback: in doubt"),
        pytest.param(ring("160.9", "105"), 1.0, ("160.9", True), id="he rings somebody else"),
        pytest.param(ring("160.9", "102"), 11.0, ("160.9", True), id="too late"),
        pytest.param(
            ring("160.9", "105", "101"), 1.0, ("160.9", True), id="who passed it on calls again"
        ),
        pytest.param(
            ring("160.9", "106", "107"), 1.0, ("160.9", True), id="he is called by somebody"
        ),
        pytest.param(bye("160.9", "102"), 90.0, ("100.1", True), id="the new two hang up"),
        pytest.param(bye("160.9", "105"), 90.0, ("160.9", True), id="he and another hang up"),
    ],
)
def test_whether_a_report_tells_of_a_transferred_leg(
    event: Event, after_s: float, expected: tuple[str, bool]
) -> None:
    desk = Desk()
    for before in TRANSFERRED:
        desk.put(before)
    call = desk.put(event, START.after(after_s))
    assert (call.id, call.sure) == expected


# --- What is not sure -----------------------------------------------------------------------

IN_DOUBT = out("answer", "102.99", "101.90")
"""Of a call of 106, as the alert is, but it may be another one."""


def test_what_is_not_sure_teaches_nothing_but_where_it_went() -> None:
    desk = Desk()
    desk.put(alert("100.95"))
    (before,) = desk.calls
    call = desk.put(IN_DOUBT)
    assert (call.id, call.sure, call.answered) == ("100.95", False, True)

    (after,) = desk.calls
    assert (after.answered, after.legs) == (False, before.legs)
    assert desk.put(IN_DOUBT) == call


def test_a_doubt_takes_no_other_report_along_that_tells_better() -> None:
    desk = Desk()
    desk.put(out("ring", "100.1", "100.1"))
    doubted = desk.put(alert("102.60"))
    better = desk.put(ring("102.60"))
    assert (doubted.id, doubted.sure) == ("100.1", False)
    assert (better.id, better.sure) == ("102.60", True)
    assert desk.put(alert("102.60")) == doubted
    assert desk.put(answer("102.60")).id == "102.60"


@pytest.mark.parametrize(
    ("first", "second", "expected"),
    [
        pytest.param(ring("100.1"), bye("100.1"), True, id="both are sure"),
        pytest.param(ring("100.1"), ring("200.1"), False, id="two calls"),
        pytest.param(alert("100.95"), IN_DOUBT, False, id="the later one may be of another call"),
        pytest.param(
            IN_DOUBT, out("bye", "101.90", "101.90"), True, id="both may be, but bear one id"
        ),
        pytest.param(
            alert("102.60"), ring("102.60"), True, id="one id, though a doubt parted them"
        ),
        pytest.param(ring("100.1", pbx="a"), bye("100.1", pbx="b"), False, id="one id of two PBXs"),
    ],
)
def test_whether_two_reports_are_surely_of_one_call(
    first: Event, second: Event, *, expected: bool
) -> None:
    desk = Desk()
    desk.put(alert("100.95"))
    desk.put(out("ring", "100.1", "100.1", "0302"))
    assert surely_one(desk.put(first), desk.put(second)) is expected


# --- How long a call is remembered ----------------------------------------------------------


@pytest.mark.parametrize(
    ("before", "gap_s", "found"),
    [
        pytest.param([ring("100.1")], 11 * HOUR_S, True, id="a call of eleven hours"),
        pytest.param([ring("100.1")], 13 * HOUR_S, False, id="one that never ended"),
        pytest.param([bye("100.1")], 50 * 60.0, True, id="what comes soon after the end"),
        pytest.param([bye("100.1")], 2 * HOUR_S, False, id="what comes too late"),
    ],
)
def test_how_long_a_call_is_remembered(before: list[Event], gap_s: float, *, found: bool) -> None:
    desk = Desk()
    for event in before:
        desk.put(event)
    later = START.after(gap_s)
    desk.put(ring("9.9", "201", "202"), later)  # forgets what is old
    assert (desk.calls.get("100.1") is not None) is found
    assert desk.calls.given_up == 0


@pytest.mark.parametrize(
    ("later", "found"),
    [
        pytest.param(
            Moment(boot="a boot", uptime_s=505, wall_s=START.wall_s + 365 * DAY_S),
            True,
            id="a clock set forward by a year ends no call",
        ),
        pytest.param(
            Moment(boot="a boot", uptime_s=505, wall_s=START.wall_s - 365 * DAY_S),
            True,
            id="nor one set back",
        ),
        pytest.param(
            Moment(boot="next", uptime_s=3, wall_s=START.wall_s + 60),
            True,
            id="a reboot of a minute ends no call",
        ),
        pytest.param(
            Moment(boot="next", uptime_s=3, wall_s=START.wall_s + DAY_S),
            False,
            id="a day without power does",
        ),
    ],
)
def test_calls_hold_over_clock_steps_and_reboots(later: Moment, *, found: bool) -> None:
    desk = Desk()
    desk.put(ring("100.1"))
    desk.put(ring("9.9", "201", "202"), later)
    assert (desk.put(bye("100.1"), later).caller == "106") is found


def indexed(calls: Calls) -> set[str]:
    """Every key that an index of *calls* names."""
    indices = (calls._by_leg, calls._by_party, calls._transferred)
    return {key for index in indices for keys in index.values() for key in keys}


def test_promise_9_the_calls_remembered_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(table, "MAX_CALLS", 3)
    desk = Desk()
    for number in range(20):
        for event in TRANSFERRED if number % 2 else [ring("100.1")]:
            moved = {**event.fields, "call_id": f"{number}00.1"}
            desk.put(Event(fields=moved, payload={}), START.after(20 * number))
        if number < 10:
            desk.put(bye(f"{number}00.1"), START.after(20 * number))
    assert [call.id for call in desk.calls] == [
        "1700.1", "1800.1", "1900.1", "700.1", "800.1", "900.1",
    ]  # fmt: skip
    assert desk.calls.given_up == 7  # of the ten that did not end
    assert indexed(desk.calls) == {call.id for call in desk.calls}


def test_promise_9_the_calls_not_seen_for_longest_go_first(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(table, "MAX_CALLS", 2)
    desk = Desk()
    for leg in ("100.1", "200.1", "100.1", "300.1"):
        desk.put(ring(leg))
    assert [call.id for call in desk.calls] == ["100.1", "300.1"]


def test_promise_9_one_calls_memory_is_bounded() -> None:
    desk = Desk()
    for number in range(200):
        desk.put(come("ring", f"{number}.7", "100.1", str(1000 + number)))
    (known,) = desk.calls
    assert len(known.legs) == len(known.extensions) == len(known.marks) == MAX_LISTED
    assert len(desk.calls._by_leg) == MAX_LISTED


def test_promise_9_what_is_too_long_is_no_id_and_no_party() -> None:
    desk = Desk()
    long = "1" * (MAX_TEXT + 1)
    assert desk.take(ring(long)) is None
    call = desk.put(ring("100.1", long, "106"))
    assert (call.caller, call.callee, call.extensions) == ("106", None, ("106",))


# --- Properties -----------------------------------------------------------------------------

PBXS = st.sampled_from([None, "a", "b"])
LEGS = st.builds("{}.{}".format, st.integers(100, 105), st.integers(1, 30))
INSIDE = st.sampled_from(["101", "102", "103", "106"])
OUTSIDE = st.sampled_from(["03", "16103", "04"])


@st.composite
def any_event(draw: st.DrawFn) -> Event:
    """A report of few parties, legs and PBXs, so that many have something in common."""
    kind = draw(
        st.sampled_from(["alert", "ring", "answer", "bye", "call_failed", "cdr", "transfer"])
    )
    way = draw(st.sampled_from(["internal", "outbound", "inbound"]))
    leg, pbx = draw(LEGS), draw(PBXS)
    one, other = draw(st.permutations(["101", "102", "103", "106"]))[:2]
    number = draw(OUTSIDE)
    fields: dict[str, str] = {"direction": way}
    if way != "internal" and kind != "cdr" and (kind, way) != ("alert", "outbound"):
        fields["trunk_call_id"] = draw(st.just(leg) | LEGS)
    if kind in ("bye", "transfer") and way == "internal":
        fields |= {"extension": one, "other": other}
    elif kind == "transfer" or (kind == "alert" and way != "inbound"):
        fields |= {"extension": one}
    else:
        parties = {"internal": (one, other), "outbound": (one, number), "inbound": (number, one)}
        fields |= dict(zip(("caller", "callee"), parties[way], strict=True))
    return told(kind, leg, pbx=pbx, **fields)


TIMES_S = st.lists(st.floats(0, 3), min_size=20, max_size=20)
EVENTS = st.lists(any_event(), min_size=1, max_size=20)


def moments(gaps_s: Iterable[float]) -> list[Moment]:
    found, at_s = [], 0.0
    for gap_s in gaps_s:
        at_s += gap_s
        found.append(START.after(at_s))
    return found


@given(EVENTS, TIMES_S)
def test_a_report_that_comes_again_finds_its_call_whatever_came_between(
    events: list[Event], gaps_s: list[float]
) -> None:
    desk = Desk()
    first = [desk.put(event, now) for event, now in zip(events, moments(gaps_s), strict=False)]
    again = [desk.put(event, START.after(70)) for event in events]
    assert [call.id for call in again] == [call.id for call in first]


@given(EVENTS, TIMES_S)
def test_reports_of_two_pbxs_never_have_one_call(events: list[Event], gaps_s: list[float]) -> None:
    pbxs: dict[str, set[object]] = {}
    desk = Desk()
    for event, now in zip(events, moments(gaps_s), strict=False):
        pbxs.setdefault(desk.put(event, now).id, set()).add(event.fields.get("pbx"))
    assert all(len(named - {None}) <= 1 for named in pbxs.values())


@given(EVENTS, TIMES_S)
def test_reports_with_one_id_have_one_call_unless_a_doubt_or_the_pbx_parts_them(
    events: list[Event], gaps_s: list[float]
) -> None:
    desk = Desk()
    named = [event for event in events if "trunk_call_id" not in event.fields]
    put = [
        (event, desk.put(event, now)) for event, now in zip(named, moments(gaps_s), strict=False)
    ]
    for (one, call), (other, later) in combinations(put, 2):
        same_pbx = one.fields.get("pbx") == other.fields.get("pbx") is not None
        if one.fields["call_id"] == other.fields["call_id"] and call.sure and same_pbx:
            assert later.id == call.id


@given(EVENTS, TIMES_S)
def test_assigning_changes_nothing_and_gives_the_same_again(
    events: list[Event], gaps_s: list[float]
) -> None:
    desk = Desk()
    for event, now in zip(events, moments(gaps_s), strict=False):
        before = list(desk.calls)
        assert assign(desk.calls, event, now) == assign(desk.calls, event, now)
        assert list(desk.calls) == before
        desk.put(event, now)


@given(EVENTS, EVENTS, TIMES_S)
def test_the_table_read_from_disk_decides_as_the_one_that_was_written(
    events: list[Event], more: list[Event], gaps_s: list[float]
) -> None:
    desk = Desk()
    for event, now in zip(events, moments(gaps_s), strict=False):
        desk.put(event, now)
    rows = json.loads(json.dumps([known.as_json() for known in desk.calls]))
    other = Desk(Known.from_json(row) for row in rows)
    assert list(other.calls) == list(desk.calls)
    for event in more:
        assert other.take(event, START.after(70)) == desk.take(event, START.after(70))


def test_a_call_that_was_kept_as_a_map_is_read_too() -> None:
    desk = Desk()
    desk.put(ring("100.1"))
    (known,) = desk.calls
    told = dict(zip(known._fields, known.as_json(), strict=True))
    assert Known.from_json(json.loads(json.dumps(told))) == known


@given(EVENTS, TIMES_S)
def test_a_call_is_json_and_comes_back(events: list[Event], gaps_s: list[float]) -> None:
    desk = Desk()
    for event, now in zip(events, moments(gaps_s), strict=False):
        call = desk.put(event, now)
        assert Call.from_json(json.loads(json.dumps(call.as_json()))) == call


FIELDS = st.sampled_from(
    ["call_id", "trunk_call_id", "pbx", "direction", "caller", "callee", "extension", "status"]
)
VALUES = (
    st.text(max_size=4)
    | st.sampled_from(["1.", ".1", "1.2", "1.2.3", "²", "٣.٤", "1" * 40 + ".1", "1.-2", "x" * 200])
    | st.floats(allow_nan=False)
)


@given(st.lists(st.tuples(st.sampled_from([*ACTIONS, "other"]), st.dictionaries(FIELDS, VALUES))))
def test_no_text_of_a_report_does_any_harm(
    reports: list[tuple[str, dict[str, str | float]]],
) -> None:
    desk = Desk()
    for kind, fields in reports:
        names = tuple(value for value in fields.values() if isinstance(value, str))
        desk.take(Event(fields={"event": kind, "extensions": names, **fields}, payload={}))
    assert indexed(desk.calls) == {call.id for call in desk.calls}


def test_a_calls_json_has_the_names_of_the_language() -> None:
    names = set(Desk().put(ring("100.1")).as_json())
    assert {
        "id", "sure", "answered", "caller", "callee", "extensions", "started", "ended",
    } <= names  # fmt: skip


@st.composite
def inbound_calls(draw: st.DrawFn) -> list[tuple[int, Event]]:
    """The reports of several calls at once, all near, by the same to the same: but for ids."""
    reports: list[tuple[int, Event]] = []
    for number in range(draw(st.integers(1, 5))):
        first = f"100.{10 * number}"
        for step in range(draw(st.integers(1, 6))):
            kind = draw(st.sampled_from(["ring", "answer", "bye", "call_failed"]))
            leg = f"100.{10 * number + step}"
            reports.append((number, come(kind, leg, first, draw(INSIDE))))
    return reports


@given(inbound_calls(), st.randoms(use_true_random=False), st.integers(1, 8))
def test_where_ids_are_shared_the_order_within_a_window_changes_no_call(
    reports: list[tuple[int, Event]], chance: random.Random, window: int
) -> None:
    places = [place + chance.uniform(0, window) for place in range(len(reports))]
    mixed = [reports[place] for place in sorted(range(len(reports)), key=places.__getitem__)]
    calls = put_all([event for _, event in mixed])
    keys: dict[int, set[str]] = {}
    for (number, _), call in zip(mixed, calls, strict=True):
        keys.setdefault(number, set()).add(call.id)
    assert all(len(own) == 1 for own in keys.values())
    assert len({key for own in keys.values() for key in own}) == len(keys)
    assert all(call.sure for call in calls)


# --- 200 calls at once ----------------------------------------------------------------------


def scores_of(sent: Sequence[Sent]) -> dict[str, joining.Score]:
    measured = joining.Joining()
    joining.judge(sent, joining.assigned(sent, joining.events_of(sent), measured), measured.scores)
    return measured.scores


HARDER = Habits(without_sn=1.0, late=0.2, late_s=2.0, again=0.1)


@pytest.mark.parametrize(
    "habits",
    [
        pytest.param(Habits(), id="internal calls are told of by their first leg"),
        pytest.param(Habits(later_leg=True), id="internal calls are told of by the leg that rings"),
        pytest.param(HARDER, id="the PBX is never named, and much comes late and again"),
    ],
)
def test_200_calls_at_once_find_their_reports(habits: Habits) -> None:
    scores = scores_of(traffic(random.Random(4), calls=1_500, habits=habits))  # noqa: S311 - the same calls each time

    for kind in (joining.SHARED, joining.AGAIN):
        assert (scores[kind].precision, scores[kind].recall) == (1.0, 1.0), kind
    for kind in (joining.ALERT, joining.BYE):
        assert scores[kind].reports > 100, kind
        assert min(scores[kind].precision, scores[kind].recall) >= 0.99, kind
    for kind, score in scores.items():
        assert min(score.precision, score.recall) >= 0.98, kind
    assert sum(score.surely_wrong for score in scores.values()) == 0


def test_two_pbxs_with_the_same_extensions_are_told_apart() -> None:
    chance = random.Random(5)  # noqa: S311 - the same calls each time
    one = traffic(chance, calls=500, pbx="a")
    other = [
        Sent(
            at_s=sent.at_s, report=sent.report, event=sent.event, call=sent.call + 500,
            kind=sent.kind, again=sent.again,
        )
        for sent in traffic(chance, calls=500, pbx="b")
    ]  # fmt: skip
    scores = scores_of(sorted([*one, *other], key=lambda sent: sent.at_s))

    assert sum(score.surely_wrong for score in scores.values()) == 0
    assert scores[joining.SHARED].recall == 1.0
    assert min(score.precision for score in scores.values()) >= 0.99
