"""What every store promises, and then what is SQLite's own.

To try another store, add its ``Kind`` to ``KINDS``.
"""

# Over 300 lines: the one suite of the store's contract.

import contextlib
import json
import os
import resource
import signal
import sqlite3
import stat
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from types import MappingProxyType
from typing import Any, Protocol, cast

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pbxrules import model
from pbxrules import store as contract
from pbxrules.errors import StoreError
from pbxrules.model import RUNS_PER_EVENT, Arrived, Changes, Miss, Moment, Run, Tried
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
from pbxrules.store.ahead import SIZE as LOG_SIZE
from pbxrules.store.ahead import make_room
from pbxrules.store.ballast import SIZE, Ballast
from pbxrules.store.migrations import MIGRATIONS
from pbxrules.store.pruning import CHUNK, KEEP_REFUSED, Keep
from pbxrules.store.rows import GIVEN_UP
from pbxrules.store.sqlite import CHECKPOINT_EVERY, PRUNE_EVERY, SqliteStore
from tests.stores import (
    NOW,
    PATIENCE_S,
    SOURCE,
    Books,
    Kept,
    Loop,
    Told,
    accepted,
    advanced,
    as_dict,
    busy_daemon,
    ended,
    refused,
    run,
    store_in,
    tried_again,
    value,
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
        opened = SqliteStore(folder, keep=keep, call=loop.call, soon=loop.call)
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
        id=owed.id, rule=owed.rule, program=owed.program, lane=owed.lane, call=owed.call,
        parent=owed.parent, verb=owed.verb, due=owed.due, expires_s=owed.expires_s,
        next_try=owed.next_try,
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
            accepted(2, run(2, program="new"), programs=(("new", json.dumps(other)),)),
            accepted(3, run(3)),
        )
    with opened() as kept:
        kept.write(accepted(4, run(4, program="new"), programs=(("new", json.dumps(other)),)))
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


def test_a_run_keeps_all_that_it_has_gathered(opened: Open) -> None:
    news = Arrived(id=7, fields={"event": "bye", "extensions": ("101",), "duration": 3}, wanted=())
    owed = run(
        1, position="actions/2/do/0", lane='["101"]', call="c1", begun=True, outcome="failed",
        results={"light": {"stderr": "ü☎", "body": [1, None]}, "odd": MappingProxyType({"a": 1})},
        counters={"actions/2": 3}, parent=run(1, 2).id, mark=6, inbox=(news,),
    )  # fmt: skip
    with opened() as kept:
        kept.write(accepted(1, owed))
    with opened() as kept:
        assert kept.store.open_runs() == [short(owed)]
        assert [each.run for each in kept.loaded()] == [owed]


def test_an_event_moves_and_ends_runs_of_earlier_events(opened: Open) -> None:
    waits, lamp, new = run(1, 1), run(1, 2), run(2)
    moved = replace(waits, position="actions/1", begun=True, results={"answer": {"caller": "1"}})
    with opened() as kept:
        kept.write(accepted(1, waits, lamp))
        kept.write(accepted(2, new, moved, ended(lamp)))
    with opened() as kept:
        assert [(each.run, each.call) for each in kept.loaded()] == [
            (moved, "call-1"), (new, "call-2"),
        ]  # fmt: skip


def test_a_run_may_begin_and_join_branches_without_an_event(opened: Open) -> None:
    forked = run(1, verb="join", begun=True)
    branches = [run(1, place, parent=forked.id, results={"a": place}) for place in (500, 501)]
    with opened() as kept:
        kept.write(accepted(1, run(1)), advanced(forked, *branches))
        assert kept.store.open_runs() == [short(forked), *map(short, branches)]
    with opened() as kept:
        assert [each.source for each in kept.loaded()] == [SOURCE] * 3
        kept.write(advanced(ended(branches[0])), advanced(ended(branches[1]), ended(forked)))
        assert kept.store.open_runs() == []


def test_the_id_of_a_branch_that_is_gone_may_come_again(opened: Open) -> None:
    branch = run(1, 500, parent=run(1).id)
    other = run(1, 500, rule="other", trigger="2", lane="l", call="c", program="new")
    with opened() as kept:
        kept.write(accepted(1, run(1), programs=(("digest", json.dumps(SOURCE)), ("new", "{}"))))
        kept.write(advanced(branch), advanced(ended(branch)), advanced(other))
        assert [(each.run, each.source) for each in kept.loaded()] == [
            (run(1), SOURCE), (other, {}),
        ]  # fmt: skip


