"""When a report counts as sent again: by its bytes, its kind and the time, all arguments."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from hashlib import blake2b

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pbxrules import resends
from pbxrules.model import Event, Moment
from pbxrules.resends import Resends, Seen, span_s, subject

DAY_S = 86_400.0
START = Moment(boot="a boot", uptime_s=500.0, wall_s=1_795_000_000.0)


def an_event(kind: str, **fields: str) -> Event:
    return Event(fields={"event": kind, "action": kind.upper(), **fields}, payload={})


RING = an_event("ring", call_id="1.1", extension="101")
BYE = an_event("bye", call_id="1.1", extension="101")
OTHER = an_event("other")


def a_status(word: str, *, extension: str = "101", **fields: str) -> Event:
    return an_event("extension_status", status=word, extension=extension, **fields)


IDLE, BUSY = a_status("Idle"), a_status("Busy")


class Line:
    """Takes events as the intake does, with a store that commits when it is told."""

    def __init__(self) -> None:
        self.resends = Resends(START)
        self.accepted: list[Seen] = []

    def take(self, event: Event, now: Moment) -> Seen | None:
        """The event that *event* repeats; None, and remembered, where it is new."""
        digest = blake2b(repr(event.fields).encode()).digest()
        seen = self.resends.find(digest, now)
        whose = subject(event)
        if seen is None and whose is not None:
            seen = self.resends.find_status(whose, digest)
        if seen is not None:
            self.resends.again(seen, now)
            return seen
        new = Seen(
            id=len(self.accepted),
            event=event.kind,
            digest=digest,
            subject=whose,
            resend_s=span_s(event),
            rules=(),
            last_seen=now,
        )
        self.accepted.append(new)
        self.resends.add(new)
        return None

    def fail(self, *ids: int) -> None:
        for number in ids:
            self.resends.forget(self.accepted[number])

    def commit(self, *ids: int) -> None:
        for number in ids:
            self.resends.settle(self.accepted[number])


def repeated(told: Iterable[tuple[Event, float]]) -> list[int | None]:
    """For each event, at so many seconds, the number of the new one that it repeats."""
    line = Line()
    found = [line.take(event, START.after(at_s)) for event, at_s in told]
    return [None if seen is None else seen.id for seen in found]


# --- Kinds and times ------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("event", "span"),
    [
        pytest.param(RING, 10.0, id="a ring for 10 s"),
        pytest.param(an_event("alert", call_id="1.1"), 10.0, id="an alert for 10 s"),
        pytest.param(an_event("answer", call_id="1.1"), DAY_S, id="an answer for a day"),
        pytest.param(BYE, DAY_S, id="a bye for a day"),
        pytest.param(an_event("call_failed", call_id="1.1"), DAY_S, id="a failed call for a day"),
        pytest.param(an_event("transfer", call_id="1.1"), DAY_S, id="a transfer for a day"),
        pytest.param(an_event("cdr", call_id="1.1"), DAY_S, id="a cdr for a day"),
        pytest.param(an_event("other", call_id="1.1"), DAY_S, id="an unknown of a call for a day"),
        pytest.param(OTHER, 10.0, id="an unknown of no call for 10 s"),
    ],
)
def test_the_same_bytes_are_a_resend(event: Event, span: float) -> None:
    assert repeated([(event, 0), (event, 0)]) == [None, 0]
    assert repeated([(event, 0), (event, span - 0.01)]) == [None, 0]
    assert repeated([(event, 0), (event, span)]) == [None, None]


@pytest.mark.parametrize(
    ("event", "gap_s"),
    [pytest.param(RING, 9.9, id="a ring"), pytest.param(BYE, DAY_S - 1, id="a bye")],
)
def test_a_pbx_that_sends_on_and_on_stays_one_report(event: Event, gap_s: float) -> None:
    assert repeated((event, n * gap_s) for n in range(50)) == [None] + [0] * 49


def test_only_the_first_report_of_many_is_forgotten_with_time() -> None:
    rings = [an_event("ring", call_id=f"1.{n}") for n in range(12)]
    told = [(ring, float(at_s)) for at_s, ring in enumerate(rings)]
    assert repeated([*told, (rings[0], 12.0), (rings[3], 12.0)]) == [None] * 13 + [3]


def test_other_bytes_are_another_report() -> None:
    assert repeated([(RING, 0), (BYE, 0), (RING, 1), (BYE, 1)]) == [None, None, 0, 1]


# --- The status of an extension -------------------------------------------------------------


@pytest.mark.parametrize(
    ("told", "expected"),
    [
        pytest.param([IDLE, IDLE], [None, 0], id="the same status is a resend"),
        pytest.param([IDLE, BUSY], [None, None], id="another status is none"),
        pytest.param([IDLE, BUSY, IDLE], [None] * 3, id="one that comes back is none"),
        pytest.param(
            [IDLE, BUSY, IDLE, IDLE, BUSY], [None, None, None, 2, None], id="the last is repeated"
        ),
        pytest.param(
            [IDLE, a_status("Busy", extension="102"), IDLE],
            [None, None, 0],
            id="another extension does not come between",
        ),
        pytest.param(
            [a_status("Idle", pbx="a"), a_status("Busy", pbx="b"), a_status("Idle", pbx="a")],
            [None, None, 0],
            id="another PBX's extension of that number does not come between",
        ),
        pytest.param([IDLE, RING, IDLE], [None, None, 0], id="a call does not come between"),
    ],
)
@pytest.mark.parametrize(
    "gap_s",
    [pytest.param(0.01, id="at once"), pytest.param(1e6, id="days later")],
)
def test_a_status_is_a_resend_while_no_other_came_between(
    told: list[Event], expected: list[int | None], gap_s: float
) -> None:
    assert repeated((event, n * gap_s) for n, event in enumerate(told)) == expected


# --- A failed commit ------------------------------------------------------------------------


@pytest.mark.parametrize("event", [RING, BYE, OTHER, IDLE], ids=lambda event: event.kind)
def test_what_could_not_be_written_was_never_seen(event: Event) -> None:
    line = Line()
    line.take(event, START)
    line.fail(0)
    assert line.take(event, START.after(1)) is None
    assert line.take(event, START.after(2)) is line.accepted[1]


def test_a_failed_status_leaves_the_one_before_as_the_last() -> None:
    line = Line()
    line.take(IDLE, START)
    line.commit(0)
    line.take(BUSY, START)
    line.fail(1)
    assert line.take(IDLE, START) is line.accepted[0]
    assert line.take(BUSY, START) is None


@pytest.mark.parametrize("order", [(1, 2), (2, 1)], ids=["in order", "the last first"])
def test_statuses_that_fail_together_were_all_never_seen(order: tuple[int, int]) -> None:
    line = Line()
    line.take(IDLE, START)
    line.commit(0)
    line.take(BUSY, START)
    line.take(IDLE, START)
    line.fail(*order)
    assert line.take(IDLE, START) is line.accepted[0]
    assert line.take(BUSY, START) is None


def test_a_status_that_fails_behind_a_written_one_leaves_that() -> None:
    line = Line()
    for event in (IDLE, BUSY, IDLE):
        line.take(event, START)
    line.commit(0, 1)
    line.fail(2)
    assert line.take(BUSY, START) is line.accepted[1]


def test_statuses_that_came_and_went_keep_no_memory() -> None:
    line = Line()
    for number in range(100):
        line.take(a_status(str(number)), START)
        line.commit(number)
    last = line.accepted[-1]
    assert last.before is None


# --- Clocks ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("later", "resend"),
    [
        pytest.param(
            Moment(boot="a boot", uptime_s=505, wall_s=START.wall_s + 1e8),
            True,
            id="a clock that NTP set forward expires nothing",
        ),
        pytest.param(
            Moment(boot="a boot", uptime_s=520, wall_s=START.wall_s - 1e8),
            False,
            id="a clock that was set back keeps nothing",
        ),
        pytest.param(
            Moment(boot="next", uptime_s=3, wall_s=START.wall_s + 9),
            True,
            id="over a reboot the wall clock counts: soon",
        ),
        pytest.param(
            Moment(boot="next", uptime_s=501, wall_s=START.wall_s + 60),
            False,
            id="over a reboot the wall clock counts: late",
        ),
    ],
)
def test_spans_hold_over_clock_steps_and_reboots(later: Moment, resend: bool) -> None:
    line = Line()
    line.take(RING, START)
    assert (line.take(RING, later) is not None) is resend


# --- Bounds ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "kind",
    [
        pytest.param(lambda n: an_event("ring", call_id=str(n)), id="rings"),
        pytest.param(lambda n: an_event("bye", call_id=str(n)), id="byes"),
        pytest.param(lambda n: a_status("Idle", extension=str(n)), id="extensions"),
    ],
)
@pytest.mark.parametrize("commits", [False, True], ids=["not on disk yet", "on disk"])
def test_promise_9_the_memory_for_resends_is_bounded(
    kind: Callable[[int], Event], commits: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(resends, "MAX_REMEMBERED", 3)
    line = Line()
    for number in (0, 1, 2, 0, 3, 4):
        if line.take(kind(number), START) is None and commits:
            line.commit(len(line.accepted) - 1)
    # 0 was seen again, so that 1 and 2 are the ones not seen for longest.
    found = [line.take(kind(number), START) for number in (0, 3, 4)]
    assert [seen.id for seen in found if seen] == [0, 3, 4]
    assert line.take(kind(1), START) is None


def test_promise_9_what_is_too_old_takes_no_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(resends, "TRIM", 10)
    line = Line()
    for number in range(1000):
        assert line.take(an_event("ring", call_id=str(number)), START.after(number)) is None
        line.commit(number)
        assert line.take(an_event("ring", call_id=str(number)), START.after(number)) is not None

    recent = line.resends._by_span[10.0]
    assert len(recent._rows) <= 11
    assert len(recent._ids) <= 11 + 2 * 11
    assert len(recent._again) <= 11


def test_promise_9_an_extension_that_spoke_last_is_forgotten_last(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(resends, "MAX_REMEMBERED", 2)
    line = Line()
    for event in (IDLE, a_status("Idle", extension="102"), BUSY, a_status("Idle", extension="103")):
        line.take(event, START)
    assert line.take(BUSY, START) is line.accepted[2]


# --- Against the design's sentence ----------------------------------------------------------


@dataclass(slots=True)
class Sentence:
    """``wire.md`` taken literally: looks through all that was ever accepted."""

    told: list[tuple[int, Event, float]] = field(default_factory=list)
    last_seen: dict[int, float] = field(default_factory=dict)

    def repeats(self, event: Event, at_s: float) -> int | None:
        if event.kind == "extension_status":
            same = [(i, e) for i, e, _ in self.told if subject(e) == subject(event)]
            return same[-1][0] if same and same[-1][1] == event else None
        span = DAY_S if event.kind == "bye" else 10.0
        known = [i for i, e, _ in self.told if e == event and at_s - self.last_seen[i] < span]
        return known[-1] if known else None

    def take(self, number: int, event: Event, at_s: float) -> int | None:
        found = self.repeats(event, at_s)
        if found is None:
            self.told.append((number, event, at_s))
        self.last_seen[number if found is None else found] = at_s
        return found

    def forget(self, number: int) -> None:
        self.told = [entry for entry in self.told if entry[0] != number]


KINDS = [
    RING,
    an_event("ring", call_id="1.2"),
    BYE,
    an_event("bye", call_id="1.2"),
    OTHER,
    IDLE,
    BUSY,
    a_status("Ringing"),
    a_status("Idle", extension="102"),
]
GAPS_S = st.sampled_from([0.0, 1.0, 9.0, 10.0, 11.0, DAY_S - 20, DAY_S])
STEPS = st.lists(
    st.one_of(
        st.tuples(st.sampled_from(KINDS), GAPS_S),
        st.sampled_from(["commit", "fail"]),
    ),
    max_size=40,
)


@given(STEPS)
def test_what_is_found_is_what_the_design_says(steps: list[tuple[Event, float] | str]) -> None:
    line, sentence = Line(), Sentence()
    at_s, settled = 0.0, 0
    for step in steps:
        pending = range(settled, len(line.accepted))
        match step:
            case "commit":
                line.commit(*pending)
                settled = len(line.accepted)
            case "fail":  # a failed commit fails all that waits behind it
                line.fail(*pending)
                for number in pending:
                    sentence.forget(number)
                settled = len(line.accepted)
            case (Event() as event, float(gap_s)):
                at_s += gap_s
                number = len(line.accepted)
                found = line.take(event, START.after(at_s))
                assert (found.id if found else None) == sentence.take(number, event, at_s)
