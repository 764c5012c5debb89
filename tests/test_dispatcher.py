"""What is owed is tried: a real store, and performers that do as a test says."""

import asyncio
import dataclasses
import sqlite3
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager, closing
from pathlib import Path
from typing import Any

import pytest

from pbxrules import loading, sending
from pbxrules.dispatcher import HOT, LOAD, Dispatcher
from pbxrules.intake import Intake
from pbxrules.loading import Snapshot
from pbxrules.model import Delivery, Done, GiveUp, Outcome, TryAgain
from pbxrules.showing import event_json
from pbxrules.store import reading
from pbxrules.store.pruning import Keep
from pbxrules.store.sqlite import SqliteStore
from tests.daemon import HandClock
from tests.processes import PATIENCE_S

LANGUAGE = loading.language(secrets=["token"])
LAMP = """
rules:
  - id: lamp
    triggers: {event: ring}
    actions: [{mqtt: {topic: "lamp/{{ caller }}"}}]
"""


async def until(condition: Callable[[], object], what: str) -> None:
    async with asyncio.timeout(PATIENCE_S):
        while not condition():
            await asyncio.sleep(0.01)
    assert condition(), what


class Hands:
    """Performs by noting what it was given; what comes of it, the test says."""

    def __init__(
        self,
        answer: Callable[[Delivery], Outcome | Awaitable[Outcome]] = lambda _: Done(),
        *,
        concurrency: int = 8,
        per_rule: int | None = None,
        is_ready: bool = True,
    ) -> None:
        self.concurrency = concurrency
        self.per_rule = per_rule
        self.is_ready = is_ready
        self.begun: list[Delivery] = []
        self.most = 0
        """How many were under way at once."""
        self._answer = answer
        self._under_way = 0

    @property
    def callers(self) -> list[str]:
        return [str(delivery.event.fields["caller"]) for delivery in self.begun]

    def ready(self) -> bool:
        return self.is_ready

    async def perform(self, delivery: Delivery) -> Outcome:
        self.begun.append(delivery)
        self._under_way += 1
        self.most = max(self.most, self._under_way)
        try:
            answer = self._answer(delivery)
            return await answer if isinstance(answer, Awaitable) else answer
        finally:
            self._under_way -= 1

    async def close(self) -> None:
        """Nothing is held."""


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class House:
    """Reports in, deliveries out, with nothing but the store between."""

    dispatcher: Dispatcher
    intake: Intake
    store: SqliteStore
    clock: HandClock

    async def take(self, *callers: str, kind: str = "ring") -> None:
        """Have a report of each caller accepted, a millisecond apart."""
        answered: list[object] = []
        for caller in callers:
            body = sending.report(kind, {"caller": caller, "extension": "101"})
            self.intake.accept(body, answered.append)
            self.clock.go_on(0.001)
        await until(lambda: len(answered) == len(callers), "all accepted")

    def actions(self) -> list[dict[str, Any]]:
        """What became of each action, with the caller."""
        with reading.opened(self.store.path) as db:
            events = [event_json(record) for record in reading.events(db)]
        return [
            {"caller": event["fields"]["caller"], **action}
            for event in events
            for action in event["actions"]
        ]

    def states(self) -> dict[str, str]:
        """The state of the last action of each caller's run."""
        return {action["caller"]: action["state"] for action in self.actions()}

    async def settled(self, count: int) -> list[dict[str, Any]]:
        """The actions, once there are *count* and none is owed any more."""
        async with asyncio.timeout(PATIENCE_S):
            while True:
                actions = self.actions()
                owed = any(action["state"] == "owed" for action in actions)
                if len(actions) >= count and not owed:
                    return actions
                await asyncio.sleep(0.02)


def snapshot(folder: Path, rules: str) -> Snapshot:
    file = folder / "rules.yaml"
    file.write_text(rules, "utf-8")
    return loading.load([file], LANGUAGE)


@asynccontextmanager
async def house(
    folder: Path,
    rules: str | Snapshot,
    performers: Mapping[str, Hands],
    *,
    clock: HandClock | None = None,
    grace_s: float = 5.0,
) -> AsyncIterator[House]:
    """A house on *folder*; the same one again is a restart."""
    loop = asyncio.get_running_loop()
    clock = clock or HandClock()
    loaded = snapshot(folder, rules) if isinstance(rules, str) else rules
    store = SqliteStore(folder / "state", keep=Keep(), call=loop.call_soon_threadsafe)
    try:
        dispatcher = Dispatcher(
            store,
            performers,
            now=clock.now,
            program_of=loaded.program_of,
            secrets=lambda: {"token": "s3cr3t"},
        )
        intake = Intake(loaded, store, dispatcher, clock)
        dispatcher.start(store.open_runs())
        yield House(dispatcher=dispatcher, intake=intake, store=store, clock=clock)
        await dispatcher.stop(grace_s)
    finally:
        store.close()


def hot(dispatcher: Dispatcher) -> int:
    """How many waiting runs are whole in memory, counted one by one."""
    return sum(
        held.whole is not None
        for line in dispatcher._lines.values()
        for _, _, held in line.waiting
    )


def numbered(count: int) -> list[str]:
    return [f"{number:05}" for number in range(count)]


# --- many that wait --------------------------------------------------------------------------


def test_thousands_that_waited_are_each_performed_once_in_order_of_due_time(
    tmp_path: Path,
) -> None:
    most_hot = 0

    def watch(_: Delivery) -> Outcome:
        nonlocal most_hot
        most_hot = max(most_hot, hot(here.dispatcher))
        return Done()

    async def main() -> None:
        nonlocal here
        async with house(tmp_path, LAMP, {"mqtt": broker}) as here:
            await here.take(*numbered(5_000))
            assert broker.begun == []
            assert hot(here.dispatcher) == HOT
            broker.is_ready = True
            here.dispatcher.pump("mqtt")
            await until(lambda: not here.dispatcher.waiting.total(), "all done")

    here: House
    broker = Hands(watch, is_ready=False)
    asyncio.run(main())
    assert broker.callers == numbered(5_000)
    assert broker.most == broker.concurrency
    assert most_hot < HOT + LOAD


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


def test_promise_9_what_waits_for_its_next_try_is_not_all_held_in_memory(tmp_path: Path) -> None:
    rules = LAMP.replace("}}]", "}, expires: never, retry: {delay: 60s}}]")

    async def main() -> None:
        async with house(tmp_path, rules, {"mqtt": away}) as here:
            await here.take(*numbered(HOT + 500))
            await until(lambda: len(away.begun) == HOT + 500, "each tried once")
            await until(lambda: len(here.dispatcher._timers) == HOT + 500, "all wait")
            assert here.dispatcher._hot <= HOT + LOAD
            away.answer_with(Done())
            for timer in [*here.dispatcher._timers.values()]:
                timer._run()
                timer.cancel()
            await here.settled(HOT + 500)

    away = Hands(lambda _: TryAgain(reason="away"))
    asyncio.run(main())
