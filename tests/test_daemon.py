"""The daemon as its users have it: a process with signals, files, sockets and a log."""

import asyncio
import contextlib
import json
import os
import pty
import re
import secrets
import signal
import socket
import sqlite3
import stat
import threading
import time
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, ClassVar, Self, cast

import pytest

from pbxrules import control, sending
from pbxrules.app import App
from pbxrules.config import Config
from pbxrules.loading import Snapshot
from tests.processes import (
    HOST,
    PBXRULES,
    Child,
    Daemon,
    Home,
    Mosquitto,
    Subscriber,
    environment,
    free_port,
    wait_until,
)

NOTHING = "rules: []"
LAMP = """
rules:
  - id: lamp
    triggers: {event: ring}
    expires: never
    actions: [{mqtt: {topic: "lamp/{{ caller }}"}}]
"""


def keeping(folder: Path) -> tuple[str, ...]:
    """The lines by which a broker keeps a subscriber's session over its end."""
    return ("persistence true", f"persistence_location {folder}/")


# --- kill -9 -------------------------------------------------------------------------------------


def test_promise_1_what_was_answered_200_is_done_after_kill_9(tmp_path: Path) -> None:
    with (
        Mosquitto(tmp_path) as broker,
        Subscriber(broker, tmp_path / "sub.log") as subscriber,
    ):
        home = Home(tmp_path, LAMP, mqtt={"url": broker.url})
        with home.serving() as daemon:
            daemon.wait_logged("broker connected")
            broker.pause()
            for caller in ("1", "2", "3"):
                daemon.ring(caller=caller, extension="101")
            daemon.kill()
        broker.resume()
        with home.serving():
            actions = home.wait_settled(3)
            subscriber.wait_messages(3)
    assert {action["state"] for action in actions} == {"done"}
    ids: dict[str, set[str]] = {}
    for message in subscriber.messages:
        ids.setdefault(message.topic, set()).add(message.properties)
    # What lay in the connection at the kill may come twice; then it bears the same id.
    assert sorted(ids) == ["lamp/1", "lamp/2", "lamp/3"]
    assert all(len(same) == 1 for same in ids.values())


def test_promise_2_nothing_answered_is_lost_over_kill_9_at_any_moment(tmp_path: Path) -> None:
    answered: set[str] = set()

    def load(daemon: Daemon, name: str) -> None:
        for number in range(10_000):
            caller = f"{name}.{number}"
            body = sending.report("ring", {"caller": caller, "extension": "101"})
            try:
                if daemon.post(body).ok:
                    answered.add(caller)
            except OSError:
                return  # it was killed

    with (
        Mosquitto(tmp_path) as broker,
        Subscriber(broker, tmp_path / "sub.log") as subscriber,
        ThreadPoolExecutor(4) as pool,
    ):
        home = Home(tmp_path, LAMP, mqtt={"url": broker.url})
        for turn in range(5):
            with home.serving() as daemon:
                enough = len(answered) + 20 + secrets.randbelow(200)
                loads = [pool.submit(load, daemon, f"{turn}.{place}") for place in range(4)]
                wait_until(lambda enough=enough: len(answered) > enough, "load")  # type: ignore[misc]
                daemon.kill()
                for one in loads:
                    one.result()
        with home.serving():
            home.wait_settled(len(answered))
            wait_until(
                lambda: answered <= {m.topic.removeprefix("lamp/") for m in subscriber.messages},
                "all that was answered",
            )
        messages = subscriber.messages
    assert len(answered) > 100
    ids = {(message.topic, message.properties) for message in messages}
    assert len(ids) == len({message.topic for message in messages})


# --- commands ------------------------------------------------------------------------------------

HOSTILE = "$(touch x); --help `touch y` ${HOME} 'z\" | cat & \n*"


