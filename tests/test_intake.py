"""From bytes to rows on disk: what is answered when, and what is never answered twice."""

import asyncio
import shutil
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from pbxrules import loading
from pbxrules.errors import ReportError, StoreError
from pbxrules.intake import Receipt
from pbxrules.model import Delivery
from pbxrules.store import Accepted, Store
from pbxrules.store.pruning import KEEP_REFUSED, Keep
from pbxrules.store.sqlite import SqliteStore
from tests.daemon import NOON, Daemon, HandClock, MemoryStore, report, status
from tests.reports import OTHER_EVENTS

Fate = Receipt | StoreError
DAY_S = 86_400.0


def accepted(event_id: int, *, duplicate: bool = False, event: str = "ring") -> Receipt:
    """A receipt as our rules give it to a report that only one of them wants."""
    return Receipt(id=event_id, event=event, rules=("every-report",), duplicate=duplicate)


def refused(daemon: Daemon, body: bytes) -> int:
    """The status that *body* is refused with; it has nobody to tell."""
    with pytest.raises(ReportError) as caught:
        daemon.intake.accept(body, lambda fate: pytest.fail(f"told {fate}"))
    return caught.value.status


RING = report(ext={"extid": ["102", "103"]})


# --- Nothing before the commit --------------------------------------------------------------


def test_promise_1_nothing_is_answered_or_begun_before_the_commit(tmp_path: Path) -> None:
    async def scenario() -> None:
        store = MemoryStore()
        async with Daemon(tmp_path, store=store) as daemon:
            fates: list[Fate] = []
            daemon.intake.accept(RING, fates.append)
            assert fates == []
            assert daemon.dispatcher.waiting.total() == 0

            store.commit()
            assert fates == [accepted(1)]
            assert daemon.dispatcher.waiting.total() == 1
            assert list(store.runs) == [1_000_001]

    asyncio.run(scenario())


def test_promise_1_what_is_answered_is_in_the_files_with_all_that_it_starts(
    tmp_path: Path,
) -> None:
    """Read from a copy, so that nothing of the daemon's own memory helps."""
    seen: list[list[tuple[Any, ...]]] = []

    def look(_: Fate) -> None:
        # The log goes into the file when the writer likes: both are what is on disk.
        copy = tmp_path / "copy"
        shutil.copytree(tmp_path / "state", copy)
        with sqlite3.connect(copy / "pbxrules.db") as db:
            seen.append(db.execute("SELECT id, body FROM events").fetchall())
            seen.append(db.execute("SELECT id, rule, position FROM runs").fetchall())
        db.close()

    async def scenario() -> None:
        async with Daemon(tmp_path) as daemon:
            daemon.intake.accept(report(), look)
            await daemon.written()

    asyncio.run(scenario())
    assert seen == [
        [(1, report())],
        [(1_000_001, "every-report", "actions/0"), (1_000_002, "rings-101", "actions/0")],
    ]


