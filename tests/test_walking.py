"""Going on through a program: where a run rests, and what was done on the way there."""

# Over 300 lines, most of them tables: each kind of step, from each side.

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pbxrules import walking
from pbxrules.calls import Change, Known
from pbxrules.memory import Draft, Memory, Moves, Whole
from pbxrules.model import Delay, Done, GiveUp, Moment, Parallel, Step, TryAgain, WaitFor
from pbxrules.walking import FIRST_BRANCH, KEPT, MAX_INBOX, MAX_STEPS, NO_CALL, names_of
from tests.journeys import BEGAN, CALL, EVENT_ID, Journey, after, new, program_of
from tests.rulefiles import event

NO = GiveUp(reason="no")
COUNTS = "{set: {n: '{{ state.n + 1 }}'}}"


# --- where a run rests -----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("actions", "rests"),
    [
        pytest.param("[{log: a}]", "log at actions/0", id="an action is owed"),
        pytest.param("[{delay: 5s}]", "delay at actions/0", id="a delay is waited for"),
        pytest.param(
            "[{wait_for: {event: bye}}]", "wait_for at actions/0", id="an event is waited for"
        ),
        pytest.param(
            "[{if: {extension: 101}, then: [{log: a}], else: [{log: b}]}]",
            "log at actions/0/then/0",
            id="an if that holds goes on with then",
        ),
        pytest.param(
            "[{if: {extension: 102}, then: [{log: a}], else: [{log: b}]}]",
            "log at actions/0/else/0",
            id="an if that does not goes on with else",
        ),
        pytest.param(
            "[{if: {extension: 102}, then: [{log: a}]}, {log: b}]",
            "log at actions/1",
            id="an if without else goes on behind it",
        ),
        pytest.param(
            "[{if: '{{ 1 / 0 }}', then: [{log: a}], else: [{log: b}]}]",
            "log at actions/0/else/0",
            id="an if that can't be worked out does not hold",
        ),
        pytest.param(
            "[{if: {extension: 102}, then: [{log: a}]}]",
            "ended done",
            id="with nothing left to do it has ended",
        ),
        pytest.param(
            "[{choose: [{when: {extension: 9}, do: [{log: a}]},"
            " {when: {extension: 101}, do: [{log: b}]}, {when: {caller: 030}, do: [{log: c}]}]}]",
            "log at actions/0/choose/1/do/0",
            id="choose goes on with the first that holds",
        ),
        pytest.param(
            "[{choose: [{when: {extension: 9}, do: [{log: a}]}], default: [{log: b}]}]",
            "log at actions/0/default/0",
            id="choose goes on with its default where none does",
        ),
        pytest.param(
            "[{choose: [{when: {extension: 9}, do: [{log: a}]}]}, {log: b}]",
            "log at actions/1",
            id="choose without a default goes on behind it",
        ),
        pytest.param(
            "[{repeat: {count: 2, do: [{log: a}]}}]",
            "log at actions/0/repeat/do/0",
            id="a repeat begins with its first round",
        ),
        pytest.param(
            "[{repeat: {while: {extension: 9}, do: [{log: a}]}}, {log: b}]",
            "log at actions/1",
            id="while is looked at before the first round",
        ),
        pytest.param(
            "[{repeat: {until: {extension: 101}, do: [{log: a}]}}, {log: b}]",
            "log at actions/0/repeat/do/0",
            id="until is looked at after the first round",
        ),
        pytest.param(
            "[{set: {n: 1}}, {log: b}]", "log at actions/1", id="a set is done on the way"
        ),
        pytest.param("[{set: {n: 1}}]", "ended done", id="a set may be all that happens"),
        pytest.param("[{stop: enough}, {log: b}]", "ended stopped", id="a stop ends it"),
        pytest.param(
            "[{parallel: [{log: a}, {log: b}]}]", "join at actions/0", id="a parallel is waited for"
        ),
        pytest.param(
            "[{repeat: {count: 2, do: [{if: {extension: 101},"
            " then: [{choose: [{when: {caller: 030}, do: [{set: {n: 1}}, {delay: 1s}]}]}]}]}}]",
            "delay at actions/0/repeat/do/0/then/0/choose/0/do/1",
            id="one inside the other",
        ),
    ],
)
def test_where_a_run_rests(actions: str, rests: str) -> None:
    assert Journey(actions).rests == rests


