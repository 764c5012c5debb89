"""What every store promises, and then what is SQLite's own.

To try another store, add its ``Kind`` to ``KINDS``.
"""

# Over 300 lines: the one suite of the store's contract.

import contextlib
import os
import resource
import signal
import sqlite3
import stat
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Protocol

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pbxrules import store as contract
from pbxrules.errors import StoreError
from pbxrules.model import Miss, Moment, Run, Tried
from pbxrules.store import (
    Accepted,
    Advanced,
    Change,
    LoadedRun,
    OpenRun,
    Refused,
    SeenAgain,
    SeenEvent,
    Store,
    reading,
)
from pbxrules.store import sqlite as sqlite_store
from pbxrules.store.ballast import SIZE, Ballast
from pbxrules.store.migrations import MIGRATIONS
from pbxrules.store.pruning import CHUNK, KEEP_REFUSED, Keep
from pbxrules.store.sqlite import PRUNE_EVERY, SqliteStore
from tests.stores import (
    NOW,
    SOURCE,
    Kept,
    Loop,
    Told,
    accepted,
    advanced,
    ended,
    refused,
    run,
    tried_again,
)


class Kind(Protocol):
    """One kind of store, as this suite needs it."""

    def open(self, folder: Path, keep: Keep, loop: Loop) -> Store:
        """The store that *folder* holds."""

    def held(self, folder: Path) -> contextlib.AbstractContextManager[None]:
        """Inside the block nothing can be written, as on a full disk."""


class Sqlite:
    """SQLite, whose file another connection can hold for itself."""

    def open(self, folder: Path, keep: Keep, loop: Loop) -> Store:
        opened = SqliteStore(folder, keep=keep, call=loop.call)
        opened._db.execute("PRAGMA busy_timeout = 20")  # not 5 s: a test holds it on purpose
        return opened

    @contextlib.contextmanager
    def held(self, folder: Path) -> Iterator[None]:
        with contextlib.closing(connected(folder)) as db:
            db.execute("BEGIN IMMEDIATE")
            yield


KINDS = [pytest.param(Sqlite(), id="SQLite")]


def connected(folder: Path) -> sqlite3.Connection:
    return sqlite3.connect(folder / "pbxrules.db", isolation_level=None)


@pytest.fixture(params=KINDS)
def kind(request: pytest.FixtureRequest) -> Kind:
    chosen: Kind = request.param
    return chosen


Open = Callable[..., contextlib.AbstractContextManager[Kept]]


@pytest.fixture
def opened(kind: Kind, tmp_path: Path) -> Open:
    """Opens the store of this test, as often as it likes."""

    @contextlib.contextmanager
    def one(**keep: Any) -> Iterator[Kept]:
        loop = Loop()
        folder = tmp_path / "state"
        opened_store = kind.open(folder, Keep(**keep), loop)
        try:
            yield Kept(opened_store, loop, folder)
        finally:
            opened_store.close()

    return one


def short(owed: Run) -> OpenRun:
    """What ``open_runs`` tells of a run."""
    return OpenRun(
        id=owed.id, rule=owed.rule, lane=owed.lane, call=owed.call, parent=owed.parent,
        verb=owed.verb, due=owed.due, expires_s=owed.expires_s, next_try=owed.next_try,
    )  # fmt: skip


def remembered(change: Accepted, last_seen: Moment | None = None) -> SeenEvent:
    """What ``seen`` tells of an event."""
    return SeenEvent(
        id=change.id, event=change.event.kind, digest=change.digest, subject=change.subject,
        resend_s=change.resend_s,
        rules=tuple(verdict.rule for verdict in change.verdicts if verdict.matched),
        last_seen=last_seen or change.received,
    )  # fmt: skip


# --- Every store: what was put is there ------------------------------------------------------


def test_an_empty_store_holds_nothing_and_begins_at_one(opened: Open) -> None:
    with opened() as kept:
        assert kept.store.open_runs() == []
        assert kept.store.seen(now=NOW) == []
        assert kept.store.load([]) == []
        assert kept.store.next_event_id == 1


def test_what_was_put_and_settled_is_there_after_reopening(opened: Open) -> None:
    later = NOW.after(2)
    one, two = run(1, 1, expires_s=None), run(1, 2)
    event = accepted(1, one, two)
    with opened() as kept:
        kept.write(event, SeenAgain(event_id=1, at=later), advanced(tried_again(two, later)))
        own = kept.store.id
    with opened() as kept:
        assert kept.store.id == own
        assert kept.store.next_event_id == 2
        assert kept.store.seen(now=later) == [remembered(event, later)]
        again = tried_again(two, later)
        assert kept.store.open_runs() == [short(one), short(again)]
        assert kept.loaded() == [
            LoadedRun(run=one, event=event.event, call=event.call, source=SOURCE),
            LoadedRun(run=again, event=event.event, call=event.call, source=SOURCE),
        ]


def test_a_run_that_has_ended_is_owed_no_more(opened: Open) -> None:
    one, two = run(1, 1), run(1, 2)
    with opened() as kept:
        kept.write(accepted(1, one, two), advanced(ended(one)))
        assert kept.store.open_runs() == [short(two)]
    with opened() as kept:
        assert kept.store.open_runs() == [short(two)]


def test_a_run_steps_on_to_another_verb(opened: Open) -> None:
    first = run(1)
    done = Tried(position="actions/0", verb="log", state="done", reason="", attempts=1)
    second = replace(
        first, position="actions/1", verb="mqtt", due=NOW.after(1), next_try=NOW.after(3),
        expires_s=None, attempt=2, tried=(done,),
    )  # fmt: skip
    with opened() as kept:
        kept.write(accepted(1, first), advanced(second))
    with opened() as kept:
        assert [each.run for each in kept.loaded()] == [second]


