"""A subscriber that costs next to nothing, so that it does not measure itself.

On two cores whatever the subscriber burns is taken from the contestants.  A paho
subscriber spends some 30 us of Python on each message.  This one speaks just
enough MQTT 3.1.1 (CONNECT, SUBSCRIBE at QoS 0, PUBLISH) and under load only
keeps the bytes and the time of each read; they are parsed when the load is over.
"""

import select
import socket
import time
from dataclasses import dataclass
from typing import Self

from bench.errors import BenchError
from bench.processes import HOST

TOPIC = "bench/ring"
CONNECT = b"\x10\x11\x00\x04MQTT\x04\x02\x00\x00\x00\x05bench"  # clean, no keepalive
CONNACK = b"\x20\x02\x00\x00"
SUBSCRIBE = b"\x82\x0f\x00\x01\x00\x0abench/ring\x00"  # packet 1, TOPIC, QoS 0
SUBACK = b"\x90\x03\x00\x01\x00"
PUBLISH_QOS0 = 0x30
RETAIN = 0x01
# Reads are batched by this nap: an error of 2 ms in 8 s, for some thousand
# wake-ups a second less.
NAP_S = 0.002


@dataclass(frozen=True, slots=True, kw_only=True)
class Message:
    """One message as it came: its payload and ``time.perf_counter`` at the read."""

    payload: str
    at: float


class Subscriber:
    """Receives what is published to :data:`TOPIC`."""

    def __init__(self, port: int) -> None:
        """Connect to the broker on *port* of the loopback, and subscribe."""
        self._socket = socket.create_connection((HOST, port), timeout=5)
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 22)
        self._chunks: list[tuple[float, bytes]] = []
        self._rest = b""
        self._ask(CONNECT, CONNACK)
        self._ask(SUBSCRIBE, SUBACK)

    def __enter__(self) -> Self:
        """Give the subscriber itself."""
        return self

    def __exit__(self, *_: object) -> None:
        """Hang up."""
        self._socket.close()

    def _ask(self, packet: bytes, expected: bytes) -> None:
        self._socket.sendall(packet)
        answer = self._socket.recv(len(expected))
        if answer != expected:
            msg = f"the broker answered {answer!r} where {expected!r} was due"
            raise BenchError(msg)

    def gather(self, timeout_s: float) -> bool:
        """Keep what came, waiting up to *timeout_s* for it; tell whether anything did.

        Raises:
            BenchError: The broker closed the connection.
        """
        if not select.select([self._socket], [], [], timeout_s)[0]:
            return False
        chunk = self._socket.recv(1 << 20)
        if not chunk:
            msg = "the broker dropped the subscriber"
            raise BenchError(msg)
        self._chunks.append((time.perf_counter(), chunk))
        return True

    def take(self) -> list[Message]:
        """Parse and forget what was gathered."""
        messages: list[Message] = []
        for at, chunk in self._chunks:
            payloads, self._rest = parse(self._rest + chunk)
            messages.extend(Message(payload=payload, at=at) for payload in payloads)
        self._chunks.clear()
        return messages

    def wait_for(self, payload: str, *, timeout_s: float = 10.0) -> float:
        """Return ``time.perf_counter`` at which the message with *payload* came.

        Others, a resend of the last one say, are passed over.

        Raises:
            BenchError: It did not come in *timeout_s*.
        """
        deadline = time.perf_counter() + timeout_s
        while self.gather(deadline - time.perf_counter()):
            for message in self.take():
                if message.payload == payload:
                    return message.at
        msg = f"no message for call {payload} in {timeout_s:g} s"
        raise BenchError(msg)


def parse(data: bytes) -> tuple[list[str], bytes]:
    """Return the payloads of all whole PUBLISH packets in *data*, and what is left over."""
    payloads: list[str] = []
    start = 0
    while (end := packet_end(data, start)) is not None:
        body_start, packet_stop = end
        if data[start] & ~RETAIN != PUBLISH_QOS0:
            msg = f"an MQTT packet of type {data[start]:#x} was not due"
            raise BenchError(msg)
        topic_length = int.from_bytes(data[body_start : body_start + 2])
        payloads.append(data[body_start + 2 + topic_length : packet_stop].decode())
        start = packet_stop
    return payloads, data[start:]


def packet_end(data: bytes, start: int) -> tuple[int, int] | None:
    """Return where the body of the packet at *start* begins and ends; None if it is not whole.

    MQTT 3.1.1, 2.2.3: the length is base 128, the lowest digit first, the high
    bit saying that one more follows.
    """
    length = shift = 0
    for position in range(start + 1, len(data)):
        byte = data[position]
        length |= (byte & 0x7F) << shift
        shift += 7
        if not byte & 0x80:
            stop = position + 1 + length
            return (position + 1, stop) if stop <= len(data) else None
    return None