def test_promise_7_no_text_of_a_call_is_run_or_changes_an_argument(tmp_path: Path) -> None:
    rules = f"""
rules:
  - id: argv
    triggers: {{event: ring, extension: 101}}
    actions:
      - shell:
          - /bin/sh
          - -c
          - printf "%s\\0" "$@" "$PBX_CALLER" >argv; cat >stdin
          - sh
          - "{{{{ caller }}}}"
          - b
        cwd: {tmp_path}
  - id: text
    triggers: {{event: ring, extension: 101}}
    actions:
      - shell: printf %s "$PBX_CALLER" >text; env | sort >env
        cwd: {tmp_path}
        env: {{ROOM: "{{{{ extension }}}}"}}
  - id: option
    triggers: {{event: ring, extension: 102}}
    actions: [{{shell: [touch, "{{{{ caller }}}}"], cwd: {tmp_path}}}]
"""
    home = Home(tmp_path, rules)
    with home.serving(env={"BASH_ENV": "x", "TOKEN": "t"}) as daemon:
        before = set(tmp_path.iterdir())
        daemon.ring(caller=HOSTILE, extension="101", direction="internal")
        daemon.ring(caller="--help", extension="102", direction="internal")
        actions = {action["rule"]: action for action in home.wait_settled(3)}
    made = {path.name for path in set(tmp_path.iterdir()) - before}
    assert made == {"argv", "stdin", "text", "env"}
    assert (tmp_path / "argv").read_text() == f"{HOSTILE}\0b\0{HOSTILE}\0"
    assert (tmp_path / "text").read_text() == HOSTILE
    event = json.loads((tmp_path / "stdin").read_text())
    assert (event["event"], event["caller"], event["extension"]) == ("ring", HOSTILE, "101")
    assert event["payload"]["action"] == "RING"
    names = {line.partition("=")[0] for line in (tmp_path / "env").read_text().splitlines()}
    assert {"ROOM", "PATH", "PBX_CALLER", "PBX_DELIVERY_ID"} <= names
    assert not {"BASH_ENV", "TOKEN"} & names
    assert actions["option"]["state"] == "failed"
    assert "-" in actions["option"]["reason"]


def test_a_slow_command_delays_no_other_rule_s_lamp(tmp_path: Path) -> None:
    rules = (
        LAMP
        + f"""
  - id: slow
    triggers: {{event: ring}}
    actions: [{{shell: "while [ ! -e {tmp_path}/go-on ]; do sleep 0.05; done", timeout: 1m}}]
  - id: quick
    triggers: {{event: ring, caller: "29"}}
    actions: [{{shell: [echo, quick]}}]
"""
    )
    with Mosquitto(tmp_path) as broker, Subscriber(broker, tmp_path / "sub.log") as subscriber:
        home = Home(tmp_path, rules, mqtt={"url": broker.url})
        with home.serving() as daemon:
            for caller in range(30):
                daemon.ring(caller=str(caller), extension="101")
            subscriber.wait_messages(30)
            wait_until(lambda: home.actions("quick")[0]["state"] == "done", "the quick one")
            assert {action["state"] for action in home.actions("slow")} == {"owed"}
            (tmp_path / "go-on").touch()
            assert {action["state"] for action in home.wait_settled(61)} == {"done"}


def test_what_failed_is_tried_again_and_then_given_up_with_its_reason(tmp_path: Path) -> None:
    rules = f"""
rules:
  - id: tried
    triggers: {{event: ring}}
    actions:
      - shell: "date +%s%N >>{tmp_path}/tries; echo no lamp >&2; exit 3"
        retry: {{attempts: 3, delay: 200ms}}
        continue_on_error: true
      - shell: exit 4
      - log: never
  - id: expires
    triggers: {{event: ring}}
    actions: [{{shell: exit 5, expires: 400ms, retry: {{attempts: 9, delay: 300ms}}}}]
"""
    home = Home(tmp_path, rules)
    with home.serving() as daemon:
        daemon.ring()
        home.wait_settled(3)
        shown = home.command("events", "--json")
    (event,) = map(json.loads, shown.stdout.splitlines())
    assert list(event) == ["id", "received_at", "fields", "rules", "actions"]
    told = [(a["rule"], a["state"], a["reason"], a["attempts"]) for a in event["actions"]]
    *tried, expired = told
    assert tried == [
        ("tried", "failed", "exit 3: no lamp (3 tries)", 3),
        ("tried", "failed", "exit 4", 1),
    ]
    assert expired[1] == "expired"
    assert re.fullmatch(r"exit 5 \((1 try|2 tries), no time left\)", expired[2])
    first, second, third = map(int, (tmp_path / "tries").read_text().split())
    assert second - first >= 100e6  # half of the delay is left to chance
    assert third - second >= 200e6


