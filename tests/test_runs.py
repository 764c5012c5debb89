"""Stepping through a run: what each outcome makes of it, at which moment."""

# Over 300 lines, most of them tables.

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pbxrules import runs
from pbxrules.memory import Draft, Memory, Moves, Whole
from pbxrules.model import (
    Delivery,
    Done,
    GiveUp,
    Moment,
    Outcome,
    Program,
    Retry,
    Run,
    Step,
    Tried,
    TryAgain,
)
from pbxrules.runs import NEWER
from tests.journeys import BEGAN, EVENT_ID, Journey, after, new, program_of
from tests.rulefiles import event

TWO_STEPS = program_of("[{log: '{{ caller }}'}, {shell: [a, '{{ extension }}']}]")
OFF = "[{log: 'off {{ outcome }}'}]"


def with_first(of: Program, **changes: Any) -> Program:
    first = of.nodes["actions/0"]
    assert isinstance(first.deed, Step)
    return replace(
        of, nodes={**of.nodes, first.path: replace(first, deed=replace(first.deed, **changes))}
    )


def begun(of: Program = TWO_STEPS) -> Run:
    return Journey(of).run


def tried(of: Program = TWO_STEPS, times: int = 1) -> Journey:
    journey = Journey(of)
    for _ in range(times):
        journey.begin()
    return journey


def test_a_run_that_rests_is_made_with_all_that_a_run_has() -> None:
    told: dict[str, Any] = {
        "event_id": 1, "rule": "r", "program": "d", "trigger": "1", "position": "for",
        "verb": "for", "due": BEGAN, "expires_s": 60.0, "next_try": after(5), "lane": "[1]",
        "call": "c", "inbox": (), "results": {"until": []},
    }  # fmt: skip
    made = Run.resting(run_id=7, **told)
    assert made == Run(id=7, attempt=0, tried=(), **told)
    assert made.changed(attempt=1) == replace(made, attempt=1)


def settled(journey: Journey, outcome: Outcome, now: Moment, *, jitter: float = 0) -> Run:
    """What the outcome of the try that was begun last makes of a run."""
    draft = Draft(journey.memory, now)
    runs.settled(draft, journey.whole, outcome, jitter=jitter)
    (whole,) = draft.moves().runs
    return whole.run


# --- A run begins ---------------------------------------------------------------------------


def test_a_run_begins_owing_its_first_step_at_once() -> None:
    run = begun()
    assert (run.position, run.verb, run.attempt, run.tried) == ("actions/0", "log", 0, ())
    assert (run.due, run.next_try, run.expires_s) == (BEGAN, BEGAN, 60)
    assert (run.rule, run.program, run.event_id) == ("r", TWO_STEPS.digest, EVENT_ID)
    assert not run.ended
    assert not run.begun
    assert runs.step_of(run, TWO_STEPS) is TWO_STEPS.nodes["actions/0"].deed


def test_from_its_first_try_on_a_runs_finally_is_owed() -> None:
    once = runs.tried_once(begun())
    assert (once.attempt, once.begun) == (1, True)
    assert (runs.tried_once(once).attempt, once.tried) == (2, ())


# --- An outcome -----------------------------------------------------------------------------

UNTIL_EXPIRED = Retry(attempts=None, delay_s=1, max_delay_s=60)
THREE = Retry(attempts=3, delay_s=1, max_delay_s=60)
ONCE = Retry(attempts=1, delay_s=1, max_delay_s=60)
SLOW = Retry(attempts=None, delay_s=40, max_delay_s=60)
NO = GiveUp(reason="no")
LATER = TryAgain(reason="refused")