@pytest.mark.parametrize(
    ("actions", "expected"),
    [
        pytest.param("[{log: a}]", (0, 0, 60), id="an action is owed at once, for its expires"),
        pytest.param("[{log: a, expires: never}]", (0, 0, None), id="or for ever"),
        pytest.param("[{delay: 90s}]", (0, 90, None), id="a delay has its time"),
        pytest.param("[{wait_for: {event: bye}}]", (0, 3600, None), id="a wait has an hour"),
        pytest.param(
            "[{wait_for: {event: bye}, timeout: 5s}]", (0, 5, None), id="or what its timeout says"
        ),
        pytest.param("[{parallel: [{log: a}]}]", (0, 0, None), id="a parallel waits for no time"),
    ],
)
def test_for_how_long_a_run_rests(
    actions: str, expected: tuple[float, float, float | None]
) -> None:
    """From when its time counts and till when it waits, in seconds since it began; ``expires``."""
    run = Journey(actions).run
    assert (run.due.since(BEGAN), run.next_try.since(BEGAN), run.expires_s) == expected


@pytest.mark.parametrize(
    ("actions", "counts_from_s"),
    [
        pytest.param("[{log: a}]", 0, id="the first from the match"),
        pytest.param("[{set: {n: 1}}, {log: a}]", 10, id="the next from the end of the one before"),
    ],
)
def test_from_when_an_actions_time_counts(actions: str, counts_from_s: float) -> None:
    """The run matched 10 s before it began, for another one was on in its lane."""
    draft = Draft(Memory(), after(10))
    walking.start(draft, new(program_of(actions), due=BEGAN))
    (whole,) = draft.moves().runs
    assert whole.run.due == whole.run.next_try == after(counts_from_s)


# --- where it goes on ------------------------------------------------------------------------

NESTED = (
    "[{repeat: {count: 2, do: [{log: a}, {repeat: {count: 2, do: [{log: b}]}}]}},"
    " {if: {extension: 101}, then: [{log: c}, {log: d}], else: [{log: e}]}, {log: f}]"
)


@pytest.mark.parametrize(
    ("actions", "expected"),
    [
        pytest.param(NESTED, "a b b a b b c d f done", id="inner rounds begin anew in each outer"),
        pytest.param(
            "[{repeat: {count: 3, do: [{delay: 1s}, {log: a}]}}]",
            "delay a delay a delay a done",
            id="rounds with a wait in them",
        ),
        pytest.param(
            f"[{{repeat: {{until: '{{{{ state.n == 2 }}}}', do: [{COUNTS}, {{log: a}}]}}}}]",
            "a a done",
            id="until what was set makes it so",
        ),
        pytest.param(
            f"[{{repeat: {{while: '{{{{ state.n < 2 }}}}', do: [{COUNTS}, {{log: a}}]}}}}]",
            "a a done",
            id="while it is so",
        ),
        pytest.param(
            "[{repeat: {until: {extension: 9}, count: 3, do: [{log: a}]}}]",
            "a a a done",
            id="until what never is, but three times at most",
        ),
        pytest.param(
            "[{repeat: {while: {extension: 101}, count: 2, do: [{log: a}]}}]",
            "a a done",
            id="while what always is, but twice at most",
        ),
        pytest.param(
            "[{repeat: {until: '{{ 1 / 0 }}', count: 2, do: [{log: a}]}}]",
            "a a done",
            id="an until that can't be worked out does not hold",
        ),
        pytest.param(
            "[{repeat: {count: 2, do: [{if: {extension: 9}, then: [{log: a}]}]}}, {log: b}]",
            "b done",
            id="rounds in which nothing is to do",
        ),
        pytest.param(
            "[{repeat: {count: 2, do: [{if: {extension: 101}, then: [{stop: x}]}]}}, {log: b}]",
            "stopped",
            id="a stop ends it from the innermost",
        ),
        pytest.param(
            "[{choose: [{when: {extension: 101}, do: [{log: a}, {log: b}]}], default: [{log: c}]},"
            " {log: d}]",
            "a b d done",
            id="behind a branch of choose comes what is behind the choose",
        ),
        pytest.param(
            "[{wait_for: {event: bye}, timeout: 1s}, {log: a}]",
            "wait_for a done",
            id="behind a wait that timed out",
        ),
        pytest.param(
            "[{wait_for: {event: bye}, timeout: 1s, else: stop}, {log: a}]",
            "wait_for stopped",
            id="or nowhere, where that says stop",
        ),
    ],
)
def test_where_a_run_goes_on(actions: str, expected: str) -> None:
    assert Journey(actions).to_the_end() == expected.split()