def test_any_number_of_runs_is_loaded_at_once(opened: Open) -> None:
    """SQLite alone takes at most 32,766 values."""
    owed = [run(1, place) for place in range(1, 40_001)]
    with opened() as kept:
        kept.write(accepted(1, *owed))
        loaded = kept.loaded()
    assert [each.run.id for each in loaded] == [one.id for one in owed]
    assert len({id(each.event) for each in loaded}) == 1, "what runs have in common is held once"
    assert len({id(each.source) for each in loaded}) == 1


# --- Every store: what is remembered ---------------------------------------------------------


def test_what_is_remembered_is_there_after_reopening(opened: Open) -> None:
    state = value("missed", 3)
    cooldown = value("101", 1, NOW.after(60), kind="cooldown", rule="siren")
    call = value("c1", {"caller": "☎", "parts": [1, 2.5, None]}, NOW.after(7200), kind="call")
    with opened() as kept:
        kept.write(accepted(1, kept=(state, cooldown)), advanced(kept=(call,)))
    with opened() as kept:
        assert as_dict(kept.store.memory()) == as_dict([state, cooldown, call])


def test_of_one_name_the_last_value_is_remembered(opened: Open) -> None:
    with opened() as kept:
        kept.write(
            accepted(1, kept=(value("a", 1), value("b", 1))), advanced(kept=(value("a", 2),))
        )
        assert as_dict(kept.store.memory()) == as_dict([value("a", 2), value("b", 1)])
        kept.write(accepted(2, kept=(value("a", [3], NOW),)))
    with opened() as kept:
        assert as_dict(kept.store.memory()) == as_dict([value("a", [3], NOW), value("b", 1)])


def test_what_is_forgotten_is_gone_whichever_was_put_at_once_with_it(opened: Open) -> None:
    a, b = value("a", 1), value("b", 1)
    with opened() as kept:
        kept.put(accepted(1, kept=(a, b)))
        kept.put(advanced(forgotten=(a.key, ("state", "", "never was"))))
        kept.settle()
        assert kept.store.memory() == [b]
        kept.put(accepted(2, forgotten=(b.key,)))
        kept.put(accepted(3, kept=(a,)))
        kept.settle()
        assert kept.store.memory() == [a]
        kept.write(accepted(4, kept=(b,), forgotten=(b.key,)))
        assert as_dict(kept.store.memory()) == as_dict([a, b]), "one change forgets first"


def test_a_name_is_another_of_another_kind_or_rule(opened: Open) -> None:
    names = [
        value("n", number, kind=kind, rule=rule)
        for number, (kind, rule) in enumerate([("count", "a"), ("count", "b"), ("once", "a")])
    ]
    with opened() as kept:
        kept.write(accepted(1, kept=tuple(names)), advanced(forgotten=(names[1].key,)))
        assert as_dict(kept.store.memory()) == as_dict([names[0], names[2]])


def test_what_is_to_be_forgotten_first_comes_first(opened: Open) -> None:
    ever, late, soon = value("a", 0), value("b", 0, NOW.after(9)), value("c", 0, NOW.after(1))
    with opened() as kept:
        kept.write(accepted(1, kept=(ever, late, soon)))
        assert kept.store.memory() == [soon, late, ever]


def test_what_has_expired_is_forgotten_by_nobody_but_its_owner(opened: Open) -> None:
    old = value("a", 0, replace(NOW, wall_s=1))
    with opened() as kept:
        kept.write(accepted(1, kept=(old,)))
        commit_often(kept)
    with opened() as kept:
        assert kept.store.memory() == [old]


def test_half_of_a_surrogate_pair_is_kept_as_it_is(opened: Open) -> None:
    """A server's JSON may hold one; UTF-8 has none, and SQLite's text is UTF-8."""
    odd = {"body": "\ud83d"}
    with opened() as kept:
        kept.write(accepted(1, run(1, results={"r": odd}), kept=(value("a", odd),)))
        assert kept.store.memory() == [value("a", odd)]
        assert kept.loaded()[0].run == run(1, results={"r": odd})


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


