"""What the language promises, a test for each sentence: the engine on a virtual clock.

Most rules here are one line of YAML's flow style; an action tells its text when it is tried.
"""

from collections.abc import Callable

import pytest

from pbxrules.misses import words
from pbxrules.model import Done, GiveUp, TryAgain
from tests.house import House
from tests.rulefiles import event, told

NO = GiveUp(reason="refused")
LATER = TryAgain(reason="no answer")
HOUR_S = 3_600.0
YEAR_S = 31_536_000.0


def house(*rules: str, state: str = "") -> House:
    """A daemon with these rules, each the members of a map."""
    return House(text(*rules, state=state))


def text(*rules: str, state: str = "") -> str:
    """A file of rules."""
    head = f"state: {state}\n" if state else ""
    return head + "rules:\n" + "".join(f"- {{{rule}}}\n" for rule in rules)


# --- the fixed order -------------------------------------------------------------------------


def test_the_fixed_order_conditions_are_looked_at_when_a_for_or_count_fires() -> None:
    home = house(
        "id: set, triggers: {event: alert}, actions: [{set: {on: true}}]",
        "id: r, triggers: {event: ring, for: 5s}, conditions: ['{{ state.on }}'],"
        " actions: [{log: '{{ call.id }}'}]",
        state="{on: false}",
    )
    home.tell(call="c1")
    home.wait(5)
    home.tell(call="c2")
    home.tell("alert", call="c3")
    home.wait(5)
    assert home.said == ["c2"]


def test_the_fixed_order_a_count_counts_what_the_conditions_would_refuse() -> None:
    home = house(
        "id: r, triggers: {event: ring, count: {at_least: 2, within: 1m}},"
        " conditions: [{extension: 1}], actions: [{log: '{{ call.id }}'}]"
    )
    for call, extension in (("a", "2"), ("b", "1"), ("c", "1"), ("d", "2"), ("e", "1")):
        home.tell(call=call, extension=extension)
    assert home.said == ["b"]  # d fired the count, and its conditions refused it
    home.tell(call="f", extension="1")
    assert home.said == ["b", "f"]


def test_the_fixed_order_once_per_is_not_spent_by_what_the_conditions_refuse() -> None:
    home = house(
        "id: r, triggers: {event: ring}, conditions: [{extension: 1}], once_per: call,"
        " actions: [{log: '{{ extension }} {{ caller }}'}]"
    )
    home.tell(extension="2")
    home.tell(extension="1", caller="a")
    home.tell(extension="1", caller="b")
    assert home.said == ["1 a"]


def test_the_fixed_order_a_cooldown_keeps_a_match_from_restarting_the_run_that_is_on() -> None:
    home = house(
        "id: r, triggers: {event: ring}, cooldown: 10s, mode: restart,"
        " actions: [{log: '{{ extension }}'}, {delay: 15s}, {log: 'after {{ extension }}'}]"
    )
    home.tell(extension="1")
    home.wait(9)
    home.tell(extension="2")
    home.wait(20)
    assert home.said == ["1", "after 1"]


def test_the_fixed_order_finally_comes_last() -> None:
    home = house(
        "id: r, triggers: {event: ring, for: 1s}, actions: [{log: a}, {log: b}],"
        " finally: [{log: '{{ outcome }}'}]"
    )
    home.tell()
    home.wait(1)
    assert home.told == [(1, "a"), (1, "b"), (1, "done")]


# --- once_per and cooldown -------------------------------------------------------------------


def test_a_cooldown_is_half_open() -> None:
    home = house("id: r, triggers: any, cooldown: 10s, actions: [{log: '{{ extension }}'}]")
    for place, seconds in enumerate((9.999, 0.001, 9.999, 0.002)):
        home.tell(extension=str(place))
        home.wait(seconds)
    home.tell(extension="4")
    assert home.said == ["0", "2", "4"]


def test_a_cooldown_is_not_spent_by_a_run_that_did_not_start() -> None:
    home = house(
        "id: r, triggers: {event: ring}, mode: queued, cooldown: 100s,"
        " actions: [{delay: 200s}, {log: '{{ extension }}'}]"
    )
    home.tell(extension="1")
    home.wait(100)
    home.tell(extension="2")  # it waits, and expires after 60 s
    home.wait(60)
    assert home.ends == ["expired"]
    home.tell(extension="3")
    home.wait(40)
    home.wait(200)
    assert home.said == ["1", "3"]


@pytest.mark.parametrize(
    "rule",
    [
        pytest.param("mode: single", id="single dropped it"),
        pytest.param("max: 1", id="there was no room"),
    ],
)
def test_a_cooldown_is_not_spent_by_a_match_that_was_dropped(rule: str) -> None:
    home = house(
        f"id: r, triggers: {{event: ring}}, cooldown: 10s, {rule},"
        " actions: [{delay: 15s}, {log: '{{ extension }}'}]"
    )
    home.tell(extension="1")
    home.wait(12)
    home.tell(extension="2")
    home.wait(8)
    home.tell(extension="3")
    home.wait(15)
    assert home.said == ["1", "3"]


def test_once_per_is_not_spent_by_a_run_that_did_not_start() -> None:
    home = house(
        "id: r, triggers: {event: ring}, mode: restart, once_per: call,"
        " actions: [{log: a}, {delay: 1h}], finally: [{log: '{{ extension }} ends'}]"
    )
    home.slow = {"1 ends"}
    home.tell(call="c1", extension="1")
    home.tell(call="c2", extension="2")  # it waits for the end of the first
    home.tell(call="c3", extension="3")  # and this takes its place
    home.finish("1 ends")
    home.tell(call="c2", extension="2")
    assert home.said == ["a", "1 ends", "a", "3 ends", "a"]


