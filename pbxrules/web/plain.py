"""The plain form of a request, which every report of the PBX has: one to a connection.

To read such a one is to find the end of its head, to check each line of it, to read a
number of bytes, and to write the answer and close.  Tornado's machinery for a request (a
task, two connections, the headers as a mapping) takes twice the time of all this, so only
what is not of this form goes there, with nothing of it changed.
"""

import asyncio
import re
from collections.abc import Callable
from typing import cast

from tornado.iostream import IOStream, StreamClosedError

from pbxrules.errors import ReportError
from pbxrules.web import answers
from pbxrules.web.answers import Answer
from pbxrules.web.exchange import (
    MAX_BODY,
    MAX_DISCARDED,
    MAX_HEAD,
    Exchange,
    Exchanges,
    refusal,
    seen,
    too_large,
)

_HEAD = re.compile(
    # The PBX's own line has no path: "POST HTTP/1.1".
    rb"(POST (?:(?:/|/events)(?:\?[!-~]*)? )?HTTP/1\.1)\r\n"
    # No two parts of it can match the same bytes, so it takes one pass over the head.
    rb"((?:[!#$%&'*+.^_`|~0-9A-Za-z-]+:[\t -~]*\r\n)+)\r\n"
)
_ENDS = b"\r?\n\r?\n"
"""As Tornado finds the end of a head."""
_SPECIAL = frozenset({b"transfer-encoding", b"expect", b"upgrade"})


def plain(head: bytes) -> tuple[bytes, int] | None:
    """The request line and the length of the body, if the request is of the plain form.

    It is a POST to one of our paths that says once, in digits, how long its body is, and
    that the connection ends with it; nothing about the body is special.
    """
    found = _HEAD.fullmatch(head)
    if found is None:
        return None
    size, closes = b"", b""
    for line in found[2].split(b"\r\n")[:-1]:
        name, _, value = line.partition(b":")
        name = name.lower()
        if name == b"content-length":
            if size:
                return None
            size = value.strip()
        elif name == b"connection":
            if closes:
                return None
            closes = value.strip().lower()
        elif name in _SPECIAL:
            return None
    if closes != b"close" or not size.isdigit() or len(size) > len(str(MAX_DISCARDED)):
        return None
    return found[1], int(size)


class PlainExchange(Exchange):
    """A connection that brings one request of the plain form, or is handed on."""

    def __init__(
        self, exchanges: Exchanges, stream: IOStream, hand_on: Callable[[bytes], None]
    ) -> None:
        """Prepare; ``start`` begins.

        Args:
            hand_on: Takes the stream, and the head that was read, where it is no plain one.
        """
        super().__init__(exchanges, stream)
        self._hand_on = hand_on

    def start(self) -> None:
        """Read its head."""
        try:
            reading = cast(
                "asyncio.Future[bytes]", self._stream.read_until_regex(_ENDS, max_bytes=MAX_HEAD)
            )
        except StreamClosedError:
            return
        if reading.done():
            self._have_head(reading)
        else:
            self._exchanges.awaits_head(self)
            self._close_after(self._exchanges.header_timeout_s)
            reading.add_done_callback(self._have_head)

    def _have_head(self, reading: "asyncio.Future[bytes]") -> None:
        self._in_time()
        if reading.cancelled() or reading.exception() is not None:
            self._end()
            return
        head = reading.result()
        found = plain(head)
        if found is None:
            self._end()
            self._hand_on(head)
            return
        self._asked, size = found
        self._exchanges.began(self)
        if size <= MAX_BODY:
            self._read_body(size)
        elif size <= MAX_DISCARDED:
            self._discard_body(size)
        else:
            self._refuse(too_large())

    def _read_body(self, size: int) -> None:
        try:
            reading = cast("asyncio.Future[bytes]", self._stream.read_bytes(size))
        except StreamClosedError:  # the head was in our buffer, its sender had gone
            self._end()
            return
        if reading.done():
            self._have_body(reading)
        else:
            self._close_after(self._exchanges.body_timeout_s)
            reading.add_done_callback(self._have_body)

    def _have_body(self, reading: "asyncio.Future[bytes]") -> None:
        self._in_time()
        if reading.cancelled() or reading.exception() is not None:
            self._end()
        else:
            self._take(reading.result())

    def _discard_body(self, size: int) -> None:
        """Answer that it is too large, and read on in small pieces, so that this is read."""
        error = too_large()
        if not self._stream.closed():
            self._stream.write(answers.raw(refusal(error))).add_done_callback(seen)
        self._close_after(self._exchanges.body_timeout_s)
        self._discard_more(error, size)

    def _discard_more(self, error: ReportError, size: int) -> None:
        try:
            piece = cast("asyncio.Future[bytes]", self._stream.read_bytes(MAX_BODY, partial=True))
        except StreamClosedError:
            self._discarded(error)
            return

        def have(piece: "asyncio.Future[bytes]") -> None:
            if piece.cancelled() or piece.exception() is not None:
                self._discarded(error)
                return
            self._keep(piece.result())
            if self._size < size:
                self._discard_more(error, size)
            else:
                self._discarded(error)

        piece.add_done_callback(have)

    def _discarded(self, error: ReportError) -> None:
        self._in_time()
        self._keep_refused(error)
        self._stream.close()
        self._end()

    def _write(self, answer: Answer) -> None:
        writing = self._stream.write(answers.raw(answer))
        if self._stream.writing():
            writing.add_done_callback(lambda _: self._stream.close())
        else:
            self._stream.close()
