"""What people do by hand to runs and to the state, on a virtual clock."""

# Over 300 lines: what may be owed or wait, each with what a hand makes of it.

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pbxrules import byhand, engine, runs
from pbxrules.byhand import DROPPED, Refusal, id_of, name_of
from pbxrules.memory import Memory, Moves, Whole
from pbxrules.model import (
    RUNS_PER_EVENT,
    Delivery,
    Done,
    GiveUp,
    StateDecl,
    TryAgain,
)
from tests.house import House

NO = GiveUp(reason="no")
LATER = TryAgain(reason="refused")


def rules(actions: str, *more: str, head: str = "", triggers: str = "{event: ring}") -> str:
    beside = "".join(f"    {line}\n" for line in more)
    return f"{head}rules:\n  - id: r\n    triggers: {triggers}\n{beside}    actions: {actions}\n"


class Handled(House):
    """A house in which somebody lends a hand."""

    def __init__(self, text: str) -> None:
        super().__init__(text)
        self.all: dict[int, Whole] = {}
        """Every run as it became last."""
        self.ids: list[str] = []
        """The delivery id of each try."""

    def _apply(self, moves: Moves) -> None:
        super()._apply(moves)
        self.all |= {whole.run.id: whole for whole in moves.runs}

    def begin(self, run_id: int) -> None:
        made = runs.delivery(self.whole(run_id), names={}, secrets={}, store_id="s", now=self.now)
        assert isinstance(made, Delivery)
        self.ids.append(made.id)
        super().begin(run_id)

    def retry(self, name: str) -> str:
        """Why it can't be; ``""`` if it was done."""
        return self._do_by_hand(
            byhand.retry(self.ruleset, self.memory, self.now_of(name), self.now)
        )

    def drop(self, name: str) -> str:
        run_id = self.now_of(name).run.id
        self.under_way.discard(run_id)
        branches = [self.whole(one) for one in self.memory.branches(run_id)]
        return self._do_by_hand(byhand.drop(self.memory, self.now_of(name), branches, self.now))

    def now_of(self, name: str) -> Whole:
        run_id = id_of(name)
        assert run_id is not None
        return self.memory.runs.get(run_id) or self.open.get(run_id) or self.all[run_id]

    def _do_by_hand(self, moves: Moves | Refusal) -> str:
        if isinstance(moves, Refusal):
            return moves.why
        self._apply(moves)
        self.wait(0)
        return ""

    def told_of(self, name: str) -> list[tuple[str, str, str]]:
        return [(t.position, t.state, t.reason) for t in self.now_of(name).run.tried]

    def outcome(self, name: str) -> str:
        run = self.now_of(name).run
        return run.outcome if run.ended else f"{run.verb} at {run.position}"


# --- names -----------------------------------------------------------------------------------


@given(st.integers(1, 10**12 - 1), st.integers(1, RUNS_PER_EVENT - 1))
def test_the_name_of_a_run_is_read_back_as_its_id(event: int, place: int) -> None:
    run_id = event * RUNS_PER_EVENT + place
    assert id_of(name_of(run_id)) == run_id


@pytest.mark.parametrize(
    "name", ["", "4", "4.", "4.0", "0.1", "04.1", "4.1 ", "4.1\n", "-4.1", "\u0664.\u0661"]
)
def test_what_is_no_name_of_a_run_is_none(name: str) -> None:
    assert id_of(name) is None


# --- retry what is owed ----------------------------------------------------------------------


def test_what_waits_for_its_next_try_is_tried_now() -> None:
    here = Handled(rules("[{shell: [do], retry: {attempts: 3, delay: 30s}}]"))
    here.answers["do"] = LATER
    here.tell()
    assert (here.said, here.now_of("1.1").run.trouble) == (["do"], "refused")
    here.answers["do"] = Done()
    assert here.retry("1.1") == ""
    assert (here.said, here.outcome("1.1")) == (["do", "do"], "done")
    assert len(set(here.ids)) == 1


def test_a_try_that_fails_again_counts_and_the_next_waits_its_time() -> None:
    here = Handled(rules("[{shell: [do], retry: {attempts: 3, delay: 30s}}]"))
    here.answers["do"] = LATER
    here.tell()
    here.retry("1.1")
    assert here.outcome("1.1") == "shell at actions/0"
    here.retry("1.1")
    assert here.told_of("1.1") == [("actions/0", "failed", "refused (3 tries)")]