# --- reload --------------------------------------------------------------------------------------

BAD = """
rules:
  - id: new
    triggers: {event: ring}
    actions: [{mqqt: {topic: new}}]
"""


@contextmanager
def ringing(daemon: Daemon) -> Iterator[list[sending.Answer]]:
    """Ring all the time while the block lasts; the answers."""
    answers: list[sending.Answer] = []
    over = threading.Event()

    def ring() -> None:
        while not over.is_set():
            answers.append(daemon.post(sending.report("ring", {})))

    with ThreadPoolExecutor(1) as pool:
        ringer = pool.submit(ring)
        try:
            yield answers
        finally:
            over.set()
            ringer.result()


def test_promise_5_a_bad_reload_changes_nothing_and_says_why_and_where(tmp_path: Path) -> None:
    home = Home(tmp_path, "rules: [{id: old, triggers: any, actions: [{log: old}]}]")
    with home.serving() as daemon, ringing(daemon) as answers:
        home.write_rules(BAD)
        daemon.signal(signal.SIGHUP)
        entry = daemon.wait_logged("not reloaded")
        seen = len(answers)
        wait_until(lambda: len(answers) > seen + 2, "answers after the bad reload")

        home.write_rules(BAD.replace("mqqt: {topic: new}", "log: new"))
        daemon.signal(signal.SIGHUP)
        daemon.wait_logged("reloaded")
        later = len(answers)
        wait_until(lambda: len(answers) > later + 2, "answers after the good reload")
    assert entry["level"] == "error"
    assert entry["problem"] == (
        f"{home.rules}:5:16: unknown-key: 'mqqt' is no key of an action (did you mean 'mqtt'?)"
    )
    assert {answer.status for answer in answers} == {200}
    fired = [json.loads(answer.text)["rules"] for answer in answers]
    assert fired[: seen + 2] == [["old"]] * (seen + 2)
    # The one that was under way at the swap may be of either.
    assert fired[later + 1 :] == [["new"]] * len(fired[later + 1 :])


def test_the_reload_command_says_what_came_of_it(tmp_path: Path) -> None:
    home = Home(tmp_path, NOTHING)
    nobody = home.command("reload")
    with home.serving() as daemon:
        home.write_rules(BAD)
        bad = home.command("reload")
        home.write_rules(BAD.replace("mqqt", "mqtt"))
        good = home.command("reload")
        assert json.loads(daemon.post(sending.report("ring", {})).text)["rules"] == ["new"]
        settings = json.loads(home.config.read_text())
        home.config.write_text(json.dumps(settings | {"mqtt": {"url": "mqtt://127.0.0.1:1"}}))
        partly = home.command("reload")
        again = home.command("reload")
    assert nobody.returncode == 2
    assert "no daemon runs on" in nobody.stderr
    assert bad.returncode == 1
    assert bad.stderr.splitlines() == [
        f"{home.rules}:5:16: unknown-key: 'mqqt' is no key of an action (did you mean 'mqtt'?)",
        "the old rules stay in force",
    ]
    assert (good.returncode, good.stdout, good.stderr) == (0, "1 rule is in force\n", "")
    assert (partly.returncode, partly.stderr) == (0, "needs a restart: mqtt\n")
    assert again.stderr == partly.stderr, "until it is restarted"


DOUBTFUL = """\
groups: {spare: [1]}
rules:
  - {id: r, triggers: any, expires: never, actions: [{log: hi}]}
"""


