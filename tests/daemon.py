"""A whole daemon in the test's own process and loop, and a client that sends raw bytes.

``Daemon`` is the web server, the intake, the store and the dispatcher, wired as ``app.py``
does, on a free port and a folder of the test's; its actions are only written down.
"""

import asyncio
import contextlib
import functools
import json
import logging
import socket
import struct
import time
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from pbxrules import loading
from pbxrules.clock import Clock
from pbxrules.dispatcher import Dispatcher
from pbxrules.errors import StoreError
from pbxrules.intake import Intake
from pbxrules.language import Language
from pbxrules.model import (
    Changes,
    Delivery,
    Done,
    Kept,
    KeptKey,
    Moment,
    Outcome,
    Program,
    Run,
)
from pbxrules.recall import recall
from pbxrules.showing import event_json
from pbxrules.store import (
    Accepted,
    Advanced,
    Change,
    LoadedRun,
    OpenRun,
    Refused,
    SeenAgain,
    SeenEvent,
    Settled,
    Store,
    reading,
)
from pbxrules.store.pruning import Keep
from pbxrules.store.reading import RefusedRecord
from pbxrules.store.sqlite import SqliteStore
from pbxrules.web.server import BODY_TIMEOUT_S, HEADER_TIMEOUT_S, ReportServer

RULES = """
rules:
  - id: every-report
    triggers: any
    actions: [log: "{{ event }}"]
  - id: rings-101
    triggers: {event: ring, extension: 101}
    actions: [mqtt: {topic: lamp, payload: "ON"}]
"""
NOON = Moment(boot="a boot", uptime_s=1000.0, wall_s=1_795_000_000.123)

_language: Callable[[], Language] = functools.cache(loading.language)


class HandClock(Clock):
    """A clock that stands still until somebody moves it."""

    def __init__(self, start: Moment = NOON) -> None:
        self.moment = start
        self._boots = 0

    def now(self) -> Moment:
        return self.moment

    def go_on(self, seconds: float) -> None:
        self.moment = self.moment.after(seconds)

    def reboot(self, seconds: float) -> None:
        """Be off for *seconds*, and count the uptime from zero."""
        self._boots += 1
        wall_s = self.moment.wall_s + seconds
        self.moment = Moment(boot=f"boot {self._boots}", uptime_s=5.0, wall_s=wall_s)


class RunningClock(HandClock):
    """A clock that goes on by itself, as what waits for a time needs it; by hand it may jump."""

    def __init__(self, start: Moment = NOON) -> None:
        super().__init__(start)
        self._began_s = time.monotonic()

    def now(self) -> Moment:
        return self.moment.after(time.monotonic() - self._began_s)


class Recorder:
    """Performs every action by writing it down."""

    concurrency = 16
    per_rule: int | None = None

    def __init__(self) -> None:
        self.deliveries: list[Delivery] = []

    def ready(self) -> bool:
        return True

    async def perform(self, delivery: Delivery) -> Outcome:
        self.deliveries.append(delivery)
        return Done()

    async def close(self) -> None:
        """Nothing is held."""