@pytest.mark.parametrize(
    ("change", "lazy"),
    [
        pytest.param(advanced(ended(run(1))), True, id="its run has ended"),
        pytest.param(advanced(ended(run(1, 1)), ended(run(1, 2))), True, id="all have ended"),
        pytest.param(advanced(run(1)), False, id="its run goes on"),
        pytest.param(advanced(ended(run(1, 1)), run(1, 2)), False, id="one goes on"),
        pytest.param(advanced(ended(run(1)), kept=(value("a", 1),)), False, id="it remembers"),
        pytest.param(
            advanced(ended(run(1)), forgotten=(("state", "", "a"),)), False, id="it forgets"
        ),
    ],
)
def test_which_outcomes_may_wait_for_a_commit_to_go_along_with(
    change: Advanced, lazy: bool
) -> None:
    assert change.lazy is lazy


def test_an_outcome_that_may_wait_does_not_wait_for_ever(opened: Open) -> None:
    with opened() as kept:
        kept.write(accepted(1, run(1, 1), run(1, 2)))
        kept.put(advanced(ended(run(1, 1))), "first")
        kept.put(advanced(ended(run(1, 2))), "second")
        assert kept.wait_told("second") is None
        assert kept.store.open_runs() == []


def test_an_outcome_that_may_wait_stays_behind_what_was_put_before_it(opened: Open) -> None:
    """Also where that is not handed over yet, since much is put in one turn of the loop."""
    with opened() as kept:
        kept.write(accepted(1, run(1)))
        for number in range(2, 30):
            kept.put(accepted(number))
            kept.put(advanced(run(1, attempt=number)))
            kept.put(advanced(ended(run(1))))
            kept.settle()
            assert kept.store.open_runs() == []


@pytest.mark.parametrize(
    "changes",
    [
        pytest.param(
            [advanced(run(1, attempt=1)), accepted(2, run(1, attempt=2))],
            id="an outcome, then an event",
        ),
        pytest.param(
            [accepted(2, run(1, attempt=1)), advanced(run(1, attempt=2))],
            id="an event, then an outcome",
        ),
        pytest.param(
            [advanced(ended(run(1))), accepted(2, run(1, attempt=2))],
            id="an outcome that may wait, then an event",
        ),
        pytest.param(
            [accepted(2, ended(run(1))), advanced(ended(run(1))), advanced(run(1, attempt=2))],
            id="one that may wait between two that may not",
        ),
    ],
)
def test_what_is_put_takes_effect_in_its_order(opened: Open, changes: list[Change]) -> None:
    with opened() as kept:
        kept.write(accepted(1, run(1)))
        kept.write(*changes)
        assert [each.run for each in kept.loaded()] == [run(1, attempt=2)]


def test_of_many_changes_at_once_each_takes_effect_in_its_order(opened: Open) -> None:
    """More than go into one commit, with some that may wait in between."""
    with opened() as kept:
        kept.put(accepted(1, run(1)))
        for attempt in range(1, 700):
            kept.put(advanced(ended(run(1))))
            kept.put(advanced(run(1, attempt=attempt), kept=(value("n", attempt),)), str(attempt))
            if not attempt % 100:
                assert kept.wait_told(str(attempt)) is None
                (loaded,) = kept.loaded()
                assert loaded.run.attempt >= attempt
        kept.settle()
        assert [each.run for each in kept.loaded()] == [run(1, attempt=699)]
        assert kept.store.memory() == [value("n", 699)]


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


def test_an_outcome_that_could_not_be_written_is_ahead_of_what_was_put_after_it(
    opened: Open, kind: Kind
) -> None:
    with opened() as kept:
        kept.write(accepted(1, run(1)))
        with kind.held(kept.folder):
            kept.put(advanced(run(1, attempt=1), kept=(value("a", 1),)), "outcome")
            kept.settle()
            assert fates(kept.told[1:]) == {}
        kept.put(accepted(2, run(1, attempt=2), kept=(value("a", 2),)), "news")
        assert kept.wait_told("news") is None
        assert [name for name, _ in kept.told[1:]] == ["outcome", "news"]
        assert kept.store.memory() == [value("a", 2)]
        assert [each.run for each in kept.loaded()] == [run(1, attempt=2)]


