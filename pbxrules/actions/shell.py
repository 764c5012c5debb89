"""The action ``shell``: a command that learns of the event by its environment and stdin.

Text of a call reaches the command only as whole arguments, as values of variables and
as JSON, never as something that a shell reads as code.  NUL and lone surrogates, which
no argument can hold, become U+FFFD: a caller's name must not be able to make a siren fail.
"""

import asyncio
import errno
import json
import os
import re
import signal
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from decimal import Decimal
from typing import Any

from pbxrules.actions import KEPT_BYTES, kept_text
from pbxrules.actions.command import (
    Command,
    Ended,
    Exited,
    NotStarted,
    Stop,
    Stopped,
    TimedOut,
    run,
)
from pbxrules.model import Delivery, Event, FieldValue, GiveUp, Outcome, TryAgain
from pbxrules.outcomes import of_exit, of_time_out

INHERITED = ("PATH", "HOME", "LANG")
"""What a command gets of the daemon's environment; ``BASH_ENV`` or ``LD_PRELOAD`` ran code."""

PREFIX = "PBX_"
"""Names that begin so are the event's alone; a rule's ``env`` can't set them."""

_UNFIT = re.compile("[\0\ud800-\udfff]")
_DETAIL_CHARS = 200
_MAY_PASS = frozenset(
    {errno.EAGAIN, errno.ENOMEM, errno.EMFILE, errno.ENFILE, errno.ETXTBSY, errno.EINTR}
)
"""Refusals to start that are about the machine's state, not about the command."""


class Shell:
    """Runs commands in threads of its own, so that the event loop never forks."""

    def __init__(
        self, inherited: Mapping[str, str], *, concurrency: int = 16, per_rule: int | None = 4
    ) -> None:
        """Take PATH, HOME and LANG from *inherited*, such as ``os.environ``, and nothing else."""
        self.concurrency = concurrency
        self.per_rule = per_rule
        self._inherited = {name: inherited[name] for name in INHERITED if name in inherited}
        self._running: set[Stop] = set()
        self._pool = ThreadPoolExecutor(concurrency, thread_name_prefix="shell")

    def ready(self) -> bool:
        """Always: a command needs nobody else."""
        return True

    async def perform(self, delivery: Delivery) -> Outcome:
        """What became of the command; cancelled, it is dead before this ends."""
        command = _command(delivery, self._inherited)
        stop = Stop()
        job = self._pool.submit(run, command, stop)
        running = asyncio.wrap_future(job)
        self._running.add(stop)
        try:
            ended = await asyncio.shield(running)
            outcome = _outcome(command, ended, quiet=delivery.uses_secret)
            return replace(outcome, result=_result(ended, quiet=delivery.uses_secret))
        except asyncio.CancelledError:
            stop.set()
            if not job.cancel():  # a thread has it already
                await asyncio.wait([running])
            raise
        finally:
            self._running.discard(stop)

    async def close(self) -> None:
        """Kill what still runs, and let the threads go; waits for neither."""
        for stop in self._running:
            stop.set()
        self._pool.shutdown(wait=False)


def _command(delivery: Delivery, inherited: Mapping[str, str]) -> Command:
    args = delivery.args
    words = args["argv"] if "argv" in args else ("/bin/sh", "-c", args["script"])
    given = {
        name: text for name, text in (args.get("env") or {}).items() if not name.startswith(PREFIX)
    }
    told = given | _variables(delivery)
    cwd = args.get("cwd")
    return Command(
        argv=tuple(map(_encoded, words)),
        env={os.fsencode(name): os.fsencode(text) for name, text in inherited.items()}
        | {_encoded(name): _encoded(text) for name, text in told.items()},
        cwd=None if cwd is None else _encoded(cwd),
        stdin=_stdin(delivery.event),
        timeout_s=delivery.timeout_s,
    )


def _variables(delivery: Delivery) -> dict[str, str]:
    """``PBX_CALLER`` and its like, for every field that the event has, and the delivery's id."""
    variables = {
        PREFIX + re.sub(r"[^A-Z0-9_]", "_", name.upper()): _text(value)
        for name, value in delivery.event.fields.items()
    }
    return variables | {PREFIX + "DELIVERY_ID": delivery.id}


def _text(value: FieldValue) -> str:
    if isinstance(value, str):
        return value
    if isinstance(value, tuple):
        return " ".join(value)
    return format(Decimal(repr(value)).normalize(), "f")  # 1200, never 1.2e+3 or 1200.0


def _stdin(event: Event) -> bytes:
    """The event as ``pbxrules events --json`` has it in ``fields``: one line of JSON."""
    told = {**event.fields, "payload": event.payload}
    return _encoded(json.dumps(told, ensure_ascii=False, default=dict)) + b"\n"


def _encoded(text: str) -> bytes:
    return _UNFIT.sub("\ufffd", text).encode()


def _outcome(command: Command, ended: Ended, *, quiet: bool) -> Outcome:
    """What its end means; *quiet*: in no word of its own."""
    match ended:
        case Exited(code=code, stdout=stdout, stderr=stderr) if code >= 0:
            printed, complained = (b"", b"") if quiet else (stdout, stderr)
            return of_exit(code, printed=_first_line(printed), complained=_first_line(complained))
        case Exited(code=code):
            return TryAgain(reason=f"killed by {_signal_name(-code)}")
        case TimedOut():
            return of_time_out(command.timeout_s)
        case Stopped():
            return TryAgain(reason="killed, for the daemon stops")
        case NotStarted(error=error):
            return _not_started(command, error)


def _result(ended: Ended, *, quiet: bool) -> dict[str, Any]:
    """What ``register`` keeps of it; *quiet*: nothing that it said."""
    exited = ended if isinstance(ended, Exited) else Exited(code=-1, stdout=b"", stderr=b"")
    told = {
        "exit_code": exited.code if exited.code >= 0 else None,
        "timed_out": isinstance(ended, TimedOut),
    }
    if quiet:
        return told
    # Of both together no more than is kept: whichever is short leaves room to the other.
    half = KEPT_BYTES // 2
    stdout = kept_text(exited.stdout, KEPT_BYTES - min(half, len(exited.stderr)))
    stderr = kept_text(exited.stderr, KEPT_BYTES - len(stdout.encode()))
    return told | {"stdout": stdout.rstrip("\r\n"), "stderr": stderr.rstrip("\r\n")}


def _not_started(command: Command, error: OSError | ValueError) -> TryAgain | GiveUp:
    """Why the system refused it, with the word to look at."""
    word = _first_line(command.argv[0])
    if not isinstance(error, OSError):
        return GiveUp(reason=f"can't run '{word}': {error}")
    said = error.strerror or type(error).__name__
    if error.errno in _MAY_PASS:
        return TryAgain(reason=f"can't run '{word}' now: {said}")
    if command.cwd is not None and error.filename == command.cwd:
        return GiveUp(reason=f"can't run '{word}' in '{_first_line(command.cwd)}': {said}")
    if error.errno == errno.E2BIG:
        said = "its arguments and environment are too long for the system"
    elif error.errno == errno.ENOENT:
        named = "it, or the program that its first line names, is not there"
        said = named if "/" in word else "no such command in PATH"
    return GiveUp(reason=f"can't run '{word}': {said}")


def _signal_name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:  # a real-time signal
        return f"signal {number}"


def _first_line(output: bytes) -> str:
    """The first line that says something, printable, and at most 200 characters."""
    for line in output.decode(errors="replace").splitlines():
        printable = "".join(char if char.isprintable() else " " for char in line)
        if words := printable.split():
            return " ".join(words)[:_DETAIL_CHARS]
    return ""