# --- mode ------------------------------------------------------------------------------------


def test_single_drops_and_counts() -> None:
    home = house("id: r, triggers: {event: ring}, mode: single, actions: [{delay: 5s}, {log: a}]")
    home.tell()
    (verdict,) = home.tell().verdicts
    assert not verdict.matched
    assert [words(misses, event()) for misses in verdict.because] == ["mode single is on already"]
    home.wait(5)
    assert home.tell().fired
    assert home.said == ["a"]


def test_restart_tries_the_old_runs_finally_once_and_then_starts() -> None:
    home = house(SIREN)
    home.answers = {"OFF restarted": LATER}
    home.tell(extension="1")
    home.tell(extension="2", call="c2")
    assert home.said == ["ON 1", "OFF restarted", "restarted", "ON 2"]
    assert home.ends == ["restarted"]


SIREN = (
    "id: siren, triggers: {event: ring}, mode: restart, expires: 5m,"
    " actions: [{mqtt: {topic: t, payload: 'ON {{ extension }}'}},"
    " {wait_for: {event: answer}, same: none}],"
    " finally: [{mqtt: {topic: t, payload: 'OFF {{ outcome }}'}}, {log: '{{ outcome }}'}]"
)


def test_restart_starts_the_newest_match_only() -> None:
    home = house(SIREN)
    home.slow = {"OFF restarted"}
    for extension in ("1", "2", "3"):
        home.tell(extension=extension, call=extension)
    home.finish("OFF restarted")
    assert home.said == ["ON 1", "OFF restarted", "restarted", "ON 3"]
    assert home.ends == ["restarted", "dropped"]


def test_a_newest_match_does_not_wait_for_another_try_of_a_finally() -> None:
    home = house(SIREN)
    home.answers = {"OFF done": LATER}
    home.tell(extension="1")
    home.tell("answer")
    home.wait(100)
    assert home.said[-2:] == ["OFF done", "OFF done"]
    home.tell(extension="2", call="c2")
    assert home.said[-3:] == ["OFF done", "done", "ON 2"]


def test_a_newest_match_does_not_wait_for_a_try_of_a_finally_that_is_due_but_not_begun() -> None:
    home = house(SIREN)
    home.answers = {"OFF done": LATER}
    home.tell(extension="1")
    home.tell("answer")
    home.blocked = {"OFF done"}
    home.wait(100)  # the next try has long been due
    home.tell(extension="2", call="c2")
    assert home.said[-2:] == ["done", "ON 2"]


def test_a_newest_match_waits_for_the_one_try_of_a_finally_that_is_under_way() -> None:
    home = house(SIREN)
    home.slow = {"OFF done"}
    home.tell(extension="1")
    home.tell("answer")
    home.tell(extension="2", call="c2")
    assert home.said[-1] == "OFF done"
    home.finish("OFF done", LATER)
    assert home.said[-2:] == ["done", "ON 2"]


def test_restart_cuts_no_run_short_that_began_in_another_mode() -> None:
    slow = "id: r, triggers: {event: ring}, actions: [{log: on}, {delay: 5s}, {log: off}]"
    home = house(slow)
    home.tell()
    home.change(text(f"{slow}, mode: restart"))
    home.tell(call="c2")
    home.wait(4)
    home.tell(call="c3")  # takes the place of c2's, which waits
    assert home.told == [(0, "on")]
    home.wait(10)
    assert home.told == [(0, "on"), (5, "off"), (5, "on"), (10, "off")]


def test_finally_says_how_the_run_ended_whatever_comes_then() -> None:
    home = house(SIREN)
    home.slow = {"OFF failed"}
    home.answers = {"ON 1": NO}
    home.tell(extension="1")
    home.tell(extension="2", call="c2")
    home.finish("OFF failed", LATER)
    assert home.said == ["ON 1", "OFF failed", "failed", "ON 2"]
    assert home.ends == ["failed"]


def test_an_action_that_a_newer_match_cuts_short_is_settled_with_that_reason() -> None:
    home = house("id: r, triggers: any, mode: restart, actions: [{log: a}]")
    home.slow = {"a"}
    home.tell()
    home.tell()
    (first,) = home.ended.values()
    assert [(one.verb, one.state, one.reason) for one in first.tried] == [
        ("log", "dropped", "a newer match took its place")
    ]


QUEUED = "id: r, triggers: {event: ring}, mode: queued, expires: never"


def test_queued_keeps_order_in_each_lane() -> None:
    home = house(f"{QUEUED}, per: trunk, actions: [{{log: '{{{{ trunk }}}}{{{{ extension }}}}'}}]")
    home.slow = {"a1", "a2", "a3", "b4", "b5"}
    for trunk, extension in (("a", "1"), ("a", "2"), ("a", "3"), ("b", "4"), ("b", "5")):
        home.tell(trunk=trunk, extension=extension)
    assert home.said == ["a1", "b4"]
    for says in ("a1", "a2", "b4", "a3", "b5"):
        home.finish(says)
    assert home.said == ["a1", "b4", "a2", "a3", "b5"]


def test_queued_keeps_order_over_a_crash() -> None:
    home = house(f"{QUEUED}, actions: [{{log: '{{{{ extension }}}}'}}, {{delay: 10s}}]")
    for extension in "123":
        home.tell(extension=extension)
    for _ in range(3):
        home.die()
        home.wait(10)
    assert home.told == [(0, "1"), (10, "2"), (20, "3")]


