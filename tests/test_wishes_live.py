"""The twelve wishes, once with the real thing: a daemon, a broker and a subscriber.

The example rules are served from a copy in which minutes last a second and it is always night.
"""

import json
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import count
from pathlib import Path
from typing import ClassVar

import pytest

from pbxrules import shipped
from tests.processes import HOST, Daemon, Home, Mosquitto, Subscriber, retain, until, wait_until

FOLDER = shipped.folder("rules")
SHORTENED = {
    "timeout: 3m": "timeout: 1s",
    "for: 30s": "for: 1s",
    "for: 5m": "for: 1s",
    "dark: {after: 18:00, before: 07:00}": "dark: {after: 00:00}",
    "bedtime: {after: 22:30, before: 07:00}": "bedtime: {after: 00:00}",
}
TOKEN = "T0ken-of-the-duty"


class Duty(BaseHTTPRequestHandler):
    """The web service that is told of emergency calls."""

    told: ClassVar[list[tuple[str, str, object]]] = []

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self.told.append((self.path, self.headers["Authorization"], body))
        self.send_response(204)
        self.end_headers()

    def log_message(self, *_: object) -> None:
        """Says nothing."""


@dataclass(frozen=True, slots=True)
class House:
    """All of it, under way."""

    home: Home
    daemon: Daemon
    broker: Mosquitto
    subscriber: Subscriber
    calls: Iterator[int]

    def call(self) -> str:
        """The id of a call that is none of those before."""
        return f"17747{next(self.calls):05}.1"

    def payloads(self, topic: str) -> list[str]:
        """What came of *topic*; what came twice with its id, once."""
        told = {(m.properties, m.payload): m for m in self.subscriber.messages if m.topic == topic}
        return [message.payload for message in told.values()]

    def wait(self, topic: str, *payloads: str) -> None:
        """Return when these came of *topic*, and no others."""
        wait_until(
            lambda: self.payloads(topic)[: len(payloads)] == list(payloads),
            f"{payloads} of {topic}, only {self.payloads(topic)}",
        )
        assert self.payloads(topic) == list(payloads)


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    """One daemon for all wishes."""
    folder = tmp_path_factory.mktemp("house")
    keeping = ("persistence true", f"persistence_location {folder}/")
    with (
        ThreadingHTTPServer((HOST, 0), Duty) as duty,
        Mosquitto(folder, *keeping) as broker,
        Subscriber(broker, folder / "sub.log", name="house") as subscriber,
    ):
        thread = threading.Thread(target=duty.serve_forever)
        thread.start()
        secrets = {"duty": {"env": "DUTY_TOKEN"}}
        home = Home(folder, "rules: []", mqtt={"url": broker.url}, secrets=secrets)
        copy_rules(home.rules.parent, f"{HOST}:{duty.server_port}")
        try:
            with home.serving(env={"DUTY_TOKEN": TOKEN}) as daemon:
                daemon.wait_logged("broker connected")
                yield House(home, daemon, broker, subscriber, count(46_000, 100))
        finally:
            duty.shutdown()
            thread.join()


def copy_rules(folder: Path, service: str) -> None:
    """The example rules, quicker, and with the web *service* of this test."""
    shortened = set()
    for file in [*FOLDER.glob("*.yaml"), *(FOLDER / "emergency-call").glob("*.yaml")]:
        if file.name.endswith(".test.yaml"):
            continue
        text = file.read_text("utf-8").replace("127.0.0.1:9000", service)
        for usual, quick in SHORTENED.items():
            if usual in text:
                shortened.add(usual)
                text = text.replace(usual, quick)
        (folder / file.name).write_text(text, "utf-8")
    assert shortened == set(SHORTENED)


def test_1_a_siren_sounds_while_the_emergency_line_rings_and_the_caller_is_withheld(
    house: House,
) -> None:
    siren, call = "home/siren/set", house.call()
    house.daemon.report("ring", extension="0112", direction="inbound", caller="", call_id=call)
    house.wait(siren, '{"state": "ON", "by": "withheld"}')
    house.daemon.report("answer", extension="0112", direction="inbound", caller="", call_id=call)
    house.wait(siren, '{"state": "ON", "by": "withheld"}', '{"state": "OFF"}')


def test_2_each_room_has_its_lamp(house: House) -> None:
    for extension, lamp in (("102", "office"), ("106", "workshop")):
        house.daemon.ring(
            extension=extension, direction="inbound", caller="+4930999", call_id=house.call()
        )
        house.wait(f"home/{lamp}/lamp/flash", '{"times": 3, "caller": "+4930999"}')


def test_3_and_4_missed_calls_are_told_once_though_the_broker_was_away_and_counted_until_seen(
    house: House,
) -> None:
    missed, counter = "home/phone/missed", "home/phone/missed/count"
    call = {"direction": "inbound", "caller": "+4930777", "call_id": house.call()}
    house.broker.stop()
    house.daemon.ring(**call, extension="103")
    house.daemon.report("bye", **call, extension="103")
    house.daemon.report("cdr", **call, status="NO ANSWER")
    wait_until(lambda: house.home.actions("missed-call"), "it is owed")
    assert {action["state"] for action in house.home.actions("missed-call")} == {"owed"}
    house.broker.start()
    wait_until(lambda: house.payloads(missed), "the message")
    house.wait(counter, "1")
    (told,) = map(json.loads, house.payloads(missed))
    assert told["from"] == "+4930777"
    answered = call | {"call_id": house.call()}
    house.daemon.report("answer", **answered, extension="103")
    house.daemon.report("bye", **answered, extension="103")
    house.daemon.ring(**call | {"call_id": (second := house.call())}, extension="103")
    house.daemon.report("bye", **call | {"call_id": second}, extension="103")
    house.wait(counter, "1", "2")
    house.daemon.ring(direction="outbound", caller="102", callee="0301", call_id=house.call())
    house.daemon.ring(direction="outbound", caller="101", callee="0301", call_id=house.call())
    house.wait(counter, "1", "2", "0")
    assert len(house.payloads(missed)) == 2


