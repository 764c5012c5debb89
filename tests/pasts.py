"""A store that a daemon has kept: what its rules decided on reports, and what came of that."""

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from pbxrules.clock import iso
from pbxrules.memory import Moves
from pbxrules.model import Decision, Event, Moment
from pbxrules.pbx import openvox
from pbxrules.pbx.body import parse
from pbxrules.pbx.compose import compose, encode
from pbxrules.replaying.past import Timeline
from pbxrules.replaying.player import Player
from pbxrules.rules import RuleSet
from pbxrules.store import Accepted, Advanced
from tests.rulefiles import LANGUAGE, NOON_S
from tests.stores import Kept, store_in

Report = tuple[float, Mapping[str, Any]]
"""When it comes, in seconds after noon, and what it is made of: ``kind`` and fields."""


def ring(at_s: float = 0.0, **fields: Any) -> Report:
    """A ring; each of a call of its own, unless told."""
    return at_s, {"kind": "ring", "call_id": f"{1795518000 + int(at_s)}.{int(at_s) + 10}"} | fields


class _Keeping(Player):
    """Writes down what is decided, as the daemon does."""

    def __init__(self, ruleset: RuleSet, kept: Kept) -> None:
        super().__init__(ruleset, LANGUAGE.verbs, {})
        self._kept = kept
        self._report: tuple[int, bytes, Event, Moment] | None = None
        self._moves: list[Moves] = []

    def keep(self, number: int, body: bytes, came: Moment, now: Moment) -> None:
        """Take a report, and write down all that comes of it."""
        event = openvox.read(
            parse(body), schemas=LANGUAGE.event_schemas, received_at=iso(came.wall_s)
        )
        self.go_on_to(now)
        self._write_moves()
        decision = self.take(event, number)
        first, *self._moves = self._moves
        self._kept.write(_accepted(number, body, event, came, decision, first))
        self._write_moves()

    def finish(self) -> None:
        super().finish()
        self._write_moves()

    def _apply(self, moves: Moves) -> None:
        super()._apply(moves)
        self._moves.append(moves)

    def _write_moves(self) -> None:
        self._kept.write(*(Advanced(changes=moves.changes) for moves in self._moves))
        self._moves.clear()


def _accepted(
    number: int, body: bytes, event: Event, came: Moment, decision: Decision, moves: Moves
) -> Accepted:
    return Accepted(
        id=number,
        event=event,
        call="",
        body=body,
        digest=b"%016d" % number,
        subject=None,
        resend_s=10.0,
        received=came,
        verdicts=decision.verdicts,
        changes=decision.changes,
        programs=tuple((w.program.digest, w.program.text) for w in moves.runs),
    )


def keep(folder: Path, rules: RuleSet, reports: Iterable[Report], *, ends: bool = True) -> None:
    """Fill the store of *folder* with what *rules* decided on *reports*, numbered from 1.

    With *ends* time goes on behind the last one until no ``for`` waits.
    """
    with store_in(folder) as kept:
        daemon, timeline = _Keeping(rules, kept), Timeline()
        for number, (at_s, told) in enumerate(reports, 1):
            came = Moment(boot="b", uptime_s=1000.0 + at_s, wall_s=NOON_S + at_s)
            report = compose(**told)
            daemon.keep(number, encode(report), came, timeline.at(came))
        if ends:
            daemon.finish()