def test_queued_keeps_order_when_the_wall_clock_is_set_back() -> None:
    home = house(f"{QUEUED}, actions: [{{log: '{{{{ extension }}}}'}}]")
    home.slow = {"1", "2", "3"}
    for extension in ("1", "2", "3"):
        home.tell(extension=extension)
        home.set_wall_clock(-HOUR_S)
    for extension in ("1", "2", "3"):
        home.finish(extension)
    assert home.said == ["1", "2", "3"]


def test_a_long_queue_of_runs_that_end_at_once_ends_in_order() -> None:
    calls = 300  # deeper than the stack would allow, were each the business of the one before
    home = house(
        f"{QUEUED}, actions: [{{if: {{extension: 1}}, then: [{{delay: 10s}}]}},"
        " {wait_for: {event: bye}, same: none}, {set: {n: '{{ state.n + 1 }}'}}]",
        state="{n: 0}",
    )
    for number in range(calls):
        home.tell(call=f"c{number}", extension=str(number + 1))
    home.tell("bye", call="other", extension="9")
    assert home.ends == []
    home.wait(10)
    assert home.ends == ["done"] * calls
    assert home.state == {"n": calls}


@pytest.mark.parametrize("mode", ["single", "restart", "queued"])
def test_lanes_by_per_are_independent(mode: str) -> None:
    home = house(
        f"id: r, triggers: {{event: ring}}, mode: {mode}, per: [extension, caller],"
        " actions: [{delay: 5s}, {log: '{{ extension }} {{ caller }}'}]"
    )
    for extension, caller in (("1", "7"), ("2", "7"), ("1", "8")):
        home.tell(extension=extension, caller=caller)
    home.tell(extension="1")  # an absent value is a key of its own
    home.wait(5)
    assert home.said == ["1 7", "2 7", "1 8", "1 "]


def test_max_bounds_the_runs_of_one_lane_and_gives_up_the_newest() -> None:
    home = house(
        f"{QUEUED}, max: 2, per: trunk, actions: [{{delay: 1s}}, {{log: '{{{{ extension }}}}'}}]"
    )
    for trunk, extension in (("a", "1"), ("a", "2"), ("a", "3"), ("b", "4")):
        home.tell(trunk=trunk, extension=extension)
    (dropped,) = home.ended.values()
    assert [one.reason for one in dropped.tried] == ["the rule has 2 runs that wait already"]
    home.wait(2)
    assert home.said == ["1", "4", "2"]


# --- for -------------------------------------------------------------------------------------

NOBODY = "id: r, triggers: {event: ring, for: 30s}, actions: [{log: '{{ extension }}'}]"


def test_a_busy_phone_of_a_group_cancels_no_for() -> None:
    home = house(NOBODY)
    home.tell(extension="100", call_id="7.1")
    home.tell("call_failed", extension="101", call_id="7.2")
    home.wait(30)
    assert home.said == ["100"]


@pytest.mark.parametrize("kind", ["answer", "bye", "cdr", "call_failed"])
def test_a_for_ends_by_what_ends_the_ringing(kind: str) -> None:
    home = house(NOBODY)
    home.tell(extension="100")
    home.wait(29.9)
    home.tell(kind)
    home.wait(60)
    assert (home.said, home.ends) == ([], ["dropped"])


def test_what_is_due_goes_before_a_report_of_the_same_moment() -> None:
    home = house(NOBODY)
    home.tell(extension="100")
    home.wait(30)
    home.tell("answer")
    assert home.said == ["100"]


def test_what_is_of_another_call_or_may_be_ends_no_for() -> None:
    home = house(NOBODY)
    home.tell(extension="100", call_id="7.1")
    home.tell("answer", call="c2")
    home.tell("answer", call="c1", call_id="9.1", sure=False)
    home.wait(30)
    assert home.said == ["100"]


def test_later_matches_while_a_for_waits_are_ignored() -> None:
    home = house(NOBODY)
    home.tell(extension="100")
    home.wait(20)
    home.tell(extension="101")
    home.wait(40)
    assert home.told == [(30, "100")]


def test_later_matches_after_a_for_fired_are_ignored_until_the_end() -> None:
    home = house(NOBODY)
    home.tell(extension="100")
    home.wait(30)
    home.tell(extension="101")
    home.wait(60)
    home.tell("bye")
    home.tell(extension="102")
    home.wait(30)
    assert home.told == [(30, "100"), (120, "102")]


def test_a_for_waits_for_each_call_by_itself() -> None:
    home = house(NOBODY)
    home.tell(extension="100", call="c1")
    home.wait(10)
    home.tell(extension="101", call="c2")
    home.tell("answer", call="c1")
    home.wait(30)
    assert home.told == [(40, "101")]


def test_a_for_of_an_extension_ends_by_another_status_of_it() -> None:
    home = house(
        "id: r, triggers: {event: extension_status, status: Unavailable, for: 5m},"
        " actions: [{log: '{{ extension }}'}]"
    )
    for extension in ("101", "102", "103"):
        home.tell("extension_status", extension=extension, status="Unavailable")
    home.wait(100)
    home.tell("extension_status", extension="101", status="Idle")
    home.tell("extension_status", extension="102", status="Unavailable")
    home.wait(200)
    assert home.told == [(300, "102"), (300, "103")]