@pytest.mark.parametrize(
    ("outcome", "retry", "expires_s", "tries", "at", "jitter", "expected"),
    [
        pytest.param(Done(), ONCE, 60, 1, 5, 0, ("done", ""), id="done"),
        pytest.param(Done(detail="sent"), ONCE, 60, 1, 5, 0, ("done", "sent"), id="done, and how"),
        pytest.param(Done(), ONCE, 60, 1, 99, 0, ("done", ""), id="done, though late"),
        pytest.param(NO, THREE, 60, 1, 5, 0, ("failed", "no"), id="given up at once"),
        pytest.param(NO, THREE, None, 9, 5, 0, ("failed", "no"), id="given up later"),
        pytest.param(LATER, UNTIL_EXPIRED, 60, 1, 5, 1, 6, id="again after the delay"),
        pytest.param(LATER, UNTIL_EXPIRED, 60, 1, 5, 0, 5.5, id="at least half the delay"),
        pytest.param(LATER, UNTIL_EXPIRED, 60, 1, 5, 0.5, 5.75, id="the rest by chance"),
        pytest.param(LATER, UNTIL_EXPIRED, 60, 2, 5, 1, 7, id="the delay doubles"),
        pytest.param(LATER, UNTIL_EXPIRED, 60, 5, 5, 1, 21, id="and doubles"),
        pytest.param(LATER, UNTIL_EXPIRED, None, 7, 5, 1, 65, id="to its most"),
        pytest.param(LATER, UNTIL_EXPIRED, None, 100_000, 5, 1, 65, id="and no further"),
        pytest.param(LATER, THREE, 60, 2, 5, 1, 7, id="a try is left"),
        pytest.param(
            LATER, THREE, 60, 3, 5, 1, ("failed", "refused (3 tries)"), id="no try is left"
        ),
        pytest.param(LATER, ONCE, 60, 1, 5, 1, ("failed", "refused"), id="one try was all"),
        pytest.param(
            LATER, THREE, None, 3, 5, 1, ("failed", "refused (3 tries)"), id="nor for ever"
        ),
        pytest.param(LATER, SLOW, 60, 1, 19.5, 1, 59.5, id="the next try is just in time"),
        pytest.param(
            LATER, SLOW, 60, 1, 20, 1, ("expired", "refused (1 try, no time left)"),
            id="the next try would be at the very end",
        ),
        pytest.param(
            LATER, SLOW, 60, 2, 30, 1, ("expired", "refused (2 tries, no time left)"),
            id="the next try would be too late",
        ),
        pytest.param(
            LATER, SLOW, 60, 1, 61, 0, ("expired", "refused (1 try, no time left)"),
            id="it expired during the try",
        ),
        pytest.param(LATER, SLOW, None, 1, 1e6, 1, 1e6 + 40, id="what never expires goes on"),
    ],
)  # fmt: skip
def test_an_outcome(
    outcome: Outcome,
    retry: Retry,
    expires_s: float | None,
    tries: int,
    at: float,
    jitter: float,
    expected: float | tuple[str, str],
) -> None:
    """*expected*: the second of the next try, or how the step was settled and why."""
    journey = tried(with_first(TWO_STEPS, retry=retry, expires_s=expires_s))
    whole = journey.whole
    journey.wholes[whole.run.id] = Whole(
        whole.run.changed(attempt=tries), whole.event, whole.program
    )
    became = settled(journey, outcome, after(at), jitter=jitter)
    if not isinstance(expected, tuple):
        assert became == journey.run.changed(next_try=after(expected), trouble="refused")
        return
    state, reason = expected
    (one,) = became.tried
    assert one == Tried(
        position="actions/0", verb="log", state=state, reason=reason, attempts=tries
    )
    assert became.ended is (state != "done")
    assert became.outcome == ("" if state == "done" else state)


@pytest.mark.parametrize(
    ("outcome", "continue_on_error", "goes_on"),
    [
        pytest.param(Done(), False, True, id="after success the next step"),
        pytest.param(NO, False, False, id="a failure ends the run"),
        pytest.param(NO, True, True, id="but not with continue_on_error"),
        pytest.param(LATER, True, True, id="nor when the last try failed"),
    ],
)
def test_what_follows_a_settled_step(
    outcome: Outcome, continue_on_error: bool, goes_on: bool
) -> None:
    of = with_first(TWO_STEPS, continue_on_error=continue_on_error, retry=ONCE)
    became = settled(tried(of), outcome, after(5))
    assert became.ended is not goes_on
    if goes_on:
        assert (became.position, became.verb, became.attempt) == ("actions/1", "shell", 0)
        assert (became.due, became.next_try, became.expires_s) == (after(5), after(5), 60)