WAITING = [
    pytest.param("[{delay: 1m}, {log: x}]", "{event: ring}", "'delay'", id="delay"),
    pytest.param(
        "[{wait_for: {event: bye}}, {log: x}]", "{event: ring}", "'wait_for'", id="wait_for"
    ),
    pytest.param("[{log: x}]", "{event: ring, for: 20s}", "'for'", id="for"),
]


@pytest.mark.parametrize(("actions", "triggers", "said"), WAITING)
def test_what_only_waits_can_not_be_retried(actions: str, triggers: str, said: str) -> None:
    here = Handled(rules(actions, triggers=triggers))
    here.tell()
    assert (
        here.retry("1.1") == f"1.1 waits for its {said} and owes nothing: there is nothing to retry"
    )
    assert here.open


def test_who_waits_in_a_lane_or_for_branches_is_told_what_to_retry_instead() -> None:
    here = Handled(rules("[{parallel: [{log: x}, {log: y}]}]", "mode: queued"))
    here.blocked = {"x", "y"}
    here.tell()
    here.tell(call="c2")
    assert here.retry("2.1") == "2.1 waits for its turn and owes nothing: there is nothing to retry"
    assert here.retry("1.1") == (
        "1.1 waits for actions side by side: retry one of them (1.900000, 1.900001)"
    )


# --- retry what was given up -----------------------------------------------------------------


def test_what_was_given_up_begins_again_at_that_step_with_the_reason_kept() -> None:
    here = Handled(rules("[{log: one}, {shell: [two]}, {log: three}]"))
    here.answers["two"] = NO
    here.tell()
    assert (here.said, here.outcome("1.1")) == (["one", "two"], "failed")
    here.answers["two"] = Done(detail="ok")
    here.wait(3600)
    assert here.retry("1.1") == ""
    assert (here.said, here.outcome("1.1")) == (["one", "two", "two", "three"], "done")
    assert here.told_of("1.1") == [
        ("actions/0", "done", ""),
        ("actions/1", "failed", "no"),
        ("actions/1", "done", "ok"),
        ("actions/2", "done", ""),
    ]


def test_it_has_the_whole_of_its_expires_again() -> None:
    here = Handled(rules("[{shell: [do], expires: 20s}]"))
    here.blocked = {"do"}
    here.tell()
    here.wait(20)
    assert here.outcome("1.1") == "expired"
    assert here.retry("1.1") == ""
    here.wait(19)
    assert here.outcome("1.1") == "shell at actions/0"
    here.wait(1)
    assert (
        here.told_of("1.1") == [("actions/0", "expired", "not done within 20 s, never tried")] * 2
    )


def test_what_it_had_registered_is_known_still() -> None:
    here = Handled(rules("[{shell: [one], register: r}, {shell: [x, 'two {{ r.exit_code }}']}]"))
    here.answers |= {"one": Done(result={"exit_code": 7}), "two 7": NO}
    here.tell()
    here.retry("1.1")
    assert here.said == ["one", "two 7", "two 7"]


def test_it_is_in_the_round_in_which_it_was() -> None:
    here = Handled(rules("[{repeat: {count: 3, do: [{log: a}, {shell: [b]}]}}, {log: end}]"))
    here.answers["b"] = Done()
    here.slow = {"b"}
    here.tell()
    here.finish("b")
    here.finish("b", NO)
    assert here.said == ["a", "b", "a", "b"]
    here.slow = set()
    here.retry("1.1")
    assert here.said == ["a", "b", "a", "b", "b", "a", "b", "end"]


def test_its_finally_is_done_again_under_an_id_of_its_own() -> None:
    here = Handled(rules("[{shell: [on]}]", "finally: [{log: 'off {{ outcome }}'}]"))
    here.answers["on"] = NO
    here.tell()
    here.answers["on"] = Done()
    here.retry("1.1")
    assert here.said == ["on", "off failed", "on", "off done"]
    on, off, on_again, off_again = here.ids
    assert on == on_again  # another try of what was not done
    assert off != off_again  # news: whoever drops what came twice must not drop this


def test_of_a_parallel_only_what_failed_is_done_again() -> None:
    here = Handled(rules("[{parallel: [{log: a}, {shell: [b]}, {shell: [c]}]}, {log: end}]"))
    here.answers |= {"b": NO, "c": NO}
    here.tell()
    assert here.outcome("1.1") == "failed"
    here.answers |= {"b": Done(), "c": Done()}
    assert here.retry("1.900001") == "1.900001 was a part of 1.1: retry that one"
    assert here.retry("1.1") == ""
    assert here.said == ["a", "b", "c", "b", "c", "end"]
    assert here.outcome("1.1") == "done"


