"""Real processes for tests: the daemon, mosquitto and a subscriber.

Each is a child of the test with its output in a file, and is ended by its own pid when its
block ends.  Nothing sleeps for a fixed time: ``wait_until`` looks again until it is so.
"""

import itertools
import json
import os
import secrets
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self, TypeVar

from pbxrules import sending
from pbxrules.errors import StoreError
from pbxrules.showing import event_json
from pbxrules.store import reading

HOST = "127.0.0.1"
PBXRULES = str(Path(sys.executable).with_name("pbxrules"))
PATIENCE_S = 20.0

T = TypeVar("T")


def wait_until(condition: Callable[[], T], what: str, *, timeout_s: float = PATIENCE_S) -> T:
    """What *condition* gives, once that is true."""
    deadline = time.monotonic() + timeout_s
    while not (found := condition()):
        assert time.monotonic() < deadline, f"not within {timeout_s:g} s: {what}"
        time.sleep(0.01)
    return found


def until(moment: float) -> None:
    """Return when the time *moment*, by the monotonic clock, has come."""
    wait_until(lambda: time.monotonic() >= moment, "its time")


def free_port() -> int:
    """A port that nobody has, and that the system gives nobody while ours is down."""
    while True:
        # Below the ephemeral ports: no connection of another test takes it in between.
        port = 10_000 + secrets.randbelow(20_000)
        with socket.socket() as sock:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                sock.bind((HOST, port))
            except OSError:
                continue
            return port


class Child:
    """A process under way, with all it says in *log*; gone when the block ends."""

    def __init__(
        self,
        argv: Sequence[str],
        log: Path,
        *,
        env: Mapping[str, str] | None = None,
        stderr: int | None = None,
    ) -> None:
        """Start *argv*; with *stderr*, a descriptor, its errors go there."""
        self.log = log
        with log.open("ab") as output:
            self._process = subprocess.Popen(
                argv,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output if stderr is None else stderr,
                env=env,
            )
        self.pid = self._process.pid

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.kill()

    @property
    def runs(self) -> bool:
        return self._process.poll() is None

    @property
    def text(self) -> str:
        return self.log.read_text("utf-8", "replace")

    def signal(self, number: signal.Signals) -> None:
        self._process.send_signal(number)

    def wait(self, timeout_s: float = PATIENCE_S) -> int:
        """Its exit code; negative: the signal that ended it."""
        return self._process.wait(timeout_s)

    def kill(self) -> None:
        self._process.kill()
        self._process.wait()

    def stop(self, timeout_s: float = PATIENCE_S) -> int:
        """Its exit code, after SIGTERM."""
        self._process.terminate()
        return self.wait(timeout_s)

    @contextmanager
    def ended_if_it_fails(self) -> Iterator[None]:
        """End it if the block fails: nobody else does while its own block has not begun."""
        try:
            yield
        except BaseException:
            self.kill()
            raise

    def wait_for(self, text: str) -> None:
        """Return when it has said *text*."""
        wait_until(lambda: self._said(text), f"{text!r} in {self.log}")

    def _said(self, text: str) -> bool:
        if text in self.text:
            return True
        assert self.runs, f"ended before it said {text!r}:\n{self.text[-3000:]}"
        return False


class Daemon(Child):
    """``pbxrules serve`` on a port of its own."""

    url = ""

    def wait_ready(self) -> Self:
        self.wait_for('"msg": "ready"')
        (ready,) = self.entries("ready")
        self.url = f"http://{ready['listen']}"
        return self

    @property
    def port(self) -> int:
        return int(self.url.rpartition(":")[2])

    def entries(self, msg: str | None = None) -> list[dict[str, Any]]:
        """What it logged, without the priorities; only the lines of *msg*."""
        lines = [line.partition(">")[2] for line in self.text.splitlines(keepends=True)]
        read = [json.loads(line) for line in lines if line.startswith("{") and line[-1] == "\n"]
        return [entry for entry in read if msg in (None, entry["msg"])]

    def wait_logged(self, msg: str, times: int = 1) -> dict[str, Any]:
        """The *times*-th line of *msg*."""
        what = f"{times} lines {msg!r} in {self.log}"
        return wait_until(lambda: self.entries(msg)[times - 1 :], what)[0]

    def post(self, body: bytes) -> sending.Answer:
        """The answer to *body*, sent as the PBX does."""
        return sending.send(self.url, body)

    def report(self, kind: str, **told: str) -> int:
        """Have a report accepted; its event's id."""
        answer = self.post(sending.report(kind, told))
        assert answer.ok, answer.text
        event_id: int = json.loads(answer.text)["id"]
        return event_id

    def ring(self, **told: str) -> int:
        return self.report("ring", **told)


