"""A process dies, and the next one remembers what it did: read back from a real store."""

import contextlib
import json
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, example, given, settings

from pbxrules import engine, runs
from pbxrules.memory import Memory, Moves
from pbxrules.model import Decision, Event, Moment, Program
from pbxrules.recall import recall
from pbxrules.store import Accepted, Change, LoadedRun
from tests import stores
from tests.disk import program_of as made_of
from tests.drawn import DrawnDaemon, Happening, RuleSets, read, seen_of
from tests.rulefiles import event
from tests.stores import NOW
from tests.streams import STREAMS, rule_sets


def recalled(kept: stores.Kept) -> Memory:
    """What a process that starts now remembers."""
    kept.settle()
    memory, _ = recall(kept.store, made_of)
    return memory


def on_disk(seen: dict[str, Any]) -> dict[str, Any]:
    """*seen*, without what is not written: tries that were begun, and what the broker holds."""
    told = {
        run_id: (runs.resumed(whole).run.changed(attempt=0), dict(whole.event.fields))
        for run_id, whole in seen["runs"].items()
    }
    kept = {key: (json.dumps(one.value), one.until) for key, one in seen["kept"].items()}
    held = {subject: {*rules} for subject, rules in seen["held"].items()}
    return {**seen, "runs": told, "kept": kept, "held": held, "bound": {}}


class StoredDaemon(DrawnDaemon):
    """Its disk is a store, from which it begins anew when it was killed."""

    def __init__(self, rules: RuleSets, kept: stores.Kept) -> None:
        super().__init__(rules)
        self.kept = kept
        self._event: tuple[Event, str] | None = None

    def report(self, event: Event, call: str = "", *, sure: bool = True) -> Decision:
        self._event = event, call
        return super().report(event, call, sure=sure)

    def _apply(self, moves: Moves) -> None:
        self.kept.put(self._change(moves))
        super()._apply(moves)

    def _change(self, moves: Moves) -> Change:
        changes = moves.changes
        if self._event is None:
            return stores.advanced(*changes.runs, kept=changes.kept, forgotten=changes.forgotten)
        (event, call), self._event = self._event, None
        programs = tuple((whole.program.digest, whole.program.text) for whole in moves.runs)
        accepted = stores.accepted(
            self.events, event=event, call=call, body=b"{}", received=self.now, changes=changes,
            programs=programs, verdicts=(),
        )  # fmt: skip
        assert isinstance(accepted, Accepted)
        return accepted

    def crash(self, now: Moment) -> None:
        self.remembers()
        super().crash(now)
        self.memory = recalled(self.kept)

    def remembers(self) -> None:
        """Look whether a process that started now would remember the same."""
        memory = recalled(self.kept)
        assert on_disk(seen_of(memory)) == on_disk(seen_of(self.memory))
        assert {*memory.calls} == {*self.memory.calls}


@contextlib.contextmanager
def store() -> Iterator[stores.Kept]:
    with tempfile.TemporaryDirectory() as folder, stores.store_in(Path(folder)) as kept:
        yield kept


def one_rule(**keys: Any) -> RuleSets:
    return [[{"id": "r", "triggers": [{"event": "ring"}], **keys}]]


RING = ("report", {"event": "ring", "extension": "101", "call": "c1"})
FAN = {"parallel": [{"log": "a"}, {"log": "b"}]}
AWAY: Happening = ("targets", False)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@example(one_rule(actions=[FAN]), [AWAY, RING])
@example(one_rule(actions=[FAN], mode="restart"), [AWAY, RING, RING])
@example(one_rule(actions=[{"log": "a"}], mode="queued", per="call"), [AWAY, RING, RING])
@given(rule_sets(), STREAMS)
def test_promise_2_a_process_that_dies_at_any_point_is_followed_by_one_that_remembers_the_same(
    rules: RuleSets, happenings: list[Happening]
) -> None:
    with store() as kept:
        daemon = StoredDaemon(rules, kept)
        for kind, told in happenings:
            daemon.happens(kind, told)
            daemon.remembers()


def test_the_calls_are_known_again() -> None:
    (only,) = one_rule(actions=[{"log": "a"}], per="call")
    rules, memory = read(only), Memory()
    with store() as kept:
        for number, (kind, call_id) in enumerate(REPORTS, 1):
            told = event(event=kind, call_id=call_id, caller="030", extension="101")
            arrival = engine.arrival(rules, memory, told, number, NOW.after(number))
            decision, moves = engine.decide(rules, memory, arrival, NOW.after(number))
            memory.apply(moves)
            kept.put(stores.accepted(number, changes=decision.changes, call=arrival.call))
        again = recalled(kept)
    assert [*again.calls] == [*memory.calls]
    assert len(again.calls) == 2
    assert again.lanes == memory.lanes


REPORTS = [("ring", "1795000000.1"), ("answer", "1795000000.1"), ("ring", "1795009000.7")]


def test_promise_9_what_only_waits_for_its_turn_is_not_read_whole() -> None:
    """Of each program one run is, to know what it is like."""
    plain = [stores.run(number, program="digest") for number in range(1, 101)]
    waits = stores.run(101, verb="delay", position="actions/0")
    with store() as kept:
        kept.write(*(stores.accepted(run.event_id, run) for run in (*plain, waits)))
        asked: list[int] = []
        load = kept.store.load

        def spying(run_ids: Sequence[int]) -> list[LoadedRun]:
            asked.extend(run_ids)
            return load(run_ids)

        kept.store.load = spying  # type: ignore[method-assign]
        memory, owed = recall(kept.store, made_of)
    assert sorted(asked) == [plain[-1].id, waits.id]
    assert [*memory.runs] == [waits.id]
    assert [*memory.lanes["rule-1", ""]] == [run.id for run in owed] == [*range_of(101)]


def range_of(events: int) -> list[int]:
    return [number * 1_000_000 + 1 for number in range(1, events + 1)]


def test_a_run_whose_program_nobody_understands_is_owed_and_has_its_place_in_its_lane() -> None:
    def refuses(_: LoadedRun) -> Program:
        raise ValueError("no verb 'morse'")

    with store() as kept:
        kept.write(
            stores.accepted(1, stores.run(1, verb="lane", position="lane")),
            stores.accepted(2, stores.run(2)),
        )
        memory, owed = recall(kept.store, refuses)
    assert memory.runs == {}
    assert [*memory.lanes["rule-1", ""]] == [run.id for run in owed] == range_of(2)


@pytest.mark.parametrize(
    ("changes", "begun"),
    [
        pytest.param({}, True, id="an action may have been tried"),
        pytest.param({"verb": "delay"}, False, id="of a delay nothing was"),
        pytest.param({"verb": "lane", "position": "lane"}, False, id="nor in a lane"),
        pytest.param({"verb": "join"}, True, id="of a parallel one may have been"),
        pytest.param({"verb": "delay", "begun": True}, True, id="what was begun stays so"),
    ],
)
def test_whether_finally_is_owed_after_a_crash(changes: dict[str, Any], begun: bool) -> None:
    with store() as kept:
        source = {**stores.SOURCE, "mode": "restart"}
        run = stores.run(1, **changes)
        kept.write(stores.accepted(1, run, programs=(("digest", json.dumps(source)),)))
        memory, _ = recall(kept.store, made_of)
    (whole,) = memory.runs.values()
    assert whole.run == run.changed(begun=begun)