def test_a_finally_that_was_given_up_is_taken_up_where_it_was() -> None:
    here = Handled(rules("[{log: on}]", "finally: [{shell: [off]}, {log: told}]"))
    here.answers["off"] = NO
    here.tell()
    assert (here.outcome("1.1"), here.now_of("1.1").run.given_up) == ("done", "finally/0")
    here.answers["off"] = Done()
    here.retry("1.1")
    assert here.said == ["on", "off", "told", "off", "told"]
    assert (here.outcome("1.1"), here.now_of("1.1").run.given_up) == ("done", "")


def test_a_match_that_had_no_room_begins_from_its_first_step() -> None:
    here = Handled(rules("[{shell: [do]}]", "max: 1"))
    here.slow = {"do"}
    here.tell(caller="1")
    here.tell(caller="2", call="c2")
    assert here.retry("2.1") == "the rule has 1 runs that wait already"
    here.finish("do")
    assert here.retry("2.1") == ""
    assert here.outcome("2.1") == "shell at actions/0"


def test_what_expired_in_its_lane_waits_there_again_and_spends_what_it_had_given_back() -> None:
    here = Handled(rules("[{shell: [do], expires: 20s}]", "mode: queued", "once_per: call"))
    here.slow = {"do"}
    here.tell()
    here.tell(call="c2")
    here.wait(20)
    assert here.outcome("2.1") == "expired"
    assert here.retry("2.1") == ""
    assert here.outcome("2.1") == "lane at lane"
    assert here.memory.value(("once", "r", "c2")) is not None
    here.finish("do")
    assert here.outcome("2.1") == "shell at actions/0"


@pytest.mark.parametrize("mode", ["single", "restart", "queued"])
def test_where_another_run_is_on_it_does_not_begin(mode: str) -> None:
    here = Handled(rules("[{shell: [do]}]", f"mode: {mode}"))
    here.slow = {"do"}
    here.tell()
    here.finish("do", NO)
    here.tell(call="c2")
    assert here.retry("1.1") == (
        f"another run of rule 'r' is on (2.1), and its mode is '{mode}':"
        " retry 1.1 when that one has ended"
    )
    here.finish("do")
    assert here.retry("1.1") == ""


def test_what_was_done_can_not_be_retried() -> None:
    here = Handled(rules("[{log: x}]"))
    here.tell()
    assert here.retry("1.1") == "1.1 has ended (done): there is nothing to retry"


def test_what_a_newer_match_cut_short_was_not_given_up() -> None:
    here = Handled(rules("[{shell: [do]}]", "mode: restart"))
    here.slow = {"do"}
    here.tell()
    here.tell(call="c2")
    assert here.now_of("1.1").run.given_up == ""


def test_what_was_given_up_twice_can_be_retried_twice_and_lasts_over_a_crash() -> None:
    here = Handled(rules("[{shell: [on]}]", "finally: [{log: off}]"))
    here.answers["on"] = NO
    here.tell()
    here.retry("1.1")
    here.slow = {"on"}
    here.retry("1.1")
    here.die()
    here.finish("on")
    assert here.said == ["on", "off", "on", "off", "on", "on", "off"]
    assert len({one for one in here.ids if "finally" in one}) == 3


# --- drop ------------------------------------------------------------------------------------


def test_what_is_dropped_ends_as_stopped_with_the_reason_and_its_finally_follows() -> None:
    here = Handled(rules("[{log: on}, {shell: [do]}]", "finally: [{log: 'off {{ outcome }}'}]"))
    here.slow = {"do"}
    here.tell()
    assert here.drop("1.1") == ""
    assert here.said == ["on", "do", "off stopped"]
    assert here.told_of("1.1")[1] == ("actions/1", "dropped", DROPPED)
    assert here.outcome("1.1") == "stopped"


def test_what_was_never_begun_has_no_finally() -> None:
    here = Handled(rules("[{log: on}]", "finally: [{log: off}]"))
    here.blocked = {"on"}
    here.tell()
    here.drop("1.1")
    assert (here.said, here.outcome("1.1")) == ([], "stopped")