def test_only_the_runs_asked_for_are_loaded_in_order_of_their_ids(opened: Open) -> None:
    with opened() as kept:
        kept.write(accepted(1, run(1, 1), run(1, 2), run(1, 3)))
        wanted = [run(1, 3).id, run(1, 1).id, 999]
        assert [each.run.id for each in kept.store.load(wanted)] == [run(1, 1).id, run(1, 3).id]


def test_each_run_is_loaded_with_the_source_of_its_own_program(opened: Open) -> None:
    other = {"rule": "r", "actions": []}
    with opened() as kept:
        kept.write(
            accepted(1, run(1)),
            accepted(2, run(2, program="new"), programs=(("new", other),)),
            accepted(3, run(3)),
        )
    with opened() as kept:
        kept.write(accepted(4, run(4, program="new"), programs=(("new", other),)))
        assert [each.source for each in kept.loaded()] == [SOURCE, other, SOURCE, other]


def test_moments_keep_their_boot(opened: Open) -> None:
    reboot = Moment(boot="boot-b", uptime_s=3.5, wall_s=12.25)
    with opened() as kept:
        kept.write(accepted(1, run(1)), accepted(2, run(2, at=reboot), at=reboot))
    with opened() as kept:
        assert [owed.due for owed in kept.store.open_runs()] == [NOW, reboot]


def test_closing_commits_what_was_put(opened: Open) -> None:
    with opened() as kept:
        for number in range(1, 400):
            kept.put(accepted(number, run(number)))
        kept.put(advanced(ended(run(7))))
    with opened() as kept:
        assert len(kept.store.open_runs()) == 398


def test_two_stores_have_different_ids(kind: Kind, tmp_path: Path) -> None:
    ids = set()
    for name in ("a", "b"):
        made = kind.open(tmp_path / name, Keep(), Loop())
        ids.add(made.id)
        made.close()
    assert len(ids) == 2


# --- Every store: what a resend is known by --------------------------------------------------


@pytest.mark.parametrize(
    ("now", "known"),
    [
        pytest.param(NOW.after(9), True, id="within the time"),
        pytest.param(NOW.after(11), False, id="after the time"),
        pytest.param(
            Moment(boot="boot-a", uptime_s=1005, wall_s=9e9), True, id="the wall clock was set on"
        ),
        pytest.param(
            Moment(boot="boot-b", uptime_s=1, wall_s=NOW.wall_s + 9), True, id="soon after a boot"
        ),
        pytest.param(
            Moment(boot="boot-b", uptime_s=1, wall_s=NOW.wall_s + 11), False, id="long after a boot"
        ),
        pytest.param(
            Moment(boot="boot-b", uptime_s=1, wall_s=0), True, id="a boot without a clock"
        ),
    ],
)
def test_an_event_is_remembered_while_its_resend_may_come(
    opened: Open, now: Moment, known: bool
) -> None:
    event = accepted(1)
    with opened() as kept:
        kept.write(event)
        assert kept.store.seen(now=now) == ([remembered(event)] if known else [])


def test_of_each_subject_the_last_is_remembered_for_ever(opened: Open) -> None:
    of = [
        accepted(number, subject=subject, at=NOW.after(number))
        for number, subject in enumerate(["101", "102", "101", "101"], 1)
    ]
    with opened() as kept:
        kept.write(*of)
        assert kept.store.seen(now=NOW.after(1e7)) == [remembered(of[1]), remembered(of[3])]


def test_what_is_remembered_comes_the_oldest_first_by_when_it_was_last_seen(opened: Open) -> None:
    with opened() as kept:
        kept.write(accepted(1), accepted(2), accepted(3), SeenAgain(event_id=1, at=NOW.after(1)))
        assert [seen.id for seen in kept.store.seen(now=NOW)] == [2, 3, 1]


# --- Every store: who is told what, when -----------------------------------------------------


def test_callbacks_come_once_each_in_the_order_of_the_puts(opened: Open) -> None:
    with opened() as kept:
        for number in range(1, 1000):
            kept.put(accepted(number), str(number))
        assert kept.settle() == [(str(number), None) for number in range(1, 1000)]


def test_what_is_told_is_there_already(opened: Open) -> None:
    with opened() as kept:
        found: list[list[int]] = []
        for number in range(1, 20):
            owed = run(number)

            def look(_: StoreError | None, run_id: int = owed.id) -> None:
                found.append([each.run.id for each in kept.store.load([run_id])])

            kept.store.put(accepted(number, owed), look)
        kept.settle()
        assert found == [[run(number).id] for number in range(1, 20)]


def test_nobody_need_be_told(opened: Open) -> None:
    with opened() as kept:
        kept.store.put(accepted(1, run(1)))
        kept.store.put(advanced(ended(run(1))))
        kept.store.put(refused(1))
        kept.settle()
        assert kept.store.next_event_id == 1, "the loop counts on by itself"
    with opened() as kept:
        assert kept.store.next_event_id == 2


