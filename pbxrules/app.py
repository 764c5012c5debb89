"""The daemon: its parts put together, its signals, its beginning and its end."""

import asyncio
import gc
import logging
import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any, ParamSpec, TypeVar

from pbxrules import __version__, loading, logs
from pbxrules.actions import Performer
from pbxrules.actions.http import Http
from pbxrules.actions.log import Log
from pbxrules.actions.mqtt import Mqtt
from pbxrules.actions.shell import Shell
from pbxrules.clock import Clock
from pbxrules.config import Config
from pbxrules.control import ControlServer
from pbxrules.dispatcher import Dispatcher
from pbxrules.errors import Problem, ProblemsError, StoreError
from pbxrules.intake import Intake
from pbxrules.loading import Snapshot, collected_in_pieces, let_go
from pbxrules.model import Program
from pbxrules.recall import recall
from pbxrules.store import LoadedRun
from pbxrules.store.sqlite import SqliteStore
from pbxrules.systemd import Notifier
from pbxrules.web.server import ReportServer

logger = logging.getLogger("pbxrules")

P = ParamSpec("P")
T = TypeVar("T")

GRACE_S = 5.0
"""What running actions get at the end."""
ANSWER_S = 2.0
"""What reports in hand get at the end."""
WARNED = 20
"""Warnings that are logged; ``pbxrules check`` has them all."""


def load_snapshot(settings: Config) -> Snapshot:
    """The rules and schemas that *settings* name.

    Raises:
        ProblemsError: With everything that is wrong with them.
    """
    with collected_in_pieces():
        language = loading.language(
            schemas=settings.schemas,
            variables=settings.variables,
            secrets=settings.secrets,
            timezone=settings.timezone,
        )
        snapshot = loading.load(loading.rule_files(settings.rules), language)
        # Before the collector has a long look again: nothing of it is garbage, and 10,000 rules
        # would hold up the first report, or those of the time of a reload, for 0.3 s.
        gc.freeze()
    return snapshot


def log_warnings(warnings: Sequence[Problem]) -> None:
    """Log what is doubtful about rules that are good."""
    for problem in warnings[:WARNED]:
        logger.warning("doubtful", extra={"fields": {"problem": str(problem)}})
    if len(warnings) > WARNED:
        more = {"warnings": len(warnings) - WARNED}
        logger.warning("doubtful too; pbxrules check has them all", extra={"fields": more})