def test_what_is_doubtful_about_rules_is_logged_once_at_the_start_and_at_a_reload(
    tmp_path: Path,
) -> None:
    home = Home(tmp_path, DOUBTFUL)
    warning = f"{home.rules}:1:10: warning: unused-group: no rule uses the group 'spare'"
    with home.serving() as daemon:
        daemon.ring()
        daemon.ring()
        assert [e["problem"] for e in daemon.entries("doubtful")] == [f"{warning} (take it away)"]
        done = home.command("reload")
        assert (done.returncode, done.stderr) == (0, f"{warning} (take it away)\n")
        assert len(daemon.entries("doubtful")) == 2


def test_promise_5_a_reload_that_breaks_changes_nothing_and_says_so(
    caplog: pytest.LogCaptureFixture,
) -> None:
    def broken() -> Config:
        raise ZeroDivisionError

    async def main() -> Mapping[str, Any]:
        return await App(cast("Config", None), broken, cast("Snapshot", None)).reload()

    told = asyncio.run(main())
    assert told == {"reloaded": False, "problems": ["a defect: ZeroDivisionError()"]}
    assert "not reloaded" in caplog.messages


def test_a_reload_brings_new_schemas_too(tmp_path: Path) -> None:
    schemas = tmp_path / "schemas"
    schemas.mkdir()
    home = Home(tmp_path, NOTHING, schemas="schemas")
    with home.serving() as daemon:
        daemon.post(b'{"action": "FAX", "number": 1}')
        schema = {"type": "object", "properties": {"action": {"const": "FAX"}}}
        (schemas / "fax.schema.json").write_text(json.dumps(schema))
        daemon.signal(signal.SIGHUP)
        daemon.wait_logged("reloaded")
        daemon.post(b'{"action": "FAX", "number": 2}')
    assert [event["fields"]["event"] for event in home.events()] == ["other", "fax"]


# --- the end -------------------------------------------------------------------------------------


def test_promise_2_sigterm_gives_what_runs_five_seconds_and_the_rest_is_owed(
    tmp_path: Path,
) -> None:
    rules = f"""
rules:
  - id: short
    triggers: {{event: ring}}
    actions: [{{shell: "touch {tmp_path}/began; sleep 1"}}]
  - id: long
    triggers: {{event: [ring, alert]}}
    actions:
      - shell: "[ -e {tmp_path}/again ] || {{ touch {tmp_path}/again; sleep 60; }}"
        timeout: 2m
        expires: 10m
"""
    home = Home(tmp_path, rules)
    with home.serving() as daemon:
        daemon.ring()
        wait_until((tmp_path / "began").exists, "the short one begun")
        wait_until((tmp_path / "again").exists, "the long one begun")
        begun = time.monotonic()
        assert daemon.stop() == 0
        took_s = time.monotonic() - begun
    states = {action["rule"]: action["state"] for action in home.actions()}
    assert states == {"short": "done", "long": "owed"}
    assert 4.5 < took_s < 10
    assert daemon.entries("stopped")[0]["owed"] == 1
    assert not [e for e in daemon.entries() if e["level"] in ("warning", "error")]
    with home.serving():
        assert {action["state"] for action in home.wait_settled(2)} == {"done"}


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_at_the_end_it_answers_what_is_in_hand_and_takes_nothing_new(
    number: signal.Signals, tmp_path: Path
) -> None:
    body = sending.report("ring", {})
    request = b"POST / HTTP/1.1\r\nContent-Length: %d\r\n\r\n%s" % (len(body), body)
    home = Home(tmp_path, NOTHING)
    with home.serving() as daemon, socket.create_connection((HOST, daemon.port)) as half:
        half.sendall(request[:-10])
        daemon.ring()  # so that the half one was read too
        daemon.signal(number)
        daemon.wait_logged("stopping")
        with pytest.raises(OSError, match="refused"):
            socket.create_connection((HOST, daemon.port)).close()
        half.sendall(request[-10:])
        with half.makefile("rb") as answer:
            assert answer.readline() == b"HTTP/1.1 200 OK\r\n"
        assert daemon.wait() == 0
    assert len(home.events()) == 2
    assert not home.command("events").stderr


# --- a start that can't be -----------------------------------------------------------------------


