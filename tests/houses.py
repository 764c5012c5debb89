"""A house in a test: intake, dispatcher and a store, and hands in place of performers."""

import asyncio
import dataclasses
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from pbxrules import loading, sending
from pbxrules.dispatcher import Dispatcher
from pbxrules.intake import Intake
from pbxrules.loading import Snapshot
from pbxrules.memory import Memory
from pbxrules.model import Delivery, Done, Outcome
from pbxrules.recall import recall
from pbxrules.showing import event_json
from pbxrules.store import Store, reading
from pbxrules.store.pruning import Keep
from pbxrules.store.sqlite import SqliteStore
from tests.daemon import HandClock
from tests.processes import PATIENCE_S

LANGUAGE = loading.language(secrets=["token"])


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
    memory: Memory
    store: Store
    clock: HandClock
    folder: Path

    async def take(self, *callers: str, extension: str = "101") -> None:
        """Have a ring of each caller accepted, a millisecond apart."""
        answered: list[object] = []
        for caller in callers:
            body = sending.report("ring", {"caller": caller, "extension": extension})
            self.intake.accept(body, answered.append)
            self.clock.go_on(0.001)
        await until(lambda: len(answered) == len(callers), "all accepted")

    def actions(self) -> list[dict[str, Any]]:
        """What became of each action, with the caller."""
        with reading.opened(self.folder / "state" / "pbxrules.db") as db:
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
        """The *count* actions, once nothing is owed any more."""
        await until(lambda: not self.dispatcher.waiting.total(), "all settled")
        actions = self.actions()
        assert len(actions) == count, actions
        return actions


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
    store: Store | None = None,
) -> AsyncIterator[House]:
    """A house on *folder*; the same one again is a restart.  *store*: in place of SQLite's."""
    loop = asyncio.get_running_loop()
    clock = clock or HandClock()
    loaded = snapshot(folder, rules) if isinstance(rules, str) else rules
    store = store or SqliteStore(
        folder / "state", keep=Keep(), call=loop.call_soon_threadsafe, soon=loop.call_soon
    )
    try:
        memory, owed = recall(store, loaded.program_of)
        dispatcher = Dispatcher(
            store,
            performers,
            memory,
            now=clock.now,
            ruleset=lambda: loaded.ruleset,
            program_of=loaded.program_of,
            secrets=lambda: {"token": "s3cr3t"},
        )
        intake = Intake(loaded, store, dispatcher, memory, clock)
        dispatcher.start(owed)
        yield House(
            dispatcher=dispatcher,
            intake=intake,
            memory=memory,
            store=store,
            clock=clock,
            folder=folder,
        )
        await dispatcher.stop(grace_s)
    finally:
        store.close()