def test_the_rounds_of_each_repeat_are_counted_and_forgotten_behind_it() -> None:
    journey, seen = Journey(NESTED), []
    while not journey.run.ended:
        seen.append([*journey.run.counters.values()])
        journey.settle()
    assert seen == [[1], [1, 1], [1, 2], [2], [2, 1], [2, 2], [], [], []]


def test_a_script_is_done_as_if_its_steps_stood_there() -> None:
    scripts = "scripts: {blink: [{log: 'on {{ vars.lamp }}'}, {log: 'off {{ vars.lamp }}'}]}\n"
    actions = "[{script: {name: blink, with: {lamp: hall}}}, {log: '{{ vars.lamp }}'}]"
    journey = Journey(program_of(actions, head=scripts, variables="{lamp: own}"))
    assert journey.run.position == "actions/0/script/0"
    assert journey.to_the_end() == ["on hall", "off hall", "own", "done"]


# --- without waiting -------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("rounds", "ends"),
    [
        pytest.param(MAX_STEPS - 2, [], id="so many steps may be done without waiting"),
        pytest.param(
            MAX_STEPS,
            ["repeat at actions/0/repeat/do/0 failed: 1,000 steps without waiting"],
            id="with more the run has failed, for it might go on for ever",
        ),
    ],
)
def test_steps_without_waiting(rounds: int, ends: list[str]) -> None:
    step = "{if: {extension: 9}, then: [{log: a}]}"
    journey = Journey(f"[{{repeat: {{count: {rounds}, do: [{step}]}}}}, {{log: a}}]")
    assert journey.tried == ends
    assert journey.rests == ("ended failed" if ends else "log at actions/1")


def test_steps_are_counted_anew_after_each_wait() -> None:
    journey = Journey(f"[{{repeat: {{while: {{extension: 101}}, do: [{COUNTS}, {{delay: 1s}}]}}}}]")
    for _ in range(MAX_STEPS):
        journey.wake()
    assert journey.rests == "delay at actions/0/repeat/do/1"
    assert journey.state["n"] == MAX_STEPS + 1


def test_of_many_settled_steps_the_last_are_remembered() -> None:
    journey = Journey(f"[{{repeat: {{count: {KEPT + 1}, do: [{{log: a}}]}}}}]")
    for number in range(KEPT + 1):
        journey.settle(Done(detail=str(number)))
    assert [one.reason for one in journey.run.tried] == [str(n) for n in range(1, KEPT + 1)]


# --- set and stop ----------------------------------------------------------------------------


def test_a_run_sees_at_once_what_it_sets() -> None:
    journey = Journey(f"[{COUNTS}, {COUNTS}, {{log: '{{{{ state.n }}}}'}}]")
    assert (journey.says, journey.state["n"]) == ("2", 2)
    assert journey.tried == ["set at actions/0 done: n", "set at actions/1 done: n"]


def test_the_values_of_one_set_see_nothing_of_each_other() -> None:
    journey = Journey("[{set: {n: '{{ state.half + 1 }}', half: '{{ state.n + 5 }}'}}]")
    assert (journey.state["n"], journey.state["half"]) == (1.5, 5)


OTHER_TYPE = "would be of another type than before"


@pytest.mark.parametrize("before", ["", "{log: a}, "], ids=["at first", "behind an action"])
@pytest.mark.parametrize(
    ("values", "reason"),
    [
        pytest.param("{n: '{{ extension }}'}", f"'n' {OTHER_TYPE}", id="text for a number"),
        pytest.param("{n: '{{ state.open }}'}", f"'n' {OTHER_TYPE}", id="false for a number"),
        pytest.param("{open: '{{ state.n }}'}", f"'open' {OTHER_TYPE}", id="0 for false"),
        pytest.param("{word: '{{ state.armed }}'}", f"'word' {OTHER_TYPE}", id="null for a text"),
        pytest.param(
            "{word: '{{ state.n }}', n: 1, open: '{{ state.word }}'}",
            f"'word', 'open' {OTHER_TYPE}",
            id="all that is wrong",
        ),
        pytest.param("{n: '{{ 1 / 0 }}'}", "division by zero", id="what can't be worked out"),
    ],
)
def test_a_set_that_fails_ends_the_run_and_sets_nothing(
    values: str, reason: str, before: str
) -> None:
    journey = Journey(f"[{before}{{set: {values}}}, {{log: b}}]")
    if before:
        journey.settle()
    assert journey.rests == "ended failed"
    assert journey.run.tried[-1].state == "failed"
    assert reason in journey.run.tried[-1].reason
    assert [*journey.memory.all_kept()] == []