def test_the_last_of_several_outcomes_of_one_run_is_the_one_that_counts(opened: Open) -> None:
    owed = run(1)
    steps = [owed]
    for second in range(1, 40):
        steps.append(tried_again(steps[-1], NOW.after(second)))
    with opened() as kept:
        kept.put(accepted(1, owed))
        for step in steps[1:]:
            kept.put(advanced(step))
        kept.settle()
        assert [each.run for each in kept.loaded()] == [steps[-1]]
        kept.put(advanced(tried_again(steps[-1], NOW.after(99))))
        kept.put(advanced(ended(owed)))
        kept.settle()
        assert kept.store.open_runs() == []


# --- Every store: when it can't write --------------------------------------------------------


def fates(told: Sequence[Told]) -> dict[str, bool]:
    return {name: fate is None for name, fate in told}


def test_after_a_failed_commit_all_news_fails_until_recovered(opened: Open, kind: Kind) -> None:
    with opened() as kept:
        kept.write(accepted(1))
        with kind.held(kept.folder):
            kept.put(accepted(2, run(2)), "held")
            kept.put(SeenAgain(event_id=1, at=NOW.after(5)), "held too")
            kept.settle()
        kept.put(accepted(3, run(3)), "after it")
        kept.settle()
        kept.store.recover()
        kept.put(accepted(4, run(4)), "recovered")
        told = [one for one in kept.settle() if one[0]]
        assert fates(told) == {
            "held": False,
            "held too": False,
            "after it": False,
            "recovered": True,
        }
        assert all(isinstance(fate, StoreError | None) for _, fate in told)
    with opened() as kept:
        assert kept.store.open_runs() == [short(run(4))]
        assert [seen.id for seen in kept.store.seen(now=NOW)] == [1, 4]
        assert kept.store.seen(now=NOW)[0].last_seen == NOW
        assert kept.store.next_event_id == 5


def test_of_one_failure_only_the_first_word_recovers(opened: Open, kind: Kind) -> None:
    """The words: a failed put's, then, late, that of one which was refused behind it.

    What fails meanwhile is another failure, and what was decided behind that fails too.
    """
    with opened() as kept:
        with kind.held(kept.folder):
            kept.put(accepted(1), "failed")
            kept.settle()
        kept.put(accepted(2), "refused behind it")
        kept.settle()
        assert kept.store.recover()
        with kind.held(kept.folder):
            kept.put(accepted(3), "failed again")
            assert not kept.store.recover()
            kept.put(accepted(4), "put before that was told")
            assert not any(fates([one for one in kept.settle() if one[0]]).values())
        assert kept.store.recover()
        assert not kept.store.recover()
        kept.put(accepted(5), "recovered")
        assert kept.wait_told("recovered") is None


def test_whoever_breaks_when_told_leaves_the_others_told(
    opened: Open, caplog: pytest.LogCaptureFixture
) -> None:
    def broken(_: StoreError | None) -> None:
        raise ZeroDivisionError

    with opened() as kept:
        kept.store.put(accepted(1), broken)
        kept.put(accepted(2), "other")
        assert kept.wait_told("other") is None
    assert [record.exc_info is not None for record in caplog.records] == [True]


def test_a_change_that_breaks_the_writer_fails_alone(
    opened: Open, caplog: pytest.LogCaptureFixture
) -> None:
    """An id of more than 64 bits is no error of SQLite's, but one of Python's."""
    with opened() as kept:
        kept.put(accepted(1 << 70), "broken")
        assert isinstance(kept.wait_told("broken"), StoreError)
        kept.store.recover()
        kept.put(advanced(replace(run(1), due=NOW.after(1), attempt=1 << 70)), "outcome")
        kept.settle()
        kept.put(accepted(1), "news")
        assert kept.wait_told("news") is None
    assert "a change can't be written" in caplog.messages


def test_outcomes_are_kept_until_they_can_be_written(opened: Open, kind: Kind) -> None:
    owed = [run(1, place) for place in range(1, 6)]
    with opened() as kept:
        kept.write(accepted(1, *owed))
        with kind.held(kept.folder):
            kept.put(advanced(ended(owed[0])), "first")
            kept.put(accepted(2), "news")
            kept.put(advanced(tried_again(owed[1], NOW.after(9))), "second")
            kept.settle()
            kept.put(advanced(ended(owed[2])), "third")
            kept.settle()
            assert fates(kept.told[1:]) == {"news": False}
            assert kept.store.open_runs() == [short(one) for one in owed]
        # Nothing else is put: it tries again by itself.
        assert [kept.wait_told(name) for name in ("first", "second", "third")] == [None] * 3
        left = [tried_again(owed[1], NOW.after(9)), *owed[3:]]
        assert kept.store.open_runs() == [short(one) for one in left]
    with opened() as kept:
        assert kept.store.open_runs() == [short(one) for one in left]


def test_outcomes_that_were_kept_are_written_at_the_close(opened: Open, kind: Kind) -> None:
    with opened() as kept:
        kept.write(accepted(1, run(1)))
        with kind.held(kept.folder):
            kept.put(advanced(ended(run(1))))
            kept.settle()
    with opened() as kept:
        assert kept.store.open_runs() == []


def test_an_outcome_that_can_not_be_written_fails_no_report_that_comes_later(
    opened: Open, kind: Kind
) -> None:
    """Nothing was decided on it: to answer 503 now would be for nothing."""
    with opened() as kept:
        kept.write(accepted(1, run(1)))
        with kind.held(kept.folder):
            kept.put(advanced(tried_again(run(1), NOW.after(1))), "outcome")
            kept.settle()
        kept.put(accepted(2), "news")
        assert kept.wait_told("news") is None
        assert kept.wait_told("outcome") is None