@pytest.mark.parametrize(
    "outcome",
    [
        pytest.param(Done(result={"exit_code": 0}), id="done"),
        pytest.param(GiveUp(reason="no", result={"exit_code": 0}), id="given up"),
        pytest.param(TryAgain(reason="no", result={"exit_code": 0}), id="tried for the last time"),
    ],
)
def test_what_a_step_registers_is_known_behind_it_however_it_went(outcome: Outcome) -> None:
    journey = Journey(
        "[{shell: [a], register: r, continue_on_error: true}, {log: '{{ r.exit_code }}'}]"
    )
    journey.settle(outcome)
    assert journey.says == "0"


def test_what_a_try_gave_that_is_not_the_last_is_not_registered() -> None:
    journey = Journey("[{shell: [a], register: r, retry: {attempts: 2}}, {log: a}]")
    journey.settle(TryAgain(reason="no", result={"exit_code": 1}))
    assert dict(journey.run.results) == {}


def test_after_its_last_step_a_run_has_ended() -> None:
    journey = Journey(TWO_STEPS)
    journey.settle(Done(detail="a"))
    journey.settle(Done(detail="b"))
    run = journey.run
    assert run.ended
    assert (run.position, run.outcome) == ("", "done")
    assert [(one.position, one.verb, one.reason) for one in run.tried] == [
        ("actions/0", "log", "a"),
        ("actions/1", "shell", "b"),
    ]


def test_the_next_steps_time_counts_from_the_end_of_the_one_before() -> None:
    run = settled(tried(), Done(), after(50))
    assert not runs.expired(run, after(109))
    assert runs.expired(run, after(110))


# --- finally --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("outcome", "ends"),
    [
        pytest.param(Done(), "done", id="done"),
        pytest.param(NO, "failed", id="failed"),
    ],
)
def test_promise_4_once_an_action_was_tried_finally_is_tried(outcome: Outcome, ends: str) -> None:
    journey = Journey(program_of("[{log: a}]", finally_=OFF))
    journey.settle(outcome)
    assert (journey.rests, journey.says) == ("log at finally/0", f"off {ends}")
    journey.settle(NO)
    assert journey.rests == f"ended {ends}"


def test_promise_4_a_step_of_finally_is_tried_for_an_hour() -> None:
    of = program_of("[{log: a}]", finally_="[{mqtt: {topic: off}}]")
    journey = Journey(of)
    journey.settle()
    assert journey.run.expires_s == 3600
    tries = 0
    while not journey.run.ended:
        journey.settle(TryAgain(reason="away"))
        tries += 1
        journey.wait(journey.run.next_try.since(journey.now))
    assert tries > 60
    (_, last) = journey.run.tried
    assert (last.state, last.attempts) == ("expired", tries)
    assert 3500 < journey.now.since(BEGAN) <= 3600


def test_a_step_that_expired_unsent_owes_no_finally_and_one_that_was_tried_does() -> None:
    for times, rests in ((0, "ended expired"), (1, "log at finally/0")):
        journey = tried(program_of("[{log: a}]", finally_=OFF), times)
        journey.expire()
        assert journey.rests == rests


