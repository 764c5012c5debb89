"""What is remembered: values, lanes, who waits for what; and a draft, of which nothing is."""

# Over 300 lines: both halves of one thing, what is remembered and what would be.

from collections.abc import Iterable
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pbxrules import memory
from pbxrules.calls import Change, Known
from pbxrules.memory import FOR_OLD, Draft, Memory, Moves, Whole, fits, subject_of, touchable
from pbxrules.model import Decision, Kept, KeptKey, Moment, StateDecl
from tests.drawn import DrawnDaemon, Happening, RuleSets, seen_of
from tests.journeys import BEGAN, CALL, EVENT_ID, after, new, program_of
from tests.rulefiles import event
from tests.streams import STREAMS, rule_sets

PLAIN = program_of("[{log: a}]")
QUEUED = program_of("[{log: a}]", mode="queued")
RESTARTED = program_of("[{log: a}]", mode="restart")
WAITING = program_of("[{log: a}, {wait_for: {event: bye}}]")
WAITING_FOR_ANY = program_of("[{log: a}, {wait_for: {event: bye}, same: none}]")


def kept(name: str, value: Any = 1, until: Moment | None = None, kind: str = "once") -> Kept:
    return Kept(kind=kind, rule="r", name=name, value=value, until=until)


def owed(place: int = 1, **changes: Any) -> Whole:
    """An open run of a plain rule that owes its action."""
    given = {"id": EVENT_ID * 1_000_000 + place, "position": "actions/0", "verb": "log"}
    of = changes.pop("of", PLAIN)
    return new(of, changes.pop("told", None), **given | changes)


def ended(whole: Whole) -> Whole:
    return Whole(whole.run.changed(position=""), whole.event, whole.program)


def places(ids: Iterable[int]) -> list[int]:
    return [id_ % 1_000_000 for id_ in ids]


# --- values ----------------------------------------------------------------------------------


def test_what_was_applied_is_remembered_till_it_is_forgotten() -> None:
    held = Memory()
    one, two, three = kept("a"), kept("b"), kept("a", kind="cooldown")
    held.apply(Moves(kept=(one, two, three)))
    assert [*held.all_kept()] == [one, two, three]
    held.apply(Moves(kept=(kept("a", 2),), forgotten=(two.key, ("once", "r", "never was"))))
    assert [*held.all_kept()] == [kept("a", 2), three]
    assert held.value(one.key) == kept("a", 2)
    assert held.value(two.key) is None


NUMBER, TRUTH, TEXT = StateDecl(first=0), StateDecl(first=False), StateDecl(first="")


@pytest.mark.parametrize(
    ("value", "state", "does"),
    [
        pytest.param(1, NUMBER, True, id="a number is a number"),
        pytest.param(0.5, NUMBER, True, id="whole or not"),
        pytest.param(1, StateDecl(first=0.5), True, id="and so it is for one that is not whole"),
        pytest.param(True, NUMBER, False, id="true is no number"),
        pytest.param(0, TRUTH, False, id="a number is neither true nor false"),
        pytest.param(True, TRUTH, True, id="true is as false"),
        pytest.param("1", NUMBER, False, id="digits are no number"),
        pytest.param(1, TEXT, False, id="a number is no text"),
        pytest.param(None, TEXT, False, id="null is no text"),
        pytest.param([1], StateDecl(first=[]), True, id="a list is a list"),
        pytest.param({}, StateDecl(first=[]), False, id="a map is no list"),
    ],
)
def test_what_keeps_the_type_of_a_state(value: Any, state: StateDecl, does: bool) -> None:
    assert fits(value, state) is does


def test_a_state_is_what_was_set_last_or_its_first_value_or_what_mqtt_tells() -> None:
    declared = {
        "set": NUMBER, "never": StateDecl(first=[1]), "other": NUMBER,
        "told": StateDecl(first=None, topic="home/armed"),
        "untold": StateDecl(first=None, topic="home/other"),
    }  # fmt: skip
    held = Memory(
        Kept(kind="state", rule="", name=name, value=value, until=None)
        for name, value in (("set", 5), ("other", "text of an earlier type"), ("gone", 1))
    )
    held.tell("home/armed", "true")
    told = {"set": 5, "never": [1], "other": 0, "told": "true", "untold": None}
    assert held.state(declared) == told
    held.tell("home/armed", None)
    held.tell("home/other", "")
    assert held.state(declared) == {**told, "told": None, "untold": ""}


