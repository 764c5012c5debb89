"""What lasts over kill -9 and over new rules: the daemon, a broker and a subscriber, all real."""

import random
import re
import signal
import sqlite3
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

from tests.processes import Daemon, Home, Mosquitto, Subscriber, retain, until, wait_until


@pytest.fixture(scope="module")
def broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Mosquitto]:
    """One broker for all tests that leave it up."""
    with Mosquitto(tmp_path_factory.mktemp("broker")) as running:
        yield running


@contextmanager
def house(folder: Path, broker: Mosquitto, rules: str) -> Iterator[tuple[Home, Subscriber]]:
    """A daemon's folder with *rules*, and who sees what it sends."""
    with Subscriber(broker, folder / "sub.log") as subscriber:
        yield Home(folder, rules, mqtt={"url": broker.url}), subscriber


def said(subscriber: Subscriber) -> list[str]:
    """What came, each message as topic and payload; what came twice with its id, once."""
    told = {(m.properties, f"{m.topic} {m.payload}".strip()): None for m in subscriber.messages}
    return [text for _, text in told]


def wait_said(subscriber: Subscriber, *texts: str) -> None:
    """Return when each of *texts* came; they may not come in another order."""

    def all_came() -> bool:
        return [text for text in said(subscriber) if text in texts] == list(texts)

    wait_until(all_came, f"{texts} of {said(subscriber)}")


def actions(home: Home, rule: str) -> list[tuple[str, str, str]]:
    """What ``pbxrules events`` tells of a rule's actions: action, state and reason."""
    return [(a["action"], a["state"], a["reason"]) for a in home.actions(rule)]


# --- what a run was doing --------------------------------------------------------------------


def test_a_delay_goes_on_where_it_was(tmp_path: Path, broker: Mosquitto) -> None:
    rules = """
rules:
  - id: light
    triggers: {event: ring}
    actions:
      - mqtt: {topic: light, payload: "ON"}
      - delay: 3s
      - mqtt: {topic: light, payload: "OFF"}
"""
    with house(tmp_path, broker, rules) as (home, subscriber):
        with home.serving() as daemon:
            daemon.ring()
            begun = time.monotonic()
            wait_until(lambda: actions(home, "light")[1:], "the delay on disk")
        until(begun + 1.5)
        again = time.monotonic()
        with home.serving():
            wait_said(subscriber, "light ON", "light OFF")
            ended = time.monotonic()
    assert ended - begun >= 3.0
    assert ended - again < 3.0  # what it would take anew


def test_a_delay_that_ended_while_nobody_ran_is_over_at_the_start(
    tmp_path: Path, broker: Mosquitto
) -> None:
    rules = """
rules:
  - id: light
    triggers: {event: ring}
    actions: [{delay: 2s}, {mqtt: {topic: light, payload: "OFF"}}]
"""
    with house(tmp_path, broker, rules) as (home, subscriber):
        with home.serving() as daemon:
            daemon.ring()
            begun = time.monotonic()
        until(begun + 2.0)
        with home.serving():
            ready = time.monotonic()
            wait_said(subscriber, "light OFF")
            assert time.monotonic() - ready < 1.8  # less than anew


def test_a_for_and_a_wait_end_after_the_start_unless_their_call_tells_first(
    tmp_path: Path, broker: Mosquitto
) -> None:
    rules = """
rules:
  - id: waits
    triggers: {event: ring, for: 1s}
    actions: [{mqtt: {topic: waits, payload: "{{ extension }}"}}]
  - id: siren
    triggers: {event: ring}
    actions:
      - mqtt: {topic: siren, payload: "ON {{ extension }}"}
      - wait_for: {event: answer}
        timeout: 1s
        register: answer
    finally: [{mqtt: {topic: "off/{{ extension }}", payload: "{{ answer.timed_out }}"}}]
"""
    with house(tmp_path, broker, rules) as (home, subscriber):
        with home.serving() as daemon:
            daemon.ring(extension="101", caller="102", call_id="1774746000.1")
            daemon.ring(extension="103", caller="104", call_id="1774746000.5")
            wait_until(lambda: len(home.actions("siren")) == 4, "both wait")
        with home.serving() as daemon:
            # The PBX did not see its report answered, and sends it to the one that is there.
            daemon.report("answer", extension="103", caller="104", call_id="1774746000.5")
            wait_said(subscriber, "off/103 false", "off/101 true")
            wait_said(subscriber, "waits 101")
    assert "waits 103" not in said(subscriber)
    assert ("for", "dropped", "answer came in time") in actions(home, "waits")