class MemoryStore:
    """A ``Store`` in memory that commits when it is told to, or, *at_once*, by itself."""

    id = "memory"

    def __init__(self, *, at_once: bool = False) -> None:
        self.writable = True
        """False: every commit fails, as on a full disk."""
        self.accepted: dict[int, Accepted] = {}
        self.refused: list[Refused] = []
        self.runs: dict[int, Run] = {}
        self.kept: dict[KeptKey, Kept] = {}
        self.last_seen: dict[int, Moment] = {}
        self.arrived = asyncio.Event()
        """Something waits for a commit."""
        self.at_once = at_once
        self._waiting: list[tuple[Change | None, Settled | None]] = []
        """Without a change and without anybody to tell: a ``recover``."""
        self._owed: list[tuple[Change, Settled | None]] = []
        """Outcomes that could not be written yet."""
        self._lost: set[int] = set()
        """Events that failed since the last ``recover``."""
        self._given_out = 0
        self._failed: StoreError | None = None
        self._told: StoreError | None = None
        self._recovered: StoreError | None = None

    @property
    def next_event_id(self) -> int:
        return self._given_out + 1

    def put(self, change: Change, settled: Settled | None = None) -> None:
        if isinstance(change, Accepted):
            self._given_out = change.id
        self._queue(change, settled)

    def recover(self) -> bool:
        if self._told is self._recovered:
            return False
        self._recovered = self._told
        self._queue(None, None)
        return True

    def barrier(self, settled: Settled) -> None:
        self._queue(None, settled)

    def _queue(self, change: Change | None, settled: Settled | None) -> None:
        self._waiting.append((change, settled))
        self.arrived.set()
        if self.at_once:
            asyncio.get_running_loop().call_soon(self.commit)

    @property
    def waits(self) -> bool:
        """Whether something waits for a commit."""
        return bool(self._waiting or self._owed)

    def commit(self) -> None:
        """Settle what waits; what is put meanwhile waits for the next commit."""
        batch, self._waiting, self._owed = [*self._owed, *self._waiting], [], []
        self.arrived.clear()
        told: list[tuple[Settled, StoreError | None]] = []
        for change, settled in batch:
            if isinstance(change, Advanced) and not self.writable:
                self._owed.append((self._without_lost(change), settled))
                continue
            fate = self._write(change, settled)
            if settled is not None:
                told.append((settled, fate))
        for settled, fate in told:
            self._told = fate or self._told
            settled(fate)

    def _write(self, change: Change | None, settled: Settled | None) -> StoreError | None:
        """What becomes of a change whose turn it is."""
        if isinstance(change, Advanced):
            self._keep(self._without_lost(change))
            return None
        if change is None:
            if settled is None:
                self._failed = None
                self._lost.clear()
            return None
        if not self.writable:
            self._failed = self._failed or StoreError("the disk is full")
        if self._failed is None:
            self._keep(change)
        elif isinstance(change, Accepted):
            self._lost.add(change.id)
        return self._failed

    def _without_lost(self, change: Advanced) -> Advanced:
        runs = tuple(run for run in change.changes.runs if run.event_id not in self._lost)
        return Advanced(changes=replace(change.changes, runs=runs))

    def _keep(self, change: Change) -> None:
        match change:
            case Accepted():
                self.accepted[change.id] = change
                self.last_seen[change.id] = change.received
                self._apply(change.changes)
            case SeenAgain():
                self.last_seen[change.event_id] = change.at
            case Refused():
                self.refused.append(change)
            case Advanced():
                self._apply(change.changes)

    def _apply(self, changes: Changes) -> None:
        self.runs |= {run.id: run for run in changes.runs}
        for key in changes.forgotten:
            self.kept.pop(key, None)
        self.kept |= {kept.key: kept for kept in changes.kept}

    def memory(self) -> list[Kept]:
        return list(self.kept.values())

    def seen(self, *, now: Moment) -> list[SeenEvent]:
        lasts = {event.subject: event.id for event in self.accepted.values()}
        return [
            SeenEvent(
                id=event.id,
                event=event.event.kind,
                digest=event.digest,
                subject=event.subject,
                resend_s=event.resend_s,
                rules=tuple(verdict.rule for verdict in event.verdicts if verdict.matched),
                last_seen=self.last_seen[event.id],
            )
            for event in sorted(self.accepted.values(), key=lambda e: self.last_seen[e.id].wall_s)
            if (
                now.since(self.last_seen[event.id]) <= event.resend_s
                if event.subject is None
                else lasts[event.subject] == event.id
            )
        ]

    def open_runs(self) -> list[OpenRun]:
        return [
            OpenRun(
                id=run.id,
                rule=run.rule,
                program=run.program,
                lane=run.lane,
                call=run.call,
                parent=run.parent,
                verb=run.verb,
                due=run.due,
                expires_s=run.expires_s,
                next_try=run.next_try,
            )
            for run in self.runs.values()
            if not run.ended
        ]

    def load(self, run_ids: Sequence[int]) -> list[LoadedRun]:
        found = []
        for run in (self.runs[run_id] for run_id in run_ids):
            accepted = self.accepted[run.event_id]
            source = json.loads(dict(accepted.programs)[run.program])
            found.append(
                LoadedRun(run=run, event=accepted.event, call=accepted.call, source=source)
            )
        return found

    def close(self) -> None:
        self.commit()


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """One HTTP response, as it stood on the wire."""

    status: int
    headers: Mapping[str, str]
    """Their names in small letters."""
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)


