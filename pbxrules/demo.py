"""The demo: six real calls, the example rules, a real subscriber, and what came of it."""

# Over 300 lines: broker, daemon, player and subscriber of one play, of use nowhere else.

import asyncio
import contextlib
import logging
import os
import queue
import socket
import ssl
import sys
import tempfile
from collections import Counter
from collections.abc import AsyncIterator, Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, Self
from urllib.parse import urlsplit

from paho.mqtt import client as paho
from paho.mqtt.enums import CallbackAPIVersion
from rich.console import Console
from rich.text import Text

from pbxrules import config, logs, runs, sending, shipped
from pbxrules.actions.mqtt import DEFAULT_PORTS, payload_bytes
from pbxrules.app import App, load_snapshot
from pbxrules.clock import Clock
from pbxrules.config import Config
from pbxrules.errors import ProblemsError, StoreError
from pbxrules.loading import Snapshot
from pbxrules.memory import Whole
from pbxrules.model import GiveUp, Step
from pbxrules.printable import escape
from pbxrules.schema import Path as Keys
from pbxrules.showing import event_lines, is_owed
from pbxrules.store import reading
from pbxrules.store.reading import EventRecord

WAIT_S = 10.0
POLL_S = 0.05
Message = tuple[str, str]
"""Topic and payload."""


class DemoError(Exception):
    """The demo can't go on; the message says why and what to do."""


def run(file: Path | None, flags: Mapping[Keys, Any], *, once: bool) -> int:
    """Play the demo; the exit code: 0 if every message that the rules owe has arrived.

    Args:
        file: The configuration, as ``config.load`` takes it, and *flags* too.
        once: Not to stay when the six calls are played.
    """
    console = Console(highlight=False, soft_wrap=True)
    logs.start("warning", "logfmt")
    logging.getLogger("amqtt").setLevel(logging.CRITICAL)
    try:
        with tempfile.TemporaryDirectory(prefix="pbxrules-demo-") as state:
            return asyncio.run(_Demo(console, file, flags, Path(state)).play(once=once))
    except ProblemsError as exc:
        sys.stderr.write(f"{exc}\n")
        return 2
    except (DemoError, StoreError) as exc:
        sys.stderr.write(f"pbxrules: {exc}\n")
        return 1


