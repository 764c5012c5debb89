"""MQTT, with a real mosquitto where it can do what is asked, else with a broker of our own."""

import asyncio
import contextlib
import itertools
import json
import shutil
import signal
import socket
import subprocess
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.reasoncodes import ReasonCode

from pbxrules.actions.mqtt import Mqtt, MqttSettings
from pbxrules.model import Done, GiveUp, TryAgain
from tests.deliveries import delivery
from tests.fake_broker import MAXIMUM_PACKET_SIZE, RECEIVE_MAXIMUM, FakeBroker, Published, connack
from tests.processes import (
    PATIENCE_S,
    Home,
    Message,
    Mosquitto,
    Subscriber,
    free_port,
    retained,
    wait_until,
    with_sbin,
)

STATUS = "pbxrules/status"
EACH_CALL = """
rules:
  - id: call
    triggers: {event: ring}
    expires: never
    actions: [{mqtt: {topic: "calls/{{ caller }}", payload: "{{ callee }}"}}]
"""


def callers(count: int) -> list[str]:
    return [f"030{number}" for number in range(count)]


def delivery_ids(messages: list[Message]) -> dict[str, set[str]]:
    """By topic."""
    ids: dict[str, set[str]] = {}
    for message in messages:
        ids.setdefault(message.topic, set()).add(message.properties)
    return ids


# --- what arrives ----------------------------------------------------------------------------

LAMPS = """
rules:
  - id: lamps
    triggers: {event: ring, extension: 101}
    actions:
      - mqtt: {topic: "home/{{ extension }}/lamp", payload: "ON"}
      - mqtt: {topic: home/json, payload: {by: "{{ caller }}", times: 3, line: "{{ trunk }}"}}
      - mqtt: {topic: home/kept, payload: "{{ caller }} ruft an ☎", qos: 2, retain: true}
      - mqtt: {topic: home/at-most-once, qos: 0}
        expires: never
"""


@pytest.mark.parametrize(
    "version",
    [pytest.param(None, id="MQTT 5 by itself"), pytest.param("3.1.1", id="3.1.1 if told")],
)
def test_a_ring_becomes_messages(version: str | None, tmp_path: Path) -> None:
    with Mosquitto(tmp_path) as broker, Subscriber(broker, tmp_path / "sub.log") as subscriber:
        mqtt = {"url": broker.url} | ({"protocol": version} if version else {})
        home = Home(tmp_path, LAMPS, mqtt=mqtt)
        with home.serving() as daemon:
            daemon.ring(extension="101", caller="+4930123", direction="internal")
            home.wait_settled(4)
            # What is owed to the subscriber with QoS 2 takes longer than a QoS 0 behind it.
            came = {message.topic: message for message in subscriber.wait_messages(4)}
        connected = daemon.entries("broker connected")
        kept_text = retained(broker, "home/kept")

    topics = ["home/101/lamp", "home/json", "home/kept", "home/at-most-once"]
    lamp, as_json, kept, at_most_once = (came[topic] for topic in topics)
    assert [entry["version"] for entry in connected] == [version or "5"]
    assert (lamp.payload, lamp.qos) == ("ON", 1)
    assert json.loads(as_json.payload) == {"by": "+4930123", "times": 3, "line": None}
    assert (kept.payload, kept.qos, kept_text) == ("+4930123 ruft an ☎", 2, kept.payload)
    assert (at_most_once.payload, at_most_once.qos) == ("", 0)
    if version:
        assert {(m.expiry_s, m.properties) for m in (lamp, kept)} == {(None, "")}
        return
    assert lamp.expiry_s in (59, 60)
    assert at_most_once.expiry_s is None
    ids = [message.properties for message in (lamp, as_json, kept, at_most_once)]
    store, event, _ = ids[0].removeprefix("delivery_id:").split("-")
    assert len(store) == 12
    assert ids == [f"delivery_id:{store}-{event}-actions.{place}" for place in range(4)]


