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