def test_a_second_daemon_on_the_same_state_refuses_and_names_the_first(tmp_path: Path) -> None:
    home = Home(tmp_path, NOTHING)
    with home.serving() as first, home.start() as second:
        assert second.wait() == 1
        assert second.text == (
            f"pbxrules: {home.state} belongs to the pbxrules that runs as process {first.pid}: "
            "stop that one, or give another state folder\n"
        )
        assert first.post(sending.report("ring", {})).ok
        assert control.ask(home.state, {"do": "status"})["pid"] == first.pid


def test_a_taken_port_is_said_plainly(tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind((HOST, 0))
        taken.listen()
        where = f"{HOST}:{taken.getsockname()[1]}"
        home = Home(tmp_path, NOTHING, listen=where)
        with home.start() as daemon:
            assert daemon.wait() == 1
    assert daemon.text == (
        f"pbxrules: can't listen on {where}: Address already in use "
        "(another --listen HOST:PORT may be free)\n"
    )


def test_a_state_folder_that_can_not_be_is_said_plainly(tmp_path: Path) -> None:
    home = Home(tmp_path, NOTHING)
    home.state.write_text("a file")
    with home.start() as daemon:
        assert daemon.wait() == 1
    assert daemon.text.startswith(f"pbxrules: {home.state}: ")
    assert daemon.text.count("\n") == 1


def test_bad_rules_at_the_start_are_all_printed(tmp_path: Path) -> None:
    home = Home(tmp_path, BAD + "  - {id: x, triggers: {evnt: ring}, actions: [{log: x}]}\n")
    with home.start() as daemon:
        assert daemon.wait() == 2
    first, second = daemon.text.splitlines()
    assert first.startswith(f"{home.rules}:5:16: unknown-key: 'mqqt'")
    assert second.startswith(f"{home.rules}:6:24: unknown-field: no event has a field 'evnt'")
    assert not home.state.exists()


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        pytest.param({"lissten": "x"}, "pbxrules.yaml:1:", id="an unknown key"),
        pytest.param({"secrets": {"a": {"env": "NO_SUCH"}}}, "no-secret", id="no such secret"),
        pytest.param({"rules": "nowhere"}, "unreadable: there is no such folder", id="no rules"),
    ],
)
def test_a_bad_configuration_is_said_with_its_place(
    settings: dict[str, Any], said: str, tmp_path: Path
) -> None:
    with Home(tmp_path, NOTHING, **settings).start() as daemon:
        assert daemon.wait() == 2
    assert said in daemon.text
    assert "Traceback" not in daemon.text


# --- its files and sockets -----------------------------------------------------------------------


def test_its_files_are_its_owner_s_alone(tmp_path: Path) -> None:
    home = Home(tmp_path, NOTHING)
    with home.serving() as daemon:
        daemon.ring()
        modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in home.state.iterdir()}
    assert stat.S_IMODE(home.state.stat().st_mode) == 0o700
    private = {"pbxrules.db", "pbxrules.db-wal", "pbxrules.db-shm", "control.sock", "lock"}
    assert {name: modes[name] for name in private} == dict.fromkeys(private, 0o600)


COMMANDS = "drop, queue, reload, retry, set, state, status"
NO_SUCH_COMMAND = f'{{"error": "one of {COMMANDS} can be done"}}\n'.encode()


def test_a_request_that_is_too_long_is_not_sent(tmp_path: Path) -> None:
    told = control.ask(tmp_path, {"do": "set", "value": "x" * control.MAX_LINE})
    assert told == {"error": "that is too long: 65,563 bytes, of 65,536"}