class Home:
    """A daemon's folder: configuration, rules and state, over all its starts."""

    def __init__(self, folder: Path, rules: str, /, **settings: Any) -> None:
        """Write rules and configuration; *settings* are the configuration's keys.

        The log is JSON unless told, and the daemon chooses its port.
        """
        self.folder = folder
        self.state = folder / "state"
        self.rules = folder / "rules" / "rules.yaml"
        self.rules.parent.mkdir()
        self.config = folder / "pbxrules.yaml"
        self.write_rules(rules)
        usual = {"listen": f"{HOST}:0", "state": "state", "log": {"format": "json"}}
        self.config.write_text(json.dumps({**usual, **settings}), "utf-8")
        self._starts = itertools.count(1)

    def write_rules(self, rules: str) -> None:
        """Replace the rules by *rules*, which a daemon reads at its next reload."""
        self.rules.write_text(rules, "utf-8")

    def start(self, *options: str, env: Mapping[str, str] | None = None) -> Daemon:
        """A daemon that was started just now."""
        log = self.folder / f"daemon-{next(self._starts)}.log"
        argv = [PBXRULES, "serve", "--config", str(self.config), *options]
        return Daemon(argv, log, env=environment() | dict(env or {}))

    @contextmanager
    def serving(self, *options: str, env: Mapping[str, str] | None = None) -> Iterator[Daemon]:
        """A daemon that is ready; killed when the block ends, unless it has ended."""
        with self.start(*options, env=env) as daemon:
            yield daemon.wait_ready()

    def command(self, *args: str) -> subprocess.CompletedProcess[str]:
        """A command of ours, with this configuration, and what it said."""
        argv = [PBXRULES, *args, "--config", str(self.config)]
        return subprocess.run(
            argv, capture_output=True, text=True, check=False, env=environment(), timeout=PATIENCE_S
        )

    def events(self) -> list[dict[str, Any]]:
        """What ``pbxrules events --json`` tells, without starting it."""
        try:
            with reading.opened(self.state / "pbxrules.db") as db:
                return [event_json(record) for record in reading.events(db)]
        except StoreError:  # it is only just being made
            return []

    def actions(self, rule: str | None = None) -> list[dict[str, Any]]:
        """What became of all actions; only those of *rule*."""
        actions = [action for event in self.events() for action in event["actions"]]
        return [action for action in actions if rule in (None, action["rule"])]

    def wait_settled(self, count: int, rule: str | None = None) -> list[dict[str, Any]]:
        """The actions, once there are *count* and none is owed any more."""

        def settled() -> list[dict[str, Any]]:
            actions = self.actions(rule)
            owed = any(action["state"] == "owed" for action in actions)
            return actions if len(actions) >= count and not owed else []

        return wait_until(settled, f"{count} actions settled")


def environment() -> dict[str, str]:
    """The environment without what would configure a daemon, or compile it at each start."""
    ours = (
        "PBXRULES_", "NOTIFY_", "WATCHDOG_", "JOURNAL_STREAM", "STATE_DIRECTORY",
        "PYTHONDONTWRITEBYTECODE",
    )  # fmt: skip
    return {name: text for name, text in os.environ.items() if not name.startswith(ours)}