def test_each_for_ends_by_the_until_of_its_own_trigger_whatever_the_triggers_are_called() -> None:
    home = house(
        "id: r, triggers: [{event: ring, for: 5s, until: bye, id: call},"
        " {event: alert, for: 5s, until: answer, id: call}], actions: [{log: a}]"
    )
    home.tell("alert")
    home.tell("answer")
    home.wait(5)
    assert (home.said, home.ends) == ([], ["dropped"])


def test_a_for_ends_by_its_until_also_after_days() -> None:
    home = house("id: r, triggers: {event: ring, for: 2d, until: bye}, actions: [{log: a}]")
    home.tell()
    home.die(86_400 * 1.5)
    home.tell("answer")
    home.tell("bye")
    assert home.ends == ["dropped"]


def test_after_a_for_that_could_not_fire_in_time_the_next_match_of_its_call_waits_anew() -> None:
    home = house(NOBODY)
    home.tell(extension="100")
    home.die(120)
    home.wait(5)
    assert (home.said, home.ends) == ([], ["dropped"])
    home.tell(extension="101")
    home.wait(30)
    assert home.said == ["101"]


@pytest.mark.parametrize(
    ("down_s", "told"),
    [
        pytest.param(2, [(34, "100")], id="which it would be by the 5 s for what is sent again"),
        pytest.param(31, [(34, "100")], id="though it was due while nobody ran"),
        pytest.param(40, [], id="unless it is"),
    ],
)
def test_a_for_fires_after_a_start_before_it_is_too_late(
    down_s: float, told: list[tuple[float, str]]
) -> None:
    rule = NOBODY.replace("actions", "expires: 4500ms, actions")
    home = house(rule)
    home.tell(extension="100")
    home.wait(max(0.0, 30.0 - down_s))
    home.die(down_s)
    home.wait(60)
    assert home.told == told


def test_a_for_that_is_dropped_very_late_is_forgotten_though_the_clock_is_set_back() -> None:
    home = house(NOBODY)
    home.tell(extension="100")
    home.boot(by_s=YEAR_S)
    home.wait(5)
    assert home.ends == ["dropped"]
    home.set_wall_clock(-YEAR_S)
    home.tell(extension="101")
    home.wait(30)
    assert home.said == ["101"]


def test_a_late_for_that_is_dropped_lets_a_newer_one_of_its_call_wait() -> None:
    home = house(NOBODY)
    home.tell(extension="100")
    home.boot(by_s=YEAR_S)
    home.tell(extension="101")
    home.wait(5)
    assert home.ends == ["dropped"]
    home.tell(extension="102")
    home.wait(60)
    assert home.said == ["101"]


def test_a_for_of_a_changed_rule_is_dropped_and_the_next_match_of_its_call_waits_anew() -> None:
    home = house(NOBODY)
    home.tell(extension="100")
    home.change(text(NOBODY.replace("log: '", "log: 'new ")))
    assert home.ends == ["dropped"]
    home.tell(extension="101")
    home.wait(30)
    assert home.said == ["new 101"]


def test_a_for_of_a_rule_whose_script_changed_is_dropped_and_of_another_is_not() -> None:
    scripts = "scripts: {hi: [{log: hi}], ho: [{log: ho}]}\n"
    rule = text("id: r, triggers: {event: ring, for: 30s}, actions: [{script: {name: hi}}]")
    home = House(scripts + rule)
    home.tell()
    home.change(scripts.replace("log: ho", "log: HO") + rule)
    assert home.ends == []
    home.change(scripts.replace("log: hi", "log: HI") + rule)
    assert home.ends == ["dropped"]


def test_a_for_fires_after_a_crash_if_its_time_came() -> None:
    home = house(NOBODY)
    home.tell(extension="100")
    home.wait(10)
    home.die(60)
    assert home.said == []
    home.wait(5)  # what the PBX sends again comes first
    assert home.told == [(75, "100")]


# --- count -----------------------------------------------------------------------------------


def test_a_call_exactly_within_ago_no_longer_counts() -> None:
    home = house(
        "id: r, triggers: {event: ring, count: {at_least: 2, within: 10s}},"
        " actions: [{log: '{{ call.id }}'}]"
    )
    home.tell(call="c1")
    home.wait(10)
    home.tell(call="c2")
    home.wait(9.999)
    home.tell(call="c3")
    assert home.said == ["c3"]


def test_a_call_that_was_counted_is_not_counted_anew_after_the_count_fired() -> None:
    home = house(
        "id: r, triggers: {event: ring, count: {at_least: 2, within: 1m}},"
        " actions: [{log: '{{ extension }}'}]"
    )
    for call in ("c1", "c2", "c3", "c4"):
        for extension in ("100", "101", "102"):  # a group: each phone of it rings
            home.tell(call=call, extension=f"{call} {extension}")
            home.wait(1)
    assert home.said == ["c2 100", "c4 100"]


def test_a_call_that_goes_on_reporting_is_no_new_call() -> None:
    home = house(
        "id: r, triggers: {event: ring, count: {at_least: 2, within: 10s}}, actions: [{log: a}]"
    )
    for _ in range(3):
        home.tell(call="c1")
        home.wait(6)
    home.tell(call="c2")
    assert home.said == []


def test_each_count_is_of_its_own_trigger_whatever_the_triggers_are_called() -> None:
    home = house(
        "id: r, triggers: [{event: ring, count: {at_least: 2, within: 1m}, id: many},"
        " {event: alert, count: {at_least: 2, within: 1s}, id: many}],"
        " actions: [{log: '{{ event }}'}]"
    )
    home.tell("ring", call="c1")
    home.tell("alert", call="c2")
    home.wait(30)
    home.tell("ring", call="c3")
    assert home.said == ["ring"]