@pytest.mark.parametrize(
    "garbage",
    [
        pytest.param(b"\n", id="nothing"),
        pytest.param(b"\xff\xfe\n", id="no text"),
        pytest.param(b"[" * 60_000 + b"\n", id="nested"),
        pytest.param(b"x" * 200_000, id="too long a line"),
        pytest.param(b'{"do": []}\n', id="no name"),
        pytest.param(b'{"do": "fly"}\n', id="no command"),
        pytest.param(b'"reload"\n', id="no object"),
        pytest.param(b"GET / HTTP/1.1\r\n\r\n", id="HTTP"),
        pytest.param(b'{"do": "status"', id="half a line"),
    ],
)
def test_garbage_on_the_control_socket_harms_nothing(
    garbage: bytes, daemon_of_all: tuple[Home, Daemon]
) -> None:
    home, daemon = daemon_of_all
    said = len(daemon.entries())
    number = os.open(home.state, os.O_RDONLY | os.O_DIRECTORY)
    with closing_descriptor(number), socket.socket(socket.AF_UNIX) as sock:
        sock.settimeout(10)
        sock.connect(f"/proc/self/fd/{number}/control.sock")
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):
            sock.sendall(garbage)
            sock.shutdown(socket.SHUT_WR)
            answer = sock.makefile("rb").read()  # it closes: nobody is left hanging
            assert answer in (b"", NO_SUCH_COMMAND)
    assert control.ask(home.state, {"do": "status"})["pid"] == daemon.pid
    assert daemon.entries()[said:] == []


@contextmanager
def closing_descriptor(number: int) -> Iterator[None]:
    try:
        yield
    finally:
        os.close(number)


@pytest.fixture(scope="module")
def daemon_of_all(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Home, Daemon]]:
    """One daemon for all tests that leave it as it was."""
    home = Home(tmp_path_factory.mktemp("daemon"), NOTHING)
    with home.serving() as daemon:
        yield home, daemon


# --- systemd -------------------------------------------------------------------------------------


class Systemd:
    """The manager's end of sd_notify."""

    def __init__(self) -> None:
        self._sock = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        name = f"pbxrules-{secrets.token_hex(8)}"
        self._sock.bind("\0" + name)
        self.env = {"NOTIFY_SOCKET": "@" + name}

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._sock.close()

    def next(self, timeout_s: float = 20.0) -> dict[str, str]:
        """The next message; TimeoutError where none comes."""
        self._sock.settimeout(timeout_s)
        text = self._sock.recv(4096).decode()
        return dict(line.split("=", 1) for line in text.splitlines())

    def forget(self) -> None:
        """Drop what has come so far."""
        with contextlib.suppress(TimeoutError):
            while True:
                self.next(0.001)


def test_systemd_is_told_of_its_life(tmp_path: Path) -> None:
    home = Home(tmp_path, LAMP, listen=f"{HOST}:{free_port()}")
    port = json.loads(home.config.read_text())["listen"].rpartition(":")[2]
    with Systemd() as systemd, home.start(env=systemd.env) as daemon:
        ready = systemd.next()
        socket.create_connection((HOST, int(port)), timeout=1).close()
        before_us = time.monotonic_ns() // 1000
        daemon.signal(signal.SIGHUP)
        reloading, again = systemd.next(), systemd.next()
        home.write_rules(BAD)
        daemon.signal(signal.SIGHUP)
        bad_reload = [systemd.next(), systemd.next()]
        daemon.signal(signal.SIGTERM)
        stopping = systemd.next()
        assert daemon.wait() == 0
    assert ready == {"READY": "1", "STATUS": f"1 rule, listening on {HOST}:{port}"}
    assert reloading["RELOADING"] == "1"
    assert before_us <= int(reloading["MONOTONIC_USEC"]) <= time.monotonic_ns() // 1000
    assert again["READY"] == "1"
    assert [next(iter(told)) for told in bad_reload] == ["RELOADING", "READY"]
    assert stopping == {"STOPPING": "1", "STATUS": "stopping"}


