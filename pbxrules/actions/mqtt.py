"""The action ``mqtt``: a message, done when the broker has acknowledged it.

paho keeps what it could not send in memory, without bound, and sends it whenever the
broker is back, hours late.  So nothing is published while disconnected, and at a
disconnect the client is dropped with all that it had in flight: the store knows what is
owed.  paho runs on the loop's own thread (``loop_read`` at a readable socket), for a
thread of its own would fight the loop for the interpreter at every message.

A message may be what costs the connection: brokers drop clients over what they do not
take, and a message that is always sent first then stops all others.  So what was in
flight at a disconnect is tried again one at a time, and a message that costs the
connection twice, alone and at once, is given up.
"""

# Over 300 lines: connection, callbacks and messages in flight are one state.

import asyncio
import contextlib
import json
import logging
import math
import os
import random
import socket
import ssl
import struct
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from paho.mqtt import client as paho
from paho.mqtt.enums import CallbackAPIVersion
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties
from paho.mqtt.reasoncodes import ReasonCode

from pbxrules.model import Delivery, Done, GiveUp, Outcome, TryAgain

logger = logging.getLogger("pbxrules.mqtt")

STATUS_TOPIC = "pbxrules/status"
MAX_IN_FLIGHT = 100
BACK_OFF_S = (0.5, 30.0)
CONNECT_TIMEOUT_S = 5.0
V5, V3 = paho.MQTTv5, paho.MQTTv311
MAX_TOLD = 64 * 1024
"""Bytes that are kept of a message that is state of the rule set."""
MAX_STRIKES = 2
BLAME_S = 2.0
"""A message is blamed for a disconnect that comes this soon after it was sent."""
DEFAULT_PORTS = {"mqtt": 1883, "mqtts": 8883, "ws": 80, "wss": 443}


@dataclass(frozen=True, slots=True, kw_only=True)
class MqttSettings:
    """How to reach the broker."""

    url: str
    client_id: str
    username: str | None = None
    password: str | None = None
    ca: str | None = None
    protocol: str | None = None
    """``5`` or ``3.1.1``; None: 5, and 3.1.1 where the broker does not know 5."""
    keepalive_s: float = 30.0


@dataclass(slots=True)
class _InFlight:
    delivery: Delivery
    outcome: "asyncio.Future[Outcome]"
    sent_at: float