def test_a_count_of_reports_counts_each_and_then_anew() -> None:
    home = house(
        "id: r, triggers: {event: ring, count: {at_least: 3, within: 1m, of: reports}},"
        " actions: [{log: '{{ extension }}'}]"
    )
    for extension in "1234567":
        home.tell(extension=extension)
    assert home.said == ["3", "6"]


# --- wait_for --------------------------------------------------------------------------------


def test_wait_for_sees_what_came_since_the_report_that_started_the_run() -> None:
    home = house(
        "id: r, triggers: {event: ring}, actions: [{log: a}, {wait_for: {event: answer}}, {log: b}]"
    )
    home.slow = {"a"}
    home.tell()
    home.tell("answer")
    home.finish("a")
    assert home.said == ["a", "b"]


def test_wait_for_sees_what_came_while_a_for_waited_and_in_a_lane() -> None:
    home = house(
        "id: r, triggers: {event: ring, for: 5s, until: bye}, mode: queued,"
        " actions: [{wait_for: {event: answer}}, {delay: 3s}, {log: '{{ call.id }}'}]"
    )
    for call in ("c1", "c2"):
        home.tell(call=call)
        home.tell("answer", call=call)
    home.wait(20)
    assert home.told == [(8, "c1"), (11, "c2")]


def test_wait_for_sees_nothing_that_came_before_its_run() -> None:
    home = house(
        "id: r, triggers: {event: answer},"
        " actions: [{wait_for: {event: [ring, answer]}, timeout: 5s}, {log: a}]"
    )
    home.tell("ring")
    home.tell("answer")
    home.wait(5)
    assert home.told == [(5, "a")]


def test_wait_for_sees_reports_of_this_call_and_no_other() -> None:
    home = house(
        "id: r, triggers: {event: ring}, actions: [{wait_for: {event: answer}, timeout: 5s,"
        " register: w}, {log: '{{ call.id }} {{ w.timed_out }} {{ w.extension }}'}]"
    )
    home.tell(call="c1")
    home.tell(call="c2")
    home.tell("answer", call="c2", extension="102")
    home.tell("answer", call="c1", call_id="9.9", sure=False, extension="101")
    home.wait(5)
    assert home.said == ["c2 false 102", "c1 true "]


def test_one_report_satisfies_one_wait_for_only_and_the_next_sees_the_later_ones() -> None:
    home = house(
        "id: r, triggers: {event: ring}, actions: [{delay: 5s},"
        " {wait_for: {event: [answer, bye]}, register: a}, {wait_for: {event: [answer, bye]},"
        " register: b}, {log: '{{ a.event }} {{ b.event }}'}]"
    )
    home.tell()
    home.tell("answer")
    home.wait(5)
    assert home.said == []
    home.tell("bye")
    assert home.said == ["answer bye"]


@pytest.mark.parametrize(
    ("same", "expected"),
    [
        pytest.param("none", 1, id="none: any event"),
        pytest.param("[caller]", 2, id="fields: an event in which they are the same"),
        pytest.param("call", 3, id="call: a report of it"),
    ],
)
def test_same_says_which_events_a_wait_for_sees(same: str, expected: float) -> None:
    home = house(
        "id: r, triggers: {event: ring},"
        f" actions: [{{wait_for: {{event: alert}}, same: {same}}}, {{log: a}}]"
    )
    home.tell(caller="7")
    for call, caller in (("c2", "8"), ("c3", "7"), ("c1", "9")):
        home.wait(1)
        home.tell("alert", call=call, caller=caller)
    assert home.told == [(expected, "a")]


def test_a_wait_for_without_its_event_ends_the_run_if_it_says_so() -> None:
    home = house(
        "id: r, triggers: any, actions: [{log: a},"
        " {wait_for: {event: answer}, timeout: 5s, else: stop}, {log: b}],"
        " finally: [{log: '{{ outcome }}'}]"
    )
    home.tell()
    home.wait(5)
    assert home.said == ["a", "stopped"]


# --- expires ---------------------------------------------------------------------------------


def test_an_action_expires_while_the_broker_is_down_and_then_does_not_come_late() -> None:
    home = house(
        "id: r, triggers: any, actions: [{mqtt: {topic: t, payload: ON}}], finally: [{log: z}]"
    )
    home.up = False
    home.tell()
    home.wait(59.9)
    assert home.ends == []
    home.wait(0.1)
    home.up = True
    home.wait(HOUR_S)
    assert (home.said, home.ends) == ([], ["expired"])


def test_an_action_that_never_expires_comes_when_the_broker_is_back() -> None:
    home = house("id: r, triggers: any, expires: never, actions: [{mqtt: {topic: t, payload: ON}}]")
    home.up = False
    home.tell()
    home.wait(YEAR_S)
    home.up = True
    home.wait(0)
    assert home.said == ["ON"]


def test_due_is_the_end_of_the_step_before() -> None:
    home = house("id: r, triggers: any, actions: [{log: a}, {delay: 50s}, {log: b}]")
    home.tell()
    home.wait(49)
    home.up = False
    home.wait(60.9)
    home.up = True
    home.wait(0)
    assert home.said == ["a", "b"]


