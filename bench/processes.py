"""Child processes that end when their block ends, however it ends."""

import os
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

from bench.errors import BenchError

HOST = "127.0.0.1"
# The binary and the Debian package that has it.
PACKAGES = {
    "wrk": "wrk",
    "webhook": "webhook",
    "mosquitto": "mosquitto",
    "mosquitto_pub": "mosquitto-clients",
}
# Debian keeps daemons where a user's PATH does not look.
SBIN = "/usr/local/sbin:/usr/sbin:/sbin"
STOP_TIMEOUT_S = 12.0


def tool(name: str) -> str:
    """Return the path of the Debian tool *name*.

    Raises:
        BenchError: It is not installed; the text says how to install it.
    """
    found = shutil.which(name, path=f"{os.environ.get('PATH', os.defpath)}:{SBIN}")
    if found is None:
        msg = f"{name} is not installed: sudo apt-get install {PACKAGES[name]}"
        raise BenchError(msg)
    return found


def require(names: Sequence[str]) -> None:
    """Check that every tool in *names* is here, and name all that are not at once."""
    lacking = []
    for name in names:
        try:
            tool(name)
        except BenchError:
            lacking.append(name)
    if lacking:
        packages = " ".join(sorted({PACKAGES[name] for name in lacking}))
        msg = f"not installed: {', '.join(lacking)}; sudo apt-get install {packages}"
        raise BenchError(msg)


def free_port() -> int:
    """Return a TCP port of the loopback that was free a moment ago."""
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        port: int = probe.getsockname()[1]
        return port


@contextmanager
def running(
    argv: Sequence[str], *, log: Path, env: Mapping[str, str] | None = None
) -> Iterator[subprocess.Popen[bytes]]:
    """Run *argv* for the length of the block, with its output in *log*.

    It gets a session of its own: a Ctrl-C reaches only us, and we end it and
    what it started.
    """
    with log.open("ab") as output:
        process = subprocess.Popen(  # noqa: S603 - our own command lines, no shell
            argv,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            env=None if env is None else dict(env),
            start_new_session=True,
        )
        try:
            yield process
        finally:
            stop(process)


def stop(process: subprocess.Popen[bytes]) -> None:
    """End *process* and its group: SIGTERM to it, SIGKILL to what is left."""
    if process.poll() is None:
        process.terminate()
    try:
        process.wait(STOP_TIMEOUT_S)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
    finally:
        # The group bears the pid of the leader that we started, so it is ours.
        # Mostly it is empty by now.
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)


def wait_until(
    ready: Callable[[], bool],
    *,
    process: subprocess.Popen[bytes],
    log: Path,
    timeout_s: float = 15.0,
) -> None:
    """Return when *ready* says so.

    Raises:
        BenchError: *process* ended first, or *timeout_s* passed.  The text has the
            last lines of *log*.
    """
    deadline = time.monotonic() + timeout_s
    while not ready():
        if process.poll() is not None or time.monotonic() > deadline:
            state = "not ready" if process.returncode is None else f"exit {process.returncode}"
            msg = f"{process.args!r}: {state}\n{tail(log)}"
            raise BenchError(msg)
        time.sleep(0.01)


def tail(log: Path, lines: int = 12) -> str:
    """Return the last *lines* of *log*, or nothing if there is no such file."""
    try:
        text = log.read_text(encoding="utf-8", errors="replace")
    except FileNotFoundError:
        return ""
    return "\n".join(text.splitlines()[-lines:])


def listens(port: int) -> bool:
    """Tell whether something accepts connections on *port* of the loopback."""
    try:
        socket.create_connection((HOST, port), timeout=1).close()
    except OSError:
        return False
    return True