# --- bounds ----------------------------------------------------------------------------------


def keep_all(held: Memory, values: Iterable[Kept], now: Moment = BEGAN) -> None:
    """Remember each in a decision of its own."""
    for one in values:
        draft = Draft(held, now)
        draft.keep(one.kind, one.rule, one.name, one.value, one.until)
        held.apply(draft.moves())


def names(held: Memory, kind: str = "once") -> list[str]:
    return [one.name for one in held.all_kept() if one.kind == kind]


def test_promise_9_of_too_many_values_of_a_rule_the_oldest_go_and_are_counted(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(memory, "MAX_OF_RULE", 3)
    held = Memory()
    keep_all(held, [kept(name) for name in "abc"])
    keep_all(held, [kept("a", 2)])  # it is as new as what comes now
    keep_all(held, [Kept(kind="once", rule="other", name="x", value=1, until=None)])
    assert (names(held), held.dropped) == (["b", "c", "a", "x"], 0)
    keep_all(held, [kept("d"), kept("e")])
    assert (names(held), held.dropped) == (["a", "d", "e", "x"], 2)


def test_promise_9_of_too_many_values_in_all_the_oldest_of_their_kind_go(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(memory, "MAX_KEPT", 4)
    held = Memory()
    keep_all(held, [kept(name) for name in "ab"] + [kept(name, kind="count") for name in "abc"])
    assert (names(held), names(held, "count"), held.dropped) == (["a", "b"], ["b", "c"], 1)


def test_what_is_too_old_goes_with_what_comes_new_a_few_at_a_time() -> None:
    held = Memory()
    keep_all(held, [kept(str(number), until=after(number)) for number in range(1, 7)])
    keep_all(held, [kept("new")], now=after(5))
    assert names(held) == [*map(str, range(1 + FOR_OLD, 7)), "new"]
    keep_all(held, [kept("new", 2)], now=after(5))  # it is none more
    assert len(names(held)) == 7 - FOR_OLD
    keep_all(held, [kept("newer"), kept("newest")], now=after(5))
    assert names(held) == ["6", "new", "newer", "newest"]
    assert held.dropped == 0


def test_the_state_is_never_too_much(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(memory, "MAX_OF_RULE", 1)
    held = Memory()
    keep_all(held, [kept(name, kind="state") for name in "abc"])
    assert names(held, "state") == ["a", "b", "c"]


# --- lanes -----------------------------------------------------------------------------------


def test_a_lane_holds_its_open_runs_the_first_one_first() -> None:
    held = Memory()
    draft = Draft(held, BEGAN)
    for place in (2, 1):
        draft.put(owed(place))
    draft.put(owed(3, lane="[1]"))
    draft.put(owed(4, parent=owed(2).run.id))  # a branch is no run of its own
    draft.put(owed(5, position="for", verb="for"))  # nor is one that has not begun
    draft.put(ended(owed(6)))
    assert places(draft.lane("r", "")) == [2, 1]
    assert held.lanes == {}
    held.apply(draft.moves())
    assert {lane: places(ids) for lane, ids in held.lanes.items()} == {
        ("r", ""): [2, 1], ("r", "[1]"): [3],
    }  # fmt: skip
    held.apply(Moves(runs=(ended(owed(2)), ended(owed(3, lane="[1]")))))
    assert {lane: places(ids) for lane, ids in held.lanes.items()} == {("r", ""): [1]}


def test_a_run_that_is_not_remembered_whole_has_its_place_in_its_lane_all_the_same() -> None:
    held = Memory()
    held.open(7, "r", "[1]")
    assert held.lanes == {("r", "[1]"): {7: None}}
    assert Draft(held, BEGAN).lane("r", "[1]") == [7]
    assert Draft(held, BEGAN).whole(7) is None
    held.close(7, "r", "[1]")
    assert held.lanes == {}
    held.open(7_900_000, "r", "", parent=7_000_001)
    assert held.branches(7_000_001) == (7_900_000,)
    assert next(Draft(held, BEGAN).free_branches(7, 900_000)) == 7_900_001
    held.close(7_900_000, "r", "")
    assert (held.lanes, held.branches(7_000_001), dict(held.branches_of_event)) == ({}, (), {})


LANE_MOVES = st.lists(
    st.tuples(st.integers(1, 5), st.sampled_from(["on", "lane", "ended", "for", "apply"])),
    max_size=20,
)


@given(LANE_MOVES)
def test_the_size_of_a_lane_is_the_number_of_its_runs(moves: list[tuple[int, str]]) -> None:
    held, open_ = Memory(), dict[int, str]()
    draft = Draft(held, BEGAN)
    begun = set[int]()
    """Those that were more than a waiting ``for``: none of them becomes one again."""
    for place, becomes in moves:
        if becomes == "apply":
            held.apply(draft.moves())
            draft = Draft(held, BEGAN)
        elif becomes == "ended":
            draft.put(ended(owed(place, of=QUEUED)))
            open_.pop(place, None)
        elif becomes == "for" and place not in begun:
            draft.put(owed(place, of=QUEUED, position="for", verb="for"))
        elif becomes in ("on", "lane"):
            verb = "log" if becomes == "on" else "lane"
            draft.put(owed(place, of=QUEUED, verb=verb))
            open_[place] = becomes
            begun.add(place)
        assert draft.lane_size("r", "") == len(draft.lane("r", "")) == len(open_)
        assert {*places(draft.lane("r", ""))} == {*open_}
        assert draft.queues("r", "") or "lane" not in open_.values()


# --- who waits for what ----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("whole", "subjects"),
    [
        pytest.param(owed(), [], id="nothing waits in it"),
        pytest.param(owed(of=WAITING), ["call/c1"], id="it waits for its call"),
        pytest.param(owed(of=WAITING, call=""), [], id="it has none"),
        pytest.param(owed(of=WAITING_FOR_ANY), [""], id="it waits for any"),
        pytest.param(owed(position="for", verb="for"), ["call/c1"], id="its for waits"),
        pytest.param(
            owed(of=WAITING_FOR_ANY, position="for", verb="for"),
            ["", "call/c1"],
            id="its for waits, and then it will wait for any",
        ),
        pytest.param(
            owed(told=event(event="extension_status", extension="7"), verb="for", call=""),
            ["extension//7"],
            id="its for waits for an extension",
        ),
        pytest.param(owed(of=WAITING, outcome="done"), [], id="its actions are over"),
        pytest.param(owed(of=WAITING, parent=1), [], id="it is a branch"),
        pytest.param(ended(owed(of=WAITING)), [], id="it has ended"),
    ],
)
def test_whose_events_a_run_wants_to_know(whole: Whole, subjects: list[str]) -> None:
    held = Memory()
    held.apply(Moves(runs=(whole,)))
    found = [s for s in ("", "call/c1", "extension//7") if whole.run.id in held._watched.get(s, {})]
    assert found == subjects
    assert held.is_watched is bool(subjects)


def test_the_oldest_run_is_told_first_and_each_once() -> None:
    held = Memory()
    both = program_of("[{wait_for: {event: bye}}, {wait_for: {event: bye}, same: none}]")
    programs = {3: WAITING, 1: WAITING_FOR_ANY, 2: both}
    held.apply(Moves(runs=tuple(owed(place, of=of) for place, of in programs.items())))
    assert places(held.watching("call/c1")) == [1, 2, 3]
    assert places(held.watching("call/c2")) == places(held.watching("")) == [1, 2]
    held.apply(Moves(runs=tuple(ended(owed(place, of=of)) for place, of in programs.items())))
    assert not held.is_watched


@pytest.mark.parametrize(
    ("kind", "call", "subject"),
    [
        pytest.param("ring", "c1", "call/c1", id="a report of a call"),
        pytest.param("ring", "", "", id="one of none"),
        pytest.param("extension_status", "", "extension/p/101", id="the status of an extension"),
        pytest.param("extension_status", "c1", "extension/p/101", id="whatever call it names"),
    ],
)
def test_what_an_event_is_about(kind: str, call: str, subject: str) -> None:
    assert subject_of(event(event=kind, extension="101", pbx="p"), call) == subject


@pytest.mark.parametrize(
    ("whole", "may"),
    [
        pytest.param(owed(), False, id="an action that waits for its turn alone"),
        pytest.param(owed(of=QUEUED), False, id="one in a queue, too"),
        pytest.param(owed(of=QUEUED, verb="lane"), True, id="a place in a lane"),
        pytest.param(owed(verb="delay"), True, id="a delay"),
        pytest.param(owed(of=RESTARTED), True, id="an action that a newer match may cut short"),
        pytest.param(owed(of=WAITING), True, id="an action before a wait"),
    ],
)
def test_what_is_remembered_whole(whole: Whole, may: bool) -> None:
    assert touchable(whole) is may
    held = Memory()
    held.remember(whole)
    assert held.runs == ({whole.run.id: whole} if may else {})
    held.apply(Moves(runs=(ended(whole),)))
    assert (held.runs, held.lanes, held.queued) == ({}, {}, {})


def test_the_open_branches_of_a_run_are_known_whole_or_not() -> None:
    held = Memory()
    parent = owed(1, verb="join")
    branches = [owed(place, parent=parent.run.id) for place in (900_000, 900_001)]
    held.apply(Moves(runs=(parent, *branches)))
    assert places(held.branches(parent.run.id)) == [900_000, 900_001]
    draft = Draft(held, BEGAN)
    draft.put(ended(branches[0]))
    draft.put(owed(900_002, parent=parent.run.id))
    assert places(draft.branches(parent.run.id)) == [900_001, 900_002]
    held.apply(draft.moves())
    assert places(held.branches(parent.run.id)) == [900_001, 900_002]
    held.apply(Moves(runs=(ended(branches[1]), ended(owed(900_002, parent=parent.run.id)))))
    assert (dict(held._branches), dict(held.branches_of_event)) == ({}, {})


def test_of_a_run_whose_branch_was_tried_finally_is_owed() -> None:
    held = Memory()
    held.remember(owed(1, verb="join"))
    held.begun(owed(1).run.id)
    held.begun(99)  # one that has ended meanwhile
    assert [whole.run.begun for whole in held.runs.values()] == [True]


def test_a_newer_value_is_taken_of_a_run_that_is_remembered_whole_only() -> None:
    held = Memory()
    waits, plain = owed(1, of=WAITING), owed(2)
    held.apply(Moves(runs=(waits, plain)))
    for whole in (waits, plain):
        held.touch(Whole(whole.run.changed(attempt=1), whole.event, whole.program))
    assert [whole.run.attempt for whole in held.runs.values()] == [1]


def test_a_for_that_waits_or_fired_is_found_by_its_subject() -> None:
    held = Memory()
    one = Kept(kind="held", rule="a", name="call/c1", value={}, until=None)
    two = Kept(kind="held", rule="b", name="call/c1", value={}, until=None)
    held.apply(Moves(kept=(one, two)))
    assert held.held == {"call/c1": {"a": one, "b": two}}
    held.apply(Moves(forgotten=(one.key,)))
    assert held.held == {"call/c1": {"b": two}}
    held.apply(Moves(forgotten=(two.key,)))
    assert held.held == {}


# --- calls -----------------------------------------------------------------------------------


def known(key: str, seen: Moment = BEGAN) -> Known:
    return Known(
        id=key, legs=(key,), doubtful=(), first_leg=key, pbx=None, direction=None, caller=None,
        callee=None, callee_from="", extensions=(), marks=(), answered=False, transfer=None,
        started_s=BEGAN.wall_s, ended_s=None, seen=seen,
    )  # fmt: skip


def test_calls_are_written_as_values_and_read_back_in_the_order_of_their_last_reports() -> None:
    put = known(CALL, after(9))
    changes = Moves(call=Change(put=put, gone=("c0",)), kept=(kept("a"),)).changes
    assert changes.forgotten == (("call", "", "c0"),)
    assert [one.key for one in changes.kept] == [("once", "r", "a"), ("call", "", CALL)]
    other = Moves(call=Change(put=known("c2", after(1)))).changes
    again = Memory([*changes.kept, *other.kept])
    assert [*again.calls] == [known("c2", after(1)), put]
    assert [*again.all_kept()] == [kept("a")]


def test_a_draft_knows_what_its_event_told_of_its_call() -> None:
    held = Memory()
    held.apply(Moves(call=Change(put=known("c1"))))
    told = Change(put=known("c1", after(5)))
    draft = Draft(held, after(5), told)
    assert draft.call("c1") == told.put
    assert draft.call("c2") is None
    assert Draft(held, BEGAN).call("c1") == known("c1")
    held.apply(draft.moves())
    assert held.calls.get("c1") == told.put


# --- a draft ---------------------------------------------------------------------------------


def test_a_draft_changes_nothing_before_its_moves_are_applied() -> None:
    held = Memory([kept("a"), kept("b")], [owed(1, of=WAITING)])
    before = seen_of(held)
    draft = Draft(held, BEGAN)
    draft.keep("once", "r", "a", 2, None)
    draft.keep("once", "r", "c", 3, after(10))
    draft.forget("once", "r", "b")
    draft.put(ended(owed(1, of=WAITING)))
    draft.put(owed(2, of=QUEUED, verb="lane"))
    assert seen_of(held) == before
    assert [draft.value("once", "r", name) for name in "abc"] == [2, None, 3]
    assert draft.until("once", "r", "c") == after(10)
    assert draft.whole(owed(1).run.id) is None
    assert draft.whole(owed(2).run.id) == owed(2, of=QUEUED, verb="lane")
    assert draft.moves() == Moves(
        runs=(ended(owed(1, of=WAITING)), owed(2, of=QUEUED, verb="lane")),
        kept=(kept("a", 2), kept("c", 3, after(10))),
        forgotten=(("once", "r", "b"),),
    )


@pytest.mark.parametrize(
    ("seconds", "value"),
    [
        pytest.param(9.5, 1, id="before its end"),
        pytest.param(10, None, id="at its end"),
        pytest.param(11, None, id="after it"),
    ],
)
def test_a_value_is_remembered_till_its_end(seconds: float, value: int | None) -> None:
    held = Memory([kept("a", until=after(10))])
    assert Draft(held, after(seconds)).value("once", "r", "a") == value


def test_the_ids_of_branches_are_those_that_no_other_branch_of_the_event_has() -> None:
    held = Memory()
    first = EVENT_ID * 1_000_000 + 900_000
    held.apply(Moves(runs=(owed(900_001, parent=1), owed(900_003, parent=2))))
    draft = Draft(held, BEGAN)
    draft.put(ended(owed(900_001, parent=1)))
    draft.put(owed(900_000, parent=3))
    ids = draft.free_branches(EVENT_ID, 900_000)
    assert [next(ids) - first for _ in range(3)] == [2, 4, 5]
    assert next(draft.free_branches(8, 900_000)) == 8_900_000


def test_a_branch_that_an_event_has_ended_keeps_its_id_until_that_is_on_disk() -> None:
    held, branch = Memory(), owed(900_000, of=RESTARTED, parent=2)
    held.apply(Moves(runs=(branch,)))
    ends = Moves(runs=(ended(branch),))
    before = held.undoing(ends)
    held.apply(ends)
    assert next(Draft(held, BEGAN).free_branches(7, 900_000)) == 7_900_001
    held.undo(before, ends)  # it comes back
    assert next(Draft(held, BEGAN).free_branches(7, 900_000)) == 7_900_001
    held.undoing(ends)
    held.apply(ends)
    held.written(ends)
    assert next(Draft(held, BEGAN).free_branches(7, 900_000)) == 7_900_000


# --- what undoes it --------------------------------------------------------------------------


KEYS = st.tuples(st.sampled_from(["once", "held", "state"]), st.sampled_from("ab"), st.just("x"))
VALUES = st.builds(
    lambda key, value: Kept(kind=key[0], rule=key[1], name=key[2], value=value, until=None),
    KEYS,
    st.integers(0, 3),
)


@given(st.lists(VALUES, max_size=5), st.lists(VALUES, max_size=4), st.lists(KEYS, max_size=4))
def test_values_that_were_changed_are_as_before_once_that_is_undone(
    before: list[Kept], changed: list[Kept], forgotten: list[KeptKey]
) -> None:
    held = Memory(before)
    told = seen_of(held)
    moves = Moves(kept=tuple(changed), forgotten=tuple(forgotten))
    before_ = held.undoing(moves)
    held.apply(moves)
    held.undo(before_, moves)
    assert seen_of(held) == told


RESTS = owed(1, of=WAITING)
TOLD = Whole(RESTS.run.changed(mark=9), RESTS.event, RESTS.program)
MOVED = owed(1, of=WAITING, position="actions/1", verb="wait_for")
TRIED = owed(1, of=WAITING, attempt=1, begun=True)
GONE = ended(RESTS)


@pytest.mark.parametrize(
    ("became", "since", "left"),
    [
        pytest.param(MOVED, MOVED, RESTS, id="nothing: it is where it was"),
        pytest.param(GONE, GONE, RESTS, id="nothing: it has not ended"),
        pytest.param(TOLD, TOLD, RESTS, id="nothing: it was told nothing"),
        pytest.param(TOLD, TRIED, TRIED, id="a try of its action: that was begun"),
        pytest.param(TOLD, MOVED, MOVED, id="it went on: it stays there"),
        pytest.param(TOLD, GONE, None, id="it ended: it has"),
    ],
)
def test_what_happened_to_a_run_since_a_decision_that_is_undone(
    became: Whole, since: Whole, left: Whole | None
) -> None:
    held = Memory(runs=[RESTS])
    moves = Moves(runs=(became,))
    before = held.undoing(moves)
    held.apply(moves)
    held.apply(Moves(runs=(since,)))
    held.undo(before, moves)
    assert [*held.runs.values()] == ([] if left is None else [left])
    assert held.lanes == ({} if left is None else {("r", ""): {RESTS.run.id: None}})


def test_a_value_that_changed_since_a_decision_that_is_undone_stays() -> None:
    held = Memory([kept("a"), kept("b"), kept("c")])
    moves = Moves(
        kept=(kept("a", 2), kept("b", 2), kept("d", 2), kept("e", 2)),
        forgotten=(kept("c").key,),
    )
    before = held.undoing(moves)
    held.apply(moves)
    since = (kept("b", 3), kept("c", 3), kept("e", 3))
    held.apply(Moves(kept=since))
    held.undo(before, moves)
    assert {*held.all_kept()} == {kept("a"), *since}


class Undoing(DrawnDaemon):
    """Undoes each decision, and then takes it all the same."""

    def _apply(self, moves: Moves) -> None:
        if self.deciding:
            before = seen_of(self.memory)
            undo = self.memory.undoing(moves)
            self.memory.apply(moves)
            self.memory.undo(undo, moves)
            assert seen_of(self.memory) == before
        super()._apply(moves)

    def report(self, *told: Any, **more: Any) -> Decision:
        self.deciding = True
        decision = super().report(*told, **more)
        self.deciding = False
        return decision

    deciding = False


@settings(max_examples=100, suppress_health_check=[HealthCheck.too_slow])
@given(rule_sets(), STREAMS)
def test_a_decision_that_is_undone_never_was(rules: RuleSets, happenings: list[Happening]) -> None:
    daemon = Undoing(rules)
    for kind, told in happenings:
        daemon.happens(kind, told)
