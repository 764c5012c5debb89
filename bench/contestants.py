"""The three contestants, each with a broker and a subscriber of its own."""

import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path

from bench import daemon
from bench.broker import mosquitto
from bench.calls import EXTENSION, TRUNK
from bench.processes import HOST, free_port, listens, running, tool, wait_until
from bench.subscriber import TOPIC, Subscriber

TORNADO, WEBHOOK, PBXRULES = "tornado", "webhook", "pbxrules"
CONTESTANTS = (TORNADO, WEBHOOK, PBXRULES)
# As the issue calls them.
LETTERS = {"a": TORNADO, "b": WEBHOOK, "c": PBXRULES}
TOOLS = {
    TORNADO: ("wrk", "mosquitto"),
    WEBHOOK: ("wrk", "mosquitto", "webhook", "mosquitto_pub"),
    PBXRULES: ("wrk", "mosquitto"),
}
# Ids of one run of wrk: more than any run can use.
BLOCK = 1_000_000


@dataclass(slots=True, kw_only=True)
class Contestant:
    """A running contestant: where to post to, and where its messages arrive."""

    name: str
    port: int
    path: str
    process: subprocess.Popen[bytes]
    subscriber: Subscriber
    log: Path
    _blocks: Iterator[int] = field(default_factory=count)

    def fresh_numbers(self) -> int:
        """Return the first of :data:`BLOCK` call numbers that were not used yet."""
        return next(self._blocks) * BLOCK


@contextmanager
def contestant(name: str, folder: Path, program: list[str]) -> Iterator[Contestant]:
    """Run contestant *name* in the new folder *folder* for the length of the block.

    *program* begins the daemon's command line; the other two have no use for it.
    """
    folder.mkdir(parents=True)
    log = folder / f"{name}.log"
    with mosquitto(folder) as broker, Subscriber(broker) as subscriber:
        port = free_port()
        with started(name, program, port=port, broker=broker, log=log) as process:
            yield Contestant(
                name=name,
                port=port,
                path="/hooks/ring" if name == WEBHOOK else "/",
                process=process,
                subscriber=subscriber,
                log=log,
            )


@contextmanager
def started(
    name: str, program: list[str], *, port: int, broker: int, log: Path
) -> Iterator[subprocess.Popen[bytes]]:
    """Run the server of contestant *name* for the length of the block, once it listens."""
    if name == PBXRULES:
        rules, state = log.parent / "rules", log.parent / "state"
        daemon.write_rules(rules)
        with daemon.serving(
            program, port=port, broker=broker, rules=rules, state=state, log=log
        ) as served:
            yield served.process
        return
    if name == TORNADO:
        argv = [sys.executable, "-m", "bench.bare", str(port), str(broker)]
    else:
        argv = webhook(log.parent / "hooks.json", port=port, broker=broker)
    with running(argv, log=log) as process:
        wait_until(lambda: listens(port), process=process, log=log)
        yield process


def webhook(hooks: Path, *, port: int, broker: int) -> list[str]:
    """Write the hook that does what the bare handler does; return webhook's command line.

    By default webhook answers before its command has ended and starts commands
    without bound; then it took 1,519 reports/s but delivered 524 (2 cores, thousands
    of processes at once).  Told to wait for the command, as here, it delivered 686.
    """
    constants = ["-h", HOST, "-p", str(broker), "-q", "1", "-t", TOPIC, "-m"]
    tests = {"action": "RING", "ext.extid": EXTENSION, "inbound.trunk": TRUNK}
    hook = {
        "id": "ring",
        "execute-command": tool("mosquitto_pub"),
        "include-command-output-in-response": True,
        "pass-arguments-to-command": [
            *({"source": "string", "name": text} for text in constants),
            {"source": "payload", "name": "callid"},
        ],
        "trigger-rule": {"and": [match(name, value) for name, value in tests.items()]},
    }
    hooks.write_text(json.dumps([hook]), encoding="utf-8")
    return [tool("webhook"), "-hooks", str(hooks), "-ip", HOST, "-port", str(port)]


def match(name: str, value: str) -> dict[str, object]:
    """Return webhook's rule that the payload's *name* equals *value*."""
    parameter = {"source": "payload", "name": name}
    return {"match": {"type": "value", "value": value, "parameter": parameter}}