class App:
    """One daemon, from its configuration on; run by ``run``."""

    def __init__(self, settings: Config, reread: Callable[[], Config], snapshot: Snapshot) -> None:
        """Take checked settings, and the rules that they name.

        Args:
            settings: In force until a reload.
            reread: The configuration anew, for a reload; may raise ProblemsError.
            snapshot: In force until a reload, which frees it: let nobody else keep it.
        """
        self.snapshot = snapshot
        self._settings = settings
        self._started = settings
        """What stays in force until a restart."""
        self._reread = reread
        self._notifier = Notifier(os.environ)
        self._stop = asyncio.Event()
        self._reloads: set[asyncio.Task[Any]] = set()
        self._reloading = asyncio.Lock()
        self.addresses: list[tuple[str, int]] = []
        """Where it listens, once it is ready."""
        self.ready = asyncio.Event()

    @property
    def stopping(self) -> bool:
        """Whether the end has begun."""
        return self._stop.is_set()

    def stop(self) -> None:
        """Begin the end, as SIGTERM does."""
        self._stop.set()

    async def run(self) -> None:
        """Serve until ``stop``.

        Raises:
            StoreError: The state folder can't be used.
            OSError: An address can't be listened on.
        """
        loop = asyncio.get_running_loop()
        settings = self._settings
        clock = Clock()
        store = SqliteStore(
            settings.state, keep=settings.keep, call=loop.call_soon_threadsafe, soon=loop.call_soon
        )
        logs.gather(loop.call_soon)
        try:
            await self._serve(store, clock)
        finally:
            store.close()
            logs.gather(None)

    async def _serve(self, store: SqliteStore, clock: Clock) -> None:
        settings = self._settings
        self._mqtt = Mqtt(
            settings.mqtt_settings(f"pbxrules-{store.id}"), lambda: dispatcher.pump("mqtt")
        )
        performers: dict[str, Performer] = {
            "mqtt": self._mqtt,
            "shell": Shell(os.environ),
            "http": Http(),
            "log": Log(),
        }
        # Before the first report: what that one starts is held already, not owed from before.
        memory, owed = recall(store, self.snapshot.program_of)
        dispatcher = Dispatcher(
            store,
            performers,
            memory,
            now=clock.now,
            ruleset=lambda: self._intake.snapshot.ruleset,
            program_of=self._program_of,
            secrets=lambda: self._settings.secrets,
        )
        self._dispatcher = dispatcher
        self._intake = Intake(self.snapshot, store, dispatcher, memory, clock)
        server = ReportServer(self._intake)
        self.addresses = server.listen(settings.listen)
        control = ControlServer(
            settings.state, {"status": lambda _: self.status(), "reload": lambda _: self.reload()}
        )
        await control.start()
        self._memory = memory
        self._watch_state(self.snapshot)
        self._mqtt.start()
        dispatcher.start(owed)
        pings = asyncio.get_running_loop().create_task(self._ping(store))
        self._handle_signals()
        self._tell_ready()
        _settle_the_interpreter()
        await self._stop.wait()
        self._notifier.tell(STOPPING=1, STATUS="stopping")
        logger.info("stopping")
        server.stop_listening()
        await control.close()
        await server.close(ANSWER_S)
        await dispatcher.stop(GRACE_S)
        pings.cancel()
        logger.info("stopped", extra={"fields": {"owed": dispatcher.waiting.total()}})

    def _watch_state(self, snapshot: Snapshot) -> None:
        """Have the broker tell of the topics that names of the state are bound to."""
        bound = (state.topic for state in snapshot.ruleset.state.values())
        self._mqtt.watch((topic for topic in bound if topic), self._memory.tell)

    def _handle_signals(self) -> None:
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self.stop)
        loop.add_signal_handler(signal.SIGHUP, self._reload_soon)

    def _tell_ready(self) -> None:
        where = ", ".join(f"{host}:{port}" for host, port in self.addresses)
        rules = len(self.snapshot.ruleset.rules)
        noun = "rule" if rules == 1 else "rules"
        fields = {"version": __version__, "listen": where, "rules": rules}
        logger.info("ready", extra={"fields": fields | {"state": self._settings.state}})
        self._notifier.tell(READY=1, STATUS=f"{rules} {noun}, listening on {where}")
        self.ready.set()

    async def _ping(self, store: SqliteStore) -> None:
        """Ping the watchdog while the loop turns and the writer writes."""
        if self._notifier.watchdog_s is None:
            return
        while True:
            wrote = asyncio.Event()
            store.barrier(lambda _, wrote=wrote: wrote.set())  # type: ignore[misc]
            await wrote.wait()
            self._notifier.tell(WATCHDOG=1)
            await asyncio.sleep(self._notifier.watchdog_s / 3)

    def status(self) -> Mapping[str, Any]:
        """How it is, for the control socket."""
        return {
            "version": __version__,
            "pid": os.getpid(),
            "listen": [f"{host}:{port}" for host, port in self.addresses],
            "rules": len(self.snapshot.ruleset.rules),
            "mqtt": "connected" if self._mqtt.connected else "not connected",
            "owed": self._dispatcher.waiting.total(),
        }

    def _program_of(self, loaded: LoadedRun) -> Program:
        return self.snapshot.program_of(loaded)

    # --- reload ------------------------------------------------------------------------------

    def _reload_soon(self) -> None:
        task = asyncio.get_running_loop().create_task(self.reload())
        self._reloads.add(task)
        task.add_done_callback(self._reloads.discard)

    async def reload(self) -> Mapping[str, Any]:
        """Read configuration, rules and schemas anew; if anything is wrong, change nothing."""
        async with self._reloading:
            self._notifier.reloading()
            try:
                return await self._reload()
            finally:
                self._notifier.tell(READY=1)

    async def _reload(self) -> Mapping[str, Any]:
        begun = time.monotonic()
        try:
            # In a thread: reports go on being answered meanwhile.
            settings, snapshot = await asyncio.to_thread(self._read_anew)
        except ProblemsError as exc:
            for problem in exc.problems:
                # No trace: what is wrong stands in the file that the problem names.
                fields = {"problem": str(problem)}
                logger.error("not reloaded", extra={"fields": fields})  # noqa: TRY400
            return {"reloaded": False, "problems": [str(problem) for problem in exc.problems]}
        except Exception as exc:
            logger.exception("not reloaded")
            return {"reloaded": False, "problems": [f"a defect: {exc!r}"]}
        later = [
            name
            for name in ("listen", "state", "mqtt", "keep", "log_level", "log_format")
            if getattr(settings, name) != getattr(self._started, name)
        ]
        if later:
            logger.warning("needs a restart", extra={"fields": {"keys": later}})
        self._settings = settings
        old = list(self.snapshot.ruleset.rules)
        self.snapshot = self._intake.snapshot = snapshot
        self._dispatcher.reloaded()
        self._watch_state(snapshot)
        log_warnings(snapshot.warnings)
        await asyncio.to_thread(let_go, old)
        rules = len(snapshot.ruleset.rules)
        took_ms = round(1000 * (time.monotonic() - begun))
        logger.info("reloaded", extra={"fields": {"rules": rules, "took_ms": took_ms}})
        warnings = [str(problem) for problem in snapshot.warnings[:WARNED]]
        return {"reloaded": True, "rules": rules, "needs_restart": later, "warnings": warnings}

    def _read_anew(self) -> tuple[Config, Snapshot]:
        settings = self._reread()
        return settings, load_snapshot(settings)