@pytest.mark.parametrize("wait", ["{delay: 1m}", "{wait_for: {event: bye}}"])
def test_a_wait_that_is_dropped_ends_the_run(wait: str) -> None:
    here = Handled(rules(f"[{{log: on}}, {wait}, {{log: no}}]", "finally: [{log: off}]"))
    here.tell()
    here.drop("1.1")
    here.wait(7200)
    assert here.said == ["on", "off"]
    assert here.told_of("1.1")[1][1:] == ("dropped", DROPPED)


def test_a_for_that_is_dropped_never_fires_and_the_next_match_of_its_call_is_news() -> None:
    here = Handled(rules("[{log: x}]", triggers="{event: ring, for: 20s}"))
    here.tell()
    assert here.drop("1.1") == ""
    here.wait(60)
    assert here.said == []
    here.tell()
    here.wait(20)
    assert here.said == ["x"]


def test_a_place_in_a_lane_that_is_dropped_gives_back_what_it_had_spent() -> None:
    here = Handled(rules("[{shell: [do]}]", "mode: queued", "once_per: call"))
    here.slow = {"do"}
    here.tell()
    here.tell(call="c2")
    here.drop("2.1")
    assert here.outcome("2.1") == "stopped"
    assert here.memory.value(("once", "r", "c2")) is None
    here.finish("do")
    assert here.said == ["do"]
    assert here.retry("2.1") == ""
    assert here.said == ["do", "do"]


def test_behind_a_run_that_is_dropped_the_next_of_its_lane_begins() -> None:
    here = Handled(rules("[{shell: [x, '{{ caller }}']}]", "mode: queued"))
    here.slow = {"1", "2"}
    here.tell(caller="1")
    here.tell(caller="2", call="c2")
    here.drop("1.1")
    assert here.said == ["1", "2"]


def test_of_a_branch_only_that_action_is_given_up_and_the_run_has_failed() -> None:
    here = Handled(rules("[{parallel: [{shell: [a]}, {shell: [b]}]}, {log: end}]"))
    here.slow = {"a", "b"}
    here.tell()
    assert here.drop("1.900000") == ""
    assert here.outcome("1.1") == "join at actions/0"
    here.finish("b")
    assert (here.outcome("1.1"), here.said) == ("failed", ["a", "b"])
    here.slow = set()
    here.retry("1.1")
    assert here.said == ["a", "b", "a", "end"]


def test_with_a_run_its_branches_are_dropped_and_it_tells_of_each() -> None:
    here = Handled(
        rules("[{parallel: [{log: a}, {shell: [b]}, {shell: [c]}]}]", "finally: [{log: off}]")
    )
    here.slow = {"b", "c"}
    here.tell()
    assert here.drop("1.1") == ""
    assert here.told_of("1.1")[:3] == [
        ("actions/0/parallel/0", "done", ""),
        ("actions/0/parallel/1", "dropped", DROPPED),
        ("actions/0/parallel/2", "dropped", DROPPED),
    ]
    assert (here.said, here.outcome("1.1"), here.open) == (["a", "b", "c", "off"], "stopped", {})
    here.slow = set()
    here.retry("1.1")
    assert here.said[4:] == ["b", "c", "off"]


def test_in_its_finally_it_is_one_action_that_is_dropped() -> None:
    here = Handled(rules("[{log: on}]", "finally: [{shell: [off]}, {log: told}]"))
    here.slow = {"off"}
    here.tell()
    here.drop("1.1")
    assert (here.said, here.outcome("1.1")) == (["on", "off", "told"], "done")
    assert here.told_of("1.1")[1] == ("finally/0", "dropped", DROPPED)


def test_what_has_ended_can_not_be_dropped() -> None:
    here = Handled(rules("[{log: x}]"))
    here.tell()
    assert here.drop("1.1") == "1.1 has ended: there is nothing to drop"


def test_what_can_no_longer_be_understood_is_given_up_where_it_was() -> None:
    here = Handled(rules("[{shell: [x]}]"))
    here.blocked = {"x"}
    here.tell()
    ended = runs.abandon(here.now_of("1.1").run, "why", here.now)
    assert (ended.given_up, ended.ended) == ("actions/0", True)


# --- state -----------------------------------------------------------------------------------

DECLARED = {
    "missed": StateDecl(first=0),
    "half": StateDecl(first=0.5),
    "open": StateDecl(first=False),
    "word": StateDecl(first="shut"),
    "ids": StateDecl(first=["101"]),
    "armed": StateDecl(first=None, topic="home/\x1barmed"),
}
NO_NUMBER = "'missed' is a number, such as 3 or -1.5, and '{}' is not"
NO_LIST = """'ids' is a list in JSON, such as ["101", "102"], and '{}' is not"""
NOT_DECLARED = "no rule file declares '{}' under 'state:'"
BOUND = "'armed' is the message of home/\\x1barmed, and read-only: publish it there"