def test_news_does_not_overtake_an_outcome_that_can_not_be_written(
    opened: Open, kind: Kind
) -> None:
    with opened() as kept:
        kept.write(accepted(1, run(1)))
        with kind.held(kept.folder):
            kept.put(advanced(run(1, attempt=1)), "outcome")
            kept.settle()
            kept.put(accepted(2), "news")
            kept.settle()
        assert fates(kept.told[1:]) == {"news": False}
        assert kept.wait_told("outcome") is None


def test_what_outcomes_say_of_memory_is_known_before_it_is_written(
    opened: Open, kind: Kind
) -> None:
    """Who is told of a failure reads memory again, and what has happened has happened."""
    a, b = value("a", 1), value("b", 1)
    with opened() as kept:
        kept.write(accepted(1, run(1), kept=(a,)))
        with kind.held(kept.folder):
            kept.put(accepted(2, kept=(value("lost", 1),)), "news")
            kept.put(advanced(run(1, attempt=1), kept=(b,), forgotten=(a.key,)), "outcome")
            kept.settle()
            assert kept.store.recover()
            assert kept.store.memory() == [b]
        assert kept.wait_told("outcome") is None
        assert kept.store.memory() == [b]
        kept.write(accepted(3, forgotten=(b.key,)))
        assert kept.store.memory() == [], "what is written is not told twice"


def test_runs_of_an_event_that_failed_are_left_out_of_outcomes(opened: Open, kind: Kind) -> None:
    """A run ended, and the next of its lane began: but the event of that is not there."""
    with opened() as kept:
        kept.write(accepted(1, run(1)))
        with kind.held(kept.folder):
            kept.put(accepted(2, run(2)), "lost")
            kept.put(advanced(ended(run(1)), run(2, attempt=1), kept=(value("a", 1),)), "outcome")
            kept.settle()
            kept.put(advanced(run(2, attempt=2)), "another")
            kept.settle()
        kept.store.recover()
        kept.put(accepted(3, run(3)), "later")
        assert kept.wait_told("later") is None
        assert fates(kept.told[1:]) == {
            "lost": False, "outcome": True, "another": True, "later": True,
        }  # fmt: skip
        assert kept.store.open_runs() == [short(run(3))]
        assert kept.store.memory() == [value("a", 1)]
        # What is decided after the recovery is decided on what is there.
        kept.write(accepted(2, run(2)))
        kept.write(advanced(run(2, attempt=1)))
        assert kept.loaded()[0].run == run(2, attempt=1)


@pytest.mark.parametrize(
    "broken",
    [
        pytest.param(advanced(run(1, attempt=1 << 70)), id="a number that is too large"),
        pytest.param(advanced(run(1, verb="\ud83d")), id="a text that UTF-8 does not have"),
        pytest.param(advanced(kept=(value("a", object()),)), id="nothing that JSON has"),
        pytest.param(advanced(kept=(value(cast("str", None), 1),)), id="no name"),
    ],
)
def test_an_outcome_that_can_never_be_written_is_let_go_of_alone(
    opened: Open, broken: Advanced, caplog: pytest.LogCaptureFixture
) -> None:
    with opened() as kept:
        kept.write(accepted(1, run(1, 1), run(1, 2)))
        for name, change in [
            ("before", advanced(run(1, 1, attempt=1))),
            ("broken", broken),
            ("behind", advanced(run(1, 2, attempt=1), kept=(value("b", 1),))),
        ]:
            kept.put(change, name)
        kept.settle()
        assert fates(kept.told[1:]) == {"before": True, "broken": False, "behind": True}
        assert kept.store.memory() == [value("b", 1)]
        assert not kept.store.recover(), "nothing was decided on it"
        kept.write(accepted(2))
    assert "a change can't be written" in caplog.messages


def test_what_goes_along_with_a_change_that_breaks_is_stored_with_the_next(opened: Open) -> None:
    """Its program and its boot were written already when it broke."""
    reboot = Moment(boot="boot-b", uptime_s=1, wall_s=NOW.wall_s)
    with opened() as kept:
        kept.put(accepted(1 << 70, run(1), at=reboot), "broken")
        assert kept.wait_told("broken") is not None
        kept.store.recover()
        kept.write(accepted(1, run(1, at=reboot), at=reboot))
        assert [(each.run, each.source) for each in kept.loaded()] == [(run(1, at=reboot), SOURCE)]


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