class Connection:
    """One TCP connection to the server, with nothing between the test and the bytes."""

    def __init__(self, sock: socket.socket) -> None:
        self._sock = sock
        self._read = b""

    async def send(self, data: bytes) -> None:
        """Send as much as the server takes; it may hang up meanwhile."""
        with contextlib.suppress(ConnectionError):
            await asyncio.get_running_loop().sock_sendall(self._sock, data)

    async def answer(self, *, to_head: bool = False) -> Answer:
        """The next response; EOFError where the server hangs up instead."""
        while b"\r\n\r\n" not in self._read:
            await self._more()
        head, _, self._read = self._read.partition(b"\r\n\r\n")
        status_line, *lines = head.decode("latin1").split("\r\n")
        version, status, _ = status_line.split(" ", 2)
        assert version == "HTTP/1.1"
        pairs = (line.split(": ", 1) for line in lines)
        headers = {name.lower(): value for name, value in pairs}
        assert len(headers) == len(lines), "each header once"
        length = 0 if to_head else int(headers.get("content-length", "0"))
        while len(self._read) < length:
            await self._more()
        body, self._read = self._read[:length], self._read[length:]
        return Answer(status=int(status), headers=headers, body=body)

    async def _more(self) -> None:
        data = await asyncio.get_running_loop().sock_recv(self._sock, 1 << 16)
        if not data:
            raise EOFError
        self._read += data

    async def rest(self) -> bytes:
        """All that comes until the server hangs up."""
        with contextlib.suppress(EOFError, ConnectionError):
            while True:
                await self._more()
        return self._read

    @property
    def has_bytes(self) -> bool:
        """Whether anything has come that was not read."""
        try:
            return bool(self._read or self._sock.recv(1, socket.MSG_PEEK))
        except BlockingIOError:
            return False

    @property
    def has_ended(self) -> bool:
        """Whether the server has hung up."""
        try:
            while data := self._sock.recv(1 << 16):
                self._read += data
        except BlockingIOError:
            return False
        except ConnectionError:
            pass
        return True

    def end(self) -> None:
        """Say that nothing more will be sent."""
        with contextlib.suppress(OSError):
            self._sock.shutdown(socket.SHUT_WR)

    def abort(self) -> None:
        """Hang up so that the server's next write fails."""
        self._sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self._sock.close()

    def close(self) -> None:
        self._sock.close()