@pytest.mark.parametrize(
    ("why", "said"),
    [
        pytest.param("enough", "enough", id="a text"),
        pytest.param("no {{ extension }}", "no 101", id="a template"),
        pytest.param(
            "{{ 1 / 0 }}",
            "its reason can't be filled in: division by zero",
            id="one that can't be worked out stops all the same",
        ),
    ],
)
def test_a_stop_tells_why(why: str, said: str) -> None:
    journey = Journey(f"[{{log: a}}, {{stop: '{why}'}}]")
    journey.settle()
    assert journey.rests == "ended stopped"
    assert journey.tried == ["log at actions/0 done", f"stop at actions/1 done: {said}"]
    assert journey.run.tried[-1].attempts == 0


def test_a_stop_in_a_script_sees_what_the_script_was_given() -> None:
    scripts = "scripts: {ends: [{stop: 'no {{ vars.lamp }}'}]}\n"
    journey = Journey(program_of("[{script: {name: ends, with: {lamp: hall}}}]", head=scripts))
    assert journey.tried == ["stop at actions/0/script/0 done: no hall"]


# --- the end ---------------------------------------------------------------------------------

OFF = "[{log: 'off {{ outcome }}'}]"


@pytest.mark.parametrize(
    ("actions", "outcome"),
    [
        pytest.param("[{log: a}]", "done", id="all was done"),
        pytest.param("[{log: a}, {stop: x}]", "stopped", id="it was stopped"),
        pytest.param("[{set: {n: 1}}]", "done", id="a set was done"),
        pytest.param("[{set: {n: '{{ extension }}'}}]", "failed", id="a set was tried"),
    ],
)
def test_finally_follows_whatever_the_end(actions: str, outcome: str) -> None:
    journey = Journey(program_of(actions, finally_=OFF))
    if not journey.run.outcome:
        journey.settle()
    assert (journey.rests, journey.says) == ("log at finally/0", f"off {outcome}")
    assert journey.run.due == journey.now
    journey.settle()
    assert journey.rests == f"ended {outcome}"


@pytest.mark.parametrize(
    "actions",
    [
        pytest.param("[{if: {extension: 9}, then: [{log: a}]}]", id="nothing was to do"),
        pytest.param("[{stop: x}]", id="it was stopped before"),
        pytest.param(
            "[{repeat: {while: {extension: 101}, do: [{if: {extension: 9}, then: [{log: a}]}]}}]",
            id="it went on too long without an action",
        ),
    ],
)
def test_finally_does_not_follow_where_no_action_was_begun(actions: str) -> None:
    journey = Journey(program_of(actions, finally_=OFF))
    assert journey.run.ended
    assert not journey.run.begun


def test_finally_does_not_follow_an_action_that_expired_unsent() -> None:
    journey = Journey(program_of("[{log: a}]", finally_=OFF))
    journey.expire()
    assert journey.rests == "ended expired"


def test_finally_does_its_steps_one_after_the_other_and_asks_how_it_ended() -> None:
    done = """{if: "{{ outcome == 'done' }}", then: [{log: b}]}"""
    failed = """{if: "{{ outcome == 'failed' }}", then: [{log: c}]}"""
    last = f"[{{log: a}}, {COUNTS}, {done}, {failed}, {{log: '{{{{ state.n }}}}'}}]"
    one, other = (Journey(program_of("[{log: x}]", finally_=last)) for _ in range(2))
    one.settle()
    other.settle(NO)
    assert one.to_the_end() == ["a", "b", "1", "done"]
    assert other.to_the_end() == ["a", "c", "1", "failed"]


@pytest.mark.parametrize(
    "fails",
    [
        pytest.param("{log: a}", id="an action"),
        pytest.param("{set: {n: '{{ extension }}'}}", id="a set"),
    ],
)
def test_a_step_of_finally_goes_on_after_a_failure(fails: str) -> None:
    journey = Journey(program_of("[{log: x}]", finally_=f"[{fails}, {{log: b}}]"))
    journey.settle()
    if "log" in fails:
        journey.settle(NO)
    assert (journey.rests, journey.says) == ("log at finally/1", "b")
    assert journey.run.tried[-1].state == "failed"
    journey.settle()
    assert journey.rests == "ended done"


def test_what_has_ended_holds_nothing_that_only_its_steps_needed() -> None:
    journey = Journey("[{shell: [a], register: r}, {repeat: {count: 9, do: [{stop: x}]}}]")
    journey.settle(Done(result={"exit_code": 0}))
    run = journey.run
    assert (run.position, run.expires_s, run.due) == ("", None, BEGAN)
    assert (dict(run.results), dict(run.counters), run.inbox) == ({}, {}, ())