@pytest.mark.parametrize("verb", ["for", "lane", "delay", "wait_for", "join"])
def test_an_event_stays_while_a_run_of_it_waits(opened: Open, verb: str) -> None:
    other = {"rule": "gone", "actions": []}
    waits = run(1, 2, verb=verb, program="gone", begun=verb != "for")
    for _ in range(2):
        with opened(events=10) as kept:
            if kept.store.next_event_id == 1:
                programs = (("digest", json.dumps(SOURCE)), ("gone", json.dumps(other)))
                kept.write(accepted(1, run(1, 1), waits, programs=programs))
                kept.write(*(accepted(number) for number in range(2, 50)), advanced(ended(run(1))))
            commit_often(kept)
            assert ids(kept)[:2] == [1, 40]
            (loaded,) = kept.loaded()
            assert (loaded.run, loaded.source) == (waits, other)


def test_an_event_that_stays_keeps_all_of_its_runs(tmp_path: Path) -> None:
    with sqlite(tmp_path, events=10) as kept:
        kept.write(accepted(1, ended(run(1, 1)), run(1, 2)))
        kept.write(*(accepted(number, ended(run(number))) for number in range(2, 50)))
        commit_often(kept)
        with reading.opened(kept.folder / "pbxrules.db") as db:
            records = reading.events(db)
    assert records[0].runs == (ended(run(1, 1)), run(1, 2))
    assert [len(record.runs) for record in records] == [2, *[1] * 10]


# --- Every store: any history ----------------------------------------------------------------

MOMENTS = st.builds(
    lambda boot, uptime, wall: Moment(boot=boot, uptime_s=uptime, wall_s=wall),
    st.sampled_from(["boot-a", "boot-b", "boot-c"]),
    st.floats(0, 1e6),
    st.floats(0, 2e9),
)
NUMBERS = st.integers() | st.floats(allow_nan=False)
JSON = st.recursive(
    st.none() | st.booleans() | NUMBERS | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=6,
)
FIELDS = st.dictionaries(
    st.text(), st.text() | NUMBERS | st.lists(st.text(), max_size=3).map(tuple), max_size=3
)
ARRIVED = st.builds(
    Arrived,
    id=st.integers(0, 1 << 60),
    fields=FIELDS,
    wanted=st.lists(st.text(), max_size=2).map(tuple),
)
VALUES = st.builds(
    model.Kept,
    kind=st.sampled_from(["state", "cooldown", "count"]),
    rule=st.text(max_size=2),
    name=st.text(max_size=2),
    value=JSON,
    until=st.none() | MOMENTS,
)
TRIED = st.builds(
    Tried,
    position=st.text(),
    verb=st.text(),
    state=st.sampled_from(["done", "failed", "expired", "dropped"]),
    reason=st.text(),
    attempts=st.integers(0, 99),
)


def runs(event_id: int) -> st.SearchStrategy[Run]:
    """Open runs of an event."""
    return st.builds(
        Run,
        id=st.integers(1, RUNS_PER_EVENT - 1).map(lambda place: event_id * RUNS_PER_EVENT + place),
        event_id=st.just(event_id),
        rule=st.text(),
        program=st.just("digest"),
        trigger=st.text(),
        position=st.text(min_size=1),
        verb=st.text(),
        due=MOMENTS,
        expires_s=st.none() | st.floats(0, 1e9),
        next_try=MOMENTS,
        attempt=st.integers(0, 99),
        tried=st.lists(TRIED, max_size=3).map(tuple),
        lane=st.text(),
        call=st.text(),
        begun=st.booleans(),
        outcome=st.sampled_from(["", "done", "failed", "expired", "stopped", "restarted"]),
        results=st.dictionaries(st.text(), JSON, max_size=2),
        counters=st.dictionaries(st.text(), st.integers(1, 1000), max_size=2),
        parent=st.just(0) | st.integers(1, 1 << 60),
        mark=st.integers(0, 1 << 60),
        inbox=st.lists(ARRIVED, max_size=2).map(tuple),
        trouble=st.text(),
        given_up=st.text(),
    )