def test_promise_1_every_commit_is_synced(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with Daemon(tmp_path) as daemon:
            assert isinstance(daemon.store, SqliteStore)
            pragma = daemon.store._db.execute
            assert pragma("PRAGMA journal_mode").fetchone() == ("wal",)
            assert pragma("PRAGMA synchronous").fetchone() == (2,)  # FULL

    asyncio.run(scenario())


def test_answers_come_in_the_order_of_the_reports(tmp_path: Path) -> None:
    async def scenario() -> list[int]:
        store = MemoryStore()
        async with Daemon(tmp_path, store=store) as daemon:
            told: list[int] = []
            for number in range(5):
                body = report(callid=f"{number}.1")
                daemon.intake.accept(body, lambda _, number=number: told.append(number))  # type: ignore[misc]
            store.commit()
            return told

    assert asyncio.run(scenario()) == [0, 1, 2, 3, 4]


# --- A report sent again --------------------------------------------------------------------

KINDS = [
    pytest.param(report(), 9.0, 10.0, id="a ring"),
    pytest.param(b'{"action":"ALERT","callid":"1.1","ext":{"extid":"101"}}', 9.0, 10.0, id="alert"),
    pytest.param(OTHER_EVENTS[0], 23 * 3600.0, DAY_S, id="another report of a call"),
    pytest.param(
        b'{"action":"Reboot","callid":"1.1"}', 23 * 3600.0, DAY_S, id="unknown, of a call"
    ),
    pytest.param(b'{"action":"Reboot"}', 9.0, 10.0, id="unknown, of no call"),
    pytest.param(status("Idle"), 30 * DAY_S, None, id="the status of an extension"),
]


@pytest.mark.parametrize(("body", "within_s", "beyond_s"), KINDS)
def test_promise_3_a_report_sent_again_starts_nothing_twice(
    body: bytes, within_s: float, beyond_s: float | None, tmp_path: Path
) -> None:
    async def scenario() -> None:
        clock = HandClock()
        async with Daemon(tmp_path, clock=clock) as daemon:
            fates: list[Fate] = []
            daemon.intake.accept(body, fates.append)
            await daemon.written()
            for _ in range(3):
                clock.go_on(within_s)
                daemon.intake.accept(body, fates.append)
                await daemon.written()
            first, *again = fates
            assert isinstance(first, Receipt)
            assert not first.duplicate
            assert (
                again == [Receipt(id=1, event=first.event, rules=first.rules, duplicate=True)] * 3
            )
            assert len(await daemon.performed()) == len(first.rules)
            assert daemon.repeats() == [3]

            if beyond_s is not None:
                clock.go_on(beyond_s)
                daemon.intake.accept(body, fates.append)
                await daemon.written()
                assert fates[-1] == Receipt(
                    id=2, event=first.event, rules=first.rules, duplicate=False
                )

    asyncio.run(scenario())


@pytest.mark.parametrize("reboots", [False, True], ids=["a restart", "a reboot"])
@pytest.mark.parametrize(("body", "within_s", "beyond_s"), KINDS)
def test_promise_3_a_report_sent_again_after_a_restart_starts_nothing_twice(
    body: bytes, within_s: float, beyond_s: float | None, reboots: bool, tmp_path: Path
) -> None:
    clock = HandClock()

    async def one_life() -> tuple[Fate, int]:
        async with Daemon(tmp_path, clock=clock) as daemon:
            fates: list[Fate] = []
            daemon.intake.accept(body, fates.append)
            await daemon.written()
            return fates[0], len(await daemon.performed())

    def pass_time(seconds: float) -> None:
        (clock.reboot if reboots else clock.go_on)(seconds)

    first, begun = asyncio.run(one_life())
    assert isinstance(first, Receipt)
    assert begun == len(first.rules)
    again = Receipt(id=1, event=first.event, rules=first.rules, duplicate=True)
    for _ in range(2):  # the second time only if the first was written down
        pass_time(within_s)
        assert asyncio.run(one_life()) == (again, 0)
    if beyond_s is not None:
        pass_time(beyond_s)
        late, begun = asyncio.run(one_life())
        assert late == Receipt(id=2, event=first.event, rules=first.rules, duplicate=False)
        assert begun == len(first.rules)


def test_a_status_that_came_back_is_new_also_after_a_restart(tmp_path: Path) -> None:
    clock = HandClock()

    async def one_life(*words: str) -> list[bool]:
        async with Daemon(tmp_path, clock=clock) as daemon:
            fates: list[Fate] = []
            for word in words:
                daemon.intake.accept(status(word), fates.append)
            await daemon.written()
            return [isinstance(fate, Receipt) and fate.duplicate for fate in fates]

    assert asyncio.run(one_life("Idle", "Busy", "Idle")) == [False, False, False]
    assert asyncio.run(one_life("Idle", "Busy")) == [True, False]
    assert asyncio.run(one_life("Idle", "Idle")) == [False, True]


def test_a_resend_before_the_commit_shares_its_answer(tmp_path: Path) -> None:
    async def scenario() -> None:
        store = MemoryStore()
        async with Daemon(tmp_path, store=store) as daemon:
            fates: list[Fate] = []
            daemon.intake.accept(RING, fates.append)
            daemon.intake.accept(RING, fates.append)
            daemon.intake.accept(RING, fates.append)
            assert fates == []
            store.commit()
            assert fates == [accepted(1), accepted(1, duplicate=True), accepted(1, duplicate=True)]
            assert list(store.accepted) == [1]
            assert len(store.runs) == 1

    asyncio.run(scenario())


def test_a_resend_before_the_commit_shares_its_failure(tmp_path: Path) -> None:
    async def scenario() -> None:
        store = MemoryStore()
        store.writable = False
        async with Daemon(tmp_path, store=store) as daemon:
            fates: list[Fate] = []
            daemon.intake.accept(RING, fates.append)
            daemon.intake.accept(RING, fates.append)
            store.commit()
            assert [type(fate) for fate in fates] == [StoreError, StoreError]

    asyncio.run(scenario())


def test_a_resend_before_the_commit_is_remembered_as_the_last_time(tmp_path: Path) -> None:
    """The disk took 6 s; a restart must not forget that the PBX asked again meanwhile."""

    async def scenario() -> None:
        store, clock, fates = MemoryStore(), HandClock(), list[Fate]()
        async with Daemon(tmp_path, store=store, clock=clock) as daemon:
            daemon.intake.accept(RING, fates.append)
            clock.go_on(6)
            daemon.intake.accept(RING, fates.append)
            store.commit()
        clock.go_on(6)
        async with Daemon(tmp_path, store=store, clock=clock) as daemon:
            daemon.intake.accept(RING, fates.append)
            store.commit()
        assert fates[-1] == accepted(1, duplicate=True)

    asyncio.run(scenario())


def test_a_resend_is_told_the_rules_that_the_first_one_started(tmp_path: Path) -> None:
    """Rules that were reloaded meanwhile change nothing of what was decided."""

    async def scenario() -> None:
        async with Daemon(tmp_path) as daemon:
            fates: list[Fate] = []
            daemon.intake.accept(RING, fates.append)
            await daemon.written()
            daemon.intake.snapshot = loading.load([], loading.language())
            daemon.intake.accept(RING, fates.append)
            daemon.intake.accept(report(callid="2.2"), fates.append)
            await daemon.written()
            new = Receipt(id=2, event="ring", rules=(), duplicate=False)
            assert fates == [accepted(1), accepted(1, duplicate=True), new]

    asyncio.run(scenario())


# --- A store that can't write ---------------------------------------------------------------


def test_what_could_not_be_written_was_never_seen(tmp_path: Path) -> None:
    async def scenario() -> None:
        store = MemoryStore()
        async with Daemon(tmp_path, store=store) as daemon:
            fates: list[Fate] = []
            store.writable = False
            daemon.intake.accept(RING, fates.append)
            store.commit()
            assert isinstance(fates[0], StoreError)
            assert daemon.dispatcher.waiting.total() == 0

            store.writable = True
            daemon.intake.accept(RING, fates.append)
            store.commit()
            assert fates[1:] == [accepted(2)]
            assert list(store.accepted) == [2]

    asyncio.run(scenario())


def test_all_that_was_decided_behind_a_failed_commit_fails_too(tmp_path: Path) -> None:
    async def scenario() -> None:
        store = MemoryStore()
        async with Daemon(tmp_path, store=store) as daemon:
            fates: list[Fate] = []
            daemon.intake.accept(status("Idle"), fates.append)
            store.commit()
            store.writable = False
            for word in ("Busy", "Idle", "Ringing"):
                daemon.intake.accept(status(word), fates.append)
            store.commit()
            assert [type(fate) for fate in fates[1:]] == [StoreError] * 3

            store.writable = True
            for word in ("Idle", "Busy", "Idle"):  # the first is that of the beginning
                daemon.intake.accept(status(word), fates.append)
            store.commit()
            told = [(fate.id, fate.duplicate) for fate in fates[4:] if isinstance(fate, Receipt)]
            assert told == [(1, True), (5, False), (6, False)]
            assert list(store.accepted) == [1, 5, 6]

    asyncio.run(scenario())


def test_promise_9_a_status_on_disk_holds_no_other_in_memory(tmp_path: Path) -> None:
    async def scenario() -> None:
        store = MemoryStore(at_once=True)
        async with Daemon(tmp_path, store=store) as daemon:
            for number in range(9):
                daemon.intake.accept(status(str(number)), lambda _: None)
            await daemon.written()
            (last,) = daemon.intake._resends._statuses.values()
            assert (last.id, last.before) == (9, None)

    asyncio.run(scenario())


def test_a_resend_that_could_not_be_written_fails_and_is_a_resend_later(tmp_path: Path) -> None:
    async def scenario() -> None:
        store = MemoryStore()
        async with Daemon(tmp_path, store=store) as daemon:
            fates: list[Fate] = []
            daemon.intake.accept(RING, fates.append)
            store.commit()
            store.writable = False
            daemon.intake.accept(RING, fates.append)
            store.commit()
            store.writable = True
            daemon.intake.accept(RING, fates.append)
            store.commit()
            assert [type(fate) for fate in fates] == [Receipt, StoreError, Receipt]
            assert fates[2] == accepted(1, duplicate=True)

    asyncio.run(scenario())


def test_a_resend_that_could_not_be_written_is_no_last_time(tmp_path: Path) -> None:
    async def scenario() -> None:
        store, clock, fates = MemoryStore(), HandClock(), list[Fate]()
        async with Daemon(tmp_path, store=store, clock=clock) as daemon:
            for writable in (True, False, True):
                store.writable = writable
                daemon.intake.accept(RING, fates.append)
                store.commit()
                clock.go_on(6)
            assert isinstance(fates[1], StoreError)
            assert fates[2] == accepted(2)  # 12 s after the last that was answered 200

    asyncio.run(scenario())


def test_what_waits_behind_a_failure_is_forgotten_with_it(tmp_path: Path) -> None:
    """Else a status would be compared with one that fails a moment later."""

    async def scenario() -> None:
        store, fates = MemoryStore(), list[Fate]()
        async with Daemon(tmp_path, store=store) as daemon:
            store.writable = False
            daemon.intake.accept(RING, fates.append)
            # What is put while the failure is told is decided after it was told.
            daemon.intake.accept(RING, lambda _: daemon.intake.accept(status("Idle"), fates.append))
            daemon.intake.accept(status("Idle"), fates.append)
            store.commit()
            store.writable = True
            store.commit()
            assert [type(fate) for fate in fates] == [StoreError, StoreError, Receipt]
            assert list(store.accepted) == [3]

    asyncio.run(scenario())


@pytest.mark.parametrize(
    "unseen",
    [
        pytest.param([b"no report"], id="a refused report"),
        pytest.param([RING, RING], id="a resend that waited"),
    ],
)
def test_a_loss_that_nobody_waited_for_costs_no_later_report(
    unseen: list[bytes], tmp_path: Path
) -> None:
    async def scenario() -> None:
        store = MemoryStore()
        async with Daemon(tmp_path, store=store) as daemon:
            fates: list[Fate] = []
            store.writable = False
            for body in unseen:
                try:
                    daemon.intake.accept(body, fates.append)
                except ReportError:
                    assert body == b"no report"
            store.commit()
            store.writable = True
            daemon.intake.accept(report(callid="2.2"), fates.append)
            store.commit()
            assert isinstance(fates[-1], Receipt)

    asyncio.run(scenario())


@contextmanager
def full_disk(store: Store) -> Iterator[None]:
    """SQLite's own bound in place of a disk's: SQLITE_FULL all the same."""
    assert isinstance(store, SqliteStore)
    execute = store._db.execute
    (before,) = execute("PRAGMA max_page_count").fetchone()
    execute("PRAGMA max_page_count = 1")  # becomes what there is
    try:
        yield
    finally:
        execute(f"PRAGMA max_page_count = {before}")


def test_a_full_disk_fails_new_reports_only_while_it_is_full(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with Daemon(tmp_path) as daemon:
            fates: list[Fate] = []
            large = report(name="x" * 60_000)
            daemon.intake.accept(RING, fates.append)
            await daemon.written()
            with full_disk(daemon.store):
                daemon.intake.accept(large, fates.append)
                await daemon.written()
                assert isinstance(fates[-1], StoreError)
            daemon.intake.accept(large, fates.append)
            await daemon.written()
            assert [type(fate) for fate in fates] == [Receipt, StoreError, Receipt]
            assert [
                event["fields"]["payload"].get("name", "")[:1] for event in daemon.events()
            ] == [
                "",
                "x",
            ]

    asyncio.run(scenario())


def test_promise_9_a_store_at_its_bound_forgets_the_oldest_and_goes_on(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with Daemon(tmp_path, keep=Keep(megabytes=1)) as daemon:
            fates: list[Fate] = []
            for number in range(64):
                daemon.intake.accept(report(callid=f"{number}.1", name="x" * 60_000), fates.append)
                await daemon.written()
                await daemon.performed()
            assert [type(fate) for fate in fates] == [Receipt] * 64
            kept = [event["id"] for event in daemon.events()]
            assert kept[-1] == 64
            assert kept[0] > 1
        size = sum(path.stat().st_size for path in (tmp_path / "state").glob("pbxrules.db"))
        assert size <= 1 << 20

    asyncio.run(scenario())


def test_promise_9_what_is_too_much_is_forgotten_as_fast_as_it_comes(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with Daemon(tmp_path, keep=Keep(events=100)) as daemon:
            for number in range(3_000):
                daemon.intake.accept(report(callid=f"{number}.1"), lambda _: None)
                if number % 500 == 0:
                    await daemon.written()
                    await daemon.performed()
            await daemon.written()
            await daemon.performed()
            assert len(daemon.events()) < 1_500

    asyncio.run(scenario())


def test_a_report_is_accepted_although_older_ones_cannot_be_deleted(tmp_path: Path) -> None:
    """It was committed before: a 503 would make the PBX send it, and fire it, once more."""

    async def scenario() -> None:
        async with Daemon(tmp_path, keep=Keep(events=1)) as daemon:
            assert isinstance(daemon.store, SqliteStore)
            daemon.store._db.execute(
                "CREATE TRIGGER held BEFORE DELETE ON events BEGIN SELECT RAISE(FAIL, 'held'); END"
            )
            fates: list[Fate] = []
            for number in range(300):
                daemon.intake.accept(report(callid=f"{number}.1"), fates.append)
                await daemon.written()
            assert [type(fate) for fate in fates] == [Receipt] * 300
            assert len(daemon.events()) == 300

    asyncio.run(scenario())


# --- Refused reports ------------------------------------------------------------------------

BAD = b'{"action":"RING","callid":"1.1","ext":{"extid":101}}'


def test_nothing_of_a_refused_report_is_evaluated(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with Daemon(tmp_path) as daemon:
            assert refused(daemon, BAD) == 422
            assert refused(daemon, b"{") == 400
            await daemon.written()
            assert daemon.events() == []
            assert await daemon.performed() == []
            fates: list[Fate] = []
            daemon.intake.accept(RING, fates.append)
            await daemon.written()
            assert fates == [accepted(1)]

    asyncio.run(scenario())


def test_a_refused_report_is_kept_with_all_that_is_wrong_and_counted(tmp_path: Path) -> None:
    async def scenario() -> None:
        clock = HandClock()
        async with Daemon(tmp_path, clock=clock) as daemon:
            first = clock.moment.wall_s
            for body in (BAD, b"\xff", BAD, BAD):
                refused(daemon, body)
                clock.go_on(1)
            await daemon.written()
            latin, ring = daemon.refused()
            assert (latin.body, latin.count, latin.status) == (b"\xff", 1, 400)
            assert (ring.body, ring.count, ring.status) == (BAD, 3, 422)
            assert (ring.first_wall_s, ring.last_wall_s) == (first, first + 3)
            assert ring.title == "the report is not a well-formed ring"
            assert [e.pointer for e in ring.errors] == ["/ext/extid"]

    asyncio.run(scenario())


def test_promise_9_the_last_thousand_refused_reports_are_kept(tmp_path: Path) -> None:
    async def scenario() -> None:
        clock = HandClock()
        async with Daemon(tmp_path, clock=clock) as daemon:
            for number in (*range(KEEP_REFUSED), 0, *range(KEEP_REFUSED, KEEP_REFUSED + 9)):
                clock.go_on(0.001)
                refused(daemon, b"%d" % number)
            await daemon.written()
            kept = daemon.refused()
            assert len(kept) == KEEP_REFUSED
            # 0 came again, so that 1 to 9 are those not seen for longest.
            assert [int(r.body) for r in kept] == [*range(10, 1000), 0, *range(1000, 1009)]

    asyncio.run(scenario())


def test_a_report_that_is_refused_again_and_again_stays_refused(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with Daemon(tmp_path) as daemon:
            assert [refused(daemon, BAD) for _ in range(3)] == [422] * 3

    asyncio.run(scenario())


# --- Ids ------------------------------------------------------------------------------------


def test_ids_go_on_after_a_restart(tmp_path: Path) -> None:
    async def one_life(call_id: str) -> Fate:
        async with Daemon(tmp_path) as daemon:
            fates: list[Fate] = []
            daemon.intake.accept(report(callid=call_id), fates.append)
            await daemon.written()
            return fates[0]

    ids = [fate.id for n in range(3) if isinstance(fate := asyncio.run(one_life(str(n))), Receipt)]
    assert ids == [1, 2, 3]


def test_promise_2_what_was_owed_at_the_end_is_done_at_the_next_start(tmp_path: Path) -> None:
    async def first_life() -> None:
        async with Daemon(tmp_path) as daemon:
            daemon.recorder.per_rule = 0  # nothing gets its turn
            daemon.intake.accept(RING, lambda _: None)
            await daemon.written()
            assert daemon.recorder.deliveries == []

    async def second_life() -> list[str]:
        async with Daemon(tmp_path) as daemon:
            return [delivery.verb for delivery in await daemon.performed()]

    asyncio.run(first_life())
    assert asyncio.run(second_life()) == ["log"]


CONDITIONAL = """
times: {morning: {before: 12:00}, evening: {after: 18:00}}
rules:
  - id: told
    triggers: [{event: bye}, {id: rings, event: ring, extension: 102}, {event: answer}]
    conditions: {time: morning}
    actions: [log: "{{ trigger.id }} {{ rule.id }} {{ now }} {{ now.weekday }}"]
"""
NEARLY_TWELVE = NOON.after(-402)  # the 18th of November 2026, 11:59:58 in Berlin
BERLIN = loading.language(timezone="Europe/Berlin")


def test_conditions_see_the_clock_at_the_match(tmp_path: Path) -> None:
    async def scenario() -> list[tuple[str, ...]]:
        clock = HandClock(NEARLY_TWELVE)
        fates: list[Fate] = []
        async with Daemon(tmp_path, rules=CONDITIONAL, language=BERLIN, clock=clock) as daemon:
            for number in range(3):
                daemon.intake.accept(report(callid=str(number), ext={"extid": "102"}), fates.append)
                clock.go_on(1)
            await daemon.written()
        return [fate.rules for fate in fates if isinstance(fate, Receipt)]

    assert asyncio.run(scenario()) == [("told",), ("told",), ()]


def test_a_run_knows_its_trigger_and_its_moment_after_a_restart(tmp_path: Path) -> None:
    async def life(clock: HandClock, *, first: bool) -> list[Delivery]:
        async with Daemon(tmp_path, rules=CONDITIONAL, language=BERLIN, clock=clock) as daemon:
            if first:
                daemon.recorder.per_rule = 0  # nothing gets its turn
                daemon.intake.accept(RING, lambda _: None)
                await daemon.written()
                return daemon.recorder.deliveries
            return await daemon.performed()

    clock = HandClock(NEARLY_TWELVE.after(-3600))
    assert asyncio.run(life(clock, first=True)) == []
    clock.go_on(30)
    (delivery,) = asyncio.run(life(clock, first=False))
    assert delivery.args == {"text": "rings told 2026-11-18T11:00:28+01:00 wed"}


def test_the_store_is_told_all_that_is_known(tmp_path: Path) -> None:
    async def scenario() -> Accepted:
        store = MemoryStore(at_once=True)
        async with Daemon(tmp_path, store=store) as daemon:
            daemon.intake.accept(status("Busy", sn="a1"), lambda _: None)
            await daemon.written()
            return store.accepted[1]

    told = asyncio.run(scenario())
    assert told.body == status("Busy", sn="a1")
    assert told.subject == "a1/101"
    assert told.event.fields["status"] == "Busy"
    assert [verdict.rule for verdict in told.verdicts] == ["every-report"]
    assert [run.rule for run in told.changes.runs] == ["every-report"]