def test_5_every_report_is_told_as_it_was_understood(house: House) -> None:
    house.daemon.report("transfer", extension="103", direction="internal", call_id=house.call())
    (told,) = map(json.loads, wait_until(lambda: house.payloads("pbx/transfer"), "the transfer"))
    assert (told["event"], told["extension"]) == ("transfer", "103")
    assert house.daemon.post(b'{"action": "Nonsense", "x": 1}').ok
    (other,) = map(json.loads, wait_until(lambda: house.payloads("pbx/other"), "the other one"))
    assert other["action"] == "Nonsense"


def test_6_the_door_phone_lights_the_door_and_a_second_ring_prolongs_it(house: House) -> None:
    light, begun = "home/door/light/set", time.monotonic()
    ring = {"caller": "200", "extension": "103", "direction": "internal"}
    house.daemon.ring(**ring, call_id=house.call())
    house.wait(light, "ON")
    until(begun + 0.5)
    house.daemon.ring(**ring, call_id=house.call())
    house.wait(light, "ON", "OFF")
    assert time.monotonic() - begun >= 1.5


def test_7_a_call_that_nobody_at_the_reception_takes_is_told_once(house: House) -> None:
    first, second = house.call(), house.call()
    for extension in ("110", "111", "112"):
        house.daemon.ring(
            extension=extension,
            direction="inbound",
            caller="+4930666",
            call_id=first,
        )
    house.daemon.report(
        "call_failed", extension="112", direction="inbound", caller="+4930666", reason="486",
        call_id=f"{first}2", trunk_call_id=first.replace(".1", ".0"),  # that of the rings too
    )  # fmt: skip
    house.daemon.ring(extension="110", direction="inbound", caller="+4930555", call_id=second)
    house.daemon.report(
        "answer", extension="110", direction="inbound", caller="+4930555", call_id=second
    )
    house.wait("home/hall/chime", "+4930666 waits at the reception")
    shown = [a["reason"] for a in house.home.actions("reception-unanswered") if a["reason"]]
    assert "answer came in time" in shown


def test_8_an_emergency_call_is_told_with_the_token_and_by_the_loudspeaker(house: House) -> None:
    house.daemon.ring(direction="outbound", caller="106", callee="112", call_id=house.call())
    house.wait("home/loudspeaker/say", "106 calls 112")
    message = ("/emergency", f"Bearer {TOKEN}", {"from": "106"})
    wait_until(lambda: message in Duty.told, "the message to whoever is on duty")


def test_9_a_phone_that_is_offline_is_told_of_and_again_when_it_is_back(house: House) -> None:
    topic = "home/phones/105"
    house.daemon.report("extension_status", extension="105", status="Unregistered")
    house.daemon.report("extension_status", extension="104", status="Unregistered")
    house.daemon.report("extension_status", extension="104", status="Registered")
    house.wait(topic, "offline")
    house.daemon.report("extension_status", extension="105", status="Registered")
    house.wait(topic, "offline", "online")
    assert house.payloads("home/phones/104") == []


def test_10_the_third_call_of_one_caller_is_let_through(house: House) -> None:
    for caller in ("+4930444", "+4930333", "+4930444", "+4930444"):
        house.daemon.ring(extension="103", direction="inbound", caller=caller, call_id=house.call())
    house.wait("home/bedroom/chime", "+4930444 insists")


def test_11_the_music_pauses_while_105_talks(house: House) -> None:
    music, call = "home/workshop/music/set", house.call()
    house.daemon.report("answer", extension="105", direction="inbound", call_id=call)
    house.wait(music, "pause")
    house.daemon.report("bye", extension="105", direction="inbound", call_id=call)
    house.wait(music, "pause", "play")


def test_12_the_door_bell_fires_the_alarm_only_while_the_house_is_armed(house: House) -> None:
    alarm = "home/alarm/trigger"
    bell = {"caller": "201", "extension": "103", "direction": "internal"}
    rings = len(house.payloads("pbx/ring"))
    house.daemon.ring(**bell, call_id=house.call())
    wait_until(lambda: len(house.payloads("pbx/ring")) > rings, "the ring that did nothing")
    assert house.payloads(alarm) == []
    retain(house.broker, "home/alarm/armed", "true")

    def rings_the_alarm() -> list[str]:
        # When the daemon has heard of it is nowhere to be seen.
        house.daemon.ring(**bell, call_id=house.call())
        return house.payloads(alarm)

    assert set(wait_until(rings_the_alarm, "the alarm")) == {"door"}
    assert json.loads(house.payloads("pbx/ring")[-1])["caller"] == "201"