def test_the_watchdog_is_told_only_while_the_writer_writes(tmp_path: Path) -> None:
    home = Home(tmp_path, NOTHING)
    with Systemd() as systemd:
        env = systemd.env | {"WATCHDOG_USEC": "300000"}
        with home.serving(env=env) as daemon, ThreadPoolExecutor(1) as pool:
            assert "READY" in systemd.next()
            assert [systemd.next(1.0) for _ in range(5)] == [{"WATCHDOG": "1"}] * 5
            with closing(sqlite3.connect(home.state / "pbxrules.db")) as other:
                other.execute("BEGIN IMMEDIATE")
                late = pool.submit(daemon.post, sending.report("ring", {}))
                # The one that waits for the file's lock is stuck, and the loop is not.
                wait_until(lambda: silent(systemd), "silence")
                assert control.ask(home.state, {"do": "status"})["pid"] == daemon.pid
                other.execute("ROLLBACK")
            assert late.result().ok
            assert systemd.next(1.0) == {"WATCHDOG": "1"}


def silent(systemd: Systemd) -> bool:
    """Whether nothing came for three times as long as it may take."""
    systemd.forget()
    try:
        systemd.next(0.9)
    except TimeoutError:
        return True
    return False


# --- the log -------------------------------------------------------------------------------------

WICKED = 'a\nlevel=error msg=forged\x1b[2J\u202eb"c\\'


@pytest.mark.parametrize("form", ["logfmt", "json"])
def test_promise_7_no_text_of_a_call_ends_or_forges_a_line_of_the_log(
    form: str, tmp_path: Path
) -> None:
    rules = 'rules: [{id: r, triggers: {event: ring}, actions: [{log: "{{ caller }} rings"}]}]'
    home = Home(tmp_path, rules, log={"format": form})
    with home.start() as daemon:
        daemon.wait_for("msg=ready" if form == "logfmt" else '"msg": "ready"')
        found = re.search(r"127\.0\.0\.1:(\d+)", daemon.text)
        assert found
        daemon.url = f"http://{found[0]}"
        daemon.ring(caller=WICKED, extension="101", direction="internal")
        home.wait_settled(1)
        assert daemon.stop() == 0
    lines = daemon.text.split("\n")
    assert len(lines) == 6  # ready, the ring, the action, stopping, stopped and the end
    assert all(line.isprintable() for line in lines)
    assert all(re.match(r"<[3-7]>", line) for line in lines[:-1])
    if form == "json":
        ring, action = (json.loads(line[3:]) for line in lines[1:3])
        assert (ring["msg"], ring["caller"], ring["rules"]) == ("ring", WICKED, ["r"])
        assert (action["level"], action["msg"]) == ("info", f"{WICKED} rings")
        return
    escaped = r'"a\nlevel=error msg=forged\x1b[2J\u202eb\"c\\'
    assert f'level=info msg=ring event=1 extension=101 caller={escaped}" ' in lines[1]
    assert f'level=info msg={escaped} rings"' in lines[2]


def test_a_terminal_sees_no_priorities(tmp_path: Path) -> None:
    home = Home(tmp_path, NOTHING, log={"format": "logfmt"})
    ours, theirs = pty.openpty()
    with closing_descriptor(ours):
        with closing_descriptor(theirs):
            argv = [PBXRULES, "serve", "--config", str(home.config)]
            daemon = Child(argv, tmp_path / "log", env=environment(), stderr=theirs)
        with daemon:
            line = os.read(ours, 4096).decode()
    assert re.match(r"time=\S+ level=info msg=ready ", line)


def test_journald_is_not_told_the_time_it_knows(tmp_path: Path) -> None:
    home = Home(tmp_path, NOTHING, log={"format": "logfmt"})
    with home.start(env={"JOURNAL_STREAM": "8:1"}) as daemon:
        daemon.wait_for("<6>level=info msg=ready ")


# --- secrets -------------------------------------------------------------------------------------


class Webhook(BaseHTTPRequestHandler):
    """Fails at first, and repeats in its answer what it was sent."""

    requests: ClassVar[list[tuple[str, str, str]]]

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"])).decode()
        self.requests.append((self.path, self.headers["Authorization"], body))
        status = {"/ok": 200, "/moved": 302}.get(self.path.partition("?")[0], 500)
        self.send_response(status, body)
        self.send_header("Location", f"http://127.0.0.1:1{self.path}")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body.encode())

    def log_message(self, *_: object) -> None:
        """Says nothing."""


