"""What the language promises, sentence by sentence: the engine on a virtual clock."""

from pbxrules.model import Done, GiveUp, TryAgain
from tests.virtual import House

NO = GiveUp(reason="refused")
LATER = TryAgain(reason="no answer")


def rules(*texts: str, state: str = "") -> str:
    """A file of rules, each in one line of YAML's flow style."""
    head = f"state: {state}\n" if state else ""
    return head + "rules:\n" + "".join(f"- {{{text}}}\n" for text in texts)


# --- restart ---------------------------------------------------------------------------------


def test_an_action_that_a_newer_match_cuts_short_is_settled_with_that_reason() -> None:
    house = House(rules("id: r, triggers: any, mode: restart, actions: [{log: a}]"))
    house.slow = {"a"}
    house.tell()
    house.tell()
    (first,) = house.ended.values()
    assert [(one.verb, one.state, one.reason) for one in first.tried] == [
        ("log", "dropped", "a newer match took its place")
    ]


# --- finally ---------------------------------------------------------------------------------


def test_finally_does_not_run_after_a_parallel_of_which_nothing_was_begun() -> None:
    house = House(
        rules(
            "id: r, triggers: any, actions: [{parallel: [{log: a}, {log: b}]}], finally: [{log: z}]"
        )
    )
    house.up = False
    house.tell()
    house.wait(60)
    house.up = True
    house.wait(60)
    assert (house.said, house.ends) == ([], ["expired"])


def test_finally_runs_after_a_parallel_of_which_one_was_begun() -> None:
    house = House(
        rules(
            "id: r, triggers: any, mode: restart,"
            " actions: [{parallel: [{log: a}, {log: b}]}], finally: [{log: z}]"
        )
    )
    house.slow = {"a", "b"}
    house.tell()
    house.tell()
    assert house.said == ["a", "b", "z", "a", "b"]


def test_finally_runs_after_a_crash_during_a_parallel_for_one_may_have_been_begun() -> None:
    house = House(
        rules(
            "id: r, triggers: any, actions: [{parallel: [{log: a}, {log: b}]}], finally: [{log: z}]"
        )
    )
    house.up = False
    house.tell()
    house.die(60)
    house.up = True
    house.wait(0)
    assert (house.said, house.ends) == (["z"], ["expired"])


# --- queued ----------------------------------------------------------------------------------

QUEUED = "id: r, triggers: {event: ring}, mode: queued, expires: never"


def test_queued_keeps_its_order_when_the_wall_clock_is_set_back() -> None:
    house = House(rules(f"{QUEUED}, actions: [{{log: '{{{{ extension }}}}'}}]"))
    house.slow = {"1", "2", "3"}
    for extension in ("1", "2", "3"):
        house.tell(extension=extension)
        house.set_wall_clock(-3600)
    for extension in ("1", "2", "3"):
        house.finish(extension)
    assert house.said == ["1", "2", "3"]


def test_a_long_queue_of_runs_that_end_at_once_ends_in_order() -> None:
    calls = 300  # deeper than the stack would allow, were each the business of the one before
    house = House(
        rules(
            f"{QUEUED}, actions: [{{if: {{extension: 1}}, then: [{{delay: 10s}}]}},"
            " {wait_for: {event: bye}, same: none}, {set: {n: '{{ state.n + 1 }}'}}]",
            state="{n: 0}",
        )
    )
    for number in range(calls):
        house.tell(call=f"c{number}", extension=str(number + 1))
    house.tell("bye", call="other", extension="9")
    assert house.ends == []
    house.wait(10)
    assert house.ends == ["done"] * calls
    assert house.state == {"n": calls}


# --- state -----------------------------------------------------------------------------------

COUNTS = "{set: {n: '{{ state.n + 1 }}'}}"


def test_two_rules_on_one_event_do_not_see_each_others_set() -> None:
    house = House(
        rules(
            f"id: a, triggers: any, actions: [{COUNTS}, {{log: 'a {{{{ state.n }}}}'}}]",
            f"id: b, triggers: any, actions: [{COUNTS}, {{log: 'b {{{{ state.n }}}}'}}]",
            "id: c, triggers: any, conditions: [{state: {n: 1}}], actions: [{log: c}]",
            state="{n: 0}",
        )
    )
    house.tell()
    assert (house.said, house.state) == (["a 1", "b 1"], {"n": 1})
    house.tell()
    assert house.said[2:] == ["a 2", "b 2", "c"]


def test_a_run_sees_what_it_set_at_once() -> None:
    house = House(
        rules(
            f"id: a, triggers: any, actions: [{COUNTS}, {COUNTS},"
            " {if: '{{ state.n == 2 }}', then: [{log: two}]}]",
            state="{n: 0}",
        )
    )
    house.tell()
    assert house.said == ["two"]