class Mosquitto:
    """A broker that can be stopped and started again; gone when the block ends."""

    def __init__(self, folder: Path, *config: str) -> None:
        """Prepare; *config* are further lines of its configuration."""
        self.port = free_port()
        self.url = f"mqtt://{HOST}:{self.port}"
        self._config = folder / "mosquitto.conf"
        self._log = folder / "mosquitto.log"
        lines = [f"listener {self.port} {HOST}", "max_queued_messages 0", *config]
        if "password_file" not in " ".join(config):
            lines.append("allow_anonymous true")
        if os.geteuid() == 0:
            lines.append("user root")  # else it could not read in our folder
        self._config.write_text("\n".join(lines) + "\n", "utf-8")
        self._child: Child | None = None

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.kill()

    @property
    def child(self) -> Child:
        assert self._child is not None
        return self._child

    def start(self) -> None:
        self._child = Child(["mosquitto", "-c", str(self._config)], self._log, env=with_sbin())
        with self._child.ended_if_it_fails():
            wait_until(self._listens, f"mosquitto on {self.port}")

    def _listens(self) -> bool:
        assert self.child.runs, self.child.text
        try:
            socket.create_connection((HOST, self.port), timeout=1).close()
        except OSError:
            return False
        return True

    def stop(self) -> None:
        """End it in order: it saves what it keeps."""
        self.child.stop()

    def kill(self) -> None:
        self.child.kill()

    def pause(self) -> None:
        """Stop it without closing its connections: it answers nothing."""
        self.child.signal(signal.SIGSTOP)

    def resume(self) -> None:
        self.child.signal(signal.SIGCONT)


def with_sbin() -> dict[str, str]:
    """The environment with the folders where Debian keeps daemons."""
    return environment() | {"PATH": f"{os.environ['PATH']}:/usr/sbin:/sbin"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Message:
    """One message as the subscriber received it."""

    topic: str
    payload: str
    retain: bool
    qos: int
    expiry_s: int | None
    properties: str
    """User properties, as ``name:value``."""


class Subscriber(Child):
    """mosquitto_sub, subscribed with QoS 2 to *topic* when its block begins.

    With *name* its session outlives broker and connection, and nothing is missed.
    """

    def __init__(self, broker: Mosquitto, log: Path, topic: str = "#", *, name: str = "") -> None:
        form = r"MESSAGE\t%t\t%r\t%q\t%E\t%P\t%x"
        # stdbuf: it would keep "Subscribed" to itself until the first message.
        argv = ["stdbuf", "-oL", "mosquitto_sub", "-h", HOST, "-p", str(broker.port)]
        argv += ["-V", "5", "-q", "2", "-d"]
        argv += ["-i", name, "-c", "-x", "3600"] if name else []
        super().__init__([*argv, "-t", topic, "-F", form], log)

    def __enter__(self) -> Self:
        with self.ended_if_it_fails():
            self.wait_for("Subscribed (mid: ")
        return self

    @property
    def messages(self) -> list[Message]:
        """All messages so far, but for the daemon's own status."""
        found = [_message(line) for line in self.text.split("\n")[:-1] if "MESSAGE\t" in line]
        return [message for message in found if message.topic != "pbxrules/status"]

    def wait_messages(self, count: int) -> list[Message]:
        """All messages, once there are *count* at least."""

        def enough() -> list[Message]:
            messages = self.messages
            return messages if len(messages) >= count else []

        return wait_until(enough, f"{count} messages")


def _message(line: str) -> Message:
    _, topic, retain, qos, expiry, properties, payload = line.split("\t")
    return Message(
        topic=topic,
        payload=bytes.fromhex(payload).decode(),
        retain=retain == "1",
        qos=int(qos),
        expiry_s=int(expiry) if expiry else None,
        properties=properties,
    )


def retained(broker: Mosquitto, topic: str) -> str:
    """The retained message of *topic*."""
    argv = ["mosquitto_sub", "-h", HOST, "-p", str(broker.port), "-C", "1", "-W", "5", "-t", topic]
    return subprocess.run(argv, capture_output=True, text=True, check=True).stdout.strip()


def retain(broker: Mosquitto, topic: str, payload: str) -> None:
    """Have the broker keep *payload*; an empty one removes what it kept."""
    what = ["-m", payload] if payload else ["-n"]
    argv = ["mosquitto_pub", "-h", HOST, "-p", str(broker.port), "-q", "1", "-r", "-t", topic]
    subprocess.run([*argv, *what], check=True, timeout=10)