class _Demo:
    def __init__(
        self, console: Console, file: Path | None, flags: Mapping[Keys, Any], state: Path
    ) -> None:
        self._console = console
        self._file = file
        self._flags = {**flags, ("state",): str(state)}
        self._state = state
        self._shown = 0

    async def play(self, *, once: bool) -> int:
        async with contextlib.AsyncExitStack() as stack:
            # Our own broker needs no secret of an installation's.
            settings = self._settings(with_secrets=False)
            own = "url" not in settings.mqtt
            if own:
                url = await stack.enter_async_context(_own_broker())
                # The version is all that our own broker knows.
                told = {"url": url, "protocol": "3.1.1"}
                settings = replace(settings, mqtt=told)
            else:
                settings = self._settings(with_secrets=True)
            snapshot = load_snapshot(settings)
            app = App(settings, lambda: settings, snapshot)
            daemon = asyncio.create_task(app.run())
            await _until_ready(app, daemon, settings.listen)
            try:
                subscriber = stack.enter_context(_Subscriber(settings))
                await _connected(app, subscriber, settings.mqtt["url"])
                self._introduce(settings, snapshot, own=own)
                missing = await self._six(app, settings, snapshot, subscriber)
                if not once:
                    await self._stay(app, daemon, subscriber)
            finally:
                app.stop()
                await daemon
        return 1 if missing else 0

    def _settings(self, *, with_secrets: bool) -> Config:
        examples = {"rules": str(shipped.folder("rules"))}
        return config.load(
            self._file, os.environ, self._flags, defaults=examples, with_secrets=with_secrets
        )

    def _introduce(self, settings: Config, snapshot: Snapshot, *, own: bool) -> None:
        rules = f"with {len(snapshot.ruleset.rules)} rules of {settings.rules}"
        broker = settings.mqtt["url"] + (", our own" if own else "")
        self._say(("pbxrules ", "bold"), f"{rules}, broker {broker}\n")

    def _say(self, *pieces: tuple[str, str] | str) -> None:
        self._console.print(Text.assemble(*pieces))

    async def _six(
        self, app: App, settings: Config, snapshot: Snapshot, subscriber: "_Subscriber"
    ) -> int:
        """Play the PBX's six reports; how many messages did not arrive."""
        fired = arrived = owed = 0
        for path in sorted(shipped.folder("openvox").glob("*.http")):
            sent = path.read_bytes()
            self._say(("PBX ", "bold magenta"), (path.stem, "bold"), f"  {_body(sent)}")
            await asyncio.to_thread(sending.exchange, app.addresses[0], sent)
            record = await self._settled()
            wanted = Counter(expected(record, snapshot, settings))
            got = await subscriber.take(wanted)
            self._show(record, got)
            for topic, payload in (wanted - Counter(got)).elements():
                self._say(("       ✗ never came: ", "bold red"), f"{topic} {payload}")
            fired += sum(verdict.matched for verdict in record.verdicts)
            arrived += (wanted & Counter(got)).total()
            owed += wanted.total()
            self._say("")
        good = "bold green" if arrived == owed and fired else "bold red"
        self._say((f"6 reports fired {fired} rules; {arrived} of {owed} messages arrived", good))
        return owed - arrived if fired else 1

    def _show(self, record: EventRecord, got: list[Message]) -> None:
        for pieces in event_lines(record):
            self._say(*((escape(text), style) for text, style in pieces))
        for topic, payload in got:
            self._say(("       ⇐ ", "green"), (topic, "green"), f" {escape(payload)}")

    async def _settled(self) -> EventRecord:
        """The next event, once nothing of it is owed any more or it took too long."""
        deadline = asyncio.get_running_loop().time() + WAIT_S
        while True:
            records = await asyncio.to_thread(self._read)
            late = asyncio.get_running_loop().time() > deadline
            if records and (late or not is_owed(records[0])):
                self._shown = records[0].id
                return records[0]
            if late:
                raise DemoError("the report did not become an event")
            await asyncio.sleep(POLL_S)

    def _read(self) -> list[EventRecord]:
        with reading.opened(self._state / "pbxrules.db") as db:
            return reading.events(db, after=self._shown)

    async def _stay(
        self, app: App, daemon: "asyncio.Task[None]", subscriber: "_Subscriber"
    ) -> None:
        """Show what comes, until Ctrl-C."""
        host, port = app.addresses[0]
        self._say("\nSend a ring yourself, from another terminal:\n")
        url = sending.url_of(host, port)
        line = f"{_our_command()} send ring --extension 101 --caller 0301234 --trunk to-18-16-2"
        self._say((f"  {line} --url {url}\n", "bold"))
        self._say("Ctrl-C ends the demo.\n")
        while not daemon.done() and not app.stopping:
            for record in await asyncio.to_thread(self._read):
                if is_owed(record):
                    break
                self._shown = record.id
                self._show(record, await subscriber.take(Counter()))
            for topic, payload in await subscriber.take(Counter()):
                self._say(("       ⇐ ", "green"), (topic, "green"), f" {escape(payload)}")
            await asyncio.sleep(0.2)


def _our_command() -> str:
    """How this program was called, as short as it can be called again from here."""
    program = Path(sys.argv[0])
    return os.path.relpath(program) if program.is_absolute() else str(program)


def _body(sent: bytes) -> str:
    return sent.partition(b"\r\n\r\n")[2].decode()


def expected(record: EventRecord, snapshot: Snapshot, settings: Config) -> Iterator[Message]:
    """The messages that the rules owe for an event."""
    now = Clock().now()
    for run in record.runs:
        program = snapshot.ruleset.by_id[run.rule].program
        for node in program.nodes.values():
            # Those that follow whatever is decided on the way.
            if node.owner or not isinstance(node.deed, Step) or node.deed.verb != "mqtt":
                continue
            at = Whole(replace(run, position=node.path), record.event, program)
            delivery = runs.delivery(at, names={}, secrets=settings.secrets, store_id="", now=now)
            if not isinstance(delivery, GiveUp):
                yield delivery.args["topic"], payload_bytes(delivery.args.get("payload")).decode()