def changes(event_id: int) -> st.SearchStrategy[Changes]:
    return st.builds(
        Changes,
        runs=st.lists(runs(event_id), max_size=3, unique_by=lambda one: one.id).map(tuple),
        kept=st.lists(VALUES, max_size=3).map(tuple),
        forgotten=st.lists(VALUES.map(lambda one: one.key), max_size=3).map(tuple),
    )


@pytest.mark.parametrize("kind", KINDS)
@settings(max_examples=40)
@given(begun=changes(1), later=changes(1))
def test_runs_and_values_come_back_exactly(kind: Kind, begun: Changes, later: Changes) -> None:
    event = accepted(1, changes=begun, programs=(("digest", json.dumps(SOURCE)),))
    books = Books()
    with tempfile.TemporaryDirectory() as folder:
        kept = open_in(kind, Path(folder))
        for change in (event, Advanced(changes=later)):
            books.apply(change)
            kept.write(change)
        kept.store.close()
        kept = open_in(kind, Path(folder))
        try:
            check(kept.store, books)
        finally:
            kept.store.close()


STEPS = [
    "accept", "accept", "accept", "see", "retry", "end", "end", "branch", "orphan",
    "hold", "release", "settle", "settle", "reopen",
]  # fmt: skip
KEYS = ["a", "b", "c"]


@st.composite
def histories(draw: st.DrawFn) -> list[tuple[str, int, Moment, Changes]]:
    """Changes as a daemon puts them, settled, refused by the disk and reopened in between.

    Of each step the word, a number that chooses, a moment, and what it changes of memory.
    """
    some = st.lists(st.sampled_from(KEYS), max_size=2)
    remembers = st.builds(
        lambda number, kept, forgotten, until: Changes(
            kept=tuple(value(name, number, until) for name in kept),
            forgotten=tuple(("state", "", name) for name in forgotten),
        ),
        st.integers(0, 99), some, some, st.none() | MOMENTS,
    )  # fmt: skip
    step = st.tuples(st.sampled_from(STEPS), st.integers(0, 3), MOMENTS, remembers)
    return draw(st.lists(step, min_size=5, max_size=40))


class Daemon:
    """Puts changes, and knows what they should come to."""

    def __init__(self, kind: Kind, folder: Path) -> None:
        self._kind = kind
        self._folder = folder
        self._kept = open_in(kind, folder)
        self._books = Books()
        self._next_id = 1
        self._held: contextlib.ExitStack | None = None
        """Open while nothing can be written: news fails, outcomes are kept."""
        self._lost: list[Run] = []

    def do(self, step: str, number: int, at: Moment, remembers: Changes) -> None:
        match step:
            case "hold" if self._held is None:
                self._kept.settle()
                self._held = contextlib.ExitStack()
                self._held.enter_context(self._kind.held(self._folder))
            case "release":
                self._release()
            case "settle":
                self._kept.settle()
                self.check()
            case "reopen":
                self.close()
                self._kept = open_in(self._kind, self._folder)
            case _:
                self._put(step, number, at, remembers)

    def _release(self) -> None:
        if self._held is not None:
            self._kept.settle()
            self._held.close()
            self._held = None
            self._lost.clear()
            self._kept.store.recover()
            self._kept.settle()

    def close(self) -> None:
        self._release()
        self._kept.store.close()

    def check(self) -> None:
        assert as_dict(self._kept.store.memory()) == self._books.memory
        if self._held is None:
            check(self._kept.store, self._books)

    def _put(self, step: str, number: int, at: Moment, remembers: Changes) -> None:
        owed = self._books.owed()
        chosen = owed[number % len(owed)] if owed else None
        if step == "accept":
            self._accept(number, at, remembers, [] if chosen is None else [chosen])
        elif step == "see" and self._books.events:
            seen = sorted(self._books.events)[number % len(self._books.events)]
            self._news(SeenAgain(event_id=seen, at=at))
        elif step == "retry" and chosen is not None:
            self._outcome(replace(remembers, runs=(tried_again(chosen, at),)))
        elif step == "end" and chosen is not None:
            self._outcome(Changes(runs=(ended(chosen, at),)))
        elif step == "branch" and chosen is not None:
            branch = replace(chosen, id=chosen.id + 100, parent=chosen.id, next_try=at)
            self._outcome(replace(remembers, runs=(tried_again(chosen, at), branch)))
        elif step == "orphan" and chosen is not None and self._lost:
            # A run that has ended lets the next of its lane begin: but that one is not there.
            self._outcome(Changes(runs=(ended(chosen, at),)), *self._lost)

    def _accept(self, number: int, at: Moment, remembers: Changes, owed: list[Run]) -> None:
        made = [run(self._next_id, place, at=at) for place in range(1, number + 1)]
        moved = [tried_again(one, at) if number % 2 else ended(one, at) for one in owed]
        event = accepted(
            self._next_id,
            changes=replace(remembers, runs=(*made, *moved)),
            programs=(("digest", json.dumps(SOURCE)),),
            at=at,
            subject="101" if number == 3 else None,
        )
        self._next_id += 1
        self._news(event)
        if self._held is not None:
            self._lost += made

    def _news(self, change: Change) -> None:
        self._kept.put(change)
        if self._held is None:
            self._books.apply(change)

    def _outcome(self, changes: Changes, *lost: Run) -> None:
        self._books.apply(Advanced(changes=changes))
        self._kept.put(Advanced(changes=replace(changes, runs=(*changes.runs, *lost))))