def test_promise_7_no_text_of_a_call_changes_a_topic_or_keeps_it_from_the_broker(
    tmp_path: Path,
) -> None:
    caller = "\u00a0\u200bMüller/#+\u202e\x00$"
    with Mosquitto(tmp_path) as broker, Subscriber(broker, tmp_path / "sub.log") as subscriber:
        home = Home(tmp_path, EACH_CALL, mqtt={"url": broker.url})
        with home.serving() as daemon:
            daemon.ring(caller=caller, extension="101", direction="internal")
            (message,) = subscriber.wait_messages(1)
    assert message.topic == "calls/\u00a0\u200bMüller%2F%23%2B\u202e%00%24"


def test_a_broker_behind_websockets_is_spoken_to_as_well(tmp_path: Path) -> None:
    port = free_port()
    second = (f"listener {port} 127.0.0.1", "protocol websockets")
    with (
        Mosquitto(tmp_path, *second) as broker,
        Subscriber(broker, tmp_path / "sub.log") as subscriber,
    ):
        home = Home(tmp_path, EACH_CALL, mqtt={"url": f"ws://127.0.0.1:{port}/mqtt"})
        with home.serving() as daemon:
            daemon.ring(caller="0301", callee="101", extension="101", direction="internal")
            (message,) = subscriber.wait_messages(1)
    assert (message.topic, message.payload) == ("calls/0301", "101")


def test_without_a_broker_a_message_is_given_up_with_the_reason() -> None:
    async def main() -> None:
        mqtt = Mqtt(None, lambda: None)
        mqtt.start()
        outcome = await mqtt.perform(delivery("mqtt", {"topic": "lamp"}))
        await mqtt.close()
        assert outcome == GiveUp(reason="no broker is configured (mqtt: url)")

    asyncio.run(main())


# --- the broker is away ------------------------------------------------------------------------


def keeping(folder: Path) -> tuple[str, ...]:
    """The lines by which a broker keeps sessions and messages over its end."""
    return (
        "persistence true",
        f"persistence_location {folder}/",
        "autosave_interval 1",
        "autosave_on_changes true",
    )


def test_what_came_while_the_broker_was_down_arrives_once(tmp_path: Path) -> None:
    home_folder = tmp_path / "home"
    home_folder.mkdir()
    with (
        Mosquitto(tmp_path, *keeping(tmp_path)) as broker,
        Subscriber(broker, tmp_path / "sub.log", name="test") as subscriber,
    ):
        broker.stop()
        home = Home(home_folder, EACH_CALL, mqtt={"url": broker.url})
        with home.serving() as daemon:
            daemon.wait_logged("no broker")
            for caller in callers(150):
                daemon.ring(caller=caller, extension="101", direction="internal")
            broker.start()
            home.wait_settled(150)
            messages = subscriber.wait_messages(150)
    assert [m.topic for m in messages] == [f"calls/{caller}" for caller in callers(150)]


def test_nothing_is_lost_over_a_restart_of_the_broker(tmp_path: Path) -> None:
    with Mosquitto(tmp_path, *keeping(tmp_path)) as broker:
        home = Home(tmp_path, EACH_CALL, mqtt={"url": broker.url})
        with (
            home.serving() as daemon,
            Subscriber(broker, tmp_path / "sub.log", "calls/#", name="test") as subscriber,
        ):
            daemon.wait_logged("broker connected")
            numbers = iter(callers(400))
            for caller in itertools.islice(numbers, 100):
                daemon.ring(caller=caller, extension="101", direction="internal")
            broker.stop()
            # Their connections get the descriptor of the one that was lost.
            for caller in itertools.islice(numbers, 200):
                daemon.ring(caller=caller, extension="101", direction="internal")
            broker.start()
            for caller in numbers:
                daemon.ring(caller=caller, extension="101", direction="internal")
            home.wait_settled(400)
            subscriber.wait_messages(400)
            wanted = {f"calls/{caller}" for caller in callers(400)}
            wait_until(lambda: wanted <= {m.topic for m in subscriber.messages}, "all messages")
    assert all(len(ids) == 1 for ids in delivery_ids(subscriber.messages).values())
    versions = [entry["version"] for entry in daemon.entries("broker connected")]
    assert versions == ["5", "5"]