# --- Too late -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("expires_s", "now", "expired"),
    [
        pytest.param(60, after(0), False, id="at the match"),
        pytest.param(60, after(59.9), False, id="just in time"),
        pytest.param(60, after(60), True, id="at the very end"),
        pytest.param(None, after(1e9), False, id="never"),
        pytest.param(
            60, Moment(boot="one", uptime_s=1010, wall_s=9e9), False, id="the wall clock was set on"
        ),
        pytest.param(
            60, Moment(boot="one", uptime_s=1060, wall_s=0), True, id="the wall clock was set back"
        ),
        pytest.param(
            60, Moment(boot="two", uptime_s=5, wall_s=1_700_000_059), False, id="soon after a boot"
        ),
        pytest.param(
            60, Moment(boot="two", uptime_s=5, wall_s=1_700_000_060), True, id="long after a boot"
        ),
        pytest.param(
            60, Moment(boot="two", uptime_s=5, wall_s=0), False, id="a boot without a clock"
        ),
    ],
)
def test_whether_a_step_is_too_late(expires_s: float | None, now: Moment, expired: bool) -> None:
    of = with_first(TWO_STEPS, expires_s=expires_s)
    assert runs.expired(begun(of), now) is expired


@pytest.mark.parametrize(
    ("tries", "reason"),
    [
        pytest.param(0, "not done within 60 s, never tried", id="never tried"),
        pytest.param(1, "not done within 60 s after 1 try", id="tried once"),
        pytest.param(4, "not done within 60 s after 4 tries", id="tried often"),
    ],
)
def test_what_is_too_late_is_given_up_with_the_reason(tries: int, reason: str) -> None:
    journey = tried(TWO_STEPS, tries)
    journey.wait(61)
    journey.expire()
    assert journey.rests == "ended expired"
    assert [(one.state, one.reason, one.attempts) for one in journey.run.tried] == [
        ("expired", reason, tries)
    ]


def test_after_an_expired_step_the_run_goes_on_only_with_continue_on_error() -> None:
    journey = Journey(with_first(TWO_STEPS, continue_on_error=True))
    journey.wait(61)
    journey.expire()
    assert (journey.run.position, journey.run.due) == ("actions/1", after(61))


def test_a_run_whose_program_nobody_understands_ends_with_the_reason() -> None:
    run = runs.abandon(tried().run, "no verb 'morse'", after(3))
    assert run.ended
    assert [(one.state, one.reason, one.attempts) for one in run.tried] == [
        ("failed", "no verb 'morse'", 1)
    ]


# --- Its time has come ----------------------------------------------------------------------

IN_LANE = new(program_of("[{log: a}]", mode="queued", finally_=OFF))


@pytest.mark.parametrize(
    ("actions", "rests", "tried_"),
    [
        pytest.param("[{delay: 5s}, {log: a}]", "log at actions/1", [], id="a delay is over"),
        pytest.param("[{delay: 5s}]", "ended done", [], id="a delay was the last step"),
        pytest.param(
            "[{wait_for: {event: bye}}, {log: a}]", "log at actions/1", [], id="nothing came"
        ),
        pytest.param(
            "[{wait_for: {event: bye}, else: stop}, {log: a}]", "ended stopped", [],
            id="nothing came, and that stops it",
        ),
        pytest.param("[{log: a}]", "log at actions/0", [], id="an action is not done by time"),
        pytest.param(
            "[{parallel: [{log: a}]}]", "join at actions/0", [], id="nor is a parallel"
        ),
    ],
)  # fmt: skip
def test_what_time_makes_of_a_run(actions: str, rests: str, tried_: list[str]) -> None:
    journey = Journey(actions)
    journey.wake()
    assert (journey.rests, journey.tried) == (rests, tried_)


def test_a_place_in_a_lane_expires() -> None:
    draft = Draft(Memory(runs=[IN_LANE]), after(60))
    runs.woken(draft, IN_LANE)
    (whole,) = draft.moves().runs
    assert (whole.run.ended, whole.run.outcome) == (True, "expired")
    assert [(one.verb, one.state, one.reason) for one in whole.run.tried] == [
        ("lane", "expired", "not done within 60 s, never tried")
    ]


def test_a_wait_that_timed_out_says_so() -> None:
    journey = Journey(
        "[{wait_for: {event: bye}, register: w}, {if: '{{ w.timed_out }}', then: [{log: a}]}]"
    )
    journey.wake()
    assert journey.rests == "log at actions/1/then/0"