# --- a wait ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("wait", "comes", "goes_on"),
    [
        pytest.param("{event: bye}", {"kind": "bye"}, True, id="the event"),
        pytest.param("{event: bye}", {"kind": "answer"}, False, id="another event"),
        pytest.param(
            "{event: bye, extension: 101}", {"kind": "bye"}, False, id="the event without a field"
        ),
        pytest.param(
            "{event: bye}", {"kind": "bye", "sure": False}, False, id="maybe of another call"
        ),
        pytest.param(
            "{event: bye}, same: none", {"kind": "bye", "sure": False}, True, id="of any call"
        ),
        pytest.param(
            "{event: ring}, same: [extension]",
            {"kind": "ring", "sure": False, "extension": "101"},
            True,
            id="of the same extension",
        ),
        pytest.param(
            "{event: ring}, same: [extension, caller]",
            {"kind": "ring", "extension": "101"},
            False,
            id="of the same extension, but not of the same caller",
        ),
        pytest.param(
            "{event: ring}, same: [trunk]", {"kind": "ring"}, True, id="neither has the field"
        ),
    ],
)
def test_what_ends_a_wait(wait: str, comes: dict[str, Any], goes_on: bool) -> None:
    journey = Journey(f"[{{wait_for: {wait}}}, {{log: a}}]")
    journey.tell(**comes)
    assert journey.rests == ("log at actions/1" if goes_on else "wait_for at actions/0")


def test_a_wait_tells_what_came_or_that_nothing_did() -> None:
    actions = (
        "[{wait_for: {event: bye}, timeout: 1s, register: w},"
        " {log: '{{ w.timed_out }} {{ w.event }} {{ w.extension }}'}]"
    )
    came, none = Journey(actions), Journey(actions)
    came.tell("bye", extension="102")
    none.wake()
    assert (came.says, none.says) == ("false bye 102", "true  ")


TWO_WAITS = (
    "[{wait_for: {event: answer}}, {log: a}, {wait_for: {event: [bye, answer]}, register: w},"
    " {log: '{{ w.extension }}'}]"
)


def test_what_comes_while_an_action_is_tried_is_not_lost_for_the_wait_behind_it() -> None:
    journey = Journey(TWO_WAITS)
    journey.tell("answer", extension="1")
    journey.tell("bye", extension="2")
    journey.settle()
    assert (journey.rests, journey.says) == ("log at actions/3", "2")


def test_one_event_satisfies_one_wait() -> None:
    journey = Journey(TWO_WAITS)
    journey.tell("answer", extension="1")
    journey.settle()
    assert journey.rests == "wait_for at actions/2"
    journey.tell("answer", extension="2")
    assert journey.says == "2"


def test_a_wait_takes_the_first_of_what_came_and_the_next_what_came_behind_it() -> None:
    actions = (
        "[{log: a}, {wait_for: {event: answer}}, {wait_for: {event: bye}, register: w},"
        " {log: '{{ w.extension }}'}]"
    )
    journey = Journey(actions)
    for kind, extension in (("bye", "1"), ("answer", "2"), ("bye", "3"), ("bye", "4")):
        journey.tell(kind, extension=extension)
    journey.settle()
    assert journey.says == "3"
    assert [one.fields["extension"] for one in journey.run.inbox] == ["4"]


def test_after_a_wait_that_timed_out_the_next_still_sees_what_came_before() -> None:
    journey = Journey(
        "[{wait_for: {event: answer}, timeout: 1s}, {wait_for: {event: bye}}, {log: a}]"
    )
    journey.tell("bye")
    journey.wake()
    assert journey.rests == "log at actions/2"


def test_what_began_a_run_and_what_came_before_it_is_no_news_to_its_waits() -> None:
    journey = Journey("[{wait_for: {event: ring}}, {log: a}]")
    for number in (EVENT_ID - 1, EVENT_ID):
        draft = Draft(journey.memory, BEGAN)
        walking.arrive(draft, journey.whole, number, event(), sure=True)
        assert draft.moves() == Moves()


def test_promise_9_of_many_events_that_a_later_wait_may_want_the_last_are_kept() -> None:
    journey = Journey("[{log: a}, {wait_for: {event: bye}}]")
    for number in range(MAX_INBOX + 2):
        journey.tell("bye", extension=str(number))
        journey.tell("answer")
    kept = [one.fields["extension"] for one in journey.run.inbox]
    assert kept == [str(number) for number in range(2, MAX_INBOX + 2)]