SIREN = """
rules:
  - id: siren
    triggers: {event: ring}
    actions:
      - mqtt: {topic: siren, payload: "ON"}
      - wait_for: {event: [answer, bye]}
        timeout: 10m
    finally: [{mqtt: {topic: siren, payload: "OFF {{ outcome }}"}}]
"""
CALL = {"extension": "101", "caller": "102", "direction": "inbound", "call_id": "1774746000.1"}


def test_the_siren_that_was_on_gets_its_off_after_kill_9(tmp_path: Path, broker: Mosquitto) -> None:
    with house(tmp_path, broker, SIREN) as (home, subscriber):
        with home.serving() as daemon:
            daemon.ring(**CALL)
            wait_until(lambda: actions(home, "siren")[1:], "it waits")
            wait_said(subscriber, "siren ON")
        with home.serving() as daemon:
            daemon.report("answer", **CALL)
            wait_said(subscriber, "siren ON", "siren OFF done")
    assert said(subscriber) == ["siren ON", "siren OFF done"]


def test_the_siren_gets_its_off_though_the_kill_came_before_the_on_was_written_down(
    tmp_path: Path, broker: Mosquitto
) -> None:
    with house(tmp_path, broker, SIREN) as (home, subscriber):
        with home.serving() as daemon:
            sent_but_not_written_down(home, daemon, broker, subscriber)
        assert actions(home, "siren")[0][1] == "owed"
        with home.serving() as daemon:
            wait_until(lambda: actions(home, "siren")[1:], "it waits")
            daemon.report("bye", **CALL)
            wait_said(subscriber, "siren ON", "siren OFF done")
    assert subscriber.messages[-1].payload == "OFF done"


def sent_but_not_written_down(
    home: Home, daemon: Daemon, broker: Mosquitto, subscriber: Subscriber
) -> float:
    """When it rang, by the monotonic clock, and the daemon was killed at the worst moment.

    Its ON was sent, but what became of that was not written down.
    """
    daemon.wait_logged("broker connected")
    broker.pause()
    daemon.ring(**CALL)
    rang = time.monotonic()
    with closing(sqlite3.connect(home.state / "pbxrules.db")) as other:
        other.execute("BEGIN IMMEDIATE")  # it can write no more
        broker.resume()
        wait_said(subscriber, "siren ON")
        daemon.kill()
    return rang


def test_promise_4_an_action_that_may_have_been_tried_owes_its_finally_though_it_expires(
    tmp_path: Path, broker: Mosquitto
) -> None:
    rules = SIREN.replace('payload: "ON"}', 'payload: "ON"}\n        expires: 2s')
    with house(tmp_path, broker, rules) as (home, subscriber):
        with home.serving() as daemon:
            rang = sent_but_not_written_down(home, daemon, broker, subscriber)
        until(rang + 2.0)
        with home.serving():
            wait_said(subscriber, "siren ON", "siren OFF expired")
            home.wait_settled(2)
    assert [action[1] for action in actions(home, "siren")] == ["expired", "done"]


def test_promise_4_finally_outlasts_a_broker_that_is_away_longer_than_actions_may_be_late(
    tmp_path: Path,
) -> None:
    rules = SIREN + "    expires: 500ms\n"
    keeping = ("persistence true", f"persistence_location {tmp_path}/")
    with (
        Mosquitto(tmp_path, *keeping) as broker,
        Subscriber(broker, tmp_path / "sub.log", name="test") as subscriber,
    ):
        home = Home(tmp_path, rules, mqtt={"url": broker.url})
        with home.serving() as daemon:
            daemon.wait_logged("broker connected")
            daemon.ring(**CALL)
            wait_said(subscriber, "siren ON")
            wait_until(lambda: actions(home, "siren")[1:], "it waits")
            broker.stop()
            daemon.report("bye", **CALL)
            away = time.monotonic()
            wait_until(lambda: actions(home, "siren")[-1][1] == "owed", "its OFF is owed")
            daemon.kill()
        with home.serving():
            until(away + 1.5)
            broker.start()
            wait_said(subscriber, "siren ON", "siren OFF done")


# --- what is remembered ------------------------------------------------------------------------

REMEMBERED = """
state: {n: 0}
rules:
  - {id: cooldown, triggers: {event: ring}, cooldown: 1m, actions: [{mqtt: {topic: cooldown}}]}
  - {id: once, triggers: {event: ring}, once_per: call, actions: [{mqtt: {topic: once}}]}
  - id: count
    triggers: {event: ring, count: {at_least: 3, within: 5m}}
    actions: [{mqtt: {topic: count, payload: "{{ extension }}"}}]
  - id: state
    triggers: {event: ring}
    actions: [{set: {n: "{{ state.n + 1 }}"}}, {mqtt: {topic: state, payload: "{{ state.n }}"}}]
  - id: single
    triggers: {event: ring}
    mode: single
    actions: [{mqtt: {topic: single}}, {delay: 1m}]
"""


