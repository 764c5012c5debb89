"""Events that came in once, through rules: what they remember, fire, and differ in."""

from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings

from pbxrules.memory import Moves, Whole
from pbxrules.model import Decision, Delivery, Event, GiveUp, Moment, Outcome
from pbxrules.replaying.comparing import GONE, WAITS, Comparison, Difference, Span, why
from pbxrules.replaying.past import BOOT, Past, Sent, Timeline
from pbxrules.replaying.player import EndlessError, Player
from pbxrules.replaying.remembering import remembers, topics
from pbxrules.replaying.replay import replay
from pbxrules.rules import RuleSet
from pbxrules.store import rows
from pbxrules.testing.answering import Answers
from pbxrules.testing.daemon import Daemon
from tests.drawn import read, seen_of
from tests.rulefiles import LANGUAGE, NOON_S, event, rule, ruleset
from tests.streams import STREAMS, Happening, reported, rule_sets

NOON = Moment(boot=BOOT, uptime_s=0.0, wall_s=NOON_S)


def player(rules: RuleSet) -> Player:
    return Player(rules, LANGUAGE.verbs, {"ntfy": "?"})


# --- The clock of events ---------------------------------------------------------------------


def test_time_goes_by_the_uptime_within_a_boot_and_by_the_wall_over_one() -> None:
    timeline = Timeline()
    came = [
        Moment(boot="a", uptime_s=100.0, wall_s=1000.0),
        Moment(boot="a", uptime_s=110.0, wall_s=5000.0),  # its clock was set
        Moment(boot="b", uptime_s=5.0, wall_s=5020.0),
        Moment(boot="c", uptime_s=5.0, wall_s=10.0),  # a Pi that has no clock
        Moment(boot="c", uptime_s=6.0, wall_s=9000.0),
    ]
    found = [timeline.at(moment) for moment in came]
    assert [moment.uptime_s for moment in found] == [0.0, 10.0, 30.0, 30.0, 31.0]
    assert [moment.wall_s for moment in found] == [moment.wall_s for moment in came]
    assert {moment.boot for moment in found} == {BOOT}


def test_a_report_is_read_when_somebody_asks_and_once() -> None:
    asked: list[bytes] = []

    def as_sent(body: bytes) -> dict[str, Any]:
        asked.append(body)
        return {"a": 1}

    sent = Sent(b"body", as_sent)
    assert asked == []
    assert (sent["a"], len(sent), [*sent], sent.get("b")) == (1, 1, ["a"], None)
    assert asked == [b"body"]


# --- The player is the daemon ----------------------------------------------------------------


class _Succeeds:
    """All that is tried succeeds."""

    def __init__(self) -> None:
        self.fired: list[list[str]] = []
        self._answers = Answers({}, LANGUAGE.verbs)

    def decided(self, event: Event, decision: Decision) -> None:
        assert event.kind
        self.fired.append([rule.id for rule in decision.fired])

    def moved(self, before: Whole | None, after: Whole) -> None:
        assert before is None or before.run.id == after.run.id

    def timed_out(self, whole: Whole) -> None:
        assert not whole.run.ended

    def tried(self, whole: Whole, delivery: Delivery | GiveUp) -> Outcome:
        if isinstance(delivery, GiveUp):
            return delivery
        return self._answers.to(whole.run.rule, delivery)

    def settled(self, moves: Moves) -> None:
        assert isinstance(moves, Moves)


@settings(
    suppress_health_check=[
        HealthCheck.too_slow,
        HealthCheck.data_too_large,
        HealthCheck.filter_too_much,
    ],
)
@given(rule_sets(), STREAMS)
def test_a_player_fires_and_remembers_what_the_daemon_does_whose_actions_all_succeed(
    written: list[list[dict[str, Any]]], happenings: list[Happening]
) -> None:
    rules = read(written[0])
    witness, plays = _Succeeds(), player(rules)
    daemon = Daemon(rules, NOON, {"ntfy": "?"}, witness)
    fired: list[list[str]] = []
    for kind, told in happenings:
        if kind == "wait":
            daemon.go_on_to(daemon.at_s + told)
        elif kind == "report":
            fields, _, _ = reported(told)
            came = Event(fields=fields, payload={})
            daemon.report(came)
            plays.go_on_to(daemon.now)
            decision = plays.take(came, len(witness.fired))
            fired.append([rule.id for rule in decision.fired])
    plays.go_on_to(daemon.now)
    assert fired == witness.fired
    assert seen_of(plays.memory) == seen_of(daemon.memory)


