"""A broker with manners that can't be had of mosquitto: old, strict, deaf or ill-tempered."""

import asyncio
import struct
import threading
from collections.abc import Coroutine
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Self

from tests.processes import HOST, free_port

RECEIVE_MAXIMUM, MAXIMUM_PACKET_SIZE = 0x21, 0x27


@dataclass(frozen=True, slots=True, kw_only=True)
class Published:
    """One PUBLISH as it came over the wire."""

    connection: int
    """From 1."""
    topic: str
    payload: str
    qos: int
    retain: bool
    dup: bool
    size: int
    """Of the whole packet, in bytes."""


class FakeBroker:
    """Greets and acknowledges; what else a broker may do, a subclass says.

    It runs on a thread and a loop of its own while its block lasts.  Its lists may be read
    from any thread.
    """

    def __init__(self) -> None:
        self.port = free_port()
        self.url = f"mqtt://{HOST}:{self.port}"
        self.versions: list[int] = []
        """Of each CONNECT: 4 is 3.1.1."""
        self.published: list[Published] = []
        self.most_unacknowledged = 0
        self.deaf = False
        """It reads on, answers nothing, and closes nothing."""
        self._unacknowledged = 0
        self._writers: set[asyncio.StreamWriter] = set()
        self._settling: set[asyncio.Task[None]] = set()
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="fake broker")

    # --- its manners -----------------------------------------------------------------------

    def greet(self, version: int) -> bytes | None:
        """The answer to a CONNECT; empty: it closes; None: it says nothing."""
        return connack(version)

    async def take(self, message: Published) -> bool | None:
        """What it does at a message: acknowledge, close (False), or say nothing (None)."""
        del message
        return True

    # --- its block -------------------------------------------------------------------------

    def __enter__(self) -> Self:
        self._thread.start()
        self._server = self._run(asyncio.start_server(self._serve, HOST, self.port))
        return self

    def __exit__(self, *_: object) -> None:
        self._run(self._close())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    def drop(self) -> None:
        """Close all connections."""
        self._run(self._drop())

    @property
    def messages(self) -> list[str]:
        """The topics of all messages but the daemon's own status, in order."""
        return [m.topic for m in self.published if m.topic != "pbxrules/status"]

    def _run(self, coroutine: Coroutine[Any, Any, Any]) -> Any:
        return asyncio.run_coroutine_threadsafe(coroutine, self._loop).result(10)

    async def _drop(self) -> None:
        for writer in self._writers:
            writer.close()

    async def _close(self) -> None:
        self._server.close()
        await self._drop()
        tasks = asyncio.all_tasks() - {asyncio.current_task()}
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    # --- the wire --------------------------------------------------------------------------

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._writers.add(writer)
        self._unacknowledged = 0
        try:
            with suppress(asyncio.IncompleteReadError, ConnectionError):
                await self._converse(reader, writer)
        finally:
            self._writers.discard(writer)
            writer.close()

    async def _converse(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        version = 0
        while True:
            first, body = await _packet(reader)
            if self.deaf:
                continue
            match first >> 4:
                case 1:  # CONNECT
                    version = body[6]
                    self.versions.append(version)
                    greeting = self.greet(version)
                    if greeting == b"":
                        return
                    writer.write(greeting or b"")
                case 3:  # PUBLISH
                    await self._publish(first, body, version, writer)
                case 12:  # PINGREQ
                    writer.write(b"\xd0\x00")
                case 14:  # DISCONNECT
                    return

    async def _publish(
        self, first: int, body: bytes, version: int, writer: asyncio.StreamWriter
    ) -> None:
        message, packet_id = _published(first, body, version, len(self.versions))
        self.published.append(message)
        if message.qos:
            self._unacknowledged += 1
            self.most_unacknowledged = max(self.most_unacknowledged, self._unacknowledged)
        # In a task: it reads on while it thinks.
        task = self._loop.create_task(self._settle(message, packet_id, writer))
        self._settling.add(task)
        task.add_done_callback(self._settling.discard)

    async def _settle(
        self, message: Published, packet_id: int, writer: asyncio.StreamWriter
    ) -> None:
        verdict = await self.take(message)
        if verdict is False:
            writer.close()
        elif verdict and message.qos and not self.deaf:
            self._unacknowledged -= 1
            writer.write(struct.pack("!BBH", 0x40, 2, packet_id))


def connack(version: int, code: int = 0, properties: bytes = b"") -> bytes:
    """A CONNACK in the form of *version*."""
    body = bytes([0, code]) + (bytes([len(properties)]) + properties if version == 5 else b"")
    return bytes([0x20, len(body)]) + body


async def _packet(reader: asyncio.StreamReader) -> tuple[int, bytes]:
    """The first byte and the body of the next packet."""
    first = (await reader.readexactly(1))[0]
    length = shift = 0
    while True:
        (digit,) = await reader.readexactly(1)
        length |= (digit & 0x7F) << shift
        shift += 7
        if digit < 0x80:
            return first, await reader.readexactly(length)


def _published(first: int, body: bytes, version: int, connection: int) -> tuple[Published, int]:
    """The message of a PUBLISH packet, and the packet's id."""
    qos = first >> 1 & 3
    (length,) = struct.unpack_from("!H", body)
    place = 2 + length
    topic = body[2:place].decode()
    packet_id = 0
    if qos:
        (packet_id,) = struct.unpack_from("!H", body, place)
        place += 2
    if version == 5:
        place += 1 + body[place]  # ours are short: one byte holds the length
    message = Published(
        connection=connection,
        topic=topic,
        payload=body[place:].decode(),
        qos=qos,
        retain=bool(first & 1),
        dup=bool(first & 8),
        size=len(body) + (2 if len(body) < 128 else 3),
    )
    return message, packet_id