def test_what_is_remembered_holds_over_kill_9(tmp_path: Path, broker: Mosquitto) -> None:
    rings = (
        {"extension": "101", "call_id": "1774746000.1"},
        {"extension": "102", "call_id": "1774746060.5"},
        {"extension": "103", "call_id": "1774746000.1"},  # of the first call
        {"extension": "104", "call_id": "1774746120.9"},
    )
    with house(tmp_path, broker, REMEMBERED) as (home, subscriber):
        for number, ring in enumerate(rings, 1):
            with home.serving() as daemon:
                daemon.ring(**ring, caller="109")
                wait_said(subscriber, *(f"state {n}" for n in range(1, number + 1)))
                wait_until(lambda: all(a["state"] != "owed" for a in home.actions()), "all done")
    assert sorted(said(subscriber)) == [
        "cooldown", "count 104", "once", "once", "once",
        "single", "state 1", "state 2", "state 3", "state 4",
    ]  # fmt: skip


def test_a_queued_run_starts_after_the_one_before_it_and_no_earlier(
    tmp_path: Path, broker: Mosquitto
) -> None:
    rules = """
rules:
  - id: queued
    triggers: {event: ring}
    mode: queued
    actions:
      - mqtt: {topic: begin, payload: "{{ extension }}"}
      - delay: 1500ms
      - mqtt: {topic: end, payload: "{{ extension }}"}
"""
    with house(tmp_path, broker, rules) as (home, subscriber):
        with home.serving() as daemon:
            for extension in ("101", "102", "103"):
                daemon.ring(extension=extension, caller="109")
            wait_said(subscriber, "begin 101")
        shown = home.command("events").stdout
        with home.serving() as daemon:
            wait_said(subscriber, "begin 101", "end 101", "begin 102")
        with home.serving():
            wait_said(subscriber, "begin 101", "end 101", "begin 102", "end 102", "begin 103")
    assert shown.count("queued start waits for the run before it to end") == 2


# --- new rules -------------------------------------------------------------------------------

OLD = """
rules:
  - id: waits
    triggers: {event: ring, for: 10m}
    actions: [{mqtt: {topic: waits}}]
  - id: kept
    triggers: {event: ring, for: 10m}
    actions: [{mqtt: {topic: kept}}]
  - id: begun
    triggers: {event: ring}
    actions:
      - mqtt: {topic: begun, payload: "1"}
      - wait_for: {event: bye}
      - mqtt: {topic: begun, payload: old}
  - id: removed
    triggers: {event: ring}
    actions: [{mqtt: {topic: removed, payload: "ON"}}, {wait_for: {event: bye}}]
    finally: [{mqtt: {topic: removed, payload: "OFF"}}]
"""
NEW = """
rules:
  - id: waits
    triggers: {event: ring, for: 20m}
    actions: [{mqtt: {topic: waits}}]
  - id: kept
    triggers: {event: ring, for: 10m}
    actions: [{mqtt: {topic: kept}}]
  - id: begun
    triggers: {event: ring}
    actions: [{mqtt: {topic: begun, payload: new}}]
"""


@pytest.mark.parametrize(
    "again", [pytest.param(False, id="by a reload"), pytest.param(True, id="by a kill and a start")]
)
def test_new_rules_drop_a_for_of_a_changed_rule_and_leave_begun_runs_as_they_were(
    again: bool, tmp_path: Path, broker: Mosquitto
) -> None:
    with house(tmp_path, broker, OLD) as (home, subscriber):
        daemon = home.start().wait_ready()
        with daemon.ended_if_it_fails():
            daemon.ring(**CALL)
            wait_until(lambda: len(home.actions()) == 6, "all wait")
            home.write_rules(NEW)
            if again:
                daemon.kill()
            else:
                daemon.signal(signal.SIGHUP)
                daemon.wait_logged("reloaded")
        with home.serving() if again else daemon as daemon:
            why = "its rule was changed or removed while it waited"
            wait_until(lambda: actions(home, "waits") == [("for", "dropped", why)], "it is dropped")
            shown = home.command("events").stdout
            daemon.report("bye", **CALL)
            wait_said(subscriber, "removed ON", "removed OFF")
            wait_said(subscriber, "begun 1", "begun old")
    assert f"→ waits for dropped {why}\n" in shown
    assert re.search("→ kept for waits until .*\n", shown)
    assert re.search("→ begun wait_for waits until .*\n", shown)


# --- a broker that is down -------------------------------------------------------------------