def test_a_run_waits_in_its_lane_as_long_as_its_first_action_may() -> None:
    home = house(
        "id: r, triggers: any, mode: queued,"
        " actions: [{log: '{{ extension }}', expires: 5m}, {delay: 2m}]"
    )
    for extension in "1234":
        home.tell(extension=extension)
    home.wait(600)
    assert home.told == [(0, "1"), (120, "2"), (240, "3")]
    assert home.ends == ["done", "done", "done", "expired"]


@pytest.mark.parametrize(
    "first",
    [
        pytest.param("{log: a}", id="by itself"),
        pytest.param("{if: {event: ring}, then: [{log: a}]}", id="in an if"),
        pytest.param("{repeat: {count: 1, do: [{log: a}]}}", id="in a repeat"),
        pytest.param("{choose: [{when: {event: ring}, do: [{log: a}]}]}", id="in a choose"),
        pytest.param("{parallel: [{log: a}]}", id="in a parallel"),
    ],
)
def test_the_time_of_a_first_action_counts_from_the_match(first: str) -> None:
    home = house(
        "id: r, triggers: {event: ring}, mode: queued, actions:"
        f" [{first}, {{delay: 50s}}, {{log: b}}]"
    )
    home.tell()
    home.tell()
    home.wait(49)
    home.up = False
    home.wait(11)
    home.up = True
    home.wait(100)
    assert home.ends == ["done", "expired"]


# --- finally ---------------------------------------------------------------------------------


def test_finally_against_a_dead_host_blocks_no_lane_for_ever() -> None:
    home = house(
        f"{QUEUED}, actions: [{{log: '{{{{ extension }}}}'}}],"
        " finally: [{http: {url: 'http://127.0.0.1/off', body: 'off {{ extension }}'}}, {log: z}]"
    )
    home.answers = {"off 1": LATER, "off 2": Done()}
    home.tell(extension="1")
    home.tell(extension="2")
    home.wait(HOUR_S - 61)
    assert {*home.said} == {"1", "off 1"}
    home.wait(61)
    assert home.said[-4:] == ["z", "2", "off 2", "z"]
    assert home.ends == ["done", "done"]


@pytest.mark.parametrize(
    ("outcome", "steps"),
    [
        pytest.param("done", "{log: b}", id="done"),
        pytest.param("failed", "{log: fails}", id="failed"),
        pytest.param("done", "{log: fails, continue_on_error: true}", id="a failure that is none"),
        pytest.param("stopped", "{stop: enough}", id="stopped"),
        pytest.param("expired", "{mqtt: {topic: t, payload: down}}", id="expired"),
        pytest.param(
            "failed", "{repeat: {while: {event: ring}, do: [{set: {n: 1}}]}}", id="it never waits"
        ),
        pytest.param("failed", "{set: {n: '{{ extension }}'}}", id="a set of another type"),
    ],
)
def test_finally_runs_however_the_run_ended_and_knows_it(outcome: str, steps: str) -> None:
    home = house(
        f"id: r, triggers: any, actions: [{{log: a}}, {steps}], finally: [{{log: fails}},"
        " {if: '{{ outcome != 0 }}', then: [{log: '{{ outcome }}'}]}]",
        state="{n: 0}",
    )
    home.answers = {"fails": NO, "down": LATER}
    home.tell(extension="101")
    home.wait(60)
    assert home.said[0] == "a"
    assert home.said[-2:] == ["fails", outcome]
    assert home.ends == [outcome]


def test_finally_does_not_run_if_nothing_was_begun() -> None:
    home = house("id: r, triggers: any, actions: [{stop: no}, {log: a}], finally: [{log: z}]")
    home.tell()
    assert (home.said, home.ends) == ([], ["stopped"])


def test_finally_does_not_run_after_a_parallel_of_which_nothing_was_begun() -> None:
    home = house(SIDE_BY_SIDE)
    home.up = False
    home.tell()
    home.wait(60)
    home.up = True
    home.wait(60)
    assert (home.said, home.ends) == ([], ["expired"])


SIDE_BY_SIDE = (
    "id: r, triggers: any, actions: [{parallel: [{log: a}, {log: b}]}, {log: c}],"
    " finally: [{log: z}]"
)


def test_finally_runs_after_a_parallel_of_which_one_was_begun() -> None:
    home = house(f"mode: restart, {SIDE_BY_SIDE}")
    home.slow = {"a", "b"}
    home.tell()
    home.tell()
    assert home.said == ["a", "b", "z", "a", "b"]


def test_finally_runs_after_a_crash_for_what_was_owed_may_have_been_begun() -> None:
    for rule in (
        SIDE_BY_SIDE,
        SIDE_BY_SIDE.replace("{parallel: [{log: a}, {log: b}]}", "{log: a}"),
    ):
        home = house(rule)
        home.up = False
        home.tell()
        home.die(60)
        home.up = True
        home.wait(0)
        assert (home.said, home.ends) == (["z"], ["expired"])


def test_a_run_of_a_removed_rule_ends_with_its_own_finally() -> None:
    home = house(SIREN)
    home.tell(extension="1")
    home.change(text("id: other, triggers: {event: cdr}, actions: [{log: x}]"))
    home.die()
    home.tell("answer")
    assert home.said == ["ON 1", "OFF done", "done"]


# --- state -----------------------------------------------------------------------------------

COUNTS = "{set: {n: '{{ state.n + 1 }}'}}"