def check(store: Store, books: Books) -> None:
    """The store holds what the books say."""
    owed = books.owed()
    assert store.open_runs() == [short(one) for one in owed]
    assert store.load([one.id for one in owed]) == [
        LoadedRun(run=one, event=event.event, call=event.call, source=SOURCE)
        for one in owed
        for event in [books.events[one.event_id][0]]
    ]
    assert as_dict(store.memory()) == books.memory
    last = max((id_ for id_, (one, _) in books.events.items() if one.subject), default=None)
    seen = {
        number: remembered(one, at)
        for number, (one, at) in books.events.items()
        if one.subject is None or number == last
    }
    whole = Moment(boot="none", uptime_s=0, wall_s=0)
    assert {one.id: one for one in store.seen(now=whole)} == seen


@pytest.mark.parametrize("kind", KINDS)
@settings(max_examples=50)
@given(history=histories())
def test_whatever_is_put_is_what_is_there(
    kind: Kind, history: list[tuple[str, int, Moment, Changes]]
) -> None:
    with tempfile.TemporaryDirectory() as folder:
        daemon = Daemon(kind, Path(folder))
        try:
            for step, number, at, remembers in history:
                daemon.do(step, number, at, remembers)
            daemon.do("release", 0, NOW, Changes())
            daemon.do("settle", 0, NOW, Changes())
        finally:
            daemon.close()


def open_in(kind: Kind, folder: Path) -> Kept:
    loop = Loop()
    return Kept(kind.open(folder, Keep(), loop), loop, folder)


WRITER = """
import pathlib, sys
from tests.stores import busy_daemon, store_in
with store_in(pathlib.Path(sys.argv[1])) as kept:
    told = lambda number: lambda fate: print(number, flush=True)
    for number, change in enumerate(busy_daemon(), 1):
        kept.store.put(change, told(number))
        if not number % int(sys.argv[2]):
            kept.settle()
"""


