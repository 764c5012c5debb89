"""Run one command to its end, whatever it does; blocking, so for a thread of its own.

Three things are awaited in one selector: the child's pipes, its exit (a pidfd), and
somebody's wish to stop it.  The exit is not the pipes' end: a grandchild may hold them
for hours (cpython#119710), so what is there at the exit is read, and then they are closed.

Only the thread that runs a command ever signals it, and only until it has waited for
it.  Until then the kernel keeps the number, so no signal can reach a stranger that
was given it anew.  ``Stop`` therefore only wakes that thread.
"""

import contextlib
import os
import selectors
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from typing import IO

KEPT_BYTES = 64 * 1024
"""Of each of stdout and stderr, from its beginning; the rest is read and thrown away."""

_CHUNK_BYTES = 64 * 1024
_KILLED_WAIT_S = 2.0
"""A killed process that hangs in the kernel, or is another user's (sudo), is not awaited longer."""
_POLL_S = 0.05
"""How often the exit is looked for where there is no pidfd (macOS, Linux before 5.3)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Command:
    """What to run; all of it bytes, so that no locale has a say in it."""

    argv: tuple[bytes, ...]
    env: Mapping[bytes, bytes]
    """All of the environment."""
    cwd: bytes | None
    """None: where the daemon is."""
    stdin: bytes
    timeout_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Exited:
    """The command ended by itself."""

    code: int
    """Negative: the signal that ended it."""
    stdout: bytes
    stderr: bytes


@dataclass(frozen=True, slots=True)
class TimedOut:
    """The time was over, and the process group was killed."""


@dataclass(frozen=True, slots=True)
class Stopped:
    """``Stop.set`` was called: the process group was killed, or never started."""


@dataclass(frozen=True, slots=True, kw_only=True)
class NotStarted:
    """The system refused to run it."""

    error: OSError | ValueError


Ended = Exited | TimedOut | Stopped | NotStarted


class Stop:
    """The wish that a command end; may be said from any thread, before, during or after."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._wanted = False
        self._writer: int | None = None

    @property
    def wanted(self) -> bool:
        """Whether ``set`` was called."""
        return self._wanted

    def set(self) -> None:
        """Have the command killed by the thread that runs it, or not started; returns at once."""
        with self._lock:
            if self._writer is not None and not self._wanted:
                os.write(self._writer, b"!")
            self._wanted = True

    @contextlib.contextmanager
    def armed(self) -> Iterator[int]:
        """A descriptor that becomes readable once ``set`` was called."""
        reader, writer = os.pipe()
        try:
            with self._lock:
                self._writer = writer
                if self._wanted:
                    os.write(writer, b"!")
            yield reader
        finally:
            with self._lock:
                self._writer = None
            os.close(writer)
            os.close(reader)


def run(command: Command, stop: Stop) -> Ended:
    """How *command* ended; at most ``timeout_s`` and two seconds later.

    A process that the command left behind in its group lives on after ``Exited``, and is
    killed with it after ``TimedOut`` and ``Stopped``.
    """
    if stop.wanted:
        return Stopped()
    try:
        with (
            stop.armed() as stopped,
            selectors.DefaultSelector() as selector,
            contextlib.closing(_Child(command, selector)) as child,
        ):
            child.watch(stopped)
            return child.end(command.timeout_s)
    except (OSError, ValueError) as error:
        return NotStarted(error=error)


