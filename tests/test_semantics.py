"""What the language promises, sentence by sentence: the engine on a virtual clock."""

from pbxrules.model import Done, GiveUp, Outcome, TryAgain
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
        rules("id: r, triggers: any, actions: [{parallel: [{log: a}, {log: b}]}], finally: [{log: z}]")
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
        rules("id: r, triggers: any, actions: [{parallel: [{log: a}, {log: b}]}], finally: [{log: z}]")
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
    house = House(
        rules(f"{QUEUED}, actions: [{COUNTS}, {{delay: 1s}}, {COUNTS}]", state="{n: 0}")
    )
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