class Mqtt:
    """Publishes over one connection, which it keeps up."""

    per_rule: int | None = None

    def __init__(self, settings: MqttSettings | None, on_ready: Callable[[], None]) -> None:
        """Prepare; nothing is connected before ``start``.

        Args:
            settings: None: no broker is configured, and every message is given up.
            on_ready: Called each time deliveries may be performed again.
        """
        self.concurrency = MAX_IN_FLIGHT
        self._settings = settings
        self._on_ready = on_ready
        self._client: paho.Client | None = None
        self._version = V3 if settings and settings.protocol == "3.1.1" else V5
        self._connected = False
        self._lost = asyncio.Event()
        self._in_flight: dict[int, _InFlight] = {}
        self._careful = 0
        """How many messages are still to be sent one at a time."""
        self._strikes: dict[str, int] = {}
        self._announcing: int | None = None
        """The packet id of our status, until it is acknowledged."""
        self._spoke_5 = False
        self._max_packet: int | None = None
        self._task: asyncio.Task[None] | None = None
        self._topics: frozenset[str] = frozenset()
        """Those of which the messages are state of the rule set."""
        self._told: Callable[[str, str | None], None] = lambda _topic, _text: None

    def watch(self, topics: Iterable[str], told: Callable[[str, str | None], None]) -> None:
        """Call *told* with a topic and its text for each message of *topics*, and no others.

        None: the retained message was taken away.  May be called again, with other topics.
        """
        self._told = told
        before, self._topics = self._topics, frozenset(topics)
        if self.connected and self._client is not None:
            if gone := sorted(before - self._topics):
                self._client.unsubscribe(gone)
            self._subscribe(self._client, self._topics - before)
            self._write_rest()

    def _subscribe(self, client: paho.Client, topics: Iterable[str]) -> None:
        if wanted := [(topic, 1) for topic in sorted(topics)]:
            client.subscribe(wanted)

    def start(self) -> None:
        """Begin to connect, and go on until ``close``."""
        if self._settings is not None:
            self._task = asyncio.get_running_loop().create_task(self._stay_connected())

    @property
    def connected(self) -> bool:
        """Whether the broker is there."""
        return self._connected and not self._lost.is_set()

    def ready(self) -> bool:
        """Whether a message may be published now."""
        if self._settings is None:
            return True
        sent = len(self._in_flight) + (self._announcing is not None)
        alone = self._careful and self._in_flight
        return self.connected and sent < self.concurrency and not alone

    def perform(self, delivery: Delivery) -> "asyncio.Future[Outcome]":
        """Publish; the outcome comes with the broker's acknowledgement."""
        loop = asyncio.get_running_loop()
        outcome: asyncio.Future[Outcome] = loop.create_future()
        unfit = self._unfit(delivery)
        if unfit is not None:
            outcome.set_result(unfit)
            return outcome
        client = self._client
        assert client is not None
        args = delivery.args
        payload = payload_bytes(args.get("payload"))
        properties = _properties(delivery) if self._version == V5 else None
        if properties is not None and self._max_packet is not None:
            size = _packet_size(args["topic"], payload, properties)
            if size > self._max_packet:
                reason = f"{size} bytes are more than the {self._max_packet} that the broker takes"
                outcome.set_result(GiveUp(reason=reason))
                return outcome
        info = client.publish(
            args["topic"],
            payload,
            qos=args.get("qos", 1),
            retain=args.get("retain", False),
            properties=properties,
        )
        # Where the connection is lost just now, what was tried over it is owed still.
        if info.rc == paho.MQTT_ERR_SUCCESS and info.is_published():
            outcome.set_result(Done())
        else:
            self._in_flight[info.mid] = _InFlight(delivery, outcome, loop.time())
        self._write_rest()
        return outcome

    def _unfit(self, delivery: Delivery) -> Outcome | None:
        if self._settings is None:
            return GiveUp(reason="no broker is configured (mqtt: url)")
        if not self.connected:
            return TryAgain(reason="the broker is not there", at_once=True)
        if self._strikes.get(delivery.id, 0) >= MAX_STRIKES:
            del self._strikes[delivery.id]
            return GiveUp(reason="the broker dropped the connection over it, twice")
        return None

    async def close(self) -> None:
        """Say that we go, and drop the connection."""
        if self._task is not None:
            self._task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._task
        client = self._client
        if client is not None and self._connected:
            # The will is not sent after an orderly goodbye.
            client.publish(STATUS_TOPIC, "offline", qos=1, retain=True)
            client.disconnect()
        self._connected = False  # so that its end is no broker lost
        self._drop("pbxrules stops")

    # --- the connection ------------------------------------------------------------------

    async def _stay_connected(self) -> None:
        pause_s, longest_s = BACK_OFF_S
        while True:
            self._lost.clear()
            try:
                trouble = await self._connect()
                if trouble is None:
                    pause_s = BACK_OFF_S[0]
                    await self._watch()
            except Exception as exc:  # whatever breaks, the next connection may hold
                logger.exception("the connection to the broker broke")
                trouble = f"a defect: {exc!r}"
            if trouble is not None:
                self._drop(trouble)
                log = logger.warning if pause_s == BACK_OFF_S[0] else logger.info
                log("no broker", extra={"fields": self._where() | {"reason": trouble}})
            await asyncio.sleep(pause_s * (0.75 + random.random() / 2))  # noqa: S311 - no secret, only not all at one moment
            pause_s = min(2 * pause_s, longest_s)

    def _where(self) -> dict[str, str]:
        assert self._settings is not None
        return {"broker": self._settings.url}

    async def _connect(self) -> str | None:
        """Connect, and wait for the broker's word; None, or why it did not work."""
        loop = asyncio.get_running_loop()
        self._connack: asyncio.Future[ReasonCode] = loop.create_future()
        try:
            client = self._client = self._new_client()
            # connect() resolves the name and shakes hands with TLS, and blocks.
            await loop.run_in_executor(None, self._open, client)
        except (OSError, ValueError) as exc:
            return str(exc) or type(exc).__name__
        sock = client.socket()
        if sock is None:
            return "the broker closed the connection"
        # paho leaves Nagle's algorithm on: a message would wait for the last one's ACK.  The socket
        # by its number, for what paho wraps a websocket in has no options; nor has a Unix socket.
        with contextlib.suppress(OSError), socket.socket(fileno=os.dup(sock.fileno())) as same:
            same.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        # Not before: while it opens, it calls them on the other thread.
        client.on_disconnect = self._on_disconnect
        client.on_socket_close = self._on_socket_close
        loop.add_reader(sock, self._readable, client)
        self._write_rest()
        try:
            # Not wait_for: Python 3.11's forgets that it was cancelled when the answer comes
            # in the same turn (cpython#86296), and then the daemon never ends.
            async with asyncio.timeout(CONNECT_TIMEOUT_S):
                reason = await self._connack
        except TimeoutError:
            self._perhaps_old("no answer")
            return "no answer"
        except ConnectionError:
            self._perhaps_old("the broker closed the connection")
            return "the broker closed the connection"
        if reason.is_failure:
            if "protocol" in str(reason).lower():
                self._other_version(str(reason))
            return str(reason)
        return None

    def _perhaps_old(self, why: str) -> None:
        """Old brokers know no better way to refuse MQTT 5; one that spoke it is only busy."""
        if not self._spoke_5:
            self._other_version(why)

    def _other_version(self, why: str) -> None:
        assert self._settings is not None
        if self._settings.protocol is None:
            self._version = V3 if self._version == V5 else V5
            logger.info(
                "try the other MQTT version",
                extra={"fields": {"version": "3.1.1" if self._version == V3 else "5", "why": why}},
            )

    def _new_client(self) -> paho.Client:
        settings = self._settings
        assert settings is not None
        url = urlsplit(settings.url)
        client = paho.Client(
            CallbackAPIVersion.VERSION2,
            client_id=settings.client_id,
            clean_session=True if self._version == V3 else None,
            protocol=self._version,
            transport="websockets" if url.scheme in ("ws", "wss") else "tcp",
            reconnect_on_failure=False,
        )
        client.connect_timeout = CONNECT_TIMEOUT_S
        client.max_inflight_messages_set(0)  # bounded here
        if settings.username is not None:
            client.username_pw_set(settings.username, settings.password)
        if url.scheme in ("mqtts", "wss"):
            client.tls_set_context(ssl.create_default_context(cafile=settings.ca))
        if url.scheme in ("ws", "wss"):
            client.ws_set_options(path=url.path or "/mqtt")
        client.will_set(STATUS_TOPIC, "offline", qos=1, retain=True)
        client.on_connect = self._on_connect
        client.on_publish = self._on_publish
        client.on_message = self._on_message
        return client

    def _open(self, client: paho.Client) -> None:
        assert self._settings is not None
        url = urlsplit(self._settings.url)
        client.connect(
            url.hostname or "",
            url.port or DEFAULT_PORTS[url.scheme],
            keepalive=max(1, round(self._settings.keepalive_s)),
        )

    async def _watch(self) -> None:
        """Keep the connection alive until it is lost."""
        while not self._lost.is_set():
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(1.0):
                    await self._lost.wait()
            if self._client is not None:
                self._client.loop_misc()
                self._write_rest()
                self._check_acknowledged()
        self._drop("the connection was lost")

    def _check_acknowledged(self) -> None:
        now = asyncio.get_running_loop().time()
        oldest = next(iter(self._in_flight.values()), None)
        if oldest is not None and now - oldest.sent_at > oldest.delivery.timeout_s:
            logger.warning("the broker does not acknowledge", extra={"fields": self._where()})
            self._lost.set()

    def _drop(self, reason: str) -> None:
        """Let the client go, with all it had in flight."""
        client, self._client = self._client, None
        if self._connected:
            logger.warning("broker lost", extra={"fields": self._where() | {"reason": reason}})
        self._connected = False
        self._announcing = None
        if client is not None:
            client.on_disconnect = client.on_connect = client.on_publish = None
            client.on_message = None
            sock = client.socket()
            client.disconnect()
            if sock is not None:
                self._forget(sock)
                with contextlib.suppress(OSError):
                    sock.close()
        dropped, self._in_flight = self._in_flight, {}
        self._careful = max(self._careful, len(dropped))
        if len(dropped) == 1:
            (single,) = dropped.values()
            if asyncio.get_running_loop().time() - single.sent_at < BLAME_S:
                self._strikes[single.delivery.id] = self._strikes.get(single.delivery.id, 0) + 1
        for sent in dropped.values():
            if not sent.outcome.done():
                sent.outcome.set_result(TryAgain(reason=reason, at_once=True))

    @staticmethod
    def _forget(sock: Any) -> None:
        """Have the loop watch *sock* no longer; to be done before it is closed.

        The next connection, ours or the PBX's, gets its number, and a selector that still
        knows the number watches nothing: reports hung until their sender gave up.
        """
        if sock.fileno() >= 0:
            asyncio.get_running_loop().remove_reader(sock)
            asyncio.get_running_loop().remove_writer(sock)

    # --- paho's callbacks, all on the loop's thread ----------------------------------------

    def _on_socket_close(self, _client: paho.Client, _data: Any, sock: Any) -> None:
        self._forget(sock)

    def _readable(self, client: paho.Client) -> None:
        while client is self._client:
            client.loop_read()
            sock = client.socket()
            # What TLS has read ahead does not make the socket readable again.
            if sock is None or not (hasattr(sock, "pending") and sock.pending()):
                break
        self._write_rest()

    def _write_rest(self) -> None:
        client = self._client
        sock = client.socket() if client is not None else None
        if client is None or sock is None:
            return
        loop = asyncio.get_running_loop()
        if client.want_write():
            loop.add_writer(sock, self._writable, client, sock)

    def _writable(self, client: paho.Client, sock: Any) -> None:
        if client is self._client and client.socket() is sock:
            client.loop_write()
            if client.want_write():
                return
        if sock.fileno() >= 0:
            asyncio.get_running_loop().remove_writer(sock)

    def _on_connect(
        self, client: paho.Client, _data: Any, _flags: Any, reason: ReasonCode, properties: Any
    ) -> None:
        if not self._connack.done():
            self._connack.set_result(reason)
        if reason.is_failure:
            return
        at_once = getattr(properties, "ReceiveMaximum", MAX_IN_FLIGHT)
        self.concurrency = min(MAX_IN_FLIGHT, at_once)
        self._max_packet = getattr(properties, "MaximumPacketSize", None)
        self._connected = True
        self._spoke_5 = self._spoke_5 or self._version == V5
        version = "3.1.1" if self._version == V3 else "5"
        logger.info("broker connected", extra={"fields": self._where() | {"version": version}})
        asyncio.get_running_loop().call_soon(self._announce, client)

    def _announce(self, client: paho.Client) -> None:
        if client is self._client and self._connected:
            self._announcing = client.publish(STATUS_TOPIC, "online", qos=1, retain=True).mid
            self._subscribe(client, self._topics)
            self._write_rest()
            self._on_ready()

    def _on_disconnect(self, client: paho.Client, *_: Any) -> None:
        if client is not self._client:
            return
        if not self._connack.done():
            self._connack.set_exception(ConnectionError())
        self._lost.set()

    def _on_publish(
        self, _client: paho.Client, _data: Any, mid: int, reason: Any, _properties: Any
    ) -> None:
        if mid == self._announcing:
            self._announcing = None
            self._on_ready()
        sent = self._in_flight.pop(mid, None)
        if sent is None or sent.outcome.done():
            return
        self._careful = max(0, self._careful - 1)
        self._strikes.pop(sent.delivery.id, None)
        if self._version == V5 and reason.is_failure:
            sent.outcome.set_result(GiveUp(reason=f"the broker refused it: {reason}"))
        else:
            sent.outcome.set_result(Done())

    def _on_message(self, client: paho.Client, _data: Any, message: paho.MQTTMessage) -> None:
        if client is self._client and message.topic in self._topics:
            text = message.payload[:MAX_TOLD].decode("utf-8", "replace")
            self._told(message.topic, text if message.payload else None)