class _Child:
    """A process under way; ``close`` leaves neither it nor its pipes behind."""

    def __init__(self, command: Command, selector: selectors.BaseSelector) -> None:
        self._selector = selector
        self._stdin = command.stdin
        self._kept = (bytearray(), bytearray())
        self._gone = False
        self._stopped = False
        self._pidfd: int | None = None
        self._process = subprocess.Popen(  # noqa: S603 - the rule's author wrote the command
            command.argv,
            bufsize=0,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env=command.env,
            cwd=command.cwd,
            start_new_session=True,  # its own process group, and no terminal
        )

    def watch(self, stopped: int) -> None:
        """Have the selector tell of everything that can happen."""
        self._pidfd = _pidfd(self._process.pid)
        if self._pidfd is not None:
            self._register(self._pidfd, self._note_exit)
        self._register(stopped, partial(self._note_stop, stopped))
        for pipe, kept in self._outputs():
            os.set_blocking(pipe.fileno(), False)
            self._register(pipe, partial(self._read, pipe, kept))
        if stdin := self._process.stdin:
            os.set_blocking(stdin.fileno(), False)
            self._register(stdin, partial(self._write, stdin), selectors.EVENT_WRITE)

    def end(self, timeout_s: float) -> Exited | TimedOut | Stopped:
        """How it ended, by itself or not."""
        deadline = time.monotonic() + timeout_s
        while not (self._gone or self._stopped):
            left_s = deadline - time.monotonic()
            if left_s <= 0:
                self._kill()
                return TimedOut()
            self._serve(left_s)
        if not self._gone:
            self._kill()
            return Stopped()
        for pipe, kept in self._outputs():
            # What a grandchild writes on and on would never end: no more than is kept.
            while len(kept) < KEPT_BYTES and not pipe.closed and self._read(pipe, kept):
                pass
        stdout, stderr = map(bytes, self._kept)
        return Exited(code=self._process.wait(), stdout=stdout, stderr=stderr)

    def close(self) -> None:
        """Close the pipes; reap the child if it is gone, else leave that to ``subprocess``."""
        if self._gone:
            self._process.wait()
        else:
            self._signal()
        for pipe in (self._process.stdin, self._process.stdout, self._process.stderr):
            if pipe:
                pipe.close()
        if self._pidfd is not None:
            os.close(self._pidfd)

    def _serve(self, wait_s: float) -> None:
        """Do what there is to do, or wait that long for it."""
        polled = self._pidfd is None
        for key, _ in self._selector.select(min(wait_s, _POLL_S) if polled else wait_s):
            key.data()
        if polled:
            self._gone = self._process.poll() is not None

    def _kill(self) -> None:
        self._signal()
        deadline = time.monotonic() + _KILLED_WAIT_S
        while not self._gone and (left_s := deadline - time.monotonic()) > 0:
            self._serve(left_s)

    def _signal(self) -> None:
        if self._process.returncode is None:  # so its number is still its own
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(self._process.pid, signal.SIGKILL)

    def _outputs(self) -> Iterator[tuple[IO[bytes], bytearray]]:
        for pipe, kept in zip(
            (self._process.stdout, self._process.stderr), self._kept, strict=True
        ):
            if pipe:
                yield pipe, kept

    def _read(self, pipe: IO[bytes], kept: bytearray) -> bool:
        """Read a chunk; whether there may be more at once."""
        try:
            chunk = os.read(pipe.fileno(), _CHUNK_BYTES)
        except BlockingIOError:
            return False
        kept += chunk[: KEPT_BYTES - len(kept)]
        if not chunk:
            self._drop(pipe)
        return bool(chunk)

    def _write(self, stdin: IO[bytes]) -> None:
        try:
            self._stdin = self._stdin[os.write(stdin.fileno(), self._stdin[:_CHUNK_BYTES]) :]
        except BlockingIOError:
            return
        except BrokenPipeError:  # it does not want to know
            self._stdin = b""
        if not self._stdin:
            self._drop(stdin)

    def _note_exit(self) -> None:
        self._gone = True

    def _note_stop(self, stopped: int) -> None:
        self._stopped = True
        self._selector.unregister(stopped)

    def _register(
        self, what: int | IO[bytes], then: Callable[[], object], event: int = selectors.EVENT_READ
    ) -> None:
        self._selector.register(what, event, then)

    def _drop(self, pipe: IO[bytes]) -> None:
        self._selector.unregister(pipe)
        pipe.close()


def _pidfd(pid: int) -> int | None:
    """A descriptor that becomes readable when *pid* has ended; None where there is none."""
    pidfd_open: Callable[[int], int] | None = getattr(os, "pidfd_open", None)
    if pidfd_open is None:
        return None
    try:
        return pidfd_open(pid)
    except OSError:  # an old kernel, a seccomp filter, the limit of descriptors
        return None