def test_the_next_run_of_a_lane_sees_what_the_one_before_has_set() -> None:
    house = House(rules(f"{QUEUED}, actions: [{COUNTS}, {{delay: 1s}}, {COUNTS}]", state="{n: 0}"))
    house.tell()
    house.tell()
    house.wait(1)
    assert house.state == {"n": 3}
    house.wait(1)
    assert house.state == {"n": 4}


def test_a_run_that_restarts_another_sees_what_its_finally_has_set() -> None:
    house = House(
        rules(
            "id: r, triggers: {event: ring}, mode: restart,"
            " actions: [{if: '{{ state.on }}', then: [{stop: it is on}]}, {set: {on: true}},"
            " {delay: 1s}, {log: a}], finally: [{set: {on: false}}]",
            state="{on: false}",
        )
    )
    house.tell()
    house.tell()
    house.wait(1)
    assert (house.said, house.ends) == (["a"], ["restarted", "done"])


# --- for -------------------------------------------------------------------------------------


def test_each_for_ends_by_the_until_of_its_own_trigger_whatever_the_triggers_are_called() -> None:
    house = House(
        rules(
            "id: r, triggers: [{event: ring, for: 5s, until: bye, id: call},"
            " {event: alert, for: 5s, until: answer, id: call}], actions: [{log: a}]"
        )
    )
    house.tell("alert")
    house.tell("answer")
    house.wait(5)
    assert (house.said, house.ends) == ([], ["dropped"])


WAITS = "id: r, triggers: {event: ring, for: 5s}, actions: [{log: a}]"


def test_after_a_for_that_could_not_fire_in_time_the_next_match_of_its_call_waits_anew() -> None:
    house = House(rules(WAITS))
    house.tell()
    house.die(120)
    house.wait(5)
    assert (house.said, house.ends) == ([], ["dropped"])
    house.tell()
    house.wait(5)
    assert house.said == ["a"]


def test_a_for_of_a_changed_rule_is_dropped_and_the_next_match_of_its_call_waits_anew() -> None:
    house = House(rules(WAITS))
    house.tell()
    house.change(rules(WAITS.replace("log: a", "log: b")))
    assert house.ends == ["dropped"]
    house.tell()
    house.wait(5)
    assert house.said == ["b"]


# --- parallel --------------------------------------------------------------------------------


def test_each_round_of_a_parallel_has_the_results_of_that_round() -> None:
    house = House(
        rules(
            "id: r, triggers: any, actions: [{repeat: {count: 2, do: [{parallel: ["
            "{shell: [a], register: one}, {shell: [b], register: two}]},"
            " {log: '{{ one.exit_code }} {{ two.exit_code }}'}]}}]"
        )
    )
    house.slow = {"a", "b"}
    house.tell()
    for number in (1, 2):
        house.finish("a", Done(result={"exit_code": number}))
        house.finish("b", Done(result={"exit_code": 10 * number}))
    assert house.said[2::3] == ["1 10", "2 20"]


# --- count -----------------------------------------------------------------------------------


def test_a_call_that_was_counted_is_not_counted_anew_after_the_count_fired() -> None:
    house = House(
        rules(
            "id: r, triggers: {event: ring, count: {at_least: 2, within: 1m}},"
            " actions: [{log: '{{ extension }}'}]"
        )
    )
    for call in ("c1", "c2", "c3", "c4"):
        for extension in ("100", "101", "102"):  # a group: each phone of it rings
            house.tell(call=call, extension=f"{call} {extension}")
            house.wait(1)
    assert house.said == ["c2 100", "c4 100"]


def test_a_call_that_goes_on_reporting_is_no_new_call() -> None:
    house = House(
        rules(
            "id: r, triggers: {event: ring, count: {at_least: 2, within: 10s}}, actions: [{log: a}]"
        )
    )
    for _ in range(3):
        house.tell(call="c1")
        house.wait(6)
    house.tell(call="c2")
    assert house.said == []


# --- once_per and cooldown -------------------------------------------------------------------


def test_a_cooldown_is_not_spent_by_a_run_that_did_not_start() -> None:
    house = House(
        rules(
            "id: r, triggers: {event: ring}, mode: queued, cooldown: 100s,"
            " actions: [{delay: 200s}, {log: '{{ extension }}'}]"
        )
    )
    house.tell(extension="1")
    house.wait(100)
    house.tell(extension="2")  # it waits, and expires after 60 s
    house.wait(60)
    assert house.ends == ["expired"]
    house.tell(extension="3")
    house.wait(40)
    house.wait(200)
    assert house.said == ["1", "3"]