def test_two_rules_on_one_event_do_not_see_each_others_set() -> None:
    home = house(
        f"id: a, triggers: any, actions: [{COUNTS}, {{log: 'a {{{{ state.n }}}}'}}]",
        f"id: b, triggers: any, actions: [{COUNTS}, {{log: 'b {{{{ state.n }}}}'}}]",
        "id: c, triggers: any, conditions: [{state: {n: 1}}], actions: [{log: c}]",
        state="{n: 0}",
    )
    home.tell()
    assert (home.said, home.state) == (["a 1", "b 1"], {"n": 1})
    home.tell()
    assert home.said[2:] == ["a 2", "b 2", "c"]


def test_a_run_sees_what_it_set_at_once() -> None:
    home = house(
        f"id: a, triggers: any, actions: [{COUNTS}, {COUNTS},"
        " {if: '{{ state.n == 2 }}', then: [{log: two}]}]",
        state="{n: 0}",
    )
    home.tell()
    assert home.said == ["two"]


def test_the_next_run_of_a_lane_sees_what_the_one_before_has_set() -> None:
    home = house(f"{QUEUED}, actions: [{COUNTS}, {{delay: 1s}}, {COUNTS}]", state="{n: 0}")
    home.tell()
    home.tell()
    home.wait(1)
    assert home.state == {"n": 3}
    home.wait(1)
    assert home.state == {"n": 4}


def test_a_run_that_restarts_another_sees_what_its_finally_has_set() -> None:
    home = house(
        "id: r, triggers: {event: ring}, mode: restart,"
        " actions: [{if: '{{ state.on }}', then: [{stop: it is on}]}, {set: {on: true}},"
        " {delay: 1s}, {log: a}], finally: [{set: {on: false}}]",
        state="{on: false}",
    )
    home.tell()
    home.tell()
    home.wait(1)
    assert (home.said, home.ends) == (["a"], ["restarted", "done"])


def test_state_takes_a_text_of_a_variable() -> None:
    home = house(
        "id: r, triggers: any, actions: [{set: {word: '{{ vars.site }}'}}, {log: a}]",
        state="{word: none}",
    )
    home.tell()
    assert (home.said, home.state) == (["a"], {"word": "hq"})
    home.die()
    assert home.state == {"word": "hq"}


# --- parallel --------------------------------------------------------------------------------


def test_parallel_joins() -> None:
    home = house(SIDE_BY_SIDE)
    home.slow = {"a", "b"}
    home.tell()
    home.finish("b")
    assert home.said == ["a", "b"]
    home.die()  # a is tried again, b is not
    assert home.said == ["a", "b", "a"]
    home.finish("a")
    assert home.said == ["a", "b", "a", "c", "z"]


@pytest.mark.parametrize(
    ("beside", "said"),
    [
        pytest.param("", ["a", "b", "z"], id="ends the run, after all have settled"),
        pytest.param(", continue_on_error: true", ["a", "b", "c", "z"], id="unless told"),
    ],
)
def test_a_failure_in_a_parallel(beside: str, said: list[str]) -> None:
    home = house(SIDE_BY_SIDE.replace("{log: b}]}", f"{{log: b}}]{beside}}}"))
    home.slow = {"a", "b"}
    home.tell()
    home.finish("a", NO)
    assert home.said == ["a", "b"]
    home.finish("b")
    assert home.said == said


def test_each_round_of_a_parallel_has_the_results_of_that_round() -> None:
    home = house(
        "id: r, triggers: any, actions: [{repeat: {count: 2, do: [{parallel: ["
        "{shell: [a], register: one}, {shell: [b], register: two}]},"
        " {log: '{{ one.exit_code }} {{ two.exit_code }}'}]}}]"
    )
    home.slow = {"a", "b"}
    home.tell()
    for number in (1, 2):
        home.finish("a", Done(result={"exit_code": number}))
        home.finish("b", Done(result={"exit_code": 10 * number}))
    assert home.said[2::3] == ["1 10", "2 20"]


def test_a_result_that_one_of_several_actions_side_by_side_gives_is_known_behind_them() -> None:
    home = house(
        "id: r, triggers: {event: ring}, actions: [{wait_for: {event: answer}, register: x},"
        " {parallel: [{shell: [a], register: x}, {log: b}]},"
        " {log: 'c {{ x.exit_code }} {{ x.timed_out }}'}]"
    )
    home.answers = {"a": Done(result={"exit_code": 0, "timed_out": False})}
    home.tell()
    home.tell("answer")
    assert home.said == ["a", "b", "c 0 false"]


def test_a_parallel_of_many_fails_by_its_first_however_many_steps_there_were() -> None:
    many = ", ".join(f"{{log: b{number}}}" for number in range(99))
    home = house(
        "id: r, triggers: any, actions: [{repeat: {count: 3, do:"
        f" [{{parallel: [{{log: '{{{{ caller }}}}a'}}, {many}]}}]}}}}]"
    )
    home.slow = {"a"}
    home.tell()
    for outcome in (Done(), Done(), NO):
        home.finish("a", outcome)
    assert home.ends == ["failed"]
    (problem,) = told(text(f"id: r, triggers: any, actions: [{{parallel: [{many}, {many}]}}]"))
    assert problem.endswith("wrong-value: a list has more entries than 100")


# --- repeat, choose, and a crash in the middle -----------------------------------------------