# --- Cut short ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("actions", "times", "rests", "expected"),
    [
        pytest.param(
            "[{log: a}]", 0, "ended restarted", [f"log at actions/0 dropped: {NEWER}"],
            id="an action that was not tried",
        ),
        pytest.param(
            "[{log: a}]", 1, "log at finally/0", [f"log at actions/0 dropped: {NEWER}"],
            id="an action under way",
        ),
        pytest.param("[{delay: 5s}]", 0, "ended restarted", [], id="a delay at first"),
        pytest.param(
            "[{set: {n: 1}}, {delay: 5s}]", 0, "log at finally/0", ["set at actions/0 done: n"],
            id="a delay behind what was done",
        ),
        pytest.param("[{wait_for: {event: bye}}]", 0, "ended restarted", [], id="a wait at first"),
    ],
)  # fmt: skip
def test_what_a_newer_match_cuts_short(
    actions: str, times: int, rests: str, expected: list[str]
) -> None:
    journey = tried(program_of(actions, mode="restart", finally_=OFF), times)
    journey.wait(1)
    journey.restart()
    assert (journey.rests, journey.tried) == (rests, expected)
    assert journey.run.outcome == "restarted"
    if not journey.run.ended:
        assert journey.says == "off restarted"
        assert journey.run.due == after(1)


@pytest.mark.parametrize(
    ("begins", "rests"),
    [
        pytest.param([0], "log at finally/0", id="one of its actions was begun"),
        pytest.param([], "ended restarted", id="none was"),
    ],
)
def test_a_parallel_is_cut_short_with_all_its_branches(begins: list[int], rests: str) -> None:
    of = program_of("[{parallel: [{log: a}, {log: b}]}]", mode="restart", finally_=OFF)
    journey = Journey(of)
    for branch in begins:
        journey.begin(branch)
    journey.restart()
    assert journey.rests == rests
    assert all(whole.run.ended for whole in journey.branches)
    assert [[one.reason for one in whole.run.tried] for whole in journey.branches] == [[NEWER]] * 2
    assert journey.memory.branches(journey.run.id) == ()


TWICE_OFF = "[{mqtt: {topic: a}}, {mqtt: {topic: b}}]"


def in_finally(mode: str = "restart") -> Journey:
    journey = Journey(program_of("[{log: a}]", mode=mode, finally_=TWICE_OFF))
    journey.settle(NO)
    return journey


def test_what_cuts_short_a_finally_that_was_not_tried_yet_leaves_it_its_try() -> None:
    journey = in_finally()
    journey.restart()
    assert (journey.rests, journey.run.outcome) == ("mqtt at finally/0", "failed")


def test_a_finally_that_waits_for_another_try_has_had_its_one() -> None:
    journey = in_finally()
    journey.settle(TryAgain(reason="away"))
    assert journey.rests == "mqtt at finally/0"
    journey.restart()
    assert (journey.rests, journey.run.outcome) == ("mqtt at finally/1", "failed")
    assert journey.tried[-1] == f"mqtt at finally/0 failed: {NEWER}"


@pytest.mark.parametrize(
    ("mode", "waits", "rests"),
    [
        pytest.param("restart", True, "mqtt at finally/1", id="a newer match waits for its end"),
        pytest.param("restart", False, "mqtt at finally/0", id="none does"),
        pytest.param("queued", True, "mqtt at finally/0", id="in a queue others may wait"),
    ],
)
def test_how_often_a_step_of_finally_is_tried(mode: str, waits: bool, rests: str) -> None:
    journey = in_finally(mode)
    if waits:
        of = journey.whole.program
        journey.memory.apply(Moves(runs=(new(of, id=EVENT_ID * 1_000_000 + 2),)))
    journey.settle(TryAgain(reason="away"))
    assert journey.rests == rests