def test_an_outcome_written_while_news_fails_stays_written(opened: Open, kind: Kind) -> None:
    with opened() as kept:
        kept.write(accepted(1, run(1)))
        with kind.held(kept.folder):
            kept.put(accepted(2), "lost")
            kept.settle()
        kept.put(advanced(ended(run(1))), "outcome")
        kept.put(accepted(3), "not recovered")
        kept.settle()
        assert fates(kept.told[1:]) == {"lost": False, "outcome": True, "not recovered": False}
        assert kept.store.open_runs() == []


def test_a_program_whose_commit_failed_is_stored_with_the_next(opened: Open, kind: Kind) -> None:
    with opened() as kept:
        with kind.held(kept.folder):
            kept.put(accepted(1, run(1)))
            kept.settle()
        kept.store.recover()
        kept.write(accepted(2, run(2)))
        assert [each.source for each in kept.loaded()] == [SOURCE]


# --- Every store: ids ------------------------------------------------------------------------


def commit_often(kept: Kept) -> None:
    """Write so much that the store looks for what is too old, more than once."""
    for _ in range(4):
        kept.write(*(refused(0) for _ in range(PRUNE_EVERY)))


def ids(kept: Kept) -> list[int]:
    """The events that are there."""
    far = Moment(boot="none", uptime_s=0, wall_s=0)
    return sorted(seen.id for seen in kept.store.seen(now=far))


def test_an_id_is_given_once_also_after_all_older_events_are_gone(opened: Open) -> None:
    old = replace(NOW, wall_s=time.time() - 10 * 86_400)
    with opened(days=5) as kept:
        assert kept.store.next_event_id == 1
        kept.write(*(accepted(number, at=old) for number in range(1, 30)))
        commit_often(kept)
    for _ in range(2):
        with opened(days=5, events=1) as kept:
            assert len(ids(kept)) <= 1
            assert kept.store.next_event_id == 30
            commit_often(kept)


# --- Every store: what it forgets ------------------------------------------------------------


def test_as_many_events_stay_as_are_to_be_kept(opened: Open) -> None:
    with opened(events=100) as kept:
        kept.write(*(accepted(number, ended(run(number))) for number in range(1, 251)))
        commit_often(kept)
        assert ids(kept) == list(range(151, 251))
    with opened(events=100) as kept:
        assert ids(kept) == list(range(151, 251))


def test_more_than_one_chunk_is_forgotten_in_several(opened: Open) -> None:
    with opened(events=100) as kept:
        kept.write(*(accepted(number) for number in range(1, 2 * CHUNK + 51)))
        for _ in range(3):
            commit_often(kept)
        assert ids(kept) == list(range(2 * CHUNK - 49, 2 * CHUNK + 51))


def test_events_stay_for_as_many_days_as_they_are_to_be_kept(opened: Open) -> None:
    def aged(days: float) -> Moment:
        return replace(NOW, wall_s=time.time() - days * 86_400)

    with opened(days=5) as kept:
        ages = [9, 6, 5.1, 4.9, 1, 0]
        kept.write(*(accepted(number, at=aged(age)) for number, age in enumerate(ages, 1)))
        commit_often(kept)
        assert ids(kept) == [4, 5, 6]


def test_an_event_from_before_the_clock_was_set_takes_no_younger_one_along(opened: Open) -> None:
    now = replace(NOW, wall_s=time.time())
    with opened(days=5) as kept:
        kept.write(
            accepted(1, at=now), accepted(2, at=replace(NOW, wall_s=60)), accepted(3, at=now)
        )
        commit_often(kept)
        assert ids(kept) == [1, 2, 3]


def test_a_store_stays_as_small_as_it_is_to_be(opened: Open) -> None:
    """5 MB come into a store of 2; the newest stay."""
    with opened(megabytes=2) as kept:
        for number in range(1, 321):
            kept.write(accepted(number, ended(run(number)), size=16_000))
        assert max(ids(kept)) == 320
        assert 20 < len(ids(kept)) < 130
        assert sum(path.stat().st_size for path in kept.folder.glob("*.db")) <= 2 * 2**20


def test_what_is_owed_survives_with_its_event(opened: Open) -> None:
    with opened(events=10) as kept:
        kept.write(
            *(accepted(number, run(number, 1), ended(run(number, 2))) for number in range(1, 101))
        )
        kept.write(*(advanced(ended(run(n))) for n in range(1, 101) if n not in (3, 50)))
        commit_often(kept)
        assert ids(kept) == [3, 50, *range(91, 101)]
        assert [each.event for each in kept.loaded()] == [accepted(n).event for n in (3, 50)]
    with opened(events=10) as kept:
        assert [owed.id for owed in kept.store.open_runs()] == [run(3).id, run(50).id]
        kept.write(advanced(ended(run(3))))
        commit_often(kept)
        assert ids(kept) == [50, *range(91, 101)]


# --- Every store: any history ----------------------------------------------------------------

MOMENTS = st.builds(
    lambda boot, uptime, wall: Moment(boot=boot, uptime_s=uptime, wall_s=wall),
    st.sampled_from(["boot-a", "boot-b", "boot-c"]),
    st.floats(0, 1e6),
    st.floats(0, 2e9),
)


@st.composite
def histories(draw: st.DrawFn) -> list[tuple[str, Any]]:
    """Changes as a daemon puts them, settled, refused by the disk and reopened in between."""
    words = ["accept", "accept", "see", "retry", "end", "hold", "settle", "reopen"]
    steps = draw(st.lists(st.sampled_from(words), min_size=5, max_size=40))
    return [(step, draw(st.tuples(st.integers(0, 3), MOMENTS))) for step in steps]