# --- parallel --------------------------------------------------------------------------------

FAN = "[{parallel: [{log: a}, {shell: [b], register: r}, {log: c, expires: 5s}]}, {log: d}]"


def test_a_parallel_begins_each_of_its_actions_as_a_run_of_its_own() -> None:
    journey = Journey(FAN)
    journey.wait(10)
    told = [(w.run.position, w.run.verb, w.run.expires_s, w.run.due) for w in journey.branches]
    assert told == [
        ("actions/0/parallel/0", "log", 60, BEGAN),
        ("actions/0/parallel/1", "shell", 60, BEGAN),
        ("actions/0/parallel/2", "log", 5, BEGAN),
    ]
    ids = [whole.run.id for whole in journey.branches]
    assert len({*ids, journey.run.id}) == 4
    assert all(id_ >= EVENT_ID * 1_000_000 + FIRST_BRANCH for id_ in ids)
    assert {whole.run.parent for whole in journey.branches} == {journey.run.id}


def test_a_parallel_is_joined_when_all_have_settled_in_whatever_order() -> None:
    journey = Journey(FAN)
    for branch in (2, 0):
        journey.settle(branch=branch)
        assert journey.rests == "join at actions/0"
    journey.wait(3)
    journey.settle(Done(detail="ok", result={"exit_code": 0}), branch=1)
    assert journey.rests == "log at actions/1"
    assert journey.run.due == after(3)
    assert journey.run.results == {"r": {"exit_code": 0}}
    assert journey.tried == [
        "log at actions/0/parallel/2 done",
        "log at actions/0/parallel/0 done",
        "shell at actions/0/parallel/1 done: ok",
    ]
    assert all(whole.run.ended for whole in journey.branches)


@pytest.mark.parametrize(
    ("first", "second", "beside", "rests"),
    [
        pytest.param("done", "done", "", "log at actions/1", id="both are done"),
        pytest.param("failed", "done", "", "ended failed", id="one failed"),
        pytest.param("done", "expired", "", "ended expired", id="one expired"),
        pytest.param("failed", "expired", "", "ended expired", id="one failed, one expired"),
        pytest.param(
            "failed", "failed", ", continue_on_error: true", "log at actions/1",
            id="both failed, and it goes on after errors",
        ),
    ],
)  # fmt: skip
def test_how_a_parallel_ends(first: str, second: str, beside: str, rests: str) -> None:
    journey = Journey(f"[{{parallel: [{{log: a}}, {{log: b}}]{beside}}}, {{log: d}}]")
    for branch, ends in enumerate((first, second)):
        if ends == "expired":
            journey.expire(branch)
        else:
            journey.settle(Done() if ends == "done" else NO, branch=branch)
            assert (journey.rests == rests) is (branch == 1)
    assert journey.rests == rests


def test_a_branch_that_may_fail_fails_no_parallel() -> None:
    journey = Journey("[{parallel: [{log: a, continue_on_error: true}, {log: b}]}, {log: d}]")
    journey.settle(NO, branch=0)
    journey.settle(branch=1)
    assert journey.rests == "log at actions/1"


def test_a_branch_is_tried_again_by_itself() -> None:
    journey = Journey("[{parallel: [{mqtt: {topic: a}}, {log: b}]}]")
    journey.settle(TryAgain(reason="busy"), branch=0)
    journey.settle(branch=1)
    assert journey.rests == "join at actions/0"
    assert journey.branches[0].run.next_try == after(1)
    journey.settle(branch=0)
    assert journey.rests == "ended done"
    assert journey.run.tried[-1].attempts == 2


@pytest.mark.parametrize(
    ("tried", "rests"),
    [
        pytest.param(True, "log at finally/0", id="one of its actions was begun"),
        pytest.param(False, "ended expired", id="all expired unsent"),
    ],
)
def test_whether_finally_follows_a_parallel(tried: bool, rests: str) -> None:
    journey = Journey(program_of("[{parallel: [{log: a}, {log: b}]}]", finally_=OFF))
    if tried:
        journey.settle(branch=0)
    else:
        journey.expire(0)
    journey.expire(1)
    assert journey.rests == rests


def test_a_parallel_in_a_repeat_begins_anew_in_each_round() -> None:
    journey = Journey("[{repeat: {count: 2, do: [{parallel: [{log: a}, {log: b}]}]}}, {log: c}]")
    for place in ("actions/0/repeat/do/0", "actions/0/repeat/do/0"):
        assert journey.rests == f"join at {place}"
        for branch in (0, 1):
            journey.settle(branch=branch)
    assert journey.rests == "log at actions/1"
    assert len(journey.tried) == 4