async def _until_ready(
    app: App, daemon: "asyncio.Task[None]", listen: tuple[tuple[str, int], ...]
) -> None:
    ready = asyncio.create_task(app.ready.wait())
    await asyncio.wait([ready, daemon], return_when=asyncio.FIRST_COMPLETED)
    if ready.done():
        return
    ready.cancel()
    try:
        await daemon
    except OSError as exc:
        where = ", ".join(f"[{host}]:{n}" if ":" in host else f"{host}:{n}" for host, n in listen)
        raise DemoError(
            f"{where} can't be listened on: {exc.strerror}\n"
            "Choose another: pbxrules demo --listen 127.0.0.1:8081\n"
            '            or: make run ARGS="--listen 127.0.0.1:8081"'
        ) from exc
    raise DemoError("the daemon ended by itself")


async def _connected(app: App, subscriber: "_Subscriber", url: str) -> None:
    deadline = asyncio.get_running_loop().time() + WAIT_S
    while not (app.status()["mqtt"] == "connected" and subscriber.subscribed):
        if asyncio.get_running_loop().time() > deadline:
            raise DemoError(f"no broker answers at {url}")
        await asyncio.sleep(POLL_S)


class _Subscriber:
    """A real MQTT client that takes everything."""

    def __init__(self, settings: Config) -> None:
        found = settings.mqtt_settings("pbxrules-demo-subscriber")
        assert found is not None
        self._settings = found
        self._messages: queue.SimpleQueue[Message] = queue.SimpleQueue()
        self.subscribed = False

    def __enter__(self) -> Self:
        settings = self._settings
        url = urlsplit(settings.url)
        self._client = paho.Client(
            CallbackAPIVersion.VERSION2,
            protocol=paho.MQTTv5 if settings.protocol == "5" else paho.MQTTv311,
            transport="websockets" if url.scheme in ("ws", "wss") else "tcp",
        )
        if settings.username is not None:
            self._client.username_pw_set(settings.username, settings.password)
        if url.scheme in ("mqtts", "wss"):
            self._client.tls_set_context(ssl.create_default_context(cafile=settings.ca))
        if url.scheme in ("ws", "wss"):
            self._client.ws_set_options(path=url.path or "/mqtt")
        self._client.on_connect = lambda client, *_: client.subscribe("#", qos=1)
        self._client.on_subscribe = self._on_subscribe
        self._client.on_message = self._on_message
        self._client.connect_async(url.hostname or "", url.port or DEFAULT_PORTS[url.scheme])
        self._client.loop_start()
        return self

    def __exit__(self, *_: object) -> None:
        self._client.disconnect()
        self._client.loop_stop()

    def _on_subscribe(self, *_: Any) -> None:
        self.subscribed = True

    def _on_message(self, _client: Any, _data: Any, message: paho.MQTTMessage) -> None:
        if not message.retain and not message.topic.startswith("pbxrules/"):
            text = message.payload.decode("utf-8", "replace")
            self._messages.put((message.topic, text))

    async def take(self, wanted: Counter[Message]) -> list[Message]:
        """What came, once all of *wanted* is among it, or it took too long."""
        deadline = asyncio.get_running_loop().time() + WAIT_S
        got: list[Message] = []
        while True:
            with contextlib.suppress(queue.Empty):
                while True:
                    got.append(self._messages.get_nowait())
            if not wanted - Counter(got) or asyncio.get_running_loop().time() > deadline:
                return got
            await asyncio.sleep(POLL_S)


@contextlib.asynccontextmanager
async def _own_broker() -> AsyncIterator[str]:
    """A broker in this process; its URL."""
    try:
        from amqtt.broker import Broker
    except ImportError as exc:
        raise DemoError(
            "the demo's own broker is not installed: pip install 'pbxrules[demo]',\n"
            "or give one that runs: pbxrules demo --mqtt mqtt://127.0.0.1:1883"
        ) from exc
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    plugins = {"amqtt.plugins.authentication.AnonymousAuthPlugin": {"allow_anonymous": True}}
    broker = Broker(
        {"listeners": {"default": {"type": "tcp", "bind": f"127.0.0.1:{port}"}}, "plugins": plugins}
    )
    await broker.start()
    try:
        yield f"mqtt://127.0.0.1:{port}"
    finally:
        await broker.shutdown()
