"""Stepping through a run: what each outcome makes of it, at which moment."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pbxrules import engine, runs
from pbxrules.engine import Arrival
from pbxrules.memory import Draft, Memory, Whole
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
from pbxrules.walking import start
from tests.rulefiles import event, program, rule, ruleset

BEGAN = Moment(boot="one", uptime_s=1000.0, wall_s=1_700_000_000.0)
TWO_STEPS = program(rule(actions="[{log: '{{ caller }}'}, {shell: [a, '{{ extension }}']}]"))


def after(seconds: float) -> Moment:
    return BEGAN.after(seconds)


def with_first(of: Program, **changes: Any) -> Program:
    node = of.nodes["actions/0"]
    assert isinstance(node.deed, Step)
    first = replace(node, deed=replace(node.deed, **changes))
    return replace(of, nodes={**of.nodes, first.path: first})


def changed(run: Run, of: Program, now: Moment, change: Callable[[Draft, Whole], None]) -> Run:
    """What *change* makes of a run at a moment."""
    draft = Draft(Memory(), now)
    change(draft, Whole(run, event(), of))
    (became,) = [whole.run for whole in draft.moves().runs if whole.run.id == run.id]
    return became


def begun(of: Program = TWO_STEPS) -> Run:
    node = of.nodes["actions/0"]
    assert isinstance(node.deed, Step)
    new = Run(
        id=7_000_001,
        event_id=7,
        rule=of.rule,
        program=of.digest,
        trigger="door",
        position="lane",
        verb="lane",
        due=BEGAN,
        expires_s=60,
        next_try=BEGAN,
        attempt=0,
        tried=(),
    )
    return changed(new, of, BEGAN, start)


def advance(run: Run, of: Program, outcome: Outcome, now: Moment, *, jitter: float) -> Run:
    return changed(
        run, of, now, lambda draft, whole: runs.settled(draft, whole, outcome, jitter=jitter)
    )


def expire(run: Run, of: Program, now: Moment) -> Run:
    return changed(run, of, now, runs.expire)


def at_step(run: Run, of: Program, place: int) -> Run:
    node = of.nodes[f"actions/{place}"]
    assert isinstance(node.deed, Step)
    return replace(run, position=node.path, verb=node.deed.verb, attempt=0)


def tried(of: Program, times: int = 1) -> Run:
    run = begun(of)
    for _ in range(times):
        run = runs.tried_once(run)
    return run


# --- A run begins ---------------------------------------------------------------------------


def test_a_run_begins_owing_its_first_step_at_once() -> None:
    run = begun()
    assert (run.position, run.verb, run.attempt, run.tried) == ("actions/0", "log", 0, ())
    assert (run.due, run.next_try, run.expires_s) == (BEGAN, BEGAN, 60)
    assert (run.rule, run.program, run.event_id) == ("r", TWO_STEPS.digest, 7)
    assert not run.ended
    assert not run.begun
    assert runs.step_of(run, TWO_STEPS) is TWO_STEPS.nodes["actions/0"].deed


@pytest.mark.parametrize(
    ("waiting", "begins"),
    [
        pytest.param(0, True, id="none waits"),
        pytest.param(9, True, id="the last place is free"),
        pytest.param(10, False, id="as many as may wait do"),
        pytest.param(11, False, id="more than may wait do"),
    ],
)
def test_a_rule_with_too_many_runs_gives_up_the_newest(waiting: int, begins: bool) -> None:
    rules = ruleset("rules: [{id: r, triggers: any, max: 10, actions: [{log: hi}]}]")
    memory = Memory()
    for number in range(1, waiting + 1):
        memory.apply(engine.decide(rules, memory, Arrival(event=event(), id=number), BEGAN)[1])
    _, moves = engine.decide(rules, memory, Arrival(event=event(), id=99), BEGAN)

    (whole,) = moves.runs
    assert whole.run.ended is not begins
    if not begins:
        reason = "the rule has 10 runs that wait already"
        dropped = Tried(
            position="actions/0", verb="log", state="dropped", reason=reason, attempts=0
        )
        assert whole.run.tried == (dropped,)


# --- An outcome -----------------------------------------------------------------------------

UNTIL_EXPIRED = Retry(attempts=None, delay_s=1, max_delay_s=60)
THREE = Retry(attempts=3, delay_s=1, max_delay_s=60)
ONCE = Retry(attempts=1, delay_s=1, max_delay_s=60)
SLOW = Retry(attempts=None, delay_s=40, max_delay_s=60)
NO = GiveUp(reason="no")
LATER = TryAgain(reason="refused")
AT_ONCE = TryAgain(reason="the connection went", at_once=True)


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
        pytest.param(AT_ONCE, ONCE, 60, 1, 5, 1, 5, id="again without a wait"),
        pytest.param(
            AT_ONCE, THREE, 60, 9, 5, 1, 5, id="what was not the target's word costs no try"
        ),
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
    of = with_first(TWO_STEPS, retry=retry, expires_s=expires_s)
    run = tried(of, tries)
    became = advance(run, of, outcome, after(at), jitter=jitter)
    if not isinstance(expected, tuple):
        assert became == replace(run, next_try=after(expected))
        return
    state, reason = expected
    (settled,) = became.tried
    assert settled == Tried(
        position="actions/0", verb="log", state=state, reason=reason, attempts=tries
    )
    assert became.ended is (state != "done")


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
    became = advance(tried(of), of, outcome, after(5), jitter=0)
    assert became.ended is not goes_on
    if goes_on:
        assert (became.position, became.verb, became.attempt) == ("actions/1", "shell", 0)
        assert (became.due, became.next_try, became.expires_s) == (after(5), after(5), 60)


def test_after_its_last_step_a_run_has_ended() -> None:
    run = advance(tried(TWO_STEPS), TWO_STEPS, Done(detail="a"), after(1), jitter=0)
    run = advance(runs.tried_once(run), TWO_STEPS, Done(detail="b"), after(2), jitter=0)
    assert run.ended
    assert run.position == ""
    assert [(one.position, one.verb, one.reason) for one in run.tried] == [
        ("actions/0", "log", "a"),
        ("actions/1", "shell", "b"),
    ]


def test_the_next_steps_time_counts_from_the_end_of_the_one_before() -> None:
    run = advance(tried(TWO_STEPS), TWO_STEPS, Done(), after(50), jitter=0)
    assert not runs.expired(run, after(109))
    assert runs.expired(run, after(110))


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
    run = expire(tried(TWO_STEPS, tries), TWO_STEPS, after(61))
    assert run.ended
    assert [(one.state, one.reason, one.attempts) for one in run.tried] == [
        ("expired", reason, tries)
    ]


def test_after_an_expired_step_the_run_goes_on_only_with_continue_on_error() -> None:
    of = with_first(TWO_STEPS, continue_on_error=True)
    run = expire(begun(of), of, after(61))
    assert (run.position, run.due) == ("actions/1", after(61))


def test_a_run_whose_program_nobody_understands_ends_with_the_reason() -> None:
    run = runs.abandon(tried(TWO_STEPS), "no verb 'morse'", after(3))
    assert run.ended
    assert [(one.state, one.reason, one.attempts) for one in run.tried] == [
        ("failed", "no verb 'morse'", 1)
    ]


# --- The delivery of a step -----------------------------------------------------------------


def delivered(run: Run, of: Program, now: Moment = BEGAN, **fields: Any) -> Delivery | GiveUp:
    whole = Whole(run, event(**fields), of)
    secrets = {"ntfy": "s3cret"}
    return runs.delivery(whole, names={}, secrets=secrets, store_id="store", now=now)


def test_templates_see_the_trigger_and_the_moment_at_which_they_are_filled_in() -> None:
    of = program(rule(actions="[{log: '{{ trigger.id }} {{ rule.id }} {{ now.timestamp }}'}]"))
    for seconds in (0, 5):
        filled = delivered(begun(of), of, after(seconds))
        assert isinstance(filled, Delivery)
        assert filled.args == {"text": f"door r {int(BEGAN.wall_s) + seconds}"}


def test_a_delivery_has_its_templates_filled_in() -> None:
    made = delivered(begun(), TWO_STEPS, after(20), caller="030")
    assert isinstance(made, Delivery)
    assert (made.verb, made.args, made.attempt) == ("log", {"text": "030"}, 1)
    assert (made.timeout_s, made.left_s) == (10, 40)


def test_what_never_expires_has_no_end() -> None:
    of = with_first(TWO_STEPS, expires_s=None)
    made = delivered(begun(of), of)
    assert isinstance(made, Delivery)
    assert made.left_s is None


def test_a_deliverys_id_is_the_same_on_every_try_and_another_for_every_step() -> None:
    ids = set()
    for run in (begun(), tried(TWO_STEPS, 3), at_step(begun(), TWO_STEPS, 0)):
        made = delivered(run, TWO_STEPS)
        assert isinstance(made, Delivery)
        ids.add(made.id)
    assert ids == {"store-7000001-actions.0"}
    second = delivered(at_step(begun(), TWO_STEPS, 1), TWO_STEPS, extension="101")
    assert isinstance(second, Delivery)
    assert second.id == "store-7000001-actions.1"
    assert second.args == {"argv": ["a", "101"]}


def test_a_step_that_can_not_be_filled_in_is_given_up_and_says_which_field() -> None:
    second = at_step(begun(), TWO_STEPS, 1)
    assert delivered(second, TWO_STEPS) == GiveUp(reason="extension is absent")


def test_a_secret_is_filled_in_only_with_what_it_is_given() -> None:
    of = program(rule(actions="[{log: '{{ secret.ntfy }}'}]"))
    made = delivered(begun(of), of)
    assert isinstance(made, Delivery)
    assert made.args == {"text": "s3cret"}


# --- Whatever happens -----------------------------------------------------------------------

OUTCOMES = st.sampled_from([Done(), NO, LATER, AT_ONCE])
STEPS = st.lists(st.tuples(OUTCOMES, st.floats(0, 100), st.floats(0, 1)), max_size=30)


@given(STEPS, st.sampled_from([UNTIL_EXPIRED, THREE, ONCE, SLOW]), st.booleans())
def test_a_run_ends_once_each_step_is_settled_once_and_time_never_turns(
    outcomes: list[tuple[Outcome, float, float]], retry: Retry, continue_on_error: bool
) -> None:
    of = with_first(TWO_STEPS, retry=retry, continue_on_error=continue_on_error)
    run, now = begun(of), BEGAN
    for outcome, seconds, jitter in outcomes:
        if run.ended:
            break
        now = now.after(seconds)
        before = run
        if runs.expired(run, now):
            run = expire(run, of, now)
        else:
            run = advance(runs.tried_once(run), of, outcome, now, jitter=jitter)
        assert run.tried[: len(before.tried)] == before.tried
        assert len(run.tried) - len(before.tried) in (0, 1)
        assert run.ended or run.next_try.uptime_s >= now.uptime_s
        positions = [one.position for one in run.tried]
        assert positions == [f"actions/{place}" for place in range(len(positions))]
        if run.expires_s is not None and not run.ended:
            assert run.next_try.since(run.due) < run.expires_s or run.next_try == now