def test_promise_9_rounds_of_a_parallel_use_the_same_few_ids_again() -> None:
    journey = Journey("[{repeat: {count: 50, do: [{parallel: [{log: a}, {log: b}]}]}}]")
    while not journey.run.ended:
        for branch in (1, 0):
            journey.settle(branch=branch)
    assert len(journey.wholes) <= 1 + 2 * 2


def test_branches_of_two_runs_of_one_event_have_ids_of_their_own() -> None:
    memory, ids = Memory(), set()
    for place in (1, 2):
        draft = Draft(memory, BEGAN)
        walking.start(draft, new(program_of(FAN), id=EVENT_ID * 1_000_000 + place))
        moves = draft.moves()
        memory.apply(moves)
        ids |= {whole.run.id for whole in moves.runs}
    assert len(ids) == 8
    assert {id_ // 1_000_000 for id_ in ids} == {EVENT_ID}


def test_a_branch_whose_run_is_gone_ends_by_itself() -> None:
    journey = Journey(FAN)
    run, whole = journey.run, journey.whole
    gone = Whole(replace(run, position=""), whole.event, whole.program)
    journey.memory.apply(Moves(runs=(gone,)))
    journey.settle(branch=0)
    assert journey.branches[0].run.ended
    assert journey.run == run


# --- lanes -----------------------------------------------------------------------------------

QUEUED = program_of("[{log: a}]", mode="queued")


def lane_of(*wholes: Whole) -> Memory:
    """A memory with runs in one lane: the first is on, the others wait."""
    first, *others = wholes
    memory = Memory()
    draft = Draft(memory, BEGAN)
    walking.start(draft, first)
    for other in others:
        draft.put(other)
    memory.apply(draft.moves())
    return memory


def after_the_end(memory: Memory, whole: Whole) -> dict[int, str]:
    """What else became of runs, by the place of each, when this one ended."""
    draft = Draft(memory, after(50))
    walking.finish(draft, whole, "done")
    return {
        moved.run.id % 1_000_000: f"{moved.run.verb} at {moved.run.position}"
        for moved in draft.moves().runs
        if moved.run.id != whole.run.id
    }


def queued(place: int, at: Moment = BEGAN, **changes: Any) -> Whole:
    return new(QUEUED, id=EVENT_ID * 1_000_000 + place, due=at, **changes)


@pytest.mark.parametrize(
    ("others", "expected"),
    [
        pytest.param([], {}, id="none waits"),
        pytest.param(
            [queued(2, after(1)), queued(3, after(2))],
            {2: "log at actions/0"},
            id="the one behind it",
        ),
        pytest.param(
            [queued(3, after(2)), queued(2, after(1))],
            {2: "log at actions/0"},
            id="the one that matched first",
        ),
        pytest.param(
            [queued(2, replace(after(1), wall_s=9e9)), queued(3, after(2))],
            {2: "log at actions/0"},
            id="whatever the wall clock said",
        ),
        pytest.param([queued(2, lane="[1]")], {}, id="none of another lane"),
        pytest.param([queued(2, rule="other")], {}, id="none of another rule"),
    ],
)
def test_when_a_run_ends_the_next_of_its_lane_begins(
    others: list[Whole], expected: dict[int, str]
) -> None:
    on = queued(1)
    assert after_the_end(lane_of(on, *others), on) == expected


def test_the_next_of_a_lane_begins_only_when_none_is_on() -> None:
    one, two = queued(1), queued(2)
    memory = lane_of(one, queued(3))
    draft = Draft(memory, BEGAN)
    walking.start(draft, two)
    memory.apply(draft.moves())
    assert after_the_end(memory, one) == {}
    memory.apply(Moves(runs=(Whole(replace(one.run, position=""), one.event, one.program),)))
    assert after_the_end(memory, two) == {3: "log at actions/0"}


def test_the_time_of_the_next_ones_first_action_counts_from_its_match() -> None:
    on = queued(1)
    draft = Draft(lane_of(on, queued(2, after(5))), after(50))
    walking.finish(draft, on, "done")
    assert [moved.run.due for moved in draft.moves().runs if not moved.run.ended] == [after(5)]


# --- what it sees ----------------------------------------------------------------------------

KNOWN = Known(
    id=CALL, legs=("1.1",), doubtful=("1.2",), first_leg="1.1", pbx=None, direction="inbound",
    caller="030", callee="101", callee_from="ring", extensions=("101",), marks=(), answered=True,
    transfer=None, started_s=5.0, ended_s=None, seen=BEGAN,
)  # fmt: skip


def test_what_templates_see_of_a_call() -> None:
    memory = Memory()
    memory.apply(Moves(call=Change(put=KNOWN)))
    draft = Draft(memory, BEGAN)
    told = {
        "id": CALL, "sure": True, "answered": True, "caller": "030", "callee": "101",
        "extensions": ("101",), "started": 5.0, "ended": None,
    }  # fmt: skip
    assert names_of(draft.call(CALL), event(call_id="1.1"), {"n": 1}) == {
        "call": told,
        "state": {"n": 1},
    }
    doubtful = names_of(draft.call(CALL), event(call_id="1.2"), {})
    assert doubtful == {"call": {**told, "sure": False}, "state": {}}
    for call in ("", "c9"):
        assert names_of(draft.call(call), event(), {})["call"] is NO_CALL
    assert NO_CALL.keys() == told.keys()


def test_templates_see_the_rule_the_trigger_the_moment_and_all_that_was_registered() -> None:
    journey = Journey(
        "[{shell: [a], register: r}, {log: '{{ rule.id }} {{ trigger.id }} {{ now.timestamp }}"
        " {{ r.exit_code }} {{ call.sure }} {{ state.n }} {{ vars.site }} {{ payload.action }}'}]"
    )
    journey.wait(5)
    journey.settle(Done(result={"exit_code": 3}))
    assert journey.says == f"r door {int(BEGAN.wall_s) + 5} 3 false 0 hq RING"


def test_conditions_see_what_was_registered() -> None:
    journey = Journey(
        "[{shell: [a], register: r}, {if: '{{ r.exit_code == 3 }}', then: [{log: a}]}]"
    )
    journey.settle(Done(result={"exit_code": 3}))
    assert journey.rests == "log at actions/1/then/0"


# --- whatever the program --------------------------------------------------------------------


def inside(steps: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    """Steps that hold others, as flow YAML."""
    lists = st.lists(steps, min_size=1, max_size=3).map(", ".join)
    condition = st.sampled_from(["{extension: 101}", "{extension: 9}", "'{{ state.n > 1 }}'"])
    count = st.integers(1, 3)
    return st.one_of(
        st.tuples(condition, lists, lists).map(
            lambda t: f"{{if: {t[0]}, then: [{t[1]}], else: [{t[2]}]}}"
        ),
        st.tuples(condition, lists, lists).map(
            lambda t: f"{{choose: [{{when: {t[0]}, do: [{t[1]}]}}], default: [{t[2]}]}}"
        ),
        st.tuples(count, lists).map(lambda t: f"{{repeat: {{count: {t[0]}, do: [{t[1]}]}}}}"),
        st.tuples(condition, count, lists).map(
            lambda t: f"{{repeat: {{until: {t[0]}, count: {t[1]}, do: [{t[2]}]}}}}"
        ),
    )


SIMPLE = st.sampled_from(
    ["{log: a}", "{log: a, continue_on_error: true}", "{delay: 1s}", COUNTS, "{stop: x}",
     "{wait_for: {event: bye}, timeout: 1s}", "{parallel: [{log: a}, {log: b}]}"]
)  # fmt: skip
LISTS = st.lists(st.recursive(SIMPLE, inside, max_leaves=6), min_size=1, max_size=4)


@settings(max_examples=100)
@given(LISTS.map(", ".join), st.booleans(), st.lists(st.booleans(), min_size=8, max_size=8))
def test_every_run_ends_and_rests_only_where_something_is_to_be_waited_for(
    actions: str, last: bool, succeed: list[bool]
) -> None:
    of = program_of(f"[{actions}]", **({"finally_": OFF} if last else {}))
    journey, rests = Journey(of), 0
    while not journey.run.ended:
        deed = of.nodes[journey.run.position].deed
        outcome = Done() if succeed[rests % len(succeed)] else NO
        match deed:
            case Step():
                assert journey.run.verb == deed.verb
                journey.settle(outcome)
            case Parallel():
                for branch in range(len(deed.branches)):
                    journey.settle(outcome, branch=branch)
            case _:
                assert isinstance(deed, Delay | WaitFor)
                journey.wake()
        rests += 1
        assert rests < 500
    run = journey.run
    assert run.outcome in ("done", "failed", "stopped")
    begun = any(one.verb in ("log", "set") for one in run.tried)
    assert run.begun is begun
    assert any(one.position.startswith("finally") for one in run.tried) is (begun and last)
    assert not journey.memory.runs
    assert not journey.memory.lanes
