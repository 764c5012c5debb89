"""POST to message, one report at a time, as a PBX with one call would send them.

The clock runs from before ``connect`` to the read that brings the message: a
PBX, too, makes a connection for each report.  Client and subscriber are this one
thread with two plain sockets.
"""

import gc
import os
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from bench import calls
from bench.contestants import Contestant
from bench.errors import BenchError
from bench.processes import HOST, tail

# Rest between two reports, the same for all, so that what a report leaves behind
# (its PUBACK, the commit that it is done) is not counted to the next one.
GAP_S = 0.005
WARM_UP = 20
BLOCK_BYTES = 4096


def measure(who: Contestant, *, samples: int, gap_s: float = GAP_S) -> list[float]:
    """Return *samples* latencies in seconds."""
    first = who.fresh_numbers()
    who.subscriber.take()
    seconds: list[float] = []
    with no_collector():
        for number in range(first, first + WARM_UP + samples):
            seconds.append(one(who, number))
            time.sleep(gap_s)
    return seconds[WARM_UP:]


def one(who: Contestant, number: int) -> float:
    """Post call *number*, and return the seconds until its message came.

    Raises:
        BenchError: It was not answered 200, or no message came.
    """
    request = calls.report(number, port=who.port, path=who.path)
    expected = calls.call_id(number)
    started = time.perf_counter()
    with socket.socket() as connection:  # create_connection would look up the name each time
        connection.settimeout(10)
        connection.connect((HOST, who.port))
        connection.sendall(request)
        arrived = who.subscriber.wait_for(expected)
        answer = b"".join(iter(lambda: connection.recv(4096), b""))
    if not answer.startswith(b"HTTP/1.1 200 "):
        msg = f"{who.name} answered {answer[:200]!r}\n{tail(who.log)}"
        raise BenchError(msg)
    return arrived - started


@contextmanager
def no_collector() -> Iterator[None]:
    """Keep our own garbage collection out of the figures."""
    gc.collect()
    gc.disable()
    try:
        yield
    finally:
        gc.enable()


def fsync(folder: Path, *, samples: int) -> list[float]:
    """Return *samples* times in seconds of one append of 4 KiB and its fdatasync.

    *folder* must be on the file system that the daemon's state is on.
    """
    block = os.urandom(BLOCK_BYTES)
    path = folder / "fsync"
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    seconds: list[float] = []
    try:
        for _ in range(samples):
            started = time.perf_counter()
            os.write(descriptor, block)
            os.fdatasync(descriptor)
            seconds.append(time.perf_counter() - started)
    finally:
        os.close(descriptor)
        path.unlink()
    return seconds