class Model:
    """The store as it should be, in two dicts."""

    def __init__(self) -> None:
        self.events: dict[int, tuple[Accepted, Moment]] = {}
        self.runs: dict[int, Run] = {}
        self.next_id = 1

    def change(self, step: str, number: int, at: Moment) -> Change | None:
        """Make the change that a step is; None where there is nothing to change."""
        owed = [one for one in self.runs.values() if not one.ended]
        if step == "accept":
            event = self._accepted(number, at)
            self.next_id += 1
            return event
        if step == "see" and self.events:
            return SeenAgain(event_id=sorted(self.events)[number % len(self.events)], at=at)
        if step in ("retry", "end") and owed:
            one = owed[number % len(owed)]
            return advanced(tried_again(one, at) if step == "retry" else ended(one, at))
        return None

    def _accepted(self, number: int, at: Moment) -> Accepted:
        made = [run(self.next_id, place, at=at) for place in range(1, number + 1)]
        subject = "101" if number == 3 else None
        return accepted(self.next_id, *made, at=at, subject=subject)

    def apply(self, change: Change) -> None:
        match change:
            case Accepted():
                self.events[change.id] = (change, change.received)
                self.runs |= {one.id: one for one in change.changes.runs}
            case SeenAgain():
                self.events[change.event_id] = (self.events[change.event_id][0], change.at)
            case Advanced():
                self.runs |= {one.id: one for one in change.changes.runs}

    def check(self, store: Store) -> None:
        owed = sorted((one for one in self.runs.values() if not one.ended), key=lambda r: r.id)
        assert store.open_runs() == [short(one) for one in owed]
        assert store.load([one.id for one in owed]) == [
            LoadedRun(
                run=one,
                event=self.events[one.event_id][0].event,
                call=self.events[one.event_id][0].call,
                source=SOURCE,
            )
            for one in owed
        ]
        whole = Moment(boot="none", uptime_s=0, wall_s=0)
        last = max((i for i, (one, _) in self.events.items() if one.subject), default=None)
        seen = {
            number: remembered(one, at)
            for number, (one, at) in self.events.items()
            if one.subject is None or number == last
        }
        assert {one.id: one for one in store.seen(now=whole)} == seen


@pytest.mark.parametrize("kind", KINDS)
@settings(max_examples=25)
@given(history=histories())
def test_whatever_is_put_is_what_is_there(kind: Kind, history: list[tuple[str, Any]]) -> None:
    model = Model()
    with tempfile.TemporaryDirectory() as folder:
        kept = open_in(kind, Path(folder))
        try:
            for step, (number, at) in history:
                change = model.change(step, number, at)
                if step == "reopen":
                    kept.store.close()
                    kept = open_in(kind, Path(folder))
                elif step == "settle":
                    kept.settle()
                    model.check(kept.store)
                elif step == "hold":
                    lose(kind, kept, model, number)
                elif change is not None:
                    model.apply(change)
                    kept.put(change)
            kept.settle()
            model.check(kept.store)
        finally:
            kept.store.close()


def open_in(kind: Kind, folder: Path) -> Kept:
    loop = Loop()
    return Kept(kind.open(folder, Keep(), loop), loop, folder)


def lose(kind: Kind, kept: Kept, model: Model, number: int) -> None:
    """An event fails; an outcome put with it does not."""
    kept.settle()
    outcome = model.change("end", number, NOW)
    with kind.held(kept.folder):
        kept.put(accepted(model.next_id, run(model.next_id)), "lost")
        if outcome is not None:
            kept.put(outcome, "outcome")
            model.apply(outcome)
        kept.settle()
        assert kept.wait_told("lost") is not None
    kept.told.clear()
    kept.store.recover()
    kept.settle()


def test_every_change_of_the_contract_is_in_these_histories() -> None:
    assert contract.Change == Accepted | SeenAgain | Refused | Advanced


# --- Every store: one owner ------------------------------------------------------------------


def test_a_second_owner_is_refused_and_told_who_the_first_is(opened: Open, kind: Kind) -> None:
    with opened() as kept:
        with pytest.raises(StoreError) as caught:
            kind.open(kept.folder, Keep(), Loop())
        assert str(caught.value) == (
            f"{kept.folder} belongs to the pbxrules that runs as process {os.getpid()}: "
            "stop that one, or give another state folder"
        )
        kept.write(accepted(1))
    with opened() as kept:
        assert kept.store.next_event_id == 2


OWNER = """
import sys, time, pathlib
from pbxrules.store.pruning import Keep
from pbxrules.store.sqlite import SqliteStore
store = SqliteStore(pathlib.Path(sys.argv[1]), keep=Keep(), call=lambda f, *a: f(*a))
print("mine", flush=True)
sys.stdin.read()
"""


