"""What is owed is tried: a real store, and performers that do as a test says."""

import asyncio
import dataclasses
import itertools
import sqlite3
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, closing
from pathlib import Path
from typing import Any

import pytest

from pbxrules import sending
from pbxrules.dispatcher import HOT, LOAD, Dispatcher
from pbxrules.errors import StoreError
from pbxrules.model import Delivery, Done, GiveUp, Outcome, Step, TryAgain
from pbxrules.store import LoadedRun
from pbxrules.store.pruning import Keep
from pbxrules.store.sqlite import SqliteStore
from tests.daemon import HandClock, MemoryStore, RunningClock
from tests.houses import Hands, House, house, snapshot, until

LAMP = """
rules:
  - id: lamp
    triggers: {event: ring}
    actions: [{mqtt: {topic: "lamp/{{ caller }}"}}]
"""


def hot(dispatcher: Dispatcher) -> int:
    """How many waiting runs are whole in memory, counted one by one."""
    return sum(
        held.whole is not None for line in dispatcher._lines.values() for *_, held in line.waiting
    )


def timed(dispatcher: Dispatcher) -> int:
    """How many runs wait for a time."""
    return sum(held.alarm is not None for held in dispatcher._held.values())


def numbered(count: int) -> list[str]:
    return [f"{number:05}" for number in range(count)]


# --- many that wait --------------------------------------------------------------------------


def test_thousands_that_waited_are_each_performed_once_in_order_of_due_time(
    tmp_path: Path,
) -> None:
    async def watch(_: Delivery) -> Outcome:
        if len(broker.begun) % 50 == 0:
            hot_runs.append(hot(houses[0].dispatcher))
        await asyncio.sleep(0)
        return Done()

    async def main() -> None:
        async with house(tmp_path, LAMP, {"mqtt": broker}) as here:
            houses.append(here)
            await here.take(*numbered(5_000))
            assert broker.begun == []
            assert hot(here.dispatcher) == HOT
            broker.is_ready = True
            here.dispatcher.pump("mqtt")
            await until(lambda: not here.dispatcher.waiting.total(), "all done")

    houses: list[House] = []
    hot_runs: list[int] = []
    broker = Hands(watch, is_ready=False)
    asyncio.run(main())
    assert broker.callers == numbered(5_000)
    assert broker.most == broker.concurrency
    assert max(hot_runs) < HOT + LOAD


def test_promise_2_what_was_owed_is_done_after_a_restart_by_the_rules_it_began_with(
    tmp_path: Path,
) -> None:
    changed = LAMP.replace("lamp/", "other/") + LAMP.partition("rules:\n")[2].replace(
        "id: lamp", "id: new"
    )

    async def before() -> None:
        async with house(tmp_path, LAMP, {"mqtt": Hands(is_ready=False)}, clock=clock) as here:
            await here.take(*numbered(2_500))

    async def after() -> None:
        async with house(tmp_path, changed, {"mqtt": broker}, clock=clock) as here:
            assert hot(here.dispatcher) == 0
            await until(lambda: not here.dispatcher.waiting.total(), "all done")
            await here.take("after")
            await until(lambda: not here.dispatcher.waiting.total(), "all done")

    clock = HandClock()
    broker = Hands()
    asyncio.run(before())
    asyncio.run(after())
    topics = [delivery.args["topic"] for delivery in broker.begun]
    assert topics[:2_500] == [f"lamp/{caller}" for caller in numbered(2_500)]
    assert sorted(topics[2_500:]) == ["lamp/after", "other/after"]


def test_promise_2_what_was_owed_is_done_at_once_after_a_boot_with_a_clock_that_was_set_back(
    tmp_path: Path,
) -> None:
    async def before() -> None:
        async with house(tmp_path, LAMP, {"mqtt": Hands(is_ready=False)}, clock=clock) as here:
            await here.take("a")

    async def after() -> list[dict[str, Any]]:
        async with house(tmp_path, LAMP, {"mqtt": Hands()}, clock=clock) as here:
            return await here.settled(1)

    clock = HandClock()
    asyncio.run(before())
    clock.reboot(-3_600)
    assert [action["state"] for action in asyncio.run(after())] == ["done"]