def test_what_can_not_be_filled_in_fails_and_is_no_success() -> None:
    rules = ruleset(
        "state: {n: 0}\n"
        + rule(actions='[{mqtt: {topic: "a/{{ trunk }}"}}, {set: {n: "{{ state.n + 1 }}"}}]')
    )
    plays = player(rules)
    plays.go_on_to(NOON)
    for number, trunk in enumerate(({}, {"trunk": "t"}), 1):
        plays.take(event(**trunk), number)
    assert plays.memory.state(rules.state) == {"n": 1}


@pytest.mark.parametrize(
    ("steps", "said"),
    [
        pytest.param("{log: a}", "10,000 things at one moment", id="actions"),
        pytest.param("{delay: 0s}", "10,000 things at one moment", id="waits that are none"),
        pytest.param("{delay: 5ms}", "20,000 things between two events", id="short waits"),
    ],
)
def test_rules_that_would_go_on_for_ever_are_stopped(steps: str, said: str) -> None:
    mill = rule(actions=f'[{{repeat: {{while: "{{{{ true }}}}", do: [{steps}]}}}}]')
    plays = Player(ruleset(mill), LANGUAGE.verbs, {}, most=20_000)

    def goes_on() -> None:
        plays.take(event(), 1)
        plays.go_on_to(NOON.after(86_400))

    with pytest.raises(EndlessError, match=f"'r' would go on for ever: {said}"):
        goes_on()


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        pytest.param(rule(), False, id="tests alone"),
        pytest.param(rule("{event: ring, for: 20s}"), True, id="for"),
        pytest.param(rule("{event: ring, count: {at_least: 2, within: 5s}}"), True, id="count"),
        pytest.param(rule() + "  cooldown: 5s\n", True, id="cooldown"),
        pytest.param(rule() + "  once_per: call\n", True, id="once per call"),
        pytest.param(rule() + "  mode: single\n", True, id="a mode"),
        pytest.param(rule() + "  max: 3\n", True, id="a bound"),
        pytest.param(rule() + '  conditions: ["{{ call.answered }}"]\n', True, id="calls"),
        pytest.param("state: {n: 0}\n" + rule(), True, id="state"),
    ],
)
def test_rules_that_remember(text: str, expected: bool) -> None:
    assert remembers(ruleset(text)) is expected


def test_topics_of_the_state_are_what_nobody_keeps() -> None:
    assert topics(ruleset("state: {n: 0, a: {mqtt: x/y}}\n" + rule())) == {"a": "x/y"}


# --- The comparison --------------------------------------------------------------------------


def past(
    number: int, at_s: float, fired: set[str] | None, verdicts: str = "", **fields: Any
) -> Past:
    came = Moment(boot="b", uptime_s=at_s, wall_s=NOON_S + at_s)
    fields = {"call_id": f"{number}.1"} | fields
    known = None if fired is None else frozenset(fired)
    return Past(id=number, came=came, event=event(**fields), fired=known, verdicts=verdicts)


def compared(text: str, *pasts: Past, span: Span | None = None) -> tuple[Comparison, list[str]]:
    """The comparison at its end, and its differences, each as a line."""
    rules = ruleset(text)
    told: list[Difference] = []
    comparison = Comparison(rules, span or Span(), told.append)
    replay(pasts, player(rules), comparison)
    return comparison, [_line(one, rules) for one in told]


def _line(one: Difference, rules: RuleSet) -> str:
    at = "" if one.fired_s is None else f" at {one.fired_s - NOON_S:g}"
    mark = "+" if one.now else "-"
    return f"{mark}{one.rule} {one.past.id}{at}: {why(one, rules, rows.verdicts)}"


RING = rule("{event: ring, extension: 101}")


def test_a_rule_that_fires_as_it_did_makes_no_difference() -> None:
    comparison, lines = compared(RING, past(1, 0, {"r"}, extension="101"), past(2, 1, set()))
    assert lines == []
    counts = comparison.counts
    assert (counts.events, counts.known, counts.then, counts.now) == (2, 2, {"r": 1}, {"r": 1})
    assert (counts.first_s, counts.last_s) == (NOON_S, NOON_S + 1)