NESTED = (
    "id: r, triggers: any, actions: [{repeat: {count: 3, do: ["
    " {choose: [{when: '{{ state.n == 0 }}', do: [{log: zero}, {delay: 2s}, {log: more}]},"
    "  {when: '{{ state.n == 1 }}', do: [{repeat: {count: 2, do: [{log: one}, {delay: 3s}]}}]}],"
    "  default: [{parallel: [{log: a}, {log: b}]}, {wait_for: {event: cdr}, timeout: 2s}]},"
    f" {COUNTS}, {{log: 'round {{{{ state.n }}}}'}}]}}}}], finally: [{{log: '{{{{ outcome }}}}'}}]"
)
STORY = [
    (0, "zero"), (2, "more"), (2, "round 1"), (2, "one"), (5, "one"), (8, "round 2"),
    (8, "a"), (8, "b"), (10, "round 3"), (10, "done"),
]  # fmt: skip


@pytest.mark.parametrize("halves", range(21))
def test_nested_repeat_and_choose_resume_in_the_middle(halves: int) -> None:
    home = house(NESTED, state="{n: 0}")
    home.tell()
    home.wait(halves / 2)
    home.die()
    home.change(text("id: other, triggers: any, actions: [{log: x}]", state="{n: 0}"))
    home.wait(20)
    assert home.said == [says for _, says in STORY]


def test_nested_repeat_and_choose() -> None:
    home = house(NESTED, state="{n: 0}")
    home.tell()
    home.wait(20)
    assert home.told == STORY


# --- clocks ----------------------------------------------------------------------------------

EVENING = """
rules:
- {id: lane, triggers: {event: ring, extension: 1}, mode: queued,
   actions: [{log: on}, {delay: 20s}, {log: off}]}
- {id: for, triggers: {event: ring, extension: 2, for: 20s}, actions: [{log: for}]}
- {id: wait, triggers: {event: ring, extension: 3},
   actions: [{wait_for: {event: answer}, timeout: 20s}, {log: waited}]}
- {id: cool, triggers: {event: alert, extension: 4}, cooldown: 20s, actions: [{log: cool}]}
- {id: count, triggers: {event: alert, extension: 5, count: {at_least: 3, within: 25s}},
   actions: [{log: count}]}
- {id: late, triggers: {event: ring, extension: 6}, actions: [{log: late, expires: 20s}],
   finally: [{log: undo}]}
"""
TOLD = [
    (0, "on"), (0, "cool"), (20, "off"), (20, "on"), (20, "for"), (20, "waited"), (20, "cool"),
    (20, "count"), (40, "off"),
]  # fmt: skip
JUMPS = [
    pytest.param(HOUR_S, id="an hour on"),
    pytest.param(-HOUR_S, id="an hour back"),
    pytest.param(YEAR_S, id="a year on"),
    pytest.param(-YEAR_S, id="a year back"),
]


def evening(meanwhile: Callable[[House], None]) -> House:
    """What is told within 40 s, if *meanwhile* happens at the tenth second."""
    home = House(EVENING)
    home.blocked = {"late"}
    for extension in "11236":
        home.tell("ring", call=f"c{extension}", extension=extension)
    home.tell("alert", call="c4", extension="4")
    home.tell("alert", call="d1", extension="5")
    home.wait(10)
    meanwhile(home)
    for call in ("d2", "d3", "d4"):
        home.tell("alert", call="c4", extension="4")
        home.tell("alert", call=call, extension="5")
        home.wait(10)
    home.blocked = set()
    home.wait(0)
    return home


def test_an_evening_on_a_good_clock() -> None:
    home = evening(lambda _: None)
    assert home.told == TOLD


@pytest.mark.parametrize("by_s", JUMPS)
def test_a_wall_clock_that_jumps_expires_and_fires_nothing_wrongly(by_s: float) -> None:
    assert evening(lambda home: home.set_wall_clock(by_s)).told == TOLD


def test_a_boot_expires_and_fires_nothing_wrongly() -> None:
    told = [*TOLD, (20, "undo")]  # nobody knows whether late was begun
    assert sorted(evening(lambda home: home.boot()).told) == sorted(told)


@pytest.mark.parametrize("by_s", [HOUR_S, YEAR_S])
def test_a_boot_after_a_long_time_expires_what_is_late(by_s: float) -> None:
    home = evening(lambda home: home.boot(by_s=by_s))
    assert sorted(home.told) == sorted(
        [
            (0, "on"), (0, "cool"), (10, "off"), (10, "cool"), (10, "undo"), (15, "waited"),
            (30, "cool"), (30, "count"),
        ]
    )  # fmt: skip
    assert sorted(home.ends) == sorted(
        ["done", "done", "done", "done", "done", "done", "expired", "expired", "dropped"]
    )


@pytest.mark.parametrize("by_s", [-HOUR_S, -YEAR_S])
def test_after_a_boot_with_a_clock_that_was_set_back_nothing_waits_longer_than_in_all(
    by_s: float,
) -> None:
    home = evening(lambda home: home.boot(by_s=by_s))
    home.wait(10)
    assert sorted(home.told) == sorted(
        [
            (0, "on"), (0, "cool"), (10, "cool"), (30, "cool"), (30, "count"), (30, "off"),
            (30, "on"), (30, "for"), (30, "waited"), (40, "late"), (40, "undo"), (50, "off"),
        ]
    )  # fmt: skip


def test_a_siren_goes_off_at_once_after_a_boot_with_a_clock_that_was_set_back() -> None:
    home = house("id: r, triggers: any, actions: [{log: ON}], finally: [{log: OFF}]")
    home.blocked = {"OFF"}
    home.tell()
    home.boot(by_s=-HOUR_S)
    home.blocked = set()
    home.wait(0)
    assert home.told == [(0, "ON"), (0, "OFF")]