@pytest.mark.parametrize("at_once", [1, 7, 500])
@pytest.mark.parametrize("lines", [1, 40, 600])
def test_a_kill_between_commits_loses_nothing_that_was_told_durable(
    tmp_path: Path, at_once: int, lines: int
) -> None:
    """What is there is what the first so many changes make, and those are at least the told."""
    command = [sys.executable, "-c", WRITER, str(tmp_path), str(at_once)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as writer:
        assert writer.stdout is not None
        told = [int(writer.stdout.readline()) for _ in range(lines)]
        writer.kill()
        told += [int(line) for line in writer.stdout if line.endswith("\n")]
    assert told == list(range(1, len(told) + 1))
    with store_in(tmp_path) as kept:
        runs = [each.run for each in kept.loaded()]
        memory = as_dict(kept.store.memory())
    books = Books()
    for number, change in enumerate(busy_daemon(), 1):
        books.apply(change)
        if number >= len(told) and (books.owed(), books.memory) == (runs, memory):
            break
        assert number < len(told) + 1000, "it is the state after none of them"


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
    assert record.call == "call-1"
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


def test_what_is_forgotten_is_found_by_its_key_however_much_is_remembered(tmp_path: Path) -> None:
    """Else each event that ends a cooldown would look through 100,000 of them."""
    steps: list[int] = []
    for many in (100, 20_000):
        with sqlite(tmp_path / str(many)) as kept:
            kept.write(accepted(1, kept=tuple(value(str(n), n) for n in range(many))))
            assert isinstance(kept.store, SqliteStore)
            taken: list[None] = []
            kept.store._db.set_progress_handler(lambda: taken.append(None), 10)  # noqa: B023
            kept.write(accepted(2, forgotten=tuple(("state", "", str(n)) for n in range(40))))
            kept.store._db.set_progress_handler(None, 0)
            assert len(kept.store.memory()) == many - 40
            steps.append(len(taken))
    assert steps[1] < 2 * steps[0]


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


def test_no_commit_behind_a_start_waits_for_its_log_to_grow(tmp_path: Path) -> None:
    with sqlite(tmp_path) as kept:
        log = kept.folder / "pbxrules.db-wal"
        room = log.stat().st_size
        assert room == LOG_SIZE
        for number in range(1, 400):  # some 3 pages each: the log begins again meanwhile
            kept.write(accepted(number, run(number)))
        assert log.stat().st_size == room


def test_the_log_is_moved_into_the_database_at_a_quiet_moment(tmp_path: Path) -> None:
    with sqlite(tmp_path) as kept:
        assert isinstance(kept.store, SqliteStore)
        done: list[str] = []
        moved = threading.Event()

        def see(statement: str) -> None:
            done.append(statement)
            if "wal_checkpoint" in statement:
                moved.set()

        kept.store._db.set_trace_callback(see)
        for number in range(1, CHECKPOINT_EVERY + 1):
            kept.write(accepted(number, run(number)))
        assert moved.wait(PATIENCE_S)
        assert done.count("COMMIT") == CHECKPOINT_EVERY
        assert done[-1] == "PRAGMA wal_checkpoint"
    assert (tmp_path / "state" / "pbxrules.db").stat().st_size > 100_000


def test_a_log_that_a_crash_left_keeps_what_it_holds(tmp_path: Path) -> None:
    log = tmp_path / "pbxrules.db-wal"
    log.write_bytes(b"frames")
    make_room(log)
    make_room(log)
    told = log.read_bytes()
    assert len(told) == LOG_SIZE
    assert told.rstrip(b"\0") == b"frames"


def test_where_the_disk_has_no_room_for_it_the_log_grows_as_it_always_may(tmp_path: Path) -> None:
    log = tmp_path / "pbxrules.db-wal"
    make_room(log)
    assert not log.exists(), "SQLite makes its files itself"
    log.write_bytes(b"frames")
    with no_file_may_grow():
        make_room(log)
    assert log.read_bytes() == b"frames"


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
        "DROP INDEX runs_given_up; DROP TABLE memory; ALTER TABLE events DROP COLUMN call;"
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


def test_what_was_given_up_is_found_by_an_index(tmp_path: Path) -> None:
    """Not by a look at every run that ever was; nor are the programs that a start keeps."""
    with sqlite(tmp_path):
        pass
    with contextlib.closing(connected(tmp_path / "state")) as db:
        query = f"EXPLAIN QUERY PLAN SELECT program FROM runs WHERE {GIVEN_UP}"  # noqa: S608 - ours
        assert ["runs_given_up" in line for *_, line in db.execute(query)] == [True]


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


def test_news_that_there_is_room_for_does_not_overtake_an_outcome_that_there_is_none_for(
    tmp_path: Path,
) -> None:
    with sqlite(tmp_path) as kept:
        kept.write(accepted(1, run(1), kept=(value("a", 1),)))
        with no_room_inside(kept):
            kept.put(advanced(kept=(value("a", "x" * 60_000),)), "outcome")
            kept.settle()
            kept.put(accepted(2, kept=(value("a", 2),)), "news")
            kept.settle()
        assert fates(kept.told[1:]) == {"news": False}
        kept.store.recover()
        kept.put(accepted(3, kept=(value("a", 3),)), "later")
        assert kept.wait_told("later") is None
        assert kept.wait_told("outcome") is None
        assert kept.store.memory() == [value("a", 3)]


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