@contextmanager
def webhook() -> Iterator[tuple[str, list[tuple[str, str, str]]]]:
    """A server that takes requests: its URL, and what it was sent."""

    class OwnWebhook(Webhook):
        requests: ClassVar[list[tuple[str, str, str]]] = []

    with ThreadingHTTPServer((HOST, 0), OwnWebhook) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield f"http://{HOST}:{server.server_port}", OwnWebhook.requests
        finally:
            server.shutdown()
            thread.join()


def test_promise_8_no_secret_stands_in_a_log_or_in_the_store(tmp_path: Path) -> None:
    token, password = "T0ken-of-ours/+%", "Passw0rd-of-ours"
    broker = Mosquitto(tmp_path)
    home_folder = tmp_path / "home"
    home_folder.mkdir()
    request = """{url: "%s/%s?t={{ secret.token }}", json: {t: "{{ secret.token }}"},
          headers: {Authorization: "Bearer {{ secret.token }}"}}"""
    with webhook() as (url, requests):
        rules = f"""
rules:
  - id: http
    triggers: {{event: ring}}
    actions:
      - http: {request % (url, "ok")}
      - http: {request % (url, "moved")}
        continue_on_error: true
      - http: {request % (url, "broken")}
        retry: {{attempts: 2, delay: 10ms}}
        continue_on_error: true
      - http: {request % ("http://127.0.0.1:1", "nobody")}
        retry: {{attempts: 1}}
  - id: mqtt
    triggers: {{event: ring}}
    expires: 30s
    actions:
      - mqtt: {{topic: "a/{{{{ secret.token }}}}", payload: "{{{{ secret.token }}}}"}}
  - id: late
    triggers: {{event: ring}}
    expires: 1s
    actions: [{{mqtt: {{topic: late, payload: "{{{{ secret.token }}}}"}}}}]
  - id: shell
    triggers: {{event: ring}}
    actions:
      - shell: echo "$TOKEN"
        env: {{TOKEN: "{{{{ secret.token }}}}"}}
      - shell: [sh, -c, 'echo "$1" >&2; exit 1', sh, "{{{{ secret.token }}}}"]
        continue_on_error: true
      - shell: [no-such-command, "{{{{ secret.token }}}}"]
  - id: log
    triggers: {{event: ring}}
    actions: [{{log: "the token is {{{{ secret.token }}}}"}}]
"""
        mqtt = {"url": broker.url, "username": "pbx", "password": {"env": "PASSWORD"}}
        home = Home(
            home_folder,
            rules,
            mqtt=mqtt,
            secrets={"token": {"env": "TOKEN"}},
            log={"format": "json", "level": "debug"},
        )
        with home.serving(env={"TOKEN": token, "PASSWORD": password}) as daemon:
            daemon.ring()
            wait_until(lambda: home.actions("late")[0]["state"] == "expired", "expired")
            with broker, Subscriber(broker, tmp_path / "sub.log") as subscriber:
                daemon.ring()
                actions = home.wait_settled(20)
                messages = subscriber.wait_messages(2)
            assert daemon.stop() == 0
    # All of them were used.
    assert ("/ok", f"Bearer {token}") in {(r[0].partition("?")[0], r[1]) for r in requests}
    assert {json.loads(body)["t"] for _, _, body in requests} == {token}
    assert token in {message.payload for message in messages}
    states = {(action["rule"], action["position"], action["state"]) for action in actions}
    assert {("mqtt", "actions/0", "done"), ("late", "actions/0", "expired")} <= states
    assert {("shell", "actions/0", "done"), ("shell", "actions/2", "failed")} <= states
    assert {("http", f"actions/{n}", s) for n, s in enumerate(["done", *["failed"] * 3])} <= states
    assert "the token is {{ secret.token }}" in daemon.text
    # And none of them is anywhere.
    kept = {path.name: path.read_bytes() for path in home.state.iterdir()}
    kept["log"] = daemon.text.encode()
    for value in (token, token.replace("/", "%2F"), "T0ken-of-ours", password):
        assert [name for name, text in kept.items() if value.encode() in text] == []
