"""The control socket: how commands speak with the daemon that runs.

A Unix socket in the state folder, for its owner only.  One JSON object on a line asks,
one on a line answers.
"""

import asyncio
import json
import os
import socket
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

NAME = "control.sock"
MAX_LINE = 64 * 1024
Command = Callable[[Mapping[str, Any]], Any]
"""Takes the request, gives (or is awaited for) what goes into the answer."""
_NO_REQUEST = (
    OSError, ValueError, RecursionError, asyncio.IncompleteReadError, asyncio.LimitOverrunError,
)  # fmt: skip
"""It was cut off, is not JSON, too deep or too long: there is nobody to explain it to."""


class ControlServer:
    """Answers requests ``{"do": NAME, …}`` by the command of that name."""

    def __init__(self, folder: Path, commands: Mapping[str, Command]) -> None:
        self._folder = folder
        self._commands = commands
        self._server: asyncio.Server | None = None

    async def start(self) -> None:
        """Open the socket, in place of one that a crash left."""
        # A path may be longer than the 107 bytes of a socket's name; the folder's number is not.
        folder = os.open(self._folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        old_mask = os.umask(0o177)
        try:
            with suppress(FileNotFoundError):
                os.unlink(NAME, dir_fd=folder)
            sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
            sock.bind(f"/proc/self/fd/{folder}/{NAME}")
        finally:
            os.umask(old_mask)
            os.close(folder)
        self._server = await asyncio.start_unix_server(self._serve, sock=sock, limit=MAX_LINE)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            with suppress(*_NO_REQUEST):
                async with asyncio.timeout(60):
                    request = json.loads(await reader.readuntil())
                    answer = await self._answer(request)
                    writer.write(json.dumps(answer).encode() + b"\n")
                    await writer.drain()
        finally:
            writer.close()

    async def _answer(self, request: Any) -> Mapping[str, Any]:
        name = request.get("do") if isinstance(request, dict) else None
        command = self._commands.get(name) if isinstance(name, str) else None
        if command is None:
            return {"error": f"one of {', '.join(sorted(self._commands))} can be done"}
        answer = command(request)
        if asyncio.iscoroutine(answer):
            answer = await answer
        return dict(answer)

    async def close(self) -> None:
        """Take no further request."""
        if self._server is not None:
            self._server.close()
            with suppress(OSError):
                (self._folder / NAME).unlink()


def ask(folder: Path, request: Mapping[str, Any], *, timeout_s: float = 60) -> Mapping[str, Any]:
    """The daemon's answer to *request*.

    Raises:
        OSError: No daemon runs on that state folder, or it does not answer.
    """
    line = json.dumps(request).encode() + b"\n"
    if len(line) > MAX_LINE:
        return {"error": f"that is too long: {len(line):,} bytes, of {MAX_LINE:,}"}
    number = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as sock:
            sock.settimeout(timeout_s)
            sock.connect(f"/proc/self/fd/{number}/{NAME}")
            sock.sendall(line)
            with sock.makefile("rb") as answers:
                told = answers.readline()
    finally:
        os.close(number)
    if not told:
        raise OSError("the daemon did not answer")
    answer: Mapping[str, Any] = json.loads(told)
    return answer
