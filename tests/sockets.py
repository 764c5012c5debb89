"""A server of a few lines that keeps what it is sent, byte for byte."""

import contextlib
import re
import socket
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field

OK = (
    b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 9\r\n"
    b'Connection: close\r\n\r\n{"id": 7}'
)


@dataclass(slots=True)
class Recorder:
    """Where it listens, and what came, one entry for each connection."""

    port: int
    came: list[bytes] = field(default_factory=list)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"


@contextlib.contextmanager
def recording(answer: bytes = OK) -> Iterator[Recorder]:
    """Answer every request with these bytes."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        recorder = Recorder(server.getsockname()[1])

        def serve() -> None:
            with contextlib.suppress(OSError):
                while True:
                    peer, _ = server.accept()
                    with peer:
                        recorder.came.append(_request(peer))
                        peer.sendall(answer)

        thread = threading.Thread(target=serve)
        thread.start()
        try:
            yield recorder
        finally:
            with contextlib.suppress(OSError):
                server.shutdown(socket.SHUT_RDWR)
            thread.join()


def _request(peer: socket.socket) -> bytes:
    """All of one request: its head, and as much as its Content-Length says."""
    peer.settimeout(10)
    data = b""
    while True:
        more = peer.recv(65_536)
        data += more
        head, end, body = data.partition(b"\r\n\r\n")
        length = re.search(rb"(?i)content-length: *(\d+)", head)
        if (
            not more
            or not data.startswith(b"P")
            or (end and (length is None or len(body) >= int(length[1])))
        ):
            return data
