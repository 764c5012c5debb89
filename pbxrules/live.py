"""What commands ask of the daemon that runs, by its control socket: what is owed, and the state.

What changes something is on disk before it is answered.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from pbxrules import byhand
from pbxrules.byhand import Refusal, id_of, name_of
from pbxrules.control import Command
from pbxrules.dispatcher import Dispatcher
from pbxrules.memory import Memory
from pbxrules.model import Moment, Run
from pbxrules.printable import escape
from pbxrules.rules import RuleSet
from pbxrules.showing import SHOWN_AS

WRITTEN_S = 20.0
"""What a disk that can't be written gets, before it is answered that it is so."""
NOT_WRITTEN = "it is not on disk yet, for the store can't be written: see the daemon's log"
Answer = Mapping[str, Any]


class Live:
    """Answers such commands; one for each daemon."""

    def __init__(
        self,
        dispatcher: Dispatcher,
        memory: Memory,
        *,
        now: Callable[[], Moment],
        ruleset: Callable[[], RuleSet],
        written_s: float = WRITTEN_S,
    ) -> None:
        """Prepare.

        Args:
            dispatcher: Moves runs, and writes what becomes of them.
            memory: What is remembered.
            now: The clock.
            ruleset: The rules in force.
            written_s: What the disk gets, before it is answered that it can't be written.
        """
        self._dispatcher = dispatcher
        self._memory = memory
        self._now = now
        self._ruleset = ruleset
        self._written_s = written_s

    @property
    def commands(self) -> Mapping[str, Command]:
        """By the word that asks for each."""
        return {
            "queue": lambda _: self._queue(),
            "retry": self._retry,
            "drop": self._drop,
            "state": lambda _: self._state(),
            "set": self._set,
        }

    def _queue(self) -> Answer:
        """What no row on disk tells."""
        return {
            "trying": [name_of(run_id) for run_id in self._dispatcher.trying],
            "not_ready": self._dispatcher.not_ready,
        }

    async def _retry(self, request: Mapping[str, Any]) -> Answer:
        return await self._by_hand(request, self._dispatcher.retry)

    async def _drop(self, request: Mapping[str, Any]) -> Answer:
        return await self._by_hand(request, self._dispatcher.drop)

    async def _by_hand(
        self, request: Mapping[str, Any], move: Callable[[int], Awaitable[Run | Refusal]]
    ) -> Answer:
        name = str(request.get("run"))
        run_id = id_of(name)
        if run_id is None:
            return {"error": f"'{escape(name)}' is no run: 'pbxrules queue' shows them, as 4.1"}
        try:
            moved = await asyncio.wait_for(move(run_id), self._written_s)
        except TimeoutError:
            return {"error": NOT_WRITTEN}
        if isinstance(moved, Refusal):
            return {"error": moved.why}
        return {
            "run": name,
            "rule": moved.rule,
            "position": moved.position,
            "action": SHOWN_AS.get(moved.verb, moved.verb),
            "outcome": moved.outcome,
            "ready": moved.verb not in self._dispatcher.not_ready,
        }

    def _state(self) -> Answer:
        return {"state": byhand.state_rows(self._ruleset().state, self._memory)}

    async def _set(self, request: Mapping[str, Any]) -> Answer:
        name, text = str(request.get("name")), str(request.get("value"))
        declared = self._ruleset().state
        moves = byhand.set_state(declared, self._memory, name, text, self._now())
        if isinstance(moves, Refusal):
            return {"error": moves.why}
        try:
            await asyncio.wait_for(self._dispatcher.change(moves), self._written_s)
        except TimeoutError:
            return {"error": NOT_WRITTEN}
        (kept,) = moves.kept
        return {"name": name, "value": kept.value}