def test_what_expired_while_the_broker_was_away_does_not_come_late(tmp_path: Path) -> None:
    rules = EACH_CALL.replace("never", "1s") + (
        "  - id: late\n    triggers: {event: bye}\n    actions: [{mqtt: {topic: late}}]\n"
    )
    with Mosquitto(tmp_path) as broker, Subscriber(broker, tmp_path / "sub.log") as subscriber:
        home = Home(tmp_path, rules, mqtt={"url": broker.url})
        with home.serving() as daemon:
            daemon.wait_logged("broker connected")
            broker.kill()
            for caller in callers(20):
                daemon.ring(caller=caller, extension="101", direction="internal")
            expired = home.wait_settled(20)
            broker.start()
            wait_until(lambda: subscriber.text.count("Subscribed (mid: ") == 2, "subscribed again")
            daemon.report("bye", extension="101")
            messages = subscriber.wait_messages(1)
    assert {(action["state"], action["attempts"]) for action in expired} == {("expired", 0)}
    assert {action["reason"] for action in expired} == {"not done within 1 s, never tried"}
    assert [message.topic for message in messages] == ["late"]


# --- its status --------------------------------------------------------------------------------


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGTERM])
def test_the_status_is_online_while_it_runs_and_offline_after(
    how: signal.Signals, tmp_path: Path
) -> None:
    with Mosquitto(tmp_path) as broker:
        home = Home(tmp_path, EACH_CALL, mqtt={"url": broker.url})
        with home.serving() as daemon:
            wait_until(lambda: retained(broker, STATUS) == "online", "online")
            daemon.signal(how)
            daemon.wait()
            wait_until(lambda: retained(broker, STATUS) == "offline", "offline")
    assert not [entry for entry in daemon.entries() if entry["level"] != "info"]


# --- a broker that refuses ---------------------------------------------------------------------


def test_a_wrong_password_is_said_in_plain_words_and_tried_again(tmp_path: Path) -> None:
    passwords = tmp_path / "passwords"
    write_password(passwords, "pbx", "another")
    broker = Mosquitto(tmp_path, f"password_file {passwords}")
    secret = tmp_path / "secret"
    secret.write_text("one-of-mine\n")
    mqtt = {"url": broker.url, "username": "pbx", "password": {"file": str(secret)}}
    home = Home(tmp_path, EACH_CALL, mqtt=mqtt)
    with broker, home.serving() as daemon:
        daemon.ring(caller="0301", extension="101", direction="internal")
        first = daemon.wait_logged("no broker")
        daemon.wait_logged("no broker", 3)
        write_password(passwords, "pbx", "one-of-mine")
        broker.child.signal(signal.SIGHUP)
        daemon.wait_logged("broker connected")
        (action,) = home.wait_settled(1)
    assert first["reason"] == "Not authorized"
    assert first["level"] == "warning"
    assert [entry["level"] for entry in daemon.entries("no broker")[1:3]] == ["info", "info"]
    assert action["state"] == "done"
    assert "one-of-mine" not in daemon.text


def write_password(file: Path, user: str, password: str) -> None:
    program = shutil.which("mosquitto_passwd", path=with_sbin()["PATH"])
    assert program
    subprocess.run(
        [program, "-b", *([] if file.exists() else ["-c"]), file, user, password], check=True
    )
    file.chmod(0o644)


# --- a broker that does what mosquitto does not --------------------------------------------------


async def until(condition: Callable[[], object], what: str) -> None:
    """As ``wait_until``, while the loop goes on."""
    async with asyncio.timeout(PATIENCE_S):
        while not condition():
            await asyncio.sleep(0.01)
    assert condition(), what