@pytest.mark.parametrize(
    ("text", "came", "line"),
    [
        pytest.param(RING, past(1, 0, set(), extension="101"),
                     "+r 1 at 0: it was not near, or did not exist", id="more than then"),
        pytest.param(RING, past(1, 0, set(), '[["r",false,[["caller","5"]]]]', extension="101",
                                caller="6"),
                     "+r 1 at 0: caller is 6, wanted 5", id="as it was stored then"),
        pytest.param(RING, past(1, 0, {"r"}, extension="102", event="bye"),
                     "-r 1: event is bye, wanted ring, and extension is 102, wanted 101",
                     id="less than then, and not near"),
        pytest.param(rule("{event: ring}") + "  conditions: {caller: 5}\n",
                     past(1, 0, {"r"}, caller="6"), "-r 1: caller is 6, wanted 5",
                     id="less than then, by its conditions"),
        pytest.param(RING, past(1, 0, {"old"}), f"-old 1: {GONE}", id="a rule that is gone"),
    ],
)  # fmt: skip
def test_a_difference_tells_why(text: str, came: Past, line: str) -> None:
    assert compared(text, came)[1] == [line]


WAITING = rule("{event: ring, for: 20s}")


@pytest.mark.parametrize(
    ("pasts", "lines"),
    [
        pytest.param([past(1, 0, {"r"})], [], id="it fires as it did"),
        pytest.param([past(1, 0, set())], ["+r 1 at 20: it was not near, or did not exist"],
                     id="it fires, and did not"),
        pytest.param([past(1, 0, {"r"}), past(2, 19, set(), event="bye", call_id="1.1")],
                     ["-r 1: bye came in time"], id="it is ended, and fired then"),
        pytest.param([past(1, 0, set()), past(2, 19, set(), event="bye", call_id="1.1")], [],
                     id="it is ended, as then"),
        pytest.param([past(1, 0, {"r"}), past(2, 20, set(), event="bye", call_id="1.1")], [],
                     id="what is due at a moment goes before an event of it"),
        pytest.param([past(1, 0, None)], [], id="nobody knows what it did"),
    ],
)  # fmt: skip
def test_a_for_counts_with_the_event_that_began_it(pasts: list[Past], lines: list[str]) -> None:
    comparison, found = compared(WAITING, *pasts)
    assert found == lines
    assert comparison.counts.now["r"] == (
        0 if len(pasts) == 2 and pasts[1].came.uptime_s < 20 else 1
    )


def test_what_would_wait_still_does_not_fire() -> None:
    rules = ruleset(WAITING)
    told: list[Difference] = []
    comparison = Comparison(rules, Span(), told.append)
    plays, came = player(rules), past(1, 0, {"r"})
    comparison.decided(came, plays.take(came.event, 1))
    comparison.finish()
    assert [_line(one, rules) for one in told] == [f"-r 1: {WAITS}"]


def test_only_what_lies_between_counts_and_the_rest_is_remembered() -> None:
    text = rule("{event: ring}") + "  cooldown: 1m\n"
    pasts = [past(n, 30.0 * n, set()) for n in range(5)]
    comparison, lines = compared(text, *pasts, span=Span(from_s=NOON_S + 30, to_s=NOON_S + 90))
    assert comparison.counts.events == 2
    assert lines == ["+r 2 at 60: it was not near, or did not exist"]
    assert comparison.counts.since_s == NOON_S


def test_a_for_that_began_in_time_is_followed_to_its_end() -> None:
    pasts = [past(1, 0, {"r"}), past(2, 10, {"r"}), past(3, 15, set(), event="bye", call_id="1.1")]
    comparison, lines = compared(WAITING, *pasts, span=Span(to_s=NOON_S + 5))
    assert lines == ["-r 1: bye came in time"]
    assert comparison.counts.events == 1


def test_where_nobody_knows_what_fired_only_today_is_counted() -> None:
    comparison, lines = compared(RING, past(1, 0, None, extension="101"))
    assert lines == []
    assert (comparison.counts.known, comparison.counts.now) == (0, {"r": 1})
