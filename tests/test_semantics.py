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