@asynccontextmanager
async def connected(broker: FakeBroker, **settings: Any) -> AsyncIterator[Mqtt]:
    """The action, connected to *broker*."""
    mqtt = Mqtt(MqttSettings(url=broker.url, client_id="test", **settings), lambda: None)
    mqtt.start()
    try:
        await until(mqtt.ready, "connected")
        yield mqtt
    finally:
        await mqtt.close()


class OldBroker(FakeBroker):
    """Knows only 3.1.1, and says so in the way of one of the brokers that are about."""

    def __init__(self, refusal: bytes | None) -> None:
        super().__init__()
        self._refusal = refusal

    def greet(self, version: int) -> bytes | None:
        return self._refusal if version == 5 else connack(version)


@pytest.mark.parametrize(
    "refusal",
    [
        pytest.param(b"\x20\x02\x00\x01", id="by the return code of 3.1.1"),
        pytest.param(b"\x20\x03\x00\x84\x00", id="by the reason code of 5"),
        pytest.param(b"", id="by closing"),
        pytest.param(None, id="by silence"),
    ],
)
def test_a_broker_that_does_not_know_mqtt_5_is_spoken_to_in_3_1_1(
    refusal: bytes | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("pbxrules.actions.mqtt.CONNECT_TIMEOUT_S", 1.0)

    async def main(broker: FakeBroker) -> None:
        async with connected(broker) as mqtt:
            outcome = await mqtt.perform(delivery("mqtt", {"topic": "lamp", "payload": "ON"}))
        assert outcome == Done()

    with OldBroker(refusal) as broker:
        asyncio.run(main(broker))
        assert broker.versions == [5, 4]
        assert broker.messages == ["lamp"]


def test_a_pinned_version_is_the_only_one_tried(caplog: pytest.LogCaptureFixture) -> None:
    async def main(broker: FakeBroker) -> None:
        mqtt = Mqtt(MqttSettings(url=broker.url, client_id="test", protocol="5"), lambda: None)
        mqtt.start()
        await until(lambda: len(broker.versions) == 2, "tried twice")
        await mqtt.close()

    with caplog.at_level("INFO"), OldBroker(b"\x20\x02\x00\x01") as broker:
        asyncio.run(main(broker))
        assert broker.versions == [5, 5]
    fields = [getattr(record, "fields", {}) for record in caplog.records]
    assert fields[0] == {"broker": broker.url, "reason": "Unsupported protocol version"}


class Moody(FakeBroker):
    """Knows MQTT 5, and closes at one CONNECT, as one that is just going down."""

    def greet(self, version: int) -> bytes | None:
        return b"" if len(self.versions) == 2 else connack(version)


def test_a_broker_that_spoke_mqtt_5_is_not_taken_for_an_old_one() -> None:
    async def main(broker: FakeBroker) -> None:
        async with connected(broker):
            broker.drop()
            await until(lambda: len(broker.versions) == 3, "connected again")

    with Moody() as broker:
        asyncio.run(main(broker))
        assert broker.versions == [5, 5, 5]


class Mute(FakeBroker):
    """Acknowledges nothing but the status."""

    async def take(self, message: Published) -> bool | None:
        return True if message.topic == STATUS else None


def test_nothing_is_published_from_the_memory_of_a_lost_connection() -> None:
    async def main(broker: FakeBroker) -> None:
        async with connected(broker) as mqtt:
            lost = [
                asyncio.ensure_future(mqtt.perform(delivery("mqtt", {"topic": f"lost/{n}"})))
                for n in range(3)
            ]
            await until(lambda: len(broker.messages) == 3, "sent")
            broker.drop()
            outcomes = await asyncio.gather(*lost)
            assert outcomes == [TryAgain(reason="the connection was lost", at_once=True)] * 3
            early = await mqtt.perform(delivery("mqtt", {"topic": "too-early"}))
            assert early == TryAgain(reason="the broker is not there", at_once=True)
            await until(mqtt.ready, "connected again")
            asyncio.ensure_future(mqtt.perform(delivery("mqtt", {"topic": "marker"})))  # noqa: RUF006
            await until(lambda: "marker" in broker.messages, "the marker")

    with Mute() as broker:
        asyncio.run(main(broker))
        again = [message for message in broker.published if message.connection == 2]
    assert [message.topic for message in again][:2] == [STATUS, "marker"]
    assert not any(message.dup for message in broker.published)


# --- what the broker can take --------------------------------------------------------------------


class Strict(FakeBroker):
    """Takes three messages at once and hangs up at the fourth, as MQTT 5 4.9 wants it."""

    def greet(self, version: int) -> bytes | None:
        return connack(version, properties=bytes([RECEIVE_MAXIMUM, 0, 3]))

    async def take(self, message: Published) -> bool | None:
        # Reads on meanwhile: what is sent too early shows.  Longer than TCP's delayed ACK.
        await asyncio.sleep(0.2 if message.topic == STATUS else 0.02)
        return self.most_unacknowledged <= 3


def test_the_broker_s_receive_maximum_is_kept(tmp_path: Path) -> None:
    with Strict() as broker:
        home = Home(tmp_path, EACH_CALL, mqtt={"url": broker.url})
        with home.serving("--mqtt", "mqtt://127.0.0.1:1") as daemon:
            for caller in callers(40):
                daemon.ring(caller=caller, extension="101", direction="internal")
        with home.serving() as daemon:
            home.wait_settled(40)
    assert broker.most_unacknowledged == 3
    assert broker.messages == [f"calls/{caller}" for caller in callers(40)]


class Small(FakeBroker):
    """Takes packets of 200 bytes at most."""

    def greet(self, version: int) -> bytes | None:
        return connack(version, properties=bytes([MAXIMUM_PACKET_SIZE, 0, 0, 0, 200]))

    async def take(self, message: Published) -> bool | None:
        return message.size <= 200


def test_the_broker_s_maximum_packet_size_is_kept_to_the_byte() -> None:
    async def main(broker: FakeBroker) -> None:
        async with connected(broker) as mqtt:
            for length in range(100, 200):
                payload = "x" * length
                outcome = await mqtt.perform(
                    delivery("mqtt", {"topic": "lamp", "payload": payload})
                )
                if not isinstance(outcome, Done):
                    break
            size = max(message.size for message in broker.published)
            assert outcome == GiveUp(reason="201 bytes are more than the 200 that the broker takes")
            assert size == 200

    with Small() as broker:
        asyncio.run(main(broker))
        assert len(broker.versions) == 1


# --- a message that costs the connection ---------------------------------------------------------


class Touchy(FakeBroker):
    """Hangs up at one topic."""

    async def take(self, message: Published) -> bool | None:
        return message.topic != "calls/0307"


def test_a_message_that_costs_the_connection_twice_is_given_up_and_no_other(
    tmp_path: Path,
) -> None:
    with Touchy() as broker:
        home = Home(tmp_path, EACH_CALL, mqtt={"url": broker.url})
        with home.serving("--mqtt", "mqtt://127.0.0.1:1") as daemon:
            for caller in callers(20):
                daemon.ring(caller=caller, extension="101", direction="internal")
        with home.serving() as daemon:
            home.wait_settled(20)
            daemon.ring(caller="after", extension="101", direction="internal")
            home.wait_settled(21)
    failed = {
        event["fields"]["caller"]: action
        for event in home.events()
        for action in event["actions"]
        if action["state"] != "done"
    }
    assert list(failed) == ["0307"]
    assert failed["0307"]["state"] == "failed"
    assert failed["0307"]["reason"] == "the broker dropped the connection over it, twice"
    assert {f"calls/{caller}" for caller in [*callers(20), "after"]} == set(broker.messages)


class Babbling(FakeBroker):
    """Breaks the protocol at first."""

    def greet(self, version: int) -> bytes | None:
        return connack(version) if len(self.versions) > 1 else b"\x20\x03\x00\x00\xff"


def test_a_broker_that_breaks_the_protocol_is_one_that_is_not_there() -> None:
    async def main(broker: FakeBroker) -> None:
        async with connected(broker) as mqtt:
            assert await mqtt.perform(delivery("mqtt", {"topic": "lamp"})) == Done()

    with Babbling() as broker:
        asyncio.run(main(broker))
        assert broker.messages == ["lamp"]


# --- a broker that is gone and nobody said so ----------------------------------------------------


def test_a_connection_that_is_dead_and_open_is_noticed_by_its_silence() -> None:
    async def main(broker: FakeBroker) -> None:
        async with connected(broker, keepalive_s=1.0) as mqtt:
            broker.deaf = True
            await until(lambda: not mqtt.connected, "noticed")
            broker.deaf = False
            await until(mqtt.ready, "connected again")

    with FakeBroker() as broker:
        asyncio.run(main(broker))


def test_a_message_that_is_not_acknowledged_in_time_is_sent_over_a_new_connection(
    tmp_path: Path,
) -> None:
    rules = EACH_CALL.replace("}}]", "}, timeout: 1s}]")
    with Mosquitto(tmp_path) as broker, Subscriber(broker, tmp_path / "sub.log") as subscriber:
        home = Home(tmp_path, rules, mqtt={"url": broker.url})
        with home.serving() as daemon:
            daemon.wait_logged("broker connected")
            broker.pause()
            daemon.ring(caller="0301", extension="101", direction="internal")
            daemon.wait_logged("the broker does not acknowledge")
            daemon.wait_logged("broker lost")
            broker.resume()
            (action,) = home.wait_settled(1)
            messages = subscriber.wait_messages(1)
    assert action["state"] == "done"
    # The first try lay in the dead connection, and no one can take it back.
    assert len(delivery_ids(messages)["calls/0301"]) == 1


def test_the_end_comes_also_in_the_moment_of_the_broker_s_answer() -> None:
    async def main(broker: FakeBroker) -> None:
        mqtt = Mqtt(MqttSettings(url=broker.url, client_id="test"), lambda: None)
        mqtt.start()
        await until(lambda: broker.versions, "CONNECT")
        mqtt._connack.set_result(ReasonCode(PacketTypes.CONNACK, "Success"))
        closing = asyncio.ensure_future(mqtt.close())
        ended, _ = await asyncio.wait([closing], timeout=5)
        assert ended

    with OldBroker(None) as broker:
        asyncio.run(main(broker))


def test_whatever_breaks_a_connection_it_is_tried_again(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async def main() -> None:
        mqtt = Mqtt(MqttSettings(url="nothing://broker", client_id="test"), lambda: None)
        mqtt.start()
        broke = "the connection to the broker broke"
        await until(lambda: caplog.messages.count(broke) == 2, "two tries")
        await mqtt.close()

    asyncio.run(main())


def test_a_broker_that_never_ends_its_handshake_does_not_delay_the_end(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as broker:
        url = f"mqtts://127.0.0.1:{broker.getsockname()[1]}"
        home = Home(tmp_path, EACH_CALL, mqtt={"url": url})
        with home.serving() as daemon:
            peer, _ = broker.accept()
            with peer:
                assert peer.recv(1)
                assert daemon.stop(timeout_s=10) == 0


def test_a_broker_that_swallows_connections_delays_neither_reports_nor_the_end(
    tmp_path: Path,
) -> None:
    with contextlib.ExitStack() as sockets:
        broker = sockets.enter_context(socket.socket())
        broker.bind(("127.0.0.1", 0))
        broker.listen(0)
        for _ in range(4):  # no further SYN is answered
            filler = sockets.enter_context(socket.socket())
            filler.setblocking(False)  # noqa: FBT003 - its only parameter
            filler.connect_ex(broker.getsockname())
        home = Home(
            tmp_path, EACH_CALL, mqtt={"url": f"mqtt://127.0.0.1:{broker.getsockname()[1]}"}
        )
        with home.serving() as daemon:
            daemon.ring(caller="0301", extension="101", direction="internal")
            assert daemon.stop(timeout_s=10) == 0
    assert [action["state"] for action in home.actions()] == ["owed"]