class Daemon:
    """Serves on 127.0.0.1 while it is entered."""

    def __init__(
        self,
        folder: Path,
        *,
        rules: str = RULES,
        language: Language | None = None,
        store: Store | None = None,
        keep: Keep | None = None,
        clock: Clock | None = None,
        header_timeout_s: float = HEADER_TIMEOUT_S,
        body_timeout_s: float = BODY_TIMEOUT_S,
    ) -> None:
        """Prepare.

        Args:
            folder: For the rules and the store; give it again and it is a restart.
            rules: The text of its one rule file.
            language: That of the configuration; else one without any.
            store: In place of SQLite's in *folder*.
        """
        self.folder = folder
        self._rules = rules
        self._language = language or _language()
        self._given_store = store
        self._keep = keep or Keep()
        self.clock = clock or HandClock()
        self._timeouts = {"header_timeout_s": header_timeout_s, "body_timeout_s": body_timeout_s}
        self.recorder = Recorder()
        self.complaints: list[str] = []
        """What was logged as an error by other modules than ours."""

    async def __aenter__(self) -> Self:
        rules_file = self.folder / "rules.yaml"
        rules_file.write_text(self._rules, "utf-8")
        snapshot = loading.load([rules_file], self._language)
        loop = asyncio.get_running_loop()
        self.store = self._given_store or SqliteStore(
            self.folder / "state",
            keep=self._keep,
            call=loop.call_soon_threadsafe,
            soon=loop.call_soon,
        )
        memory, owed = recall(self.store, snapshot.program_of)
        self.dispatcher = Dispatcher(
            self.store,
            dict.fromkeys(("mqtt", "shell", "http", "log"), self.recorder),
            memory,
            now=self.clock.now,
            ruleset=lambda: self.intake.snapshot.ruleset,
            program_of=self._program_of,
            secrets=dict,
        )
        self.intake = Intake(snapshot, self.store, self.dispatcher, memory, self.clock)
        self.server = ReportServer(self.intake, **self._timeouts)
        (self.address,) = self.server.listen([("127.0.0.1", 0)])
        self.dispatcher.start(owed)
        self._listener = _Complaints(self.complaints)
        logging.getLogger().addHandler(self._listener)
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.server.stop_listening()
        await self.server.close(0.1)
        await self.dispatcher.stop(1)
        self.store.close()
        logging.getLogger().removeHandler(self._listener)

    def _program_of(self, loaded: LoadedRun) -> Program:
        return self.intake.snapshot.program_of(loaded)

    @contextlib.asynccontextmanager
    async def connected(self) -> AsyncIterator[Connection]:
        """A connection of its own."""
        connection = await self.connect()
        try:
            yield connection
        finally:
            connection.close()

    async def connect(self) -> Connection:
        """A connection that the caller closes."""
        sock = socket.socket()
        try:
            sock.setblocking(False)  # noqa: FBT003 - socket's own signature
            await asyncio.get_running_loop().sock_connect(sock, self.address)
        except BaseException:
            sock.close()
            raise
        return Connection(sock)

    async def exchange(self, data: bytes) -> Answer:
        """The one answer to *data*, over a connection that the server then closes."""
        async with self.connected() as connection:
            await connection.send(data)
            answer = await connection.answer()
            assert await connection.rest() == b""
            return answer

    async def post(self, body: bytes, *, headers: Sequence[str] = ()) -> Answer:
        """Send *body* as the PBX would."""
        return await self.exchange(post(body, headers=[*headers, "Connection: close"]))

    async def written(self) -> None:
        """Wait until all that was put into the store is settled."""
        settled = asyncio.Event()
        self.store.barrier(lambda _: settled.set())
        await settled.wait()

    async def performed(self) -> list[Delivery]:
        """All deliveries so far, once nothing is owed any more."""
        while self.dispatcher.waiting.total():
            await self.written()
        return self.recorder.deliveries

    @property
    def open_exchanges(self) -> int:
        """Requests that were begun and neither answered nor given up."""
        return len(self.server._exchanges._open)

    def rows(self, sql: str, *values: object) -> list[tuple[Any, ...]]:
        """What another process would read from the file now."""
        with reading.opened(self.folder / "state" / "pbxrules.db") as db:
            return db.execute(sql, values).fetchall()

    def events(self) -> list[dict[str, Any]]:
        """What ``pbxrules events --json`` prints, read from the file."""
        with reading.opened(self.folder / "state" / "pbxrules.db") as db:
            records = reading.events(db)
        return [json.loads(json.dumps(event_json(record))) for record in records]

    def repeats(self) -> list[int]:
        """How often each event was sent again."""
        with reading.opened(self.folder / "state" / "pbxrules.db") as db:
            return [record.repeats for record in reading.events(db)]

    def refused(self) -> list[RefusedRecord]:
        """The reports that were kept to look at."""
        with reading.opened(self.folder / "state" / "pbxrules.db") as db:
            return reading.refused(db)


class _Complaints(logging.Handler):
    def __init__(self, into: list[str]) -> None:
        super().__init__(logging.ERROR)
        self._into = into

    def emit(self, record: logging.LogRecord) -> None:
        if not record.name.startswith("pbxrules"):
            self._into.append(self.format(record))


def post(body: bytes, *, line: str = "POST / HTTP/1.1", headers: Sequence[str] = ()) -> bytes:
    """A request with *body*, its length and these headers."""
    lines = [line, "Host: pbx", f"Content-Length: {len(body)}", *headers]
    return ("\r\n".join(lines) + "\r\n\r\n").encode("latin1") + body


def chunked(*chunks: bytes, headers: Sequence[str] = ()) -> bytes:
    """A request whose body comes in chunks, and then ends."""
    lines = ["POST / HTTP/1.1", "Host: pbx", "Transfer-Encoding: chunked", *headers]
    head = ("\r\n".join(lines) + "\r\n\r\n").encode("latin1")
    return head + b"".join(b"%x\r\n%s\r\n" % (len(c), c) for c in (*chunks, b""))


def report(**members: Any) -> bytes:
    """A ring of extension 101, with these members besides or instead."""
    ring = {"action": "RING", "callid": "1.1", "ext": {"extid": ["101", "102"]}}
    return json.dumps({**ring, **members}).encode()


def status(word: str, *, extension: str = "101", **members: Any) -> bytes:
    """An ExtensionStatus."""
    told = {"action": "ExtensionStatus", "extension": extension, "status": word}
    return json.dumps({**told, **members}).encode()