def test_once_per_is_not_spent_by_a_run_that_did_not_start() -> None:
    house = House(
        rules(
            "id: r, triggers: {event: ring}, mode: restart, once_per: call,"
            " actions: [{log: a}, {delay: 1h}], finally: [{log: '{{ extension }} ends'}]"
        )
    )
    house.slow = {"1 ends"}
    house.tell(call="c1", extension="1")
    house.tell(call="c2", extension="2")  # it waits for the end of the first
    house.tell(call="c3", extension="3")  # and this takes its place
    house.finish("1 ends")
    house.tell(call="c2", extension="2")
    assert house.said == ["a", "1 ends", "a", "3 ends", "a"]


# --- expires ---------------------------------------------------------------------------------


def test_a_run_waits_in_its_lane_as_long_as_its_first_action_may() -> None:
    house = House(
        rules(
            "id: r, triggers: any, mode: queued,"
            " actions: [{log: '{{ extension }}', expires: 5m}, {delay: 2m}]"
        )
    )
    house.tell(extension="1")
    house.tell(extension="2")
    house.tell(extension="3")
    house.tell(extension="4")
    house.wait(600)
    assert house.told == [(0, "1"), (120, "2"), (240, "3")]
    assert house.ends == ["done", "done", "done", "expired"]


def test_the_time_of_a_first_action_inside_other_steps_counts_from_the_match() -> None:
    for first in (
        "{if: {event: ring}, then: [{log: a}]}",
        "{repeat: {count: 1, do: [{log: a}]}}",
        "{choose: [{when: {event: ring}, do: [{log: a}]}]}",
        "{parallel: [{log: a}]}",
    ):
        house = House(
            rules(
                "id: r, triggers: {event: ring}, mode: queued, actions:"
                f" [{first}, {{delay: 50s}}, {{log: b}}]"
            )
        )
        house.tell()
        house.up = True
        house.tell()
        house.wait(49)
        house.up = False
        house.wait(11)
        house.up = True
        house.wait(100)
        assert house.ends == ["done", "expired"], first


# --- restart and finally ---------------------------------------------------------------------

SIREN = (
    "id: siren, triggers: {event: ring}, mode: restart, expires: 5m,"
    " actions: [{mqtt: {topic: t, payload: 'ON {{ extension }}'}}, {wait_for: {event: answer}}],"
    " finally: [{mqtt: {topic: t, payload: 'OFF {{ outcome }}'}}, {log: '{{ outcome }}'}]"
)


def test_restart_tries_the_old_runs_finally_once_and_then_starts() -> None:
    house = House(rules(SIREN))
    house.answers = {"OFF restarted": LATER}
    house.tell(extension="1")
    house.tell(extension="2", call="c2")
    assert house.said == ["ON 1", "OFF restarted", "restarted", "ON 2"]
    assert house.ends == ["restarted"]


def test_a_newest_match_does_not_wait_for_another_try_of_a_finally() -> None:
    house = House(rules(SIREN))
    house.answers = {"OFF done": LATER}
    house.tell(extension="1")
    house.tell("answer")
    house.wait(100)
    assert house.said[-2:] == ["OFF done", "OFF done"]
    house.tell(extension="2", call="c2")
    assert house.said[-3:] == ["OFF done", "done", "ON 2"]


def test_finally_says_how_the_run_ended_whatever_comes_then() -> None:
    house = House(rules(SIREN))
    house.slow = {"OFF failed"}
    house.answers = {"ON 1": NO}
    house.tell(extension="1")
    house.tell(extension="2", call="c2")
    house.finish("OFF failed", LATER)
    assert house.said == ["ON 1", "OFF failed", "failed", "ON 2"]
    assert house.ends == ["failed"]


def test_a_result_that_one_of_several_actions_side_by_side_gives_is_known_behind_them() -> None:
    house = House(
        rules(
            "id: r, triggers: {event: ring}, actions: [{wait_for: {event: answer}, register: x},"
            " {parallel: [{shell: [a], register: x}, {log: b}]},"
            " {log: 'c {{ x.exit_code }} {{ x.timed_out }}'}]"
        )
    )
    house.answers = {"a": Done(result={"exit_code": 0, "timed_out": False})}
    house.tell()
    house.tell("answer")
    assert house.said == ["a", "b", "c 0 false"]


def test_a_for_ends_by_its_until_also_after_days() -> None:
    house = House(rules("id: r, triggers: {event: ring, for: 2d, until: bye}, actions: [{log: a}]"))
    house.tell()
    house.die(86_400 * 1.5)
    house.tell("answer")
    house.tell("bye")
    assert house.ends == ["dropped"]