def test_the_owner_is_gone_with_its_process_however_that_ended(tmp_path: Path) -> None:
    command = [sys.executable, "-c", OWNER, str(tmp_path)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as owner:
        assert owner.stdout is not None
        assert owner.stdout.readline() == b"mine\n"
        with pytest.raises(StoreError, match=f"runs as process {owner.pid}:"):
            SqliteStore(tmp_path, keep=Keep(), call=Loop().call)
        owner.send_signal(signal.SIGKILL)
        owner.wait()
    SqliteStore(tmp_path, keep=Keep(), call=Loop().call).close()


# --- SQLite: what people look at -------------------------------------------------------------


def test_an_event_is_shown_with_its_verdicts_runs_and_repeats(tmp_path: Path) -> None:
    one, two = run(1, 1), run(1, 2)
    with sqlite(tmp_path) as kept:
        kept.write(
            accepted(1, one, two),
            SeenAgain(event_id=1, at=NOW),
            SeenAgain(event_id=1, at=NOW),
            advanced(ended(one)),
        )
        with reading.opened(kept.folder / "pbxrules.db") as db:
            (record,) = reading.events(db)
    assert record.event == accepted(1).event
    assert record.verdicts == accepted(1, one, two).verdicts
    assert record.runs == (ended(one), two)
    assert record.repeats == 2


@pytest.mark.parametrize(
    ("after", "at_most", "expected"),
    [
        pytest.param(0, None, [1, 2, 3, 4, 5], id="all"),
        pytest.param(3, None, [4, 5], id="those after one"),
        pytest.param(0, 2, [1, 2], id="the first ones"),
        pytest.param(3, 1, [4], id="the first one after one"),
        pytest.param(5, None, [], id="none came after it"),
        pytest.param(0, 0, [], id="none of them"),
    ],
)
def test_which_events_are_shown(
    tmp_path: Path, after: int, at_most: int | None, expected: list[int]
) -> None:
    with sqlite(tmp_path) as kept:
        kept.write(*(accepted(number) for number in range(1, 6)))
        with reading.opened(kept.folder / "pbxrules.db") as db:
            found = reading.events(db, after=after, at_most=at_most)
    assert [record.id for record in found] == expected


@pytest.mark.parametrize(
    ("count", "before"),
    [
        pytest.param(0, 5, id="none"),
        pytest.param(2, 3, id="two"),
        pytest.param(5, 0, id="all"),
        pytest.param(99, 0, id="more than there are"),
    ],
)
def test_the_event_before_the_last_ones(tmp_path: Path, count: int, before: int) -> None:
    with sqlite(tmp_path) as kept:
        kept.write(*(accepted(number) for number in range(1, 6)))
        with reading.opened(kept.folder / "pbxrules.db") as db:
            assert reading.before_last(db, count) == before


def test_a_refused_report_is_kept_once_with_how_often_it_came(tmp_path: Path) -> None:
    with sqlite(tmp_path) as kept:
        kept.write(refused(1), refused(2), refused(1, at=NOW.after(5)), refused(1, at=NOW.after(9)))
        two, one = refusals(kept)
    assert (one.count, one.first_wall_s, one.last_wall_s) == (3, NOW.wall_s, NOW.wall_s + 9)
    assert (one.status, one.title, one.errors) == (422, "not as its schema", refused(1).errors)
    assert (one.body, two.body, two.count) == (b"\xff1", b"\xff2", 1)


def test_the_last_thousand_refused_reports_are_kept(tmp_path: Path) -> None:
    with sqlite(tmp_path) as kept:
        kept.write(*(refused(number, at=NOW.after(number)) for number in range(KEEP_REFUSED + 50)))
        kept.write(refused(50, at=NOW.after(9999)), refused(7000, at=NOW.after(9999)))
        found = refusals(kept)
    assert len(found) == KEEP_REFUSED == 1000
    assert [one.body for one in found[:2]] == [b"\xff52", b"\xff53"]
    assert [(one.body, one.count) for one in found[-2:]] == [(b"\xff50", 2), (b"\xff7000", 1)]


@contextlib.contextmanager
def sqlite(folder: Path, **keep: Any) -> Iterator[Kept]:
    kind, loop = Sqlite(), Loop()
    opened_store = kind.open(folder / "state", Keep(**keep), loop)
    try:
        yield Kept(opened_store, loop, folder / "state")
    finally:
        opened_store.close()


def refusals(kept: Kept) -> list[reading.RefusedRecord]:
    with reading.opened(kept.folder / "pbxrules.db") as db:
        return reading.refused(db)


def test_a_store_is_read_while_its_owner_writes(tmp_path: Path) -> None:
    with sqlite(tmp_path) as kept:
        for number in range(1, 50):
            kept.put(accepted(number))
            with reading.opened(kept.folder / "pbxrules.db") as db:
                reading.events(db)
        assert fates(kept.settle()) == {"": True}


@pytest.mark.parametrize(
    ("content", "why"),
    [
        pytest.param(None, "unable to open database file", id="none"),
        pytest.param(b"not a database, and long enough to be read as one " * 20,
                     "file is not a database", id="something else"),
        pytest.param(b"", "no such table", id="an empty file"),
    ],
)  # fmt: skip
def test_what_can_not_be_read_is_told_with_its_name(
    tmp_path: Path, content: bytes | None, why: str
) -> None:
    path = tmp_path / "pbxrules.db"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(StoreError) as caught, reading.opened(path) as db:
        reading.events(db)
    assert str(caught.value).startswith(f"{path}: ")
    assert why in str(caught.value)


# --- SQLite: its files -----------------------------------------------------------------------


def test_its_files_are_their_owners_alone_whatever_the_umask(tmp_path: Path) -> None:
    before = os.umask(0)
    try:
        with sqlite(tmp_path) as kept:
            kept.write(accepted(1, run(1)))
            modes = {
                path.name: stat.S_IMODE(path.stat().st_mode)
                for path in (kept.folder, *kept.folder.iterdir())
            }
    finally:
        os.umask(before)
    assert modes.pop("state") == 0o700
    assert modes.keys() == {"pbxrules.db", "pbxrules.db-wal", "pbxrules.db-shm", "lock", "ballast"}
    assert set(modes.values()) == {0o600}


def test_it_writes_through_to_the_disk(tmp_path: Path) -> None:
    """At a power cut WAL with synchronous=NORMAL loses what was answered; see pitfalls.md."""
    with sqlite(tmp_path) as kept:
        assert isinstance(kept.store, SqliteStore)
        told = {
            name: kept.store._db.execute(f"PRAGMA {name}").fetchone()[0]
            for name in ("journal_mode", "synchronous")
        }
    assert told == {"journal_mode": "wal", "synchronous": 2}


def test_a_store_of_a_newer_version_is_left_alone(tmp_path: Path) -> None:
    with sqlite(tmp_path) as kept:
        kept.write(accepted(1))
    newer = len(MIGRATIONS) + 1
    with contextlib.closing(connected(tmp_path / "state")) as db:
        db.execute(f"PRAGMA user_version = {newer}")
    before = (tmp_path / "state" / "pbxrules.db").read_bytes()
    for _ in range(2):  # and the folder is let go of
        with pytest.raises(StoreError) as caught:
            SqliteStore(tmp_path / "state", keep=Keep(), call=Loop().call)
    assert str(caught.value) == (
        f"the store is of version {newer}; this pbxrules knows {len(MIGRATIONS)}: "
        "run the newer pbxrules, or give another state folder"
    )
    assert (tmp_path / "state" / "pbxrules.db").read_bytes() == before


def test_each_version_is_reached_from_each_one_before_it(tmp_path: Path) -> None:
    for version in range(len(MIGRATIONS) + 1):
        folder = tmp_path / str(version) / "state"
        folder.mkdir(parents=True)
        with contextlib.closing(connected(folder)) as db:
            for number, script in enumerate(MIGRATIONS[:version], 1):
                db.executescript(f"{script}; PRAGMA user_version = {number}")
        with sqlite(tmp_path / str(version)) as kept:
            kept.write(accepted(1, run(1)), refused(1))
            assert kept.store.open_runs() == [short(run(1))]
        with contextlib.closing(connected(folder)) as db:
            assert db.execute("PRAGMA user_version").fetchone() == (len(MIGRATIONS),)


def without_what_the_third_added(db: sqlite3.Connection) -> None:
    db.executescript(
        "DROP TABLE memory; ALTER TABLE events DROP COLUMN call;"
        " ALTER TABLE runs DROP COLUMN lane; ALTER TABLE runs DROP COLUMN call;"
        " ALTER TABLE runs DROP COLUMN more"
    )


def test_what_the_second_version_wrote_is_read_after_the_migration(tmp_path: Path) -> None:
    """Its events had no call, its runs no lane, and nothing was remembered."""
    with sqlite(tmp_path) as kept:
        kept.write(accepted(1, run(1), run(1, 2, lane='["a"]', begun=True)))
    with contextlib.closing(connected(tmp_path / "state")) as db:
        without_what_the_third_added(db)
        db.execute("PRAGMA user_version = 2")
    with sqlite(tmp_path) as kept:
        assert kept.store.memory() == []
        assert [(each.run, each.call) for each in kept.loaded()] == [(run(1), ""), (run(1, 2), "")]
        kept.write(accepted(2, run(2, lane="l")))
        assert kept.loaded()[2].run == run(2, lane="l")


def test_what_the_first_version_wrote_is_read_after_the_migration(tmp_path: Path) -> None:
    """Its verdicts had pairs of texts; its runs did not know their trigger."""
    with sqlite(tmp_path) as kept:
        kept.write(accepted(1, run(1)))
    verdicts = '[["rule-1",true,[]],["other",false,[["trunk","t"],["caller","ü"]]]]'
    with contextlib.closing(connected(tmp_path / "state")) as db:
        without_what_the_third_added(db)
        db.execute("ALTER TABLE runs DROP COLUMN trigger_id")
        db.execute("UPDATE events SET verdicts = ?", (verdicts,))
        db.execute("PRAGMA user_version = 1")
        db.commit()
    with sqlite(tmp_path) as kept:
        (loaded,) = kept.loaded()
        assert loaded.run == run(1, trigger="")
        with reading.opened(tmp_path / "state" / "pbxrules.db") as db:
            (record,) = reading.events(db)
        assert record.verdicts[1].because == ((Miss("trunk", "t"),), (Miss("caller", "ü"),))


@pytest.mark.parametrize(
    ("version", "says"),
    [
        pytest.param(1, "an older pbxrules wrote it: start 'pbxrules serve' once", id="older"),
        pytest.param(len(MIGRATIONS) + 1, "a newer pbxrules wrote it", id="newer"),
    ],
)
def test_a_store_of_another_version_is_not_read_by_commands(
    version: int, says: str, tmp_path: Path
) -> None:
    with sqlite(tmp_path):
        pass
    with contextlib.closing(connected(tmp_path / "state")) as db:
        db.execute(f"PRAGMA user_version = {version}")
    path = tmp_path / "state" / "pbxrules.db"
    with pytest.raises(StoreError, match=f"^{path}: {says}"), reading.opened(path):
        raise AssertionError


def test_a_migration_that_fails_changes_nothing(tmp_path: Path) -> None:
    folder = tmp_path / "state"
    folder.mkdir()
    with contextlib.closing(connected(folder)) as db:
        db.execute("CREATE TABLE runs (mine)")
    for _ in range(2):
        with pytest.raises(StoreError, match="table runs already exists"):
            SqliteStore(folder, keep=Keep(), call=Loop().call)
    with contextlib.closing(connected(folder)) as db:
        assert db.execute("SELECT name FROM sqlite_master").fetchall() == [("runs",)]
        assert db.execute("PRAGMA user_version").fetchone() == (0,)


def test_a_file_that_is_no_store_is_told_so(tmp_path: Path) -> None:
    path = tmp_path / "pbxrules.db"
    path.write_bytes(b"no database at all, whatever its name says " * 50)
    with pytest.raises(StoreError) as caught:
        SqliteStore(tmp_path, keep=Keep(), call=Loop().call)
    assert str(caught.value) == f"{tmp_path}: file is not a database"
    path.unlink()
    with contextlib.closing(connected(tmp_path)) as db:
        db.execute(f"PRAGMA user_version = {len(MIGRATIONS)}")
    with pytest.raises(StoreError) as caught:
        SqliteStore(tmp_path, keep=Keep(), call=Loop().call)
    assert str(caught.value) == f"{tmp_path}: no such table: meta"


def test_a_folder_that_can_not_be_made_is_told_so(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(StoreError, match=f"^{tmp_path}/file/state: .*Not a directory"):
        SqliteStore(tmp_path / "file" / "state", keep=Keep(), call=Loop().call)


# --- SQLite: a full disk ---------------------------------------------------------------------


@contextlib.contextmanager
def no_file_may_grow() -> Iterator[None]:
    """The kernel refuses every byte behind a file's end; SQLite says 'disk I/O error'."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def test_a_disk_that_takes_nothing_more_fails_news_and_keeps_outcomes(tmp_path: Path) -> None:
    with sqlite(tmp_path) as kept:
        kept.write(accepted(1, run(1)))
        with no_file_may_grow():
            kept.put(accepted(2), "news")
            kept.put(advanced(ended(run(1))), "outcome")
            kept.settle()
        kept.store.recover()
        kept.put(accepted(3), "later")
        assert kept.wait_told("outcome") is None
        assert fates(kept.settle()[1:]) == {"news": False, "outcome": True, "later": True}
        assert str(dict(kept.told)["news"]) == "disk I/O error"
        assert kept.store.open_runs() == []


@contextlib.contextmanager
def no_room_inside(kept: Kept) -> Iterator[None]:
    """SQLite says 'database or disk is full', as it does on a full disk."""
    assert isinstance(kept.store, SqliteStore)
    db = kept.store._db
    (most,) = db.execute("PRAGMA max_page_count").fetchone()
    db.execute("PRAGMA max_page_count = 1")
    try:
        yield
    finally:
        db.execute(f"PRAGMA max_page_count = {most}")


def test_at_a_full_disk_the_ballast_is_given_up_and_later_taken_again(tmp_path: Path) -> None:
    with sqlite(tmp_path) as kept:
        ballast = kept.folder / "ballast"
        assert ballast.stat().st_blocks * 512 >= SIZE
        kept.write(accepted(1, run(1)))
        with no_room_inside(kept):
            kept.put(accepted(2, size=60_000), "full")
            kept.settle()
            assert not ballast.exists()
            assert "full" in str(dict(kept.told)["full"])
        kept.store.recover()
        # Room for outcomes is there; as long as the ballast can't be had again, none for news.
        with no_file_may_grow():
            kept.put(accepted(3), "no ballast")
            kept.settle()
        assert str(dict(kept.told)["no ballast"]) == "the disk is full"
        kept.store.recover()
        kept.put(accepted(4), "room")
        assert kept.wait_told("room") is None
        assert ballast.stat().st_blocks * 512 >= SIZE


def test_a_ballast_is_taken_where_the_disk_has_twice_its_room(tmp_path: Path) -> None:
    ballast = Ballast(tmp_path / "ballast")
    with no_file_may_grow():
        assert not ballast.take()
        assert not ballast.keep()
    assert ballast.keep()
    assert ballast.take()
    ballast.give_up()
    ballast.give_up()
    assert not (tmp_path / "ballast").exists()
    assert not Ballast(tmp_path / "no such folder" / "ballast").take()


def test_one_that_a_crash_left_is_taken_over(tmp_path: Path) -> None:
    assert Ballast(tmp_path / "ballast").take()
    assert Ballast(tmp_path / "ballast").take()
    assert (tmp_path / "ballast").stat().st_size == SIZE


def test_a_file_that_broke_fails_what_is_put_and_hangs_nobody(tmp_path: Path) -> None:
    with sqlite(tmp_path) as kept:
        kept.write(accepted(1, run(1)))
        with contextlib.closing(connected(kept.folder)) as db:
            db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        path = kept.folder / "pbxrules.db"
        size = path.stat().st_size
        with path.open("r+b") as file:
            file.write(b"\0" * size)
        for number in range(2, 5):
            kept.put(accepted(number, at=replace(NOW, boot=f"boot {number}")), str(number))
            kept.settle()
            kept.store.recover()
        assert not any(fates(kept.told[1:]).values())


def test_refused_reports_that_nobody_could_write_yet_are_bounded(tmp_path: Path) -> None:
    most = sqlite_store.MAX_WAITING
    with sqlite(tmp_path) as kept:
        with Sqlite().held(kept.folder):
            assert isinstance(kept.store, SqliteStore)
            kept.store._db.execute("PRAGMA busy_timeout = 20000")
            kept.store.put(accepted(1))
            for _ in range(most + 1000):
                kept.store.put(refused(0))
        kept.settle()
        (one,) = refusals(kept)
        assert one.count <= most + 1 + sqlite_store.MAX_BATCH
        assert ids(kept) == [1]