def test_what_is_ended_by_another_hand_tells_why_and_owes_nothing() -> None:
    memory = Memory(runs=[IN_LANE])
    draft = Draft(memory, after(5))
    runs.end(draft, IN_LANE.run.id, "it is not wanted")
    runs.end(draft, IN_LANE.run.id, "it has ended already")
    runs.end(draft, 99, "nobody knows it")
    (whole,) = draft.moves().runs
    assert (whole.run.ended, whole.run.due, whole.run.inbox) == (True, after(5), ())
    assert [(one.state, one.reason) for one in whole.run.tried] == [("dropped", "it is not wanted")]


@pytest.mark.parametrize(
    ("verb", "by", "stays"),
    [
        pytest.param("lane", IN_LANE.run.id, False, id="by this one, that never began"),
        pytest.param("lane", IN_LANE.run.id + 1, True, id="by another one"),
        pytest.param("for", IN_LANE.run.id, True, id="before it had its place"),
    ],
)
def test_a_run_that_never_began_gives_back_what_it_had_spent(
    verb: str, by: int, stays: bool
) -> None:
    whole = new(IN_LANE.program, verb=verb, position=verb, lane="[1]")
    memory = Memory(runs=[whole])
    draft = Draft(memory, BEGAN)
    for kind, name in (("once", whole.run.call), ("cooldown", "[1]")):
        draft.keep(kind, "r", name, by, after(300))
    memory.apply(draft.moves())
    draft = Draft(memory, after(5))
    runs.end(draft, whole.run.id, "x")
    memory.apply(draft.moves())
    assert len([*memory.all_kept()]) == (2 if stays else 0)


# --- After a crash --------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("changes", "begun_"),
    [
        pytest.param({"verb": "log"}, True, id="an action may have been tried"),
        pytest.param({"verb": "join"}, True, id="or one of a parallel"),
        pytest.param({"verb": "delay"}, False, id="in a delay nothing was"),
        pytest.param({"verb": "wait_for"}, False, id="nor in a wait"),
        pytest.param({"verb": "lane"}, False, id="nor in a lane"),
        pytest.param({"verb": "for"}, False, id="nor in a for"),
        pytest.param({"verb": "delay", "begun": True}, True, id="what was begun stays so"),
        pytest.param({"verb": "log", "outcome": "done"}, False, id="how it ended is known already"),
    ],
)
def test_whether_finally_is_owed_after_a_crash(changes: dict[str, Any], begun_: bool) -> None:
    whole = new(TWO_STEPS, position="actions/0", **changes)
    again = runs.resumed(whole)
    assert again == Whole(whole.run.changed(begun=begun_), whole.event, whole.program)


# --- The delivery of a step -----------------------------------------------------------------


def delivered(of: Program, now: Moment = BEGAN, **fields: Any) -> Delivery | GiveUp:
    whole = Journey(of, event(**fields)).whole
    return runs.delivery(whole, names={}, secrets={"ntfy": "s3cret"}, store_id="store", now=now)


def test_templates_see_the_trigger_and_the_moment_at_which_they_are_filled_in() -> None:
    of = program_of("[{log: '{{ trigger.id }} {{ rule.id }} {{ now.timestamp }}'}]")
    for seconds in (0, 5):
        filled = delivered(of, after(seconds))
        assert isinstance(filled, Delivery)
        assert filled.args == {"text": f"door r {int(BEGAN.wall_s) + seconds}"}


def test_a_delivery_has_its_templates_filled_in() -> None:
    made = delivered(TWO_STEPS, after(20), caller="030")
    assert isinstance(made, Delivery)
    assert (made.verb, made.args, made.attempt) == ("log", {"text": "030"}, 1)
    assert (made.timeout_s, made.left_s) == (10, 40)


def test_what_never_expires_has_no_end() -> None:
    made = delivered(with_first(TWO_STEPS, expires_s=None))
    assert isinstance(made, Delivery)
    assert made.left_s is None