def test_a_parallel_joins_after_a_restart_when_all_its_actions_have_settled(
    tmp_path: Path,
) -> None:
    rules = """
rules:
  - id: lamps
    triggers: {event: ring}
    actions:
      - parallel: [{mqtt: {topic: hall}}, {mqtt: {topic: door}}]
      - mqtt: {topic: behind}
"""

    async def before() -> None:
        async with house(tmp_path, rules, {"mqtt": Hands(is_ready=False)}) as here:
            await here.take("a")

    async def answer(delivery: Delivery) -> Outcome:
        if delivery.args["topic"] == "hall":
            return Done()
        done = {"state": "done"}
        await until(
            lambda: any(done.items() <= action.items() for action in houses[0].actions()),
            "the other one is done",
        )
        return GiveUp(reason="no")

    async def after() -> None:
        async with house(tmp_path, rules, {"mqtt": broker}) as here:
            houses.append(here)
            await until(lambda: not here.dispatcher.waiting.total(), "it ended")

    houses: list[House] = []
    broker = Hands(answer)
    asyncio.run(before())
    asyncio.run(after())
    assert sorted(delivery.args["topic"] for delivery in broker.begun) == ["door", "hall"]


def test_what_expires_while_it_waits_is_given_up_untried_in_memory_or_not(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async def main() -> list[dict[str, Any]]:
        async with house(tmp_path, LAMP, {"mqtt": broker}) as here:
            await here.take(*numbered(HOT + 300))
            here.clock.go_on(30)
            await here.take("young")
            here.clock.go_on(31)
            await until(lambda: here.dispatcher.waiting.total() == 1, "expired")
            broker.is_ready = True
            here.dispatcher.pump("mqtt")
            return await here.settled(HOT + 301)

    broker = Hands(is_ready=False)
    *old, young = asyncio.run(main())
    assert broker.callers == ["young"]
    assert {(action["state"], action["reason"]) for action in old} == {
        ("expired", "not done within 60 s, never tried")
    }
    assert young["state"] == "done"
    assert sum(record.message == "action expired" for record in caplog.records) == HOT + 300


def test_what_expires_behind_a_slow_run_of_its_rule_is_given_up_meanwhile(tmp_path: Path) -> None:
    async def main() -> None:
        async with house(tmp_path, LAMP, {"mqtt": slow}) as here:
            await here.take("first", "second", "third")
            assert slow.callers == ["first"]
            here.clock.go_on(61)
            await until(lambda: here.states()["third"] == "expired", "expired")
            assert here.states() == {"first": "owed", "second": "expired", "third": "expired"}
            go_on.set()
            await here.settled(3)

    async def wait(_: Delivery) -> Outcome:
        await go_on.wait()
        return Done()

    go_on = asyncio.Event()
    slow = Hands(wait, per_rule=1)
    asyncio.run(main())
    assert slow.callers == ["first"]


def test_promise_9_what_waits_for_its_next_try_is_not_all_held_in_memory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rules = LAMP.replace("}}]", "}, expires: never, retry: {delay: 60s}}]")
    monkeypatch.setattr("pbxrules.dispatcher.HOT", 50)
    callers = numbered(200)

    async def before() -> None:
        async with house(tmp_path, rules, {"mqtt": away}, clock=clock) as here:
            await here.take(*callers)
            await until(lambda: timed(here.dispatcher) == len(callers), "all wait")
            assert here.dispatcher._hot == 50

    async def after() -> list[dict[str, Any]]:
        async with house(tmp_path, rules, {"mqtt": back}, clock=clock) as here:
            return await here.settled(len(callers))

    clock = HandClock()
    away, back = Hands(lambda _: TryAgain(reason="away")), Hands()
    asyncio.run(before())
    clock.go_on(61)
    actions = asyncio.run(after())
    assert sorted(away.callers) == sorted(back.callers) == callers
    assert {(action["state"], action["attempts"]) for action in actions} == {("done", 2)}


def test_what_was_not_held_in_memory_is_tried_again_all_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rules = LAMP.replace("}}]", "}, retry: {delay: 50ms, max_delay: 100ms}}]")
    monkeypatch.setattr("pbxrules.dispatcher.HOT", 20)
    callers = numbered(150)

    def third_time(delivery: Delivery) -> Outcome:
        return Done() if delivery.attempt == 3 else TryAgain(reason="away")

    async def main() -> list[dict[str, Any]]:
        async with house(tmp_path, rules, {"mqtt": away}, clock=RunningClock()) as here:
            await here.take(*callers)
            return await here.settled(len(callers))

    away = Hands(third_time)
    actions = asyncio.run(main())
    assert {(action["state"], action["attempts"]) for action in actions} == {("done", 3)}
    assert sorted(away.callers) == sorted(callers * 3)


# --- one run, and the others -------------------------------------------------------------------


def test_a_slow_rule_leaves_room_for_the_others(tmp_path: Path) -> None:
    rules = """
rules:
  - id: slow
    triggers: {event: ring, extension: 101}
    actions: [{shell: [slow]}]
  - id: quick
    triggers: {event: ring, extension: 102}
    actions: [{shell: [quick]}]
"""

    async def main() -> None:
        async with house(tmp_path, rules, {"shell": shell}) as here:
            await here.take(*numbered(20))
            await here.take("quick", extension="102")
            await until(lambda: here.states().get("quick") == "done", "the quick one")
            assert len(shell.begun) == 3
            go_on.set()
            await here.settled(21)

    async def wait(delivery: Delivery) -> Outcome:
        if delivery.args["argv"] == ["slow"]:
            await go_on.wait()
        return Done()

    go_on = asyncio.Event()
    shell = Hands(wait, per_rule=2, concurrency=3)
    asyncio.run(main())
    assert sorted(shell.callers) == sorted([*numbered(20), "quick"])


STEPS = """
rules:
  - id: steps
    triggers: {event: ring}
    actions:
      - shell: [one]
        continue_on_error: %s
      - mqtt: {topic: two}
      - shell: [three]
"""


def test_a_step_begins_when_the_one_before_is_done_on_disk(tmp_path: Path) -> None:
    seen = []

    def look(delivery: Delivery) -> Outcome:
        with closing(sqlite3.connect(tmp_path / "state" / "pbxrules.db")) as db:
            seen.append(db.execute("SELECT position, tried FROM runs").fetchone())
        return Done(detail=delivery.verb)

    async def main() -> None:
        hands = Hands(look)
        async with house(tmp_path, STEPS % "false", {"shell": hands, "mqtt": hands}) as here:
            await here.take("0301")
            await here.settled(3)

    asyncio.run(main())
    one, two = '["actions/0","shell","done","shell",1]', '["actions/1","mqtt","done","mqtt",1]'
    assert seen == [
        ("actions/0", "[]"), ("actions/1", f"[{one}]"), ("actions/2", f"[{one},{two}]")
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("goes_on", "expected"),
    [
        pytest.param("false", [("shell", "failed")], id="a failed step ends the run"),
        pytest.param(
            "true",
            [("shell", "failed"), ("mqtt", "done"), ("shell", "failed")],
            id="continue_on_error goes on to the next",
        ),
    ],
)
def test_a_failed_step(goes_on: str, expected: list[tuple[str, str]], tmp_path: Path) -> None:
    async def main() -> list[dict[str, Any]]:
        performers = {"shell": Hands(lambda _: GiveUp(reason="broken")), "mqtt": Hands()}
        async with house(tmp_path, STEPS % goes_on, performers) as here:
            await here.take("0301")
            return await here.settled(len(expected))

    actions = asyncio.run(main())
    assert [(action["action"], action["state"]) for action in actions] == expected
    assert actions[0]["reason"] == "broken"


def test_a_failed_try_comes_again_after_a_delay_that_doubles(tmp_path: Path) -> None:
    rules = LAMP.replace("}}]", "}, retry: {attempts: 4, delay: 100ms, max_delay: 300ms}}]")
    times = []

    def note(_: Delivery) -> Outcome:
        times.append(asyncio.get_running_loop().time())
        return TryAgain(reason="busy")

    async def main() -> list[dict[str, Any]]:
        performers = {"mqtt": Hands(note)}
        async with house(tmp_path, rules, performers, clock=RunningClock()) as here:
            await here.take("0301")
            return await here.settled(1)

    (action,) = asyncio.run(main())
    assert (action["state"], action["reason"], action["attempts"]) == (
        ("failed", "busy (4 tries)", 4)
    )
    # Half of a delay is left to chance.
    gaps = [later - earlier for earlier, later in itertools.pairwise(times)]
    assert [gap >= least for gap, least in zip(gaps, (0.05, 0.1, 0.15), strict=True)] == [True] * 3


def test_what_was_not_the_targets_word_is_tried_again_without_a_wait_and_costs_no_try(
    tmp_path: Path,
) -> None:
    """The clock stands still: a wait would have no end."""
    rules = LAMP.replace("}}]", "}, retry: {attempts: 2}}]")

    def lost(delivery: Delivery) -> Outcome:
        return Done() if delivery.attempt == 5 else TryAgain(reason="it went", at_once=True)

    async def main() -> list[dict[str, Any]]:
        async with house(tmp_path, rules, {"mqtt": Hands(lost)}) as here:
            await here.take("0301")
            await until(lambda: not here.dispatcher.waiting.total(), "done")
            return here.actions()

    (action,) = asyncio.run(main())
    assert (action["state"], action["attempts"]) == ("done", 5)


def test_promise_9_a_rule_with_too_many_runs_gives_up_its_newest_and_stops_no_other(
    tmp_path: Path,
) -> None:
    rules = LAMP + LAMP.partition("rules:\n")[2].replace("id: lamp", "id: other")

    async def main() -> list[dict[str, Any]]:
        async with house(tmp_path, bounded, {"mqtt": broker}) as here:
            await here.take("1", "2", "3")
            await here.take("4")
            assert here.dispatcher.waiting == {"lamp": 3, "other": 4}
            broker.is_ready = True
            here.dispatcher.pump("mqtt")
            await here.settled(8)
            await here.take("5")
            return await here.settled(10)

    loaded = snapshot(tmp_path, rules)
    lamp, other = loaded.ruleset.rules
    narrow = dataclasses.replace(lamp, max_runs=3)
    bounded = dataclasses.replace(
        loaded, ruleset=dataclasses.replace(loaded.ruleset, rules=(narrow, other))
    )
    broker = Hands(is_ready=False)
    actions = asyncio.run(main())
    failed = [action for action in actions if action["state"] != "done"]
    assert [(a["rule"], a["caller"], a["state"], a["reason"]) for a in failed] == [
        ("lamp", "4", "dropped", "the rule has 3 runs that wait already")
    ]
    assert len(actions) == 10


# --- what must not happen -----------------------------------------------------------------------


class Broken(Hands):
    """Breaks the performers' contract."""

    def __init__(self, *, at_once: bool) -> None:
        super().__init__(self._break)
        self._at_once = at_once

    def perform(self, delivery: Delivery) -> Any:
        if self._at_once:
            self._break(delivery)
        return super().perform(delivery)

    def _break(self, delivery: Delivery) -> Outcome:
        if delivery.event.fields["caller"] == "bad":
            raise RuntimeError("of this release")
        return Done()


@pytest.mark.parametrize("at_once", [True, False], ids=["at once", "later"])
def test_a_defect_of_an_action_is_a_failure_with_its_reason_and_harms_no_other(
    at_once: bool, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async def main() -> list[dict[str, Any]]:
        async with house(tmp_path, LAMP, {"mqtt": Broken(at_once=at_once)}) as here:
            await here.take("good", "bad", "better")
            return await here.settled(3)

    actions = {action["caller"]: action for action in asyncio.run(main())}
    assert [actions[name]["state"] for name in ("good", "bad", "better")] == [
        "done", "failed", "done"
    ]  # fmt: skip
    assert actions["bad"]["reason"] == "a defect: RuntimeError('of this release')"
    assert "an action broke" in caplog.messages


class Bomb:
    """An argument that can't be filled in, for a reason that nobody foresaw."""

    def render(self, _: object) -> str:
        raise ZeroDivisionError("s3cr3t")


def test_promise_6_a_step_that_breaks_is_given_up_and_harms_no_other(tmp_path: Path) -> None:
    two = LAMP + LAMP.replace("rules:", "").replace("id: lamp", "id: bomb")
    loaded = snapshot(tmp_path, two)
    for rule in loaded.ruleset.rules:
        if rule.id == "bomb":
            node = rule.program.nodes["actions/0"]
            assert isinstance(node.deed, Step)
            broken = dataclasses.replace(node.deed, args={"topic": Bomb()})
            nodes = {node.path: dataclasses.replace(node, deed=broken)}
            object.__setattr__(rule.program, "nodes", nodes)

    async def main() -> list[dict[str, Any]]:
        async with house(tmp_path, loaded, {"mqtt": Hands()}) as here:
            await here.take("0301", "0302")
            return await here.settled(4)

    told = {(action["rule"], action["state"], action["reason"]) for action in asyncio.run(main())}
    assert told == {
        ("lamp", "done", ""),
        ("bomb", "failed", "a defect: ZeroDivisionError('{{ secret.token }}')"),
    }


def test_what_can_not_be_read_again_is_tried_later(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async def before() -> None:
        async with house(tmp_path, LAMP, {"mqtt": Hands(is_ready=False)}) as here:
            await here.take("0301")

    async def after() -> list[dict[str, Any]]:
        hands = Hands(is_ready=False)
        async with house(tmp_path, LAMP, {"mqtt": hands}, clock=RunningClock()) as here:
            load = here.store.load
            here.store.load = iter([]).__next__  # type: ignore[assignment, method-assign]
            hands.is_ready = True
            here.dispatcher.pump("mqtt")
            await until(lambda: caplog.messages, "not read")
            here.store.load = load  # type: ignore[method-assign]
            return await here.settled(1)

    asyncio.run(before())
    (action,) = asyncio.run(after())
    assert action["state"] == "done"
    assert "can't read what is owed" in caplog.messages


def test_promise_2_what_is_cut_off_by_the_end_is_owed_still(tmp_path: Path) -> None:
    async def before() -> None:
        async with house(tmp_path, LAMP, {"mqtt": Hands(never)}, clock=clock, grace_s=0.1) as here:
            await here.take("0301")

    async def after() -> list[dict[str, Any]]:
        async with house(tmp_path, LAMP, {"mqtt": Hands()}, clock=clock) as here:
            return await here.settled(1)

    async def never(_: Delivery) -> Outcome:
        await asyncio.Event().wait()
        return Done()

    clock = HandClock()
    asyncio.run(before())
    (action,) = asyncio.run(after())
    assert action["state"] == "done"


def test_promise_2_a_run_of_an_unknown_kind_is_given_up_with_the_reason(tmp_path: Path) -> None:
    async def before() -> None:
        async with house(tmp_path, LAMP, {"mqtt": Hands(is_ready=False)}, clock=clock) as here:
            await here.take("0301", "0302")

    async def after() -> list[dict[str, Any]]:
        async with house(tmp_path, "rules: []", {"mqtt": Hands()}, clock=clock) as here:
            return await here.settled(2)

    clock = HandClock()
    asyncio.run(before())
    with closing(sqlite3.connect(tmp_path / "state" / "pbxrules.db")) as db, db:
        db.execute("UPDATE programs SET source = replace(source, '\"mqtt\"', '\"fax\"')")
    actions = asyncio.run(after())
    assert {action["state"] for action in actions} == {"failed"}
    assert all("an action needs a verb" in action["reason"] for action in actions)


SIREN = """
rules:
  - id: siren
    triggers: {event: ring}
    mode: restart
    actions: [{shell: ["on", "{{ caller }}"]}]
    finally: [{shell: ["off", "{{ caller }}"]}]
"""


def test_a_newer_match_kills_the_command_and_finally_is_done_before_it_begins(
    tmp_path: Path,
) -> None:
    async def main() -> list[dict[str, Any]]:
        async with house(tmp_path, SIREN, {"shell": shell}) as here:
            await here.take("1")
            await until(lambda: shell.begun, "on")
            await here.take("2")
            await until(lambda: len(shell.begun) == 3, "off, and on again")
            go_on.set()
            return await here.settled(4)

    async def wait(delivery: Delivery) -> Outcome:
        if delivery.args["argv"] == ["on", "1"]:
            await asyncio.Event().wait()
        await go_on.wait() if delivery.args["argv"] == ["on", "2"] else None
        return Done()

    go_on = asyncio.Event()
    shell = Hands(wait)
    actions = asyncio.run(main())
    said = [delivery.args["argv"] for delivery in shell.begun]
    assert said == [["on", "1"], ["off", "1"], ["on", "2"], ["off", "2"]]
    assert [action["state"] for action in actions] == ["dropped", "done", "done", "done"]


@pytest.mark.parametrize("count", [2, 5])
def test_of_several_matches_at_once_the_newest_is_the_one_whose_run_goes_on(
    count: int, tmp_path: Path
) -> None:
    """They are decided one behind the other, before the first is on disk."""

    async def main() -> list[dict[str, Any]]:
        async with house(tmp_path, SIREN, {"shell": shell}) as here:
            await here.take(*map(str, range(count)))
            return await here.settled(count + 1)

    shell = Hands()
    actions = asyncio.run(main())
    last = str(count - 1)
    assert [delivery.args["argv"] for delivery in shell.begun] == [["on", last], ["off", last]]
    assert [action["state"] for action in actions] == ["dropped"] * (count - 1) + ["done"] * 2


FAN = """
rules:
  - id: fan
    triggers: {event: ring}
    actions:
      - parallel: [{mqtt: {topic: one}}, {shell: [two]}]
      - mqtt: {topic: three}
"""


def test_promise_2_a_parallel_waits_for_all_its_actions_also_after_a_restart(
    tmp_path: Path,
) -> None:
    async def before() -> None:
        away = {"mqtt": Hands(is_ready=False), "shell": Hands(is_ready=False)}
        async with house(tmp_path, FAN, away, clock=clock) as here:
            await here.take("0301")

    async def after() -> None:
        async with house(tmp_path, FAN, {"mqtt": broker, "shell": shell}, clock=clock) as here:
            await until(lambda: len(shell.begun) == 1 and here.actions(), "one of two is under way")
            go_on.set()
            await until(lambda: not here.dispatcher.waiting.total(), "all done")

    async def wait(_: Delivery) -> Outcome:
        await go_on.wait()
        done_before.extend(delivery.args["topic"] for delivery in broker.begun)
        return Done()

    clock, go_on, done_before = HandClock(), asyncio.Event(), list[str]()
    broker, shell = Hands(), Hands(wait)
    asyncio.run(before())
    asyncio.run(after())
    assert done_before == ["one"]
    assert [delivery.args["topic"] for delivery in broker.begun] == ["one", "three"]


QUEUE = """
rules:
  - id: queue
    triggers: {event: ring}
    mode: queued
    expires: never
    actions: [{mqtt: {topic: "%s/{{ caller }}"}}]
"""


def test_a_queue_goes_on_behind_a_run_that_nobody_understands(tmp_path: Path) -> None:
    async def before(rules: str, caller: str) -> None:
        async with house(tmp_path, rules, {"mqtt": Hands(is_ready=False)}, clock=clock) as here:
            await here.take(caller)

    async def after() -> list[dict[str, Any]]:
        async with house(tmp_path, QUEUE % "new", {"mqtt": broker}, clock=clock) as here:
            return await here.settled(3)

    clock, broker = HandClock(), Hands()
    for rules, caller in (("old", "1"), ("new", "2"), ("new", "3")):
        asyncio.run(before(QUEUE % rules, caller))
    with closing(sqlite3.connect(tmp_path / "state" / "pbxrules.db")) as db, db:
        old = "source LIKE '%old%'"
        db.execute(f"UPDATE programs SET source = replace(source, 'mqtt', 'fax') WHERE {old}")  # noqa: S608
    told = {action["caller"]: action["state"] for action in asyncio.run(after())}
    assert told == {"1": "failed", "2": "done", "3": "done"}
    assert [delivery.args["topic"] for delivery in broker.begun] == ["new/2", "new/3"]


TIMED = """
rules:
  - id: timed
    triggers: %s
    actions: [%s, {mqtt: {topic: old}}]
    finally: [{mqtt: {topic: undo}}]
"""


@pytest.mark.parametrize(
    ("trigger", "first"),
    [
        pytest.param("{event: ring}", "{delay: 1h}", id="a delay"),
        pytest.param("{event: ring}", "{wait_for: {event: bye}}", id="a wait_for"),
        pytest.param("{event: ring, for: 1h}", "{delay: 1s}", id="a for"),
    ],
)
def test_promise_2_what_waits_for_a_time_and_that_nobody_understands_is_given_up_at_the_start(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, trigger: str, first: str
) -> None:
    rules = TIMED % (trigger, first)

    async def before() -> None:
        async with house(tmp_path, rules, {"mqtt": Hands()}) as here:
            await here.take("0301")

    async def after() -> list[dict[str, Any]]:
        async with house(tmp_path, rules.replace("old", "new"), {"mqtt": Hands()}) as here:
            return await here.settled(1)

    asyncio.run(before())
    with closing(sqlite3.connect(tmp_path / "state" / "pbxrules.db")) as db, db:
        db.execute("UPDATE programs SET source = replace(source, 'mqtt', 'fax')")
    with caplog.at_level("ERROR"):
        (only,) = asyncio.run(after())
    assert (only["state"], only["rule"]) == ("failed", "timed")
    assert "needs a verb" in only["reason"]
    (logged,) = [vars(record) for record in caplog.records]
    assert logged["message"] == "run given up; what it owed is to be done by hand"
    assert logged["fields"]["why"] == only["reason"]
    assert logged["fields"]["rule"] == "timed"


class Faulty(SqliteStore):
    """A store whose file can't be read once: when the dispatcher first asks."""

    asked = 0

    def load(self, run_ids: Sequence[int]) -> list[LoadedRun]:
        self.asked += 1
        if self.asked == 3:  # behind the two times of recall
            raise StoreError("the disk is busy")
        return super().load(run_ids)


@pytest.mark.parametrize(
    ("understood", "state"),
    [
        pytest.param(False, "failed", id="and is given up, if nobody understands it then"),
        pytest.param(True, "done", id="and goes on, if one does"),
    ],
)
def test_promise_2_what_waits_for_a_time_and_could_not_be_read_at_the_start_is_read_later(
    tmp_path: Path, understood: bool, state: str
) -> None:
    rules, clock = TIMED % ("{event: ring}", "{delay: 1h}"), HandClock()

    def swap(verb: str, other: str) -> None:
        with closing(sqlite3.connect(tmp_path / "state" / "pbxrules.db")) as db, db:
            db.execute("UPDATE programs SET source = replace(source, ?, ?)", (verb, other))

    async def before() -> None:
        async with house(tmp_path, rules, {"mqtt": Hands()}, clock=clock) as here:
            await here.take("0301")

    async def after() -> list[dict[str, Any]]:
        loop = asyncio.get_running_loop()
        store = Faulty(
            tmp_path / "state", keep=Keep(), call=loop.call_soon_threadsafe, soon=loop.call_soon
        )
        new = rules.replace("old", "new")
        async with house(tmp_path, new, {"mqtt": Hands()}, clock=clock, store=store) as here:
            await until(lambda: timed(here.dispatcher) == 1, "it is to be read again")
            if understood:
                swap("fax", "mqtt")
            for seconds in (2.0, 3_600.0):
                clock.go_on(seconds)
                here.dispatcher.ring_due(clock.now())
                await until(lambda: timed(here.dispatcher) == 0, "it was read")
            return await here.settled(2 if understood else 1)

    asyncio.run(before())
    swap("mqtt", "fax")
    told = asyncio.run(after())
    assert {action["state"] for action in told} == {state}


def test_promise_8_a_secret_that_an_action_gives_back_is_not_kept(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async def main() -> list[dict[str, Any]]:
        shell = Hands(
            lambda delivery: (
                Done(detail="logged in with s3cr3t")
                if delivery.args["argv"] == ["one"]
                else GiveUp(reason="exit 1: s3cr3t is wrong")
            )
        )
        async with house(tmp_path, STEPS % "false", {"shell": shell, "mqtt": Hands()}) as here:
            await here.take("0301")
            return await here.settled(3)

    with caplog.at_level("DEBUG"):
        one, _, three = asyncio.run(main())
    assert one["reason"] == "logged in with {{ secret.token }}"
    assert three["reason"] == "exit 1: {{ secret.token }} is wrong"
    assert "s3cr3t" not in str([vars(record) for record in caplog.records])


# --- decided, and not on disk yet ---------------------------------------------------------------


@dataclasses.dataclass(slots=True)
class Undecided:
    """A house whose commits the test makes, and in which the first ring is on disk."""

    here: House
    disk: MemoryStore
    hands: Hands
    go_on: asyncio.Event

    def tell(self, event: str, caller: str = "1") -> None:
        """Have a report decided."""
        fields = {"extension": "101", "call_id": "1.1", "direction": "inbound", "trunk": "t"}
        body = sending.report(event, {**fields, "caller": caller})
        self.here.intake.accept(body, lambda _: None)

    async def turn(self) -> None:
        """Let all go on that may without a commit."""
        self.hands.is_ready = True
        self.here.dispatcher.ring_due(self.here.clock.now())
        self.here.dispatcher.pump("log")
        await asyncio.sleep(0)

    async def commit(self, *, fails: bool) -> list[str]:
        """Make the commit, go on to the end, and tell what was said."""
        self.disk.writable = not fails
        self.disk.commit()
        self.disk.writable = True
        self.go_on.set()
        while self.here.dispatcher.waiting.total():
            await self.turn()
            await asyncio.sleep(0.001)
            self.disk.commit()
        return [str(delivery.args["text"]) for delivery in self.hands.begun]


@asynccontextmanager
async def undecided(folder: Path, rule: str) -> AsyncIterator[Undecided]:
    async def perform(delivery: Delivery) -> Outcome:
        await go_on.wait()
        return GiveUp(reason="no") if delivery.args["text"] == "fails" else Done()

    disk, hands, go_on = MemoryStore(), Hands(perform, is_ready=False), asyncio.Event()
    rules = f"rules: [{{id: r, triggers: {{event: ring}}, {rule}}}]"
    async with house(folder, rules, {"log": hands}, store=disk) as here:
        made = Undecided(here, disk, hands, go_on)
        made.tell("ring")
        disk.commit()
        yield made


WRITTEN = pytest.mark.parametrize("fails", [False, True], ids=["written", "not written"])


@WRITTEN
def test_a_run_that_a_report_cuts_short_waits_until_that_is_written(
    fails: bool, tmp_path: Path
) -> None:
    steps = "actions: [{log: 'on {{ caller }}'}], finally: [{log: 'off {{ caller }}'}]"

    async def main() -> None:
        async with undecided(tmp_path, f"mode: restart, {steps}") as it:
            it.tell("ring", "2")
            await it.turn()
            assert it.hands.begun == []
            said = await it.commit(fails=fails)
            assert said == (["on 1", "off 1"] if fails else ["on 2", "off 2"])

    asyncio.run(main())


@WRITTEN
def test_a_wait_that_a_report_ends_does_not_end_by_time_until_that_is_written(
    fails: bool, tmp_path: Path
) -> None:
    rule = (
        "actions: [{wait_for: {event: answer}, timeout: 10s, register: w},"
        " {log: 'timed out: {{ w.timed_out }}'}]"
    )

    async def main() -> None:
        async with undecided(tmp_path, rule) as it:
            it.here.clock.go_on(9)
            it.tell("answer")
            it.here.clock.go_on(1)
            await it.turn()
            assert await it.commit(fails=fails) == [f"timed out: {str(fails).lower()}"]

    asyncio.run(main())


@WRITTEN
def test_an_action_that_was_begun_while_a_report_waited_for_its_commit_was_begun(
    fails: bool, tmp_path: Path
) -> None:
    rule = "actions: [{log: fails}, {wait_for: {event: bye}}], finally: [{log: off}]"

    async def main() -> None:
        async with undecided(tmp_path, rule) as it:
            it.tell("bye")
            await it.turn()
            assert len(it.hands.begun) == 1
            assert await it.commit(fails=fails) == ["fails", "off"]

    asyncio.run(main())


@WRITTEN
def test_what_an_action_made_of_a_run_stays_though_a_report_before_it_can_not_be_written(
    fails: bool, tmp_path: Path
) -> None:
    rule = "actions: [{log: done}, {wait_for: {event: bye}}, {log: behind}], finally: [{log: off}]"

    async def main() -> None:
        async with undecided(tmp_path, rule) as it:
            await it.turn()
            it.tell("bye")
            it.go_on.set()
            await it.turn()
            await it.turn()
            assert await it.commit(fails=fails) == ["done", "behind", "off"]

    asyncio.run(main())


@WRITTEN
def test_what_expires_while_a_report_that_moves_it_waits_for_its_commit(
    fails: bool, tmp_path: Path
) -> None:
    rule = "mode: restart, actions: [{log: 'on {{ caller }}'}]"

    async def main() -> None:
        async with undecided(tmp_path, rule) as it:
            it.here.clock.go_on(59)
            it.tell("ring", "2")
            it.here.clock.go_on(1)
            it.here.dispatcher._sweep_line(it.here.dispatcher._lines["log"], it.here.clock.now())
            assert await it.commit(fails=fails) == ([] if fails else ["on 2"])
            (ended,) = [run for run in it.disk.runs.values() if run.tried[0].state != "done"]
            assert ended.tried[0].state == ("expired" if fails else "dropped")

    asyncio.run(main())