def set_to(name: str, text: str, memory: Memory | None = None) -> Any:
    here = memory or Memory()
    moves = byhand.set_state(DECLARED, here, name, text, House(rules("[{log: x}]")).now)
    if isinstance(moves, Refusal):
        return moves
    here.apply(moves)
    return here.state(DECLARED)[name]


@pytest.mark.parametrize(
    ("name", "text", "value"),
    [
        pytest.param("missed", "3", 3, id="a number"),
        pytest.param("missed", "-2.5", -2.5, id="a negative number with a part"),
        pytest.param("open", "true", True, id="true"),
        pytest.param("open", "false", False, id="false"),
        pytest.param("word", "true", "true", id="text stays text"),
        pytest.param("word", "", "", id="an empty text"),
        pytest.param("ids", '["0101", 2]', ["0101", 2], id="a list"),
    ],
)
def test_a_value_is_read_as_the_type_that_its_name_has(name: str, text: str, value: Any) -> None:
    found = set_to(name, text)
    assert (found, type(found)) == (value, type(value))


@pytest.mark.parametrize(
    ("name", "text", "why"),
    [
        pytest.param(
            "mised", "3", NOT_DECLARED.format("mised") + " (did you mean 'missed'?)",
            id="a name near another",
        ),
        pytest.param("\x1b[2J", "3", NOT_DECLARED.format("\\x1b[2J"), id="a hostile name"),
        pytest.param("missed", "three", NO_NUMBER.format("three"), id="a word"),
        pytest.param("missed", "0101", NO_NUMBER.format("0101"), id="leading zeros"),
        pytest.param("missed", "nan", NO_NUMBER.format("nan"), id="nan"),
        pytest.param("missed", "1e5", NO_NUMBER.format("1e5"), id="an exponent"),
        pytest.param("missed", "9" * 400, NO_NUMBER.format("9" * 60 + "…"), id="400 digits"),
        pytest.param("missed", "\n", NO_NUMBER.format("\\n"), id="a line end"),
        pytest.param("open", "yes", "'open' is true or false, and 'yes' is not", id="yes"),
        pytest.param("ids", "101", NO_LIST.format("101"), id="no list"),
        pytest.param("ids", "[NaN", NO_LIST.format("[NaN"), id="no JSON"),
        pytest.param("armed", "true", BOUND, id="bound to MQTT"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_told_and_changes_nothing(name: str, text: str, why: str) -> None:
    memory = Memory()
    assert set_to(name, text, memory) == Refusal(why)
    assert [*memory.all_kept()] == []


def test_a_run_and_its_conditions_see_what_was_set() -> None:
    text = rules(
        "[{log: '{{ state.n }}'}]", "conditions: ['{{ state.n > 2 }}']", head="state: {n: 0}\n"
    )
    here = Handled(text)
    here.tell()
    here._do_by_hand(byhand.set_state(here.ruleset.state, here.memory, "n", "3", here.now))
    here.die()
    here.tell(call="c2")
    assert here.said == ["3"]


def test_each_declared_name_is_told_with_its_value() -> None:
    memory = Memory()
    set_to("missed", "3", memory)
    told = byhand.state_rows(DECLARED, memory)
    assert [one["name"] for one in told] == sorted(DECLARED)
    by_name = {one["name"]: one for one in told}
    assert by_name["missed"] == {"name": "missed", "value": 3, "topic": None, "known": True}
    topic = DECLARED["armed"].topic
    assert by_name["armed"] == {"name": "armed", "value": None, "topic": topic, "known": False}
    memory.tell(str(topic), "yes")
    assert byhand.state_rows({"armed": DECLARED["armed"]}, memory)[0]["value"] == "yes"


def test_a_place_that_a_rule_does_not_have_is_no_place_to_begin_again() -> None:
    here = Handled(rules("[{shell: [x]}]"))
    here.answers["x"] = NO
    here.tell()
    whole = here.now_of("1.1")
    gone = Whole(whole.run.changed(given_up="actions/9"), whole.event, whole.program)
    refused = byhand.retry(here.ruleset, here.memory, gone, here.now)
    assert refused == Refusal("1.1 stood at 'actions/9', which its rule does not have")
    assert engine.LANE not in whole.program.nodes