class _Packed(Properties):
    """PUBLISH properties as their bytes: paho's own class builds tables for each message."""

    def __init__(self, packed: bytes) -> None:
        object.__setattr__(self, "packetType", PacketTypes.PUBLISH)
        object.__setattr__(self, "packed", packed)

    def pack(self) -> bytes:
        packed: bytes = object.__getattribute__(self, "packed")
        return packed

    def __str__(self) -> str:
        return "(packed)"


def _properties(delivery: Delivery) -> _Packed:
    """The rest of ``expires`` and the delivery's id, as MQTT 5 section 3.3.2.3 has them."""
    key, value = b"delivery_id", delivery.id.encode()
    packed = b"\x26" + struct.pack("!H", len(key)) + key + struct.pack("!H", len(value)) + value
    if delivery.left_s is not None:
        packed += b"\x02" + struct.pack("!I", min(max(1, math.ceil(delivery.left_s)), 0xFFFFFFFF))
    # One byte holds the length: an id has some 40 characters.
    return _Packed(bytes([len(packed)]) + packed)


def _packet_size(topic: str, payload: bytes, properties: _Packed) -> int:
    """The bytes of a PUBLISH packet of MQTT 5, counted with a packet id in any case."""
    rest = 2 + len(topic.encode()) + 2 + len(properties.pack()) + len(payload)
    return 1 + sum(rest >= limit for limit in (1, 1 << 7, 1 << 14, 1 << 21)) + rest


def payload_bytes(value: Any) -> bytes:
    """What goes over the wire for a payload: text as it is, all else as JSON, null as nothing."""
    if value is None:
        return b""
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    return text.encode("utf-8", "replace")