def _settle_the_interpreter() -> None:
    """Set Python up for one busy thread, one that waits for disks, and much that stays."""
    # Neither rules nor modules are looked through for garbage: 6 % of a report's time.
    gc.collect()
    gc.freeze()
    gc.set_threshold(10_000, 20, 20)
    # The writer comes back from the disk to a busy loop's thread, which would keep the
    # interpreter for 5 ms each time; with a tenth of that 6 % more reports a second.
    sys.setswitchinterval(0.0005)


class _Daemons(ThreadPoolExecutor):
    """Runs each call in a daemon thread of its own, so that the end waits for none.

    A name that nobody resolves or a TLS handshake that nobody answers may take a minute.
    asyncio takes no other executor than a ThreadPoolExecutor, and that one joins its threads.
    """

    def submit(self, fn: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> "Future[T]":
        future: Future[T] = Future()
        future.set_running_or_notify_cancel()

        def work() -> None:
            try:
                result = fn(*args, **kwargs)
            except BaseException as exc:  # noqa: BLE001 - it is who waits that is to be told
                future.set_exception(exc)
            else:
                future.set_result(result)

        threading.Thread(target=work, daemon=True).start()
        return future


def serve(app: App) -> int:
    """Run the daemon to its end; the exit code."""

    async def main() -> None:
        asyncio.get_running_loop().set_default_executor(_Daemons())
        await app.run()

    try:
        asyncio.run(main())
    except StoreError as exc:
        sys.stderr.write(f"pbxrules: {exc}\n")
        return 1
    except OSError as exc:
        where = exc.filename or ""
        hint = " (another --listen HOST:PORT may be free)" if exc.filename else ""
        sys.stderr.write(f"pbxrules: can't listen on {where}: {exc.strerror}{hint}\n")
        return 1
    return 0