def ids_of(journey: Journey) -> list[str]:
    """The ids of what a run delivers to its end, each tried twice."""
    found = []
    while not journey.run.ended:
        for _ in range(2):
            made = journey.delivery()
            assert isinstance(made, Delivery)
            found.append(made.id)
            journey.begin()
        journey.settle()
    return found


@pytest.mark.parametrize(
    ("of", "expected"),
    [
        pytest.param(TWO_STEPS, ["actions.0", "actions.1"], id="one for each step"),
        pytest.param(
            program_of("[{repeat: {count: 2, do: [{log: a}, {log: b}]}}]"),
            [
                "actions.0.repeat.do.0.actions.0.1", "actions.0.repeat.do.1.actions.0.1",
                "actions.0.repeat.do.0.actions.0.2", "actions.0.repeat.do.1.actions.0.2",
            ],
            id="another one in each round",
        ),
        pytest.param(
            program_of("[{repeat: {count: 2, do: [{repeat: {count: 2, do: [{log: a}]}}]}}]"),
            [
                f"actions.0.repeat.do.0.repeat.do.0.actions.0.{n}.actions.0.repeat.do.0.{m}"
                for n in (1, 2)
                for m in (1, 2)
            ],
            id="and in each round of a round",
        ),
        pytest.param(
            program_of("[{log: a}]", finally_="[{log: b}]"), ["actions.0", "finally.0"],
            id="and at the end",
        ),
    ],
)  # fmt: skip
def test_a_deliverys_id_is_the_same_on_every_try_and_another_for_every_step(
    of: Program, expected: list[str]
) -> None:
    ids = ids_of(Journey(of))
    assert ids == [f"store-7000001-{place}" for place in expected for _ in range(2)]


def test_the_branches_of_a_parallel_have_ids_of_their_own() -> None:
    journey = Journey("[{repeat: {count: 2, do: [{parallel: [{log: a}, {log: b}]}]}}]")
    ids = set()
    while not journey.run.ended:
        for branch in (0, 1):
            made = journey.delivery(branch)
            assert isinstance(made, Delivery)
            ids.add(made.id)
            journey.settle(branch=branch)
    assert len(ids) == 4


def test_a_step_that_can_not_be_filled_in_is_given_up_and_says_which_field() -> None:
    of = program_of("[{shell: [a, '{{ extension }}']}]")
    assert delivered(of) == GiveUp(reason="extension is absent")


def test_a_secret_is_filled_in_only_with_what_it_is_given() -> None:
    made = delivered(program_of("[{log: '{{ secret.ntfy }}'}]"))
    assert isinstance(made, Delivery)
    assert made.args == {"text": "s3cret"}
    assert made.uses_secret


# --- Whatever happens -----------------------------------------------------------------------

OUTCOMES = st.sampled_from([Done(), NO, LATER])
STEPS = st.lists(st.tuples(OUTCOMES, st.floats(0, 100), st.floats(0, 1)), max_size=30)


@given(STEPS, st.sampled_from([UNTIL_EXPIRED, THREE, ONCE, SLOW]), st.booleans())
def test_a_run_ends_once_each_step_is_settled_once_and_time_never_turns(
    outcomes: list[tuple[Outcome, float, float]], retry: Retry, continue_on_error: bool
) -> None:
    of = with_first(TWO_STEPS, retry=retry, continue_on_error=continue_on_error)
    journey = Journey(of)
    for outcome, seconds, jitter in outcomes:
        if journey.run.ended:
            break
        journey.wait(seconds)
        before = journey.run
        if runs.expired(before, journey.now):
            journey.expire()
        else:
            journey.settle(outcome, jitter=jitter)
        run = journey.run
        assert run.tried[: len(before.tried)] == before.tried
        assert len(run.tried) - len(before.tried) in (0, 1)
        assert run.ended or run.next_try.uptime_s >= journey.now.uptime_s
        positions = [one.position for one in run.tried]
        assert positions == [f"actions/{place}" for place in range(len(positions))]
        if run.expires_s is not None and not run.ended:
            assert run.next_try.since(run.due) < run.expires_s or run.next_try == journey.now