def test_what_a_broker_that_is_down_let_expire_does_not_come_late(tmp_path: Path) -> None:
    rules = """
rules:
  - id: lamp
    triggers: {event: ring}
    expires: 1s
    actions: [{mqtt: {topic: lamp, payload: "{{ extension }}"}}]
"""
    keeping = ("persistence true", f"persistence_location {tmp_path}/")
    with (
        Mosquitto(tmp_path, *keeping) as broker,
        Subscriber(broker, tmp_path / "sub.log", name="test") as subscriber,
    ):
        home = Home(tmp_path, rules, mqtt={"url": broker.url})
        with home.serving() as daemon:
            daemon.wait_logged("broker connected")
            broker.stop()
            daemon.ring(extension="101", caller="109")
            home.wait_settled(1)
            daemon.ring(extension="102", caller="109")
        with home.serving() as daemon:
            home.wait_settled(2)
            broker.start()
            daemon.wait_logged("broker connected")
            daemon.ring(extension="103", caller="109")
            wait_said(subscriber, "lamp 103")
            home.wait_settled(3)
    assert said(subscriber) == ["lamp 103"]
    assert [state for _, state, _ in actions(home, "lamp")] == ["expired", "expired", "done"]


# --- state of the broker's -------------------------------------------------------------------


def test_a_retained_message_its_change_and_its_removal_decide(
    tmp_path: Path, broker: Mosquitto
) -> None:
    rules = """
state: {armed: {mqtt: home/armed}}
rules:
  - id: alarm
    triggers: {event: ring}
    conditions: [{state: {armed: "true"}}]
    actions: [{mqtt: {topic: seen, payload: "alarm, armed is {{ state.armed }}"}}]
  - id: says
    triggers: {event: ring}
    conditions: [{not: {state: {armed: "true"}}}]
    actions: [{mqtt: {topic: seen, payload: "no alarm, armed is {{ state.armed }}"}}]
"""

    def ring_until(daemon: Daemon, text: str) -> None:
        """Ring until the daemon has what the broker told, which it acknowledges to nobody."""

        def rings() -> bool:
            before = len(subscriber.messages)
            daemon.ring(extension="101", caller="109")
            subscriber.wait_messages(before + 1)
            return subscriber.messages[-1].payload == text

        wait_until(rings, text)

    with house(tmp_path, broker, rules) as (home, _):
        retain(broker, "home/armed", "true")
        with (
            Subscriber(broker, tmp_path / "seen.log", "seen") as subscriber,
            home.serving() as daemon,
        ):
            ring_until(daemon, "alarm, armed is true")
            retain(broker, "home/armed", "false")
            ring_until(daemon, "no alarm, armed is false")
            retain(broker, "home/armed", "true")
            ring_until(daemon, "alarm, armed is true")
            daemon.kill()
            retain(broker, "home/armed", "")
            with home.serving() as again:
                again.wait_logged("broker connected")
                ring_until(again, "no alarm, armed is null")
                retain(broker, "home/armed", "true")
                ring_until(again, "alarm, armed is true")
                retain(broker, "home/armed", "")
                ring_until(again, "no alarm, armed is null")


# --- kill -9 at any moment -------------------------------------------------------------------


def test_promise_4_kill_9_at_any_moment_leaves_the_siren_off_at_last(
    tmp_path: Path, broker: Mosquitto
) -> None:
    rules = """
rules:
  - id: siren
    triggers: {event: ring}
    expires: 10m
    actions:
      - mqtt: {topic: siren, payload: "ON"}
      - repeat:
          count: 12
          do:
            - parallel: [{mqtt: {topic: beep}}, {mqtt: {topic: blink}}]
            - if: {extension: 101}
              then: [{delay: 80ms}]
      - wait_for: {event: bye}
    finally:
      - mqtt: {topic: siren, payload: "OFF"}
"""
    seed = random.SystemRandom().getrandbits(32)
    moments = random.Random(seed)  # noqa: S311 - to be had again from its seed
    with house(tmp_path, broker, rules) as (home, subscriber):
        with home.serving() as daemon:
            daemon.ring(**CALL)
        for _ in range(10):
            with home.start() as daemon:
                if moments.random() < 0.8:
                    daemon.wait_ready()
                until(time.monotonic() + moments.random() * 0.3)
        with home.serving() as daemon:
            daemon.report("bye", **CALL)
            wait_until(lambda: "siren OFF" in said(subscriber), "its OFF")
            settled = home.wait_settled(26)
    told = said(subscriber)
    assert {action["state"] for action in settled} == {"done"}, f"seed {seed}"
    assert told[0] == "siren ON", f"seed {seed}: {told}"
    assert told[-1] == "siren OFF", f"seed {seed}: {told}"
    assert (told.count("beep"), told.count("blink")) == (12, 12), f"seed {seed}: {told}"
    assert subscriber.messages[-1].payload == "OFF"
