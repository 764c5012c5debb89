"""Contestant (c): pbxrules itself, by its command line alone."""

import os
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from bench.calls import EXTENSION, TRUNK
from bench.errors import BenchError
from bench.processes import HOST, running, tail
from bench.subscriber import TOPIC

RULES = 1000
FILES = 10
READY_TIMEOUT_S = 30.0
RULE = """\
  - id: {name}
    triggers: {{event: ring, extension: "{extension}", trunk: {trunk}}}
    actions:
      - mqtt: {{topic: {topic}, payload: "{{{{ call_id }}}}"}}
"""


def executable(given: str | None) -> Path:
    """Return the daemon to run: *given*, else the one beside this Python.

    Raises:
        BenchError: There is none.
    """
    path = Path(given) if given else Path(sys.executable).with_name("pbxrules")
    if not os.access(path, os.X_OK):
        msg = f"{path} is not there: {sys.executable} -m pip install -e ."
        raise BenchError(msg)
    return path


def write_rules(folder: Path, *, count: int = RULES) -> None:
    """Fill *folder* with *count* rules, of which the middle one matches the reports.

    All want a ring, and a tenth of them the same trunk; the extensions differ, as
    in a house with a phone for each lamp.
    """
    folder.mkdir(parents=True)
    per_file = count // FILES
    for number in range(FILES):
        rules = (rule(number * per_file + i, match=count // 2) for i in range(per_file))
        text = "rules:\n" + "".join(rules)
        (folder / f"house-{number}.yaml").write_text(text, encoding="utf-8")


def rule(number: int, *, match: int) -> str:
    """Return rule *number* as YAML; the one whose number is *match* fits the reports."""
    if number == match:
        return RULE.format(name="bench", extension=EXTENSION, trunk=TRUNK, topic=TOPIC)
    trunk = TRUNK if number % 10 == 0 else f"trunk-{number % 10}"
    topic = f"house/lamp/{number}"
    return RULE.format(name=f"lamp-{number}", extension=2000 + number, trunk=trunk, topic=topic)


@dataclass(frozen=True, slots=True, kw_only=True)
class Daemon:
    """A daemon that said READY=1."""

    process: subprocess.Popen[bytes]
    ready_s: float


@contextmanager
def serving(
    program: list[str], *, port: int, broker: int, rules: Path, state: Path, log: Path
) -> Iterator[Daemon]:
    """Run *program* ``serve`` for the length of the block, from its READY=1 on."""
    argv = [*program, "serve", "--listen", f"{HOST}:{port}", "--rules", str(rules)]
    argv += ["--state", str(state), "--mqtt", f"mqtt://{HOST}:{broker}"]
    # Not beside the state: a socket's path may have 107 bytes at most.
    with (
        tempfile.TemporaryDirectory(prefix="pbxrules-bench-") as folder,
        socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as notify,
    ):
        notify.bind(f"{folder}/notify")
        notify.settimeout(0.2)
        env = os.environ | {"NOTIFY_SOCKET": f"{folder}/notify"}
        started = time.perf_counter()
        with running(argv, log=log, env=env) as process:
            ready_at = wait_ready(notify, process, log)
            yield Daemon(process=process, ready_s=ready_at - started)


def wait_ready(notify: socket.socket, process: subprocess.Popen[bytes], log: Path) -> float:
    """Return ``time.perf_counter`` at which READY=1 came."""
    deadline = time.perf_counter() + READY_TIMEOUT_S
    while process.poll() is None and time.perf_counter() < deadline:
        try:
            if b"READY=1" in notify.recv(4096).split(b"\n"):
                return time.perf_counter()
        except TimeoutError:
            continue
    msg = f"pbxrules sent no READY=1 (exit {process.poll()})\n{tail(log)}"
    raise BenchError(msg)


def resident_mb(pid: int | str, field: str = "VmRSS") -> float:
    """Return *field* of ``/proc/PID/status`` in MB (10^6 bytes)."""
    for line in Path(f"/proc/{pid}/status").read_text(encoding="ascii").splitlines():
        name, _, value = line.partition(":")
        if name == field:
            return int(value.split()[0]) * 1024 / 1e6
    msg = f"/proc/{pid}/status has no {field}"
    raise BenchError(msg)
